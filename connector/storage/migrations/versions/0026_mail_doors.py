"""By which door a mail came in is stored with it: whose word counts for it depends on that."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0026"
down_revision = "0025"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("incoming_mails", sa.Column("door", sa.String(16)))


def downgrade() -> None:
    op.drop_column("incoming_mails", "door")
