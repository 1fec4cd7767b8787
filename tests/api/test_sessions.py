"""Sessions over the API: checked and booked in one act, moved, corrected, relocated, cancelled, kept, and listed."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import Connection
from werkzeug.test import TestResponse

import providers
from connector.api.sessions import resource
from connector.domain.api_key import Scope
from connector.domain.facts import MoveReason, SessionMoved
from connector.domain.people import Actor, Role
from connector.domain.session import SessionState
from connector.domain.span import When
from connector.errors import TransientError
from connector.ports import Network
from connector.services import standstill
from connector.services.accounts import connect
from connector.services.scheduling import answers
from connector.storage import people, sessions, timeline
from providers.memory import provider as memory
from tests.api.conftest import MakesKeys
from tests.api.program import Program, code, pointer
from tests.conftest import Clock
from tests.counting import statements
from tests.web.stage import Stage, add_client

PLACE = {"kind": "in_person", "text": "Linden Street 4, Berlin"}
BERLIN = "Europe/Berlin"


def shown(when: When) -> dict[str, str]:
    """A time as programs send it."""
    zone = when.zone
    start, end = (one.astimezone(ZoneInfo(zone)).isoformat() for one in (when.span.start, when.span.end))
    return {"start": start, "end": end, "zone": zone}


def wanted(stage: Stage, when: When, **more: Any) -> dict[str, Any]:
    """A booking of Ada's for Kim."""
    return {
        "practitioner_id": str(stage.ada.id),
        "client_id": str(stage.kim.id),
        "time": shown(when),
        "location": PLACE,
    } | more


def agreed(stage: Stage, when: When, **more: Any) -> dict[str, Any]:
    """A time that Kim has agreed to."""
    said = {"who": "Kim Noor", "at": stage.now.isoformat(), "channel": "by phone"}
    return {"time": shown(when), "attestation": said} | more


def body(answer: TestResponse, status: int = 200) -> dict[str, Any]:
    """What was answered, once it is what was expected."""
    assert answer.status_code == status, answer.text
    found: dict[str, Any] = answer.get_json()
    return found


def path_of(stage: Stage, *more: str) -> str:
    """The path of Ada's session."""
    return "/".join((f"/sessions/{stage.session.id}", *more))


def version(api: Program, stage: Stage) -> int:
    found: int = body(api.get(path_of(stage)))["version"]
    return found


@pytest.fixture
def calendar(installed: Stage) -> Iterator[memory.MemoryCalendar]:
    """Ada's calendar, which is read before anything is booked."""
    runtime = installed.runtime
    runtime.load_provider = providers.load
    there = memory.store(str(installed.ada.id)).calendar("calendar")
    request = connect.ConnectionRequest(
        provider=memory.PROVIDER,
        form={"address": str(installed.ada.id), "password": "secret"},
        label="Ada's account",
        calendar="calendar",
        session_level=None,
        hold_level=None,
    )
    by = Actor(role=Role.PRACTITIONER, name=installed.ada.name)
    connect.connect(runtime.database, runtime.seal, Network(), installed.ada.id, request, by=by, now=installed.now)
    yield there
    there.offline = None


def test_a_session_is_booked_and_read_as_it_stands(api: Program, installed: Stage) -> None:
    made = api.post("/sessions", wanted(installed, installed.at(9, 10), external_id="b-1", series_id=str(uuid4())))
    booked = body(made, 201)
    assert booked["time"] == {"start": "2026-03-11T10:00:00+01:00", "end": "2026-03-11T10:50:00+01:00", "zone": BERLIN}
    assert (booked["state"], booked["kind"], booked["location"]) == ("booked", "followup", PLACE)
    assert (booked["external_id"], booked["flag"], booked["open_offer_id"], booked["draft_id"]) == (
        "b-1",
        None,
        None,
        None,
    )
    assert made.headers["Location"].endswith(f"/sessions/{booked['id']}")
    read = api.get(f"/sessions/{booked['id']}")
    assert body(read) == booked
    assert read.headers["ETag"] == made.headers["ETag"] == f'"{booked["version"]}"'
    seen = {"If-None-Match": read.headers["ETag"]}
    again = api.ask("GET", f"/sessions/{booked['id']}", headers=seen)
    assert (again.status_code, again.data) == (304, b"")


