"""Every refusal that the source makes, and the page that lists them: `docs/errors.md`."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from pathlib import Path

from connector import errors
from connector.errors import ConnectorError, RuleError
from connector.web.visit import status_of
from tests.messages.sources import PACKAGES, ROOT, is_refusal

PAGE = ROOT / "docs" / "errors.md"
KINDS: Mapping[str, type[RuleError]] = {name: kind for name, kind in vars(errors).items() if is_refusal(kind)}
_OTHERS = {"Refusal": ConnectorError}  # what only commands refuse
_ANY_COMMAND = {"database_unusable", "usage_wrong"}  # made where commands refuse, of errors of libraries
_MAKERS = (
    "connector/errors.py",
    "connector/sentence.py",
    "connector/storage/sentences.py",
    "connector/cli/_refusals.py",
)
# The first that fits says under which heading a refusal is listed.
_HEADINGS = (
    ("connector/cli/", "Commands"),
    ("connector/api/", "Requests of programs"),
    ("connector/domain/api_key", "Requests of programs"),
    ("connector/services/idempotency", "Requests of programs"),
    ("connector/storage/api_keys", "Requests of programs"),
    ("connector/app", "The installation and its database"),
    ("connector/storage/keys", "The installation and its database"),
    ("connector/storage/schema", "The installation and its database"),
    ("connector/services/erasing", "People"),
    ("connector/services/people", "People"),
    ("connector/services/conversations", "People"),
    ("connector/storage/people", "People"),
    ("connector/domain/people", "People"),
    ("connector/domain/text", "People"),
    ("connector/services/accounts/", "Calendars and connections"),
    ("connector/services/sync/", "Calendars and connections"),
    ("connector/services/views/connections", "Calendars and connections"),
    ("connector/storage/calendars", "Calendars and connections"),
    ("connector/web/calendars", "Calendars and connections"),
    ("connector/web/connection", "Calendars and connections"),
    ("connector/web/paused", "Calendars and connections"),
    ("providers/", "Signing in to a calendar service"),
    ("connector/", "Sessions, offers and questions"),
)
_INTRODUCTION = """\
# What can be refused

Every refusal has a code. It stays, whatever its words become, and each language says them in its own way. Commands
print the words on standard error; with `--json` they also print this on standard output:

```json
{"error": {"code": "time_passed", "message": "Tuesday, 3 March 2026, 09:00 (Europe/Berlin) has already passed. Choose \
a time in the future.", "field": "when", "values": {"when": "2026-03-03T09:00:00", "zone": "Europe/Berlin"}}}
```

`field` is the input it is about, null where there is none; it is only named here where it is the same each time.
`values` fill in the words: times are ISO 8601, on the clock that the words show. A page answers with the status.

This page is written by `python -m tests.messages errors` from the code, and `make test` compares the two.
"""


@dataclass(frozen=True, slots=True)
class Said:
    """Words for a person, as a call in the source says them."""

    file: str
    line: int
    kind: str
    call: ast.Call

    @property
    def where(self) -> str:
        """The place in the source."""
        return f"{self.file}:{self.line}"

    @property
    def words(self) -> tuple[str, ...]:
        """The literals: the words, and those for more than one."""
        given = [*self.call.args[:1], *([self.keywords["plural"]] if "plural" in self.keywords else [])]
        return tuple(one.value for one in given if isinstance(one, ast.Constant) and isinstance(one.value, str))

    @property
    def keywords(self) -> Mapping[str, ast.expr]:
        """The arguments by name."""
        return {keyword.arg or "**": keyword.value for keyword in self.call.keywords}

    def literal(self, name: str) -> str:
        """Return an argument that is a literal; empty if it is none."""
        value = self.keywords.get(name)
        return str(value.value) if isinstance(value, ast.Constant) else ""

    @property
    def code(self) -> str:
        """What was refused, for programs."""
        return self.literal("code")


@cache
def every(root: Path = ROOT) -> Sequence[Said]:
    """Return every call that says something to a person, or adds to it, in the order of the source."""
    kinds = {*KINDS, *_OTHERS, "Sentence", "adding"}
    return [
        Said(name, node.lineno, kind, node)
        for package in PACKAGES
        for path in sorted((root / package).rglob("*.py"))
        if (name := path.relative_to(root).as_posix()) not in _MAKERS
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(node, ast.Call) and (kind := _called(node.func)) in kinds
    ]


def page() -> str:
    """Return the page that lists what can be refused."""
    refused = [one for one in every() if one.kind in KINDS]
    parts = [_INTRODUCTION]
    for heading in dict.fromkeys(heading for _, heading in reversed(_HEADINGS)):
        rows = {one.code: _row(one) for one in refused if _heading(one) == heading}
        parts.append(f"## {heading}\n| code | says | field | status |\n| --- | --- | --- | --- |\n{_lines(rows)}")
    refused_by_commands = {one.code for one in every() if one.kind in _OTHERS} | _ANY_COMMAND
    only = {code: f"| `{code}` |" for code in refused_by_commands}
    parts.append(f"## What else only commands refuse\n| code |\n| --- |\n{_lines(only)}")
    kinds = {code: f"| `{code}` | {meaning} |" for code, meaning in _failures()}
    parts.append(f"## Failures\n| code | means |\n| --- | --- |\n{_lines(kinds)}")
    return "\n".join(parts)


def _heading(one: Said) -> str:
    return next(heading for prefix, heading in _HEADINGS if one.file.startswith(prefix))


def _row(one: Said) -> str:
    kind = KINDS[one.kind]
    says = " / ".join(one.words).replace("|", "\\|")
    field = one.literal("field")
    status = one.literal("http") or status_of(kind.__new__(kind))
    return f"| `{one.code}` | {says} | {f'`{field}`' if field else ''} | {status} |"


def _lines(rows: Mapping[str, str]) -> str:
    return "".join(f"{rows[code]}\n" for code in sorted(rows))


def _failures() -> Iterator[tuple[str, str]]:
    """Yield the codes of what is no refusal of the domain, each with what its class says of itself."""
    for kind in vars(errors).values():
        if isinstance(kind, type) and issubclass(kind, ConnectorError) and not is_refusal(kind):
            yield kind.code, (kind.__doc__ or "").partition("\n")[0]


def _called(function: ast.expr) -> str:
    match function:
        case ast.Name(id=name) | ast.Attribute(attr=name):
            return name
        case _:
            return ""
