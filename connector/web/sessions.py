"""The practitioner's sessions: the list, one session, and the ways to change it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.facts import MoveReason
from connector.domain.session import Edit, Session, SessionState
from connector.errors import NotFoundError, RuleError, StaleAnswerError, TimeTakenError
from connector.language.messages import marked
from connector.language.telling import Teller
from connector.sentence import Sentence
from connector.services import consent
from connector.services.scheduling import sessions
from connector.services.scheduling.conflicts import Consent
from connector.services.scheduling.sessions import Foreseen
from connector.services.views import page_states
from connector.services.views.listed import Show, session_pages
from connector.services.views.sessions import SessionPage, own_session, session_called, session_page
from connector.web import speaking, visit, watched
from connector.web.forms import CHANNELS, AgreementInput, PlaceInput, TimeInput, moment, one_line

_REASON = Sentence("Reason")
_SAVED = marked("Saved. %(client)s is being told; see below which message arrived.")

_CHANGED = marked(
    "Something else applies by now than the page showed before. This is how it stands; if your client knows that, say "
    "so once more."
)

_NO_REASON = marked("Say why the time changes: the client has agreed to it, or you are correcting a mistake.")
_IN_PAST = marked("This time lies in the past. If that is right, tick the box below and save again.")

pages = Blueprint("sessions", __name__, url_prefix=paths.SESSIONS)
pages.before_request(visit.require)


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeForm:
    """The form that moves a session, as typed, with what is wrong at each of its fields; `error` with none of them."""

    time: TimeInput
    place: PlaceInput
    reason: str = ""
    reason_error: str = ""
    agreement: AgreementInput = AgreementInput()
    override: bool = False
    override_error: str = ""
    error: str = ""

    @property
    def focus(self) -> str:
        """Where whoever corrects it begins: the first field that is marked; empty if none is."""
        marks = {
            "time": self.time.error,
            "reason": self.reason_error,
            "agreement": self.agreement.errors,
            "override": self.override_error,
            "place": self.place.error,
        }
        return next((name for name, is_marked in marks.items() if is_marked), "")

    def checked(self, session: Session, now: datetime) -> tuple[Edit | None, TimeForm]:
        """Return what is to be changed, and the form with all that is wrong with it."""
        when, time = self.time.checked(session.when.zone)
        place, place_input = self.place.checked()
        form = replace(self, time=time, place=place_input)
        is_correction, attestation = form.reason == MoveReason.CORRECTION, None
        if when == session.when:
            pass
        elif is_correction:
            if when is not None and when.span.start <= now and not form.override:
                form = replace(form, override_error=speaking.say(_IN_PAST))
        elif form.reason == MoveReason.AGREED:
            attestation, agreement = form.agreement.checked(zone=session.when.zone, now=now)
            _, time = self.time.checked(session.when.zone, after=now)
            form = replace(form, agreement=agreement, time=time)
        else:
            form = replace(form, reason_error=speaking.say(_NO_REASON))
        if form.focus:
            return None, form
        reason = MoveReason.CORRECTION if is_correction else MoveReason.AGREED
        return (
            Edit(when=when, location=place, reason=reason, attestation=attestation, override_past=form.override),
            form,
        )

    def refused(self, error: RuleError) -> TimeForm:
        """Return the form with what was refused, at the field that it is about."""
        if isinstance(error, TimeTakenError) or error.field == "when":
            return replace(self, time=self.time.refused(error))
        return replace(self, error=visit.refusal(error))


@pages.get("")
def every() -> ResponseReturnValue:
    """List the sessions a page at a time: those to come, those that were, or those that need their practitioner."""
    runtime, asked = visit.runtime(), request.args
    show = Show(asked["show"]) if asked.get("show") in set(Show) else Show.COMING
    with runtime.database.read() as db:
        page = session_pages(
            db,
            visit.practitioner_id(),
            show,
            behind=asked.get("behind", ""),
            now=runtime.clock(),
        )
    return speaking.render("sessions/list.html", page=page, reader=speaking.to(page.practitioner))


@pages.get("/<uuid:session_id>")
def show(session_id: UUID) -> ResponseReturnValue:
    """Show everything about one session."""
    return _page(session_id)


@pages.get("/<uuid:session_id>/state")
def state(session_id: UUID) -> ResponseReturnValue:
    """Tell whoever has the page of a session open whether it would show something else by now."""
    runtime = visit.runtime()
    with runtime.database.read() as db:
        word = page_states.of_session(db, visit.practitioner_id(), session_id, now=runtime.clock())
    return watched.state(word)


@pages.get(paths.session_called("<path:name>").removeprefix(paths.SESSIONS))
def called(name: str) -> ResponseReturnValue:
    """Lead to the session that the host calls so, for links of a host that knows no ids of ours."""
    with visit.runtime().database.read() as db:
        session = session_called(db, visit.practitioner_id(), name)
    return redirect(url_for("offers.draft" if "offer" in request.args else ".show", session_id=session.id), 303)


@pages.route("/<uuid:session_id>/time", methods=["GET", "POST"])
def time(session_id: UUID) -> ResponseReturnValue:
    """Enter a time the client has agreed to, or correct a mistake; the place can change in the same save."""
    page, now = load(session_id), visit.runtime().clock()
    if not visit.acting():
        return _time_form(page, _time_filled(page, now)) if is_standing(page) else to_session(session_id)
    edit, form = _time_from_form().checked(page.session, now)
    if edit is None:
        return _time_form(page, form, status=422)
    try:
        return _save(page, edit, foreseen=_foreseen())
    except NotFoundError:
        raise
    except StaleAnswerError as error:  # the form says how it stands now
        return _time_form(load(session_id), form.refused(error), status=visit.status_of(error))
    except RuleError as error:
        return _time_form(page, form.refused(error), status=visit.status_of(error))


@pages.route("/<uuid:session_id>/location", methods=["GET", "POST"])
def location(session_id: UUID) -> ResponseReturnValue:
    """Change the place alone; the client is told, and need not agree."""
    page = load(session_id)
    if not visit.acting():
        return (
            _location_form(page, PlaceInput.of(page.session.location)) if is_standing(page) else to_session(session_id)
        )
    place = PlaceInput.from_form(request.form)
    try:
        return _save(page, Edit(location=place.needed()))
    except NotFoundError:
        raise
    except RuleError as error:
        return _location_form(page, replace(place, error=visit.refusal(error)), status=visit.status_of(error))


@pages.route("/<uuid:session_id>/cancel", methods=["GET", "POST"])
def cancel(session_id: UUID) -> ResponseReturnValue:
    """Cancel the session."""
    page = load(session_id)
    if not visit.acting():
        return _cancelling(page) if is_standing(page) else to_session(session_id)
    text, runtime = request.form.get("reason", ""), visit.runtime()
    try:
        reason = one_line(text, label=_REASON, field="reason")
        with runtime.database.begin() as db:
            own_session(db, visit.practitioner_id(), session_id)
            sessions.cancel(db, runtime.policy, session_id, by=visit.actor(db), now=runtime.clock(), reason=reason)
    except NotFoundError:
        raise
    except RuleError as error:
        wrong = {"reason_error" if error.field == "reason" else "error": visit.refusal(error)}
        return _cancelling(page, text, **wrong), visit.status_of(error)
    flash(speaking.say("The session is cancelled."), "done")
    return to_session(session_id)


def _cancelling(page: SessionPage, reason: str = "", *, error: str = "", reason_error: str = "") -> str:
    return speaking.render(
        "sessions/cancel.html",
        page=page,
        reader=reader_of(page),
        reason=reason,
        error=error,
        reason_error=reason_error,
    )


@pages.post("/<uuid:session_id>/keep")
def keep(session_id: UUID) -> ResponseReturnValue:
    """Leave a flagged session as it is, and clear the flag."""
    runtime = visit.runtime()
    with runtime.database.begin() as db:
        own_session(db, visit.practitioner_id(), session_id)
        sessions.keep(db, runtime.policy, session_id, by=visit.actor(db), now=runtime.clock())
    flash(speaking.say("The session stays as it is, and is no longer marked."), "done")
    return _back(session_id)


@pages.post("/<uuid:session_id>/told")
def told(session_id: UUID) -> ResponseReturnValue:
    """Note that the practitioner has told a client themselves what applies, whom nothing else reaches."""
    runtime = visit.runtime()
    with runtime.database.begin() as db:
        own_session(db, visit.practitioner_id(), session_id)
        is_current = consent.told_in_person(
            db, session_id, shown=request.form.get("shown", ""), by=visit.actor(db), now=runtime.clock()
        )
    if not is_current:
        flash(speaking.say(_CHANGED), "warning")
        return _page(session_id), 409
    flash(speaking.say("Noted: you have told them yourself."), "done")
    return _back(session_id)


def load(session_id: UUID) -> SessionPage:
    """Return a session of the practitioner who is signed in.

    Raises: NotFoundError if it is not theirs.
    """
    runtime = visit.runtime()
    with runtime.database.read() as db:
        return session_page(
            db, runtime.policy, visit.practitioner_id(), session_id, now=runtime.clock(), languages=runtime.languages
        )


def is_standing(page: SessionPage) -> bool:
    """Whether it is booked; of one that is cancelled its page says that, and no form promises anything."""
    return page.session.state is SessionState.BOOKED


def reader_of(page: SessionPage) -> Teller:
    """Return how the practitioner reads times."""
    return speaking.to(page.practitioner)


def to_session(session_id: UUID) -> ResponseReturnValue:
    """Send the browser to a session's page."""
    return redirect(url_for("sessions.show", session_id=session_id), 303)


