"""A client is told who subscribes for them, and how often a mailbox was numbered anew is counted."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0029"
down_revision = "0028"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("published_calendars", sa.Column("conversation_id", sa.Uuid()))
    op.add_column("reply_mailbox", sa.Column("renumbered", sa.Integer(), nullable=False, server_default="0"))
    op.add_column("reply_mailbox", sa.Column("renumbered_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("reply_mailbox", "renumbered_at")
    op.drop_column("reply_mailbox", "renumbered")
    op.drop_column("published_calendars", "conversation_id")
