"""`flask pencilled ...`: our commands, with the settings of a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from connector.cli import COMMANDS, ENVIRON, Door

_OF_THEIR_OWN = frozenset({"demo", "serve", "web"})  # they serve pages, which the host does here
_WORKER = "worker"  # knows nothing of what the host has given us
_WORK = {"work": "Carry out due work, beside or in place of the web processes."}


class HostedDoor(Door):
    """Our commands, but for those that serve pages, and with one of their own that carries out due work."""

    def __init__(self, *words: Any, environ: Mapping[str, str] | None, **more: Any) -> None:
        super().__init__(*words, **more)
        self._environ = environ

    def offered(self) -> Mapping[str, str]:
        """Return the commands there are, and what each does."""
        others = {name: summary for name, summary in COMMANDS.items() if name not in {*_OF_THEIR_OWN, _WORKER}}
        return _WORK | others

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """Import one of them."""
        if cmd_name not in _WORK:
            return super().get_command(ctx, cmd_name)
        from connector.hosted.work import work  # noqa: PLC0415 - only for whoever runs it

        return work

    def make_context(
        self, info_name: str | None, args: list[str], parent: click.Context | None = None, **extra: Any
    ) -> click.Context:
        """Have the commands read the settings of the host, where it has given any."""
        context = super().make_context(info_name, args, parent, **extra)
        context.meta[ENVIRON] = self._environ
        return context


def group(environ: Mapping[str, str] | None) -> click.Group:
    """Return the commands of a host; `environ` has its settings, None for those of the process."""
    return HostedDoor(
        name="pencilled",
        environ=environ,
        help="Pencilled, in this application: its database, its people, its calendars, and what is due.",
        context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
    )
