"""Sessions, as the host in this process books, reads, moves and cancels them."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from datetime import datetime
from typing import Any
from uuid import UUID

from msgspec import UNSET, UnsetType

from connector.api.places import LocationBody
from connector.api.sessions import AttestationBody, ChangedSessionBody, SessionBody
from connector.domain.facts import FlagReason
from connector.domain.session import SessionKind, SessionState
from connector.hosted.calls import values
from connector.hosted.calls.door import Door, Id


class Sessions:
    """What `/sessions` of the API does."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def book(
        self,
        *,
        practitioner: Id,
        client: Id,
        start: datetime,
        end: datetime,
        zone: str | None = None,
        location: LocationBody,
        kind: SessionKind = SessionKind.FOLLOWUP,
        series: UUID | None = None,
        external_id: str | None = None,
        accept_conflicts: Iterable[str] = (),
        once: str = "",
    ) -> SessionBody:
        """Book a session, if its time is free; the client is told, and it appears in the practitioner's calendars.

        Args:
            practitioner: Whose it is.
            client: For whom.
            start: Aware; it is read on the clock of `zone`.
            end: Likewise.
            zone: An IANA name; left out, that of `start`.
            location: Where they meet.
            kind: The first of them, or a later one.
            series: What it is one of.
            external_id: What the host calls it.
            accept_conflicts: The ids of what may stand in other calendars, from the `found` of a ConflictError.
            once: The name of this act: asked for again under it, it is not done again.

        Raises: RuleError.
        """
        by_name = {"practitioner": practitioner, "client": client}
        people = {f"{who}_id" if isinstance(one, UUID) else f"{who}_external_id": one for who, one in by_name.items()}
        body = {
            **people,
            "time": values.time(start, end, zone),
            "location": location,
            "kind": kind,
            "series_id": series,
            "external_id": external_id,
            "accept_conflicts": list(accept_conflicts),
        }
        return self._door.ask("sessions.book", SessionBody, body=body, once=once)

    def get(self, session: Id) -> SessionBody:
        """Return a session as it stands. Raises: NotFoundError."""
        return self._door.ask("sessions.show", SessionBody, path=self._path(session))

    def list(
        self,
        *,
        since: datetime | UnsetType = UNSET,
        to: datetime | UnsetType = UNSET,
        practitioner: Id | UnsetType = UNSET,
        client: Id | UnsetType = UNSET,
        series: UUID | UnsetType = UNSET,
        external_id: str | UnsetType = UNSET,
        state: SessionState | UnsetType = UNSET,
        flagged: bool | UnsetType = UNSET,
        flag: FlagReason | UnsetType = UNSET,
    ) -> Iterator[SessionBody]:
        """Yield sessions by their start, cancelled ones among them.

        Args:
            since: Those that end after this instant.
            to: Those that begin before this one.
            practitioner: Whose.
            client: For whom.
            series: Of which series.
            external_id: The one that the host calls so.
            state: Those that stand, or are cancelled.
            flagged: Those that their practitioner has to look after, or all others.
            flag: Those that they have to for this reason.
        """
        of = {
            "from": since,
            "to": to,
            "practitioner_id": practitioner if practitioner is UNSET else self._door.practitioner(practitioner),
            "client_id": client if client is UNSET else self._door.client(client),
            "series_id": series,
            "external_id": external_id,
            "state": state,
            "flagged": flagged,
            "flag": flag,
        }
        return self._door.pages("sessions.every", SessionBody, **of)

    def reschedule(
        self,
        session: Id,
        *,
        start: datetime,
        end: datetime,
        zone: str | None = None,
        attestation: AttestationBody,
        location: LocationBody | None = None,
        accept_conflicts: Iterable[str] = (),
        version: int | None = None,
        once: str = "",
    ) -> ChangedSessionBody:
        """Move a session to a time that its client has agreed to, as `attestation` says; an open offer ends.

        Raises: RuleError.
        """
        body = {"attestation": attestation, **_moved(start, end, zone, location, accept_conflicts)}
        return self._act("reschedule", session, body, version=version, once=once)

    def correct(
        self,
        session: Id,
        *,
        start: datetime,
        end: datetime,
        zone: str | None = None,
        location: LocationBody | None = None,
        override_past: bool = False,
        accept_conflicts: Iterable[str] = (),
        version: int | None = None,
        once: str = "",
    ) -> ChangedSessionBody:
        """Correct a session that was entered by mistake; with `override_past` also to a time that has passed.

        Raises: RuleError.
        """
        body = {"override_past": override_past, **_moved(start, end, zone, location, accept_conflicts)}
        return self._act("correct", session, body, version=version, once=once)

    def relocate(
        self, session: Id, location: LocationBody, *, version: int | None = None, once: str = ""
    ) -> ChangedSessionBody:
        """Change the place of a session; the client is told, and need not agree. Raises: RuleError."""
        return self._act("relocate", session, {"location": location}, version=version, once=once)

    def cancel(
        self, session: Id, *, reason: str = "", version: int | None = None, once: str = ""
    ) -> ChangedSessionBody:
        """Cancel a session; the client reads the reason. Again changes nothing. Raises: RuleError."""
        return self._act("cancel", session, {"reason": reason}, version=version, once=once)

    def keep(self, session: Id, *, version: int | None = None, once: str = "") -> ChangedSessionBody:
        """Keep a flagged session as it is: its flag goes. Raises: RuleError."""
        return self._act("keep", session, None, version=version, once=once)

    def rename(self, session: Id, external_id: str | None, *, version: int | None = None) -> SessionBody:
        """Change what the host calls a session; nobody is told. Raises: RuleError."""
        body = {"external_id": external_id}
        return self._door.ask("sessions.call_it", SessionBody, path=self._path(session), body=body, version=version)

    def _act(
        self, name: str, session: Id, body: dict[str, Any] | None, *, version: int | None, once: str
    ) -> ChangedSessionBody:
        path = self._path(session)
        return self._door.ask(f"sessions.{name}", ChangedSessionBody, path=path, body=body, version=version, once=once)

    def _path(self, session: Id) -> dict[str, Id]:
        return {"session_id": self._door.session(session)}


def _moved(
    start: datetime,
    end: datetime,
    zone: str | None,
    location: LocationBody | None,
    accept_conflicts: Iterable[str],
) -> dict[str, Any]:
    return {
        "time": values.time(start, end, zone),
        "location": location,
        "accept_conflicts": list(accept_conflicts),
    }
