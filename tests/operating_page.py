"""The page for operators, and the programs that its files are for."""

from __future__ import annotations

import re
import shutil
import signal
import ssl
import time
from collections.abc import Iterator
from contextlib import contextmanager
from http.client import HTTPConnection, HTTPSConnection
from pathlib import Path

import trustme

from tests.conftest import child, missing

PAGE = (Path(__file__).parent.parent / "docs" / "operating.md").read_text(encoding="utf-8")
BLOCKS = {name: text for _, name, text in re.findall(r"^```(\w+) (\S+)\n(.*?)^```", PAGE, re.MULTILINE | re.DOTALL)}


def program(name: str) -> str:
    """Return where a program of the page is installed."""
    path = shutil.which(name, path="/usr/local/bin:/usr/bin:/bin:/usr/sbin:/sbin")
    if not path:
        missing(f"{name} is not installed")
    return path


class Certificate:
    """One for 127.0.0.1, and whoever trusts it."""

    def __init__(self, folder: Path) -> None:
        authority = trustme.CA()
        issued = authority.issue_cert("127.0.0.1")
        self.chain, self.key = folder / "host.pem", folder / "host.key"
        issued.private_key_pem.write_to_path(self.key)
        for blob in issued.cert_chain_pems:
            blob.write_to_path(self.chain, append=True)
        self.trusted = ssl.create_default_context()
        authority.configure_trust(self.trusted)


@contextmanager
def proxied(
    name: str, *, port: int, upstream: int, folder: Path, keeps_prefix: bool = False
) -> Iterator[ssl.SSLContext]:
    """Run a proxy of the page, on other ports and with a certificate of its own; yields what trusts that.

    `keeps_prefix`: it passes the prefix on, where that of the page takes it off.
    """
    program({"nginx.conf": "nginx", "Caddyfile": "caddy"}[name])
    certificate, file, text = (
        Certificate(folder),
        folder / name,
        BLOCKS[name].replace("127.0.0.1:8080", f"127.0.0.1:{upstream}"),
    )
    if keeps_prefix:
        taking, passing_on = {
            "nginx.conf": (f"proxy_pass http://127.0.0.1:{upstream}/;", f"proxy_pass http://127.0.0.1:{upstream};"),
            "Caddyfile": ("handle_path /book/*", "handle /book/*"),
        }[name]
        text = _changed(text, taking, passing_on)
    if name == "nginx.conf":
        file.write_text(_nginx(text, port, certificate, folder))
        command: list[str | Path] = [program("nginx"), "-c", file]
    else:
        host = f"https://127.0.0.1:{port} {{\ntls {certificate.chain} {certificate.key}\n"
        options = "{\nadmin off\nauto_https disable_redirects\nskip_install_trust\n}\n"
        file.write_text(options + _changed(text, "https://host.example {\n", host))
        command = [program("caddy"), "run", "--adapter", "caddyfile", "--config", file]
    with (folder / "proxy.log").open("wb") as log, child(command, log, stop=signal.SIGTERM):
        until(f"https://127.0.0.1:{port}/", 404, 200, trusted=certificate.trusted)
        yield certificate.trusted


def _nginx(text: str, port: int, certificate: Certificate, folder: Path) -> str:
    text = _changed(text, "listen 443 ssl;", f"listen 127.0.0.1:{port} ssl;")
    text = _changed(text, "server_name host.example;", "server_name 127.0.0.1;")
    text = _changed(text, "/etc/ssl/host.example.pem", str(certificate.chain))
    text = _changed(text, "/etc/ssl/host.example.key", str(certificate.key))
    kinds = ("client_body", "proxy", "fastcgi", "uwsgi", "scgi")
    places = "".join(f"{kind}_temp_path {folder}/{kind};" for kind in kinds)
    rest = f"access_log off; {places} {text}"
    return f"daemon off; pid {folder}/pid; error_log {folder}/error; events {{}} http {{ {rest} }}"


def _changed(text: str, old: str, new: str) -> str:
    assert old in text
    return text.replace(old, new)


def status(url: str, *, trusted: ssl.SSLContext | None = None) -> int:
    """Return how an address answers, redirects unfollowed; 0 if nobody does."""
    scheme, _, rest = url.partition("://")
    host, _, path = rest.partition("/")
    https = (
        HTTPSConnection(host, timeout=30, context=trusted) if scheme == "https" else HTTPConnection(host, timeout=30)
    )
    try:
        https.request("GET", f"/{path}")
        return https.getresponse().status
    except OSError:
        return 0
    finally:
        https.close()


def until(url: str, *expected: int, trusted: ssl.SSLContext | None = None) -> None:
    """Wait until an address answers so."""
    deadline = time.monotonic() + 120
    while (now := status(url, trusted=trusted)) not in expected:
        assert time.monotonic() < deadline, (url, now)
        time.sleep(0.05)  # nothing to wait on but the port
