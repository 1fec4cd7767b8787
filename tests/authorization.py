"""Who may ask for what: every route there is, everybody who may ask, and how an installation answers them.

Everything stands in one installation: Ada's sessions, offers, connection, and what letters to her and her client lead
to. Each request is made by one role, for what is Ada's or her client's, with all that its route wants, and answered in
one word. What it changes is put back before the next.
"""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import count
from typing import Any
from uuid import UUID

import msgspec
from flask.testing import FlaskClient
from werkzeug.routing import Rule
from werkzeug.test import TestResponse

from connector.api import application, resources
from connector.api.routes import Route
from connector.domain.api_key import Scope
from connector.domain.notice import PauseReason
from connector.domain.notice_table import Link
from connector.domain.offer import Offer
from connector.domain.people import Level
from connector.paths import API
from connector.services import api_keys, publishing, short_links
from connector.services.outcomes import looking
from connector.services.scheduling import answers
from connector.storage import calendars, people
from tests.web.absences import absence_of
from tests.web.client_mails import of_kind
from tests.web.desk import Desk, desk
from tests.web.guests import connect_link
from tests.web.remote_changes import open_question, page_of, question_about_move
from tests.web.services import memory_service
from tests.web.stage import Browser, Stage

PEOPLE = ("anonymous", "holder", "client", "practitioner", "other")
"""Nobody; who has the right link; who has another's; Ada, signed in; Bob, signed in."""
SCOPES = tuple(scope.value for scope in Scope)
KEYS = (*SCOPES, "theirs", "revoked")
"""A key of the installation for each scope; Bob's key of all scopes; one of all that was revoked."""
ROLES = (*PEOPLE, *KEYS)
_CSRF = re.compile(r'name="csrf_token" value="([^"]+)"')
_PLACE = re.compile(r"<(?:\w+:)?(\w+)>")
SAID = {"url": "https://host.example/others", "since": "2026-03-02T09:00:00Z"}
"""What is said where a route that has no example wants it."""
_PHONE = "+4930123456"
_METHODS = ("GET", "POST", "PUT", "PATCH", "DELETE")
_DENIED = {400: "malformed", 401: "401", 403: "403", 404: "404", 405: "405", 410: "ended"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Asked:
    """One method of one path, as Flask writes it, and the API's declaration of it, if there is one."""

    method: str
    path: str
    route: Route | None = None

    @property
    def is_api(self) -> bool:
        """Whether it is the API's."""
        return self.path.startswith(API)

    def __str__(self) -> str:
        return f"{self.method} {self.path}"


@dataclass(kw_only=True)
class World:
    """An installation in which everything is Ada's or her client's, and Bob and his client have as much.

    Attributes:
        tokens: What stands in the links that lead to Ada's and her client's things, by how their pages begin.
        others: The same for Bob's client, who has an answer link.
        cookies: The browsers of those who are signed in, and of nobody, by role.
        secrets: The keys, by role.
    """

    stage: Stage
    here: Desk
    ids: Mapping[str, str]
    tokens: Mapping[str, str]
    others: str
    cookies: Mapping[str, tuple[str, str]] = field(default_factory=dict)
    secrets: Mapping[str, str] = field(default_factory=dict)
    _addresses: Iterator[int] = field(default_factory=lambda: count(1))
    _kept: sqlite3.Connection = field(default_factory=lambda: sqlite3.connect(":memory:"))

    def keep(self) -> None:
        """Remember how everything stands."""
        with sqlite3.connect(self._file) as stored:
            stored.backup(self._kept)
        stored.close()

    def put_back(self) -> None:
        """Have everything stand as it was."""
        with sqlite3.connect(self._file) as stored:
            self._kept.backup(stored)
        stored.close()

    @property
    def _file(self) -> str:
        return self.stage.runtime.settings.database_url.removeprefix("sqlite:///")

    def answer(self, asked: Asked, role: str) -> str:
        """Return in one word how a role is answered; or what is missing in `ids`, to ask for it."""
        if unnamed := {name for name in _PLACE.findall(asked.path) if name != "token" and name not in self.ids}:
            return f"nothing, since `world` names no {', '.join(sorted(unnamed))}"
        response = self._ask(asked, role)
        word = _word(asked, response)
        response.close()
        if asked.method != "GET":
            self.put_back()
        return word

    def text(self, asked: Asked, role: str) -> str:
        """Return what a role is shown."""
        response = self._ask(asked, role)
        text = response.text
        response.close()
        return text

    def _ask(self, asked: Asked, role: str) -> TestResponse:
        n = next(self._addresses)
        client: FlaskClient = self.stage.app.test_client(use_cookies=False)
        headers: dict[str, str] = {}
        more: dict[str, Any] = {"environ_overrides": {"REMOTE_ADDR": f"10.{n >> 16 & 255}.{n >> 8 & 255}.{n & 255}"}}
        if role in KEYS:
            headers["Authorization"] = f"Bearer {self.secrets[role]}"
        if asked.is_api:
            headers["If-Match"] = "*"
            more |= self._said(asked.route)
        cookie, token = self.cookies["anonymous" if role in KEYS else role]
        headers["Cookie"] = cookie
        if not asked.is_api and asked.method != "GET":
            more["data"] = {"csrf_token": token, "session_level": "2", "hold_level": "2"}
        path = _PLACE.sub(lambda match: self._part(asked, match[1], role), asked.path)
        return client.open(path, method=asked.method, headers=headers, **more)

    def _said(self, route: Route | None) -> dict[str, Any]:
        """Return what a request of the API says: its example, but about Ada and what is hers."""
        if route is None:
            return {}
        said: dict[str, Any] = {}
        if route.body is not None:
            said["json"] = self._about_ada(example_of(route))
        if route.query is not None:
            wanted = [one for one in msgspec.structs.fields(route.query) if one.required]
            said["query_string"] = {one.encode_name: self.ids[one.encode_name] for one in wanted}
        return said

    def _about_ada(self, value: Any) -> Any:
        if isinstance(value, dict):
            hers = {name: found for name, found in self.ids.items() if name.endswith("_id") or name == "reconnect"}
            named = {
                name
                for name in value
                if name.endswith("_external_id") and name.removesuffix("_external_id") + "_id" in hers
            }
            if "channel" in value:  # how somebody has agreed, by now
                hers["at"] = self.stage.now.isoformat()
            return {name: hers.get(name, self._about_ada(inner)) for name, inner in value.items() if name not in named}
        return [self._about_ada(inner) for inner in value] if isinstance(value, list) else value

    def _part(self, asked: Asked, name: str, role: str) -> str:
        if name == "choice" and asked.path.startswith("/question/"):
            return self.ids["question"]
        if name != "token" or asked.is_api:
            return self.ids[name]
        if role == "holder":
            return self.tokens[asked.path.split("/")[1]]  # below /support there is one alone: of its sign-in
        return self.others if role == "client" else "forged"


def example_of(route: Route) -> dict[str, Any]:
    """Return what could be sent: its example, or what has to be said at least."""
    assert route.body is not None
    if route.example is not None:
        example: dict[str, Any] = msgspec.to_builtins(route.example)
        return example
    return {one.name: SAID[one.name] for one in msgspec.structs.fields(route.body) if one.required}


def every_route(stage: Stage) -> list[Asked]:
    """Return every route there is, the pages' first."""
    declared = {(route.method, route.path): route for route in resources.ROUTES}
    found = [Asked(method=method, path=rule.rule) for rule in stage.app.url_map.iter_rules() for method in _of(rule)]
    for rule in application.create(stage.runtime).url_map.iter_rules():
        found += [
            Asked(method=method, path=API + rule.rule, route=declared.get((method, rule.rule))) for method in _of(rule)
        ]
    return sorted(found, key=lambda one: (one.is_api, one.path, _METHODS.index(one.method)))


def _of(rule: Rule) -> list[str]:
    return sorted((rule.methods or set()) - {"HEAD", "OPTIONS"})


def _word(asked: Asked, response: TestResponse) -> str:
    status = response.status_code
    assert status < 500, f"{asked}: {status} {response.text[:300]}"
    if status == 303 and response.location in ("/signin", "/support/signin"):
        return "signin"
    return _DENIED.get(status, "open")


@contextmanager
def world(stage: Stage) -> Iterator[World]:
    """Fill an installation, and let everybody in who is to be."""
    with memory_service(stage.clock) as service:
        here = desk(stage, service)
        mail = of_kind(stage, "unproved")
        question = question_about_move(here)
        session, drafted = stage.book(stage.at(12, 9)), stage.book(stage.at(13, 9))
        offer, draft = stage.offer(session=session), stage.draft(stage.at(16, 9), session=drafted)
        with stage.runtime.database.begin() as db:
            people.save_client(db, replace(stage.kim, phone=_PHONE))
        bobs = stage.book(stage.at(14, 9), client=stage.lou, practitioner=stage.bob)
        cookies = _cookies(stage)  # before a link is mailed, since the newest lets in and no other
        made = World(
            stage=stage,
            cookies=cookies,
            here=here,
            ids={
                "session_id": str(session.id),
                "offer_id": str(offer.id),
                "draft_id": str(draft.id),
                "alternative_id": str(offer.alternatives[0].id),
                "practitioner_id": str(stage.ada.id),
                "client_id": str(stage.kim.id),
                "connection_id": str(here.connections[0].id),
                "reconnect": str(here.connections[0].id),
                "slug": "memory",
                "filename": "style.css",
                "external_id": "unheard-of",
                "name": str(session.id),
                "code": "not_found",
                "channel_id": "forged",
                "feed_id": str(UUID(int=7)),  # nobody has one
                "question": question.row.answers[0].value,
                "choice": mail.row.choices[-1].value,
                "from": stage.now.isoformat(),
                "to": (stage.now + timedelta(days=7)).isoformat(),
                "minutes": "50",
                "zone": stage.ada.zone,
                "for_session": str(session.id),
            },
            tokens=_tokens(here, mail_id=mail.id, offer=offer),
            others=_last(stage.link(stage.offer(stage.at(17, 9), session=bobs))),
        )
        made.secrets, key_id = _keys(stage)
        made.ids = {**made.ids, "key_id": str(key_id), **_endpoint(made)}
        made.keep()
        yield made
        made._kept.close()


def _endpoint(made: World) -> dict[str, str]:
    """Have Ada's outcomes told to an endpoint, and a delivery of its test, and return the ids of both."""
    said = {"url": "https://host.example/outcomes", "practitioner_id": str(made.stage.ada.id)}
    headers = {"Authorization": f"Bearer {made.secrets['admin']}", "If-Match": "*"}
    client = made.stage.app.test_client(use_cookies=False)
    added = client.post(f"{API}/endpoints", json=said, headers=headers).json
    assert added
    tested = client.post(f"{API}/endpoints/{added['id']}/test", headers=headers).json
    assert tested
    return {"endpoint_id": added["id"], "delivery_id": tested["delivery_id"]}


def _tokens(here: Desk, *, mail_id: UUID, offer: Offer) -> dict[str, str]:
    """Return what stands in the links that lead to Ada's and her client's things, by how their paths begin."""
    stage, runtime = here.stage, here.stage.runtime
    reads = Level.BUSY
    with runtime.database.begin() as db:
        absence_id = absence_of(db, stage.ada.id, [stage.session], now=stage.now).id
        calendar = publishing.open_for_practitioner(
            db, runtime.seal, stage.ada.id, session_level=reads, hold_level=reads, by=stage.by, now=stage.now
        )
        until = stage.now + timedelta(days=1)
        short = short_links.lend(db, runtime.seal, answers.PURPOSE, offer.id, reader=_PHONE, ends_at=until)
        calendars.pause(db, here.calendar.id, PauseReason.EMPTIED, count=3, now=stage.now)
    return {
        "answer": _last(runtime.link(Link.ANSWER, offer.id)),
        "mine": _last(runtime.link(Link.MINE, stage.session.id, reader=stage.kim.email)),
        "mail": _last(runtime.link(Link.MAIL, mail_id)),
        "absence": _last(runtime.link(Link.ABSENCE, absence_id)),
        "clash": _last(runtime.link(Link.CONFLICT, offer.alternatives[0].id)),
        "stopped": _last(runtime.link(Link.PAUSED, here.calendar.id, since=here.calendar.paused_at)),
        "question": _last(page_of(stage, open_question(stage))),
        "signin": _last(stage.sign_in_link(stage.ada)),
        "support": _last(stage.support_link()),
        "subscription": publishing.link_token(runtime.seal, stage.session.id, stage.kim.email),
        "feed": publishing.token_of(runtime.seal, calendar),
        "s": short,
        "connect": _last(connect_link(stage)),
        "hooks": "forged",
        "deliveries": looking.make(runtime.seal, endpoint_id=None, now=stage.now)[0],
    }


def _cookies(stage: Stage) -> dict[str, tuple[str, str]]:
    """Return the cookie and the form token of each browser, by role."""
    nobody = _cookie(stage.browser(), "/signin")
    return {
        **dict.fromkeys(("anonymous", "holder", "client"), nobody),
        "practitioner": _cookie(stage.signed_in(stage.ada), "/sessions"),
        "other": _cookie(stage.signed_in(stage.bob), "/sessions"),
    }


def _cookie(browser: Browser, path: str) -> tuple[str, str]:
    found = _CSRF.search(browser.get(path).text)
    cookie = browser.http.get_cookie("pencilled")
    assert found
    assert cookie
    return f"pencilled={cookie.value}", found[1]


def _keys(stage: Stage) -> tuple[dict[str, str], UUID]:
    """Return the secret of each key, by role, and the id of one more."""
    every: dict[str, tuple[tuple[Scope, ...], UUID | None]] = {scope.value: ((scope,), None) for scope in Scope}
    every |= {
        "theirs": (tuple(Scope), stage.bob.id),
        "revoked": (tuple(Scope), None),
        "": ((Scope.READ,), stage.ada.id),
    }
    secrets, ids = {}, {}
    for role, (scopes, practitioner_id) in every.items():
        with stage.runtime.database.begin() as db:
            made = api_keys.make(db, name="A key", scopes=scopes, practitioner_id=practitioner_id, now=stage.now)
            secrets[role], ids[role] = made.secret, made.key.id
            if role == "revoked":
                api_keys.revoke(db, made.key, now=stage.now)
    return secrets, ids[""]


def _last(path: str) -> str:
    return path.rpartition("/")[2]
