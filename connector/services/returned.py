"""Letters that came back: they had been taken by a mail server, and did not arrive after all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import conversation as rules
from connector.domain.facts import NoticeRefused
from connector.domain.notice import NoticeKind, Recipient
from connector.domain.people import CLOCK
from connector.failures import tell
from connector.inbox.reports import Bounce, Undelivered
from connector.sentence import Sentence
from connector.services import notices
from connector.storage import conversations, messages, people, timeline
from connector.storage.conversations import StoredConversation
from connector.storage.messages import Message, MessageState
from connector.storage.sentences import written

# What becomes of a report.
BOUNCE = "bounce"
ELSEWHERE = "bounce_elsewhere"  # a letter of ours reached its reader, who had it passed on to where it did not arrive


def note(db: Connection, bounce: Bounce, *, now: datetime) -> tuple[str, UUID | None]:
    """Note which letters of ours came back for good, and tell the practitioner.

    A report is about a letter and an address. Its Message-ID proves it: nobody knows that but whom the letter was sent
    to, and the mail servers in between; but whoever received it may have passed it on, and what becomes of that is
    nothing to us. What is only late changes nothing.

    Returns: What becomes of the report, and a session that it is about.
    """
    final = [one for one in bounce.undelivered if one.is_final]
    session_id: UUID | None = None
    outcome = BOUNCE
    for letter in letters(db, bounce.letters) if final else ():
        undelivered = next((one for one in final if _is_to(letter, one)), None)
        if undelivered is None:
            outcome = ELSEWHERE
        elif letter.state in {MessageState.SENT, MessageState.UNKNOWN}:
            _note(db, letter, _why(undelivered), now)
        session_id = session_id or letter.session_id
    return outcome, session_id


def _is_to(letter: Message, undelivered: Undelivered) -> bool:
    """Whether a letter was sent to a recipient who was not reached; so it is where a report names nobody."""
    address = _plain(letter.notice.to.address)
    return not undelivered.addresses or any(_plain(one) == address for one in undelivered.addresses)


def _plain(address: str) -> str:
    """Return an address as servers compare it, whichever way its domain is written."""
    local, _, domain = address.lower().rpartition("@")
    with suppress(UnicodeError):
        domain = domain.encode("idna").decode()
    return f"{local}@{domain}"


def _why(undelivered: Undelivered) -> Sentence:
    if undelivered.status:
        return Sentence("the recipient's mail server sent it back (%(status)s)", status=undelivered.status)
    return Sentence("the recipient's mail server sent it back")


def letters(db: Connection, message_ids: Iterable[str]) -> Iterator[Message]:
    """Yield the letters of ours among Message-IDs."""
    for message_id in message_ids:
        try:
            identity = UUID(message_id.strip("<>").partition("@")[0])
        except ValueError:
            continue
        letter = messages.get(db, identity)
        if letter is not None and letter.message_id == message_id:
            yield letter


def _note(db: Connection, letter: Message, why: Sentence, now: datetime) -> None:
    stored = conversations.locked(db, letter.conversation_id) if letter.conversation_id else None  # before its letters
    messages.set_state(db, letter.id, MessageState.REFUSED, sent_at=letter.sent_at, error=why)
    tell("letter_returned", str(why), letter=letter.kind.value, medium=letter.medium.value, message=str(letter.id))
    if stored is not None:
        conversations.save(db, _in_doubt(stored, letter, str(why)))
    if letter.to_client:
        practitioner = people.practitioner(db, letter.practitioner_id)
        notice = replace(
            letter.notice, kind=NoticeKind.NOT_DELIVERED, to=Recipient.of(practitioner), about=letter.kind.value
        )
        notices.tell(db, notice, key=f"{notice.kind}:{letter.id}", practitioner_id=practitioner.id, now=now)
    fact = NoticeRefused(
        at=now,
        by=CLOCK,
        session_id=letter.session_id,
        kind=letter.kind.value,
        medium=letter.medium.value,
        why=written(why),
    )
    timeline.append(db, letter.practitioner_id, [fact])


def _in_doubt(stored: StoredConversation, letter: Message, why: str) -> StoredConversation:
    """Return a conversation whose reader may have read a letter elsewhere, or nothing of it; it is not repeated."""
    if stored.beliefs is None:
        return replace(stored, refused=why)
    in_doubt = rules.readdressed(stored.beliefs)
    beliefs = replace(in_doubt, refused=(*stored.beliefs.refused, letter.notice))
    return replace(stored, beliefs=beliefs, refused=why)
