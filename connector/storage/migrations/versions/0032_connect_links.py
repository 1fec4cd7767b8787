"""Hosts send practitioners through links that connect one account, and get them back."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0032"
down_revision = "0031"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "connect_links",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("practitioner_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("reconnects", sa.Uuid()),
        sa.Column("return_url", sa.Text(), nullable=False),
        sa.Column("locale", sa.String(16), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("connection_id", sa.Uuid()),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioners.id"], name="fk_connect_links_practitioner_id_practitioners"
        ),
        sa.ForeignKeyConstraint(
            ["reconnects"], ["connections.id"], name="fk_connect_links_reconnects_connections", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_connect_links"),
    )
    op.create_index("ix_connect_links_expires_at", "connect_links", ["expires_at"])
    op.add_column("pending_connections", sa.Column("link_id", sa.Uuid()))


def downgrade() -> None:
    op.drop_column("pending_connections", "link_id")
    op.drop_table("connect_links")
