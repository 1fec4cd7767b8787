"""How often somebody has asked lately, counted for all processes of an installation.

Counts can be lost without harm. What cannot be counted where all see it is counted by this process for itself, and that
is told once: a limit then stops nobody whom it would not have stopped before.
"""

from __future__ import annotations

import os
import sqlite3
from contextlib import suppress
from datetime import datetime, timedelta
from hashlib import blake2b
from math import ceil
from pathlib import Path
from threading import Lock
from typing import NamedTuple, Protocol
from weakref import WeakSet, finalize

from connector.failures import tell

_TIMEOUT_SECONDS = 0.25
_SWEPT_AFTER = 1000  # counted, what has ended is forgotten
_REDIS_SECONDS = 1
_MILLISECOND = timedelta(milliseconds=1)
_LENGTH = 16
_BROKEN = frozenset({sqlite3.SQLITE_CORRUPT, sqlite3.SQLITE_NOTADB})
_TABLE = """
CREATE TABLE IF NOT EXISTS counts (what BLOB PRIMARY KEY, times INTEGER NOT NULL, ends_at REAL NOT NULL) WITHOUT ROWID
"""
_ADD = """
INSERT INTO counts VALUES (:what, :by, :ends_at) ON CONFLICT (what) DO UPDATE SET
    times = CASE WHEN ends_at <= :now THEN :by ELSE times + :by END,
    ends_at = CASE WHEN ends_at <= :now THEN :ends_at ELSE ends_at END
RETURNING times, ends_at
"""


class Count(NamedTuple):
    """How many there are in a window, and when that ends, in seconds since 1970."""

    times: int
    ends_at: float


class Counts(Protocol):
    """Counts in windows of time: the first one counted begins a window."""

    def add(self, what: str, *, now: datetime, lasts: timedelta, by: int = 1) -> Count:
        """Count some more in the window that is open, or none, and return how many there are."""
        ...


class OwnCounts:
    """What this process has counted."""

    def __init__(self) -> None:
        self._lock = Lock()
        self._counts: dict[str, Count] = {}
        self._added = 0

    def add(self, what: str, *, now: datetime, lasts: timedelta, by: int = 1) -> Count:
        """Count some more in the window that is open, or none, and return how many there are."""
        with self._lock:
            instant = now.timestamp()
            self._sweep(instant)
            count = self._counts.get(what)
            if count is None or count.ends_at <= instant:
                count = Count(0, instant + lasts.total_seconds())
            self._counts[what] = count = Count(count.times + by, count.ends_at)
            return count

    def _sweep(self, instant: float) -> None:
        self._added += 1
        if self._added % _SWEPT_AFTER == 0:
            self._counts = {what: count for what, count in self._counts.items() if count.ends_at > instant}


class FileCounts:
    """What all processes on this machine have counted, in a small SQLite file that nobody waits for.

    It holds no more of whom it counts than a hash; `secret` is what others would need to tell who that is.
    """

    def __init__(self, path: Path, *, secret: bytes) -> None:
        self._path = path
        self._secret = blake2b(secret, digest_size=_LENGTH).digest()
        self._lock = Lock()
        self._sharing = _Sharing()
        self._number: int | None = None  # of the file that was opened last, as the system has it
        self._opened: _OpenFile | None = None
        _files.add(self)

    def add(self, what: str, *, now: datetime, lasts: timedelta, by: int = 1) -> Count:
        """Count some more in the window that is open, or none, and return how many there are."""
        instant = now.timestamp()
        hashed = blake2b(what.encode(), key=self._secret, digest_size=_LENGTH).digest()
        try:
            with self._lock:
                row = self._file().add(hashed, now=instant, ends_at=instant + lasts.total_seconds(), by=by)
        except (sqlite3.Error, OSError) as error:
            self._give_up(error)
            return self._sharing.alone(error, what, now=now, lasts=lasts, by=by)
        self._sharing.works()
        return row

    def _file(self) -> _OpenFile:
        if self._opened is None or self._number != self._number_there():  # another process has begun a new one
            self._opened = None
            with suppress(FileExistsError):  # else: for its owner alone, as the database
                os.close(os.open(self._path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o600))
            self._number = self._number_there()
            self._opened = _OpenFile(self._path)
        return self._opened

    def _number_there(self) -> int | None:
        """Return the number of the file that is there now, as the system has it; None if there is none."""
        try:
            return self._path.stat().st_ino
        except FileNotFoundError:
            return None

    def forked(self) -> None:
        """Begin anew in a process that was forked; what its parent has opened is neither used nor closed there."""
        self._lock = Lock()
        if self._opened is not None:
            _of_parents.append(self._opened)
            self._opened = None

    def _give_up(self, error: Exception) -> None:
        """Begin a new file where this one is broken, as one may be after a power cut."""
        match error:
            case sqlite3.DatabaseError(sqlite_errorcode=code) if code in _BROKEN:
                self._begin_anew()
            case _:
                pass

    def _begin_anew(self) -> None:
        with self._lock:
            self._opened = None
            if self._number_there() != self._number:
                return  # another process has begun a new one already
            with suppress(OSError):
                for ending in ("-wal", "-shm", ""):
                    Path(f"{self._path}{ending}").unlink(missing_ok=True)


