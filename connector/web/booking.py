"""A practitioner books a session: with whom, when, where; what stands at that time is said before anything is saved."""

from __future__ import annotations

from dataclasses import dataclass, replace
from uuid import UUID

from flask import Blueprint, flash, request
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.session import Location, SessionKind
from connector.errors import NotFoundError, RuleError
from connector.services.scheduling import sessions
from connector.services.scheduling.conflicts import Consent
from connector.services.sync import free_busy
from connector.services.views.booking import USUAL_LENGTH, BookingPage, booking_page, whom
from connector.web import speaking, visit
from connector.web.forms import PlaceInput, TimeInput, day
from connector.web.sessions import to_session

_LONGEST_SOUGHT = 200

pages = Blueprint("booking", __name__, url_prefix=paths.NEW_SESSION)
pages.before_request(visit.require)


@dataclass(frozen=True, slots=True, kw_only=True)
class BookingForm:
    """The form as typed."""

    time: TimeInput
    place: PlaceInput
    kind: str
    error: str = ""
    kind_error: str = ""

    @property
    def focus(self) -> str:
        """Where whoever corrects it begins: the first field that is marked; empty if none is."""
        marks = {"time": self.time.error, "place": self.place.error, "kind": self.kind_error}
        return next((name for name, is_marked in marks.items() if is_marked), "")


@pages.route("", methods=["GET", "POST"])
def book() -> ResponseReturnValue:
    """Choose a client, then a time and a place; booking tells the client."""
    client_id = _client_id(request.values.get("client", ""))
    if client_id is None:
        return _whom()
    page = _load(client_id)
    if not visit.acting():
        return _form(page, _filled(page))
    form = BookingForm(
        time=TimeInput.from_form(request.form),
        place=PlaceInput.from_form(request.form),
        kind=request.form.get("kind", ""),
    )
    when, time = form.time.checked(page.zone, after=visit.runtime().clock())
    place, place_input = _place(form.place)
    kind_error = "" if form.kind in set(SessionKind) else speaking.say("Choose which of the two it is.")
    form = replace(form, time=time, place=place_input, kind_error=kind_error)
    if when is None or place is None or kind_error:
        return _form(page, form, status=422)
    runtime = visit.runtime()
    runtime.read_busy(page.practitioner.id, [when])
    try:
        with runtime.database.begin() as db:
            session = sessions.book(
                db,
                runtime.policy,
                practitioner_id=visit.practitioner_id(),
                client_id=page.client.id,
                when=when,
                location=place,
                by=visit.actor(db),
                now=runtime.clock(),
                kind=SessionKind(form.kind),
                consent=Consent(shown=request.form.get("despite", "")),
            )
    except NotFoundError:
        raise
    except RuleError as error:
        status = visit.status_of(error)
        if error.field == "when":
            return _form(page, replace(form, time=form.time.refused(error)), status=status)
        return _form(page, replace(form, error=visit.refusal(error)), status=status)
    flash(
        speaking.say("Booked. %(client)s is being told; see below which message arrived.", client=page.client.name),
        "done",
    )
    return to_session(session.id)


def _whom() -> ResponseReturnValue:
    sought = request.form.get("text", "").strip()[:_LONGEST_SOUGHT]  # in no address, and so in no log
    with visit.runtime().database.read() as db:
        page = whom(db, visit.practitioner_id(), sought)
    reader = speaking.to(page.practitioner)
    return speaking.render("sessions/whom.html", page=page, reader=reader, day=request.values.get("date", ""))


def _load(client_id: UUID) -> BookingPage:
    runtime = visit.runtime()
    now = runtime.clock()
    if request.method == "GET":  # HEAD asks for no page, and so for no reading
        free_busy.refresh(runtime.database, runtime.policy, visit.practitioner_id(), now=now)
    with runtime.database.read() as db:
        return booking_page(
            db, runtime.policy, visit.practitioner_id(), client_id, day(request.values.get("date", "")), now=now
        )


def _filled(page: BookingPage) -> BookingForm:
    """Fill in what is likely: the time of a link that was followed, place and length as the last time."""
    like = page.like
    length = like.when.span.duration if like else USUAL_LENGTH
    date_chosen, _, time_chosen = request.args.get("at", "").partition("T")
    return BookingForm(
        time=TimeInput(
            date=date_chosen or (page.day.isoformat() if page.day else ""),
            time=time_chosen,
            minutes=f"{length.total_seconds() / 60:g}",
        ),
        place=PlaceInput.of(like.location) if like else PlaceInput(),
        kind=(SessionKind.FOLLOWUP if page.last else SessionKind.INITIAL).value,
    )


def _place(typed: PlaceInput) -> tuple[Location | None, PlaceInput]:
    try:
        return typed.needed(), typed
    except RuleError as error:
        return None, replace(typed, error=visit.refusal(error))


def _client_id(text: str) -> UUID | None:
    if not text:
        return None
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError("There is no such client.", code="client_not_found") from None


def _form(page: BookingPage, form: BookingForm, *, status: int = 200) -> ResponseReturnValue:
    body = speaking.render(
        "sessions/book.html", page=page, form=form, reader=speaking.to(page.practitioner), kinds=list(SessionKind)
    )
    return body, status