def test_whoever_books_is_the_host_and_the_client_is_told(api: Program, installed: Stage) -> None:
    booked = body(api.post("/sessions", wanted(installed, installed.at(9, 10))), 201)
    events = body(api.get(f"/sessions/{booked['id']}/timeline"))["items"]
    assert [event["kind"] for event in events] == ["session_booked"]
    assert events[0]["actor"] == {"role": "host", "name": "Booking site", "reason": "", "who": "Booking site"}
    installed.mail()
    kinds = [event["kind"] for event in body(api.get(f"/sessions/{booked['id']}/timeline"))["items"]]
    assert "notice_sent" in kinds


def test_people_can_be_named_as_the_host_calls_them(api: Program, installed: Stage) -> None:
    noa = add_client(installed, external_id="client-7")
    asked = wanted(installed, installed.at(9, 10), client_external_id="client-7")
    del asked["client_id"]
    assert body(api.post("/sessions", asked), 201)["client_id"] == str(noa.id)
    both = api.post("/sessions", wanted(installed, installed.at(9, 12), client_external_id="client-7"))
    assert (both.status_code, code(both), pointer(both)) == (422, "client_not_named", "/client_id")
    del asked["practitioner_id"]
    neither = api.post("/sessions", asked)
    assert (neither.status_code, code(neither), pointer(neither)) == (422, "practitioner_not_given", "/practitioner_id")


@pytest.mark.parametrize(
    ("start", "end", "zone", "refused", "where"),
    [
        ("2026-03-11T10:00:00", "2026-03-11T10:50:00", BERLIN, "time_without_offset", "/time/start"),
        ("2026-03-11T10:00:00+01:00", "2026-03-11T10:50:00", BERLIN, "time_without_offset", "/time/end"),
        ("2026-03-11T10:00:00+02:00", "2026-03-11T10:50:00+01:00", BERLIN, "offset_of_another_zone", "/time/start"),
        ("2026-03-29T02:30:00+01:00", "2026-03-29T03:30:00+02:00", BERLIN, "time_does_not_exist", "/time/start"),
        ("2026-10-25T02:30:00Z", "2026-10-25T04:30:00+01:00", BERLIN, "offset_of_another_zone", "/time/start"),
        ("2026-03-11T10:00:00+01:00", "2026-03-11T10:50:00+01:00", "Mars/Base", "zone_unknown", "/time/zone"),
        ("0001-01-01T00:00:00+14:00", "2026-03-11T10:50:00+01:00", BERLIN, "time_out_of_range", "/time/start"),
        ("9999-12-31T23:59:59-12:00", "9999-12-31T23:59:59-12:00", BERLIN, "time_out_of_range", "/time/start"),
        ("2026-03-11T10:00:00+01:00", "2026-03-11T10:00:00+01:00", BERLIN, "end_before_start", "/time/end"),
        ("2026-03-01T10:00:00+01:00", "2026-03-01T10:50:00+01:00", BERLIN, "time_passed", "/time"),
        ("2026-03-11T10:00:00+01:00", "2026-03-13T10:50:00+01:00", BERLIN, "session_length_out_of_range", "/time/end"),
        ("tomorrow", "2026-03-13T10:50:00+01:00", BERLIN, "value_invalid", "/time/start"),
    ],
)
def test_a_time_that_cannot_be_is_refused_where_it_stands(
    api: Program, installed: Stage, start: str, end: str, zone: str, refused: str, where: str
) -> None:
    asked = wanted(installed, installed.at(9, 10), time={"start": start, "end": end, "zone": zone})
    answer = api.post("/sessions", asked)
    assert (answer.status_code, code(answer), pointer(answer)) == (422, refused, where)


@pytest.mark.parametrize(("offset", "start"), [("+02:00", "00:30"), ("+01:00", "01:30")])
def test_a_wall_time_that_comes_twice_is_told_apart_by_its_offset(
    api: Program, installed: Stage, offset: str, start: str
) -> None:
    twice = {"start": f"2026-10-25T02:30:00{offset}", "end": "2026-10-25T03:30:00+01:00", "zone": BERLIN}
    booked = body(api.post("/sessions", wanted(installed, installed.at(9, 10), time=twice)), 201)
    assert booked["time"] == twice
    since = f"2026-10-25T{start}:00Z"
    assert datetime.fromisoformat(booked["time"]["start"]) == datetime.fromisoformat(since)


