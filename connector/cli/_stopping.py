"""Being asked to stop: what runs until then ends as asked, and not by a signal."""

from __future__ import annotations

import os
import select
import signal
import threading
from contextlib import suppress
from datetime import timedelta

import click

UNTIL_STOPPED = frozenset(
    {"serve", "web", "worker", "work"}
)  # what SIGTERM and Ctrl-C end as asked for, with exit code 0
_SIGNALS = (signal.SIGTERM, signal.SIGINT)


class Stopping:
    """Waits until this process is asked to stop, by a signal or by `ask`.

    A handler does no more than write into a pipe. One that raises does so wherever the main thread happens to be, also
    where exceptions are ignored; one that takes a lock may interrupt the thread that holds it.
    """

    def __init__(self) -> None:
        self._reader, self._writer = os.pipe()
        os.set_blocking(self._writer, False)
        for number in _SIGNALS:
            if signal.getsignal(number) is not signal.SIG_IGN:
                signal.signal(number, lambda *_: self.ask())

    def ask(self) -> None:
        """Stop, from any thread."""
        with suppress(BlockingIOError):  # asked so often that the pipe is full
            os.write(self._writer, b"!")

    def wait(self) -> None:
        """Return once it has been asked for."""
        os.read(self._reader, 1)

    def asked(self, *, within: timedelta) -> bool:
        """Wait so long at most, and return whether it has been asked for."""
        ready, _, _ = select.select([self._reader], [], [], within.total_seconds())
        return bool(ready)


def leave_when_asked(ctx: click.Context) -> None:
    """End this process with exit code 0 when it is asked to stop, until a command has a better way of its own."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in _SIGNALS:
        before = signal.getsignal(number)
        if before is signal.SIG_IGN:  # as `nohup` and shells that start things in the background want it
            continue
        signal.signal(number, _leave)
        ctx.call_on_close(lambda number=number, before=before: signal.signal(number, before))


def _leave(_signal: int, _frame: object) -> None:
    raise SystemExit(0)
