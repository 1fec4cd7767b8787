"""Every message there is: the literals of calls that say something, and what templates mark.

Babel collects; what it cannot tell in Python is read here: which argument is a plural, and an f-string where a message
belongs, which would never be translated.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from babel.messages.catalog import Catalog
from jinja2.ext import babel_extract

from connector import errors
from connector.outbox.wording import spelled_out
from tests.messages import templates

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("connector", "providers", "webhooks")
PLURAL = "plural"


def is_refusal(kind: object) -> bool:
    """Whether something is the class of what the domain refuses."""
    return isinstance(kind, type) and issubclass(kind, errors.RuleError)


# What each positional argument of a call is; `plural` may also be given by name.
CALLS: Mapping[str, tuple[str, ...]] = {
    "gettext": ("message",),
    "ngettext": ("message", PLURAL),
    "pgettext": ("context", "message"),
    "npgettext": ("context", "message", PLURAL),
    "say": ("message",),
    "say_n": ("message", PLURAL),
    "say_as": ("context", "message"),
    "marked": ("message",),
    "Sentence": ("message",),
    "adding": ("message",),
    **{name: ("message",) for name, kind in vars(errors).items() if is_refusal(kind)},
}
_IN_ENGLISH = ("connector/cli/demo/",)  # the demo explains itself in English
# As the environments of letters and pages read their templates; see `connector/language/templates.py`.
TEMPLATE_OPTIONS = {"newstyle_gettext": "true", "trimmed": "true", "silent": "false"}


class Message(NamedTuple):
    """One message: its English, for more than one if it counts something, and what it means if that is not plain."""

    text: str
    plural: str = ""
    context: str = ""


@dataclass(frozen=True, slots=True)
class Found:
    """A message, or what is wrong where one belongs, and where it stands."""

    file: str
    line: int
    message: Message | None = None
    fault: str = ""


def every(root: Path = ROOT) -> Iterator[Found]:
    """Yield every message of the packages, in the order of files and lines."""
    for package in PACKAGES:
        for path in sorted((root / package).rglob("*")):
            name = path.relative_to(root).as_posix()
            if path.suffix == ".py" and "migrations" not in path.parts:
                yield from in_python(path.read_text(encoding="utf-8"), name)
            elif path.suffix in {".html", ".txt"} and "templates" in path.parts:
                yield from in_template(path.read_text(encoding="utf-8"), name)


def catalogue(found: Iterable[Found]) -> Catalog:
    """Return what a translator is given: each message once, with the files that say it."""
    collected = Catalog(fuzzy=False)
    for one in found:
        if one.message is not None:
            text, plural, context = one.message
            collected.add((text, plural) if plural else text, locations=[(one.file, 1)], context=context or None)
    return collected


def in_python(source: str, name: str) -> Iterator[Found]:
    """Yield the messages of a module."""
    calls = [node for node in ast.walk(ast.parse(source)) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        if roles := CALLS.get(_called(call)):
            yield from _of_call(call, roles, name)


def in_template(source: str, name: str) -> Iterator[Found]:
    """Yield the messages of a template, and what it says without one; in a letter's, every text is a message."""
    is_page = name.endswith(".html")
    if not is_page:
        source = spelled_out(source)
    if not name.startswith(_IN_ENGLISH):
        yield from (Found(name, line, fault=fault) for line, fault in templates.faults(source, is_page=is_page))
    for line, function, parts, _ in babel_extract(BytesIO(source.encode()), templates.CALLS, [], TEMPLATE_OPTIONS):
        texts = [parts] if isinstance(parts, str) else [part for part in parts or () if part is not None]
        context = texts.pop(0) if function and function.endswith("pgettext") else ""
        if texts and texts[0]:
            yield Found(name, line, Message(texts[0], "".join(texts[1:2]), context))


def _called(call: ast.Call) -> str:
    match call.func:
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


def _of_call(call: ast.Call, roles: tuple[str, ...], name: str) -> Iterator[Found]:
    given = dict(zip(roles, call.args, strict=False))
    given |= {keyword.arg: keyword.value for keyword in call.keywords if keyword.arg == PLURAL and PLURAL not in given}
    faults = [node for node in given.values() if _is_made(node)]
    for node in faults:
        yield Found(name, node.lineno, fault=f"{ast.unparse(node)} is put together, so nobody can translate it")
    if faults or "message" not in given:
        return
    plural, context = (_literal(given[role]) if role in given else "" for role in (PLURAL, "context"))
    for text in _literals(given["message"]):
        yield Found(name, call.lineno, Message(text, plural, context))


def _is_made(node: ast.expr) -> bool:
    """Whether a text is put together at run time; a plain variable comes from a message that is marked elsewhere."""
    match node:
        case ast.JoinedStr() | ast.BinOp() | ast.Call(func=ast.Attribute(value=ast.Constant())):
            return True
        case ast.IfExp(body=body, orelse=other):
            return _is_made(body) or _is_made(other)
        case _:
            return False


def _literals(node: ast.expr) -> Iterator[str]:
    match node:
        case ast.IfExp(body=body, orelse=other):
            yield from _literals(body)
            yield from _literals(other)
        case _ if text := _literal(node):
            yield text


def _literal(node: ast.expr) -> str:
    return node.value if isinstance(node, ast.Constant) and isinstance(node.value, str) else ""