def test_a_time_that_is_kept_is_refused_and_what_keeps_it_is_named(api: Program, installed: Stage) -> None:
    offer = installed.offer(installed.at(9, 10))
    taken = api.post("/sessions", wanted(installed, installed.at(7, 15, 30)))
    assert (taken.status_code, code(taken)) == (409, "time_taken")
    assert body(taken, 409)["conflicts"] == [
        {
            "reason": "session",
            "start": _utc(installed.session.when.span.start),
            "end": _utc(installed.session.when.span.end),
            "session_id": str(installed.session.id),
        }
    ]
    held = body(api.post("/sessions", wanted(installed, installed.at(9, 10, 30))), 409)
    assert [(one["reason"], one["offer_id"], "id" in one) for one in held["conflicts"]] == [
        ("hold", str(offer.id), False)
    ]


def test_what_stands_in_a_calendar_is_said_without_its_title_and_accepted_one_by_one(
    api: Program, installed: Stage, calendar: memory.MemoryCalendar
) -> None:
    when = installed.at(9, 10)
    calendar.add_foreign(when.span, "Dentist")
    refused = api.post("/sessions", wanted(installed, when))
    assert (refused.status_code, code(refused)) == (409, "conflict_in_calendar")
    assert "Dentist" not in refused.text
    (found,) = body(refused, 409)["conflicts"]
    assert (found["reason"], found["start"], found["end"]) == (
        "outside_event",
        _utc(when.span.start),
        _utc(when.span.end),
    )
    assert "session_id" not in found
    calendar.add_foreign(installed.at(9, 10, 30).span)
    installed.clock.advance(timedelta(seconds=1))
    more = body(api.post("/sessions", wanted(installed, when, accept_conflicts=[found["id"]])), 409)["conflicts"]
    assert [one["id"] == found["id"] for one in more] == [True, False]
    every = [one["id"] for one in more]
    booked = body(api.post("/sessions", wanted(installed, when, accept_conflicts=every)), 201)
    kinds = [event["kind"] for event in body(api.get(f"/sessions/{booked['id']}/timeline"))["items"]]
    assert kinds == ["session_booked", "conflict_accepted"]


def test_two_events_at_the_very_same_time_are_accepted_each_by_itself(
    api: Program, installed: Stage, calendar: memory.MemoryCalendar
) -> None:
    when = installed.at(9, 10)
    calendar.add_foreign(when.span)
    (first,) = body(api.post("/sessions", wanted(installed, when)), 409)["conflicts"]
    calendar.add_foreign(when.span)
    installed.clock.advance(timedelta(seconds=1))
    both = body(api.post("/sessions", wanted(installed, when, accept_conflicts=[first["id"]])), 409)["conflicts"]
    assert [one["id"] == first["id"] for one in both] == [True, False]
    body(api.post("/sessions", wanted(installed, when, accept_conflicts=[one["id"] for one in both])), 201)


def test_a_calendar_that_cannot_be_read_is_a_blind_spot_and_never_free(
    api: Program, installed: Stage, calendar: memory.MemoryCalendar
) -> None:
    calendar.offline = TransientError("no answer")
    when = installed.at(9, 10)
    (spot,) = body(api.post("/sessions", wanted(installed, when)), 409)["conflicts"]
    assert (spot["reason"], spot["calendar"]) == ("blind_spot", "calendar")
    body(api.post("/sessions", wanted(installed, when, accept_conflicts=[spot["id"]])), 201)


def test_neither_a_session_nor_a_hold_is_booked_over_whatever_is_accepted(
    api: Program, installed: Stage, calendar: memory.MemoryCalendar
) -> None:
    when = installed.at(7, 15, 30)
    calendar.add_foreign(when.span)
    (found,) = body(api.post("/sessions", wanted(installed, when)), 409)["conflicts"]
    ids = [found["id"], str(installed.session.id)]
    refused = api.post("/sessions", wanted(installed, when, accept_conflicts=ids))
    assert (refused.status_code, code(refused)) == (409, "time_taken")


