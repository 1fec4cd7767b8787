"""A host that has a module by a name of ours is refused: one of the two would be taken for the other."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from importlib.machinery import PathFinder
from pathlib import Path
from types import ModuleType

import connector
from connector.errors import SettingsError

OURS = ("connector", "providers", "webhooks")

_HOME = Path(connector.__file__).resolve().parent.parent


def refuse_taken() -> None:
    """Raise SettingsError if something else goes by the name of a package of ours, naming its file.

    Whether it was imported already, or would be found on the path before ours or after it: there it would be ours that
    hides it.
    """
    faults = [
        f"{place}: the host has a module of its own called {name}, as Pencilled has. Rename it, or run Pencilled "
        "beside the host and use it over REST: docs/api.md"
        for name in OURS
        for place in _others(name)
    ]
    if faults:
        raise SettingsError(faults)


def _others(name: str) -> list[Path]:
    """Return the files that are called so and are none of ours, each once."""
    found = dict.fromkeys([*_imported(name), *_on_the_path(name)])
    return [place for place in found if not place.is_relative_to(_HOME / name)]


def _imported(name: str) -> Iterator[Path]:
    module = sys.modules.get(name)
    if isinstance(module, ModuleType) and module.__spec__ is not None and module.__spec__.origin:
        yield Path(module.__spec__.origin).resolve()


def _on_the_path(name: str) -> Iterator[Path]:
    for entry in sys.path:
        spec = PathFinder.find_spec(name, [entry or str(Path.cwd())])
        if spec is None:
            continue
        if spec.origin:
            yield Path(spec.origin).resolve()
            continue
        for folder in spec.submodule_search_locations or ():  # one without __init__.py, where it holds any program
            yield from (Path(folder).resolve() for _ in [*Path(folder).glob("*.py")][:1])
