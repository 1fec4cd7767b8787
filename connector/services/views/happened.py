"""What happened, for programs: what a timeline says in plain words, and who, what and which beside it."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, assert_never
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.facts import AnyFact, Subject, UnknownFact
from connector.domain.people import Role
from connector.services.views.booked import booked
from connector.services.views.timeline import line_of
from connector.storage import calendars, people, timeline

if TYPE_CHECKING:
    from connector.language.telling import Teller

_NOBODYS = UUID(int=0)  # what asks for it is refused as for any id that nothing has


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """One thing that happened.

    Attributes:
        number: Its place among all that happened.
        kind: The tag of its fact; that of a newer version is given as it was stored.
        role: In which capacity somebody did it.
        name: Who; empty where nobody is named.
        reason: Theirs, if they gave one.
        who: The same for people.
        what: What happened, in a sentence for people.
        why: Likewise; empty where nobody gave a reason.
    """

    number: int
    at: datetime
    kind: str
    role: Role
    name: str
    reason: str
    who: str
    what: str
    why: str
    session_id: UUID | None
    offer_id: UUID | None
    connection_id: UUID | None


def happened(
    db: Connection, subject: Subject, identity: UUID, teller: Teller, *, after: int = 0, most: int
) -> Sequence[Event]:
    """Return what happened to a session, a practitioner or a connection after a number, oldest first, `most` at most.

    Whether whoever asks may see that is for `zone_of` to say before.
    """
    facts = timeline.page(db, subject, identity, after=after, most=most)
    return [_event(number, fact, teller) for number, fact in facts]


def zone_of(db: Connection, subject: Subject, identity: UUID, *, sees: Callable[[UUID], bool]) -> str:
    """Return the zone of the practitioner whose timeline it is.

    Raises: NotFoundError, also where whoever asks may not see what is theirs.
    """
    match subject:
        case Subject.SESSION:
            practitioner_id = booked(db, identity, sees=sees).session.practitioner_id
        case Subject.PRACTITIONER:
            practitioner_id = identity
        case Subject.CONNECTION:
            connection = calendars.connection(db, identity)
            if not sees(connection.practitioner_id):
                calendars.connection(db, _NOBODYS)
            practitioner_id = connection.practitioner_id
        case _:
            assert_never(subject)
    return people.practitioner(db, practitioner_id if sees(practitioner_id) else _NOBODYS).zone


def _event(number: int, fact: AnyFact | UnknownFact, teller: Teller) -> Event:
    line = line_of(fact, teller)
    return Event(
        number=number,
        at=fact.at,
        kind=fact.stored_tag if isinstance(fact, UnknownFact) else fact.tag,
        role=fact.by.role,
        name=fact.by.name,
        reason=fact.by.reason,
        who=line.who,
        what=line.what,
        why=line.why,
        session_id=fact.session_id,
        offer_id=fact.offer_id,
        connection_id=fact.connection_id,
    )
