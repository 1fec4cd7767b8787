"""How long it takes to find other times for the sessions of a practitioner who is away."""

from __future__ import annotations

import time
from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from uuid import UUID
from zoneinfo import ZoneInfo

from connector.domain.away import shared_out
from connector.domain.free_times import Search, ever_wider
from connector.domain.span import Span, When
from connector.domain.working_hours import ASSUMED
from tests.domain.examples import NOW

_BERLIN = ZoneInfo("Europe/Berlin")
_BUFFER = timedelta(minutes=10)
_A_DAY = 8
Row = tuple[str, str, str]


def sharing_out() -> Row:
    """Fifty sessions, eight a day, three times for each; beside half as many, by each time that was looked at."""
    few, each_of_few = _measured(25)
    many, each_of_many = _measured(50)
    return (
        "away: other times for 25 and 50 sessions, and what a time costs of many against of few",
        f"{few:.2f} s, {many:.2f} s, {each_of_many / each_of_few:.2f}x",
        "1 s, <= 1.3x",
    )


def _measured(count: int) -> tuple[float, float]:
    """Return how long it takes, in seconds of the processor, and for each time that was looked at."""
    looked_at = 0

    def counted(wider: Iterator[Sequence[Span]]) -> Iterator[Sequence[Span]]:
        nonlocal looked_at
        for some in wider:
            looked_at += len(some)
            yield some

    begun = time.process_time()
    shared_out({key: counted(wider) for key, wider in _wanted(count)}, buffer=_BUFFER, zone=_BERLIN)
    taken = time.process_time() - begun
    return taken, taken / looked_at


def _wanted(count: int) -> Iterator[tuple[UUID, Iterator[Sequence[Span]]]]:
    monday = datetime(2026, 11, 30, 9, tzinfo=_BERLIN)
    own = [Span.of(monday + timedelta(days=n // _A_DAY, hours=n % _A_DAY), timedelta(minutes=50)) for n in range(count)]
    away = Span.of(monday.replace(hour=0), timedelta(days=-(-count // _A_DAY)))
    for n, span in enumerate(own):
        search = Search(
            hours=ASSUMED,
            zone=_BERLIN,
            taken=[away, *(one.padded(_BUFFER) for one in own if one is not span)],
            length=span.duration,
            buffer=_BUFFER,
        )
        old = When.of(span, zone="Europe/Berlin")
        yield UUID(int=n), ever_wider(search, old, client_zone=_BERLIN, earliest=NOW + timedelta(days=2))
