"""Calendars behind CalDAV: iCloud, Fastmail, Nextcloud, Radicale and their like.

Request bodies are python-caldav's; its client and objects are not used, since they look up, re-render and redirect.
"""

from __future__ import annotations

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from contextvars import copy_context
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, tzinfo
from threading import Lock
from urllib.parse import urlsplit

from caldav.elements import cdav, dav

from connector.domain.reconcile import Action, Put, Ref, Sighting
from connector.domain.span import Span
from connector.errors import AccessLostError, ProviderError, RefusedError
from connector.ical import vevent
from connector.language.messages import marked
from connector.ports import (
    HTTP_TIMEOUT,
    BusyReading,
    Changes,
    Failed,
    Listed,
    Network,
    Outcome,
    RemoteCalendarInfo,
    TokenStore,
)
from connector.sentence import Sentence
from providers._wire import CONNECTIONS, Http, Lanes, Login, UnreachableError, joined
from providers.caldav import DECLARATION, discovery, feed, free_busy, identity, listing, pieces
from providers.caldav import dav as _dav
from providers.caldav.events import Events
from providers.caldav.kept import Kept
from providers.caldav.owner import Owner
from providers.caldav.push import Push

_ATTEMPTS = 4  # of one write that was turned away only because others wrote at the same time
_ACCOUNTS = 64  # whose connections and last seen bodies are kept
_CALENDARS = 1000  # of one account
_WRITING = frozenset({"{DAV:}all", "{DAV:}write", "{DAV:}write-content", "{DAV:}bind"})


def _clock() -> datetime:
    return datetime.fromtimestamp(int(time.time()), UTC)  # noqa: TID251 - where no network brings one


class CaldavCalendar(Push):
    """One CalDAV collection."""

    def __init__(self, events: Events, owner: Owner, kept: Kept) -> None:
        super().__init__(events.http, events.url)
        self._events = events
        self._owner = owner
        self._kept = kept
        self._lanes = Lanes()

    def apply(self, actions: Sequence[Action]) -> Iterator[Outcome]:
        """Do the actions, as many at once as the server accepts; one alone is a plain call."""
        if len(actions) == 1:
            yield self._do_alone(actions[0])
            return
        waiting = deque(_Flight(action) for action in actions)
        running: dict[Future[Outcome], _Flight] = {}
        outcomes: list[Outcome] = []
        fatal: ProviderError | None = None
        with ThreadPoolExecutor(max_workers=CONNECTIONS) as pool:
            while waiting or running or outcomes:
                if fatal:
                    outcomes += [Failed(key=flight.action.key, error=fatal) for flight in waiting]
                    waiting.clear()
                self._start(pool, waiting, running)
                yield from outcomes  # while the next requests are under way
                outcomes.clear()
                for flight, outcome in self._ended(running):
                    if not fatal and _may_try_again(flight, outcome):
                        waiting.appendleft(_Flight(flight.action, attempt=flight.attempt + 1))
                    else:
                        fatal = fatal or _fatal_error(outcome)
                        outcomes.append(outcome)

    def _do_alone(self, action: Action) -> Outcome:
        flight = _Flight(action)
        while _may_try_again(flight, outcome := self._learn(self._do(action))):
            flight.attempt += 1
        return outcome

    def _start(
        self, pool: ThreadPoolExecutor, waiting: deque[_Flight], running: dict[Future[Outcome], _Flight]
    ) -> None:
        """Send as many as may be in flight: in order for each entry, the first one alone."""
        keys = {flight.action.key for flight in running.values()}
        limit = self._lanes.limit if self._events.http.accepted else 1
        while waiting and len(running) < limit and waiting[0].action.key not in keys:
            flight = waiting.popleft()
            running[pool.submit(copy_context().run, self._do, flight.action)] = flight
            keys.add(flight.action.key)
            if len(running) > 1:
                for other in running.values():
                    other.in_company = True

    def _ended(self, running: dict[Future[Outcome], _Flight]) -> Iterator[tuple[_Flight, Outcome]]:
        """Wait until one has ended at least, and take out those that have."""
        for future in wait(running, return_when=FIRST_COMPLETED).done:
            yield running.pop(future), self._learn(future.result())

    def read(self, refs: Sequence[Ref]) -> Mapping[str, Sighting | None]:
        """Read what stands there; whatever an answer leaves out is asked for by itself before it is called absent."""
        places = {self._events.href(ref): ref.name for ref in refs}
        sightings: dict[str, Sighting | None] = {}
        for href, row in pieces.told(self._events, list(places)):
            text = row.text(cdav.CalendarData) if row else None
            stored = self._events.told(href, row, text) if row and text else self._events.get(href)
            sightings[places[href]] = None
            if stored:
                content = vevent.read(stored.body)
                sightings[places[href]] = Sighting(href=href, etag=stored.etag, content=content)
        return sightings

    def changes(self, token: str | None) -> Changes:
        """Read the change feed."""
        return feed.changes(self._events, token)

    def listing(self, since: datetime) -> Sequence[Listed]:
        """List what is ours, in one request."""
        return listing.listed(self._events, since)

    def busy(self, span: Span, *, zone: tzinfo = UTC) -> BusyReading:
        """Return when the collection is not free."""
        return free_busy.busy(self._events, span, zone=zone, owner=self._owner, kept=self._kept)

    def _do(self, action: Action) -> Outcome:
        try:
            return self._events.write(action) if isinstance(action, Put) else self._events.remove(action)
        except ProviderError as error:
            return Failed(key=action.key, error=error)

    def _learn(self, outcome: Outcome) -> Outcome:
        """Let the number of requests in flight learn from an outcome."""
        if not isinstance(outcome, Failed):
            self._lanes.success()
        elif isinstance(outcome.error, _dav.CrowdedError | UnreachableError):
            self._lanes.crowded()
        return outcome


