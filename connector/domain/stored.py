"""Values that are read back: what was checked before it was stored is not checked once more for each row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, ParamSpec, TypeVar, cast

P = ParamSpec("P")
T = TypeVar("T")


def as_stored(kind: Callable[P, T]) -> Callable[P, T]:
    """Return what makes values of one of our frozen classes and checks nothing; all of its fields have to be named.

    For storage alone, of what such a value was stored from.
    """
    made = cast("type[Any]", kind)
    new = object.__new__
    fields = {name: getattr(made, name).__set__ for name in made.__dataclass_fields__}
    count = len(fields)

    def make(**values: Any) -> Any:
        if len(values) != count:
            raise TypeError(f"{made.__name__} is read back without {sorted(fields.keys() - values.keys())}")
        value = new(made)
        for name, one in values.items():
            fields[name](value, one)
        return value

    return cast("Callable[P, T]", make)
