"""A practitioner can have calendars that tell only when they are not free, beside the one with their sessions."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0034"
down_revision = "0033"
branch_labels = None
depends_on = None

_TABLE, _INDEX = "published_calendars", "uq_published_calendars_practitioner"


def upgrade() -> None:
    op.add_column(_TABLE, sa.Column("name", sa.Text()))
    _index("revoked_at IS NULL AND name IS NULL")


def downgrade() -> None:
    op.execute("DELETE FROM published_calendars WHERE name IS NOT NULL")
    _index("revoked_at IS NULL")
    op.drop_column(_TABLE, "name")


def _index(where: str) -> None:
    op.drop_index(_INDEX, table_name=_TABLE)
    only = sa.text(where)
    op.create_index(_INDEX, _TABLE, ["practitioner_id"], unique=True, sqlite_where=only, postgresql_where=only)
