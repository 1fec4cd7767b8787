"""What people are told is a conversation: messages become its log, and what waits in it is made when it can leave."""

from __future__ import annotations

import secrets
from uuid import UUID, uuid4

import sqlalchemy as sa
from alembic import op

revision = "0007"
down_revision = "0006"
branch_labels = None
depends_on = None

INSTANT = sa.DateTime(timezone=True)
COUNTER = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
ABOUT_SESSION = sa.text("session_id IS NOT NULL")
REFUSED = sa.text("refused IS NOT NULL")
FAILING = sa.text("attempts > 0")

conversations = sa.table(
    "conversations",
    sa.column("id", sa.Uuid()),
    sa.column("practitioner_id", sa.Uuid()),
    sa.column("session_id", sa.Uuid()),
    sa.column("reader", sa.String()),
    sa.column("medium", sa.String()),
    sa.column("address", sa.Text()),
    sa.column("letter_id", sa.Uuid()),
    sa.column("refused", sa.Text()),
)
pending_notices = sa.table(
    "pending_notices",
    sa.column("conversation_id", sa.Uuid()),
    sa.column("key", sa.Text()),
    sa.column("notice", sa.Text()),
    sa.column("made_at", INSTANT),
)
messages = sa.table(
    "messages",
    sa.column("id", sa.Uuid()),
    sa.column("idempotency_key", sa.Text()),
    sa.column("practitioner_id", sa.Uuid()),
    sa.column("conversation_id", sa.Uuid()),
    sa.column("session_id", sa.Uuid()),
    sa.column("kind", sa.String()),
    sa.column("medium", sa.String()),
    sa.column("to_client", sa.Boolean()),
    sa.column("notice", sa.Text()),
    sa.column("state", sa.String()),
    sa.column("queued_at", INSTANT),
    sa.column("sent_at", INSTANT),
    sa.column("error", sa.Text()),
)
sessions = sa.table("sessions", sa.column("id", sa.Uuid()), sa.column("client_id", sa.Uuid()))
clients = sa.table("clients", sa.column("id", sa.Uuid()), sa.column("email", sa.Text()))
practitioners = sa.table("practitioners", sa.column("id", sa.Uuid()), sa.column("email", sa.Text()))
due = sa.table(
    "due",
    sa.column("kind", sa.String()),
    sa.column("id", sa.Text()),
    sa.column("lane", sa.Text()),
    sa.column("desired", sa.BigInteger()),
    sa.column("applied", sa.BigInteger()),
    sa.column("due_at", INSTANT),
    sa.column("token", sa.BigInteger()),
    sa.column("attempts", sa.Integer()),
)


def upgrade() -> None:
    create_tables()
    move_waiting()


