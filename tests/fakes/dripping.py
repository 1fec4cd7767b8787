"""A server that begins to answer and never comes to an end: what it says is never late, and never whole."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Self

_PAUSE_SECONDS = 0.02


@dataclass(frozen=True, slots=True)
class Drip:
    """What is said first, and what again and again; nothing more if that is empty."""

    first: bytes
    again: bytes = b""


OK = b"HTTP/1.1 200 OK\r\n"
HEADERS = Drip(OK, b"X-Drop: drop\r\n")
HTTP: Mapping[str, Drip] = {
    "a header line at a time": HEADERS,
    "one header without an end": Drip(OK + b"X-Drop: ", b"drop"),
    "a status line alone": Drip(OK),
    "nothing": Drip(b""),
    "early hints": Drip(b"", b"HTTP/1.1 103 Early Hints\r\nLink: </x>\r\n\r\n"),
    "to be continued": Drip(b"", b"HTTP/1.1 100 Continue\r\n\r\n"),
    "a body of known length": Drip(OK + b"Content-Length: 100000\r\n\r\n", b"x"),
    "a body until the end": Drip(OK + b"Connection: close\r\n\r\n", b"x"),
    "chunks": Drip(OK + b"Transfer-Encoding: chunked\r\n\r\n", b"1\r\nx\r\n"),
    "trailers": Drip(OK + b"Transfer-Encoding: chunked\r\n\r\n0\r\n", b"X-Drop: drop\r\n"),
}


class Dripping:
    """Runs while it is used as a context manager."""

    def __init__(self, drip: Drip, *, speaks_first: bool = False) -> None:
        self._drip = drip
        self._speaks_first = speaks_first
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=64)
        self._threads = [threading.Thread(target=self._accept)]
        self._over = threading.Event()
        self._ended = threading.Event()

    @property
    def port(self) -> int:
        port: int = self._listener.getsockname()[1]
        return port

    @property
    def url(self) -> str:
        return f"http://127.0.0.1:{self.port}/"

    def await_end(self) -> None:
        """Wait until somebody who was listening has hung up."""
        assert self._ended.wait(60), "nobody has hung up"

    def __enter__(self) -> Self:
        self._threads[0].start()
        return self

    def __exit__(self, *_: object) -> None:
        self._over.set()
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for thread in self._threads:
            thread.join()

    def _accept(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                thread = threading.Thread(target=self._drop, args=(peer,))
                self._threads.append(thread)
                thread.start()

    def _drop(self, peer: socket.socket) -> None:
        peer.settimeout(_PAUSE_SECONDS)
        with peer, suppress(OSError):
            is_asked = self._speaks_first
            said = False
            while not self._over.is_set():
                if is_asked:
                    peer.sendall(self._drip.again if said else self._drip.first)
                    said = True
                words = _heard(peer)
                is_asked = is_asked or bool(words)
                if words == b"":
                    self._ended.set()
                    break


def _heard(peer: socket.socket) -> bytes | None:
    """Return what the other side says within a pause: None for nothing, no bytes if it has hung up."""
    try:
        return peer.recv(65536)
    except TimeoutError:
        return None
