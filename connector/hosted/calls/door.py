"""The door by which the host comes in whose process we are: the API's own routes, without a request.

What is given goes the way of a request's body: it is written as JSON and read strictly, as the route declares it. So
nothing can be said here that cannot be said there, and what is wrong is refused in the same words. What a view answers
is returned as the struct that programs read.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any, TypeVar
from uuid import UUID

import msgspec
from msgspec import UNSET
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as WaitedTooLongError

from connector.api import acts
from connector.api.acts import Answered
from connector.api.bodies import read_body
from connector.api.call import ANY_VERSION, Call
from connector.api.cursors import Cursor
from connector.api.resources import ROUTES
from connector.api.routes import Route
from connector.api.values import SoughtId
from connector.domain.people import Actor, Role
from connector.errors import NotFoundError, RequestError, RuleError, StandstillError
from connector.language.offered import ENGLISH
from connector.runtime import Runtime
from connector.services import idempotency
from connector.services.idempotency import NamedAct
from connector.storage.database import is_busy

Id = str | UUID
"""What the host calls something; a UUID is what we call it."""

Answer = TypeVar("Answer")
_HOST = UUID(int=0)  # acts that name themselves do so within one API key; the host in this process has none
_PAGE = 100
_ROUTES: Mapping[str, Route] = {route.name: route for route in ROUTES}
_NOT_FOUND: Mapping[str, Callable[[], RuleError]] = {
    "practitioners.listed": lambda: NotFoundError("There is no such practitioner.", code="practitioner_not_found"),
    "clients.listed": lambda: NotFoundError("There is no such client.", code="client_not_found"),
    "sessions.every": lambda: NotFoundError("There is no such session.", code="session_not_found"),
    "offers.every": lambda: NotFoundError("There is no such offer.", code="offer_not_found"),
    "connections.listed": lambda: NotFoundError("There is no such connection.", code="connection_not_found"),
}


class Door:
    """Carries out routes of the API for the host in this process. Any thread may use it.

    Each call is a transaction of its own, which has ended when it returns, whatever the host's own does.

    Args:
        runtime: Returns the installation, opened when it is first asked for.
        locale: In which language something is said to whoever asks.
    """

    def __init__(self, runtime: Callable[[], Runtime], *, locale: str = ENGLISH) -> None:
        self._runtime = runtime
        self._locale = locale

    def speaking(self, locale: str) -> Door:
        """Return a door where something is said in the nearest language on offer."""
        return Door(self._runtime, locale=locale)

    def say(self, error: RuleError) -> str:
        """Return what a refusal says to people."""
        return self._runtime().languages.of(self._locale).refusal(error)

    def ask(
        self,
        name: str,
        kind: type[Answer],
        *,
        path: Mapping[str, Id] | None = None,
        query: Mapping[str, Any] | None = None,
        body: Mapping[str, Any] | None = None,
        version: int | None = None,
        once: str = "",
    ) -> Answer:
        """Return what a route answers.

        Args:
            name: Of the route.
            kind: What it answers.
            path: What its path names.
            query: What stands behind the question mark; what is UNSET is left out.
            body: What it is told; likewise.
            version: The one that is to be changed; None for whichever there is.
            once: The name of the act: asked for again under it within a day, it is not done again.

        Raises: RuleError, also while a restored database waits, and while others are at work with the same.
        """
        answered = self._answered(_ROUTES[name], path or {}, query or {}, body, version=version, once=once)
        declared = _ROUTES[name].answers[answered.status]
        found: object = msgspec.json.decode(answered.body, type=declared) if declared is not None else None
        if not isinstance(found, kind):
            raise TypeError(f"{name} answers {type(found).__name__}")
        return found

    def pages(self, name: str, kind: type[Answer], **query: Any) -> Iterator[Answer]:
        """Yield what a list has, each of this kind, page after page, which is read when it is needed."""
        return self.listed(name, kind, path={}, query=query)

    def listed(
        self, name: str, kind: type[Answer], *, path: Mapping[str, Id], query: Mapping[str, Any]
    ) -> Iterator[Answer]:
        """Yield likewise what a list has whose path names something."""
        cursor: str | None = ""
        while cursor is not None:
            page = self._page(name, path=path, query={**query, "cursor": cursor, "limit": _PAGE})
            for item in page.items:
                if not isinstance(item, kind):
                    raise TypeError(f"{name} lists {type(item).__name__}")
                yield item
            cursor = page.next

    def practitioner(self, given: Id) -> UUID:
        """Return our id of a practitioner. Raises: NotFoundError."""
        return self._found("practitioners.listed", given)

    def client(self, given: Id) -> UUID:
        """Return our id of a client. Raises: NotFoundError."""
        return self._found("clients.listed", given)

    def session(self, given: Id) -> UUID:
        """Return our id of a session. Raises: NotFoundError."""
        return self._found("sessions.every", given)

    def offer(self, given: Id) -> UUID:
        """Return our id of an offer. Raises: NotFoundError."""
        return self._found("offers.every", given)

    def connection(self, given: Id) -> UUID:
        """Return our id of a connection. Raises: NotFoundError."""
        return self._found("connections.listed", given)

    def _page(self, name: str, *, path: Mapping[str, Id], query: Mapping[str, Any]) -> Any:
        """Return one page of a list, with `items` and `next`."""
        return self.ask(name, msgspec.Struct, path=path, query=query)

    def _found(self, name: str, given: Id) -> UUID:
        if isinstance(given, UUID):
            return given
        own = read_body(_json(given), SoughtId)
        items = self._page(name, path={}, query={"external_id": own, "limit": 1}).items
        if not items:
            refusal = _NOT_FOUND[name]()
            raise refusal
        found: UUID = items[0].id
        return found

    def _answered(
        self,
        route: Route,
        path: Mapping[str, Id],
        query: Mapping[str, Any],
        body: Mapping[str, Any] | None,
        *,
        version: int | None,
        once: str,
    ) -> Answered:
        runtime = self._runtime()
        told = _written(body)
        read_query = read_body(_written(query), route.query) if route.query is not None else None
        call: Call[Any, Any] = Call(
            runtime=runtime,
            key=None,
            by=Actor(role=Role.HOST),
            now=runtime.clock(),
            speak=lambda: runtime.languages.of(self._locale),
            body=read_body(told, route.body) if route.body is not None else None,
            query=read_query,
            cursor=_cursor(runtime, route, path, read_query),
            expected=frozenset({ANY_VERSION if version is None else str(version)}),
        )
        named = _named(once, route, path, told) if once else None
        try:
            answered = _carried_out(route, call, path, named)
        except StandstillError:
            raise acts.standing_still() from None
        except WaitedTooLongError as error:
            raise acts.busy() from error
        except DBAPIError as error:
            if is_busy(error):
                raise acts.busy() from error
            raise
        call.do_later()
        return answered


def said(**values: Any) -> dict[str, Any]:
    """Return what is said, without what is left out."""
    return {name: value for name, value in values.items() if value is not UNSET}


def _carried_out(route: Route, call: Call[Any, Any], path: Mapping[str, Id], named: NamedAct | None) -> Answered:
    if route.writes:
        return acts.act(route, call, path, named=named, let_in=_let_in)
    with call.runtime.database.read() as db:
        return acts.look(route, call, db, path)


def _let_in(_db: Connection) -> None:
    """Let the host in: it is who runs us."""


def _written(values: Mapping[str, Any] | None) -> bytes:
    return _json(said(**values) if values else {})


def _json(value: Any) -> bytes:
    try:
        return msgspec.json.encode(value)
    except UnicodeEncodeError as error:
        raise RequestError(
            "There is half a character here, as no text has it. Leave it out.", code="text_malformed", http=422
        ) from error


def _named(once: str, route: Route, path: Mapping[str, Id], told: bytes) -> NamedAct:
    url = f"{route.name} {sorted((name, str(value)) for name, value in path.items())}"
    return idempotency.named(once, key_id=_HOST, method=route.method, url=url, body=told)


def _cursor(runtime: Runtime, route: Route, path: Mapping[str, Id], query: Any) -> Cursor:
    if not route.lists:
        return Cursor(runtime.seal, bound="")
    filters = {name: value for name, value in msgspec.to_builtins(query).items() if name not in {"cursor", "limit"}}
    bound = f"{route.name} {sorted(path.items())} {sorted(filters.items(), key=str)}"
    return Cursor(runtime.seal, bound=bound, text=query.cursor, limit=query.limit)
