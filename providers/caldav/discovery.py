"""From what a person enters to their calendars (RFC 6764); the password goes to the named host's family only."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass, field, replace
from urllib.parse import urljoin, urlsplit

import dns.exception
import dns.resolver
from caldav.elements import cdav, dav
from caldav.elements.base import BaseElement

from connector.errors import AccessLostError, ProviderError, RefusedError, RuleError, TransientError
from connector.ports import Network
from providers._guard import allowed, plain
from providers._wire import Answer, Http, Login, UnknownHostError, registrable, same_family
from providers.caldav import DECLARATION
from providers.caldav import dav as _dav

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
    form: Mapping[str, str], network: Network, resolver: dns.resolver.Resolver | None = None
) -> Mapping[str, str]:
    """Find principal and calendar homes.

    Args:
        form: As in `Caldav.connect`.
        network: Which hosts may be inner ones.
        resolver: Whom to ask for SRV and TXT records; None for the system's name servers.
    Raises: As in `Caldav.connect`.
    """
    entered = _Entered.of(form)
    _refuse_known(entered.host)
    for url in _starts(entered, network, resolver):
        target = urlsplit(url).hostname or ""
        home = entered.host if same_family(entered.host, target) else target
        login = Login(home=home, username=entered.username, password=entered.password)
        try:
            principal, scheme = _try(url, network, login)
        except _NotHereError:
            continue
        except UnknownHostError as error:
            raise RuleError(f"There is no server called “{urlsplit(url).hostname}”. Check the address.") from error
        return {
            "username": entered.username,
            "password": entered.password,
            "scheme": scheme,
            "principal": principal.url,
            "homes": "\n".join(principal.homes),
        }
    raise RuleError(
        f"“{entered.host}” answers, but not as a calendar server. "
        "Enter the CalDAV address named in the help of your provider."
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
            raise RuleError("Enter the address of the calendar server, the user name and the password.")
        host = address.rpartition("@")[2] if is_mail else _host(address)
        return cls(address=address, is_mail=is_mail, host=host, username=username, password=password)


def _host(address: str) -> str:
    try:
        parts = urlsplit(address if "://" in address else f"https://{address}")
        host = None if "@" in parts.netloc or parts.port == 0 else parts.hostname
    except ValueError:
        host = None
    if not host:
        raise RuleError(f"“{address}” is no address of a server. It looks like https://calendar.example.org.")
    return host


def _refuse_known(host: str) -> None:
    domain = registrable(host)
    if domain in _GOOGLE:
        raise RuleError("Google calendars are connected by signing in with Google: choose Google instead of CalDAV.")
    if domain in _MICROSOFT:
        raise RuleError("Outlook has no CalDAV: choose Outlook, and sign in with Microsoft.")


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
        records = sorted(resolver.resolve(name, "SRV", lifetime=_DNS_SECONDS), key=lambda r: (r.priority, -r.weight))
    except (dns.exception.DNSException, OSError):
        return
    path = _dns_path(name, resolver)
    for record in records:
        target = plain(record.target.to_text())
        if not target:
            continue  # "." means that there is no such service (RFC 2782)
        if not same_family(target, domain):
            raise RuleError(
                f"“{domain}” keeps its calendars at “{target}”. If you trust that server, enter its address yourself."
            )
        yield f"https://{target}:{record.port}{path}" if record.port != 443 else f"https://{target}{path}"  # noqa: PLR2004


def _dns_path(name: str, resolver: dns.resolver.Resolver) -> str:
    """Return the path that a TXT record names, or the well-known one."""
    path = _WELL_KNOWN
    with suppress(dns.exception.DNSException, OSError):
        for record in resolver.resolve(name, "TXT", lifetime=_DNS_SECONDS):
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
    http = Http(network, login, provider=DECLARATION.slug, connecting=True)
    try:
        principal = _principal(http, url)
    finally:
        http.close()
    for home in principal.homes:
        host = urlsplit(home).hostname
        if not same_family(host or "", login.home):
            raise RuleError(f"The calendars live at “{host}”: enter that address, if you trust it.")
    return principal


def _principal(http: Http, url: str) -> _Principal:
    """Return whom a server has let in.

    Raises: _NotHereError if it names no calendar home and is no calendar itself.
    """
    properties = _dav.propfind(dav.CurrentUserPrincipal, cdav.CalendarHomeSet, dav.ResourceType)
    answer = _follow(http, url, properties)
    homes, principal = _homes(answer), _first(answer, dav.CurrentUserPrincipal)
    if principal and not homes:
        answer = _follow(http, principal, _dav.propfind(cdav.CalendarHomeSet))
        homes = _homes(answer)
    if not homes and _is_calendar(answer):
        homes = (answer.url,)
    if not homes:
        raise _NotHereError
    return _Principal(principal or answer.url, homes)


def _follow(http: Http, url: str, body: bytes) -> Answer:
    """PROPFIND at depth 0, following redirects by hand: each hop is checked like the first."""
    for _ in range(_HOPS):
        try:
            answer = http.request("PROPFIND", url, headers=_dav.headers(0), body=body)
        except RefusedError as error:
            raise RuleError(f"{error}.") from error
        if answer.status not in _REDIRECTS or "location" not in answer.headers:
            return _understood(http, answer)
        url = urljoin(url, answer.headers["location"])
    raise RuleError(f"“{urlsplit(url).hostname}” sends us round in circles. Check the address.")


def _understood(http: Http, answer: Answer) -> Answer:
    """Return an answer that is a multistatus.

    Raises: AccessLostError or TransientError where the server says so, else _NotHereError.
    """
    if answer.status == 401:  # noqa: PLR2004 - Unauthorized
        schemes = answer.headers.get("www-authenticate", "").lower()
        if not http.login.digest and "digest" in schemes and "basic" not in schemes:
            raise _DigestOnlyError
        raise AccessLostError(
            "The server does not accept this user name and password. "
            "Many providers want an app password here, not the one you sign in with."
        )
    try:
        _dav.multistatus(answer)
    except TransientError:
        raise
    except ProviderError as error:
        raise _NotHereError from error
    return answer


def _first(answer: Answer, element: type[BaseElement]) -> str | None:
    return next(
        (urljoin(answer.url, href) for row in _dav.multistatus(answer).rows for href in row.hrefs(element)), None
    )


def _homes(answer: Answer) -> tuple[str, ...]:
    rows = _dav.multistatus(answer).rows
    return tuple(dict.fromkeys(urljoin(answer.url, href) for row in rows for href in row.hrefs(cdav.CalendarHomeSet)))


def _is_calendar(answer: Answer) -> bool:
    return any(cdav.Calendar.tag in row.tags(dav.ResourceType) for row in _dav.multistatus(answer).rows)
