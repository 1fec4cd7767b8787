"""Google keeps to what every provider keeps to, and its few requests are counted."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass

import pytest

import providers
from connector.domain.entry import Showing
from connector.errors import AccessLostError, InstallationError, RefusedError, RuleError
from connector.ports import Account, Failed, Network, Removed, TokenStore
from tests.fakes._google_oauth import OAuth
from tests.providers.contract import (
    ProviderContract,
    Service,
    again,
    content,
    creation,
    failure,
    removal,
    written,
)
from tests.providers.google.setting import KeptTokens, Setting, signed_in


@dataclass
class SignedIn(Service):
    """A service whose accounts are signed in to."""

    tokens: TokenStore
    oauth: OAuth

    def account(self) -> Account:
        return self.provider.account(self.tokens, self.network)


@pytest.fixture
def setting() -> Iterator[Setting]:
    with signed_in() as setting:
        yield setting


class TestGoogle(ProviderContract):
    def test_a_wrong_password_is_refused(self, service: Service) -> None:
        """There is none to type in; a person who says no connects nothing."""
        with pytest.raises(RuleError, match="signing in"):
            service.provider.connect({"password": "wrong"}, service.network)

    def test_a_password_that_is_no_longer_accepted_stops_everything(self, service: Service) -> None:
        """The permission takes the password's place."""
        assert isinstance(service, SignedIn)
        calendar = service.calendar()
        service.oauth.withdraw(service.oauth.account)
        outcomes = list(calendar.apply([creation(content(hours=n)) for n in range(5)]))
        assert [type(outcome.error) for outcome in outcomes if isinstance(outcome, Failed)] == [AccessLostError] * 5
        with pytest.raises(AccessLostError):
            calendar.changes(None)
        with pytest.raises(AccessLostError):
            calendar.read([creation().ref])

    @pytest.fixture
    def service(self, setting: Setting) -> Service:
        return SignedIn(
            setting.provider,
            {},
            setting.network,
            setting.remote.id,
            "gone@group.calendar.google.com",
            setting.hand,
            tokens=setting.tokens,
            oauth=setting.fake.oauth,
        )


# How many requests


