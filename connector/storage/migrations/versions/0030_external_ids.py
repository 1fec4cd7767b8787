"""What a host calls what it has made, and how often each row has changed, so that nobody goes over what they have not seen."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0030"
down_revision = "0029"
branch_labels = None
depends_on = None

NAMED = ("practitioners", "clients", "sessions", "offers", "connections")


def upgrade() -> None:
    for table in (*NAMED, "calendars"):
        op.add_column(table, sa.Column("version", sa.Integer(), nullable=False, server_default="1"))
    for table in NAMED:
        op.add_column(table, sa.Column("external_id", sa.String(255)))
        op.create_index(f"uq_{table}_external_id", table, ["external_id"], unique=True)
    op.add_column("clients", sa.Column("made_for", sa.Uuid()))
    op.create_index("ix_clients_made_for", "clients", ["made_for"])


def downgrade() -> None:
    op.drop_index("ix_clients_made_for", "clients")
    op.drop_column("clients", "made_for")
    for table in NAMED:
        op.drop_index(f"uq_{table}_external_id", table)
        op.drop_column(table, "external_id")
    for table in (*NAMED, "calendars"):
        op.drop_column(table, "version")
