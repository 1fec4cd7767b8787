"""A hosted connect link: a host sends a practitioner through it, and gets them back at an address of its own."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from ipaddress import ip_address
from urllib.parse import parse_qsl, urlencode, urlsplit, urlunsplit
from uuid import UUID

from connector.errors import RuleError

LASTS = timedelta(hours=1)
KEPT = timedelta(days=1)  # afterwards: so long whoever comes too late is told so, and led back
LONGEST_ADDRESS = 2000
OURS = frozenset({"status", "connection_id", "code"})
"""What we add to the address that a practitioner is sent back to."""

_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True, slots=True, kw_only=True)
class ConnectLink:
    """A way for one practitioner to connect one account, once.

    Attributes:
        return_url: Where they are sent back to, as `checked` has let it through.
        provider: The only service that is offered; empty for all there are.
        reconnects: The connection that is to be reconnected; None for a new one.
        locale: In which language its pages speak; empty for the practitioner's own.
        expires_at: Until when it may be used.
        connection_id: What it has connected; None while it has not been used.
        made_by: The API key that asked for it, and takes it along when it is revoked.
    """

    id: UUID
    practitioner_id: UUID
    return_url: str
    expires_at: datetime
    provider: str = ""
    reconnects: UUID | None = None
    locale: str = ""
    connection_id: UUID | None = None
    made_by: UUID | None = None

    @property
    def host(self) -> str:
        """Whom people are sent back to, as they know it."""
        return urlsplit(self.return_url).netloc

    def is_open(self, *, now: datetime) -> bool:
        """Whether it may still be used."""
        return self.connection_id is None and now < self.expires_at

    def back(self, *, status: str, code: str = "") -> str:
        """Return where to send somebody back to, with what has become of it.

        Args:
            status: `connected`, `cancelled` or `failed`.
            code: What was refused, where it failed.
        """
        said = {"status": status}
        if self.connection_id is not None:
            said["connection_id"] = str(self.connection_id)
        if code:
            said["code"] = code
        scheme, netloc, path, query, _ = urlsplit(self.return_url)
        return urlunsplit((scheme, netloc, path, "&".join(filter(None, (query, urlencode(said)))), ""))


@dataclass(frozen=True, slots=True, kw_only=True)
class Door:
    """By which way somebody connects an account: signed in, or, with `link_id`, by a link; each step by the same."""

    practitioner_id: UUID
    link_id: UUID | None = None


def origin(url: str) -> str:
    """Return the scheme, host and port of an address, in one spelling.

    Only `https` is one, or `http` to this machine.

    Raises: ValueError if it is none, or names a user, or ends its host by a dot: browsers take that for another origin.
    """
    parts = urlsplit(url)
    host = parts.hostname or ""
    if not host or host.endswith(".") or parts.scheme not in _PORTS or "@" in parts.netloc or not host.isascii():
        raise ValueError("an address such as https://app.example.org")
    if parts.scheme == "http" and not _is_loopback(host):
        raise ValueError("https, unless it is on this machine")
    port = parts.port  # raises ValueError
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, _PORTS[parts.scheme]) else "")


def checked(url: str, allowed: Collection[str]) -> str:
    """Return an address that people may be sent back to: one of the origins that are allowed.

    Browsers and libraries read odd addresses differently, so whatever is odd is refused.

    Raises: RuleError.
    """
    odd = not url.isascii() or not url.isprintable() or " " in url or "\\" in url or "#" in url
    if odd or len(url) > LONGEST_ADDRESS:
        raise _malformed()
    try:
        whence = origin(url)
        names = {name for name, _ in parse_qsl(urlsplit(url).query, keep_blank_values=True)}
    except ValueError as error:
        raise _malformed() from error
    if names & OURS:
        raise RuleError(
            "%(names)s are added to this address when somebody is sent back. Leave them out of it.",
            code="return_url_taken",
            field="return_url",
            names=tuple(sorted(OURS)),
        )
    if whence not in allowed:
        raise RuleError(
            "Nobody is sent back to %(origin)s from here. Whoever runs this installation can allow it in "
            "CONNECTOR_RETURN_ORIGINS.",
            code="return_url_not_allowed",
            field="return_url",
            origin=whence,
        )
    return url


def _malformed() -> RuleError:
    return RuleError(
        "This is no address that people can be sent back to. Write it like https://app.example.org/calendars, in "
        "ASCII, without a user, a fragment or blanks; http leads to this machine only.",
        code="return_url_malformed",
        field="return_url",
    )


def _is_loopback(host: str) -> bool:
    try:
        return ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")