@dataclass(slots=True)
class _Flight:
    """One action on its way.

    Attributes:
        attempt: Starts at 1.
        in_company: Whether another request of ours was in flight at any time while this one was.
    """

    action: Action
    attempt: int = 1
    in_company: bool = False


def _may_try_again(flight: _Flight, outcome: Outcome) -> bool:
    """Whether it was turned away because of others at the same time, by a server that did not ask for a pause."""
    error = outcome.error if isinstance(outcome, Failed) else None
    if not isinstance(error, _dav.CrowdedError) or error.retry_after is not None or flight.attempt >= _ATTEMPTS:
        return False
    return flight.in_company or isinstance(error, _dav.LockedError)


def _fatal_error(outcome: Outcome) -> ProviderError | None:
    """Return the error after which nothing else is tried: a password is never shown twice once it was refused."""
    error = outcome.error if isinstance(outcome, Failed) else None
    return error if isinstance(error, AccessLostError | UnreachableError | _dav.CrowdedError) else None


class CaldavAccount:
    """One login at one CalDAV server, with its kept-alive connections."""

    def __init__(
        self, http: Http, homes: Sequence[str], clock: Callable[[], datetime], *, owner: Owner, kept: Kept
    ) -> None:
        self._http = http
        self._homes = tuple(homes)
        self._clock = clock
        self._owner = owner
        self._kept = kept
        self._open: dict[str, CaldavCalendar] = {}

    def calendars(self) -> Sequence[RemoteCalendarInfo]:
        """Return the collections that hold events; where the server tells no privileges they count as writable.

        One that it lists at another server is none of its own to show, and nothing proves that it is this account's:
        connected, it would keep its owner from connecting it.
        """
        calendars: dict[str, RemoteCalendarInfo] = {}
        body = _dav.propfind(
            dav.ResourceType, dav.DisplayName, dav.CurrentUserPrivilegeSet, cdav.SupportedCalendarComponentSet
        )
        for home in self._homes:
            answer = self._http.request("PROPFIND", home, headers=_dav.headers(1), body=body)
            for row in _dav.rows_about(answer):
                if info := _info(row, home):
                    calendars.setdefault(info.remote_id, info)
                if len(calendars) > _CALENDARS:
                    raise RefusedError(Sentence("the server lists more than %(most)s calendars", most=_CALENDARS))
        return tuple(calendars.values())

    def open(self, remote_id: str) -> CaldavCalendar:
        """Return one collection by its URL."""
        if remote_id not in self._open:
            self._open[remote_id] = CaldavCalendar(Events(self._http, remote_id, self._clock), self._owner, self._kept)
        return self._open[remote_id]

    def close(self) -> None:
        """Close the connections that are idle."""
        self._http.close()


