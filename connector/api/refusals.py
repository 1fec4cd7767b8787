"""Every code of a refusal and what it says, as `docs/errors.md` has them: that file comes with the package."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

_HERE = Path(__file__).parent
_PLACES = (_HERE / "errors.md", _HERE.parent.parent / "docs" / "errors.md")  # as it is shipped, as it is developed
_ROW = re.compile(
    r"^\| `(?P<code>\w+)` \| (?P<words>.*) \| (?:`(?P<field>\w+)`)? ?\| (?P<status>\d{3}) \|$", re.MULTILINE
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Described:
    """What a refusal says, in English with its placeholders, and with which status it is answered."""

    code: str
    words: tuple[str, ...]
    status: int


@cache
def every() -> Mapping[str, Described]:
    """Return every refusal by its code."""
    text = next(path for path in _PLACES if path.exists()).read_text(encoding="utf-8")
    return {
        row["code"]: Described(
            code=row["code"],
            words=tuple(row["words"].replace("\\|", "|").split(" / ")),
            status=int(row["status"]),
        )
        for row in _ROW.finditer(text)
    }
