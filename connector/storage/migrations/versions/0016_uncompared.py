"""Calendars have what keeps them from being compared as a whole: the rest of a look counts all the same."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0016"
down_revision = "0015"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("calendars", sa.Column("compare_trouble", sa.Text()))
    op.add_column("calendars", sa.Column("compare_trouble_kind", sa.String(16)))
    op.add_column("calendars", sa.Column("compare_trouble_since", sa.DateTime(timezone=True)))


def downgrade() -> None:
    for name in ("compare_trouble", "compare_trouble_kind", "compare_trouble_since"):
        op.drop_column("calendars", name)
