"""What is to be said to a person, before anybody says it: words in English, and apart from them what fills them in.

The pure layers make sentences; a door says them in its reader's language, with dates and lists as that language writes
them. Said plainly they are English, as commands print them. The words are literals, so that they can be collected for
translators.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import date, datetime, time
from typing import Self


class Zone(str):
    """The IANA name of a time zone, which a reader is told as people call it."""

    __slots__ = ()


class Sentence:
    """One sentence or more that belong together, or a phrase that is a value of another.

    Attributes:
        words: In English, with `%(name)s` for each value; a percent sign is written twice.
        plural: The same words for more than one, if they count something.
        n: How many they count; a value of the same name.
        values: By name. Datetimes are on the clock they shall be read on. A tuple is a list.
    """

    __slots__ = ("n", "plural", "values", "words")

    def __init__(self, words: str, /, *, plural: str = "", n: int = 0, **values: Value) -> None:
        self.words = words
        self.plural = plural
        self.n = n
        self.values: Mapping[str, Value] = {**values, "n": n} if plural else values

    @classmethod
    def of(cls, words: str, values: Mapping[str, Value], *, plural: str = "", n: int = 0) -> Self:
        """Make a sentence of values that have been gathered already."""
        sentence = cls(words, plural=plural, n=n)
        sentence.values = {**values, **sentence.values}
        return sentence

    @classmethod
    def quoted(cls, text: str) -> Self:
        """Make a sentence of a text that is not ours, or was stored as it was said: a percent sign in it is one."""
        return cls(text.replace("%", "%%"))

    def __str__(self) -> str:
        return self.filled(self.plural if self.plural and self.n != 1 else self.words, in_english)

    def __repr__(self) -> str:
        return f"Sentence({str(self)!r})"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Sentence) and self._parts() == other._parts()

    def __hash__(self) -> int:
        return hash((self.words, self.n))

    def filled(self, words: str, say: Callable[[Value], str]) -> str:
        """Fill the values into the words of a language; `say` writes one value as that language does."""
        return words % {name: say(value) for name, value in self.values.items()}

    def _parts(self) -> tuple[object, ...]:
        return self.words, self.plural, self.n, self.values


class Paragraph(tuple[Sentence, ...]):
    """Sentences that are said one after another."""

    __slots__ = ()

    def __str__(self) -> str:
        return " ".join(map(str, self))


Value = str | int | datetime | date | time | Sentence | Paragraph | tuple[str, ...] | tuple[Sentence, ...]


def in_english(value: Value) -> str:
    """Write a value as English does: dates with the day before the month, clocks with 24 hours."""
    match value:
        case Paragraph():
            return str(value)
        case tuple():
            return listed(value, in_english)
        case datetime():
            return f"{value:%A}, {value.day} {value:%B %Y, %H:%M}"
        case date():
            return f"{value:%A}, {value.day} {value:%B %Y}"
        case time():
            return f"{value:%H:%M}"
        case _:
            return str(value)


def listed(values: tuple[str, ...] | tuple[Sentence, ...], say: Callable[[Value], str]) -> str:
    """Write a list in English; what has commas itself, between semicolons."""
    parts = [say(value) for value in values]
    if any("," in part for part in parts):
        return "; ".join(parts)
    match parts:
        case [*first, second, last] if first:
            return f"{', '.join([*first, second])}, and {last}"
        case _:
            return " and ".join(parts)
