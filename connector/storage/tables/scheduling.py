"""Sessions, what is offered instead, and what has happened."""

from __future__ import annotations

from sqlalchemy import (
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
    false,
    text,
)

from connector.storage.columns import COUNTER, ZONE, UtcDateTime, Uuid, external_id, metadata, version

sessions = Table(
    "sessions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), nullable=False),
    Column("client_id", Uuid, ForeignKey("clients.id"), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("local_start", DateTime, nullable=False),  # naive: the wall time in `zone`
    Column("zone", ZONE, nullable=False),
    Column("location_kind", String(16), nullable=False),
    Column("location_text", Text, nullable=False),
    Column("uid", Text, nullable=False, unique=True),
    Column("organizer", Text, nullable=False),
    Column("revision", Integer, nullable=False),
    Column("stamp", UtcDateTime, nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False),
    Column("flag", String(16)),
    Column("series_id", Uuid),
    Column("published", Boolean, nullable=False, server_default=false()),  # its client subscribes to it, see below
    external_id(),
    version(),
    Index("ix_sessions_practitioner_id_ends_at", "practitioner_id", "ends_at"),
    Index("ix_sessions_client_id_ends_at", "client_id", "ends_at"),
    Index("ix_sessions_starts_at_id", "starts_at", "id"),  # as hosts list them
    Index("uq_sessions_external_id", "external_id", unique=True),
)

# Sessions that were booked elsewhere and brought in.
imported_sessions = Table(
    "imported_sessions",
    metadata,
    Column("session_id", Uuid, ForeignKey("sessions.id"), primary_key=True),
    Column("fingerprint", String(32), nullable=False),  # of what the file last said of time and place
    Column("revision", Integer, nullable=False),  # that the session had then
    Column("imported_at", UtcDateTime, nullable=False),
)

offers = Table(
    "offers",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("session_id", Uuid, ForeignKey("sessions.id"), nullable=False, index=True),
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("window_seconds", Integer, nullable=False),
    Column("drafted_at", UtcDateTime, nullable=False),
    Column("sent_at", UtcDateTime),
    Column("expires_at", UtcDateTime),
    Column("ended_at", UtcDateTime),
    Column("accepted_id", Uuid),
    external_id(),
    version(),
    Index("ix_offers_drafted_at_id", "drafted_at", "id"),  # as hosts list them
    Index("ix_offers_practitioner_id_drafted_at_id", "practitioner_id", "drafted_at", "id"),
    Index(
        "uq_offers_open",
        "session_id",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    Index(
        "uq_offers_draft",
        "session_id",
        unique=True,
        sqlite_where=text("state = 'draft'"),
        postgresql_where=text("state = 'draft'"),
    ),
    Index(
        "ix_offers_open_deadline",
        "practitioner_id",
        "expires_at",
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    Index("uq_offers_external_id", "external_id", unique=True),
)

alternatives = Table(
    "alternatives",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("offer_id", Uuid, ForeignKey("offers.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("position", Integer, nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("local_start", DateTime, nullable=False),
    Column("zone", ZONE, nullable=False),
    Column("location_kind", String(16)),
    Column("location_text", Text),
    Column("withdrawn", Boolean, nullable=False),
)

# One row for every time kept from everybody else, buffer included: a session's own, and each open alternative's.
occupancy = Table(
    "occupancy",
    metadata,
    Column("key", Text, primary_key=True),  # the entry's key
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), nullable=False),
    Column("session_id", Uuid, ForeignKey("sessions.id"), nullable=False, index=True),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("state", String(16), nullable=False),  # held or booked
    Index("ix_occupancy_practitioner_id_ends_at", "practitioner_id", "ends_at"),
)

# Codes by which clients prove who answers, the newest of which counts. See docs/decisions/0053.
answer_codes = Table(
    "answer_codes",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("offer_id", Uuid, ForeignKey("offers.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("number", Integer, nullable=False),  # counts the codes of an offer
    Column("medium", String(8), nullable=False),  # by which it was sent
    Column("conversation_id", Uuid, nullable=False),  # by which it is told
    Column("proof", LargeBinary, nullable=False),  # HMAC of the code, which is stored nowhere
    Column("made_at", UtcDateTime, nullable=False, index=True),
    Column("expires_at", UtcDateTime, nullable=False),
    Column("tries", Integer, nullable=False),  # that failed
)

# What practitioners were asked about what they did in their calendars.
questions = Table(
    "questions",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("session_id", Uuid, ForeignKey("sessions.id"), nullable=False, index=True),
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), nullable=False),
    Column("calendar_id", Uuid, nullable=False),  # outlives the calendar
    Column("kind", String(16), nullable=False),
    Column("state", String(16), nullable=False),
    Column("answer", String(16)),
    Column("offer_id", Uuid),
    Column("starts_at", UtcDateTime),  # where the event was put, with its wall time, as everywhere
    Column("ends_at", UtcDateTime),
    Column("local_start", DateTime),
    Column("zone", ZONE),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("answers_itself_at", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),
    Index(
        "uq_questions_open",
        "session_id",
        unique=True,
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
    Index(
        "ix_questions_open",
        "practitioner_id",
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
)

# What practitioners are asked about their absences, once for all the sessions in one. See docs/decisions/0077.
absences = Table(
    "absences",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), nullable=False),
    Column("state", String(16), nullable=False),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("asked_at", UtcDateTime, nullable=False),
    Column("answer", String(16)),
    Column("ended", String(16)),  # what has ended it, if nobody has answered
    Column("ended_at", UtcDateTime),
    Index("ix_absences_practitioner_id_ends_at", "practitioner_id", "ends_at"),
)

# The events that say so.
absence_parts = Table(
    "absence_parts",
    metadata,
    Column("id", COUNTER, primary_key=True, autoincrement=True),
    Column("absence_id", Uuid, ForeignKey("absences.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("calendar_id", Uuid, nullable=False),  # outlives the calendar
    Column("href", Text, nullable=False),
    Column("occurrence", UtcDateTime),
)

# The sessions that it names, each at the time that it was asked about.
absence_sessions = Table(
    "absence_sessions",
    metadata,
    Column("absence_id", Uuid, ForeignKey("absences.id", ondelete="CASCADE"), primary_key=True),
    Column("session_id", Uuid, ForeignKey("sessions.id"), primary_key=True),
    Column("starts_at", UtcDateTime, primary_key=True),
    Index("ix_absence_sessions_session_id", "session_id"),
)

facts = Table(
    "facts",
    metadata,
    Column("id", COUNTER, primary_key=True, autoincrement=True),
    Column("at", UtcDateTime, nullable=False),
    Column("kind", Text, nullable=False),
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), nullable=False),
    Column("session_id", Uuid, index=True),
    Column("offer_id", Uuid),
    Column("connection_id", Uuid, index=True),
    Column("actor_role", String(16), nullable=False),
    Column("actor_name", Text, nullable=False),
    Column("actor_reason", Text, nullable=False),
    Column("details", Text, nullable=False),  # JSON of what the kind of fact adds
    Index("ix_facts_practitioner_id_id", "practitioner_id", "id"),
    Index(
        "ix_facts_support",
        "at",
        sqlite_where=text("actor_role = 'support'"),
        postgresql_where=text("actor_role = 'support'"),
    ),
)
