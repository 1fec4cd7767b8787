"""What the events of a service take that tells the two ends of each: one rule for ends that make no sense."""

from __future__ import annotations

from datetime import datetime, timedelta

from connector.domain.span import Span, instant
from connector.domain.standing import Nature
from connector.domain.unreadable import Unreadable
from connector.ports import Busy, BusyReading, UnreadEvent

_HOUR, _DAY = timedelta(hours=1), timedelta(days=1)
_SLACK = timedelta(hours=26)  # some services reckon days in UTC, wherever the calendar is


class Gathered:
    """Gathers when a calendar is not free in a span, and which of its events nobody could read."""

    def __init__(self, span: Span) -> None:
        self._span = span
        self._times: list[Busy] = []
        self._unreadable: list[UnreadEvent] = []

    def add(
        self,
        start: datetime | None,
        end: datetime | None,
        *,
        href: str | None = None,
        name: str | None = None,
        whole_day: bool = False,
        nature: Nature = Nature.ORDINARY,
        in_series: bool = False,
        occurrence: datetime | None = None,
    ) -> None:
        """Add an event that is not free, with an end None that makes no sense: then it is told, and never free.

        `nature`, `in_series` and `occurrence` are as `Busy` has them; what makes no sense as the last is none.

        One whose beginning alone is known takes an hour from there, or its day; one of whole days takes a day at least.
        """
        begin, until = _instant(start), _instant(end)
        if begin is None:
            self._unreadable.append(UnreadEvent(href=href or "", reason=Unreadable.START))
            return
        if until is None or until < begin:
            self._unreadable.append(UnreadEvent(href=href or "", reason=Unreadable.END, starts_at=begin))
            until = begin + (_DAY if whole_day else _HOUR)
        if whole_day and until == begin:
            until = begin + _DAY
        if begin < until and (span := Span(start=begin, end=until)).overlaps(self._span):
            self._times.append(
                Busy(
                    span=span,
                    href=href,
                    name=name,
                    nature=nature,
                    in_series=in_series,
                    occurrence=_instant(occurrence) or begin if in_series else None,
                )
            )

    @property
    def asked(self) -> Span:
        """What to ask a service for, so that it leaves out nothing of the span, whose days it may reckon elsewhere."""
        return Span(start=self._span.start - _SLACK, end=self._span.end + _SLACK)

    @property
    def reading(self) -> BusyReading:
        """What was gathered, by time."""
        return BusyReading(times=sorted(self._times, key=lambda busy: busy.span), unreadable=tuple(self._unreadable))


def _instant(value: datetime | None) -> datetime | None:
    """Return an end as it is reckoned with; None too where no calendar has a day after it."""
    try:
        return None if value is None else instant(value) + _DAY - _DAY
    except OverflowError:
        return None
