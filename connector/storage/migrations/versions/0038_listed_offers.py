"""Offers are listed by when they were noted down, a practitioner's as everybody's."""

from __future__ import annotations

from alembic import op

revision = "0038"
down_revision = "0037"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_offers_drafted_at_id", "offers", ["drafted_at", "id"])
    op.create_index("ix_offers_practitioner_id_drafted_at_id", "offers", ["practitioner_id", "drafted_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_offers_practitioner_id_drafted_at_id", "offers")
    op.drop_index("ix_offers_drafted_at_id", "offers")
