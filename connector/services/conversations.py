"""Tell people what is to be told: one conversation at a time, one letter after another, made when it can leave."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection

from connector import counters
from connector.domain import conversation as rules
from connector.domain import quiet_hours
from connector.domain.conversation import Conversation
from connector.domain.facts import Fact, NoticeInDoubt, NoticeRefused, NoticeSent, SessionBooked
from connector.domain.next_letter import Next, Standing, knows, next_letter
from connector.domain.notice import DeclinedProposal, Notice, NoticeKind, Recipient
from connector.domain.notice_table import NOTICES, Audience, Method
from connector.domain.offer import OfferState
from connector.domain.people import CLOCK, Actor, Client, Medium, Practitioner, check_address
from connector.domain.session import Session
from connector.errors import RuleError, TransientError
from connector.failures import tell
from connector.ports import Clock, Letter, NotSentError, Sender
from connector.sentence import Sentence
from connector.services import capabilities, notices, standstill
from connector.services.policy import Policy
from connector.storage import conversations, installation, ledger, messages, offers, people, sessions, signins, timeline
from connector.storage.conversations import PendingNotice, StoredConversation
from connector.storage.database import Database
from connector.storage.fence import Fence, fenced
from connector.storage.ledger import Key, Kind
from connector.storage.messages import Message, MessageState
from connector.storage.sentences import written

_T = TypeVar("_T")
A_MOMENT = timedelta(seconds=30)  # what is told at once by one medium has gone by the other by then
RECENT = timedelta(seconds=30)  # what was tried so recently is not tried again because another letter was taken


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
    for medium in sorted(client.reachable) or _spoken(db, session):
        stored = _witnessed(db, client, session, medium, facts)
        standing = standing or _standing(db, session)
        untried = stored if client.reachable else _as_if_untried(stored)
        _make_due(db, stored, _next(untried, standing, _basis(practitioner, client, medium), now), now)


def _as_if_untried(stored: StoredConversation) -> StoredConversation:
    """Return a conversation in which nothing was refused or is in doubt: all that its reader does not know is owed."""
    untried = replace(stored.beliefs or Conversation(), untold=None, refused=(), unsure=())
    return replace(stored, beliefs=untried)


def _spoken(db: Connection, session: Session) -> Sequence[Medium]:
    """Return the media of the conversations with a client who can be told nothing: their practitioner is told there."""
    own = [one.medium for one in conversations.of_session(db, session.id) if one.reader is Audience.CLIENT]
    return sorted(own) or [Medium.EMAIL]


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
    beliefs = rules.witnessed(_beliefs(db, stored, client), facts)
    address = client.address(medium) or stored.address
    if beliefs == stored.beliefs and stored.address == address:
        return stored
    _forget_queued(db, stored)
    stored = _readdressed(db, replace(stored, beliefs=beliefs), address)
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
    beliefs = change(_beliefs(db, stored, client))
    _forget_queued(db, stored)
    stored = _readdressed(db, replace(stored, beliefs=beliefs), address)
    conversations.save(db, stored)
    _make_due(db, stored, _next(stored, _standing(db, session), _basis(practitioner, client, medium), now), now)
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
        raise RuleError(
            "This client was erased. Add them as a new one: pencilled clients add", code="client_erased", field="client"
        )
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


def next_to_client(db: Connection, client_id: UUID, *, now: datetime) -> Sequence[Notice]:
    """Return what a client is told next about each of their sessions to come."""
    own = [session.id for session in sessions.of_client(db, client_id, since=now)]
    following = (waiting(db, stored, now=now) for stored in conversations.of_client(db, own))
    return [notice for notice in following if notice is not None]


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
            _overtaken(db, stored, begun)
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
        beliefs = change(_beliefs(db, stored, client))
        if beliefs != stored.beliefs:
            conversations.save(db, replace(stored, beliefs=beliefs))


def may_be_invited(db: Connection, client: Client, session: Session) -> bool:
    """Whether a letter may have put a session into its client's calendar; none is begun until the transaction ends."""
    by_mail = [
        stored.id
        for stored in conversations.of_session(db, session.id)
        if stored.reader is Audience.CLIENT and stored.medium is Medium.EMAIL
    ]
    every = [conversations.locked(db, conversation_id) for conversation_id in by_mail]
    return any(rules.may_have_entry(_beliefs(db, stored, client)) for stored in every if stored is not None)


