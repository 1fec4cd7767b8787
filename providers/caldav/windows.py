"""A list of events that is more than an answer holds, or a server tells: asked for in halves of its time.

So a collection has no largest size; only what touches a single day has.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from datetime import datetime, timedelta

from connector.errors import TransientError
from connector.sentence import Sentence
from providers._wire import Answer, TooLargeError
from providers.caldav import dav as _dav

CUT = 507
_AHEAD = timedelta(days=5 * 366)  # what has no end is halved up to there, and the rest asked for at once
_SHORTEST = timedelta(days=1)

Ask = Callable[[datetime, datetime | None], Answer]


class CutListError(TransientError):
    """A list that the server has not told to its end."""


def listed(ask: Ask, start: datetime, end: datetime | None) -> Iterator[_dav.Row]:
    """Yield what a server lists between two times; None: up to the last. What touches several windows comes again.

    Raises: ProviderError; TooLargeError or CutListError if that is too much for the shortest window as well.
    """
    try:
        rows = _whole(ask(start, end))
    except (TooLargeError, CutListError):
        if end is not None and end - start <= _SHORTEST:
            raise
    else:
        yield from rows
        return
    if end is None:
        yield from listed(ask, start, start + _AHEAD)
        yield from _whole(ask(start + _AHEAD, None))
        return
    middle = start + timedelta(seconds=(end - start) // timedelta(seconds=2))
    yield from listed(ask, start, middle)
    yield from listed(ask, middle, end)


def _whole(answer: Answer) -> Iterable[_dav.Row]:
    rows = _dav.rows_about(answer, expected=CUT)
    if any(row.status == CUT for row in rows):
        raise CutListError(Sentence("the server has not listed the whole calendar"))
    return rows
