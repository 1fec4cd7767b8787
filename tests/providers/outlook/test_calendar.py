"""Outlook against a loopback Microsoft Graph: what it writes and reads, and in how many requests."""

from __future__ import annotations

import json
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from threading import Event
from typing import Any

import pytest

from connector.domain.entry import Showing
from connector.domain.reconcile import Put, Ref
from connector.domain.span import Span
from connector.errors import RefusedError, RuleError
from connector.ports import Removed
from providers.outlook.calendar import OutlookCalendar
from tests.providers.contract import (
    DAY,
    NOON,
    ProviderContract,
    Service,
    again,
    content,
    creation,
    failure,
    removal,
    written,
)
from tests.providers.outlook.setting import OutlookService, Setting, outlook

ROOT = Path(__file__).parents[3]
DATA = ROOT / "tests" / "data" / "graph"


@pytest.fixture
def setting() -> Iterator[Setting]:
    with outlook() as setting:
        yield setting


class OutlookContract(ProviderContract):
    """Shared by both kinds of account; subclasses define the fixture `setting`."""

    asks_password = False
    has_links = False

    @pytest.fixture
    def service(self, setting: Setting) -> Service:
        return OutlookService(
            provider=setting.provider,
            form={},
            network=setting.graph.network,
            remote_id=setting.remote_id,
            missing_id="AQMkNowhere=",
            practitioner=setting.hand,
            kept=setting.kept,
        )


class TestPersonalAccount(OutlookContract):
    """The `setting` of this module."""


class TestWorkAccount(OutlookContract):
    @pytest.fixture
    def setting(self) -> Iterator[Setting]:
        with outlook(personal=False) as setting:
            yield setting


@pytest.fixture
def calendar(setting: Setting) -> OutlookCalendar:
    calendar = setting.calendar()
    calendar.read([Ref(name="warm", href="AAkNothing=")])
    setting.graph.forget()
    return calendar


def made(calendar: OutlookCalendar, count: int = 1) -> list[tuple[Put, Ref]]:
    puts = [creation(content(hours=n)) for n in range(count)]
    refs = {outcome.key: outcome.ref for outcome in written(calendar.apply(puts))}
    return [(put, refs[put.key]) for put in puts]


def event(setting: Setting, ref: Ref) -> dict[str, Any]:
    assert ref.href
    return setting.mailbox.events[ref.href]


# In how many requests


def test_an_offer_of_three_is_one_request_and_its_acceptance_two(setting: Setting, calendar: OutlookCalendar) -> None:
    (session, at), *holds = made(calendar, 4)
    setting.graph.forget()
    written(calendar.apply([creation(content(hours=n)) for n in (10, 11, 12)]))
    assert setting.graph.methods() == ["BATCH"]
    setting.graph.forget()
    written(calendar.apply([again(session, at, content(hours=20, showing=Showing.CONFIRMED))]))
    assert all(isinstance(outcome, Removed) for outcome in calendar.apply([removal(put, ref) for put, ref in holds]))
    assert setting.graph.methods() == ["PATCH", "BATCH"]


def test_one_write_is_one_plain_request(setting: Setting, calendar: OutlookCalendar) -> None:
    ((put, ref),) = made(calendar)
    (outcome,) = written(calendar.apply([again(put, ref, content(hours=2))]))
    list(calendar.apply([removal(put, outcome.ref)]))
    assert setting.graph.methods() == ["POST", "PATCH", "DELETE"]


def test_sixty_writes_are_three_requests_and_keep_to_the_mailbox_limit(
    setting: Setting, calendar: OutlookCalendar
) -> None:
    written(calendar.apply([creation(content(hours=n)) for n in range(60)]))
    assert setting.graph.methods() == ["BATCH"] * 3
    assert setting.graph.busiest == 4


def test_forty_events_are_read_in_two_requests(setting: Setting, calendar: OutlookCalendar) -> None:
    refs = [ref for _, ref in made(calendar, 40)]
    setting.graph.forget()
    sightings = calendar.read(refs)
    assert all(sightings[ref.name] for ref in refs)
    assert setting.graph.methods() == ["BATCH"] * 2


def test_no_more_than_four_requests_are_under_way_for_one_mailbox(setting: Setting, calendar: OutlookCalendar) -> None:
    graph = setting.graph
    graph.gate = Event()
    with ThreadPoolExecutor(max_workers=8) as pool:
        asked = [pool.submit(calendar.busy, DAY) for _ in range(8)]
        for _ in range(4):
            assert graph.entered.acquire(timeout=60)
        graph.gate.set()
        assert [one.result().times for one in asked] == [[]] * 8
    assert graph.busiest <= 4


def test_writes_of_one_entry_stay_in_order_inside_a_batch(setting: Setting, calendar: OutlookCalendar) -> None:
    first, other = creation(), creation(content(hours=4))
    last = again(first, first.ref, content(hours=1))
    calendar_outcomes = list(calendar.apply([first, other, last]))
    assert len(calendar_outcomes) == 3
    batch = setting.graph.requests[0].body["requests"]
    assert [part.get("dependsOn") for part in batch] == [None, None, ["0"]]


# What is written


@pytest.mark.parametrize("name", ["create", "update"])
def test_what_is_sent_is_what_a_person_has_read(setting: Setting, calendar: OutlookCalendar, name: str) -> None:
    put = creation(content("Hold: K.", showing=Showing.TENTATIVE))
    put = replace(put, ref=Ref(name="0f5d2c1e-5b1a-5e0c-9b54-2f6f0f1c7d10"))
    (outcome,) = written(calendar.apply([put]))
    written(calendar.apply([again(put, outcome.ref, content("Session: K.", showing=Showing.FIRM, location=""))]))
    sent = setting.graph.requests[{"create": 0, "update": 1}[name]]
    assert sent.body == json.loads((DATA / f"{name}.json").read_text(encoding="utf-8"))
    assert sent.headers.get("if-match") == {"create": None, "update": outcome.ref.etag}[name]


