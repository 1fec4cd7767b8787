"""Mail that comes in, from whatever door: stored first, read when it is due, and every outcome counted."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector import counters
from connector.domain.notice_table import NOTICES
from connector.domain.people import Medium
from connector.domain.session import Session, SessionState
from connector.failures import tell
from connector.inbox import bounds, meaning
from connector.inbox.authorship import Keys, Proof, prove
from connector.inbox.bounds import BoundedMail, Excess, QuarantinedError
from connector.inbox.calendar import CalendarMessage
from connector.inbox.meaning import Mail, Nothing, Words
from connector.inbox.reports import Bounce
from connector.inbox.verdict import Invitation, Verdict, judge
from connector.storage import incoming, ledger, messages, sessions
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
    session: Session | None = None
    try:
        bounded = bounds.bounded(raw)
        mail = meaning.read(bounded)
        outcome, session = _outcome(database, bounded, mail, server=server, keys=keys, received_at=received_at)
    except QuarantinedError as error:
        outcome = error.excess.value
    with fenced(database, fence) as db:
        is_ours = incoming.settle(db, mail_id, outcome, session_id=session.id if session else None)
    if is_ours:
        _note(mail_id, outcome)


def _outcome(
    database: Database, bounded: BoundedMail, mail: Mail, *, server: str, keys: Keys, received_at: datetime
) -> tuple[str, Session | None]:
    match mail.meaning:
        case Words():
            return WORDS, None
        case Bounce():
            return BOUNCE, None
        case Nothing(reason=reason):
            return reason.value, None
        case message:
            return _verdict(database, bounded, mail, message, server=server, keys=keys, received_at=received_at)


def _verdict(
    database: Database,
    bounded: BoundedMail,
    mail: Mail,
    message: CalendarMessage,
    *,
    server: str,
    keys: Keys,
    received_at: datetime,
) -> tuple[str, Session | None]:
    """Judge an answer; nobody is asked for keys about what changes nothing anyway."""
    with database.read() as db:
        session = sessions.known_as(db, message.uid)
        invitation = invitation_of(db, session) if session is not None and session.uid == message.uid else None
    verdict = judge(message, invitation, author=mail.author, proof=Proof.SERVER, now=received_at)
    if verdict is Verdict.APPLIES:
        proof = prove(bounded, server=server, keys=keys)
        verdict = judge(message, invitation, author=mail.author, proof=proof, now=received_at)
    concerns = verdict not in {Verdict.UNKNOWN, Verdict.NOT_INVITED}
    return verdict.value, session if concerns else None


def invitation_of(db: Connection, session: Session) -> Invitation:
    """Return what a session's client may have been sent about it."""
    sent = list(_sent(db, session.id))
    return Invitation(
        sent=max((revision for revision, _ in sent), default=None),
        addresses=frozenset(address.lower() for _, address in sent if address),
        ends_at=session.when.span.end if session.state is SessionState.BOOKED else None,
    )


def _sent(db: Connection, session_id: UUID) -> Iterator[tuple[int, str]]:
    """Yield SEQUENCE and address of every calendar message that has arrived or may have."""
    for letter in messages.of_session(db, session_id):
        is_invitation = letter.medium is Medium.EMAIL and NOTICES[letter.kind].method is not None
        if letter.to_client and is_invitation and letter.state in _ARRIVED and letter.notice.session is not None:
            yield letter.notice.session.revision, letter.notice.to.address


def _note(mail_id: UUID, outcome: str) -> None:
    """Count what became of a mail; one that is quarantined is told, with its number and nothing that it says."""
    counters.add(counters.MAILS, outcome=outcome)
    if outcome in set(Excess):
        tell("mail_quarantined", outcome, mail=str(mail_id))
