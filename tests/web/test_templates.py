"""What holds of every template, whoever fills it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from connector.language.templates import EXTENSION
from tests.messages.collecting import ROOT
from tests.web.inline import inline, inline_in_template

TEMPLATES = sorted((ROOT / "connector" / "web" / "templates").rglob("*.html"))


def test_no_template_has_styles_scripts_or_anything_from_elsewhere_in_it() -> None:
    found = {path.name: inline_in_template(path.read_text(encoding="utf-8")) for path in TEMPLATES}

    assert {name: faults for name, faults in found.items() if faults} == {}


@pytest.mark.parametrize(
    "page",
    [
        '<p style="top: 0">',
        '<a href="/" onclick="go()">',
        "<style>p {}</style>",
        "<script>go()</script>",
        '<script src="https://cdn.example.org/a.js"></script>',
        '<link rel="stylesheet" href="//cdn.example.org/a.css">',
        '<img src="https://example.org/pixel">',
        '<a href="JavaScript:go()">',
        "<iframe></iframe>",
    ],
)
def test_what_must_not_be_in_a_page_is_found(page: str) -> None:
    assert len(inline(page)) == 1
    assert inline('<script type="module" src="/static/a.js"></script><a href="https://example.org">out</a>') == []


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_template_defines_a_macro_or_block_twice(path: Path) -> None:
    parsed = Environment(extensions=[EXTENSION], autoescape=True).parse(path.read_text(encoding="utf-8"))
    macros = [macro.name for macro in parsed.find_all(nodes.Macro)]
    defined = Counter([*macros, *(block.name for block in parsed.find_all(nodes.Block))])

    assert [name for name, times in defined.items() if times > 1] == []
