"""Availability, suggestions and working hours over the API."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any
from uuid import uuid4

import pytest

from connector.domain.api_key import Scope
from connector.domain.session import Session
from connector.storage import asks
from tests.api.conftest import MakesKeys
from tests.api.program import Program, code, pointer
from tests.web.stage import Stage

PLACE = {"kind": "in_person", "text": "Linden Street 4, Berlin"}


def path(stage: Stage, what: str = "availability") -> str:
    return f"/practitioners/{stage.ada.id}/{what}"


def query(stage: Stage, **more: Any) -> dict[str, Any]:
    """From Wednesday, 11 March 2026 for a week, as it is in Berlin."""
    return {
        "from": stage.at(9, 0).span.start.isoformat(),
        "to": stage.at(16, 0).span.start.isoformat(),
        "minutes": 50,
        **more,
    }


def test_it_is_said_when_somebody_is_free_and_when_not(api: Program, installed: Stage) -> None:
    answer = api.get(path(installed), **query(installed))
    assert answer.status_code == 200, answer.text
    body = answer.get_json()
    assert (body["complete"], body["zone"], body["minutes"], body["hours"]) == (True, "Europe/Berlin", 50, "learnt")
    assert datetime.fromisoformat(body["as_of"]) == installed.now
    assert body["starts"][0] == "2026-03-11T09:00:00+01:00"
    assert body["free"][0]["start"] == "2026-03-11T09:00:00+01:00"
    assert body["blind_spots"] == []


def test_whatever_start_is_given_can_be_booked_and_is_taken_then(api: Program, installed: Stage) -> None:
    start = api.get(path(installed), **query(installed)).get_json()["starts"][3]
    end = (datetime.fromisoformat(start) + timedelta(minutes=50)).isoformat()
    wanted = {
        "practitioner_id": str(installed.ada.id),
        "client_id": str(installed.kim.id),
        "time": {"start": start, "end": end, "zone": "Europe/Berlin"},
        "location": PLACE,
    }
    booked = api.post("/sessions", wanted)
    assert booked.status_code == 201, booked.text
    body = api.get(path(installed), **query(installed)).get_json()
    assert start not in body["starts"]
    (busy,) = [one for one in body["busy"] if one["start"] == start]
    assert (busy["reason"], busy["session_id"]) == ("session", booked.get_json()["id"])
    assert set(busy) == {"start", "end", "reason", "session_id"}
    assert api.post("/sessions", wanted).status_code == 409


def test_times_are_answered_on_the_clock_that_is_asked_for(api: Program, installed: Stage) -> None:
    body = api.get(path(installed), **query(installed, zone="Asia/Tokyo", step=60)).get_json()
    assert body["zone"] == "Asia/Tokyo"
    assert body["starts"][0] == "2026-03-11T17:00:00+09:00"


def test_the_etag_tells_whether_anything_has_changed(api: Program, installed: Stage) -> None:
    asked = query(installed)
    first = api.get(path(installed), **asked)
    seen = {"If-None-Match": first.headers["ETag"]}
    assert api.ask("GET", path(installed), query=asked, headers=seen).status_code == 304
    hours = {"weekly": {"monday": [{"start": "10:00", "end": "12:00"}]}}
    assert api.put(path(installed, "hours"), hours, match="*").status_code == 200
    changed = api.ask("GET", path(installed), query=asked, headers=seen)
    assert (changed.status_code, changed.get_json()["hours"]) == (200, "confirmed")


def test_that_somebody_asks_is_noted(api: Program, installed: Stage) -> None:
    asked = query(installed)
    api.get(path(installed), **asked).close()
    with installed.runtime.database.read() as db:
        noted = asks.get(db, installed.ada.id)
    assert noted is not None
    assert (noted.at, noted.until) == (installed.now, datetime.fromisoformat(asked["to"]) + timedelta(days=1))


@pytest.mark.parametrize(
    ("changes", "problem", "where"),
    [
        ({"from": "2026-03-11T00:00:00"}, "time_without_offset", "/from"),
        ({"to": "0001-01-01T00:00:00+14:00"}, "time_out_of_range", "/to"),
        ({"to": "2026-03-01T00:00:00+01:00"}, "end_before_start", "/to"),
        ({"to": "2026-06-01T00:00:00+01:00"}, "span_too_long", "/to"),
        ({"minutes": "fifty"}, "value_of_wrong_type", "/minutes"),
        ({"minutes": 0}, "value_invalid", "/minutes"),
        ({"step": 1}, "value_invalid", "/step"),
        ({"zone": "Mars/Olympus"}, "zone_unknown", "/zone"),
        ({"zone": "localtime"}, "zone_unknown", "/zone"),
        ({"color": "red"}, "field_unknown", "/color"),
        ({"from": ""}, None, "/from"),
    ],
)
def test_what_cannot_be_asked_is_refused_with_its_place(
    api: Program, installed: Stage, changes: dict[str, Any], problem: str | None, where: str
) -> None:
    answer = api.get(path(installed), **(query(installed) | changes))
    assert answer.status_code == 422, answer.text
    assert problem is None or code(answer) == problem
    assert pointer(answer) == where


def test_a_plus_that_came_as_a_blank_is_told_how_to_be_written(api: Program, installed: Stage) -> None:
    answer = api.get(path(installed), **(query(installed) | {"to": "2026-03-11T00:00:00 01:00"}))
    assert (code(answer), pointer(answer)) == ("plus_not_encoded", "/to")
    assert "to=2026-03-11T00:00:00%2B01:00" in (answer.json or {})["detail"]


def test_suggestions_say_how_they_differ_in_the_language_of_whoever_asks(api: Program, installed: Stage) -> None:
    session: Session = installed.session
    found = api.ask("GET", f"/sessions/{session.id}/suggestions", headers={"Accept-Language": "de"})
    assert found.status_code == 200, found.text
    body = found.get_json()
    assert len(body["suggestions"]) == 9
    assert all(one["time"]["zone"] == session.when.zone for one in body["suggestions"])
    assert any("zur selben Uhrzeit" in one["reason"] for one in body["suggestions"])
    same = api.get(path(installed, "suggestions"), for_session=session.id, count=3)
    assert [one["time"] for one in same.get_json()["suggestions"]] == [one["time"] for one in body["suggestions"][:3]]
    assert found.headers["ETag"]


def test_whatever_is_suggested_can_be_booked_by_an_offer_or_an_agreement(api: Program, installed: Stage) -> None:
    session = installed.session
    found = api.get(f"/sessions/{session.id}/suggestions").get_json()["suggestions"][0]
    said = {"who": "Kim Noor", "at": installed.now.isoformat(), "channel": "by phone"}
    moved = api.post(f"/sessions/{session.id}/reschedule", {"time": found["time"], "attestation": said}, match="*")
    assert moved.status_code == 200, moved.text


def test_hours_are_shown_as_they_were_learnt_until_they_are_said(api: Program, installed: Stage) -> None:
    shown = api.get(path(installed, "hours"))
    body = shown.get_json()
    assert (body["source"], body["version"], body["confirmed_at"]) == ("learnt", 0, None)
    said = {"weekly": body["weekly"], "exceptions": [{"date": "2026-12-24", "hours": []}]}
    confirmed = api.put(path(installed, "hours"), said, match=shown.headers["ETag"].strip('"'))
    assert confirmed.status_code == 200, confirmed.text
    now = confirmed.get_json()
    assert (now["source"], now["version"], now["weekly"]) == ("confirmed", 1, body["weekly"])
    assert now["exceptions"] == said["exceptions"]
    assert confirmed.headers["ETag"] == '"1"'
    assert api.get(path(installed, "hours")).get_json() == now


@pytest.mark.parametrize("said", ["said", ""])
def test_hours_are_others_on_another_clock(api: Program, installed: Stage, said: str) -> None:
    if said:
        api.put(path(installed, "hours"), {"weekly": {"monday": [{"start": "10:00", "end": "12:00"}]}}, match="*")
    before = api.get(path(installed, "hours")).headers["ETag"]
    assert api.patch(f"/practitioners/{installed.ada.id}", {"zone": "Asia/Tokyo"}, match="*").status_code == 200
    after = api.get(path(installed, "hours"))
    assert after.get_json()["zone"] == "Asia/Tokyo"
    assert after.headers["ETag"] != before


def test_hours_that_have_changed_since_are_not_overwritten(api: Program, installed: Stage) -> None:
    shown = api.get(path(installed, "hours")).headers["ETag"].strip('"')
    said = {"weekly": {"sunday": [{"start": "00:00", "end": "24:00"}]}}
    assert api.put(path(installed, "hours"), said).status_code == 428
    assert api.put(path(installed, "hours"), said, match=shown).status_code == 200
    assert api.put(path(installed, "hours"), said, match=shown).status_code == 412
    assert api.put(path(installed, "hours"), {"weekly": {}}, match="1").get_json()["version"] == 2


@pytest.mark.parametrize(
    ("said", "problem"),
    [
        ({"weekly": {"monday": [{"start": "12:00", "end": "09:00"}]}}, "hours_out_of_day"),
        ({"weekly": {"monday": [{"start": "9:00", "end": "10:00"}]}}, "value_invalid"),
        ({"weekly": {"monday": [{"start": "24:00", "end": "24:00"}]}}, "value_invalid"),
        (
            {"weekly": {"monday": [{"start": "09:00", "end": "11:00"}, {"start": "10:00", "end": "12:00"}]}},
            "hours_overlap",
        ),
        ({"weekly": {}, "exceptions": [{"date": "2026-12-24", "hours": []}] * 2}, "hours_date_twice"),
        ({"weekly": {"someday": []}}, "field_unknown"),
        ({"weekly": {}, "exceptions": [{"date": "2026-13-24", "hours": []}]}, "value_invalid"),
        ({}, "field_missing"),
        ([], "value_of_wrong_type"),
    ],
)
def test_hours_that_cannot_be_are_refused(api: Program, installed: Stage, said: object, problem: str) -> None:
    answer = api.put(path(installed, "hours"), said, match="*")
    assert (answer.status_code, code(answer)) == (422, problem), answer.text


def test_of_another_practitioner_nothing_is_told(key: MakesKeys, installed: Stage) -> None:
    bobs = key([Scope.READ, Scope.ADMIN], practitioner=installed.bob.id)
    unknown = uuid4()
    session = installed.session.id
    for what, asked in (("availability", query(installed)), ("suggestions", {"for_session": session}), ("hours", {})):
        hidden = bobs.get(path(installed, what), **asked)
        absent = bobs.get(f"/practitioners/{unknown}/{what}", **asked)
        assert (
            (hidden.status_code, code(hidden)) == (absent.status_code, code(absent)) == (404, "practitioner_not_found")
        )
    assert bobs.put(path(installed, "hours"), {"weekly": {}}, match="*").status_code == 404
    own = f"/practitioners/{installed.bob.id}"
    assert code(bobs.get(f"{own}/suggestions", for_session=session)) == "session_not_found"
    assert code(bobs.get(f"{own}/availability", **query(installed, for_session=session))) == "session_not_found"
    assert code(bobs.get(f"/sessions/{session}/suggestions")) == "session_not_found"


def test_whoever_may_only_read_says_no_hours(key: MakesKeys, installed: Stage) -> None:
    reader = key([Scope.READ])
    assert reader.get(path(installed, "hours")).status_code == 200
    assert code(reader.put(path(installed, "hours"), {"weekly": {}}, match="*")) == "scope_missing"
