"""The page for operators is tried out: its units, its proxies in front of a real server, its back-up and restore."""

from __future__ import annotations

import json
import re
import shutil
import signal
import subprocess
import time
import urllib.error
import urllib.request
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import pytest

from tests.cli.keyboard import Cli, start_process
from tests.conftest import child, free_port, missing

PAGE = (Path(__file__).parent.parent / "docs" / "operating.md").read_text(encoding="utf-8")
BLOCKS = {name: text for _, name, text in re.findall(r"^```(\w+) (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)}
UNITS = [name for name in BLOCKS if name.endswith(".service")]


def program(name: str) -> str:
    found = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
    if not found:
        missing(f"{name} is not installed")
    return found


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


@contextmanager
def proxied(name: str, port: int, upstream: int, folder: Path) -> Iterator[None]:
    """Run a proxy of the page, on other ports."""
    text = (
        BLOCKS[name].replace("127.0.0.1:8443", f"127.0.0.1:{port}").replace("127.0.0.1:8080", f"127.0.0.1:{upstream}")
    )
    file = folder / name
    if name == "nginx.conf":
        places = "".join(
            f"{kind}_temp_path {folder}/{kind};" for kind in ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
        )
        rest = f"access_log off; {places} {text}"
        file.write_text(f"daemon off; pid {folder}/pid; error_log {folder}/error; events {{}} http {{ {rest} }}")
        command: list[str | Path] = [program("nginx"), "-c", file]
    else:
        file.write_text("{\n\tadmin off\n}\n" + text)
        command = [program("caddy"), "run", "--adapter", "caddyfile", "--config", file]
    with (folder / "proxy.log").open("wb") as log, child(command, log, stop=signal.SIGTERM):
        yield


def status(url: str, headers: Mapping[str, str] = {}) -> int:
    request = urllib.request.Request(url, headers=dict(headers))  # noqa: S310 - a page of ours
    try:
        with urllib.request.urlopen(request, timeout=30) as answer:  # noqa: S310 - as above
            code: int = answer.status
    except urllib.error.HTTPError as error:
        return error.code
    except OSError:
        return 0
    return code


def until(url: str, expected: int) -> None:
    deadline = time.monotonic() + 120
    while status(url) != expected:
        assert time.monotonic() < deadline, (url, status(url))
        time.sleep(0.05)  # nothing to wait on but the port


@pytest.mark.parametrize("name", ["nginx.conf", "Caddyfile"])
def test_pages_and_redirects_work_under_a_prefix_behind_the_proxy(name: str, tmp_path: Path) -> None:
    port, upstream = free_port(), free_port()
    public = f"http://127.0.0.1:{port}/book"
    settings = {
        "CONNECTOR_DATABASE_URL": f"sqlite:///{tmp_path}/pencilled.sqlite3",
        "CONNECTOR_LISTEN": f"127.0.0.1:{upstream}",
        "CONNECTOR_PUBLIC_URL": public,
        "CONNECTOR_TRUSTED_PROXIES": "1",
        "CONNECTOR_METRICS_TOKEN": "m" * 32,
    }
    server = start_process("serve", settings=settings, log=tmp_path / "log")
    try:
        until(f"http://127.0.0.1:{upstream}/readyz", 200)
        with proxied(name, port, upstream, tmp_path):
            until(f"{public}/signin", 200)
            assert status(f"{public}/readyz") == 404
            assert status(f"{public}/healthz") == 404
            shown = {"Authorization": f"Bearer {'m' * 32}"}
            assert status(f"http://127.0.0.1:{upstream}/metrics", shown) == 200
            assert status(f"{public}/metrics", shown) == 404
            with urllib.request.urlopen(f"{public}/", timeout=30) as answer:  # noqa: S310 - as above, two redirects on
                assert answer.url == f"{public}/signin"
                page = answer.read().decode()
            links = re.findall(r'(?:href|action)="(/[^"]*)"', page)
            assert links
            assert all(link.startswith("/book/") for link in links), links
            assert {status(f"http://127.0.0.1:{port}{link}") for link in links if "static" in link} == {200}
    finally:
        server.terminate()
        server.wait(120)


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