def was_asked(db: Connection, client: Client, session: Session, offer_id: UUID) -> bool:
    """Whether a client may have learnt of an offer, by any medium."""
    return any(
        rules.has_heard_of(_beliefs(db, stored, client), offer_id)
        for stored in conversations.of_session(db, session.id)
        if stored.reader is Audience.CLIENT
    )


def told_by(db: Connection, session: Session, *, now: datetime) -> Sequence[Medium]:
    """Return the media by which a client has surely been told all that stands of a session; any one of them will do."""
    client, practitioner = people.client(db, session.client_id), people.practitioner(db, session.practitioner_id)
    own = [one for one in conversations.of_session(db, session.id) if one.reader is Audience.CLIENT]
    standing = _standing(db, session) if own else None
    return [
        stored.medium
        for stored in sorted(own, key=lambda one: one.medium)
        if standing is not None
        and knows(_beliefs(db, stored, client), standing, _basis(practitioner, client, stored.medium), now=now)
    ]


def waiting(db: Connection, stored: StoredConversation, *, now: datetime) -> Notice | None:
    """Return what a reader would be told if it could be sent now; None if nothing waits."""
    if stored.reader is not Audience.CLIENT or stored.session_id is None:
        return next((one.notice for one in conversations.pending(db, stored.id)), None)
    session = sessions.get(db, stored.session_id)
    client, practitioner = people.client(db, session.client_id), people.practitioner(db, session.practitioner_id)
    if not _is_told(client, stored.medium):
        return None
    begun = messages.get(db, stored.letter_id) if stored.letter_id else None
    stored = _without(replace(stored, beliefs=_beliefs(db, stored, client)), begun)
    return _next(stored, _standing(db, session), _basis(practitioner, client, stored.medium), now).notice


def leaves_at(db: Connection, stored: StoredConversation, notice: Notice, *, now: datetime) -> datetime:
    """Return when a reader is told what waits for them: now, or in their morning."""
    if stored.session_id is None:
        return now
    return _leaves_at(stored, _standing(db, sessions.get(db, stored.session_id)), notice, now)


def _leaves_at(stored: StoredConversation, standing: Standing, notice: Notice, now: datetime) -> datetime:
    if stored.medium is not Medium.SMS:
        return now
    offer, beliefs = standing.open, stored.beliefs or Conversation()
    waits = offer is not None and offer.expires_at is not None and now < offer.expires_at
    waits = waits and offer is not None and not rules.has_heard_of(beliefs, offer.id)
    return quiet_hours.leaves_at(notice, now=now, offer_waits=waits)


def _is_told(client: Client, medium: Medium) -> bool:
    """Whether a conversation goes on: texts only while their reader wants them."""
    return bool(client.address(medium)) and (medium is not Medium.SMS or medium in client.reachable)


def converse(
    database: Database,
    policy: Policy,
    sender: Sender,
    link_for: Callable[[Notice, Medium], str | None],
    conversation_id: UUID,
    *,
    code_for: Callable[[Notice], str],
    clock: Clock,
    fence: Fence,
    subscription_for: Callable[[Notice], str | None] = lambda _notice: None,
    stopped: Callable[[Connection, Message, datetime], object] = lambda *_: None,
    named: Callable[[Connection, str, datetime], object] = lambda *_: None,
) -> datetime | None:
    """Tell a reader everything they are to be told, one letter after another.

    `stopped` is called with a text whose gateway says that its reader wants no more of them, `named` with what a
    gateway calls one that it has taken, once that is stored.

    Returns: When there may be something to tell although nothing happens, aware UTC; None for not before that.
    Raises: TransientError to be tried again later. A refusal for good ends one letter: it is noted, and if it was for a
        client, their practitioner is told.
    """
    fence.renew()
    _follow(database, stopped, conversation_id, clock())
    with fenced(database, fence) as db:
        turn = _begin(db, policy, conversation_id, clock(), still=installation.stands_still(db, keep_so=True))
    is_taken = False
    while turn.message is not None:
        fence.renew()
        remote_id, error = _hand_over(sender, _letter(turn, turn.message, link_for, code_for, subscription_for))
        counters.add(counters.LETTERS, medium=turn.message.medium, fate=_fate(error))
        with fenced(database, fence) as db:
            still = installation.stands_still(db, keep_so=True)
            if error is None:
                _sent(db, conversation_id, turn.message, clock(), remote_id=remote_id)
            else:
                _not_sent(db, conversation_id, turn.message, error, clock())
            if error is None or (error.permanent and not error.stopped):
                turn = _begin(db, policy, conversation_id, clock(), still=still)
        if error is not None and not error.permanent:
            raise TransientError(error.sentence) from error
        if remote_id:
            _heard(database, named, remote_id, clock())
        if error is not None and error.stopped:
            _follow(database, stopped, conversation_id, clock())
            with fenced(database, fence) as db:
                turn = _begin(db, policy, conversation_id, clock(), still=installation.stands_still(db, keep_so=True))
        is_taken = is_taken or error is None
    if is_taken:
        with fenced(database, fence) as db:
            fence.check(db)  # before the others, which are not waited for: so nobody waits for us in a circle
            _hasten_others(db, conversation_id, clock())
    return turn.again_at


