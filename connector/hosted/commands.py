"""`flask pencilled ...`: our commands, with the settings of a host."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

import click

from connector.cli import COMMANDS, ENVIRON, Door

_OF_THEIR_OWN = frozenset({"demo", "serve", "web"})  # they serve pages, which the host does here


class HostedDoor(Door):
    """Our commands, but for those that serve pages."""

    def __init__(self, *words: Any, environ: Mapping[str, str] | None, **more: Any) -> None:
        super().__init__(*words, **more)
        self._environ = environ

    def offered(self) -> Mapping[str, str]:
        """Return the commands there are, and what each does."""
        return {name: summary for name, summary in COMMANDS.items() if name not in _OF_THEIR_OWN}

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
