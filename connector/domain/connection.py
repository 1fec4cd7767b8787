"""A practitioner's accounts at calendar services, the calendars chosen in each, and how we stand with them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from connector.domain.entry import Disclosure


class ConnectionState(StrEnum):
    """How we stand with a calendar service."""

    OK = "ok"
    ACCESS_LOST = "access_lost"
    DISCONNECTING = "leaving"  # being disconnected: nothing is wanted there any more


class CalendarRole(StrEnum):
    """What a calendar is to us."""

    TARGET = "target"  # our entries go to it
    WATCHED = "watched"  # its busy times count for conflicts; nothing is ever written there
    CLEARING = "clearing"  # was the target; its entries go once they stand in its successor


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One account at one calendar service; `credentials` are sealed."""

    id: UUID
    practitioner_id: UUID
    provider: str
    label: str
    credentials: bytes
    state: ConnectionState
    created_at: datetime
    sign_ins: int = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """One calendar of a connection.

    Attributes:
        trouble: What went wrong last, in plain words.
        identity: What tells it from every other calendar, its provider's slug first; None where nobody knows.
        successor_id: The calendar that takes over, while this one is being cleared.
        paused: Why nothing is done about it until somebody says so (a PauseReason); `paused_count` entries were gone.
        busy_at: When its busy times were read last, as far ahead as `busy_until`; `busy_trouble` says why they could
            not be since.
        probe: The remote name of a probe hold that may stand there at `probe_at`; `probe_tries` times it read as free.
        probed_at: When it was last proved how holds must be shown.
    """

    id: UUID
    connection_id: UUID
    practitioner_id: UUID
    remote_id: str
    name: str
    disclosure: Disclosure
    lane: str
    role: CalendarRole = CalendarRole.TARGET
    sync_token: str | None = None
    trouble: str | None = None
    trouble_since: datetime | None = None
    written_at: datetime | None = None
    read_at: datetime | None = None
    created_at: datetime | None = None
    successor_id: UUID | None = None
    paused: str | None = None
    paused_at: datetime | None = None
    paused_count: int | None = None
    busy_at: datetime | None = None
    busy_until: datetime | None = None
    busy_trouble: str | None = None
    probe: str | None = None
    probe_at: datetime | None = None
    probe_tries: int = 0
    probed_at: datetime | None = None
    identity: str | None = None
