"""Who of a host's users makes a request: the host's own functions say it, in a request of the host's."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import quote, urlsplit

import structlog
from flask import Flask, g, request

from connector.hosted.mounting import request_of_host
from connector.hosted.places import places
from connector.web.presence import PresenceError

_ANSWERS = "pencilled_answers_of_host"

Says = Callable[[], str | None]
SignIn = str | Callable[[str], str]

log = structlog.get_logger(__name__)


class AskedPresence:
    """A `Presence` that asks the functions of a host, each at most once a request, with no transaction open.

    Args:
        host: The host.
        root: The path under which people reach the host itself; empty where that is the root.
        who: Returns the host's own id of the practitioner who is present.
        support: Returns the name of a support person who is present.
        client: Returns the host's own id of the client who is present.
        sign_in: Where whoever is not signed in is sent: a path of the host's, to which `next` is added, or a function
            of where they are to come back.
    """

    def __init__(
        self,
        host: Flask,
        *,
        root: str,
        who: Says | None,
        support: Says | None,
        client: Says | None,
        sign_in: SignIn | None,
    ) -> None:
        self._host = host
        self._root = root
        self._says = {"who": who, "support": support, "client": client}
        self._sign_in = sign_in

    @property
    def names_practitioners(self) -> bool:
        """Whether the host signs practitioners in."""
        return self._says["who"] is not None

    @property
    def names_support(self) -> bool:
        """Whether the host says when somebody of its support is present."""
        return self._says["support"] is not None

    @property
    def names_clients(self) -> bool:
        """Whether the host says which client is present."""
        return self._says["client"] is not None

    def practitioner(self) -> str | None:
        """Return the host's own id of the practitioner who is present. Raises: PresenceError."""
        return self._asked("who")

    def support(self) -> str | None:
        """Return the name of the support person who is present. Raises: PresenceError."""
        return self._asked("support")

    def client(self) -> str | None:
        """Return the host's own id of the client who is present. Raises: PresenceError."""
        return self._asked("client")

    def sign_in(self, next_url: str) -> str:
        """Return where whoever is not signed in is sent. Raises: PresenceError."""
        sign_in = self._sign_in
        if callable(sign_in):
            with self._asking("sign_in"):
                return _address(self._host.ensure_sync(sign_in)(next_url))
        address = sign_in or "/"
        if address.startswith("/"):
            address = self._root + address
        return f"{address}{'&' if '?' in address else '?'}next={quote(next_url, safe='/')}"

    def _asked(self, name: str) -> str | None:
        says = self._says[name]
        if says is None:
            return None
        answers: dict[str, str | PresenceError | None] = g.setdefault(_ANSWERS, {})
        if name not in answers:
            try:
                with self._asking(name):
                    answers[name] = _text(self._host.ensure_sync(says)())
            except _StoppedError:  # before it was known who is there
                answers[name] = None
            except PresenceError as error:  # another function of the same request asks once more, and is told the same
                answers[name] = error
        answer = answers[name]
        if isinstance(answer, PresenceError):
            raise answer
        return answer

    @contextmanager
    def _asking(self, name: str) -> Iterator[None]:
        """Be in a request of the host's; what its function raises is noted by kind and place, whoever it concerns."""
        came_through = True
        try:
            with request_of_host(self._host, request.environ) as came_through:
                yield
        except _WrongAnswerError as error:
            log.error("host_answered_wrongly", function=name, error=str(error))  # noqa: TRY400 - no traceback: it may name somebody
        except Exception as error:  # noqa: BLE001 - it is a stranger's function
            if not came_through:
                log.info("host_stopped_request", function=name, raised=type(error).__name__, where=places(error))
                raise _StoppedError(name) from None
            log.error("host_failed", function=name, error=type(error).__name__, where=places(error))  # noqa: TRY400 - as above
        else:
            return
        raise PresenceError(name)


class _StoppedError(PresenceError):
    """The host has answered the request itself, before its function could know what it is asked for."""


class _WrongAnswerError(Exception):
    """A function of the host's has returned what it must not; its words name no value."""


def _text(answer: Any) -> str | None:
    if answer is None:
        return None
    if not isinstance(answer, str):
        raise _WrongAnswerError(
            f"it returned {type(answer).__name__}; it must return text, such as str(user.id), or None for nobody"
        )
    return str(answer) or None


def _address(answer: Any) -> str:
    if not isinstance(answer, str):
        raise _WrongAnswerError(f"it returned {type(answer).__name__}; it must return the address of the sign-in page")
    scheme = urlsplit(answer).scheme
    if not (answer.startswith("/") or scheme in {"http", "https"}) or not answer.isprintable():
        raise _WrongAnswerError("it returned no address of a page: begin it with a slash, or with https://")
    return str(answer)
