"""The page for operators is tried out: its units, its containers, its back-up; `test_proxies` has its proxies."""

from __future__ import annotations

import json
import re
import shlex
import subprocess
from pathlib import Path
from typing import Any

import click
import pytest
import yaml  # type: ignore[import-untyped]  # a test is all that reads it

import providers
from connector import app
from connector.cli import main
from connector.settings import variables
from connector.storage import migrations
from tests.cli.keyboard import Cli
from tests.operating_page import BLOCKS, PAGE, program
from tests.storage.stored import Stored

ROOT = Path(__file__).parent.parent
README, CHANGES = ((ROOT / name).read_text(encoding="utf-8") for name in ("README.md", "CHANGELOG.md"))
UNITS = [name for name in BLOCKS if name.endswith(".service")]


@pytest.mark.parametrize("name", UNITS)
def test_systemd_takes_the_units(name: str, tmp_path: Path) -> None:
    stand_in = tmp_path / "pencilled"
    stand_in.write_text("#!/bin/sh\n")
    stand_in.chmod(0o755)
    text = BLOCKS[name].replace("/opt/pencilled/bin/pencilled", str(stand_in)).replace("User=pencilled\n", "")
    others = [unit for unit in UNITS if unit != name]
    for unit in (name, *others):
        (tmp_path / unit).write_text(
            text if unit == name else BLOCKS[unit].replace("/opt/pencilled/bin", str(tmp_path))
        )
    done = subprocess.run(
        [program("systemd-analyze"), "verify", tmp_path / name], capture_output=True, text=True, check=False
    )
    assert [line for line in done.stderr.splitlines() if name in line] == []


def check_command(word: str, *options: str) -> None:
    """Have our own command line read a command, without carrying it out."""
    command = main.get_command(click.Context(main), word)
    assert command is not None, word
    command.make_context(word, list(options))


@pytest.mark.parametrize("name", UNITS)
def test_the_units_run_commands_that_exist(name: str) -> None:
    lines = re.findall(r"^Exec\w+=/opt/pencilled/bin/pencilled (.*)$", BLOCKS[name], re.MULTILINE)
    assert lines
    for line in lines:
        check_command(*shlex.split(line))


def test_every_command_that_the_pages_for_operators_name_exists() -> None:
    named = re.findall(r"`pencilled ([a-z]+)(?: ([a-z][a-z-]*))?[^`]*`", PAGE + README + CHANGES)
    assert len(named) > 10
    for word, part in named:
        command = main.get_command(click.Context(main), word)
        assert command is not None, word
        assert not part or not isinstance(command, click.Group) or part in command.commands, (word, part)


def test_every_setting_that_the_pages_for_operators_name_exists() -> None:
    settings = {f"CONNECTOR_{variable.name}" for variable in variables(providers.declared())}
    files = {f"{name}_FILE" for name in settings}
    assert set(re.findall(r"CONNECTOR_[A-Z_]+[A-Z]", PAGE + README + CHANGES)) <= settings | files


COMPOSE = yaml.safe_load(BLOCKS["compose.yaml"])
OWN = {name: service for name, service in COMPOSE["services"].items() if "build" in service}


@pytest.mark.parametrize("name", OWN)
def test_our_containers_run_commands_and_settings_that_exist(name: str, tmp_path: Path) -> None:
    service = OWN[name]
    check_command(*shlex.split(service["command"]))
    if service.get("healthcheck", {}).get("test", [])[1:2] == ["pencilled"]:
        check_command(*service["healthcheck"]["test"][2:])
    settings = app.read_settings(_with_secrets(service, tmp_path))
    assert not settings.embedded
    assert settings.witness_file.startswith("/var/lib/pencilled/")
    assert settings.trusted_proxies == 1


def _with_secrets(service: dict[str, Any], folder: Path) -> dict[str, str]:
    """Return the environment of a service of ours, its secrets in files of this machine."""
    values = {
        "database_url": "postgresql://pencilled:secret@database/pencilled",
        "keys": "k" * 32,
        "smtp_url": "smtps://user:password@mail.example",
    }
    assert set(service["secrets"]) == set(values)
    environment = {key: value.replace("HOST.EXAMPLE", "host.example") for key, value in service["environment"].items()}
    for name, value in values.items():
        (folder / name).write_text(f"{value}\n")
    return {key: value.replace("/run/secrets/", f"{folder}/") for key, value in environment.items()}


def test_the_compose_file_declares_all_that_its_services_use() -> None:
    services = COMPOSE["services"]
    for service in services.values():
        assert re.fullmatch(r"[a-z]+:\d[\w.-]*", service["image"]), "a public name and a version, no registry"
        assert set(service.get("secrets", ())) <= set(COMPOSE["secrets"])
        assert {one["source"] for one in service.get("configs", ())} <= set(COMPOSE["configs"])
        assert {volume.partition(":")[0] for volume in service.get("volumes", ())} <= set(COMPOSE["volumes"])
        waits_for = service.get("depends_on", {})
        assert set(waits_for) <= set(services)
        for other in waits_for if isinstance(waits_for, dict) else ():
            is_once = waits_for[other]["condition"] == "service_completed_successfully"
            assert is_once == (services[other].get("restart") == "no")
            assert is_once or "healthcheck" in services[other], "somebody waits until it is well"
    secrets = {secret for service in services.values() for secret in service.get("secrets", ())}
    assert secrets == set(COMPOSE["secrets"])


