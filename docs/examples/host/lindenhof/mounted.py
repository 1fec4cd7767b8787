"""Pencilled in the platform's own process: its pages in the platform's frame, and the platform's users signed in."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime

from flask import Flask

from connector.errors import NotReadyError, RuleError
from connector.hosted.calls import in_person
from connector.hosted.outcome_hook import ToldOutcome
from connector.plugin import Pencilled
from lindenhof import bookings, people, site
from lindenhof.bookings import Booking
from lindenhof.people import Person, Role
from lindenhof.rearranging import MINUTES, PLACE, STEP_MINUTES, AwayError, TakenError

_TIME_GONE = {"time_taken", "conflict_in_calendar", "time_passed"}
_LATER = {"busy", "standing_still"}


def create_app(**settings: object) -> Flask:
    """Make the platform; what Pencilled needs comes from the environment, or is given as `PENCILLED`."""
    app = site.create_app(settings)
    pencilled = Pencilled(
        url_prefix="/rearrange",
        settings=app.config.get("PENCILLED"),
        who=people.current_practitioner_id,
        support=people.current_staff_name,
        client=people.current_client_id,
        sign_in="/sign-in",
        frame="rearrange.html",
        on_outcome=hear,
    )
    pencilled.init_app(app)
    site.use(app, Mounted(pencilled))
    return app


def hear(outcome: ToldOutcome) -> None:
    """Take in what has become of a booking; raising has it come again."""
    bookings.hear(outcome.id, outcome.type, outcome.data)


class Mounted:
    """Asks the Pencilled in this process."""

    def __init__(self, pencilled: Pencilled) -> None:
        self._pencilled = pencilled

    def introduce(self, person: Person) -> None:
        """Put the person there under the id that they have here."""
        if person.role is Role.STAFF:
            return
        put = self._pencilled.practitioners.put if person.role is Role.PRACTITIONER else self._pencilled.clients.put
        with _asking():
            put(person.external_id, name=person.name, email=person.email, zone=person.zone)

    def free(self, practitioner: Person, start: datetime, end: datetime) -> list[datetime]:
        """Ask when somebody is free, in their calendars, too.

        Raises: AwayError while that is not known.
        """
        with _asking():
            found = self._pencilled.availability.find(
                practitioner.external_id, start=start, end=end, minutes=MINUTES, step=STEP_MINUTES
            )
        if not found.starts and not found.complete:  # a calendar is being read, for the first time perhaps
            raise AwayError
        return found.starts

    def book(self, booking: Booking, practitioner: Person, client: Person) -> str:
        """Book it under its own name: however often this is asked for, it is booked once."""
        self.introduce(client)
        with _asking():
            session = self._pencilled.sessions.book(
                practitioner=practitioner.external_id,
                client=client.external_id,
                start=booking.start,
                end=booking.end,
                zone=practitioner.zone,
                location=in_person(PLACE),
                external_id=booking.external_id,
                once=booking.external_id,
            )
        return str(session.id)

    def cancel(self, booking: Booking) -> None:
        """Cancel it; its client is told, and it leaves the calendars."""
        try:
            with _asking():
                self._pencilled.sessions.cancel(booking.external_id)
        except RuleError as refused:
            if refused.code != "session_cancelled":
                raise

    def session_page(self, booking: Booking, person: Person) -> str:
        """Its page for its practitioner, or for the staff, in the frame of the platform."""
        page = {Role.PRACTITIONER: "session", Role.STAFF: "support_session"}.get(person.role)
        return self._pencilled.url(page, booking.session) if page and booking.session else ""

    def calendars_page(self, practitioner: Person, back: str) -> str:  # noqa: ARG002 - whoever comes is known
        """The page of their calendars, in the frame of the platform."""
        return self._pencilled.url("calendars")


@contextmanager
def _asking() -> Iterator[None]:
    """Say in the platform's own words what was refused, where it has any."""
    try:
        yield
    except NotReadyError as error:  # not migrated yet
        raise AwayError from error
    except RuleError as refused:
        if refused.code in _TIME_GONE:
            raise TakenError from refused
        if refused.code in _LATER:
            raise AwayError from refused
        raise
