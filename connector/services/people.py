"""Practitioners and clients are added, changed and retired: whatever follows is made due, and nothing is deleted.

Whoever changes something may say by `match` what they have seen: it is called with the version of the row once that is
locked, and raises if it is another.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import fields, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.facts import PersonChanged
from connector.domain.people import Actor, Client, Consent, Practitioner, check_locale
from connector.domain.session import Session, SessionState
from connector.domain.span import check_zone
from connector.errors import ExistsError, InUseError, RuleError
from connector.sentence import Sentence
from connector.services import capabilities, consent, conversations, duplicates, standstill
from connector.services.duplicates import ANYBODY, Acceptance
from connector.services.recording import keep_times_anew, make_absences_due, make_calendars_due
from connector.services.signing_in import browsers
from connector.services.signing_in.log import Event, note
from connector.storage import calendars, offers, people, sessions, timeline, working_hours
from connector.storage.people import SoughtPeople

_MOST_NAMED = 5
Match = Callable[[int], None]


def whatever(_version: int) -> None:
    """Go on, whatever version it is."""


def add_practitioner(db: Connection, person: Practitioner, *, now: datetime) -> Practitioner:
    """Add a practitioner, and return them as they are stored.

    Raises: ExistsError if the address or the external id is another's; StandstillError; RuleError.
    """
    standstill.check(db)
    check_locale(person.locale)
    check_zone(person.zone)
    people.add_practitioner(db, person, now=now)
    return people.practitioner(db, person.id)


def add_client(
    db: Connection, person: Client, *, made_for: UUID | None = None, twice: bool = True, now: datetime
) -> Client:
    """Add a client, and return them as they are stored.

    Args:
        db: The transaction.
        person: Who it is.
        made_for: For which practitioner alone; others do not know them before there is a session.
        twice: Whether there may be another client with their address whom the same practitioners know.
        now: Aware UTC.

    Raises: ExistsError if the external id is taken, or, unless `twice`, the address; StandstillError; RuleError.
    """
    standstill.check(db)
    check_locale(person.locale)
    check_zone(person.zone)
    check_consent(person.consent, None, now=now)
    if person.email and not twice:
        people.claim_address(db, person.email)  # two who add it at once are one after the other
        sought = SoughtPeople(of=made_for, email=person.email, retired=False)
        for other in people.seek_clients(db, sought, most=1):
            raise ExistsError(
                "There is a client with the address %(address)s already. Use that one; or say that this is somebody "
                "else who shares it.",
                code="client_exists",
                field="email",
                address=person.email,
                known=str(other.id),
            )
    people.add_client(db, person, made_for=made_for, now=now)
    return people.client(db, person.id)


def check_consent(consent: Consent | None, stopped_at: datetime | None, *, now: datetime) -> None:
    """Raise RuleError for an agreement that was not given yet, or that its client has ended since it was given."""
    if consent is None:
        return
    if consent.at > now:
        raise RuleError(
            "Nobody has agreed to texts in the future. Say when they have agreed.",
            code="consent_in_future",
            field="texts_agreed",
        )
    if stopped_at is not None and consent.at <= stopped_at:
        raise RuleError(
            "They have wanted no more texts since they agreed to them. Only what they agree to after that counts.",
            code="consent_ended",
            field="texts_agreed",
        )


def change_client(
    db: Connection,
    client_id: UUID,
    changes: Mapping[str, Any],
    *,
    by: Actor,
    now: datetime,
    match: Match = whatever,
    of: UUID | None = None,
    accepted: Acceptance = ANYBODY,
) -> Client:
    """Change what is given about a client, and tell them at a new address what is still true.

    Args:
        db: The transaction, in which they are locked first: what somebody else has changed meanwhile stays so.
        client_id: Who it is.
        changes: By field of `Client`, what it is to be; everything else stays as it is by then.
        by: Who does it.
        now: Aware UTC.
        match: Compares their version.
        of: The practitioner who does it; other practitioners of the client do not learn by whom it was done.
        accepted: What was said to others who are like them then.

    Raises: NotFoundError; DuplicateError; RuleError.
    """
    standstill.check(db)
    own: Sequence[Session] = [
        one for one in sessions.of_client(db, client_id, since=now) if one.state is SessionState.BOOKED
    ]
    ids = sorted({session.practitioner_id for session in own})
    practitioners = {practitioner_id: standstill.lock(db, practitioner_id) for practitioner_id in ids}
    before = people.client(db, client_id, lock=True)
    match(before.version)
    check_not_erased(before)
    changed = _client_with(db, before, changes, now)
    if changed.email != before.email or changed.phone != before.phone:
        check_contact_theirs(db, client_id, of=of)
    duplicates.check_changed(db, before, changed, of=of, accepted=accepted)
    nobody_named = by if of is None else replace(by, name="")  # for whoever else gives them sessions
    own = capabilities.end_for_client(db, client_id, own, capabilities.lost(before, changed), by=nobody_named, now=now)
    if changed.email and changed.email != before.email:
        conversations.readdress(db, client_id, changed.email, by=by, now=now)
    people.save_client(db, changed)
    if changed.texts_agreed and (not before.texts_agreed or changed.consent != before.consent):
        people.agree_to_texts(db, client_id, changed.consent or Consent(at=now), now=now)
    elif before.texts_agreed and not changed.texts_agreed:
        people.agree_to_texts(db, client_id, None, now=now)
    names = _different(before, changed)
    if before.reachable and not changed.reachable:
        consent.lose(db, practitioners, changed, own, now=now)
    for session in own:
        practitioner = practitioners[session.practitioner_id]
        note = conversations.try_anew if changed.reachable - before.reachable else conversations.witness
        note(db, practitioner, changed, session, now=now)
        actor = by if of == practitioner.id else nobody_named
        fact = PersonChanged(at=now, by=actor, session_id=session.id, who="client", changed=names)
        timeline.append(db, practitioner.id, [fact] if names else [])
        if changed.name != before.name:
            make_calendars_due(db, practitioner.id, now=now)
    return changed


def _client_with(db: Connection, before: Client, changes: Mapping[str, Any], now: datetime) -> Client:
    """Return a client as they are to be; an agreement that is not said to be another stays what it was."""
    changed = replace(before, **changes)
    if "locale" in changes:
        check_locale(changed.locale)
    if changed.zone != before.zone:
        check_zone(changed.zone)
    if not changed.texts_agreed or (not before.texts_agreed and "consent" not in changes):
        changed = replace(changed, consent=None)
    if changed.consent != before.consent:
        check_consent(changed.consent, people.texts_stopped_at(db, before.id), now=now)
    return changed


def change_practitioner(
    db: Connection,
    practitioner_id: UUID,
    changes: Mapping[str, Any],
    *,
    by: Actor,
    now: datetime,
    match: Match = whatever,
) -> Practitioner:
    """Change what is given about a practitioner; another buffer holds for every session and offer to come.

    At a new address they are told at once what waits to be told them, and a link mailed before signs nobody in.

    Args:
        db: The transaction, in which they are locked first: what somebody else has changed meanwhile stays so.
        practitioner_id: Who it is.
        changes: By field of `Practitioner`, what it is to be; everything else stays as it is by then.
        by: Who does it.
        now: Aware UTC.
        match: Compares their version.

    Raises: NotFoundError; RuleError for an address that is taken, or a buffer by which sessions would collide.
    """
    before = standstill.lock(db, practitioner_id)
    match(before.version)
    changed = replace(before, **changes)
    if "locale" in changes:
        check_locale(changed.locale)
    if changed.email.lower() != before.email:  # then stored, which waits for who notes just now that a letter has left
        conversations.readdress_practitioner(db, changed, now=now)
    people.save_practitioner(db, changed)
    if changed.email != before.email:  # whoever reads the old mailbox is no longer meant
        count = browsers.end_all(db, changed.id, now=now)
        capabilities.end_for_practitioner(db, changed.id, by=by, now=now)
        note(Event.SIGNED_OUT_EVERYWHERE, changed.id, browsers=count)
    if changed.buffer != before.buffer:
        keep_times_anew(db, changed, now=now)
    if changed.zone != before.zone:
        check_zone(changed.zone)
        working_hours.raise_version(db, changed.id)
        make_absences_due(db, changed.id, now=now)  # on another wall, other days are whole ones
    if changed.locale != before.locale:  # in which their entries are named
        make_calendars_due(db, changed.id, now=now)
    names = _different(before, changed)
    fact = PersonChanged(at=now, by=by, who="practitioner", changed=names)
    timeline.append(db, changed.id, [fact] if names else [])
    return changed


def retire_client(db: Connection, client_id: UUID, *, by: Actor, now: datetime, match: Match = whatever) -> Client:
    """Have a client take no new bookings.

    Raises: NotFoundError; InUseError that names what stands.
    """
    standstill.check(db)
    every = sessions.of_client(db, client_id, since=datetime.min.replace(tzinfo=now.tzinfo))
    for practitioner_id in sorted({session.practitioner_id for session in every}):
        standstill.lock(db, practitioner_id)
    client = people.client(db, client_id, lock=True)
    match(client.version)
    every = sessions.of_client(db, client_id, since=datetime.min.replace(tzinfo=now.tzinfo))
    refuse_standing(db, client.name, every, now)
    people.retire_client(db, client_id, now=now)
    for practitioner_id in sorted({session.practitioner_id for session in every}):
        fact = PersonChanged(at=now, by=by, who="client", changed=("retired",))
        timeline.append(db, practitioner_id, [fact])
    return client


def retire_practitioner(
    db: Connection, practitioner_id: UUID, *, by: Actor, now: datetime, match: Match = whatever
) -> Practitioner:
    """Have a practitioner take no new bookings; their calendars are disconnected first, by the usual way.

    Raises: NotFoundError; InUseError that names what stands.
    """
    person = standstill.lock(db, practitioner_id)
    match(person.version)
    every = sessions.of_practitioner(db, practitioner_id, since=datetime.min.replace(tzinfo=now.tzinfo))
    refuse_standing(db, person.name, every, now)
    connected = calendars.connections_of(db, practitioner_id)
    if connected:
        raise InUseError(
            "%(name)s still has connected calendars: %(connections)s. Disconnect them first.",
            code="practitioner_has_calendars",
            name=person.name,
            connections=tuple(f"{one.label} ({one.id.hex[:8]})" for one in connected),
        )
    people.retire_practitioner(db, practitioner_id, now=now)
    timeline.append(db, person.id, [PersonChanged(at=now, by=by, who="practitioner", changed=("retired",))])
    return person


def unretire_client(db: Connection, client_id: UUID, *, by: Actor, now: datetime, match: Match = whatever) -> Client:
    """Have a client take bookings again; one who is not retired does already.

    Raises: NotFoundError; RuleError for one who was erased.
    """
    standstill.check(db)
    client = people.client(db, client_id, lock=True)
    match(client.version)
    check_not_erased(client)
    if not client.retired:
        return client
    people.retire_client(db, client_id, now=None)
    every = sessions.of_client(db, client_id, since=datetime.min.replace(tzinfo=now.tzinfo))
    for practitioner_id in sorted({session.practitioner_id for session in every}):
        fact = PersonChanged(at=now, by=by, who="client", changed=("unretired",))
        timeline.append(db, practitioner_id, [fact])
    return client


def unretire_practitioner(
    db: Connection, practitioner_id: UUID, *, by: Actor, now: datetime, match: Match = whatever
) -> Practitioner:
    """Have a practitioner take bookings again; one who is not retired does already.

    Raises: NotFoundError.
    """
    person = standstill.lock(db, practitioner_id)
    match(person.version)
    if person.retired:
        people.retire_practitioner(db, practitioner_id, now=None)
        timeline.append(db, person.id, [PersonChanged(at=now, by=by, who="practitioner", changed=("unretired",))])
    return person


def check_not_erased(client: Client) -> None:
    """Raise RuleError for a client of whom nothing may be noted any more."""
    if client.erased:
        raise RuleError("This client was erased. Add them as a new one.", code="client_erased", field="client")


def refuse_standing(db: Connection, name: str, every: Sequence[Session], now: datetime) -> None:
    """Raise InUseError while a session is to come, or an offer waits for an answer."""
    booked = [one for one in every if one.state is SessionState.BOOKED and one.when.span.end > now]
    if booked:
        raise InUseError(
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
        raise InUseError(
            "An offer to or by %(name)s is still open. Take it back first.",
            code="offer_still_open",
            name=name,
        )


def _different(before: Client | Practitioner, after: Client | Practitioner) -> tuple[str, ...]:
    names = (field.name for field in fields(before) if field.compare)
    return tuple(name for name in names if getattr(before, name) != getattr(after, name))


def is_so(person: Client | Practitioner, changes: Mapping[str, Any]) -> bool:
    """Whether all that is given about somebody is so already."""
    changed = replace(person, **changes)
    if isinstance(person, Client) and isinstance(changed, Client) and changed.consent != person.consent:
        return False
    return changed == person


def practitioner(db: Connection, practitioner_id: UUID, *, sees: Callable[[UUID], bool]) -> Practitioner:
    """Return a practitioner, as far as whoever asks may see them: nobody can tell a hidden one from one not there.

    Raises: NotFoundError.
    """
    return people.practitioner(db, practitioner_id if sees(practitioner_id) else UUID(int=0))


def client(db: Connection, client_id: UUID, *, of: UUID | None) -> Client:
    """Return a client; `of` is the practitioner who asks, likewise, and None for whoever may see everybody.

    Raises: NotFoundError.
    """
    known = of is None or people.is_known_to(db, client_id, of)
    return people.client(db, client_id if known else UUID(int=0))


def check_contact_theirs(db: Connection, client_id: UUID, *, of: UUID | None) -> None:
    """Raise InUseError where letters of other practitioners would go to the address that this one gives.

    Whoever receives them may answer for the client, so none of several practitioners says alone where that is.
    """
    if of is not None and people.has_others(db, client_id, of):
        raise InUseError(
            "This client has had sessions with somebody else, too, whose letters go to the same address. Only whoever "
            "runs the installation changes it.",
            code="client_contact_shared",
        )


def check_theirs_alone(db: Connection, client_id: UUID, *, of: UUID | None) -> None:
    """Raise InUseError for a client who has sessions with others than the practitioner who asks, if one does."""
    if of is not None and people.has_others(db, client_id, of):
        raise InUseError(
            "This client has had sessions with somebody else, too. Only whoever runs the installation retires them, "
            "takes them back or erases them.",
            code="client_of_others",
        )
