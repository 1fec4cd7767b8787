"""What clients write, by mail or text, that their practitioners read, or decide about, is kept with its session."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0024"
down_revision = "0023"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "client_mails",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("practitioner_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("received_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("author", sa.Text(), nullable=False),
        sa.Column("medium", sa.String(8), nullable=False),
        sa.Column("trusted", sa.Boolean(), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("answer", sa.String(16)),
        sa.Column("sequence", sa.Integer()),
        sa.Column("stamp", sa.DateTime(timezone=True)),
        sa.Column("starts_at", sa.DateTime(timezone=True)),
        sa.Column("ends_at", sa.DateTime(timezone=True)),
        sa.Column("local_start", sa.DateTime()),
        sa.Column("zone", sa.String(64)),
        sa.Column("choice", sa.String(16)),
        sa.Column("ended_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_client_mails"),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_client_mails_session_id_sessions"),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioners.id"], name="fk_client_mails_practitioner_id_practitioners"
        ),
    )
    op.create_index("ix_client_mails_session_id", "client_mails", ["session_id"])
    is_open = sa.text("state = 'open'")
    op.create_index(
        "ix_client_mails_open", "client_mails", ["practitioner_id"], sqlite_where=is_open, postgresql_where=is_open
    )


def downgrade() -> None:
    op.drop_table("client_mails")
