"""A real CalDAV server with WebDAV-Push, and the certificates without which it pushes nowhere."""

from __future__ import annotations

import importlib.util
import ssl
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import trustme
from flask import Flask
from werkzeug.serving import make_server

from tests.conftest import free_port
from tests.fakes.servers import Server, _started

NEEDED = ("pywebpush", "py_vapid")

# Trusts our authority as it would a public one, and may push to the loopback, which it takes for an inner network.
_START = """
import os, sys
import requests.adapters
requests.adapters.DEFAULT_CA_BUNDLE_PATH = sys.argv.pop(1)
os.environ["XANDIKOS_ALLOW_INTERNAL_PUSH_RESOURCE"] = "1"
from xandikos.__main__ import cli_main
cli_main()
"""


def can_push() -> bool:
    """Whether what Xandikos needs to push is installed."""
    return all(importlib.util.find_spec(name) for name in NEEDED)


def xandikos(path: Path, authority: trustme.CA) -> Server:
    """Start Xandikos with WebDAV-Push, its files in `path`; it asks for no password."""
    path.mkdir(parents=True, exist_ok=True)
    trusted = path / "authority.pem"
    authority.cert_pem.write_to_path(trusted)
    (path / "start.py").write_text(_START)
    port = free_port()
    options = ["-d", path / "data", "--defaults", "--current-user-principal", "/kim", "-l", "127.0.0.1", "-p", port]
    push = ["--webdav-push", "--state-dir", path / "state"]
    command = [sys.executable, path / "start.py", trusted, "serve", *options, *push]
    url = f"http://127.0.0.1:{port}/"
    server = Server(url, f"{url}kim/calendars/", "kim", "any", None)  # type: ignore[arg-type]
    return _started([str(part) for part in command], path, server)


@contextmanager
def served_by_tls(app: Flask, authority: trustme.CA, port: int) -> Iterator[None]:
    """Serve an application at `https://localhost:<port>`."""
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert("localhost").configure_cert(context)
    server = make_server("127.0.0.1", port, app, threaded=True, ssl_context=context)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield
    finally:
        server.shutdown()
        thread.join(10)
        server.server_close()
