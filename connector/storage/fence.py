"""What keeps whoever has lost a claim from recording anything. See docs/decisions/0020.

A worker may be frozen for as long as it likes, and goes on where it stopped. So every record of work under a claim is
made in a transaction in which the claim was checked, and the claim is renewed before a request.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Protocol

from sqlalchemy import Connection

from connector.storage.database import Database


class Fence(Protocol):
    """The claim that work is done under."""

    def renew(self) -> None:
        """Keep the claim for another lease if a third of it is gone.

        Raises: LeaseLostError; StoppingError if this process is stopping. Let both through.
        """
        ...

    def check(self, db: Connection) -> None:
        """Make sure, in the transaction of a record, that the claim is still ours until that has ended.

        Raises: LeaseLostError.
        """
        ...


@contextmanager
def fenced(database: Database, fence: Fence) -> Iterator[Connection]:
    """Record what work under a claim has come to: all of it while the claim is ours, or nothing.

    The check is the last thing done, for what else is locked here (a practitioner, mostly) is locked before due work
    everywhere.

    Raises: LeaseLostError.
    """
    with database.begin() as db:
        yield db
        fence.check(db)
