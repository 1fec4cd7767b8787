"""What the database holds about a client: the one inventory of every table and column, by which all of it is found.

Every column of every table is classified. Where rows can be a client's, `HOLDINGS` says which are, what each column
tells, and what it says once the client is erased; all other tables are named in `TELL_NOTHING`, with every column. A
test walks the schema and asks for what is not here. Export and erasure both walk this inventory and know no other.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, Connection, Row, Table, delete, func, or_, select, update

from connector.domain.conversation import Conversation
from connector.domain.facts import UnknownFact
from connector.domain.notice import Notice
from connector.domain.notice_table import Audience
from connector.domain.people import ERASED, Role
from connector.domain.personal import WORD, place, without_client
from connector.domain.session import LocationKind
from connector.storage import tables, timeline
from connector.storage.due import due
from connector.storage.messages import MessageState
from connector.storage.versions import raise_version, raising

Blank = Callable[[Row[Any]], Any]


@dataclass(frozen=True, slots=True, kw_only=True)
class Holding:
    """A table in which rows can be a client's.

    Attributes:
        section: What an export calls its rows.
        rows: Which of them are a client's.
        erased: By column, what it says once the client is erased.
        kept: The columns that tell nothing of anybody once the others are erased.
        goes: Its rows are deleted instead.
    """

    section: str
    table: Table
    rows: Callable[[UUID], ColumnElement[bool]]
    erased: Mapping[str, Blank] = field(default_factory=dict)
    kept: str = ""
    goes: bool = False


def _word(word: Any) -> Blank:
    return lambda _row: word


def _filled(column: str, word: str) -> Blank:
    return lambda row: word if getattr(row, column) else getattr(row, column)


def _place(row: Row[Any]) -> str | None:
    return place(LocationKind(row.location_kind)) if row.location_kind else None


def _notice(row: Row[Any]) -> str:
    return _rewritten(row.notice, Notice)


def _beliefs(row: Row[Any]) -> str | None:
    return None if row.beliefs is None else _rewritten(row.beliefs, Conversation)


def _rewritten(stored: str, kind: type[Any]) -> str:
    return msgspec.json.encode(without_client(msgspec.json.decode(stored, type=kind))).decode()


def _details(row: Row[Any]) -> str:
    """Return what a fact adds; nothing of one that a newer version has stored and this one cannot read."""
    fact = timeline.fact_of(row)
    return "{}" if isinstance(fact, UnknownFact) else timeline.details_of(without_client(fact))


def _actor_name(row: Row[Any]) -> str:
    return "" if row.actor_role == Role.CLIENT.value else str(row.actor_name)


def _state(row: Row[Any]) -> str:
    """Return the state of a letter: one that has not left never will."""
    return MessageState.HELD_BACK.value if row.state == MessageState.QUEUED.value else str(row.state)


def _address(row: Row[Any]) -> str:
    return "" if row.reader == Audience.CLIENT.value else str(row.address)


_SESSIONS, _OFFERS, _CONVERSATIONS = tables.sessions, tables.offers, tables.conversations


def _sessions_of(client_id: UUID) -> Any:
    return select(_SESSIONS.c.id).where(_SESSIONS.c.client_id == client_id)


def _offers_of(client_id: UUID) -> Any:
    return select(_OFFERS.c.id).where(_OFFERS.c.session_id.in_(_sessions_of(client_id)))


def _talks_with(client_id: UUID) -> ColumnElement[bool]:
    """Whether a conversation is about a session of theirs, or tells them a code, or that somebody subscribes."""
    own = tables.answer_codes.c.offer_id.in_(_offers_of(client_id))
    codes = select(tables.answer_codes.c.conversation_id).where(own)
    published = tables.published_calendars
    subscribed = select(published.c.conversation_id).where(published.c.client_id == client_id)
    about = _CONVERSATIONS.c.session_id.in_(_sessions_of(client_id))
    return or_(about, _CONVERSATIONS.c.id.in_(codes), _CONVERSATIONS.c.id.in_(subscribed))


def _conversations_of(client_id: UUID) -> Any:
    return select(_CONVERSATIONS.c.id).where(_talks_with(client_id))


def _by_session(table: Table) -> Callable[[UUID], ColumnElement[bool]]:
    return lambda client_id: table.c.session_id.in_(_sessions_of(client_id))


HOLDINGS: Sequence[Holding] = (
    Holding(
        section="client",
        table=tables.clients,
        rows=lambda client_id: tables.clients.c.id == client_id,
        erased={
            "name": _word(ERASED),
            "email": _word(""),
            "phone": _word(""),
            "zone": _word("UTC"),
            "locale": _word("en"),
            "media": _word(""),
            "texts_agreed_at": _word(None),
            "texts_agreed_by": _word(None),
            "texts_stopped_at": _word(None),
            "external_id": _word(None),
        },
        kept="id created_at retired_at erased_at version made_for",
    ),
    Holding(
        section="sessions",
        table=_SESSIONS,
        rows=lambda client_id: _SESSIONS.c.client_id == client_id,
        erased={"location_text": _place, "external_id": _word(None)},
        kept="id practitioner_id client_id kind starts_at ends_at local_start zone location_kind uid organizer "
        "revision stamp created_at state flag series_id published version",
    ),
    Holding(
        section="offers",
        table=_OFFERS,
        rows=_by_session(_OFFERS),
        erased={"external_id": _word(None)},  # as of the session: a host may have put anything there
        kept="id session_id practitioner_id state window_seconds drafted_at sent_at expires_at ended_at accepted_id "
        "version",
    ),
    Holding(
        section="alternatives",
        table=tables.alternatives,
        rows=lambda client_id: tables.alternatives.c.offer_id.in_(_offers_of(client_id)),
        erased={"location_text": _place},
        kept="id offer_id position starts_at ends_at local_start zone location_kind withdrawn",
    ),
    Holding(
        section="times_kept",
        table=tables.occupancy,
        rows=_by_session(tables.occupancy),
        kept="key practitioner_id session_id starts_at ends_at state",
    ),
    Holding(
        section="timeline",
        table=tables.facts,
        rows=lambda client_id: or_(
            tables.facts.c.session_id.in_(_sessions_of(client_id)), tables.facts.c.offer_id.in_(_offers_of(client_id))
        ),
        erased={"actor_name": _actor_name, "actor_reason": _filled("actor_reason", WORD), "details": _details},
        kept="id at kind practitioner_id session_id offer_id connection_id actor_role",
    ),
    Holding(  # ids, times and words from closed lists: what it names of the client stands with the client
        section="outcomes",
        table=tables.outcomes,
        rows=_by_session(tables.outcomes),
        kept="seq tx id type practitioner_id session_id offer_id connection_id revision actor cause reason at details",
    ),
    Holding(
        section="questions",
        table=tables.questions,
        rows=_by_session(tables.questions),
        kept="id session_id practitioner_id calendar_id kind state answer offer_id starts_at ends_at local_start zone "
        "asked_at answers_itself_at ended_at",
    ),
    Holding(
        section="absences",
        table=tables.absence_sessions,
        rows=_by_session(tables.absence_sessions),
        kept="absence_id session_id starts_at",
    ),
    Holding(
        section="client_mails",
        table=tables.client_mails,
        rows=_by_session(tables.client_mails),
        erased={"author": _word(""), "text": _word("")},
        kept="id session_id practitioner_id kind state received_at medium trusted doubt answer sequence stamp "
        "starts_at ends_at local_start zone wishes choice ended_at",
    ),
    Holding(
        section="waiting_notices",
        table=tables.pending_notices,
        rows=lambda client_id: tables.pending_notices.c.conversation_id.in_(_conversations_of(client_id)),
        goes=True,
    ),
    Holding(
        section="letters",
        table=tables.messages,
        rows=lambda client_id: or_(
            tables.messages.c.session_id.in_(_sessions_of(client_id)),
            tables.messages.c.conversation_id.in_(_conversations_of(client_id)),
        ),
        erased={"notice": _notice, "state": _state, "error": _word(None), "remote_id": _word(None)},
        kept="id idempotency_key practitioner_id conversation_id session_id kind medium to_client message_id queued_at "
        "sent_at receipt receipt_at",
    ),
    Holding(
        section="mails",
        table=tables.incoming_mails,
        rows=_by_session(tables.incoming_mails),
        erased={"raw": _word(None)},  # what waits to be read is found by what it says: `services/receiving.py`
        kept="id identity received_at door outcome session_id",
    ),
    Holding(
        section="conversations",
        table=_CONVERSATIONS,
        rows=_talks_with,
        erased={"address": _address, "beliefs": _beliefs, "letter_id": _word(None), "refused": _word(None)},
        kept="id practitioner_id session_id reader medium tried_at",
    ),
    Holding(  # after the conversations, which are found by it
        section="calendar_subscriptions",
        table=tables.published_calendars,
        rows=lambda client_id: tables.published_calendars.c.client_id == client_id,
        goes=True,
    ),
    Holding(  # likewise
        section="answer_codes",
        table=tables.answer_codes,
        rows=lambda client_id: tables.answer_codes.c.offer_id.in_(_offers_of(client_id)),
        erased={"proof": _word(b"")},
        kept="id offer_id number medium conversation_id made_at expires_at tries",
    ),
    Holding(
        section="calendar_entries",
        table=tables.mirrors,
        rows=_by_session(tables.mirrors),
        # `seen` is a digest of what the event shows: rewritten with it, or made anew where that cannot be.
        kept="calendar_id key session_id name generation href etag former_etag seen state ends_at",
    ),
    Holding(
        section="former_calendar_entries",
        table=tables.formers,
        rows=_by_session(tables.formers),
        kept="calendar_id href key session_id",
    ),
    Holding(
        section="calendar_entries_in_doubt",
        table=tables.doubts,
        rows=_by_session(tables.doubts),
        kept="id calendar_id name generation href key session_id wrote look_at",
    ),
)

WAITING = next(holding for holding in HOLDINGS if holding.table is tables.pending_notices)
LETTERS = next(holding for holding in HOLDINGS if holding.table is tables.messages)

TELL_NOTHING: Mapping[Table, str] = {
    tables.installation: "id epoch created_at restored_at known_until",
    # Numbers of mails, and why a server does not hand them over: it is not quoted.
    tables.reply_mailbox: "id identity validity uid tried_uid tries looked_at fault fault_since fault_told_at "
    "renumbered renumbered_at",
    tables.unfetched_mails: "uid since again_at",
    # Of practitioners, their accounts and their calendars.
    tables.practitioners: "id name email zone locale buffer_seconds session_level hold_level takes_replies created_at "
    "retired_at external_id version",
    tables.imported_sessions: "session_id fingerprint revision imported_at",  # of time and place alone
    tables.working_hours: "practitioner_id weekly exceptions version confirmed_at",
    tables.availability_asks: "practitioner_id asked_at until refreshed_at",
    tables.connections: "id practitioner_id provider label credentials state sign_ins created_at external_id version",
    tables.calendars: "id connection_id practitioner_id role remote_id name session_level hold_level firm_holds "
    "sync_token lane trouble trouble_kind trouble_since read_trouble read_trouble_kind read_trouble_since "
    "unreadable_at refused_at outage_told_at written_at read_at created_at successor_id paused paused_at paused_count "
    "busy_at busy_until busy_outdated_at busy_read_at absences_unrelated "
    "busy_trouble probe probe_at probe_tries probed_at compared_at compare_at compare_trouble "
    "compare_trouble_kind compare_trouble_since repair_asked identity twin version",
    tables.signins: "id practitioner_id support_id expires_at used_at made_at wanted",
    # What host's programs act by, and what they were answered: sealed, and forgotten with any client's erasure.
    tables.api_keys: "id digest prefix name scopes practitioner_id external_id version created_at last_used_at "
    "revoked_at",
    tables.kept_answers: "id fingerprint answer ends_at",
    # Which offer a link leads to, and until when.
    tables.short_links: "id purpose subject_id ends_at",
    # Hashes: of what a gateway has signed, and of the mail that came with it; of what it calls a text.
    tables.spent_tokens: "id identity ends_at",
    tables.early_receipts: "id state stopped ends_at",
    tables.browsers: "id practitioner_id support_id signed_in_at seen_at trusted program system",
    # Who helps clients: colleagues of whoever runs the installation.
    tables.support_people: "id name email locale created_at",
    # An address that somebody has typed to sign in, for the moment until it was looked for among practitioners.
    tables.link_requests: "id address asked_at role wanted",
    tables.channels: "id calendar_id provider remote_id secret proof state opened_at renew_at expires_at "
    "last_notified_at",
    tables.registration_faults: "provider since ended_at cause",
    tables.pending_connections: "id practitioner_id provider connection_id stage kept expires_at link_id",
    # Where a host has its practitioners sent back to.
    tables.connect_links: "id practitioner_id provider reconnects return_url locale expires_at connection_id made_by",
    # Names and times of events.
    tables.kept_entries: "calendar_id name",
    tables.remote_changes: "calendar_id key kind since expected_starts_at expected_ends_at actual_starts_at "
    "actual_ends_at accepted",
    tables.busy_times: "id calendar_id starts_at ends_at href occurrence in_series lasts_a_day nature seen_at since "
    "settled_starts_at settled_ends_at",
    tables.absences: "id practitioner_id state starts_at ends_at asked_at answer ended ended_at",
    tables.absence_parts: "id absence_id calendar_id href occurrence",
    tables.unread_events: "calendar_id reason events since starts",
    tables.erasures: "calendar_id key",
    # Its `last_error` quotes nobody, as no log does.
    due: "kind id lane urgency desired applied due_at not_before lease_until token attempts failed_at refused_at "
    "refusals last_error",
    # Of hosts, and whether they could be told.
    tables.endpoints: "id external_id version url lane secrets types practitioner_id created_at disabled_at "
    "disabled_why failing_since not_before",
    tables.deliveries: "id seq endpoint_id queue_id state attempts status error begun_at tried_at next_at",
    # Counted in words from closed lists.
    tables.counters: "name labels value",
    # Whose its `title` may be is told by names alone: see `storage/mentions.py`.
    tables.unknown_entries: "calendar_id name href title starts_at ends_at fate",
}


def rows(db: Connection, holding: Holding, client_id: UUID) -> Sequence[Row[Any]]:
    """Return what a table holds about a client, in the order of its keys."""
    query = select(holding.table).where(holding.rows(client_id)).order_by(*holding.table.primary_key)
    return db.execute(query).all()


def waiting_letters(db: Connection, client_id: UUID) -> int:
    """Return how many letters to a client, or about them, have been begun or noted down and have not left."""
    queued = tables.messages.c.state == MessageState.QUEUED.value
    begun = select(func.count()).select_from(tables.messages).where(LETTERS.rows(client_id), queued)
    noted = select(func.count()).select_from(tables.pending_notices).where(WAITING.rows(client_id))
    return int(db.execute(begun).scalar_one()) + int(db.execute(noted).scalar_one())


def tables_with_clients() -> Sequence[str]:
    """Return the names of the tables of which an erasure leaves old rows behind in the database's files."""
    return sorted({holding.table.name for holding in HOLDINGS} | {tables.unknown_entries.name})


