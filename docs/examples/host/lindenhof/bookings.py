"""The platform's own table of bookings, and how it hears what became of them."""

from __future__ import annotations

import sqlite3
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from lindenhof.people import Person, Role
from lindenhof.storage import database

_OFFER_OPENS = {"offer.sent"}
_OFFER_ENDS = {"offer.accepted", "offer.rejected", "offer.lapsed", "offer.withdrawn"}
_NAME = "booking-"


@dataclass(frozen=True, kw_only=True)
class Booking:
    """One booking.

    Attributes:
        start: Aware UTC.
        session: What Pencilled calls it; empty where nobody else knows of it.
        offered: Whether the client has been offered other times, and has not answered.
    """

    id: int
    practitioner_id: int
    practitioner: str
    client_id: int
    client: str
    start: datetime
    minutes: int
    state: str
    session: str
    offered: bool

    @property
    def external_id(self) -> str:
        """What others are to call it."""
        return f"{_NAME}{self.id}"

    @property
    def end(self) -> datetime:
        """When it ends."""
        return self.start + timedelta(minutes=self.minutes)


def ask(practitioner: Person, client: Person, start: datetime, minutes: int) -> Booking:
    """Note that somebody wants this time; nothing is booked yet."""
    row = (practitioner.id, client.id, _written(start), minutes)
    with database() as db:
        made = db.execute("INSERT INTO bookings (practitioner_id, client_id, start, minutes) VALUES (?, ?, ?, ?)", row)
    return get(int(made.lastrowid or 0))


def confirm(booking: Booking, session: str) -> None:
    """The time was free: it is booked."""
    with database() as db:
        booked = "UPDATE bookings SET state = 'booked', session = ? WHERE id = ? AND state = 'asked'"
        db.execute(booked, (session, booking.id))  # unless it was heard already, with whatever came after


def forget(booking: Booking) -> None:
    """The time was taken: nothing came of it."""
    with database() as db:
        db.execute("DELETE FROM bookings WHERE id = ? AND state = 'asked'", (booking.id,))


def cancel(booking: Booking) -> None:
    """It does not take place."""
    with database() as db:
        db.execute("UPDATE bookings SET state = 'cancelled', offered = 0 WHERE id = ?", (booking.id,))


def get(booking_id: int) -> Booking:
    """Return a booking.

    Raises: LookupError.
    """
    for booking in _all("bookings.id = ?", booking_id):
        return booking
    raise LookupError(booking_id)


def of(person: Person) -> list[Booking]:
    """Return somebody's bookings, or everybody's for the staff, by time."""
    if person.role is Role.STAFF:
        return _all("state != 'asked'")
    column = "practitioner_id" if person.role is Role.PRACTITIONER else "client_id"
    return _all(f"{column} = ? AND state != 'asked'", person.id)


def taken(practitioner: Person, start: datetime, end: datetime) -> list[Booking]:
    """Return what the practitioner has within a span."""
    every = _all("practitioner_id = ? AND state = 'booked'", practitioner.id)
    return [booking for booking in every if booking.start < end and booking.end > start]


def hear(outcome_id: str, kind: str, data: Mapping[str, Any]) -> None:
    """Take in what Pencilled says has become of a booking, once however often it comes; the rest is passed over."""
    with database() as db:
        if not db.execute("INSERT OR IGNORE INTO heard (id) VALUES (?)", (outcome_id,)).rowcount:
            return
        name = data.get("session_external_id") or ""
        if name.startswith(_NAME):
            _apply(db, int(name.removeprefix(_NAME)), kind, data)


def _apply(db: sqlite3.Connection, booking_id: int, kind: str, data: Mapping[str, Any]) -> None:
    if kind == "session.booked":  # known already, unless we stopped before the answer came
        booked = "UPDATE bookings SET state = 'booked', session = ? WHERE id = ? AND state = 'asked'"
        db.execute(booked, (str(data["session_id"]), booking_id))
    elif kind == "session.moved":
        start, end = (_instant(data["new_time"][edge]) for edge in ("start", "end"))
        minutes = (end - start) // timedelta(minutes=1)
        db.execute("UPDATE bookings SET start = ?, minutes = ? WHERE id = ?", (_written(start), minutes, booking_id))
    elif kind == "session.cancelled":
        db.execute("UPDATE bookings SET state = 'cancelled', offered = 0 WHERE id = ?", (booking_id,))
    elif kind in _OFFER_OPENS | _OFFER_ENDS:
        db.execute("UPDATE bookings SET offered = ? WHERE id = ?", (kind in _OFFER_OPENS, booking_id))


def _all(condition: str, *values: object) -> list[Booking]:
    query = (
        "SELECT bookings.*, practitioner.name AS practitioner, client.name AS client FROM bookings"  # noqa: S608 - ours
        " JOIN people AS practitioner ON practitioner.id = practitioner_id"
        f" JOIN people AS client ON client.id = client_id WHERE {condition} ORDER BY start, bookings.id"
    )
    return [
        Booking(**{**dict(row), "start": datetime.fromisoformat(row["start"]), "offered": bool(row["offered"])})
        for row in database().execute(query, values)
    ]


def _instant(value: datetime | str) -> datetime:
    return value if isinstance(value, datetime) else datetime.fromisoformat(value)


def _written(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat()
