"""From what a person enters to their calendars (RFC 6764); the password goes to the named host's family only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import timedelta
from itertools import islice
from urllib.parse import urlsplit

import dns.exception
import dns.resolver
from caldav.elements import cdav, dav
from caldav.elements.base import BaseElement

from connector.errors import AccessLostError, ProviderError, RefusedError, RuleError, TransientError
from connector.exchange import LateError, left, within
from connector.ports import Network
from connector.sentence import Sentence
from providers._guard import allowed, plain
from providers._wire import Answer, Http, Login, UnknownHostError, joined, registrable, same_family
from providers.caldav import DECLARATION
from providers.caldav import dav as _dav

LIMIT = timedelta(seconds=25)  # of a discovery as a whole, while a person waits
_LARGEST = 1024 * 1024  # bytes of one answer
_HOMES = 20  # of one person
_HOPS = 5
_DNS_SECONDS = 3.0
_REDIRECTS = frozenset({301, 302, 303, 307, 308})
_WELL_KNOWN = "/.well-known/caldav"
_NEXTCLOUD = "/remote.php/dav/"

_KNOWN = {
    "icloud.com": "https://caldav.icloud.com/",
    "me.com": "https://caldav.icloud.com/",
    "mac.com": "https://caldav.icloud.com/",
    "fastmail.com": "https://caldav.fastmail.com/",
    "fastmail.fm": "https://caldav.fastmail.com/",
}
_GOOGLE = frozenset({"gmail.com", "googlemail.com", "google.com", "googleusercontent.com"})
_MICROSOFT = frozenset({"outlook.com", "hotmail.com", "live.com", "msn.com", "office365.com", "office.com"})


@dataclass(frozen=True, slots=True)
class _Principal:
    """What a server says of the person who has logged in: their own URL, and those of their calendar homes."""

    url: str
    homes: tuple[str, ...]


class _NotHereError(Exception):
    """This address speaks no CalDAV; another one may."""


def discover(
    form: Mapping[str, str],
    network: Network,
    resolver: dns.resolver.Resolver | None = None,
    *,
    limit: timedelta = LIMIT,
) -> Mapping[str, str]:
    """Find principal and calendar homes.

    Args:
        form: As in `Caldav.connect`.
        network: Which hosts may be inner ones.
        resolver: Whom to ask for SRV and TXT records; None for the system's name servers.
        limit: For all of it, whatever is tried.
    Raises: As in `Caldav.connect`.
    """
    entered = _Entered.of(form)
    _refuse_known(entered.host)
    try:
        with within(limit):
            return _found(entered, network, resolver)
    except LateError as error:
        raise TransientError(
            Sentence("“%(host)s” took too long to say where its calendars are", host=entered.host)
        ) from error


def _found(entered: _Entered, network: Network, resolver: dns.resolver.Resolver | None) -> Mapping[str, str]:
    for url in _starts(entered, network, resolver):
        target = urlsplit(url).hostname or ""
        home = entered.host if same_family(entered.host, target) else target
        login = Login(home=home, username=entered.username, password=entered.password)
        try:
            principal, scheme = _try(url, network, login)
        except _NotHereError:
            continue
        except UnknownHostError as error:
            raise RuleError(
                "There is no server called “%(host)s”. Check the address.",
                code="server_unknown",
                field="address",
                host=urlsplit(url).hostname or "",
            ) from error
        return {
            "username": entered.username,
            "password": entered.password,
            "scheme": scheme,
            "principal": principal.url,
            "homes": "\n".join(principal.homes),
        }
    raise RuleError(
        "“%(host)s” answers, but not as a calendar server. Enter the CalDAV address that your provider names in its "
        "help.",
        code="no_calendar_server",
        field="address",
        host=entered.host,
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Entered:
    """What a person has entered.

    Attributes:
        address: A URL, a host, or a mail address as `is_mail` tells.
        host: The host the address names.
    """

    address: str
    is_mail: bool
    host: str
    username: str
    password: str = field(repr=False)

    @classmethod
    def of(cls, form: Mapping[str, str]) -> _Entered:
        """Read the form.

        Raises: RuleError if something is missing, or the address is none.
        """
        address, password = form.get("address", "").strip(), form.get("password", "")
        is_mail = "@" in address and "://" not in address
        username = form.get("username", "").strip() or (address if is_mail else "")
        if not (address and username and password):
            raise RuleError(
                "Enter the address of the calendar server, the user name and the password.",
                code="access_incomplete",
                field="address",
            )
        host = _host(address.rpartition("@")[2] if is_mail else address)
        return cls(address=address, is_mail=is_mail, host=host, username=username, password=password)


def _host(address: str) -> str:
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
        host = None if "@" in parts.netloc or parts.port == 0 else parts.hostname
    except ValueError:
        host = None
    if not host:
        raise RuleError(
            "“%(address)s” is not the address of a server. Write it like https://calendar.example.org.",
            code="server_address_malformed",
            field="address",
            address=address,
        )
    return host


def _refuse_known(host: str) -> None:
    domain = registrable(host)
    if domain in _GOOGLE:
        raise RuleError(
            "Google calendars are connected by signing in with Google. Choose Google instead of CalDAV.",
            code="google_not_by_caldav",
            field="address",
        )
    if domain in _MICROSOFT:
        raise RuleError(
            "Outlook has no CalDAV. Choose Outlook, and sign in with Microsoft.",
            code="outlook_not_by_caldav",
            field="address",
        )


def _starts(entered: _Entered, network: Network, resolver: dns.resolver.Resolver | None) -> Iterator[str]:
    """Yield the URLs to try, the likeliest first."""
    address, host = entered.address, entered.host
    if "://" in address and not entered.is_mail:
        yield address
        parts = urlsplit(address)
        yield from _usual_places(f"{parts.scheme}://{parts.netloc}")
        return
    if url := _KNOWN.get(registrable(host) or ""):
        yield url
        return
    if registrable(host) and not allowed(host, network):
        yield from _from_dns(plain(host), resolver or dns.resolver.get_default_resolver())
    base = f"https://{host if entered.is_mail else address.rstrip('/')}"
    if path := urlsplit(base).path:
        yield base
        base = base[: -len(path)]
    yield from _usual_places(base)


def _usual_places(base: str) -> Iterator[str]:
    yield f"{base}{_WELL_KNOWN}"
    yield f"{base}/"
    yield f"{base}{_NEXTCLOUD}"


def _from_dns(domain: str, resolver: dns.resolver.Resolver) -> Iterator[str]:
    """Yield where SRV and TXT records lead: always over TLS, whatever `_caldav._tcp` would say (RFC 6764 section 5)."""
    name = f"_caldavs._tcp.{domain}"
    try:
        records = sorted(resolver.resolve(name, "SRV", lifetime=_dns_seconds()), key=lambda r: (r.priority, -r.weight))
    except (dns.exception.DNSException, OSError):
        return
    path = _dns_path(name, resolver)
    for record in records:
        target = plain(record.target.to_text())
        if not target:
            continue  # "." means that there is no such service (RFC 2782)
        if not same_family(target, domain):
            raise RuleError(
                "“%(host)s” keeps its calendars at “%(other)s”. If you trust that server, enter its address yourself.",
                code="calendars_at_other_host",
                field="address",
                host=domain,
                other=target,
            )
        yield f"https://{target}:{record.port}{path}" if record.port != 443 else f"https://{target}{path}"  # noqa: PLR2004


def _dns_seconds() -> float:
    limit = left()
    return _DNS_SECONDS if limit is None else min(limit.total_seconds(), _DNS_SECONDS)


def _dns_path(name: str, resolver: dns.resolver.Resolver) -> str:
    """Return the path that a TXT record names, or the well-known one."""
    path = _WELL_KNOWN
    with suppress(dns.exception.DNSException, OSError):
        for record in resolver.resolve(name, "TXT", lifetime=_dns_seconds()):
            key, _, value = b"".join(record.strings).decode(errors="replace").partition("=")
            if key == "path" and value.startswith("/"):
                path = value
    return path


def _try(url: str, network: Network, login: Login) -> tuple[_Principal, str]:
    """Ask one address; return whom it has let in, by which scheme. A refused password is never sent again."""
    try:
        return _ask(url, network, login), "basic"
    except _DigestOnlyError:
        return _ask(url, network, replace(login, digest=True)), "digest"


class _DigestOnlyError(Exception):
    """The server does not look at Basic, so the password has not been judged."""


def _ask(url: str, network: Network, login: Login) -> _Principal:
    http = Http(network, login, provider=DECLARATION.slug, connecting=True, largest=_LARGEST)
    try:
        principal = _principal(http, url)
    finally:
        http.close()
    for home in principal.homes:
        host = urlsplit(home).hostname
        if not same_family(host or "", login.home):
            raise RuleError(
                "The server says that the calendars are at “%(other)s”. If you trust that server, enter its address "
                "yourself.",
                code="calendar_home_at_other_host",
                field="address",
                other=host or "",
            )
    return principal


def _principal(http: Http, url: str) -> _Principal:
    """Return whom a server has let in.

    Raises: _NotHereError if it names no calendar home and is no calendar itself.
    """
    properties = _dav.propfind(dav.CurrentUserPrincipal, cdav.CalendarHomeSet, dav.ResourceType)
    here = _follow(http, url, properties)
    principal = next(here.hrefs(dav.CurrentUserPrincipal), None)
    homes = here.homes()
    if principal and not homes:
        here = _follow(http, principal, _dav.propfind(cdav.CalendarHomeSet))
        homes = here.homes()
    if not homes and here.is_calendar:
        homes = (here.url,)
    if not homes:
        raise _NotHereError
    return _Principal(principal or here.url, homes)


@dataclass(frozen=True, slots=True)
class _Here:
    """What an address says of itself."""

    url: str
    rows: tuple[_dav.Row, ...]

    def hrefs(self, element: type[BaseElement]) -> Iterator[str]:
        """Yield the URLs inside a property.

        Raises: RuleError if one of them is none.
        """
        for row in self.rows:
            for href in row.hrefs(element):
                yield _joined(self.url, href)

    def homes(self) -> tuple[str, ...]:
        """Return where the calendars are.

        Raises: RuleError if one of them is none, or they have no end.
        """
        homes = tuple(dict.fromkeys(islice(self.hrefs(cdav.CalendarHomeSet), _HOMES + 1)))
        if len(homes) > _HOMES:
            raise RuleError(
                "The server names more than %(most)s places where calendars are. Enter the address of one of them.",
                code="too_many_calendar_homes",
                field="address",
                most=_HOMES,
            )
        return homes

    @property
    def is_calendar(self) -> bool:
        """Whether it is a calendar itself."""
        return any(cdav.Calendar.tag in row.tags(dav.ResourceType) for row in self.rows)


def _joined(base: str, href: str) -> str:
    try:
        return joined(base, href)
    except RefusedError as error:
        raise RuleError(
            "“%(host)s” sends us on to an address that leads nowhere. Ask whoever runs that server, or enter another "
            "address.",
            code="redirect_malformed",
            field="address",
            host=urlsplit(base).hostname or "",
        ) from error


def _follow(http: Http, url: str, body: bytes) -> _Here:
    """PROPFIND at depth 0, following redirects by hand: each hop is checked like the first."""
    for _ in range(_HOPS):
        try:
            answer = http.request("PROPFIND", url, headers=_dav.headers(0), body=body)
        except RefusedError as error:
            raise RuleError(
                "“%(host)s” cannot be asked for calendars: %(reason)s. Check the address.",
                code="server_refused",
                field="address",
                host=urlsplit(url).hostname or "",
                reason=error.sentence,
            ) from error
        if answer.status not in _REDIRECTS or "location" not in answer.headers:
            return _understood(http, answer)
        url = _joined(url, answer.headers["location"])
    raise RuleError(
        "“%(host)s” sends us round in circles. Check the address.",
        code="redirects_in_circles",
        field="address",
        host=urlsplit(url).hostname or "",
    )


def _understood(http: Http, answer: Answer) -> _Here:
    """Read an answer that is a multistatus.

    Raises: AccessLostError or TransientError where the server says so, else _NotHereError.
    """
    if answer.status == 401:  # noqa: PLR2004 - Unauthorized
        schemes = answer.headers.get("www-authenticate", "").lower()
        if not http.login.digest and "digest" in schemes and "basic" not in schemes:
            raise _DigestOnlyError
        raise AccessLostError(
            Sentence(
                "The server does not accept this user name and password. Many providers want an app password here, not "
                "the one you sign in with"
            )
        )
    try:
        return _Here(answer.url, _dav.multistatus(answer).rows)
    except TransientError:
        raise
    except ProviderError as error:
        raise _NotHereError from error
