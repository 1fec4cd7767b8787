"""The platform by itself, as it was before: office hours, its own table, and nothing that anybody can move."""

from __future__ import annotations

from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from flask import Flask

from lindenhof import bookings, site
from lindenhof.bookings import Booking
from lindenhof.people import Person
from lindenhof.rearranging import MINUTES, STEP_MINUTES, TakenError

_OPENS, _CLOSES = 9, 17
_SATURDAY = 5


def create_app(**settings: object) -> Flask:
    """Make the platform."""
    app = site.create_app(settings)
    site.use(app, Alone())
    return app


class Alone:
    """Knows of nothing but what was booked here."""

    def introduce(self, person: Person) -> None:
        """There is nobody to tell."""

    def free(self, practitioner: Person, start: datetime, end: datetime) -> list[datetime]:
        """Return the times in office hours at which nothing is booked."""
        length, zone = timedelta(minutes=MINUTES), ZoneInfo(practitioner.zone)
        taken = bookings.taken(practitioner, start, end + length)
        times = []
        at = start.astimezone(zone).replace(hour=_OPENS, minute=0, second=0, microsecond=0)
        while at < end:
            within = at.weekday() < _SATURDAY and _OPENS <= at.hour < _CLOSES
            if at >= start and within and not any(one.start < at + length and one.end > at for one in taken):
                times.append(at)
            at += timedelta(minutes=STEP_MINUTES)
        return times

    def book(self, booking: Booking, practitioner: Person, client: Person) -> str:  # noqa: ARG002 - the interface's
        """Look once more that nothing is in the way."""
        if bookings.taken(practitioner, booking.start, booking.end):
            raise TakenError
        return ""

    def cancel(self, booking: Booking) -> None:
        """Nobody else keeps its time."""

    def session_page(self, booking: Booking, person: Person) -> str:  # noqa: ARG002 - as above
        """Nothing can be moved."""
        return ""

    def calendars_page(self, practitioner: Person, back: str) -> str:  # noqa: ARG002 - as above
        """Nothing can be connected."""
        return ""
