"""Catalogues as files: each line of a `.po` is what it should be, and each message can be filled in.

What translators and their programs get wrong is said with the number of the line, or with the message: whoever adds a
language may have nothing but the file.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from pathlib import Path

from babel import Locale, UnknownLocaleError
from babel.messages.catalog import Catalog
from babel.messages.pofile import PoFileError, read_po

UNREADABLE = (OSError, UnknownLocaleError, PoFileError, ValueError, LookupError)
_KEYWORD = r"(?:msgctxt|msgid|msgid_plural|msgstr(?:\[\d+\])?)\s"
_LINE = re.compile(rf"""\s*(?:\#.*|(?:{_KEYWORD})?\s*"[^"\\]*(?:\\.[^"\\]*)*"\s*)?""")
_BEGINS = re.compile(r"^\s*msgid\s", re.MULTILINE)
_HEADER = re.compile(r'^\s*msgid\s+""\s*\n\s*msgstr\s', re.MULTILINE)
_FILLED = re.compile(r"%(?:%|\((\w+)\)s)")


def read(file: Path) -> Catalog:
    """Read a catalogue, named after its language. Raises: one of UNREADABLE, which says what is wrong."""
    locale = Locale.parse(file.stem)
    try:
        text = file.read_text(encoding="utf-8-sig")  # programs on Windows mark a file as UTF-8
    except UnicodeDecodeError as error:
        raise ValueError("it is not written in UTF-8") from error
    lines = text.split("\n")
    for number, line in enumerate(lines, start=1):
        if not _LINE.fullmatch(line):
            raise ValueError(f"line {number} is not finished, or does not belong there: {line.strip()}")
    if not _HEADER.search(text):
        raise ValueError('it does not begin with a header, which is the message msgid ""')
    catalogue = read_po([f"{line}\n" for line in lines], locale=locale, abort_invalid=True)
    if catalogue.locale is not None and catalogue.locale.language != locale.language:
        raise ValueError(f"its header says that it is in another language, {catalogue.locale}")
    if len(_BEGINS.findall(text)) != len(catalogue) + 1:
        raise ValueError("a message stands in it twice; every program for translators finds it")
    return catalogue


def unfillable(catalogue: Catalog) -> Iterator[str]:
    """Yield what is wrong with each translation that would be said and cannot be filled in, with its message."""
    for message in catalogue:
        if message.id and not message.fuzzy:
            english = forms(message.id)
            for form in forms(message.string):
                yield from (f"“{english[0]}”: the translation {fault}" for fault in faults(form, names(*english)))


def faults(text: str, values: frozenset[str]) -> Iterator[str]:
    """Yield why a text cannot be filled in with these values: every percent sign is doubled, or fills one in."""
    if unknown := names(text) - values:
        yield f"fills in {', '.join(sorted(unknown))} instead of {', '.join(sorted(values)) or 'nothing'}"
    if "%" in _FILLED.sub("", text):
        yield "has a percent sign that would not be printed; write %% for one"


def names(*texts: str) -> frozenset[str]:
    """Return the names of what is filled into any of some texts."""
    return frozenset(name for text in texts for name in _FILLED.findall(text) if name)


def forms(text: str | Sequence[str] | None) -> tuple[str, ...]:
    """Return the forms of a message or of what it is in another language: one, if it counts nothing."""
    return (text or "",) if isinstance(text, str | None) else tuple(text)
