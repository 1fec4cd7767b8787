"""Practitioners connect, reconnect and disconnect their own calendars, and nobody else does it for them."""

from __future__ import annotations

import logging
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from uuid import uuid4

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

import providers
from connector.domain.connection import CalendarRole, Connection, ConnectionState, TroubleKind
from connector.domain.people import Level
from connector.sentence import Sentence
from connector.services.accounts import connect
from connector.storage import calendars, troubles
from connector.storage.due import Kind, due
from providers.memory import provider as memory
from tests.conftest import Clock
from tests.web.desk import Desk, alert, desk, is_due, later, waiting
from tests.web.services import SERVICES
from tests.web.stage import Browser, Stage
from tests.web.walk import read_in


def test_a_calendar_is_connected_by_signing_in_and_choosing(everywhere: Desk) -> None:
    page = everywhere.sign_in()
    assert "Choose a calendar" in page.text
    assert everywhere.connections == []
    assert everywhere.choose(everywhere.service.target, everywhere.service.other).location == "/calendars"
    text = everywhere.ada.get("/calendars").text
    assert "All well" in text
    assert "is connected. Your sessions are being written to it now." in text
    everywhere.work()
    assert everywhere.service.titles() == ["Session: K. N."]
    assert waiting(everywhere) == 0
    [connection] = everywhere.connections
    with everywhere.stage.runtime.database.read() as db:
        rows = [(one.remote_id, one.role) for one in calendars.in_connection(db, connection.id)]
    assert rows == [
        (everywhere.service.target, CalendarRole.TARGET),
        (everywhere.service.other, CalendarRole.WATCHED),
    ]


def test_what_is_only_watched_is_never_written_to(everywhere: Desk) -> None:
    everywhere.connect(None, everywhere.service.other)
    with everywhere.stage.runtime.database.read() as db:
        targets = calendars.calendars_of(db)
        keys = set(db.execute(sa.select(due.c.id).where(due.c.kind.in_(["calendar", "pull", "channel"]))).scalars())
    assert [one.remote_id for one in targets] == [everywhere.service.target]
    assert keys == {str(targets[0].id)}


@pytest.mark.parametrize("name", ["google", "outlook"])
def test_a_calendar_of_our_own_is_made_once(name: str, stage: Stage, clock: Clock) -> None:
    with SERVICES[name](clock) as service:
        here = desk(stage, service)
        page = here.sign_in()
        assert "A new calendar called “Pencilled”" in page.text
        here.choose("+new")
        assert here.calendar.name == "Pencilled"
        here.work()
        here.sign_in()
        assert "is connected already" in alert(here.choose("+new", service.target))
        assert len(here.connections) == 1


def test_no_secret_is_in_any_page_cookie_or_log(
    everywhere: Desk, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.INFO)
    started = everywhere.ada.post(f"/calendars/{everywhere.service.slug}/connect", page="/calendars")
    answer = everywhere.service.consent(started.headers["Refresh"].removeprefix("0; url="))
    secrets = list(everywhere.service.secrets)
    answers = [started, everywhere.back(answer), everywhere.choose(everywhere.service.target)]
    answers += [everywhere.ada.get(path) for path in ("/calendars", "/sessions")]
    secrets += everywhere.service.secrets
    assert secrets
    everything = "".join(f"{page.text}{page.headers}" for page in answers) + caplog.text + "".join(capsys.readouterr())
    assert [secret for secret in secrets if secret in everything] == []
    for table in everywhere.stage.everything().values():
        assert [secret for secret in secrets if secret in repr(table)] == []


def test_a_choice_that_is_made_twice_connects_once(there: Desk) -> None:
    there.sign_in()
    with there.ada.http.session_transaction() as cookie:
        token = cookie["choosing"]
    there.choose("work")
    with there.ada.http.session_transaction() as cookie:
        cookie["choosing"] = token
    there.ada.post("/calendars/choose", {"target": "private"}, page="/calendars")
    assert len(there.connections) == 1


