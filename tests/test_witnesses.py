"""What remembers outside the database: kept between processes, and never in anybody's way."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Barrier
from uuid import uuid4

import pytest
from structlog.testing import capture_logs

from connector.ports import Seen, Witness
from connector.witnesses import FileWitness, RedisWitness
from tests.conftest import free_port


@pytest.fixture(params=["file", pytest.param("redis", marks=pytest.mark.redis)])
def witnesses(request: pytest.FixtureRequest, tmp_path: Path) -> tuple[Witness, Witness]:
    """Two processes' views of one witness."""
    if request.param == "file":
        return FileWitness(tmp_path / "witness"), FileWitness(tmp_path / "witness")
    url = request.getfixturevalue("redis_url")
    return RedisWitness(url), RedisWitness(url)


def test_what_one_process_tells_the_witness_another_learns(witnesses: tuple[Witness, Witness]) -> None:
    one, other = witnesses
    identity, seen = uuid4(), Seen(epoch=2, fact=41)
    assert other.recall(identity) is None
    one.remember(identity, seen)
    assert other.recall(identity) == seen
    assert other.recall(uuid4()) is None


def test_processes_of_the_same_number_in_several_containers_tell_one_file_at_the_same_time(tmp_path: Path) -> None:
    identity, together = uuid4(), Barrier(8)

    def tell(fact: int) -> bool:
        witness = FileWitness(tmp_path / "witness")
        together.wait()
        for _ in range(50):
            witness.remember(identity, Seen(epoch=0, fact=fact))
            if witness.recall(identity) is None:
                return False
        return True

    with capture_logs() as logs, ThreadPoolExecutor(8) as pool:
        assert all(pool.map(tell, range(1, 9)))
    assert logs == []
    assert [path.name for path in tmp_path.iterdir()] == ["witness"]


def test_who_was_erased_is_remembered_for_each_installation(witnesses: tuple[Witness, Witness]) -> None:
    one, other = witnesses
    identity, first, second = uuid4(), uuid4(), uuid4()
    assert other.erased(identity) == frozenset()
    for client_id in (first, second, first):
        one.note_erased(identity, client_id)
    assert other.erased(identity) == {first, second}
    assert other.erased(uuid4()) == frozenset()


def test_a_witness_that_cannot_be_reached_knows_nothing_and_fails_nobody(tmp_path: Path) -> None:
    away: tuple[Witness, ...] = (
        FileWitness(tmp_path / "missing" / "witness"),
        RedisWitness(f"redis://127.0.0.1:{free_port()}/0"),
    )
    for witness in away:
        witness.remember(uuid4(), Seen(epoch=0, fact=1))
        assert witness.recall(uuid4()) is None
        witness.note_erased(uuid4(), uuid4())
        assert witness.erased(uuid4()) == frozenset()


def test_a_restored_database_of_the_same_epoch_has_seen_less() -> None:
    assert Seen(epoch=0, fact=40) < Seen(epoch=0, fact=41) < Seen(epoch=1, fact=3)
