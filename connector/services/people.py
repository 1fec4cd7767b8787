"""Practitioners and clients are changed and retired: whatever follows is made due, and nothing is deleted."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.facts import PersonChanged
from connector.domain.people import Actor, Client, Practitioner
from connector.domain.session import Session, SessionState
from connector.errors import RuleError
from connector.sentence import Sentence
from connector.services import capabilities, consent, conversations, standstill
from connector.services.recording import keep_times_anew, make_calendars_due
from connector.services.signing_in import browsers
from connector.services.signing_in.log import Event, note
from connector.storage import calendars, offers, people, sessions, timeline

_MOST_NAMED = 5


def change_client(db: Connection, client_id: UUID, changes: Mapping[str, Any], *, by: Actor, now: datetime) -> Client:
    """Change what is given about a client, and tell them at a new address what is still true.

    Args:
        db: The transaction, in which they are locked first: what somebody else has changed meanwhile stays so.
        client_id: Who it is.
        changes: By field of `Client`, what it is to be; everything else stays as it is by then.
        by: Who does it.
        now: Aware UTC.

    Raises: NotFoundError, RuleError.
    """
    standstill.check(db)
    own: Sequence[Session] = [
        one for one in sessions.of_client(db, client_id, since=now) if one.state is SessionState.BOOKED
    ]
    ids = sorted({session.practitioner_id for session in own})
    practitioners = {practitioner_id: standstill.lock(db, practitioner_id) for practitioner_id in ids}
    before = people.client(db, client_id, lock=True)
    check_not_erased(before)
    changed = replace(before, **changes)
    own = capabilities.end_for_client(db, client_id, own, capabilities.lost(before, changed), by=by, now=now)
    if changed.email and changed.email != before.email:
        conversations.readdress(db, client_id, changed.email, by=by, now=now)
    people.save_client(db, changed)
    if changed.texts_agreed != before.texts_agreed:
        people.agree_to_texts(db, client_id, now=now if changed.texts_agreed else None)
    names = _different(before, changed)
    if before.reachable and not changed.reachable:
        consent.lose(db, practitioners, changed, own, now=now)
    for session in own:
        practitioner = practitioners[session.practitioner_id]
        note = conversations.try_anew if changed.reachable - before.reachable else conversations.witness
        note(db, practitioner, changed, session, now=now)
        fact = PersonChanged(at=now, by=by, session_id=session.id, who="client", changed=names)
        timeline.append(db, practitioner.id, [fact] if names else [])
        if changed.name != before.name:
            make_calendars_due(db, practitioner.id, now=now)
    return changed


def change_practitioner(
    db: Connection, practitioner_id: UUID, changes: Mapping[str, Any], *, by: Actor, now: datetime
) -> Practitioner:
    """Change what is given about a practitioner; another buffer holds for every session and offer to come.

    At a new address they are told at once what waits to be told them, and a link mailed before signs nobody in.

    Args:
        db: The transaction, in which they are locked first: what somebody else has changed meanwhile stays so.
        practitioner_id: Who it is.
        changes: By field of `Practitioner`, what it is to be; everything else stays as it is by then.
        by: Who does it.
        now: Aware UTC.

    Raises: NotFoundError; RuleError for an address that is taken, or a buffer by which sessions would collide.
    """
    before = standstill.lock(db, practitioner_id)
    changed = replace(before, **changes)
    if changed.email.lower() != before.email:  # then stored, which waits for who notes just now that a letter has left
        conversations.readdress_practitioner(db, changed, now=now)
    people.save_practitioner(db, changed)
    if changed.email != before.email:  # whoever reads the old mailbox is no longer meant
        count = browsers.end_all(db, changed.id, now=now)
        capabilities.end_for_practitioner(db, changed.id, by=by, now=now)
        note(Event.SIGNED_OUT_EVERYWHERE, changed.id, browsers=count)
    if changed.buffer != before.buffer:
        keep_times_anew(db, changed, now=now)
    if changed.locale != before.locale:  # in which their entries are named
        make_calendars_due(db, changed.id, now=now)
    names = _different(before, changed)
    fact = PersonChanged(at=now, by=by, who="practitioner", changed=names)
    timeline.append(db, changed.id, [fact] if names else [])
    return changed


def retire_client(db: Connection, client_id: UUID, *, by: Actor, now: datetime) -> Client:
    """Have a client take no new bookings.

    Raises: NotFoundError; RuleError that names what stands.
    """
    standstill.check(db)
    every = sessions.of_client(db, client_id, since=datetime.min.replace(tzinfo=now.tzinfo))
    for practitioner_id in sorted({session.practitioner_id for session in every}):
        standstill.lock(db, practitioner_id)
    client = people.client(db, client_id, lock=True)
    every = sessions.of_client(db, client_id, since=datetime.min.replace(tzinfo=now.tzinfo))
    refuse_standing(db, client.name, every, now)
    people.retire_client(db, client_id, now=now)
    for practitioner_id in sorted({session.practitioner_id for session in every}):
        fact = PersonChanged(at=now, by=by, who="client", changed=("retired",))
        timeline.append(db, practitioner_id, [fact])
    return client


def retire_practitioner(db: Connection, practitioner_id: UUID, *, by: Actor, now: datetime) -> Practitioner:
    """Have a practitioner take no new bookings; their calendars are disconnected first, by the usual way.

    Raises: NotFoundError; RuleError that names what stands.
    """
    person = standstill.lock(db, practitioner_id)
    every = sessions.of_practitioner(db, practitioner_id, since=datetime.min.replace(tzinfo=now.tzinfo))
    refuse_standing(db, person.name, every, now)
    connected = calendars.connections_of(db, practitioner_id)
    if connected:
        raise RuleError(
            "%(name)s still has connected calendars: %(connections)s. Disconnect them first: pencilled connections "
            "disconnect ID",
            code="practitioner_has_calendars",
            name=person.name,
            connections=tuple(f"{one.label} ({one.id.hex[:8]})" for one in connected),
        )
    people.retire_practitioner(db, practitioner_id, now=now)
    timeline.append(db, person.id, [PersonChanged(at=now, by=by, who="practitioner", changed=("retired",))])
    return person


def unretire_client(db: Connection, client_id: UUID, *, by: Actor, now: datetime) -> Client:
    """Have a client take bookings again; one who is not retired does already.

    Raises: NotFoundError; RuleError for one who was erased.
    """
    standstill.check(db)
    client = people.client(db, client_id, lock=True)
    check_not_erased(client)
    if not client.retired:
        return client
    people.retire_client(db, client_id, now=None)
    every = sessions.of_client(db, client_id, since=datetime.min.replace(tzinfo=now.tzinfo))
    for practitioner_id in sorted({session.practitioner_id for session in every}):
        fact = PersonChanged(at=now, by=by, who="client", changed=("unretired",))
        timeline.append(db, practitioner_id, [fact])
    return client


def unretire_practitioner(db: Connection, practitioner_id: UUID, *, by: Actor, now: datetime) -> Practitioner:
    """Have a practitioner take bookings again; one who is not retired does already.

    Raises: NotFoundError.
    """
    person = standstill.lock(db, practitioner_id)
    if person.retired:
        people.retire_practitioner(db, practitioner_id, now=None)
        timeline.append(db, person.id, [PersonChanged(at=now, by=by, who="practitioner", changed=("unretired",))])
    return person


def check_not_erased(client: Client) -> None:
    """Raise RuleError for a client of whom nothing may be noted any more."""
    if client.erased:
        raise RuleError(
            "This client was erased. Add them as a new one: pencilled clients add", code="client_erased", field="client"
        )


def refuse_standing(db: Connection, name: str, every: Sequence[Session], now: datetime) -> None:
    """Raise RuleError while a session is to come, or an offer waits for an answer."""
    booked = [one for one in every if one.state is SessionState.BOOKED and one.when.span.end > now]
    if booked:
        raise RuleError(
            "%(name)s still has one session to come: %(sessions)s. Cancel it first, or let it take place.",
            plural="%(name)s still has %(n)s sessions to come, the first of them: %(sessions)s. Cancel them first, or "
            "let them take place.",
            n=len(booked),
            code="sessions_to_come",
            name=name,
            sessions=tuple(
                Sentence("%(when)s (%(session)s)", when=one.when.local, session=one.id.hex[:8])
                for one in booked[:_MOST_NAMED]
            ),
        )
    own = {session.id for session in every}
    waiting = [
        offer
        for practitioner_id in {session.practitioner_id for session in every}
        for offer in offers.open_of_practitioner(db, practitioner_id)
        if offer.session_id in own
    ]
    if waiting:
        raise RuleError(
            "An offer to or by %(name)s is still open. Take it back first: pencilled offers withdraw",
            code="offer_still_open",
            name=name,
        )


def _different(before: Client | Practitioner, after: Client | Practitioner) -> tuple[str, ...]:
    names = (field.name for field in fields(before))
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))


def add_practitioner(db: Connection, person: Practitioner, *, now: datetime) -> None:
    """Add a practitioner.

    Raises: RuleError if the address is another's; StandstillError.
    """
    standstill.check(db)
    people.add_practitioner(db, person, now=now)


def practitioner(db: Connection, practitioner_id: UUID, *, sees: Callable[[UUID], bool]) -> Practitioner:
    """Return a practitioner, as far as whoever asks may see them: nobody can tell a hidden one from one not there.

    Raises: NotFoundError.
    """
    return people.practitioner(db, practitioner_id if sees(practitioner_id) else UUID(int=0))
