"""A process that can die: at any write to the calendar, and before or after any commit."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection

from connector.domain.reconcile import Action
from connector.storage import ledger
from connector.storage.database import Database


class CrashError(BaseException):
    """The process is gone; nothing of it writes any more."""


class MortalDatabase(Database):
    """A database whose process can die; once dead, nothing is committed until it is revived."""

    dead = False
    _before: int | None = None
    _after: int | None = None
    _writes: tuple[str, int] | None = None

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        if self.dead:
            raise CrashError
        with super().begin() as db:
            yield db
            self._before = self._count(self._before)
        self._after = self._count(self._after)

    def die_at(self, point: str, n: int) -> None:
        """Die `before` or `after` the nth commit from now, or `before write` or `after write` the nth remote write."""
        self._before = n if point == "before commit" else None
        self._after = n if point == "after commit" else None
        self._writes = (point.removesuffix(" write"), n) if point.endswith(" write") else None

    def on_write(self, moment: str, _action: Action) -> None:
        """Die at a write to a memory calendar if it is its turn; called before and after each."""
        if self._writes is not None and self._writes[0] == moment:
            countdown = self._count(self._writes[1])
            self._writes = None if countdown is None else (moment, countdown)

    def revive(self) -> None:
        """Start the process again; the leases of the dead one end, as they do when an engine starts."""
        self.dead = False
        self._before = self._after = self._writes = None
        ledger.clear_leases(self)

    def _count(self, countdown: int | None) -> int | None:
        if countdown == 0:
            self.dead = True
            raise CrashError
        return None if countdown is None else countdown - 1


POINTS = ("before commit", "after commit", "before write", "after write")
