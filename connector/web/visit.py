"""What a request is about: the installation, the practitioner who is signed in, the language to use."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from types import MappingProxyType
from urllib.parse import quote
from uuid import UUID

from flask import current_app, flash, g, make_response, redirect, request, url_for
from flask import session as cookie
from flask.typing import ResponseReturnValue
from sqlalchemy import Connection

from connector import paths
from connector.domain.device import Device
from connector.domain.people import Actor, Role, Signing
from connector.errors import NotFoundError, ProviderError, RuleError
from connector.language.failures import told
from connector.language.messages import marked
from connector.runtime import Runtime
from connector.services.signing_in import browsers
from connector.services.signing_in.browsers import Browser, Entered
from connector.services.signing_in.log import Event, note
from connector.services.views import practitioners
from connector.web import framing, presence, speaking
from connector.web.presence import StrangerError

EXTENSION = "pencilled"
# The keys in the cookie: tokens, where to go on, a locale.
_BROWSER, _SUPPORT, _NEXT_PAGE, _READS = "browser", "support", "wanted", "reads"
_LONGEST_PATH = 500  # of a page that a mailed link leads on to
_IN_PATHS = "/:@!$&'()*+,;=~"  # what stands in paths as it is (RFC 3986)
ENDED = marked("You are not signed in here any more. Please sign in again.")


def runtime() -> Runtime:
    """Return the installation that this page belongs to."""
    installation: Runtime = current_app.extensions[EXTENSION]
    return installation


def acting() -> bool:
    """Whether this request may change anything: only a POST does, and HEAD is answered like GET."""
    return request.method == "POST"


def sign_in(link: str, *, trusted: bool) -> str | None:
    """Use up a mailed link, and return the page that was wanted before it was asked for; None if it lets nobody in.

    `trusted`: this browser stays signed in though it is not used for a while.

    Raises: NotFoundError if it is none of ours.
    """
    entered = _enter(link, Role.PRACTITIONER, trusted=trusted)
    if entered is None:
        return None
    here = _taken(of_support=False)
    own = (page for page in (_own(entered.wanted), here) if page is not None and not _is_of_support(page))
    return next(own, url_for("week.show"))


def sign_in_support(link: str) -> str | None:
    """Do the same for somebody of support, and return where they go on; None if it lets nobody in.

    Raises: NotFoundError if it is none of ours.
    """
    entered = _enter(link, Role.SUPPORT, trusted=False)
    if entered is None:
        return None
    _taken(of_support=True)
    wanted = _own(entered.wanted)
    return wanted if wanted is not None and _is_of_support(wanted) else url_for("support.search")


def _enter(link: str, role: Signing, *, trusted: bool) -> Entered | None:
    """Use up a mailed link, and have this browser hold what it is given for it, beside what it holds for another."""
    here, device = runtime(), Device.of(request.user_agent.string)
    entered = browsers.sign_in(
        here.database, here.seal, link, role=role, trusted=trusted, device=device, now=here.clock()
    )
    if entered is None:
        return None
    if former := _token(role):
        browsers.sign_out(here.database, former, role=role)
    kept = {key: cookie[key] for key in (_BROWSER, _SUPPORT, _NEXT_PAGE, _READS) if key in cookie}
    cookie.clear()
    cookie.permanent = True
    cookie.update({**kept, _KEYS[role]: entered.token})
    return entered


def wanted(*, of_support: bool = False) -> str | None:
    """Return the page that this browser had wanted to see before it was sent to sign in; None for none."""
    found = _own(cookie.get(_NEXT_PAGE))
    return found if found is not None and _is_of_support(found) is of_support else None


def _taken(*, of_support: bool) -> str | None:
    """Return the same and forget it; a page of the other role stays wanted until somebody signs in for that."""
    found = wanted(of_support=of_support)
    if found is not None:
        del cookie[_NEXT_PAGE]
    return found


def _is_of_support(path: str) -> bool:
    own = request.script_root + paths.SUPPORT
    return path == own or path.startswith((own + "/", own + "?"))


def _own(path: str | None) -> str | None:
    """Return the path of a page of ours; None for anything else, wherever it may have come from."""
    if not path or len(path) > _LONGEST_PATH or not path.isascii() or not path.isprintable() or "\\" in path:
        return None
    is_here = path.startswith(request.script_root + "/") and not path.startswith("//")
    return path if is_here else None


def sign_out(role: Signing = Role.PRACTITIONER) -> None:
    """Sign out here, and wherever this browser's cookie was copied to."""
    token = _token(role)
    if token:
        browsers.sign_out(runtime().database, token, role=role)
    _forget(role)


@dataclass(frozen=True, slots=True, kw_only=True)
class Visitor:
    """A practitioner whom the host in this process has signed in."""

    person_id: UUID
    name: str
    email: str
    zone: str
    locale: str


def visitor() -> Browser | Visitor | None:
    """Return the practitioner who is signed in, here or at the host; None if nobody is, or nobody whom we know.

    A host is asked for each request anew, so ask while no transaction is open.

    Raises: PresenceError if the host cannot say.
    """
    if signs_in_here():
        return browser()
    if "visitor" not in g:
        g.visitor = _named_by_host()
    found: Visitor | None = g.visitor
    return found


def signs_in_here() -> bool:
    """Whether practitioners sign in by a mailed link; else the host in this process says who is present."""
    host = presence.of_host()
    return host is None or not host.names_practitioners


def _named_by_host() -> Visitor | None:
    host = presence.of_host()
    name = host.practitioner() if host is not None else None
    if name is None:
        return None
    with runtime().database.read() as db:
        found = practitioners.called(db, name)
    if found is None:
        note(Event.REFUSED, what="host")
        return None
    return Visitor(person_id=found.id, name=found.name, email=found.email, zone=found.zone, locale=found.locale)


