"""Say how work on a stopped calendar goes on, from the mail that asked, without signing in; only a POST decides it."""

from __future__ import annotations

from dataclasses import dataclass
from uuid import UUID

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.change import ChangeKind
from connector.domain.connection import Calendar, Connection, ConnectionState
from connector.domain.entry import EntryKind
from connector.domain.facts import CalendarResumed
from connector.domain.notice import PauseReason
from connector.domain.people import Actor, Practitioner, Role
from connector.errors import RuleError
from connector.services.sync import breaker
from connector.services.sync.breaker import How
from connector.services.views.timeline import Line, line_of
from connector.storage import calendars, people, remote_changes, timeline
from connector.web import visit
from connector.web.times import Reader

pages = Blueprint("paused", __name__, url_prefix=paths.paused("<token>"))


@dataclass(frozen=True, slots=True, kw_only=True)
class PausedPage:
    """What a practitioner sees of a calendar that is, or was, stopped.

    Attributes:
        stop: Why it is stopped; None if it is not any more.
        sessions: How many sessions' entries are missing from it.
        holds: How many holds are.
        resumed: Who said last how to go on, and when.
    """

    calendar: Calendar
    connection: Connection
    practitioner: Practitioner
    stop: PauseReason | None
    sessions: int
    holds: int
    resumed: Line | None

    @property
    def is_readable(self) -> bool:
        """Whether something is gone from it, rather than the whole calendar."""
        return self.stop in (PauseReason.EMPTIED, PauseReason.SHRUNKEN)

    @property
    def is_lost(self) -> bool:
        """Whether its account has to be reconnected first."""
        return self.connection.state is ConnectionState.ACCESS_LOST

    @property
    def shown(self) -> str:
        """What a form says it was about, so that nobody accepts more than they were shown."""
        since = self.calendar.paused_at.isoformat() if self.calendar.paused_at else ""
        return f"{since} {self.sessions} {self.holds}"


def address(calendar_id: UUID) -> str:
    """Return the path of a stopped calendar's page."""
    return url_for("paused.show", token=visit.runtime().seal.token(breaker.PURPOSE, calendar_id))


@pages.get("")
def show(token: str) -> ResponseReturnValue:
    """Show why a calendar is stopped and how it can go on, or that it does."""
    return _show(token)


@pages.post("")
def resume(token: str) -> ResponseReturnValue:
    """Go on as the button says; one that comes too late changes nothing."""
    page, runtime = _page(token), visit.runtime()
    how = request.form.get("how", "")
    if how not in (How.RESTORE, How.ACCEPT):
        raise RuleError("Choose how to go on with this calendar.")
    if page.stop is None:
        return redirect(url_for("paused.show", token=token), 303)
    if how == How.ACCEPT and (not page.is_readable or request.form.get("shown") != page.shown):
        return _show(token, notice=True, status=409)
    by = Actor(role=Role.PRACTITIONER, name=page.practitioner.name)
    with runtime.database.begin() as db:
        if calendars.calendar(db, page.calendar.id).paused is not None:  # else it went on by itself a moment ago
            breaker.resume(db, page.calendar.id, How(how), by=by, now=runtime.clock())
    return redirect(url_for("paused.show", token=token), 303)


def _page(token: str) -> PausedPage:
    runtime = visit.runtime()
    with runtime.database.read() as db:
        calendar = breaker.find(db, runtime.seal, token)
        gone = [
            key for key, one in remote_changes.of_calendar(db, calendar.id).items() if one.kind is ChangeKind.DELETED
        ]
        resumed = [
            fact
            for fact in timeline.of_connection(db, calendar.connection_id)
            if isinstance(fact, CalendarResumed) and fact.calendar_id == calendar.id
        ]
        return PausedPage(
            calendar=calendar,
            connection=calendars.connection(db, calendar.connection_id),
            practitioner=people.practitioner(db, calendar.practitioner_id),
            stop=PauseReason(calendar.paused) if calendar.paused else None,
            sessions=sum(key.kind is EntryKind.SESSION for key in gone),
            holds=sum(key.kind is EntryKind.HOLD for key in gone),
            resumed=line_of(resumed[-1]) if resumed else None,
        )


def _show(token: str, *, notice: bool = False, status: int = 200) -> ResponseReturnValue:
    page = _page(token)
    reader = Reader(zone=page.practitioner.zone, locale=page.practitioner.locale)
    return render_template("paused/show.html", page=page, reader=reader, notice=notice), status
