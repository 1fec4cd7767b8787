"""Say in the log, at warning level, what did not go through: what, why, the how-manieth attempt, and the next one.

Whatever fails outside a request of somebody who is told there and then goes through `tell`; what is done under a claim
adds by `working_on` which work it was. Nothing told here names anybody: our identifiers, kinds, and why.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from types import TracebackType

import structlog
from structlog.contextvars import bound_contextvars, get_contextvars

from connector.errors import InstallationError, MissingError, NotReadyError, RefusedError, TransientError

_REVEALING = re.compile(r"\S+@\S+|\w+://\S+|\S*/\S+/\S*")  # an address or path in a service's words may name somebody
_OURS = frozenset({"connector", "providers", "webhooks"})
_QUOTED = (NotReadyError, RefusedError, TransientError, InstallationError, MissingError)

log = structlog.get_logger(__name__)


@contextmanager
def working_on(**work: object) -> Iterator[None]:
    """Have whatever is told within say which work it was: kind, id, attempts."""
    with bound_contextvars(**work):
        yield


def tell(
    event: str,
    error: Exception | str,
    *,
    again_at: datetime | None = None,
    level: int = logging.WARNING,
    **about: object,
) -> None:
    """Log one thing that did not go through.

    Args:
        event: What has failed, one word.
        error: Why: an exception, or words that name nobody.
        again_at: When it is tried again; None where nothing does so by itself.
        level: An error where the operator has to do something.
        about: Our identifiers, numbers and kinds. Never a name, an address or a title.
    """
    details = {"attempts": 1, **get_contextvars(), **about}
    why = _REVEALING.sub("…", error) if isinstance(error, str) else describe(error)
    log.log(level, event, **details, error=why, again_at=again_at.isoformat() if again_at else None)


def describe(error: Exception) -> str:
    """Say what went wrong and where. Only errors of our own are quoted: others may carry somebody's data."""
    words = _REVEALING.sub("…", str(error)) if isinstance(error, _QUOTED) else ""
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
