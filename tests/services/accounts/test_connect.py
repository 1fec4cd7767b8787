"""What connecting an account leaves in the database."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from connector.domain.connection import Calendar
from connector.ports import RemoteCalendarInfo
from connector.services.accounts import connect, retarget
from connector.services.accounts.connect import NewConnection
from connector.storage import calendars
from connector.storage.database import Database
from connector.storage.due import due
from connector.storage.ledger import Kind
from providers.memory import provider as memory
from tests.domain.examples import KIM
from tests.services.practice import SEAL, Practice


@pytest.fixture
def practice(sqlite_database: Database) -> Practice:
    return Practice(sqlite_database)


def connected(practice: Practice, *infos: RemoteCalendarInfo) -> Calendar:
    """Connect an account: the first is the target, the others are watched."""
    new = NewConnection(provider=memory.PROVIDER, credentials={}, label="", target=infos[0], watched=infos[1:])
    with practice.database.begin() as db:
        return connect.add(db, SEAL, practice.kim.id, new, by=KIM, now=practice.now)


def test_calendars_and_their_work_wait_in_the_lane_of_their_account(practice: Practice) -> None:
    target, watched = (RemoteCalendarInfo(remote_id=name, name=name, writable=True) for name in ("work", "private"))
    one, other = connected(practice, target, watched), connected(practice, target)
    with practice.database.read() as db:
        owned = calendars.in_connection(db, one.connection_id)
        lanes = db.execute(sa.select(due.c.lane).where(due.c.id == str(one.id))).scalars().all()
    assert [calendar.lane for calendar in owned] == [f"memory:{one.connection_id}"] * 2
    assert set(lanes) == {one.lane}
    assert one.lane != other.lane, "what one account does keeps no other waiting"


def test_calendars_are_read_for_absences_where_sessions_lie_ahead_as_soon_as_they_are_connected(
    practice: Practice,
) -> None:
    """Nothing else would have it done: a watched calendar has no feed, and perhaps nothing is booked any more."""
    target, watched = (RemoteCalendarInfo(remote_id=name, name=name, writable=True) for name in ("work", "private"))
    early = connected(practice, target, watched)
    practice.book(48)
    late = connected(practice, target, watched)
    with practice.database.read() as db:
        reading = sa.select(due.c.id).where(due.c.kind == Kind.BUSY, due.c.due_at <= practice.now)
        at_once = set(db.execute(reading).scalars())
        of_late = {str(one.id) for one in calendars.in_connection(db, late.connection_id)}
        of_early = {str(one.id) for one in calendars.in_connection(db, early.connection_id)}
    assert of_late <= at_once
    assert of_early <= at_once, "whoever has the others read compares one picture"


def test_where_hosts_are_many_calendars_wait_in_the_lane_of_theirs(practice: Practice) -> None:
    on = "dav.example.org", "other.example.org:8443"
    target, watched = (RemoteCalendarInfo(remote_id=host, name=host, writable=True, host=host) for host in on)
    one, other = connected(practice, target, watched), connected(practice, target)
    with practice.database.read() as db:
        owned = calendars.in_connection(db, one.connection_id)
    assert [calendar.lane for calendar in owned] == [f"memory:{host}" for host in on]
    assert one.lane == other.lane, "a server that is slow is so for all its accounts"


def test_another_target_waits_in_the_lane_of_its_own_host(practice: Practice) -> None:
    here, there = (
        RemoteCalendarInfo(remote_id=host, name=host, writable=True, host=host) for host in ("here", "there")
    )
    old = connected(practice, here)
    with practice.database.begin() as db:
        new = retarget.retarget(db, practice.policy, old.connection_id, there, by=KIM, now=practice.now)
        lanes = db.execute(sa.select(due.c.lane).where(due.c.id == str(new.id))).scalars().all()
    assert set(lanes) == {new.lane} == {"memory:there"}
