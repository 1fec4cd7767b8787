"""An IMAP server on loopback that does as it is told, and lies, falls silent or hangs up where it is told to."""

from __future__ import annotations

import re
import socketserver
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from socket import socket
from threading import Condition, Event, Thread
from typing import Self

from connector.mailbox.server import Server, parse_url

_FETCH = re.compile(rb"(UID )?FETCH (\d+)(?::(\d+))? \((.*)\)")


class HungUp(Exception):  # noqa: N818 - an act, no error
    """End the connection without a word."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Kept:
    """A mail; `said_size` is what is told of it, `came` its INTERNALDATE."""

    uid: int
    raw: bytes
    said_size: int | None = None
    came: str = "23-Nov-2026 09:00:00 +0000"


@dataclass
class ImapLiar:
    """The server. `silent` and `dropped` name commands, `silent_at` and `dropped_at` mails by their UID.

    `after_refusal`: what is said instead of OK to a command. `flood`: bytes said before the answer to a FETCH.
    """

    mails: list[Kept] = field(default_factory=list)
    capabilities: str = "IMAP4rev1"
    greeting: bytes = b"* OK ready\r\n"
    validity: int = 7
    readonly: bool = False
    refused: dict[str, str] = field(default_factory=dict)
    silent: set[str] = field(default_factory=set)
    dropped: set[str] = field(default_factory=set)
    silent_at: set[int] = field(default_factory=set)
    dropped_at: set[int] = field(default_factory=set)
    lying_at: dict[int, bytes] = field(default_factory=dict)
    unlisted: set[int] = field(default_factory=set)
    flood: int = 0
    heard: Counter[str] = field(default_factory=Counter)
    fetched: list[int] = field(default_factory=list)
    marked: list[int] = field(default_factory=list)

    def __enter__(self) -> Self:
        liar = self
        self.closed = Event()
        self.changed = Condition()
        self.news: list[bytes] = []

        class Handler(socketserver.StreamRequestHandler):
            disable_nagle_algorithm = True

            def handle(self) -> None:
                with suppress(HungUp, OSError):
                    liar._talk(self)

        self._server = socketserver.ThreadingTCPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._server.block_on_close = False
        Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True).start()
        return self

    def __exit__(self, *_: object) -> None:
        self.closed.set()
        self._server.shutdown()
        self._server.server_close()

    @property
    def url(self) -> str:
        return f"imap://kim:secret@127.0.0.1:{self._server.server_address[1]}"

    @property
    def server(self) -> Server:
        return parse_url(self.url)

    def put(self, raw: bytes, **more: int | str) -> int:
        """Take a mail in, and return its UID."""
        uid = max((one.uid for one in self.mails), default=0) + 1
        self.mails.append(Kept(uid=uid, raw=raw, **more))  # type: ignore[arg-type]
        return uid

    def tell(self, line: bytes) -> None:
        """Say something to whoever waits."""
        with self.changed:
            self.news.append(line)
            self.changed.notify_all()

    def wait_for(self, command: str, times: int = 1) -> None:
        """Return once a command was heard so often."""
        with self.changed:
            assert self.changed.wait_for(lambda: self.heard[command] >= times, 60), self.heard

    def _talk(self, one: socketserver.StreamRequestHandler) -> None:
        one.wfile.write(self.greeting)
        while line := one.rfile.readline():
            tag, _, rest = line.strip().partition(b" ")
            name = rest.removeprefix(b"UID ").partition(b" ")[0].decode().upper()
            with self.changed:
                self.heard[name] += 1
                self.changed.notify_all()
            self._heed(name in self.silent, name in self.dropped, one.connection)
            if refusal := self.refused.get(name):
                one.wfile.write(tag + b" " + refusal.encode() + b"\r\n")
                continue
            for answer in self._answers(name, rest, one):
                one.wfile.write(answer)
            one.wfile.write(tag + b" OK done\r\n")
            if name == "LOGOUT":
                return

    def _heed(self, is_silent: bool, is_dropped: bool, connection: socket) -> None:  # noqa: FBT001
        if is_silent:
            self.closed.wait()
        if is_silent or is_dropped:
            connection.close()
            raise HungUp

    def _answers(self, name: str, rest: bytes, one: socketserver.StreamRequestHandler) -> Iterator[bytes]:
        match name:
            case "CAPABILITY":
                yield b"* CAPABILITY " + self.capabilities.encode() + b"\r\n"
            case "SELECT" | "EXAMINE":
                yield b"* %d EXISTS\r\n* OK [UIDVALIDITY %d] yes\r\n" % (len(self.mails), self.validity)
                yield b"* OK [READ-ONLY] no\r\n" if self.readonly else b""
            case "FETCH":
                yield from self._fetched(rest, one.connection)
            case "STORE":
                self.marked += [int(uid) for uid in rest.split()[2].split(b",")]
            case "IDLE":
                yield b"+ idling\r\n"
                yield from self._idle(one)
            case "LOGOUT":
                yield b"* BYE\r\n"

    def _idle(self, one: socketserver.StreamRequestHandler) -> Iterator[bytes]:
        heard = Event()
        Thread(target=self._await_done, args=(one, heard), daemon=True).start()
        while not heard.is_set():
            with self.changed:
                self.changed.wait_for(lambda: self.news or heard.is_set() or self.closed.is_set(), 1)
                news, self.news = self.news, []
            if self.closed.is_set():
                raise HungUp
            yield from news

    def _await_done(self, one: socketserver.StreamRequestHandler, heard: Event) -> None:
        with suppress(OSError, ValueError):
            one.rfile.readline()
        heard.set()
        with self.changed:
            self.changed.notify_all()

    def _fetched(self, rest: bytes, connection: socket) -> Iterator[bytes]:
        asked = _FETCH.fullmatch(rest)
        assert asked, rest
        first, last = int(asked[2]), int(asked[3] or asked[2])
        yield b"* 1 FETCH (FLAGS (\\Seen))\r\n" * (self.flood // 30)
        for number, mail in enumerate(self.mails, 1):
            if not first <= (mail.uid if asked[1] else number) <= last:
                continue
            if mail.uid in self.unlisted and b"SIZE" in asked[4]:
                continue
            if b"BODY" not in asked[4]:
                size = len(mail.raw) if mail.said_size is None else mail.said_size
                about = b"UID %d RFC822.SIZE %d INTERNALDATE " % (mail.uid, size) + f'"{mail.came}"'.encode()
                yield b"* %d FETCH (%s)\r\n" % (number, about)
                continue
            self.fetched.append(mail.uid)
            most = int(asked[4].rpartition(b".")[2].rstrip(b">"))
            yield self.lying_at.get(mail.uid) or b"* %d FETCH (UID %d BODY[]<0> {%d}\r\n" % (
                number,
                mail.uid,
                len(mail.raw[:most]),
            )
            yield mail.raw[: most // 2] if mail.uid in self.dropped_at | self.silent_at else mail.raw[:most]
            self._heed(mail.uid in self.silent_at, mail.uid in self.dropped_at, connection)
            yield b")\r\n"
