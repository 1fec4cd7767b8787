"""Letters and texts that had been taken, by a mail server or a gateway, and did not arrive after all."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import suppress
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import conversation as rules
from connector.domain.facts import NoticeArrived, NoticeRefused
from connector.domain.notice import NoticeKind
from connector.domain.people import CLOCK
from connector.failures import tell
from connector.inbox.reports import Bounce, Undelivered
from connector.sentence import Sentence
from connector.services import notices
from connector.services.beliefs import remembered
from connector.storage import conversations, ledger, messages, people, timeline
from connector.storage.conversations import StoredConversation
from connector.storage.ledger import Key, Kind
from connector.storage.messages import Message, MessageState
from connector.storage.sentences import written

_HAS_LEFT = frozenset({MessageState.SENT, MessageState.UNKNOWN})

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
        else:
            mark(db, letter, _why(undelivered), now=now)
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
        if letter is not None and letter.message_id.lower() == message_id.lower():
            yield letter


def mark(db: Connection, letter: Message, why: Sentence, *, is_told: bool = True, now: datetime) -> bool:
    """Note that something did not arrive that had left, and tell the practitioner; whether that is new.

    It is not repeated, and its session needs them. Its reader may have read it all the same, or elsewhere. Without
    `is_told` somebody else tells of it, unless there is no other way to its reader.
    """
    stored = conversations.locked(db, letter.conversation_id) if letter.conversation_id else None  # before its letters
    current = messages.get(db, letter.id)
    if current is None or current.state not in _HAS_LEFT:
        return False
    messages.set_state(db, letter.id, MessageState.REFUSED, sent_at=letter.sent_at, error=why)
    tell("letter_returned", str(why), letter=letter.kind.value, medium=letter.medium.value, message=str(letter.id))
    if stored is not None and not messages.has_left_since(db, letter):
        conversations.save(db, _in_doubt(db, stored, letter, str(why)))
        ledger.touch(db, Key(Kind.CONVERSATION, str(stored.id)), due_at=now, lane=notices.lane(stored.medium))
    if letter.to_client and is_told:
        practitioner = people.practitioner(db, letter.practitioner_id)
        notice = notices.not_delivered(practitioner, letter.notice, medium=letter.medium)
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
    return True


def unmark(db: Connection, letter: Message, why: Sentence, *, now: datetime) -> None:
    """Note that what was marked for this reason has arrived after all: its session needs nobody for that any more.

    Whoever was told that it did not is told so, once; what has not left yet never does.
    """
    stored = conversations.locked(db, letter.conversation_id) if letter.conversation_id else None
    current = messages.get(db, letter.id)
    if current is None or current.state is not MessageState.REFUSED or str(current.error) != str(why):
        return
    messages.set_state(db, letter.id, MessageState.SENT, sent_at=letter.sent_at)
    if stored is not None:
        beliefs = stored.beliefs
        if beliefs is not None and not messages.has_left_since(db, letter):
            beliefs = rules.arrived_after_all(beliefs, letter.notice, now=now)
        refused = "" if stored.refused == str(why) else stored.refused
        conversations.save(db, replace(stored, beliefs=beliefs, refused=refused))
    if letter.to_client:
        _take_back(db, letter, now)
    kind, medium = letter.kind.value, letter.medium.value
    fact = NoticeArrived(at=now, by=CLOCK, session_id=letter.session_id, kind=kind, medium=medium)
    timeline.append(db, letter.practitioner_id, [fact])


_MAY_HAVE_LEFT = frozenset({MessageState.SENDING, *_HAS_LEFT})


def _take_back(db: Connection, letter: Message, now: datetime) -> None:
    """Have a practitioner not be told that something did not arrive; or told that it has, if they may have been."""
    practitioner = people.practitioner(db, letter.practitioner_id)
    notice = notices.not_delivered(practitioner, letter.notice, medium=letter.medium)
    key = f"{notice.kind}:{letter.id}"
    begun = messages.by_key(db, key)
    if begun is None or begun.state not in _MAY_HAVE_LEFT:
        conversations.drop_key(db, key)
        return
    notice = replace(notice, kind=NoticeKind.ARRIVED_AFTER_ALL)
    notices.tell(db, notice, key=f"{notice.kind}:{letter.id}", practitioner_id=practitioner.id, now=now)


def _in_doubt(db: Connection, stored: StoredConversation, letter: Message, why: str) -> StoredConversation:
    """Return a conversation whose reader may have read a letter elsewhere, or not at all; it is not repeated.

    What was told before it counts as before: nobody has said that it did not arrive.
    """
    if stored.beliefs is None or letter.session_id is None:
        return replace(stored, refused=why)
    logged = messages.of_session(db, letter.session_id)
    own = (one for one in logged if one.to_client == letter.to_client and one.medium is letter.medium)
    without = remembered(one for one in own if one.notice.to.address == stored.address)
    in_doubt = rules.either(without, rules.doubted(stored.beliefs))
    return replace(stored, beliefs=replace(in_doubt, refused=(*stored.beliefs.refused, letter.notice)), refused=why)