@pytest.mark.parametrize("target", ["", "holidays", "elsewhere"])
def test_only_a_calendar_that_can_be_written_is_taken(there: Desk, target: str) -> None:
    there.sign_in()
    page = there.ada.post("/calendars/choose", {"target": target, "watched": "private"} if target else {})
    assert page.status_code == 422
    assert "Choose the calendar" in alert(page)
    assert there.connections == []
    assert ('value="private" checked' in page.text) is bool(target)
    assert 'name="target" value="holidays"' not in page.text


def test_nobody_chooses_without_having_signed_in(there: Desk) -> None:
    assert there.ada.get("/calendars/choose").location == "/calendars"
    assert "start again" in alert(there.ada.get("/calendars"))


def test_a_choice_waits_half_an_hour(there: Desk) -> None:
    there.sign_in()
    later(there.stage, minutes=29)
    assert there.ada.get("/calendars/choose").status_code == 200
    later(there.stage, minutes=2)
    assert there.ada.get("/calendars/choose").status_code == 303
    there.carry_out(Kind.UPKEEP)
    assert waiting(there) == 0


def test_a_service_we_are_not_registered_with_is_not_offered(there: Desk) -> None:
    assert "Connect Memory Calendar" in there.ada.get("/calendars").text
    there.stage.runtime.network = type(there.service.network)()
    page = there.ada.get("/calendars").text
    assert "Connect Memory Calendar" not in page
    assert there.ada.post("/calendars/memory/connect", page="/signin").status_code == 404
    assert there.ada.get("/calendars/dropbox/connect").status_code == 404


def test_what_a_calendar_shows_can_be_changed(there: Desk) -> None:
    there.connect()
    there.work()
    [own] = there.connections
    path = f"/calendars/{own.id}/privacy"
    there.ada.post(path, {"session_level": "4", "hold_level": "1"}, page="/calendars")
    assert is_due(there)
    disclosure = there.calendar.disclosure
    assert (disclosure.session_level, disclosure.hold_level) == (Level.FULL, Level.NEUTRAL)
    there.work()
    assert there.service.titles() == ["Session: Kim Noor"]
    refused = there.ada.post(path, {"session_level": "5", "hold_level": "1"}, page="/calendars")
    assert refused.status_code == 422


def test_the_page_shows_the_words_that_the_calendar_shows(there: Desk) -> None:
    read_in(there.stage, "de")
    there.connect()
    there.work()
    there.stage.offer()
    there.work()
    shown = there.service.titles()
    assert set(shown) == {"Termin: K. N.", "Reserviert: K. N."}

    page = there.ada.get("/calendars").text

    for words in ("Nichts: nur „Belegt“", "„Termin: Alex Okoro“", "„Reserviert: A. O.“"):
        assert words in page


def test_how_a_calendar_fares_is_said_in_plain_words(there: Desk) -> None:
    there.connect()
    page = there.ada.get("/calendars").text
    assert "All well" in page
    assert "Last written: not yet." in page
    there.work()
    assert "Last written: not yet." not in there.ada.get("/calendars").text
    with there.stage.runtime.database.begin() as db:
        troubles.note_write(
            db, there.calendar.id, Sentence("the server does not answer"), kind=TroubleKind.OUTAGE, now=there.stage.now
        )
    page = there.ada.get("/calendars").text
    assert "Takes no entries (since 2 Mar 2026" in page
    assert "the server does not answer" in page


def test_a_practitioner_is_not_blamed_for_what_the_installation_is_refused(there: Desk) -> None:
    there.connect()
    with there.stage.runtime.database.begin() as db:
        words = Sentence("the calendar API is not enabled for this installation")
        troubles.note_write(db, there.calendar.id, words, kind=TroubleKind.INSTALLATION, now=there.stage.now)
    page = there.ada.get("/calendars").text
    assert "The service refuses this installation, not the account; its operator has been told." in page
    assert 'class="tag bad"' not in page


