"""Clients write on their page of a session when they could."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0044"
down_revision = "0043"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("client_mails", sa.Column("wishes", sa.Text()))


def downgrade() -> None:
    op.drop_column("client_mails", "wishes")
