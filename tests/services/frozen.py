"""A worker that is frozen at a point of its work until its lease is over and another has done with the calendar."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from typing import Literal

import sqlalchemy as sa
from sqlalchemy import Connection

from connector.domain.connection import Calendar
from connector.domain.reconcile import Action
from connector.storage import ledger
from connector.storage.database import Database
from connector.storage.due import ahead, due
from connector.storage.ledger import Key, Kind
from connector.work.dispatch import handler
from connector.work.engine import Ending, Running, carry_out
from providers.memory.provider import MemoryCalendar
from tests.services.practice import Practice

Point = Literal["before write", "after write", "before record"]
POINTS: tuple[Point, ...] = ("before write", "after write", "before record")
LEASE = ledger.LEASE


class KilledError(BaseException):
    """The frozen process was killed instead of waking; what it had sent has landed all the same."""


class FreezingDatabase(Database):
    """A database that says when somebody is about to record something."""

    recording: Callable[[], None] | None = None

    @contextmanager
    def begin(self) -> Iterator[Connection]:
        if self.recording is not None:
            self.recording()
        with super().begin() as db:
            yield db


@dataclass
class Worker:
    """Carries out one claim and is frozen once, at the nth point of a kind; `meanwhile` is what others do then.

    Attributes:
        killed: Whether it never wakes; a write at which it was frozen lands when the others have finished.
        struck: Whether it came to that point.
        seconds: What its clock says, which goes on while it is frozen.
    """

    practice: Practice
    database: FreezingDatabase
    remote: MemoryCalendar
    point: Point
    n: int
    meanwhile: Callable[[], None]
    killed: bool = False
    struck: bool = False
    seconds: float = field(default=0.0)

    def work(self, calendar: Calendar, kind: Kind = Kind.CALENDAR) -> Ending | None:
        """Carry out what is due of a calendar; None if the process was killed."""
        key = Key(kind, str(calendar.id))
        claim = ledger.claim(self.database, key, now=self.practice.now, lease=LEASE)
        assert claim is not None
        running = Running(
            self.database, claim, lease=LEASE, stop=threading.Event(), since=0.0, monotonic=lambda: self.seconds
        )
        runtime = replace(
            self.practice.runtime, database=self.database, policy=self.practice.policy, clock=self.practice.clock
        )
        self.remote.on_write = self._wrote
        self.database.recording = lambda: self._reached("before record", key)
        try:
            return carry_out(self.database, claim, handler(runtime), running, clock=self.practice.clock)
        except KilledError:
            return None
        finally:
            self.remote.on_write = self.database.recording = None

    def _wrote(self, moment: str, action: Action) -> None:
        self._reached("before write" if moment == "before" else "after write", Key(Kind.CALENDAR, ""), action)

    def _reached(self, point: Point, key: Key, action: Action | None = None) -> None:
        if self.struck or point != self.point:
            return
        self.n -= 1
        if self.n >= 0:
            return
        self.struck = True
        self.remote.on_write = self.database.recording = None
        self.seconds += 2 * LEASE.total_seconds()
        with self.database.begin() as db:
            db.execute(sa.update(due).where(due.c.lease_until.is_not(None)).values(lease_until=ahead(-1.0)))
        self.meanwhile()
        if self.killed:
            if action is not None and point == "before write":
                list(self.remote.apply([action]))
            raise KilledError(str(key))
