"""Whoever is like somebody already is said before they are saved, and saved all the same only on request."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

import click

from connector.errors import DuplicateError

despite_duplicate = click.option(
    "--despite-duplicate",
    "despite",
    is_flag=True,
    help="Save them although somebody with the same address, number or name is here: it is somebody else.",
)


@contextmanager
def asking_about_duplicates() -> Iterator[None]:
    """Say how to go on, where somebody is refused who is like another."""
    try:
        yield
    except DuplicateError as error:
        raise error.adding("To save them all the same, add --despite-duplicate.") from None
