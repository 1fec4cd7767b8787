"""What everything stored needs done, kind by kind: the one rule by which the ledger can be completed.

Use cases make due what follows from what they do. Rows that an older version has stored lack whatever came later, and
so does a ledger that was damaged: what is missing here is made due after every migration, and when workers start.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import sqlalchemy as sa
from sqlalchemy import Connection, Select, and_, or_, select

from connector.domain.absence import AbsenceState
from connector.domain.connection import CalendarRole, ConnectionState
from connector.domain.offer import OfferState
from connector.domain.people import Medium
from connector.domain.question import QuestionState
from connector.domain.session import SessionState
from connector.storage import ledger
from connector.storage.due import Key, Kind, Urgency, dashed, due
from connector.storage.tables import (
    absences,
    answer_codes,
    availability_asks,
    browsers,
    calendars,
    connect_links,
    connections,
    conversations,
    deliveries,
    early_receipts,
    endpoints,
    erasures,
    incoming_mails,
    installation,
    kept_answers,
    link_requests,
    offers,
    outcomes,
    pending_connections,
    pending_notices,
    published_calendars,
    questions,
    reply_mailbox,
    sessions,
    short_links,
    signins,
    spent_tokens,
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Need:
    """A kind of work, and the rows that need it.

    Attributes:
        rows: Selects `id` and `lane` of each.
        rests: Whether nothing may be due after it was done; else it is due again some time, for as long as the row
            needs it.
    """

    kind: Kind
    rows: Select[Any]
    rests: bool = False


def _calendars(*roles: CalendarRole, state: ConnectionState = ConnectionState.OK) -> Select[Any]:
    return (
        select(calendars.c.id, calendars.c.lane)
        .join(connections, connections.c.id == calendars.c.connection_id)
        .where(calendars.c.role.in_([role.value for role in roles]), connections.c.state == state.value)
    )


def _with_offers(*states: OfferState) -> sa.ColumnElement[bool]:
    """Whether the practitioner of a calendar has such an offer."""
    values = [state.value for state in states]
    return sa.exists().where(offers.c.practitioner_id == calendars.c.practitioner_id, offers.c.state.in_(values))


def _offers(state: OfferState) -> Select[Any]:
    return select(offers.c.id, sa.literal("").label("lane")).where(offers.c.state == state.value)


_OPEN_QUESTIONS = select(questions.c.id, sa.literal("").label("lane")).where(
    questions.c.state == QuestionState.OPEN.value
)
_ABSENT = (
    select(absences.c.practitioner_id.label("id"), sa.literal("").label("lane"))
    .where(absences.c.state == AbsenceState.OPEN.value)
    .distinct()
)
_LANE = sa.case(
    (conversations.c.medium == Medium.SMS.value, Medium.SMS.value), else_="mail"
)  # as conversations have it
_CONVERSATIONS = select(conversations.c.id, _LANE.label("lane"))
_TO_BE_TOLD = or_(
    conversations.c.letter_id.is_not(None),
    sa.exists().where(pending_notices.c.conversation_id == conversations.c.id),
)
_WITH_ERASURES = sa.exists().where(erasures.c.calendar_id == calendars.c.id)
_SWEPT = (
    browsers,
    signins,
    pending_connections,
    connect_links,
    short_links,
    incoming_mails,
    answer_codes,
    spent_tokens,
    early_receipts,
    kept_answers,
    endpoints,
    outcomes,
)
_TO_BE_SWEPT = or_(
    *(sa.exists(select(table)) for table in _SWEPT),
    sa.exists().where(published_calendars.c.revoked_at.is_not(None)),
)
_UNREAD = select(incoming_mails.c.id, sa.literal("inbox").label("lane")).where(incoming_mails.c.outcome.is_(None))
_DELIVERIES = (
    select(deliveries.c.queue_id.label("id"), endpoints.c.lane)
    .join(endpoints, endpoints.c.id == deliveries.c.endpoint_id)
    .where(deliveries.c.state == "pending", endpoints.c.disabled_at.is_(None))
    .distinct()
)
_TARGETS = _calendars(CalendarRole.TARGET)

NEEDS: Sequence[Need] = (
    Need(kind=Kind.CALENDAR, rows=_calendars(CalendarRole.TARGET, CalendarRole.CLEARING), rests=True),
    Need(kind=Kind.CALENDAR, rows=_calendars(CalendarRole.TARGET, state=ConnectionState.DISCONNECTING)),
    Need(kind=Kind.CALENDAR, rows=_calendars(*CalendarRole).where(_WITH_ERASURES)),
    Need(kind=Kind.PULL, rows=_TARGETS),
    Need(kind=Kind.CHANNEL, rows=_TARGETS),
    Need(kind=Kind.PROBE, rows=_TARGETS),
    Need(
        kind=Kind.BUSY,
        rows=_calendars(*CalendarRole).where(_with_offers(OfferState.OPEN, OfferState.DRAFT)),
        rests=True,  # a target's feed tells when it changes
    ),
    Need(kind=Kind.BUSY, rows=_calendars(CalendarRole.WATCHED).where(_with_offers(OfferState.OPEN))),
    Need(
        kind=Kind.BUSY,
        rows=_calendars(*CalendarRole).where(
            sa.exists().where(availability_asks.c.practitioner_id == calendars.c.practitioner_id)
        ),
        rests=True,  # whoever asks again has it read
    ),
    Need(
        kind=Kind.BUSY,
        rows=_calendars(CalendarRole.WATCHED).where(
            sa.exists().where(
                sessions.c.practitioner_id == calendars.c.practitioner_id,
                sessions.c.state == SessionState.BOOKED.value,
            )
        ),
        rests=True,  # while sessions are to come
    ),
    Need(kind=Kind.ABSENCE, rows=_ABSENT),
    Need(kind=Kind.OFFER, rows=_offers(OfferState.OPEN)),
    Need(kind=Kind.OFFER, rows=_offers(OfferState.DRAFT), rests=True),  # a reminder is sent once
    Need(kind=Kind.QUESTION, rows=_OPEN_QUESTIONS),
    Need(kind=Kind.CONVERSATION, rows=_CONVERSATIONS, rests=True),
    Need(kind=Kind.CONVERSATION, rows=_CONVERSATIONS.where(_TO_BE_TOLD)),
    Need(kind=Kind.SIGN_IN, rows=select(link_requests.c.id, sa.literal("").label("lane"))),
    Need(kind=Kind.MAIL, rows=_UNREAD),
    Need(kind=Kind.MAILBOX, rows=select(reply_mailbox.c.id, sa.literal("mailbox").label("lane"))),
    Need(kind=Kind.OUTCOME, rows=_DELIVERIES),
    Need(kind=Kind.UPKEEP, rows=select(installation.c.id, sa.literal("").label("lane")).where(_TO_BE_SWEPT)),
)


def make_missing_due(db: Connection, *, now: datetime) -> int:
    """Make due now whatever something stored needs and the ledger lacks, and return how much that was.

    Who carries it out says when it is due next, so what has its time later is only looked at. All of it may be missing:
    what people do meanwhile goes first.
    """
    missing = {key: lane for need in NEEDS for key, lane in _missing(db, need)}
    for key in sorted(missing, key=lambda key: (key.kind, key.id)):  # in one order, whoever else does the same
        ledger.touch(db, key, due_at=now, lane=missing[key], urgency=Urgency.UPKEEP)
    return len(missing)


def is_to_be_swept(db: Connection) -> bool:
    """Whether something is stored that ends by itself."""
    return db.execute(select(installation.c.id).where(_TO_BE_SWEPT)).first() is not None


def make_calendars_due(db: Connection, *, now: datetime) -> None:
    """Have every calendar compared with what it is to show: a new version may show it otherwise."""
    for row in db.execute(_TARGETS.order_by(calendars.c.id)).all():
        ledger.touch(db, Key(Kind.CALENDAR, str(row.id)), due_at=now, lane=row.lane, urgency=Urgency.UPKEEP)


def make_readings_due(db: Connection, *, now: datetime) -> None:
    """Have the calendars of whoever has sessions to come read: a new version may make more of what is there."""
    is_booked, is_to_come = sessions.c.state == SessionState.BOOKED.value, sessions.c.ends_at > now
    coming = sa.exists().where(sessions.c.practitioner_id == calendars.c.practitioner_id, is_booked, is_to_come)
    query = _calendars(CalendarRole.TARGET, CalendarRole.WATCHED).where(coming).order_by(calendars.c.id)
    for row in db.execute(query).all():
        ledger.touch(db, Key(Kind.BUSY, str(row.id)), due_at=now, lane=row.lane, urgency=Urgency.UPKEEP)


def _missing(db: Connection, need: Need) -> Sequence[tuple[Key, str]]:
    rows = need.rows.subquery()
    is_its_row = and_(due.c.kind == need.kind.value, due.c.id == dashed(rows.c.id))
    is_idle = and_(due.c.due_at.is_(None), due.c.lease_until.is_(None))
    lacks = due.c.id.is_(None) if need.rests else or_(due.c.id.is_(None), is_idle)
    query = select(rows.c.id, rows.c.lane).outerjoin(due, is_its_row).where(lacks)
    return [(Key(need.kind, str(row.id)), row.lane) for row in db.execute(query)]