def test_a_session_is_moved_as_agreed_and_its_open_offer_ends(api: Program, installed: Stage) -> None:
    offer = installed.offer()
    seen = version(api, installed)
    asked = agreed(installed, installed.at(11, 9), location={"kind": "phone", "text": "+4930123456, Ada calls"})
    moved = api.post(path_of(installed, "reschedule"), asked, match=seen)
    found = body(moved)
    assert (found["time"], found["ended_offer_id"]) == (shown(installed.at(11, 9)), str(offer.id))
    assert (found["location"]["kind"], found["open_offer_id"]) == ("phone", None)
    assert found["version"] > seen
    assert moved.headers["ETag"] == f'"{found["version"]}"'
    with installed.runtime.database.read() as db:
        (fact,) = timeline.of_session(db, installed.session.id, SessionMoved)
    assert isinstance(fact, SessionMoved)
    assert (fact.reason, fact.attestation is not None and fact.attestation.who) == (MoveReason.AGREED, "Kim Noor")


def test_saving_what_stands_changes_nothing(api: Program, installed: Stage) -> None:
    before = body(api.get(path_of(installed)))
    same = agreed(installed, installed.session.when, location={"kind": "in_person", "text": "Lindenstraße 7, Berlin"})
    stored = installed.everything()
    for act, asked in (
        ("reschedule", same),
        ("correct", {"time": same["time"]}),
        ("relocate", {"location": same["location"]}),
        ("keep", None),
    ):
        found = body(api.post(path_of(installed, act), asked, match=before["version"]))
        assert found == before | {"ended_offer_id": None}, act
    assert installed.everything() | {"api_keys": []} == stored | {"api_keys": []}


@pytest.mark.parametrize(
    ("said", "refused", "where"),
    [
        ({"at": "2026-03-03T09:00:00Z"}, "agreement_in_future", "/attestation/at"),
        ({"at": "2026-03-01T09:00:00"}, "time_without_offset", "/attestation/at"),
        ({"who": " "}, "text_empty", "/attestation/who"),
        ({"channel": "x" * 201}, "text_too_long", "/attestation/channel"),
    ],
)
def test_an_attestation_is_complete(
    api: Program, installed: Stage, said: Mapping[str, str], refused: str, where: str
) -> None:
    asked = agreed(installed, installed.at(11, 9))
    asked["attestation"] |= said
    answer = api.post(path_of(installed, "reschedule"), asked, match="*")
    assert (answer.status_code, code(answer), pointer(answer)) == (422, refused, where)


def test_a_mistake_is_corrected_into_the_past_only_on_purpose(api: Program, installed: Stage) -> None:
    earlier = {"time": shown(installed.at(-1, 9))}
    refused = api.post(path_of(installed, "correct"), earlier, match="*")
    assert (refused.status_code, code(refused), pointer(refused)) == (422, "time_passed", "/time")
    found = body(api.post(path_of(installed, "correct"), earlier | {"override_past": True}, match="*"))
    assert found["time"] == earlier["time"]
    with installed.runtime.database.read() as db:
        (fact,) = timeline.of_session(db, installed.session.id, SessionMoved)
    assert isinstance(fact, SessionMoved)
    assert fact.reason is MoveReason.CORRECTION


def test_a_place_changes_alone_and_an_open_offer_stays(api: Program, installed: Stage) -> None:
    offer = installed.offer()
    found = body(api.post(path_of(installed, "relocate"), {"location": PLACE}, match="*"))
    assert (found["location"], found["open_offer_id"], found["ended_offer_id"]) == (PLACE, str(offer.id), None)
    link = {"kind": "online", "text": "no link"}
    refused = api.post(path_of(installed, "relocate"), {"location": link}, match="*")
    assert (refused.status_code, code(refused), pointer(refused)) == (422, "link_malformed", "/location/text")


