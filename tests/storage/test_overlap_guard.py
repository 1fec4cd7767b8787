from __future__ import annotations

import random
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from threading import Barrier
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from connector.storage.database import Database, is_busy, is_time_taken
from connector.storage.tables import clients, occupancy, practitioners, sessions

START = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)


def _is_needed_text(column: sa.Column[object]) -> bool:
    return isinstance(column.type, sa.String | sa.Text) and not column.nullable


def practitioner(db: sa.Connection) -> UUID:
    values = {column.name: "x" for column in practitioners.c if _is_needed_text(column)}
    values |= dict.fromkeys(("buffer_seconds", "session_level", "hold_level"), 0)  # type: ignore[arg-type]
    identity = uuid4()
    row = values | {"id": identity, "email": f"{identity}@example.org", "created_at": START}
    db.execute(sa.insert(practitioners).values(row))
    return identity


def session(db: sa.Connection, practitioner_id: UUID) -> UUID:
    client, identity = uuid4(), uuid4()
    texts = {column.name: "x" for column in clients.c if _is_needed_text(column)}
    db.execute(sa.insert(clients).values(texts | {"id": client, "created_at": START}))
    values = {column.name: "x" for column in sessions.c if _is_needed_text(column)}
    times = dict.fromkeys(("starts_at", "ends_at", "stamp", "created_at"), START)
    row = values | times | {"id": identity, "uid": str(identity), "practitioner_id": practitioner_id}
    row |= {"client_id": client, "local_start": START.replace(tzinfo=None), "revision": 0}
    db.execute(sa.insert(sessions).values(row))
    return identity


def occupy(db: sa.Connection, who: UUID, what: UUID, minutes: tuple[int, int], *, state: str = "booked") -> str:
    key = str(uuid4())
    starts_at, ends_at = (START + timedelta(minutes=m) for m in minutes)
    row = {"key": key, "practitioner_id": who, "session_id": what, "state": state}
    db.execute(sa.insert(occupancy).values(row | {"starts_at": starts_at, "ends_at": ends_at}))
    return key


@pytest.fixture
def two(database: Database) -> tuple[UUID, UUID, UUID]:
    """A practitioner and two of their sessions."""
    with database.begin() as db:
        who = practitioner(db)
        return who, session(db, who), session(db, who)


@pytest.mark.parametrize("minutes", [(0, 60), (10, 20), (-10, 10), (50, 70), (-10, 70)])
@pytest.mark.parametrize("state", ["held", "booked"])
def test_a_time_another_session_occupies_is_refused(
    database: Database, two: tuple[UUID, UUID, UUID], minutes: tuple[int, int], state: str
) -> None:
    who, first, second = two
    with database.begin() as db:
        occupy(db, who, first, (0, 60), state=state)
    with pytest.raises(sa.exc.IntegrityError) as caught, database.begin() as db:
        occupy(db, who, second, minutes)
    assert is_time_taken(caught.value)


def test_what_only_touches_another_time_is_accepted(database: Database, two: tuple[UUID, UUID, UUID]) -> None:
    who, first, second = two
    with database.begin() as db:
        occupy(db, who, first, (0, 60))
        occupy(db, who, second, (60, 90))
        occupy(db, who, second, (-30, 0))


def test_a_session_may_overlap_its_own_alternatives(database: Database, two: tuple[UUID, UUID, UUID]) -> None:
    who, first, _second = two
    with database.begin() as db:
        occupy(db, who, first, (0, 60))
        occupy(db, who, first, (30, 90), state="held")


def test_two_practitioners_may_work_at_the_same_time(database: Database, two: tuple[UUID, UUID, UUID]) -> None:
    who, first, _second = two
    with database.begin() as db:
        colleague = practitioner(db)
        occupy(db, who, first, (0, 60))
        occupy(db, colleague, session(db, colleague), (0, 60))


def test_a_row_cannot_be_moved_onto_another_time(database: Database, two: tuple[UUID, UUID, UUID]) -> None:
    who, first, second = two
    with database.begin() as db:
        occupy(db, who, first, (0, 60))
        key = occupy(db, who, second, (60, 90))
    move = sa.update(occupancy).where(occupancy.c.key == key)
    with pytest.raises(sa.exc.IntegrityError) as caught, database.begin() as db:
        db.execute(move.values(starts_at=START + timedelta(minutes=59)))
    assert is_time_taken(caught.value)
    with database.begin() as db:
        db.execute(move.values(starts_at=START + timedelta(minutes=70)))


def test_other_faults_are_not_taken_for_an_overlap(database: Database, two: tuple[UUID, UUID, UUID]) -> None:
    who, _first, _second = two
    with pytest.raises(sa.exc.IntegrityError) as caught, database.begin() as db:
        occupy(db, who, uuid4(), (0, 60))
    assert not is_time_taken(caught.value)


def race(database: Database, *, locking: bool) -> dict[str, list[tuple[int, int]]]:
    """Let fifty bookings of one practitioner race; return their minutes by how they ended."""
    chance = random.Random(7)
    with database.begin() as db:
        who = practitioner(db)
        starts = [chance.randrange(0, 400, 10) for _ in range(50)]
        bookings = [(session(db, who), (start, start + chance.choice((20, 40, 60)))) for start in starts]
    barrier = Barrier(len(bookings))
    lock = sa.select(practitioners.c.id).where(practitioners.c.id == who).with_for_update()

    def book(what: UUID, minutes: tuple[int, int]) -> str:
        barrier.wait(30)
        try:
            with database.begin() as db:
                if locking:
                    db.execute(lock)
                occupy(db, who, what, minutes)
        except sa.exc.IntegrityError as error:
            return "refused" if is_time_taken(error) else repr(error)
        except sa.exc.OperationalError as error:
            return "gave way" if is_busy(error) else repr(error)
        return "kept"

    with ThreadPoolExecutor(len(bookings)) as pool:
        ends = list(pool.map(lambda booking: book(*booking), bookings))
    by_end: dict[str, list[tuple[int, int]]] = {"kept": [], "refused": []}
    for (_, minutes), end in zip(bookings, ends, strict=True):
        by_end.setdefault(end, []).append(minutes)
    with database.read() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(occupancy)).scalar_one() == len(by_end["kept"])
    return by_end


def none_overlap(kept: list[tuple[int, int]]) -> bool:
    return all(before[1] <= after[0] for before, after in pairwise(sorted(kept)))


def each_overlaps_one(refused: list[tuple[int, int]], kept: list[tuple[int, int]]) -> bool:
    return all(any(a < end and start < b for a, b in kept) for start, end in refused)


def test_of_fifty_bookings_that_lock_their_practitioner_exactly_a_set_without_overlap_survives(
    database: Database,
) -> None:
    """Every use case locks the practitioner's row first."""
    by_end = race(database, locking=True)
    assert set(by_end) == {"kept", "refused"}
    assert none_overlap(by_end["kept"])
    assert each_overlaps_one(by_end["refused"], by_end["kept"])


def test_of_fifty_bookings_that_lock_nobody_no_overlap_survives_either(database: Database) -> None:
    """The guard stands alone. On PostgreSQL racing inserts may wait for each other until one gives way."""
    by_end = race(database, locking=False)
    assert set(by_end) <= ({"kept", "refused"} if database.embedded else {"kept", "refused", "gave way"})
    assert by_end["kept"]
    assert none_overlap(by_end["kept"])
    assert each_overlaps_one(by_end["refused"], by_end["kept"])
