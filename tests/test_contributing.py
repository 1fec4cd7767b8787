"""The newcomer's page names files and names that are there."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parent.parent
PAGE = (ROOT / "docs" / "contributing.md").read_text(encoding="utf-8")
_PLACE = re.compile(r"`([\w./]+/[\w./]*|CHANGELOG\.md)`(?:\s+\(((?:`\w+`(?:,\s*)?)+)\))?")
PLACES = [(path, tuple(re.findall(r"\w+", names))) for path, names in _PLACE.findall(PAGE)]


@pytest.mark.parametrize(("path", "names"), PLACES, ids=[f"{path} {' '.join(names)}".strip() for path, names in PLACES])
def test_what_the_page_names_is_there(path: str, names: tuple[str, ...]) -> None:
    assert (ROOT / path).exists()
    text = (ROOT / path).read_text(encoding="utf-8") if names else ""
    assert [name for name in names if not re.search(rf"^\s*(?:def |class )?{name}\b", text, re.MULTILINE)] == []


def test_the_page_covers_ten_kinds_of_change_at_least() -> None:
    changes = PAGE.partition("## Typical changes")[2].partition("\n## ")[0].split("\n### ")[1:]
    assert len(changes) >= 10
    assert [change.partition("\n")[0] for change in changes if not _PLACE.search(change)] == []
