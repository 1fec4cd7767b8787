"""A connection to an IMAP server that trusts it with nothing: neither with our time nor with our memory."""

from __future__ import annotations

import imaplib
import ssl
from contextlib import suppress
from typing import Any

from connector.exchange import uses
from connector.inbox.bounds import LARGEST

_MOST_READ = LARGEST + 256 * 1024  # bytes of all that answers one command: one mail, and what is said around it
_LONGEST_LINE = 64 * 1024
_FIRST_LINES = 64 * 1024  # before the first command


class FloodError(OSError):
    """The server says more than a mail and what is said around it."""


class Client(imaplib.IMAP4):
    """One connection. Every wait of it belongs to an exchange, which may cut it at any time.

    Args:
        host: The server; its certificate must be for this name.
        port: Where it listens.
        timeout: Seconds that the connection may take to stand.
        context: By what its certificate is verified where the first byte is encrypted already; else None.
    """

    sock: Any = None  # before there is one

    def __init__(self, host: str, port: int, *, timeout: float, context: ssl.SSLContext | None) -> None:
        self._context = context
        self._left = _FIRST_LINES
        try:
            super().__init__(host, port, timeout)
        except BaseException:
            self.close_connection()
            raise

    def secure(self, context: ssl.SSLContext) -> bool:
        """Encrypt from now on; False if the server does not offer it. What it said before that counts for nothing."""
        if "STARTTLS" not in self.capabilities:
            return False
        status, _ = self.starttls(_Handshake(self, context))  # all that the library asks of it
        return status == "OK"

    def close_connection(self) -> None:
        """Close it without a word."""
        with suppress(OSError, AttributeError):  # it may not have come so far
            self.shutdown()
        if self.sock is not None:
            self.sock.close()

    def _create_socket(self, timeout: float | None) -> Any:
        uses(self)
        self.sock = super()._create_socket(timeout)  # type: ignore[misc]  # the types of the library leave it out
        uses(self)
        if self._context is not None:
            self.encrypt(self._context)
        return self.sock

    def encrypt(self, context: ssl.SSLContext) -> Any:
        """Shake hands, only once the exchange knows the new socket: a server may take its time over that, too."""
        self.sock = context.wrap_socket(self.sock, server_hostname=self.host, do_handshake_on_connect=False)
        uses(self)
        self.sock.do_handshake()
        return self.sock

    def _command(self, name: str, *args: Any) -> bytes:
        self._left = _MOST_READ
        tag: bytes = super()._command(name, *args)  # type: ignore[misc]  # as above
        return tag

    def send(self, data: Any) -> None:
        """Send a command, or a part of one."""
        uses(self)
        super().send(data)

    def read(self, size: int) -> bytes:
        """Read so many bytes, if we expect as many."""
        self._spend(size)
        uses(self)
        return super().read(size)

    def readline(self) -> bytes:
        """Read a line of a sensible length."""
        uses(self)
        line = super().readline()
        if len(line) > _LONGEST_LINE:
            raise FloodError
        self._spend(len(line))
        return line

    def _spend(self, size: int) -> None:
        self._left -= size
        if self._left < 0:
            raise FloodError


class _Handshake:
    """In place of the context that the library would have encrypt a connection."""

    def __init__(self, client: Client, context: ssl.SSLContext) -> None:
        self._client = client
        self._context = context

    def wrap_socket(self, _sock: Any, *, server_hostname: str) -> Any:  # noqa: ARG002 - the library's names
        """Encrypt the connection that it belongs to."""
        return self._client.encrypt(self._context)
