"""What people are told, and what they write back."""

from __future__ import annotations

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    DateTime,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    text,
)

from connector.storage.columns import COUNTER, ZONE, UtcDateTime, Uuid, metadata
from connector.storage.sentences import StoredSentence

# One reader, one subject, one medium: whom to tell something, in which order.
conversations = Table(
    "conversations",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), nullable=False),
    Column("session_id", Uuid),
    Column("reader", String(16), nullable=False),  # client, practitioner or operator
    Column("medium", String(8), nullable=False),
    Column("address", Text, nullable=False),  # whose reader the beliefs are of
    Column("beliefs", Text),  # JSON of a Conversation; NULL for what the log of messages tells
    Column("letter_id", Uuid),  # the message that was begun: it may have left, or certainly has not
    Column("tried_at", UtcDateTime),  # when something was last handed over, or could not be
    Column("refused", Text),  # why the last letter was refused for good; NULL when one has left since
    Index(
        "uq_conversations_session",
        "session_id",
        "reader",
        "medium",
        unique=True,
        sqlite_where=text("session_id IS NOT NULL"),
        postgresql_where=text("session_id IS NOT NULL"),
    ),
    Index(
        "ix_conversations_refused",
        "practitioner_id",
        sqlite_where=text("refused IS NOT NULL"),
        postgresql_where=text("refused IS NOT NULL"),
    ),
)

# What practitioners and operators are still to be told, in the order of the ids.
pending_notices = Table(
    "pending_notices",
    metadata,
    Column("id", COUNTER, primary_key=True, autoincrement=True),
    Column("conversation_id", Uuid, ForeignKey("conversations.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("key", Text, nullable=False, unique=True),
    Column("notice", Text, nullable=False),  # JSON of the Notice
    Column("made_at", UtcDateTime, nullable=False),
)

# The log of letters, each begun when it was first handed over.
messages = Table(
    "messages",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("idempotency_key", Text, nullable=False, unique=True),
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), nullable=False),
    Column("conversation_id", Uuid),  # NULL in what was sent before there were any
    Column("session_id", Uuid, index=True),
    Column("kind", String(32), nullable=False),
    Column("medium", String(8), nullable=False),
    Column("to_client", Boolean, nullable=False),
    Column("notice", Text, nullable=False),  # JSON of the Notice
    Column("message_id", Text, nullable=False),
    Column("state", String(16), nullable=False),  # queued, sending, sent, unknown, refused, held_back
    Column("queued_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("error", StoredSentence),
    Column("remote_id", Text, index=True),  # the gateway's own for a text
    Column("receipt", String(16)),  # what it has told of it: delivered or failed; or stopped
    Column("receipt_at", UtcDateTime),
    Index(
        "ix_messages_unknown",
        "practitioner_id",
        sqlite_where=text("state = 'unknown'"),
        postgresql_where=text("state = 'unknown'"),
    ),
)

# What a gateway has told of a text before it was stored what it calls it; for a while, and so many at most.
early_receipts = Table(
    "early_receipts",
    metadata,
    Column("id", LargeBinary, primary_key=True),  # SHA-256 of the gateway's own id for the text
    Column("state", String(16), nullable=False),
    Column("stopped", Boolean, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False, index=True),
)

# Links in texts, by their hash alone. See docs/decisions/0048.
short_links = Table(
    "short_links",
    metadata,
    Column("id", LargeBinary, primary_key=True),  # SHA-256 of the token
    Column("purpose", String(16), nullable=False),  # no other takes it
    Column("subject_id", Uuid, nullable=False),  # what it leads to
    Column("ends_at", UtcDateTime, nullable=False, index=True),
)

# Mails and texts of clients that their practitioners read, or decide about.
client_mails = Table(
    "client_mails",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("session_id", Uuid, ForeignKey("sessions.id"), nullable=False, index=True),
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("received_at", UtcDateTime, nullable=False),
    Column("author", Text, nullable=False),  # the address, or number, that it says it is from
    Column("medium", String(8), nullable=False),
    Column("trusted", Boolean, nullable=False),  # proved to be of the client, or taken as theirs
    Column("doubt", String(16)),  # why it does not count by itself all the same
    Column("text", Text, nullable=False),
    Column("answer", String(16)),
    Column("sequence", Integer),  # of the invitation that it answers
    Column("stamp", UtcDateTime),
    Column("starts_at", UtcDateTime),  # the time that they would like, with its wall time, as everywhere
    Column("ends_at", UtcDateTime),
    Column("local_start", DateTime),
    Column("zone", ZONE),
    Column("wishes", Text),  # JSON of the times that they could, of a wish
    Column("choice", String(16)),
    Column("ended_at", UtcDateTime),
    Index(
        "ix_client_mails_open",
        "practitioner_id",
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
)

# Mail that comes in, and what became of it.
incoming_mails = Table(
    "incoming_mails",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("identity", String(64), nullable=False, unique=True),  # the same in every copy of it
    Column("raw", LargeBinary),  # as it came; NULL once it was read
    Column("received_at", UtcDateTime, nullable=False, index=True),
    Column("door", String(16)),  # by which it came in; NULL where nobody noted it
    Column("outcome", String(16)),  # what became of it; NULL until it was read
    Column("session_id", Uuid, index=True),  # which it is about, if it is an answer
)

# With which mail a gateway's token has come that does not sign the mail itself, until its time is over.
spent_tokens = Table(
    "spent_tokens",
    metadata,
    Column("id", LargeBinary, primary_key=True),  # SHA-256 of the token
    Column("identity", String(64), nullable=False),  # the mail's
    Column("ends_at", UtcDateTime, nullable=False, index=True),
)

# How far the reply mailbox has been read: the one row of an installation that has one. See docs/decisions/0054.
reply_mailbox = Table(
    "reply_mailbox",
    metadata,
    Column("id", Uuid, primary_key=True),  # the installation's
    Column("identity", String(64), nullable=False),  # which mailbox: a digest
    Column("validity", BigInteger),  # of its UIDs; NULL until it was opened
    Column("uid", BigInteger, nullable=False),  # the last one that is stored, or left behind
    Column("tried_uid", BigInteger),  # the last one that was begun to be fetched, and how often in a row
    Column("tries", Integer, nullable=False),
    Column("looked_at", UtcDateTime),  # when it was last read to the end of what it had for us
    Column("fault", Text),  # why it cannot be read; quotes nobody
    Column("fault_since", UtcDateTime),
    Column("fault_told_at", UtcDateTime),  # when the operator was told
    Column("renumbered", Integer, nullable=False, server_default="0"),  # how often lately its UIDs meant something else
    Column("renumbered_at", UtcDateTime),  # when last
)

# Mails in it that could not be fetched: left behind, and tried again later.
unfetched_mails = Table(
    "unfetched_mails",
    metadata,
    Column("uid", BigInteger, primary_key=True, autoincrement=False),
    Column("since", UtcDateTime, nullable=False),
    Column("again_at", UtcDateTime, nullable=False),
)
