"""The practitioner's calendars: connect them, choose what they show, reconnect them, disconnect them."""

from __future__ import annotations

from secrets import compare_digest
from uuid import UUID

from flask import Blueprint, flash, redirect, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.connect_link import Door
from connector.domain.connection import ConnectionState
from connector.domain.people import Level
from connector.errors import ProviderError, RuleError
from connector.language.entries import entry_words
from connector.language.messages import marked
from connector.services.accounts import sign_in
from connector.services.accounts.connect import known_form, new_credentials, reauthorize, set_levels
from connector.services.accounts.disconnect import begin as begin_disconnecting
from connector.services.accounts.disconnect import give_up
from connector.services.views import connections
from connector.services.views.connections import ConnectionView
from connector.web import asking, connect_link, speaking, visit, ways
from connector.web.forms import level
from connector.web.ways import AccessForm, Way

_STATE, _CHOICE = "arriving", "choosing"  # in the cookie: what proves that a step is this browser's own
_AGAIN = marked("The calendar is connected again. What waited for it is being written now.")

pages = Blueprint("calendars", __name__, url_prefix=paths.CALENDARS)


@pages.before_request
def _require() -> ResponseReturnValue | None:
    """Let in who is signed in, and back who has left by a connect link."""
    by_link = request.endpoint == "calendars.back" and connect_link.has_left(besides=str(cookie.get(_STATE, "")))
    return None if by_link else visit.require()


@pages.get("")
def every() -> ResponseReturnValue:
    """Show what is connected and its state, and what else can be connected."""
    runtime = visit.runtime()
    now = runtime.clock()
    with runtime.database.read() as db:
        page = connections.connection_list(db, visit.practitioner_id(), now=now)
    reader = speaking.to(page.practitioner)
    words = entry_words(reader.language)
    return speaking.render(
        "calendars/list.html", page=page, reader=reader, ways=ways.every(), levels=list(Level), words=words, now=now
    )


@pages.route("/<slug>/connect", methods=["GET", "POST"])
def connect(slug: str) -> ResponseReturnValue:
    """Begin to connect an account: at the service itself, or by what is typed in."""
    way = ways.named(slug)
    if way.signs_in:
        return _leave(way, connection_id=None) if visit.acting() else redirect(url_for("calendars.every"), 303)
    if not visit.acting():
        return _access_page(way, AccessForm())
    return _connect_typed(way)


@pages.get("/<slug>/back")
def back(slug: str) -> ResponseReturnValue:
    """Take the answer of a calendar service; only the browser that was sent there may bring it, and only once."""
    expected = str(cookie.get(_STATE, ""))
    given = request.args.get("state", "")
    if request.method != "GET":
        return ""
    if connect_link.has_left(besides=expected):
        return connect_link.arrive(slug, given)
    if not expected or not compare_digest(expected.encode(), given.encode()):
        flash(
            speaking.say("This browser does not know this sign-in, or has used it already. Please start again."),
            "error",
        )
        return redirect(url_for("calendars.every"), 303)
    del cookie[_STATE]
    runtime = visit.runtime()
    try:
        with runtime.database.read() as db:
            by = visit.actor(db)
        answer = request.args.to_dict()
        with asking.calendar_service():
            choice = sign_in.complete(ways.here(), _door(), slug, given, answer, by=by, now=runtime.clock())
    except (RuleError, ProviderError) as error:
        flash(visit.sentence(error), "error")
        return redirect(url_for("calendars.every"), 303)
    if choice is None:
        flash(speaking.say(_AGAIN), "done")
        return redirect(url_for("calendars.every"), 303)
    cookie[_CHOICE] = choice
    return redirect(url_for("calendars.choose"), 303)


@pages.route("/choose", methods=["GET", "POST"])
def choose() -> ResponseReturnValue:
    """Choose the calendar to write to, and those whose busy times count."""
    runtime, token = visit.runtime(), str(cookie.get(_CHOICE, ""))
    now, brand = runtime.clock(), runtime.settings.brand
    error, target, choice = "", request.form.get("target"), ways.chosen()
    if visit.acting():
        try:
            with runtime.database.read() as db:
                by = visit.actor(db)
            with asking.calendar_service():
                made = sign_in.connect_chosen(ways.here(), _door(), token, choice, by=by, now=now)
        except (RuleError, ProviderError) as problem:
            error = visit.sentence(problem)
        else:
            cookie.pop(_CHOICE, None)
            flash(
                speaking.say("“%(name)s” is connected. Your sessions are being written to it now.", name=made.name),
                "done",
            )
            return redirect(url_for("calendars.every"), 303)
    try:
        with asking.calendar_service():
            found = sign_in.options(ways.here(), _door(), token, now=now)
    except (RuleError, ProviderError) as problem:
        flash(visit.sentence(problem), "error")
        return redirect(url_for("calendars.every"), 303)
    shown = speaking.render(
        "calendars/choose.html",
        found=found,
        error=error,
        target=target,
        watched=choice.watched,
        new=ways.NEW,
        new_name=brand,
    )
    return shown, 422 if error else 200


