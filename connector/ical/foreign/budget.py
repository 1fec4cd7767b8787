"""How much work one calendar object is worth."""

from __future__ import annotations

STEPS = 25_000


class TooDenseError(Exception):
    """An object asks for more steps than any that people make."""


class Budget:
    """The steps that are left.

    A date looked at, a period begun, an occurrence found is one each, and so is whatever else there may be many of.
    """

    __slots__ = ("is_overdrawn", "left")

    def __init__(self, steps: int = STEPS) -> None:
        self.left = steps
        self.is_overdrawn = False

    def spend(self, steps: int = 1) -> None:
        """Take steps away.

        Raises: TooDenseError if there are not so many left.
        """
        if steps > self.left:
            raise TooDenseError
        self.left -= steps

    def afford(self, steps: int) -> bool:
        """Take steps away if there are so many left; else all that are left, and it is overdrawn.

        Whoever asks goes on without what they wanted, and whoever reads the object tells that it is too dense.
        """
        if steps > self.left:
            self.left, self.is_overdrawn = 0, True
            return False
        self.left -= steps
        return True