def test_one_entry_is_one_plain_request(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    (outcome,) = written(setting.calendar.apply([again(put, outcome.ref, content(hours=1))]))
    list(setting.calendar.apply([removal(put, outcome.ref)]))
    assert [(request.verb, request.in_batch) for request in setting.fake.requests] == [
        ("POST", False),
        ("PATCH", False),
        ("DELETE", False),
    ]


def test_an_offer_of_three_is_one_request(setting: Setting) -> None:
    written(setting.calendar.apply([creation(content(hours=n)) for n in range(3)]))
    assert len(setting.fake.requests) == 1
    assert setting.fake.count() == {"events.insert": 3}


def test_an_acceptance_is_two_requests(setting: Setting) -> None:
    session = creation(content("Session: K.", showing=Showing.CONFIRMED))
    holds = [creation(content(hours=n)) for n in range(1, 4)]
    found = {outcome.key: outcome.ref for outcome in written(setting.calendar.apply([session, *holds]))}
    setting.fake.forget()
    moved = content("Session: K.", hours=1, showing=Showing.CONFIRMED)
    written(setting.calendar.apply([again(session, found[session.key], moved)]))
    outcomes = list(setting.calendar.apply([removal(hold, found[hold.key]) for hold in holds]))
    assert all(isinstance(outcome, Removed) for outcome in outcomes)
    assert len(setting.fake.requests) == 2
    assert setting.fake.count() == {"events.patch": 1, "events.delete": 3}
    assert setting.hand.size() == 1


def test_a_quiet_look_is_one_read_and_no_write(setting: Setting) -> None:
    written(setting.calendar.apply([creation(content(hours=n)) for n in range(5)]))
    token = setting.calendar.changes(None).token
    setting.fake.forget()
    setting.calendar.changes(token)
    assert setting.fake.count() == {"events.list": 1}


def test_what_waits_travels_in_batches_of_fifty(setting: Setting) -> None:
    outcomes = written(setting.calendar.apply([creation(content(hours=n / 4)) for n in range(120)]))
    assert len(outcomes) == 120
    assert len(setting.fake.requests) == 3
    setting.fake.forget()
    assert len(setting.calendar.read([outcome.ref for outcome in outcomes])) == 120
    assert len(setting.fake.requests) == 3


def test_once_it_runs_no_connection_is_made(setting: Setting) -> None:
    calendar = setting.calendar
    token = calendar.changes(None).token
    before = setting.fake.connections
    for n in range(10):
        written(calendar.apply([creation(content(hours=n)), creation(content(hours=n + 0.5))]))
        token = calendar.changes(token).token
    assert setting.fake.connections == before


# What is sent


def test_a_new_event_carries_nothing_but_the_entry(setting: Setting) -> None:
    put = creation(content("Session: K.", showing=Showing.CONFIRMED))
    (outcome,) = written(setting.calendar.apply([put]))
    (request,) = setting.fake.requests
    assert request.object == {
        "id": put.ref.name.replace("-", ""),
        "summary": "Session: K.",
        "location": "Room 2",
        "start": {"dateTime": "2026-12-03T12:00:00Z", "timeZone": "UTC"},
        "end": {"dateTime": "2026-12-03T12:50:00Z", "timeZone": "UTC"},
        "status": "confirmed",
        "transparency": "opaque",
        "visibility": "private",
        "reminders": {"useDefault": False, "overrides": []},
        "extendedProperties": {"private": {"pencilled": "session", "pencilledEntry": put.ref.name}},
    }
    assert outcome.ref.href == put.ref.name.replace("-", "")


def test_a_change_names_only_what_is_ours(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    setting.fake.forget()
    written(setting.calendar.apply([again(put, outcome.ref, content(hours=1, showing=Showing.FIRM, location=""))]))
    (request,) = setting.fake.requests
    assert request.headers["if-match"] == outcome.ref.etag
    assert request.object == {
        "summary": "Hold: K.",
        "location": None,
        "start": {"dateTime": "2026-12-03T13:00:00Z", "date": None},
        "end": {"dateTime": "2026-12-03T13:50:00Z", "date": None},
        "recurrence": None,
        "status": "confirmed",
        "transparency": "opaque",
        "source": None,
        "extendedProperties": {"private": {"pencilled": "hold-firm", "pencilledEntry": put.ref.name}},
    }


def test_nothing_that_identifies_a_session_or_a_client_leaves(setting: Setting) -> None:
    put = creation(content("Busy", location=""))
    (outcome,) = written(setting.calendar.apply([put]))
    written(setting.calendar.apply([again(put, outcome.ref, content("Busy", hours=1, location=""))]))
    setting.calendar.busy(content().span)
    sent = b"".join(
        request.target.encode() + str(request.headers).encode() + request.body for request in setting.fake.requests
    ).decode()
    for secret in (str(put.session_id), put.session_id.hex, str(put.entry.key.id), put.entry.key.id.hex, "Room"):
        assert secret not in sent


def test_the_token_is_in_no_address(setting: Setting) -> None:
    setting.calendar.changes(None)
    assert all(setting.tokens.kept["access_token"] not in request.target for request in setting.fake.requests)


# What the practitioner makes of an event


def test_colour_notes_and_reminders_survive_a_write_that_met_them(setting: Setting) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    assert outcome.ref.href
    setting.hand.edit(outcome.ref.href, visibility="public")
    setting.hand.note(outcome.ref.href, "bring the blue folder")
    setting.fake.forget()
    written(setting.calendar.apply([again(put, outcome.ref, content(hours=2))]))
    assert setting.fake.count() == {"events.patch": 2, "events.get": 1}
    event = setting.remote.events[outcome.ref.href]
    assert event["description"] == "bring the blue folder"
    assert event["colorId"] == "7"
    assert event["reminders"] == {"useDefault": True}
    assert event["visibility"] == "public"


@pytest.mark.parametrize(
    "change", [{"recurrence": ["RRULE:FREQ=WEEKLY"]}, {"transparency": "transparent"}], ids=["recurring", "free"]
)
def test_what_we_never_write_is_told_and_made_right_again(setting: Setting, change: dict[str, object]) -> None:
    put = creation()
    (outcome,) = written(setting.calendar.apply([put]))
    assert outcome.ref.href
    setting.hand.edit(outcome.ref.href, **change)
    sighting = setting.calendar.read([outcome.ref])[outcome.ref.name]
    assert sighting
    assert sighting.content is None
    written(setting.calendar.apply([again(put, outcome.ref, content(), over="")]))
    restored = setting.calendar.read([outcome.ref])[outcome.ref.name]
    assert restored
    assert restored.content == content()
    assert "recurrence" not in setting.remote.events[outcome.ref.href]


# Calendars


def test_only_calendars_of_the_accounts_own_can_be_written(setting: Setting) -> None:
    for role in ("writer", "reader", "freeBusyReader"):
        setting.fake.add_calendar(f"{role}@group.calendar.google.com", summary=role, role=role)
    found = {info.name: info.writable for info in setting.account.calendars()}
    assert found == {"Kim Beispiel": True, "writer": False, "reader": False, "freeBusyReader": False}
    assert setting.fake.count() == {"calendarList.list": 2}
    refused = setting.account.open("writer@group.calendar.google.com")
    assert isinstance(failure(refused.apply([creation()])), RefusedError)


def test_a_calendar_of_our_own_can_be_made(setting: Setting) -> None:
    created = setting.account.create_calendar("Sessions")
    assert created in setting.account.calendars()
    written(setting.account.open(created.remote_id).apply([creation()]))


def test_another_calendars_busy_times_can_be_read_without_its_events(setting: Setting) -> None:
    other = setting.fake.add_calendar("team@group.calendar.google.com", role="freeBusyReader")
    type(setting.hand)(setting.fake, other).add(content().span)
    (busy,) = setting.account.open(other.id).busy(content().span).times
    assert busy.span == content().span
    assert busy.href is None


# Around it


def test_google_is_among_the_providers() -> None:
    assert "google" in providers.available()
    assert providers.load("google").label == "Google Calendar"


def test_without_a_registration_it_is_the_installation_that_is_refused(setting: Setting) -> None:
    with pytest.raises(RuleError, match="not set up"):
        setting.provider.begin(Network(), "state")
    with pytest.raises(InstallationError, match="not registered"):
        setting.provider.account(setting.tokens, Network())


def test_a_plain_address_is_refused_unless_its_host_is_allowed(setting: Setting) -> None:
    with pytest.raises(InstallationError, match="https"):
        setting.provider.account(setting.tokens, Network(apps=setting.network.apps))


def test_accounts_share_the_connections_of_a_thread(setting: Setting) -> None:
    setting.calendar.changes(None)
    before = setting.fake.connections
    other = setting.provider.account(KeptTokens(setting.tokens.kept), setting.network)
    other.open(setting.remote.id).changes(None)
    assert setting.fake.connections == before


def test_the_library_is_imported_only_when_an_account_is_used() -> None:
    code = (
        "import sys, providers; provider = providers.load('google'); "
        "heavy = {'googleapiclient', 'httplib2', 'google_auth_oauthlib', 'requests', 'oauthlib', 'niquests'}; "
        "sys.exit(repr(heavy & set(sys.modules)) if heavy & set(sys.modules) else 0)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr


def test_importing_the_library_warns_of_nothing() -> None:
    code = "import providers.google.calendar, providers.google.sign_in"
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