@pages.post("/<uuid:connection_id>/privacy")
def privacy(connection_id: UUID) -> ResponseReturnValue:
    """Change how much of a client one calendar shows."""
    runtime = visit.runtime()
    session_level, hold_level = level(request.form, "session_level"), level(request.form, "hold_level")
    with runtime.database.begin() as db:
        connections.owned(db, visit.practitioner_id(), connection_id)
        set_levels(db, connection_id, session_level=session_level, hold_level=hold_level, now=runtime.clock())
    flash(speaking.say("Saved. The entries in this calendar are being rewritten."), "done")
    return redirect(url_for("calendars.every"), 303)


@pages.route("/<uuid:connection_id>/reconnect", methods=["GET", "POST"])
def reconnect(connection_id: UUID) -> ResponseReturnValue:
    """Reconnect an account; its calendar stays the one that was chosen."""
    view = _load(connection_id)
    way = ways.named(view.connection.provider)
    if way.signs_in:
        if visit.acting():
            return _leave(way, connection_id=connection_id)
        return speaking.render("calendars/reconnect.html", view=view, way=way)
    if not visit.acting():
        return _access_page(way, _known(way, view), reauthorized=view)
    return _reconnect_typed(way, view)


@pages.route("/<uuid:connection_id>/disconnect", methods=["GET", "POST"])
def disconnect(connection_id: UUID) -> ResponseReturnValue:
    """Disconnect an account: our entries are removed from its calendar first, unless there is no access to it."""
    runtime, view = visit.runtime(), _load(connection_id)
    if not visit.acting():
        return speaking.render("calendars/disconnect.html", view=view)
    leaves_entries = request.form.get("how") == "leave"
    with runtime.database.begin() as db:
        connection = connections.owned(db, visit.practitioner_id(), connection_id)
        by, now = visit.actor(db), runtime.clock()
        without_access = leaves_entries and connection.state is not ConnectionState.OK
        if without_access:
            give_up(db, runtime.policy, connection_id, by=by, now=now)
        elif connection.state is ConnectionState.OK:
            begin_disconnecting(db, runtime.policy, connection_id, by=by, now=now)
    if not without_access and connection.state is ConnectionState.ACCESS_LOST:  # since the page was shown
        return speaking.render("calendars/disconnect.html", view=_load(connection_id)), 409
    label = view.connection.label
    if without_access:
        flash(speaking.say("“%(name)s” is disconnected. What was written to it stays there.", name=label), "done")
    else:
        flash(speaking.say("“%(name)s” is being disconnected. Its entries are being removed now.", name=label), "done")
    return redirect(url_for("calendars.every"), 303)


def _door() -> Door:
    return Door(practitioner_id=visit.practitioner_id())


def _load(connection_id: UUID) -> ConnectionView:
    with visit.runtime().database.read() as db:
        return connections.connection_view(db, visit.practitioner_id(), connection_id)


def _leave(way: Way, *, connection_id: UUID | None) -> ResponseReturnValue:
    """Send the browser to the calendar service: to reauthorize a connection, or, for None, to make a new one."""
    runtime = visit.runtime()
    try:
        with asking.calendar_service():
            page = sign_in.begin(ways.here(), _door(), way.slug, connection_id=connection_id, now=runtime.clock())
    except ProviderError as error:
        flash(visit.sentence(error), "error")
        return redirect(url_for("calendars.every"), 303)
    cookie[_STATE] = page.state
    return ways.leave(speaking.render("calendars/leave.html", way=way, url=page.url), page.url)


def _connect_typed(way: Way) -> ResponseReturnValue:
    runtime, form = visit.runtime(), ways.access_form()
    try:
        provider = runtime.load_provider(way.slug)
        with asking.calendar_service():
            credentials = provider.connect(ways.access(form), runtime.network)
        token = sign_in.keep(ways.here(), _door(), way.slug, credentials, now=runtime.clock())
    except (RuleError, ProviderError) as error:
        return _access_page(way, form, error=error)
    cookie[_CHOICE] = token
    return redirect(url_for("calendars.choose"), 303)


def _reconnect_typed(way: Way, view: ConnectionView) -> ResponseReturnValue:
    runtime, form, connection_id = visit.runtime(), ways.access_form(), view.connection.id
    try:
        provider = runtime.load_provider(way.slug)
        with asking.calendar_service():
            fresh = new_credentials(runtime.database, runtime.network, connection_id, provider, ways.access(form))
        with runtime.database.begin() as db:
            reauthorize(db, runtime.seal, connection_id, fresh, by=visit.actor(db), now=runtime.clock())
    except (RuleError, ProviderError) as error:
        return _access_page(way, form, reauthorized=view, error=error)
    flash(speaking.say(_AGAIN), "done")
    return redirect(url_for("calendars.every"), 303)


def _known(way: Way, view: ConnectionView) -> AccessForm:
    runtime = visit.runtime()
    with runtime.database.read() as db:
        form = known_form(db, runtime.seal, view.connection.id, runtime.load_provider(way.slug))
    return AccessForm(address=form.get("address", ""), username=form.get("username", ""))


def _access_page(
    way: Way,
    form: AccessForm,
    *,
    reauthorized: ConnectionView | None = None,
    error: RuleError | ProviderError | None = None,
) -> ResponseReturnValue:
    words = visit.sentence(error) if error else ""
    body = speaking.render("calendars/access.html", way=way, form=form, error=words, reauthorized=reauthorized)
    return body, 422 if error else 200
