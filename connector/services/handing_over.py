"""Tell people what is to be told: one conversation at a time, one letter after another, made when it can leave."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import TypeVar
from uuid import UUID

from sqlalchemy import Connection

from connector import counters
from connector.domain import conversation as rules
from connector.domain.conversation import Conversation
from connector.domain.facts import NoticeInDoubt, NoticeRefused, NoticeSent
from connector.domain.notice import Notice, NoticeKind, Recipient
from connector.domain.notice_table import NOTICES, Audience
from connector.domain.people import CLOCK, Client, Medium
from connector.domain.session import Session
from connector.errors import TransientError
from connector.failures import tell
from connector.ports import Clock, Letter, NotSentError, Sender
from connector.sentence import Sentence
from connector.services import notices, standstill
from connector.services.beliefs import (
    as_if_untried,
    basis_of,
    believed,
    forget_queued,
    give_up,
    is_told,
    next_leaves_at,
    overtaken,
    readdressed,
    spoken,
    standing_of,
    told_by,
    waiting,
    what_follows,
    without,
)
from connector.services.policy import Policy
from connector.storage import conversations, installation, ledger, messages, people, sessions, timeline
from connector.storage.conversations import PendingNotice, StoredConversation
from connector.storage.database import Database
from connector.storage.fence import Fence, fenced
from connector.storage.ledger import Key, Kind
from connector.storage.messages import Message, MessageState
from connector.storage.sentences import written

_T = TypeVar("_T")


A_MOMENT = timedelta(seconds=30)  # what is told at once by one medium has gone by the other by then


RECENT = timedelta(seconds=30)  # what was tried so recently is not tried again because another letter was taken


NO_WAY = Sentence("there is no way to reach the client")


_CUT_OFF = Sentence("nobody knows whether it had left when we were cut off")


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
    own_page_for: Callable[[Notice], str | None] = lambda _notice: None,
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
        remote_id, error = _hand_over(
            sender, _letter(turn, turn.message, link_for, code_for, subscription_for, own_page_for)
        )
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
    if stored.medium not in policy.media or not is_told(client, stored.medium):
        given_up = replace(overtaken(db, stored, begun) if begun is not None else stored, letter_id=None)
        conversations.save(db, given_up)
        _tell_no_channel(db, policy, given_up, client, now)
        return None, None
    remembered_before = believed(db, stored, client)
    forget_queued(db, stored)
    stored = readdressed(db, replace(stored, beliefs=remembered_before), client.address(stored.medium))
    begun = begun if stored.letter_id else None
    if begun is not None and stored.medium is Medium.SMS and begun.state is MessageState.SENDING:
        stored, begun = _left_in_doubt(db, stored, begun, _CUT_OFF, now), None
    before = without(stored, begun)
    practitioner = people.practitioner(db, session.practitioner_id)
    standing, basis = standing_of(db, session), basis_of(practitioner, client, stored.medium)
    following = what_follows(before, standing, basis, now)
    if begun is not None and (following.notice != begun.notice or _has_aged(begun, now)):
        before = overtaken(db, stored, begun)
        following = what_follows(before, standing, basis, now)
        begun = None
    if following.untold is not None and before.beliefs is not None:
        if not told_by(db, session, now=now):
            _tell_untold(db, session, following.untold, now)
        before = replace(before, beliefs=replace(before.beliefs, untold=session.revision))
    if following.notice is None:
        refused = before.refused if following.is_refused else ""
        conversations.save(db, replace(before, letter_id=None, refused=refused))
        return None, following.again_at
    at = next_leaves_at(before, standing, following.notice, now)
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
        give_up(db, begun)
        begun = None
    again_at = _waits_until(db, first, now) if first is not None and begun is None else None
    if first is None or again_at is not None:
        conversations.save(db, replace(stored, letter_id=None))
        return None, again_at
    reader = _reader(db, stored, first.notice)
    if begun is not None and begun.notice.to.address != reader.address:
        give_up(db, begun)
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
    own_page_for: Callable[[Notice], str | None],
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
        own_page=own_page_for(message.notice),
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
    if stored.medium is not spoken(db, session)[0] or told_by(db, session, now=now):
        return
    practitioner = people.practitioner(db, session.practitioner_id)
    basis = basis_of(practitioner, client, stored.medium)
    untried = as_if_untried(replace(stored, beliefs=believed(db, stored, client)))
    following = what_follows(untried, standing_of(db, session), basis, now)
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
