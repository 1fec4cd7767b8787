"""The worker without its threads: carries out what the ledger says is due, at a virtual time that stands still."""

from __future__ import annotations

import threading
from collections.abc import Collection, Iterator
from dataclasses import dataclass
from uuid import UUID

from connector.runtime import Runtime
from connector.storage import ledger
from connector.storage.ledger import Key, Kind
from connector.work.dispatch import handler
from connector.work.engine import Ending, Running, carry_out

ROUNDS = 50  # looks for what is due, far beyond what any story needs
_EVERY = 10_000  # no key waits behind a limit or a full lane: one claim is carried out at a time


@dataclass(frozen=True, slots=True, kw_only=True)
class Driver:
    """Claims, carries out and ends as the engine does; what nobody has made due does not happen."""

    runtime: Runtime

    def carry_out(self, *kinds: Kind, of: Collection[UUID] | None = None) -> list[Ending]:
        """Carry out what is due now until nothing is, and return how each claim ended.

        Args:
            kinds: Only keys of these kinds; none for all.
            of: Only keys of these identities, mostly calendars; None for all.
        """
        endings: list[Ending] = []
        keys: list[Key] = []
        for _ in range(ROUNDS):
            keys = list(self._due(kinds, of))
            if not keys:
                return endings
            for key in keys:
                endings += self._carry_out(key)
        raise AssertionError(f"the work does not end: {keys} are due again and again")

    def _due(self, kinds: Collection[Kind], of: Collection[UUID] | None) -> Iterator[Key]:
        identities = None if of is None else {str(identity) for identity in of}
        for key in ledger.due_keys(self.runtime.database, self.runtime.clock(), _EVERY, seats=_EVERY):
            if (not kinds or key.kind in kinds) and (identities is None or key.id in identities):
                yield key

    def _carry_out(self, key: Key) -> Iterator[Ending]:
        database, clock = self.runtime.database, self.runtime.clock
        claim = ledger.claim(database, key, now=clock())
        if claim is None:
            return
        running = Running(database, claim, lease=ledger.LEASE, stop=threading.Event())
        ending = carry_out(database, claim, handler(self.runtime), running, clock=clock)
        if ending.how == "failed" and ending.error is not None:
            raise ending.error
        yield ending
