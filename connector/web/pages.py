"""The web application: every page, and what holds for all of them."""

from __future__ import annotations

from collections.abc import Callable
from functools import cache
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING
from urllib.parse import quote, urlsplit
from uuid import UUID

import structlog
from flask import Flask, Response, make_response, request
from flask.typing import ResponseReturnValue
from flask_wtf.csrf import CSRFError, CSRFProtect  # type: ignore[import-untyped]  # the package ships no types
from jinja2 import ChoiceLoader, FileSystemLoader, StrictUndefined
from sqlalchemy.exc import DBAPIError
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed, TooManyRequests

from connector import paths
from connector.domain.notice_table import Link
from connector.domain.people import readable_address
from connector.errors import NotFoundError, RuleError, StandstillError
from connector.failures import trace
from connector.runtime import Runtime
from connector.services import standstill
from connector.services.signing_in import browsers
from connector.services.signing_in.log import Event, note
from connector.storage.database import is_busy
from connector.web import (
    absences,
    account,
    answer,
    away,
    booking,
    calendars,
    clients,
    conflict,
    connect_link,
    connection,
    deliveries,
    framing,
    health,
    mails,
    metrics,
    mine,
    navigation,
    offers,
    paused,
    published,
    questions,
    readers,
    sessions,
    short_link,
    signin,
    speaking,
    subscriptions,
    support,
    support_signin,
    visit,
    week,
)
from connector.web.cookies import SignedCookies
from connector.web.framing import Frame
from connector.web.limits import limit, note_limited
from connector.web.presence import Presence, PresenceError, StrangerError, prepare
from connector.web.proxies import BehindProxies, UnderPrefix
from connector.web.scoping import scoped

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication

    Within = Callable[[WSGIApplication], WSGIApplication]

LARGEST_BODY = 64 * 1024

_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; form-action 'self'; "
    "frame-ancestors 'none'; base-uri 'none'"
)
_SAFE = ("GET", "HEAD", "OPTIONS")
_IN_STANDSTILL = ("calendars.reconnect",)  # what the decision after a restore may need: an account that can be read
# People come in, and pushes make looks due that are put off.
_DOORS = (signin.pages.name, support_signin.pages.name, "hooks", None)
_MAILED = (
    answer.pages,
    mine.pages,
    short_link.pages,
    subscriptions.mailed,
    published.pages,
    questions.pages,
    absences.pages,
    mails.pages,
    conflict.pages,
    paused.pages,
    connect_link.pages,
)  # reached from letters, or from a host, without signing in

log = structlog.get_logger(__name__)


