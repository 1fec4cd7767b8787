"""Being asked to stop while still starting: what runs until then ends as it does later, and not by a signal."""

from __future__ import annotations

import signal
import threading

import click

UNTIL_STOPPED = frozenset({"serve", "web", "worker"})  # what SIGTERM and Ctrl-C end as asked for, with exit code 0


def leave_when_asked(ctx: click.Context) -> None:
    """End this process with exit code 0 when it is asked to stop, until a command has a better way of its own."""
    if threading.current_thread() is not threading.main_thread():
        return
    for number in (signal.SIGTERM, signal.SIGINT):
        before = signal.getsignal(number)
        if before is signal.SIG_IGN:  # as `nohup` and shells that start things in the background want it
            continue
        signal.signal(number, _leave)
        ctx.call_on_close(lambda number=number, before=before: signal.signal(number, before))


def _leave(_signal: int, _frame: object) -> None:
    raise SystemExit(0)
