"""Our stylesheet for pages in the layout of a host: within one class, so that nothing outside of it looks different."""

from __future__ import annotations

import re
from collections.abc import Mapping

SCOPE = ".pencilled.pencilled"  # twice: a class of the host's, or two of them, say nothing about what is ours
VALUES = ":where(.pencilled)"  # counts for nothing: a host gives our pages its colours by a rule for `.pencilled`
# What the host says of its own elements and classes ends here; its font and what is behind our pages go on.
_OURS_ALONE = f"""{SCOPE} *, {SCOPE} *::before, {SCOPE} *::after {{ all: revert; }}
"""
_OF_THE_HOST = f"""
{SCOPE} {{ background: none; font-family: inherit; }}
"""

_COMMENT = re.compile(r"/\*.*?\*/", re.DOTALL)
_DARK = re.compile(r"@media screen and \(prefers-color-scheme: dark\) \{\s*:root \{(?P<values>[^}]*)\}\s*\}")
_LIGHT = re.compile(r":root \{(?P<values>[^}]*)\}")
_RULE = re.compile(r"(?P<selectors>[^{}@;]+)\{(?P<values>[^{}]*)\}")
_VALUE = re.compile(r"(--[\w-]+):\s*([^;]+);")
_WHOLE = {":root": VALUES, "html": SCOPE, "body": SCOPE}
_MAIN = re.compile(r"^main\b")


def scoped(sheet: str) -> str:
    """Return a stylesheet that says the same of what is within our class, and nothing of anything else.

    Whether it is dark follows the host's layout, not the reader's system: a host that knows no dark pages gets none.
    """
    plain = _COMMENT.sub("", sheet)
    dark = _DARK.search(plain)
    rest = _DARK.sub("", plain).replace("color-scheme: light dark;", "")
    light = _LIGHT.search(rest)
    rules = _RULE.sub(_within, rest)
    if dark is None or light is None:
        return _OURS_ALONE + rules + _OF_THE_HOST
    pairs = _both(dict(_VALUE.findall(light["values"])), dict(_VALUE.findall(dark["values"])))
    dark_as_the_host = f"\n@supports (color: light-dark(#000, #fff)) {{\n  {VALUES} {{\n{pairs}  }}\n}}\n"
    return _OURS_ALONE + rules.rstrip() + "\n" + _OF_THE_HOST + dark_as_the_host


def _within(rule: re.Match[str]) -> str:
    lead, selectors = re.match(r"(\s*)(.*)", rule["selectors"], re.DOTALL).groups()  # type: ignore[union-attr]  # it always matches
    narrowed = ", ".join(_narrowed(selector.strip()) for selector in selectors.split(","))
    return f"{lead}{narrowed} {{{rule['values']}}}"


def _narrowed(selector: str) -> str:
    return _WHOLE.get(selector) or f"{SCOPE} {_MAIN.sub('.main', selector)}"


def _both(light: Mapping[str, str], dark: Mapping[str, str]) -> str:
    return "".join(
        f"    {name}: light-dark({light[name]}, {value});\n" for name, value in dark.items() if name in light
    )
