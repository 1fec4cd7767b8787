"""Whether a catalogue is whole: nothing missing, stale or unsure, and nothing that breaks when it is filled in."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator

from babel.messages.catalog import Catalog, Message

_PLACEHOLDER = re.compile(r"%\((\w+)\)s")
_PERCENT = re.compile(r"%%|%\(\w+\)s|%")
_TAG = re.compile(r"</?[a-zA-Z][^>]*>|<|{{|{%|}}|%}")


def faults(template: Catalog, catalogue: Catalog) -> Iterator[str]:
    """Yield what is wrong with a catalogue, in words, each with the message it is about."""
    for wanted in template:
        if not wanted.id:
            continue
        yield from _broken(wanted, _forms(wanted.id), of="the English")
        there = catalogue.get(_key(wanted), wanted.context)
        if there is None or not all(_forms(there.string)):
            yield f"{_name(wanted)}: is missing"
        elif there.fuzzy:
            yield f"{_name(wanted)}: is marked fuzzy; read it, correct it, and take the mark away"
        elif _forms(there.id) != _forms(wanted.id):
            yield f"{_name(wanted)}: has another plural in the code"
        else:
            yield from _of_translation(there, catalogue)
    known = {(_key(wanted), wanted.context) for wanted in template}
    for stale in [*(one for one in catalogue if one.id), *catalogue.obsolete.values()]:
        if (_key(stale), stale.context) not in known:
            yield f"{_name(stale)}: is stale; nothing says it any more"


def _of_translation(message: Message, catalogue: Catalog) -> Iterator[str]:
    forms = _forms(message.string)
    if message.pluralizable and len(forms) != catalogue.num_plurals:
        yield f"{_name(message)}: needs {catalogue.num_plurals} forms"
    yield from _broken(message, forms, of="the translation")
    yield from (f"{_name(message)}: {error}" for error in message.check(catalogue))


def _broken(message: Message, forms: tuple[str, ...], *, of: str) -> Iterator[str]:
    """Yield what is wrong with the forms of a message: the one for the largest number, the last, has every value."""
    english = _forms(message.id)
    values = {name for form in english for name in _PLACEHOLDER.findall(form)}
    filled_in = bool(values) or any("%%" in form for form in english)
    for form in forms:
        names = set(_PLACEHOLDER.findall(form))
        if not names <= values or (form in forms[-1:] and names != set(_PLACEHOLDER.findall(english[-1]))):
            yield f"{_name(message)}: {of} fills in {_listed(names)} instead of {_listed(values)}"
        percents = set(_PERCENT.findall(form))
        if "%" in percents if filled_in else percents - set(_PERCENT.findall(english[0])):
            yield f"{_name(message)}: {of} has a percent sign that would not be printed"
        if _tags(form) != _tags(english[0]):
            yield f"{_name(message)}: {of} has other tags"
        if _ends(form) != _ends(english[0]):
            yield f"{_name(message)}: {of} has other blanks at its ends"


def _key(message: Message) -> str:
    return _forms(message.id)[0]


def _forms(text: str | list[str] | tuple[str, ...] | None) -> tuple[str, ...]:
    return (text or "",) if isinstance(text, str | None) else tuple(text)


def _name(message: Message) -> str:
    context = f"{message.context}: " if message.context else ""
    return f"“{context}{_key(message)}”"


def _tags(text: str) -> Counter[str]:
    return Counter(_TAG.findall(text))


def _ends(text: str) -> tuple[str, str]:
    return text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]


def _listed(names: set[str]) -> str:
    return ", ".join(sorted(names)) or "nothing"
