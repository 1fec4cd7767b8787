"""One installation is one database and its key: neither is ever made a second time by chance."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.storage.database import Database
from connector.storage.migrations import migrate
from providers.memory.provider import MemoryCalendar, MemoryStore
from tests.cli.keyboard import Cli, run_process


def files(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir() if not path.name.endswith(("-wal", "-shm", ".lock"))}


@pytest.fixture
def key(sqlite_url: str) -> Path:
    return Path(sqlite_url.removeprefix("sqlite:///") + ".key")


@pytest.fixture
def held(practice: Cli, calendar: MemoryCalendar, key: Path) -> Cli:
    """An installation with something sealed, whose key is a file."""
    assert calendar.info.writable
    assert key.exists()
    return practice


def upgraded_by_a_newer_version(url: str) -> None:
    database = Database(url)
    with database.begin() as db:
        db.exec_driver_sql("UPDATE alembic_version SET version_num = '9042'")
    database.dispose()


@pytest.mark.parametrize("command", [("clients", "list"), ("serve",), ("keys", "rotate"), ("resync",)])
def test_a_database_whose_key_file_is_missing_is_refused_in_one_line_and_no_key_is_made(
    held: Cli, key: Path, command: tuple[str, ...]
) -> None:
    key.unlink()
    said = held.refused(*command, code=2)
    assert said.count("\n") == 1
    assert str(key) in said
    assert str(key.with_suffix("")) in said
    assert "back-up" in said
    assert not key.exists()


def test_letters_that_are_out_need_the_former_key_as_well(practice: Cli, key: Path, sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.begin() as db:
        db.exec_driver_sql(
            "INSERT INTO messages (id, idempotency_key, practitioner_id, kind, medium, to_client, notice, message_id, "
            "state, queued_at) SELECT id, 'k', id, 'booked', 'email', 1, '{}', 'm', 'sent', created_at "
            "FROM practitioners"
        )
    database.dispose()
    key.unlink()
    assert str(key) in practice.refused("clients", "list", code=2)


def test_a_database_that_holds_nothing_sealed_gets_a_key(practice: Cli, key: Path) -> None:
    key.unlink()
    practice.ok("clients", "list")
    assert len(key.read_text()) == 64


@pytest.mark.parametrize("content", ["another key that is certainly long enough", "", "short"])
def test_a_key_file_of_another_database_is_refused_in_one_line(held: Cli, key: Path, content: str) -> None:
    key.write_text(content)
    said = held.refused("clients", "list", code=2)
    assert said.count("\n") == 1
    assert str(key) in said
    assert str(key.with_suffix("")) in said
    assert key.read_text() == content


def test_doctor_tells_a_missing_key_as_a_line_of_its_own(held: Cli, key: Path) -> None:
    key.unlink()
    result = held.run("doctor")
    assert result.exit_code == 1
    assert "!!  key: The key of the database" in result.stdout
    assert "ok  broker" in result.stdout


def test_a_key_that_is_lost_for_good_costs_a_reconnection_and_nothing_else(
    held: Cli, calendar: MemoryCalendar, store: MemoryStore, key: Path, tmp_path: Path
) -> None:
    held.book()
    former = key.read_text()
    key.unlink()
    assert "1 connection must be connected again" in held.ok("keys", "lost", "--yes")
    assert key.read_text() != former
    [connection] = held.json("connections", "list")
    assert connection["state"] == "access_lost"
    words = ("--address", store.id, "--password-file", str(tmp_path / "password"))
    held.ok("connections", "reconnect", connection["id"], *words)
    held.ok("resync", "--wait")
    assert len(calendar.shown()) == 1


def test_a_key_that_is_there_is_not_given_up(held: Cli, key: Path) -> None:
    assert "move it away first" in held.refused("keys", "lost", "--yes", code=2)
    key.rename(key.with_suffix(".old"))
    assert held.run("keys", "lost", stdin="n\n").exit_code == 1
    assert not key.exists()


@pytest.mark.parametrize(
    "command", [("clients", "list"), ("migrate",), ("migrate", "--check"), ("serve",), ("keys", "rotate")]
)
def test_a_database_of_a_newer_version_is_refused_in_one_line_that_names_both(
    cli: Cli, sqlite_url: str, command: tuple[str, ...]
) -> None:
    upgraded_by_a_newer_version(sqlite_url)
    said = cli.refused(*command)
    assert said.count("\n") == 1
    assert sqlite_url.removeprefix("sqlite:///") in said
    assert "step 9042" in said
    assert "newer version" in said


def test_doctor_tells_a_newer_version_as_a_line_of_its_own(cli: Cli, sqlite_url: str) -> None:
    upgraded_by_a_newer_version(sqlite_url)
    result = cli.run("doctor")
    assert result.exit_code == 1
    assert "!!  database: The database" in result.stdout
    assert "step 9042" in result.stdout


@pytest.mark.postgresql
def test_a_newer_postgresql_database_is_named_without_its_password(empty_postgresql_url: str) -> None:
    migrate(empty_postgresql_url)
    upgraded_by_a_newer_version(empty_postgresql_url)
    settings = {
        "CONNECTOR_DATABASE_URL": empty_postgresql_url.replace("postgres@", "postgres:hidden@"),
        "CONNECTOR_BROKER_URL": "redis://127.0.0.1:1/0",
        "CONNECTOR_SECRET_KEYS": "k" * 32,
    }
    said = Cli(settings).refused("worker")
    assert empty_postgresql_url.rpartition("/")[2] in said
    assert "hidden" not in said


@pytest.mark.parametrize("command", [("clients", "list"), ("serve",), ("migrate",), ("migrate", "--check")])
def test_a_command_in_another_folder_says_which_file_it_looked_for_and_makes_none(
    tmp_path: Path, command: tuple[str, ...]
) -> None:
    done = run_process(*command, settings={}, cwd=tmp_path)
    assert done.returncode == 1
    assert done.stderr.count("\n") == 1
    assert str(tmp_path / "pencilled.sqlite3") in done.stderr
    assert "CONNECTOR_DATABASE_URL" in done.stderr
    assert files(tmp_path) == set()


def test_a_new_installation_begins_where_one_is_asked_for(tmp_path: Path) -> None:
    done = run_process("migrate", "--new", settings={}, cwd=tmp_path)
    assert (done.returncode, done.stderr) == (0, "")
    assert run_process("clients", "list", settings={}, cwd=tmp_path).returncode == 0
    assert files(tmp_path) == {"pencilled.sqlite3", "pencilled.sqlite3.key", "pencilled.sqlite3.witness"}
