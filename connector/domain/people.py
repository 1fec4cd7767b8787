"""Who takes part: practitioners, clients, and whoever acts for them."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import timedelta
from enum import IntEnum, StrEnum
from uuid import UUID

from connector.domain.span import zone_named
from connector.errors import RuleError

LONGEST_NAME = 200
ERASED = "Erased client"  # what a client is called once what tells who they are was erased
LONGEST_BUFFER = timedelta(hours=4)
# One plain mailbox as mail servers take it; no quoting, no comments, no line breaks (RFC 5321 section 4.1.2).
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_PHONE = re.compile(r"\+[0-9]{6,15}")


class Level(IntEnum):
    """How much of a client a calendar may show: the privacy ladder, each step containing the ones before."""

    BUSY = 0
    NEUTRAL = 1
    INITIALS = 2
    FIRST_NAME = 3
    FULL = 4


class Medium(StrEnum):
    """A way to reach a client."""

    EMAIL = "email"
    SMS = "sms"


class Role(StrEnum):
    """In which capacity somebody acts."""

    PRACTITIONER = "practitioner"
    CLIENT = "client"
    SUPPORT = "support"
    HOST = "host"
    OPERATOR = "operator"
    CLOCK = "clock"


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it; support is always named and always gives a reason."""

    role: Role
    name: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        if self.role is Role.SUPPORT and not (self.name.strip() and self.reason.strip()):
            raise RuleError("Support acts under a name and with a reason: give both.")


CLOCK = Actor(role=Role.CLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class Practitioner:
    """Who gives sessions; `buffer` is the gap kept free after each, the levels are the defaults of new connections.

    `takes_replies`: clients who answer a letter by hand write to them; else nobody reads it, and the letters say so.
    `retired`: they take no new bookings.
    """

    id: UUID
    name: str
    email: str
    zone: str
    locale: str = "en"
    buffer: timedelta = timedelta(0)
    session_level: Level = Level.INITIALS
    hold_level: Level = Level.INITIALS
    takes_replies: bool = False
    retired: bool = False

    def __post_init__(self) -> None:
        _check_person(self.name, self.zone)
        check_address(self.email)
        if not timedelta(0) <= self.buffer <= LONGEST_BUFFER:
            raise RuleError("A buffer lasts between 0 and 240 minutes.")


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who receives sessions; told by those of the `media` they prefer that their contact data allow.

    `retired`: they take no new bookings. `erased`: so, for good, and nothing tells any more who they are.
    """

    id: UUID
    name: str
    zone: str
    email: str = ""
    phone: str = ""
    locale: str = "en"
    media: frozenset[Medium] = frozenset({Medium.EMAIL})
    retired: bool = False
    erased: bool = False

    def __post_init__(self) -> None:
        _check_person(self.name, self.zone)
        if self.email:
            check_address(self.email)
        if self.phone and not _PHONE.fullmatch(self.phone):
            raise RuleError(f"“{self.phone}” is not a phone number in international form, such as +4930123456.")

    @property
    def reachable(self) -> frozenset[Medium]:
        """The preferred media for which there is an address or number."""
        addresses = {Medium.EMAIL: self.email, Medium.SMS: self.phone}
        return frozenset(medium for medium in self.media if addresses[medium])


def check_address(address: str) -> str:
    """Return a plain mail address unchanged.

    Raises: RuleError for anything that could not stand bare in a mail header or a calendar property.
    """
    if not _ADDRESS.fullmatch(address) or ".." in address:
        raise RuleError(f"“{address}” is not an e-mail address. Write it plainly, such as kim@example.org.")
    return address


def _check_person(name: str, zone: str) -> None:
    if not name.strip() or len(name) > LONGEST_NAME or not name.isprintable():
        raise RuleError(f"A name has 1 to {LONGEST_NAME} printable characters.")
    zone_named(zone)
