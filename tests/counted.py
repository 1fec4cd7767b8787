"""What this process counts while a test runs."""

from __future__ import annotations

from connector.counters import TALLY, Counter


class Counted:
    """How often something was counted since this was made, by the words of its labels in their order."""

    def __init__(self, counter: Counter) -> None:
        self._counter = counter
        self._before = TALLY.counts()

    def __call__(self) -> dict[tuple[str, ...], int]:
        fresh = {series: times - self._before.get(series, 0) for series, times in TALLY.counts().items()}
        return {
            tuple(dict(series.labels)[label] for label in self._counter.labels): times
            for series, times in fresh.items()
            if times and series.name == self._counter.name
        }
