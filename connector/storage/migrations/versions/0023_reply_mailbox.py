"""How far the reply mailbox has been read, and which mails in it could not be fetched yet."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0023"
down_revision = "0022"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "reply_mailbox",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("identity", sa.String(64), nullable=False),
        sa.Column("validity", sa.BigInteger()),
        sa.Column("uid", sa.BigInteger(), nullable=False),
        sa.Column("tried_uid", sa.BigInteger()),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("looked_at", sa.DateTime(timezone=True)),
        sa.Column("fault", sa.Text()),
        sa.Column("fault_since", sa.DateTime(timezone=True)),
        sa.Column("fault_told_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_reply_mailbox"),
    )
    op.create_table(
        "unfetched_mails",
        sa.Column("uid", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("since", sa.DateTime(timezone=True), nullable=False),
        sa.Column("again_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("uid", name="pk_unfetched_mails"),
    )


def downgrade() -> None:
    op.drop_table("unfetched_mails")
    op.drop_table("reply_mailbox")
