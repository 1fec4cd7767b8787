"""What is kept of what was worked out: bounded by bytes, the longest unused goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from threading import Lock
from typing import Generic, TypeVar

_BESIDE = 512  # bytes that are kept beside one value

Value = TypeVar("Value")


class Lately(Generic[Value]):
    """Values that were used lately; safe to share between threads."""

    def __init__(self, most: int) -> None:
        self._most = most
        self._values: OrderedDict[Hashable, tuple[Value, int]] = OrderedDict()
        self._size = 0
        self._lock = Lock()

    def get(self, key: Hashable) -> Value | None:
        """Return a value, if it is still kept."""
        with self._lock:
            if key not in self._values:
                return None
            self._values.move_to_end(key)
            return self._values[key][0]

    def put(self, key: Hashable, value: Value, *, size: int) -> None:
        """Keep a value of so many bytes, and forget those that were not asked for the longest."""
        with self._lock:
            _, former = self._values.pop(key, (None, 0))
            self._values[key] = value, size + _BESIDE
            self._size += size + _BESIDE - former
            while self._size > self._most:
                self._size -= self._values.popitem(last=False)[1][1]