def _heard(database: Database, note: Callable[[Connection, _T, datetime], object], told: _T, now: datetime) -> None:
    """Note what a gateway has told of a text: true whoever holds the claim.

    In a transaction of its own, since it locks practitioners, who come before conversations.
    """
    with database.begin() as db:
        note(db, told, now)


def _follow(
    database: Database, note: Callable[[Connection, Message, datetime], object], conversation_id: UUID, now: datetime
) -> None:
    """Note what follows from refused texts whose reader wants no more: due from their refusal on until it is noted."""

    def once(db: Connection, message: Message, now: datetime) -> None:
        note(db, message, now)
        messages.set_receipt(db, message.id, None, now=now)

    with database.read() as db:
        waiting = messages.stopped_in(db, conversation_id)
    for message in waiting:
        _heard(database, once, message, now)


def _hand_over(sender: Sender, letter: Letter) -> tuple[str | None, NotSentError | None]:
    """Hand a letter over, and return what its gateway calls it, and what kept it from leaving; None if it was taken."""
    try:
        return sender.send(letter), None
    except NotSentError as error:
        return None, error


def _fate(error: NotSentError | None) -> str:
    if error is None:
        return "sent"
    if error.unknown:
        return "doubtful"
    return "refused" if error.permanent else "put_off"


@dataclass(frozen=True, slots=True, kw_only=True)
class _Turn:
    """The letter that is handed over next, or when to look again."""

    message: Message | None = None
    thread: tuple[str, ...] = ()
    again_at: datetime | None = None


def _begin(db: Connection, policy: Policy, conversation_id: UUID, now: datetime, *, still: bool) -> _Turn:
    """Make the next letter and note that it is about to leave; `still`: while everything stands still."""
    stored = conversations.locked(db, conversation_id)
    if stored is None:
        return _Turn()
    begun = messages.get(db, stored.letter_id) if stored.letter_id else None
    if still and stored.reader is Audience.CLIENT:
        return _Turn(again_at=now + standstill.LOOK)
    if stored.reader is Audience.CLIENT and stored.session_id is not None:
        message, again_at = _to_client(db, policy, stored, begun, now)
    else:
        message, again_at = _to_others(db, policy, stored, begun, now)
        again_at = again_at or (now + standstill.LOOK if still else None)
    if message is None:
        return _Turn(again_at=again_at)
    return _Turn(message=message, thread=messages.thread(db, message))


