"""What people read of the API: the description as JSON and as a page, and a page for each refusal; no key is needed."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

import msgspec
from flask import Flask, Response, request
from jinja2 import Environment, FileSystemLoader, StrictUndefined, select_autoescape

from connector.api import readable, refusals
from connector.errors import NotFoundError
from connector.language.catalogues import Language
from connector.language.templates import speak

_FILE = "openapi.json"
_HERE = Path(__file__).parent
_POLICY = "default-src 'none'; style-src 'self'; form-action 'none'; frame-ancestors 'none'; base-uri 'none'"
_FILLED = re.compile(r"%\((\w+)\)s")


def add(app: Flask, document: Callable[[], Mapping[str, Any]], language: Callable[[], Language]) -> None:
    """Add them to the application.

    Args:
        app: The API's.
        document: Returns the OpenAPI document.
        language: Returns that of the request.
    """
    rules: Mapping[str, tuple[str, Callable[..., Response]]] = {
        "/": ("description", lambda: _description(document(), language())),
        f"/{_FILE}": ("openapi", lambda: _json(document())),
        "/errors/<code>": ("refusal", lambda code: _refusal(code, language())),
        "/style.css": ("style", _style),
    }
    for path, (name, view) in rules.items():
        app.add_url_rule(path, f"read.{name}", view, methods=["GET"], provide_automatic_options=False)


def _description(document: Mapping[str, Any], language: Language) -> Response:
    said = readable.prose(request.script_root, refusals.every())
    return _page("description.html", language, described=document, file=_FILE, prose=said, shape=readable.shape)


def _json(document: Mapping[str, Any]) -> Response:
    return Response(msgspec.json.encode(document), mimetype="application/json")


def _refusal(code: str, language: Language) -> Response:
    found = refusals.every().get(code)
    if found is None:
        raise NotFoundError("There is no refusal of this code.", code="refusal_not_found")
    return _page("refusal.html", language, refusal=found, said=list(_said(found.words, language)))


def _said(words: tuple[str, ...], language: Language) -> Iterator[str]:
    """Yield what a refusal says, with a mark where something is filled in."""
    for why in words:
        yield _FILLED.sub("…", language.gettext(why)).replace("%%", "%")


def _page(template: str, language: Language, **content: Any) -> Response:
    environment = Environment(
        loader=FileSystemLoader(_HERE / "templates"),
        undefined=StrictUndefined,
        autoescape=select_autoescape(),
        trim_blocks=True,
        lstrip_blocks=True,
    )
    text = (
        speak(environment, language)
        .get_template(template)
        .render(language=language, root=request.script_root, **content)
    )
    response = Response(text, mimetype="text/html")
    response.headers["Content-Security-Policy"] = _POLICY
    response.headers["Content-Language"] = language.tag.replace("_", "-")
    response.vary.add("Accept-Language")
    return response


def _style() -> Response:
    response = Response((_HERE / "static" / "style.css").read_bytes(), mimetype="text/css")
    response.headers["Cache-Control"] = "public, max-age=3600"
    return response
