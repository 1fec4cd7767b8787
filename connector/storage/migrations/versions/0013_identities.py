"""One calendar takes the entries of one connection, whatever the spelling of its address."""

from __future__ import annotations

import posixpath
from urllib.parse import quote, unquote, urlsplit

import sqlalchemy as sa
from alembic import op

revision = "0013"
down_revision = "0012"
branch_labels = None
depends_on = None

calendars = sa.table(
    "calendars",
    sa.column("id", sa.Uuid()),
    sa.column("connection_id", sa.Uuid()),
    sa.column("role", sa.String()),
    sa.column("remote_id", sa.Text()),
    sa.column("created_at", sa.DateTime(timezone=True)),
    sa.column("identity", sa.Text()),
    sa.column("twin", sa.Integer()),
)
connections = sa.table(
    "connections", sa.column("id", sa.Uuid()), sa.column("provider", sa.String()), sa.column("state", sa.String())
)


def upgrade() -> None:
    op.add_column("calendars", sa.Column("identity", sa.Text()))
    op.add_column("calendars", sa.Column("twin", sa.Integer(), nullable=False, server_default="0"))
    db = op.get_bind()
    query = (
        sa.select(calendars, connections.c.provider)
        .join(connections, connections.c.id == calendars.c.connection_id)
        .where(connections.c.state != "leaving")
        .order_by(calendars.c.created_at, calendars.c.id)
    )
    written: dict[str, int] = {}
    for row in db.execute(query).all():
        identity = identity_of(row.provider, row.remote_id)
        if identity is None:
            continue
        twin = 0
        if row.role != "watched":  # the younger ones go on as they are; `pencilled doctor` names them
            twin = written.get(identity, 0)
            written[identity] = twin + 1
        db.execute(sa.update(calendars).where(calendars.c.id == row.id).values(identity=identity, twin=twin))
    is_written = sa.text("role <> 'watched'")
    op.create_index(
        "uq_calendars_written",
        "calendars",
        ["identity", "twin"],
        unique=True,
        sqlite_where=is_written,
        postgresql_where=is_written,
    )


def identity_of(provider: str, remote_id: str) -> str | None:
    """As the providers said it when this step was written; None for one that is not among them."""
    match provider:
        case "google":
            return f"google:{remote_id.casefold()}"
        case "outlook":
            return f"outlook:{remote_id}"
        case "caldav":
            return f"caldav:{collection(remote_id)}"
        case _:
            return None


def collection(url: str) -> str:
    parts = urlsplit(url)
    host = (parts.hostname or "").rstrip(".").lower()
    try:
        host = host if host.isascii() else host.encode("idna").decode("ascii")
    except UnicodeError:
        pass
    domain = ".".join(host.split(".")[-2:])
    host = {"icloud.com": "apple.com", "apple.com": "apple.com"}.get(domain, host)
    host = {"fastmail.com": "fastmail.com", "messagingengine.com": "fastmail.com"}.get(domain, host)
    port = "" if parts.port in {None, 80, 443} else f":{parts.port}"
    path = posixpath.normpath("/" + unquote(parts.path, errors="surrogateescape").strip("/"))
    return host + port + quote(path, safe="/!$&'()*+,;=:@~-._", errors="surrogateescape")


def downgrade() -> None:
    op.drop_index("uq_calendars_written", "calendars")
    op.drop_column("calendars", "twin")
    op.drop_column("calendars", "identity")
