"""Our pages within a host: whom it says to be present is, and nothing is opened before somebody comes."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterable, Iterator
from dataclasses import replace
from functools import partial
from pathlib import Path
from threading import Event, Thread
from typing import TYPE_CHECKING, Any, cast
from urllib.parse import parse_qs, urlsplit

import click
import pytest
import sqlalchemy as sa
from flask import Flask, g, redirect, request
from flask import session as cookie
from structlog.testing import capture_logs
from werkzeug.middleware.dispatcher import DispatcherMiddleware
from werkzeug.middleware.proxy_fix import ProxyFix
from werkzeug.test import Client

from connector import failures, logs
from connector.errors import NotReadyError, SettingsError
from connector.plugin import EXTENSION, Pencilled
from connector.storage import people
from connector.storage.tables import sessions as tables
from tests.hosted.hosts import PREFIX, make_host, person, present, settings, with_pencilled
from tests.web.stage import Stage

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

ROOT = Path(__file__).parent.parent.parent


def test_whoever_is_signed_in_at_the_host_is_signed_in_here(stage: Stage) -> None:
    ada = person(with_pencilled(stage), "user-1")
    page = ada.get(f"{PREFIX}/sessions")
    assert page.status_code == 200
    assert stage.ada.name in page.text
    assert stage.kim.name in page.text
    assert ada.get("/").text == "Hello user-1"


def test_whoever_is_not_is_sent_to_the_host_and_comes_back(stage: Stage) -> None:
    ada = person(with_pencilled(stage))
    asked = ada.get(f"{PREFIX}/sessions/{stage.session.id}")
    assert (asked.status_code, asked.location) == (303, f"/login?next={PREFIX}/sessions/{stage.session.id}")
    back = ada.http.post(asked.location, data={"user": "user-1"})
    assert ada.get(back.location).status_code == 200


def test_the_bare_prefix_shows_the_week(stage: Stage) -> None:
    ada = person(with_pencilled(stage), "user-1")
    assert all("<h1>Your week</h1>" in ada.get(path).text for path in (PREFIX, f"{PREFIX}/"))


def test_another_user_of_the_host_is_another_practitioner_at_once(stage: Stage) -> None:
    ada = person(with_pencilled(stage), "user-1")
    own = f"{PREFIX}/sessions/{stage.session.id}/cancel"
    form = ada.get(own)
    ada.sign_in("user-2")
    token = form.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    assert ada.http.post(own, data={"csrf_token": token, "reason": ""}).status_code == 404
    assert stage.stored_session() == stage.session


def test_a_stranger_is_told_so(stage: Stage) -> None:
    page = person(with_pencilled(stage), "somebody-else").get(f"{PREFIX}/sessions")
    assert page.status_code == 403
    assert "not as somebody who gives sessions" in page.text


def test_what_no_database_can_be_asked_for_is_nobody_and_nothing(stage: Stage) -> None:
    assert person(with_pencilled(stage), "user\x00-1").get(f"{PREFIX}/sessions").status_code == 403
    assert person(with_pencilled(stage), "user-1").get(f"{PREFIX}/sessions/called/a%00b").status_code == 404


@pytest.mark.parametrize("other", ["client", "support"])
def test_another_user_of_the_host_is_not_sent_to_and_fro(stage: Stage, other: str) -> None:
    says: dict[str, Any] = {"who": lambda: None, other: lambda: cookie.get("user")}
    host = with_pencilled(stage, **says)
    assert person(host, "user-1").get(f"{PREFIX}/sessions").status_code == 403
    assert person(host).get(f"{PREFIX}/sessions").location == f"/login?next={PREFIX}/sessions"


def test_nobody_signs_in_here(stage: Stage) -> None:
    host = with_pencilled(stage)
    link = PREFIX + stage.sign_in_link(stage.ada)
    for path in (f"{PREFIX}/signin", link):
        assert person(host).get(path).location == f"/login?next={PREFIX}/"
    ada = person(host, "user-1")
    assert ada.get(f"{PREFIX}/signin").location == f"{PREFIX}/"
    account = ada.get(f"{PREFIX}/account")
    assert stage.ada.email in account.text
    assert "signout" not in account.text


def test_without_who_people_sign_in_by_mail(stage: Stage) -> None:
    page = person(with_pencilled(stage, who=None, sign_in=None)).get(f"{PREFIX}/sessions")
    assert page.location == f"{PREFIX}/signin"


def test_a_retired_practitioner_is_a_stranger(stage: Stage) -> None:
    with stage.runtime.database.begin() as db:
        people.retire_practitioner(db, stage.bob.id, now=stage.now)
    assert person(with_pencilled(stage), "user-2").get(f"{PREFIX}/sessions").status_code == 403


def test_a_gate_of_the_host_decides_nothing_here(stage: Stage) -> None:
    host = make_host()

    @host.before_request
    def _gate() -> Any:
        return ("Sign in first", 401) if request.endpoint != "login" else None

    ada = person(with_pencilled(stage, host), "user-1")
    assert ada.get("/").status_code == 401
    assert ada.get(f"{PREFIX}/sessions").status_code == 200


def test_whom_a_gate_stopped_before_anybody_was_looked_for_is_nobody(stage: Stage) -> None:
    host = Flask("gated")
    host.secret_key = "the host's own, and long enough"

    @host.before_request
    def _gate() -> Any:
        return redirect("/login") if "user" not in cookie else None

    @host.before_request
    def _load() -> None:
        g.user = cookie["user"]

    page = person(with_pencilled(stage, host)).get(f"{PREFIX}/sessions")
    assert page.location == f"/login?next={PREFIX}/sessions"


def test_the_host_is_asked_once_a_request_without_the_body(stage: Stage) -> None:
    asked: list[tuple[str, str, int, str | None]] = []

    def who() -> str | None:
        asked.append((request.method, request.path, len(request.get_data()), request.content_type))
        return present()

    ada = person(with_pencilled(stage, who=who), "user-1")
    own = f"{PREFIX}/sessions/{stage.session.id}/cancel"
    assert ada.post(own, {"reason": ""}).status_code == 303
    assert asked == [("GET", own, 0, None)] * 2


@pytest.mark.parametrize(
    ("says", "line"),
    [
        (lambda: 1 / 0, {"event": "host_failed", "function": "who", "error": "ZeroDivisionError"}),
        (lambda: 7, {"event": "host_answered_wrongly", "function": "who"}),
    ],
    ids=["raises", "no-text"],
)
def test_what_the_host_cannot_say_is_a_plain_page_and_a_line_in_the_log(
    stage: Stage, says: Any, line: dict[str, Any]
) -> None:
    with capture_logs() as log:
        page = person(with_pencilled(stage, who=says), "user-1").get(f"{PREFIX}/sessions")
    assert page.status_code == 503
    assert "It is not your fault." in page.text
    assert "Traceback" not in page.text
    found = next(one for one in log if one["event"] == line["event"])
    assert line.items() <= found.items()
    assert "tests.hosted.test_mounted" in found["where"][-1] if "where" in found else "str(user.id)" in found["error"]


def test_nobody_waits_for_a_host_that_takes_its_time_but_who_asked(stage: Stage) -> None:
    begun, go_on = Event(), Event()

    def who() -> str | None:
        if "slow" in request.args:
            begun.set()
            assert go_on.wait(30)
        return present()

    host = with_pencilled(stage, who=who)
    ada, bob = person(host, "user-1"), person(host, "user-2")
    pages: list[int] = []
    waiting = Thread(target=lambda: pages.append(ada.get(f"{PREFIX}/sessions?slow=1").status_code))
    waiting.start()
    assert begun.wait(30)
    own = f"{PREFIX}/sessions/{stage.bobs.id}/cancel"
    assert bob.post(own, {"reason": ""}).status_code == 303, "he reads and writes meanwhile"
    assert pages == []
    go_on.set()
    waiting.join(30)
    assert pages == [200]


@pytest.mark.parametrize(
    ("sign_in", "leads_to"),
    [
        ("/login?from=us", "/login?from=us&next="),
        ("https://id.example/in", "https://id.example/in?next="),
        (lambda next_url: f"/{g.user}/in?back={next_url}", "/None/in?back="),
    ],
)
def test_where_to_sign_in_is_for_the_host_to_say(stage: Stage, sign_in: Any, leads_to: str) -> None:
    asked = person(with_pencilled(stage, sign_in=sign_in)).get(f"{PREFIX}/calendars")
    assert asked.location == f"{leads_to}{PREFIX}/calendars"


def test_an_address_that_is_none_is_a_plain_page(stage: Stage) -> None:
    for wrong in ("javascript:alert(1)", "/login\r\nSet-Cookie: a=b"):
        page = person(with_pencilled(stage, sign_in=lambda _back, says=wrong: says)).get(f"{PREFIX}/sessions")
        assert page.status_code == 503


def test_support_is_present_if_the_host_says_so(stage: Stage) -> None:
    host = with_pencilled(stage, who=None, support=lambda: "Sam" if g.user == "staff" else None)
    assert host.extensions[EXTENSION].runtime.settings.public_url.endswith(PREFIX)
    assert person(host).get(f"{PREFIX}/sessions").location == f"{PREFIX}/signin", "practitioners sign in here"


def middleware(host: Flask, around: str) -> None:
    inner = host.wsgi_app

    def closure(environ: Any, start: Any) -> Any:
        return inner(environ, start)

    proxy = ProxyFix(inner, x_for=1, x_proto=1, x_host=1, x_prefix=1)
    host.wsgi_app = proxy if around == "proxy" else closure  # type: ignore[assignment, method-assign]


@pytest.mark.parametrize("around", ["proxy", "closure"])
@pytest.mark.parametrize("first", [True, False], ids=["before", "after"])
def test_what_stands_around_the_host_stands_around_ours(stage: Stage, around: str, first: bool) -> None:  # noqa: FBT001
    host = make_host()
    if first:
        middleware(host, around)
        with_pencilled(stage, host)
    else:
        with_pencilled(stage, host)
        middleware(host, around)
    prefix = "/shop" if around == "proxy" else ""
    forwarded = {"X-Forwarded-For": "203.0.113.9", "X-Forwarded-Prefix": prefix} if prefix else {}
    with capture_logs() as log:
        pages = [
            person(host).http.post(f"{PREFIX}/answer/nonsense/none", headers=forwarded).status_code for _ in range(3)
        ]
    assert pages == [400] * 3, log
    assert person(host).get("/").text == "Hello None"


def test_the_address_is_the_public_one_behind_a_proxy_that_names_its_prefix(stage: Stage) -> None:
    host = make_host()
    host.wsgi_app = ProxyFix(host.wsgi_app, x_for=1, x_proto=1, x_host=1, x_prefix=1)  # type: ignore[method-assign]
    public = settings(stage, root="https://booking.example/shop")
    with_pencilled(stage, host, settings=public)
    ada = person(host)
    headers = {"X-Forwarded-Prefix": "/shop", "X-Forwarded-Proto": "https", "X-Forwarded-Host": "booking.example"}
    asked = ada.get(f"{PREFIX}/sessions", headers=headers)
    assert asked.location == f"/shop/login?next=/shop{PREFIX}/sessions"
    form = ada.get(f"{PREFIX}{stage.link(stage.offer())}/none", headers=headers)
    assert f"Path=/shop{PREFIX};" in form.headers["Set-Cookie"]
    assert f'action="/shop{PREFIX}/answer/' in form.text


def test_a_dispatcher_around_the_host_is_no_obstacle(stage: Stage) -> None:
    host = with_pencilled(stage, settings=settings(stage, root="http://localhost/shop"))
    other = cast("WSGIApplication", Flask("other"))
    outside = Client(DispatcherMiddleware(other, {"/shop": cast("WSGIApplication", host)}))
    asked = outside.get(f"/shop{PREFIX}/sessions")
    assert (asked.status_code, asked.location) == (303, f"/shop/login?next=/shop{PREFIX}/sessions")
    assert outside.get(f"{PREFIX}/sessions").status_code == 404


@pytest.mark.parametrize(("path", "status"), [("/nowhere", 404), ("/signout", 405), ("/api/v1/nowhere", 404)])
def test_what_is_wrong_under_the_prefix_is_for_us_to_say(stage: Stage, path: str, status: int) -> None:
    host = make_host()
    host.register_error_handler(Exception, lambda _error: ("the host's own words", 418))
    answer = person(with_pencilled(stage, host), "user-1").get(PREFIX + path)
    assert (answer.status_code, "the host's own" in answer.text) == (status, False)
    assert person(host).get(f"{PREFIX}s").status_code == 418, "that only begins like it"


@pytest.mark.parametrize(
    "prefix", ["", "/", "rearrange", "/rearrange/", "/a/../b", "/a b", "/ä", "/a//b", "/<x>", None]
)
def test_a_prefix_that_is_none_is_refused(stage: Stage, prefix: Any) -> None:
    with pytest.raises(SettingsError, match=r"url_prefix: .* such as /rearrange"):
        Pencilled(url_prefix=prefix, settings=settings(stage))


def bit_by_bit(*_given: Any) -> Iterator[str]:
    yield "user-1"


@pytest.mark.parametrize(
    ("wrong", "fault"),
    [
        ({"who": "user-1"}, "who: give a function"),
        ({"who": present, "sign_in": None}, "sign_in: say where"),
        ({"who": None}, "sign_in: leads nowhere"),
        ({"sign_in": "login"}, "sign_in: 'login' is no path"),
        ({"sign_in": 7}, "sign_in: give a path"),
        ({"who": bit_by_bit}, "who: give a plain function"),
        ({"on_outcome": partial(bit_by_bit, 1)}, "on_outcome: give a plain function"),
        ({"start": "now"}, "start: 'now' is none of elected, command"),
        ({"frame_answers": True}, "frame_answers: there is no frame"),
        ({"settings": {"CONNECTOR_LISTEN": 80}}, "settings: CONNECTOR_LISTEN: give text"),
        ({"settings": {"CONNECTOR_NONE": ""}}, "CONNECTOR_NONE: there is no such setting"),
        ({"settings": {}}, "CONNECTOR_PUBLIC_URL: .* does not end in /rearrange"),
        ({"settings": {"CONNECTOR_PUBLIC_URL": "http://h/other"}}, "CONNECTOR_PUBLIC_URL: http://h/other does not end"),
    ],
)
def test_what_cannot_be_used_is_refused_at_start(stage: Stage, wrong: dict[str, Any], fault: str) -> None:
    host = make_host()
    before = dict(vars(host))
    with pytest.raises(SettingsError, match=fault):
        with_pencilled(stage, host, **wrong)
    assert vars(host) == before


def test_a_rule_under_the_prefix_is_refused_at_start(stage: Stage) -> None:
    host = make_host()
    host.add_url_rule(f"{PREFIX}/<path:rest>", "seats", lambda rest: rest)
    with pytest.raises(SettingsError, match=r"a rule /rearrange/<path:rest> of its own \(endpoint seats\)"):
        with_pencilled(stage, host)


def test_one_that_comes_later_is_refused_with_the_first_request(stage: Stage) -> None:
    host = with_pencilled(stage)
    host.add_url_rule(PREFIX, "seats", lambda: "")
    for path in ("/", PREFIX):
        with pytest.raises(SettingsError, match=r"\(endpoint seats\)"):
            person(host).get(path)


def test_a_cookie_of_our_name_is_refused(stage: Stage) -> None:
    host = with_pencilled(stage)
    host.config["SESSION_COOKIE_NAME"] = "pencilled"
    with pytest.raises(SettingsError, match="SESSION_COOKIE_NAME"):
        person(host).get("/")


def test_what_keeps_the_host_itself_as_its_app_is_none_that_can_be_gone_into(stage: Stage) -> None:
    host = make_host()

    class Around:
        def __init__(self, app: Flask) -> None:
            self.app = app
            self._inner = app.wsgi_app

        def __call__(self, environ: WSGIEnvironment, start_response: StartResponse) -> Iterable[bytes]:
            return self._inner(environ, start_response)

    host.wsgi_app = Around(host)  # type: ignore[method-assign]
    ada = person(with_pencilled(stage, host), "user-1")
    assert ada.get(f"{PREFIX}/sessions").status_code == 200
    assert ada.get("/").text == "Hello user-1"


def test_one_host_takes_one(stage: Stage) -> None:
    host = with_pencilled(stage)
    with pytest.raises(SettingsError, match="has a Pencilled already"):
        with_pencilled(stage, host)


def test_nothing_of_the_host_is_touched(stage: Stage) -> None:
    plain, mounted = make_host(), with_pencilled(stage)
    person(mounted, "user-1").get(f"{PREFIX}/sessions")
    assert mounted.config == plain.config
    assert set(mounted.extensions) - set(plain.extensions) == {EXTENSION}
    assert set(mounted.cli.commands) - set(plain.cli.commands) == {"pencilled"}
    assert type(mounted.session_interface) is type(plain.session_interface)
    assert set(mounted.jinja_env.globals) == set(plain.jinja_env.globals)
    for name in ("before_request_funcs", "after_request_funcs", "teardown_request_funcs", "error_handler_spec"):
        ours, theirs = vars(mounted)[name], vars(plain)[name]
        assert {key: len(value) for key, value in ours.items()} == {key: len(value) for key, value in theirs.items()}
    assert [rule.rule for rule in mounted.url_map.iter_rules()] == [rule.rule for rule in plain.url_map.iter_rules()]


def test_what_we_log_goes_where_the_hosts_does(stage: Stage, caplog: pytest.LogCaptureFixture) -> None:
    del stage
    logs.through_host()
    caplog.set_level(logging.WARNING)
    failures.tell("something_failed", "why")
    [record] = caplog.records
    assert (record.name, record.levelno) == ("connector.failures", logging.WARNING)
    assert "event='something_failed'" in record.getMessage()


def test_whoever_signs_in_comes_back_to_the_very_address(stage: Stage) -> None:
    visitor = person(with_pencilled(stage))
    for name in ("A%3FB", "order%237", "50%2525off", "a%20b/c"):
        asked = visitor.get(f"{PREFIX}/sessions/called/{name}?offer")
        assert parse_qs(urlsplit(asked.location).query)["next"] == [f"{PREFIX}/sessions/called/{name}?offer"]


def test_nothing_is_opened_while_a_host_is_made(stage: Stage, tmp_path: Path) -> None:
    file = tmp_path / "none" / "pencilled.sqlite3"
    file.parent.mkdir()
    host = with_pencilled(stage, settings={**settings(stage), "CONNECTOR_DATABASE_URL": f"sqlite:///{file}"})
    assert person(host).get("/").status_code == 200
    with capture_logs() as log:
        pages = [person(host).get(path) for path in (f"{PREFIX}/sessions", f"{PREFIX}/api/v1/sessions")]
    assert [page.status_code for page in pages] == [503, 503]
    assert "Please try again later." in pages[0].text
    assert (pages[1].mimetype, (pages[1].json or {})["code"]) == ("application/problem+json", "not_ready")
    told = [line["error"] for line in log if line["event"] == "not_ready"]
    assert told == ["There is no database yet. Run: flask pencilled migrate --new"]
    assert list(file.parent.iterdir()) == []
    with pytest.raises(NotReadyError, match="flask pencilled migrate"):
        _ = host.extensions[EXTENSION].runtime


def test_the_hosts_own_command_makes_the_database_and_then_all_is_served(stage: Stage, tmp_path: Path) -> None:
    own = {**settings(stage), "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/own.sqlite3"}
    host = with_pencilled(stage, settings=own)
    german = {"Accept-Language": "de"}
    assert "Bitte versuchen Sie es später" in person(host).get(f"{PREFIX}/sessions", headers=german).text
    done = host.test_cli_runner().invoke(args=["pencilled", "migrate", "--new"])
    assert done.exit_code == 0, done.output
    assert person(host).get(f"{PREFIX}/sessions").status_code == 303
    listed = host.test_cli_runner().invoke(args=["pencilled", "practitioners", "list", "--json"])
    assert listed.output.strip() == "[]"


def test_commands_that_serve_pages_are_the_hosts_own(stage: Stage) -> None:
    host = with_pencilled(stage)
    [command] = [one for name, one in host.cli.commands.items() if name == "pencilled"]
    assert isinstance(command, click.Group)
    offered = set(command.list_commands(click.Context(command)))
    assert {"practitioners", "migrate", "doctor"} <= offered
    assert offered & {"serve", "web", "demo"} == set()
    refused = host.test_cli_runner().invoke(args=["pencilled", "practitioners", "show", "nobody"])
    assert refused.exit_code != 0
    assert not isinstance(refused.exception, AssertionError)


def test_addresses_are_for_the_hosts_templates(stage: Stage) -> None:
    pencilled = Pencilled(
        url_prefix=PREFIX, settings=settings(stage, root="https://booking.example/shop"), who=present, sign_in="/login"
    )
    with pytest.raises(RuntimeError, match="init_app"):
        pencilled.url("sessions")
    host = make_host()
    pencilled.init_app(host)
    assert pencilled.url("sessions") == f"/shop{PREFIX}/sessions"
    session = f"{PREFIX}/sessions/{stage.session.id}"
    assert pencilled.url("session", stage.session.id) == f"/shop{session}"
    assert pencilled.url("offer", stage.session.id, absolute=True) == f"https://booking.example/shop{session}/offer"
    assert pencilled.url("offer", "a/b") == f"/shop{PREFIX}/sessions/called/a%2Fb?offer"
    assert pencilled.url("support_session", stage.session.id) == f"/shop{PREFIX}/support{session.removeprefix(PREFIX)}"
    assert pencilled.url("support") == f"/shop{PREFIX}/support"
    for wrong in (("nothing",), ("session",), ("sessions", stage.session.id), ("connection", "../x")):
        with pytest.raises(ValueError, match=r"page|UUID"):
            pencilled.url(*wrong)


def test_one_extension_serves_every_host_that_a_factory_makes(stage: Stage) -> None:
    pencilled = Pencilled(url_prefix=PREFIX, settings=settings(stage), who=present, sign_in="/login", start="command")
    hosts = [make_host(), make_host()]
    for host in hosts:
        pencilled.init_app(host)
    with hosts[0].app_context():
        first = pencilled.runtime
    assert pencilled.runtime is not first
    with hosts[0].app_context():
        assert pencilled.runtime is first
    assert [person(host, "user-1").get(f"{PREFIX}/sessions").status_code for host in hosts] == [200, 200]


def test_each_of_two_in_one_process_keeps_to_its_own_host(stage: Stage) -> None:
    ours, other = make_host(), make_host("other")
    pencilled = Pencilled(ours, url_prefix=PREFIX, settings=settings(stage), start="command")
    Pencilled(other, url_prefix=PREFIX, settings=settings(stage), start="command")
    with other.app_context():
        assert pencilled.installation is ours.extensions[EXTENSION]


FORKED = """
import os, sys, warnings
warnings.simplefilter("ignore")
from flask import Flask
from connector.plugin import Pencilled
host = Flask("host")
pencilled = Pencilled(host, url_prefix="/rearrange", start="command", settings={
    "CONNECTOR_DATABASE_URL": sys.argv[1], "CONNECTOR_PUBLIC_URL": "http://localhost/rearrange"})
