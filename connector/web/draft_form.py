"""The form of a draft: times that are ticked among those that are free, and others as they are typed."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime, timedelta
from typing import Self

from werkzeug.datastructures import MultiDict

from connector.domain.free_times import at_night
from connector.domain.offer import LONGEST_WINDOW, MOST_ALTERNATIVES, Offer
from connector.domain.session import Location, Session
from connector.domain.span import Span, When, zone_named
from connector.errors import RuleError
from connector.web import visit
from connector.web.forms import YEARS, PlaceInput, TimeInput, day

FIRST_ROWS, MORE_ROWS = 3, 3
_HOUR = timedelta(hours=1)
_BOX = "%Y-%m-%dT%H:%MZ"


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """One time of a draft as typed, with a place of its own if it has one."""

    time: TimeInput
    place: PlaceInput

    @property
    def blank(self) -> bool:
        """Whether nothing was typed here."""
        return self.time.blank and not self.place.text


@dataclass(frozen=True, slots=True, kw_only=True)
class Ticked:
    """A time that was ticked; as long as the session, at its place.

    `is_night`: whether it begins or ends early or late on the client's clock.
    """

    when: When
    is_night: bool
    error: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DraftForm:
    """The form of a draft as filled in.

    Attributes:
        hours: The client's time to answer, empty for the usual.
        hours_error: What is wrong with it.
        first: The first day that is shown; None for the usual.
        asks_for_more: Whether more rows to type into were asked for.
        error: What is wrong with all of it.
    """

    rows: tuple[Row, ...]
    ticked: tuple[Ticked, ...] = ()
    hours: str = ""
    hours_error: str = ""
    first: date | None = None
    asks_for_more: bool = False
    error: str = ""

    @classmethod
    def of_draft(cls, draft: Offer | None, session: Session, *, client_zone: str, window: timedelta) -> Self:
        """Fill the form with a draft, or with nothing but the usual time to answer."""
        if draft is None:
            return cls(rows=blank_rows(session, FIRST_ROWS), hours=_hours(window))
        boxes = [one for one in draft.alternatives if one.location is None and _fits_a_box(one.when, session)]
        rows = tuple(
            Row(time=TimeInput.of(one.when), place=PlaceInput.of(one.location) if one.location else no_place(session))
            for one in draft.alternatives
            if one not in boxes
        )
        return cls(
            rows=rows + blank_rows(session, FIRST_ROWS - len(rows)),
            ticked=tuple(_ticked(one.when, client_zone) for one in boxes),
            hours=_hours(draft.window),
        )

    @classmethod
    def from_form(cls, form: MultiDict[str, str], session: Session, *, client_zone: str) -> Self:
        """Take what was ticked and typed.

        Raises: RuleError for what no box of ours carries.
        """
        numbers = [n for n in range(MOST_ALTERNATIVES) if f"date-{n}" in form]
        rows = tuple(
            Row(time=TimeInput.from_form(form, f"-{n}"), place=PlaceInput.from_form(form, f"-{n}")) for n in numbers
        )
        starts = sorted({_start(text) for text in form.getlist("at")})
        length = session.when.span.duration
        return cls(
            rows=rows or blank_rows(session, FIRST_ROWS),
            ticked=tuple(_ticked(When.of(Span.of(at, length), zone=session.when.zone), client_zone) for at in starts),
            hours=form.get("hours", "").strip(),
            first=day(form.get("show") or form.get("shown", "")),
            asks_for_more="more" in form,
        )

    @property
    def is_faulty(self) -> bool:
        """Whether something in it is marked."""
        return bool(self.focus) or bool(self.error)

    @property
    def focus(self) -> str:
        """Where whoever corrects it begins: the first field that is marked; empty if none is."""
        for n, one in enumerate(self.ticked):
            if one.error:
                return f"ticked-{n}"
        for n, row in enumerate(self.rows):
            if row.time.error or row.place.error:
                return f"row-{n}"
        return "hours" if self.hours_error else ""

    @property
    def is_typed(self) -> bool:
        """Whether something was typed, or is to be."""
        return self.asks_for_more or any(not row.blank or row.time.error or row.place.error for row in self.rows)

    def with_more(self, session: Session) -> Self:
        """Return the same with more rows to type into."""
        return replace(self, rows=self.rows + blank_rows(session, MORE_ROWS))

    def read(self, session: Session, now: datetime) -> tuple[Self, list[tuple[When, Location | None]]]:
        """Return the times, and the form with each field marked that cannot be read."""
        alternatives: list[tuple[When, Location | None]] = [(one.when, None) for one in self.ticked]
        rows = []
        for row in self.rows:
            if row.blank:
                rows.append(row)
                continue
            when, time = row.time.checked(session.when.zone, after=now)
            place, place_input = row.place.checked()
            rows.append(Row(time=time, place=place_input))
            if when is not None:
                alternatives.append((when, place if place != session.location else None))
        return replace(self, rows=tuple(rows)), alternatives

    def window(self) -> tuple[timedelta | None, Self]:
        """Return the client's time to answer, None for the usual; and the form, marked if that cannot be read."""
        try:
            return _window(self.hours), self
        except RuleError as error:
            return None, replace(self, hours_error=visit.refusal(error))

    def with_faults(self, faults: Sequence[RuleError | None]) -> Self:
        """Return the form with what is wrong with each of the times that `read` has returned."""
        left = iter(faults)
        ticked = [
            replace(one, error=visit.refusal(fault)) if (fault := next(left)) is not None else one
            for one in self.ticked
        ]
        rows = []
        for row in self.rows:
            fault = None if row.blank or row.time.error else next(left)
            rows.append(row if fault is None else replace(row, time=row.time.refused(fault)))
        return replace(self, ticked=tuple(ticked), rows=tuple(rows))


def in_order(alternatives: Iterable[tuple[When, Location | None]]) -> list[tuple[When, Location | None]]:
    """Return alternatives as their client reads them: earliest first."""
    return sorted(alternatives, key=lambda one: one[0].span)


def blank_rows(session: Session, count: int) -> tuple[Row, ...]:
    """Return rows to type into, as long as the session."""
    minutes = TimeInput.of(session.when).minutes
    return tuple(Row(time=TimeInput(minutes=minutes), place=no_place(session)) for _ in range(count))


def no_place(session: Session) -> PlaceInput:
    """Return the fields of a place that stays."""
    return PlaceInput(kind=session.location.kind.value)


def _ticked(when: When, client_zone: str) -> Ticked:
    return Ticked(when=when, is_night=at_night(when.span, zone_named(client_zone)))


def _fits_a_box(when: When, session: Session) -> bool:
    return when.span.duration == session.when.span.duration and when == When.of(when.span, zone=session.when.zone)


def _start(text: str) -> datetime:
    try:
        start = datetime.strptime(text, _BOX).replace(tzinfo=UTC)
    except ValueError:
        start = None
    if start is None or start.year not in YEARS:
        raise RuleError(
            "One of the ticked times cannot be read. Open the page once more, and tick it again.",
            code="ticked_time_malformed",
            field="at",
        )
    return start


def _hours(window: timedelta) -> str:
    return str(window // _HOUR) if window % _HOUR == timedelta() else ""


def _window(hours: str) -> timedelta | None:
    if not hours:
        return None
    longest = LONGEST_WINDOW // _HOUR
    if not hours.isascii() or not hours.isdigit() or not 1 <= int(hours[:6]) <= longest:
        raise RuleError(
            "Give the client's time to answer in whole hours, from 1 to %(longest)s.",
            code="hours_malformed",
            field="hours",
            longest=longest,
        )
    return int(hours) * _HOUR
