"""What a browser says it is, as its owner would call it: of that only names from closed lists are kept."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

# The first that is in the text is meant: most programs say that they are like Safari, and many that they are like
# Chrome; telephones and tablets say what their makers' computers do, too.
_PROGRAMS = (
    ("Edg", "Edge"),
    ("OPR/", "Opera"),
    ("SamsungBrowser/", "Samsung Internet"),
    ("Vivaldi/", "Vivaldi"),
    ("Firefox/", "Firefox"),
    ("FxiOS/", "Firefox"),
    ("CriOS/", "Chrome"),
    ("Chromium/", "Chromium"),
    ("Chrome/", "Chrome"),
    ("Safari/", "Safari"),
)
_SYSTEMS = (
    ("iPhone", "iPhone"),
    ("iPad", "iPad"),
    ("Android", "Android"),
    ("CrOS", "ChromeOS"),
    ("Windows", "Windows"),
    ("Macintosh", "Mac"),
    ("Linux", "Linux"),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """A program on a system, such as Firefox on Windows; empty what nobody knows."""

    program: str = ""
    system: str = ""

    @classmethod
    def of(cls, user_agent: str) -> Device:
        """Read what a browser says it is (RFC 9110 section 10.1.5)."""
        return cls(program=_first(user_agent, _PROGRAMS), system=_first(user_agent, _SYSTEMS))


def _first(text: str, names: Sequence[tuple[str, str]]) -> str:
    return next((name for mark, name in names if mark in text), "")