def _to_client(
    db: Connection, policy: Policy, stored: StoredConversation, begun: Message | None, now: datetime
) -> tuple[Message | None, datetime | None]:
    session = sessions.get(db, stored.session_id) if stored.session_id else None
    if session is None:
        return None, None
    client = people.client(db, session.client_id)
    if stored.medium not in policy.media or not _is_told(client, stored.medium):
        given_up = replace(_overtaken(db, stored, begun) if begun is not None else stored, letter_id=None)
        conversations.save(db, given_up)
        _tell_no_channel(db, policy, given_up, client, now)
        return None, None
    remembered_before = _beliefs(db, stored, client)
    _forget_queued(db, stored)
    stored = _readdressed(db, replace(stored, beliefs=remembered_before), client.address(stored.medium))
    begun = begun if stored.letter_id else None
    if begun is not None and stored.medium is Medium.SMS and begun.state is MessageState.SENDING:
        stored, begun = _left_in_doubt(db, stored, begun, _CUT_OFF, now), None
    before = _without(stored, begun)
    practitioner = people.practitioner(db, session.practitioner_id)
    standing, basis = _standing(db, session), _basis(practitioner, client, stored.medium)
    following = _next(before, standing, basis, now)
    if begun is not None and (following.notice != begun.notice or _has_aged(begun, now)):
        before = _overtaken(db, stored, begun)
        following = _next(before, standing, basis, now)
        begun = None
    if following.untold is not None and before.beliefs is not None:
        if not told_by(db, session, now=now):
            _tell_untold(db, session, following.untold, now)
        before = replace(before, beliefs=replace(before.beliefs, untold=session.revision))
    if following.notice is None:
        refused = before.refused if following.is_refused else ""
        conversations.save(db, replace(before, letter_id=None, refused=refused))
        return None, following.again_at
    at = _leaves_at(before, standing, following.notice, now)
    if at > now:
        conversations.save(db, before)
        return None, at
    message = begun or messages.begin(
        db, following.notice, conversation=before, key=None, mail_domain=policy.mail_domain, now=now
    )
    if message.state is MessageState.QUEUED and message.queued_at != now:
        messages.redate(db, message.id, now=now)
        message = replace(message, queued_at=now)
    messages.set_state(db, message.id, MessageState.SENDING)
    # An earlier try of it may have arrived, and that stays possible whatever becomes of this one.
    may_have_left = begun is not None and begun.state is MessageState.SENDING
    earlier = (stored.beliefs if may_have_left else before.beliefs) or Conversation()
    beliefs = rules.handed_over(rules.doubted(earlier), following.notice, message.id, now=now)
    conversations.save(db, replace(before, beliefs=beliefs, letter_id=message.id, tried_at=now))
    return message, None


def _has_aged(begun: Message, now: datetime) -> bool:
    """Whether a time that a letter offers has begun since it was written."""
    return any(begun.queued_at < choice.when.span.start <= now for choice in begun.notice.choices)


def _to_others(
    db: Connection, policy: Policy, stored: StoredConversation, begun: Message | None, now: datetime
) -> tuple[Message | None, datetime | None]:
    """Return the first letter that still says what is so and is about no session's standing, or when it can be written.

    Those are all that practitioners and operators are told, and codes for clients.
    """
    if begun is not None and stored.medium is Medium.SMS and begun.state is MessageState.SENDING:
        stored, begun = _left_in_doubt(db, stored, begun, _CUT_OFF, now), None
    waiting = conversations.pending(db, stored.id)
    if installation.stands_still(db):
        waiting = [one for one in waiting if one.notice.kind in standstill.MAY_LEAVE]
    overtaken = [one for one in waiting if not notices.is_current(db, one.notice, now=now)]
    conversations.drop(db, [one.id for one in overtaken])
    first: PendingNotice | None = next((one for one in waiting if one not in overtaken), None)
    if begun is not None and (first is None or begun.key != first.key):
        _give_up(db, begun)
        begun = None
    again_at = _waits_until(db, first, now) if first is not None and begun is None else None
    if first is None or again_at is not None:
        conversations.save(db, replace(stored, letter_id=None))
        return None, again_at
    reader = _reader(db, stored, first.notice)
    if begun is not None and begun.notice.to.address != reader.address:
        _give_up(db, begun)
        messages.free_key(db, begun.id)  # the same is told once more, to whoever has the right address
        begun = None
    stored = replace(stored, address=reader.address)
    message = begun or messages.begin(
        db,
        replace(_as_of_now(db, first.notice, now), to=reader),
        conversation=stored,
        key=first.key,
        mail_domain=policy.mail_domain,
        now=now,
    )
    messages.set_state(db, message.id, MessageState.SENDING)
    conversations.save(db, replace(stored, letter_id=message.id, tried_at=now))
    return message, None


