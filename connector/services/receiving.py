"""Mail that comes in, from whatever door: stored first, read when it is due, and every outcome counted."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Connection

from connector import counters
from connector.domain.client_mail import ClientMail, MailState
from connector.domain.facts import MailKind
from connector.domain.session import Session
from connector.domain.span import When
from connector.failures import tell
from connector.inbox import bounds, meaning
from connector.inbox.authorship import Keys, Proof, prove
from connector.inbox.bounds import BoundedMail, Excess, QuarantinedError
from connector.inbox.calendar import CalendarMessage, Counter, Refresh, Reply, Unclear
from connector.inbox.meaning import Mail, Nothing, Words
from connector.inbox.reports import Bounce
from connector.inbox.verdict import Verdict, judge
from connector.services import client_mails, conversations, returned, standstill
from connector.services.client_mails import Kept
from connector.services.policy import Policy
from connector.storage import incoming, ledger, people, sessions, spent_tokens
from connector.storage.database import Database
from connector.storage.fence import Fence, fenced
from connector.storage.incoming import Door
from connector.storage.ledger import Key, Kind

log = structlog.get_logger(__name__)

KEPT = timedelta(days=90)  # what became of a mail, so that a copy of it does nothing
LANE = "inbox"
# Outcomes; all others are words of `connector.inbox` and of `Kept`.
UNMATCHED = "unmatched"  # words that answer no letter of ours to a client
UNFETCHED = "unfetched"  # the mailbox's server does not hand it over
SAME_TIME = "same_time"  # they ask for the time that they have
REFRESHED = "refreshed"
OTHERS = (returned.BOUNCE, returned.ELSEWHERE, UNMATCHED, UNFETCHED, SAME_TIME, REFRESHED)

_QUARANTINED = frozenset({*Excess, UNMATCHED, UNFETCHED, Kept.TOO_MANY})  # nobody will ever see what they say


def receive(db: Connection, raw: bytes, *, door: Door, now: datetime) -> bool:
    """Store a mail that is to be read, and return whether it is new.

    One that is too large is quarantined at once and not kept: whoever fetches mail stops one byte beyond the bound.
    """
    is_large = len(raw) > bounds.LARGEST
    outcome = Excess.MAIL_SIZE.value if is_large else None
    identity, kept = bounds.identity(raw), None if is_large else raw
    mail_id = incoming.add(db, identity=identity, raw=kept, door=door, outcome=outcome, now=now)
    if mail_id is None:
        return False
    if outcome is None:
        ledger.touch(db, Key(Kind.MAIL, str(mail_id)), due_at=now, lane=LANE)
    else:
        _note(mail_id, outcome)
    return True


def is_first(db: Connection, raw: bytes, *, token: str, ends_at: datetime) -> bool:
    """Whether what a gateway has signed in a mail's stead has come with no other mail."""
    return spent_tokens.spend(db, token, identity=bounds.identity(raw), ends_at=ends_at)


def refuse(db: Connection, outcome: str, *, identity: str, now: datetime) -> None:
    """Quarantine a mail of which nothing was fetched; `identity` is what is the same whenever it is listed."""
    mail_id = incoming.add(db, identity=identity, raw=None, door=Door.MAILBOX, outcome=outcome, now=now)
    if mail_id is not None:
        _note(mail_id, outcome)


def read(
    database: Database, policy: Policy, mail_id: UUID, *, servers: Mapping[Door, str], keys: Keys, fence: Fence
) -> None:
    """Read a mail that was stored, and note what becomes of it.

    Args:
        database: Where it is.
        policy: How this installation does things.
        mail_id: Which.
        servers: The authserv-id of the mail server whose word counts, of each door that has one: what another door lets
            through under its name is anybody's.
        keys: Where the public keys of signatures are found; asked only about answers to invitations of ours.
        fence: The claim that this is done under.
    Raises: TransientError where a key cannot be looked up now.
    """
    with database.read() as db:
        stored = incoming.unread(db, mail_id)
    if stored is None:
        return
    received_at = stored.received_at
    server = servers.get(stored.door, "") if stored.door else ""
    session_id: UUID | None = None
    try:
        bounded, mail = _understood(stored.raw)
    except QuarantinedError as error:
        with fenced(database, fence) as db:
            incoming.settle(db, mail_id, outcome := error.excess.value)
    else:
        proof = _proof(database, bounded, mail, server=server, keys=keys, received_at=received_at)
        with fenced(database, fence) as db:
            outcome, session_id = _carry_out(db, policy, mail, proof, received_at=received_at)
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
    if isinstance(mail.meaning, Words | Bounce | Nothing | Refresh):
        return Proof.NONE
    with database.read() as db:
        _, verdict = _judged(db, mail.meaning, mail.author, Proof.SERVER, received_at)
    return prove(bounded, server=server, keys=keys) if verdict in {Verdict.APPLIES, Verdict.UNORDERED} else Proof.NONE


