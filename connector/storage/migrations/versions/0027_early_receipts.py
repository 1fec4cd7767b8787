"""What a gateway tells of a text before it is stored what it calls it is kept for a while."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0027"
down_revision = "0026"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "early_receipts",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("stopped", sa.Boolean(), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_early_receipts"),
    )
    op.create_index("ix_early_receipts_ends_at", "early_receipts", ["ends_at"])


def downgrade() -> None:
    op.drop_table("early_receipts")
