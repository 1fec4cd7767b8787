"""The credentials of connected accounts, shared by every thread and process that uses them."""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import timedelta
from uuid import UUID
from weakref import WeakValueDictionary

from connector.errors import TransientError
from connector.sentence import Sentence
from connector.storage import calendars
from connector.storage.database import Database
from connector.storage.seal import Seal

_PATIENCE = timedelta(seconds=30)
_STEP_SECONDS = 0.1
_locks: WeakValueDictionary[UUID, _Lock] = WeakValueDictionary()
_guard = threading.Lock()


class StoredTokens:
    """The credentials of one connection, as they stand in the database; see `ports.TokenStore`."""

    def __init__(self, database: Database, seal: Seal, connection_id: UUID) -> None:
        self._database = database
        self._seal = seal
        self._id = connection_id

    def load(self) -> Mapping[str, str]:
        """Return the credentials as they stand now.

        Raises: NotFoundError if the connection has been removed; SettingsError if no key opens them.
        """
        with self._database.read() as db:
            return self._seal.open(calendars.connection(db, self._id).credentials)

    def renew(
        self, former: Mapping[str, str], refresh: Callable[[Mapping[str, str]], Mapping[str, str]]
    ) -> Mapping[str, str]:
        """Replace credentials that are no longer good, one caller at a time; no transaction is open meanwhile.

        Raises: whatever `refresh` raises; TransientError if another process takes too long.
        """
        with self._alone():
            current = self.load()
            if dict(current) != dict(former):
                return current
            credentials = dict(refresh(current))
            sealed = self._seal.seal(credentials)
            with self._database.begin() as db:
                calendars.set_credentials(db, self._id, sealed)
            return credentials

    @contextmanager
    def _alone(self) -> Iterator[None]:
        lock = _lock_of(self._id)  # kept in a variable: the table of locks forgets what nobody refers to
        with lock.mutex:
            baton = self._database.baton(self._id.int >> 65, silence=_PATIENCE)
            try:
                pause = threading.Event()
                seconds_left = _PATIENCE.total_seconds()
                while not baton.held():
                    if seconds_left <= 0:
                        raise TransientError(Sentence("another process is renewing the same credentials"))
                    pause.wait(_STEP_SECONDS)
                    seconds_left -= _STEP_SECONDS
                yield
            finally:
                baton.close()


class _Lock:
    """A lock that can be forgotten once nobody holds it."""

    def __init__(self) -> None:
        self.mutex = threading.Lock()


def _lock_of(connection_id: UUID) -> _Lock:
    with _guard:
        lock = _locks.get(connection_id)
        if lock is None:
            lock = _locks[connection_id] = _Lock()
        return lock


def _forked() -> None:
    """Begin anew in a process that was forked: whichever thread had a lock goes on in the former one alone."""
    global _guard  # noqa: PLW0603 - it may be locked itself
    _guard = threading.Lock()
    _locks.clear()


os.register_at_fork(after_in_child=_forked)
