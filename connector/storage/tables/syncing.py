"""Connections and their calendars, what is believed to stand there, and the calendars that are fetched from us."""

from __future__ import annotations

from sqlalchemy import Boolean, Column, ForeignKey, Index, Integer, LargeBinary, String, Table, Text, false, text

from connector.storage.columns import COUNTER, UtcDateTime, Uuid, external_id, metadata, version
from connector.storage.sentences import StoredSentence

connections = Table(
    "connections",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), nullable=False, index=True),
    Column("provider", String(32), nullable=False),
    Column("label", Text, nullable=False),
    Column("credentials", LargeBinary, nullable=False),  # sealed
    Column("state", String(16), nullable=False),  # ok, access_lost or leaving
    Column("sign_ins", Integer, nullable=False),  # how often the person has signed in: a new account each time
    Column("created_at", UtcDateTime, nullable=False),
    external_id(),
    version(),
    Index("uq_connections_external_id", "external_id", unique=True),
)

# Accounts that are being connected: a sign-in under way, or credentials whose calendar is not chosen yet.
pending_connections = Table(
    "pending_connections",
    metadata,
    Column("id", LargeBinary, primary_key=True),  # SHA-256 of the token that the browser holds
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), nullable=False),
    Column("provider", String(32), nullable=False),
    Column("connection_id", Uuid, ForeignKey("connections.id", ondelete="CASCADE")),  # set to reconnect that one
    Column("stage", String(16), nullable=False),  # asked or let_in
    Column("kept", LargeBinary, nullable=False),  # sealed: the secrets of the attempt, then the credentials
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("link_id", Uuid),  # the connect link under which it goes on; NULL: its practitioner is signed in
)

# Links by which hosts have a practitioner connect one account, once. See docs/decisions/0067.
connect_links = Table(
    "connect_links",
    metadata,
    Column("id", Uuid, primary_key=True),  # signed in the link
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), nullable=False),
    Column("provider", String(32), nullable=False),  # the only one offered; empty for all
    Column("reconnects", Uuid, ForeignKey("connections.id", ondelete="CASCADE")),  # set to reconnect that one
    Column("return_url", Text, nullable=False),
    Column("locale", String(16), nullable=False),  # empty for the practitioner's own
    Column("expires_at", UtcDateTime, nullable=False, index=True),
    Column("connection_id", Uuid),  # what it has connected, even if that is gone; NULL while it is unused
    Column("made_by", Uuid),  # the API key that asked for it
)

calendars = Table(
    "calendars",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("connection_id", Uuid, ForeignKey("connections.id"), nullable=False, index=True),
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), nullable=False, index=True),
    Column("role", String(16), nullable=False, server_default="target"),  # target of our entries, or only watched
    Column("remote_id", Text, nullable=False),
    Column("name", Text, nullable=False),
    Column("session_level", Integer, nullable=False),
    Column("hold_level", Integer, nullable=False),
    Column("firm_holds", Boolean, nullable=False),
    Column("sync_token", Text),
    Column("lane", Text, nullable=False),  # the host it is reached at: what is capped together
    # What keeps it from being written, and from being read: in words for the practitioner, of which kind (TroubleKind),
    # and since when; NULL while it goes through.
    Column("trouble", StoredSentence),
    Column("trouble_kind", String(16)),
    Column("trouble_since", UtcDateTime),
    Column("read_trouble", StoredSentence),
    Column("read_trouble_kind", String(16)),
    Column("read_trouble_since", UtcDateTime),
    Column("unreadable_at", UtcDateTime),  # the first look in a row by which it is not there, or may not be read
    Column("refused_at", UtcDateTime),  # since when it takes no entries, once that was sure and was told
    Column("outage_told_at", UtcDateTime),  # when its practitioner was told that it has long been out of reach
    Column("written_at", UtcDateTime),
    Column("read_at", UtcDateTime),
    Column("created_at", UtcDateTime, nullable=False),
    Column("successor_id", Uuid),  # the calendar that takes over, while this one is being cleared
    Column("paused", String(16)),  # why nothing is done about it until somebody says so; NULL while it works
    Column("paused_at", UtcDateTime),
    Column("paused_count", Integer),
    Column("busy_at", UtcDateTime),  # when its busy times were read last
    Column("busy_until", UtcDateTime),  # how far ahead they were read
    Column("busy_outdated_at", UtcDateTime),  # since when something has changed there that was not read
    Column("busy_read_at", UtcDateTime),  # when they were read from the calendar itself, whatever its feed tells
    Column("busy_trouble", StoredSentence),  # why they could not be read since; NULL when they could
    Column("absences_unrelated", Boolean, nullable=False, server_default=false()),  # its events never concern sessions
    Column("probe", Text),  # the remote name of a probe hold that may stand there
    Column("probe_at", UtcDateTime),  # when it begins there
    Column("probe_tries", Integer, nullable=False, server_default="0"),
    Column("probed_at", UtcDateTime),  # when it was last proved how holds must be shown
    Column("compared_at", UtcDateTime),  # when the whole of it was last compared with what is believed of it
    Column("compare_at", UtcDateTime),  # when that is to be done again; NULL for at the next look
    Column("compare_trouble", StoredSentence),  # what kept it from being compared; NULL when it could be
    Column("compare_trouble_kind", String(16)),  # who can end that
    Column("compare_trouble_since", UtcDateTime),
    Column("repair_asked", Boolean, nullable=False, server_default=false()),  # the next comparison puts things right
    Column("identity", Text),  # what tells it from every other calendar, however its address is spelled; NULL: unknown
    Column("twin", Integer, nullable=False, server_default="0"),  # 0, but for doubles that an older version let in
    version(),
    Index(
        "uq_calendars_written",
        "identity",
        "twin",
        unique=True,
        sqlite_where=text("role <> 'watched'"),
        postgresql_where=text("role <> 'watched'"),
    ),
)

