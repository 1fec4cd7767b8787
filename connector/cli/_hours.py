"""`pencilled practitioners hours`: when a practitioner works."""

from __future__ import annotations

import re
from datetime import date
from typing import Any

import click

from connector.cli._lookup import find_practitioner
from connector.cli._shared import as_json, example, good, open_runtime, operator, print_json, print_table
from connector.domain.working_hours import Day, Stretch, WorkingHours
from connector.services import working_hours
from connector.services.working_hours import CurrentHours, Source

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_NAMES = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_STRETCH = re.compile(r"(\d{1,2}):(\d{2})-(\d{1,2}):(\d{2})")
_SOURCES = {
    Source.CONFIRMED: "as was said",
    Source.LEARNT: "learnt from the sessions booked, and not confirmed",
    Source.ASSUMED: "assumed, for nothing is known",
}
_OFF, _USUAL = "off", "usual"


@click.group()
def hours() -> None:
    """Show, set and confirm when a practitioner works.

    Times are suggested within these hours alone. PRACTITIONER is an e-mail address or an id. Hours are what the
    clock shows where they are, summer and winter.
    """


@hours.command()
@click.argument("practitioner")
@as_json
@example("pencilled practitioners hours show kim@example.org")
def show(*, practitioner: str, as_json: bool) -> None:
    """Show when a practitioner works, and where that is known from."""
    runtime = open_runtime(in_standstill=True)
    with runtime.database.read() as db:
        found = working_hours.current(db, find_practitioner(db, practitioner), now=runtime.clock())
    if as_json:
        print_json(_json(found))
    else:
        _print(found)


@hours.command("set")
@click.argument("practitioner")
@click.option(
    "--hours",
    "changes",
    multiple=True,
    required=True,
    nargs=2,
    metavar="DAY HOURS",
    help="mon, mon-fri or 2026-12-24, and 09:00-12:30,14:00-18:00 or off; usual for a date without an exception.",
)
@as_json
@example(
    "pencilled practitioners hours set kim@example.org --hours mon-thu 09:00-12:30,14:00-18:00 --hours fri off \\",
    "  --hours 2026-12-24 off",
)
def set_(*, practitioner: str, changes: tuple[tuple[str, str], ...], as_json: bool) -> None:
    """Set the hours of weekdays, or of single dates.

    All others stay as they are shown. They count as said from then on: no session that is booked changes them.

    Exit codes: 0 set; 1 refused, such as hours that overlap.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        person, now = find_practitioner(db, practitioner), runtime.clock()
        before = working_hours.current(db, person, now=now).hours
        found = working_hours.change(db, person.id, _changed(before, changes), by=operator(), now=now)
    if as_json:
        print_json(_json(found))
        return
    good(f"The hours of {person.name} are set.")
    _print(found)


@hours.command()
@click.argument("practitioner")
@example("pencilled practitioners hours confirm kim@example.org")
def confirm(*, practitioner: str) -> None:
    """Confirm the hours that are shown, as they were learnt.

    No session that is booked changes them any more.

    Exit codes: 0 confirmed; 1 refused.
    """
    runtime = open_runtime()
    with runtime.database.begin() as db:
        person = find_practitioner(db, practitioner)
        found = working_hours.confirm(db, person.id, by=operator(), now=runtime.clock())
    good(f"The hours of {person.name} are confirmed.")
    _print(found)


def _changed(before: WorkingHours, changes: tuple[tuple[str, str], ...]) -> WorkingHours:
    weekly, exceptions = list(before.weekly), dict(before.exceptions)
    for days, text in changes:
        if (day := _date(days)) is not None:
            exceptions.pop(day, None)
            if text != _USUAL:
                exceptions[day] = _read(text)
        else:
            for weekday in _weekdays(days):
                weekly[weekday] = _read(text)
    return WorkingHours(weekly=tuple(weekly), exceptions=exceptions)


def _date(text: str) -> date | None:
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _weekdays(text: str) -> range:
    first, _, last = text.lower().partition("-")
    try:
        begin = _WEEKDAYS.index(first)
        end = _WEEKDAYS.index(last) if last else begin
    except ValueError:
        begin, end = 1, 0
    if begin > end:
        raise click.BadParameter(
            f"“{text}” is no day. Give mon, mon-fri or a date such as 2026-12-24.", param_hint="--hours"
        )
    return range(begin, end + 1)


def _read(text: str) -> Day:
    if text == _OFF:
        return ()
    matches = [_STRETCH.fullmatch(part.strip()) for part in text.split(",")]
    stretches: list[Stretch] = []
    for match in matches:
        if match is None:
            raise click.BadParameter(
                f"“{text}” are no hours. Write them like 09:00-12:30,14:00-18:00, or off.", param_hint="--hours"
            )
        first, from_minute, last, to_minute = map(int, match.groups())
        stretches.append(Stretch(start=first * 60 + from_minute, end=last * 60 + to_minute))
    return tuple(stretches)


def _json(found: CurrentHours) -> dict[str, Any]:
    return {
        "zone": found.zone,
        "source": found.source,
        "confirmed_at": found.confirmed_at,
        "weekly": {name: [_text(one) for one in day] for name, day in zip(_WEEKDAYS, found.hours.weekly, strict=True)},
        "exceptions": {str(day): [_text(one) for one in hours] for day, hours in found.hours.exceptions.items()},
    }


def _print(found: CurrentHours) -> None:
    days = [*zip(_NAMES, found.hours.weekly, strict=True)]
    rows = [*days, *((f"{day:%a %d %b %Y}", hours) for day, hours in found.hours.exceptions.items())]
    print_table(("day", "hours"), ((name, ", ".join(map(_text, hours)) or "off") for name, hours in rows))
    click.echo(f"Hours are {_SOURCES[found.source]}; on the clock of {found.zone}.")
    if found.source is not Source.CONFIRMED:
        click.echo(
            "Confirm them: pencilled practitioners hours confirm; or set others: pencilled practitioners hours set"
        )


def _text(one: Stretch) -> str:
    return f"{one.start // 60:02}:{one.start % 60:02}-{one.end // 60:02}:{one.end % 60:02}"
