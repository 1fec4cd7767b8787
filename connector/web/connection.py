"""One connection: what happened to it, and which of its account's calendars our entries go to."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.connection import Connection
from connector.errors import NotFoundError, ProviderError, RuleError
from connector.language.telling import Teller
from connector.ports import RemoteCalendarInfo
from connector.services.accounts import retarget
from connector.services.scheduling import absences as scheduling
from connector.services.views import connections
from connector.services.views.connections import ConnectionPage
from connector.web import asking, speaking, visit

pages = Blueprint("connection", __name__, url_prefix=paths.connection("<uuid:connection_id>"))
pages.before_request(visit.require)


@pages.get("")
def show(connection_id: UUID) -> ResponseReturnValue:
    """Show what happened to a connection, newest first."""
    page, now = _load(connection_id), visit.runtime().clock()
    return speaking.render("calendars/show.html", page=page, reader=_reader(page), now=now)


@pages.route("/target", methods=["GET", "POST"])
def target(connection_id: UUID) -> ResponseReturnValue:
    """Have the entries go to another calendar of the same account."""
    page = _load(connection_id)
    try:
        writable = [calendar for calendar in _calendars(page.view.connection) if calendar.writable]
    except (RuleError, ProviderError) as problem:
        flash(visit.sentence(problem), "error")
        return redirect(url_for("calendars.every"), 303)
    if not visit.acting():
        return speaking.render("calendars/target.html", page=page, calendars=writable, chosen="", error="")
    remote_id = request.form.get("target", "")
    try:
        return _retarget(page, _calendar_of(writable, remote_id))
    except NotFoundError:
        raise
    except RuleError as error:
        body = speaking.render(
            "calendars/target.html", page=page, calendars=writable, chosen=remote_id, error=visit.refusal(error)
        )
        return body, visit.status_of(error)


@pages.post("/absences")
def absences(connection_id: UUID) -> ResponseReturnValue:
    """Say whether absences in one of its calendars concern sessions."""
    page, runtime = _load(connection_id), visit.runtime()
    calendar = next((one for one in page.view.calendars if str(one.id) == request.form.get("calendar")), None)
    if calendar is None:
        raise RuleError("Choose one of the calendars of this account.", code="calendar_of_other", field="calendar")
    with runtime.database.begin() as db:
        scheduling.relate(db, calendar.id, related=request.form.get("asks") == "yes", now=runtime.clock())
    return redirect(url_for("connection.show", connection_id=connection_id), 303)


def _retarget(page: ConnectionPage, calendar: RemoteCalendarInfo) -> ResponseReturnValue:
    runtime, old = visit.runtime(), page.view.target
    with runtime.database.begin() as db:
        connection = connections.owned(db, visit.practitioner_id(), page.view.connection.id)
        by, now = visit.actor(db), runtime.clock()
        new = retarget.retarget(db, runtime.policy, connection.id, calendar, by=by, now=now)
    if new.id == old.id:
        flash(speaking.say("Your entries go to “%(name)s” already. Nothing has changed.", name=old.name), "done")
    else:
        moving = speaking.say(
            "Your entries are being written to “%(new)s” now. Once all of them are there, they are removed from "
            "“%(old)s”.",
            new=new.name,
            old=old.name,
        )
        flash(moving, "done")
    return redirect(url_for("calendars.every"), 303)


def _calendars(connection: Connection) -> Sequence[RemoteCalendarInfo]:
    runtime = visit.runtime()
    with asking.calendar_service():
        account = runtime.load_provider(connection.provider).account(runtime.tokens(connection.id), runtime.network)
        return account.calendars()


def _calendar_of(writable: Sequence[RemoteCalendarInfo], remote_id: str) -> RemoteCalendarInfo:
    for calendar in writable:
        if calendar.remote_id == remote_id:
            return calendar
    raise RuleError(
        "Choose the calendar in which your sessions are to stand.", code="calendar_not_chosen", field="calendar"
    )


def _load(connection_id: UUID) -> ConnectionPage:
    runtime = visit.runtime()
    with runtime.database.read() as db:
        return connections.connection_page(db, visit.practitioner_id(), connection_id, languages=runtime.languages)


def _reader(page: ConnectionPage) -> Teller:
    return speaking.to(page.practitioner)
