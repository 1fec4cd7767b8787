"""Clients are looked up by their address, in upper or lower case."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0040"
down_revision = "0039"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_index("ix_clients_lower_email", "clients", [sa.text("lower(email)")])


def downgrade() -> None:
    op.drop_index("ix_clients_lower_email", "clients")
