"""Which lanes a process takes claims of now, so that neither one lane nor many slow ones take its threads from others.

Adaptive: a lane nobody knows gets one claim at a time, one more for each that went through, and half as many after one
that did not. It is slow while what it does takes long, or has not gone through lately. What slow lanes have, and what
any lane has beyond its first claim, is at most half of the threads together; the other half begins something new.
See docs/decisions/0042.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import timedelta
from math import inf

from connector.storage.ledger import Claim, Key

SLOW = timedelta(seconds=5)  # a quarter of what one request may take
_FIRST = 1  # claims at a time of a lane that nobody knows
_REMEMBERED = 10_000  # lanes
_TROUBLED = 500  # of these, how many that did not go through lately


@dataclass(slots=True)
class _Lane:
    """What this process knows of a lane, in seconds of the monotonic clock.

    Attributes:
        limit: Claims at a time, at most.
        running: Since when each of its claims has been running.
        is_troubled: Whether the last claim did not go through, or took long.
        done_at: When a claim went through quickly for the last time.
    """

    limit: int = _FIRST
    running: dict[Key, float] = field(default_factory=dict)
    is_troubled: bool = False
    done_at: float = -inf


class Seating:
    """The lanes of one process; safe to share between its threads.

    Args:
        threads: How many claims it carries out at a time.
        seats: How many of one lane, at most.
        monotonic: The clock, in seconds.
    """

    def __init__(self, *, threads: int, seats: int, monotonic: Callable[[], float] = time.monotonic) -> None:
        self._seats = seats
        self._shared = max(1, threads // 2)
        self._monotonic = monotonic
        self._lock = threading.Lock()
        self._lanes: dict[str, _Lane] = {}  # the one used last is the last
        self._troubled: dict[str, None] = {}  # likewise
        self._busy: set[str] = set()

    def closed(self) -> frozenset[str]:
        """Return the lanes of which nothing may be claimed now."""
        with self._lock:
            now = self._monotonic()
            is_shared_out = self._burden(now) >= self._shared
            return frozenset(name for name in self._busy | set(self._troubled) if self._shut(name, now, is_shared_out))

    def take(self, claim: Claim) -> bool:
        """Count a claim as running; False if others were quicker, and then it is given back."""
        if not claim.lane:
            return True
        with self._lock:
            now = self._monotonic()
            lane = self._lane_of(claim)
            if self._shut(claim.lane, now, self._burden(now) >= self._shared):
                return False
            lane.running[claim.key] = now
            self._busy.add(claim.lane)
            return True

    def leave(self, claim: Claim, how: str) -> None:
        """Note how a claim has ended that was taken."""
        if not claim.lane:
            return
        with self._lock:
            lane, now = self._lanes[claim.lane], self._monotonic()
            took = now - lane.running.pop(claim.key)
            if not lane.running:
                self._busy.discard(claim.lane)
            self._learn(lane, how, is_long=took > SLOW.total_seconds(), now=now)
            self._troubled.pop(claim.lane, None)
            if lane.is_troubled:
                self._troubled[claim.lane] = None
            self._forget()

    def _lane_of(self, claim: Claim) -> _Lane:
        """Return its lane; of one that is new to this process, the ledger tells whether it went through lately."""
        lane = self._lanes.pop(claim.lane, None)
        if lane is None:
            lane = _Lane(is_troubled=claim.attempts > claim.refusals)
            if lane.is_troubled:
                self._troubled[claim.lane] = None
        self._lanes[claim.lane] = lane
        return lane

    def _learn(self, lane: _Lane, how: str, *, is_long: bool, now: float) -> None:
        if how == "postponed":
            lane.limit = max(1, lane.limit // 2)
            lane.is_troubled = True
        elif how in {"done", "refused"}:  # it was answered
            lane.is_troubled = is_long
            if not is_long:
                lane.limit = min(self._seats, lane.limit + (how == "done"))  # a quota that is spent is a refusal, too
                lane.done_at = now

    def _burden(self, now: float) -> int:
        """Return how many threads slow lanes have, and others beyond their first."""
        running = [self._lanes[name] for name in self._busy]
        return sum(len(lane.running) - (0 if _is_slow(lane, now) else 1) for lane in running)

    def _shut(self, name: str, now: float, is_shared_out: bool) -> bool:  # noqa: FBT001 - told once for all lanes
        lane = self._lanes.get(name)
        if lane is None:
            return False
        is_burden = bool(lane.running) or _is_slow(lane, now)
        return len(lane.running) >= min(lane.limit, self._seats) or (is_burden and is_shared_out)

    def _forget(self) -> None:
        """Forget the lanes that were used the longest ago, where there are too many; the ledger tells of them again."""
        idle = [name for name in self._troubled if name not in self._busy]
        for name in idle[: max(0, len(self._troubled) - _TROUBLED)]:
            del self._troubled[name], self._lanes[name]
        if len(self._lanes) > _REMEMBERED:
            for name in [name for name, lane in self._lanes.items() if not lane.running][: _REMEMBERED // 10]:
                del self._lanes[name]
                self._troubled.pop(name, None)


def _is_slow(lane: _Lane, now: float) -> bool:
    """Whether a lane holds threads for long: its last claim did, or one does now and none went through since."""
    since = min(lane.running.values(), default=inf)
    return lane.is_troubled or now - since > SLOW.total_seconds() >= lane.done_at - since
