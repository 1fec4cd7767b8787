"""Browsers that are signed in are kept here, and so is who asked for a sign-in link; links have their age."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0018"
down_revision = "0017"
branch_labels = None
depends_on = None


def upgrade() -> None:
    op.add_column("signins", sa.Column("made_at", sa.DateTime(timezone=True)))
    op.create_table(
        "browsers",
        sa.Column("id", sa.LargeBinary(), nullable=False),
        sa.Column("practitioner_id", sa.Uuid(), nullable=False),
        sa.Column("signed_in_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("seen_at", sa.DateTime(timezone=True), nullable=False),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioners.id"], name="fk_browsers_practitioner_id_practitioners"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_browsers"),
    )
    op.create_index("ix_browsers_practitioner_id", "browsers", ["practitioner_id"])
    op.create_table(
        "link_requests",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("asked_at", sa.DateTime(timezone=True), nullable=False),
        sa.PrimaryKeyConstraint("id", name="pk_link_requests"),
    )


def downgrade() -> None:
    op.drop_table("link_requests")
    op.drop_table("browsers")
    op.drop_column("signins", "made_at")
