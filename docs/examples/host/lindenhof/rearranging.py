"""What the platform wants of whatever keeps its times: all that `alone`, `mounted` and `over_rest` have to offer."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol

from lindenhof.bookings import Booking
from lindenhof.people import Person

MINUTES = 50
STEP_MINUTES = 30
PLACE = "Lindenhof 4, Berlin"


class TakenError(Exception):
    """Somebody else has this time."""


class AwayError(Exception):
    """Nobody can say just now; in a moment perhaps."""


class Rearranging(Protocol):
    """Keeps times, and has sessions moved."""

    def introduce(self, person: Person) -> None:
        """Make somebody known; whoever is known stays so.

        Raises: AwayError.
        """

    def free(self, practitioner: Person, start: datetime, end: datetime) -> list[datetime]:
        """Return the times at which a session could begin.

        Raises: AwayError while nobody knows.
        """

    def book(self, booking: Booking, practitioner: Person, client: Person) -> str:
        """Keep the time of a booking, and return what the session is called; the same booking is booked once.

        Raises: TakenError; AwayError.
        """

    def cancel(self, booking: Booking) -> None:
        """Let its time go.

        Raises: AwayError.
        """

    def session_page(self, booking: Booking, person: Person) -> str:
        """Return where its practitioner offers other times, or the staff helps its client; empty where nobody can."""

    def calendars_page(self, practitioner: Person, back: str) -> str:
        """Return where a practitioner connects calendars, with the address to come back to; empty as before."""
