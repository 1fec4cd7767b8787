"""A host's own templates in place of single ones of ours."""

from __future__ import annotations

from collections.abc import Iterator
from difflib import get_close_matches
from pathlib import Path

from jinja2 import Environment, TemplateSyntaxError

from connector import web

_OURS = Path(web.__file__).parent / "templates"


def faults(folder: Path) -> Iterator[str]:
    """Say what in a folder of templates takes the place of nothing, or cannot be read."""
    if not folder.is_dir():
        yield f"templates: there is no folder {folder}"
        return
    ours = [path.relative_to(_OURS).as_posix() for path in _OURS.rglob("*.html")]
    environment = Environment(extensions=["jinja2.ext.i18n"], autoescape=True)
    for path in sorted(path for path in folder.rglob("*") if path.is_file()):
        name = path.relative_to(folder).as_posix()
        if name not in ours:
            [nearest] = get_close_matches(name, ours, n=1, cutoff=0.0)
            yield f"templates: there is no template {name} of ours whose place it would take; the nearest is {nearest}"
            continue
        try:
            environment.parse(path.read_text(encoding="utf-8"))
        except (TemplateSyntaxError, UnicodeDecodeError) as error:
            yield f"templates: {name} cannot be read: {error}"
