"""Calendars that programs subscribe to, and which sessions their clients have in one instead of by invitation."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0025"
down_revision = "0024"
branch_labels = None
depends_on = None

_OWNERS = ("practitioner", "client")


def upgrade() -> None:
    op.add_column("sessions", sa.Column("published", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.create_index("ix_sessions_client_id_ends_at", "sessions", ["client_id", "ends_at"])
    op.create_table(
        "published_calendars",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("digest", sa.LargeBinary(), nullable=False),
        sa.Column("practitioner_id", sa.Uuid()),
        sa.Column("client_id", sa.Uuid()),
        sa.Column("session_level", sa.Integer()),
        sa.Column("hold_level", sa.Integer()),
        sa.Column("made_at", sa.DateTime(timezone=True), nullable=False),
        sa.Column("revoked_at", sa.DateTime(timezone=True)),
        sa.Column("fetched_at", sa.DateTime(timezone=True)),
        sa.Column("etag", sa.String(32)),
        sa.Column("changed_at", sa.DateTime(timezone=True)),
        sa.PrimaryKeyConstraint("id", name="pk_published_calendars"),
        sa.UniqueConstraint("digest", name="uq_published_calendars_digest"),
        *(
            sa.ForeignKeyConstraint(
                [f"{owner}_id"], [f"{owner}s.id"], name=f"fk_published_calendars_{owner}_id_{owner}s"
            )
            for owner in _OWNERS
        ),
    )
    live = sa.text("revoked_at IS NULL")
    for owner in _OWNERS:
        op.create_index(f"ix_published_calendars_{owner}_id", "published_calendars", [f"{owner}_id"])
        op.create_index(
            f"uq_published_calendars_{owner}",
            "published_calendars",
            [f"{owner}_id"],
            unique=True,
            sqlite_where=live,
            postgresql_where=live,
        )


def downgrade() -> None:
    op.drop_table("published_calendars")
    op.drop_index("ix_sessions_client_id_ends_at", table_name="sessions")
    op.drop_column("sessions", "published")
