"""Sessions are listed by their start, and what happened by its practitioner."""

from __future__ import annotations

from alembic import op

revision = "0036"
down_revision = "0035"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_sessions_starts_at_id", "sessions", ["starts_at", "id"])
    op.create_index("ix_facts_practitioner_id_id", "facts", ["practitioner_id", "id"])


def downgrade() -> None:
    op.drop_index("ix_facts_practitioner_id_id", "facts")
    op.drop_index("ix_sessions_starts_at_id", "sessions")
