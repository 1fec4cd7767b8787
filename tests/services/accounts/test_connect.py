"""What connecting an account leaves in the database."""

from __future__ import annotations

import pytest
import sqlalchemy as sa

from connector.ports import RemoteCalendarInfo
from connector.services.accounts import connect
from connector.services.accounts.connect import NewConnection
from connector.storage import calendars
from connector.storage.database import Database
from connector.storage.due import due
from providers.memory import provider as memory
from tests.domain.examples import KIM
from tests.services.practice import SEAL, Practice


class Elsewhere(memory.Memory):
    """The memory service in a lane that is not named like it."""

    lane = "memory:elsewhere"


@pytest.fixture
def practice(sqlite_database: Database) -> Practice:
    return Practice(sqlite_database)


def test_calendars_and_their_work_wait_in_the_lane_of_their_provider(practice: Practice) -> None:
    target, watched = (RemoteCalendarInfo(remote_id=name, name=name, writable=True) for name in ("work", "private"))
    new = NewConnection(provider=Elsewhere(), credentials={}, label="", target=target, watched=[watched])
    with practice.database.begin() as db:
        calendar = connect.add(db, SEAL, practice.kim.id, new, by=KIM, now=practice.now)
    with practice.database.read() as db:
        owned = calendars.in_connection(db, calendar.connection_id)
        lanes = db.execute(sa.select(due.c.lane).where(due.c.id == str(calendar.id))).scalars().all()
        assert calendars.connection(db, calendar.connection_id).provider == "memory"
    assert [one.lane for one in owned] == ["memory:elsewhere"] * 2
    assert set(lanes) == {"memory:elsewhere"}
