"""Locks between processes, with real ones."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path

import pytest

from connector.errors import SettingsError
from connector.storage import locks
from connector.storage.database import Database
from connector.storage.locks import EngineLock, lock_embedded

HOUR = timedelta(hours=1)
_LOCKS = "from connector.storage.locks import lock_embedded, FileBaton; import sys; url = sys.argv[1]\n"
_WAITS = "print('has it', flush=True); sys.stdin.read()"


@contextmanager
def other_process(url: str, has: str) -> Iterator[subprocess.Popen[str]]:
    """A process that has a lock, until it is killed or the block ends."""
    command = [sys.executable, "-c", f"{_LOCKS}{has}\n{_WAITS}", url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        assert process.stdout.readline() == "has it\n"
        yield process
        process.kill()


def test_a_second_process_is_kept_off_a_locked_database(sqlite_url: str) -> None:
    attempt = [sys.executable, "-c", f"{_LOCKS}lock_embedded(url)", sqlite_url]
    with closing(lock_embedded(sqlite_url)):
        refused = subprocess.run(attempt, capture_output=True, text=True, check=False)
        assert "another process is using" in refused.stderr
    subprocess.run(attempt, check=True)


def test_a_lock_that_cannot_be_written_says_so(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match="cannot write beside"):
        lock_embedded(f"sqlite:///{tmp_path}/missing/x.sqlite3")


def test_who_carries_out_due_work_is_known_until_they_are_killed(sqlite_url: str) -> None:
    engine = EngineLock(sqlite_url)
    assert locks.holder(sqlite_url) is None
    with other_process(sqlite_url, "lock = lock_embedded(url)") as process:
        holder = locks.holder(sqlite_url)
        assert holder is not None
        assert holder.process == process.pid
        assert not engine.held()
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        assert locks.holder(sqlite_url) is None
        assert engine.held()
        assert engine.held()
    holder = locks.holder(sqlite_url)
    assert holder is not None
    assert holder.process == os.getpid()
    engine.close()
    assert locks.holder(sqlite_url) is None


def test_a_process_that_was_forked_keeps_nobody_from_a_lock(sqlite_url: str) -> None:
    forked = "lock = lock_embedded(url); import os; pid = os.fork(); pid or __import__('time').sleep(600); print(pid)"
    command = [sys.executable, "-c", f"{_LOCKS}{forked}\n{_WAITS}", sqlite_url]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout
        child = int(process.stdout.readline())
        try:
            assert locks.holder(sqlite_url) is not None
            process.kill()
            process.wait(60)
            lock_embedded(sqlite_url).close()
        finally:
            os.kill(child, signal.SIGKILL)


def test_the_baton_of_a_file_is_held_by_one_process_and_passes_on_when_that_is_killed(sqlite_url: str) -> None:
    database = Database(sqlite_url)
    ours, another = database.baton(7, silence=HOUR), database.baton(8, silence=HOUR)
    with other_process(sqlite_url, "baton = FileBaton(url, 7); assert baton.held()") as process:
        assert not ours.held()
        assert another.held()
        process.send_signal(signal.SIGKILL)
        process.wait(60)
        assert ours.held()
    database.dispose()


def test_the_baton_of_a_file_is_held_once_in_a_process(sqlite_url: str) -> None:
    first, second = Database(sqlite_url), Database(sqlite_url)
    ours, theirs = first.baton(7, silence=HOUR), second.baton(7, silence=HOUR)
    assert ours.held()
    assert not theirs.held()
    theirs.close()
    assert not theirs.held()
    ours.close()
    assert theirs.held()
    assert not ours.held()
    theirs.close()


def test_batons_need_no_file_each(sqlite_database: Database, tmp_path: Path) -> None:
    batons = [sqlite_database.baton(number, silence=HOUR) for number in range(2**62 - 50, 2**62 + 50)]
    assert all(baton.held() for baton in batons)
    assert len(list(tmp_path.glob("*.batons"))) == 1
    for baton in batons:
        baton.close()
