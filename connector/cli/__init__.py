"""The operator's door: one module a command, imported only when that command runs."""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from keyword import iskeyword
from typing import Any, cast

import click

from connector.cli._refusals import Refusal, WrongSettings, refusing, unreachable
from connector.cli._stopping import UNTIL_STOPPED, leave_when_asked

__all__ = ["COMMANDS", "ENVIRON", "Door", "Refusal", "WrongSettings", "command", "main", "unreachable"]

ENVIRON = "connector.environ"  # where a context of click's keeps the settings of a host, in place of the environment
COMMANDS = {
    "demo": "See it work: a calendar server, a mail catcher, one offer made and answered.",
    "serve": "Run everything in one process, on SQLite.",
    "web": "Run the pages, on PostgreSQL and Redis.",
    "worker": "Carry out due work alone.",
    "migrate": "Bring the database up to date.",
    "doctor": "Check database, broker, mail server and every calendar.",
    "practitioners": "Add, change, retire and list practitioners.",
    "clients": "Add, change, retire and list clients.",
    "support": "Name the people who help clients; show what they did.",
    "connections": "Connect calendars, test and reconnect them.",
    "sessions": "Book, show, move and cancel sessions; answer for a client.",
    "import": "Bring in sessions that were booked elsewhere, from a table or a calendar.",
    "offers": "Offer a client other times: draft, show, send, withdraw.",
    "times": "Suggest times in place of a session's.",
    "subscriptions": "List, make and end calendar subscriptions.",
    "endpoints": "Tell hosts of outcomes: add, test, enable and remove their addresses.",
    "deliveries": "Show what became of outcomes, here or by a link to a page, and deliver them once more.",
    "explain": "Say why something stands in a calendar, who did it, and what follows.",
    "resync": "Bring calendars to what they should show, or show what that would take.",
    "restored": "Put right what differs after the database was restored from a back-up.",
    "keys": "Make and revoke API keys; seal stored credentials under the newest key.",
}


def command(name: str) -> click.Command:
    """Import the module of a command, and return that; a word of Python's own has an underscore after it there."""
    own = f"{name}_" if iskeyword(name) else name
    return cast("click.Command", getattr(import_module(f"connector.cli.{own}"), own))


class Door(click.Group):
    """Knows its commands by name and summary, and imports the one that runs."""

    def offered(self) -> Mapping[str, str]:
        """Return the commands there are, and what each does."""
        return COMMANDS

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002 - click passes it
        """Return their names."""
        return list(self.offered())

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002 - as above
        """Import one of them."""
        if cmd_name not in self.offered():
            return None
        return command(cmd_name)

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002 - as above
        """Write what each does, importing none."""
        with formatter.section("Commands"):
            formatter.write_dl(list(self.offered().items()))

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the one that is meant."""
        if args[0] in UNTIL_STOPPED:
            leave_when_asked(ctx)  # before the command is imported, which takes a second
        try:
            return super().resolve_command(ctx, args)
        except click.exceptions.NoSuchCommand:
            raise click.exceptions.NoSuchCommand(args[0], possibilities=self.offered(), ctx=ctx) from None

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Take what a command is given, and refuse as commands do."""
        given = tuple(args)
        with refusing(given):
            context = super().make_context(info_name, args, parent, **extra)
        context.obj = given  # what a command was given, for how it refuses
        return context

    def invoke(self, ctx: click.Context) -> Any:
        """Run it, and refuse as commands do."""
        with refusing(ctx.obj):
            return super().invoke(ctx)


def _version(ctx: click.Context, _param: click.Parameter, wanted: bool) -> None:  # noqa: FBT001 - click passes it so
    if not wanted or ctx.resilient_parsing:
        return
    from importlib.metadata import version  # noqa: PLC0415 - slow, and for this option only

    click.echo(f"pencilled {version('pencilled')}")
    ctx.exit()


@click.group(cls=Door, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
@click.option(
    "--version", is_flag=True, callback=_version, expose_value=False, is_eager=True, help="Show the version and exit."
)
def main() -> None:
    """Pencilled keeps sessions and offered times in the calendars that practitioners already use.

    \b
    A first look, with nothing to set up:  pencilled demo
    For real:  pencilled serve, and in another terminal
               pencilled practitioners add --name "Kim Berg" --email kim@example.org --zone Europe/Berlin

    Settings are environment variables that begin with CONNECTOR_; the README lists them. Every command has --help.

    Exit codes: 0 done; 1 refused or failed, and why is on standard error; 2 wrong usage or wrong settings. With --json
    a refusal is also printed on standard output, with its code: {"error": {"code": ..., "message": ...}}.
    """  # noqa: D301 - \b tells click to keep the lines as they are
