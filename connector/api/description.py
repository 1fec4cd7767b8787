"""The description of the API: routes as SpecTree knows them, and the OpenAPI document made of that."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, cast

import msgspec
from flask import Request
from spectree import Response as Answers
from spectree import SpecTree
from spectree.model_adapter.msgspec_adapter import MsgspecModelAdapter

from connector.api.bodies import read_body, read_query
from connector.api.routes import Route
from connector.errors import RequestError

_JSON = "application/json"


def read(route: Route, request: Request) -> tuple[Any, Any]:
    """Return what a request says behind the question mark, and in its body, as its route declares it; read strictly.

    Raises: RequestError that leads to what is wrong.
    """
    return _query(route.query, request), _body(route.body, request)


def may_be_left_out(method: str, kind: type[msgspec.Struct] | None) -> bool:
    """Whether a request need have no body: it is an act, and nothing has to be said about it."""
    return method == "POST" and kind is not None and not any(one.required for one in msgspec.structs.fields(kind))


def _query(kind: Any, request: Request) -> Any:
    if kind is not None:
        return read_query(request.args, kind)
    if request.args:
        name = next(iter(request.args))
        raise RequestError(
            "%(name)s: there is no such field here. Leave it out, or look at how it is written.",
            code="field_unknown",
            http=422,
            pointer=f"/{name}",
            name=name,
        )
    return None


def _body(kind: Any, request: Request) -> Any:
    data = request.get_data()
    if kind is not None and not data and may_be_left_out(request.method, kind):
        return kind()
    if kind is not None:
        if request.mimetype != _JSON:
            raise RequestError(
                "This must be JSON. Send it with Content-Type: application/json.",
                code="body_not_of_json_type",
                http=415,
                field="content_type",
            )
        if request.headers.get("Content-Encoding", "identity").strip().lower() != "identity":
            raise RequestError(
                "This body is compressed. Send it as it is, without Content-Encoding.", code="body_compressed", http=415
            )
        return read_body(data, kind)
    if data.strip() not in (b"", b"{}"):
        raise RequestError("Nothing is read here. Send no body.", code="body_not_empty", http=422)
    return None


SPEC = SpecTree(
    backend_name="flask",
    model_adapter=cast("Any", MsgspecModelAdapter()),  # whose errors are more particular than its protocol's
    naming_strategy=lambda model: str(model.__name__),
    nested_naming_strategy=lambda _parent, child: child,
    mode="strict",
    title="Pencilled",
    version="1",
    openapi_version="3.1.0",
    annotations=False,
)


def described(route: Route) -> Callable[..., Any]:
    """Return the view of a route as SpecTree knows it, to be described alone: what comes in is for `read`."""
    answers = Answers(**{f"HTTP_{status}": kind for status, kind in route.answers.items()})
    decorate = SPEC.validate(
        query=route.query,
        json=route.body,
        resp=answers,
        tags=(route.tag,),
        operation_id=route.name,
    )
    known: Callable[..., Any] = decorate(route.view)
    known.__doc__ = f"{route.summary}\n\n{route.view.__doc__ or ''}"
    return known
