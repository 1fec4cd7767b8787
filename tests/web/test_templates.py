"""What holds of every template, whoever fills it."""

from __future__ import annotations

from collections import Counter
from pathlib import Path

import pytest
from jinja2 import Environment, nodes

from connector.language.templates import EXTENSION
from tests.messages.collecting import ROOT

TEMPLATES = sorted((ROOT / "connector" / "web" / "templates").rglob("*.html"))


@pytest.mark.parametrize("path", TEMPLATES, ids=lambda path: f"{path.parent.name}/{path.name}")
def test_no_template_defines_a_macro_or_block_twice(path: Path) -> None:
    parsed = Environment(extensions=[EXTENSION], autoescape=True).parse(path.read_text(encoding="utf-8"))
    macros = [macro.name for macro in parsed.find_all(nodes.Macro)]
    defined = Counter([*macros, *(block.name for block in parsed.find_all(nodes.Block))])

    assert [name for name, times in defined.items() if times > 1] == []
