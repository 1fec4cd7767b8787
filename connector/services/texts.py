"""What a gateway tells of texts: what became of them, and who wants no more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection

from connector import paths
from connector.domain.facts import ClientWrote, PersonChanged
from connector.domain.notice import Notice, NoticeKind, Recipient
from connector.domain.people import Actor, Client, Medium, Role
from connector.domain.text import visible
from connector.ports import Receipt, Reply, Told
from connector.sentence import Sentence
from connector.services import notices, returned
from connector.storage import conversations, messages, people, sessions, timeline
from connector.storage.seal import Seal

PURPOSE, DOOR = "texts", UUID(int=0)  # of the token in the address at which a gateway tells
LONGEST_WORDS = 500  # characters that are shown of what somebody has written
MOST_WORDS, WITHIN = 20, timedelta(hours=24)  # so many messages about a session are shown
_NOT_ARRIVED = Sentence("the gateway says that it did not arrive")
_STOP = frozenset({"stop", "stopp", "stopall", "stop all", "unsubscribe"})


def path(seal: Seal) -> str:
    """Return the path at which a gateway tells; it holds a secret."""
    return paths.texts(seal.token(PURPOSE, DOOR))


def receive(db: Connection, told: Iterable[Told], *, now: datetime) -> int:
    """Note what a gateway has told, and return how much of it concerned a text or a client of ours."""
    count = 0
    for one in told:
        match one:
            case Receipt():
                count += _note(db, one, now)
            case Reply() if one.stops or " ".join(one.text.lower().split()).strip(".! ") in _STOP:
                count += _stop(db, one.number, now)
            case Reply():
                count += _show(db, one, now)
    return count


def _note(db: Connection, receipt: Receipt, now: datetime) -> int:
    message = messages.by_remote_id(db, receipt.remote_id)
    if message is None:
        return 0
    if message.receipt in {messages.DELIVERED, receipt.state}:
        return 1  # told before; and what has arrived stays so
    messages.set_receipt(db, message.id, receipt.state, now=now)
    if receipt.state == messages.FAILED:
        returned.mark(db, message, _NOT_ARRIVED, now=now)
    else:
        returned.unmark(db, message, _NOT_ARRIVED)
    return 1


def _show(db: Connection, reply: Reply, now: datetime) -> int:
    """Show a practitioner what somebody has answered to a text about a session of theirs; nothing follows from it.

    It belongs to the text that went to that number last. Whoever writes on and on is not heard for a while.
    """
    text, words = messages.last_text_to(db, reply.number), visible(reply.text, longest=LONGEST_WORDS)
    if text is None or text.session_id is None or not words:
        return 0
    session = sessions.get(db, text.session_id)
    practitioner, client = people.practitioner(db, session.practitioner_id), people.client(db, session.client_id)
    kind = NoticeKind.CLIENT_WROTE
    key = f"{kind}:{reply.remote_id or uuid4()}"
    if conversations.was_told(db, key):
        return 1
    before = timeline.of_kind(db, practitioner.id, ClientWrote, since=now - WITHIN)
    if sum(fact.session_id == session.id for fact in before) >= MOST_WORDS:
        return 0
    is_shared = len(people.clients_by_phone(db, reply.number)) > 1
    by = Actor(role=Role.CLIENT, name="" if is_shared else client.name)
    fact = ClientWrote(at=now, by=by, session_id=session.id, medium=Medium.SMS.value, words=words)
    timeline.append(db, practitioner.id, [fact])
    notice = Notice(
        kind=kind,
        to=Recipient.of(practitioner),
        practitioner_name=practitioner.name,
        client_name=client.name,
        session=session,
        about=words,
    )
    notices.tell(db, notice, key=key, practitioner_id=practitioner.id, now=now)
    return 1


def _stop(db: Connection, number: str, now: datetime) -> int:
    """Text nobody of this number any more; whoever shares it has to agree anew."""
    stopped = [client for client in people.clients_by_phone(db, number) if client.texts_agreed]
    for client in stopped:
        people.agree_to_texts(db, client.id, now=None)
        _record(db, client, now)
    return len(stopped)


def _record(db: Connection, client: Client, now: datetime) -> None:
    by = Actor(role=Role.CLIENT, name=client.name)
    for session in sessions.of_client(db, client.id, since=now):
        fact = PersonChanged(at=now, by=by, session_id=session.id, who="client", changed=("texts_agreed",))
        timeline.append(db, session.practitioner_id, [fact])