def _info(row: _dav.Row, home: str) -> RemoteCalendarInfo | None:
    if cdav.Calendar.tag not in row.tags(dav.ResourceType):
        return None
    components = row.props.get(cdav.SupportedCalendarComponentSet.tag or "")
    names = {str(item.get("name", "")).upper() for item in components} if components is not None else set()
    if names and "VEVENT" not in names:
        return None
    privileges = row.tags(dav.CurrentUserPrivilegeSet)
    url = joined(home, row.href)
    if not identity.same_service(url, home):
        return None
    name = row.text(dav.DisplayName) or url.rstrip("/").rpartition("/")[2]
    return RemoteCalendarInfo(
        remote_id=url,
        name=name,
        writable=not privileges or bool(privileges & _WRITING),
        identity=identity.of(url),
        host=identity.host(url),
    )


class Caldav:
    """CalDAV as a provider. Accounts that were used lately keep their connections."""

    slug = "caldav"
    label = "CalDAV (iCloud, Fastmail, Nextcloud, …)"
    button = marked("Connect a CalDAV calendar")
    services = marked("iCloud, Fastmail, Nextcloud and many others")

    def __init__(self, *, clock: Callable[[], datetime] = _clock, timeout: timedelta = HTTP_TIMEOUT) -> None:
        self._clock = clock
        self._timeout = timeout
        self._accounts: OrderedDict[tuple[object, ...], CaldavAccount] = OrderedDict()
        self._lock = Lock()
        self._kept = Kept()

    def account_key(self, credentials: Mapping[str, str]) -> str | None:
        """Return the URL of whom the server says we are."""
        return credentials.get("principal") or None

    def connect(self, form: Mapping[str, str], network: Network) -> Mapping[str, str]:
        """Find the calendars behind what a person has entered.

        Args:
            form: `address` (a URL, a host or a mail address), `username` (may be left out beside a mail address)
                and `password`.
            network: Which hosts may be inner ones.
        Returns: `username`, `password`, `scheme` (basic or digest), `principal` (URL), `homes` (URLs, one a line).
        Raises: AccessLostError if the password is refused; RuleError or another ProviderError, in words for the person.
        """
        return discovery.discover(form, network)

    def form_of(self, credentials: Mapping[str, str]) -> Mapping[str, str]:
        """Return the URL of whom the server says we are, which leads there at once, and the user name."""
        return {"address": credentials.get("principal", ""), "username": credentials.get("username", "")}

    def account(self, tokens: TokenStore, network: Network) -> CaldavAccount:
        """Return the account of these credentials; the same one again while it is in use."""
        credentials = tokens.load()
        key = (network.inner_hosts, *sorted(credentials.items()))
        with self._lock:
            account = self._accounts.get(key)
            if account is None:
                account = self._accounts[key] = self._opened(credentials, network)
            self._accounts.move_to_end(key)
            stale = self._accounts.popitem(last=False)[1] if len(self._accounts) > _ACCOUNTS else None
        if stale:
            stale.close()
        return account

    def close(self) -> None:
        """Close all idle connections."""
        with self._lock:
            accounts = list(self._accounts.values())
            self._accounts.clear()
        for account in accounts:
            account.close()

    def _opened(self, credentials: Mapping[str, str], network: Network) -> CaldavAccount:
        login = Login(
            home=urlsplit(credentials["principal"]).hostname or "",
            username=credentials["username"],
            password=credentials["password"],
            digest=credentials.get("scheme") == "digest",
        )
        http = Http(network, login, provider=DECLARATION.slug, timeout=self._timeout)
        owner, clock = Owner(http, credentials["principal"]), network.clock or self._clock
        return CaldavAccount(http, credentials["homes"].split("\n"), clock, owner=owner, kept=self._kept)


PROVIDER = Caldav()
