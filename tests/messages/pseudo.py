"""A language nobody speaks, made of the English: whatever is left in plain English on a page was left behind.

Every letter has an accent, every message is about half as long again, stands in brackets of its own and is marked to
be read from right to left.
"""

from __future__ import annotations

import re
from pathlib import Path

from babel.messages.catalog import Catalog

from tests.messages.__main__ import whole, write

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
    said = Catalog(locale=tag, fuzzy=False)
    for message in whole():
        if message.id:
            forms = (message.id,) if isinstance(message.id, str) else tuple(message.id)
            strange = [pseudo(form) for form in (*forms[:1], *[forms[-1]] * (said.num_plurals - 1))]
            said.add(message.id, tuple(strange) if message.pluralizable else strange[0], context=message.context)
    path = folder / f"{tag}.po"
    write(path, said)
    return path


def _strange(text: str) -> str:
    return "".join(_LONGER.get(letter, letter) for letter in text).translate(_ACCENTED)
