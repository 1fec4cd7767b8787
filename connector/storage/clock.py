"""The one clock that decides deadlines and dueness: PostgreSQL's, told by every process without asking each time."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime, timedelta

import sqlalchemy as sa
import structlog

from connector.failures import tell
from connector.ports import Clock
from connector.storage.columns import UtcDateTime
from connector.storage.database import Database

EVERY = timedelta(minutes=1)
AGAIN = timedelta(seconds=5)  # after a measurement that failed
TOLERATED = timedelta(seconds=2)  # between this machine's clock and the database's, before somebody is told
_TRIES = 3  # the shortest round trip counts

log = structlog.get_logger(__name__)


def since_boot() -> float:
    """Return the seconds since this machine was started, its sleep among them; nobody can set this back or forth."""
    return time.clock_gettime(getattr(time, "CLOCK_BOOTTIME", time.CLOCK_MONOTONIC))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Measurement:
    """What the database's clock showed, so many seconds after this machine was started."""

    instant: datetime
    seconds: float
    offset: timedelta


class DatabaseClock:
    """Tells PostgreSQL's time: as it was last measured, and what has passed here since.

    It is measured at the first call, and every minute after that while others go on with what is known. However wrong
    this machine's own clock is, and whenever it is set, it decides nothing.

    Args:
        database: Whose clock it is.
        process: This machine's own clock, to say how far it is off.
        elapsed: Seconds that pass evenly.
    """

    def __init__(self, database: Database, *, process: Clock, elapsed: Callable[[], float] = since_boot) -> None:
        self._database = database
        self._process = process
        self._elapsed = elapsed
        self._measurement: _Measurement | None = None
        self._next_at = 0.0
        self._lock = threading.Lock()

    def __call__(self) -> datetime:
        """Return now, aware UTC, whole seconds.

        Raises: DBAPIError if the database's clock was never read and cannot be read now.
        """
        measurement = self._measurement or self._measure()
        if self._elapsed() >= self._next_at:
            self._measure_aside()
        passed = timedelta(seconds=self._elapsed() - measurement.seconds)
        return (measurement.instant + passed).replace(microsecond=0)

    @property
    def offset(self) -> timedelta:
        """How far the database's clock is ahead of this machine's, as last measured.

        Raises: DBAPIError if it was never read and cannot be read now.
        """
        return (self._measurement or self._measure()).offset

    def _measure_aside(self) -> None:
        with self._lock:
            if self._elapsed() < self._next_at:
                return  # somebody else has begun
            self._next_at = self._elapsed() + AGAIN.total_seconds()
        threading.Thread(target=self._try_to_measure, name="clock", daemon=True).start()

    def _try_to_measure(self) -> None:
        try:
            self._measure()
        except Exception as error:  # noqa: BLE001 - the database may be away; what is known goes on being told
            tell("clock_not_measured", error)

    def _measure(self) -> _Measurement:
        query = sa.select(sa.func.clock_timestamp(type_=UtcDateTime()))
        trips: list[tuple[float, _Measurement]] = []
        with self._database.read() as db:
            db.execute(query)  # begins the transaction
            for _ in range(_TRIES):
                before, own_before = self._elapsed(), self._process()
                instant = db.execute(query).scalar_one()
                trip = self._elapsed() - before
                half = timedelta(seconds=trip / 2)
                measurement = _Measurement(
                    instant=instant, seconds=before + trip / 2, offset=instant - half - own_before
                )
                trips.append((trip, measurement))
        _, best = min(trips, key=lambda pair: pair[0])
        self._tell(best)
        self._measurement = best
        self._next_at = self._elapsed() + EVERY.total_seconds()
        return best

    def _tell(self, measurement: _Measurement) -> None:
        former = self._measurement
        was_off = former is not None and abs(former.offset) > TOLERATED
        if abs(measurement.offset) > TOLERATED and not was_off:
            log.warning("clock_off", seconds=round(measurement.offset.total_seconds(), 1))
