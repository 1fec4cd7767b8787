"""Figures that need no server: each is a ratio to its peer, measured in turns in one run."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path

import icalendar
import sqlalchemy as sa

from connector.domain.notice import Recipient
from connector.ical import itip
from connector.storage import ledger, migrations
from connector.storage.database import Database
from connector.storage.due import Key, Kind, due
from tests.bench.calendars import collection, foreign_calendars
from tests.domain.examples import NOW, client, session

ROUNDS = 7
Row = tuple[str, str, str]


def ratio(ours: Callable[[], object], peer: Callable[[], object]) -> float:
    """Return the median ratio of our time to the peer's, measured in turns."""
    ratios = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        ours()
        middle = time.perf_counter()
        peer()
        ratios.append((middle - begun) / (time.perf_counter() - middle))
    return statistics.median(ratios)


def command_start() -> Row:
    """G14: a command against a bare interpreter."""
    entry = [sys.executable, "-c", "from connector.cli import main; main()", "--help"]
    bare = [sys.executable, "-c", "pass"]
    found = ratio(
        lambda: subprocess.run(entry, check=True, capture_output=True), lambda: subprocess.run(bare, check=True)
    )
    return "G14 `pencilled --help` against `python -c pass`", f"{found:.2f}x", "<= 3.5x"


def invitations() -> Row:
    """G12: an invitation against the bare build of the same event."""
    booked, to = session(), Recipient.of(client())
    built = itip.request(booked, practitioner_name="Kim", client=to, summary="Session", description="See you")

    def ours() -> None:
        for _ in range(200):
            itip.request(booked, practitioner_name="Kim", client=to, summary="Session", description="See you")

    parsed = icalendar.Calendar.from_ical(built)

    def bare() -> None:
        for _ in range(200):
            calendar = icalendar.Calendar()
            for name, value in parsed.property_items(recursive=False, sorted=False):
                if name not in {"BEGIN", "END"}:
                    calendar.add(name, value)
            event = icalendar.Event()
            for name, value in parsed.walk("VEVENT")[0].property_items(recursive=False, sorted=False):
                if name not in {"BEGIN", "END"}:
                    event.add(name, value)
            calendar.add_component(event)
            calendar.to_ical()

    return "G12 an invitation against the bare build", f"{ratio(ours, bare):.2f}x", "<= 1.25x"


def due_work() -> Row:
    """G18: asking for due work in a large ledger against a small one."""
    with tempfile.TemporaryDirectory(prefix="pencilled-bench-") as folder:
        small, large = (_ledger(Path(folder) / f"{size}.sqlite3", size) for size in (1_000, 1_000_000))
        found = ratio(lambda: _ask(large), lambda: _ask(small))
        small.dispose()
        large.dispose()
    return "G18 due work among 1,000,000 rows against 1,000", f"{found:.2f}x", "<= 3x"


def _ask(database: Database) -> None:
    for _ in range(200):
        ledger.due_keys(database, NOW, limit=50)


def _ledger(path: Path, size: int) -> Database:
    url = f"sqlite:///{path}"
    migrations.migrate(url)
    database = Database(url)
    with database.begin() as db:
        for n in range(50):
            ledger.touch(db, Key(Kind.CALENDAR, f"due {n}"), due_at=NOW - timedelta(seconds=n))
        row = {"kind": "message", "lane": "", "desired": 1, "applied": 1, "token": 1, "attempts": 0}
        for start in range(0, size, 50_000):
            rows = [row | {"id": f"done {n}"} for n in range(start, min(size, start + 50_000))]
            db.execute(sa.insert(due), rows)
    return database


PEERS = (command_start, invitations, due_work, foreign_calendars, collection)
