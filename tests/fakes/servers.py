"""Real CalDAV servers, started as processes of their own on free loopback ports."""

from __future__ import annotations

import base64
import contextlib
import socket
import subprocess
import sys
import time
import urllib.request
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Self

from tests.conftest import free_port

_READY_SECONDS = 120.0
_MKCALENDAR = """<?xml version="1.0" encoding="utf-8"?>
<C:mkcalendar xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"><D:set><D:prop>
<D:displayname>{name}</D:displayname>
<C:supported-calendar-component-set><C:comp name="{component}"/></C:supported-calendar-component-set>
</D:prop></D:set></C:mkcalendar>"""


@dataclass
class Server:
    """A running server; also a context manager that stops it.

    `url` is its root with a final slash; `home` is where a user's calendars live; `password` is empty if it asks none.
    """

    url: str
    home: str
    username: str
    password: str
    process: subprocess.Popen[bytes]

    def stop(self) -> None:
        self.process.terminate()
        try:
            self.process.wait(60)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait(60)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()

    def make_calendar(self, name: str, *, component: str = "VEVENT") -> str:
        """Create a calendar collection and return its URL."""
        url = f"{self.home}{name}/"
        body = _MKCALENDAR.format(name=name, component=component).encode()
        self.send("MKCALENDAR", url, body, {"Content-Type": "application/xml"})
        return url

    def send(self, method: str, url: str, body: bytes | None = None, headers: Mapping[str, str] | None = None) -> bytes:
        """Do one plain request, as some other program would; an error status raises."""
        request = urllib.request.Request(url, body, dict(headers or {}), method=method)  # noqa: S310 - loopback
        pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        request.add_header("Authorization", f"Basic {pair}")
        with urllib.request.urlopen(request, timeout=60) as answer:  # noqa: S310 - loopback
            return bytes(answer.read())


def radicale(path: Path, *, users: Mapping[str, str] | None = None) -> Server:
    """Start Radicale with its files in `path`; the first user is the one the server object speaks for."""
    users = dict(users or {"kim": "secret"})
    path.mkdir(parents=True, exist_ok=True)
    (path / "users").write_text("".join(f"{name}:{word}\n" for name, word in users.items()))
    username, password = next(iter(users.items()))
    port = free_port()
    options = {
        "server-hosts": f"127.0.0.1:{port}",
        "auth-type": "htpasswd",
        "auth-htpasswd-filename": str(path / "users"),
        "auth-htpasswd-encryption": "plain",
        "auth-delay": "0",
        "storage-filesystem-folder": str(path / "collections"),
        "logging-level": "error",
    }
    command = [
        sys.executable,
        "-m",
        "radicale",
        "--config",
        "",
        *(f"--{name}={word}" for name, word in options.items()),
    ]
    url = f"http://127.0.0.1:{port}/"
    return _started(command, path, Server(url, f"{url}{username}/", username, password, None))  # type: ignore[arg-type]


def xandikos(path: Path) -> Server:
    """Start Xandikos with its files in `path`; it asks for no password."""
    path.mkdir(parents=True, exist_ok=True)
    port = free_port()
    options = ["-d", str(path), "--defaults", "--current-user-principal", "/kim", "-l", "127.0.0.1", "-p", str(port)]
    command = [sys.executable, "-m", "xandikos.web", *options]
    url = f"http://127.0.0.1:{port}/"
    return _started(command, path, Server(url, f"{url}kim/calendars/", "kim", "any", None))  # type: ignore[arg-type]


def _started(command: list[str], path: Path, server: Server) -> Server:
    """Start and wait until somebody answers the door."""
    with (path / "server.log").open("wb") as log:
        server.process = subprocess.Popen(command, stdout=log, stderr=log)
    port = int(server.url.rstrip("/").rpartition(":")[2])
    until = time.monotonic() + _READY_SECONDS
    while time.monotonic() < until:
        if server.process.poll() is not None:
            break
        with contextlib.suppress(OSError), socket.create_connection(("127.0.0.1", port), timeout=1):
            return server
        time.sleep(0.05)  # nothing to wait on but the port
    server.stop()
    raise AssertionError(f"{command[2]} did not start: {(path / 'server.log').read_text()}")
