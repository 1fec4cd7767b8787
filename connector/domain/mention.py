"""Whether a text that somebody else wrote, or that is about somebody else, tells of a client.

Only what means nobody else tells: whole words, in upper or lower case, that no other client's and no practitioner's
name or address has in it. What two go by is neither's, until one of them is erased.
"""

from __future__ import annotations

import re
from collections.abc import Collection, Iterable
from dataclasses import dataclass

from connector.domain.entry import named_in, shown_of
from connector.domain.people import ERASED, Level

_SHORTEST = 5  # a full name
_APART = "\0"  # stands in no name
_ASCII = re.compile(r"[0-9A-Za-z@.+_-]+")
_NOBODY = re.compile(r"(?!)")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """By what a client is known, as far as it means nobody else.

    Attributes:
        spelled: Full names, addresses and numbers, as they stand in texts.
        whole: Names, in lower case: what a text tells as a whole, or not at all.
        titled: Names as titles of events show them, in lower case: what tells of them after a colon.
        shared: Whether somebody else goes by a name, an address or a number of theirs, or has it in their own.
    """

    spelled: frozenset[str]
    whole: frozenset[str]
    titled: frozenset[str]
    shared: bool

    def mean(self, text: str) -> bool:
        """Whether a short text, such as a title, tells of them."""
        is_title = any(_plain(named) in self.titled for named in named_in(text))
        return is_title or _plain(text) in self.whole or _pattern(self.spelled).search(text) is not None

    def replaced(self, text: str, word: str) -> str:
        """Return a text with a word in the place of whatever tells of them."""
        return _pattern(self.spelled).sub(word, text)

    @property
    def addresses(self) -> frozenset[str]:
        """Their mail addresses, in lower case."""
        return frozenset(word.lower() for word in self.spelled if "@" in word)

    @property
    def parts(self) -> frozenset[str]:
        """What every text has in it, in upper or lower case, that spells one of them: ASCII only, and maybe empty."""
        return frozenset(max(_ASCII.findall(word), key=len, default="") for word in self.spelled)


def words(
    names: Collection[str],
    contacts: Collection[str],
    *,
    other_clients: Collection[str],
    everybody_else: Iterable[str],
) -> Words:
    """Return by what a client is known that means nobody else.

    Args:
        names: Theirs, and those they had before.
        contacts: Their addresses and numbers, and those they had before.
        other_clients: The names of all others.
        everybody_else: Names, addresses and numbers of other clients, and of practitioners.
    """
    names = {name for name in names if name.strip() and name != ERASED}
    full = {name for name in names if len(name.split()) > 1 and len(name) >= _SHORTEST}
    others = _APART.join(everybody_else)
    theirs = full | {one for one in contacts if one}
    spelled = {word for word in theirs if not _pattern([word]).search(others)}
    return Words(
        spelled=frozenset(spelled),
        whole=_whole(names) - _whole(other_clients),
        titled=_titled(names) - _titled(other_clients),
        shared=spelled != theirs,
    )


def _whole(names: Iterable[str]) -> frozenset[str]:
    return frozenset(map(_plain, names))


def _titled(names: Iterable[str]) -> frozenset[str]:
    """Return what titles may have shown of clients of these names, in lower case."""
    shown = {shown_of(name, level) for name in names for level in Level}
    return _whole(shown - {""})


def _plain(text: str) -> str:
    return " ".join(text.split()).casefold()


def _pattern(spelled: Collection[str]) -> re.Pattern[str]:
    """Return what finds these as whole words, the longest first."""
    longest_first = sorted(spelled, key=lambda word: (-len(word), word))
    return re.compile("|".join(map(_one, longest_first)), re.IGNORECASE) if longest_first else _NOBODY


def _one(word: str) -> str:
    if "@" in word:  # else a longer address would have it in it
        return rf"(?<![\w.+%-]){re.escape(word)}(?![\w-]|\.\w)"
    return r"(?<![\w+])" + r"\s+".join(map(re.escape, word.split())) + r"(?!\w)"
