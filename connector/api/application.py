"""The application of the API: how each request is let in, read, carried out and answered."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import partial, update_wrapper
from hashlib import blake2s
from secrets import token_hex
from types import TracebackType
from typing import Any, cast

import msgspec
import structlog
from flask import Flask, Request, Response, current_app, g, request
from sqlalchemy import Connection
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as WaitedTooLongError
from werkzeug.exceptions import HTTPException, InternalServerError, MethodNotAllowed, NotFound

from connector import paths
from connector.api import limits, openapi, pages, problems
from connector.api.bodies import LARGEST_BODY
from connector.api.call import Answer, Call, precondition_required
from connector.api.cursors import Cursor
from connector.api.description import described, read
from connector.api.resources import EVENTS, ROUTES
from connector.api.routes import Route
from connector.api.values import PageQuery
from connector.domain.api_key import ApiKey
from connector.errors import RequestError, RuleError, StandstillError
from connector.failures import trace
from connector.language import wishes
from connector.language.catalogues import Language
from connector.runtime import Runtime
from connector.services import api_keys, idempotency, standstill
from connector.services.idempotency import NamedAct
from connector.storage.database import is_busy

_DOOR = "pencilled-api"
_REQUEST_ID = re.compile(r"[A-Za-z0-9._-]{1,64}")
_JSON = msgspec.json.Encoder()
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
    counts: limits.Counts


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
    app.extensions[_DOOR] = _Door(runtime=runtime, counts=limits.counts(runtime.settings.broker_url))
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
    encoded = None
    with door.runtime.database.read() as db:
        key = _let_in(door, asked, db, route, now=now)
        if not route.writes:
            encoded = _encoded(route, route.view(_call(door, asked, route, key, now=now), db, **path))
    if encoded is None:
        response = _act(asked, route, _call(door, asked, route, key, now=now), path)
    else:
        response = _response(asked, encoded)
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


def _act(asked: Request, route: Route, call: Call[Any, Any], path: dict[str, Any]) -> Response:
    """Act in one transaction; under a name, once."""
    runtime, act = call.runtime, _named(asked, route, call)
    if route.edits and call.expected is None:
        raise precondition_required()
    if route.prepare is not None:
        standstill.refuse(runtime.database)
        if act is not None:
            with runtime.database.read() as db:
                before = idempotency.answered(db, runtime.seal, act)
            if before is not None:
                return _repeated(asked, before)
        call.prepared = route.prepare(call, **path)
    with runtime.database.begin() as db:
        if not api_keys.is_in_use(db, call.key.id):  # revoked while calendars were read
            raise _not_accepted()
        standstill.check(db)
        if act is not None and not idempotency.begin(db, act, now=call.now):
            before = idempotency.answered(db, runtime.seal, act)
            assert before is not None  # noqa: S101 - whoever had begun has ended, or this had begun
            return _repeated(asked, before)
        answer = route.view(call, db, **path)
        if route.edits and not call.matched:
            raise AssertionError(f"{route.name} edits something and compares no version")
        encoded = _encoded(route, answer)
        if act is not None:
            idempotency.keep(db, runtime.seal, act, encoded.kept(), now=call.now)
    for do in call.later:
        do()
    return _response(asked, encoded)


def _named(asked: Request, route: Route, call: Call[Any, Any]) -> NamedAct | None:
    name = asked.headers.get("Idempotency-Key")
    if name is None or route.method != "POST":
        return None
    url = asked.full_path
    return idempotency.named(name, key_id=call.key.id, method=route.method, url=url, body=asked.get_data())


class _Kept(msgspec.Struct, frozen=True):
    """An answer as it is kept for when it is asked for once more."""

    status: int
    body: str
    etag: str
    location: str


@dataclass(frozen=True, slots=True)
class _Encoded:
    """An answer as it is sent."""

    status: int
    body: bytes
    etag: str
    location: str

    def kept(self) -> str:
        """Return it as it is kept."""
        kept = _Kept(status=self.status, body=self.body.decode(), etag=self.etag, location=self.location)
        return msgspec.json.encode(kept).decode()

    @classmethod
    def of(cls, kept: str) -> _Encoded:
        """Return what was kept."""
        found = msgspec.json.decode(kept, type=_Kept)
        return cls(status=found.status, body=found.body.encode(), etag=found.etag, location=found.location)


def _encoded(route: Route, answer: Answer | msgspec.Struct) -> _Encoded:
    if not isinstance(answer, Answer):
        answer = Answer(body=answer)
    declared = route.answers[answer.status]
    if (type(answer.body) if answer.body is not None else None) is not declared:
        raise AssertionError(f"{route.name} answers {answer.status} with {type(answer.body).__name__}")
    body = _JSON.encode(answer.body) if answer.body is not None else b""
    etag = answer.etag or _version(answer.body)
    if not etag and route.compares:
        etag = blake2s(body, digest_size=16).hexdigest()
    return _Encoded(status=answer.status, body=body, etag=etag, location=answer.location)


def _version(body: msgspec.Struct | None) -> str:
    match body:
        case object(version=int(version)):
            return str(version)
        case _:
            return ""


def _response(asked: Request, encoded: _Encoded) -> Response:
    headers = {}
    if encoded.etag:
        headers["ETag"] = f'"{encoded.etag}"'
    if encoded.location:
        headers["Location"] = asked.script_root + encoded.location
    if encoded.etag and asked.method in {"GET", "HEAD"} and _has_seen(asked, encoded.etag):
        return Response(status=304, headers=headers)
    return Response(encoded.body, encoded.status, headers, mimetype="application/json" if encoded.body else None)


def _has_seen(asked: Request, etag: str) -> bool:
    given = asked.headers.get("If-None-Match", "")
    found = [_ETAG.fullmatch(part) for part in given.split(",")] if given else []
    return any(match and (match[1] == etag or match[2]) for match in found)


def _repeated(asked: Request, kept: str) -> Response:
    response = _response(asked, _Encoded.of(kept))
    response.headers["Idempotent-Replayed"] = "true"
    return response


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
    response = _refusal(
        RequestError(
            "The database was set back to an earlier state, and that is being put right. Until then nothing is "
            "changed; nothing is lost. Please try again later.",
            code="standing_still",
            http=503,
        )
    )
    response.headers["Retry-After"] = str(_RETRY_STANDSTILL)
    return response


def _busy(_error: Exception) -> Response:
    response = _refusal(
        RequestError("Others are at work with the same just now. Please try again in a moment.", code="busy", http=503)
    )
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
