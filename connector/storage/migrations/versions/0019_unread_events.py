"""Events that could not be read are kept with their calendar: how many, why, since when, and when some of them begin."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0019"
down_revision = "0018"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "unread_events",
        sa.Column("calendar_id", sa.Uuid(), nullable=False),
        sa.Column("reason", sa.String(16), nullable=False),
        sa.Column("events", sa.Integer(), nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("starts", sa.Text(), nullable=False),
        sa.ForeignKeyConstraint(
            ["calendar_id"], ["calendars.id"], name="fk_unread_events_calendar_id_calendars", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("calendar_id", "reason", name="pk_unread_events"),
    )


def downgrade() -> None:
    op.drop_table("unread_events")
