"""What is kept of the installation itself."""

from __future__ import annotations

from sqlalchemy import BigInteger, Column, Integer, String, Table, Text

from connector.storage.columns import UtcDateTime, Uuid, metadata

# The one row of the installation itself. See docs/decisions/0026.
installation = Table(
    "installation",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("epoch", Integer, nullable=False),  # counts restores
    Column("created_at", UtcDateTime, nullable=False),
    Column("restored_at", UtcDateTime),  # since when nothing goes out; NULL while all is as it should be
    Column("known_until", UtcDateTime),  # when the last thing happened that is known of before `restored_at`
)

# How often something has happened, in all processes together; its words are those of `connector/counters.py`.
counters = Table(
    "counters",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("labels", Text, primary_key=True),  # JSON, a pair a label
    Column("value", BigInteger, nullable=False),
)

# Providers that have refused this installation itself, its registration or its quota: told once an episode.
registration_faults = Table(
    "registration_faults",
    metadata,
    Column("provider", String(32), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),  # NULL while it lasts
    Column("cause", Text, nullable=False),  # the service's own words: they name nobody
)
