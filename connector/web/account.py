"""What practitioners say about themselves: their own details, and when they work."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import date, datetime, time
from typing import Self

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.people import Level, Practitioner
from connector.domain.span import zone_named
from connector.domain.working_hours import MINUTES, Day, Stretch, WorkingHours
from connector.errors import NotFoundError, RuleError
from connector.language.entries import entry_words
from connector.services import people, working_hours
from connector.services.views import practitioners
from connector.services.views.offering import written
from connector.services.working_hours import CurrentHours
from connector.web import forms, person_forms, speaking, visit
from connector.web.person_forms import PractitionerInput

_DAYS = 7
_LEAST_ROWS = 2  # of a day: before and after a break
_MOST_DATES = 60  # on one page

pages = Blueprint("account", __name__, url_prefix=paths.ACCOUNT)
pages.before_request(visit.require)

Row = tuple[str, str]


@dataclass(frozen=True, slots=True, kw_only=True)
class HoursInput:
    """The hours of a week as typed, Monday first: of each day from when to when; `errors` by `day0` to `day6`.

    `version` is of what the form was filled with, as of people.
    """

    days: tuple[tuple[Row, ...], ...]
    version: str = ""
    errors: Mapping[str, str] = field(default_factory=dict)
    error: str = ""

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> Self:
        """Take what was typed; a day has as many rows as the form says, one after another."""
        days = tuple(tuple(_typed(form, day)) for day in range(_DAYS))
        return cls(days=days, version=form.get("version", ""))

    @classmethod
    def of(cls, current: CurrentHours) -> Self:
        """Fill the fields with hours."""
        days = (tuple((_clock(one.start), _clock(one.end)) for one in day) for day in current.hours.weekly)
        return cls(days=tuple(map(_padded, days)), version=str(current.version))

    def read(self) -> tuple[tuple[Day, ...], Self]:
        """Return the hours of each day, and the fields with all that is wrong with them."""
        week: list[Day] = []
        errors: dict[str, str] = {}
        for number, rows in enumerate(self.days):
            try:
                week.append(_day(rows))
            except RuleError as error:
                week.append(())
                errors[f"day{number}"] = visit.refusal(error)
        return tuple(week), replace(self, errors=errors)


@dataclass(frozen=True, slots=True, kw_only=True)
class DateInput:
    """A single date and when the practitioner works on it, as typed; no times are a day off. `errors` by field."""

    day: str = ""
    rows: tuple[Row, ...] = (("", ""),) * _LEAST_ROWS
    errors: Mapping[str, str] = field(default_factory=dict)
    error: str = ""

    @classmethod
    def from_form(cls, form: Mapping[str, str]) -> Self:
        """Take what was typed."""
        return cls(day=form.get("day", "").strip(), rows=_padded(tuple(_typed(form, _DAYS))))

    def read(self, today: date) -> tuple[date | None, Day, Self]:
        """Return the date, when they work on it, and the fields with all that is wrong with them."""
        day, errors = None, dict[str, str]()
        hours: Day = ()
        try:
            day = _date(self.day, today)
        except RuleError as error:
            errors["day"] = visit.refusal(error)
        try:
            hours = _day(self.rows)
        except RuleError as error:
            errors["times"] = visit.refusal(error)
        return day, hours, replace(self, errors=errors)


@pages.route("/details", methods=["GET", "POST"])
def details() -> ResponseReturnValue:
    """Change what is given about the practitioner who is signed in."""
    person = _practitioner()
    if is_hosts(person):
        return redirect(url_for("signin.account"), 303)
    if not visit.acting():
        return _details(person, PractitionerInput.of(person))
    typed = PractitionerInput.from_form(request.form)
    values, form = typed.checked()
    if form.errors:
        return _details(person, form, status=422)
    runtime = visit.runtime()
    try:
        with runtime.database.begin() as db:
            changed = people.change_practitioner(
                db,
                person.id,
                values,
                by=visit.actor(db),
                now=runtime.clock(),
                match=person_forms.matching(typed.version),
            )
    except NotFoundError:
        raise
    except RuleError as error:
        if error.code == "person_changed":
            person = _practitioner()
            form = replace(PractitionerInput.of(person), error=visit.refusal(error))
        else:
            form = form.refused(error)
        return _details(person, form, status=visit.status_of(error))
    speaking.to(changed)
    flash(speaking.say("Nothing has changed.") if changed == person else speaking.say("Saved."), "done")
    return redirect(url_for("signin.account"), 303)


@pages.route("/hours", methods=["GET", "POST"])
def hours() -> ResponseReturnValue:
    """Say when the practitioner works, week by week; what was learnt from their sessions is there to be confirmed."""
    person, runtime = _practitioner(), visit.runtime()
    if not visit.acting():
        return _hours(person)
    typed = HoursInput.from_form(request.form)
    week, form = typed.read()
    if form.errors:
        return _hours(person, form, status=422)

    try:
        with runtime.database.begin() as db:
            now = runtime.clock()
            exceptions = working_hours.current(db, person, now=now).hours.exceptions
            wanted = WorkingHours(weekly=week, exceptions=exceptions)
            working_hours.change(db, person.id, wanted, by=visit.actor(db), now=now, seen=_as_filled(typed.version))
    except NotFoundError:
        raise
    except RuleError as error:
        return _hours(person, refused=visit.refusal(error), status=visit.status_of(error))
    flash(speaking.say("Your working hours are saved. Times are suggested within them."), "done")
    return redirect(url_for("signin.account"), 303)


@pages.post("/hours/dates")
def dates() -> ResponseReturnValue:
    """Say that a single date is a day off, or has other hours; or have it be like its weekday again."""
    person, runtime = _practitioner(), visit.runtime()
    now = runtime.clock()
    today, removed, typed = _today(person, now), request.form.get("remove", ""), DateInput()
    day: date | None
    hours: Day = ()
    if removed:
        day = forms.day(removed)
    else:
        day, hours, typed = DateInput.from_form(request.form).read(today)
    if typed.errors:
        return _hours(person, dates=typed, status=422)
    try:
        with runtime.database.begin() as db:
            before = working_hours.current(db, person, now=now).hours
            if removed and day not in before.exceptions:  # it is gone already, and nothing else is said by that
                return redirect(url_for("account.hours"), 303)
            exceptions = {one: what for one, what in before.exceptions.items() if one >= today and one != day}
            if day is not None and not removed:
                exceptions[day] = hours
            wanted = replace(before, exceptions=exceptions)
            seen = _as_filled(request.form.get("version", ""), _shown)
            working_hours.change(db, person.id, wanted, by=visit.actor(db), now=now, seen=seen)
    except NotFoundError:
        raise
    except RuleError as error:
        fault = visit.refusal(error)
        typed = replace(typed, errors={"day": fault}) if error.field == "exceptions" else replace(typed, error=fault)
        return _hours(person, dates=typed, status=visit.status_of(error))
    flash(speaking.say("Saved. Times are suggested by these dates."), "done")
    return redirect(url_for("account.hours"), 303)


def is_hosts(person: Practitioner) -> bool:
    """Whether a host in this process keeps their details, and would soon put back what is changed here."""
    return not visit.signs_in_here() and person.external_id is not None


def _practitioner() -> Practitioner:
    with visit.runtime().database.read() as db:
        return practitioners.get(db, visit.practitioner_id())


def _details(person: Practitioner, form: PractitionerInput, *, status: int = 200) -> ResponseReturnValue:
    reader = speaking.to(person)
    body = speaking.render(
        "account/details.html",
        person=person,
        form=form,
        zones=person_forms.zones(),
        languages=person_forms.languages(visit.runtime().languages, form.locale),
        levels=list(Level),
        words=entry_words(reader.language),
    )
    return body, status


def _hours(
    person: Practitioner,
    form: HoursInput | None = None,
    *,
    dates: DateInput | None = None,
    refused: str = "",
    status: int = 200,
) -> ResponseReturnValue:
    runtime = visit.runtime()
    now = runtime.clock()
    today = _today(person, now)
    with runtime.database.read() as db:
        current = working_hours.current(db, person, now=now)
    behind = forms.day(request.args.get("behind", ""))
    coming = [one for one in current.hours.exceptions.items() if one[0] >= today and (not behind or one[0] > behind)]
    reader = speaking.to(person)
    body = speaking.render(
        "account/hours.html",
        form=form or replace(HoursInput.of(current), error=refused),
        current=current,
        shown=_shown(current),
        dates=dates or DateInput(),
        today=today,
        coming=[(day, _told(stretches)) for day, stretches in coming[:_MOST_DATES]],
        later=coming[_MOST_DATES - 1][0] if len(coming) > _MOST_DATES else None,
        weekdays=reader.language.formats.days["stand-alone"]["wide"],
        reader=reader,
        now=now,
    )
    return body, status


def _shown(current: CurrentHours) -> str:
    """Return what tells hours from others: while nobody has said any, they change with every session."""
    return str(current.version) if current.version else written(current.hours)


def _as_filled(
    version: str, of: Callable[[CurrentHours], str] = lambda current: str(current.version)
) -> Callable[[CurrentHours], None]:
    """Return what goes on only if the hours are still as a form was filled with them."""

    def seen(before: CurrentHours) -> None:
        if of(before) != version:
            raise person_forms.changed_meanwhile()

    return seen


def _today(person: Practitioner, now: datetime) -> date:
    return now.astimezone(zone_named(person.zone)).date()


def _date(text: str, today: date) -> date:
    """Return a date that was typed. Raises: RuleError for none, and for one that is over."""
    day = forms.day(text)
    if day is None:
        raise RuleError("Write the day as 2026-03-31.", code="day_malformed", field="day")
    if day < today:
        raise RuleError("This day is over. Give one that is to come.", code="hours_date_past", field="day")
    return day


def _told(stretches: Day) -> str:
    ends = (_clock(one.end) if one.end < MINUTES else "24:00" for one in stretches)
    return ", ".join(f"{_clock(one.start)}\N{EN DASH}{end}" for one, end in zip(stretches, ends, strict=True))


def _padded(rows: tuple[Row, ...]) -> tuple[Row, ...]:
    return (*rows, *[("", "")] * (_LEAST_ROWS - len(rows)))


def _typed(form: Mapping[str, str], day: int) -> list[Row]:
    rows: list[Row] = []
    while f"from{day}-{len(rows)}" in form:
        row = f"{day}-{len(rows)}"
        rows.append((form[f"from{row}"].strip(), form.get(f"to{row}", "").strip()))
    return rows


def _day(rows: tuple[Row, ...]) -> Day:
    """Return the hours of a day. Raises: RuleError for what is no time, and as `WorkingHours` does."""
    stretches = tuple(Stretch(start=_minute(begin), end=_minute(end) or MINUTES) for begin, end in rows if begin or end)
    return WorkingHours(weekly=(stretches, *[()] * (_DAYS - 1))).weekly[0]


def _minute(text: str) -> int:
    try:
        clock = time.fromisoformat(text)
    except ValueError:
        raise RuleError(
            "Write from when to when you work, such as 09:00 and 12:30; leave both empty for none.",
            code="working_hours_malformed",
            field="hours",
        ) from None
    return clock.hour * 60 + clock.minute


def _clock(minute: int) -> str:
    """Return a minute of a day as fields for times have it: the end of the day is its first minute."""
    return f"{minute // 60 % 24:02}:{minute % 60:02}"
