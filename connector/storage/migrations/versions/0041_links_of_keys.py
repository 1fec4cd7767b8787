"""A connect link knows which API key has made it."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0041"
down_revision = "0040"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("connect_links", sa.Column("made_by", sa.Uuid()))


def downgrade() -> None:
    op.drop_column("connect_links", "made_by")
