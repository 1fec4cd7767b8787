"""Mail that comes in, from whatever door: stored first, read when it is due, and every outcome counted."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping
from datetime import datetime, timedelta
from uuid import UUID

import structlog
from sqlalchemy import Connection

from connector import counters
from connector.errors import TransientError
from connector.failures import tell
from connector.inbox import bounds, meaning
from connector.inbox.authorship import Keys, Proof, prove
from connector.inbox.bounds import BoundedMail, Excess, QuarantinedError
from connector.inbox.meaning import Mail
from connector.services import hearing, returned
from connector.services.client_mails import Kept
from connector.services.policy import Policy
from connector.storage import incoming, ledger, spent_tokens
from connector.storage.database import Database
from connector.storage.fence import Fence, fenced
from connector.storage.incoming import Door, Unread
from connector.storage.ledger import Key, Kind

log = structlog.get_logger(__name__)

KEPT = timedelta(days=90)  # what became of a mail, so that a copy of it does nothing
KEYS_WITHIN = timedelta(days=1)  # then what might be proved is shown as unproved: it is late enough
LANE = "inbox"
# Outcomes; all others are words of `connector.inbox`, of `hearing` and of `Kept`.
UNFETCHED = "unfetched"  # the mailbox's server does not hand it over
ERASED = "erased"  # whose it is was erased before it was read
OTHERS = (
    returned.BOUNCE,
    returned.ELSEWHERE,
    hearing.UNMATCHED,
    UNFETCHED,
    ERASED,
    hearing.SAME_TIME,
    hearing.REFRESHED,
)

_QUARANTINED = frozenset({*Excess, hearing.UNMATCHED, UNFETCHED, Kept.TOO_MANY})  # nobody will ever see what they say


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
    database: Database,
    policy: Policy,
    mail_id: UUID,
    *,
    servers: Mapping[Door, str],
    keys: Keys,
    now: datetime,
    fence: Fence,
) -> None:
    """Read a mail that was stored, and note what becomes of it.

    Args:
        database: Where it is.
        policy: How this installation does things.
        mail_id: Which.
        servers: The authserv-id of the mail server whose word counts, of each door that has one: what another door lets
            through under its name is anybody's.
        keys: Where the public keys of signatures are found; asked only about answers to invitations of ours.
        now: By which a key is waited for no longer.
        fence: The claim that this is done under.
    Raises: TransientError where a key cannot be looked up now, and it is waited for.
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
        try:
            proof = _proof(database, bounded, mail, server=server, keys=keys, received_at=received_at)
        except TransientError as error:
            if now < received_at + KEYS_WITHIN:
                raise
            tell("mail_unproved", error, mail=str(mail_id))
            proof = Proof.NONE
        with fenced(database, fence) as db:
            outcome, session_id = hearing.carry_out(db, policy, mail, proof, now=received_at)
            incoming.settle(db, mail_id, outcome, session_id=session_id)
    _note(mail_id, outcome)


def waiting_of(db: Connection, client_id: UUID, *, addresses: Collection[str]) -> Iterator[Unread]:
    """Yield the mails that wait to be read and are a client's: from an address of theirs, or about their session.

    Args:
        db: Where.
        client_id: Whose.
        addresses: By which nobody else goes, in small letters.
    """
    for stored in incoming.all_unread(db):
        try:
            _bounded, mail = _understood(stored.raw)
        except QuarantinedError:
            if any(address.encode() in stored.raw.lower() for address in addresses):
                yield stored
            continue
        session = hearing.session_of(db, mail)
        if mail.author in addresses or (session is not None and session.client_id == client_id):
            yield stored


def forget_waiting(db: Connection, client_id: UUID, *, addresses: Collection[str]) -> None:
    """Settle a client's mails that wait to be read: nothing of them is kept, and nothing follows from them."""
    for stored in list(waiting_of(db, client_id, addresses=addresses)):
        incoming.settle(db, stored.id, ERASED)


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
    """Return by what a mail is proved; nobody is asked for keys about what changes nothing anyway."""
    with database.read() as db:
        if not hearing.is_proof_wanted(db, mail, now=received_at):
            return Proof.NONE
    return prove(bounded, server=server, keys=keys)


def _note(mail_id: UUID, outcome: str) -> None:
    """Count what became of a mail, and say so in the log, with its number and nothing that it says.

    What nobody will see is told as a warning: it may be somebody's answer.
    """
    counters.add(counters.MAILS, outcome=outcome)
    if outcome in _QUARANTINED:
        tell("mail_quarantined", outcome, mail=str(mail_id))
    else:
        log.info("mail_read", outcome=outcome, mail=str(mail_id))
