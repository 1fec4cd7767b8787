"""Say how work on a paused calendar goes on, from the mail that asked, without signing in; only a POST decides it."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.notice import PauseReason
from connector.domain.people import Actor, Role
from connector.errors import RuleError
from connector.services.sync import breaker
from connector.services.sync.breaker import How
from connector.services.views.paused import PausedPage, is_paused, paused_page
from connector.web import speaking, visit

pages = Blueprint("paused", __name__, url_prefix=paths.paused("<token>"))


def address(calendar_id: UUID, paused_at: datetime | None) -> str:
    """Return the path of the page about a calendar that was paused then."""
    return url_for("paused.show", token=visit.runtime().seal.token(breaker.PURPOSE, calendar_id, since=paused_at))


@pages.get("")
def show(token: str) -> ResponseReturnValue:
    """Show why a calendar is paused and how it can go on, or that it does."""
    return _show(token)


@pages.post("")
def resume(token: str) -> ResponseReturnValue:
    """Go on as the button says; one that comes too late changes nothing."""
    page, runtime = _page(token), visit.runtime()
    if not _decides(page):
        return _show(token, status=409)
    how = request.form.get("how", "")
    if how not in (How.REVERT, How.ACCEPT):
        raise RuleError("Choose how to go on with this calendar.", code="way_on_not_chosen", field="how")
    if page.reason is None:
        return redirect(url_for("paused.show", token=token), 303)
    is_stale = request.form.get("shown") != page.version
    is_about_entries = how == How.ACCEPT or page.reason is PauseReason.UNKNOWN
    if (how == How.ACCEPT and not page.is_readable) or (is_about_entries and is_stale):
        return _show(token, notice=True, status=409)
    by = Actor(role=Role.PRACTITIONER, name=page.practitioner.name)
    with runtime.database.begin() as db:
        if is_paused(db, page.calendar.id, since=page.link):  # else it went on by itself a moment ago
            breaker.resume(db, page.calendar.id, How(how), by=by, now=runtime.clock())
    return redirect(url_for("paused.show", token=token), 303)


def _page(token: str) -> PausedPage:
    runtime = visit.runtime()
    with runtime.database.read() as db:
        return paused_page(db, runtime.seal, token, languages=runtime.languages)


def _decides(page: PausedPage) -> bool:
    """Whether this link may decide: of the stop that lasts, by a mail that is not old or by who is signed in."""
    return not _has_ended(page) and (page.reason is None or page.is_about_this_stop)


def _has_ended(page: PausedPage) -> bool:
    here = visit.visitor()
    is_owner = here is not None and here.person_id == page.practitioner.id
    return not is_owner and page.has_ended(visit.runtime().clock())


def _show(token: str, *, notice: bool = False, status: int = 200) -> ResponseReturnValue:
    page = _page(token)
    reader = speaking.to(page.practitioner)
    if _has_ended(page):
        return speaking.render("paused/ended.html"), 410
    return speaking.render("paused/show.html", page=page, reader=reader, notice=notice), status
