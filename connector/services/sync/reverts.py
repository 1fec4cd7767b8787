"""Tell a practitioner that an entry of ours, which they changed in their calendar, stands again as it was."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from connector.domain.connection import Calendar
from connector.domain.entry import EntryKind
from connector.domain.facts import EntryReverted
from connector.domain.notice import Notice, NoticeKind, Recipient, RevertReason
from connector.domain.people import Actor, Role
from connector.domain.reconcile import Mirror
from connector.domain.span import Span, When
from connector.services import notices
from connector.storage import people, sessions, timeline


def revert(
    db: Connection,
    calendar: Calendar,
    mirror: Mirror,
    reason: RevertReason,
    *,
    found: Span | None = None,
    deleted: bool = False,
    now: datetime,
) -> None:
    """Store the fact that an entry is reverted, and tell its practitioner why.

    `found` is where it had been moved to; `deleted` says that it had been deleted.
    """
    practitioner = people.practitioner(db, calendar.practitioner_id)
    session = sessions.get(db, mirror.session_id)
    moved_to = When.of(found, zone=session.when.zone) if found is not None else None
    fact = EntryReverted(
        at=now,
        by=Actor(role=Role.PRACTITIONER, name=practitioner.name),
        session_id=session.id,
        connection_id=calendar.connection_id,
        key=str(mirror.key),
        deleted=deleted,
        reason=reason.value,
        moved_to=moved_to,
    )
    timeline.append(db, practitioner.id, [fact])
    notice = Notice(
        kind=NoticeKind.ENTRY_REVERTED,
        to=Recipient.of(practitioner),
        practitioner_name=practitioner.name,
        client_name=people.client(db, session.client_id).name,
        session=session,
        about="session" if mirror.key.kind is EntryKind.SESSION else "hold",
        reason=reason.value,
        moved_to=moved_to,
    )
    notices.tell_practitioner(db, practitioner, notice, now=now)
