"""What an installation of each earlier version had stored, put into a database at that version's schema.

`tests/data/stored/0006.json` is what version 0006 had stored one afternoon, with what stood in its calendars, in the
middle of things: letters queued, an offer open, another drafted, a question asked, one account closed to us and another
being disconnected. Earlier versions knew less, and called some of it otherwise.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from functools import cache, cached_property
from itertools import count
from pathlib import Path
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from alembic import command
from alembic.script import ScriptDirectory

from connector.storage import migrations
from connector.storage.columns import UtcDateTime
from connector.storage.database import read_url
from providers.memory import provider as memory
from providers.memory.events import Event
from providers.memory.provider import MemoryCalendar

Row = dict[str, Any]

_FILE = Path(__file__).parents[1] / "data" / "stored" / "0006.json"
_TYPES: dict[str, sa.types.TypeEngine[Any]] = {
    "uuid": sa.Uuid(),
    "instant": UtcDateTime(),
    "local": sa.DateTime(),
    "bytes": sa.LargeBinary(),
}
_WORK_SINCE = {"channel": "0002", "busy": "0004", "probe": "0004", "question": "0004"}  # the rest: since the first


def revisions() -> list[str]:
    """Return every version of the schema, the first one first."""
    scripts = ScriptDirectory.from_config(migrations._config())
    return sorted(script.revision for script in scripts.walk_revisions())


@dataclass(frozen=True)
class Stored:
    """What an installation had stored, at a schema of a database that nobody has used yet.

    Attributes:
        revision: The version; of those after 0006 it is what their migrations make of 0006's.
    """

    url: str
    revision: str
    _file: dict[str, Any] = field(default_factory=lambda: json.loads(_FILE.read_text()))

    @property
    def now(self) -> datetime:
        """When it was stopped, to be upgraded."""
        return datetime.fromisoformat(self._file["now"])

    @property
    def session(self) -> dict[str, UUID]:
        """The sessions, by what is under way with each: sent, booked, offered, drafted, asked, over."""
        return {name: UUID(identity) for name, identity in self._file["sessions"].items()}

    @property
    def version(self) -> str:
        """Whose words its rows are in."""
        return min(self.revision, "0006")

    @property
    def knows_questions(self) -> bool:
        """Whether the version asked its practitioners about what they did in their calendars."""
        return self.revision >= "0004"

    def calendar(self, name: str) -> MemoryCalendar:
        """Return a calendar at its service: work, private, lost or going."""
        return memory.store(self._file["account"]).calendar(name)

    def fill(self) -> None:
        """Make the schema of the version, and store everything that it had stored."""
        memory.forget(self._file["account"])
        for name, there in self._file["events"].items():
            calendar = self.calendar(name)
            calendar._version, calendar._versions = there["version"], count(there["version"] + 1)
            for plain in there["events"]:
                if plain["href"] not in self._left_out_hrefs:
                    event = msgspec.convert(plain, Event)
                    calendar.events[event.href] = event
        self._upgrade(self.version)
        engine = sa.create_engine(read_url(self.url))
        with engine.begin() as db:
            inspector = sa.inspect(db)
            for name, rows in self._file["rows"].items():
                table = self._former_table(name)
                if inspector.has_table(table):
                    present = {column["name"] for column in inspector.get_columns(table)}
                    for row in self._rows_of_version(name, rows):
                        self._insert(db, name, row, present)
        engine.dispose()
        if self.revision == revisions()[-1]:
            migrations.migrate(self.url)  # which makes due what is new, as it did where this version is at work
        else:
            self._upgrade(self.revision)

    def _upgrade(self, revision: str) -> None:
        with migrations._alone(self.url) as connection:
            config = migrations._config()
            config.attributes["connection"] = connection
            command.upgrade(config, revision)

    def _insert(self, db: sa.Connection, name: str, row: Row, present: set[str]) -> None:
        types = self._file["types"].get(name, {})
        former = {column: self._former_column(name, column) for column in row}
        columns = {
            former[column]: sa.column(former[column], _TYPES.get(types.get(column, ""), sa.types.NullType()))
            for column in row
            if former[column] in present
        }
        values = {
            former[column]: _value(value, types.get(column))
            for column, value in row.items()
            if former[column] in columns
        }
        db.execute(sa.insert(sa.table(self._former_table(name), *columns.values())).values(values))

    def _rows_of_version(self, name: str, rows: list[Row]) -> Iterator[Row]:
        """Yield the rows of a table that the version had, in its own words."""
        for stored in rows:
            row = dict(stored)
            if self._left_out_ids & {str(value) for value in row.values()} or row.get("key") in self._left_out_keys:
                continue
            if name == "due" and self.version < _WORK_SINCE.get(row["kind"], "0001"):
                continue
            if name == "facts":
                row |= self._former_fact(row)
            yield row

    @cached_property
    def _left_out_ids(self) -> set[str]:
        """What the version could not have: watched calendars before 0003, questions and their sessions before 0004."""
        rows, identities = self._file["rows"], set()
        if self.version < "0003":
            identities |= {row["id"] for row in rows["calendars"] if row["role"] != "target"}
        if self.version < "0004":
            identities |= {row["session_id"] for row in rows["questions"]}
            messages = rows["messages"]
            identities |= {row["id"] for row in messages if row["session_id"] in identities}
        return identities

    @cached_property
    def _left_out_keys(self) -> set[str]:
        return {f"session:{identity}" for identity in self._left_out_ids}

    @cached_property
    def _left_out_hrefs(self) -> set[str]:
        mirrors = self._file["rows"]["mirrors"]
        return {row["href"] for row in mirrors if row["session_id"] in self._left_out_ids}

    def _former_table(self, name: str) -> str:
        words = _script("0006")
        return {new: old for old, new in words.TABLES}.get(name, name) if self.version < "0006" else name

    def _former_column(self, table: str, column: str) -> str:
        words = _script("0006")
        former = {(name, new): old for name, old, new in words.COLUMNS}
        return str(former.get((table, column), column)) if self.version < "0006" else column

    def _former_fact(self, row: Row) -> Row:
        kind, details = row["kind"], row["details"]
        if self.version < "0006" and kind in {"notice_sent", "notice_refused"}:
            details = details.replace('"medium":', '"channel":')
        if self.version < "0005":
            kind = {tag: name for name, tag in _script("0005").TAGS.items()}[kind]
        return {"kind": kind, "details": details}


@cache
def _script(revision: str) -> Any:
    return ScriptDirectory.from_config(migrations._config()).get_revision(revision).module


def _value(value: Any, kind: str | None) -> Any:
    if value is None:
        return None
    match kind:
        case "uuid":
            return UUID(value)
        case "instant" | "local":
            return datetime.fromisoformat(value)
        case "bytes":
            return bytes.fromhex(value)
        case _:
            return value
