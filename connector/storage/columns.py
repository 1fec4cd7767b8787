"""What tables share: the metadata, the column types for instants and ids, and columns that several have."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from datetime import UTC, datetime
from typing import Any
from uuid import UUID

import msgspec
import sqlalchemy as sa
from sqlalchemy import BigInteger, Column, DateTime, Dialect, Integer, MetaData, String
from sqlalchemy.types import TypeDecorator

from connector.domain.text import LONGEST_EXTERNAL_ID

ZONE = String(64)
_UTC = "+00:00"
COUNTER = BigInteger().with_variant(Integer, "sqlite")

metadata = MetaData(
    naming_convention={
        "ix": "ix_%(column_0_N_label)s",
        "uq": "uq_%(table_name)s_%(column_0_N_name)s",
        "ck": "ck_%(table_name)s_%(constraint_name)s",
        "fk": "fk_%(table_name)s_%(column_0_N_name)s_%(referred_table_name)s",
        "pk": "pk_%(table_name)s",
    }
)


class UtcDateTime(TypeDecorator[datetime]):
    """An instant: refuses naive values, restores UTC where the database forgets it.

    SQLite does: it keeps text, as `2026-12-01 09:00:00.000000`. Both ways are one step a value, since lists have many.
    """

    impl = DateTime(timezone=True)
    cache_ok = True

    def bind_processor(self, dialect: Dialect) -> Callable[[datetime | None], Any]:
        """Return what turns an aware datetime into UTC."""
        return _written if dialect.name == "sqlite" else _in_utc

    def result_processor(self, dialect: Dialect, coltype: object) -> Callable[[Any], datetime | None]:  # noqa: ARG002 - SQLAlchemy passes it
        """Return what makes an aware datetime in UTC."""
        return _read if dialect.name == "sqlite" else _in_utc


def _in_utc(value: datetime | None) -> datetime | None:
    if value is None:
        return None
    if value.tzinfo is None:
        raise ValueError(f"naive datetime {value!r} must not reach the database")
    return value.astimezone(UTC)


def _written(value: datetime | None) -> str | None:
    found = _in_utc(value)
    return None if found is None else found.replace(tzinfo=None).isoformat(" ", "microseconds")


def _read(text: str | None) -> datetime | None:
    if text is None:
        return None
    return datetime.fromisoformat(text if text[-6:] == _UTC else text + _UTC)  # some was written by the driver itself


class Uuid(sa.Uuid[UUID]):
    """An id, read from the text that SQLite keeps in a third of the time."""

    def result_processor(self, dialect: Dialect, coltype: object) -> Any:
        """Return what makes a UUID; None where the driver does."""
        return _read_id if super().result_processor(dialect, coltype) else None  # type: ignore[no-untyped-call]


def _read_id(text: str | None) -> UUID | None:
    return None if text is None else msgspec.convert(text, UUID)


def by_name(table: sa.Table) -> Callable[[sa.Row[Any]], Mapping[str, Any]]:
    """Return what gives the values of a row by the names of its table's columns, which have to be the first of it.

    To ask a row for each of them by its name takes as long as all the rest of reading it.
    """
    names = tuple(table.c.keys())
    return lambda row: dict(zip(names, row, strict=False))


def external_id() -> Column[str]:
    """Return what the host calls a row; NULL where it has no name of its own for it."""
    return Column("external_id", String(LONGEST_EXTERNAL_ID))


def version() -> Column[int]:
    """Return how often a row has changed, or what is shown of it; raised by `storage/versions.py` alone."""
    return Column("version", Integer, nullable=False, server_default="1")