def test_a_session_is_cancelled_once_with_a_reason_and_its_offer_with_it(api: Program, installed: Stage) -> None:
    offer = installed.offer()
    found = body(api.post(path_of(installed, "cancel"), {"reason": "Ada is ill"}, match="*"))
    assert (found["state"], found["ended_offer_id"], found["open_offer_id"]) == ("cancelled", str(offer.id), None)
    again = body(api.post(path_of(installed, "cancel"), {}, match=found["version"]))
    assert again == found | {"ended_offer_id": None}
    assert "Ada is ill" in body(api.get(path_of(installed, "timeline")))["items"][-1]["what"]
    moved = api.post(path_of(installed, "reschedule"), agreed(installed, installed.at(11, 9)), match="*")
    assert code(moved) == "session_cancelled"
    body(api.post("/sessions", wanted(installed, installed.session.when)), 201)


def test_a_flagged_session_is_kept(api: Program, installed: Stage) -> None:
    offer = installed.offer()
    with installed.runtime.database.begin() as db:
        by = Actor(role=Role.CLIENT, name="Kim Noor")
        answers.reject(db, installed.runtime.policy, offer.id, by=by, now=installed.now)
    flagged = body(api.get(path_of(installed)))
    assert flagged["flag"] == "rejected"
    assert [one["id"] for one in body(api.get("/sessions", flagged="true"))["items"]] == [str(installed.session.id)]
    kept = body(api.post(path_of(installed, "keep"), match=flagged["version"]))
    assert (kept["flag"], kept["version"]) == (None, flagged["version"] + 1)


def test_what_the_host_calls_it_changes_and_is_its_alone(api: Program, installed: Stage) -> None:
    seen = version(api, installed)
    named = body(api.patch(path_of(installed), {"external_id": "s-1"}, match=seen))
    assert (named["external_id"], named["version"]) == ("s-1", seen + 1)
    assert [one["id"] for one in body(api.get("/sessions", external_id="s-1"))["items"]] == [named["id"]]
    taken = api.post("/sessions", wanted(installed, installed.at(9, 10), external_id="s-1"))
    assert (taken.status_code, code(taken), pointer(taken)) == (409, "external_id_taken", "/external_id")
    other = api.patch(f"/sessions/{installed.bobs.id}", {"external_id": "s-1"}, match="*")
    assert (other.status_code, code(other)) == (409, "external_id_taken")
    assert body(api.patch(path_of(installed), {"external_id": None}, match=named["version"]))["external_id"] is None


ACTS: tuple[tuple[str, str, Any], ...] = (
    ("POST", "/reschedule", "agreed"),
    ("POST", "/correct", "time"),
    ("POST", "/relocate", {"location": PLACE}),
    ("POST", "/cancel", {"reason": ""}),
    ("POST", "/keep", None),
    ("PATCH", "", {"external_id": "x"}),
)


def asked_for(stage: Stage, what: Any) -> Any:
    if what == "agreed":
        return agreed(stage, stage.at(11, 9))
    return {"time": shown(stage.at(11, 9))} if what == "time" else what


@pytest.mark.parametrize(("method", "act", "what"), ACTS)
def test_whoever_changes_a_session_says_what_they_have_seen_of_it(
    api: Program, installed: Stage, method: str, act: str, what: Any
) -> None:
    asked, stored = asked_for(installed, what), installed.stored_session()
    seen = version(api, installed)
    unsaid = api.ask(method, path_of(installed) + act, asked)
    assert (unsaid.status_code, code(unsaid)) == (428, "precondition_required")
    stale = api.ask(method, path_of(installed) + act, asked, match=seen + 1)
    assert (stale.status_code, code(stale)) == (412, "precondition_failed")
    assert installed.stored_session() == stored
    assert version(api, installed) == seen


def test_an_offer_that_was_drafted_or_sent_makes_what_was_seen_stale(api: Program, installed: Stage) -> None:
    seen = version(api, installed)
    draft = installed.draft(installed.at(9, 9))
    drafted = body(api.get(path_of(installed)))
    assert (drafted["draft_id"], drafted["version"]) == (str(draft.id), seen + 1)
    stale = api.post(path_of(installed, "cancel"), {}, match=seen)
    assert code(stale) == "precondition_failed"


