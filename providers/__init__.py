"""One package for each kind of calendar service.

The package itself holds what has to be known of every provider at the start, such as the settings of its registration,
and imports no library of a service. Its module `provider` is imported when first needed.
"""

from __future__ import annotations

from importlib import import_module
from pathlib import Path
from typing import cast

from connector.errors import SettingsError
from connector.ports import Declaration, Provider


def available() -> tuple[str, ...]:
    """Return the slugs there are, by folder; imports none of them."""
    return tuple(sorted(path.parent.name for path in Path(__file__).parent.glob("*/__init__.py")))


def declared() -> tuple[Declaration, ...]:
    """Return what each provider there is says of itself, by slug; imports no library of a service."""
    return tuple(_declaration(slug) for slug in available())


def load(slug: str) -> Provider:
    """Import a provider by its slug.

    Raises: SettingsError if there is none of that name.
    """
    if slug not in available():
        raise SettingsError([f"there is no provider “{slug}”; there are: {', '.join(available())}"])
    provider = cast("Provider", import_module(f"providers.{slug}.provider").PROVIDER)
    if provider.slug != slug:
        raise AssertionError(f"providers/{slug} calls itself {provider.slug!r}")
    return provider


def _declaration(slug: str) -> Declaration:
    declaration: Declaration = import_module(f"providers.{slug}").DECLARATION
    if declaration.slug != slug:
        raise AssertionError(f"providers/{slug} speaks of {declaration.slug!r}")
    return declaration
