"""What the demo starts beside Pencilled: a calendar server, a mail catcher, a slow wire, and Pencilled itself."""

from __future__ import annotations

import contextlib
import http.client
import os
import signal
import socket
import subprocess
import threading
import urllib.request
from collections.abc import Iterator, Mapping, Sequence
from email import message_from_bytes, policy
from email.message import EmailMessage
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

from connector import paths
from connector.cli._parent import leaving_with_us
from connector.cli.demo.evidence import eventually

PASSWORD = "correct-horse"  # noqa: S105 - of a server that lives for a minute on the loopback
SETTLING_SECONDS = 2
USER = "kim"
_LONGEST_STOP_SECONDS = 10
_ENTRY = "connector.cli"
_STOPS = (signal.SIGINT, signal.SIGTERM)


class Mailbox:
    """A mail server that keeps what it is handed."""

    def __init__(self) -> None:
        from aiosmtpd.controller import Controller  # noqa: PLC0415 - comes with the demo extra

        self.mails: list[EmailMessage] = []
        self._arrived = threading.Condition()
        self._controller = Controller(self, hostname="127.0.0.1", port=free_port())
        self._controller.start()

    @property
    def url(self) -> str:
        """Where it listens."""
        return f"smtp://127.0.0.1:{self._controller.port}"

    async def handle_DATA(self, _server: Any, _session: Any, envelope: Any) -> str:  # noqa: N802 - aiosmtpd's name
        """Keep one mail; one that comes again after a crash is the same mail, as its Message-ID says."""
        mail = message_from_bytes(envelope.content, policy=policy.default)
        with self._arrived:
            if mail["Message-ID"] not in [other["Message-ID"] for other in self.mails]:
                self.mails.append(mail)
            self._arrived.notify_all()
        return "250 kept"

    def wait_for(self, count: int, *, seconds: float = 20) -> list[EmailMessage]:
        """Return everything that has arrived once there are `count` mails, or what there is when time is up."""
        with self._arrived:
            self._arrived.wait_for(lambda: len(self.mails) >= count, timeout=seconds)
            return list(self.mails)

    def caught(self) -> list[EmailMessage]:
        """Return what has arrived so far, in that order."""
        with self._arrived:
            return list(self.mails)

    def stop(self) -> None:
        """Stop listening."""
        self._controller.stop()


class Wire:
    """A wire to the calendar server that can go dead once one more write has landed."""

    def __init__(self, port: int) -> None:
        self._target = port
        self._armed = False
        self._spent = False
        self._lock = threading.Lock()
        self._dead = threading.Event()
        self.landed = threading.Event()
        wire = self

        class Forward(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def __getattr__(self, name: str) -> Any:
                if name.startswith("do_"):
                    return lambda: wire.carry(self)
                raise AttributeError(name)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - the base class's name
                """Say nothing: the demo prints what matters."""

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Forward)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, daemon=True).start()

    @property
    def url(self) -> str:
        """The near end of the wire."""
        return f"http://127.0.0.1:{self._server.server_port}"

    def cut_after_next_put(self) -> None:
        """Let one more PUT land, and answer nothing any more, not even that one."""
        self.landed.clear()
        self._spent = False
        self._armed = True

    def repair(self) -> None:
        """Carry everything again."""
        self._armed = False
        self._dead.set()
        self._dead = threading.Event()

    def carry(self, request: BaseHTTPRequestHandler) -> None:
        """Forward one request and its answer."""
        is_last = self._is_last(request)
        if self._armed and not is_last:
            self._hang(request)
            return
        answer, content = self._forward(request)
        if is_last:
            self.landed.set()
            self._hang(request)
            return
        request.send_response(answer.status)
        for name, value in answer.getheaders():
            if name.lower() not in {"connection", "content-length", "date", "server", "transfer-encoding"}:
                request.send_header(name, value)
        request.send_header("Content-Length", str(len(content)))
        request.end_headers()
        request.wfile.write(content)

    def _forward(self, request: BaseHTTPRequestHandler) -> tuple[http.client.HTTPResponse, bytes]:
        body = request.rfile.read(int(request.headers.get("Content-Length") or 0))
        upstream = http.client.HTTPConnection("127.0.0.1", self._target, timeout=20)
        try:
            upstream.request(request.command, request.path, body=body, headers=dict(request.headers))
            answer = upstream.getresponse()
            return answer, answer.read()
        finally:
            upstream.close()

    def _is_last(self, request: BaseHTTPRequestHandler) -> bool:
        with self._lock:
            if not self._armed or self._spent or request.command != "PUT":
                return False
            self._spent = True
            return True

    def _hang(self, request: BaseHTTPRequestHandler) -> None:
        self._dead.wait(60)
        request.close_connection = True

    def stop(self) -> None:
        """Close the wire."""
        self._dead.set()
        self._server.shutdown()
        self._server.server_close()


