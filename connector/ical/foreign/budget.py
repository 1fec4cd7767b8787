"""How much work one calendar object is worth."""

from __future__ import annotations

STEPS = 25_000


class TooDenseError(Exception):
    """An object asks for more steps than any that people make."""


class Budget:
    """The steps that are left: a date looked at, a period begun, an occurrence found is one each."""

    __slots__ = ("left",)

    def __init__(self, steps: int = STEPS) -> None:
        self.left = steps

    def spend(self, steps: int = 1) -> None:
        """Take steps away.

        Raises: TooDenseError if there are not so many left.
        """
        if steps > self.left:
            raise TooDenseError
        self.left -= steps
