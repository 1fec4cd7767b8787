from __future__ import annotations

from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier
from uuid import UUID, uuid4

import pytest

from connector.domain.connection import Connection, ConnectionState
from connector.errors import AccessLostError
from connector.storage import calendars, people
from connector.storage.database import Database
from connector.storage.seal import Seal
from connector.storage.tokens import StoredTokens
from tests.domain.examples import NOW, practitioner

SEAL = Seal(["a test key of at least thirty-two characters"])


@pytest.fixture
def connection(database: Database) -> UUID:
    kim = practitioner()
    made = Connection(
        id=uuid4(),
        practitioner_id=kim.id,
        provider="google",
        label="Kim",
        credentials=SEAL.seal({"refresh": "r1", "access": "a1"}),
        state=ConnectionState.OK,
        created_at=NOW,
    )
    with database.begin() as db:
        people.add_practitioner(db, kim, now=NOW)
        calendars.add_connection(db, made)
    return made.id


def test_workers_of_two_processes_refresh_once_and_none_loses_the_new_token(
    database: Database, database_url: str, connection: UUID
) -> None:
    other = Database(database_url) if not database.embedded else database
    calls: list[str] = []
    barrier = Barrier(16)

    def refresh(credentials: Mapping[str, str]) -> Mapping[str, str]:
        calls.append(credentials["refresh"])
        return {"refresh": f"r{len(calls) + 1}", "access": f"a{len(calls) + 1}"}

    def work(n: int) -> str:
        tokens = StoredTokens((database, other)[n % 2], SEAL, connection)
        former = tokens.load()
        barrier.wait()
        return tokens.renew(former, refresh)["access"]

    with ThreadPoolExecutor(16) as pool:
        assert set(pool.map(work, range(16))) == {"a2"}
    assert calls == ["r1"]
    assert StoredTokens(database, SEAL, connection).load()["refresh"] == "r2"
    other.dispose()


def test_a_refresh_that_is_refused_changes_nothing(database: Database, connection: UUID) -> None:
    tokens = StoredTokens(database, SEAL, connection)

    def refused(_: Mapping[str, str]) -> Mapping[str, str]:
        raise AccessLostError("the grant was withdrawn")

    with pytest.raises(AccessLostError):
        tokens.renew(tokens.load(), refused)
    assert tokens.load() == {"refresh": "r1", "access": "a1"}
    assert tokens.renew(tokens.load(), lambda former: {**former, "access": "a2"})["access"] == "a2"