def _waits_until(db: Connection, waiting_notice: PendingNotice, now: datetime) -> datetime | None:
    """Return until when it is left open what a notice says; None if it can be said now.

    Whether a client knows all the same to whom one medium could not deliver: what goes by the other is on its way.
    """
    notice, until = waiting_notice.notice, waiting_notice.made_at + A_MOMENT
    if notice.kind is not NoticeKind.NOT_DELIVERED or notice.session is None or now >= until:
        return None
    own = [one for one in conversations.of_session(db, notice.session.id) if one.reader is Audience.CLIENT]
    on_its_way = (one.letter_id is not None or waiting(db, one, now=now) is not None for one in own)
    return until if any(on_its_way) else None


def _as_of_now(db: Connection, notice: Notice, now: datetime) -> Notice:
    """Return a notice with what has become of it since it was noted down: somebody may have been told otherwise."""
    if notice.kind is not NoticeKind.NOT_DELIVERED or notice.session is None:
        return notice
    return replace(notice, told_otherwise=bool(told_by(db, sessions.get(db, notice.session.id), now=now)))


def _reader(db: Connection, stored: StoredConversation, notice: Notice) -> Recipient:
    """Return whom a notice goes to: a practitioner at the address that they have by now."""
    if stored.reader is not Audience.PRACTITIONER:
        return notice.to
    return Recipient.of(people.practitioner(db, stored.practitioner_id))


def _letter(
    turn: _Turn,
    message: Message,
    link_for: Callable[[Notice, Medium], str | None],
    code_for: Callable[[Notice], str],
    subscription_for: Callable[[Notice], str | None],
) -> Letter:
    return Letter(
        notice=message.notice,
        medium=message.medium,
        link=link_for(message.notice, message.medium),
        message_id=message.message_id,
        thread=turn.thread,
        date=message.queued_at,
        code=code_for(message.notice),
        subscription=subscription_for(message.notice),
    )


def _sent(
    db: Connection, conversation_id: UUID, message: Message, now: datetime, *, remote_id: str | None = None
) -> None:
    """Note that a letter has left, and what its gateway calls it."""
    stored = conversations.locked(db, conversation_id)  # before its letters, as everywhere
    messages.set_state(db, message.id, MessageState.SENT, sent_at=now)
    if remote_id is not None:
        messages.set_remote_id(db, message.id, remote_id)
    fact = NoticeSent(
        at=now, by=CLOCK, session_id=message.session_id, kind=message.kind.value, medium=message.medium.value
    )
    timeline.append(db, message.practitioner_id, [fact])
    if stored is not None and stored.letter_id == message.id:
        beliefs = rules.arrived(stored.beliefs, message.id) if stored.beliefs else None
        conversations.save(db, replace(stored, beliefs=beliefs, letter_id=None, refused="", tried_at=now))
    _forget_pending(db, conversation_id, message)


def _hasten_others(db: Connection, like: UUID, now: datetime) -> None:
    """Have the letters tried again that could not leave before by the same medium: its server takes letters by now.

    In a transaction of its own, which may fail: that the letter was sent is stored by then.
    """
    failing = [UUID(identity) for identity in ledger.failing(db, Kind.CONVERSATION, now=now)]
    waiting = conversations.tried_before(db, failing, now - RECENT, like=like) if failing else ()
    for conversation_id in sorted(waiting):
        ledger.touch(db, Key(Kind.CONVERSATION, str(conversation_id)), due_at=now)


