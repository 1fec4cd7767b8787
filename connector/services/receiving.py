"""Mail that comes in, from whatever door: stored first, read when it is due, and every outcome counted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector import counters
from connector.domain.facts import Attendance, ClientAnswered, FlagReason
from connector.domain.notice import Notice, NoticeKind, Recipient
from connector.domain.notice_table import NOTICES
from connector.domain.people import Actor, Medium, Role
from connector.domain.session import Session, SessionState, Transition, flagged, unflagged
from connector.failures import tell
from connector.inbox import bounds, meaning
from connector.inbox.authorship import Keys, Proof, prove
from connector.inbox.bounds import BoundedMail, Excess, QuarantinedError
from connector.inbox.calendar import CalendarMessage, Reply
from connector.inbox.meaning import Mail, Nothing, Words
from connector.inbox.reports import Bounce
from connector.inbox.verdict import Invitation, Verdict, judge
from connector.services import notices, returned, standstill
from connector.storage import incoming, ledger, messages, people, sessions, timeline
from connector.storage.database import Database
from connector.storage.fence import Fence, fenced
from connector.storage.ledger import Key, Kind
from connector.storage.messages import MessageState

KEPT = timedelta(days=90)  # what became of a mail, so that a copy of it does nothing
LANE = "inbox"
WORDS, BOUNCE = "words", "bounce"  # outcomes of what is no calendar message; all others are words of `connector.inbox`

_ARRIVED = frozenset({MessageState.SENDING, MessageState.SENT, MessageState.UNKNOWN})  # or may have


def receive(db: Connection, raw: bytes, *, now: datetime) -> bool:
    """Store a mail that is to be read, and return whether it is new.

    One that is too large is quarantined at once and not kept: whoever fetches mail stops one byte beyond the bound.
    """
    is_large = len(raw) > bounds.LARGEST
    outcome = Excess.MAIL_SIZE.value if is_large else None
    mail_id = incoming.add(db, identity=bounds.identity(raw), raw=None if is_large else raw, outcome=outcome, now=now)
    if mail_id is None:
        return False
    if outcome is None:
        ledger.touch(db, Key(Kind.MAIL, str(mail_id)), due_at=now, lane=LANE)
    else:
        _note(mail_id, outcome)
    return True


def read(database: Database, mail_id: UUID, *, server: str, keys: Keys, fence: Fence) -> None:
    """Read a mail that was stored, and note what becomes of it.

    Args:
        database: Where it is.
        mail_id: Which.
        server: The authserv-id of the mail server whose word counts; empty for none.
        keys: Where the public keys of signatures are found; asked only about answers to invitations of ours.
        fence: The claim that this is done under.
    Raises: TransientError where a key cannot be looked up now.
    """
    with database.read() as db:
        stored = incoming.unread(db, mail_id)
    if stored is None:
        return
    raw, received_at = stored
    session_id: UUID | None = None
    try:
        bounded, mail = _understood(raw)
    except QuarantinedError as error:
        with fenced(database, fence) as db:
            incoming.settle(db, mail_id, outcome := error.excess.value)
    else:
        proof = _proof(database, bounded, mail, server=server, keys=keys, received_at=received_at)
        with fenced(database, fence) as db:
            outcome, session_id = _carry_out(db, mail, proof, received_at=received_at)
            incoming.settle(db, mail_id, outcome, session_id=session_id)
    _note(mail_id, outcome)


def _understood(raw: bytes) -> tuple[BoundedMail, Mail]:
    """Return a mail and what it means; one that no reader gets through is quarantined, and keeps no other waiting.

    Raises: QuarantinedError.
    """
    bounded = bounds.bounded(raw)
    try:
        return bounded, meaning.read(bounded)
    except Exception as error:
        raise QuarantinedError(Excess.UNPARSABLE) from error


def _proof(
    database: Database, bounded: BoundedMail, mail: Mail, *, server: str, keys: Keys, received_at: datetime
) -> Proof:
    """Return by what an answer is proved; nobody is asked for keys about what changes nothing anyway."""
    if isinstance(mail.meaning, Words | Bounce | Nothing):
        return Proof.NONE
    with database.read() as db:
        _, verdict = _judged(db, mail.meaning, mail.author, Proof.SERVER, received_at)
    return prove(bounded, server=server, keys=keys) if verdict is Verdict.APPLIES else Proof.NONE


def _carry_out(db: Connection, mail: Mail, proof: Proof, *, received_at: datetime) -> tuple[str, UUID | None]:
    """Do what follows from a mail; return what becomes of it, and which session it is about."""
    match mail.meaning:
        case Words():
            return WORDS, None
        case Bounce() as bounce:
            return BOUNCE, returned.note(db, bounce, now=received_at)
        case Nothing(reason=reason):
            return reason.value, None
        case message:
            session = sessions.known_as(db, message.uid)
            if session is not None:
                standstill.lock(db, session.practitioner_id)  # of two answers at once, one sees the other
            session, verdict = _judged(db, message, mail.author, proof, received_at)
            if session is None or verdict in {Verdict.UNKNOWN, Verdict.NOT_INVITED}:
                return verdict.value, None
            if verdict is Verdict.APPLIES and isinstance(message, Reply):
                _record(db, session, message, now=received_at)
            return verdict.value, session.id


def _judged(
    db: Connection, message: CalendarMessage, author: str, proof: Proof, now: datetime
) -> tuple[Session | None, Verdict]:
    session = sessions.known_as(db, message.uid)
    invitation = invitation_of(db, session) if session is not None and session.uid == message.uid else None
    return session, judge(message, invitation, author=author, proof=proof, now=now)


def _record(db: Connection, session: Session, reply: Reply, *, now: datetime) -> None:
    """Note on a session what its client has answered, and tell its practitioner; it stands at its time."""
    client = people.client(db, session.client_id)
    fact = ClientAnswered(
        at=now,
        by=Actor(role=Role.CLIENT, name=client.name),
        session_id=session.id,
        answer=reply.answer,
        sequence=reply.sequence,
        stamp=reply.stamp,
        comment=reply.comment,
    )
    marking = _marking(session, reply.answer, by=fact.by, now=now)
    sessions.save(db, marking.session)
    timeline.append(db, session.practitioner_id, [fact, *marking.facts])
    practitioner = people.practitioner(db, session.practitioner_id)
    notice = Notice(
        kind=NoticeKind.CLIENT_ANSWERED,
        to=Recipient.of(practitioner),
        practitioner_name=practitioner.name,
        client_name=client.name,
        session=marking.session,
        reason=reply.answer,
        about=reply.comment,
    )
    notices.tell_practitioner(db, practitioner, notice, now=now)


def _marking(session: Session, answer: Attendance, *, by: Actor, now: datetime) -> Transition:
    """Have a session that was declined need its practitioner, until it is changed, kept, or accepted after all."""
    if answer is Attendance.DECLINED and session.flag is None:
        return flagged(session, FlagReason.DECLINED, by=by, now=now)
    if answer is Attendance.ACCEPTED and session.flag is FlagReason.DECLINED:
        return unflagged(session, by=by, now=now)
    return Transition(session=session)


def invitation_of(db: Connection, session: Session) -> Invitation:
    """Return what a session's client may have been sent about it."""
    sent = list(_sent(db, session.id))
    return Invitation(
        sent=max((revision for revision, _ in sent), default=None),
        addresses=frozenset(address.lower() for _, address in sent if address),
        ends_at=session.when.span.end if session.state is SessionState.BOOKED else None,
        answered=_answered(db, session.id),
    )


def _answered(db: Connection, session_id: UUID) -> tuple[int, datetime | None] | None:
    """Return SEQUENCE and DTSTAMP of what a client has answered last."""
    answers = [fact for fact in timeline.of_session(db, session_id) if isinstance(fact, ClientAnswered)]
    return (answers[-1].sequence, answers[-1].stamp) if answers else None


def _sent(db: Connection, session_id: UUID) -> Iterator[tuple[int, str]]:
    """Yield SEQUENCE and address of every calendar message that has arrived or may have."""
    for letter in messages.of_session(db, session_id):
        is_invitation = letter.medium is Medium.EMAIL and NOTICES[letter.kind].method is not None
        has_left = (
            letter.state in _ARRIVED or letter.sent_at is not None
        )  # what came back may have been passed on first
        session = letter.notice.session
        if letter.to_client and is_invitation and has_left and session is not None and not session.published:
            yield session.revision, letter.notice.to.address


def _note(mail_id: UUID, outcome: str) -> None:
    """Count what became of a mail; one that is quarantined is told, with its number and nothing that it says."""
    counters.add(counters.MAILS, outcome=outcome)
    if outcome in set(Excess):
        tell("mail_quarantined", outcome, mail=str(mail_id))
