"""How a host's programs come in, and what they are told."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, text

from connector.storage.columns import COUNTER, UtcDateTime, Uuid, metadata
from connector.storage.sentences import StoredSentence

# By what a host's own programs act; of the secret only its hash.
api_keys = Table(
    "api_keys",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),  # SHA-256 of the whole key
    Column("prefix", String(16), nullable=False),
    Column("name", Text, nullable=False),
    Column("scopes", Text, nullable=False),  # words joined by a comma
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), index=True),  # whose alone; NULL for everybody
    Column("external_id", String(255), unique=True),
    Column("version", Integer, nullable=False, server_default=text("1")),
    Column("created_at", UtcDateTime, nullable=False),
    Column("last_used_at", UtcDateTime),  # to the minute
    Column("revoked_at", UtcDateTime),
    Index("ix_api_keys_created_at_id", "created_at", "id"),
)

# What was answered to acts that name an Idempotency-Key, for when they are asked for once more; see decision 60.
kept_answers = Table(
    "kept_answers",
    metadata,
    Column("id", LargeBinary, primary_key=True),  # SHA-256 of the API key and of what the request calls itself
    Column("fingerprint", LargeBinary, nullable=False),  # SHA-256 of method, path, query and body
    Column("answer", LargeBinary),  # sealed: it may tell names; NULL once a client was erased
    Column("ends_at", UtcDateTime, nullable=False, index=True),
)

# Where a host is told of outcomes, and signed by which secrets.
endpoints = Table(
    "endpoints",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("external_id", String(255), unique=True),  # the host's own
    Column("version", Integer, nullable=False, server_default="1"),
    Column("url", Text, nullable=False),
    Column("lane", Text, nullable=False),  # what shares its host
    Column("secrets", LargeBinary, nullable=False),  # sealed: the one in use, and the former while it is good
    Column("types", Text, nullable=False),  # joined by a comma; empty for all
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), index=True),  # whose outcomes; NULL for all
    Column("created_at", UtcDateTime, nullable=False),
    Column("disabled_at", UtcDateTime),  # since then nothing goes there
    Column("disabled_why", String(16)),
    Column("failing_since", UtcDateTime),  # NULL while the last attempt went through
    Column("not_before", UtcDateTime),  # it has asked us to wait until then
)

# What hosts are told of, in the order in which it was stored: see docs/decisions/0063.
outcomes = Table(
    "outcomes",
    metadata,
    Column("seq", COUNTER, primary_key=True, autoincrement=True),
    Column(
        "tx", BigInteger, nullable=False
    ),  # PostgreSQL's number of the transaction, 0 where one writes; above each epoch before
    Column("id", Uuid, nullable=False, unique=True),
    Column("type", String(32), nullable=False),
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), index=True),  # NULL for a test
    Column("session_id", Uuid, ForeignKey("sessions.id"), index=True),
    Column("offer_id", Uuid),
    Column("connection_id", Uuid),
    Column("revision", Integer),  # of the session, after it
    Column("actor", String(16), nullable=False),  # a Role
    Column("cause", String(32)),
    Column("reason", String(32), nullable=False),
    Column("at", UtcDateTime, nullable=False, index=True),
    Column("details", Text, nullable=False),  # JSON: ids, times and words from closed lists
    Index("ix_outcomes_tx_seq", "tx", "seq"),
)

# Each outcome for each endpoint that wants it.
deliveries = Table(
    "deliveries",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("seq", COUNTER, ForeignKey("outcomes.seq", ondelete="CASCADE"), nullable=False),
    Column("endpoint_id", Uuid, ForeignKey("endpoints.id", ondelete="CASCADE"), nullable=False),
    Column("queue_id", Uuid, nullable=False),  # those of one session and one endpoint go one after another
    Column("state", String(16), nullable=False),  # pending, delivered or failed
    Column("attempts", Integer, nullable=False, server_default="0"),
    Column("status", Integer),  # of the last answer
    Column("error", StoredSentence),  # why the last attempt did not go through
    Column("begun_at", UtcDateTime),  # the first attempt
    Column("tried_at", UtcDateTime),  # the last one
    Column("next_at", UtcDateTime),  # the next one
    Index("uq_deliveries_endpoint_id_seq", "endpoint_id", "seq", unique=True),
    Index("ix_deliveries_seq", "seq"),
    Index(
        "ix_deliveries_pending",
        "queue_id",
        "seq",
        sqlite_where=text("state = 'pending'"),
        postgresql_where=text("state = 'pending'"),
    ),
)
