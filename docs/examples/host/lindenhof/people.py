"""Who there is, and who is signed in."""

from __future__ import annotations

import sqlite3
from dataclasses import dataclass
from enum import StrEnum

from flask import current_app, g, session
from werkzeug.security import check_password_hash, generate_password_hash

from lindenhof.storage import database


class Role(StrEnum):
    """What somebody is here."""

    PRACTITIONER = "practitioner"
    CLIENT = "client"
    STAFF = "staff"


class EmailTakenError(Exception):
    """Somebody has this address already."""


@dataclass(frozen=True, kw_only=True)
class Person:
    """Somebody with an account."""

    id: int
    role: Role
    name: str
    email: str
    zone: str

    @property
    def external_id(self) -> str:
        """What others are to call them."""
        return f"person-{self.id}"


def add(role: Role, *, name: str, email: str, zone: str, password: str) -> Person:
    """Add somebody.

    Raises: EmailTakenError.
    """
    row = (role.value, name, email, zone, generate_password_hash(password, current_app.config["HASHING"]))
    try:
        with database() as db:
            db.execute("INSERT INTO people (role, name, email, zone, password) VALUES (?, ?, ?, ?, ?)", row)
    except sqlite3.IntegrityError as error:
        raise EmailTakenError from error
    return _one("email = ?", email)


def find(person_id: int) -> Person | None:
    """Return somebody; None if there is no such person."""
    return next(iter(_all("id = ?", person_id)), None)


def practitioners() -> list[Person]:
    """Return everybody who gives sessions."""
    return _all("role = ?", Role.PRACTITIONER.value)


def check(email: str, password: str) -> Person | None:
    """Return whose address and password these are."""
    row = database().execute("SELECT id, password FROM people WHERE email = ?", (email,)).fetchone()
    if row is None or not check_password_hash(row["password"], password):
        return None
    return find(row["id"])


def sign_in(person: Person) -> None:
    """Let somebody in; whatever the browser had before is forgotten."""
    session.clear()
    session["person"] = person.id
    g.person = person


def sign_out() -> None:
    """Let nobody be signed in any more."""
    session.clear()
    g.person = None


def present() -> Person | None:
    """Return who is signed in."""
    if "person" not in g:
        g.person = find(session["person"]) if "person" in session else None
    person: Person | None = g.person
    return person


def _present_as(role: Role) -> Person | None:
    person = present()
    return person if person is not None and person.role is role else None


def current_practitioner_id() -> str | None:
    """Return what others call the practitioner who is signed in."""
    person = _present_as(Role.PRACTITIONER)
    return person.external_id if person else None


def current_client_id() -> str | None:
    """Return what others call the client who is signed in."""
    person = _present_as(Role.CLIENT)
    return person.external_id if person else None


def current_staff_name() -> str | None:
    """Return the name of the member of staff who is signed in."""
    person = _present_as(Role.STAFF)
    return person.name if person else None


def _one(condition: str, *values: object) -> Person:
    (person,) = _all(condition, *values)
    return person


def _all(condition: str, *values: object) -> list[Person]:
    query = f"SELECT id, role, name, email, zone FROM people WHERE {condition} ORDER BY id"  # noqa: S608 - ours
    rows = database().execute(query, values)
    return [
        Person(id=row["id"], role=Role(row["role"]), name=row["name"], email=row["email"], zone=row["zone"])
        for row in rows
    ]
