"""Texts to phones: who has agreed to them, short links, and what a gateway calls a text and has told of it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0020"
down_revision = "0019"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "short_links",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("purpose", sa.String(16), nullable=False),
        sa.Column("subject_id", sa.Uuid(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_short_links"),
    )
    op.create_index("ix_short_links_ends_at", "short_links", ["ends_at"])
    op.add_column("clients", sa.Column("texts_agreed_at", sa.DateTime(timezone=True)))
    op.add_column("messages", sa.Column("remote_id", sa.Text()))
    op.add_column("messages", sa.Column("receipt", sa.String(16)))
    op.add_column("messages", sa.Column("receipt_at", sa.DateTime(timezone=True)))
    op.create_index("ix_messages_remote_id", "messages", ["remote_id"])


def downgrade() -> None:
    op.drop_index("ix_messages_remote_id", table_name="messages")
    for name in ("receipt_at", "receipt", "remote_id"):
        op.drop_column("messages", name)
    op.drop_column("clients", "texts_agreed_at")
    op.drop_table("short_links")