pages = host.test_client()
assert pages.get("/rearrange/sessions").status_code == 303
before = pencilled.runtime
pencilled.installation._opening.acquire()  # as a thread of the parent may have had
child = os.fork()
if child == 0:
    assert pages.get("/rearrange/sessions").status_code == 303
    assert pencilled.runtime is not before
    os._exit(7)
assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
assert pencilled.runtime is before
assert pages.get("/rearrange/sessions").status_code == 303
print("done")
"""


def test_each_process_opens_its_own(sqlite_url: str) -> None:
    command = [sys.executable, "-c", FORKED, sqlite_url]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=ROOT)
    assert done.stdout == "done\n", done.stderr


def test_a_host_that_was_closed_is_opened_again_by_the_next_request(stage: Stage) -> None:
    host = make_host()
    pencilled = Pencilled(host, url_prefix=PREFIX, settings=settings(stage))
    before = pencilled.runtime
    pencilled.close()
    assert host.test_client().get(f"{PREFIX}/signin").status_code == 200
    assert pencilled.runtime is not before
    pencilled.close()


@pytest.mark.parametrize("external_id", ["booking-4711", "a/b c?d#ü", "7d2a0c36-2f0e-4f0c-9a3b-0d6a4c1f8e55"])
def test_links_lead_to_sessions_by_the_hosts_own_ids(stage: Stage, external_id: str) -> None:
    with stage.runtime.database.begin() as db:
        db.execute(sa.update(tables).where(tables.c.id == stage.session.id).values(external_id=external_id))
    pencilled = Pencilled(url_prefix=PREFIX, settings=settings(stage), who=present, sign_in="/login", start="command")
    host = make_host()
    pencilled.init_app(host)
    ada, own = person(host, "user-1"), f"{PREFIX}/sessions/{stage.session.id}"
    assert ada.get(pencilled.url("session", external_id)).location == own
    assert ada.get(pencilled.url("offer", external_id)).location == f"{own}/offer"
    assert ada.get(pencilled.url("session", str(stage.session.id))).location == own
    assert person(host, "user-2").get(pencilled.url("session", external_id)).status_code == 404


def test_whoever_comes_from_another_site_is_asked_for_once_more_before_they_have_to_sign_in(stage: Stage) -> None:
    """Browsers show a host's strict cookie to nobody who comes from a letter, or back from a calendar service."""
    ada = person(with_pencilled(stage))
    back = f"{PREFIX}/calendars/google/back?state=x&code=4%2F1"
    asked = ada.get(back, headers={"Sec-Fetch-Site": "cross-site"})
    assert (asked.status_code, asked.headers["Refresh"]) == (200, f"0; url={back}")
    assert f'href="{back.replace("&", "&amp;")}"' in asked.text
    assert ada.get(back, headers={"Sec-Fetch-Site": "same-origin"}).location == f"/login?next={back.partition('?')[0]}"
    ada.sign_in("user-1")
    assert "Refresh" not in ada.get(f"{PREFIX}/sessions", headers={"Sec-Fetch-Site": "cross-site"}).headers


def test_what_is_said_of_a_hosts_users_is_said_in_their_language(stage: Stage) -> None:
    with stage.runtime.database.begin() as db:
        people.save_practitioner(db, replace(stage.ada, locale="de", external_id="user-1"))
    host, german = with_pencilled(stage), {"Accept-Language": "de"}
    assert "Hier sind Sie so lange angemeldet wie dort." in person(host, "user-1").get(f"{PREFIX}/account").text
    stranger = person(host, "somebody").get(f"{PREFIX}/sessions", headers=german)
    assert "Dieses Konto gibt hier keine Termine" in stranger.text
    elsewhere = {**german, "Sec-Fetch-Site": "cross-site"}
    assert "Einen Augenblick" in person(host).get(f"{PREFIX}/sessions", headers=elsewhere).text
