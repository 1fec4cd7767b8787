"""axe-core, from npm: whether a page can be used by everybody, as far as a program can tell.

`.ci/run` installs it by its version; nothing of it is kept here.
"""

from __future__ import annotations

from typing import Any

from selenium import webdriver

from tests.conftest import missing
from tests.messages.collecting import ROOT
from tests.web.pictures import be

AXE = ROOT / ".venv/node/node_modules/axe-core/axe.min.js"
_RUN = """
const [only, done] = arguments;
// axe-core takes a text area that may scroll for what covers itself, and so cannot tell its contrast.
for (const area of document.querySelectorAll("textarea")) area.style.overflow = "hidden";
const rules = only.length
  ? { type: "rule", values: only }
  : { type: "tag", values: ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "wcag22aa", "best-practice"] };
axe.run(document, { runOnly: rules, resultTypes: ["violations", "incomplete"] }).then(done, e => done(String(e)));
"""


def prepare(chromium: webdriver.Chrome) -> webdriver.Chrome:
    """Have every page that a browser opens from now on looked at by it."""
    if not AXE.exists():
        missing("axe-core is not installed (`.ci/run` says how)")
    source = {"source": AXE.read_text(encoding="utf-8")}
    chromium.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", source)
    return chromium


def faults(chromium: webdriver.Chrome, *only: str) -> list[str]:
    """Return what is wrong with the page that is shown, and where its contrast cannot be told; `only` names rules."""
    found: dict[str, Any] | str = chromium.execute_async_script(_RUN, list(only))
    assert isinstance(found, dict), found
    unsure = [one for one in found["incomplete"] if one["id"] == "color-contrast"]
    return [
        f"{rule['id']}: {node['html'][:200]} ({node['failureSummary'].splitlines()[-1].strip()})"
        for rule in (*found["violations"], *unsure)
        for node in rule["nodes"]
    ]


def show(chromium: webdriver.Chrome, address: str, *, size: tuple[int, int], dark: bool = False) -> None:
    """Open a page on a screen of this size, in this light."""
    be(chromium, size, theme="dark" if dark else "light")
    chromium.get(address)
