"""What practitioners type: kept exactly as typed, so that a form can be shown again, and read into domain values."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, timedelta
from typing import Literal, Self, TypeVar

from connector.domain.facts import Attestation
from connector.domain.people import Level
from connector.domain.session import Location, LocationKind, check_agreed, check_future
from connector.domain.span import LONGEST, SHORTEST, When, instant, zone_named
from connector.domain.text import one_line as checked_line
from connector.errors import ConflictError, RuleError, WallTimeError
from connector.language.messages import marked
from connector.sentence import Sentence
from connector.web import visit

CHANNELS = (
    marked("by phone"),
    marked("in person"),
    marked("by e-mail"),
    marked("by SMS or messenger"),
    marked("another way"),
)

_WHO, _CHANNEL = Sentence("Who agreed"), Sentence("How they told you")
YEARS = range(2000, 2101)
_LONGEST_LINE = 200
_DAY = re.compile(r"[0-9]{4}-[0-9]{2}-[0-9]{2}")
_MINUTES = re.compile(r"-?[0-9]{1,5}([.,][0-9]{1,9})?")
_TIME_FIELDS = ("date", "time", "minutes", "which")
_T = TypeVar("_T")
_FOLDS: dict[str, Literal[0, 1]] = {"earlier": 0, "later": 1}


@dataclass(frozen=True, slots=True, kw_only=True)
class TimeInput:
    """One date, time and duration as typed; `which` answers the question for a time that comes twice.

    `ask` shows that question; `error` says what is wrong with these fields, or with that of the `minutes` alone if
    `is_length` says so; `conflict` is the key of what stands there already, to be accepted with a box.
    """

    date: str = ""
    time: str = ""
    minutes: str = ""
    which: str = ""
    ask: bool = False
    error: str = ""
    is_length: bool = False
    conflict: str = ""

    @classmethod
    def from_form(cls, form: Mapping[str, str], suffix: str = "") -> Self:
        """Take what was typed into the fields with this suffix."""
        date, time, minutes, which = (form.get(f"{name}{suffix}", "").strip() for name in _TIME_FIELDS)
        return cls(date=date, time=time, minutes=minutes, which=which)

    @classmethod
    def of(cls, when: When) -> Self:
        """Fill the fields with a time."""
        exact = "minutes" if when.local.second == 0 else "seconds"
        fields = cls(
            date=when.local.date().isoformat(),
            time=when.local.time().isoformat(timespec=exact),
            minutes=f"{when.span.duration.total_seconds() / 60:g}",
        )
        try:
            When.at(when.local, zone=when.zone, duration=when.span.duration)
        except WallTimeError as error:
            for which in error.choices:
                other = When.at(when.local, zone=when.zone, duration=when.span.duration, fold=_FOLDS[which])
                if other == when:
                    return replace(fields, which=which, ask=True)
        return fields

    @property
    def blank(self) -> bool:
        """Whether nothing was typed that names a time."""
        return not self.date and not self.time

    def read(self, zone: str) -> When:
        """Return the time that was typed, on the clock of `zone`.

        Raises: WallTimeError, RuleError.
        """
        return When.at(
            local_time(self.date, self.time), zone=zone, duration=self._duration(), fold=_FOLDS.get(self.which)
        )

    def checked(self, zone: str, *, after: datetime | None = None) -> tuple[When | None, Self]:
        """Return the time, or None and the fields with what is wrong with them: a time not later than `after` is."""
        try:
            when = self.read(zone)
            if after is not None:
                check_future(when, after)
        except RuleError as error:
            return None, self.refused(error)
        return when, self

    def refused(self, error: RuleError) -> Self:
        """Return the same fields with what is wrong with them."""
        conflict = error.key if isinstance(error, ConflictError) else ""
        ask = isinstance(error, WallTimeError) and bool(error.choices)
        return replace(self, error=visit.refusal(error), is_length=error.field == "minutes", ask=ask, conflict=conflict)

    def _duration(self) -> timedelta:
        lasting = length(self.minutes)
        if lasting is None:
            raise RuleError(
                "Say how many minutes the session lasts, such as 50.", code="minutes_malformed", field="minutes"
            )
        if not SHORTEST <= lasting <= LONGEST:
            raise RuleError(
                "A session lasts between 1 minute and 24 hours. Choose a length in between.",
                code="session_length_out_of_range",
                field="minutes",
            )
        return lasting


@dataclass(frozen=True, slots=True, kw_only=True)
class PlaceInput:
    """A place as typed."""

    kind: str = LocationKind.IN_PERSON.value
    text: str = ""
    error: str = ""

    @classmethod
    def from_form(cls, form: Mapping[str, str], suffix: str = "") -> Self:
        """Take what was typed into the fields with this suffix."""
        return cls(kind=form.get("place_kind" + suffix, ""), text=form.get("place_text" + suffix, "").strip())

    @classmethod
    def of(cls, location: Location) -> Self:
        """Fill the fields with a place."""
        return cls(kind=location.kind.value, text=location.text)

    def read(self) -> Location | None:
        """Return the place that was typed, or None if there is none.

        Raises: RuleError.
        """
        if not self.text:
            return None
        if self.kind not in set(LocationKind):
            raise RuleError(
                "Say how you meet: in person, online or by phone.", code="meeting_kind_not_chosen", field="location"
            )
        return Location(kind=LocationKind(self.kind), text=self.text)

    def needed(self) -> Location:
        """Return the place that was typed.

        Raises: RuleError, also if there is none.
        """
        place = self.read()
        if place is None:
            raise RuleError("Say where the session takes place.", code="place_missing", field="location")
        return place

    def checked(self) -> tuple[Location | None, Self]:
        """Return the place, and the fields with what is wrong with them."""
        try:
            return self.read(), self
        except RuleError as error:
            return None, replace(self, error=visit.refusal(error))


@dataclass(frozen=True, slots=True, kw_only=True)
class AgreementInput:
    """That the client has agreed to a time, as typed: who said so, when, and by which channel.

    `errors` says what is wrong, by field.
    """

    who: str = ""
    agreed_at: str = ""
    channel: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> Self:
        """Take what was typed."""
        return cls(who=form.get("who", ""), agreed_at=form.get("agreed_at", ""), channel=form.get("channel", ""))

    @classmethod
    def just_now(cls, who: str, *, zone: str, now: datetime) -> Self:
        """Fill the fields with somebody who has agreed just now, on the clock of `zone`."""
        local = now.astimezone(zone_named(zone)).replace(tzinfo=None, second=0)
        return cls(who=who, agreed_at=local.isoformat(timespec="minutes"))

    def checked(self, *, zone: str, now: datetime) -> tuple[Attestation | None, Self]:
        """Return who attests that the client has agreed, and the fields with all that is wrong with them."""
        errors: dict[str, str] = {}
        who = _read(lambda: one_line(self.who, label=_WHO, field="who", required=True), "who", errors)
        at = _read(lambda: past_moment(self.agreed_at, zone=zone, now=now), "agreed_at", errors)
        channel = _read(
            lambda: one_line(self.channel, label=_CHANNEL, field="channel", required=True), "channel", errors
        )
        attestation = Attestation(who=who, at=at, channel=channel) if who and at and channel else None
        return attestation, replace(self, errors=errors)


def day(text: str) -> date | None:
    """Return the day that a link or a field of a form names, as browsers write it; None if it names none."""
    try:
        named = date.fromisoformat(text) if _DAY.fullmatch(text) else None
    except ValueError:
        return None  # such as 30 February
    return named if named and named.year in YEARS else None


def moment(text: str) -> datetime | None:
    """Return the instant that a link or a hidden field has, with its offset; None if it has none."""
    try:
        return instant(datetime.fromisoformat(text))
    except (ValueError, OverflowError):
        return None


def length(text: str) -> timedelta | None:
    """Return how long a number of minutes is, to the second; None if it is none."""
    if not _MINUTES.fullmatch(text):
        return None
    return timedelta(seconds=round(float(text.replace(",", ".")) * 60))


def local_time(date: str, time: str) -> datetime:
    """Return the naive wall time of a date and a time as browsers send them.

    Raises: RuleError.
    """
    if not date or not time:
        raise RuleError("Give both a date and a time.", code="date_or_time_missing", field="when")
    try:
        local = datetime.fromisoformat(f"{date}T{time}")
    except ValueError:
        raise _no_time() from None
    if local.tzinfo is not None or local.year not in YEARS:
        raise _no_time()
    return local


def past_moment(text: str, *, zone: str, now: datetime) -> datetime:
    """Return the instant of a past wall time such as 2026-03-31T15:00, the later one where it comes twice.

    Raises: RuleError if it cannot be read, or lies in the future.
    """
    date, _, time = text.strip().partition("T")
    when = When.at(local_time(date, time), zone=zone, duration=timedelta(minutes=1), fold=1)
    check_agreed(when.span.start, now)
    return when.span.start


def _read(read: Callable[[], _T], name: str, errors: dict[str, str]) -> _T | None:
    """Return what a field says; None if something is wrong with it, which is noted under its name."""
    try:
        return read()
    except RuleError as error:
        errors[name] = visit.refusal(error)
        return None


def _no_time() -> RuleError:
    return RuleError("Write the date as 2026-03-31 and the time as 15:00.", code="date_or_time_malformed", field="when")


def one_line(text: str, *, label: Sentence, field: str, required: bool = False) -> str:
    """Return a short line of text.

    Raises: RuleError if it is too long, missing where it is required, or has a character that cannot stand there.
    """
    text = text.strip()
    if required and not text:
        raise RuleError("%(label)s: please fill this in.", code="text_missing", field=field, label=label)
    return checked_line(text, label=label, field=field, longest=_LONGEST_LINE, between=None) if text else ""


def level(form: Mapping[str, str], name: str) -> Level:
    """Return how much a calendar may show, as it was chosen. Raises: RuleError."""
    chosen = form.get(name, "")
    if chosen not in {str(int(member)) for member in Level}:
        raise RuleError("Choose how much the calendar may show.", code="level_not_chosen", field=name)
    return Level(int(chosen))
