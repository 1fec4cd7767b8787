"""Locks between processes on one SQLite database: files beside it, which the system unlocks however a process ends."""

from __future__ import annotations

import fcntl
import os
import threading
import time
from dataclasses import dataclass
from weakref import WeakSet

from sqlalchemy.engine import make_url

from connector.errors import SettingsError

_PATIENCE_SECONDS = 0.2  # for somebody who only looks whether it is locked
_TRY_AGAIN_SECONDS = 0.01
_LARGEST = 1 << 62  # the place of a byte in a file has a sign
_NOTE_LENGTH = 64


@dataclass(frozen=True, slots=True, kw_only=True)
class Holder:
    """Who carries out due work on a SQLite database, or changes its schema.

    Attributes:
        process: Its number on this machine; None if it did not come to note that.
    """

    process: int | None


class FileLock:
    """Held until closed or until the process ends, however it ends. A process that is forked does not have it."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor: int | None = descriptor
        _held.add(self)

    def close(self) -> None:
        """Let another process in; closing twice is harmless."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.ftruncate(descriptor, 0)
            os.close(descriptor)

    def leave(self) -> None:
        """Have nothing to do with it any more in a process that was forked; whoever forked it has it still."""
        descriptor, self._descriptor = self._descriptor, None
        if descriptor is not None:
            os.close(descriptor)


_held: WeakSet[FileLock] = WeakSet()


def lock_embedded(url: str) -> FileLock:
    """Make this process the one that carries out due work on a SQLite database, or changes its schema.

    Raises: SettingsError if another process is, or the folder does not let us.
    """
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while (lock := try_embedded(url)) is None:
        if time.monotonic() > deadline:
            database = make_url(url).database
            raise SettingsError(
                [f"CONNECTOR_DATABASE_URL: another process is using {database}. Stop it, or use PostgreSQL and Redis."]
            )
        time.sleep(_TRY_AGAIN_SECONDS)  # nothing tells when whoever looks has seen enough
    return lock


def try_embedded(url: str) -> FileLock | None:
    """Do as `lock_embedded` does, at once; None if another process has it.

    Raises: SettingsError if the folder does not let us.
    """
    descriptor = _open(url, ".lock")
    if not _flock(descriptor, fcntl.LOCK_EX):
        os.close(descriptor)
        return None
    os.ftruncate(descriptor, 0)
    os.pwrite(descriptor, f"{os.getpid()}\n".encode(), 0)
    return FileLock(descriptor)


def holder(url: str) -> Holder | None:
    """Return which process has what `lock_embedded` gives; None for nobody.

    Raises: SettingsError if the folder does not let us.
    """
    descriptor = _open(url, ".lock")
    try:
        if _flock(descriptor, fcntl.LOCK_SH):
            return None
        note = os.pread(descriptor, _NOTE_LENGTH, 0).strip()
        return Holder(process=int(note) if note.isdigit() else None)
    finally:
        os.close(descriptor)


class EngineLock:
    """What `lock_embedded` gives, for a process that asks again and again until it has it."""

    def __init__(self, url: str) -> None:
        self._url = url
        self._lock: FileLock | None = None
        self._process: int | None = None  # which has it

    def held(self) -> bool:
        """Take it if it is free; whoever has it keeps it, and a process that is forked then does not have it.

        Raises: SettingsError if the folder does not let us.
        """
        if self._process != os.getpid():
            self._lock = try_embedded(self._url)
            self._process = os.getpid() if self._lock is not None else None
        return self._process is not None

    def close(self) -> None:
        """Give it back; `held` may take it again."""
        lock, self._lock, self._process = self._lock, None, None
        if lock is not None:
            lock.close()


class FileBaton:
    """One byte of a file that stands for a number: locked by one process, and in it by one of these, at a time.

    The system forgets such a lock when the process ends, and also when it closes the file, however it opened that: so
    a process opens it once. A frozen process keeps what it has until it goes on or is killed.
    """

    def __init__(self, url: str, number: int) -> None:
        self._url = url
        self._number = number % _LARGEST
        self._process: int | None = None  # which has it

    def held(self) -> bool:
        """Take it if it is free; whoever has it keeps it.

        Raises: SettingsError if the folder does not let us.
        """
        if self._process != os.getpid():
            self._process = os.getpid() if _bytes_of(self._url).take(self._number) else None
        return self._process is not None

    def close(self) -> None:
        """Give it back; `held` may take it again."""
        process, self._process = self._process, None
        if process == os.getpid():
            _bytes_of(self._url).give(self._number)


class _Bytes:
    """The bytes of one file that this process has locked."""

    def __init__(self, descriptor: int) -> None:
        self._descriptor = descriptor
        self._taken: set[int] = set()
        self._turn = threading.Lock()

    def take(self, number: int) -> bool:
        """Lock a byte, if nobody has."""
        with self._turn:
            if number in self._taken or not self._lock(number):
                return False
            self._taken.add(number)
            return True

    def give(self, number: int) -> None:
        """Unlock it."""
        with self._turn:
            self._taken.discard(number)
            fcntl.lockf(self._descriptor, fcntl.LOCK_UN, 1, number)

    def _lock(self, number: int) -> bool:
        try:
            fcntl.lockf(self._descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB, 1, number)
        except (BlockingIOError, PermissionError):  # systems differ in how they say so
            return False
        return True


_opened: dict[str, _Bytes] = {}
_opening = threading.Lock()


def _bytes_of(url: str) -> _Bytes:
    path = os.path.realpath(make_url(url).database or "")
    with _opening:
        if path not in _opened:
            _opened[path] = _Bytes(_open(url, ".batons"))
        return _opened[path]


def _open(url: str, ending: str) -> int:
    """Open a file beside the database, and make it if need be.

    Raises: SettingsError if the folder does not let us.
    """
    database = make_url(url).database
    try:
        return os.open(f"{database}{ending}", os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise SettingsError([f"CONNECTOR_DATABASE_URL: cannot write beside {database}: {error.strerror}"]) from error


def _flock(descriptor: int, how: int) -> bool:
    try:
        fcntl.flock(descriptor, how | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _forked() -> None:
    """Begin anew in a process that was forked: it shares what `flock` locked, and has nothing of what `lockf` did."""
    global _opening  # noqa: PLW0603 - a thread of the former process may have held it
    _opening = threading.Lock()
    _opened.clear()
    for lock in list(_held):
        lock.leave()


os.register_at_fork(after_in_child=_forked)
