"""The OpenAPI document: what SpecTree knows of the routes, and what every one of them has in common."""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping, Sequence
from copy import deepcopy
from dataclasses import dataclass
from typing import Any

import msgspec

from connector import paths
from connector.api import problems
from connector.api.description import SPEC, may_be_left_out
from connector.api.problems import MIMETYPE, TITLES, Problem
from connector.api.routes import Route
from connector.api.schemas import complete, has_version, within

Kind = type[msgspec.Struct]
VERSION = "1.0.0"
_SCHEMA = "#/components/schemas/{name}"
_EVERY = (400, 401, 403, 422, 429, 500, 503)
_CONVERTER = re.compile(r"<(?:[a-z]+:)?(\w+)>")
_ABOUT = """\
The REST API of a Pencilled installation: practitioners, clients, sessions, offers of other times, connected calendars.

Show a key with every request, as `Authorization: Bearer pk_…`. What a key may do is its scopes; each route names those
that let one in. Refusals are problem documents (RFC 9457); their `code` stays whatever the words become. Lists go on by
`next`. Edits name the version that was read, as If-Match. Any POST can be named by an Idempotency-Key, and is then done
once. Times carry an offset, and beside it an IANA zone. Version 1 grows: new fields and routes may come, and nothing
that is here goes or changes its meaning, so pass over what you do not know.
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Event:
    """What is sent to a host by itself: its type, a word about it, the struct of its body and an example of that."""

    type: str
    summary: str
    body: Kind
    example: msgspec.Struct


def document(routes: Sequence[Route], events: Sequence[Event], *, public_url: str) -> dict[str, Any]:
    """Return the document of an installation; asked within its application.

    Args:
        routes: Those that there are.
        events: What hosts are sent, for its `webhooks`.
        public_url: Where it is.
    """
    described: dict[str, Any] = deepcopy(SPEC.spec)
    schemas = described["components"]["schemas"]
    for name in ("ValidationError", "ValidationErrorElement"):
        schemas.pop(name, None)
    _add_structs(schemas, routes, events)
    for route in routes:
        _complete(described["paths"][_CONVERTER.sub(r"{\1}", route.path)][route.method.lower()], route, schemas)
    for query in {route.query for route in routes if route.query is not None}:
        del schemas[query.__name__]  # its fields stand with each route
    described["info"] = {"title": "Pencilled", "version": VERSION, "description": _ABOUT}
    described["servers"] = [{"url": public_url + paths.API}]
    described["security"] = [{"key": []}]
    described["components"]["headers"] = {
        name: {"schema": {"type": "string"}, "required": True, "description": said} for name, said in _TOLD.items()
    }
    described["components"]["responses"] = {str(status): _refused(status) for status in TITLES}
    described["components"]["securitySchemes"] = {
        "key": {"type": "http", "scheme": "bearer", "description": "An API key: `pencilled keys api add`."}
    }
    described["webhooks"] = {event.type: {"post": _sent(event)} for event in events}
    return described


def _add_structs(schemas: dict[str, Any], routes: Sequence[Route], events: Sequence[Event]) -> None:
    """Add the structs that SpecTree does not know, and have all of them say what their fields mean."""
    asked = {kind for route in routes for kind in (route.body, route.query, *route.answers.values()) if kind}
    kinds: list[Kind] = [Problem, *problems.parts(), *(event.body for event in events)]
    _, own = msgspec.json.schema_components(kinds, ref_template=_SCHEMA)
    for name, schema in own.items():
        schemas.setdefault(name, schema)
    for name, kind in within(*asked, *kinds).items():
        complete(schemas[name], kind)
    for part in problems.parts():
        schemas["Problem"]["properties"] |= schemas.pop(part.__name__)["properties"]


def _complete(operation: dict[str, Any], route: Route, schemas: Mapping[str, Any]) -> None:
    """Add what every route has: how it is let in, its header fields, its refusals and its example."""
    scopes = " or ".join(f"`{scope}`" for scope in sorted(route.scopes))
    refuses = f"\n\nIts refusals: {', '.join(f'`{code}`' for code in sorted(route.refuses))}." if route.refuses else ""
    operation["description"] = f"{operation['description']}\n\nFor keys with the scope {scopes}.{refuses}".strip()
    operation["x-scopes"] = sorted(route.scopes)
    operation["security"] = [{"key": []}]
    if route.query is not None:
        _tell_of_query(operation, schemas[route.query.__name__])
    operation["parameters"] += [_HEADERS[name] for name in _headers(route)]
    answers = operation["responses"]
    answers.pop("422", None)
    for status in route.answers:
        answers[str(status)]["headers"] = _told(_answered_with(route, status))
    if route.compares:
        answers["304"] = {
            "description": "What If-None-Match names is what stands.",
            "headers": _told(("X-Request-Id", "RateLimit", "RateLimit-Policy", "ETag")),
        }
    for status in _refusals(route):
        answers[str(status)] = {"$ref": f"#/components/responses/{status}"}
    if route.body is not None:
        operation["requestBody"]["required"] = not may_be_left_out(route.method, route.body)
    if route.example is not None:
        operation["requestBody"]["content"]["application/json"]["example"] = msgspec.to_builtins(route.example)


def _tell_of_query(operation: Mapping[str, Any], schema: Mapping[str, Any]) -> None:
    for parameter in operation["parameters"]:
        if parameter["in"] == "query":
            shown = dict(schema["properties"][parameter["name"]])
            described = shown.pop("description", "")
            if one := [kind for kind in shown.get("anyOf", ()) if kind != {"type": "null"}]:
                shown = dict(one[0])  # left out is what null is in a body
            parameter["description"] = described or shown.get("description", "")
            parameter["schema"] = {name: said for name, said in shown.items() if name != "description"}


def _headers(route: Route) -> Iterable[str]:
    if route.matches:
        yield "If-Match"
    if route.method == "POST":
        yield "Idempotency-Key"
    if route.compares:
        yield "If-None-Match"
    yield "Accept-Language"


def _refusals(route: Route) -> Iterable[int]:
    yield from _EVERY
    if "<" in route.path or any(code.endswith("_not_found") for code in route.refuses):
        yield 404
    if route.writes:
        yield 409
        yield 413
    if route.body is not None:
        yield 415
    if route.matches:
        yield from (412, 428)


def _answered_with(route: Route, status: int) -> Iterable[str]:
    yield from ("X-Request-Id", "RateLimit", "RateLimit-Policy")
    versioned = has_version(route.answers[status])
    if versioned or route.compares:
        yield "ETag"
    if status == 201 and versioned:  # noqa: PLR2004 - created
        yield "Location"


def _refused_with(status: int) -> Iterable[str]:
    yield from ("X-Request-Id", "Content-Language")
    if status == 401:  # noqa: PLR2004 - unauthorized
        yield "WWW-Authenticate"
    if status in (429, 503):
        yield "Retry-After"


def _refused(status: int) -> Mapping[str, Any]:
    return {
        "description": TITLES[status],
        "headers": _told(_refused_with(status)),
        "content": {MIMETYPE: {"schema": {"$ref": _SCHEMA.format(name="Problem")}}},
    }


def _told(names: Iterable[str]) -> Mapping[str, Any]:
    return {name: {"$ref": f"#/components/headers/{name}"} for name in names}


def _sent(event: Event) -> Mapping[str, Any]:
    content = {
        "schema": {"$ref": _SCHEMA.format(name=event.body.__name__)},
        "example": msgspec.to_builtins(event.example),
    }
    return {
        "summary": event.summary,
        "operationId": f"told.{event.type}",
        "tags": ["outcomes"],
        "security": [],
        "requestBody": {"required": True, "content": {"application/json": content}},
        "responses": {"2XX": {"description": "It has arrived, and is not sent again."}},
    }


def _header(name: str, description: str, **schema: object) -> Mapping[str, Any]:
    return {
        "name": name,
        "in": "header",
        "required": False,
        "schema": {"type": "string", **schema},
        "description": description,
    }


_HEADERS: Mapping[str, Mapping[str, Any]] = {
    "If-Match": _header(
        "If-Match", "The ETag of the version that is to be changed, or `*`; without it the answer is 428."
    ),
    "If-None-Match": _header("If-None-Match", "The ETag of what is known: while it stands, the answer is 304."),
    "Idempotency-Key": _header(
        "Idempotency-Key",
        "A name for this act: asked for again under it, it is not done again.",
        pattern="^[!-~]{1,255}$",
    ),
    "Accept-Language": _header("Accept-Language", "In which language refusals are said, such as `de`."),
}
_TOLD: Mapping[str, str] = {
    "X-Request-Id": "The id of this request, as it stands in the log; yours if you sent one.",
    "RateLimit": "How many requests are left in this minute, and for how many seconds it lasts.",
    "RateLimit-Policy": "How many requests a minute this key may make.",
    "ETag": "The version of what is answered.",
    "Location": "Where what was made is found, if it can be read.",
    "Content-Language": "In which language the words are.",
    "Retry-After": "After how many seconds to ask again.",
    "WWW-Authenticate": "How to show a key.",
}
