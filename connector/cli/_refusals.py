"""How commands refuse: in words on standard error, and with --json also for programs, on standard output."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from datetime import date, time
from typing import IO, Any

import click

from connector.errors import ConnectorError, RuleError, SettingsError
from connector.sentence import Paragraph, Sentence

_AS_JSON = "pencilled.json"  # in what the contexts of a command share


class Refusal(click.ClickException):
    """A fault that a person can correct, printed in red on standard error, without a traceback.

    Attributes:
        code: What was refused, for programs; `docs/errors.md` has them all.
        details: The same for programs, with what fills the words in.
    """

    def __init__(self, words: str, *, code: str, details: Mapping[str, Any] | None = None) -> None:
        super().__init__(words)
        self.code = code
        self.details = details or {"message": words.removeprefix("Error: "), "field": None, "values": {}}

    def show(self, file: IO[Any] | None = None) -> None:
        """Print it; as JSON too, if the command was told to."""
        click.secho(self.format_message(), fg="red", file=file, err=file is None)

    def print_json(self) -> None:
        """Print it for programs."""
        import json  # noqa: PLC0415  only who asks for it pays for it

        click.echo(json.dumps({"error": {"code": self.code, **self.details}}, ensure_ascii=False, indent=2))


class WrongSettings(Refusal):
    """Nothing can be done with these settings."""

    exit_code = 2

    @classmethod
    def of(cls, error: ConnectorError) -> WrongSettings:
        """Refuse because of what the settings lead to."""
        return cls(f"Error: {error}", code=error.code, details=_details(error))


def note_json(context: click.Context, _parameter: click.Parameter, wanted: bool) -> bool:  # noqa: FBT001 - click passes it so
    """Remember that this command prints JSON; refusals do then, too."""
    context.meta[_AS_JSON] = wanted
    return wanted


def prints_json(context: click.Context) -> bool:
    """Whether the command that runs was told to print JSON."""
    return bool(context.meta.get(_AS_JSON))


def refusal_of(error: Exception) -> Refusal | None:
    """Return how to tell an error to whoever runs the command; None for a fault of the program."""
    match error:
        case Refusal():
            return error
        case SettingsError():
            return WrongSettings(str(error), code=error.code, details=_details(error))
        case ConnectorError():
            return Refusal(f"Error: {error}", code=error.code, details=_details(error))
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


def _details(error: ConnectorError) -> Mapping[str, Any]:
    """Return what programs are told; datetimes as ISO 8601, on the clock that the words show."""
    if isinstance(error, RuleError):
        values = {name: _plain(value) for name, value in error.values.items()}
        return {"message": str(error), "field": error.field, "values": values}
    return {"message": str(error), "field": None, "values": {}}


def _plain(value: object) -> object:
    match value:
        case date() | time():  # a datetime is a date
            return value.isoformat()
        case Sentence() | Paragraph():
            return str(value)
        case tuple():
            return [_plain(one) for one in value]
        case _:
            return value
