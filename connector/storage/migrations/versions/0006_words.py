"""Tables and columns are called what the field calls them, and so is the medium in the facts of messages."""

from __future__ import annotations

from alembic import op

revision = "0006"
down_revision = "0005"
branch_labels = None
depends_on = None

TABLES = (("suspicions", "remote_changes"), ("arrivals", "pending_connections"))
COLUMNS = (
    ("remote_changes", "act", "kind"),
    ("remote_changes", "wanted_starts_at", "expected_starts_at"),
    ("remote_changes", "wanted_ends_at", "expected_ends_at"),
    ("remote_changes", "found_starts_at", "actual_starts_at"),
    ("remote_changes", "found_ends_at", "actual_ends_at"),
    ("calendars", "stopped", "paused"),
    ("calendars", "stopped_at", "paused_at"),
    ("calendars", "stopped_count", "paused_count"),
    ("channels", "last_rang_at", "last_notified_at"),
    ("clients", "channels", "media"),
    ("messages", "channel", "medium"),
)
INDEXES = (("ix_arrivals_expires_at", "pending_connections", "expires_at", "ix_pending_connections_expires_at"),)
TOLD = "kind IN ('notice_sent', 'notice_refused')"


def upgrade() -> None:
    for before, after in TABLES:
        op.rename_table(before, after)
    for table, before, after in COLUMNS:
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {before} TO {after}")
    for before, table, column, after in INDEXES:
        op.drop_index(before, table_name=table)
        op.create_index(after, table, [column])
    op.execute(f"""UPDATE facts SET details = replace(details, '"channel":', '"medium":') WHERE {TOLD}""")


def downgrade() -> None:
    op.execute(f"""UPDATE facts SET details = replace(details, '"medium":', '"channel":') WHERE {TOLD}""")
    for before, table, column, after in INDEXES:
        op.drop_index(after, table_name=table)
        op.create_index(before, table, [column])
    for table, before, after in reversed(COLUMNS):
        op.execute(f"ALTER TABLE {table} RENAME COLUMN {after} TO {before}")
    for before, after in reversed(TABLES):
        op.rename_table(after, before)
