"""Offers, as the host in this process drafts, sends and ends them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from msgspec import UNSET, UnsetType

from connector.api.offer_bodies import OfferBody, OfferPreviewBody, SentOfferBody
from connector.domain.offer import OfferState
from connector.hosted.calls import values
from connector.hosted.calls.door import Door, Id
from connector.hosted.calls.values import Times


class Offers:
    """What `/offers` of the API does."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def draft(
        self,
        session: Id,
        times: Times,
        *,
        window: timedelta | None = None,
        external_id: str | None = None,
        replace: bool = False,
        once: str = "",
    ) -> OfferBody:
        """Note down other times for a session: nothing is sent, and nothing is held.

        Args:
            session: Which has one draft at most.
            times: One to ten, each a `Time`, or an `Alternative` with a place of its own.
            window: How long the client has to answer; None for the installation's setting.
            external_id: What the host calls the offer.
            replace: Throw an earlier draft of the session away.
            once: The name of this act: asked for again under it, it is not done again.

        Raises: RuleError.
        """
        body = {**_told(times, window), "external_id": external_id, "replace": replace}
        path = {"session_id": self._door.session(session)}
        return self._door.ask("offers.draft", OfferBody, path=path, body=body, once=once)

    def put(
        self,
        external_id: str,
        session: Id,
        times: Times,
        *,
        window: timedelta | None = None,
        replace: bool = False,
        version: int | None = None,
    ) -> OfferBody:
        """Note down the offer that the host calls so, or change that draft. Raises: RuleError."""
        body = {**_told(times, window), "session_id": self._door.session(session), "replace": replace}
        path = {"external_id": external_id}
        return self._door.ask("offers.draft_named", OfferBody, path=path, body=body, version=version)

    def redraft(
        self, offer: Id, times: Times, *, window: timedelta | None = None, version: int | None = None
    ) -> OfferBody:
        """Change a draft; times that it has already keep their ids. Raises: RuleError."""
        return self._changed("redraft", offer, _told(times, window), version=version)

    def rename(self, offer: Id, external_id: str | None, *, version: int | None = None) -> OfferBody:
        """Change what the host calls an offer; nobody is told. Raises: RuleError."""
        return self._changed("rename", offer, {"external_id": external_id}, version=version)

    def get(self, offer: Id) -> OfferBody:
        """Return an offer as of now: past its deadline it has lapsed. Raises: NotFoundError."""
        return self._door.ask("offers.show", OfferBody, path=self._path(offer))

    def list(
        self,
        *,
        session: Id | UnsetType = UNSET,
        practitioner: Id | UnsetType = UNSET,
        state: OfferState | UnsetType = UNSET,
        external_id: str | UnsetType = UNSET,
    ) -> Iterator[OfferBody]:
        """Yield offers, those that were noted down last first."""
        of = {
            "session_id": session if session is UNSET else self._door.session(session),
            "practitioner_id": practitioner if practitioner is UNSET else self._door.practitioner(practitioner),
            "state": state,
            "external_id": external_id,
        }
        return self._door.pages("offers.every", OfferBody, **of)

    def preview(self, offer: Id) -> OfferPreviewBody:
        """Say what sending a draft would do, and do nothing of it; the calendars are read for it. Raises: RuleError."""
        return self._door.ask("offers.preview", OfferPreviewBody, path=self._path(offer))

    def send(
        self, offer: Id, *, accept_conflicts: Iterable[str] = (), version: int | None = None, once: str = ""
    ) -> SentOfferBody:
        """Send a draft: its times are held, the client is asked, and the deadline runs. Raises: RuleError."""
        body = {"accept_conflicts": list(accept_conflicts)}
        return self._door.ask(
            "offers.send", SentOfferBody, path=self._path(offer), body=body, version=version, once=once
        )

    def replace(
        self,
        offer: Id,
        times: Times,
        *,
        window: timedelta | None = None,
        external_id: str | None = None,
        replace: bool = False,
        accept_conflicts: Iterable[str] = (),
        version: int | None = None,
        once: str = "",
    ) -> SentOfferBody:
        """Send other times in place of an open offer, in one act: what both hold is never free meanwhile.

        Args:
            offer: The one that is open.
            times: As for `draft`; so are `window` and `external_id`, which are of the new offer.
            window: Likewise.
            external_id: Likewise.
            replace: Throw a draft of the session away, too.
            accept_conflicts: The ids of what stands at these times and is offered over all the same.
            version: Of the open offer; None for any.
            once: The name of this act.

        Raises: RuleError.
        """
        body = {
            **_told(times, window),
            "external_id": external_id,
            "replace": replace,
            "accept_conflicts": list(accept_conflicts),
        }
        return self._door.ask(
            "offers.replace", SentOfferBody, path=self._path(offer), body=body, version=version, once=once
        )

    def discard(self, offer: Id, *, version: int | None = None, once: str = "") -> OfferBody:
        """Throw a draft away: nobody knew of it. Raises: RuleError."""
        return self._changed("discard", offer, None, version=version, once=once)

    def withdraw(self, offer: Id, *, reason: str = "", version: int | None = None, once: str = "") -> OfferBody:
        """Take an open offer back: its times are free, the client is told, the session stays. Raises: RuleError."""
        return self._changed("withdraw", offer, {"reason": reason}, version=version, once=once)

    def withdraw_one(self, offer: Id, alternative: UUID, *, version: int | None = None, once: str = "") -> OfferBody:
        """Take one offered time back; the last takes the offer with it. Raises: RuleError."""
        path = {**self._path(offer), "alternative_id": alternative}
        return self._door.ask("offers.withdraw_one", OfferBody, path=path, version=version, once=once)

    def move(
        self,
        offer: Id,
        alternative: UUID,
        *,
        start: datetime,
        end: datetime,
        zone: str | None = None,
        accept_conflicts: Iterable[str] = (),
        version: int | None = None,
        once: str = "",
    ) -> OfferBody:
        """Move one offered time; the client is told, and the deadline stays. Raises: RuleError."""
        path = {**self._path(offer), "alternative_id": alternative}
        body = {"time": values.time(start, end, zone), "accept_conflicts": list(accept_conflicts)}
        return self._door.ask("offers.move", OfferBody, path=path, body=body, version=version, once=once)

    def answer(
        self,
        offer: Id,
        answer: Literal["accept", "reject", "cancel"],
        *,
        name: str,
        reason: str,
        alternative: UUID | None = None,
        shown: datetime | None = None,
        once: str = "",
    ) -> OfferBody:
        """Answer for a client who cannot; the same answer again changes nothing.

        Args:
            offer: Which; a time may be chosen after a lapse, too, while it is free.
            answer: They choose a time, none suits, or they cancel the session.
            name: Of whoever answers for them.
            reason: Why they do.
            alternative: The time that is chosen.
            shown: When it began as the client was told it; if it has moved since, nothing is accepted.
            once: The name of this act.

        Raises: RuleError.
        """
        body = {"answer": answer, "name": name, "reason": reason, "alternative_id": alternative, "shown": shown}
        return self._door.ask("offers.answer", OfferBody, path=self._path(offer), body=body, once=once)

    def _changed(
        self, name: str, offer: Id, body: dict[str, Any] | None, *, version: int | None, once: str = ""
    ) -> OfferBody:
        return self._door.ask(
            f"offers.{name}", OfferBody, path=self._path(offer), body=body, version=version, once=once
        )

    def _path(self, offer: Id) -> dict[str, Id]:
        return {"offer_id": self._door.offer(offer)}


def _told(times: Times, window: timedelta | None) -> dict[str, Any]:
    seconds = int(window.total_seconds()) if window is not None else None
    return {"alternatives": values.alternatives(times), "window_seconds": seconds}
