"""What tables share: the metadata, the column type for instants, and columns that several have."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from sqlalchemy import BigInteger, Column, DateTime, Dialect, Integer, MetaData, String
from sqlalchemy.types import TypeDecorator

from connector.domain.text import LONGEST_EXTERNAL_ID

ZONE = String(64)
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
    """An instant: refuses naive values, restores UTC where the database forgets it (SQLite does)."""

    impl = DateTime(timezone=True)
    cache_ok = True

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:  # noqa: ARG002 - SQLAlchemy passes it
        """Turn an aware datetime into UTC."""
        if value is None:
            return None
        if value.tzinfo is None:
            raise ValueError(f"naive datetime {value!r} must not reach the database")
        return value.astimezone(UTC)

    def process_result_value(self, value: datetime | None, dialect: Dialect) -> datetime | None:  # noqa: ARG002
        """Return an aware datetime in UTC."""
        if value is None:
            return None
        return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def external_id() -> Column[str]:
    """Return what the host calls a row; NULL where it has no name of its own for it."""
    return Column("external_id", String(LONGEST_EXTERNAL_ID))


def version() -> Column[int]:
    """Return how often a row has changed, or what is shown of it; raised by `storage/versions.py` alone."""
    return Column("version", Integer, nullable=False, server_default="1")
