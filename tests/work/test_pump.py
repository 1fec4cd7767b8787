"""The pump looks, wakes for so many keys at a time, and looks again soon while there are more."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta

from connector.storage import ledger
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind, Urgency
from connector.work.pump import LIMIT, Pump
from tests.conftest import Clock
from tests.work.conftest import NEVER, OFTEN, Recorder, StartEngine, touch


def test_more_due_keys_than_one_look_takes_are_woken_for_look_by_look(sqlite_database: Database, clock: Clock) -> None:
    keys = [Key(Kind.OFFER, f"{number:04}") for number in range(LIMIT + 3)]
    with sqlite_database.begin() as db:
        for number, key in enumerate(keys):
            ledger.touch(db, key, due_at=clock() - timedelta(hours=1) + timedelta(seconds=number))
    wakes: list[Mapping[Key, Urgency]] = []

    def wake(due_keys: Mapping[Key, Urgency]) -> None:
        wakes.append(due_keys)
        for key in due_keys:
            claim = ledger.claim(sqlite_database, key, now=clock())
            assert claim
            assert ledger.finish(sqlite_database, claim)

    pump = Pump(sqlite_database, wake, clock)
    assert pump._pump() < timedelta(seconds=1), "others wait"
    assert pump._pump() == timedelta(seconds=1)
    pump.stop()
    assert [list(due_keys) for due_keys in wakes] == [keys[:LIMIT], keys[LIMIT:]]


def test_what_another_process_commits_to_a_file_is_noticed_before_the_pump_looks_again(
    sqlite_database: Database, sqlite_url: str, start_engine: StartEngine
) -> None:
    recorder = Recorder()
    start_engine(sqlite_database, recorder, tick=NEVER, glance=OFTEN)
    other = Database(sqlite_url)
    for number in range(3):
        touch(other, Key(Kind.OFFER, f"{number}"))
        assert recorder.wait_for(number + 1)[-1].key == Key(Kind.OFFER, f"{number}")
    other.dispose()
