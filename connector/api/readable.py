"""What the OpenAPI document says, as people read it: its texts as paragraphs, its schemas as a word or two."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Collection, Iterator, Mapping
from typing import Any

from markupsafe import Markup, escape

Schema = Mapping[str, Any]
_CODE = re.compile(r"`([^`]+)`")
_BOUNDS = {
    "minLength": "at least {} characters",
    "maxLength": "at most {} characters",
    "minimum": "from {}",
    "maximum": "up to {}",
    "minItems": "at least {}",
    "maxItems": "at most {}",
}
_FORMATS = {"uuid": "UUID", "date-time": "time (RFC 3339)", "date": "date"}


def prose(root: str, codes: Collection[str]) -> Callable[[str], Markup]:
    """Return what writes a text as paragraphs, with what stands in backticks as code, and refusals as links.

    Args:
        root: Where the API begins.
        codes: Of all refusals.
    """

    def mark(found: re.Match[str]) -> str:
        code = found[1]  # escaped already
        shown = f"<code>{code}</code>"
        return f'<a href="{escape(root)}/errors/{code}">{shown}</a>' if code in codes else shown

    def written(text: str) -> Markup:
        parts = (" ".join(part.split()) for part in text.split("\n\n"))
        shown = "\n".join(f"<p>{_CODE.sub(mark, str(escape(part)))}</p>" for part in parts if part)
        return Markup(shown)  # noqa: S704 - escaped above

    return written


def shape(schema: Schema) -> Markup:
    """Return what a schema takes, with links to those that it names."""
    return Markup(", ").join([_kind(schema), *_said(schema)])


def _kind(schema: Schema) -> Markup:
    if "$ref" in schema:
        return Markup('<a href="#{name}"><code>{name}</code></a>').format(name=schema["$ref"].rpartition("/")[2])
    if "anyOf" in schema:
        return Markup(" or ").join(shape(one) for one in schema["anyOf"])
    if "enum" in schema:
        return Markup(", ").join(Markup("<code>{}</code>").format(one) for one in schema["enum"])
    if schema.get("type") == "array":
        return Markup("list of {}").format(shape(schema["items"])) if schema.get("items") else Markup("list")
    named = _FORMATS.get(schema.get("format", ""), schema.get("format")) or schema.get("type", "anything")
    return escape(named)


def _said(schema: Schema) -> Iterator[Markup]:
    for name, words in _BOUNDS.items():
        if name in schema:
            yield escape(words.format(schema[name]))
    if schema.get("default") is not None:
        yield Markup("else <code>{}</code>").format(json.dumps(schema["default"], ensure_ascii=False))