@pytest.mark.parametrize(
    ("method", "path", "what"),
    [
        ("GET", "", None),
        ("GET", "/timeline", None),
        *ACTS,
    ],
)
def test_another_practitioners_session_is_as_one_that_is_not_there(
    installed: Stage, key: MakesKeys, method: str, path: str, what: Any
) -> None:
    bobs = key([Scope.READ, Scope.SESSIONS], installed.bob.id)
    asked = asked_for(installed, what)
    answers = [
        bobs.ask(method, f"/sessions/{identity}{path}", asked, match=None if method == "GET" else "*")
        for identity in (installed.session.id, uuid4())
    ]
    assert [answer.status_code for answer in answers] == [404, 404]
    theirs, nothing = (body(answer, 404) | {"request_id": ""} for answer in answers)
    assert theirs == nothing
    assert code(answers[0]) == "session_not_found"


def test_nobody_is_booked_whom_a_key_does_not_see(installed: Stage, key: MakesKeys) -> None:
    bobs = key([Scope.SESSIONS], installed.bob.id)
    when = installed.at(9, 10)
    for field, theirs, refused in (
        ("practitioner_id", installed.ada.id, "practitioner_not_found"),
        ("client_id", installed.kim.id, "client_not_found"),
    ):
        own = wanted(installed, when, practitioner_id=str(installed.bob.id), client_id=str(installed.lou.id))
        found = [bobs.post("/sessions", own | {field: str(identity)}) for identity in (theirs, uuid4())]
        assert [(one.status_code, code(one)) for one in found] == [(404, refused)] * 2
        assert body(found[0], 404) | {"request_id": ""} == body(found[1], 404) | {"request_id": ""}


def test_a_client_made_for_one_practitioner_is_booked_by_their_key_and_by_no_others(
    installed: Stage, key: MakesKeys
) -> None:
    noa = replace(installed.kim, id=uuid4(), external_id="client-9")
    with installed.runtime.database.begin() as db:
        people.add_client(db, noa, now=installed.now, made_for=installed.bob.id)
    asked = wanted(installed, installed.at(9, 10), client_external_id="client-9")
    del asked["client_id"]
    adas = key([Scope.SESSIONS], installed.ada.id).post("/sessions", asked)
    assert (adas.status_code, code(adas)) == (404, "client_not_found")
    bobs = key([Scope.SESSIONS], installed.bob.id).post("/sessions", asked | {"practitioner_id": str(installed.bob.id)})
    assert body(bobs, 201)["client_id"] == str(noa.id)


def test_nothing_is_changed_while_everything_stands_still_and_all_can_be_read(
    api: Program, installed: Stage, calendar: memory.MemoryCalendar
) -> None:
    runtime, by = installed.runtime, Actor(role=Role.OPERATOR)
    standstill.declare(runtime.database, runtime.policy, None, by=by, now=installed.now)
    before = calendar.requests.copy()
    tries = [("POST", "/sessions", wanted(installed, installed.at(9, 10)))]
    tries += [(method, path_of(installed) + act, asked_for(installed, what)) for method, act, what in ACTS]
    for method, path, asked in tries:
        refused = api.ask(method, path, asked, match="*")
        assert (refused.status_code, code(refused)) == (503, "standing_still"), path
    assert calendar.requests == before
    assert body(api.get(path_of(installed)))["state"] == "booked"


def test_no_calendar_is_asked_for_what_is_refused_anyway(
    api: Program, installed: Stage, calendar: memory.MemoryCalendar
) -> None:
    before = calendar.requests.copy()
    link = {"kind": "online", "text": "no link"}
    refused = [
        api.post("/sessions", wanted(installed, installed.at(-1, 10))),
        api.post("/sessions", wanted(installed, installed.at(9, 10), client_id=str(uuid4()))),
        api.post("/sessions", wanted(installed, installed.at(9, 10), location=link)),
        api.post(path_of(installed, "reschedule"), agreed(installed, installed.at(9, 10)), match=77),
        api.post(path_of(installed, "correct"), {"time": shown(installed.at(9, 10))}, match=77),
    ]
    assert [one.status_code for one in refused] == [422, 404, 422, 412, 412]
    assert calendar.requests == before
    body(api.post(path_of(installed, "reschedule"), agreed(installed, installed.at(9, 10)), match="*"))
    assert calendar.requests != before


