"""A language nobody speaks, made of the English: whatever is left in plain English on a page was left behind.

Every letter has an accent, every message is about half as long again, stands in brackets of its own and is marked to
be read from right to left.
"""

from __future__ import annotations

import re
from functools import cache
from pathlib import Path

from babel.messages.catalog import Catalog

from tests.messages.__main__ import write
from tests.messages.collecting import catalogue, every

OPENS, CLOSES = "⟦", "⟧"
_RIGHT_TO_LEFT, _ENDS = "\u2067", "\u2069"
_KEPT = re.compile(r"(%\(\w+\)s|%%|<[^>]*>|&\w+;|\s+)")
_ACCENTED = str.maketrans(
    "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ",
    "àƀćđéƒĝĥíĵķļɱñóƥʠŕšţúṽŵẋýžÀɃĆĐÉƑĜĤÍĴĶĻṀÑÓƤɊŔŠŢÚṼŴẊÝŽ",
)
_LONGER = {"a": "aa", "e": "ee", "i": "ii", "o": "oo", "u": "uu"}


def pseudo(text: str) -> str:
    """Say a message in the language nobody speaks; what is filled in and marked up stays."""
    pieces = (piece if _KEPT.fullmatch(piece) else _strange(piece) for piece in _KEPT.split(text) if piece)
    lead, trail = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    return f"{lead}{OPENS}{_RIGHT_TO_LEFT}{''.join(pieces).strip()}{_ENDS}{CLOSES}{trail}"


def write_catalogue(folder: Path, tag: str = "ar") -> Path:
    """Write the whole catalogue in place of a real language's; one that is written from right to left by default."""
    whole = Catalog(locale=tag, fuzzy=False)
    for message in _template():
        if message.id:
            forms = (message.id,) if isinstance(message.id, str) else tuple(message.id)
            said = [pseudo(form) for form in (*forms[:1], *[forms[-1]] * (whole.num_plurals - 1))]
            whole.add(message.id, tuple(said) if message.pluralizable else said[0], context=message.context)
    path = folder / f"{tag}.po"
    write(path, whole)
    return path


@cache
def _template() -> Catalog:
    return catalogue(every())


def _strange(text: str) -> str:
    return "".join(_LONGER.get(letter, letter) for letter in text).translate(_ACCENTED)
