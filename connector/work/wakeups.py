"""For which keys word is on its way."""

from __future__ import annotations

import threading
import time
from math import inf

from connector.storage.ledger import Key

_PATIENCE_SECONDS = {"memory": 60.0, "redis": 5.0}  # before the pump rings again for a key nobody has looked at
_REMEMBERED = 10_000


class WakeUps:
    """Remembers for which keys word is on its way, so that a queue nobody empties does not grow."""

    def __init__(self, *, shared: bool) -> None:
        self._shared = shared
        self._patience = _PATIENCE_SECONDS["redis" if shared else "memory"]
        self._arriving: dict[Key, float] = {}  # monotonic seconds at which the earliest message arrives
        self._lock = threading.Lock()

    def may_wake(self, key: Key, delay_seconds: float, *, again: bool) -> bool:
        """Whether a message for the key is needed; if so, it counts as sent.

        A message in a shared queue may have been taken by another process, unseen by us: only one that cannot have
        arrived yet keeps a touch from ringing.
        """
        now = time.monotonic()
        arrives = now + delay_seconds
        with self._lock:
            earliest = self._arriving.get(key, inf)
            patience = self._patience if again or not self._shared else 0.0
            if earliest <= arrives and now < earliest + patience:
                return False
            if len(self._arriving) >= _REMEMBERED:
                self._arriving = {k: at for k, at in self._arriving.items() if now < at + self._patience}
            self._arriving[key] = min(arrives, earliest) if now < earliest else arrives
            return True

    def answered(self, key: Key) -> None:
        """Somebody is about to look at the key: what becomes due from here on needs a new ring."""
        with self._lock:
            self._arriving.pop(key, None)
