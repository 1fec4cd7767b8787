"""Hosts that have Pencilled within them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from typing import Any

import sqlalchemy as sa
from flask import Flask, g, redirect, request
from flask import session as cookie
from flask.testing import FlaskClient
from flask.typing import ResponseReturnValue
from werkzeug.test import TestResponse

from connector.plugin import Pencilled
from connector.storage.tables import clients, practitioners
from tests.web.stage import KEY, Stage

PREFIX = "/rearrange"
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


def named(stage: Stage, **external_ids: str) -> None:
    """Have the people of an installation known to a host by its own ids."""
    with stage.runtime.database.begin() as db:
        for name, external_id in external_ids.items():
            ids = {"ada": stage.ada.id, "bob": stage.bob.id, "kim": stage.kim.id, "lou": stage.lou.id}
            table = practitioners if name in {"ada", "bob"} else clients
            db.execute(sa.update(table).where(table.c.id == ids[name]).values(external_id=external_id))


def settings(stage: Stage, *, root: str = "http://localhost", **more: str) -> dict[str, str]:
    """The settings of a host that has this installation."""
    return {
        "CONNECTOR_DATABASE_URL": stage.runtime.settings.database_url,
        "CONNECTOR_SECRET_KEYS": KEY,
        "CONNECTOR_PUBLIC_URL": f"{root}{PREFIX}",
        **more,
    }


def make_host(name: str = "booking") -> Flask:
    """A small host: people sign in by their id, and each of its pages says who they are."""
    host = Flask(name)
    host.config["SECRET_KEY"] = "the host's own, and long enough"

    @host.before_request
    def _load() -> None:
        g.user = cookie.get("user")

    @host.route("/login", methods=["GET", "POST"])
    def login() -> ResponseReturnValue:
        if request.method == "POST":
            cookie["user"] = request.form["user"]
            return redirect(request.args.get("next", "/"), 303)
        return "Sign in"

    @host.get("/")
    def home() -> ResponseReturnValue:
        return f"Hello {g.user}"

    return host


def present() -> str | None:
    """Whom the small host says to be present."""
    user: str | None = g.user
    return user


def with_pencilled(stage: Stage, host: Flask | None = None, **more: Any) -> Flask:
    """A host with this installation within it."""
    host = host or make_host()
    chosen: dict[str, Any] = {
        "url_prefix": PREFIX,
        "settings": settings(stage),
        "who": present,
        "sign_in": "/login",
        "start": "command",
    } | more
    Pencilled(host, **chosen)
    return host


@dataclass
class Person:
    """Somebody at a host, with a browser that keeps cookies and sends the token of the form it was shown."""

    http: FlaskClient

    def sign_in(self, user: str) -> Person:
        self.http.post("/login", data={"user": user})
        return self

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.http.get(path, **more)

    def post(self, path: str, form: dict[str, str] | None = None, *, page: str | None = None) -> TestResponse:
        match = _TOKEN.search(self.get(page or path).text)
        assert match, "no form there"
        return self.http.post(path, data={"csrf_token": match[1], **(form or {})})


def person(host: Flask, user: str | None = None) -> Person:
    somebody = Person(host.test_client())
    return somebody.sign_in(user) if user else somebody
