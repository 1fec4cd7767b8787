"""Claims for use cases that are called by hand: one that lasts, and one that is lost when a test says so."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sqlalchemy import Connection

from connector.errors import LeaseLostError


@dataclass
class Claimed:
    """A claim; `renewing` is called whenever it is asked to be renewed, `checks` counts how often it was checked."""

    renewing: Callable[[], None] = lambda: None
    lost: bool = False
    checks: int = 0

    def renew(self) -> None:
        self.renewing()
        self._fail_if_lost()

    def check(self, db: Connection) -> None:  # noqa: ARG002 - the fence's
        self.checks += 1
        self._fail_if_lost()

    def _fail_if_lost(self) -> None:
        if self.lost:
            raise LeaseLostError("another worker has the claim")


OURS = Claimed()
