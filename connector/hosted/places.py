"""Where an error of a host's has come through: module and line, and nothing that it says."""

from __future__ import annotations

from types import TracebackType

_MOST = 3


def places(error: BaseException) -> list[str]:
    """Return the innermost places that an error came through, the last one last."""
    found: list[str] = []
    step: TracebackType | None = error.__traceback__
    while step is not None:
        found.append(f"{step.tb_frame.f_globals.get('__name__', '?')}:{step.tb_lineno}")
        step = step.tb_next
    return found[-_MOST:]
