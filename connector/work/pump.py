"""Sends wake-ups for what is due: whatever message was lost or never sent, its key is found here within a second.

On SQLite, where no message reaches other processes, what they commit is noticed at once.
"""

from __future__ import annotations

import sqlite3
import threading
import time
from collections.abc import Callable, Collection, Mapping
from datetime import timedelta
from math import inf

from connector.failures import tell
from connector.ports import Clock
from connector.storage import ledger
from connector.storage.database import Database
from connector.storage.ledger import Key, Urgency

LIMIT = 500  # keys woken at a time
BATON = 0x70756D70  # the advisory lock of the one process that pumps
_SHORTEST = timedelta(milliseconds=20)
_RARELY = timedelta(milliseconds=250)  # between two looks after commits that made nothing due
_BACKLOG = timedelta(milliseconds=100)  # the sleep while there is more than can be woken at a time


class Pump:
    """One thread that looks for due keys, in one process of all those on the database.

    Args:
        wake: Called with the keys that are due and free, the most urgent first.
        tick: The longest sleep; it wakes earlier when something becomes due earlier.
        seats: Live claims a lane has room for.
        closed: Returns the lanes of which nothing is to be claimed now.
        look: Called before a look for what is due, once a tick, by the one process that pumps.
        glance: How often it is noticed on SQLite that somebody has committed; None for never.
        silence: After so long without a sign of life from the pump, another process takes over.
    """

    def __init__(
        self,
        database: Database,
        wake: Callable[[Mapping[Key, Urgency]], None],
        clock: Clock,
        *,
        tick: timedelta = timedelta(seconds=1),
        seats: int = ledger.SEATS,
        closed: Callable[[], Collection[str]] = frozenset,
        silence: timedelta = ledger.LEASE / 2,
        look: Callable[[], None] = lambda: None,
        glance: timedelta | None = None,
    ) -> None:
        self._database = database
        self._wake = wake
        self._clock = clock
        self._tick = tick
        self._seats = seats
        self._closed = closed
        self._look = look
        self._looked_at = -inf
        self._glance = glance
        self._pause = timedelta() if glance is None else glance / 2
        self._found = False
        self._commits = None if glance is None else database.commits()
        self._baton = database.baton(BATON, silence=silence)
        self._stop = threading.Event()
        self._thread = self._new_thread()

    def start(self) -> None:
        """Start pumping, or waiting for the process that does to end."""
        self._thread.start()

    @property
    def alive(self) -> bool:
        """Whether its thread lives; only a fault of ours ends it before `stop`."""
        return self._thread.is_alive()

    def restart(self) -> None:
        """Go on in a new thread, after the former one has died."""
        self._thread = self._new_thread()
        self._thread.start()

    def _new_thread(self) -> threading.Thread:
        return threading.Thread(target=self._run, name="pump", daemon=True)

    def stop(self) -> None:
        """End the thread and let another process pump."""
        self._stop.set()
        if self._thread.is_alive():
            self._thread.join()
        self._baton.close()
        if self._commits is not None:
            self._commits.close()

    def _run(self) -> None:
        self._noticed()  # what is committed from now on
        while not self._stop.is_set():
            sleep = self._tick
            try:
                if self._baton.held():
                    sleep = self._pump()
            except Exception as error:  # noqa: BLE001 - database or broker may be back at the next tick
                tell("pump_failed", error)
            self._rest(sleep)

    def _rest(self, sleep: timedelta) -> None:
        """Sleep, but not on after somebody has committed where that can be noticed.

        Where commits make nothing due, time and again, they are noticed more rarely.
        """
        if self._commits is None or self._glance is None:
            self._stop.wait(sleep.total_seconds())
            return
        self._pause = self._glance if self._found else min(2 * self._pause, max(self._glance, _RARELY))
        end = time.monotonic() + sleep.total_seconds()
        while (left := end - time.monotonic()) > 0 and not self._stop.wait(min(left, self._pause.total_seconds())):
            if self._noticed():
                return
        self._pause = self._glance / 2  # it was quiet

    def _noticed(self) -> bool:
        """Whether somebody has committed since this was asked before, where that can be noticed."""
        try:
            return self._commits is not None and self._commits.happened()
        except sqlite3.Error as error:
            tell("commits_not_noticed", error)
            self._commits = None  # from here on each tick finds them
            return False

    def _pump(self) -> timedelta:
        """Send wake-ups for what is due and return how long to sleep."""
        if time.monotonic() - self._looked_at >= self._tick.total_seconds():
            self._look()
            self._looked_at = time.monotonic()
        now = self._clock()
        keys = ledger.due_keys(self._database, now, LIMIT, seats=self._seats, closed=self._closed())
        self._found = bool(keys)
        if keys:
            self._wake(keys)
        if len(keys) == LIMIT:
            return min(_BACKLOG, self._tick)
        following = ledger.next_due(self._database, now)
        if following is None:
            return self._tick
        return max(_SHORTEST, min(self._tick, following - now))