_files: WeakSet[FileCounts] = WeakSet()
_of_parents: list[_OpenFile] = []


def _forked() -> None:
    for counts in list(_files):
        counts.forked()


os.register_at_fork(after_in_child=_forked)


class _OpenFile:
    def __init__(self, path: Path) -> None:
        self._db = sqlite3.connect(path, timeout=_TIMEOUT_SECONDS, isolation_level=None, check_same_thread=False)
        finalize(self, self._db.close).atexit = False
        self._db.execute("PRAGMA journal_mode=WAL")
        self._db.execute("PRAGMA synchronous=OFF")
        self._db.execute(_TABLE)
        self._added = 0

    def add(self, what: bytes, *, now: float, ends_at: float, by: int) -> Count:
        self._added += 1
        if self._added % _SWEPT_AFTER == 0:
            self._db.execute("DELETE FROM counts WHERE ends_at <= ?", (now,))
        values = {"what": what, "now": now, "ends_at": ends_at, "by": by}
        return Count(*self._db.execute(_ADD, values).fetchone())


class RedisCounts:
    """What all processes have counted, kept in Redis."""

    def __init__(self, url: str) -> None:
        import redis  # noqa: PLC0415 - only where there is one

        self._errors = redis.RedisError
        self._api = redis.Redis.from_url(url, socket_connect_timeout=_REDIS_SECONDS, socket_timeout=_REDIS_SECONDS)
        self._sharing = _Sharing()

    def add(self, what: str, *, now: datetime, lasts: timedelta, by: int = 1) -> Count:
        """Count some more in the window that is open, or none, and return how many there are."""
        key, most_ms = f"pencilled:counts:{what}", max(1, ceil(lasts / _MILLISECOND))
        try:
            with self._api.pipeline() as pipeline:
                pipeline.set(key, 0, px=most_ms, nx=True)
                pipeline.incrby(key, by)
                pipeline.pttl(key)
                _, times, left_ms = pipeline.execute()
            if left_ms < 0:  # it ended just between the two, and the second has begun one that would not
                self._api.pexpire(key, most_ms)
                left_ms = most_ms
        except self._errors as error:
            return self._sharing.alone(error, what, now=now, lasts=lasts, by=by)
        self._sharing.works()
        return Count(int(times), now.timestamp() + int(left_ms) / 1000)


class _Sharing:
    """Counts in the stead of what all would see, and tells once that it does."""

    def __init__(self) -> None:
        self._own = OwnCounts()
        self._is_told = False

    def works(self) -> None:
        self._is_told = False

    def alone(self, error: Exception, what: str, *, now: datetime, lasts: timedelta, by: int) -> Count:
        if not self._is_told:
            self._is_told = True
            tell("limits_not_shared", error)
        return self._own.add(what, now=now, lasts=lasts, by=by)