def _back(session_id: UUID) -> ResponseReturnValue:
    """Send the browser to where the button was pressed."""
    return redirect(url_for("week.show"), 303) if request.form.get("back") == "week" else to_session(session_id)


def _page(session_id: UUID) -> str:
    runtime = visit.runtime()
    now, practitioner_id = runtime.clock(), visit.practitioner_id()
    with runtime.database.read() as db:
        state = page_states.of_session(db, practitioner_id, session_id, now=now)  # first: what follows is no older
        page = session_page(db, runtime.policy, practitioner_id, session_id, now=now, languages=runtime.languages)
    return speaking.render("sessions/show.html", page=page, reader=reader_of(page), now=now, state=state)


def _foreseen() -> Foreseen:
    """Return which offer the form said to end with it, and which time to give way."""
    text = request.form.get("offer", "")
    try:
        return Foreseen(offer_id=UUID(text) if text else None, starts_at=moment(request.form.get("shown", "")))
    except ValueError:
        raise NotFoundError("There is no such offer.", code="offer_not_found") from None


def _time_filled(page: SessionPage, now: datetime) -> TimeForm:
    return TimeForm(
        time=TimeInput.of(page.session.when),
        place=PlaceInput.of(page.session.location),
        agreement=AgreementInput.just_now(page.client.name, zone=page.session.when.zone, now=now),
    )


