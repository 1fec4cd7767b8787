"""When practitioners are free, as the host in this process asks."""

from __future__ import annotations

from datetime import datetime

from msgspec import UNSET

from connector.api.availability import AvailabilityBody, SuggestionsBody
from connector.hosted.calls.door import Door, Id


class Availabilities:
    """What `/practitioners/…/availability` and `/sessions/…/suggestions` of the API do."""

    def __init__(self, door: Door) -> None:
        self._door = door

    def find(
        self,
        practitioner: Id,
        *,
        start: datetime,
        end: datetime,
        minutes: int,
        zone: str | None = None,
        step: int = 15,
        for_session: Id | None = None,
    ) -> AvailabilityBody:
        """Say when a practitioner is free, from what was read of their calendars.

        Args:
            practitioner: Who.
            start: From when; aware.
            end: Until when: 60 days later at most.
            minutes: How long the session lasts; the practitioner's buffer comes on top.
            zone: On whose clock times are answered; the practitioner's if left out.
            step: Minutes between two starts.
            for_session: A session that shall move: neither it nor what is offered for it is in its own way.

        Raises: RuleError.
        """
        path = {"practitioner_id": self._door.practitioner(practitioner)}
        query = {
            "from": start,
            "to": end,
            "minutes": minutes,
            "zone": zone,
            "step": step,
            "for_session": self._door.session(for_session) if for_session is not None else UNSET,
        }
        return self._door.ask("availability.free", AvailabilityBody, path=path, query=query)

    def suggest(self, session: Id, *, count: int = 9, step: int = 15) -> SuggestionsBody:
        """Say which times to offer in place of a session's, the best first. Raises: RuleError."""
        path = {"session_id": self._door.session(session)}
        query = {"count": count, "step": step}
        return self._door.ask("availability.suggest_for", SuggestionsBody, path=path, query=query)
