"""Everything that is stored about one client, for them to read: the same inventory by which they would be erased."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Connection, Row

from connector.domain.connection import Calendar
from connector.domain.entry import EntryKey, entries_for
from connector.domain.offer import OfferState
from connector.domain.reconcile import Mirror
from connector.domain.session import Session
from connector.sentence import Sentence
from connector.services import receiving
from connector.services.erasing import EVER
from connector.services.policy import Policy
from connector.services.titles import words_of
from connector.storage import calendars, mentions, mirrors, offers, people, personal, sessions

_DOCUMENTS = frozenset({"notice", "beliefs", "details"})  # columns that hold JSON


def export(db: Connection, policy: Policy, client_id: UUID, *, now: datetime) -> Mapping[str, Any]:
    """Return everything about a client by section; docs/operating.md says what each holds.

    Raises: NotFoundError.
    """
    client = people.client(db, client_id)
    sections: dict[str, Any] = {"exported_at": now}
    for holding in personal.HOLDINGS:
        sections[holding.section] = [_plain(row) for row in personal.rows(db, holding, client_id)]
    [sections["client"]] = sections["client"]
    _nest_alternatives(sections)
    words = mentions.words_of(db, client_id)
    sections["unknown_calendar_entries"] = [_plain(row) for row in mentions.unknown(db, words)]
    sections["mails_not_read"] = [
        {"received_at": mail.received_at, "door": mail.door, "text": mail.raw.decode(errors="backslashreplace")}
        for mail in receiving.waiting_of(db, client_id, addresses=words.addresses)
    ]
    sections["lists_after_restores"] = list(mentions.righted(db, words))
    sections["lists_of_absences"] = list(mentions.concerned(db, words))
    sections["shown_in_calendars"] = [
        shown
        for session in sessions.of_client(db, client_id, since=EVER)
        for shown in _shown(db, policy, session, client.name)
    ]
    return sections


def _plain(row: Row[Any]) -> dict[str, Any]:
    """Return a row as a dictionary, its documents read."""
    return {
        name: _plain_value(name, value)
        for name, value in row._mapping.items()  # noqa: SLF001 - what SQLAlchemy calls its public way to a dictionary
    }


def _plain_value(name: str, value: Any) -> Any:
    if isinstance(value, Sentence):
        return str(value)
    return msgspec.json.decode(value) if name in _DOCUMENTS and value is not None else value


def _nest_alternatives(sections: dict[str, Any]) -> None:
    by_offer = defaultdict(list)
    for alternative in sorted(sections.pop("alternatives"), key=lambda one: one["position"]):
        by_offer[alternative["offer_id"]].append(alternative)
    for offer in sections["offers"]:
        offer["alternatives"] = by_offer[offer["id"]]


def _shown(db: Connection, policy: Policy, session: Session, client_name: str) -> Iterator[dict[str, Any]]:
    """Yield what stands in calendars of a session, and what it shows there."""
    open_offer = offers.in_state(db, session.id, OfferState.OPEN)
    words = words_of(db, policy, session.practitioner_id)
    for calendar_id, mirror in mirrors.of_session(db, session.id):
        calendar = calendars.calendar(db, calendar_id)
        offered = [open_offer] if open_offer else []
        entries = entries_for(session, offered, client_name, calendar.disclosure, words=words)
        contents = {entry.key: entry.content for entry in entries}
        if mirror.stands:
            yield _entry(calendar, mirror, contents)


def _entry(calendar: Calendar, mirror: Mirror, contents: Mapping[EntryKey, Any]) -> dict[str, Any]:
    content = contents.get(mirror.key)
    return {
        "calendar": calendar.name,
        "kind": mirror.key.kind,
        "name": mirror.ref.name,
        "ends_at": mirror.ends_at,
        "title": content.title if content else "",
        "location": content.location if content else "",
    }