def test_a_list_holds_what_is_sought_and_of_one_practitioner_nothing_elses(
    api: Program, installed: Stage, key: MakesKeys
) -> None:
    cancelled = installed.book(installed.at(20, 10))
    body(api.post(f"/sessions/{cancelled.id}/cancel", {}, match="*"))
    everybody = {str(installed.session.id), str(installed.bobs.id), str(cancelled.id)}
    bobs = key([Scope.READ], installed.bob.id)
    for program, query, expected in (
        (api, {}, everybody),
        (api, {"practitioner_id": installed.ada.id}, {str(installed.session.id), str(cancelled.id)}),
        (api, {"client_id": installed.lou.id}, {str(installed.bobs.id)}),
        (api, {"state": SessionState.CANCELLED.value}, {str(cancelled.id)}),
        (api, {"from": installed.at(8, 0).span.start.isoformat()}, {str(cancelled.id)}),
        (api, {"to": installed.at(8, 0).span.start.isoformat(), "state": "booked"}, everybody - {str(cancelled.id)}),
        (api, {"flag": "lapsed"}, set()),
        (bobs, {}, {str(installed.bobs.id)}),
        (bobs, {"practitioner_id": installed.ada.id}, set()),
        (bobs, {"practitioner_id": uuid4()}, set()),
        (bobs, {"client_id": installed.kim.id}, set()),
    ):
        found = body(program.get("/sessions", **query))
        assert {one["id"] for one in found["items"]} == expected, query
        assert found["next"] is None


def test_a_list_is_read_page_by_page_and_its_cursor_is_good_for_it_alone(api: Program, installed: Stage) -> None:
    booked = [str(installed.book(installed.at(9 + n, 10)).id) for n in range(5)]
    ada = {"practitioner_id": str(installed.ada.id)}
    found, cursor = [], ""
    while True:
        page = body(api.get("/sessions", **ada, limit=2, **({"cursor": cursor} if cursor else {})))
        found += [one["id"] for one in page["items"]]
        if page["next"] is None:
            break
        cursor = page["next"]
    assert found == [str(installed.session.id), *booked]
    for other in ({}, {"practitioner_id": str(installed.bob.id)}):
        refused = api.get("/sessions", **other, limit=2, cursor=cursor)
        assert (refused.status_code, code(refused)) == (422, "cursor_invalid")


@pytest.mark.parametrize(
    ("query", "refused", "where"),
    [
        ({"from": "2026-03-01T00:00:00"}, "time_without_offset", "/from"),
        ({"to": "0001-01-01T00:00:00+14:00"}, "time_out_of_range", "/to"),
        ({"state": "gone"}, "value_invalid", "/state"),
        ({"limit": "101"}, "value_invalid", "/limit"),
        ({"practitioner_id": "ada"}, "value_invalid", "/practitioner_id"),
        ({"since": "2026-03-01T00:00:00Z"}, "field_unknown", "/since"),
    ],
)
def test_what_cannot_be_sought_is_refused_by_name(api: Program, query: Any, refused: str, where: str) -> None:
    answer = api.get("/sessions", **query)
    assert (answer.status_code, code(answer), pointer(answer)) == (422, refused, where)


def test_a_list_of_a_thousand_costs_as_many_statements_as_one_of_one(api: Program, installed: Stage) -> None:
    with statements() as few:
        body(api.get("/sessions", limit=100))
    with installed.runtime.database.begin() as db:
        add_many(db, installed, 1000)
    with statements() as many:
        page = body(api.get("/sessions", limit=100))
    assert len(page["items"]) == 100
    assert page["next"] is not None
    assert len(many) == len(few)


def add_many(db: Connection, stage: Stage, count: int) -> None:
    for n in range(count):
        when = When.of(stage.at(10 + n, 8).span, zone=BERLIN)
        identity = uuid4()
        sessions.add(db, replace(stage.session, id=identity, uid=str(identity), when=when))


