"""A real mail server on a loopback port that keeps what it is given."""

from __future__ import annotations

import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from threading import Condition
from typing import Any, Self
from urllib.parse import quote

from aiosmtpd.controller import Controller
from aiosmtpd.smtp import AuthResult, Envelope, LoginPassword, Session

Stage = str  # "mail", "rcpt", "data" or "auth"; "kept" once a letter is kept, and nobody has been told


class CutOff(Exception):  # noqa: N818 - an act, no error
    """End the connection without an answer."""


_UNSAID = "421 4.4.2 nobody hears this"


@dataclass(frozen=True, slots=True, kw_only=True)
class Caught:
    """One mail as the server got it: its envelope, the bytes on the wire, and what they mean."""

    sender: str
    recipients: tuple[str, ...]
    raw: bytes
    message: EmailMessage
    greeted_as: str
    encrypted: bool


class Mailbox:
    """Catches mail while it is open (`with Mailbox() as mailbox`).

    Args:
        user: Ask for a login with this name.
        password: The password for it.
        certificate: A server context; STARTTLS is offered with it.
        implicit_tls: Speak TLS from the first byte instead.
    """

    def __init__(
        self,
        *,
        user: str = "",
        password: str = "",
        certificate: ssl.SSLContext | None = None,
        implicit_tls: bool = False,
    ) -> None:
        self._user, self._password = user, password
        self._scheme = "smtp" if certificate is None else "smtps" if implicit_tls else "smtp+starttls"
        self._arrived = Condition()
        self._messages: list[Caught] = []
        self._refusals: dict[Stage, int] = {}
        self._acts: list[tuple[Stage, Callable[[], None]]] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self._listener = _Listener(
            self,
            bound=self._socket,
            ssl_context=certificate if implicit_tls else None,
            tls_context=None if implicit_tls else certificate,
            authenticator=self._authenticate if user else None,
            auth_require_tls=not user,  # so that a login is offered where one is asked for, and nowhere else
        )

    def __enter__(self) -> Self:
        self._listener.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.stop()
        self._socket.close()

    @property
    def port(self) -> int:
        return self._listener.port

    @property
    def url(self) -> str:
        """Where it listens, with the credentials it asks for."""
        login = f"{quote(self._user, safe='')}:{quote(self._password, safe='')}@" if self._user else ""
        return f"{self._scheme}://{login}127.0.0.1:{self.port}"

    @property
    def messages(self) -> list[Caught]:
        """What has arrived so far, in order."""
        with self._arrived:
            return list(self._messages)

    def wait_for(self, wanted: int | Callable[[Sequence[Caught]], bool] = 1, *, timeout: float = 120) -> list[Caught]:
        """Return everything as soon as so many mails are there, or as soon as the predicate over them holds."""

        def there() -> bool:
            return len(self._messages) >= wanted if isinstance(wanted, int) else wanted(self._messages)

        with self._arrived:
            if not self._arrived.wait_for(there, timeout):
                subjects = [caught.message["Subject"] for caught in self._messages]
                raise TimeoutError(f"only this arrived within {timeout} s: {subjects}")
            return list(self._messages)

    def clear(self) -> None:
        """Forget what has arrived."""
        with self._arrived:
            self._messages.clear()

    def refuse_with(self, code: int | None, *, at: Stage = "rcpt") -> None:
        """Answer this code at that stage from now on; None accepts again."""
        if code is None:
            self._refusals.pop(at, None)
        else:
            self._refusals[at] = code

    def once(self, stage: Stage, act: Callable[[], None], *, times: int = 1) -> None:
        """Do something the next time a letter comes to that stage, before the answer; CutOff is what it may raise."""
        with self._arrived:
            self._acts += [(stage, act)] * times

    def forget_acts(self) -> None:
        with self._arrived:
            self._acts.clear()

    def _is_cut_off(self, stage: Stage, server: Any) -> bool:
        with self._arrived:
            found = next((one for one in self._acts if one[0] == stage), None)
            if found is None:
                return False
            self._acts.remove(found)
        try:
            found[1]()
        except CutOff:
            server.transport.abort()
            return True
        return False

    def _refusal(self, stage: Stage, about: str) -> str | None:
        code = self._refusals.get(stage)
        return f"{code} {code // 100}.1.1 <{about}> is not wanted here" if code else None

    def _authenticate(self, _server: Any, _session: Any, _envelope: Any, _method: str, login: Any) -> AuthResult:
        if refusal := self._refusal("auth", self._user):
            return AuthResult(success=False, handled=False, message=refusal)
        known = isinstance(login, LoginPassword) and login == LoginPassword(
            self._user.encode(), self._password.encode()
        )
        return AuthResult(success=known, handled=False)

    async def handle_MAIL(  # noqa: N802 - the library's name
        self, _server: Any, session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self._user and not session.authenticated:
            return "530 5.7.0 Authentication required"
        envelope.mail_from = address
        return self._refusal("mail", address) or "250 OK"

    async def handle_RCPT(  # noqa: N802 - the library's name
        self, server: Any, _session: Session, envelope: Envelope, address: str, _options: list[str]
    ) -> str:
        if self._is_cut_off("rcpt", server):
            return _UNSAID
        if refusal := self._refusal("rcpt", address):
            return refusal
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, server: Any, session: Session, envelope: Envelope) -> str:  # noqa: N802 - as above
        if self._is_cut_off("data", server):
            return _UNSAID
        if refusal := self._refusal("data", envelope.rcpt_tos[0]):
            return refusal
        raw = envelope.original_content or b""
        parsed = message_from_bytes(raw, policy=default)
        caught = Caught(
            sender=envelope.mail_from or "",
            recipients=tuple(envelope.rcpt_tos),
            raw=raw,
            message=parsed,
            greeted_as=str(session.host_name),
            encrypted=session.ssl is not None or self._scheme == "smtps",
        )
        with self._arrived:
            self._messages.append(caught)
            self._arrived.notify_all()
        return _UNSAID if self._is_cut_off("kept", server) else "250 OK"


class _Listener(Controller):
    """Listens on a socket that is bound already, so that nobody else can take the port."""

    def __init__(self, handler: object, *, bound: socket.socket, **options: Any) -> None:
        super().__init__(handler, hostname="127.0.0.1", port=bound.getsockname()[1], **options)
        self._bound = bound

    def _create_server(self) -> Awaitable[Any]:
        return self.loop.create_server(self._factory_invoker, sock=self._bound, ssl=self.ssl_context)
