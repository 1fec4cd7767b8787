"""A practitioner's accounts at calendar services, the calendars chosen in each, and how we stand with them."""

from __future__ import annotations

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from connector.domain.entry import Disclosure
from connector.domain.text import check_external_id
from connector.sentence import Sentence


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


class TroubleKind(StrEnum):
    """Who can end a trouble with a calendar."""

    REFUSED = "refused"  # its practitioner: their account, or the calendar, does not allow it
    INSTALLATION = "installation"  # the operator: the service refuses our registration, or our quota is spent
    OUTAGE = "outage"  # the service itself, by and by
    OURS = "ours"  # the operator: a fault of ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Trouble:
    """What keeps a calendar from being written, or from being read.

    Attributes:
        words: What went wrong last, for its practitioner.
        since: When that began, aware UTC.
    """

    kind: TroubleKind
    words: Sentence
    since: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Connection:
    """One account at one calendar service; `credentials` are sealed.

    `external_id` is what the host calls it, and `version` counts the changes of it and of how its calendars stand.
    """

    id: UUID
    practitioner_id: UUID
    provider: str
    label: str
    credentials: bytes
    state: ConnectionState
    created_at: datetime
    sign_ins: int = 1
    external_id: str | None = None
    version: int = field(default=1, compare=False)

    def __post_init__(self) -> None:
        check_external_id(self.external_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Calendar:
    """One calendar of a connection.

    Attributes:
        trouble: What keeps it from being written, since `trouble_since`; `trouble_kind` is a TroubleKind.
        read_trouble: Likewise, what keeps it from being read.
        refused_at: Since when it takes no entries, once that is sure and its practitioner was told.
        outage_told_at: When its practitioner was told that it has long been out of reach.
        identity: What tells it from every other calendar, its provider's slug first; None where nobody knows.
        successor_id: The calendar that takes over, while this one is being cleared.
        paused: Why nothing is done about it until somebody says so (a PauseReason); `paused_count` entries were gone.
        busy_at: When its busy times were read last, as far ahead as `busy_until`; `busy_trouble` says why they could
            not be since, and `busy_outdated_at` since when something has changed there that was not read.
        absences_unrelated: Its practitioner has said that absences in it do not concern their sessions.
        probe: The remote name of a probe hold that may stand there at `probe_at`; `probe_tries` times it read as free.
        probed_at: When it was last proved how holds must be shown.
        compared_at: When the whole of it was last compared with what is believed of it.
        compare_at: When that is due again; None for at the next look. `repair_asked` if somebody has asked that what
            is found then is put right.
        compare_trouble: As `trouble`, what keeps it from being compared; all else is done meanwhile.
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
    trouble: Sentence | None = None
    trouble_kind: str | None = None
    trouble_since: datetime | None = None
    read_trouble: Sentence | None = None
    read_trouble_kind: str | None = None
    read_trouble_since: datetime | None = None
    refused_at: datetime | None = None
    outage_told_at: datetime | None = None
    written_at: datetime | None = None
    read_at: datetime | None = None
    created_at: datetime | None = None
    successor_id: UUID | None = None
    paused: str | None = None
    paused_at: datetime | None = None
    paused_count: int | None = None
    busy_at: datetime | None = None
    busy_until: datetime | None = None
    busy_outdated_at: datetime | None = None
    busy_trouble: Sentence | None = None
    absences_unrelated: bool = False
    probe: str | None = None
    probe_at: datetime | None = None
    probe_tries: int = 0
    probed_at: datetime | None = None
    identity: str | None = None
    compared_at: datetime | None = None
    compare_at: datetime | None = None
    compare_trouble: Sentence | None = None
    compare_trouble_kind: str | None = None
    compare_trouble_since: datetime | None = None
    repair_asked: bool = False

    @property
    def write_fault(self) -> Trouble | None:
        """What keeps it from being written; None while that goes through."""
        return _trouble(self.trouble, self.trouble_kind, self.trouble_since)

    @property
    def read_fault(self) -> Trouble | None:
        """What keeps it from being read; None while that goes through."""
        return _trouble(self.read_trouble, self.read_trouble_kind, self.read_trouble_since)

    @property
    def compare_fault(self) -> Trouble | None:
        """What keeps it from being compared as a whole; None while that goes through."""
        return _trouble(self.compare_trouble, self.compare_trouble_kind, self.compare_trouble_since)


def _trouble(words: Sentence | None, kind: str | None, since: datetime | None) -> Trouble | None:
    if words is None or since is None:
        return None
    return Trouble(kind=TroubleKind(kind or TroubleKind.OUTAGE), words=words, since=since)
