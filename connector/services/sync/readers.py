"""The threads that read calendars for doors: few in a process, and fewer for what is slow together.

Who saves a time does not wait for ever, but what they have begun does not end with their patience. So threads are
begun only while there are not too many; what was not begun in time is not read, and is known as it was before.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable
from datetime import timedelta
from threading import Condition, Thread
from time import monotonic

MOST = 16  # of a process
OF_ONE_LANE = 4
NAME = "free-busy"


class Readers:
    """Threads of which only so many live at a time, and only so many for one lane."""

    def __init__(self, *, most: int = MOST, of_one_lane: int = OF_ONE_LANE) -> None:
        self._most = most
        self._of_one_lane = of_one_lane
        self._changed = Condition()
        self._running: Counter[str] = Counter()

    def run(self, jobs: Iterable[tuple[str, Callable[[], None]]], *, patience: timedelta) -> int:
        """Run jobs, each of a lane, and wait for all of them, `patience` long at most.

        Returns: How many could not be begun in that time.
        """
        ends_at = monotonic() + patience.total_seconds()
        waiting, begun = list(jobs), []
        with self._changed:
            while True:
                for job in list(waiting):
                    if self._has_seat(job[0]):
                        begun.append(self._begin(*job))
                        waiting.remove(job)
                if not waiting or not self._changed.wait(max(0.0, ends_at - monotonic())):
                    break
        for thread in begun:
            thread.join(max(0.0, ends_at - monotonic()))
        return len(waiting)

    def _has_seat(self, lane: str) -> bool:
        return self._running.total() < self._most and self._running[lane] < self._of_one_lane

    def _begin(self, lane: str, job: Callable[[], None]) -> Thread:
        def run() -> None:
            try:
                job()
            finally:
                self._leave(lane)

        thread = Thread(target=run, name=NAME, daemon=True)
        thread.start()
        self._running[lane] += 1  # which nobody sees before, since the caller has the lock
        return thread

    def _leave(self, lane: str) -> None:
        with self._changed:
            self._running[lane] -= 1
            if not self._running[lane]:
                del self._running[lane]
            self._changed.notify_all()
