"""What a gateway tells of texts: what became of them, and who wants no more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID, uuid4, uuid5

from sqlalchemy import Connection

from connector import paths
from connector.domain.client_mail import ClientMail, MailState
from connector.domain.facts import MailKind
from connector.domain.people import Medium
from connector.domain.stop_words import says_stop
from connector.domain.text import visible
from connector.failures import tell
from connector.inbox.words import LONGEST
from connector.ports import Receipt, Reply, Told
from connector.sentence import Sentence
from connector.services import client_mails, consent, returned
from connector.services.client_mails import Kept
from connector.services.policy import Policy
from connector.storage import client_mails as stored
from connector.storage import early_receipts, messages, people, sessions
from connector.storage.database import Database
from connector.storage.messages import Message
from connector.storage.seal import Seal

PURPOSE, DOOR = "texts", UUID(int=0)  # of the token in the address at which a gateway tells
_TEXTS = UUID("5f0f7a53-7f0e-4c5c-9d0b-2a4d7f6d1c11")  # of the ids of texts that gateways number
_NOT_ARRIVED = Sentence("the gateway says that it did not arrive")


def path(seal: Seal) -> str:
    """Return the path at which a gateway tells; it holds a secret."""
    return paths.texts(seal.token(PURPOSE, DOOR))


def receive(db: Connection, policy: Policy, told: Iterable[Told], *, now: datetime) -> int:
    """Note what a gateway has told, and return how much of it concerned a text or a client of ours."""
    count = 0
    for one in told:
        match one:
            case Receipt():
                count += _note(db, policy, one, now)
            case Reply():
                count += _hear(db, policy, one, now)
    return count


def _note(db: Connection, policy: Policy, receipt: Receipt, now: datetime) -> int:
    message = messages.by_remote_id(db, receipt.remote_id)
    if message is None:
        early_receipts.keep(db, receipt, now=now)
        return 0
    if message.receipt == messages.DELIVERED:
        return 1  # what has arrived stays so
    if receipt.stopped:  # first, for it locks practitioners, and they go before conversations
        consent.stopped_by_gateway(db, policy.media, message, now=now)
    if message.receipt == receipt.state:
        return 1  # told before; who has stopped texts, maybe not
    messages.set_receipt(db, message.id, receipt.state, now=now)
    if receipt.state == messages.FAILED:
        returned.mark(db, message, _NOT_ARRIVED, is_told=not receipt.stopped, now=now)
    else:
        returned.unmark(db, message, _NOT_ARRIVED, now=now)
    return 1


def look_again(db: Connection, policy: Policy, told: Iterable[Told], *, now: datetime) -> int:
    """Note what concerns texts that are known by now, and return how much; in a transaction after that of `receive`.

    Whoever stores what a text is called looks for its receipt after that; so of two at once, one sees the other.
    """
    known = (one for one in told if isinstance(one, Receipt) and messages.by_remote_id(db, one.remote_id) is not None)
    return sum(note_early(db, policy, one.remote_id, now=now) for one in known)


def note_early(db: Connection, policy: Policy, remote_id: str, *, now: datetime) -> int:
    """Note what was told of a text before it was stored what its gateway calls it; return whether anything was."""
    receipt = early_receipts.take(db, remote_id)
    return 0 if receipt is None else _note(db, policy, receipt, now)


def note_left_behind(database: Database, policy: Policy, *, now: datetime) -> None:
    """Note what was told early of texts whose sender has died before it looked; it is true whoever sweeps."""
    with database.begin() as db:
        if early_receipts.are_there(db):
            for remote_id in messages.named_since(db, now - 2 * early_receipts.KEPT):
                note_early(db, policy, remote_id, now=now)


def _hear(db: Connection, policy: Policy, reply: Reply, now: datetime) -> int:
    """Text somebody no more who says so, and show whatever can mean something else, also if their gateway heeds it."""
    if says_stop(reply.text):
        return len(consent.stop_texts(db, policy.media, reply.number, now=now))
    text, count = messages.last_text_to(db, reply.number), 0
    if reply.stops:
        beside = () if text is None else (text.practitioner_id,)
        count = len(consent.stop_texts(db, policy.media, reply.number, beside=beside, now=now))
    return count + _show(db, policy, reply, text, now)


def _show(db: Connection, policy: Policy, reply: Reply, text: Message | None, now: datetime) -> int:
    """Keep what somebody has answered to a text for the practitioner whose session that was about.

    It belongs to the text that went to that number last, and nothing follows from it. A gateway says whose number it
    is and proves nothing, so it counts as a mail that is not proved.
    """
    words = visible(reply.text, longest=LONGEST)
    if text is None or text.session_id is None or not words:
        return 0
    practitioner = people.practitioner(db, text.practitioner_id, lock=True)  # of two at once, one sees the other
    written = ClientMail(
        id=uuid5(_TEXTS, reply.remote_id) if reply.remote_id else uuid4(),
        session_id=text.session_id,
        practitioner_id=practitioner.id,
        kind=MailKind.WORDS,
        state=MailState.SHOWN,
        received_at=now,
        author=reply.number,
        medium=Medium.SMS,
        text=words,
    )
    if stored.is_known(db, written.id):
        return 1  # gateways tell again what they are not sure of
    kept = client_mails.keep(db, policy, sessions.get(db, text.session_id), written, now=now)
    if kept is Kept.TOO_MANY:
        tell("text_left_out", kept.value, session=str(text.session_id))
    return 1
