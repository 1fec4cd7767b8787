"""The words of a letter: one short template a kind, for all languages, rendered once as text and once as HTML.

A template reads like the letter it becomes, in English. Blank lines separate its blocks; how a block begins tells what
it is:

    Subject: ...     the subject, always first
    # ...            the heading
    > Label: value   a fact
    ~ Label: value   a fact that no longer applies
    * time | place   an offered time; stands once for each
    [Label]          the button that opens the letter's link
    [Label](/path) what follows
                     a choice, one a line: a button that opens the letter's link with this path behind it, and in words
                     what it brings about
    anything else    a paragraph

Each of these texts is one message of the catalogues; values of facts are none. Where words depend on something, the
template says its messages itself, `{% if past %}{% trans %}...{% endtrans %}{% endif %}`: whole sentences, always.

Of several choices the first stands out, so it is the one that happens by itself if the reader does nothing, and its
words say so; the others follow in the same size. No button decides anything: the page behind it asks once more.

Blocks are told apart before anything is filled in, so nobody's name can become a heading or a button. What renders
empty is left out.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from importlib.resources import files
from typing import Any

from jinja2 import Environment, FunctionLoader, StrictUndefined, Template
from markupsafe import Markup

from connector.domain.text import collapse
from connector.language.catalogues import Language
from connector.language.templates import speak

_ROOT = files("connector.outbox") / "templates"
_FOOTER = "frame/footer"  # a block that ends every letter
_Line = tuple[str, str]  # a label and a value, a time and a place, or a choice and what it brings about
_BUTTONS = frozenset({"button", "buttons"})
_CHOICE = re.compile(r"\[(?P<label>.+?)\]\((?P<path>/[a-z]+)\) (?P<outcome>.+)")
_MARK = re.compile(r"Subject: |# ")
_VALUE = re.compile(r"{{ \w+ }}")


@dataclass(frozen=True, slots=True, kw_only=True)
class Block:
    """One block of a template, or of a letter once it has been filled in.

    Args:
        shape: What it is.
        text: What a block of one piece says.
        lines: The lines of a block of several, each behind its mark; the mark of a choice is its path.
    """

    shape: str
    text: str = ""
    lines: tuple[tuple[str, _Line], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Wording:
    """A rendered letter."""

    subject: str
    text: str
    html: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What is filled into a template.

    Args:
        text: The values as they stand in plain text.
        html: Those values that are marked up in HTML; all others are escaped.
        choices: Time and place of each offered time: as text, and as HTML.
        link: Where the buttons lead; without one there are none.
    """

    text: Mapping[str, Any]
    html: Mapping[str, Any] = field(default_factory=dict)
    choices: Sequence[tuple[Mapping[str, Any], Mapping[str, Any]]] = ()
    link: str | None = None


def render(language: Language, kind: str, words: Words) -> Wording:
    """Fill in the template of a kind, as text and as HTML."""
    subject, *blocks = _blocks(kind)
    footer = replace(*_blocks(_FOOTER), shape="note")
    plain, marked_up = _environment(language, marked_up=False), _environment(language, marked_up=True)
    shape = {"language": language, "link": words.link}
    filled = {environment: tuple(_fill(environment, (*blocks, footer), words)) for environment in (plain, marked_up)}
    title = _filled(plain, subject.text, words.text)
    return Wording(
        subject=title,
        text=plain.get_template("letter.txt").render(shape, blocks=filled[plain]),
        html=marked_up.get_template("letter.html").render(shape, blocks=filled[marked_up], title=title),
    )


def _fill(environment: Environment, blocks: Sequence[Block], words: Words) -> Iterator[Block]:
    marked_up = bool(environment.autoescape)
    values = {**words.text, **(words.html if marked_up else {})}
    for block in blocks:
        if block.shape in _BUTTONS and not words.link:
            continue
        choices = [choice[marked_up] for choice in words.choices]
        lines = tuple(line for source in block.lines for line in _filled_lines(environment, source, values, choices))
        text = _filled(environment, block.text, values)
        if text or lines:
            yield Block(shape=block.shape, text=text, lines=lines)


