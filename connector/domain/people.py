"""Who takes part: practitioners, clients, and whoever acts for them."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import IntEnum, StrEnum
from typing import Literal
from uuid import UUID

from connector.domain.span import zone_named
from connector.domain.text import check_external_id, describe, one_line, visible
from connector.errors import RuleError
from connector.sentence import Sentence

LONGEST_NAME = 200
NAME = Sentence("Name")
_WHO_SAYS = Sentence("Who says so")
ERASED = "Erased client"  # what a client is called once what tells who they are was erased
LONGEST_BUFFER = timedelta(hours=4)
# One plain mailbox as mail servers take it; no quoting, no comments, no line breaks (RFC 5321 section 4.1.2).
_ADDRESS = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]{1,64}@[A-Za-z0-9](?:[A-Za-z0-9.-]{0,251}[A-Za-z0-9])?")
_IN_MAILBOX, _IN_HOST = re.compile(r"[A-Za-z0-9.!#$%&'*+/=?^_`{|}~-]"), re.compile(r"[A-Za-z0-9.-]")
_AMBIGUOUS = "ßẞς\u200c\u200d"  # these mean other hosts by IDNA 2003 and 2008: a letter would go to a stranger
_LONGEST_SHOWN = 100
_LOCALE = re.compile(r"[A-Za-z]{2,3}([_-][A-Za-z]{2,4})?")
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


Signing = Literal[Role.PRACTITIONER, Role.SUPPORT]  # who signs in here; what lets in as the one never does as the other


@dataclass(frozen=True, slots=True, kw_only=True)
class Actor:
    """Who did it; support is always named and always gives a reason."""

    role: Role
    name: str = ""
    reason: str = ""

    def __post_init__(self) -> None:
        if self.role is Role.SUPPORT and not (self.name.strip() and self.reason.strip()):
            raise RuleError(
                "Support acts under a name and with a reason. Give both.", code="support_without_reason", field="reason"
            )


CLOCK = Actor(role=Role.CLOCK)


@dataclass(frozen=True, slots=True, kw_only=True)
class SupportPerson:
    """Who helps clients, named by whoever runs the installation; they sign in with their address."""

    id: UUID
    name: str
    email: str
    locale: str = "en"

    def __post_init__(self) -> None:
        name = one_line(self.name, label=NAME, field="name", longest=LONGEST_NAME)
        object.__setattr__(self, "name", name)  # the class is frozen
        object.__setattr__(self, "email", check_address(self.email))
        check_locale(self.locale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Consent:
    """That a client has agreed to texts on their phone: when, aware UTC, and who says so; nobody for one of ours."""

    at: datetime
    by: str = ""

    def __post_init__(self) -> None:
        if self.by:
            by = one_line(self.by, label=_WHO_SAYS, field="texts_agreed", longest=LONGEST_NAME)
            object.__setattr__(self, "by", by)  # the class is frozen


@dataclass(frozen=True, slots=True, kw_only=True)
class Practitioner:
    """Who gives sessions; `buffer` is the gap kept free after each, the levels are the defaults of new connections.

    `takes_replies`: clients who answer a letter by hand write to them; else nobody reads it, and the letters say so.
    `retired`: they take no new bookings. `external_id` is what the host calls them, `version` how often they have been
    changed since they were stored at `created_at`, which is no part of who they are.
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
    external_id: str | None = None
    version: int = field(default=1, compare=False)
    created_at: datetime | None = field(default=None, compare=False)

    @property
    def replies_to(self) -> str:
        """The address at which they read what clients write; empty for none."""
        return self.email if self.takes_replies else ""

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "name", one_line(self.name, label=NAME, field="name", longest=LONGEST_NAME)
        )  # the class is frozen
        object.__setattr__(self, "email", check_address(self.email))
        check_external_id(self.external_id)
        zone_named(self.zone)
        if not timedelta(0) <= self.buffer <= LONGEST_BUFFER:
            raise RuleError(
                "A buffer lasts between 0 and 240 minutes. Choose one in between.",
                code="buffer_out_of_range",
                field="buffer",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Client:
    """Who receives sessions; told by those of the `media` they prefer that their contact data allow.

    `texts_agreed`: they have agreed to texts on their phone; without that they get none. `retired`: they take no new
    bookings. `erased`: so, for good, and nothing tells any more who they are. All else is as of a practitioner;
    `consent` says since when they have agreed, and who says so.
    """

    id: UUID
    name: str
    zone: str
    email: str = ""
    phone: str = ""
    locale: str = "en"
    media: frozenset[Medium] = frozenset({Medium.EMAIL})
    texts_agreed: bool = False
    retired: bool = False
    erased: bool = False
    external_id: str | None = None
    version: int = field(default=1, compare=False)
    created_at: datetime | None = field(default=None, compare=False)
    consent: Consent | None = field(default=None, compare=False)

    def __post_init__(self) -> None:
        object.__setattr__(
            self, "name", one_line(self.name, label=NAME, field="name", longest=LONGEST_NAME)
        )  # as above
        check_external_id(self.external_id)
        zone_named(self.zone)
        if self.email:
            object.__setattr__(self, "email", check_address(self.email))
        if self.phone and not _PHONE.fullmatch(self.phone):
            raise RuleError(
                "“%(phone)s” is not a phone number in international form. Write it like +4930123456.",
                code="phone_malformed",
                field="phone",
                phone=self.phone,
            )

    @property
    def reachable(self) -> frozenset[Medium]:
        """The preferred media for which there is an address, or a number that they want to be texted at."""
        return frozenset(
            medium for medium in self.media if self.address(medium) and (medium is not Medium.SMS or self.texts_agreed)
        )

    def address(self, medium: Medium) -> str:
        """Return where they are told by a medium; empty for nowhere."""
        return {Medium.EMAIL: self.email, Medium.SMS: self.phone}[medium]


def check_locale(text: str) -> None:
    """Raise RuleError for what is not written as a language is."""
    if not is_locale(text):
        raise RuleError(
            "“%(locale)s” is not a language. Write it like en, de or en_GB.",
            code="locale_malformed",
            field="locale",
            locale=visible(text, longest=_LONGEST_SHOWN),
        )


def is_locale(text: str) -> bool:
    """Whether a text is written as a language is, and perhaps a country: en, de, en_GB."""
    return _LOCALE.fullmatch(text) is not None


def check_address(address: str) -> str:
    """Return a plain mail address as mail servers take it: the name of its host in ASCII, by IDNA.

    Raises: RuleError for anything that could not stand bare in a mail header or a calendar property.
    """
    mailbox, at, host = address.rpartition("@")
    plain = f"{mailbox}@{_ascii_host(host, address)}" if at else address
    if not _ADDRESS.fullmatch(plain) or ".." in plain:
        raise _no_address(address, mailbox, at, host)
    return plain


def readable_address(address: str) -> str:
    """Return an address as people write it, the name of its host in their own letters; for reading alone."""
    mailbox, at, host = address.rpartition("@")
    if "xn--" not in host:
        return address
    try:
        return f"{mailbox}{at}{host.encode('ascii').decode('idna')}"
    except UnicodeError:
        return address


def _ascii_host(host: str, address: str) -> str:
    if host.isascii():
        return host
    for letter in host:
        if letter in _AMBIGUOUS:
            raise RuleError(
                "“%(address)s” is not a plain e-mail address: %(character)s after the @ can be meant in two ways. "
                "Write it plainly, such as kim@example.org, or the part after the @ as xn--….",
                code="address_ambiguous",
                field="email",
                address=visible(address, longest=_LONGEST_SHOWN),
                character=describe(letter),
            )
    try:
        return host.encode("idna").decode("ascii")
    except UnicodeError:
        return host  # refused below, with the first character that does not fit


def _no_address(address: str, mailbox: str, at: str, host: str) -> RuleError:
    """Say what keeps a text from being an address."""
    shown = visible(address, longest=_LONGEST_SHOWN)
    if not at:
        return RuleError(
            "“%(address)s” is not an e-mail address: it has no @. Write it plainly, such as kim@example.org.",
            code="address_without_at",
            field="email",
            address=shown,
        )
    for character in mailbox:
        if not _IN_MAILBOX.fullmatch(character):
            return RuleError(
                "“%(address)s” is not an e-mail address: %(character)s cannot stand before the @. Write it plainly, "
                "such as kim@example.org.",
                code="address_character_before_at",
                field="email",
                address=shown,
                character=describe(character),
            )
    for character in host:
        if not _IN_HOST.fullmatch(character) and not character.isalnum():
            return RuleError(
                "“%(address)s” is not an e-mail address: %(character)s cannot stand after the @. Write it plainly, "
                "such as kim@example.org.",
                code="address_character_after_at",
                field="email",
                address=shown,
                character=describe(character),
            )
    return RuleError(
        "“%(address)s” is not an e-mail address: something is missing, doubled or too long in it. Write it plainly, "
        "such as kim@example.org.",
        code="address_malformed",
        field="email",
        address=shown,
    )


def check_takes_bookings(person: Practitioner | Client) -> None:
    """Raises: RuleError if new sessions are booked neither with nor for them."""
    if person.retired:
        raise RuleError(
            "%(name)s is retired and takes no new bookings. Have bookings with them taken again first.",
            code="person_retired",
            name=person.name,
        )
