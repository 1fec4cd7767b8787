"""Adds what a process counts to the totals in the database: at a low pace, and only what has changed."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from datetime import timedelta

import structlog

from connector.counters import TALLY, Series, Tally
from connector.storage import counters
from connector.storage.database import Database

EVERY = timedelta(seconds=15)
_PATIENCE_SECONDS = 5.0  # for a database that does not answer while this process is to stop

log = structlog.get_logger(__name__)


class Counting:
    """A thread that stores what is counted from now on: one statement at a time, none while nothing happens.

    A process that is killed takes with it what it has counted since. What could not be stored is stored the next time.
    """

    def __init__(self, database: Database, *, tally: Tally = TALLY, every: timedelta = EVERY) -> None:
        self._database = database
        self._tally = tally
        self._every = every
        self._stored: Mapping[Series, int] = tally.counts()
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="counting", daemon=True)

    def start(self) -> None:
        """Start storing; starting again changes nothing."""
        if not self._thread.is_alive() and not self._stop.is_set():
            self._thread.start()

    def stop(self) -> None:
        """Store the rest, and end the thread."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join(_PATIENCE_SECONDS)

    def _run(self) -> None:
        while not self._stop.wait(self._every.total_seconds()):
            self._store()
        self._store()

    def _store(self) -> None:
        counts = self._tally.counts()
        fresh = {series: times - self._stored.get(series, 0) for series, times in counts.items()}
        fresh = {series: times for series, times in fresh.items() if times}
        if not fresh:
            return
        try:
            with self._database.begin() as db:
                counters.add(db, fresh)
        except Exception as error:  # noqa: BLE001 - the database may be back the next time
            again_in = f"{self._every.total_seconds():.0f} s"
            log.warning("counts_not_stored", error=type(error).__name__, again_in=again_in)
        else:
            self._stored = counts
