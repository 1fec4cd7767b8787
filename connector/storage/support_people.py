"""Who helps clients, in the database."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Row, delete, insert, select
from sqlalchemy.exc import IntegrityError

from connector.domain.people import SupportPerson, check_address
from connector.errors import ExistsError, RuleError
from connector.storage.tables import support_people


def add(db: Connection, person: SupportPerson, *, now: datetime) -> None:
    """Store somebody who helps clients from now on.

    Raises: ExistsError if the mail address is taken, which is what they sign in with.
    """
    values = {"id": person.id, "name": person.name, "email": person.email.lower(), "locale": person.locale}
    try:
        db.execute(insert(support_people).values(**values, created_at=now))
    except IntegrityError as error:
        raise ExistsError(
            "Somebody of support has the address %(address)s already. Give another one.",
            code="support_address_taken",
            field="email",
            address=person.email,
        ) from error


def remove(db: Connection, person_id: UUID) -> None:
    """Forget somebody, and with them every sign-in and every browser in which they are signed in."""
    db.execute(delete(support_people).where(support_people.c.id == person_id))


def get(db: Connection, person_id: UUID, *, lock: bool = False) -> SupportPerson | None:
    """Return somebody who helps clients; None if they do not any more. `lock` as of a practitioner."""
    query = select(support_people).where(support_people.c.id == person_id)
    row = db.execute(query.with_for_update() if lock else query).first()
    return _person(row) if row else None


def by_email(db: Connection, email: str) -> SupportPerson | None:
    """Return who signs in with this address, however it is written; upper and lower case do not matter."""
    try:
        plain = check_address(email.strip())
    except RuleError:
        return None
    row = db.execute(select(support_people).where(support_people.c.email == plain.lower())).first()
    return _person(row) if row else None


def every(db: Connection) -> Sequence[SupportPerson]:
    """Return everybody who helps clients, by name."""
    query = select(support_people).order_by(support_people.c.name, support_people.c.id)
    return [_person(row) for row in db.execute(query)]


def _person(row: Row[Any]) -> SupportPerson:
    return SupportPerson(id=row.id, name=row.name, email=row.email, locale=row.locale)
