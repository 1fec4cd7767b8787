"""Arrivals: accounts on their way in; and calendars that are only watched."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0003"
down_revision = "0002"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)


def upgrade() -> None:
    op.add_column("calendars", sa.Column("role", sa.String(length=16), nullable=False, server_default="target"))
    op.create_table(
        "arrivals",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("practitioner_id", sa.Uuid(), nullable=False),
        sa.Column("provider", sa.String(length=32), nullable=False),
        sa.Column("connection_id", sa.Uuid()),
        sa.Column("stage", sa.String(length=16), nullable=False),
        sa.Column("kept", sa.LargeBinary(), nullable=False),
        sa.Column("expires_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioners.id"], name="fk_arrivals_practitioner_id_practitioners"
        ),
        sa.ForeignKeyConstraint(
            ["connection_id"], ["connections.id"], name="fk_arrivals_connection_id_connections", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_arrivals"),
    )
    op.create_index("ix_arrivals_expires_at", "arrivals", ["expires_at"])


def downgrade() -> None:
    op.drop_table("arrivals")
    op.drop_column("calendars", "role")
