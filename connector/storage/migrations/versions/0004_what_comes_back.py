"""What practitioners do in their calendars: suspicions, questions, busy times, and calendars that were stopped."""

from __future__ import annotations

import sqlalchemy as sa
from alembic import op

revision = "0004"
down_revision = "0003"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
OPEN = sa.text("state = 'open'")

def columns() -> list[sa.Column[object]]:
    return [
        sa.Column("successor_id", sa.Uuid()),
        sa.Column("stopped", sa.String(length=16)),
        sa.Column("stopped_at", INSTANT),
        sa.Column("stopped_count", sa.Integer()),
        sa.Column("busy_at", INSTANT),
        sa.Column("busy_until", INSTANT),
        sa.Column("busy_trouble", sa.Text()),
        sa.Column("probe", sa.Text()),
        sa.Column("probe_at", INSTANT),
        sa.Column("probe_tries", sa.Integer(), nullable=False, server_default="0"),
        sa.Column("probed_at", INSTANT),
    ]


def upgrade() -> None:
    for column in columns():
        op.add_column("calendars", column)
    op.create_table(
        "formers",
        sa.Column("calendar_id", sa.Uuid(), nullable=False),
        sa.Column("href", sa.Text(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.ForeignKeyConstraint(
            ["calendar_id"], ["calendars.id"], name="fk_formers_calendar_id_calendars", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("calendar_id", "href", name="pk_formers"),
    )
    op.create_table(
        "suspicions",
        sa.Column("calendar_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("act", sa.String(length=16), nullable=False),
        sa.Column("since", INSTANT, nullable=False),
        sa.Column("wanted_starts_at", INSTANT, nullable=False),
        sa.Column("wanted_ends_at", INSTANT, nullable=False),
        sa.Column("found_starts_at", INSTANT),
        sa.Column("found_ends_at", INSTANT),
        sa.Column("accepted", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(
            ["calendar_id"], ["calendars.id"], name="fk_suspicions_calendar_id_calendars", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("calendar_id", "key", name="pk_suspicions"),
    )
    op.create_table(
        "questions",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid(), nullable=False),
        sa.Column("practitioner_id", sa.Uuid(), nullable=False),
        sa.Column("calendar_id", sa.Uuid(), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("answer", sa.String(length=16)),
        sa.Column("offer_id", sa.Uuid()),
        sa.Column("starts_at", INSTANT),
        sa.Column("ends_at", INSTANT),
        sa.Column("local_start", sa.DateTime()),
        sa.Column("zone", sa.String(length=64)),
        sa.Column("asked_at", INSTANT, nullable=False),
        sa.Column("answers_itself_at", INSTANT, nullable=False),
        sa.Column("ended_at", INSTANT),
        sa.ForeignKeyConstraint(["session_id"], ["sessions.id"], name="fk_questions_session_id_sessions"),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioners.id"], name="fk_questions_practitioner_id_practitioners"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_questions"),
    )
    op.create_index("ix_questions_session_id", "questions", ["session_id"])
    op.create_index(
        "uq_questions_open", "questions", ["session_id"], unique=True, sqlite_where=OPEN, postgresql_where=OPEN
    )
    op.create_index("ix_questions_open", "questions", ["practitioner_id"], sqlite_where=OPEN, postgresql_where=OPEN)
    op.create_table(
        "busy_times",
        sa.Column("id", COUNTER, autoincrement=True, nullable=False),
        sa.Column("calendar_id", sa.Uuid(), nullable=False),
        sa.Column("starts_at", INSTANT, nullable=False),
        sa.Column("ends_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["calendar_id"], ["calendars.id"], name="fk_busy_times_calendar_id_calendars", ondelete="CASCADE"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_busy_times"),
    )
    op.create_index("ix_busy_times_calendar_id", "busy_times", ["calendar_id"])


def downgrade() -> None:
    for table in ("busy_times", "questions", "suspicions", "formers"):
        op.drop_table(table)
    for column in columns():
        op.drop_column("calendars", column.name)
