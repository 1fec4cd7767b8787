from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import sqlalchemy as sa

from connector.domain.people import CLOCK
from connector.services import standstill
from connector.storage import ledger
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from connector.web import pages
from tests.conftest import Clock
from tests.web.stage import Browser, Stage, make_runtime


def test_alive_and_ready(stage: Stage) -> None:
    browser = stage.browser()
    assert browser.get("/healthz").json == {"alive": True}
    assert browser.get("/readyz").json == {"ready": True, "reasons": []}


def test_work_that_nobody_does_makes_it_unready(stage: Stage) -> None:
    with stage.runtime.database.begin() as db:
        ledger.touch(db, Key(Kind.CONVERSATION, "x"), due_at=stage.now)
    stage.clock.advance(timedelta(minutes=12))
    answer = stage.browser().get("/readyz")
    assert answer.status_code == 503
    assert answer.json == {
        "ready": False,
        "reasons": ["due work has been waiting for 12 minutes; is a worker running?"],
    }


def test_a_restored_database_that_nobody_has_put_right_makes_it_unready(stage: Stage) -> None:
    with stage.runtime.database.begin() as db:
        standstill.begin(db, stage.runtime.policy, by=CLOCK, now=stage.now)
    answer = stage.browser().get("/readyz")
    assert (answer.status_code, answer.json) == (
        503,
        {"ready": False, "reasons": ["the database was restored from a back-up: decide with `pencilled restored`"]},
    )


def test_a_database_that_was_not_migrated_makes_it_unready(stage: Stage) -> None:
    with stage.runtime.database.begin() as db:
        db.execute(sa.text("UPDATE alembic_version SET version_num = '0000'"))
    answer = stage.browser().get("/readyz")
    assert (answer.status_code, answer.json) == (
        503,
        {"ready": False, "reasons": ["the database needs `pencilled migrate`"]},
    )


def test_a_database_that_is_away_makes_it_unready_but_not_dead(clock: Clock, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/none.sqlite3"
    away = Database(url)
    app = pages.create(make_runtime(away, url, clock))
    try:
        answer = Browser(app.test_client()).get("/readyz")
        assert answer.status_code == 503
        assert Browser(app.test_client()).get("/healthz").status_code == 200
    finally:
        away.dispose()
