"""Clients can be erased: when that was, and which events that are over may still show them."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0014"
down_revision = "0013"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clients", sa.Column("erased_at", sa.DateTime(timezone=True)))
    op.create_table(
        "erasures",
        sa.Column("calendar_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["calendar_id"], ["calendars.id"], name="fk_erasures_calendar_id_calendars", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("calendar_id", "key", name="pk_erasures"),
    )


def downgrade() -> None:
    op.drop_table("erasures")
    op.drop_column("clients", "erased_at")
