"""Who says that a client has agreed to texts, and when they last wanted none any more; lists go by when people came."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0039"
down_revision = "0038"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("clients", sa.Column("texts_agreed_by", sa.Text()))
    op.add_column("clients", sa.Column("texts_stopped_at", sa.DateTime(timezone=True)))
    op.create_index("ix_clients_created_at_id", "clients", ["created_at", "id"])


def downgrade() -> None:
    op.drop_index("ix_clients_created_at_id", "clients")
    op.drop_column("clients", "texts_stopped_at")
    op.drop_column("clients", "texts_agreed_by")
