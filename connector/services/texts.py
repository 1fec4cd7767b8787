"""What a gateway tells of texts: what became of them, and who wants no more."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector import paths
from connector.domain.facts import PersonChanged
from connector.domain.people import Actor, Client, Role
from connector.domain.stop_words import says_stop
from connector.ports import Receipt, Reply, Told
from connector.services import notices
from connector.storage import conversations, messages, people, sessions, timeline
from connector.storage.messages import Message
from connector.storage.seal import Seal

PURPOSE, DOOR = "texts", UUID(int=0)  # of the token in the address at which a gateway tells


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
            case Reply() if one.stops or says_stop(one.text):
                count += _stop(db, one.number, now)
            case Reply():
                pass  # nobody reads answers by text, and none asks for one
    return count


def _note(db: Connection, receipt: Receipt, now: datetime) -> int:
    message = messages.by_remote_id(db, receipt.remote_id)
    if message is None:
        return 0
    if message.receipt in {messages.DELIVERED, receipt.state}:
        return 1  # told before; and what has arrived stays so
    messages.set_receipt(db, message.id, receipt.state, now=now)
    if receipt.state == messages.FAILED:
        _tell_practitioner(db, message, now)
    return 1


def _tell_practitioner(db: Connection, message: Message, now: datetime) -> None:
    practitioner = people.practitioner(db, message.practitioner_id)
    notice = notices.not_delivered(practitioner, message.notice, medium=message.medium)
    key = f"{notice.kind}:{message.id}"
    if not conversations.was_told(db, key):
        notices.tell(db, notice, key=key, practitioner_id=practitioner.id, now=now)


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
