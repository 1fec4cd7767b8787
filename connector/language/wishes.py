"""Which of the languages on offer a program asks for, as Accept-Language says it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from werkzeug.datastructures import LanguageAccept
from werkzeug.http import parse_accept_header

from connector.language.offered import ENGLISH, Languages

if TYPE_CHECKING:
    from connector.language.catalogues import Language

_LONGEST = 200  # characters: what a browser says of its languages has some dozens


def preferred(offered: Languages, said: str) -> Language:
    """Return the best of what is asked for that is on offer, else English; it is listened to for so long, no longer."""
    if len(said) > _LONGEST:
        said = said[:_LONGEST].rpartition(",")[0]
    for wish, quality in parse_accept_header(said, LanguageAccept):  # the best first
        found = offered.of(wish)
        if quality > 0 and (found.tag != ENGLISH or wish.partition("-")[0].lower() == ENGLISH):
            return found
    return offered.of(ENGLISH)
