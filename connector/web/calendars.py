"""The practitioner's calendars: connect them, choose what they show, reconnect them, disconnect them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from secrets import compare_digest
from uuid import UUID

from flask import Blueprint, flash, make_response, redirect, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.connection import ConnectionState
from connector.domain.people import Level
from connector.domain.text import too_long
from connector.errors import NotFoundError, ProviderError, RuleError
from connector.language.entries import entry_words
from connector.language.messages import marked
from connector.ports import NamesServices, Provider, SignIn
from connector.sentence import Sentence
from connector.services.accounts import sign_in
from connector.services.accounts.connect import new_credentials, reauthorize, set_levels
from connector.services.accounts.disconnect import begin as begin_disconnecting
from connector.services.accounts.disconnect import give_up
from connector.services.accounts.sign_in import CalendarChoice, Installation
from connector.services.views import connections
from connector.services.views.connections import ConnectionView
from connector.web import asking, speaking, visit
from connector.web.forms import one_line

NEW = "+new"  # no calendar's id
_STATE, _CHOICE = "arriving", "choosing"  # in the cookie: what proves that a step is this browser's own
_LONGEST_PASSWORD = 1000
_AGAIN = marked("The calendar is connected again. What waited for it is being written now.")
_ADDRESS, _USERNAME, _PASSWORD = Sentence("Address"), Sentence("User name"), Sentence("App password")

pages = Blueprint("calendars", __name__, url_prefix=paths.CALENDARS)
pages.before_request(visit.require)


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One kind of calendar that can be connected here.

    Attributes:
        slug: The provider's.
        label: What people call it.
        signs_in: Whether its people sign in at the service itself.
        button: What the button says that connects one.
        services: Which services it leads to, where the label does not tell.
    """

    slug: str
    label: str
    signs_in: bool
    button: str
    services: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessForm:
    """How to get into an account, as typed; the password is never shown again."""

    address: str = ""
    username: str = ""
    error: str = ""


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
        "calendars/list.html", page=page, reader=reader, ways=_ways(), levels=list(Level), words=words, now=now
    )


@pages.route("/<slug>/connect", methods=["GET", "POST"])
def connect(slug: str) -> ResponseReturnValue:
    """Begin to connect an account: at the service itself, or by what is typed in."""
    way = _way(slug)
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
            choice = sign_in.complete(_here(), visit.practitioner_id(), slug, given, answer, by=by, now=runtime.clock())
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
    now, who, brand = runtime.clock(), visit.practitioner_id(), runtime.settings.brand
    error, target = "", request.form.get("target")
    watched = frozenset(request.form.getlist("watched"))
    if visit.acting():
        try:
            with runtime.database.read() as db:
                by = visit.actor(db)
            choice = CalendarChoice(target=None if target == NEW else target or "", new_name=brand, watched=watched)
            with asking.calendar_service():
                made = sign_in.connect_chosen(_here(), who, token, choice, by=by, now=now)
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
            found = sign_in.options(_here(), who, token, now=now)
    except (RuleError, ProviderError) as problem:
        flash(visit.sentence(problem), "error")
        return redirect(url_for("calendars.every"), 303)
    shown = speaking.render(
        "calendars/choose.html", found=found, error=error, target=target, watched=watched, new=NEW, new_name=brand
    )
    return shown, 422 if error else 200


@pages.post("/<uuid:connection_id>/privacy")
def privacy(connection_id: UUID) -> ResponseReturnValue:
    """Change how much of a client one calendar shows."""
    runtime = visit.runtime()
    session_level, hold_level = _level("session_level"), _level("hold_level")
    with runtime.database.begin() as db:
        connections.owned(db, visit.practitioner_id(), connection_id)
        set_levels(db, connection_id, session_level=session_level, hold_level=hold_level, now=runtime.clock())
    flash(speaking.say("Saved. The entries in this calendar are being rewritten."), "done")
    return redirect(url_for("calendars.every"), 303)


@pages.route("/<uuid:connection_id>/reconnect", methods=["GET", "POST"])
def reconnect(connection_id: UUID) -> ResponseReturnValue:
    """Reconnect an account; its calendar stays the one that was chosen."""
    view = _load(connection_id)
    way = _way(view.connection.provider)
    if way.signs_in:
        if visit.acting():
            return _leave(way, connection_id=connection_id)
        return speaking.render("calendars/reconnect.html", view=view, way=way)
    if not visit.acting():
        return _access_page(way, AccessForm(), reauthorized=view)
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


