"""The languages in which an installation speaks; which one is read when somebody is first told something in it."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector.language.catalogues import Language

ENGLISH = "en"
SHIPPED = Path(__file__).parent / "catalogues"
_SCRIPT, _COUNTRY = 4, 2  # how many letters each has


def normal(tag: str) -> str:
    """Return the name of a language or locale as its catalogue's file has it: de, pt_BR, zh_Hant."""
    language, *more = tag.strip().replace("-", "_").split("_")
    return "_".join([language.lower(), *map(_normal_part, more)])


@dataclass(frozen=True, slots=True)
class Languages:
    """What is offered, and from where.

    Attributes:
        tags: Such as de or pt_BR. English is always offered: whoever reads none of them is told in English.
        folder: Where their catalogues are.
    """

    tags: tuple[str, ...] = ("de",)
    folder: Path = field(default=SHIPPED, repr=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "tags", tuple(map(normal, self.tags)))

    def of(self, locale: str) -> Language:
        """Return the language for a locale such as en, de_AT or en-US, written as its country does."""
        from connector.language.catalogues import language  # noqa: PLC0415  brings Babel: only who tells pays for it

        return language(_chosen(locale, (ENGLISH, *self.tags)), self.folder).read_in(locale)

    def check(self) -> None:
        """Read every catalogue now. Raises: SettingsError, which says what is wrong, for one that cannot be used."""
        for tag in self.tags:
            self.of(tag)


ENGLISH_ONLY = Languages(())


@lru_cache(maxsize=1024)
def _chosen(locale: str, tags: tuple[str, ...]) -> str:
    """Return which of the languages on offer is nearest to a locale; English if none is the same language."""
    from connector.language.catalogues import in_full  # noqa: PLC0415  as above

    wanted = normal(locale)
    ranges = [*_ever_wider(wanted), *_ever_wider(in_full(wanted))]
    related = [tag for tag in tags if tag.partition("_")[0] == wanted.partition("_")[0]]
    return next((one for one in ranges if one in tags), (*related, ENGLISH)[0])


def _ever_wider(tag: str) -> Iterator[str]:
    while tag:
        yield tag
        tag = tag.rpartition("_")[0]


def _normal_part(part: str) -> str:
    if len(part) == _SCRIPT and part.isalpha():
        return part.title()
    return part.upper() if len(part) == _COUNTRY else part.lower()