def _carry_out(
    db: Connection, policy: Policy, mail: Mail, proof: Proof, *, received_at: datetime
) -> tuple[str, UUID | None]:
    """Do what follows from a mail; return what becomes of it, and which session it is about."""
    match mail.meaning:
        case Words(text=text):
            return _words(db, policy, mail, text, now=received_at)
        case Bounce() as bounce:
            return returned.note(db, bounce, now=received_at)
        case Nothing(reason=reason):
            return reason.value, None
        case message:
            return _answer(db, policy, mail, message, proof, now=received_at)


def _words(db: Connection, policy: Policy, mail: Mail, text: str, *, now: datetime) -> tuple[str, UUID | None]:
    """Show words to the practitioner of the session whose letter they answer.

    Whoever names one of our letters has read it. What programs of ours write, and what a practitioner writes into a
    conversation that they were brought into, is nothing that a client says.
    """
    letter = next(returned.letters(db, mail.about), None)
    if letter is None or not letter.to_client or letter.session_id is None:
        return UNMATCHED, None
    practitioner = standstill.lock(db, letter.practitioner_id)
    session = sessions.get(db, letter.session_id)
    client = people.client(db, session.client_id)
    if client.erased or mail.author == practitioner.email.lower():
        return UNMATCHED, None
    if mail.author == session.organizer.lower():
        return Unclear.AUTOMATIC.value, session.id
    written = ClientMail(
        id=uuid4(),
        session_id=session.id,
        practitioner_id=practitioner.id,
        kind=MailKind.WORDS,
        state=MailState.SHOWN,
        received_at=now,
        author=mail.author,
        trusted=mail.author == client.email.lower(),
        text=text,
    )
    return client_mails.keep(db, policy, session, written, now=now).value, session.id


def _answer(
    db: Connection, policy: Policy, mail: Mail, message: CalendarMessage, proof: Proof, *, now: datetime
) -> tuple[str, UUID | None]:
    session = sessions.known_as(db, message.uid)
    if session is not None:
        standstill.lock(db, session.practitioner_id)  # of two answers at once, one sees the other
    session, verdict = _judged(db, message, mail.author, proof, now)
    if session is None or verdict in {Verdict.UNKNOWN, Verdict.NOT_INVITED}:
        return verdict.value, None
    if verdict not in {Verdict.APPLIES, Verdict.UNORDERED, Verdict.UNPROVED}:
        return verdict.value, session.id
    if isinstance(message, Refresh):
        return _refresh(db, session, now=now), session.id
    written = _written(session, mail, message, trusted=verdict is not Verdict.UNPROVED, now=now)
    if written.proposed is not None and written.proposed.span == session.when.span:
        return SAME_TIME, session.id
    if verdict is Verdict.APPLIES and isinstance(message, Reply):
        kept = client_mails.take_answer(db, session, written, now=now)
    else:
        kept = client_mails.keep(db, policy, session, written, now=now)
    return verdict.value if kept is Kept.SHOWN else kept.value, session.id


def _written(session: Session, mail: Mail, message: Reply | Counter, *, trusted: bool, now: datetime) -> ClientMail:
    """Return an answer as its practitioner sees it."""
    reply = message if isinstance(message, Reply) else None
    counter = message if isinstance(message, Counter) else None
    return ClientMail(
        id=uuid4(),
        session_id=session.id,
        practitioner_id=session.practitioner_id,
        kind=MailKind.UNPROVED if reply else MailKind.PROPOSAL,
        received_at=now,
        author=mail.author,
        trusted=trusted,
        text=message.comment,
        answer=reply.answer if reply else None,
        sequence=message.sequence,
        stamp=message.stamp,
        proposed=When.of(counter.span, zone=session.when.zone) if counter else None,
    )


def _refresh(db: Connection, session: Session, *, now: datetime) -> str:
    """Have a client told again how their session stands, at the address that is theirs, whoever has asked.

    That tells nobody anything they have not been told, so nothing has to prove who asks; but once a day at most.
    """
    if session.when.span.start <= now:
        return Verdict.ENDED.value
    if incoming.settled_since(db, session.id, REFRESHED, since=now - timedelta(days=1)):
        return Kept.TOO_MANY.value
    practitioner, client = people.practitioner(db, session.practitioner_id), people.client(db, session.client_id)
    is_told = conversations.tell_again(db, practitioner, client, session, now=now)
    return REFRESHED if is_told else Verdict.NOT_INVITED.value


def _judged(
    db: Connection, message: CalendarMessage, author: str, proof: Proof, now: datetime
) -> tuple[Session | None, Verdict]:
    session = sessions.known_as(db, message.uid)
    is_own = session is not None and session.uid == message.uid
    invitation = client_mails.invitation_of(db, session) if session is not None and is_own else None
    return session, judge(message, invitation, author=author, proof=proof, now=now)


def _note(mail_id: UUID, outcome: str) -> None:
    """Count what became of a mail, and say so in the log, with its number and nothing that it says.

    What nobody will see is told as a warning: it may be somebody's answer.
    """
    counters.add(counters.MAILS, outcome=outcome)
    if outcome in _QUARANTINED:
        tell("mail_quarantined", outcome, mail=str(mail_id))
    else:
        log.info("mail_read", outcome=outcome, mail=str(mail_id))