def _here() -> Installation:
    runtime = visit.runtime()
    return Installation(
        database=runtime.database,
        policy=runtime.policy,
        seal=runtime.seal,
        network=runtime.network,
        load_provider=runtime.load_provider,
    )


def _ways() -> tuple[Way, ...]:
    """Return what can be connected here: a service people sign in at only if we are registered with it."""
    runtime = visit.runtime()
    ways = (_way_of(runtime.load_provider(slug)) for slug in runtime.settings.providers)
    return tuple(way for way in ways if not way.signs_in or way.slug in runtime.network.apps)


def _way_of(provider: Provider) -> Way:
    button, services = speaking.say("Connect %(service)s", service=provider.label), ""
    if isinstance(provider, NamesServices):
        button, services = speaking.say(provider.button), speaking.say(provider.services)
    signs_in = isinstance(provider, SignIn)
    return Way(slug=provider.slug, label=provider.label, signs_in=signs_in, button=button, services=services)


def _way(slug: str) -> Way:
    for way in _ways():
        if way.slug == slug:
            return way
    raise NotFoundError(
        "There is no calendar service of that name here. Choose one on the page of your calendars.",
        code="calendar_service_unknown",
    )


def _load(connection_id: UUID) -> ConnectionView:
    with visit.runtime().database.read() as db:
        return connections.connection_view(db, visit.practitioner_id(), connection_id)


def _leave(way: Way, *, connection_id: UUID | None) -> ResponseReturnValue:
    """Send the browser to the calendar service: to reauthorize a connection, or, for None, to make a new one.

    By a page of ours that goes on by itself: browsers hold a redirect after a form against the form's own policy, and
    where a service sends people on from there is not ours to list.
    """
    runtime = visit.runtime()
    try:
        with asking.calendar_service():
            page = sign_in.begin(
                _here(), visit.practitioner_id(), way.slug, connection_id=connection_id, now=runtime.clock()
            )
    except ProviderError as error:
        flash(visit.sentence(error), "error")
        return redirect(url_for("calendars.every"), 303)
    cookie[_STATE] = page.state
    response = make_response(speaking.render("calendars/leave.html", way=way, url=page.url))
    response.headers["Refresh"] = f"0; url={page.url}"
    return response


def _connect_typed(way: Way) -> ResponseReturnValue:
    runtime, form = visit.runtime(), _access_form()
    try:
        provider = runtime.load_provider(way.slug)
        with asking.calendar_service():
            credentials = provider.connect(_checked(form), runtime.network)
        token = sign_in.keep(_here(), visit.practitioner_id(), way.slug, credentials, now=runtime.clock())
    except (RuleError, ProviderError) as error:
        return _access_page(way, form, error=error)
    cookie[_CHOICE] = token
    return redirect(url_for("calendars.choose"), 303)


def _reconnect_typed(way: Way, view: ConnectionView) -> ResponseReturnValue:
    runtime, form, connection_id = visit.runtime(), _access_form(), view.connection.id
    try:
        provider = runtime.load_provider(way.slug)
        with asking.calendar_service():
            fresh = new_credentials(runtime.database, runtime.network, connection_id, provider, _checked(form))
        with runtime.database.begin() as db:
            reauthorize(db, runtime.seal, connection_id, fresh, by=visit.actor(db), now=runtime.clock())
    except (RuleError, ProviderError) as error:
        return _access_page(way, form, reauthorized=view, error=error)
    flash(speaking.say(_AGAIN), "done")
    return redirect(url_for("calendars.every"), 303)


def _access_form() -> AccessForm:
    return AccessForm(address=request.form.get("address", ""), username=request.form.get("username", ""))


def _checked(form: AccessForm) -> Mapping[str, str]:
    password = request.form.get("password", "")
    if not password:
        raise RuleError("%(label)s: please fill this in.", code="text_missing", field="password", label=_PASSWORD)
    if len(password) > _LONGEST_PASSWORD:
        raise too_long(password, label=_PASSWORD, field="password", longest=_LONGEST_PASSWORD)
    return {
        "address": one_line(form.address, label=_ADDRESS, field="address", required=True),
        "username": one_line(form.username, label=_USERNAME, field="username"),
        "password": password,
    }


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


def _level(name: str) -> Level:
    level = request.form.get(name, "")
    if level not in {str(int(member)) for member in Level}:
        raise RuleError("Choose how much the calendar may show.", code="level_not_chosen", field=name)
    return Level(int(level))
