"""A host that is made to hurt: whatever a booking site may have that could reach pages of others in its process."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from flask import Blueprint, Flask, Response, flash, g, redirect, render_template_string, request
from flask import session as cookie
from flask.typing import ResponseReturnValue
from flask_limiter import Limiter
from flask_limiter.util import get_remote_address
from flask_wtf.csrf import CSRFProtect  # type: ignore[import-untyped]  # as in connector/web/pages.py
from jinja2 import DictLoader
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import TestResponse

POLICY = "default-src 'none'; style-src 'self'; script-src 'nonce-hurting'"
TEMPLATES = {
    "layout/base.html": "<!doctype html><title>{% block title %}Hurting{% endblock %}</title>"
    '<nav>{{ g.user }}<form method="post" action="/logout"><input name="csrf_token" value="{{ csrf_token() }}"></form>'
    "</nav>{% block main %}{% endblock %}",
    "sessions/list.html": '{% extends "layout/base.html" %}{% block main %}Its own sessions{% endblock %}',
    "fault/show.html": '{% extends "layout/base.html" %}{% block main %}Its own fault{% endblock %}',
    "rearrange.html": '{% extends "layout/base.html" %}{% block title %}{{ pencilled.title }}{% endblock %}'
    "{% block main %}{{ pencilled.head }}{{ pencilled.body }}{% endblock %}",
}
LARGEST = 300  # bytes

_VOLATILE = re.compile(r"(?<=csrf_token\" value=\")[^\"]+|(?<=session=)[^;]+")


def make_hurting(folder: Path, *, proxied: bool) -> Flask:
    """Make one; `folder` has its static files, and `proxied` is whether its ProxyFix is there already."""
    if not (folder / "style.css").exists():
        (folder / "style.css").write_text("nav { color: red }\n")
    host = Flask("hurting", static_folder=str(folder), static_url_path="/static")
    host.config.update(
        SECRET_KEY="another key of the host's, and long enough",
        MAX_CONTENT_LENGTH=LARGEST,
        SESSION_COOKIE_NAME="hurting",
        SESSION_COOKIE_SAMESITE="Strict",
        SESSION_REFRESH_EACH_REQUEST=True,
        TRAP_HTTP_EXCEPTIONS=True,
        WTF_CSRF_SSL_STRICT=True,
    )
    host.jinja_loader = DictLoader(TEMPLATES)
    if proxied:
        behind_proxy(host)
    limiter = Limiter(get_remote_address, app=host, default_limits=["20 per minute"], storage_uri="memory://")
    CSRFProtect(host)
    sessions = Blueprint("sessions", __name__, url_prefix="/sessions")
    limiter.limit("3 per minute")(sessions)

    @sessions.get("")
    def every() -> str:
        return render_template_string('{% include "sessions/list.html" %}')

    @sessions.get("/broken")
    def broken() -> str:
        raise LookupError("a fault of the host's own")

    host.register_blueprint(sessions)
    host.before_request(_gate)
    host.after_request(_policy)
    host.teardown_request(_forget)
    host.register_error_handler(Exception, _whatever)
    host.add_url_rule("/login", "login", _login, methods=["GET", "POST"])
    host.add_url_rule("/", "home", lambda: render_template_string('{% extends "layout/base.html" %}'))
    return host


def behind_proxy(host: Flask) -> None:
    """Have a host believe the proxy in front of it."""
    host.wsgi_app = ProxyFix(host.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)  # type: ignore[method-assign]


def present() -> str | None:
    """Whom it says to be present."""
    user: str | None = g.user
    return user


def _gate() -> ResponseReturnValue | None:
    g.user = cookie.get("user")
    if g.user is None and request.endpoint not in {"login", "static"}:
        return redirect(f"/login?next={request.path}")
    return None


def _policy(response: Response) -> Response:
    response.headers["Content-Security-Policy"] = POLICY
    response.headers["X-Robots-Tag"] = "all"
    response.headers["Cache-Control"] = "public, max-age=60"
    return response


def _forget(_error: BaseException | None) -> None:
    g.pop("user", None)


def _whatever(error: Exception) -> ResponseReturnValue:
    return f"The host caught {type(error).__name__}", 500


def _login() -> ResponseReturnValue:
    if request.method == "POST":
        cookie["user"] = request.form["user"]
        flash("You are in.")
        return redirect(request.args.get("next", "/"), 303)
    return render_template_string('{% extends "layout/base.html" %}')


def its_own_tests(host: Flask) -> list[tuple[Any, ...]]:
    """Ask a host for everything of its own, and return all that it answers, headers and all."""
    http = host.test_client()
    answers = [http.get(path) for path in ("/", "/sessions", "/static/style.css", "/login", "/login?next=/sessions")]
    token = re.search(r'csrf_token" value="([^"]+)"', answers[3].text)
    assert token
    answers += [
        http.post("/login", data={"user": "user-1"}),
        http.post("/login", data={"user": "user-1", "csrf_token": token[1]}),
        http.post("/login", data={"user": "user-1" * LARGEST}),
        *(http.get(path) for path in ("/", "/nowhere", "/sessions", "/sessions/broken", "/sessions", "/sessions")),
        http.delete("/sessions"),
        http.open("/sessions", method="OPTIONS"),
        http.head("/"),
        *(http.get(path) for path in ("/rearranged", "/signin", "/hooks/google", "/api/v1/", "/static/framed.css")),
    ]
    return [_plain(answer) for answer in answers]


def _plain(answer: TestResponse) -> tuple[Any, ...]:
    """Return an answer without what differs from one time to the next."""
    headers: list[tuple[str, str]] = [(name, _fixed(value)) for name, value in answer.headers if name != "Date"]
    text = _VOLATILE.sub("", answer.text)
    answer.close()
    return answer.status, headers, text


def _fixed(value: str) -> str:
    return re.sub(r"(?<=hurting=)[^;]+|Expires=[^;]+|(?<=style.css; )\S+", "", value)


FORWARDED: Mapping[str, str] = {
    "X-Forwarded-For": "203.0.113.9",
    "X-Forwarded-Proto": "https",
    "X-Forwarded-Host": "booking.example",
}
"""What the proxy in front says."""
