"""By which door a mail came in is stored with it: whose word counts depends on that; a token goes with one mail."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("incoming_mails", sa.Column("door", sa.String(16)))
    op.create_table(
        "spent_tokens",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("ends_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_spent_tokens"),
    )
    op.create_index("ix_spent_tokens_ends_at", "spent_tokens", ["ends_at"])


def downgrade() -> None:
    op.drop_table("spent_tokens")
    op.drop_column("incoming_mails", "door")
