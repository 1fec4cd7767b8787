"""The installation has a name of its own and counts its restores; entries that practitioners keep are remembered."""

from __future__ import annotations

from datetime import UTC, datetime
from uuid import uuid4

import sqlalchemy as sa
from alembic import op

revision = "0011"
down_revision = "0010"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    installation = op.create_table(
        "installation",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("epoch", sa.Integer(), nullable=False),
        sa.Column("created_at", INSTANT, nullable=False),
        sa.Column("restored_at", INSTANT),
        sa.Column("known_until", INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_installation"),
    )
    op.bulk_insert(installation, [{"id": uuid4(), "epoch": 0, "created_at": datetime.now(UTC)}])
    op.create_table(
        "kept_entries",
        sa.Column("calendar_id", sa.Uuid(), nullable=False),
        sa.Column("name", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["calendar_id"], ["calendars.id"], name="fk_kept_entries_calendar_id_calendars", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("calendar_id", "name", name="pk_kept_entries"),
    )


def downgrade() -> None:
    op.drop_table("kept_entries")
    op.drop_table("installation")
