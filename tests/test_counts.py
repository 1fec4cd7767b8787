"""How often somebody has asked lately, whoever counts it."""

from __future__ import annotations

import subprocess
import sys
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import redis
import structlog

from connector.counts import Counts, FileCounts, OwnCounts, RedisCounts
from tests.conftest import free_port

NOW = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
MINUTE = timedelta(minutes=1)
SECRET = b"of one installation"


@pytest.fixture(params=["own", "file", pytest.param("redis", marks=pytest.mark.redis)])
def counts(request: pytest.FixtureRequest, tmp_path: Path) -> Counts:
    match request.param:
        case "own":
            return OwnCounts()
        case "file":
            return FileCounts(tmp_path / "counts", secret=SECRET)
        case _:
            return RedisCounts(request.getfixturevalue("redis_url"))


def test_what_is_counted_adds_up_within_its_window(counts: Counts) -> None:
    first = counts.add("Ada", now=NOW, lasts=MINUTE)
    assert first.times == 1
    assert first.ends_at == pytest.approx((NOW + MINUTE).timestamp(), abs=1)
    assert counts.add("Ada", now=NOW, lasts=MINUTE, by=2).times == 3
    assert counts.add("Bob", now=NOW, lasts=MINUTE).times == 1
    assert counts.add("Ada", now=NOW, lasts=MINUTE, by=0).times == 3


@pytest.mark.parametrize("kind", ["own", "file"])
def test_a_window_that_has_ended_begins_anew(kind: str, tmp_path: Path) -> None:
    counts = OwnCounts() if kind == "own" else FileCounts(tmp_path / "counts", secret=SECRET)
    counts.add("Ada", now=NOW, lasts=MINUTE, by=5)
    assert counts.add("Ada", now=NOW + MINUTE - timedelta(seconds=1), lasts=MINUTE).times == 6
    assert counts.add("Ada", now=NOW + MINUTE, lasts=MINUTE).times == 1
    for number in range(2500):
        counts.add(f"{number}", now=NOW + MINUTE, lasts=MINUTE)
    assert counts.add("Ada", now=NOW + MINUTE, lasts=MINUTE).times == 2


@pytest.mark.redis
def test_a_window_of_redis_ends_whatever_became_of_its_end(redis_url: str) -> None:
    counts = RedisCounts(redis_url)
    with redis.Redis.from_url(redis_url) as api:
        api.set("pencilled:counts:Ada", 7)
        count = counts.add("Ada", now=NOW, lasts=MINUTE)
        assert count.times == 8
        assert count.ends_at == pytest.approx((NOW + MINUTE).timestamp(), abs=1)
        assert 0 < api.pttl("pencilled:counts:Ada") <= 60_000


@pytest.mark.redis
def test_looking_at_a_count_of_redis_counts_nothing(redis_url: str) -> None:
    counts = RedisCounts(redis_url)
    with structlog.testing.capture_logs() as lines:
        assert counts.add("Ada", now=NOW, lasts=timedelta(), by=0).times == 0
        counts.add("Ada", now=NOW, lasts=MINUTE, by=3)
        assert counts.add("Ada", now=NOW, lasts=timedelta(), by=0).times == 3
    assert lines == []


def test_processes_that_share_a_file_count_together_and_it_names_nobody(tmp_path: Path) -> None:
    path = tmp_path / "counts"
    program = (
        "import sys; from pathlib import Path; from datetime import datetime, timedelta;"
        "from connector.counts import FileCounts; counts = FileCounts(Path(sys.argv[1]), secret=sys.argv[2].encode());"
        "[counts.add('192.0.2.7', now=datetime.fromisoformat(sys.argv[3]), lasts=timedelta(minutes=1))"
        " for _ in range(200)]"
    )
    command: list[str | Path] = [sys.executable, "-c", program, path, SECRET.decode(), NOW.isoformat()]
    others = [subprocess.Popen(command) for _ in range(2)]
    assert [other.wait(60) for other in others] == [0, 0]
    counts = FileCounts(path, secret=SECRET)
    assert counts.add("192.0.2.7", now=NOW, lasts=MINUTE).times == 401
    stored = b"".join(file.read_bytes() for file in tmp_path.glob("counts*"))
    assert b"192.0.2.7" not in stored
    assert path.stat().st_mode & 0o077 == 0


def test_a_process_that_was_forked_counts_on(tmp_path: Path) -> None:
    program = (
        "import os, sys; from pathlib import Path; from datetime import datetime, timedelta;"
        "from connector.counts import FileCounts; counts = FileCounts(Path(sys.argv[1]), secret=b'of one');"
        "add = lambda: counts.add('Ada', now=datetime.fromisoformat(sys.argv[2]), lasts=timedelta(minutes=1)).times;"
        "tell = lambda: os.write(1, b'%d\\n' % add());"  # whole lines, whoever else writes
        "add(); pid = os.fork(); tell();"
        "pid and (os.waitpid(pid, 0), tell())"
    )
    command: list[str | Path] = [sys.executable, "-c", program, tmp_path / "counts", NOW.isoformat()]
    said = subprocess.run(command, capture_output=True, text=True, timeout=60, check=True)
    assert sorted(said.stdout.split()) == ["2", "3", "4"]
    assert said.stderr == ""


def test_who_cannot_share_counts_for_themselves_and_says_so_once(tmp_path: Path) -> None:
    away = RedisCounts(f"redis://127.0.0.1:{free_port()}/0")
    nowhere = FileCounts(tmp_path / "missing" / "counts", secret=SECRET)
    for counts in (away, nowhere):
        with structlog.testing.capture_logs() as lines:
            assert [counts.add("Ada", now=NOW, lasts=MINUTE).times for _ in range(3)] == [1, 2, 3]
        assert [line["event"] for line in lines] == ["limits_not_shared"]
    (tmp_path / "missing").mkdir()
    assert nowhere.add("Ada", now=NOW, lasts=MINUTE).times == 1


def test_a_broken_file_is_replaced(tmp_path: Path) -> None:
    path = tmp_path / "counts"
    path.write_bytes(b"what a power cut has left" * 500)
    counts = FileCounts(path, secret=SECRET)
    assert counts.add("Ada", now=NOW, lasts=MINUTE).times == 1
    assert counts.add("Ada", now=NOW, lasts=MINUTE, by=5).times == 5
    assert FileCounts(path, secret=SECRET).add("Ada", now=NOW, lasts=MINUTE).times == 6


def test_of_a_broken_file_only_the_broken_one_is_removed(tmp_path: Path) -> None:
    path = tmp_path / "counts"
    one, other = FileCounts(path, secret=SECRET), FileCounts(path, secret=SECRET)
    for counts in (one, other):
        counts.add("Ada", now=NOW, lasts=MINUTE)
    for ending in ("", "-wal"):
        path.with_name(f"counts{ending}").write_bytes(b"what a power cut has left" * 500)
    for counts in (one, other):
        counts.add("Ada", now=NOW, lasts=MINUTE)  # each notices for itself
    assert one.add("Kim", now=NOW, lasts=MINUTE).times == 1
    assert other.add("Kim", now=NOW, lasts=MINUTE).times == 2
    assert one.add("Kim", now=NOW, lasts=MINUTE).times == 3