def test_what_happened_is_told_in_the_language_that_was_asked_for(
    api: Program, installed: Stage, key: MakesKeys
) -> None:
    add_client(installed)
    german = {"Accept-Language": "de"}
    first = body(api.get(path_of(installed, "timeline")))["items"][0]
    translated = body(api.ask("GET", path_of(installed, "timeline"), headers=german))["items"][0]
    assert first["what"].startswith("Session booked")
    assert translated["what"].startswith("Termin gebucht")
    assert {**first, "what": "", "actor": ""} == {**translated, "what": "", "actor": ""}
    whole = body(api.get(f"/practitioners/{installed.ada.id}/timeline"))
    assert {one["session_id"] for one in whole["items"]} == {str(installed.session.id)}
    bobs = key([Scope.READ], installed.bob.id)
    hidden = bobs.get(f"/practitioners/{installed.ada.id}/timeline")
    assert (hidden.status_code, code(hidden)) == (404, "practitioner_not_found")


def test_a_timeline_is_read_on_by_its_cursor(api: Program, installed: Stage) -> None:
    installed.offer()
    whole = body(api.get(path_of(installed, "timeline")))["items"]
    pieces, cursor = [], ""
    while True:
        page = body(api.get(path_of(installed, "timeline"), limit=1, **({"cursor": cursor} if cursor else {})))
        pieces += page["items"]
        if page["next"] is None:
            break
        cursor = page["next"]
    assert pieces == whole
    assert len(whole) > 2


def test_a_connection_tells_what_happened_to_it(
    api: Program, installed: Stage, calendar: memory.MemoryCalendar, key: MakesKeys
) -> None:
    assert calendar.offline is None
    events = body(api.get(f"/practitioners/{installed.ada.id}/timeline"))["items"]
    (connection_id,) = {one["connection_id"] for one in events} - {None}
    kinds = [one["kind"] for one in body(api.get(f"/connections/{connection_id}/timeline"))["items"]]
    assert kinds[0] == "connection_added"
    bobs = key([Scope.READ], installed.bob.id)
    for identity in (connection_id, uuid4()):
        assert code(bobs.get(f"/connections/{identity}/timeline")) == "connection_not_found"


def test_who_may_only_read_changes_nothing(installed: Stage, key: MakesKeys) -> None:
    reader = key([Scope.READ])
    stored = installed.stored_session()
    refused = [reader.post("/sessions", wanted(installed, installed.at(9, 10)))]
    refused += [
        reader.ask(method, path_of(installed) + act, asked_for(installed, what), match="*")
        for method, act, what in ACTS
    ]
    assert {(one.status_code, code(one)) for one in refused} == {(403, "scope_missing")}
    assert installed.stored_session() == stored


def test_the_clock_of_the_answer_is_the_zones(api: Program, installed: Stage, clock: Clock) -> None:
    """Whatever zone a session was agreed in, both of its ends are told with the offset they have there."""
    when = installed.at(27, 1, 30)  # the night in which the clocks go forward
    length = timedelta(hours=1)
    across = When.at(when.local, zone=BERLIN, duration=length)
    booked = body(api.post("/sessions", wanted(installed, across)), 201)
    assert booked["time"]["start"].endswith("+01:00")
    assert booked["time"]["end"].endswith("+02:00")
    assert clock.now < across.span.start


def _utc(value: datetime) -> str:
    return value.astimezone(UTC).isoformat().replace("+00:00", "Z")


def test_what_is_shown_of_each_act_in_the_description_can_be_done(api: Program, installed: Stage) -> None:
    ada = replace(installed.ada, external_id="practitioner-12")
    with installed.runtime.database.begin() as db:
        people.save_practitioner(db, ada)
    add_client(installed, external_id="client-7")
    examples = {route.view.__name__: msgspec.to_builtins(route.example) for route in resource.routes if route.example}
    booked = body(api.post("/sessions", examples.pop("book")), 201)
    for act, example in sorted(examples.items(), key=lambda item: item[0] == "cancel"):
        path = f"/sessions/{booked['id']}"
        done = (
            api.patch(path, example, match="*") if act == "call_it" else api.post(f"{path}/{act}", example, match="*")
        )
        assert done.status_code == 200, done.text
    assert examples.keys() == {"reschedule", "correct", "relocate", "cancel", "call_it"}
