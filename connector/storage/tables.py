"""Every table but the ledger's.

The overlap guard on `occupancy` is written in the migrations, in each database's own words.
"""

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
    Uuid,
    false,
    text,
)

from connector.storage.columns import UtcDateTime, metadata
from connector.storage.sentences import StoredSentence

_ZONE = String(64)
_COUNTER = BigInteger().with_variant(Integer, "sqlite")
LONGEST_EXTERNAL_ID = 255


def _external_id() -> Column[str]:
    """Return what the host calls a row; NULL where it has no name of its own for it."""
    return Column("external_id", String(LONGEST_EXTERNAL_ID))


def _version() -> Column[int]:
    """Return how often a row has changed, or what is shown of it; raised by `storage/versions.py` alone."""
    return Column("version", Integer, nullable=False, server_default="1")


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

practitioners = Table(
    "practitioners",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("name", Text, nullable=False),
    Column("email", Text, nullable=False, unique=True),
    Column("zone", _ZONE, nullable=False),
    Column("locale", String(16), nullable=False),
    Column("buffer_seconds", Integer, nullable=False),
    Column("session_level", Integer, nullable=False),
    Column("hold_level", Integer, nullable=False),
    Column("takes_replies", Boolean, nullable=False, server_default=false()),
    Column("created_at", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime),  # since then they take no new bookings
    _external_id(),
    _version(),
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

# Whose availability was asked about: their calendars are read more often for a day.
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
    Column("zone", _ZONE, nullable=False),
    Column("locale", String(16), nullable=False),
    Column("media", Text, nullable=False),  # names joined by a comma
    Column("texts_agreed_at", UtcDateTime),  # since when they want texts on their phone; NULL if they do not
    Column("texts_agreed_by", Text),  # who says so; NULL where it was entered here
    Column("texts_stopped_at", UtcDateTime),  # when they last said, or somebody for them, that they want none any more
    Column("created_at", UtcDateTime, nullable=False),
    Column("retired_at", UtcDateTime),  # likewise
    Column("erased_at", UtcDateTime),  # since then nothing tells who they are
    _external_id(),
    _version(),
    Column("made_for", Uuid, index=True),  # the practitioner by whose key they were made; NULL if by no such key
    Index("ix_clients_created_at_id", "created_at", "id"),
    Index("uq_clients_external_id", "external_id", unique=True),
)

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
    Column("zone", _ZONE, nullable=False),
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
    _external_id(),
    _version(),
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
    _external_id(),
    _version(),
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
    Column("zone", _ZONE, nullable=False),
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

facts = Table(
    "facts",
    metadata,
    Column("id", _COUNTER, primary_key=True, autoincrement=True),
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
)

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
    Column("id", _COUNTER, primary_key=True, autoincrement=True),
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
    _external_id(),
    _version(),
    Index("uq_connections_external_id", "external_id", unique=True),
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
    Column("busy_trouble", StoredSentence),  # why they could not be read since; NULL when they could
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
    _version(),
    Index(
        "uq_calendars_written",
        "identity",
        "twin",
        unique=True,
        sqlite_where=text("role <> 'watched'"),
        postgresql_where=text("role <> 'watched'"),
    ),
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
    Column("zone", _ZONE),
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
    Column("zone", _ZONE),
    Column("choice", String(16)),
    Column("ended_at", UtcDateTime),
    Index(
        "ix_client_mails_open",
        "practitioner_id",
        sqlite_where=text("state = 'open'"),
        postgresql_where=text("state = 'open'"),
    ),
)

# When a practitioner's calendars are not free, but for our own entries: as of `calendars.busy_at`.
busy_times = Table(
    "busy_times",
    metadata,
    Column("id", _COUNTER, primary_key=True, autoincrement=True),
    Column("calendar_id", Uuid, ForeignKey("calendars.id", ondelete="CASCADE"), nullable=False, index=True),
    Column("starts_at", UtcDateTime, nullable=False),
    Column("ends_at", UtcDateTime, nullable=False),
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

# What a gateway has told of a text before it was stored what it calls it; for a while, and so many at most.
early_receipts = Table(
    "early_receipts",
    metadata,
    Column("id", LargeBinary, primary_key=True),  # SHA-256 of the gateway's own id for the text
    Column("state", String(16), nullable=False),
    Column("stopped", Boolean, nullable=False),
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

signins = Table(
    "signins",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), nullable=False),
    Column("expires_at", UtcDateTime, nullable=False),  # or since when a newer one has taken its place
    Column("used_at", UtcDateTime),  # or since when its practitioner wants it used no more
    Column("made_at", UtcDateTime),  # NULL in what an older version has mailed
)

# Who asked for a sign-in link, until a worker has looked whether there is somebody of that address.
link_requests = Table(
    "link_requests",
    metadata,
    Column("id", Uuid, primary_key=True),
    Column("address", Text, nullable=False),  # as typed
    Column("asked_at", UtcDateTime, nullable=False),
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

# Browsers in which a practitioner is signed in.
browsers = Table(
    "browsers",
    metadata,
    Column("id", LargeBinary, primary_key=True),  # SHA-256 of the token that the browser holds
    Column("practitioner_id", Uuid, ForeignKey("practitioners.id"), nullable=False, index=True),
    Column("signed_in_at", UtcDateTime, nullable=False),
    Column("seen_at", UtcDateTime, nullable=False),  # when it last asked for a page, to a few minutes
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

# Providers that have refused this installation itself, its registration or its quota: told once an episode.
registration_faults = Table(
    "registration_faults",
    metadata,
    Column("provider", String(32), primary_key=True),
    Column("since", UtcDateTime, nullable=False),
    Column("ended_at", UtcDateTime),  # NULL while it lasts
    Column("cause", Text, nullable=False),  # the service's own words: they name nobody
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
    Column("seq", _COUNTER, primary_key=True, autoincrement=True),
    Column("tx", BigInteger, nullable=False),  # PostgreSQL's number of the transaction; 0 where there is one writer
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
    Column("seq", _COUNTER, ForeignKey("outcomes.seq", ondelete="CASCADE"), nullable=False),
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
