"""The two kinds of address that pushes come to; each module of this package exports one as `WEBHOOK`."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Protocol

from werkzeug.datastructures import Headers

from connector.ports import Channel, Notification
from webhooks._handshake import Handshake


def may_be_ours(*words: str) -> bool:
    """Whether ids and secrets can be of our making: those are printable ASCII, and others no database takes."""
    return all(word.isascii() and word.isprintable() for word in words)


class Parse(Protocol):
    """Reads a push."""

    def __call__(self, headers: Headers, query: Mapping[str, str], body: bytes) -> Handshake | tuple[Notification, ...]:
        """Return what came in: the question whether the address is ours, or notifications, none of them checked yet.

        Raises: NotificationRejectedError if it cannot be a push of a channel of ours.
        """
        ...


class Unseal(Protocol):
    """Opens a push that was encrypted for one channel."""

    def __call__(self, channel: Channel, headers: Headers, body: bytes, *, origin: str, now: datetime) -> Notification:
        """Return the notification of the channel; that the push could be decrypted proves it genuine.

        Raises: NotificationRejectedError.
        """
        ...


@dataclass(frozen=True, slots=True, kw_only=True)
class SharedAddress:
    """All channels of a provider push to `/hooks/<slug>`."""

    parse: Parse


@dataclass(frozen=True, slots=True, kw_only=True)
class ChannelAddress:
    """Each channel has an address of its own, `/hooks/<slug>/<channel id>`."""

    unseal: Unseal


Webhook = SharedAddress | ChannelAddress
