"""The way by which a host has a practitioner connect one account: through our pages, and back to the host.

Nobody is signed in here. The link says whose account it is; what a step knows of the one before is this browser's own.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from secrets import compare_digest
from typing import Any
from uuid import UUID

from flask import Blueprint, redirect, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.connect_link import ConnectLink, Door
from connector.domain.people import Actor, Level, Practitioner
from connector.errors import ProviderError, RuleError
from connector.language.entries import entry_words
from connector.language.telling import Teller
from connector.services.accounts import connect_links, sign_in
from connector.services.accounts.connect import new_credentials, reauthorize
from connector.services.views import connections, practitioners
from connector.services.views.connections import ConnectionView
from connector.web import asking, speaking, visit, ways
from connector.web.forms import level
from connector.web.ways import AccessForm, Way

_LEFT, _FAULT = "connect", "connect_fault"  # in the cookie: what was left for a service, and what came of it
_TOKEN, _STATE, _CHOICE = "token", "state", "choice"  # in the former

pages = Blueprint("connect_link", __name__, url_prefix=paths.connect("<token>"))


@dataclass(frozen=True, slots=True, kw_only=True)
class Guest:
    """Who has come by a link."""

    token: str
    link: ConnectLink
    practitioner: Practitioner

    @property
    def door(self) -> Door:
        """The way by which they have come."""
        return Door(practitioner_id=self.practitioner.id, link_id=self.link.id)

    @property
    def ways(self) -> tuple[Way, ...]:
        """What they may connect."""
        return tuple(way for way in ways.every() if self.link.provider in ("", way.slug))


@dataclass(frozen=True, slots=True)
class _Reader:
    locale: str
    zone: str


@dataclass(frozen=True, slots=True)
class _Fault:
    words: str = ""
    code: str = ""


@pages.get("")
def show(token: str) -> ResponseReturnValue:
    """Say what is to be done and for whom, and which services there are; opening the page changes nothing."""
    guest = _guest(token)
    if not guest.link.is_open(now=visit.runtime().clock()):
        return _ended(guest)
    fault = _Fault(*cookie.pop(_FAULT)) if request.method == "GET" and _FAULT in cookie else _Fault()
    return _render("show", guest, fault=fault, ways=guest.ways, view=_reconnected(guest))


@pages.route("/<slug>", methods=["GET", "POST"])
def connect(token: str, slug: str) -> ResponseReturnValue:
    """Connect an account of a service: by signing in there, or by what is typed in."""
    guest = _guest(token)
    if not guest.link.is_open(now=visit.runtime().clock()):
        return _ended(guest)
    way = ways.named(slug, guest.ways)
    if way.signs_in:
        return _leave(guest, way) if visit.acting() else redirect(url_for("connect_link.show", token=token), 303)
    if not visit.acting():
        return _access_page(guest, way, AccessForm())
    return _reconnect_typed(guest, way) if guest.link.reconnects else _connect_typed(guest, way)


@pages.route("/choose", methods=["GET", "POST"])
def choose(token: str) -> ResponseReturnValue:
    """Choose the calendars of the account, and how much is shown there; then back to the host."""
    runtime, guest = visit.runtime(), _guest(token)
    now, left, fault = runtime.clock(), _left(), _Fault()
    if not guest.link.is_open(now=now):
        return _ended(guest)
    kept = left.get(_CHOICE, "") if left.get(_TOKEN) == token else ""
    choice, levels = ways.chosen(), (guest.practitioner.session_level, guest.practitioner.hold_level)
    if visit.acting():
        try:
            levels = (level(request.form, "session_level"), level(request.form, "hold_level"))
            with asking.calendar_service():
                made = sign_in.connect_chosen(
                    ways.here(), guest.door, kept, replace(choice, levels=levels), by=_actor(guest), now=now
                )
        except (RuleError, ProviderError) as error:
            guest, fault = _guest(token), _Fault(visit.sentence(error), error.code)
            if not guest.link.is_open(now=now):
                return _ended(guest)  # another browser was faster
        else:
            return _done(guest, made.connection_id)
    try:
        with asking.calendar_service():
            found = sign_in.options(ways.here(), guest.door, kept, now=now)
    except (RuleError, ProviderError) as error:
        return _failed(token, error)
    page = _render(
        "choose",
        guest,
        found=found,
        fault=fault,
        target=request.form.get("target"),
        watched=choice.watched,
        new=ways.NEW,
        new_name=choice.new_name,
        levels=list(Level),
        chosen=levels,
        words=entry_words(speaking.language()),
    )
    return page, 422 if fault.words else 200


def has_left(*, besides: str) -> bool:
    """Whether this browser has left for a service by a link, and does not come back from elsewhere (that state)."""
    return _TOKEN in _left() and not (besides and request.args.get("state") == besides)


def arrive(slug: str, state: str) -> ResponseReturnValue:
    """Take the answer of a calendar service; only the browser that has left by the link may bring it, and only once."""
    left = _left()
    token, expected = left[_TOKEN], left.get(_STATE, "")
    guest = _guest(token)
    if not expected or not compare_digest(expected.encode(), state.encode()):
        cookie[_FAULT] = (
            speaking.say("This browser does not know this sign-in, or has used it already. Please start again."),
            "sign_in_too_late",
        )
        return redirect(url_for("connect_link.show", token=token), 303)
    cookie[_LEFT] = {_TOKEN: token}
    answer, now = request.args.to_dict(), visit.runtime().clock()
    try:
        with asking.calendar_service():
            choice = sign_in.complete(ways.here(), guest.door, slug, state, answer, by=_actor(guest), now=now)
    except (RuleError, ProviderError) as error:
        return _failed(token, error)
    if choice is None:
        return redirect(url_for("connect_link.show", token=token), 303)
    return _to_choice(token, choice)


def _leave(guest: Guest, way: Way) -> ResponseReturnValue:
    runtime, link = visit.runtime(), guest.link
    try:
        with asking.calendar_service():
            page = sign_in.begin(ways.here(), guest.door, way.slug, connection_id=link.reconnects, now=runtime.clock())
    except (RuleError, ProviderError) as error:
        return _failed(guest.token, error)
    cookie[_LEFT] = {_TOKEN: guest.token, _STATE: page.state}
    return ways.leave(_render("leave", guest, way=way, url=page.url), page.url)


def _connect_typed(guest: Guest, way: Way) -> ResponseReturnValue:
    runtime, form = visit.runtime(), ways.access_form()
    try:
        provider = runtime.load_provider(way.slug)
        with asking.calendar_service():
            credentials = provider.connect(ways.access(form), runtime.network)
        choice = sign_in.keep(ways.here(), guest.door, way.slug, credentials, now=runtime.clock())
    except (RuleError, ProviderError) as error:
        return _access_page(guest, way, form, error=error)
    return _to_choice(guest.token, choice)


def _reconnect_typed(guest: Guest, way: Way) -> ResponseReturnValue:
    runtime, form, now = visit.runtime(), ways.access_form(), visit.runtime().clock()
    connection_id = guest.link.reconnects
    assert connection_id is not None  # noqa: S101 - asked by the caller
    try:
        provider = runtime.load_provider(way.slug)
        with asking.calendar_service():
            fresh = new_credentials(runtime.database, runtime.network, connection_id, provider, ways.access(form))
        with runtime.database.begin() as db:
            by = practitioners.actor(db, guest.practitioner.id)
            reauthorize(db, runtime.seal, connection_id, fresh, by=by, now=now)
            connect_links.use(db, guest.door, connection_id, now=now)
    except (RuleError, ProviderError) as error:
        return _access_page(guest, way, form, error=error)
    return _done(guest, connection_id)


def _to_choice(token: str, choice: str) -> ResponseReturnValue:
    cookie[_LEFT] = {_TOKEN: token, _CHOICE: choice}
    return redirect(url_for("connect_link.choose", token=token), 303)


def _failed(token: str, error: RuleError | ProviderError) -> ResponseReturnValue:
    """Show where they began what went wrong: they may try again, or go back with its code."""
    cookie[_FAULT] = (visit.sentence(error), error.code)
    return redirect(url_for("connect_link.show", token=token), 303)


def _done(guest: Guest, connection_id: UUID) -> ResponseReturnValue:
    """Send the browser back to the host."""
    cookie.pop(_LEFT, None)
    return _ended(replace(guest, link=replace(guest.link, connection_id=connection_id)))


def _ended(guest: Guest) -> ResponseReturnValue:
    """Say that it is connected, and lead on; or that it is too late, and back."""
    if guest.link.connection_id is None:
        url = guest.link.back(status="failed", code="connect_link_ended")
        return _render("late", guest, url=url), 410
    url = guest.link.back(status="connected")
    return ways.leave(_render("done", guest, url=url), url)


def _access_page(
    guest: Guest, way: Way, form: AccessForm, *, error: RuleError | ProviderError | None = None
) -> ResponseReturnValue:
    fault = _Fault(visit.sentence(error), error.code) if error else _Fault()
    page = _render("access", guest, way=way, form=form, fault=fault, view=_reconnected(guest))
    return page, 422 if error else 200


def _render(template: str, guest: Guest, **content: Any) -> str:
    link = guest.link
    return speaking.render(
        f"connect/{template}.html",
        token=guest.token,
        name=guest.practitioner.name,
        host=link.host,
        cancelled=link.back(status="cancelled"),
        failed=lambda code: link.back(status="failed", code=code),
        **content,
    )


def _reconnected(guest: Guest) -> ConnectionView | None:
    if guest.link.reconnects is None:
        return None
    with visit.runtime().database.read() as db:
        return connections.connection_view(db, guest.practitioner.id, guest.link.reconnects)


def _guest(token: str) -> Guest:
    """Return who has come by a link, and speak to them. Raises: NotFoundError."""
    runtime = visit.runtime()
    with runtime.database.read() as db:
        link, practitioner = connect_links.find(db, runtime.seal, token)
    _speak(link, practitioner)
    return Guest(token=token, link=link, practitioner=practitioner)


def _speak(link: ConnectLink, practitioner: Practitioner) -> Teller:
    return speaking.to(_Reader(locale=link.locale or practitioner.locale, zone=practitioner.zone))


def _actor(guest: Guest) -> Actor:
    with visit.runtime().database.read() as db:
        return practitioners.actor(db, guest.practitioner.id)


def _left() -> dict[str, str]:
    """Return what this browser has left with: a link, and what proves that the next step is its own."""
    left: dict[str, str] = cookie.get(_LEFT, {})
    return left
