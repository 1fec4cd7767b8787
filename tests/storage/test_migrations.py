from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext

from connector.storage import due, migrations, tables
from connector.storage.columns import metadata
from connector.storage.database import Database


@pytest.mark.filterwarnings("ignore:.* expression-based index")  # on SQLite: PostgreSQL's are compared
def test_the_migrated_schema_is_the_one_the_code_describes(database: Database) -> None:
    assert due.due.metadata is metadata
    assert tables.sessions.metadata is metadata
    with database.begin() as db:
        context = MigrationContext.configure(db, opts={"compare_type": True, "compare_server_default": True})
        assert compare_metadata(context, metadata) == []


def test_partial_indexes_are_partial_where_the_code_says_so(database: Database) -> None:
    partial = {
        index.name
        for table in metadata.tables.values()
        for index in table.indexes
        if index.dialect_options["sqlite"]["where"] is not None
    }
    query = (
        "SELECT name FROM sqlite_master WHERE type = 'index' AND sql LIKE '% WHERE %'"
        if database.embedded
        else "SELECT indexname FROM pg_indexes WHERE indexdef LIKE '% WHERE %' AND indexname <> 'no_overlap'"
    )
    with database.read() as db:
        assert set(db.execute(sa.text(query)).scalars()) == partial


def test_sqlite_has_both_triggers_of_the_overlap_guard(sqlite_database: Database) -> None:
    with sqlite_database.read() as db:
        names = set(db.execute(sa.text("SELECT name FROM sqlite_master WHERE type = 'trigger'")).scalars())
    assert names == {"no_overlap_on_INSERT", "no_overlap_on_UPDATE"}


@pytest.mark.postgresql
def test_postgresql_has_the_exclusion_constraint(postgresql_database: Database) -> None:
    with postgresql_database.read() as db:
        kind = db.execute(sa.text("SELECT contype::text FROM pg_constraint WHERE conname = 'no_overlap'")).scalar()
    assert kind == "x"


def test_looking_whether_anything_is_pending_creates_no_file(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path}/new.sqlite3"
    assert migrations.current(url) is None
    assert migrations.pending(url)
    assert list(tmp_path.iterdir()) == []


def test_a_migrated_database_has_nothing_pending(database_url: str) -> None:
    assert not migrations.pending(database_url)
    migrations.migrate(database_url)
    assert not migrations.pending(database_url)


def _migrate_at_once(url: str) -> None:
    with ProcessPoolExecutor(3, mp_context=get_context("spawn")) as pool:
        list(pool.map(migrations.migrate, [url] * 3))
    assert not migrations.pending(url)


def test_several_processes_may_migrate_sqlite_at_once(tmp_path: Path) -> None:
    _migrate_at_once(f"sqlite:///{tmp_path}/new.sqlite3")


@pytest.mark.postgresql
def test_several_processes_may_migrate_postgresql_at_once(empty_postgresql_url: str) -> None:
    _migrate_at_once(empty_postgresql_url)


def test_a_migration_that_leaves_rows_pointing_nowhere_is_undone(sqlite_url: str) -> None:
    engine = sa.create_engine(sqlite_url)
    with engine.begin() as db:
        db.exec_driver_sql("INSERT INTO signins (id, practitioner_id, expires_at) VALUES ('s', 'nobody', '2026-01-01')")
        db.exec_driver_sql("DELETE FROM alembic_version")
        for (name,) in db.exec_driver_sql("SELECT name FROM sqlite_master WHERE type = 'table'").all():
            if name not in {"signins", "alembic_version"}:
                db.exec_driver_sql(f'DROP TABLE "{name}"')
        db.exec_driver_sql("DROP INDEX ix_signins_support_id")
        db.exec_driver_sql("ALTER TABLE signins RENAME TO kept")
    engine.dispose()
    with pytest.raises(RuntimeError, match="1 rows pointing nowhere"):
        migrations.migrate(sqlite_url)
    assert migrations.current(sqlite_url) is None
