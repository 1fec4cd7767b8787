"""Offer other times: draft, check, send; then withdraw or move single times while the client decides."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from connector import paths
from connector.domain.offer import LONGEST_WINDOW, MOST_ALTERNATIVES, Offer
from connector.domain.people import Actor
from connector.domain.session import Location, Session
from connector.domain.span import When
from connector.errors import NotFoundError, RuleError
from connector.services.scheduling import offers
from connector.services.scheduling.conflicts import Consent
from connector.services.sync import free_busy
from connector.services.views.offers import AlternativeView, OfferView
from connector.services.views.sessions import SessionPage, own_session
from connector.web import speaking, visit
from connector.web.forms import PlaceInput, TimeInput
from connector.web.sessions import load, reader_of, to_session

FIRST_ROWS, MORE_ROWS = 3, 3
_HOUR = timedelta(hours=1)

pages = Blueprint("offers", __name__, url_prefix=paths.offer("<uuid:session_id>"))
pages.before_request(visit.require)


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One time of a draft as typed, with a place of its own if it has one."""

    time: TimeInput
    place: PlaceInput

    @property
    def blank(self) -> bool:
        """Whether nothing was typed here."""
        return self.time.blank and not self.place.text


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftForm:
    """The form of a draft as typed; `hours` is the client's time to answer, empty for the usual."""

    rows: tuple[Row, ...]
    hours: str = ""
    error: str = ""


@pages.route("", methods=["GET", "POST"])
def draft(session_id: UUID) -> ResponseReturnValue:
    """Note down times; nothing is sent and nothing is held."""
    page = load(session_id)
    if not visit.acting():
        _refresh_free_busy(page)
        return _draft_form(page, _filled(page))
    form = _from_form(request.form, page.session)
    if "more" in request.form:
        return _draft_form(page, replace(form, rows=form.rows + _blank_rows(page.session, MORE_ROWS)))
    runtime = visit.runtime()
    now = runtime.clock()
    form, alternatives = _read(form, page.session, now)
    if any(row.time.error or row.place.error for row in form.rows):
        error_text = speaking.say("Please correct the marked times. Nothing has been saved yet.")
        return _draft_form(page, replace(form, error=error_text), status=422)
    try:
        window = _window(form.hours)
        with runtime.database.begin() as db:
            own_session(db, visit.practitioner_id(), session_id)
            offers.draft(db, runtime.policy, session_id, alternatives, by=visit.actor(db), now=now, window=window)
    except NotFoundError:
        raise
    except RuleError as error:
        return _draft_form(page, replace(form, error=visit.refusal(error)), status=visit.status_of(error))
    return redirect(url_for("offers.review", session_id=session_id), 303)


@pages.get("/review")
def review(session_id: UUID) -> ResponseReturnValue:
    """Show what sending the draft will do."""
    page = load(session_id)
    _refresh_free_busy(page)
    return _review(page)


@pages.post("/send")
def send(session_id: UUID) -> ResponseReturnValue:
    """Send exactly the draft that was looked over."""
    page, runtime = load(session_id), visit.runtime()
    if page.open is not None and str(page.open.offer.id) == request.form.get("offer"):
        return to_session(session_id)  # the button was pressed twice
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


def _filled(page: SessionPage) -> DraftForm:
    if page.draft is None:
        return DraftForm(rows=_blank_rows(page.session, FIRST_ROWS), hours=_hours(visit.runtime().policy.window))
    rows = tuple(
        Row(
            time=TimeInput.of(alternative.when),
            place=PlaceInput.of(alternative.location) if alternative.location else _no_place(page.session),
        )
        for alternative in page.draft.alternatives
    )
    return DraftForm(rows=rows + _blank_rows(page.session, FIRST_ROWS - len(rows)), hours=_hours(page.draft.window))


def _from_form(form: Mapping[str, str], session: Session) -> DraftForm:
    numbers = [n for n in range(MOST_ALTERNATIVES) if f"date-{n}" in form]
    rows = tuple(
        Row(time=TimeInput.from_form(form, f"-{n}"), place=PlaceInput.from_form(form, f"-{n}")) for n in numbers
    )
    return DraftForm(rows=rows or _blank_rows(session, FIRST_ROWS), hours=form.get("hours", "").strip())


def _read(form: DraftForm, session: Session, now: datetime) -> tuple[DraftForm, list[tuple[When, Location | None]]]:
    """Return the times, and the form with each row marked that cannot be one."""
    rows, alternatives = [], []
    for row in form.rows:
        if row.blank:
            rows.append(row)
            continue
        when, time = row.time.checked(session.when.zone, after=now)
        place, place_input = row.place.checked()
        rows.append(Row(time=time, place=place_input))
        if when is not None:
            alternatives.append((when, place if place != session.location else None))
    return replace(form, rows=tuple(rows)), alternatives


def _blank_rows(session: Session, count: int) -> tuple[Row, ...]:
    minutes = TimeInput.of(session.when).minutes
    return tuple(Row(time=TimeInput(minutes=minutes), place=_no_place(session)) for _ in range(count))


def _no_place(session: Session) -> PlaceInput:
    return PlaceInput(kind=session.location.kind.value)


def _hours(window: timedelta) -> str:
    return str(window // _HOUR) if window % _HOUR == timedelta() else ""


def _window(hours: str) -> timedelta | None:
    if not hours:
        return None
    longest = LONGEST_WINDOW // _HOUR
    if not hours.isascii() or not hours.isdigit() or not 1 <= int(hours[:6]) <= longest:
        raise RuleError(
            "Give the client's time to answer in whole hours, from 1 to %(longest)s.",
            code="hours_malformed",
            field="hours",
            longest=longest,
        )
    return int(hours) * _HOUR


def _draft_form(page: SessionPage, form: DraftForm, *, status: int = 200) -> ResponseReturnValue:
    form = replace(form, rows=form.rows[:MOST_ALTERNATIVES])
    usual = visit.runtime().policy.window
    full = len(form.rows) == MOST_ALTERNATIVES
    body = speaking.render("offers/draft.html", page=page, reader=reader_of(page), form=form, usual=usual, full=full)
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
