"""Whatever the history of touches, runs, failures and deaths: no change is lost and no key is held twice."""

from __future__ import annotations

import shutil
import tempfile
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

import hypothesis.strategies as st
import pytest
import sqlalchemy as sa
from hypothesis import given, settings

from connector.storage import ledger
from connector.storage.database import Database
from connector.storage.due import due
from connector.storage.ledger import Claim, Key, Kind, Urgency

from .test_ledger import NOW, SECOND

KEYS = [Key(Kind.CALENDAR, name) for name in "ab"]
TOUCHES = {"touch": Urgency.ACT, "touch_later": Urgency.ACT, "look": Urgency.LOOK, "poll": Urgency.UPKEEP}
steps = st.tuples(
    st.sampled_from([*TOUCHES, "claim", "finish", "again", "postpone", "refuse", "release", "die", "forget"]),
    st.sampled_from(KEYS),
)


@dataclass
class Expected:
    """What one key owes: `requests` counts touches and forgettings, `done` those that a finished run had seen.

    `urgency` is how urgent that is; None while it is not due.
    """

    requests: int = 0
    done: int = 0
    urgency: Urgency | None = None
    holder: Claim | None = None
    fenced: list[Claim] = field(default_factory=list)


class History:
    """Plays steps on a real ledger and on the simplest account of what it owes."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.now = NOW
        self.expected = {key: Expected() for key in KEYS}
        self.requests_at_claim: dict[tuple[Key, int], int] = {}

    def play(self, step: str, key: Key) -> None:
        owed, database = self.expected[key], self.database
        match step:
            case "touch" | "touch_later" | "look" | "poll":
                urgency, later = TOUCHES[step], 5 * SECOND if step == "touch_later" else timedelta()
                with database.begin() as db:
                    ledger.touch(db, key, due_at=self.now + later, urgency=urgency)
                owed.requests += 1
                owed.urgency = urgency if owed.urgency is None else min(owed.urgency, urgency)
            case "claim":
                self.now += SECOND
                claim = ledger.claim(database, key, now=self.now)
                assert claim is None or owed.holder is None, "two hold one key"
                if claim:
                    owed.holder = claim
                    self.requests_at_claim[key, claim.token] = owed.requests
            case "die" if owed.holder:
                expire = sa.update(due).where(due.c.id == key.id).values(lease_until=NOW - timedelta(days=3650))
                with database.begin() as db:
                    db.execute(expire)
                owed.fenced.append(owed.holder)
                owed.holder = None
            case "forget":
                with database.begin() as db:
                    ledger.forget(db, key)
                owed.requests += 1
                owed.done, owed.urgency = owed.requests, None
            case _ if owed.holder:
                self.end(step, key, owed, owed.holder)
                owed.holder = None
            case _:
                pass

    def end(self, step: str, key: Key, owed: Expected, claim: Claim) -> None:
        at_claim = self.requests_at_claim[key, claim.token]
        match step:
            case "finish" | "again":
                assert ledger.finish(self.database, claim, again_at=self.now if step == "again" else None)
                owed.done = max(owed.done, at_claim)
                if at_claim == owed.requests:
                    owed.urgency = key.kind.urgency if step == "again" else None
            case "postpone":
                retry_after = timedelta(minutes=1)
                forgotten = owed.done == owed.requests
                again_at = ledger.postpone(self.database, claim, now=self.now, retry_after=retry_after, error="x")
                assert forgotten or again_at
            case "refuse":
                assert ledger.refuse(self.database, claim, now=self.now, error="x")
            case _:
                assert ledger.release(self.database, claim)

    def check(self) -> None:
        later = self.now + timedelta(days=2)
        claimable = ledger.due_keys(self.database, later)
        assert list(claimable.values()) == sorted(claimable.values()), "the most urgent is not first"
        for key, owed in self.expected.items():
            for stale in owed.fenced:
                if owed.holder is None or owed.holder.token != stale.token:
                    took_over = owed.holder is not None
                    assert not (took_over and ledger.renew(self.database, stale)), "a dead run came back"
            if owed.done < owed.requests and owed.holder is None:
                assert key in claimable, "a change was lost"
            if owed.holder is None:
                assert claimable.get(key) == owed.urgency


def play(template: Path, history: list[tuple[str, Key]]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "ledger.sqlite3"
        shutil.copyfile(template, path)
        database = Database(f"sqlite:///{path}")
        try:
            played = History(database)
            for step, key in history:
                played.play(step, key)
                played.check()
        finally:
            database.dispose()


def test_a_run_that_follows_a_finished_one_can_be_refused(sqlite_template: Path) -> None:
    """The account above once took such a key, whose touches are all done, for one that was forgotten."""
    play(sqlite_template, [(step, KEYS[0]) for step in ("touch", "claim", "again", "claim", "refuse")])


@settings(max_examples=30)
@given(st.lists(steps, min_size=20, max_size=30))
def test_no_history_loses_a_change(sqlite_template: Path, history: list[tuple[str, Key]]) -> None:
    play(sqlite_template, history)


@pytest.mark.long
@settings(max_examples=200)
@given(st.lists(steps, min_size=20, max_size=60))
def test_no_long_history_loses_a_change(sqlite_template: Path, history: list[tuple[str, Key]]) -> None:
    play(sqlite_template, history)
