"""What one line of a file, or one event of a calendar, says of a session that was booked elsewhere."""

from __future__ import annotations

from dataclasses import dataclass
from hashlib import blake2s

from connector.domain.people import LONGEST_NAME, NAME, check_address, is_locale
from connector.domain.session import Location, LocationKind, SessionKind
from connector.domain.span import When, check_zone
from connector.domain.text import one_line
from connector.errors import RuleError
from connector.sentence import Sentence

LONGEST_ID = 255
_ID = Sentence("External id")
_CLIENT_ID = Sentence("External id of the client")


@dataclass(frozen=True, slots=True, kw_only=True)
class Someone:
    """The client as a row names them; empty for what it does not say."""

    external_id: str = ""
    name: str = ""
    email: str = ""
    phone: str = ""
    zone: str = ""
    locale: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Row:
    """A session.

    Attributes:
        line: Where in the file it stands, counted from 1.
        external_id: By which it is known where it was booked.
        location: None for what the row does not say.
        series: What all of its series have in common there; empty for none.
    """

    line: int
    external_id: str
    client: Someone
    when: When
    location: Location | None = None
    kind: SessionKind | None = None
    series: str = ""

    @property
    def fingerprint(self) -> str:
        """The same exactly while the row says the same of time and place."""
        place = (self.location.kind.value, self.location.text) if self.location else None
        said = (self.when.span.start, self.when.span.end, self.when.zone, place)
        return blake2s(repr(said).encode(), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """A row that cannot be taken, and why."""

    line: int
    error: RuleError
    external_id: str = ""


Read = Row | Refused


def external_id(text: str) -> str:
    """Return the id of a session where it was booked.

    Raises: RuleError.
    """
    return one_line(text.strip(), label=_ID, field="external_id", longest=LONGEST_ID, between=None)


def someone(
    *, external_id: str = "", name: str = "", email: str = "", phone: str = "", zone: str = "", locale: str = ""
) -> Someone:
    """Return whom a row means.

    Raises: RuleError for what no client can be called, and where nothing tells one from another.
    """
    if not (external_id or email or phone):
        raise RuleError(
            "It does not say who the client is. Give client_external_id, client_email or client_phone: a name alone "
            "may be that of two people.",
            code="import_client_missing",
            field="client",
        )
    if locale and not is_locale(locale):
        raise RuleError(
            "“%(locale)s” is no language. Write it like en, de or en_GB.",
            code="import_locale_malformed",
            field="client_locale",
            locale=locale,
        )
    if external_id:
        label, field = _CLIENT_ID, "client_external_id"
        external_id = one_line(external_id, label=label, field=field, longest=LONGEST_ID, between=None)
    return Someone(
        external_id=external_id,
        name=one_line(name, label=NAME, field="client_name", longest=LONGEST_NAME) if name else "",
        email=check_address(email) if email else "",
        phone=phone,
        zone=check_zone(zone) if zone else "",
        locale=locale,
    )


def location(text: str, kind: str = "") -> Location | None:
    """Return where they meet; a link is online and anything else an address, unless the kind is named.

    Raises: RuleError.
    """
    if not text:
        if kind:
            raise RuleError(
                "It says how they meet, and not where. Fill in location, too.",
                code="import_location_missing",
                field="location",
            )
        return None
    if not kind:
        is_link = text.lower().startswith("https://")
        return Location(kind=LocationKind.ONLINE if is_link else LocationKind.IN_PERSON, text=text)
    try:
        return Location(kind=LocationKind(kind.lower()), text=text)
    except ValueError:
        raise RuleError(
            "“%(kind)s” is no way to meet. Write in_person, online or phone.",
            code="import_location_kind_unknown",
            field="location_kind",
            kind=kind,
        ) from None


def session_kind(text: str) -> SessionKind | None:
    """Return whether they meet for the first time; None where nothing is said.

    Raises: RuleError.
    """
    try:
        return SessionKind(text.lower()) if text else None
    except ValueError:
        raise RuleError(
            "“%(kind)s” is no kind of session. Write initial or followup.",
            code="import_kind_unknown",
            field="kind",
            kind=text,
        ) from None
