"""What holds for every command: it is quick to look at, explains itself, and blames nobody with a traceback."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import click
import pytest
from click.testing import CliRunner

from connector.cli import COMMANDS, _shared, main
from connector.storage import migrations, schema
from connector.storage.database import Database
from tests.cli.keyboard import Cli, run_process

HEAVY = ("googleapiclient", "caldav", "niquests", "sqlalchemy", "flask", "dramatiq", "granian", "rich", "alembic")
OURS = sorted(set(COMMANDS) - {"demo"})


def every_command() -> list[tuple[str, ...]]:
    found: list[tuple[str, ...]] = []
    context = click.Context(main)
    for name in OURS:
        command = main.get_command(context, name)
        assert command is not None
        found += _within(command, (name,))
    return found


def _within(command: click.Command, words: tuple[str, ...]) -> list[tuple[str, ...]]:
    """A command and, if it is a group, all that are in it."""
    subcommands = command.commands if isinstance(command, click.Group) else {}
    return [words, *(one for name in sorted(subcommands) for one in _within(subcommands[name], (*words, name)))]


def _is_group(words: tuple[str, ...]) -> bool:
    command: click.Command = main
    for word in words:
        assert isinstance(command, click.Group)
        found = command.get_command(click.Context(main), word)
        assert found is not None
        command = found
    return isinstance(command, click.Group)


@pytest.mark.parametrize("option", ["--help", "--version"])
def test_looking_at_it_imports_nothing_heavy(option: str) -> None:
    script = (
        "import sys\n"
        "from connector.cli import main\n"
        "try: main([sys.argv[1]])\n"
        "except SystemExit as end: assert not end.code\n"
        "print('\\n' + ' '.join(sys.modules))\n"
    )
    done = subprocess.run([sys.executable, "-c", script, option], capture_output=True, text=True, check=True)
    loaded = set(done.stdout.splitlines()[-1].split())
    assert not loaded & set(HEAVY)
    assert not {name for name in loaded if name.startswith(("connector.storage", "connector.services", "providers"))}


def test_help_names_every_command_that_there_is() -> None:
    shown = CliRunner().invoke(main, ["--help"]).output
    stems = {path.stem for path in Path(_shared.__file__).parent.iterdir()}
    modules = {stem.removesuffix("_") for stem in stems if not stem.startswith(("_", "."))}
    assert modules == set(COMMANDS)
    assert all(name in shown for name in COMMANDS)


def test_the_table_of_the_readme_is_what_the_command_line_says() -> None:
    readme = (Path(__file__).parents[2] / "README.md").read_text(encoding="utf-8")
    table = readme.partition("<!-- commands -->\n")[2].partition("<!-- /commands -->")[0]
    rows = [f"| `pencilled {name}` | {summary} |" for name, summary in COMMANDS.items()]
    assert table == "\n".join(["| command | what it does |", "| --- | --- |", *rows, ""])


def test_every_command_shows_an_example_of_itself() -> None:
    for words in every_command():
        shown = CliRunner().invoke(main, [*words, "--help"])
        assert shown.exit_code == 0
        if not _is_group(words):
            assert "Example:" in shown.output, words
            assert f"pencilled {' '.join(words)}" in shown.output.partition("Example:")[2], words


def test_no_summary_is_cut_short() -> None:
    for words in every_command():
        assert "..." not in CliRunner().invoke(main, [*words, "--help"]).output.partition("Commands:")[2], words


def test_a_mistyped_command_is_answered_with_a_likely_one(cli: Cli) -> None:
    assert "Did you mean 'sessions'?" in cli.refused("session", "list", code=2)


def test_all_faults_of_the_settings_are_told_at_once(tmp_path: Path) -> None:
    wrong = {"CONNECTOR_LISTEN": "here", "CONNECTOR_OFFER_WINDOW": "soon", "CONNECTOR_COLOUR": "blue"}
    done = run_process("sessions", "list", settings=wrong, cwd=tmp_path)
    assert done.returncode == 2
    assert all(name in done.stderr for name in wrong)
    assert "Traceback" not in done.stderr


def test_an_unmigrated_database_is_refused_and_not_made(tmp_path: Path) -> None:
    done = run_process("sessions", "list", settings={}, cwd=tmp_path)
    assert done.returncode == 1
    assert "pencilled migrate" in done.stderr
    assert done.stderr.count("\n") == 1
    assert list(tmp_path.iterdir()) == []


def test_an_older_schema_is_refused(cli: Cli, sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.begin() as db:
        db.exec_driver_sql("UPDATE alembic_version SET version_num = '0000'")
    database.dispose()
    assert "pencilled migrate" in cli.refused("clients", "list")


def test_the_newest_step_is_told_by_its_file(sqlite_url: str) -> None:
    assert schema.newest() == migrations.current(sqlite_url)


def test_a_database_out_of_reach_is_one_red_line() -> None:
    settings = {
        "CONNECTOR_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "CONNECTOR_BROKER_URL": "redis://127.0.0.1:1/0",
        "CONNECTOR_SECRET_KEYS": "k" * 32,
    }
    said = Cli(settings).refused("clients", "list")
    assert said.startswith("Error: The database cannot be used:")
    assert said.count("\n") == 1


def test_a_file_that_is_no_database_is_one_red_line(tmp_path: Path) -> None:
    path = tmp_path / "shopping.txt"
    path.write_text("apples, pears, a great many plums, and whatever else there is on the market today\n" * 20)
    said = Cli({"CONNECTOR_DATABASE_URL": f"sqlite:///{path}"}).refused("clients", "list")
    assert "file is not a database" in said
    assert said.count("\n") == 1


def test_a_fault_of_ours_keeps_its_traceback(cli: Cli, sqlite_url: str) -> None:
    database = Database(sqlite_url)
    with database.begin() as db:
        db.exec_driver_sql("ALTER TABLE clients RENAME COLUMN phone TO telephone")
    database.dispose()
    done = run_process("clients", "list", settings=cli.settings)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


def test_json_is_all_that_is_printed_for_programs(practice: Cli) -> None:
    for words in (("practitioners", "list"), ("clients", "list"), ("sessions", "list"), ("connections", "list")):
        assert isinstance(json.loads(practice.ok(*words, "--json")), list)
