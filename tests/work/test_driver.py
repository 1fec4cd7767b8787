"""The driver of the stories does what the ledger says, and no more."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from connector.errors import TransientError
from connector.storage import ledger
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from tests.services.connected import connect, remote
from tests.services.practice import Practice


@pytest.fixture
def practice(sqlite_database: Database) -> Practice:
    return Practice(sqlite_database)


def touch(practice: Practice, key: Key) -> None:
    with practice.database.begin() as db:
        ledger.touch(db, key, due_at=practice.now)


def test_what_nobody_has_made_due_does_not_happen(practice: Practice) -> None:
    calendar = connect(practice)
    practice.book(48)
    with practice.database.begin() as db:
        ledger.forget(db, Key(Kind.CALENDAR, str(calendar.id)))
    assert practice.carry_out(Kind.CALENDAR) == []
    assert remote(practice).events == {}


def test_only_what_was_named_is_carried_out(practice: Practice) -> None:
    calendar, other = connect(practice), connect(practice, name="second")
    practice.book(48)
    practice.carry_out(Kind.CALENDAR, of=[other])
    assert (len(remote(practice).events), len(remote(practice, "second").events)) == (0, 1)
    assert remote(practice, "second").requests["changes"] == 0
    practice.carry_out(of=[calendar])
    assert (len(remote(practice).events), remote(practice).requests["changes"]) == (1, 1)


def test_work_that_is_put_off_comes_back_once_its_time_has_come(practice: Practice) -> None:
    connect(practice)
    practice.book(48)
    remote(practice).fail(TransientError("busy", retry_after=timedelta(minutes=5)), on="put")
    assert [ending.how for ending in practice.carry_out(Kind.CALENDAR)] == ["postponed"]
    practice.wait(minutes=4)
    assert practice.carry_out(Kind.CALENDAR) == []
    practice.wait(minutes=1)
    assert [ending.how for ending in practice.carry_out(Kind.CALENDAR)] == ["done"]


def test_a_fault_of_ours_is_not_swallowed(practice: Practice) -> None:
    calendar = connect(practice)
    runtime = practice.runtime
    practice.runtime = replace(runtime, load_provider=lambda _slug: 1 / 0)  # type: ignore[arg-type, return-value]
    with pytest.raises(ZeroDivisionError):
        practice.carry_out(Kind.CALENDAR, of=[calendar])


def test_work_without_an_end_is_a_failure(practice: Practice) -> None:
    calendar = connect(practice)
    there = remote(practice)
    read = there.changes

    def always_again(since: str | None) -> object:
        touch(practice, Key(Kind.PULL, str(calendar.id)))
        return read(since)

    there.changes = always_again  # type: ignore[method-assign, assignment]
    with pytest.raises(AssertionError, match="does not end"):
        practice.carry_out(Kind.PULL)


def test_a_key_of_nothing_that_is_there_ends(practice: Practice) -> None:
    touch(practice, Key(Kind.PULL, str(uuid4())))
    assert [ending.how for ending in practice.carry_out()] == ["done"]
