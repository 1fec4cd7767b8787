"""Pages for support: find a session, look at it, act for its client.

Who that is a host in this process says; elsewhere they sign in here, named by whoever runs the installation.

What is looked at is noted in its timeline, with a reason, before anything is shown; so opening a page changes nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from datetime import datetime
from uuid import UUID

import structlog
from flask import Blueprint, abort, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from connector import paths
from connector.domain.facts import Attestation, MoveReason
from connector.domain.people import Actor, Role
from connector.domain.session import Edit, Session
from connector.errors import NotFoundError, RuleError, TimeTakenError
from connector.language.messages import marked
from connector.language.telling import Teller
from connector.sentence import Sentence
from connector.services import support
from connector.services.scheduling import answers, sessions
from connector.services.scheduling.conflicts import Consent
from connector.services.scheduling.sessions import Foreseen
from connector.services.views import support as views
from connector.web import presence, speaking, visit
from connector.web.forms import CHANNELS, AgreementInput, TimeInput, moment, one_line

_REASON = Sentence("Reason")
_LONGEST_SEARCH, _LONGEST_NAME = 320, 200
_NONE = "none"
_DONE = marked("Done. The client and the practitioner are being told.")
_RESUMED = marked("Done. The calendar goes on, and your name and reason are noted with it.")
_SESSION, _CANCEL = "support/session.html", "support/cancel.html"

pages = Blueprint("support", __name__, url_prefix=paths.SUPPORT)

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Reader:
    locale: str
    zone: str = "UTC"


@pages.before_request
def only_support() -> ResponseReturnValue | None:
    """Let nobody in but whoever has signed in as support or, where a host says who that is, whom it names."""
    host = presence.of_host()
    if host is None:
        return visit.require_support()
    if not host.names_support:
        abort(404)
    if host.support():
        return None
    back = request.script_root + (paths.SUPPORT if visit.acting() else request.path)
    return speaking.render("support/absent.html", sign_in=host.sign_in(back)), 403


@pages.errorhandler(NotFoundError)
def missing(error: NotFoundError) -> ResponseReturnValue:
    """Say what is not there, where something else can be searched for."""
    return _found("", (), notice=visit.refusal(error)), 404


@pages.get("")
def search() -> ResponseReturnValue:
    """Show the form that finds sessions."""
    return _found("", ())


@pages.post("")
def find() -> ResponseReturnValue:
    """Show the sessions that are found; what is searched for stands in no address, and so in no log."""
    runtime = visit.runtime()
    text = request.form.get("text", "").strip()[:_LONGEST_SEARCH]
    with runtime.database.read() as db:
        found = views.find(db, text, now=runtime.clock())
    if found:
        shown, name = [one.session for one in found], _name()
        with runtime.database.begin() as db:
            support.note_found(db, shown, name=name, person=_person(), now=runtime.clock())
    log.info("support_searched", found=len(found), **_noted())
    return _found(text, found)


@pages.get("/sessions/<uuid:session_id>")
def show(session_id: UUID) -> ResponseReturnValue:
    """Show a session to whoever has said why they look at it; ask everybody else why."""
    why = _looked_for(session_id)
    return _page(session_id, why) if why else _why(session_id)


@pages.post("/sessions/<uuid:session_id>")
def look(session_id: UUID) -> ResponseReturnValue:
    """Note why somebody looks at a session, and show it."""
    runtime, name = visit.runtime(), _name()
    try:
        by = _by(name)
        with runtime.database.begin() as db:
            support.look(db, session_id, by=by, person=_person(), now=runtime.clock())
    except NotFoundError:
        raise
    except RuleError as error:
        return _why(session_id, notice=visit.refusal(error)), visit.status_of(error)
    return _to_session(session_id)


@pages.post("/sessions/<uuid:session_id>/answer")
def answer(session_id: UUID) -> ResponseReturnValue:
    """Answer an offer for the client: one of the times suits them, or none."""

    def give(db: Connection, by: Actor, now: datetime) -> None:
        offer_id = views.offer_of(db, session_id, _identity("offer")).id
        choice, _, shown = request.form.get("choice", "").partition(" ")
        policy = visit.runtime().policy
        if choice == _NONE:
            answers.reject(db, policy, offer_id, by=by, now=now)
            return
        if not choice:
            raise RuleError("Choose what the client says.", code="choice_missing", field="choice")
        answers.accept(db, policy, offer_id, _uuid(choice), by=by, now=now, shown=_start(shown))

    return _act(session_id, give)


@pages.route("/sessions/<uuid:session_id>/cancel", methods=["GET", "POST"])
def cancel(session_id: UUID) -> ResponseReturnValue:
    """Cancel the booking for the client, and with it an offer that waits; ask first."""

    def give(db: Connection, by: Actor, now: datetime) -> None:
        sessions.cancel(db, visit.runtime().policy, session_id, by=by, now=now)

    if visit.acting():
        return _act(session_id, give, page=_CANCEL)
    why = _looked_for(session_id)
    return _page(session_id, why, page=_CANCEL) if why else _why(session_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class MoveForm:
    """The form that enters an agreed time, as typed, with what is wrong with it."""

    time: TimeInput
    agreement: AgreementInput
    reason: str = ""
    reason_error: str = ""
    error: str = ""

    @property
    def focus(self) -> str:
        """Where whoever corrects it begins: the first field that is marked; empty if none is."""
        marks = {"time": self.time.error, "agreement": self.agreement.errors, "reason": self.reason_error}
        return next((name for name, is_marked in marks.items() if is_marked), "")


@pages.route("/sessions/<uuid:session_id>/move", methods=["GET", "POST"])
def move(session_id: UUID) -> ResponseReturnValue:
    """Enter a time that the client has agreed to, with who said so, when and how; what stands there is said first."""
    why, runtime = _looked_for(session_id), visit.runtime()
    if not why:
        return _why(session_id), 403 if visit.acting() else 200
    with runtime.database.read() as db:
        session, client_name = views.session(db, session_id)
    zone, now = session.when.zone, runtime.clock()
    if not visit.acting():
        filled = AgreementInput.just_now(client_name, zone=zone, now=now)
        return _move_form(session_id, MoveForm(time=TimeInput.of(session.when), agreement=filled, reason=why))
    form = MoveForm(
        time=TimeInput.from_form(request.form),
        agreement=AgreementInput.from_form(request.form),
        reason=request.form.get("reason", ""),
    )
    when, time = form.time.checked(zone, after=now)
    form = replace(form, time=time)
    agreed, by, form = _agreed(form, zone, now)
    if when is None or agreed is None or by is None:
        return _move_form(session_id, form), 422
    return _move(session_id, session, form, Edit(when=when, reason=MoveReason.AGREED, attestation=agreed), by)


def _agreed(form: MoveForm, zone: str, now: datetime) -> tuple[Attestation | None, Actor | None, MoveForm]:
    """Return who attests the agreement and who acts, None where that cannot be; and the form with all that is wrong."""
    attestation, agreement = form.agreement.checked(zone=zone, now=now)
    form = replace(form, agreement=agreement)
    try:
        return attestation, _by(_name()), form
    except RuleError as error:
        return attestation, None, replace(form, reason_error=visit.refusal(error))


def _move(session_id: UUID, session: Session, form: MoveForm, edit: Edit, by: Actor) -> ResponseReturnValue:
    runtime = visit.runtime()
    if edit.when is not None and edit.when != session.when:
        runtime.read_busy(session.practitioner_id, [edit.when])
    consent = Consent(shown=request.form.get("despite", ""))
    try:
        with runtime.database.begin() as db:
            saved = sessions.edit(
                db,
                runtime.policy,
                session_id,
                edit,
                by=by,
                now=runtime.clock(),
                consent=consent,
                foreseen=Foreseen(
                    offer_id=_identity("offer") if request.form.get("offer") else None,
                    starts_at=moment(request.form.get("shown", "")),
                ),
            )
    except NotFoundError:
        raise
    except RuleError as error:
        is_about_time = isinstance(error, TimeTakenError) or error.field == "when"
        refused = (
            replace(form, time=form.time.refused(error)) if is_about_time else replace(form, error=visit.refusal(error))
        )
        return _move_form(session_id, refused), visit.status_of(error)
    if saved == session:
        flash(speaking.say("Nothing has changed, so nobody was told."), "done")
    else:
        flash(speaking.say(_DONE), "done")
    return _to_session(session_id)


@pages.post("/sessions/<uuid:session_id>/resume")
def resume(session_id: UUID) -> ResponseReturnValue:
    """Have a stopped calendar of the session's practitioner go on, in the way by which nothing is lost."""

    def give(db: Connection, by: Actor, now: datetime) -> None:
        calendar_id, _, since = request.form.get("calendar", "").partition(" ")
        support.resume(db, session_id, _calendar(calendar_id), since=moment(since), by=by, now=now)

    return _act(session_id, give, done=speaking.say(_RESUMED))


