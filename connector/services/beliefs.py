"""What readers may believe of a session, what they are told next, and when; nothing is made due here."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import conversation as rules
from connector.domain import quiet_hours
from connector.domain.conversation import Conversation
from connector.domain.next_letter import Next, Standing, knows, next_letter
from connector.domain.notice import Notice, NoticeKind, Recipient
from connector.domain.notice_table import Audience
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Client, Medium, Practitioner
from connector.domain.session import Session
from connector.storage import conversations, messages, offers, people, sessions
from connector.storage.conversations import StoredConversation
from connector.storage.messages import Message, MessageState


def next_to_client(db: Connection, client_id: UUID, *, now: datetime) -> Sequence[Notice]:
    """Return what a client is told next about each of their sessions to come."""
    own = [session.id for session in sessions.of_client(db, client_id, since=now)]
    following = (waiting(db, stored, now=now) for stored in conversations.of_client(db, own))
    return [notice for notice in following if notice is not None]


def waiting(db: Connection, stored: StoredConversation, *, now: datetime) -> Notice | None:
    """Return what a reader would be told if it could be sent now; None if nothing waits."""
    if stored.reader is not Audience.CLIENT or stored.session_id is None:
        return next((one.notice for one in conversations.pending(db, stored.id)), None)
    session = sessions.get(db, stored.session_id)
    client, practitioner = people.client(db, session.client_id), people.practitioner(db, session.practitioner_id)
    if not is_told(client, stored.medium):
        return None
    begun = messages.get(db, stored.letter_id) if stored.letter_id else None
    stored = without(replace(stored, beliefs=believed(db, stored, client)), begun)
    return what_follows(stored, standing_of(db, session), basis_of(practitioner, client, stored.medium), now).notice


def told_by(db: Connection, session: Session, *, now: datetime) -> Sequence[Medium]:
    """Return the media by which a client has surely been told all that stands of a session; any one of them will do."""
    client, practitioner = people.client(db, session.client_id), people.practitioner(db, session.practitioner_id)
    own = [one for one in conversations.of_session(db, session.id) if one.reader is Audience.CLIENT]
    standing = standing_of(db, session) if own else None
    return [
        stored.medium
        for stored in sorted(own, key=lambda one: one.medium)
        if standing is not None
        and knows(believed(db, stored, client), standing, basis_of(practitioner, client, stored.medium), now=now)
    ]


def told_by_each(
    db: Connection, practitioner: Practitioner, listed: Sequence[Session], *, now: datetime
) -> Mapping[UUID, tuple[Medium, ...]]:
    """Return the same of several sessions of one practitioner, in as many statements as of one."""
    if not listed:
        return {}
    clients = {one.id: one for one in people.clients_called(db, ids=[session.client_id for session in listed])}
    own = defaultdict(list)
    for stored in sorted(conversations.of_client(db, [session.id for session in listed]), key=lambda one: one.medium):
        own[stored.session_id].append(stored)
    offered = defaultdict(list)
    for offer in offers.of_sessions(db, [session.id for session in listed if own[session.id]]):
        offered[offer.session_id].append(offer)
    return {
        session.id: tuple(
            stored.medium
            for stored in own[session.id]
            if knows(
                believed(db, stored, clients[session.client_id]),
                _standing(session, offered[session.id]),
                basis_of(practitioner, clients[session.client_id], stored.medium),
                now=now,
            )
        )
        for session in listed
    }


def was_asked(db: Connection, client: Client, session: Session, offer_id: UUID) -> bool:
    """Whether a client may have learnt of an offer, by any medium."""
    return any(
        rules.has_heard_of(believed(db, stored, client), offer_id)
        for stored in conversations.of_session(db, session.id)
        if stored.reader is Audience.CLIENT
    )


def may_be_invited(db: Connection, client: Client, session: Session) -> bool:
    """Whether a letter may have put a session into its client's calendar; none is begun until the transaction ends."""
    by_mail = [
        stored.id
        for stored in conversations.of_session(db, session.id)
        if stored.reader is Audience.CLIENT and stored.medium is Medium.EMAIL
    ]
    every = [conversations.locked(db, conversation_id) for conversation_id in by_mail]
    return any(rules.may_have_entry(believed(db, stored, client)) for stored in every if stored is not None)


def leaves_at(db: Connection, stored: StoredConversation, notice: Notice, *, now: datetime) -> datetime:
    """Return when a reader is told what waits for them: now, or in their morning."""
    if stored.session_id is None:
        return now
    return next_leaves_at(stored, standing_of(db, sessions.get(db, stored.session_id)), notice, now)


def next_leaves_at(stored: StoredConversation, standing: Standing, notice: Notice, now: datetime) -> datetime:
    """Return when a client is told something by the medium of a conversation."""
    if stored.medium is not Medium.SMS:
        return now
    offer, beliefs = standing.open, stored.beliefs or Conversation()
    waits = offer is not None and offer.expires_at is not None and now < offer.expires_at
    waits = waits and offer is not None and not rules.has_heard_of(beliefs, offer.id)
    return quiet_hours.leaves_at(notice, now=now, offer_waits=waits)


def is_told(client: Client, medium: Medium) -> bool:
    """Whether a conversation goes on: texts only while their reader wants them."""
    return bool(client.address(medium)) and (medium is not Medium.SMS or medium in client.reachable)


