"""Whatever is sent as a time is read, or refused where it stands: at every place that takes one."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.api.program import Program, code, pointer
from tests.web.stage import Stage

BERLIN = "Europe/Berlin"
LOCATION = {"kind": "in_person", "text": "Linden Street 4"}
AGREED = {"who": "Kim", "at": "2026-03-01T09:00:00+01:00", "channel": "by phone"}
GOOD = "2026-03-11T10:00:00+01:00"

INSTANTS = {  # and how each is refused
    "2026-03-11T10:00:00": "time_without_offset",
    "0001-01-01T00:00:00+14:00": "time_out_of_range",
    "9999-12-31T23:59:59-12:00": "time_out_of_range",
    "2026-12-31T23:59:60Z": "value_invalid",
    "2026-02-30T10:00:00Z": "value_invalid",
    "2026-03-11T24:00:00Z": "value_invalid",
    "2026-03-11T10:00:00+25:00": "value_invalid",
    "2026-03-11T10:00:00+01:00[Europe/Berlin]": "value_invalid",
    "2026-03-11": "value_invalid",
    "": "value_invalid",
}
NO_ZONES = (
    "Mars/Base",
    "europe/berlin",
    "localtime",
    "Factory",
    "../../etc/passwd",
    "Europe/Berlin ",
    "+01:00",
    "CEST",
)
Send = Callable[[str], TestResponse]


def places(api: Program, stage: Stage) -> Mapping[str, tuple[str, Send]]:
    """Return every place that takes an instant: where a refusal has to lead, and what sends one there."""
    offer = stage.offer(stage.at(12, 9))
    session, of = f"/sessions/{stage.session.id}", f"/offers/{offer.id}"
    free = f"/practitioners/{stage.ada.id}/availability"
    endpoint = api.post("/endpoints", {"url": "https://host.example/outcomes"}).json
    assert endpoint is not None
    booking = {"practitioner_id": str(stage.ada.id), "client_id": str(stage.kim.id), "location": LOCATION}
    answer = {"answer": "accept", "name": "Robin", "reason": "Called", "alternative_id": str(offer.alternatives[0].id)}
    person = {"name": "Alex", "zone": BERLIN}

    def time(start: str = GOOD, end: str = "2026-03-11T11:00:00+01:00") -> dict[str, str]:
        return {"start": start, "end": end, "zone": BERLIN}

    def times(start: str) -> dict[str, Any]:
        return {"alternatives": [{"time": time()}, {"time": time(start)}]}

    return {
        "booked from": ("/time/start", lambda at: api.post("/sessions", booking | {"time": time(at)})),
        "booked to": ("/time/end", lambda at: api.post("/sessions", booking | {"time": time(end=at)})),
        "moved to": (
            "/time/start",
            lambda at: api.post(f"{session}/reschedule", {"time": time(at), "attestation": AGREED}, match="*"),
        ),
        "agreed at": (
            "/attestation/at",
            lambda at: api.post(
                f"{session}/reschedule", {"time": time(), "attestation": AGREED | {"at": at}}, match="*"
            ),
        ),
        "corrected to": ("/time/start", lambda at: api.post(f"{session}/correct", {"time": time(at)}, match="*")),
        "drafted": ("/alternatives/1/time/start", lambda at: api.post(f"{session}/offers", times(at))),
        "put": (
            "/alternatives/1/time/start",
            lambda at: api.put("/offers/by-external-id/o1", times(at) | {"session_id": str(stage.session.id)}),
        ),
        "replaced": ("/alternatives/1/time/start", lambda at: api.post(f"{of}/replace", times(at), match="*")),
        "offered instead": (
            "/time/start",
            lambda at: api.post(f"{of}/alternatives/{offer.alternatives[0].id}/move", {"time": time(at)}, match="*"),
        ),
        "shown": ("/shown", lambda at: api.post(f"{of}/answer", answer | {"shown": at})),
        "listed from": ("/from", lambda at: api.get("/sessions", **{"from": at})),
        "listed to": ("/to", lambda at: api.get("/sessions", to=at)),
        "free from": ("/from", lambda at: api.get(free, **{"from": at, "to": GOOD, "minutes": 50})),
        "free to": ("/to", lambda at: api.get(free, **{"from": GOOD, "to": at, "minutes": 50})),
        "texts agreed": (
            "/texts_agreed/at",
            lambda at: api.post("/clients", person | {"texts_agreed": {"at": at, "by": "them"}}),
        ),
        "replayed": ("/since", lambda at: api.post(f"/endpoints/{endpoint['id']}/replay", {"since": at})),
    }


def test_what_is_no_time_is_refused_where_it_stands_wherever_one_is_taken(api: Program, installed: Stage) -> None:
    wrong = [
        f"{name}: {at}: {answer.status_code} {answer.text}"
        for name, (where, send) in places(api, installed).items()
        for at, refused in INSTANTS.items()
        if (answer := send(at)) and (answer.status_code, code(answer), pointer(answer)) != (422, refused, where)
    ]
    assert not wrong, "\n".join(wrong)


def test_what_is_no_zone_is_refused_wherever_one_is_taken(api: Program, installed: Stage) -> None:
    """What a system may take for one, such as a name in small letters or a path, is none."""
    ends = {"start": GOOD, "end": "2026-03-11T11:00:00+01:00"}
    free = f"/practitioners/{installed.ada.id}/availability"
    booking = {"practitioner_id": str(installed.ada.id), "client_id": str(installed.kim.id), "location": LOCATION}
    sends: dict[str, Send] = {
        "/time/zone": lambda zone: api.post("/sessions", booking | {"time": ends | {"zone": zone}}),
        "/alternatives/0/time/zone": lambda zone: api.post(
            f"/sessions/{installed.session.id}/offers", {"alternatives": [{"time": ends | {"zone": zone}}]}
        ),
        "/zone": lambda zone: api.post("/clients", {"name": "Alex", "zone": zone}),
    }
    wrong = [
        f"{where}: {zone}: {answer.status_code} {answer.text}"
        for where, send in sends.items()
        for zone in NO_ZONES
        if (answer := send(zone))
        and (answer.status_code, code(answer), pointer(answer)) != (422, "zone_unknown", where)
    ]
    assert not wrong, "\n".join(wrong)
    asked = api.get(free, **{"from": GOOD, "to": "2026-03-12T10:00:00Z", "minutes": 50, "zone": "europe/berlin"})
    assert (asked.status_code, code(asked), pointer(asked)) == (422, "zone_unknown", "/zone")


@pytest.mark.parametrize(
    ("start", "refused", "readings"),
    [
        ("2026-03-29T02:30:00+01:00", "time_does_not_exist", ()),
        ("2026-10-25T02:30:00Z", "offset_of_another_zone", ("2026-10-25T02:30:00+01:00", "2026-10-25T02:30:00+02:00")),
        ("2026-03-11T10:00:00Z", "offset_of_another_zone", ("2026-03-11T10:00:00+01:00",)),
        ("2026-07-11T10:00:00+01:00", "offset_of_another_zone", ("2026-07-11T10:00:00+02:00",)),
    ],
)
def test_an_offset_that_the_zone_does_not_have_then_is_refused_and_those_it_has_are_named(
    api: Program, installed: Stage, start: str, refused: str, readings: tuple[str, ...]
) -> None:
    time = {"start": start, "end": "2026-12-01T11:00:00+01:00", "zone": BERLIN}
    answer = api.post(f"/sessions/{installed.session.id}/offers", {"alternatives": [{"time": time}]})
    assert (answer.status_code, code(answer), pointer(answer)) == (422, refused, "/alternatives/0/time/start")
    assert all(reading in answer.text for reading in readings)


@pytest.mark.parametrize("zone", ["Etc/UTC", "UTC", "Europe/London", "Africa/Abidjan", "Atlantic/Reykjavik", "GMT"])
def test_zulu_is_an_offset_like_any_other_and_former_names_of_zones_count(
    api: Program, installed: Stage, zone: str
) -> None:
    time = {"start": "2026-03-11T10:00:00Z", "end": "2026-03-11T11:00:00.9Z", "zone": zone}
    answer = api.post(f"/sessions/{installed.session.id}/offers", {"alternatives": [{"time": time}]})
    assert answer.json is not None
    shown = {"start": "2026-03-11T10:00:00Z", "end": "2026-03-11T11:00:00Z", "zone": zone}
    assert answer.json["alternatives"][0]["time"] == shown


def test_dates_at_the_ends_of_all_calendars_are_hours_like_others(api: Program, installed: Stage) -> None:
    path = f"/practitioners/{installed.ada.id}"
    dates: list[dict[str, Any]] = [{"date": date, "hours": []} for date in ("0001-01-01", "9999-12-31")]
    assert api.put(f"{path}/hours", {"weekly": {}, "exceptions": dates}, match="*").status_code == 200
    assert api.get(f"{path}/hours").json["exceptions"] == dates  # type: ignore[index]
    for start in ("1971-01-01T00:00:00Z", "9998-11-30T00:00:00Z"):
        to = start.replace("01T", "05T").replace("30T", "31T") if start < "2" else "9998-12-20T00:00:00Z"
        assert api.get(f"{path}/availability", **{"from": start, "to": to, "minutes": 50}).status_code == 200
