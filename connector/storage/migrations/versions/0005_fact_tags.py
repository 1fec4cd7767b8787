"""Facts are stored under tags of their own instead of the names of classes; a calendar that goes on, by its id."""

from __future__ import annotations

import json

import sqlalchemy as sa
from alembic import op

revision = "0005"
down_revision = "0004"
branch_labels = None
depends_on = None

TAGS = {
    "SessionBooked": "session_booked",
    "SessionMoved": "session_moved",
    "LocationChanged": "location_changed",
    "SessionCancelled": "session_cancelled",
    "SessionFlagged": "session_flagged",
    "FlagCleared": "flag_cleared",
    "OfferDrafted": "offer_drafted",
    "OfferDiscarded": "offer_discarded",
    "OfferSent": "offer_sent",
    "OfferAccepted": "offer_accepted",
    "OfferRejected": "offer_rejected",
    "OfferLapsed": "offer_lapsed",
    "OfferWithdrawn": "offer_withdrawn",
    "OfferReplaced": "offer_replaced",
    "AlternativeWithdrawn": "alternative_withdrawn",
    "AlternativeMoved": "alternative_moved",
    "EntryTouched": "entry_reverted",
    "EventMoved": "event_moved",
    "EventDeleted": "event_deleted",
    "PractitionerAsked": "practitioner_asked",
    "PractitionerAnswered": "practitioner_answered",
    "QuestionDropped": "question_dropped",
    "ClashFound": "conflict_found",
    "CalendarStopped": "calendar_paused",
    "CalendarResumed": "calendar_resumed",
    "TargetChanged": "target_changed",
    "HoldsProved": "holds_proved",
    "ConnectionAdded": "connection_added",
    "AccessLost": "access_lost",
    "AccessRestored": "access_restored",
    "DisconnectAsked": "disconnect_asked",
    "Disconnected": "disconnected",
    "NoticeSent": "notice_sent",
    "NoticeRefused": "notice_refused",
    "NoticeHeldBack": "notice_held_back",
}

facts = sa.table(
    "facts",
    sa.column("id", sa.BigInteger()),
    sa.column("kind", sa.Text()),
    sa.column("connection_id", sa.Uuid()),
    sa.column("details", sa.Text()),
)
calendars = sa.table(
    "calendars",
    sa.column("id", sa.Uuid()),
    sa.column("connection_id", sa.Uuid()),
    sa.column("name", sa.Text()),
)


def upgrade() -> None:
    rename(TAGS)
    name_calendars()


def downgrade() -> None:
    # The ids of calendars stay: the version before does not look at them.
    rename({tag: name for name, tag in TAGS.items()})


def rename(words: dict[str, str]) -> None:
    kind = sa.case(words, value=facts.c.kind)
    op.get_bind().execute(sa.update(facts).where(facts.c.kind.in_(list(words))).values(kind=kind))


def name_calendars() -> None:
    """Say by its id which calendar goes on, where one calendar alone of its connection goes by the stored name."""
    db = op.get_bind()
    ids_by_name: dict[tuple[object, str], list[str]] = {}
    for row in db.execute(sa.select(calendars)):
        ids_by_name.setdefault((row.connection_id, row.name), []).append(str(row.id))
    for row in db.execute(sa.select(facts).where(facts.c.kind == TAGS["CalendarResumed"])).all():
        details = json.loads(row.details)
        ids = ids_by_name.get((row.connection_id, details["calendar"]), [])
        if len(ids) == 1:
            text = json.dumps({**details, "calendar_id": ids[0]}, ensure_ascii=False, separators=(",", ":"))
            db.execute(sa.update(facts).where(facts.c.id == row.id).values(details=text))
