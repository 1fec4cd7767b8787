"""What a template says without a message: text between tags, attributes that are read, and words in expressions.

A template is laid out flat: what stands in it as it is, with every branch of every condition one after another, and for
a value a dot. Of that, HTML tells what a person reads. Words that an expression hands on, to a macro or a variable, are
no text yet, and are told from the names that code uses by how they are written.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Sequence
from collections.abc import Set as AbstractSet
from html.parser import HTMLParser

from jinja2 import Environment, nodes

from connector.language import po
from connector.language.templates import EXTENSION
from tests.messages.checking import unfilled

# What says a message, with how many texts stand first.
_TEXTS = {"_": 1, "gettext": 1, "ngettext": 2, "pgettext": 2, "npgettext": 3}
CALLS = tuple(_TEXTS)
# Messages that stand in a view under such a name; whoever fills it marks them.
HANDED_ON = frozenset({"advice", "channel", "who", "why"})
# Words of code that are written like words of people: classes of the style sheet, beginnings of titles in calendars.
_NAMES = frozenset({"plain grave", "Session", "Hold"})
# A block that fills in an attribute which is not read.
_BLOCKS = frozenset({"width"})
_READ = frozenset({"alt", "aria-label", "aria-description", "label", "placeholder", "title"})
_BUTTONS = frozenset({"button", "reset", "submit"})
_UNREAD = frozenset({"script", "style"})
_WORD = re.compile(r"[^\W\d_]{2}")
_WORDS = re.compile(r"^[^\W\d_a-z]|[^\W\d_]{2,} [^\W\d_]", re.MULTILINE)
# Of a letter: its marks, see `connector/outbox/wording.py`, and the commands that it tells.
_MARKS = re.compile(r"^Subject: |\]\(/\w+\) |: pencilled [-a-z ]+$", re.MULTILINE)
_INSTEAD = frozenset({"d", "default"})
_VALUE = "·"

Fault = tuple[int, str]  # the line, and what is wrong there


def faults(source: str, *, is_page: bool) -> Iterator[Fault]:
    """Yield each text that a person would read in English whatever their language."""
    environment = Environment(extensions=[EXTENSION, "jinja2.ext.do"], autoescape=True)
    environment.newstyle_gettext = True  # type: ignore[attr-defined]  # of the extension
    parsed = environment.parse(source)
    pieces = list(_said(parsed))
    flat = _flat(pieces)
    for line, text in _read(flat) if is_page else enumerate(_MARKS.sub("", flat).split("\n"), start=1):
        if _WORD.search(text):
            yield line, f"“{' '.join(text.split())}” is said in no language"
    yield from _handed_on(parsed, {id(piece) for piece, _ in pieces})


def _flat(pieces: Iterable[tuple[nodes.Node, str]]) -> str:
    text, line = "", 1
    for node, said in pieces:
        text += "\n" * (node.lineno - line) + said
        line = max(line, node.lineno) + said.count("\n")
    return text


def _said(node: nodes.Node) -> Iterator[tuple[nodes.Node, str]]:
    """Yield each piece that a template prints, with where it stands."""
    if isinstance(node, nodes.Output):
        for part in node.nodes:
            yield from _printed(part)
    elif not isinstance(node, nodes.Expr) and not (isinstance(node, nodes.Block) and node.name in _BLOCKS):
        for child in node.iter_child_nodes():
            yield from _said(child)


def _printed(node: nodes.Node) -> Iterator[tuple[nodes.Node, str]]:
    match node:
        case nodes.TemplateData(data=text) | nodes.Const(value=str(text)):
            yield node, text
        case nodes.CondExpr():
            for branch in (node.expr1, node.expr2):
                yield from _printed(branch) if branch is not None else ()
        case nodes.BinExpr():
            yield from (*_printed(node.left), *_printed(node.right))
        case nodes.Concat(nodes=parts):
            yield from (piece for part in parts for piece in _printed(part))
        case nodes.Filter(node=nodes.Node() as filtered, name=name, args=args):
            yield from (piece for part in (filtered, *(args if name in _INSTEAD else ())) for piece in _printed(part))
        case _:
            yield node, _VALUE


def _handed_on(node: nodes.Node, printed: AbstractSet[int]) -> Iterator[Fault]:
    """Yield what an expression makes of words: those it hands on, and messages that nobody can collect or fill in."""
    children: Iterable[nodes.Node] = node.iter_child_nodes()
    match node:
        case nodes.Call(node=nodes.Name(name=name), args=given) if name in CALLS:
            said = given[: _TEXTS[name]]
            yield from ((node.lineno, fault) for fault in _of_message(said, given[len(said) :], node.kwargs))
            children = (*given[len(said) :], *node.kwargs)
        case nodes.Const(value=str(text)) if id(node) not in printed:
            if _WORDS.search(text) and text not in _NAMES:
                yield node.lineno, f"“{text}” is said in no language"
        case nodes.Compare():
            children = ()
        case nodes.Pair(value=value):
            children = (value,)
    for child in children:
        yield from _handed_on(child, printed)


def _of_message(
    said: Sequence[nodes.Expr], counted: Sequence[nodes.Expr], filled: Sequence[nodes.Keyword]
) -> Iterator[str]:
    if not all(map(_is_message, said)):
        yield "what is said there is no literal, so nobody can collect it"
    wanted = po.names(*(text for part in said for _, text in _printed(part))) - ({"num"} if counted else set())
    # What is counted has a name in the template, whether the words tell it or not.
    yield from unfilled(wanted, {one.key for one in filled if one.key in wanted or one.value not in counted})


def _is_message(node: nodes.Node) -> bool:
    match node:
        case nodes.Const(value=str()):
            return True
        case nodes.CondExpr(expr1=one, expr2=nodes.Expr() as other):
            return _is_message(one) and _is_message(other)
        case nodes.Name(name=name) | nodes.Getattr(attr=name):
            return name in HANDED_ON
        case _:
            return False


def _read(page: str) -> Sequence[tuple[int, str]]:
    reader = _Reader()
    reader.feed(page)
    reader.close()
    return reader.texts


class _Reader(HTMLParser):
    """Keeps what a person reads of a page, each text with its line."""

    def __init__(self) -> None:
        super().__init__()
        self.texts: list[tuple[int, str]] = []
        self._skipped = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self._skipped = tag if tag in _UNREAD else ""
        is_button = dict(attrs).get("type") in _BUTTONS
        for name, value in attrs:
            if value and (name in _READ or (name == "value" and tag == "input" and is_button)):
                self.texts.append((self.getpos()[0], value))

    def handle_endtag(self, tag: str) -> None:  # noqa: ARG002  as HTMLParser calls it
        self._skipped = ""

    def handle_data(self, data: str) -> None:
        if data.strip() and not self._skipped:
            before = data[: len(data) - len(data.lstrip())]
            self.texts.append((self.getpos()[0] + before.count("\n"), data))