def create_tables() -> None:
    op.create_table(
        "conversations",
        sa.Column("id", sa.Uuid(), nullable=False),
        sa.Column("practitioner_id", sa.Uuid(), nullable=False),
        sa.Column("session_id", sa.Uuid()),
        sa.Column("reader", sa.String(length=16), nullable=False),
        sa.Column("medium", sa.String(length=8), nullable=False),
        sa.Column("address", sa.Text(), nullable=False),
        sa.Column("beliefs", sa.Text()),
        sa.Column("letter_id", sa.Uuid()),
        sa.Column("tried_at", INSTANT),
        sa.Column("refused", sa.Text()),
        sa.ForeignKeyConstraint(
            ["practitioner_id"], ["practitioners.id"], name="fk_conversations_practitioner_id_practitioners"
        ),
        sa.PrimaryKeyConstraint("id", name="pk_conversations"),
    )
    op.create_index(
        "uq_conversations_session",
        "conversations",
        ["session_id", "reader", "medium"],
        unique=True,
        sqlite_where=ABOUT_SESSION,
        postgresql_where=ABOUT_SESSION,
    )
    op.create_index(
        "ix_conversations_refused",
        "conversations",
        ["practitioner_id"],
        sqlite_where=REFUSED,
        postgresql_where=REFUSED,
    )
    op.create_table(
        "pending_notices",
        sa.Column("id", COUNTER, nullable=False, autoincrement=True),
        sa.Column("conversation_id", sa.Uuid(), nullable=False),
        sa.Column("key", sa.Text(), nullable=False),
        sa.Column("notice", sa.Text(), nullable=False),
        sa.Column("made_at", INSTANT, nullable=False),
        sa.ForeignKeyConstraint(
            ["conversation_id"],
            ["conversations.id"],
            name="fk_pending_notices_conversation_id_conversations",
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("id", name="pk_pending_notices"),
        sa.UniqueConstraint("key", name="uq_pending_notices_key"),
    )
    op.create_index("ix_pending_notices_conversation_id", "pending_notices", ["conversation_id"])
    op.add_column(
        "practitioners", sa.Column("takes_replies", sa.Boolean(), nullable=False, server_default=sa.false())
    )
    op.add_column("messages", sa.Column("conversation_id", sa.Uuid()))
    op.create_index("ix_due_failing", "due", ["kind"], sqlite_where=FAILING, postgresql_where=FAILING)


def move_waiting() -> None:
    """Make a conversation of everybody for whom a message waits, and of every client whom the last did not reach.

    A message to a client stays where it is: when the conversation begins, what they may believe is read from the log,
    and what waited is made anew from what stands by then.
    """
    db = op.get_bind()
    waiting = messages.c.state.in_(["queued", "sending"])
    for row in db.execute(sa.select(messages).where(waiting).order_by(messages.c.queued_at, messages.c.id)).all():
        if row.to_client and row.session_id is not None:
            conversation = conversation_of(row, "client")
            if row.state == "sending":
                begin(conversation, row.id)
        else:
            conversation = conversation_of(row, "operator" if row.kind == "operator_stopped" else "practitioner")
            is_first = not db.execute(
                sa.select(pending_notices.c.key).where(pending_notices.c.conversation_id == conversation)
            ).first()
            notice = {"key": row.idempotency_key, "notice": row.notice, "made_at": row.queued_at}
            db.execute(sa.insert(pending_notices).values(conversation_id=conversation, **notice))
            if is_first:
                begin(conversation, row.id)
            else:
                db.execute(sa.delete(messages).where(messages.c.id == row.id))
        make_due(conversation, row)
    keep_refused()
    repair_order()
    db.execute(sa.delete(due).where(due.c.kind == "message"))


def conversation_of(row: sa.Row[tuple[object, ...]], reader: str) -> UUID:
    db = op.get_bind()
    if row.session_id is not None:
        own = (conversations.c.session_id == row.session_id) & (conversations.c.reader == reader)
        known = db.execute(sa.select(conversations.c.id).where(own)).scalar()
        if known is not None:
            return UUID(str(known))
    identity = uuid4()
    values = {
        "id": identity,
        "practitioner_id": row.practitioner_id,
        "session_id": row.session_id,
        "reader": reader,
        "medium": row.medium,
        "address": address_of(row, reader),
    }
    db.execute(sa.insert(conversations).values(values))
    return identity


def address_of(row: sa.Row[tuple[object, ...]], reader: str) -> str:
    if reader == "client":
        of_client = sa.select(clients.c.email).join(sessions, sessions.c.client_id == clients.c.id)
        return str(op.get_bind().execute(of_client.where(sessions.c.id == row.session_id)).scalar() or "")
    of_practitioner = sa.select(practitioners.c.email).where(practitioners.c.id == row.practitioner_id)
    return str(op.get_bind().execute(of_practitioner).scalar() or "")


def begin(conversation: UUID, message: UUID) -> None:
    db = op.get_bind()
    db.execute(sa.update(conversations).where(conversations.c.id == conversation).values(letter_id=message))
    db.execute(sa.update(messages).where(messages.c.id == message).values(conversation_id=conversation))


def make_due(conversation: UUID, row: sa.Row[tuple[object, ...]]) -> None:
    db = op.get_bind()
    own = (due.c.kind == "conversation") & (due.c.id == str(conversation))
    if db.execute(sa.select(due.c.id).where(own)).first() is None:
        values = {"kind": "conversation", "id": str(conversation), "lane": "mail", "due_at": row.queued_at}
        counts = {"desired": 1, "applied": 0, "attempts": 0, "token": secrets.randbits(48)}
        db.execute(sa.insert(due).values(**values, **counts))


def keep_refused() -> None:
    """Keep what practitioners see: a message to a client was refused, and none has reached them since."""
    db = op.get_bind()
    latest: dict[UUID, sa.Row[tuple[object, ...]]] = {}
    ended = messages.c.state.in_(["sent", "refused"]) & messages.c.to_client & messages.c.session_id.is_not(None)
    for row in db.execute(sa.select(messages).where(ended).order_by(messages.c.queued_at, messages.c.id)):
        latest[row.session_id] = row
    for row in latest.values():
        if row.state == "refused":
            conversation = conversation_of(row, "client")
            refused = {"refused": row.error or "refused"}
            db.execute(sa.update(conversations).where(conversations.c.id == conversation).values(refused))
            rest(conversation)


def rest(conversation: UUID) -> None:
    """Have nothing tried that was refused, or told of it again, until something happens to the session."""
    db = op.get_bind()
    own = (due.c.kind == "conversation") & (due.c.id == str(conversation))
    if db.execute(sa.select(due.c.id).where(own)).first() is None:
        counts = {"desired": 1, "applied": 1, "attempts": 0, "token": secrets.randbits(48)}
        db.execute(sa.insert(due).values(kind="conversation", id=str(conversation), lane="mail", due_at=None, **counts))


def repair_order() -> None:
    """Have a client told where a session stands whose letters left in another order than they were written."""
    db = op.get_bind()
    to_client = (messages.c.state == "sent") & messages.c.to_client & messages.c.session_id.is_not(None)
    latest: dict[UUID, sa.Row[tuple[object, ...]]] = {}
    ordered = sa.select(messages).where(to_client).order_by(messages.c.queued_at, messages.c.id)
    for row in db.execute(ordered).all():
        before = latest.get(row.session_id)
        if before is not None and before.sent_at > row.sent_at:
            make_due(conversation_of(row, "client"), row)
        latest[row.session_id] = row if before is None or row.sent_at > before.sent_at else before


def downgrade() -> None:
    # What waits is made from what stands, so there is nothing that the version before could send.
    op.execute("DELETE FROM due WHERE kind = 'conversation'")
    op.drop_index("ix_due_failing", table_name="due")
    op.drop_column("practitioners", "takes_replies")
    op.drop_column("messages", "conversation_id")
    op.drop_table("pending_notices")
    op.drop_table("conversations")
