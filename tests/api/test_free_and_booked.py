"""What is offered as free can be booked, and what is free minute by minute is offered, as others book meanwhile."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from connector.domain.api_key import Scope
from tests.api.program import Program, program
from tests.web.stage import Stage

DAYS = ("monday", "tuesday", "wednesday", "thursday", "friday", "saturday", "sunday")
WEEKS = (
    (),
    (("00:00", "24:00"),),
    (("09:00", "12:30"), ("14:10", "18:00")),
    (("00:00", "03:30"), ("22:00", "24:00")),  # over midnight, and over clock changes
)
ZONES = ("Europe/Berlin", "America/St_Johns", "Australia/Lord_Howe", "Africa/Cairo", "America/New_York")
BEGINS = (
    datetime(2026, 3, 11, tzinfo=UTC),
    datetime(2026, 3, 27, 12, tzinfo=UTC),
    datetime(2026, 4, 3, tzinfo=UTC),
    datetime(2026, 10, 23, 7, 13, tzinfo=UTC),
)
EXCEPTION = date(2026, 3, 29)
MINUTE = timedelta(minutes=1)
PLACE = {"kind": "phone", "text": "Ada calls"}

Hours = tuple[tuple[str, str], ...]


def minute(clock: str) -> int:
    return int(clock[:2]) * 60 + int(clock[3:])


def body(hours: Hours) -> list[dict[str, str]]:
    return [{"start": start, "end": end} for start, end in hours]


def is_inside(at: datetime, week: Mapping[str, Hours], zone: ZoneInfo) -> bool:
    wall = at.astimezone(zone)
    hours = WEEKS[1] if wall.date() == EXCEPTION else week[DAYS[wall.weekday()]]
    return any(minute(start) <= wall.hour * 60 + wall.minute < minute(end) for start, end in hours)


def is_round_once(at: datetime, step: int, zone: ZoneInfo) -> bool:
    wall = at.astimezone(zone)
    once = wall.replace(fold=1 - wall.fold).utcoffset() == wall.utcoffset()
    return once and (wall.hour * 60 + wall.minute) % step == 0


@pytest.mark.long
@pytest.mark.parametrize("seed", range(6))
def test_what_is_free_is_what_can_be_booked(on_either: Stage, seed: int) -> None:
    stage, random = on_either, Random(seed)
    api = program(stage.runtime, stage.app.test_client(use_cookies=False), *Scope)
    own, zone = f"/practitioners/{stage.ada.id}", ZoneInfo(random.choice(ZONES))
    buffer, minutes, step = random.choice([0, 5, 15, 45]), random.choice([30, 50, 95]), random.choice([7, 15, 30])
    week = {day: random.choice(WEEKS) for day in DAYS}
    assert api.patch(own, {"zone": zone.key, "buffer_minutes": buffer}, match="*").status_code == 200
    exceptions = [{"date": EXCEPTION.isoformat(), "hours": body(WEEKS[1])}]
    said = {"weekly": {day: body(hours) for day, hours in week.items()}, "exceptions": exceptions}
    assert api.put(f"{own}/hours", said, match="*").status_code == 200
    begin = random.choice(BEGINS)
    end, length = begin + timedelta(days=4), minutes * MINUTE
    asked = {"from": begin.isoformat(), "to": end.isoformat(), "minutes": minutes, "step": step}
    for _ in range(8):
        found = api.get(f"{own}/availability", **asked).get_json()
        busy = [tuple(datetime.fromisoformat(one[edge]) for edge in ("start", "end")) for one in found["busy"]]
        free = [
            at
            for at in (begin + MINUTE * n for n in range(int((end - begin - length) / MINUTE) + 1))
            if is_round_once(at, step, zone)
            and all(is_inside(at + MINUTE * n, week, zone) for n in range(minutes))
            and not any(start < at + length + buffer * MINUTE and at < finish for start, finish in busy)
        ]
        assert [datetime.fromisoformat(start) for start in found["starts"]] == free, (zone, buffer, asked)
        if not free:
            break
        book(api, stage, random.choice(free), length, zone, random)


def book(api: Program, stage: Stage, start: datetime, length: timedelta, zone: ZoneInfo, random: Random) -> None:
    """Book a time, once; then move the session to what is suggested, or offer that."""
    time = {
        "start": start.astimezone(zone).isoformat(),
        "end": (start + length).astimezone(zone).isoformat(),
        "zone": zone.key,
    }
    wanted: dict[str, Any] = {"practitioner_id": str(stage.ada.id), "client_id": str(stage.kim.id), "time": time}
    booked = api.post("/sessions", wanted | {"location": PLACE})
    assert booked.status_code == 201, booked.text
    assert api.post("/sessions", wanted | {"location": PLACE}).status_code == 409
    session = f"/sessions/{booked.get_json()['id']}"
    suggested = [one["time"] for one in api.get(f"{session}/suggestions", count=3).get_json()["suggestions"]]
    if not suggested:
        return
    if random.random() < 0.5:
        said = {"who": "Kim Noor", "at": stage.now.isoformat(), "channel": "by phone"}
        moved = api.post(f"{session}/reschedule", {"time": suggested[0], "attestation": said}, match="*")
        assert moved.status_code == 200, moved.text
        return
    drafted = api.post(f"{session}/offers", {"alternatives": [{"time": one} for one in suggested]})
    assert drafted.status_code == 201, drafted.text
    sent = api.post(f"/offers/{drafted.get_json()['id']}/send", {}, match="*")
    assert sent.status_code == 200, sent.text
