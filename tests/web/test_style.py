"""The sheet of every page: colours told apart in both themes, values instead of numbers, no more than needed."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.messages.collecting import ROOT

STATIC = ROOT / "connector" / "web" / "static"
DEMO = ROOT / "connector" / "cli" / "demo" / "static" / "mails.css"
SHEET = (STATIC / "style.css").read_text(encoding="utf-8")
PLAIN = re.sub(r"/\*.*?\*/", "", SHEET, flags=re.DOTALL)
TINTS = ("accent-tint", "good-tint", "bad-tint", "wait-tint", "other-tint")
READ = [
    *((ink, behind) for ink in ("ink", "soft") for behind in ("paper", "sheet", "night", *TINTS)),
    *((ink, behind) for ink in ("accent", "accent-strong") for behind in ("paper", "sheet", *TINTS)),
    *((ink, behind) for ink in ("good", "bad", "bad-strong", "wait", "other") for behind in ("paper", "sheet")),
    *((ink, f"{ink}-tint") for ink in ("good", "bad", "wait", "other")),
    *(("accent-ink", behind) for behind in ("accent", "accent-strong")),
    *(("bad-ink", behind) for behind in ("bad", "bad-strong")),
    ("bad-strong", "bad-tint"),
]
"""Words and what they stand on: 4.5 to 1 at least (WCAG 1.4.3)."""
SEEN = [
    *((line, behind) for line in ("edge", "accent", "good", "bad", "wait", "other") for behind in ("paper", "sheet")),
    *((ring, behind) for ring in ("accent",) for behind in ("night", *TINTS)),
]
"""Edges of what can be used, rings of what has the focus, and borders that tell states: 3 to 1 at least (1.4.11)."""


def _values(block: str) -> dict[str, str]:
    return dict(re.findall(r"--([\w-]+): ([^;]+);", block))


def _themes() -> Iterator[tuple[str, dict[str, str]]]:
    light = re.search(r"^:root \{([^}]*)\}", PLAIN, re.MULTILINE)
    dark = re.search(r"prefers-color-scheme: dark\) \{\s*:root \{([^}]*)\}", PLAIN)
    assert light
    assert dark
    yield "light", _values(light[1])
    yield "dark", _values(light[1]) | _values(dark[1])


THEMES = dict(_themes())


def _luminance(colour: str) -> float:
    parts = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    red, green, blue = (part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts)
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue


def _ratio(one: str, other: str) -> float:
    darker, lighter = sorted((_luminance(one), _luminance(other)))
    return (lighter + 0.05) / (darker + 0.05)


def test_the_ratio_is_that_of_the_guidelines() -> None:
    assert _ratio("#ffffff", "#000000") == pytest.approx(21)
    assert _ratio("#777777", "#ffffff") == pytest.approx(4.48, abs=0.005)


@pytest.mark.parametrize("theme", THEMES)
def test_colours_have_contrast(theme: str) -> None:
    values = THEMES[theme]
    pale = {
        f"{front} on {behind}": round(ratio, 2)
        for pairs, least in ((READ, 4.5), (SEEN, 3))
        for front, behind in pairs
        if (ratio := _ratio(values[front], values[behind])) < least
    }
    assert pale == {}


def test_every_colour_is_a_value_and_has_one_for_the_dark() -> None:
    rules = re.sub(r":root \{[^}]*\}", "", PLAIN)
    assert re.findall(r"#[0-9a-fA-F]{3,8}\b(?=[^{}]*[;}])|rgba?\(|hsla?\(", rules) == []
    colours = {name for name, value in THEMES["light"].items() if value.startswith("#")}
    dark = re.search(r"prefers-color-scheme: dark\) \{\s*:root \{([^}]*)\}", PLAIN)
    assert dark
    assert set(_values(dark[1])) == colours


def test_every_value_that_is_used_is_there() -> None:
    used = {name for path in (*STATIC.glob("*.css"), DEMO) for name in re.findall(r"var\(--([\w-]+)", path.read_text())}
    assert used - set(THEMES["light"]) == set()


def test_rules_are_of_those_that_can_be_kept_within_a_hosts_frame() -> None:
    """What `web/scoping.py` narrows: it reads selectors between commas, and no rules but of media."""
    assert set(re.findall(r"@[\w-]+", PLAIN)) == {"@media"}
    assert re.findall(r":(?:is|where|has|not)\([^)]*,", PLAIN) == []
    assert "!important" not in PLAIN
    assert "url(" not in PLAIN


def test_a_day_has_a_row_for_each_quarter_of_an_hour() -> None:
    for number in (1, 2, 95, 96):
        assert f".r{number} {{ grid-row-start: {number}; }}" in SHEET
        assert f".s{number} {{ grid-row-end: span {number}; }}" in SHEET


def test_the_sheet_stays_small() -> None:
    assert Path(STATIC / "style.css").stat().st_size < 40_000
