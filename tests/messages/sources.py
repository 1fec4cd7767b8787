"""What Python says to people another way than as a message that can be collected, and with the values that it names.

What a call says is a literal, one of two literals, or a message that is marked where it stands: by its name, out of a
table, or as a variable that is nothing else.
"""

from __future__ import annotations

import ast
import inspect
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cache
from pathlib import Path

from connector import errors
from connector.language import po
from connector.sentence import Sentence
from tests.messages.checking import unfilled

ROOT = Path(__file__).parent.parent.parent
PACKAGES = ("connector", "providers", "webhooks")
PLURAL = "plural"


def is_refusal(kind: object) -> bool:
    """Whether something is the class of what the domain refuses."""
    return isinstance(kind, type) and issubclass(kind, errors.RuleError)


_REFUSALS = {name: kind for name, kind in vars(errors).items() if is_refusal(kind)}
_METHODS: Mapping[str, tuple[str, ...]] = {
    "gettext": ("message",),
    "ngettext": ("message", PLURAL),
    "pgettext": ("context", "message"),
    "npgettext": ("context", "message", PLURAL),
    "say": ("message",),
    "say_n": ("message", PLURAL),
    "say_as": ("context", "message"),
}
# What each positional argument of a call is; `plural` may also be given by name.
CALLS: Mapping[str, tuple[str, ...]] = {
    **_METHODS,
    "marked": ("message",),
    "Sentence": ("message",),
    "adding": ("message",),
    **dict.fromkeys(_REFUSALS, ("message",)),
}
# Messages, or tables of them, that stand in a view or are handed on under such a name; whoever fills it marks them.
HANDED_ON = frozenset({"advice", "channel", "phrases", "who", "why"})
# Where words that are given become a sentence, or are said.
_CARRIERS = (
    "connector/errors.py",
    "connector/language/catalogues.py",
    "connector/sentence.py",
    "connector/storage/sentences.py",
)
_SHOWN = ("flash",)  # prints its first argument to a person
_CARRIED = ast.Constant("what whoever calls it says")
_WORDS = re.compile(r"[^\W\d_]{2}")

Fault = tuple[int, str]  # the line, and what is wrong there


def called(call: ast.Call) -> str:
    """Return the name of what is called; a sentence may also be made of values that were gathered before."""
    match call.func:
        case ast.Attribute(value=ast.Name(id="Sentence"), attr="of"):
            return "Sentence"
        case ast.Attribute(attr=name) | ast.Name(id=name):
            return name
        case _:
            return ""


def given(call: ast.Call) -> Mapping[str, ast.expr]:
    """Return what a call is given to say, by what it is; nothing if it says nothing."""
    roles = CALLS.get(called(call), ())
    by_name = {one.arg: one.value for one in call.keywords if roles and one.arg == PLURAL}
    return {**by_name, **dict(zip(roles, call.args, strict=False))}


def literals(node: ast.expr) -> Iterator[str]:
    """Yield the literal that an expression is, or each of which it may be."""
    match node:
        case ast.IfExp(body=body, orelse=other):
            yield from (*literals(body), *literals(other))
        case ast.Constant(value=str(text)) if text:
            yield text


def faults(tree: ast.Module, name: str) -> Iterator[Fault]:
    """Yield what a module says so that nobody can translate it."""
    yield from _Reader(name, _marked(tree) | everywhere()).of(tree)


@cache
def everywhere() -> frozenset[str]:
    """Return the names under which modules and classes keep messages that are marked."""
    return frozenset(name for path in _files() for name in _marked(ast.parse(path.read_text(encoding="utf-8"))))


@cache
def failures() -> frozenset[str]:
    """Return the names of the classes that tell what somebody else's server did: it is said later, and stored."""
    nodes = [node for path in _files() for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))]
    bases = {
        node.name: {base.id for base in node.bases if isinstance(base, ast.Name)}
        for node in nodes
        if isinstance(node, ast.ClassDef)
    }
    known = {"ProviderError", "NotSentError"}
    while more := {name for name, of in bases.items() if of & known} - known:
        known |= more
    return frozenset(known)


def _files() -> Iterator[Path]:
    return (path for package in PACKAGES for path in sorted((ROOT / package).rglob("*.py")))


def _marked(tree: ast.Module) -> frozenset[str]:
    bodies = [tree.body, *(node.body for node in ast.walk(tree) if isinstance(node, ast.ClassDef))]
    bound = (pair for body in bodies for statement in body for pair in _bindings(statement))
    return frozenset(name for name, value in bound if value is not None and any(map(_is_mark, ast.walk(value))))


def _is_mark(node: ast.AST) -> bool:
    return isinstance(node, ast.Call) and called(node) == "marked"


def _bindings(node: ast.AST) -> Iterator[tuple[str, ast.expr | None]]:
    """Yield the names that a node binds, with what they become; None where that cannot be told."""
    match node:
        case ast.Assign(targets=targets, value=value):
            for target in targets:
                yield from _bound(target, value)
        case ast.AnnAssign(target=target, value=ast.expr() as value) | ast.NamedExpr(target=target, value=value):
            yield from _bound(target, value)
        case ast.comprehension(target=ast.Tuple(elts=[_, target]), iter=ast.Call(func=ast.Attribute(value, "items"))):
            yield from _bound(target, value)
        case ast.comprehension(target=target) | ast.For(target=target):
            yield from _bound(target, None)
        case ast.MatchAs(name=str(name)) | ast.arg(arg=name):
            yield name, None


def _bound(target: ast.expr, value: ast.expr | None) -> Iterator[tuple[str, ast.expr | None]]:
    match target, value:
        case ast.Name(id=name), _:
            yield name, value
        case ast.Tuple(elts=targets), ast.Tuple(elts=values) if len(targets) == len(values):
            for one, its in zip(targets, values, strict=True):
                yield from _bound(one, its)
        case ast.Tuple(elts=targets), _:
            for one in targets:
                yield from _bound(one, None)


