"""Our pages in the layout of a host, and single templates of its own in place of ours."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from flask import Flask, Response, g, request
from flask import session as cookie
from jinja2 import DictLoader
from structlog.testing import capture_logs

from connector.errors import SettingsError
from connector.web.scoping import scoped
from tests.hosted.hosts import PREFIX, make_host, person, settings, with_pencilled
from tests.web.presence import SHARED, SIGN_IN, assertion, known_to_the_host
from tests.web.stage import Stage

LAYOUT = """<!doctype html><html lang="en"><head>
<title>{{ pencilled.title }} at Bookly</title>{{ pencilled.head }}</head>
<body><nav>{{ g.user }} <a href="{{ url_for('home') }}">Home</a>{{ token() }}</nav>
<main>{{ pencilled.body }}</main></body></html>"""


def token() -> str:
    cookie["token"] = "made for the navigation"
    return "a token"


def framed_host(layout: str = LAYOUT) -> Flask:
    host = make_host()
    host.jinja_loader = DictLoader({"rearrange.html": layout})
    host.jinja_env.globals["token"] = token

    @host.after_request
    def _policy(response: Response) -> Response:
        response.headers["Content-Security-Policy"] = "default-src 'self'"
        response.headers["X-Host"] = f"{response.status_code} {g.user} {request.path}"
        return response

    return host


def test_a_page_comes_in_the_hosts_layout(stage: Stage) -> None:
    ada = person(with_pencilled(stage, framed_host(), frame="rearrange.html"), "user-1")
    page = ada.get(f"{PREFIX}/sessions")
    assert page.status_code == 200
    assert re.search(r"<title>Your sessions · Pencilled at Bookly</title>", page.text)
    assert f'<link rel="stylesheet" href="{PREFIX}/static/framed.css">' in page.text
    assert '<nav>user-1 <a href="/">Home</a>a token</nav>' in page.text
    assert stage.kim.name in page.text
    assert page.text.count("<main") == page.text.count("<html") == page.text.count("<h1") == 1
    assert '<div class="main wide">' in page.text
    assert page.headers["Content-Security-Policy"] == "default-src 'self'", "the layout is the host's"
    assert page.headers["X-Host"] == f"200 user-1 {PREFIX}/sessions"
    assert (page.headers["Referrer-Policy"], page.headers["Cache-Control"]) == ("no-referrer", "no-store")
    names = {header.partition("=")[0] for header in page.headers.getlist("Set-Cookie")}
    assert "session" in names, "the navigation has changed the host's own"


def test_forms_in_it_work(stage: Stage) -> None:
    ada = person(with_pencilled(stage, framed_host(), frame="rearrange.html"), "user-1")
    own = f"{PREFIX}/sessions/{stage.session.id}/cancel"
    assert ada.post(own, {"reason": ""}).location == f"{PREFIX}/sessions/{stage.session.id}"
    after = ada.get(f"{PREFIX}/sessions/{stage.session.id}")
    assert 'class="note done"' in after.text


def test_faults_come_in_it_with_their_status(stage: Stage) -> None:
    ada = person(with_pencilled(stage, framed_host(), frame="rearrange.html"), "user-1")
    page = ada.get(f"{PREFIX}/nowhere")
    assert (page.status_code, page.headers["X-Host"]) == (404, f"404 user-1 {PREFIX}/nowhere")
    assert "There is no such page" in page.text
    assert "<nav>" in page.text


@pytest.mark.parametrize("takes", [True, False])
def test_pages_of_letters_stay_out_of_it_unless_the_host_wants_them(stage: Stage, takes: bool) -> None:  # noqa: FBT001
    kim = person(with_pencilled(stage, framed_host(), frame="rearrange.html", frame_answers=takes))
    answer = PREFIX + stage.link(stage.offer())
    for path, status in ((answer, 200), (f"{PREFIX}/answer/nonsense", 404), (f"{PREFIX}/answer/nonsense/x/y", 404)):
        page = kim.get(path)
        assert page.status_code == status
        assert ("<nav>" in page.text) == takes
        assert ("X-Host" in page.headers) == takes
        assert page.headers["Referrer-Policy"] == "no-referrer"


def test_what_a_browser_is_to_keep_goes_with_a_page_in_it(stage: Stage) -> None:
    known_to_the_host(stage)
    own = settings(
        stage,
        CONNECTOR_ANSWER_POLICY="host",
        CONNECTOR_HOST_SIGN_IN_URL=SIGN_IN,
        CONNECTOR_ASSERTION_KEYS=SHARED,
    )
    host = with_pencilled(stage, framed_host(), frame="rearrange.html", frame_answers=True, settings=own)
    kim, offer = person(host), stage.offer()
    said = assertion(stage, offer.id, aud=own["CONNECTOR_PUBLIC_URL"])
    assert kim.http.post(f"{PREFIX}/answer/assertion", data={"assertion": said}).status_code == 303
    page = kim.get(PREFIX + stage.link(offer))
    assert "<nav>" in page.text
    assert f"pencilled_client_{offer.id.hex}" in str(page.headers.getlist("Set-Cookie")), "good for as long again"


def test_what_is_no_page_takes_none(stage: Stage) -> None:
    ada = person(with_pencilled(stage, framed_host(), frame="rearrange.html"), "user-1")
    for path in (
        "/static/framed.css",
        "/static/style.css",
        "/static/none.css",
        "/robots.txt",
        "/hooks/none",
        "/api/v1/x",
        "/feed/none.ics",  # a program reads it, and its address is a secret
        "/calendars/google/back?code=x&state=y",  # what a calendar service has sent us
    ):
        page = ada.get(PREFIX + path)
        assert "<nav>" not in page.text
        assert "X-Host" not in page.headers
        page.close()


def test_a_layout_that_fails_is_noted_once_and_replaced_by_ours(stage: Stage) -> None:
    host = framed_host(LAYOUT.replace("g.user", "(1 / 0)"))
    ada = person(with_pencilled(stage, host, frame="rearrange.html"), "user-1")
    with capture_logs() as log:
        pages = [ada.get(f"{PREFIX}/sessions") for _ in range(2)]
    for page in pages:
        assert page.status_code == 200
        assert '<main class="wide">' in page.text
        assert stage.kim.name in page.text
        assert page.headers["Content-Security-Policy"].startswith("default-src 'none'")
    [line] = [line for line in log if line["event"] == "frame_failed"]
    assert (line["template"], line["error"]) == ("rearrange.html", "ZeroDivisionError")


def test_a_layout_that_is_no_jinja_is_refused_at_start(stage: Stage) -> None:
    with pytest.raises(SettingsError, match=r"frame: line 1 of the template rearrange\.html is no Jinja"):
        with_pencilled(stage, framed_host("{% if %}"), frame="rearrange.html")


def test_a_layout_that_does_not_come_is_refused_at_first_use(stage: Stage) -> None:
    host = with_pencilled(stage, framed_host(), frame="rearange.html")
    with capture_logs() as log:
        page = person(host, "user-1").get(f"{PREFIX}/sessions")
    assert page.status_code == 503
    assert "the host has no template rearange.html" in str(log)
    assert person(host, "user-1").get("/").status_code == 200


def test_one_template_of_ours_is_replaced(stage: Stage, tmp_path: Path) -> None:
    folder = tmp_path / "ours"
    (folder / "signin").mkdir(parents=True)
    (folder / "signin" / "account_elsewhere.html").write_text(
        '{% extends "layout/practitioner.html" %}{% block content %}Own words{% endblock %}'
    )
    ada = person(with_pencilled(stage, templates=folder), "user-1")
    assert "Own words" in ada.get(f"{PREFIX}/account").text
    assert stage.kim.name in ada.get(f"{PREFIX}/sessions").text


@pytest.mark.parametrize(
    ("name", "text", "fault"),
    [
        ("sessions/lst.html", "", "no template sessions/lst.html of ours .* the nearest is sessions/list.html"),
        ("sessions/list.html", "{% if %}", "sessions/list.html cannot be read"),
    ],
)
def test_a_template_in_place_of_nothing_is_refused(
    stage: Stage, tmp_path: Path, name: str, text: str, fault: str
) -> None:
    (tmp_path / "sessions").mkdir()
    (tmp_path / name).write_text(text)
    with pytest.raises(SettingsError, match=fault):
        with_pencilled(stage, templates=tmp_path / "sessions" / "..")


def test_a_folder_that_is_not_there_is_refused(stage: Stage) -> None:
    with pytest.raises(SettingsError, match="templates: there is no folder"):
        with_pencilled(stage, templates="none")


def test_our_style_touches_nothing_outside_of_what_is_ours() -> None:
    style = Path("connector/web/static/style.css").read_text()
    framed = re.sub(r"@(media|supports) [^{]*\{", "", scoped(style))
    selectors = [one.strip() for found in re.findall(r"([^{}]+)\{[^{}]*\}", framed) for one in found.split(",")]
    assert len(selectors) > 100
    ours = (".pencilled.pencilled", ":where(.pencilled)")
    assert [one for one in selectors if not one.lstrip("} \n").startswith(ours)] == []
    assert "--paper: light-dark(#f6f4ef, #14171b);" in framed
    assert framed.count("{") == style.count("{") - style.count("@media") + 2, "every rule is there, and two more"