def _calendar(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError("There is no such calendar.", code="calendar_not_found") from None


def _act(
    session_id: UUID,
    give: Callable[[Connection, Actor, datetime], None],
    *,
    page: str = _SESSION,
    done: str = "",
) -> ResponseReturnValue:
    """Do something for the client, under a name and for a reason; say what is refused above what stands."""
    runtime = visit.runtime()
    if not _looked_for(session_id):
        return _why(session_id), 403
    try:
        by = _by(_name())
        with runtime.database.begin() as db:
            give(db, by, runtime.clock())
    except NotFoundError:
        raise
    except RuleError as error:
        typed = request.form.get("reason", "")
        return _page(session_id, typed, page=page, notice=visit.refusal(error)), visit.status_of(error)
    flash(done or speaking.say(_DONE), "done")
    return _to_session(session_id)


def _looked_for(session_id: UUID) -> str:
    """Return why whoever is present looks at a session; empty if they have not said so lately."""
    runtime, name = visit.runtime(), _name()
    with runtime.database.read() as db:
        return support.looked_for(db, session_id, name=name, person=_person(), now=runtime.clock())


def _name() -> str:
    """Return who of the support is present, as it can be shown and stored."""
    name = "".join(letter for letter in visit.support() or "" if letter.isprintable()).strip()
    return name[:_LONGEST_NAME] or abort(404)


def _noted() -> dict[str, str]:
    """Return who searches, for the log: by an id of ours, where there is one."""
    person = _person()
    return {"support": str(person)} if person is not None else {}


def _person() -> UUID | None:
    """Return who of those whom the operator has named is present; None where a host says who is."""
    found = visit.supporter() if visit.support_signs_in_here() else None
    return found.person_id if found is not None else None


def _by(name: str) -> Actor:
    reason = one_line(request.form.get("reason", ""), label=_REASON, field="reason", required=True)
    return Actor(role=Role.SUPPORT, name=name, reason=reason)


def _identity(field: str) -> UUID:
    return _uuid(request.form.get(field, ""))


def _uuid(text: str) -> UUID:
    try:
        return UUID(text)
    except ValueError:
        raise NotFoundError("There is no such offer.", code="offer_not_found") from None


def _start(text: str) -> datetime:
    """Return the start that the page showed. Raises: RuleError if it showed none."""
    start = moment(text)
    if start is None:
        raise RuleError("Choose what the client says.", code="choice_missing", field="choice")
    return start


def _found(text: str, found: tuple[views.FoundSession, ...], *, notice: str = "") -> str:
    reader = speaking.to(_Reader(locale=speaking.language().tag))
    readers = {
        one.session.id: speaking.to(_Reader(locale=reader.language.tag, zone=one.session.when.zone)) for one in found
    }
    return speaking.render(
        "support/find.html", text=text, found=found, readers=readers, most=views.MOST, notice=notice, name=_name()
    )


def _why(session_id: UUID, *, notice: str = "") -> str:
    return speaking.render("support/why.html", session_id=session_id, notice=notice, name=_name())


def _page(session_id: UUID, reason: str, *, page: str = _SESSION, notice: str = "") -> str:
    runtime = visit.runtime()
    with runtime.database.read() as db:
        reader = _reader(db, session_id)
        shown = views.page(db, session_id, teller=reader, now=runtime.clock())
    return speaking.render(page, page=shown, reader=reader, reason=reason, notice=notice, name=_name())


def _move_form(session_id: UUID, form: MoveForm) -> str:
    runtime = visit.runtime()
    with runtime.database.read() as db:
        reader = _reader(db, session_id)
        shown = views.page(db, session_id, teller=reader, now=runtime.clock())
    return speaking.render(
        "support/move.html", page=shown, reader=reader, form=form, channels=CHANNELS, reason=form.reason, name=_name()
    )


def _reader(db: Connection, session_id: UUID) -> Teller:
    return speaking.to(_Reader(locale=speaking.language().tag, zone=views.zone(db, session_id)))


def _to_session(session_id: UUID) -> ResponseReturnValue:
    return redirect(url_for("support.show", session_id=session_id), 303)