def browser() -> Browser | None:
    """Return who is signed in in this browser, asked once a request; None if nobody is, or not any more."""
    if "browser" not in g:
        here, token = runtime(), _token(Role.PRACTITIONER)
        g.browser = browsers.find(here.database, token, now=here.clock()) if token else None
        if g.browser is not None and last_locale() != g.browser.locale:
            cookie[_READS] = g.browser.locale
        if token and g.browser is None:
            note(Event.REFUSED, what="cookie")
            _forget(Role.PRACTITIONER)
            flash(speaking.say(ENDED), "warning")
    found: Browser | None = g.browser
    return found


def supporter() -> Browser | None:
    """Return who of support is signed in in this browser, asked once a request; None if nobody is, or not any more."""
    if "supporter" not in g:
        here, token = runtime(), _token(Role.SUPPORT)
        g.supporter = browsers.find(here.database, token, role=Role.SUPPORT, now=here.clock()) if token else None
        if token and g.supporter is None:
            note(Event.REFUSED, role=Role.SUPPORT, what="cookie")
            _forget(Role.SUPPORT)
    found: Browser | None = g.supporter
    return found


def support_signs_in_here() -> bool:
    """Whether support signs in by a mailed link; in a host's process the host says who of it is present."""
    return presence.of_host() is None


def require_support() -> ResponseReturnValue | None:
    """Send whoever is not signed in as support to the page on which support signs in."""
    if supporter() is not None:
        return None
    if request.method == "GET":
        cookie[_NEXT_PAGE] = _here()
    return redirect(url_for("support_signin.ask"), 303)


def last_locale() -> str | None:
    """Return what whoever was signed in last in this browser reads; None if nobody was."""
    last: str | None = cookie.get(_READS)
    return last


def practitioner_id() -> UUID:
    """Return the practitioner who is signed in, on a page that `require` guards."""
    found = visitor()
    if found is None:
        raise NotFoundError("Nobody is signed in.", code="not_signed_in")
    return found.person_id


def require() -> ResponseReturnValue | None:
    """Send whoever is not signed in to the sign-in page, and remember what they wanted to see.

    Raises: StrangerError for whom the host has signed in, and who is no practitioner here; PresenceError.
    """
    if visitor() is not None:
        return None
    if not signs_in_here():
        return to_sign_in(url_for("week.show") if acting() else _here())
    if request.method == "GET" and not request.if_none_match:  # a page that asks for news is none to come back to
        cookie[_NEXT_PAGE] = _here()
    return redirect(url_for("signin.ask"), 303)


def to_sign_in(next_url: str) -> ResponseReturnValue:
    """Send whom the host has not signed in to its sign-in page, from where they come back to `next_url`.

    Raises: StrangerError for whom it has signed in, and who is no practitioner, or none here; PresenceError.
    """
    host = presence.of_host()
    if host is None:
        raise AssertionError("practitioners sign in here")
    if visitor() is not None:
        return redirect(next_url, 303)
    if any(name is not None for name in (host.practitioner(), host.client(), host.support())):
        raise StrangerError  # its sign-in page would send back at once who is signed in there
    return once_more() or redirect(host.sign_in(next_url), 303)


def once_more() -> ResponseReturnValue | None:
    """Have a browser that another site sends here ask again by itself; None if it has come from here, or may have.

    A host may keep who is signed in in a cookie that browsers show to nobody who comes from another site, such as from
    a letter, or back from a calendar service.
    """
    if request.method != "GET" or request.headers.get("Sec-Fetch-Site") != "cross-site":
        return None
    framing.leave_out()  # in the host's layout it would be said, and kept, that nobody is signed in
    url = _here(whole=True)
    response = make_response(speaking.render("signin/once_more.html", url=url))
    response.headers["Refresh"] = f"0; url={url}"
    return response


def _here(*, whole: bool = False) -> str:
    """Return the address of this page, for whoever is to come back to it.

    Without its query if that is for nobody else, unless it is wanted `whole`.
    """
    path = quote(request.script_root + request.path, safe=_IN_PATHS)
    query = request.query_string.decode("latin-1")
    return f"{path}?{query}" if query and (whole or request.endpoint not in framing.SECRET) else path


def support() -> str | None:
    """Return the name of the support person who is present, as the host says or as they have signed in, or None.

    A host is asked, so ask while no transaction is open.

    Raises: PresenceError if the host cannot say.
    """
    host = presence.of_host()
    if host is not None:
        return host.support()
    found = supporter()
    return found.name if found is not None else None


def _forget(role: Signing) -> None:
    """Empty the cookie, but for the other who is signed in here, and for the language.

    Whoever is told that they are signed out is told in their own.
    """
    kept = {key: cookie[key] for key in (_BROWSER, _SUPPORT, _READS) if key in cookie and key != _KEYS[role]}
    cookie.clear()
    cookie.update(kept)


def _token(role: Signing) -> str:
    return str(cookie.get(_KEYS[role], ""))


_KEYS: Mapping[Role, str] = MappingProxyType({Role.PRACTITIONER: _BROWSER, Role.SUPPORT: _SUPPORT})


def actor(db: Connection) -> Actor:
    """Return the practitioner who is signed in as the one who acts."""
    return practitioners.actor(db, practitioner_id())


def status_of(error: RuleError) -> int:
    """Return the HTTP status for what the domain has refused."""
    return error.status


def sentence(error: RuleError | ProviderError) -> str:
    """Say what went wrong as a sentence, with what to do about it."""
    return told(error, speaking.language())


def refusal(error: RuleError) -> str:
    """Say what was refused, why, and what to do."""
    return speaking.language().refusal(error)
