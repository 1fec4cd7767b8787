"""Figures that need no server: each is a ratio to its peer, measured in turns in one run."""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable, Collection
from datetime import timedelta
from pathlib import Path

import icalendar
import sqlalchemy as sa

from connector.domain.notice import Recipient
from connector.ical import itip
from connector.storage import ledger, migrations
from connector.storage.database import Database
from connector.storage.due import Claim, Key, Kind, due
from connector.work.engine import Engine, Running
from tests.bench.calendars import collection, foreign_calendars
from tests.bench.sharing import sharing_out
from tests.domain.examples import NOW, client, session
from tests.work.worker import real_time

ROUNDS = 7
_ACTS = 300
_REQUEST = 0.02  # seconds a well host takes
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


def neighbours() -> Row:
    """G20: an act at a well host while three others do not answer, against the same without these."""
    quiet, noisy = _p95(()), _p95(("caldav:dead.example", "caldav:silent.example", "caldav:endless.example"))
    return "G20 act to calendar, p95, beside hosts that do not answer", f"{noisy / quiet:.2f}x", "<= 1.5x"


def upkeep() -> Row:
    """G20: an act while 100,000 polls are due, against the same while none is."""
    quiet, noisy = _p95(()), _p95((), polls=100_000)
    return "G20 act to calendar, p95, while 100,000 polls are due", f"{noisy / quiet:.2f}x", "<= 2x"


def _p95(silent: Collection[str], *, polls: int = 0) -> float:
    """Return how long it took from an act to the end of its claim, in seconds, at a hundred well hosts."""
    ended: dict[str, float] = {}
    all_ended, released = threading.Event(), threading.Event()

    def handle(claim: Claim, _running: Running) -> None:
        if claim.lane in silent:
            released.wait(60)
        else:
            time.sleep(_REQUEST)
        if claim.key.kind is Kind.CALENDAR:
            ended[claim.key.id] = time.perf_counter()
            if len(ended) == _ACTS:
                all_ended.set()

    with tempfile.TemporaryDirectory(prefix="pencilled-bench-") as folder:
        database = _with_polls(Path(folder) / "due.sqlite3", silent, polls)
        engine = Engine(database, handle, broker_url="memory://", clock=real_time)
        engine.start()
        begun = {}
        for n in range(_ACTS):
            begun[f"{n}"] = time.perf_counter()
            with database.begin() as db:
                ledger.touch(db, Key(Kind.CALENDAR, f"{n}"), due_at=real_time(), lane=f"caldav:{n % 100}.well.example")
            time.sleep(_REQUEST)
        all_ended.wait(120)
        released.set()
        engine.stop()
        database.dispose()
    return sorted(ended[key] - begun[key] for key in ended)[int(_ACTS * 0.95)]


def _with_polls(path: Path, silent: Collection[str], polls: int) -> Database:
    url = f"sqlite:///{path}"
    migrations.migrate(url)
    database = Database(url)
    counts = {"desired": 1, "applied": 0, "token": 1, "attempts": 0}
    row = {"kind": "pull", "due_at": real_time() - timedelta(hours=1), **counts}
    rows = [row | {"id": f"{n}", "lane": f"google:{n}"} for n in range(polls)]
    rows += [row | {"id": f"{lane} {n}", "lane": lane} for lane in silent for n in range(20)]
    with database.begin() as db:
        if rows:
            db.execute(sa.insert(due), rows)
    return database


PEERS = (command_start, invitations, due_work, neighbours, upkeep, foreign_calendars, collection, sharing_out)