def _time_from_form() -> TimeForm:
    form = request.form
    return TimeForm(
        time=TimeInput.from_form(form),
        place=PlaceInput.from_form(form),
        reason=form.get("reason", ""),
        agreement=AgreementInput.from_form(form),
        override="override" in form,
    )


def _save(page: SessionPage, edit: Edit, *, foreseen: Foreseen | None = None) -> ResponseReturnValue:
    runtime, session = visit.runtime(), page.session
    if edit.when is not None and edit.when != session.when:
        runtime.read_busy(session.practitioner_id, [edit.when])
    consent = Consent(shown=request.form.get("despite", ""))
    with runtime.database.begin() as db:
        own_session(db, visit.practitioner_id(), session.id)
        by, now = visit.actor(db), runtime.clock()
        saved = sessions.edit(db, runtime.policy, session.id, edit, by=by, now=now, consent=consent, foreseen=foreseen)
    if saved == session:
        flash(speaking.say("Nothing has changed, so nobody was told."), "done")
    else:
        flash(speaking.say(_SAVED, client=page.client.name), "done")
    return to_session(session.id)


def _time_form(page: SessionPage, form: TimeForm, *, status: int = 200) -> ResponseReturnValue:
    body = speaking.render("sessions/time.html", page=page, reader=reader_of(page), form=form, channels=CHANNELS)
    return body, status


def _location_form(page: SessionPage, place: PlaceInput, *, status: int = 200) -> ResponseReturnValue:
    return speaking.render("sessions/location.html", page=page, reader=reader_of(page), place=place), status
