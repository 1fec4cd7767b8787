"""The application of the API: how each request is let in, read, carried out and answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, update_wrapper
from secrets import token_hex
from types import TracebackType
from typing import Any, cast

import structlog
from flask import Flask, Request, Response, current_app, g, request
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as WaitedTooLongError
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed, NotFound

from connector import paths
from connector.api import acts, limits, openapi, pages, problems
from connector.api.acts import Answered
from connector.api.bodies import LARGEST_BODY
from connector.api.call import Call
from connector.api.cursors import Cursor
from connector.api.description import described, read
from connector.api.resources import EVENTS, ROUTES
from connector.api.routes import Route
from connector.api.values import PageQuery
from connector.counts import Counts
from connector.domain.api_key import ApiKey
from connector.errors import RequestError, RuleError, StandstillError
from connector.failures import trace
from connector.language import wishes
from connector.language.catalogues import Language
from connector.runtime import Runtime
from connector.services import api_keys, idempotency
from connector.services.idempotency import NamedAct
from connector.storage.database import is_busy

_DOOR = "pencilled-api"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_ETAG = re.compile(r'\s*(?:W/)?"([^"]*)"\s*|\s*(\*)\s*')
_ALWAYS = (("X-Content-Type-Options", "nosniff"), ("X-Robots-Tag", "noindex, nofollow"))
_ENCRYPTED = ("Strict-Transport-Security", "max-age=31536000")
_RETRY_BUSY, _RETRY_STANDSTILL = 1, 60  # seconds

log = structlog.get_logger(__name__)


class _Api(Flask):
    """A Flask whose log says where a fault is, and never whom it concerns."""

    def ensure_sync(self, func: Callable[..., Any]) -> Callable[..., Any]:
        """Return a function as it is: none of ours is a coroutine, which is looked at for each call of each."""
        return func

    def log_exception(
        self,
        exc_info: tuple[type[BaseException], BaseException, TracebackType | None] | tuple[None, None, None],
    ) -> None:
        """Log a fault by its kind and place: messages may carry names."""
        log.error(
            "api_failed",
            endpoint=request.endpoint,
            method=request.method,
            error=exc_info[0].__name__ if exc_info[0] else None,
            where=trace(exc_info[1])[-3:] if isinstance(exc_info[1], Exception) else [],
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Door:
    runtime: Runtime
    counts: Counts


class _Document:
    """The OpenAPI document of an installation, made when it is first asked for."""

    def __init__(self, runtime: Runtime) -> None:
        self._url = runtime.settings.public_url
        self._made: dict[str, Any] | None = None

    def __call__(self) -> dict[str, Any]:
        if self._made is None:
            self._made = openapi.document(ROUTES, EVENTS, public_url=self._url)
        return self._made


def create(runtime: Runtime) -> Flask:
    """Make the API of one installation."""
    app = _Api("connector.api", static_folder=None)
    app.extensions[_DOOR] = _Door(runtime=runtime, counts=runtime.counts)
    app.config["MAX_CONTENT_LENGTH"] = LARGEST_BODY
    app.url_map.merge_slashes = False
    app.url_map.redirect_defaults = False
    for route, view in _VIEWS:
        app.add_url_rule(route.path, route.name, view, methods=[route.method], provide_automatic_options=False)
    pages.add(app, _Document(runtime), _language)
    app.before_request(_begin)
    app.teardown_request(_end)
    secure = runtime.settings.public_url.startswith("https://")
    app.after_request(partial(_finish, always=(*_ALWAYS, _ENCRYPTED) if secure else _ALWAYS))
    app.register_error_handler(RuleError, _refusal)
    app.register_error_handler(StandstillError, _later)
    app.register_error_handler(HTTPException, _fault)
    app.register_error_handler(DBAPIError, _database)
    app.register_error_handler(WaitedTooLongError, _busy)
    return app


def _begin() -> None:
    given = request.headers.get("X-Request-Id", "")
    g.request_id = given if _REQUEST_ID.fullmatch(given) else token_hex(16)
    g.bound = structlog.contextvars.bind_contextvars(request_id=g.request_id)
    if request.environ["PATH_INFO"].startswith("//"):
        raise NotFound  # werkzeug would take it for the address with one slash


def _end(_error: BaseException | None) -> None:
    if "bound" in g:
        structlog.contextvars.reset_contextvars(**g.bound)


def _finish(response: Response, *, always: Sequence[tuple[str, str]]) -> Response:
    headers = response.headers
    headers.extend((*always, *g.get("pace", ()), ("X-Request-Id", g.request_id)))
    headers.setdefault("Cache-Control", "no-store")
    headers.add("Vary", "Accept-Language")
    return response


def _serve(route: Route, **path: Any) -> Response:
    """Answer a request: let its key in, read what it says, carry out what it asks for."""
    door, asked = _door(), _asked()
    now = door.runtime.clock()
    response = None
    with door.runtime.database.read() as db:
        key = _let_in(door, asked, db, route, now=now)
        if not route.writes:
            response = _look(asked, route, _call(door, asked, route, key, now=now), db, path)
    if response is None:
        response = _act(asked, route, _call(door, asked, route, key, now=now), key, path)
    if api_keys.is_use_untold(key, now=now):
        response.call_on_close(partial(api_keys.note_used, door.runtime.database, key, now=now))
    return response


def _let_in(door: _Door, asked: Request, db: Connection, route: Route, *, now: Any) -> ApiKey:
    """Return the key that a request shows.

    Raises: RequestError if it lets nobody in, may not do this, or has come too often.
    """
    kind, _, secret = asked.headers.get("Authorization", "").partition(" ")
    key = api_keys.find(db, secret.strip()) if kind.lower() == "bearer" and secret.strip() else None
    if key is None:
        if secret:
            limits.note_guess(door.counts, asked.remote_addr or "", now=now)
        raise _not_accepted()
    pace, may = limits.pace(door.counts, key.id.hex, allowed=door.runtime.settings.api_rate, now=now)
    g.pace = pace.headers
    if not may:
        raise limits.too_often()
    if not key.has_one_of(route.scopes):
        raise RequestError(
            "This key may not do that. It takes one with the scope %(scopes)s.",
            code="scope_missing",
            http=403,
            scopes=" / ".join(sorted(route.scopes)),
        )
    return key


def _not_accepted() -> RequestError:
    return RequestError(
        "Show an API key that is in use, as Authorization: Bearer pk_… does.", code="key_not_accepted", http=401
    )


def _call(door: _Door, asked: Request, route: Route, key: ApiKey, *, now: Any) -> Call[Any, Any]:
    query, body = read(route, asked)
    return Call(
        runtime=door.runtime,
        key=key,
        by=key.actor,
        now=now,
        speak=_language,
        body=body,
        query=query,
        cursor=_cursor(door, asked, key, query) if route.lists else Cursor(door.runtime.seal, bound=""),
        expected=_expected(asked),
    )


def _cursor(door: _Door, asked: Request, key: ApiKey, query: PageQuery) -> Cursor:
    filters = sorted((name, value) for name, value in asked.args.items() if name not in ("cursor", "limit"))
    bound = f"{asked.path} {filters} {key.practitioner_id}"
    return Cursor(door.runtime.seal, bound=bound, text=query.cursor, limit=query.limit)


def _expected(asked: Request) -> frozenset[str] | None:
    header = asked.headers.get("If-Match")
    if header is None:
        return None
    found = [_ETAG.fullmatch(part) for part in header.split(",")]
    return frozenset(match[1] or match[2] for match in found if match)


def _look(asked: Request, route: Route, call: Call[Any, Any], db: Connection, path: dict[str, Any]) -> Response:
    response = _response(asked, acts.look(route, call, db, path))
    if call.later:
        response.call_on_close(call.do_later)
    return response


def _act(asked: Request, route: Route, call: Call[Any, Any], key: ApiKey, path: dict[str, Any]) -> Response:
    """Act in one transaction; under a name, once."""

    def let_in(db: Connection) -> None:
        if not api_keys.is_in_use(db, key.id):  # revoked while calendars were read
            raise _not_accepted()

    answered = acts.act(route, call, path, named=_named(asked, route, key), let_in=let_in)
    call.do_later()
    return _response(asked, answered)


def _named(asked: Request, route: Route, key: ApiKey) -> NamedAct | None:
    name = asked.headers.get("Idempotency-Key")
    if name is None or route.method != "POST":
        return None
    url = asked.full_path
    return idempotency.named(name, key_id=key.id, method=route.method, url=url, body=asked.get_data())


def _response(asked: Request, answered: Answered) -> Response:
    headers = {}
    if answered.etag:
        headers["ETag"] = f'"{answered.etag}"'
    if answered.location:
        headers["Location"] = asked.script_root + answered.location
    if answered.repeated:
        headers["Idempotent-Replayed"] = "true"
    if answered.etag and asked.method in {"GET", "HEAD"} and _has_seen(asked, answered.etag):
        return Response(status=304, headers=headers)
    return Response(answered.body, answered.status, headers, mimetype="application/json" if answered.body else None)


def _has_seen(asked: Request, etag: str) -> bool:
    given = asked.headers.get("If-None-Match", "")
    found = [_ETAG.fullmatch(part) for part in given.split(",")] if given else []
    return any(match and (match[1] == etag or match[2]) for match in found)


def _view(route: Route) -> Callable[..., Response]:
    """Return what Flask calls; SpecTree finds what it knows of the route behind it."""
    return update_wrapper(partial(_serve, route), described(route))


_VIEWS = tuple((route, _view(route)) for route in ROUTES)
_BY_NAME = {route.name: route for route in ROUTES}


def _refusal(error: RuleError) -> Response:
    route = _BY_NAME.get(request.endpoint or "")
    response = problems.of(
        error,
        _language(),
        address=_errors_address(),
        request_id=g.request_id,
        pointers=route.pointers if route else {},
    )
    if error.status == 401:  # noqa: PLR2004 - unauthorized
        response.headers["WWW-Authenticate"] = "Bearer"
    if error.status == 429:  # noqa: PLR2004 - too many requests
        response.headers["Retry-After"] = str(limits.seconds_left(_door().runtime.clock()))
    return response


def _later(_error: StandstillError) -> Response:
    response = _refusal(acts.standing_still())
    response.headers["Retry-After"] = str(_RETRY_STANDSTILL)
    return response


def _busy(_error: Exception) -> Response:
    response = _refusal(acts.busy())
    response.headers["Retry-After"] = str(_RETRY_BUSY)
    return response


def _database(error: DBAPIError) -> Response:
    if is_busy(error):
        return _busy(error)
    raise error


def _fault(error: HTTPException) -> Response:
    response = _refusal(_fault_of(error.code if not isinstance(error, InternalServerError) else 500))
    if isinstance(error, MethodNotAllowed):
        response.allow.update(error.valid_methods or ())
    return response


def _fault_of(status: int | None) -> RequestError:
    """Return the refusal of what no view has refused."""
    match status:
        case 404:
            return RequestError(
                "There is nothing here. The description at /api/v1/ has every path.", code="not_found", http=404
            )
        case 405:
            return RequestError("That cannot be done here.", code="method_not_allowed", http=405)
        case 413:
            return RequestError("The body of this request is too large.", code="body_too_large", http=413)
        case 500:
            return RequestError(
                "Something went wrong here. It is noted in the log, under the id of this request.",
                code="failed",
                http=500,
            )
        case _:
            return RequestError("This request cannot be read.", code="request_malformed", http=400)


def _asked() -> Request:
    """Return the request itself: to ask for something by what stands for it takes several steps each time."""
    return cast("Request", request._get_current_object())  # type: ignore[attr-defined]  # noqa: SLF001 - documented


def _door() -> _Door:
    door: _Door = current_app.extensions[_DOOR]
    return door


def _language() -> Language:
    if "language" not in g:
        g.language = wishes.preferred(_door().runtime.languages, request.headers.get("Accept-Language", ""))
    spoken: Language = g.language
    return spoken


def _errors_address() -> str:
    return f"{_door().runtime.settings.public_url}{paths.API}/errors"