def _not_sent(db: Connection, conversation_id: UUID, message: Message, error: NotSentError, now: datetime) -> None:
    """Note why a letter has not left, or may have left, or never will."""
    stored = conversations.locked(db, conversation_id)
    is_own = stored is not None and stored.letter_id == message.id
    if not error.permanent:
        may_have_left = error.unknown or message.state is MessageState.SENDING  # by this try, or an earlier one
        state = MessageState.SENDING if may_have_left else MessageState.QUEUED
        messages.set_state(db, message.id, state, error=error.sentence)
        if stored is not None and is_own and stored.beliefs and not error.unknown:
            conversations.save(db, replace(stored, beliefs=rules.not_sent(stored.beliefs, message.id)))
        return
    if error.unknown:
        tell(
            "letter_in_doubt",
            str(error),
            letter=message.kind.value,
            medium=message.medium.value,
            message=str(message.id),
        )
        if stored is not None and is_own:
            conversations.save(db, _left_in_doubt(db, stored, message, error.sentence, now))
        return
    messages.set_state(db, message.id, MessageState.REFUSED, error=error.sentence)
    if error.stopped:
        messages.set_receipt(db, message.id, messages.STOPPED, now=now)
    tell("letter_refused", str(error), letter=message.kind.value, medium=message.medium.value, message=str(message.id))
    if stored is not None and is_own:
        beliefs = rules.refused(stored.beliefs, message.id, message.notice) if stored.beliefs else None
        conversations.save(db, replace(stored, beliefs=beliefs, letter_id=None, refused=str(error), tried_at=now))
    _forget_pending(db, conversation_id, message)
    if message.to_client and not error.stopped:
        practitioner = people.practitioner(db, message.practitioner_id)
        notice = notices.not_delivered(practitioner, message.notice, medium=message.medium)
        notices.tell(db, notice, key=f"{notice.kind}:{message.id}", practitioner_id=practitioner.id, now=now)
    fact = NoticeRefused(
        at=now,
        by=CLOCK,
        session_id=message.session_id,
        kind=message.kind.value,
        medium=message.medium.value,
        why=written(error.sentence),
    )
    timeline.append(db, message.practitioner_id, [fact])  # last: it waits for whoever readdresses the practitioner


_CUT_OFF = Sentence("nobody knows whether it had left when we were cut off")


def _left_in_doubt(
    db: Connection, stored: StoredConversation, message: Message, why: Sentence, now: datetime
) -> StoredConversation:
    """Leave a text whose fate is not known as it is: it is never sent again, and by no other way."""
    messages.set_state(db, message.id, MessageState.UNKNOWN, error=why)
    kind, medium = message.kind.value, message.medium.value
    fact = NoticeInDoubt(at=now, by=CLOCK, session_id=message.session_id, kind=kind, medium=medium, why=written(why))
    timeline.append(db, message.practitioner_id, [fact])
    _forget_pending(db, stored.id, message)
    beliefs = rules.left_in_doubt(stored.beliefs, message.notice) if stored.beliefs else None
    return replace(stored, beliefs=beliefs, letter_id=None)


def _forget_pending(db: Connection, conversation_id: UUID, message: Message) -> None:
    conversations.drop(db, [one.id for one in conversations.pending(db, conversation_id) if one.key == message.key])


def _tell_untold(db: Connection, session: Session, untold: Notice, now: datetime) -> None:
    """Tell a practitioner that their client was not told something in time."""
    practitioner = people.practitioner(db, session.practitioner_id)
    notice = replace(untold, kind=NoticeKind.NOT_TOLD, to=Recipient.of(practitioner), about=untold.kind.value)
    key = f"{notice.kind}:{session.id}:{session.revision}"
    if not conversations.was_told(db, key):
        notices.tell(db, notice, key=key, practitioner_id=practitioner.id, now=now)


def _tell_no_channel(db: Connection, policy: Policy, stored: StoredConversation, client: Client, now: datetime) -> None:
    """Tell a practitioner what their client is to be told and has no way to go; the session needs them.

    Once for each thing; what a client knows by any medium nobody has to tell them.
    """
    session = sessions.get(db, stored.session_id) if stored.session_id else None
    if session is None or client.reachable & policy.media or client.erased:
        return
    if stored.medium is not _spoken(db, session)[0] or told_by(db, session, now=now):
        return
    practitioner = people.practitioner(db, session.practitioner_id)
    basis = _basis(practitioner, client, stored.medium)
    untried = _as_if_untried(replace(stored, beliefs=_beliefs(db, stored, client)))
    following = _next(untried, _standing(db, session), basis, now)
    owed = following.notice or following.untold
    if owed is None or NOTICES[owed.kind].reminds_after is not None:
        return
    key = f"{NoticeKind.NO_CHANNEL}:{session.id}:{session.revision}:{owed.kind}:{owed.offer_id}"
    conversations.save(db, replace(stored, refused=conversations.NO_CHANNEL))
    if conversations.was_told(db, key):
        return
    notice = notices.no_channel(practitioner, client, session, about=owed.kind.value, offer_id=owed.offer_id)
    notices.tell(db, notice, key=key, practitioner_id=practitioner.id, now=now)
    tell("letter_without_channel", str(NO_WAY), letter=owed.kind.value, session=str(session.id))
    kind, medium = owed.kind.value, stored.medium.value
    fact = NoticeRefused(at=now, by=CLOCK, session_id=session.id, kind=kind, medium=medium, why=written(NO_WAY))
    timeline.append(db, practitioner.id, [fact])  # last, as above