@pytest.fixture
def caldav(stage: Stage) -> Iterator[Typed]:
    """A desk at a service whose access is typed in: the memory one, as it is."""
    store = memory.store(f"owner-{uuid4().hex}")
    store.calendar("work")
    runtime = stage.runtime
    runtime.settings = replace(runtime.settings, providers=("memory",))
    runtime.load_provider = lambda _: memory.PROVIDER
    yield Typed(stage=stage, store=store, ada=stage.signed_in())
    memory.forget(store.id)


@dataclass
class Typed:
    stage: Stage
    store: memory.MemoryStore
    ada: Browser

    def type(self, password: str, path: str = "/calendars/memory/connect", **more: str) -> TestResponse:
        return self.ada.post(path, {"address": self.store.id, "username": "ada", "password": password, **more})

    @property
    def connections(self) -> Sequence[Connection]:
        with self.stage.runtime.database.read() as db:
            return calendars.connections_of(db)


def test_access_is_typed_in_and_leads_to_the_same_choice(caldav: Typed) -> None:
    assert "App password" in caldav.ada.get("/calendars/memory/connect").text
    assert caldav.type("secret").location == "/calendars/choose"
    page = caldav.ada.get("/calendars/choose").text
    assert 'value="work" required checked' in page
    caldav.ada.post("/calendars/choose", {"target": "work"})
    [connection] = caldav.connections
    assert connection.label == "work"


RETYPE = "Leave it out, or type the text again instead of pasting it."


@pytest.mark.parametrize(
    ("typed", "told"),
    [
        ({"password": "hunter2 is wrong"}, "The password is not accepted. Please try again."),
        ({"password": ""}, "App password: please fill this in."),
        ({"password": "secret", "address": " "}, "Address: please fill this in."),
        (
            {"password": "secret", "username": "a\nb"},
            f"User name: a line break (U+000A), which stands there as character 2, cannot be used. {RETYPE}",
        ),
    ],
)
def test_what_is_wrong_is_said_and_what_was_typed_is_kept(caldav: Typed, typed: dict[str, str], told: str) -> None:
    page = caldav.ada.post("/calendars/memory/connect", {"address": caldav.store.id, "username": "ada", **typed})
    assert page.status_code == 422
    assert alert(page) == told
    assert f'value="{typed.get("address", caldav.store.id)}"' in page.text
    assert "hunter2" not in page.text
    assert caldav.connections == []


def test_a_new_password_reauthorizes_a_connection(caldav: Typed) -> None:
    caldav.type("secret")
    caldav.ada.post("/calendars/choose", {"target": "work"})
    [connection] = caldav.connections
    runtime = caldav.stage.runtime
    with runtime.database.begin() as db:
        connect.note_access_lost(db, connection.id, now=caldav.stage.now)
    caldav.store.change_password("fresh")
    own = f"/calendars/{connection.id}/reconnect"
    page = caldav.ada.get(own).text
    assert "new app password" in page
    assert f'name="address" value="{caldav.store.id}"' in page, "what is known need not be typed again"
    assert 'value="secret"' not in page
    assert alert(caldav.type("secret", own)) == "The password is not accepted. Please try again."
    assert caldav.type("fresh", own).location == "/calendars"
    assert caldav.connections[0].state is ConnectionState.OK


def test_trying_passwords_by_the_hundred_is_slowed_down(caldav: Typed) -> None:
    tried = [caldav.type("guess").status_code for _ in range(31)]
    assert tried == [422] * 30 + [429]


@pytest.mark.parametrize(
    ("slug", "button", "hint"),
    [
        (
            "caldav",
            "Connect a CalDAV calendar",
            "iCloud, Fastmail, Nextcloud and many others: with an app password.",
        ),
        ("memory", "Connect Memory", "With an app password."),
    ],
)
def test_a_service_whose_access_is_typed_in_is_offered_in_its_own_words(
    stage: Stage, slug: str, button: str, hint: str
) -> None:
    stage.runtime.settings = replace(stage.runtime.settings, providers=(slug,))
    stage.runtime.load_provider = providers.load
    page = stage.signed_in().get("/calendars").text
    assert f'href="/calendars/{slug}/connect">{button}</a>\n<p class="hint">{hint}</p>' in page
