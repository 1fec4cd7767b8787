"""Sessions that were booked elsewhere are brought in: what the file said last is kept as a digest."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0037"
down_revision = "0036"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "imported_sessions",
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("fingerprint", sa.String(32), nullable=False),
        sa.Column("revision", sa.Integer(), nullable=False),
        sa.Column("imported_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_imported_sessions_session_id_sessions"),
        sa.PrimaryKeyConstraint("session_id", name="pk_imported_sessions"),
    )


def downgrade() -> None:
    op.drop_table("imported_sessions")
