"""Nothing waits for a touch any more: what is refused is due, and calendars and providers have their troubles."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0009"
down_revision = "0008"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
IN_CALENDARS = (
    ("trouble_kind", sa.String(16)),
    ("read_trouble", sa.Text()),
    ("read_trouble_kind", sa.String(16)),
    ("read_trouble_since", INSTANT),
    ("unreadable_at", INSTANT),
    ("refused_at", INSTANT),
    ("outage_told_at", INSTANT),
)


def upgrade() -> None:
    op.drop_index("ix_due_parked", table_name="due")
    op.execute("ALTER TABLE due RENAME COLUMN parked_at TO refused_at")
    op.add_column("due", sa.Column("refusals", sa.Integer(), nullable=False, server_default="0"))
    op.execute("UPDATE due SET due_at = refused_at WHERE refused_at IS NOT NULL AND due_at IS NULL")
    _index("refused")
    for name, kind in IN_CALENDARS:
        op.add_column("calendars", sa.Column(name, kind))
    op.execute("UPDATE calendars SET sync_token = NULL WHERE paused IS NOT NULL")
    op.create_table(
        "registration_faults",
        sa.Column("provider", sa.String(32), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.Column("cause", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("provider", name="pk_registration_faults"),
    )


def downgrade() -> None:
    op.drop_table("registration_faults")
    for name, _ in reversed(IN_CALENDARS):
        op.drop_column("calendars", name)
    op.drop_index("ix_due_refused", table_name="due")
    op.drop_column("due", "refusals")
    op.execute("ALTER TABLE due RENAME COLUMN refused_at TO parked_at")
    _index("parked")


def _index(name: str) -> None:
    where = sa.text(f"{name}_at IS NOT NULL")
    op.create_index(f"ix_due_{name}", "due", [f"{name}_at"], sqlite_where=where, postgresql_where=where)