channels = Table(
    "channels",
    metadata,
    Column("id", Text, primary_key=True),  # ours, random; echoed in every notification
    Column("calendar_id", Uuid, ForeignKey("calendars.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("provider", String(32), nullable=False),
    Column("remote_id", Text, nullable=False),  # what the service needs to end it; empty until it has answered
    Column("secret", LargeBinary, nullable=False),  # sealed
    Column("proof", LargeBinary, nullable=False),  # SHA-256 of the secret: what a notification is compared with
    Column("state", String(16), nullable=False),  # opening, open or closing
    Column("opened_at", UtcDateTime, nullable=False),
    Column("renew_at", UtcDateTime),
    Column("expires_at", UtcDateTime),
    Column("last_notified_at", UtcDateTime),
)

mirrors = Table(
    "mirrors",
    metadata,
    Column("calendar_id", Uuid, ForeignKey("calendars.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),
    Column("session_id", Uuid, nullable=False, index=True),
    Column("name", Text, nullable=False, unique=True),
    Column("generation", Integer, nullable=False),
    Column("href", Text),
    Column("etag", Text),
    Column("former_etag", Text),  # before our last write: what shows it again has been set back
    Column("seen", String(32)),
    Column("state", String(16), nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Index("ix_mirrors_calendar_id_ends_at", "calendar_id", "ends_at"),
)

# Where events of ours stood before they were made anew: whoever brings one back makes a double.
formers = Table(
    "formers",
    metadata,
    Column("calendar_id", Uuid, ForeignKey("calendars.id", ondelete="CASCADE"), primary_key=True),
    Column("href", Text, primary_key=True),
    Column("key", Text, nullable=False),  # the entry's key
    Column("session_id", Uuid, nullable=False),
)

# Events that are over and may still show a client who was erased, until each is written without that, or gone.
erasures = Table(
    "erasures",
    metadata,
    Column("calendar_id", Uuid, ForeignKey("calendars.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),  # the entry's key
)

# Events with our mark that nobody knows, and that the practitioner keeps as their own; by remote name, or address.
kept_entries = Table(
    "kept_entries",
    metadata,
    Column("calendar_id", Uuid, ForeignKey("calendars.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),
)

# Events of ours that may have been written, moved or removed by a worker that has lost its claim, or by a request whose
# answer was lost: each is looked at again. `name` is the event's remote name; its entry may go by another by now.
doubts = Table(
    "doubts",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("calendar_id", Uuid, ForeignKey("calendars.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("name", Text, nullable=False),
    Column("generation", Integer, nullable=False),
    Column("href", Text),
    Column("key", Text, nullable=False),  # the entry's key
    Column("session_id", Uuid, nullable=False),
    Column("wrote", String(32)),  # what may have been written: a fingerprint, empty for a removal; NULL if nobody knows
    Column("look_at", UtcDateTime, nullable=False),
)

# Entries with our mark that nobody knows, and what was decided about them.
unknown_entries = Table(
    "unknown_entries",
    metadata,
    Column("calendar_id", Uuid, ForeignKey("calendars.id", ondelete="CASCADE"), primary_key=True),
    Column("name", Text, primary_key=True),  # the remote name it was made under
    Column("href", Text, nullable=False),
    Column("title", Text, nullable=False),
    Column("starts_at", UtcDateTime),
    Column("ends_at", UtcDateTime),
    Column("fate", String(16), nullable=False),  # asked, kept or removed
)

# Changes to events of ours that are settling: what was done, and since when; none of them counts yet.
remote_changes = Table(
    "remote_changes",
    metadata,
    Column("calendar_id", Uuid, ForeignKey("calendars.id", ondelete="CASCADE"), primary_key=True),
    Column("key", Text, primary_key=True),  # the entry's key
    Column("kind", String(16), nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("expected_starts_at", UtcDateTime, nullable=False),
    Column("expected_ends_at", UtcDateTime, nullable=False),
    Column("actual_starts_at", UtcDateTime),
    Column("actual_ends_at", UtcDateTime),
    Column("accepted", Boolean, nullable=False),
)

# When a practitioner's calendars are not free, but for our own entries: as of `calendars.busy_at`. A row is an event,
# or one occurrence of a series, and stays when it is read again, wherever it was moved to.
busy_times = Table(
    "busy_times",
    metadata,
    Column("id", COUNTER, primary_key=True, autoincrement=True),
    Column("calendar_id", Uuid, ForeignKey("calendars.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
    Column("href", Text),  # NULL where the service does not tell which event it is
    Column("occurrence", UtcDateTime),  # which of a series, by when the series has it
    Column("in_series", Boolean, nullable=False, server_default=false()),
    Column("lasts_a_day", Boolean, nullable=False, server_default=false()),  # or nearly: it may take a whole one
    Column("nature", String(16), nullable=False, server_default="ordinary"),  # a Nature
    Column("seen_at", UtcDateTime),  # when it was first seen; NULL for what an older version has stored
    Column("since", UtcDateTime),  # since when it has these edges
    Column("settled_starts_at", UtcDateTime),  # which it had before, if it had kept them
    Column("settled_ends_at", UtcDateTime),
)

# Of how many events of a calendar it is not known what time they take, by reason: as of `calendars.busy_at`. What they
# are about is not read, and where they are kept is not stored.
unread_events = Table(
    "unread_events",
    metadata,
    Column("calendar_id", Uuid, ForeignKey("calendars.id", ondelete="CASCADE"), primary_key=True),
    Column("reason", String(16), primary_key=True),  # an Unreadable
    Column("events", Integer, nullable=False),
    Column("since", UtcDateTime, nullable=False),
    Column("starts", Text, nullable=False),  # when a few of them begin: ISO 8601, apart by spaces
)

# Calendars that somebody's program fetches from us: a practitioner's sessions and holds, or just when they are not
# free, or a client's sessions.
published_calendars = Table(
    "published_calendars",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("digest", LargeBinary, nullable=False, unique=True),  # SHA-256 of the token in its address
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), index=True),  # whose it is: one of the two
    Column("client_id", Uuid, ForeignKey("clients.id"), index=True),
    Column("session_level", Integer),  # how much a practitioner's shows of clients
    Column("hold_level", Integer),
    Column("made_at", UtcDateTime, nullable=False),
    Column("revoked_at", UtcDateTime),  # since then nobody gets anything there
    Column("fetched_at", UtcDateTime),  # when a program last asked, to the hour
    Column("etag", String(32)),  # of what it held then
    Column("changed_at", UtcDateTime),  # since when it holds that
    Column("conversation_id", Uuid),  # by which its client is told of it
    Column("name", Text),  # of one that tells only when its practitioner is not free: for whom it is
    Index(
        "uq_published_calendars_practitioner",
        "practitioner_id",
        unique=True,
        sqlite_where=text("revoked_at IS NULL AND name IS NULL"),
        postgresql_where=text("revoked_at IS NULL AND name IS NULL"),
    ),
    Index(
        "uq_published_calendars_client",
        "client_id",
        unique=True,
        sqlite_where=text("revoked_at IS NULL"),
        postgresql_where=text("revoked_at IS NULL"),
    ),
)
