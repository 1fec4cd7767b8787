"""What becomes of conversations when something happens: what readers have witnessed, and what they are owed."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import conversation as rules
from connector.domain.conversation import Conversation
from connector.domain.facts import Fact, SessionBooked
from connector.domain.next_letter import Next, Standing
from connector.domain.notice import DeclinedProposal, Notice
from connector.domain.notice_table import NOTICES, Audience, Method
from connector.domain.offer import OfferState
from connector.domain.people import Actor, Client, Medium, Practitioner, check_address
from connector.domain.session import Session
from connector.errors import RuleError
from connector.services import capabilities, notices, standstill
from connector.services.beliefs import (
    as_if_untried,
    basis_of,
    believed,
    forget_queued,
    overtaken,
    readdressed,
    spoken,
    standing_of,
    told_by,
    waiting,
    what_follows,
)
from connector.storage import conversations, ledger, messages, offers, people, sessions, signins
from connector.storage.conversations import StoredConversation
from connector.storage.ledger import Key, Kind


def witness(
    db: Connection,
    practitioner: Practitioner,
    client: Client,
    session: Session,
    facts: Sequence[Fact] = (),
    *,
    now: datetime,
) -> None:
    """Note what has happened in every conversation with a client about a session, and make due what they must be told.

    In the transaction of the change, once everything is stored that it changes.
    """
    is_new = any(isinstance(fact, SessionBooked) for fact in facts)
    standing = Standing(session=session) if is_new else None  # nothing was ever offered instead
    for medium in sorted(client.reachable) or spoken(db, session):
        stored = _witnessed(db, client, session, medium, facts)
        standing = standing or standing_of(db, session)
        untried = stored if client.reachable else as_if_untried(stored)
        _make_due(db, stored, what_follows(untried, standing, basis_of(practitioner, client, medium), now), now)


def _witnessed(
    db: Connection, client: Client, session: Session, medium: Medium, facts: Sequence[Fact]
) -> StoredConversation:
    """Return a conversation after these facts, stored; a session that was booked just now begins it."""
    booked = next((fact for fact in facts if isinstance(fact, SessionBooked)), None)
    begins = booked is not None
    begun = rules.witnessed(Conversation(), facts)
    if booked is not None and booked.elsewhere:
        begun = rules.told_elsewhere(begun, session)
    stored = conversations.about(
        db,
        session.practitioner_id,
        session.id,
        Audience.CLIENT,
        medium,
        address=client.address(medium),
        beliefs=begun if begins else None,
    )
    if begins:
        return stored
    beliefs = rules.witnessed(believed(db, stored, client), facts)
    address = client.address(medium) or stored.address
    if beliefs == stored.beliefs and stored.address == address:
        return stored
    forget_queued(db, stored)
    stored = readdressed(db, replace(stored, beliefs=beliefs), address)
    conversations.save(db, stored)
    return stored


def tell_again(db: Connection, practitioner: Practitioner, client: Client, session: Session, *, now: datetime) -> bool:
    """Have a client told once more, at the address that is theirs, how a session stands; return whether they can be."""
    accepted = _was_told_of_their_choice(db, session)
    return _owe(
        db, practitioner, client, session, lambda known: rules.asked_again(known, session, accepted=accepted), now
    )


def _was_told_of_their_choice(db: Connection, session: Session) -> bool:
    """Whether the last invitation by mail said that what the client had chosen is booked."""
    told = [
        one
        for one in messages.of_session(db, session.id)
        if one.to_client and one.medium is Medium.EMAIL and NOTICES[one.kind].method is Method.REQUEST
    ]
    latest = told[-1].notice.session if told else None
    return latest is not None and latest.revision == session.revision and NOTICES[told[-1].kind].chosen_by_client


def tell_declined(
    db: Connection,
    practitioner: Practitioner,
    client: Client,
    session: Session,
    declined: DeclinedProposal,
    *,
    now: datetime,
) -> bool:
    """Have a client told that a time cannot be which they have asked for by mail; return whether they can be."""
    return _owe(db, practitioner, client, session, lambda beliefs: rules.declining(beliefs, declined), now)


def _owe(
    db: Connection,
    practitioner: Practitioner,
    client: Client,
    session: Session,
    change: Callable[[Conversation], Conversation],
    now: datetime,
) -> bool:
    """Change what is to be told by mail; False to whom no mail goes."""
    medium = Medium.EMAIL
    if medium not in client.reachable:
        return False
    address = client.address(medium)
    stored = conversations.about(db, practitioner.id, session.id, Audience.CLIENT, medium, address=address)
    beliefs = change(believed(db, stored, client))
    forget_queued(db, stored)
    stored = readdressed(db, replace(stored, beliefs=beliefs), address)
    conversations.save(db, stored)
    _make_due(
        db, stored, what_follows(stored, standing_of(db, session), basis_of(practitioner, client, medium), now), now
    )
    return True


def readdress(db: Connection, client_id: UUID, email: str, *, by: Actor, now: datetime) -> Client:
    """Correct a client's mail address, and tell them there what is still true; nobody is let in by the former one.

    Raises: NotFoundError; RuleError for something that is no address.
    """
    email = check_address(email)
    standstill.check(db)
    own = sessions.of_client(db, client_id, since=now)
    practitioners = {  # locked, so that nobody decides meanwhile by the old address
        practitioner_id: standstill.lock(db, practitioner_id)
        for practitioner_id in sorted({session.practitioner_id for session in own})
    }
    before = people.client(db, client_id, lock=True)
    client = replace(before, email=email)
    if client.erased:
        raise RuleError("This client was erased. Add them as a new one.", code="client_erased", field="client")
    people.readdress_client(db, client.id, email)
    own = capabilities.end_for_client(db, client.id, own, capabilities.lost(before, client), by=by, now=now)
    for session in own:  # the same address may take letters by now
        try_anew(db, practitioners[session.practitioner_id], client, session, now=now)
    return client


def try_anew(db: Connection, practitioner: Practitioner, client: Client, session: Session, *, now: datetime) -> None:
    """Have a client told, wherever they can be by now, what was refused there.

    A session that needs its practitioner since nothing reached its client needs them on, unless its client knows all
    that stands, or something that will be tried tells them.
    """
    for conversation_id in [one.id for one in conversations.of_client(db, [session.id])]:
        stored = conversations.locked(db, conversation_id)
        if stored is not None and stored.medium in client.reachable and stored.beliefs is not None and stored.refused:
            refused = stored.refused if stored.refused == conversations.NO_CHANNEL else ""
            conversations.save(db, replace(stored, beliefs=rules.retried(stored.beliefs), refused=refused))
    witness(db, practitioner, client, session, now=now)
    own = conversations.of_client(db, [session.id])
    is_tried = any(waiting(db, one, now=now) for one in own if one.medium in client.reachable)
    if not client.reachable or not (is_tried or told_by(db, session, now=now)):
        return
    for stored in own:
        if stored.refused == conversations.NO_CHANNEL:
            conversations.save(db, replace(stored, refused=""))


def readdress_practitioner(db: Connection, practitioner: Practitioner, *, now: datetime) -> None:
    """Tell a practitioner at a new address, at once, whatever they have not heard; no link mailed before signs in.

    What was refused is told again unless its session is over; whatever is not so any more, never.
    """
    signins.void_unused(db, practitioner.id, now=now)
    refused = messages.refused_to(db, practitioner.id)
    for stored in conversations.unfinished(db, practitioner.id):
        for message in refused if stored.refused else ():
            if message.conversation_id == stored.id and not _is_over(message.notice, now):
                messages.free_key(db, message.id)
                conversations.add_notice(db, stored.id, message.notice, key=message.key, now=now)
        conversations.save(db, replace(stored, address=practitioner.email, refused=""))
        ledger.touch(db, Key(Kind.CONVERSATION, str(stored.id)), due_at=now, lane=notices.LANE)


def _is_over(notice: Notice, now: datetime) -> bool:
    return notice.session is not None and notice.session.when.span.end <= now


def believe(db: Connection, session: Session, *, now: datetime) -> None:
    """Note that a client has heard all that stands of a session, by every medium; the letter that was begun is over."""
    open_offer = offers.in_state(db, session.id, OfferState.OPEN)
    beliefs = rules.heard(session, open_offer, now=now)
    client = people.client(db, session.client_id)
    for medium in sorted(client.reachable):
        address = client.address(medium)
        conversations.about(
            db, session.practitioner_id, session.id, Audience.CLIENT, medium, address=address, beliefs=beliefs
        )
    for stored in conversations.of_client(db, [session.id]):
        begun = messages.get(db, stored.letter_id) if stored.letter_id else None
        if begun is not None:
            overtaken(db, stored, begun)
        messages.hold_back(db, session.id)
        address = client.address(stored.medium)
        conversations.save(db, replace(stored, beliefs=beliefs, address=address, letter_id=None, refused=""))
        ledger.touch(db, Key(Kind.CONVERSATION, str(stored.id)), due_at=now, lane=notices.lane(stored.medium))


def told_elsewhere(db: Connection, client: Client, session: Session) -> None:
    """Note that somebody else has told a client where a session stands that was booked elsewhere.

    Of whoever was ever told by us nothing changes: they are told by us again.
    """
    _believe_anew(db, client, session, lambda beliefs: rules.told_elsewhere(beliefs, session))


def published(db: Connection, client: Client, session: Session) -> None:
    """Note that a client has a session in a calendar that they subscribe to, whoever has told them of it before."""
    _believe_anew(db, client, session, rules.published)


def _believe_anew(
    db: Connection, client: Client, session: Session, change: Callable[[Conversation], Conversation]
) -> None:
    for stored in conversations.of_client(db, [session.id]):
        beliefs = change(believed(db, stored, client))
        if beliefs != stored.beliefs:
            conversations.save(db, replace(stored, beliefs=beliefs))


def _make_due(db: Connection, stored: StoredConversation, following: Next, now: datetime) -> None:
    is_due = following.notice is not None or following.untold is not None or stored.letter_id is not None
    due_at = now if is_due else following.again_at
    if due_at is not None:
        ledger.touch(db, Key(Kind.CONVERSATION, str(stored.id)), due_at=due_at, lane=notices.lane(stored.medium))
