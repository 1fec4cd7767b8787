"""The languages in which an installation speaks; which one is read when somebody is first told something in it."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from connector.language.catalogues import Language

ENGLISH = "en"
SHIPPED = Path(__file__).parent / "catalogues"


@dataclass(frozen=True, slots=True)
class Languages:
    """What is offered, and from where.

    Attributes:
        tags: Such as de. English is always offered: whoever reads none of them is told in English.
        folder: Where their catalogues are.
    """

    tags: tuple[str, ...] = ("de",)
    folder: Path = field(default=SHIPPED, repr=False)

    def of(self, locale: str) -> Language:
        """Return the language for a locale such as en, de_AT or en-US."""
        from connector.language.catalogues import language  # noqa: PLC0415  brings Babel: only who tells pays for it

        tag = locale.replace("_", "-").partition("-")[0].lower()
        return language(tag if tag in self.tags else ENGLISH, self.folder)

    def check(self) -> None:
        """Read every catalogue now. Raises: SettingsError, which says what is wrong, for one that cannot be used."""
        for tag in self.tags:
            self.of(tag)


ENGLISH_ONLY = Languages(())
