"""Offer other times: draft, check, send; then withdraw or move single times while the client decides."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from connector import paths
from connector.domain.offer import MOST_ALTERNATIVES, Offer
from connector.domain.people import Actor
from connector.errors import NotFoundError, RuleError, TimeTakenError
from connector.services import working_hours
from connector.services.scheduling import offers
from connector.services.scheduling.conflicts import Consent
from connector.services.sync import free_busy
from connector.services.views.offering import offering, seen, until
from connector.services.views.offers import AlternativeView, OfferView
from connector.services.views.sessions import SessionPage, own_session
from connector.services.working_hours import CurrentHours
from connector.web import speaking, visit
from connector.web.draft_form import DraftForm, in_order
from connector.web.forms import TimeInput, day
from connector.web.sessions import is_standing, load, reader_of, to_session

pages = Blueprint("offers", __name__, url_prefix=paths.offer("<uuid:session_id>"))
pages.before_request(visit.require)


@pages.route("", methods=["GET", "POST"])
def draft(session_id: UUID) -> ResponseReturnValue:
    """Note down times; nothing is sent and nothing is held."""
    page, runtime = load(session_id), visit.runtime()
    if not visit.acting():
        if not is_standing(page):
            return to_session(session_id)
        if _is_over(page):
            return _to_over(page)
        zone, window = page.client.zone, runtime.policy.window
        form = DraftForm.of_draft(page.draft, page.session, client_zone=zone, window=window)
        form = replace(form, first=day(request.args.get("from", "")))
        if request.method == "GET":
            _ask_for_free_times(page, form)
        return _draft_form(page, form)
    if _is_over(page):
        return _to_over(page)
    form = DraftForm.from_form(request.form, page.session, client_zone=page.client.zone)
    if form.asks_for_more:
        return _draft_form(page, form.with_more(page.session))
    if "show" in request.form:
        _ask_for_free_times(page, form)
        return _draft_form(page, form)
    if "confirm" in request.form:
        return _confirm_hours(page, form, request.form["confirm"])
    return _note_down(page, form)


def _is_over(page: SessionPage) -> bool:
    """Whether nothing is left to be moved."""
    return is_standing(page) and page.session.when.span.end <= visit.runtime().clock()


def _to_over(page: SessionPage) -> ResponseReturnValue:
    flash(speaking.say("The time of this session has passed, so no other times can be offered for it."), "warning")
    return to_session(page.session.id)


def _note_down(page: SessionPage, form: DraftForm) -> ResponseReturnValue:
    """Store the draft, or show all that is wrong with it, each at its field."""
    runtime, session = visit.runtime(), page.session
    now = runtime.clock()
    form, alternatives = form.read(session, now)
    window, form = form.window()
    with runtime.database.read() as db:
        faults = offers.faults(db, session, [when for when, _place in alternatives], now=now)
    is_taken = not form.focus and all(fault is None or isinstance(fault, TimeTakenError) for fault in faults)
    form = form.with_faults(faults)
    if form.focus:
        error = speaking.say("Please correct what is marked. Nothing has been saved yet.")
        return _draft_form(page, replace(form, error=error), status=409 if is_taken else 422)
    try:
        with runtime.database.begin() as db:
            own_session(db, visit.practitioner_id(), session.id)
            by = visit.actor(db)
            offers.draft(db, runtime.policy, session.id, in_order(alternatives), by=by, now=now, window=window)
    except NotFoundError:
        raise
    except RuleError as error:
        return _draft_form(page, replace(form, error=visit.refusal(error)), status=visit.status_of(error))
    return redirect(url_for("offers.review", session_id=session.id), 303)


def _confirm_hours(page: SessionPage, form: DraftForm, shown: str) -> ResponseReturnValue:
    """Have the hours count as said that the page has shown; what is ticked stays ticked."""
    runtime = visit.runtime()

    def check(current: CurrentHours) -> None:
        if not seen(shown, current):
            raise RuleError(
                "Your hours are others by now than the page showed. These are the ones of now: look at them, and "
                "confirm them if they are right.",
                code="hours_changed",
                field="hours",
            )

    try:
        with runtime.database.begin() as db:
            working_hours.confirm(db, visit.practitioner_id(), by=visit.actor(db), now=runtime.clock(), seen=check)
    except RuleError as error:
        return _draft_form(page, replace(form, error=visit.refusal(error)), status=visit.status_of(error))
    flash(speaking.say("Thank you. Times are suggested within these hours from now on."), "done")
    return _draft_form(page, form)


@pages.get("/review")
def review(session_id: UUID) -> ResponseReturnValue:
    """Show what sending the draft will do."""
    page = load(session_id)
    if _is_over(page):
        return _to_over(page)
    _refresh_free_busy(page)
    return _review(page)


@pages.post("/send")
def send(session_id: UUID) -> ResponseReturnValue:
    """Send exactly the draft that was looked over."""
    page, runtime = load(session_id), visit.runtime()
    if page.open is not None and str(page.open.offer.id) == request.form.get("offer"):
        return to_session(session_id)  # the button was pressed twice
    if _is_over(page):
        return _to_over(page)
    try:
        offer_id = _draft_on_page(page).id
        with runtime.database.begin() as db:
            by, now = visit.actor(db), runtime.clock()
            sent = offers.send(db, runtime.policy, offer_id, by=by, now=now)
    except NotFoundError:
        raise
    except RuleError as error:
        return _review(load(session_id), error=visit.refusal(error), status=visit.status_of(error))
    name = page.client.name
    flash(
        speaking.say("The offer is sent. The times are kept free, and %(client)s is being told.", client=name), "done"
    )
    for warning in sent.warnings:
        flash(speaking.language().sentence(warning), "warning")
    return to_session(session_id)


@pages.post("/discard")
def discard(session_id: UUID) -> ResponseReturnValue:
    """Throw the draft away."""
    page, runtime = load(session_id), visit.runtime()
    if page.draft is not None:
        with runtime.database.begin() as db:
            offers.discard(db, runtime.policy, page.draft.id, by=visit.actor(db), now=runtime.clock())
        flash(speaking.say("The draft is deleted. Nothing had been sent."), "done")
    return to_session(session_id)


@pages.route("/withdraw", methods=["GET", "POST"])
def withdraw(session_id: UUID) -> ResponseReturnValue:
    """Take the whole open offer back."""

    def apply(db: Connection, offer_id: UUID, by: Actor, now: datetime) -> Offer:
        return offers.withdraw(db, visit.runtime().policy, offer_id, by=by, now=now)

    page = load(session_id)
    if page.open is None:
        return _closed(page)
    if not visit.acting():
        return speaking.render("offers/withdraw.html", page=page, reader=reader_of(page), alternative=None)
    return _change(page, apply, done=speaking.say("The offer is taken back, and nothing is kept free for it any more."))


@pages.route("/<uuid:alternative_id>/withdraw", methods=["GET", "POST"])
def withdraw_alternative(session_id: UUID, alternative_id: UUID) -> ResponseReturnValue:
    """Take one time of the open offer back."""

    def apply(db: Connection, offer_id: UUID, by: Actor, now: datetime) -> Offer:
        return offers.withdraw_alternative(db, visit.runtime().policy, offer_id, alternative_id, by=by, now=now)

    page = load(session_id)
    if page.open is None:
        return _closed(page)
    view = _alternative(page.open, alternative_id)
    if not visit.acting():
        return speaking.render("offers/withdraw.html", page=page, reader=reader_of(page), alternative=view)
    return _change(page, apply, done=speaking.say("That time is taken back and free again."))


@pages.route("/<uuid:alternative_id>/move", methods=["GET", "POST"])
def move(session_id: UUID, alternative_id: UUID) -> ResponseReturnValue:
    """Move one time of the open offer; the deadline stays."""
    page = load(session_id)
    if page.open is None:
        return _closed(page)
    view = _alternative(page.open, alternative_id)
    if not visit.acting():
        return _move_form(page, view, TimeInput.of(view.alternative.when))
    when, time = TimeInput.from_form(request.form).checked(page.session.when.zone)
    if when is None:
        return _move_form(page, view, time, status=422)
    new, runtime = when, visit.runtime()
    if new != view.alternative.when:
        runtime.read_busy(page.practitioner.id, [new])
    consent = Consent(shown=request.form.get("despite", ""))

    def apply(db: Connection, offer_id: UUID, by: Actor, now: datetime) -> Offer:
        return offers.move_alternative(
            db, runtime.policy, offer_id, alternative_id, new, by=by, now=now, consent=consent
        )

    try:
        return _change(page, apply, done=speaking.say("The time is moved. The deadline stays the same."))
    except NotFoundError:
        raise
    except RuleError as error:
        return _move_form(page, view, time.refused(error), status=visit.status_of(error))


def _refresh_free_busy(page: SessionPage) -> None:
    """Have the calendars read again while times are being chosen; HEAD asks for no page, and so for no reading."""
    if request.method == "GET":
        runtime = visit.runtime()
        free_busy.refresh(runtime.database, runtime.policy, page.practitioner.id, now=runtime.clock())


def _change(
    page: SessionPage, apply: Callable[[Connection, UUID, Actor, datetime], Offer], *, done: str
) -> ResponseReturnValue:
    if page.open is None:
        return _closed(page)
    runtime = visit.runtime()
    with runtime.database.begin() as db:
        apply(db, page.open.offer.id, visit.actor(db), runtime.clock())
    flash(done, "done")
    return to_session(page.session.id)


def _closed(page: SessionPage) -> ResponseReturnValue:
    flash(speaking.say("The offer has ended meanwhile. This is how things stand now."), "warning")
    return to_session(page.session.id)


def _alternative(open_offer: OfferView, alternative_id: UUID) -> AlternativeView:
    for view in open_offer.alternatives:
        if view.alternative.id == alternative_id:
            return view
    raise NotFoundError("This time is not part of the offer.", code="alternative_not_found")


def _draft_on_page(page: SessionPage) -> Offer:
    if page.draft is None or str(page.draft.id) != request.form.get("offer"):
        raise RuleError(
            "The draft has changed since you opened this page. Please read it once more. Nothing was sent.",
            code="draft_changed",
        )
    return page.draft


def _ask_for_free_times(page: SessionPage, form: DraftForm) -> None:
    """Have the calendars read again, as far ahead as is shown, while times are being chosen."""
    _refresh_free_busy(page)
    runtime, zone = visit.runtime(), page.practitioner.zone
    now = runtime.clock()
    far = until(page.session, runtime.policy, zone, now=now, first=form.first)
    if far > now + free_busy.AHEAD:  # as far as they are read anyhow
        free_busy.ask(runtime.database, runtime.policy, page.practitioner.id, far, now=now)


def _draft_form(page: SessionPage, form: DraftForm, *, status: int = 200) -> ResponseReturnValue:
    runtime = visit.runtime()
    policy, now, zone = runtime.policy, runtime.clock(), page.client.zone
    with runtime.database.read() as db:
        found = offering(db, policy, page.session, now=now, first=form.first, zone=zone)
    body = speaking.render(
        "offers/draft.html",
        page=page,
        reader=reader_of(page),
        form=replace(form, rows=form.rows[:MOST_ALTERNATIVES]),
        offering=found,
        chosen={one.when.span.start for one in form.ticked},
        usual=policy.window,
        full=len(form.rows) >= MOST_ALTERNATIVES,
        now=now,
    )
    return body, status


def _move_form(page: SessionPage, view: AlternativeView, time: TimeInput, *, status: int = 200) -> ResponseReturnValue:
    return speaking.render("offers/move.html", page=page, reader=reader_of(page), view=view, time=time), status


def _review(page: SessionPage, *, error: str = "", status: int = 200) -> ResponseReturnValue:
    if page.draft is None:
        flash(speaking.say("There is no draft to send."), "warning")
        return to_session(page.session.id)
    runtime = visit.runtime()
    body = speaking.render(
        "offers/review.html",
        page=page,
        reader=reader_of(page),
        media=page.media,
        deadline=runtime.clock() + page.draft.window,
        lost=[calendar for calendar in page.calendars if calendar.lost],
        paused=[calendar for calendar in page.calendars if calendar.paused],
        error=error,
    )
    return body, status
