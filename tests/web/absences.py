"""Absences that practitioners are asked about."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection

from connector.domain.absence import Absence, PartKey, Place
from connector.domain.notice_table import Link
from connector.domain.session import Session
from connector.domain.span import Span
from connector.storage import absences
from tests.web.stage import Stage


def absence_of(
    db: Connection, practitioner_id: UUID, named: Sequence[Session], *, now: datetime, calendar_id: UUID | None = None
) -> Absence:
    """Store that a practitioner was asked about sessions, from the first to the end of the last."""
    absence = Absence(
        id=uuid4(),
        practitioner_id=practitioner_id,
        span=Span.of(min(one.when.span.start for one in named), max(one.when.span.end for one in named)),
        keys=frozenset({PartKey(calendar_id or uuid4(), "/away", None)}),
        places=frozenset(Place(one.id, one.when.span.start) for one in named),
        asked_at=now - timedelta(minutes=1),
    )
    absences.add(db, absence)
    return absence


def page_of(stage: Stage, absence: Absence) -> str:
    """Return the path of the page that the letter about an absence leads to."""
    return stage.runtime.link(Link.ABSENCE, absence.id).removeprefix(stage.runtime.settings.public_url)
