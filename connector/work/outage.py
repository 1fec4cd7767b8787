"""An outage of the broker, told when it begins and when it ends, and not in between."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import inf

import structlog

_WORDS = 200  # characters of a cause

log = structlog.get_logger(__name__)


class Outage:
    """Whether the broker is lost, as every thread of this process has found; safe to share between them.

    Args:
        ask: Asks the broker whether it is there: what goes well during an outage may not have asked it anything.
    """

    def __init__(self, ask: Callable[[], object]) -> None:
        self._ask = ask
        self._lock = threading.Lock()
        self._since: float | None = None
        self._failed_at = -inf
        self._attempts = 0

    @contextmanager
    def watching(self, *failures: type[Exception], again_seconds: float) -> Iterator[None]:
        """Note how a request to the broker goes; what it raises goes through.

        Args:
            failures: What it raises if the broker is lost.
            again_seconds: When the next request is made after one that fails.
        """
        try:
            yield
            if self._since is None:
                return
            began = time.monotonic()
            self._ask()
        except failures as error:
            self._note_failure(error, again_seconds)
            raise
        self._note_success(began)

    def _note_failure(self, error: Exception, again_seconds: float) -> None:
        with self._lock:
            self._failed_at = time.monotonic()
            self._attempts += 1
            if self._since is not None:
                return
            self._since = self._failed_at
        cause = f"{type(error).__name__}: {error}"[:_WORDS]
        log.warning("broker_lost", error=cause, attempts=1, again_in=f"{again_seconds:.0f} s")

    def _note_success(self, began: float) -> None:
        """End the outage, unless the request began before another one failed."""
        with self._lock:
            if self._since is None or began < self._failed_at:
                return
            seconds, attempts = time.monotonic() - self._since, self._attempts
            self._since, self._attempts = None, 0
        log.warning("broker_back", attempts=attempts, after=f"{seconds:.0f} s")