def _filled_lines(
    environment: Environment,
    source: tuple[str, _Line],
    values: Mapping[str, Any],
    choices: Sequence[Mapping[str, Any]],
) -> Iterator[tuple[str, _Line]]:
    """Yield what becomes of one line: one for each choice if it is an offered time; none where its value is empty."""
    mark, (left, right) = source
    for choice in choices if mark == "*" else [{}]:
        content = {**values, **choice}
        label, value = _filled(environment, left, content), _filled(environment, right, content)
        if value:
            yield mark, (label, value)


def spelled_out(template: str) -> str:
    """Return a template with each message marked as such, on the same lines."""
    return "\n\n".join(_spelled_out(chunk) for chunk in template.split("\n\n"))


def _spelled_out(chunk: str) -> str:
    lines = chunk.strip().splitlines()
    if not lines or lines[0].startswith("*"):
        return chunk
    if lines[0][0] in ">~":
        facts = (line.partition(": ") for line in lines)
        return "\n".join(f"{fact[:2]}{_message(fact[2:])}: {value}" for fact, _, value in facts)
    buttons = [_CHOICE.fullmatch(line) for line in lines]
    if all(buttons):
        choices = ((_message(b["label"]), b["path"], _message(b["outcome"])) for b in buttons if b)
        return "\n".join(f"[{label}]({path}) {outcome}" for label, path, outcome in choices)
    if chunk.startswith("["):
        return f"[{_message(chunk.strip().strip('[]'))}]"
    mark = found[0] if (found := _MARK.match(chunk)) else ""
    return mark + _message(chunk.removeprefix(mark))


def _message(text: str) -> str:
    """Mark a text as a message, unless it says its messages itself, or is nothing but values."""
    plain = _VALUE.sub("", text)
    if "{" in plain or not any(letter.isalpha() for letter in plain):
        return text
    return f"{{% trans %}}{text.strip()}{{% endtrans %}}"


@cache
def _blocks(name: str) -> tuple[Block, ...]:
    template = (_ROOT / f"{name}.txt").read_text(encoding="utf-8").strip()
    return tuple(_block(chunk.strip().splitlines()) for chunk in spelled_out(template).split("\n\n"))


def _block(lines: Sequence[str]) -> Block:
    mark = lines[0][0]
    if mark == "*":
        return Block(shape="choices", lines=tuple(_line(line, " | ") for line in lines))
    if mark in ">~":
        return Block(shape="facts", lines=tuple(_line(line, ": ") for line in lines))
    buttons = [_CHOICE.fullmatch(line) for line in lines]
    if all(buttons):
        return Block(shape="buttons", lines=tuple((b["path"], (b["label"], b["outcome"])) for b in buttons if b))
    return _text_block(" ".join(line.strip() for line in lines))


def _text_block(text: str) -> Block:
    if text.startswith("Subject: "):
        return Block(shape="subject", text=text.removeprefix("Subject: "))
    if text.startswith("# "):
        return Block(shape="heading", text=text.removeprefix("# "))
    if text.startswith("["):
        return Block(shape="button", text=text.strip("[]"))
    return Block(shape="paragraph", text=text)


def _line(source: str, separator: str) -> tuple[str, _Line]:
    left, _, right = source[2:].partition(separator)
    return source[0], (left.strip(), right.strip())


@cache
def _template(environment: Environment, source: str) -> Template:
    return environment.from_string(source)


def _filled(environment: Environment, source: str, values: Mapping[str, Any]) -> str:
    # Joined again because a condition that does not hold leaves its spaces behind; keeps Markup what it is.
    rendered = _template(environment, source).render(values)
    joined = collapse(rendered)
    return Markup(joined) if environment.autoescape else joined  # noqa: S704  escaped by the environment itself


@cache
def _environment(language: Language, *, marked_up: bool) -> Environment:
    environment = Environment(
        loader=FunctionLoader(lambda name: (_ROOT / "frame" / name).read_text(encoding="utf-8")),
        autoescape=marked_up,  # noqa: S701  off only for the text part, which is no markup
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    return speak(environment, language)
