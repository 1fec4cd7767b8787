"""One calendar takes the entries of one connection in the whole installation, whichever door somebody comes by."""

from __future__ import annotations

from dataclasses import replace
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from connector.domain.connection import Calendar, CalendarRole
from connector.errors import RuleError
from connector.ports import Network, RemoteCalendarInfo, UnsavedTokens
from connector.services.accounts import connect, disconnect, retarget
from connector.services.accounts.connect import ConnectionRequest, NewConnection
from connector.storage import calendars, tables
from connector.storage.database import Database
from providers.memory import provider as memory
from providers.memory.provider import MemoryStore
from tests.domain.examples import KIM
from tests.services.practice import SEAL, Practice


@pytest.fixture
def practice(database: Database) -> Practice:
    return Practice(database)


@pytest.fixture
def store(practice: Practice) -> Any:
    store = memory.store(f"shared-{practice.kim.id}")
    store.calendar("work")
    store.calendar("private")
    yield store
    memory.forget(store.id)


def add(practice: Practice, store: MemoryStore, name: str = "work", *, of: UUID | None = None) -> Calendar:
    """Connect an account as the command does."""
    form = {"address": store.id, "password": store.password}
    request = ConnectionRequest(provider=memory.PROVIDER, form=form, label="Practice", calendar=name)
    owner = of or practice.kim.id
    return connect.connect(practice.database, SEAL, Network(), owner, request, by=KIM, now=practice.now)


def info(store: MemoryStore, name: str) -> RemoteCalendarInfo:
    account = memory.PROVIDER.account(UnsavedTokens({"store": store.id, "password": "secret"}), Network())
    return next(info for info in account.calendars() if info.remote_id == name)


def connected(practice: Practice) -> int:
    with practice.database.read() as db:
        return db.execute(sa.select(sa.func.count()).select_from(tables.connections)).scalar_one()


def test_a_calendar_is_connected_once_by_the_command_too(practice: Practice, store: MemoryStore) -> None:
    add(practice, store)
    with pytest.raises(RuleError, match="connected already, as “Practice”"):
        add(practice, store)
    assert connected(practice) == 1


def test_another_practitioner_is_refused_and_not_told_whose_it_is(practice: Practice, store: MemoryStore) -> None:
    other = Practice(practice.database)
    add(practice, store)
    with pytest.raises(RuleError, match="by somebody else") as refused:
        add(practice, store, of=other.kim.id)
    assert practice.kim.name not in str(refused.value)
    assert "Practice" not in str(refused.value)
    assert connected(practice) == 1


def test_another_target_is_refused_if_somebody_writes_there(practice: Practice, store: MemoryStore) -> None:
    other = Practice(practice.database)
    add(practice, store)
    second = add(practice, store, "private", of=other.kim.id)
    with pytest.raises(RuleError, match="by somebody else"), practice.database.begin() as db:
        retarget.retarget(db, practice.policy, second.connection_id, info(store, "work"), by=KIM, now=practice.now)


def test_one_that_is_being_cleared_takes_nobody_elses_entries(practice: Practice, store: MemoryStore) -> None:
    other = Practice(practice.database)
    first = add(practice, store)
    with practice.database.begin() as db:
        chosen = info(store, "private")
        retarget.retarget(db, practice.policy, first.connection_id, chosen, by=KIM, now=practice.now)
    with pytest.raises(RuleError, match="by somebody else"):
        add(practice, store, of=other.kim.id)


def test_it_may_be_watched_by_several(practice: Practice, store: MemoryStore) -> None:
    other = Practice(practice.database)
    add(practice, store)
    new = NewConnection(
        provider=memory.PROVIDER,
        credentials={"store": store.id, "password": "secret"},
        label="",
        target=info(store, "private"),
        watched=[info(store, "work")],
    )
    with practice.database.begin() as db:
        connect.add(db, SEAL, other.kim.id, new, by=KIM, now=practice.now)
    assert connected(practice) == 2


def test_once_it_is_being_disconnected_it_can_be_connected_again(practice: Practice, store: MemoryStore) -> None:
    first = add(practice, store)
    with practice.database.begin() as db:
        disconnect.begin(db, practice.policy, first.connection_id, by=KIM, now=practice.now)
    add(practice, store)


def test_the_database_refuses_who_comes_at_the_same_time(practice: Practice, store: MemoryStore) -> None:
    other = Practice(practice.database)
    first = add(practice, store)
    second = add(practice, store, "private", of=other.kim.id)
    late = replace(second, id=practice.another_client().id, identity=first.identity)
    with pytest.raises(RuleError, match="connected to Pencilled already"), practice.database.begin() as db:
        calendars.add_calendar(db, late, now=practice.now)  # as if both had looked before either wrote
    watched = replace(late, role=CalendarRole.WATCHED)
    with practice.database.begin() as db:
        calendars.add_calendar(db, watched, now=practice.now)
    with pytest.raises(RuleError, match="connected to Pencilled already"), practice.database.begin() as db:
        calendars.set_role(db, watched.id, CalendarRole.TARGET)


def test_a_double_of_an_older_version_is_named_and_not_touched(practice: Practice, store: MemoryStore) -> None:
    other = Practice(practice.database)
    first = add(practice, store)
    second = add(practice, store, "private", of=other.kim.id)
    own = tables.calendars.c.id == second.id
    with practice.database.begin() as db:
        assert not calendars.doubles(db)
        db.execute(sa.update(tables.calendars).where(own).values(identity=first.identity, twin=1))
    with practice.database.read() as db:
        assert [[one.id for one in group] for group in calendars.doubles(db)] == [[first.id, second.id]]
    with practice.database.begin() as db:
        disconnect.begin(db, practice.policy, second.connection_id, by=KIM, now=practice.now)
    with practice.database.read() as db:
        assert not calendars.doubles(db)