def spoken(db: Connection, session: Session) -> Sequence[Medium]:
    """Return the media of the conversations with a client who can be told nothing: their practitioner is told there."""
    own = [one.medium for one in conversations.of_session(db, session.id) if one.reader is Audience.CLIENT]
    return sorted(own) or [Medium.EMAIL]


def as_if_untried(stored: StoredConversation) -> StoredConversation:
    """Return a conversation in which nothing was refused or is in doubt: all that its reader does not know is owed."""
    untried = replace(stored.beliefs or Conversation(), untold=None, refused=(), unsure=())
    return replace(stored, beliefs=untried)


def what_follows(stored: StoredConversation, standing: Standing, basis: Notice, now: datetime) -> Next:
    """Return what a reader is told next, by the medium of a conversation."""
    if stored.medium is not Medium.EMAIL:  # no text invites anybody, whatever else they subscribe to
        standing = replace(standing, session=replace(standing.session, published=False))
    return next_letter(stored.beliefs or Conversation(), standing, basis, now=now)


def standing_of(db: Connection, session: Session) -> Standing:
    """Return what stands of a session, with all its offers."""
    return _standing(session, offers.of_session(db, session.id))


def _standing(session: Session, every_offer: Sequence[Offer]) -> Standing:
    return Standing(
        session=session,
        open=next((offer for offer in every_offer if offer.state is OfferState.OPEN), None),
        ends=tuple((offer.id, offer.state) for offer in every_offer),
    )


def basis_of(practitioner: Practitioner, client: Client, medium: Medium) -> Notice:
    """Return what all letters to a client about a practitioner's sessions have in common."""
    return Notice(
        kind=NoticeKind.BOOKED,
        to=Recipient.of(client, medium),
        practitioner_name=practitioner.name,
        client_name=client.name,
        reply_to=practitioner.replies_to,
    )


def believed(db: Connection, stored: StoredConversation, client: Client) -> Conversation:
    """Return what a reader may believe; the log of messages tells it where nothing was stored yet."""
    if stored.beliefs is not None:
        address = client.address(stored.medium)
        is_same = address in {stored.address, ""}  # nobody else reads what goes nowhere
        return stored.beliefs if is_same else rules.readdressed(stored.beliefs)
    logged = messages.of_session(db, stored.session_id) if stored.session_id else ()
    conversation = remembered(one for one in logged if one.to_client and one.medium is stored.medium)
    return conversation if stored.letter_id is not None else rules.doubted(conversation)


def remembered(logged: Iterable[Message]) -> Conversation:
    """Return what somebody may believe who was sent these messages, oldest first, before there were conversations.

    Those that have not left never will; what they would have taken back, or confirmed, is still to be told.
    """
    written = list(logged)
    conversation = _folded(written)
    arrivals = sorted(written, key=lambda message: message.sent_at or message.queued_at)
    if arrivals != written:  # they left in another order than they were written: who knows which one was believed
        return rules.either(_folded(arrivals), conversation)
    return conversation


def _folded(logged: Iterable[Message]) -> Conversation:
    conversation = Conversation()
    for message in logged:
        match message.state:
            case MessageState.SENT:
                conversation = rules.handed_over(conversation, message.notice, message.id, now=message.queued_at)
                conversation = rules.arrived(conversation, message.id)
            case MessageState.SENDING | MessageState.UNKNOWN:
                conversation = rules.doubted(conversation)
                conversation = rules.handed_over(conversation, message.notice, message.id, now=message.queued_at)
            case MessageState.QUEUED:
                conversation = rules.owing(conversation, message.notice)
            case MessageState.REFUSED:
                conversation = rules.refused(conversation, message.id, message.notice)
            case MessageState.HELD_BACK:
                pass
    return conversation


def without(stored: StoredConversation, begun: Message | None) -> StoredConversation:
    """Return a conversation as it was before its letter was begun."""
    if begun is None or stored.beliefs is None:
        return stored
    return replace(stored, beliefs=rules.not_sent(stored.beliefs, begun.id))


def readdressed(db: Connection, stored: StoredConversation, address: str) -> StoredConversation:
    """Return a conversation with whoever has this address; the letter on its way to another is given up."""
    if stored.address == address:
        return stored
    begun = messages.get(db, stored.letter_id) if stored.letter_id else None
    given_up = overtaken(db, stored, begun) if begun else stored
    return replace(given_up, address=address, refused="")


def forget_queued(db: Connection, stored: StoredConversation) -> None:
    """Keep from ever leaving what was queued before there were conversations: it is made anew if it is needed."""
    if stored.beliefs is None and stored.session_id is not None:
        messages.hold_back(db, stored.session_id)


def overtaken(db: Connection, stored: StoredConversation, begun: Message) -> StoredConversation:
    """Give up a letter that no longer says what is so; whether it has left may never be known."""
    give_up(db, begun)
    beliefs = stored.beliefs or Conversation()
    is_unsent = begun.state is MessageState.QUEUED
    beliefs = rules.not_sent(beliefs, begun.id) if is_unsent else rules.doubted(beliefs)
    return replace(stored, beliefs=beliefs, letter_id=None)


def give_up(db: Connection, begun: Message) -> None:
    """Have a letter not tried again, and say whether it may have left."""
    is_unsent = begun.state is MessageState.QUEUED
    messages.set_state(db, begun.id, MessageState.HELD_BACK if is_unsent else MessageState.UNKNOWN)