NO_WAY = Sentence("there is no way to reach the client")


def _next(stored: StoredConversation, standing: Standing, basis: Notice, now: datetime) -> Next:
    if stored.medium is not Medium.EMAIL:  # no text invites anybody, whatever else they subscribe to
        standing = replace(standing, session=replace(standing.session, published=False))
    return next_letter(stored.beliefs or Conversation(), standing, basis, now=now)


def _standing(db: Connection, session: Session) -> Standing:
    every_offer = offers.of_session(db, session.id)
    return Standing(
        session=session,
        open=next((offer for offer in every_offer if offer.state is OfferState.OPEN), None),
        ends=tuple((offer.id, offer.state) for offer in every_offer),
    )


def _basis(practitioner: Practitioner, client: Client, medium: Medium) -> Notice:
    return Notice(
        kind=NoticeKind.BOOKED,
        to=Recipient.of(client, medium),
        practitioner_name=practitioner.name,
        client_name=client.name,
        reply_to=practitioner.email if practitioner.takes_replies else "",
    )


def _make_due(db: Connection, stored: StoredConversation, following: Next, now: datetime) -> None:
    is_due = following.notice is not None or following.untold is not None or stored.letter_id is not None
    due_at = now if is_due else following.again_at
    if due_at is not None:
        ledger.touch(db, Key(Kind.CONVERSATION, str(stored.id)), due_at=due_at, lane=notices.lane(stored.medium))


def _beliefs(db: Connection, stored: StoredConversation, client: Client) -> Conversation:
    """Return what a reader may believe; the log of messages tells it where nothing was stored yet."""
    if stored.beliefs is not None:
        address = client.address(stored.medium)
        is_same = address in {stored.address, ""}  # nobody else reads what goes nowhere
        return stored.beliefs if is_same else rules.readdressed(stored.beliefs)
    logged = messages.of_session(db, stored.session_id) if stored.session_id else ()
    conversation = remembered(one for one in logged if one.to_client and one.medium is stored.medium)
    return conversation if stored.letter_id is not None else rules.doubted(conversation)


def _forget_queued(db: Connection, stored: StoredConversation) -> None:
    """Keep from ever leaving what was queued before there were conversations: it is made anew if it is needed."""
    if stored.beliefs is None and stored.session_id is not None:
        messages.hold_back(db, stored.session_id)


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


def _readdressed(db: Connection, stored: StoredConversation, address: str) -> StoredConversation:
    """Return a conversation with whoever has this address; the letter on its way to another is given up."""
    if stored.address == address:
        return stored
    begun = messages.get(db, stored.letter_id) if stored.letter_id else None
    given_up = _overtaken(db, stored, begun) if begun else stored
    return replace(given_up, address=address, refused="")


def _without(stored: StoredConversation, begun: Message | None) -> StoredConversation:
    """Return a conversation as it was before its letter was begun."""
    if begun is None or stored.beliefs is None:
        return stored
    return replace(stored, beliefs=rules.not_sent(stored.beliefs, begun.id))


def _overtaken(db: Connection, stored: StoredConversation, begun: Message) -> StoredConversation:
    """Give up a letter that no longer says what is so; whether it has left may never be known."""
    _give_up(db, begun)
    beliefs = stored.beliefs or Conversation()
    is_unsent = begun.state is MessageState.QUEUED
    beliefs = rules.not_sent(beliefs, begun.id) if is_unsent else rules.doubted(beliefs)
    return replace(stored, beliefs=beliefs, letter_id=None)


def _give_up(db: Connection, begun: Message) -> None:
    """Have a letter not tried again, and say whether it may have left."""
    is_unsent = begun.state is MessageState.QUEUED
    messages.set_state(db, begun.id, MessageState.HELD_BACK if is_unsent else MessageState.UNKNOWN)
