from __future__ import annotations

from datetime import UTC, datetime, timedelta, timezone
from uuid import UUID

import pytest
import sqlalchemy as sa
from sqlalchemy.exc import StatementError

from connector.storage.columns import UtcDateTime, Uuid
from connector.storage.database import Database

_ID = UUID("0123456789abcdef0123456789abcdef")


def test_an_instant_comes_back_in_utc_to_the_microsecond(database: Database) -> None:
    given = datetime(2026, 12, 1, 10, 0, 0, 7, tzinfo=timezone(timedelta(hours=1)))
    with database.read() as db:
        read, nothing = db.execute(sa.select(sa.literal(given, UtcDateTime()), sa.null().cast(UtcDateTime()))).one()
    assert (read, read.tzinfo) == (given, UTC)
    assert nothing is None


@pytest.mark.parametrize("text", ["2026-12-01 09:00:00", "2026-12-01 09:00:00.000000", "2026-12-01 09:00:00+00:00"])
def test_an_instant_is_read_however_sqlite_was_given_it(sqlite_database: Database, text: str) -> None:
    with sqlite_database.read() as db:
        query = sa.text("SELECT :text AS at").bindparams(text=text).columns(at=UtcDateTime())
        assert db.execute(query).scalar_one() == datetime(2026, 12, 1, 9, tzinfo=UTC)


def test_an_instant_without_a_zone_is_refused(database: Database) -> None:
    with database.read() as db, pytest.raises(StatementError, match="naive"):
        db.execute(sa.select(sa.literal(datetime(2026, 12, 1), UtcDateTime())))


def test_an_id_comes_back(database: Database) -> None:
    with database.read() as db:
        assert db.execute(sa.select(sa.literal(_ID, Uuid()), sa.null().cast(Uuid()))).one() == (_ID, None)
