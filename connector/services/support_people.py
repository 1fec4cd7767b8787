"""Who helps clients: whoever runs the installation names them, and they sign in with their mail address."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import Connection

from connector.domain.people import SupportPerson
from connector.errors import ExistsError, NotFoundError
from connector.services import standstill
from connector.storage import support_people


def add(db: Connection, person: SupportPerson, *, now: datetime) -> None:
    """Let somebody help clients from now on.

    Raises: ExistsError if somebody of support has that address or name; StandstillError.
    """
    standstill.check(db)
    if person.name.casefold() in {one.name.casefold() for one in support_people.every(db)}:
        raise ExistsError(
            "Somebody of support is called %(name)s already. What they do is noted by name, so choose another one.",
            code="support_name_taken",
            field="name",
            name=person.name,
        )
    support_people.add(db, person, now=now)


def remove(db: Connection, address: str) -> SupportPerson:
    """Let somebody help clients no more: wherever they are signed in that ends, and so does every link mailed to them.

    What they have done stays in the timelines, with their name.

    Raises: NotFoundError; StandstillError.
    """
    standstill.check(db)
    person = support_people.by_email(db, address)
    if person is None:
        raise NotFoundError(
            "Nobody of support has the address %(address)s. See `pencilled support list`.",
            code="support_address_unknown",
            field="email",
            address=address,
        )
    support_people.remove(db, person.id)
    return person


def every(db: Connection) -> Sequence[SupportPerson]:
    """Return everybody who helps clients, by name."""
    return support_people.every(db)
