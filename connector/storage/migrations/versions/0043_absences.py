"""Busy times stay the same rows when they are read again, and practitioners are asked about their absences."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0043"
down_revision = "0042"
branch_labels = None
depends_on = None

COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
_INSTANT = sa.DateTime(timezone=True)
_INSTANTS = ("occurrence", "seen_at", "since", "settled_starts_at", "settled_ends_at")


def upgrade() -> None:
    op.add_column("busy_times", sa.Column("href", sa.Text()))
    op.add_column("busy_times", sa.Column("in_series", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("busy_times", sa.Column("lasts_a_day", sa.Boolean(), nullable=False, server_default=sa.false()))
    op.add_column("busy_times", sa.Column("nature", sa.String(16), nullable=False, server_default="ordinary"))
    for name in _INSTANTS:
        op.add_column("busy_times", sa.Column(name, _INSTANT))
    op.add_column("calendars", sa.Column("busy_read_at", _INSTANT))
    op.add_column("calendars", sa.Column("absences_unrelated", sa.Boolean(), nullable=False, server_default=sa.false()))
    _create()


def _create() -> None:
    op.create_table(
        "absences",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("practitioner_id", sa.Uuid(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("starts_at", _INSTANT, nullable=False),
        sa.Column("ends_at", _INSTANT, nullable=False),
        sa.Column("asked_at", _INSTANT, nullable=False),
        sa.Column("answer", sa.String(16)),
        sa.Column("ended", sa.String(16)),
        sa.Column("ended_at", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_absences"),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioners.id"], name="fk_absences_practitioner_id_practitioners"
        ),
    )
    op.create_index("ix_absences_practitioner_id_ends_at", "absences", ["practitioner_id", "ends_at"])
    op.create_table(
        "absence_parts",
        sa.Column("id", COUNTER, autoincrement=True, nullable=False),
        sa.Column("absence_id", sa.Uuid(), nullable=False),
        sa.Column("calendar_id", sa.Uuid(), nullable=False),
        sa.Column("href", sa.Text(), nullable=False),
        sa.Column("occurrence", _INSTANT),
        sa.PrimaryKeyConstraint("id", name="pk_absence_parts"),
        sa.ForeignKeyConstraint(
            ["absence_id"], ["absences.id"], name="fk_absence_parts_absence_id_absences", ondelete="CASCADE"
        ),
    )
    op.create_index("ix_absence_parts_absence_id", "absence_parts", ["absence_id"])
    op.create_table(
        "absence_sessions",
        sa.Column("absence_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", _INSTANT, nullable=False),
        sa.PrimaryKeyConstraint("absence_id", "session_id", "starts_at", name="pk_absence_sessions"),
        sa.ForeignKeyConstraint(
            ["absence_id"], ["absences.id"], name="fk_absence_sessions_absence_id_absences", ondelete="CASCADE"
        ),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_absence_sessions_session_id_sessions"),
    )
    op.create_index("ix_absence_sessions_session_id", "absence_sessions", ["session_id"])


def downgrade() -> None:
    for table in ("absence_sessions", "absence_parts", "absences"):
        op.drop_table(table)
    op.drop_column("calendars", "absences_unrelated")
    op.drop_column("calendars", "busy_read_at")
    for name in (*_INSTANTS, "nature", "lasts_a_day", "in_series", "href"):
        op.drop_column("busy_times", name)
