"""One deadline over a whole exchange with a server: connection, request, and answer to its last byte.

The time-outs of libraries hold for one wait each, so a server that says a word every second is never late for them.
Here, a connection says in which exchange it is in use. Once that has lasted too long, one thread of the process closes
the connection under the library, which then fails in words of its own; the exchange ends with a `LateError`.
"""

from __future__ import annotations

import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from dataclasses import dataclass, field
from datetime import timedelta
from heapq import heappop, heappush
from itertools import count
from threading import Condition, Thread
from typing import Any, Protocol
from weakref import WeakKeyDictionary

from connector.errors import ConnectorError

_AGAIN_SECONDS = 0.1  # between two cuts: a library may be connecting anew, or encrypting what it has connected


class LateError(TimeoutError):
    """An exchange has lasted too long, and was ended."""


class Connection(Protocol):
    """A connection of any library."""

    @property
    def sock(self) -> Any:
        """Its socket, while it has one."""
        ...


@dataclass(eq=False, slots=True)
class Exchange:
    """A request and its answer, under way.

    Attributes:
        ends_at: By the clock of `time.monotonic`.
        ended: Whether it is over, by itself or because it was cut.
        was_cut: Whether a connection was closed under it because it lasted too long.
        used: The connections it has used, and the sockets they had then: some libraries let go of a socket from which
            they still read.
    """

    ends_at: float
    ended: bool = False
    was_cut: bool = False
    used: dict[Connection, Any] = field(default_factory=dict, repr=False)

    @property
    def left(self) -> timedelta:
        """How long it may still last."""
        return timedelta(seconds=max(self.ends_at - time.monotonic(), 0.0))

    def taken(self) -> None:
        """Note that all that had to be in time has come, also if that was at the last moment."""
        _watch.end(self)
        self.was_cut = False


_current: ContextVar[Exchange | None] = ContextVar("exchange", default=None)


@contextmanager
def within(limit: timedelta) -> Iterator[Exchange]:
    """Carry out the block as one exchange: for as long as `limit`, and no longer than the exchange it is a part of.

    A connection on which an exchange has failed is closed: what is left in it would be taken for the next answer.

    Raises: LateError in place of whatever a library raised, or seemed to have read, when its connection was cut; our
        own errors go through.
    """
    whole = _current.get()
    ends_at = time.monotonic() + limit.total_seconds()
    exchange = Exchange(min(ends_at, whole.ends_at) if whole else ends_at)
    token = _current.set(exchange)
    _watch.begin(exchange)
    try:
        yield exchange
        if _watch.end(exchange):
            raise LateError("the exchange took too long")  # noqa: TRY301 - the connection is closed as for any failure
    except Exception as error:
        was_cut = _watch.fail(exchange)
        if was_cut and not isinstance(error, LateError | ConnectorError):
            raise LateError("the exchange took too long") from error
        raise
    finally:
        _watch.end(exchange)
        _current.reset(token)


def uses(connection: Connection) -> None:
    """Note that the exchange of this context goes on over a connection: before it connects, sends and receives.

    Raises: LateError if the exchange has lasted too long.
    """
    exchange = _current.get()
    if exchange is not None:
        _watch.note(connection, exchange)


class Noted:
    """Before an HTTP connection of the standard library's kind: it says in which exchange it is in use."""

    def connect(self) -> None:
        """Connect."""
        uses(self)  # type: ignore[arg-type]
        super().connect()  # type: ignore[misc]

    def request(self, *args: Any, **options: Any) -> Any:
        """Send a request."""
        uses(self)  # type: ignore[arg-type]
        return super().request(*args, **options)  # type: ignore[misc]

    def getresponse(self, *args: Any, **options: Any) -> Any:
        """Receive the beginning of an answer."""
        uses(self)  # type: ignore[arg-type]
        return super().getresponse(*args, **options)  # type: ignore[misc]


def left() -> timedelta | None:
    """Return how long the exchange of this context may still last; None if there is none."""
    exchange = _current.get()
    return exchange.left if exchange else None


class _Watch:
    """The thread that cuts what lasts too long; begun with the first exchange of a process."""

    def __init__(self) -> None:
        self._changed = Condition()
        self._due: list[tuple[float, int, Exchange]] = []
        self._numbers = count()
        self._users: WeakKeyDictionary[Connection, Exchange] = WeakKeyDictionary()
        self._thread: Thread | None = None

    def begin(self, exchange: Exchange) -> None:
        """Cut an exchange when its time comes, unless it has ended before."""
        with self._changed:
            if self._thread is None or not self._thread.is_alive():
                self._thread = Thread(target=self._run, name="deadlines", daemon=True)
                self._thread.start()
            self._enter(exchange.ends_at, exchange)
            if self._due[0][2] is exchange:
                self._changed.notify()

    def end(self, exchange: Exchange) -> bool:
        """Never cut an exchange any more; return whether it was."""
        with self._changed:
            exchange.ended = True
            exchange.used.clear()
            return exchange.was_cut

    def fail(self, exchange: Exchange) -> bool:
        """Close what a failed exchange was using; return whether it had lasted too long."""
        with self._changed:
            self._cut(exchange)
        return self.end(exchange)

    def note(self, connection: Connection, exchange: Exchange) -> None:
        """Note who uses a connection from now on."""
        with self._changed:
            if exchange.was_cut or time.monotonic() >= exchange.ends_at:
                raise LateError("the exchange took too long")
            self._users[connection] = exchange
            exchange.used[connection] = connection.sock

    def _run(self) -> None:
        with self._changed:
            while True:
                self._cut_late(time.monotonic())
                self._changed.wait(self._due[0][0] - time.monotonic() if self._due else None)

    def _cut_late(self, now: float) -> None:
        while self._due and self._due[0][0] <= now:
            _, _, exchange = heappop(self._due)
            if exchange.ended:
                continue
            exchange.was_cut = exchange.was_cut or bool(exchange.used)
            self._cut(exchange)
            self._enter(now + _AGAIN_SECONDS, exchange)

    def _cut(self, exchange: Exchange) -> None:
        for connection, sock in exchange.used.items():
            if self._users.get(connection) is exchange:
                _shut(sock)
                _shut(connection.sock)

    def _enter(self, at: float, exchange: Exchange) -> None:
        heappush(self._due, (at, next(self._numbers), exchange))


def _shut(sock: Any) -> None:
    """Have every wait on a socket end now; what is encrypted is not said goodbye to, which could take time itself."""
    with suppress(OSError):
        if isinstance(sock, socket.socket):
            socket.socket.shutdown(sock, socket.SHUT_RDWR)


_watch = _Watch()


def _begin_anew() -> None:
    global _watch  # noqa: PLW0603 - the thread and its lock stay behind in the parent
    _watch = _Watch()


os.register_at_fork(after_in_child=_begin_anew)
