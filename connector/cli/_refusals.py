"""How commands refuse: in words on standard error, and with --json also for programs, on standard output."""

from __future__ import annotations

import itertools
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import date, time
from typing import IO, Any, TypedDict

import click

from connector.errors import ConnectorError, RuleError, SettingsError
from connector.sentence import Paragraph, Sentence

_AS_JSON = "--json"
# The command that helps, by what was refused: other doors say the same words, and their readers have no command.
ADVICE: Mapping[str, str] = {
    "calendar_access_lost": "pencilled connections reconnect",
    "calendar_stopped_by_restore": "pencilled restored --continue",
    "client_erased": "pencilled clients add",
    "client_unreachable": "pencilled clients change",
    "letter_on_its_way": "pencilled doctor",
    "offer_still_open": "pencilled offers withdraw",
    "person_retired": "pencilled practitioners unretire, or pencilled clients unretire",
    "practitioner_has_calendars": "pencilled connections disconnect",
    "subscription_not_found": "pencilled subscriptions list",
    "target_refuses_entries": "pencilled connections list",
    "target_stopped": "pencilled connections resume",
    "target_stopped_by_restore": "pencilled restored --continue",
}


class _Details(TypedDict, total=False):
    field: str | None
    values: Mapping[str, object]


class Refusal(click.ClickException):
    """A fault that a person can correct, printed in red on standard error, without a traceback.

    Attributes:
        code: What was refused, for programs; `docs/errors.md` has them all.
        details: The same for programs, with what fills the words in.
    """

    def __init__(
        self, words: str, *, code: str, field: str | None = None, values: Mapping[str, object] | None = None
    ) -> None:
        super().__init__(words)
        self.code = code
        plain = {name: _plain(value) for name, value in (values or {}).items()}
        self.details = {"message": words.removeprefix("Error: "), "field": field, "values": plain}

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it; as JSON too, if the command was told to."""
        click.secho(self.format_message(), fg="red", file=file, err=file is None)

    def print_json(self) -> None:
        """Print it for programs."""
        _print_json(self.code, self.details)


class WrongSettings(Refusal):
    """Nothing can be done with these settings."""

    exit_code = 2

    @classmethod
    def of(cls, error: ConnectorError) -> WrongSettings:
        """Refuse because of what the settings lead to."""
        return cls(f"Error: {error}", code=error.code, **_details(error))


@contextmanager
def refusing(arguments: Sequence[str]) -> Iterator[None]:
    """Tell refusals inside it as commands do; as JSON too, if they were given --json, whatever else was wrong."""
    words = itertools.takewhile(lambda word: word != "--", arguments)
    as_json = _AS_JSON in list(words)
    try:
        yield
    except click.UsageError as error:
        if as_json:
            _print_json("usage_wrong", {"message": error.format_message(), "field": _field(error), "values": {}})
        raise
    except Exception as error:
        refusal = refusal_of(error)
        if refusal is None:
            raise
        if as_json:
            refusal.print_json()
        raise refusal from (error if refusal is not error else error.__cause__)


def refusal_of(error: Exception) -> Refusal | None:
    """Return how to tell an error to whoever runs the command; None for a fault of the program."""
    match error:
        case Refusal():
            return error
        case SettingsError():
            return WrongSettings(str(error), code=error.code, values={"faults": error.faults})
        case ConnectorError():
            return Refusal(f"Error: {error}{_advice(error)}", code=error.code, **_details(error))
        case _ if words := unreachable(error):
            return Refusal(f"Error: {words}", code="database_unusable")
        case _:
            return None


def unreachable(error: Exception) -> str:
    """Say that the database does not answer, if that is what went wrong; else an empty text."""
    if "sqlalchemy" not in sys.modules:
        return ""
    from sqlalchemy.exc import DatabaseError, OperationalError  # noqa: PLC0415 - only where a database is in use already

    if not isinstance(error, DatabaseError) or type(error) not in (OperationalError, DatabaseError):
        return ""
    if getattr(error.orig, "sqlite_errorname", "") == "SQLITE_ERROR":  # a statement SQLite cannot make sense of
        return ""
    first = (str(error.orig).strip().splitlines() or ["no reason given"])[0]
    return f"The database cannot be used: {first}"


def _advice(error: ConnectorError) -> str:
    command = ADVICE.get(error.code)
    return f" The command for that is: {command}" if command else ""


def _details(error: ConnectorError) -> _Details:
    return {"field": error.field, "values": error.values} if isinstance(error, RuleError) else {}


def _field(error: click.UsageError) -> str | None:
    """Return the option, or argument, that an error is about, as it is written on the command line."""
    if not isinstance(error, click.BadParameter) or error.param is None:
        return None
    return max(error.param.opts, key=len).lstrip("-").replace("-", "_")


def _print_json(code: str, details: Mapping[str, Any]) -> None:
    import json  # noqa: PLC0415  only who asks for it pays for it

    click.echo(json.dumps({"error": {"code": code, **details}}, ensure_ascii=False, indent=2))


def _plain(value: object) -> object:
    """Write a value for programs; datetimes as ISO 8601, on the clock that the words show."""
    match value:
        case date() | time():  # a datetime is a date
            return value.isoformat()
        case Sentence() | Paragraph():
            return str(value)
        case tuple():
            return [_plain(one) for one in value]
        case _:
            return value