@dataclass(frozen=True, slots=True)
class _Reader:
    """Reads one module.

    Attributes:
        kept: The names under which messages are kept that are marked.
        known: What is bound in the functions around, by name: the innermost last.
    """

    file: str
    kept: frozenset[str]
    known: tuple[Mapping[str, list[ast.expr | None]], ...] = ()

    def of(self, node: ast.AST) -> Iterator[Fault]:
        """Yield what is wrong below a node."""
        for child in ast.iter_child_nodes(node):
            reader = self._within(child) if isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef) else self
            yield from ((child.lineno, fault) for fault in reader._at(child) if isinstance(child, ast.stmt | ast.expr))
            yield from reader.of(child)

    def _within(self, function: ast.FunctionDef | ast.AsyncFunctionDef) -> _Reader:
        names: dict[str, list[ast.expr | None]] = {}
        for name, value in (pair for node in ast.walk(function) for pair in _bindings(node)):
            names.setdefault(name, []).append(value)
        if function.name in CALLS:  # says what it is given: whoever calls it says a message
            names |= {argument.arg: [_CARRIED] for argument in (*function.args.posonlyargs, *function.args.args)}
        return replace(self, known=(*self.known, names))

    def _at(self, node: ast.AST) -> Iterator[str]:
        match node:
            case ast.Call(func=ast.Name(id=name)) if any(name in names for names in self.known):
                return
            case ast.Call(args=[ast.expr() as shown, *_]) if called(node) in _SHOWN and _has_words(shown):
                yield f"{ast.unparse(shown)} is said in no language"
            case ast.Call() if (said := given(node)) and self.file not in _CARRIERS:
                yield from (
                    f"{ast.unparse(text)} is put together, or a variable, so nobody can translate it"
                    for text in said.values()
                    if not self._is_message(text)
                )
                yield from _of_values(node, said)
            case ast.Call(args=[ast.expr() as told, *_]) if called(node) in failures() and _has_words(told):
                yield f"{ast.unparse(told)} is said in no language; make it a Sentence"
            case ast.Assign(value=ast.Attribute(attr=name)) if name in _METHODS:
                yield f"{name} is given another name, under which nothing is collected"
            case ast.ClassDef(bases=bases) if self.file != "connector/errors.py":
                made_of = (base.id for base in bases if isinstance(base, ast.Name) and base.id in _REFUSALS)
                yield from (f"a kind of {name} belongs in connector/errors.py, where it is found" for name in made_of)

    def _is_message(self, node: ast.expr | None, *, within: frozenset[str] = frozenset()) -> bool:
        """Whether an expression can be nothing but a message that is collected; `within`: names being looked up."""
        match node:
            case ast.Constant(value=text):
                return isinstance(text, str)
            case ast.Call() if _is_mark(node):
                return True
            case ast.Attribute(attr=name):
                return name in self.kept | HANDED_ON
            case ast.Name(id=name):
                bound = next((names[name] for names in reversed(self.known) if name in names), None)
                if name in HANDED_ON or bound is None:
                    return name in self.kept | HANDED_ON
                return name not in within and all(self._is_message(one, within=within | {name}) for one in bound)
            case _:
                choices = _choices(node)
                return bool(choices) and all(self._is_message(one, within=within) for one in choices)


def _choices(node: ast.expr | None) -> Sequence[ast.expr]:
    """Return what an expression may be, or the table that it is looked up in."""
    match node:
        case ast.IfExp(body=body, orelse=other):
            return (body, other)
        case ast.BoolOp(values=either):
            return either
        case ast.Subscript(value=ast.Name() | ast.Attribute() as value) | ast.NamedExpr(value=value):
            return (value,)
        case ast.Call(func=ast.Attribute(value=ast.Name() | ast.Attribute() as table, attr="get"), args=[_, *default]):
            return (table, *default)
        case _:
            return ()


def _of_values(call: ast.Call, said: Mapping[str, ast.expr]) -> Iterator[str]:
    """Yield what is wrong with the values of a call: each fills in something, and is not put together in English."""
    values = {one.arg: one.value for one in call.keywords if one.arg not in {*_arguments(called(call)), PLURAL}}
    for value in values.values():
        if isinstance(value, ast.JoinedStr) and _has_words(value):
            yield f"{ast.unparse(value)} is put together in English"
    texts = [text for role, node in said.items() if role != "context" for text in literals(node)]
    if texts and None not in values and not _is_mark(call) and not _is_gathered(call):
        wanted = po.names(*texts)
        counted = {"n"} if PLURAL in said else set()
        yield from unfilled(wanted - counted, {str(name) for name in values} - counted)


@cache
def _arguments(name: str) -> frozenset[str]:
    """Return the arguments of a refusal or a sentence that are no values of its words."""
    kind = {**_REFUSALS, "Sentence": Sentence}.get(name)
    if kind is None:
        return frozenset()
    named = inspect.signature(kind).parameters.values()
    return frozenset(one.name for one in named if one.kind is not inspect.Parameter.VAR_KEYWORD)


def _is_gathered(call: ast.Call) -> bool:
    return isinstance(call.func, ast.Attribute) and call.func.attr == "of"


def _has_words(node: ast.expr) -> bool:
    """Whether a text says something by itself: a literal, or what stands between the values of one."""
    match node:
        case ast.Constant(value=str(text)):
            return _WORDS.search(text) is not None
        case ast.JoinedStr(values=parts):
            return any(map(_has_words, parts))
        case ast.IfExp(body=body, orelse=other):
            return _has_words(body) or _has_words(other)
        case _:
            return False
