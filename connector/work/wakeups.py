"""Which keys have a wake-up on its way: a message that has workers look at the key."""

from __future__ import annotations

import threading
import time
from math import inf

from connector.storage.ledger import Key, Urgency

_PATIENCE_SECONDS = {"memory": 60.0, "redis": 5.0}  # before the pump wakes again for a key nobody has looked at
_REMEMBERED = 10_000


class WakeUps:
    """Remembers which wake-ups are on their way, so that a queue nobody empties does not grow."""

    def __init__(self, *, shared: bool) -> None:
        self._shared = shared
        self._patience = _PATIENCE_SECONDS["redis" if shared else "memory"]
        # When the earliest message arrives, on the monotonic clock: one that is less urgent may wait in a long queue.
        self._delivery_seconds: dict[tuple[Key, Urgency], float] = {}
        self._lock = threading.Lock()

    def may_wake(self, key: Key, urgency: Urgency, delay_seconds: float, *, again: bool) -> bool:
        """Whether a message for the key is needed; if so, it counts as sent. One that is as urgent, or more, will do.

        A message in a shared queue may have been taken by another process, unseen by us: only one that cannot have
        arrived yet keeps a touch from waking.
        """
        monotonic = time.monotonic()
        delivery = monotonic + delay_seconds
        with self._lock:
            sent = (self._delivery_seconds.get((key, one), inf) for one in Urgency if one <= urgency)
            earliest = min(sent)
            patience = self._patience if again or not self._shared else 0.0
            if earliest <= delivery and monotonic < earliest + patience:
                return False
            if len(self._delivery_seconds) >= _REMEMBERED:
                self._forget_lost(monotonic)
            self._delivery_seconds[key, urgency] = min(delivery, earliest) if monotonic < earliest else delivery
            return True

    def forget(self, key: Key) -> None:
        """Forget the wake-up for a key that is about to be looked at: what becomes due from here on needs a new one."""
        with self._lock:
            for urgency in Urgency:
                self._delivery_seconds.pop((key, urgency), None)

    def _forget_lost(self, monotonic: float) -> None:
        """Forget the wake-ups that nobody has looked at for too long."""
        waiting = self._delivery_seconds.items()
        self._delivery_seconds = {sent: delivery for sent, delivery in waiting if monotonic < delivery + self._patience}
