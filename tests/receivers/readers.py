"""Three libraries that are not ours, and what each reads in a calendar message."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import vobject
from ical.calendar_stream import CalendarStream

from tests.conftest import missing

ROOT = Path(__file__).parent.parent.parent
ICAL_JS = ROOT / ".venv/node/node_modules/ical.js/dist/ical.js"
PATIENCE = 300  # seconds, far beyond what reading anything here takes


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What a message says: of what, in which revision, what is to be done, and from when until when in UTC."""

    uid: str
    sequence: int
    method: str
    start: datetime
    end: datetime


def by_vobject(texts: Sequence[str]) -> list[Reading]:
    """Read by vobject, from PyPI."""
    calendars = [vobject.readOne(text) for text in texts]
    return [
        Reading(
            uid=one.vevent.uid.value,
            sequence=int(one.vevent.sequence.value),
            method=one.method.value,
            start=one.vevent.dtstart.value.astimezone(UTC),
            end=one.vevent.dtend.value.astimezone(UTC),
        )
        for one in calendars
    ]


def by_ical(texts: Sequence[str]) -> list[Reading]:
    """Read by `ical`, from PyPI."""
    return [_by_ical(text) for text in texts]


def _by_ical(text: str) -> Reading:
    [calendar] = CalendarStream.from_ics(text).calendars
    [event] = calendar.events
    assert isinstance(event.dtstart, datetime)
    assert isinstance(event.dtend, datetime)
    return Reading(
        uid=event.uid or "",
        sequence=event.sequence or 0,
        method=calendar.method or "",
        start=event.dtstart.astimezone(UTC),
        end=event.dtend.astimezone(UTC),
    )


def by_ical_js(texts: Sequence[str]) -> list[Reading]:
    """Read by ical.js, from npm: what Thunderbird reads with. Skips without it; `.ci/run` has it installed."""
    node = shutil.which("node")
    if node is None or not ICAL_JS.exists():
        missing("node or ical.js is not installed (`.ci/run` says how)")
    done = subprocess.run(
        [node, Path(__file__).with_name("read.mjs"), ICAL_JS],
        input=json.dumps(texts),
        capture_output=True,
        encoding="utf-8",
        check=False,
        timeout=PATIENCE,
    )
    assert done.returncode == 0, done.stderr
    return [
        Reading(
            uid=one["uid"],
            sequence=one["sequence"],
            method=one["method"],
            start=datetime.fromisoformat(one["start"]),
            end=datetime.fromisoformat(one["end"]),
        )
        for one in json.loads(done.stdout)
    ]


READERS: tuple[Callable[[Sequence[str]], list[Reading]], ...] = (by_vobject, by_ical, by_ical_js)
