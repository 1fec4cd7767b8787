"""The Python face does what the API does: the same acts, refused in the same words."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

import pytest
import sqlalchemy as sa
from flask import Flask

import providers
from connector.api.resources import ROUTES
from connector.domain.api_key import Scope
from connector.domain.offer import OfferState
from connector.domain.people import Actor, Role
from connector.errors import NotFoundError, NotReadyError, RuleError
from connector.hosted.calls import (
    Alternative,
    Attestation,
    Calls,
    Location,
    Time,
    by_phone,
    in_person,
    online,
)
from connector.plugin import Pencilled
from connector.runtime import Runtime
from connector.services import standstill
from connector.storage.database import Database
from tests.api.conftest import _installed
from tests.api.program import Program, program
from tests.conftest import Clock
from tests.hosted.hosts import PREFIX, settings
from tests.test_house import ROOT
from tests.web.stage import Stage

BERLIN = ZoneInfo("Europe/Berlin")
PLACE = in_person("Lindenstr. 3, Berlin")
FACES = ROOT / "connector" / "hosted" / "calls"
FACES_OF_THE_EXTENSION = (
    "practitioners",
    "hours",
    "clients",
    "availability",
    "sessions",
    "offers",
    "timelines",
    "events",
    "connections",
    "busy_feeds",
)
# What the API does and the host in this process has no call for, and why.
APART: Mapping[str, str] = {
    **dict.fromkeys(
        ("keys.listed", "keys.make", "keys.show", "keys.revoke"),
        "Keys are for programs elsewhere; who runs them has `pencilled keys api`.",
    ),
    **dict.fromkeys(
        (
            "endpoints.listed",
            "endpoints.add",
            "endpoints.show",
            "endpoints.change",
            "endpoints.put",
            "endpoints.remove",
            "endpoints.rotate_secret",
            "endpoints.enable",
            "endpoints.disable",
            "endpoints.test",
            "endpoints.replay",
        ),
        "Here `on_outcome` is told; addresses elsewhere are of `pencilled endpoints`.",
    ),
    **dict.fromkeys(
        ("deliveries.listed", "deliveries.show", "deliveries.replay"),
        "What became of outcomes is looked at by `pencilled deliveries`.",
    ),
    "practitioners.add": "`put` adds them, by the id that a host in this process always has.",
    "clients.add": "`put` adds them, by the id that a host in this process always has.",
    "availability.suggest": "`suggest` asks for the same by the session alone.",
}


@dataclass(frozen=True, kw_only=True)
class Host:
    """A host in whose process we are, whose practitioner is p-17 and whose client c-4."""

    stage: Stage
    calls: Calls

    def at(self, days: int, hour: int) -> datetime:
        day = (self.stage.now + timedelta(days=days)).date()
        return datetime(day.year, day.month, day.day, hour, tzinfo=BERLIN)

    def times(self, days: int, hour: int) -> dict[str, Any]:
        return {"start": self.at(days, hour), "end": self.at(days, hour) + timedelta(minutes=50)}

    def time(self, days: int, hour: int) -> Time:
        return Time(**self.times(days, hour), zone="Europe/Berlin")

    def book(self, days: int, hour: int, **more: Any) -> Any:
        return self.calls.sessions.book(
            practitioner="p-17", client="c-4", location=PLACE, **self.times(days, hour), **more
        )


@pytest.fixture
def host(sqlite_database: Database, sqlite_url: str, clock: Clock) -> Host:
    return _host(_installed(sqlite_database, sqlite_url, clock))


@pytest.fixture
def host_on_either(database: Database, database_url: str, clock: Clock) -> Host:
    return _host(_installed(database, database_url, clock))


def _host(stage: Stage) -> Host:
    calls = Calls(lambda: stage.runtime)
    calls.practitioners.put("p-17", name="Kim Berg", email="kim@practice.example", zone="Europe/Berlin")
    calls.clients.put("c-4", name="Alex Okoro", email="alex@client.example", zone="Europe/London")
    return Host(stage=stage, calls=calls)


def _code(act: Callable[[], object]) -> str:
    with pytest.raises(RuleError) as refused:
        act()
    return refused.value.code


def test_every_route_of_the_api_has_a_face_or_a_reason_why_not() -> None:
    text = "".join(path.read_text(encoding="utf-8") for path in FACES.glob("*.py"))
    quoted = set(re.findall(r'"(\w+\.\w+)"', text))
    composed = re.findall(r'f"(\w+)\.\{name\}"', text)
    assert sorted(composed) == ["offers", "sessions"]
    quoted |= {f"{of}.{name}" for of in composed for name in re.findall(r'_(?:act|changed)\("(\w+)"', _of(of))}
    names = {route.name for route in ROUTES}
    assert APART.keys() <= names
    assert quoted & names == names - APART.keys()


def _of(name: str) -> str:
    return Path(FACES / f"{name}.py").read_text(encoding="utf-8")


def test_story_of_a_booking_platform_goes_by_its_own_ids(host_on_either: Host) -> None:
    host, calls = host_on_either, host_on_either.calls
    booked = host.book(8, 10, external_id="booking-812")
    assert booked.external_id == "booking-812"
    assert booked.time == host.time(8, 10)
    assert calls.sessions.get("booking-812") == booked == calls.sessions.get(booked.id)
    offer = calls.offers.draft(
        "booking-812",
        [host.time(9, 9), Alternative(time=host.time(9, 11), location=by_phone("+4930123456"))],
        window=timedelta(hours=12),
        external_id="rearranging-1",
    )
    assert offer.window_seconds == 12 * 3600
    assert [one.location and one.location.kind for one in offer.alternatives] == [None, "phone"]
    preview = calls.offers.preview("rearranging-1")
    assert preview.would_be_sent
    sent = calls.offers.send("rearranging-1", version=offer.version)
    assert sent.offer.state is OfferState.OPEN
    chosen = sent.offer.alternatives[0]
    answered = calls.offers.answer(
        "rearranging-1", "accept", name="Robin", reason="Called", alternative=chosen.id, shown=chosen.time.start
    )
    assert answered.state is OfferState.ACCEPTED
    assert calls.sessions.get("booking-812").time == host.time(9, 9)
    moved = calls.sessions.reschedule(
        "booking-812",
        **host.times(10, 15),
        attestation=Attestation(who="Alex", at=host.stage.now, channel="by phone"),
        location=online("https://meet.example.org/kim"),
    )
    assert moved.location == Location(kind=moved.location.kind, text="https://meet.example.org/kim")
    calls.sessions.relocate("booking-812", PLACE)
    calls.sessions.correct("booking-812", **host.times(11, 15))
    assert calls.sessions.cancel("booking-812", reason="Closed that day").state == "cancelled"
    assert {event.actor.role for event in calls.timelines.of_session("booking-812")} >= {Role.HOST, Role.SUPPORT}


def test_what_is_answered_is_what_the_api_answers(host: Host) -> None:
    booked = host.book(8, 10, external_id="booking-812")
    api = _program(host)
    shown = api.get(f"/sessions/{booked.id}").json
    assert shown is not None
    assert UUID(shown["id"]) == booked.id
    assert shown["time"]["start"] == booked.time.start.isoformat()
    assert shown["version"] == booked.version
    assert api.get(f"/sessions/{booked.id}/timeline").json["items"][0]["actor"]["role"] == "host"  # type: ignore[index]


def _program(host: Host) -> Program:
    return program(host.stage.runtime, host.stage.app.test_client(use_cookies=False), *Scope)


def test_lists_go_on_by_themselves(host: Host, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("connector.hosted.calls.door._PAGE", 2)
    booked = [host.book(8 + n, 10, external_id=f"booking-{n}").id for n in range(5)]
    found = host.calls.sessions.list(practitioner="p-17", client="c-4", since=host.at(0, 0))
    assert [one.id for one in found] == booked
    assert [one.external_id for one in host.calls.sessions.list(external_id="booking-3")] == ["booking-3"]
    assert {one.external_id for one in host.calls.practitioners.list()} == {"p-17", None}
    assert "c-4" in {one.external_id for one in host.calls.clients.list(email="alex@client.example")}


def test_act_that_names_itself_is_done_once(host: Host) -> None:
    first = host.book(8, 10, once="a-name")
    assert host.book(8, 10, once="a-name") == first
    assert _code(lambda: host.book(9, 10, once="a-name")) == "idempotency_key_reused"
    assert len(list(host.calls.sessions.list(practitioner="p-17"))) == 1


def test_edit_of_another_version_is_refused_and_of_any_is_not(host: Host) -> None:
    booked = host.book(8, 10, external_id="booking-812")
    host.calls.sessions.relocate("booking-812", by_phone("+4930123456"), version=booked.version)
    assert _code(lambda: host.calls.sessions.relocate("booking-812", PLACE, version=1000)) == "precondition_failed"
    assert host.calls.sessions.relocate("booking-812", PLACE).location == PLACE


def test_time_may_be_said_in_any_zone_and_is_read_on_the_clock_that_is_named(host: Host) -> None:
    start = host.at(8, 10)
    booked = host.calls.sessions.book(
        practitioner="p-17",
        client="c-4",
        location=PLACE,
        start=start.astimezone(UTC),
        end=(start + timedelta(minutes=50)).astimezone(ZoneInfo("America/New_York")),
        zone="Europe/Berlin",
    )
    assert booked.time == host.time(8, 10)


@pytest.mark.parametrize(
    ("start", "zone", "code"),
    [
        (datetime(2031, 12, 1, 10), "Europe/Berlin", "time_without_offset"),
        (datetime(2031, 12, 1, 10, tzinfo=UTC), None, "zone_not_given"),
        (datetime(2031, 12, 1, 10, tzinfo=UTC), "Europe/Atlantis", "zone_unknown"),
        (datetime(2031, 12, 1, 10, tzinfo=UTC), "localtime", "zone_unknown"),
        (datetime(2031, 12, 1, 10, tzinfo=UTC), "../etc/passwd", "zone_unknown"),
        (datetime(2031, 3, 30, 2, 30, tzinfo=BERLIN), None, "time_does_not_exist"),
        (datetime(2031, 10, 26, 2, 30, tzinfo=BERLIN), None, "time_comes_twice"),
        (datetime(9999, 12, 31, 23, tzinfo=UTC), "Asia/Tokyo", "time_out_of_range"),
        (datetime(1, 1, 1, tzinfo=UTC), "America/New_York", "time_out_of_range"),
    ],
)
def test_doubtful_time_is_refused(host: Host, start: datetime, zone: str | None, code: str) -> None:
    end = start + timedelta(minutes=50)

    def book() -> object:
        return host.calls.sessions.book(
            practitioner="p-17", client="c-4", location=PLACE, start=start, end=end, zone=zone
        )

    assert _code(book) == code


def test_later_of_two_readings_can_be_meant(host: Host) -> None:
    start = datetime(2031, 10, 26, 2, 30, tzinfo=BERLIN, fold=1)
    booked = host.calls.sessions.book(
        practitioner="p-17",
        client="c-4",
        location=PLACE,
        start=start,
        end=datetime(2031, 10, 26, 3, 30, tzinfo=BERLIN),
    )
    assert booked.time.start.astimezone(UTC) == datetime(2031, 10, 26, 1, 30, tzinfo=UTC)
    again = host.calls.sessions.correct(booked.id, start=booked.time.start, end=booked.time.end, zone=booked.time.zone)
    assert again.version == booked.version


def test_what_is_not_there_is_refused_as_by_the_api(host: Host) -> None:
    calls = host.calls
    acts: list[tuple[Callable[[], object], str]] = [
        (lambda: calls.sessions.get("nothing"), "session_not_found"),
        (lambda: calls.sessions.get(uuid4()), "session_not_found"),
        (lambda: calls.offers.send("nothing"), "offer_not_found"),
        (lambda: calls.clients.get("nobody"), "client_not_found"),
        (lambda: calls.practitioners.get("nobody"), "practitioner_not_found"),
        (lambda: calls.connections.get("nothing"), "connection_not_found"),
    ]
    for act, refused in acts:
        with pytest.raises(NotFoundError) as error:
            act()
        assert error.value.code == refused


@pytest.mark.parametrize(
    ("text", "code"),
    [
        ("", "value_invalid"),
        ("x" * 300, "value_invalid"),
        ("a\0b", "text_not_storable"),
        ("\ud800", "text_malformed"),
        (17, "value_of_wrong_type"),
    ],
)
def test_id_that_is_none_is_refused(host: Host, text: Any, code: str) -> None:
    assert _code(lambda: host.calls.sessions.get(text)) == code


def test_half_a_character_is_refused(host: Host) -> None:
    put = partial(host.calls.clients.put, "c-9", email="kim@mail.example", zone="Europe/Berlin")
    assert _code(lambda: put(name="\udfff")) == "text_malformed"


def test_refusals_tell_all_that_the_api_tells_and_speak_as_asked(host: Host) -> None:
    first = host.book(8, 10)
    with pytest.raises(RuleError) as refused:
        host.book(8, 10)
    assert refused.value.code == "time_taken"
    assert [kept.session_id for kept in refused.value.kept] == [first.id]  # type: ignore[attr-defined]
    assert host.calls.say(refused.value) == str(refused.value)
    assert host.calls.speaking("de").say(refused.value) != str(refused.value)


def test_people_are_as_the_host_knows_them(host: Host) -> None:
    calls = host.calls
    assert calls.practitioners.change("p-17", buffer_minutes=10).buffer_minutes == 10
    again = calls.practitioners.put("p-17", name="Kim Berg", email="kim@practice.example", zone="Europe/Berlin")
    assert again.buffer_minutes == 0
    assert calls.practitioners.get("p-17") == again
    assert calls.clients.change("c-4", name="Alex O.").name == "Alex O."
    assert calls.clients.retire("c-4").retired
    assert not calls.clients.unretire("c-4").retired
    erased = calls.clients.erase("c-4")
    assert erased.erased
    assert "Alex" not in calls.clients.get(erased.id).name
    assert calls.practitioners.retire("p-17").retired
    assert not calls.practitioners.unretire("p-17").retired


def test_hours_free_times_and_suggestions(host: Host) -> None:
    calls = host.calls
    days = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
    every = {day: [("09:00", "12:00")] for day in days}
    hours = calls.hours.put("p-17", every, exceptions={date(2031, 12, 24): []})
    assert calls.hours.get("p-17") == hours
    booked = host.book(8, 10, external_id="booking-812")
    found = calls.availability.find("p-17", start=host.at(8, 0), end=host.at(9, 0), minutes=50)
    assert host.at(8, 9) in found.starts
    assert host.at(8, 10) not in found.starts
    its_own = calls.availability.find(
        "p-17", start=host.at(8, 0), end=host.at(9, 0), minutes=50, for_session="booking-812"
    )
    assert host.at(8, 10) in its_own.starts
    suggested = calls.availability.suggest("booking-812", count=3)
    assert suggested.session_id == booked.id
    offer = calls.offers.put("rearranging-1", "booking-812", [one.time for one in suggested.suggestions])
    assert len(offer.alternatives) == 3
    german = calls.speaking("de").availability.suggest("booking-812", count=3)
    assert [one.reason for one in german.suggestions] != [one.reason for one in suggested.suggestions]


def test_drafts_change_and_go(host: Host) -> None:
    calls = host.calls
    host.book(8, 10, external_id="booking-812")
    offer = calls.offers.draft("booking-812", [host.time(9, 9)])
    calls.offers.rename(offer.id, "rearranging-1")
    changed = calls.offers.redraft("rearranging-1", [host.time(9, 9), host.time(9, 11)])
    assert changed.alternatives[0].id == offer.alternatives[0].id
    assert calls.offers.discard("rearranging-1").state is OfferState.DISCARDED
    calls.offers.send(calls.offers.draft("booking-812", [host.time(9, 9), host.time(9, 11)], external_id="two").id)
    first, second = calls.offers.get("two").alternatives
    assert calls.offers.withdraw_one("two", first.id).alternatives[0].withdrawn
    assert calls.offers.move("two", second.id, **host.times(10, 11)).alternatives[1].time == host.time(10, 11)
    other = calls.offers.replace("two", [host.time(11, 9)], external_id="three").offer
    assert calls.offers.get("two").state is OfferState.REPLACED
    assert calls.offers.withdraw("three", reason="Well again").state is OfferState.WITHDRAWN
    assert [one.id for one in calls.offers.list(session="booking-812", state=OfferState.WITHDRAWN)] == [other.id]
    assert calls.sessions.rename("booking-812", None).external_id is None


def test_links_and_feeds_are_made(host: Host) -> None:
    calls, runtime = host.calls, host.stage.runtime
    runtime.load_provider = providers.load
    runtime.policy = replace(runtime.policy, return_origins=("https://app.example",))
    assert _code(lambda: calls.connections.link("p-17", return_url="https://elsewhere.example/")) == (
        "return_url_not_allowed"
    )
    link = calls.connections.link("p-17", return_url="https://app.example/calendars", provider="caldav")
    assert link.url.startswith(runtime.settings.public_url)
    made = calls.busy_feeds.make("p-17", name="Our page")
    assert made.url.startswith("http")
    assert [one.id for one in calls.busy_feeds.list("p-17")] == [made.id]
    calls.busy_feeds.end("p-17", made.id)
    assert calls.busy_feeds.list("p-17") == []
    assert list(calls.connections.list(practitioner="p-17")) == []
    assert [one.kind for one in calls.timelines.of_practitioner("p-17")] == ["person_changed"] * 2
    assert calls.events.since().items == []


def test_nothing_is_changed_while_a_restored_database_waits(host: Host) -> None:
    booked, runtime = host.book(8, 10), host.stage.runtime
    with runtime.database.begin() as db:
        standstill.begin(db, runtime.policy, by=Actor(role=Role.OPERATOR, name="op"), now=host.stage.now)
    with pytest.raises(RuleError) as refused:
        host.calls.sessions.cancel(booked.id)
    assert (refused.value.code, refused.value.status) == ("standing_still", 503)
    assert host.calls.sessions.get(booked.id).state == "booked"


def test_acts_are_attributes_of_the_extension_once_it_is_in_an_application(stage: Stage) -> None:
    pencilled = Pencilled(url_prefix=PREFIX, settings=settings(stage))
    with pytest.raises(RuntimeError, match="init_app"):
        pencilled.sessions.get("booking-812")
    host = Flask("booking")
    pencilled.init_app(host)
    [session] = pencilled.sessions.list(practitioner="user-1")
    assert session.id == stage.session.id
    assert [event.kind for event in pencilled.speaking("de").timelines.of_session(session.id)]
    for face in FACES_OF_THE_EXTENSION:
        assert type(getattr(pencilled, face)) is type(getattr(pencilled.calls, face))
    assert pencilled.installation.host is host
    pencilled.runtime.database.dispose()


def test_database_that_is_not_migrated_is_named(stage: Stage, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.sqlite3"
    pencilled = Pencilled(Flask("booking"), url_prefix=PREFIX, settings=settings(stage, CONNECTOR_DATABASE_URL=url))
    with pytest.raises(NotReadyError, match="flask pencilled migrate"):
        list(pencilled.sessions.list())


def test_what_says_that_there_is_no_installation_yet_goes_through() -> None:
    def not_yet() -> Runtime:
        raise LookupError("init_app")

    with pytest.raises(LookupError, match="init_app"):
        Calls(not_yet).sessions.get("booking-812")


def test_transaction_that_the_host_has_open_elsewhere_is_none_of_ours(host: Host, tmp_path: Path) -> None:
    own = sa.create_engine(f"sqlite:///{tmp_path}/host.sqlite3")
    with own.connect() as db, db.begin() as theirs:
        db.execute(sa.text("CREATE TABLE bookings (id TEXT)"))
        host.book(8, 10, external_id="booking-812")
        theirs.rollback()
    assert host.calls.sessions.get("booking-812").state == "booked"
    own.dispose()
