"""Every message there is: the literals of calls that say something, and what templates mark.

Babel collects from templates; in Python, calls say which argument is a plural. What is said another way, and would
never be translated, is found by `sources` and `templates`.
"""

from __future__ import annotations

import ast
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from io import BytesIO
from pathlib import Path
from typing import NamedTuple

from babel.messages.catalog import Catalog
from jinja2.ext import babel_extract

from connector.outbox.wording import spelled_out
from tests.messages import sources, templates
from tests.messages.sources import PACKAGES, PLURAL
from tests.messages.sources import ROOT as ROOT  # noqa: PLC0414  who collects says where from, too

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
    """Yield the messages of a module, and what it says another way."""
    tree = ast.parse(source)
    calls = [node for node in ast.walk(tree) if isinstance(node, ast.Call)]
    for call in sorted(calls, key=lambda node: (node.lineno, node.col_offset)):
        if said := sources.given(call):
            texts = {role: tuple(sources.literals(node)) for role, node in said.items()}
            plural, context = ("".join(texts.get(role, ())) for role in (PLURAL, "context"))
            for text in texts.get("message", ()):
                yield Found(name, call.lineno, Message(text, plural, context))
    yield from (Found(name, line, fault=fault) for line, fault in sources.faults(tree, name))


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
