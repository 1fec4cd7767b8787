"""What no page of ours has: styles and scripts within it, handlers in its elements, anything loaded from elsewhere."""

from __future__ import annotations

import re
from html.parser import HTMLParser

_JINJA = re.compile(r"\{#.*?#\}|\{%.*?%\}|\{\{.*?\}\}", re.DOTALL)
_LOADS = frozenset({"src", "srcset", "data", "poster", "background"})  # in whatever element; a link's href besides


class _Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.faults: list[str] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        """Note what must not be there in one element."""
        given = {name: value or "" for name, value in attrs}
        bad = [name for name in given if name == "style" or name.startswith("on")]
        bad += [name for name, value in given.items() if value.strip().lower().startswith("javascript:")]
        bad += [name for name in _loading(tag) & given.keys() if not _is_ours(given[name])]
        if tag == "style" or (tag == "script" and "src" not in given) or tag in {"base", "object", "embed", "iframe"}:
            bad.append("element")
        self.faults += [f"<{tag}>: {name}" for name in bad]


def inline(page: str) -> list[str]:
    """Return what of it a page has."""
    reader = _Reader()
    reader.feed(page)
    return reader.faults


def inline_in_template(source: str) -> list[str]:
    """Return the same of a template, whatever fills it."""
    return inline(_JINJA.sub("", source))


def _loading(tag: str) -> frozenset[str]:
    return _LOADS | {"href"} if tag in {"link", "use", "image"} else _LOADS


def _is_ours(address: str) -> bool:
    return not address or (address.startswith("/") and not address.startswith("//"))
