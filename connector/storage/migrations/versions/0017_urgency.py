"""Due work is urgent or not, and waits in a lane of its calendar's host or account, where it was one of the service."""

from __future__ import annotations

from urllib.parse import urlsplit
from uuid import UUID

import sqlalchemy as sa
from alembic import op

revision = "0017"
down_revision = "0016"
branch_labels = None
depends_on = None

ACTS = "'calendar', 'offer', 'question', 'conversation', 'outcome'"
OF_CALENDARS = ("calendar", "pull", "channel", "busy", "probe")
INDEXES = {"urgency": ["urgency", "due_at"], "lane": ["lane", "urgency", "due_at"]}
calendars = sa.table(
    "calendars",
    sa.column("id", sa.Uuid()),
    sa.column("connection_id", sa.Uuid()),
    sa.column("remote_id", sa.Text()),
    sa.column("lane", sa.Text()),
)
connections = sa.table("connections", sa.column("id", sa.Uuid()), sa.column("provider", sa.String()))
due = sa.table("due", sa.column("kind", sa.String()), sa.column("id", sa.Text()), sa.column("lane", sa.Text()))


def upgrade() -> None:
    op.add_column("due", sa.Column("urgency", sa.Integer(), nullable=False, server_default="2"))
    op.execute(f"UPDATE due SET urgency = 0 WHERE kind IN ({ACTS})")  # noqa: S608 - words of ours
    for name, columns in INDEXES.items():
        where = sa.text("due_at IS NOT NULL")
        op.create_index(f"ix_due_{name}", "due", columns, sqlite_where=where, postgresql_where=where)
    db = op.get_bind()
    query = sa.select(calendars, connections.c.provider).join(
        connections, connections.c.id == calendars.c.connection_id
    )
    for row in db.execute(query.order_by(calendars.c.id)).all():
        _move(row.id, lane_of(row.provider, row.connection_id, row.remote_id))


def lane_of(provider: str, connection_id: UUID, remote_id: str) -> str:
    """Return the lane of a calendar; its address is a URL where hosts are many."""
    if "://" not in remote_id:
        return f"{provider}:{connection_id}"
    parts = urlsplit(remote_id)
    host = (parts.hostname or "").rstrip(".").lower()
    try:
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        pass  # as it is written
    return f"{provider}:{host}" if parts.port in {None, 80, 443} else f"{provider}:{host}:{parts.port}"


def _move(calendar_id: UUID, lane: str) -> None:
    db = op.get_bind()
    db.execute(sa.update(calendars).where(calendars.c.id == calendar_id).values(lane=lane))
    of_calendar = due.c.kind.in_(OF_CALENDARS), due.c.id == str(calendar_id)
    db.execute(sa.update(due).where(*of_calendar).values(lane=lane))


def downgrade() -> None:
    for name in INDEXES:
        op.drop_index(f"ix_due_{name}", table_name="due")
    op.drop_column("due", "urgency")
    for table in (calendars, due):
        is_of_calendar = table.c.lane.like("%:%")
        service = sa.select(connections.c.provider).where(table.c.lane.like(connections.c.provider + ":%")).limit(1)
        op.execute(sa.update(table).where(is_of_calendar).values(lane=service.scalar_subquery()))
