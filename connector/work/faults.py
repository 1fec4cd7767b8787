"""What may be logged and stored of an error: its kind and where it arose. Its message may carry personal data."""

from __future__ import annotations

import re
from types import TracebackType

from connector.errors import InstallationError, RefusedError, TransientError

_REVEALING = re.compile(r"\S+@\S+|\w+://\S+|\S*/\S+/\S*")  # an address or path in a service's words may name somebody
_OURS = frozenset({"connector", "providers", "webhooks"})


def describe(error: Exception) -> str:
    """Say what went wrong and where. Only errors of our own are quoted: others may carry somebody's data."""
    words = (
        _REVEALING.sub("…", str(error)) if isinstance(error, RefusedError | TransientError | InstallationError) else ""
    )
    where = trace(error)[-1:]
    return f"{type(error).__name__}{': ' if words else ''}{words}" + "".join(f" ({place})" for place in where)


def trace(error: Exception) -> list[str]:
    """Return the places in our own code the error came through, the innermost last."""
    places: list[str] = []
    step: TracebackType | None = error.__traceback__
    while step is not None:
        module = step.tb_frame.f_globals.get("__name__", "")
        if module.partition(".")[0] in _OURS:
            places.append(f"{module}:{step.tb_lineno}")
        step = step.tb_next
    return places
