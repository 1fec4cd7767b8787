"""Mail that comes in is stored as it came, until it is read, and what became of it for a while after that."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0021"
down_revision = "0020"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "incoming_mails",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("raw", sa.LargeBinary()),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("outcome", sa.String(16)),
        sa.Column("session_id", sa.Uuid()),
        sa.PrimaryKeyConstraint("id", name="pk_incoming_mails"),
        sa.UniqueConstraint("identity", name="uq_incoming_mails_identity"),
    )
    op.create_index("ix_incoming_mails_session_id", "incoming_mails", ["session_id"])
    op.create_index("ix_incoming_mails_received_at", "incoming_mails", ["received_at"])


def downgrade() -> None:
    op.drop_table("incoming_mails")
