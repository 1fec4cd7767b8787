"""Practitioners and clients, and how practitioners come in."""

from __future__ import annotations

from sqlalchemy import (
    Boolean,
    CheckConstraint,
    Column,
    ForeignKey,
    Index,
    Integer,
    LargeBinary,
    String,
    Table,
    Text,
    false,
    func,
)

from connector.storage.columns import ZONE, UtcDateTime, Uuid, external_id, metadata, version

practitioners = Table(
    "practitioners",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False, unique=True),
    Column("zone", ZONE, nullable=False),
    Column("locale", String(16), nullable=False),
    Column("buffer_seconds", Integer, nullable=False),
    Column("session_level", Integer, nullable=False),
    Column("hold_level", Integer, nullable=False),
    Column("takes_replies", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime),  # since then they take no new bookings
    external_id(),
    version(),
    Index("uq_practitioners_external_id", "external_id", unique=True),
)

# When practitioners work, in what they or somebody for them has said; who has no row has said nothing.
working_hours = Table(
    "working_hours",
    metadata,
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), primary_key=True),
    Column("weekly", Text, nullable=False),  # JSON: seven lists of [start, end], minutes of a wall day; Monday first
    Column("exceptions", Text, nullable=False),  # JSON: such a list by date
    Column("version", Integer, nullable=False),  # counts what was said
    Column("confirmed_at", UtcDateTime, nullable=False),
)

# Whose availability was asked about: their calendars are read more often for a day. A row each at most.
availability_asks = Table(
    "availability_asks",
    metadata,
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), primary_key=True),
    Column("asked_at", UtcDateTime, nullable=False),  # last, to the hour
    Column("until", UtcDateTime, nullable=False),  # how far ahead calendars are read for that
    Column("refreshed_at", UtcDateTime),  # when reading was last made due for that
)

clients = Table(
    "clients",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False),
    Column("phone", Text, nullable=False),
    Column("zone", ZONE, nullable=False),
    Column("locale", String(16), nullable=False),
    Column("media", Text, nullable=False),  # names joined by a comma
    Column("texts_agreed_at", UtcDateTime),  # since when they want texts on their phone; NULL if they do not
    Column("texts_agreed_by", Text),  # who says so; NULL where it was entered here
    Column("texts_stopped_at", UtcDateTime),  # when they last said, or somebody for them, that they want none any more
    Column("created_at", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime),  # likewise
    Column("erased_at", UtcDateTime),  # since then nothing tells who they are
    external_id(),
    version(),
    Column("made_for", Uuid, index=True),  # the practitioner by whose key they were made; NULL if by no such key
    Index("ix_clients_created_at_id", "created_at", "id"),
    Index("uq_clients_external_id", "external_id", unique=True),
)
Index("ix_clients_lower_email", func.lower(clients.c.email))

# Who helps clients, named by whoever runs the installation.
support_people = Table(
    "support_people",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False, unique=True),
    Column("locale", String(16), nullable=False),
    Column("created_at", UtcDateTime, nullable=False),
)

_ONE_PERSON = "(practitioner_id IS NULL) <> (support_id IS NULL)"

signins = Table(
    "signins",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id")),
    Column("support_id", Uuid, ForeignKey("support_people.id", ondelete="CASCADE"), index=True),
    Column("expires_at", UtcDateTime, nullable=False),  # or since when a newer one has taken its place
    Column("used_at", UtcDateTime),  # or since when its practitioner wants it used no more
    Column("made_at", UtcDateTime),  # NULL in what an older version has mailed
    Column("wanted", Text),  # the page that whoever asked had wanted to see: a path of ours
    CheckConstraint(_ONE_PERSON, name="one_person"),
)

# Who asked for a sign-in link, until a worker has looked whether there is somebody of that address.
link_requests = Table(
    "link_requests",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("address", Text, nullable=False),  # as typed
    Column("asked_at", UtcDateTime, nullable=False),
    Column("role", String(16), nullable=False, server_default="practitioner"),  # among whom to look
    Column("wanted", Text),  # as above
)

# Browsers in which a practitioner, or somebody of support, is signed in.
browsers = Table(
    "browsers",
    metadata,
    Column("id", LargeBinary, primary_key=True),  # SHA-256 of the token that the browser holds
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), index=True),
    Column("support_id", Uuid, ForeignKey("support_people.id", ondelete="CASCADE"), index=True),
    Column("signed_in_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),  # when it last asked for a page, to a few minutes
    Column("trusted", Boolean, nullable=False, server_default=false()),  # does not end for being unused a while
    Column("program", String(32)),  # of a closed list, such as Firefox
    Column("system", String(32)),  # likewise, such as Windows
    CheckConstraint(_ONE_PERSON, name="one_person"),
)
