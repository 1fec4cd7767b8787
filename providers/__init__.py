"""One module for each kind of calendar service, imported when it is first needed."""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from connector.errors import SettingsError
from connector.ports import Provider


def available() -> tuple[str, ...]:
    """Return the slugs there are, by file name; imports none of them."""
    return tuple(sorted(path.stem for path in Path(__file__).parent.glob("*.py") if not path.stem.startswith("_")))


def load(slug: str) -> Provider:
    """Import a provider by its slug.

    Raises: SettingsError if there is none of that name.
    """
    if slug not in available():
        raise SettingsError([f"there is no provider “{slug}”; there are: {', '.join(available())}"])
    provider = cast("Provider", import_module(f"providers.{slug}").PROVIDER)
    if provider.slug != slug:
        raise AssertionError(f"providers/{slug}.py calls itself {provider.slug!r}")
    return provider