def test_the_image_runs_a_python_that_we_support() -> None:
    [recipe] = {service["build"]["dockerfile_inline"] for service in OWN.values()}
    found = re.match(r"FROM python:(\d+)\.(\d+)-slim\n", recipe)
    assert found
    assert (int(found[1]), int(found[2])) >= (3, 11)
    assert recipe.endswith('ENTRYPOINT ["pencilled"]\n')


def test_caddy_takes_the_file_of_the_containers(tmp_path: Path) -> None:
    file = tmp_path / "Caddyfile"
    file.write_text(COMPOSE["configs"]["Caddyfile"]["content"].replace("HOST.EXAMPLE", "host.example"))
    command: list[str | Path] = [program("caddy"), "adapt", "--adapter", "caddyfile", "--config", file]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={"HOME": str(tmp_path)})
    assert done.returncode == 0, done.stderr
    assert "web:8080" in done.stdout


def shell(name: str, **environment: str) -> None:
    done = subprocess.run(
        ["sh", "-eu", "-c", BLOCKS[name]],
        env={"PATH": "/usr/local/bin:/usr/bin:/bin", **environment},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr


def test_a_sqlite_back_up_can_be_restored(tmp_path: Path) -> None:
    program("sqlite3")
    database, backup = tmp_path / "pencilled.sqlite3", tmp_path / "backup"
    backup.mkdir()
    cli = Cli({"CONNECTOR_DATABASE_URL": f"sqlite:///{database}"})
    cli.ok("migrate")
    add = ("clients", "add", "--email", "alex@example.org", "--zone", "Europe/London")
    cli.ok(*add, "--name", "Alex Okoro")
    places = {"DATABASE": str(database), "BACKUP": str(backup)}
    shell("backup-sqlite", **places)
    key = database.with_name("pencilled.sqlite3.key").read_text()
    for path in tmp_path.glob("pencilled.sqlite3*"):
        path.unlink()
    shell("restore-sqlite", **places)
    assert [client["name"] for client in cli.json("clients", "list")] == ["Alex Okoro"]
    assert database.with_name("pencilled.sqlite3.key").read_text() == key


def test_the_witness_stays_out_of_a_back_up_and_notices_the_restore(tmp_path: Path) -> None:
    program("sqlite3")
    database, backup = tmp_path / "pencilled.sqlite3", tmp_path / "backup"
    backup.mkdir()
    cli = Cli({"CONNECTOR_DATABASE_URL": f"sqlite:///{database}"})
    cli.ok("migrate")
    cli.ok("practitioners", "add", "--name", "Kim", "--email", "kim@example.org", "--zone", "Europe/Berlin")
    cli.ok("clients", "add", "--name", "Alex", "--email", "alex@example.org", "--zone", "Europe/London")
    cli.book(7)
    places = {"DATABASE": str(database), "BACKUP": str(backup)}
    shell("backup-sqlite", **places)
    assert {path.name for path in backup.iterdir()} == {"pencilled.sqlite3", "pencilled.sqlite3.key"}
    cli.book(8)
    cli.ok("sessions", "list")  # whichever command comes next tells the witness
    assert database.with_name("pencilled.sqlite3.witness").exists()
    shell("restore-sqlite", **places)
    cli.run("sessions", "list")
    assert "the database was restored from a back-up" in cli.run("doctor").stdout


@pytest.mark.postgresql
def test_a_postgresql_back_up_can_be_restored(postgresql_url: str, tmp_path: Path) -> None:
    program("pg_dump")
    settings = {
        "CONNECTOR_DATABASE_URL": postgresql_url,
        "CONNECTOR_BROKER_URL": "redis://127.0.0.1:1/0",
        "CONNECTOR_SECRET_KEYS": "k" * 32,
    }
    cli = Cli(settings)
    add = ("clients", "add", "--zone", "Europe/London")
    cli.ok(*add, "--name", "Alex Okoro", "--email", "alex@example.org")
    places = {"DATABASE_URL": postgresql_url, "BACKUP": str(tmp_path)}
    shell("backup-postgresql", **places)
    cli.ok(*add, "--name", "Later", "--email", "later@example.org")
    shell("restore-postgresql", **places)
    listed = json.loads(cli.ok("clients", "list", "--json"))
    assert [client["name"] for client in listed] == ["Alex Okoro"]


@pytest.mark.postgresql
def test_a_postgresql_back_up_of_an_older_version_can_be_restored_over_a_newer_one(
    empty_postgresql_url: str, tmp_path: Path
) -> None:
    program("pg_dump")
    Stored(url=empty_postgresql_url, revision="0008").fill()
    places = {"DATABASE_URL": empty_postgresql_url, "BACKUP": str(tmp_path)}
    shell("backup-postgresql", **places)
    migrations.migrate(empty_postgresql_url)
    shell("restore-postgresql", **places)
    assert migrations.current(empty_postgresql_url) == "0008"
    migrations.migrate(empty_postgresql_url)
    assert not migrations.pending(empty_postgresql_url)
