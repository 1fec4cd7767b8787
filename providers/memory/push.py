"""How the calendar service that lives in this process pushes: by a plain call to whoever has opened a channel."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Literal
from uuid import uuid4

from connector.errors import ProviderError, RefusedError
from connector.ports import Channel, Lifecycle, Notification, before_request
from connector.sentence import Sentence

LIFE = timedelta(days=7)


@dataclass(eq=False)
class MemoryPush:
    """One calendar's channels at the service.

    Attributes:
        silent: While set, the calendar refuses to be watched.
        life: How long a channel is granted.
        renewal: Whether a renewal prolongs a channel, opens a successor as Google does, or is refused.
        channels: Those that are open at the service, by our id; an address each in `addresses`.
        heard: Called with what the service pushes; whoever wants to lose, double or delay pushes does it here.
        asked: What was asked, in order: verb and channel.
        faults: Answers to the next requests, one each; with `answer_lost` the request is carried out all the same.
    """

    silent: bool = False
    life: timedelta = LIFE
    renewal: Literal["prolongs", "succeeds", "refused"] = "prolongs"
    channels: dict[str, Channel] = field(default_factory=dict)
    addresses: dict[str, str] = field(default_factory=dict)
    heard: Callable[[Notification], None] | None = None
    asked: list[tuple[str, str]] = field(default_factory=list)
    faults: list[tuple[ProviderError, bool]] = field(default_factory=list)

    def watch(self, *, channel_id: str, secret: str, address: str, now: datetime) -> Channel:
        """Open a channel; its first notification precedes the answer. An id can be used once.

        Raises: RefusedError.
        """
        lost = self._ask_for("watch", channel_id)
        if self.silent:
            raise RefusedError(Sentence("this calendar cannot push"))
        if channel_id in self.addresses:
            raise RefusedError(Sentence("the name %(name)s of a channel is taken", name=channel_id))
        channel = Channel(id=channel_id, remote_id=f"remote-{uuid4()}", secret=secret, expires_at=now + self.life)
        self.channels[channel_id] = channel
        self.addresses[channel_id] = address
        self._push(channel)
        if lost:
            raise lost
        return channel

    def renew(self, channel: Channel, *, address: str, now: datetime) -> Channel:
        """Make a channel last longer, or open its successor.

        Raises: RefusedError.
        """
        lost = self._ask_for("renew", channel.id)
        if self.renewal == "refused" or self.silent:
            raise RefusedError(Sentence("a channel cannot be renewed here"))
        if self.renewal == "succeeds":
            return self.watch(channel_id=str(uuid4()), secret=str(uuid4()), address=address, now=now)
        prolonged = replace(channel, expires_at=now + self.life)
        self.channels[channel.id] = prolonged
        self.addresses[channel.id] = address
        if lost:
            raise lost
        return prolonged

    def unwatch(self, channel: Channel) -> None:
        """Close a channel."""
        lost = self._ask_for("unwatch", channel.id)
        self.channels.pop(channel.id, None)
        if lost:
            raise lost

    def fail_channel(self, error: ProviderError, *, answer_lost: bool = False) -> None:
        """Let the next request about a channel fail, or only its answer be lost."""
        self.faults.append((error, answer_lost))

    def notification(self, lifecycle: Lifecycle | None = None) -> None:
        """Push to every open channel, as after any change."""
        for channel in list(self.channels.values()):
            self._push(channel, lifecycle)

    def _push(self, channel: Channel, lifecycle: Lifecycle | None = None) -> None:
        if self.heard is not None:
            self.heard(Notification(channel_id=channel.id, secret=channel.secret, lifecycle=lifecycle))

    def _ask_for(self, verb: str, channel_id: str) -> ProviderError | None:
        """Count a request and raise its fault, if any; return the error to answer with once it is carried out."""
        before_request()
        self.asked.append((verb, channel_id))
        error, answer_lost = self.faults.pop(0) if self.faults else (None, False)
        if error is not None and not answer_lost:
            raise error
        return error
