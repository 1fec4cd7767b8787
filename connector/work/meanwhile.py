"""Something that is done again and again, in a thread of its own, while something else takes its time."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import copy_context
from datetime import timedelta


@contextmanager
def meanwhile(do: Callable[[], bool], *, every: timedelta, name: str) -> Iterator[None]:
    """Do something at this pace, in the context of whoever asks, until the block ends or it returns False.

    Args:
        do: Raises nothing: nobody would hear of it.
        every: How long to wait before each time.
        name: Of the thread.
    """
    ended = threading.Event()

    def go_on() -> None:
        while not ended.wait(every.total_seconds()) and do():
            pass

    thread = threading.Thread(target=copy_context().run, args=(go_on,), name=name, daemon=True)
    thread.start()
    try:
        yield
    finally:
        ended.set()
        thread.join()
