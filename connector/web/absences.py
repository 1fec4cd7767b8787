"""A practitioner says what an absence means for their sessions, from the mail that asked; only a POST decides it.

To offer other times is no answer: it is done on the page of all sessions in a time, and nothing is told before.
"""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, redirect, request, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.absence import Absence, AbsenceState
from connector.domain.facts import AbsenceAnswer
from connector.domain.people import Actor, Role
from connector.errors import QuestionClosedError, RuleError
from connector.services.scheduling import absences
from connector.services.views.absences import AbsencePage, absence_page
from connector.web import speaking, visit

pages = Blueprint("absences", __name__, url_prefix=paths.absence("<token>"))


def address(absence: Absence) -> str:
    """Return the path of the page about an absence."""
    return url_for("absences.show", token=visit.runtime().seal.token(absences.PURPOSE, absence.id))


def away_address(absence: Absence) -> str:
    """Return the path of the page on which other times are offered for the sessions of an absence, all at once."""
    return url_for("away.choose", absence=absence.id)


@pages.get("")
def show(token: str) -> ResponseReturnValue:
    """Show which sessions an absence concerns, or what became of the question."""
    return _show(token)


@pages.post("")
def decide(token: str) -> ResponseReturnValue:
    """Take the answer of the button; one that comes too late changes nothing."""
    page, runtime = _page(token), visit.runtime()
    chosen = next((one for one in AbsenceAnswer if one.value == request.form.get("answer")), None)
    if chosen is None:
        raise RuleError("Choose what the absence means for these sessions.", code="answer_not_chosen", field="answer")
    by = Actor(role=Role.PRACTITIONER, name=page.practitioner.name)
    calendar_ids = _calendars(page) if chosen is AbsenceAnswer.UNRELATED else ()
    try:
        with runtime.database.begin() as db:
            now = runtime.clock()
            absences.answer(db, runtime.policy, page.absence.id, chosen, by=by, now=now, calendar_ids=calendar_ids)
    except QuestionClosedError:
        is_answered = _page(token).absence.state is AbsenceState.ANSWERED
        return _show(token, notice=True, status=409 if is_answered else 410)
    return redirect(url_for("absences.show", token=token), 303)


def _calendars(page: AbsencePage) -> tuple[UUID, ...]:
    """Return the calendar that a button is about, of those that the page names."""
    return tuple(one.id for one in page.calendars if str(one.id) == request.form.get("calendar"))


def _page(token: str) -> AbsencePage:
    runtime = visit.runtime()
    with runtime.database.read() as db:
        return absence_page(db, runtime.seal, token, now=runtime.clock())


def _show(token: str, *, notice: bool = False, status: int = 200) -> ResponseReturnValue:
    page = _page(token)
    reader = speaking.to(page.practitioner)
    return speaking.render("absence/show.html", page=page, reader=reader, notice=notice), status