class _Pages(Flask):
    """A Flask whose log says where a fault is, and never whom it concerns."""

    def log_exception(
        self,
        exc_info: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> None:
        """Log a fault by its kind and place: paths carry tokens, and messages may carry names."""
        log.error(
            "page_failed",
            endpoint=request.endpoint,
            method=request.method,
            error=exc_info[0].__name__ if exc_info[0] else None,
            where=trace(exc_info[1])[-3:] if isinstance(exc_info[1], Exception) else [],
        )


def create(
    runtime: Runtime,
    *,
    within: Within | None = None,
    presence: Presence | None = None,
    frame: Frame | None = None,
    overrides: Path | None = None,
) -> Flask:
    """Make the application of one installation.

    Args:
        runtime: The installation.
        within: Puts another application into it, innermost.
        presence: Says who of a host's users makes a request, where a host runs in this process.
        frame: The layout of that host, for our pages.
        overrides: A folder with templates that take the place of ours.
    """
    settings = runtime.settings
    secure = settings.public_url.startswith("https://")
    app = _Pages("connector.web")
    app.extensions[visit.EXTENSION] = runtime
    if presence is not None:
        prepare(app, presence)
    _configure(app, runtime, secure=secure)
    if runtime.network.clock is not None:  # else this machine is the only one
        app.session_interface = SignedCookies(runtime.network.clock)
    if within is not None:
        app.wsgi_app = within(app.wsgi_app)  # type: ignore[assignment, method-assign]
    if presence is not None:
        app.debug = False  # a host may be tried out with its faults shown, and its developer is not to be shown ours
    elif settings.trusted_proxies:
        app.wsgi_app = BehindProxies(  # type: ignore[method-assign]
            app.wsgi_app,
            hops=settings.trusted_proxies,
            networks=settings.proxy_networks,
        )
    prefix = path_of(settings.public_url)
    if prefix and presence is None:  # else the host has it taken off
        app.wsgi_app = UnderPrefix(app.wsgi_app, prefix)  # type: ignore[method-assign]
    if frame is not None:
        framing.prepare(app, frame)  # before anything else that looks at answers, and so after it
        app.add_url_rule("/static/framed.css", framing.STYLE, _framed_style)
    if overrides is not None:
        app.jinja_loader = ChoiceLoader([FileSystemLoader(overrides), *filter(None, [app.jinja_loader])])
    _prepare_templates(app, brand=settings.brand)
    speaking.prepare(app, runtime.languages, readers.locale)
    # Before anything else looks at the request. Passwords can be tried with calendars, and services be asked.
    limit(app, (*_MAILED, calendars.pages, connection.pages, support.pages), runtime)
    CSRFProtect(app).exempt(answer.let_in)
    for part in (
        *_MAILED,
        signin.pages,
        account.pages,
        week.pages,
        booking.pages,
        sessions.pages,
        offers.pages,
        away.pages,
        calendars.pages,
        clients.pages,
        subscriptions.pages,
        connection.pages,
        deliveries.pages,
        support.pages,
        support_signin.pages,
        health.checks,
        metrics.blueprint(runtime),
    ):
        app.register_blueprint(part)
    app.add_url_rule("/robots.txt", "robots", _robots)
    app.register_error_handler(HTTPException, _fault)
    app.register_error_handler(RuleError, _refusal)
    app.register_error_handler(StandstillError, _later)
    app.register_error_handler(PresenceError, lambda _error: _page("ours", 503))
    app.register_error_handler(StrangerError, lambda _error: _page("stranger", 403))
    app.before_request(_nothing_in_standstill)
    app.after_request(_hardened(secure=secure))
    return app


def path_of(public_url: str) -> str:
    """Return the path under which everything is, percent-encoded; empty for none."""
    return quote(urlsplit(public_url).path.rstrip("/"), safe="/%")


def _configure(app: Flask, runtime: Runtime, *, secure: bool) -> None:
    prefix = path_of(runtime.settings.public_url)
    guarded = "__Secure-" if prefix else "__Host-"  # the latter forbids a path of one's own
    app.config.update(
        SECRET_KEY=runtime.seal.token("cookie", UUID(int=0)),
        SESSION_COOKIE_NAME=f"{guarded}pencilled" if secure else "pencilled",
        SESSION_COOKIE_PATH=prefix or "/",
        SESSION_COOKIE_SECURE=secure,
        SESSION_COOKIE_HTTPONLY=True,
        SESSION_COOKIE_SAMESITE="Lax",
        PERMANENT_SESSION_LIFETIME=browsers.LONGEST,  # until when is for the database to say
        MAX_CONTENT_LENGTH=LARGEST_BODY,
        WTF_CSRF_TIME_LIMIT=None,  # a page may stay open as long as the offer
        WTF_CSRF_SSL_STRICT=False,  # wants a Referer, which no page of ours sends: answer links must not travel in one
    )


def _prepare_templates(app: Flask, *, brand: str) -> None:
    app.jinja_env.undefined = StrictUndefined
    app.jinja_env.trim_blocks = app.jinja_env.lstrip_blocks = True
    app.jinja_env.filters["address"] = readable_address
    app.jinja_env.globals.update(
        brand=brand,
        visitor=visit.visitor,
        signs_in_here=visit.signs_in_here,
        support_signs_in_here=visit.support_signs_in_here,
        navigation=navigation.of_practitioners,
        question_address=questions.address,
        absence_address=absences.address,
        away_address=absences.away_address,
        mail_address=mails.address,
        paused_address=paused.address,
        seconds_until=lambda at: max(0, int((at - visit.runtime().clock()).total_seconds())),
        standing_still=lambda: standstill.stands(visit.runtime().database),
    )


def _hardened(*, secure: bool) -> Callable[[Response], Response]:
    def harden(response: Response) -> Response:
        headers = response.headers
        headers["Content-Security-Policy"] = _POLICY
        headers["Referrer-Policy"] = "no-referrer"
        headers["X-Content-Type-Options"] = "nosniff"
        headers["X-Frame-Options"] = "DENY"
        headers["X-Robots-Tag"] = "noindex, nofollow"
        headers["Cross-Origin-Opener-Policy"] = "same-origin"
        if request.endpoint in ("static", framing.STYLE):
            headers["Cache-Control"] = "public, max-age=3600"
        headers.setdefault("Cache-Control", "no-store")
        if secure:
            headers["Strict-Transport-Security"] = "max-age=31536000"
        return response

    return harden


def _refusal(error: RuleError) -> ResponseReturnValue:
    if isinstance(error, NotFoundError):
        if "token" in (request.view_args or {}):
            note(Event.TOKEN_REFUSED, page=request.endpoint or "")
        return _nothing_there(error)
    return speaking.render("fault/refused.html", message=visit.refusal(error)), visit.status_of(error)


def _nothing_in_standstill() -> ResponseReturnValue | None:
    """Change nothing, and show nothing of what letters lead to, while it may be older than what their reader knows."""
    is_mailed = request.blueprint in {part.name for part in _MAILED}
    changes = request.method not in _SAFE and request.endpoint not in _IN_STANDSTILL and request.blueprint not in _DOORS
    if (is_mailed or changes) and standstill.stands(visit.runtime().database):
        return _page("later", 503)
    return None


def _later(_error: StandstillError) -> ResponseReturnValue:
    return _page("later", 503)


def _fault(error: HTTPException) -> ResponseReturnValue:
    cause = error.original_exception if isinstance(error, InternalServerError) else None
    if isinstance(cause, DBAPIError) and is_busy(cause):
        return _page("ours", 503)
    if isinstance(error, CSRFError):
        return _page("again", 400)
    if error.code is not None and error.code < 400:  # noqa: PLR2004 - a redirect is no fault
        return error
    status = error.code or 500
    if status == 404:  # noqa: PLR2004 - not found
        return _nothing_there()
    kinds = {429: "often"}
    response = make_response(_page(kinds.get(status, "ours" if status >= 500 else "request"), status))  # noqa: PLR2004
    if isinstance(error, MethodNotAllowed):
        response.allow.update(error.valid_methods or ())
    if isinstance(error, TooManyRequests):
        response.retry_after = 60
        note_limited()
    return response


def _nothing_there(error: NotFoundError | None = None) -> ResponseReturnValue:
    """Say that there is no such page, and how whoever asks for it goes on; a mailed link that fails tells no more."""
    link = readers.link()
    if link is None and readers.is_signed_in():
        return _page("gone", 404, message=visit.refusal(error) if error is not None else "")
    return _page("link" if link in (Link.ANSWER, Link.MINE, None) else "letter", 404)


def _page(kind: str, status: int, *, message: str = "") -> ResponseReturnValue:
    return speaking.render("fault/show.html", kind=kind, message=message), status


@cache
def _framed() -> str:
    return scoped((Path(__file__).parent / "static" / "style.css").read_text(encoding="utf-8"))


def _framed_style() -> Response:
    return Response(_framed(), mimetype="text/css")


def _robots() -> Response:
    return Response(f"User-agent: *\nAllow: {paths.NOTIFICATIONS}/\nDisallow: /\n", mimetype="text/plain")
