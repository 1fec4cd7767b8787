"""What is kept of calendars between two looks: bounded by bytes, the longest unused goes first."""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Hashable
from dataclasses import dataclass, field
from threading import Lock
from typing import Generic, TypeVar

_BESIDE = 512  # bytes that are kept beside one value
_LINES = 64 * 1024 * 1024  # bytes
_READINGS = 32 * 1024 * 1024  # bytes

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


@dataclass(frozen=True, slots=True)
class Kept:
    """What is kept of all the calendars of a provider.

    Attributes:
        lines: The lines that matter of an event, by who reads it, address and ETag.
        readings: What the lines of an event say of a stretch, by both: they alone decide it.
    """

    lines: Lately[bytes] = field(default_factory=lambda: Lately(_LINES))
    readings: Lately[object] = field(default_factory=lambda: Lately(_READINGS))
