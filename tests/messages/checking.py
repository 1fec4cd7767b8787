"""Whether a catalogue is whole: nothing missing, stale or unsure, and nothing that breaks when it is filled in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Sequence
from collections.abc import Set as AbstractSet
from gettext import c2py

from babel.messages.catalog import Catalog, Message

from connector.language import po
from connector.language.po import forms

_TAG = re.compile(r"</?[a-zA-Z][^>]*>|<|&#?\w+;|{{|{%|}}|%}")
_NESTING = re.compile(r"<(/?)(\w+)[^>]*>")
_TURNS = re.compile("[\u202a-\u202e]")
_MANY = 200


def faults(template: Catalog, catalogue: Catalog) -> Iterator[str]:
    """Yield what is wrong with a catalogue, in words, each with the message it is about."""
    for wanted in template:
        if not wanted.id:
            continue
        yield from _broken(wanted, forms(wanted.id), of="the English")
        there = catalogue.get(_key(wanted), wanted.context)
        if there is None or not all(forms(there.string)):
            yield f"{_name(wanted)}: is missing"
        elif there.fuzzy:
            yield f"{_name(wanted)}: is marked fuzzy; read it, correct it, and take the mark away"
        elif forms(there.id) != forms(wanted.id):
            yield f"{_name(wanted)}: has another plural in the code"
        else:
            yield from _of_translation(there, catalogue)
    if _numbers(catalogue) != _numbers(Catalog(catalogue.locale)):
        yield f"Plural-Forms: numbers have other forms in this language; write {Catalog(catalogue.locale).plural_forms}"
    known = {(_key(wanted), wanted.context) for wanted in template}
    for stale in [*(one for one in catalogue if one.id), *catalogue.obsolete.values()]:
        if (_key(stale), stale.context) not in known:
            yield f"{_name(stale)}: is stale; nothing says it any more"


def unfilled(wanted: AbstractSet[str], given: AbstractSet[str]) -> Iterator[str]:
    """Yield what is wrong with the values that a message is given where it is said."""
    if lacking := wanted - given:
        yield f"{', '.join(sorted(lacking))} is not filled in"
    if idle := given - wanted:
        yield f"{', '.join(sorted(idle))} is filled in nowhere"


def _of_translation(message: Message, catalogue: Catalog) -> Iterator[str]:
    said, english = forms(message.string), forms(message.id)
    if message.pluralizable and len(said) != catalogue.num_plurals:
        yield f"{_name(message)}: needs {catalogue.num_plurals} forms"
    yield from _broken(message, said, of="the translation")
    for form, numbers in zip(said, _numbers(catalogue), strict=False):
        always = po.names(english[0]) & po.names(english[-1])
        wanted = po.names(english[-1]) if len(numbers) > 1 else always  # a form for one number need not tell it
        if message.pluralizable and (lost := wanted - po.names(form)):
            yield f"{_name(message)}: “{form}” does not fill in {', '.join(sorted(lost))}"
    yield from (f"{_name(message)}: {error}" for error in message.check(catalogue))


def _broken(message: Message, said: Sequence[str], *, of: str) -> Iterator[str]:
    """Yield what is wrong with the forms of a message: the last, for the largest numbers, fills in every value."""
    english = forms(message.id)
    for form in said:
        wrong = [f"{of} {fault}" for fault in po.faults(form, po.names(*english))]
        if form is said[-1] and (lost := po.names(english[-1]) - po.names(form)):
            wrong.append(f"{of} does not fill in {', '.join(sorted(lost))}")
        if _tags(form) != _tags(english[0]) or not _nests(form):
            wrong.append(f"{of} has other tags, or has them in an order that breaks the page")
        if _ends(form) != _ends(english[0]) or form.count("\n") != english[0].count("\n"):
            wrong.append(f"{of} has other blanks at its ends, or other lines")
        if _TURNS.search(form):
            wrong.append(f"{of} has a character that cannot be seen and turns what follows")
        yield from (f"{_name(message)}: {fault}" for fault in wrong)


def _numbers(catalogue: Catalog) -> Sequence[Sequence[int]]:
    """Return which of the first numbers each plural form of a catalogue is for."""
    form_of = c2py(catalogue.plural_expr)
    return [[n for n in range(_MANY) if form_of(n) == form] for form in range(catalogue.num_plurals)]


def _nests(text: str) -> bool:
    within: list[str] = []
    for closes, tag in _NESTING.findall(text):
        if not closes:
            within.append(tag)
        elif not within or within.pop() != tag:
            return False
    return not within


def _key(message: Message) -> str:
    return forms(message.id)[0]


def _name(message: Message) -> str:
    context = f"{message.context}: " if message.context else ""
    return f"“{context}{_key(message)}”"


def _tags(text: str) -> Counter[str]:
    return Counter(_TAG.findall(text))


def _ends(text: str) -> tuple[str, str]:
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
