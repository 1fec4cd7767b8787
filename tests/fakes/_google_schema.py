"""What Google's own description of the Calendar API allows: which requests there are, and what they may carry."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from urllib.parse import unquote

Mask = dict[str, "Mask"]
"""The fields of an answer that are asked for; one that is empty inside is meant as a whole."""

_ROOT = "/calendar/v3/"
_PYTHON = {"string": str, "integer": int, "boolean": bool, "object": dict, "array": list, "number": (int, float)}


@dataclass(frozen=True)
class Method:
    """One method of the description. `pattern` matches its path below the root."""

    id: str
    verb: str
    pattern: re.Pattern[str]
    described: dict[str, Any]

    @property
    def scopes(self) -> frozenset[str]:
        return frozenset(self.described["scopes"])


class Discovery:
    """The document bundled with google-api-python-client."""

    def __init__(self) -> None:
        spec = find_spec("googleapiclient")
        assert spec
        assert spec.origin
        path = Path(spec.origin).parent / "discovery_cache" / "documents" / "calendar.v3.json"
        self._document = json.loads(path.read_text(encoding="utf-8"))
        self._schemas = self._document["schemas"]
        self._methods = [
            Method(method["id"].removeprefix("calendar."), method["httpMethod"], _pattern(method["path"]), method)
            for resource in self._document["resources"].values()
            for method in resource["methods"].values()
        ]

    def find(self, verb: str, path: str) -> tuple[Method, dict[str, str]] | None:
        """Return the method that answers a path, with the path's parameters."""
        if not path.startswith(_ROOT):
            return None
        for method in self._methods:
            found = method.pattern.fullmatch(path.removeprefix(_ROOT))
            if found and method.verb == verb:
                return method, {name: unquote(value) for name, value in found.groupdict().items()}
        return None

    def faults(self, method: Method, query: dict[str, list[str]], body: Any) -> Iterator[str]:
        """Yield what a request has that the description does not."""
        known = self._document["parameters"] | method.described.get("parameters", {})
        for fields in query.get("fields", ()):
            yield from self._unknown(method, mask(fields))
        for name, values in query.items():
            if name not in known or known[name].get("location") != "query":
                yield f"{method.id}: there is no parameter {name}"
                continue
            if len(values) > 1 and not known[name].get("repeated"):
                yield f"{method.id}: {name} is given more than once"
            for value in values:
                yield from _bad_value(f"{method.id}: {name}", known[name], value)
        wanted = method.described.get("request")
        if wanted is None and body is not None:
            yield f"{method.id}: takes no body"
        elif wanted is not None:
            if not isinstance(body, dict):
                yield f"{method.id}: needs a body"
            else:
                clearing = method.verb == "PATCH"
                yield from self._unlike(method.id, {"$ref": wanted["$ref"]}, body, clearing=clearing)
                yield from self._absent(method, body)

    def answer_faults(self, method: Method, body: Any) -> Iterator[str]:
        """Yield what an answer of this fake's own has that the description does not."""
        wanted = method.described.get("response")
        if wanted is not None:
            yield from self._unlike(f"answer to {method.id}", {"$ref": wanted["$ref"]}, body, clearing=False)

    def _unknown(self, method: Method, wanted: Mask) -> Iterator[str]:
        """Yield the fields of an answer that are asked for although it cannot have them."""
        pending = [("", self._schemas[method.described["response"]["$ref"]], wanted)]
        while pending:
            where, schema, names = pending.pop()
            for name, inner in names.items():
                found = schema.get("properties", {}).get(name)
                if found is None:
                    yield f"{method.id}: fields: there is no {where}{name}"
                    continue
                found = found.get("items", found) if found.get("type") == "array" else found
                found = self._schemas[found["$ref"]] if "$ref" in found else found
                if inner:
                    pending.append((f"{where}{name}/", found, inner))

    def _absent(self, method: Method, body: dict[str, Any]) -> Iterator[str]:
        schema = self._schemas[method.described["request"]["$ref"]]
        for name, described in schema.get("properties", {}).items():
            required = described.get("annotations", {}).get("required", [])
            if f"calendar.{method.id}" in required and name not in body:
                yield f"{method.id}: {name} is required"

    def _unlike(self, where: str, schema: dict[str, Any], value: Any, *, clearing: bool) -> Iterator[str]:
        schema = self._schemas[schema["$ref"]] if "$ref" in schema else schema
        if value is None and clearing:
            return
        kind = _PYTHON[schema["type"]]
        if not isinstance(value, kind) or (isinstance(value, bool) and kind is not bool):  # type: ignore[arg-type]
            yield f"{where}: {value!r} is no {schema['type']}"
            return
        if isinstance(value, dict):
            for name, inner in value.items():
                described = schema.get("properties", {}).get(name, schema.get("additionalProperties"))
                if described is None:
                    yield f"{where}: there is no property {name}"
                else:
                    yield from self._unlike(f"{where}.{name}", described, inner, clearing=clearing)
        elif isinstance(value, list):
            for inner in value:
                yield from self._unlike(f"{where}[]", schema["items"], inner, clearing=clearing)
        elif schema.get("format") == "int64" and not re.fullmatch(r"-?\d+", str(value)):
            yield f"{where}: {value!r} is no number"
        elif schema.get("format") == "date-time" and not re.search(r"T.*(Z|[+-]\d\d:\d\d)$", str(value)):
            yield f"{where}: {value!r} names no instant"


def mask(fields: str) -> Mask:
    """Read a partial response's `fields`, such as `timeZone,items(id,start)`."""
    whole: Mask = {}
    inside = [whole]
    name = ""
    for token in re.findall(r"[(),]|[^(),]+", fields):
        if token == "(":
            inside.append(inside[-1][name])
        elif token == ")":
            inside.pop()
        elif token != ",":
            name = token
            inside[-1][name] = {}
    return whole


def selected(value: Any, wanted: Mask) -> Any:
    """Return what of an answer is wanted."""
    if isinstance(value, list):
        return [selected(one, wanted) for one in value]
    if not isinstance(value, dict) or not wanted:
        return value
    return {name: selected(inner, wanted[name]) for name, inner in value.items() if name in wanted}


@cache
def discovery() -> Discovery:
    return Discovery()


def _pattern(path: str) -> re.Pattern[str]:
    return re.compile(re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path)))


def _bad_value(where: str, described: dict[str, Any], value: str) -> Iterator[str]:
    kind = described["type"]
    if kind == "integer" and not value.isdecimal():
        yield f"{where}: {value!r} is no number"
    if kind == "integer" and value.isdecimal() and "maximum" in described and int(value) > int(described["maximum"]):
        yield f"{where}: {value} is too much"
    if kind == "boolean" and value not in {"true", "false"}:
        yield f"{where}: {value!r} is neither true nor false"
    if "enum" in described and value not in described["enum"]:
        yield f"{where}: {value!r} is none of {described['enum']}"
    if described.get("format") == "date-time" and not re.search(r"T.*(Z|[+-]\d\d:\d\d)$", value):
        yield f"{where}: {value!r} names no instant"
