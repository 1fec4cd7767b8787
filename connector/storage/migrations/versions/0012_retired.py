"""Clients and practitioners can be retired: they take no new bookings, and nothing of theirs is deleted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0012"
down_revision = "0011"
branch_labels = None
depends_on = None


def upgrade() -> None:
    for table in ("practitioners", "clients"):
        op.add_column(table, sa.Column("retired_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    for table in ("practitioners", "clients"):
        op.drop_column(table, "retired_at")
