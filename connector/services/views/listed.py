"""A practitioner's sessions page by page: what comes, what was, what waits for them."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.people import Practitioner
from connector.domain.session import Session
from connector.errors import NotFoundError
from connector.services.views.needs import Needs, needing, needs
from connector.services.views.sessions import SessionRow, session_rows
from connector.storage import people, sessions

A_PAGE = 25
_PLACE = "%Y%m%dT%H%M%SZ"


class Show(StrEnum):
    """Which sessions are listed."""

    COMING = "coming"
    PAST = "past"
    NEEDS = "needs"


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionPages:
    """One page of a practitioner's sessions.

    Attributes:
        rows: In order: what comes, the earliest first; what was, the latest first.
        following: Names the next page; empty for none.
    """

    practitioner: Practitioner
    show: Show
    rows: tuple[SessionRow, ...]
    following: str
    needs: Needs


def session_pages(
    db: Connection, practitioner_id: UUID, show: Show, *, behind: str = "", now: datetime
) -> SessionPages:
    """Return a page of sessions, in as many statements however many there are.

    `behind`: names the place behind which it begins, as the page before has it.

    Raises: NotFoundError for a practitioner or a place that there is not.
    """
    practitioner = people.practitioner(db, practitioner_id)
    if show is Show.NEEDS:
        rows, more = _needing(db, practitioner, behind, now)
    else:
        found = _found(db, practitioner, show, behind, now)
        rows, more = session_rows(db, practitioner, found[:A_PAGE], now=now), len(found) > A_PAGE
    return SessionPages(
        practitioner=practitioner,
        show=show,
        rows=tuple(rows),
        following=_place(rows[-1].session) if more else "",
        needs=needs(db, practitioner, now=now, most=0),
    )


def _found(db: Connection, practitioner: Practitioner, show: Show, behind: str, now: datetime) -> Sequence[Session]:
    beyond = _read_place(behind) if behind else None
    ends_after, ended_by = (None, now) if show is Show.PAST else (now, None)
    return sessions.listed(
        db, practitioner.id, ends_after=ends_after, ended_by=ended_by, beyond=beyond, most=A_PAGE + 1
    )


def _needing(db: Connection, practitioner: Practitioner, behind: str, now: datetime) -> tuple[list[SessionRow], bool]:
    every = needing(db, practitioner, now=now)
    first = 0
    if behind:
        _start, last = _read_place(behind)
        first = next((n + 1 for n, row in enumerate(every) if row.session.id == last), 0)
    return every[first : first + A_PAGE], len(every) > first + A_PAGE


def _place(session: Session) -> str:
    return f"{session.when.span.start:{_PLACE}}-{session.id.hex}"


def _read_place(text: str) -> tuple[datetime, UUID]:
    start, _, session_id = text.partition("-")
    try:
        return datetime.strptime(start, _PLACE).replace(tzinfo=UTC), UUID(hex=session_id)
    except ValueError:
        raise NotFoundError(
            "There is no such page of the list. Begin with its first one.", code="page_not_found", field="behind"
        ) from None
