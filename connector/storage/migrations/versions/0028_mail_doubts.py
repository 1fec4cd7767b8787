"""Why a client's mail does not count by itself is stored with it, where it may be proved to be theirs all the same."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0028"
down_revision = "0027"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("client_mails", sa.Column("doubt", sa.String(16)))
    # An answer that was kept as unproved although it was proved had one reason: another stood already.
    op.execute("UPDATE client_mails SET doubt = 'unordered' WHERE kind = 'unproved' AND trusted AND state = 'open'")


def downgrade() -> None:
    op.drop_column("client_mails", "doubt")
