"""Whole calendars are compared with what is believed of them, and entries that nobody knows are asked about."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0010"
down_revision = "0009"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("calendars", sa.Column("compared_at", INSTANT))
    op.add_column("calendars", sa.Column("compare_at", INSTANT))
    op.add_column("calendars", sa.Column("repair_asked", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("mirrors", sa.Column("former_etag", sa.Text()))
    op.create_table(
        "unknown_entries",
        sa.Column("calendar_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.Column("href", sa.Text(), nullable=False),
        sa.Column("title", sa.Text(), nullable=False),
        sa.Column("starts_at", INSTANT),
        sa.Column("ends_at", INSTANT),
        sa.Column("fate", sa.String(16), nullable=False),
        sa.ForeignKeyConstraint(
            ["calendar_id"], ["calendars.id"], name="fk_unknown_entries_calendar_id_calendars", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("calendar_id", "name", name="pk_unknown_entries"),
    )


def downgrade() -> None:
    op.drop_table("unknown_entries")
    op.drop_column("mirrors", "former_etag")
    op.drop_column("calendars", "repair_asked")
    op.drop_column("calendars", "compare_at")
    op.drop_column("calendars", "compared_at")
