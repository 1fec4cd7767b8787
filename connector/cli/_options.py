"""Options that several commands share: local times, lengths, places, windows, privacy levels."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields
from datetime import datetime, timedelta
from functools import wraps
from typing import Any, Literal

import click

from connector.cli._shared import stacked
from connector.domain.people import Level, is_locale
from connector.domain.session import Location, LocationKind
from connector.domain.span import When
from connector.errors import WallTimeError
from connector.settings import Settings

LEVELS = "0 “Busy”; 1 “Session” or “Hold”; 2 initials; 3 first name; 4 full name and place"
_LOCAL = re.compile(r"\d{4}-\d{2}-\d{2}[ T]\d{2}:\d{2}")
_FOLDS: dict[str, Literal[0, 1]] = {"earlier": 0, "later": 1}


class LocalTime(click.ParamType[datetime]):
    """A wall time such as 2026-12-01 14:00; the command says on whose clock."""

    name = "yyyy-mm-dd hh:mm"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> datetime:
        """Read it as a naive datetime."""
        if isinstance(value, datetime):
            return value
        try:
            if _LOCAL.fullmatch(value.strip()):
                return datetime.fromisoformat(value.strip())
        except ValueError:
            pass
        return self.fail(f"“{value}” is not a date and time. Write it like 2026-12-01 14:00.", param, ctx)


class Window(click.ParamType[timedelta]):
    """A length of time as the settings take it: 90m, 24h, 2d."""

    name = "duration"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> timedelta:
        """Read it."""
        if isinstance(value, timedelta):
            return value
        read = next(field.metadata["read"] for field in fields(Settings) if field.name == "offer_window")
        try:
            window: timedelta = read(value)
        except (ValueError, OverflowError) as error:
            return self.fail(f"{error}", param, ctx)
        return window


minutes = click.option(
    "--minutes",
    "--duration",
    "minutes",
    type=click.IntRange(1, 24 * 60),
    metavar="N",
    help="How many minutes it lasts.",
)
fold = click.option(
    "--fold",
    type=click.Choice(list(_FOLDS)),
    help="Which one is meant when the clocks go back and the local time comes twice.",
)
practitioner = click.option(
    "--practitioner", metavar="EMAIL|ID", help="Whose; can be left out while there is only one practitioner."
)
only_of = click.option("--practitioner", metavar="EMAIL|ID", help="Theirs only; everybody's if left out.")
locale = click.option(
    "--locale",
    default="en",
    show_default=True,
    callback=lambda context, parameter, value: _locale(value, context, parameter),
    help="Language of their mails and pages, such as en, de or en_GB.",
)
level_options = stacked(
    click.option(
        f"--{kind}-level",
        type=click.IntRange(0, 4),
        metavar="0…4",
        help=f"How much a calendar shows of a client in a {kind}: {LEVELS}.",
    )
    for kind in ("session", "hold")
)


def _locale(value: str, context: click.Context, parameter: click.Parameter) -> str:
    if not is_locale(value):
        raise click.BadParameter("Write it like en, de or en_GB.", ctx=context, param=parameter)
    return value


def checked_locale(text: str | None) -> str | None:
    """Return a language as mails are written in. Raises: BadParameter."""
    if text is not None and not is_locale(text):
        raise click.BadParameter("Write it like en, de or en_GB.", param_hint="--locale")
    return text


def located(function: Callable[..., Any]) -> Callable[..., Any]:
    """Add --in-person, --online and --phone; the command gets `location`, None if none was given."""

    @wraps(function)
    def wrapper(*args: Any, in_person: str | None, online: str | None, phone: str | None, **kwargs: Any) -> Any:
        texts = {LocationKind.IN_PERSON: in_person, LocationKind.ONLINE: online, LocationKind.PHONE: phone}
        places = [Location(kind=kind, text=text) for kind, text in texts.items() if text is not None]
        if len(places) > 1:
            raise click.UsageError("Give one place: --in-person, --online or --phone.")
        return function(*args, location=places[0] if places else None, **kwargs)

    options = stacked(
        (
            click.option("--in-person", metavar="ADDRESS", help="They meet at this address."),
            click.option("--online", metavar="URL", help="They meet under this https:// link."),
            click.option("--phone", metavar="TEXT", help="They talk on the phone: the number, and who calls."),
        )
    )
    return options(wrapper)


def needed(location: Location | None) -> Location:
    """Return the place. Raises: UsageError if none was given."""
    if location is None:
        raise click.UsageError("Say where: --in-person ADDRESS, --online URL or --phone TEXT.")
    return location


def at(local: datetime, *, zone: str, length: timedelta, fold: str | None) -> When:
    """Resolve a wall time on the clock of `zone`.

    Raises: WallTimeError that says how to choose; RuleError.
    """
    try:
        return When.at(local, zone=zone, duration=length, fold=_FOLDS[fold] if fold else None)
    except WallTimeError as error:
        if error.choices:
            error.adding("Add --fold earlier or --fold later.")
        raise


def level(number: int | None) -> Level | None:
    """Return a step of the privacy ladder."""
    return None if number is None else Level(number)
