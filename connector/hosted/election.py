"""One engine among the processes of a host: each takes part once it answers requests, and one carries out due work.

Nothing here happens in a factory: a process that only loads the host, or is forked from, carries out nothing.
"""

from __future__ import annotations

import atexit
import os
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta
from weakref import WeakSet

import structlog

from connector import app
from connector.failures import tell
from connector.runtime import Runtime
from connector.storage import schema
from connector.storage.database import Baton
from connector.storage.locks import EngineLock
from connector.work.engine import Engine
from connector.work.meanwhile import meanwhile

PAUSE = timedelta(milliseconds=250)  # between two looks whether it is our turn
AFTER_FAULT = timedelta(seconds=2)
SILENCE = timedelta(seconds=4)  # after which a server gives the turn of a frozen process to another
STOPS_WITHIN = timedelta(seconds=10)  # servers of web applications kill what takes 30
BATON = 0x656E67696E65  # of a server's sessions, which process of hosts carries out due work

log = structlog.get_logger(__name__)


class Election:
    """Has one process of those that answer requests carry out due work, until it ends; then another does.

    Args:
        runtime: Returns the installation as this process has opened it.
        stands: Whether these processes carry out due work; if not, they only have others notice what they commit.
    """

    def __init__(self, runtime: Callable[[], Runtime], *, stands: bool = True) -> None:
        self._runtime = runtime
        self._stands = stands
        self._lock = threading.Lock()
        self._term: _Term | None = None
        _elections.add(self)

    def take_part(self) -> None:
        """Have this process take part from now on; every request may call this."""
        if self._term is None or self._term.process != os.getpid():
            self._begin()

    @property
    def carries_out(self) -> bool:
        """Whether this process carries out due work now."""
        return self._term is not None and self._term.process == os.getpid() and self._term.is_ours

    def stop(self) -> None:
        """Let due work come to a safe place, and another process go on with it."""
        if self._term is not None:
            self._term.stop()
            self._term = None

    def _begin(self) -> None:
        if not self._lock.acquire(blocking=False):  # another thread does it
            return
        try:
            if self._term is None or self._term.process != os.getpid():
                term = _Term(self._runtime, stands=self._stands)
                term.start()
                self._term = term
        except RuntimeError as error:  # this process has no thread to spare now, or ends; the request is answered
            tell("engine_not_started", error)
        finally:
            self._lock.release()

    def forked(self) -> None:
        """Begin anew in a process that was forked, in the middle of whatever."""
        self._lock = threading.Lock()
        self._term = None


_elections: WeakSet[Election] = WeakSet()


def _forked() -> None:
    for election in list(_elections):
        election.forked()


os.register_at_fork(after_in_child=_forked)


class _Term:
    """One process's part, in a thread of its own."""

    def __init__(self, runtime: Callable[[], Runtime], *, stands: bool) -> None:
        self.process = os.getpid()
        self._stands = stands
        self.is_ours = False
        self._open = runtime
        self._runtime: Runtime | None = None
        self._turn: Baton | None = None
        self._engine: Engine | None = None
        self._fault = ""
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, name="election", daemon=True)

    def start(self) -> None:
        self._thread.start()
        atexit.register(self.stop)

    def stop(self) -> None:
        """End it; in a process that was forked there is nothing to end."""
        if self.process == os.getpid():
            atexit.unregister(self.stop)
            self._stop.set()
            self._thread.join(STOPS_WITHIN.total_seconds())

    def _run(self) -> None:
        while not self._stop.is_set():
            pause = PAUSE
            try:
                if not self._look():
                    pause = AFTER_FAULT
            except Exception as error:  # noqa: BLE001 - whatever it is, it may be put right while this process runs
                self._give_up(error)
                pause = AFTER_FAULT
            self._stop.wait(pause.total_seconds())
        self._end()

    def _look(self) -> bool:
        """Go on with what is ours, or look whether it is our turn; False if the database is not ready for anybody."""
        runtime = self._runtime or self._opened()
        if self._engine is None:
            if not _is_migrated(runtime):
                self._tell_once("the database is not up to date: run `flask pencilled migrate`")
                return False
            self._engine = app.create_engine(runtime)
            self._engine.attach()
        if not self._stands:
            self._stop.wait()
            return True
        is_ours = (self._turn or self._turn_of(runtime)).held()
        if is_ours and not self.is_ours:
            if not _is_migrated(runtime):  # meanwhile, by a newer version
                self._end()
                return False
            with _confirming(self._turn):
                self._engine.start()
            self.is_ours, self._fault = True, ""
            log.info("engine_elected", process=self.process)
        elif self.is_ours and not is_ours:
            self._end()
        return True

    def _opened(self) -> Runtime:
        self._runtime = self._open()
        return self._runtime

    def _turn_of(self, runtime: Runtime) -> Baton:
        if runtime.database.embedded:
            self._turn = EngineLock(runtime.settings.database_url)
        else:
            self._turn = runtime.database.baton(BATON, silence=SILENCE)
        return self._turn

    def _give_up(self, error: Exception) -> None:
        self._tell_once(error)
        try:
            self._end()
        except Exception as fault:  # noqa: BLE001 - as above
            tell("engine_not_ended", fault)

    def _end(self) -> None:
        """Stop what is ours, and then let another process have its turn."""
        engine, self._engine = self._engine, None
        turn, self._turn = self._turn, None
        try:
            if engine is not None:
                engine.stop(STOPS_WITHIN / 2)
        finally:
            if turn is not None:
                turn.close()
            if self.is_ours:
                self.is_ours = False
                log.info("engine_ended", process=self.process)

    def _tell_once(self, error: Exception | str) -> None:
        kind = str(error) if isinstance(error, str) else f"{type(error).__name__}: {error}"
        if kind != self._fault:
            self._fault = kind
            tell("engine_not_started", error)


@contextmanager
def _confirming(turn: Baton | None, *, every: timedelta = SILENCE / 4) -> Iterator[None]:
    """Keep a turn while something takes its time: a server gives that of a silent process to another."""

    def confirm() -> bool:
        try:
            return turn is not None and turn.held()
        except Exception as error:  # noqa: BLE001 - whoever looks next notices that it is lost
            tell("turn_not_confirmed", error)
            return False

    with meanwhile(confirm, every=every, name="turn"):
        yield


def _is_migrated(runtime: Runtime) -> bool:
    with runtime.database.read() as db:
        return schema.step(db) == schema.newest()
