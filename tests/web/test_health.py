from __future__ import annotations

import shutil
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from connector import app
from connector.domain.people import CLOCK
from connector.errors import TransientError
from connector.services import standstill
from connector.settings import Settings
from connector.storage import ledger, migrations
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from connector.web import pages
from tests.conftest import Clock, missing, postgresql
from tests.web.stage import Browser, Stage, make_runtime


def test_alive_and_ready(stage: Stage) -> None:
    browser = stage.browser()
    assert browser.get("/healthz").json == {"alive": True}
    assert browser.get("/readyz").json == {"ready": True, "reasons": [], "warnings": []}


def test_work_that_nobody_does_makes_it_unready(stage: Stage) -> None:
    with stage.runtime.database.begin() as db:
        ledger.touch(db, Key(Kind.CONVERSATION, "x"), due_at=stage.now)
    stage.clock.advance(timedelta(minutes=12))
    answer = stage.browser().get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {
        "ready": False,
        "reasons": ["due work has been waiting for 12 minutes; is a worker running?"],
        "warnings": [],
    }


def test_a_restored_database_that_nobody_has_put_right_makes_it_unready(stage: Stage) -> None:
    with stage.runtime.database.begin() as db:
        standstill.begin(db, stage.runtime.policy, by=CLOCK, now=stage.now)
    answer = stage.browser().get("/readyz")
    assert (answer.status_code, answer.json) == (
        503,
        {
            "ready": False,
            "reasons": ["the database was restored from a back-up: decide with `pencilled restored`"],
            "warnings": [],
        },
    )


def test_a_database_that_was_not_migrated_makes_it_unready(stage: Stage) -> None:
    with stage.runtime.database.begin() as db:
        db.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
    answer = stage.browser().get("/readyz")
    assert (answer.status_code, answer.json) == (
        503,
        {"ready": False, "reasons": ["the database needs `pencilled migrate`"], "warnings": []},
    )


def test_a_database_that_is_away_makes_it_unready_but_not_dead(clock: Clock, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/none.sqlite3"
    away = Database(url)
    application = pages.create(make_runtime(away, url, clock))
    try:
        answer = Browser(application.test_client()).get("/readyz")
        assert answer.status_code == 503
        assert Browser(application.test_client()).get("/healthz").status_code == 200
    finally:
        away.dispose()


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """Mount a disk of one megabyte there."""
    folder.mkdir()
    command = ["mount", "-t", "tmpfs", "-o", "size=1m", "tmpfs", str(folder)]
    if not shutil.which("mount") or subprocess.run(command, capture_output=True, check=False).returncode:
        missing("nobody may mount a small disk here")
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(folder)], check=True)


def fill(folder: Path) -> None:
    with (folder / "ballast").open("wb", buffering=0) as file, suppress(OSError):
        while True:
            file.write(bytes(4096))


def read_only(folder: Path) -> None:
    subprocess.run(["mount", "-o", "remount,ro", str(folder)], check=True)


@pytest.mark.parametrize("spoil", [fill, read_only])
def test_a_database_that_cannot_be_written_makes_it_unready(
    sqlite_template: Path, clock: Clock, tmp_path: Path, spoil: Callable[[Path], None]
) -> None:
    disk = tmp_path / "disk"
    with small_disk(disk):
        shutil.copyfile(sqlite_template, disk / "db.sqlite3")
        url = f"sqlite:///{disk}/db.sqlite3"
        database = Database(url)
        browser = Browser(pages.create(make_runtime(database, url, clock)).test_client())
        try:
            assert browser.get("/readyz").status_code == 200
            if spoil is read_only:
                database.dispose()  # else the disk is busy
            spoil(disk)
            answer = browser.get("/readyz")
            assert answer.status_code == 503
            unreadable = spoil is read_only and "cannot be reached" in str(answer.json)  # without its two other files
            assert "nothing can be written to the database" in str(answer.json) or unreadable
            assert browser.get("/healthz").status_code == 200
            if spoil is fill:
                (disk / "ballast").unlink()
                assert browser.get("/readyz").status_code == 200
        finally:
            database.dispose()


@pytest.mark.postgresql
def test_a_postgresql_server_that_is_a_replica_makes_it_unready(clock: Clock) -> None:
    with postgresql() as server:
        migrations.migrate(server.url)
        database = Database(server.url)
        browser = Browser(pages.create(make_runtime(database, server.url, clock)).test_client())
        assert browser.get("/readyz").status_code == 200
        database.dispose()
        server.become_replica()
        try:
            answer = browser.get("/readyz")
            assert answer.status_code == 503
            assert "nothing can be written to the database" in str(answer.json)
        finally:
            database.dispose()


def test_asking_again_and_again_grows_nothing(stage: Stage, tmp_path: Path) -> None:
    browser = stage.browser()
    for _ in range(3):
        browser.get("/readyz")
    before = (tmp_path / "pencilled.sqlite3").stat().st_size
    for _ in range(1500):
        stage.runtime.database.try_writing()
    browser.get("/readyz")
    assert (tmp_path / "pencilled.sqlite3").stat().st_size == before
    assert (tmp_path / "pencilled.sqlite3-wal").stat().st_size < 6_000_000, "it begins anew after a thousand pages"


def test_who_writes_for_long_makes_nobody_unready(stage: Stage) -> None:
    with stage.runtime.database.begin():
        assert stage.browser().get("/readyz").status_code == 200


def test_a_broker_that_is_lost_is_a_warning_and_turns_nobody_away(stage: Stage) -> None:
    def lost() -> None:
        raise TransientError("Redis does not answer (ConnectionError); see CONNECTOR_BROKER_URL")

    stage.runtime.check_broker = lost
    answer = stage.browser().get("/readyz")
    assert answer.status_code == 200
    assert answer.json is not None
    assert answer.json["warnings"] == [
        "Redis does not answer (ConnectionError); see CONNECTOR_BROKER_URL. What is due waits until it is back"
    ]


def test_a_broker_of_several_processes_is_asked(postgresql_url: str) -> None:
    settings = Settings(
        database_url=postgresql_url,
        broker_url="redis://127.0.0.1:1/0",
        secret_keys=("k" * 32,),
        providers=("memory",),
    )
    runtime = app.build(settings)
    try:
        assert runtime.check_broker is not None
        with pytest.raises(TransientError, match="Redis does not answer"):
            runtime.check_broker()
    finally:
        runtime.database.dispose()