def test_nothing_but_the_entry_itself_reaches_outlook_or_the_log(
    setting: Setting, calendar: OutlookCalendar, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level("INFO")
    put = creation(content("Busy", location=""))
    (outcome,) = written(calendar.apply([put]))
    written(calendar.apply([again(put, outcome.ref, content("Busy", hours=1, location=""))]))
    calendar.changes(None)
    sent = setting.graph.sent()
    for private in (str(put.key), str(put.key.id), str(put.session_id), "K.", "Room 2", "Hold", "encilled.example"):
        assert private not in sent
    for private in (*setting.graph.entra.secrets, "Busy", setting.mailbox.username):
        assert private not in caplog.text


def test_what_the_practitioner_adds_survives_our_writes(setting: Setting, calendar: OutlookCalendar) -> None:
    ((put, ref),) = made(calendar)
    theirs = {
        "categories": ["Blue"],
        "importance": "high",
        "isReminderOn": True,
        "reminderMinutesBeforeStart": 5,
        "sensitivity": "normal",
        "body": {"contentType": "html", "content": "<p>bring the folder</p>"},
        "singleValueExtendedProperties": [{"id": "String {aa} Name Theirs", "value": "kept"}],
    }
    setting.mailbox.touch(ref.href or "", **theirs)
    (outcome,) = written(calendar.apply([again(put, ref, content(hours=2))]))
    written(calendar.apply([again(put, outcome.ref, content(hours=3))]))
    after = event(setting, ref)
    assert {key: after[key] for key in theirs if key in after} == {
        key: value for key, value in theirs.items() if key in after
    }
    assert after["_properties"]["String {aa} Name Theirs"] == "kept"


def test_a_hold_has_no_reminder_and_is_private(setting: Setting, calendar: OutlookCalendar) -> None:
    ((_, ref),) = made(calendar)
    shown = event(setting, ref)
    assert (shown["isReminderOn"], shown["sensitivity"], shown["showAs"]) == (False, "private", "tentative")
    assert shown["attendees"] == []


# What the practitioner makes of it


@pytest.mark.parametrize(
    "changes",
    [
        {"recurrence": {"pattern": {"type": "weekly"}, "range": {"type": "noEnd"}}},
        {"showAs": "free"},
        {"showAs": "oof"},
        {"isAllDay": True, "span": Span.of(NOON.replace(hour=0), timedelta(days=1))},
        {"span": None, "end": {"dateTime": "2026-12-03T12:00:00", "timeZone": "UTC"}},
    ],
)
def test_what_we_never_write_is_seen_as_such_and_restored(
    setting: Setting, calendar: OutlookCalendar, changes: dict[str, Any]
) -> None:
    ((put, ref),) = made(calendar)
    setting.mailbox.touch(ref.href or "", **changes)
    sighting = calendar.read([ref])[ref.name]
    assert sighting
    assert sighting.content is None
    written(calendar.apply([again(put, replace(ref, etag=sighting.etag), put.entry.content, over="")]))
    restored = calendar.read([ref])[ref.name]
    assert restored
    assert restored.content == put.entry.content


def test_times_in_the_mailbox_zone_are_understood_by_its_windows_name(
    setting: Setting, calendar: OutlookCalendar
) -> None:
    setting.mailbox.ignores_zone = True
    ((put, ref),) = made(calendar)
    sighting = calendar.read([ref])[ref.name]
    assert sighting
    assert sighting.content == put.entry.content
    assert setting.graph.methods() == ["POST", "GET"]


# Calendars


def test_all_calendars_are_listed_over_pages_and_those_only_read_are_told(setting: Setting) -> None:
    setting.mailbox.page_size = 2
    for number in range(4):
        setting.mailbox.add_calendar(f"Other {number}", editable=number != 3)
    offered = setting.account().calendars()
    assert [(calendar.name, calendar.writable) for calendar in offered] == [
        ("Calendar", True),
        ("Other 0", True),
        ("Other 1", True),
        ("Other 2", True),
        ("Other 3", False),
    ]


def test_a_calendar_is_created_once(setting: Setting) -> None:
    account = setting.account()
    made_one = account.create_calendar("Sessions")
    assert account.create_calendar("Sessions") == made_one
    assert [calendar.name for calendar in account.calendars()] == ["Calendar", "Sessions"]
    written(account.open(made_one.remote_id).apply([creation()]))


def test_a_calendar_that_may_only_be_read_refuses_a_write(setting: Setting) -> None:
    shared = setting.mailbox.add_calendar("Shared", editable=False)
    assert isinstance(failure(setting.account().open(shared["id"]).apply([creation()])), RefusedError)


def test_nothing_heavy_is_imported_before_the_first_use() -> None:
    program = (
        "import sys; from providers.outlook.provider import PROVIDER; from connector.ports import Network\n"
        "print(PROVIDER.slug, [name for name in ('msal', 'httpx2', 'requests', 'icalendar') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True, cwd=ROOT)
    assert done.stdout.strip() == "outlook []"


def test_a_password_will_not_do(setting: Setting) -> None:
    with pytest.raises(RuleError, match="signing in"):
        setting.provider.connect({"password": "x"}, setting.graph.network)
