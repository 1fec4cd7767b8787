"""Codes by which clients prove who answers: which were sent, by what, and what they are compared with."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0022"
down_revision = "0021"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "answer_codes",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("offer_id", sa.Uuid(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("medium", sa.String(8), nullable=False),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("proof", sa.LargeBinary(), nullable=False),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("expires_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_answer_codes"),
        sa.ForeignKeyConstraint(["offer_id"], ["offers.id"], name="fk_answer_codes_offer_id_offers", ondelete="CASCADE"),
    )
    op.create_index("ix_answer_codes_offer_id", "answer_codes", ["offer_id"])
    op.create_index("ix_answer_codes_made_at", "answer_codes", ["made_at"])
    unknown = sa.text("state = 'unknown'")
    op.create_index(
        "ix_messages_unknown", "messages", ["practitioner_id"], sqlite_where=unknown, postgresql_where=unknown
    )


def downgrade() -> None:
    op.drop_index("ix_messages_unknown", "messages")
    op.drop_table("answer_codes")
