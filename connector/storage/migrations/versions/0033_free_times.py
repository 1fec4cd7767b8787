"""When practitioners work is kept as they have said it, and whose availability was asked about lately."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0033"
down_revision = "0032"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.create_table(
        "working_hours",
        sa.Column("practitioner_id", sa.Uuid(), nullable=False),
        sa.Column("weekly", sa.Text(), nullable=False),
        sa.Column("exceptions", sa.Text(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("confirmed_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("practitioner_id", name="pk_working_hours"),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioners.id"], name="fk_working_hours_practitioner_id_practitioners"
        ),
    )
    op.create_table(
        "availability_asks",
        sa.Column("practitioner_id", sa.Uuid(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("until", sa.DateTime(timezone=True), nullable=False),
        sa.Column("refreshed_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("practitioner_id", name="pk_availability_asks"),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioners.id"], name="fk_availability_asks_practitioner_id_practitioners"
        ),
    )
    op.add_column("calendars", sa.Column("busy_outdated_at", sa.DateTime(timezone=True)))


def downgrade() -> None:
    op.drop_column("calendars", "busy_outdated_at")
    op.drop_table("availability_asks")
    op.drop_table("working_hours")