class Program:
    """A program as a child process, and its commands as a person would type them."""

    def __init__(self, folder: Path, port: int, environ: Mapping[str, str], *, serves: Sequence[str]) -> None:
        """Start nothing yet.

        Args:
            folder: Where it works, and where its log is.
            port: Where it listens.
            environ: Its variables, beside those of ours that are no settings.
            serves: The module that serves, and its words.
        """
        self.url = f"http://127.0.0.1:{port}"
        self.folder = folder
        keep = {
            name: value
            for name, value in os.environ.items()  # noqa: TID251 - for the child, as a shell does
            if not name.startswith(("CONNECTOR_", "LINDENHOF_"))
        }
        self.environ = keep | dict(environ)
        self._serves = serves
        self._process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        """Start to serve, and wait until it is ready.

        Raises: RuntimeError with the end of its log if it is not.
        """
        module, *words = self._serves
        with (self.folder / "serve.log").open("ab") as log, undisturbed():
            command = [*leaving_with_us(module), *words]
            self._process = subprocess.Popen(command, env=self.environ, cwd=self.folder, stdout=log, stderr=log)  # noqa: S603
        if not eventually(self._ready, bool, seconds=40):
            tail = (self.folder / "serve.log").read_text(errors="replace")[-2000:]
            raise RuntimeError(f"{' '.join(self._serves)} did not become ready:\n{tail}")

    def kill(self) -> None:
        """Kill it without any warning (SIGKILL)."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Ask it to stop (SIGTERM), and kill it if it does not: nothing of the demo outlives it."""
        self._end(signal.SIGTERM)

    def run(self, module: str, *words: str, typed: str = "") -> str:
        """Run a module with these words, and return what it printed.

        Raises: RuntimeError with its error text if it fails.
        """
        with undisturbed():
            done = subprocess.run(  # noqa: S603 - our own commands
                [*leaving_with_us(module), *words],
                env=self.environ,
                cwd=self.folder,
                input=typed,
                capture_output=True,
                text=True,
                check=False,
                timeout=60,
            )
        if done.returncode:
            raise RuntimeError(f"{module} {' '.join(words)} failed:\n{done.stderr or done.stdout}")
        return done.stdout

    def _ready(self) -> bool:
        if self._process is not None and self._process.poll() is not None:
            return False
        try:
            with urllib.request.urlopen(self.ready_url, timeout=5) as answer:  # noqa: S310 - our own server
                ready: bool = answer.status == http.client.OK
                return ready
        except OSError:
            return False

    @property
    def ready_url(self) -> str:
        """What answers once it can do its work."""
        return self.url

    def _end(self, how: signal.Signals) -> None:
        if self._process is not None:
            _end(self._process, how)
            self._process = None


class Product(Program):
    """Pencilled by itself."""

    def __init__(self, folder: Path, mail_url: str, texts_url: str = "", **more: str) -> None:
        """Start nothing yet; `more` are other settings."""
        port = free_port()
        environ = settings(folder, f"http://127.0.0.1:{port}", mail_url) | more
        environ["CONNECTOR_LISTEN"] = f"127.0.0.1:{port}"
        if texts_url:
            environ["CONNECTOR_SMS_URL"] = texts_url
        super().__init__(folder, port, environ, serves=(_ENTRY, "serve"))

    @property
    def ready_url(self) -> str:
        """What answers once it can do its work."""
        return f"{self.url}{paths.READINESS}"

    def command(self, *words: str, typed: str = "") -> str:
        """Run one command of ours and return what it printed.

        Raises: RuntimeError with its error text if it fails.
        """
        return self.run(_ENTRY, *words, typed=typed)


def settings(folder: Path, public_url: str, mail_url: str) -> dict[str, str]:
    """Return the settings of an installation on the loopback."""
    return {
        "CONNECTOR_DATABASE_URL": f"sqlite:///{folder / 'pencilled.sqlite3'}",
        "CONNECTOR_PUBLIC_URL": public_url,
        "CONNECTOR_SMTP_URL": mail_url,
        "CONNECTOR_MAIL_FROM": "sessions@pencilled.example",
        "CONNECTOR_INNER_HOSTS": "127.0.0.1",
        "CONNECTOR_LOG_LEVEL": "info",
        "CONNECTOR_SETTLING": f"{SETTLING_SECONDS}s",  # a minute by default
        "CONNECTOR_POLL_OPEN": "1s",
        "CONNECTOR_POLL_IDLE": "1s",
    }


@contextlib.contextmanager
def radicale(folder: Path) -> Iterator[int]:
    """Run a Radicale server for one user and yield its port."""
    port = free_port()
    users = folder / "users"
    users.write_text(f"{USER}:{PASSWORD}\n", encoding="utf-8")
    options = {
        "server-hosts": f"127.0.0.1:{port}",
        "auth-type": "htpasswd",
        "auth-htpasswd-filename": str(users),
        "auth-htpasswd-encryption": "plain",
        "auth-delay": "0",
        "storage-filesystem-folder": str(folder / "collections"),
    }
    flags = [f"--{name}={value}" for name, value in options.items()]
    with contextlib.ExitStack() as stack:
        with (folder / "radicale.log").open("wb") as log, undisturbed():
            process = subprocess.Popen([*leaving_with_us("radicale"), *flags], stdout=log, stderr=log)  # noqa: S603
            stack.callback(_end, process, signal.SIGTERM)
        if not eventually(lambda: _listens(port), bool, seconds=30):
            raise RuntimeError((folder / "radicale.log").read_text(errors="replace")[-2000:])
        yield port


@contextlib.contextmanager
def undisturbed() -> Iterator[None]:
    """Put Ctrl-C and SIGTERM off until the block is done: a child whose start they cut short would be left running."""
    signals: list[int] = []
    handlers = {number: signal.signal(number, lambda number, _: signals.append(number)) for number in _STOPS}
    try:
        yield
    finally:
        for number, handler in handlers.items():
            signal.signal(number, handler)
    if signals:
        signal.raise_signal(signals[0])


def free_port() -> int:
    """Return a loopback port that nobody listens on."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        return int(listener.getsockname()[1])


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), timeout=1).close()
    except OSError:
        return False
    return True


def _end(process: subprocess.Popen[bytes], how: signal.Signals) -> None:
    """End a child by a signal, or, if that takes too long, without any warning."""
    process.send_signal(how)
    try:
        process.wait(_LONGEST_STOP_SECONDS)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()