def erase(db: Connection, client_id: UUID, *, now: datetime) -> None:
    """Erase everything that tells who a client is from every row of theirs; a second time changes nothing.

    Raises: msgspec.ValidationError for a document that cannot be read: nothing may be stored then.
    """
    for holding in HOLDINGS:
        if holding.goes:
            db.execute(delete(holding.table).where(holding.rows(client_id)))
            continue
        for row in rows(db, holding, client_id) if holding.erased else ():
            _blank(db, holding, row)
    db.execute(update(tables.kept_answers).values(answer=None))
    since = tables.clients.c.erased_at
    own = (tables.clients.c.id == client_id) & since.is_(None)
    db.execute(raising(tables.clients, {"erased_at": now}).where(own))
    retired = (tables.clients.c.id == client_id) & tables.clients.c.retired_at.is_(None)
    db.execute(raising(tables.clients, {"retired_at": now}).where(retired))


def _blank(db: Connection, holding: Holding, row: Row[Any]) -> None:
    new = {name: blank(row) for name, blank in holding.erased.items()}
    values = {name: value for name, value in new.items() if value != getattr(row, name)}
    if values:
        key = [column == getattr(row, column.name) for column in holding.table.primary_key]
        db.execute(raising(holding.table, values).where(*key))
        if holding.table is tables.alternatives:
            raise_version(db, tables.offers, row.offer_id)
