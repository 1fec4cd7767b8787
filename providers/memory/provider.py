"""A calendar service that lives in this process: a true fake, with etags, sync tokens, tombstones and faults on demand.

A store outlives the adapters that use it, as a server outlives its clients: find it again by its id.
"""

from __future__ import annotations

from collections import Counter, deque
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal

from connector import counters
from connector.domain.entry import Showing
from connector.domain.reconcile import Action, Put, Ref, Remove, Sighting
from connector.domain.span import Span
from connector.errors import (
    AccessLostError,
    EditConflictError,
    MissingError,
    ProviderError,
    RefusedError,
    SyncTokenExpiredError,
)
from connector.ports import (
    Busy,
    BusyReading,
    Changed,
    Changes,
    Failed,
    Listed,
    Network,
    Outcome,
    RemoteCalendarInfo,
    Removed,
    TokenStore,
    UnreadEvent,
    Written,
    before_request,
)
from connector.sentence import Sentence
from providers._conflict import check_overwrite
from providers.memory import DECLARATION
from providers.memory.events import Event, MemoryEvents
from providers.memory.push import MemoryPush

Verb = Literal["put", "remove", "read", "changes", "listing", "busy", "any"]
Moment = Literal["before", "after"]
WriteCallback = Callable[[Moment, Action], None]
Around = Callable[[Action, Callable[[], Outcome]], Outcome]
"""Does one write, or more or less than that; a ProviderError it raises is what the caller gets."""

_ROUNDS = 3
_OK = 200  # as services answer that speak HTTP


@dataclass(frozen=True, slots=True, kw_only=True)
class Fault:
    """One request that is to fail.

    Attributes:
        on: The verb it waits for.
        error: What the caller gets.
        done: Whether a write is done all the same, so that only its answer is lost.
    """

    on: Verb
    error: ProviderError
    done: bool = False


class MemoryCalendar(MemoryEvents, MemoryPush):
    """One calendar, its service and its practitioner in one object.

    Attributes:
        on_write: Called before and after each remote write; whatever it raises goes through to the caller of `apply`.
        offline: While set, every verb fails with it and nothing is done.
        etags: Whether writes and feed tell an ETag, a weak one, or none.
        feed: Whether the change feed can be read incrementally; else every answer is a full listing.
        lists_nothing: While set, the change feed is empty, although each event can still be read.
        hides_deletions: Whether the change feed leaves deletions out.
        tentative_is_free: Whether free and busy leave tentative events out, as some services do.
        around: Called instead of each remote write, with the action and what would be done; see `Around`.
        days: Days that are taken as a whole, wherever the practitioner is.
        unreadable: Events that nobody can read.
        requests: How often each verb was asked, writes one by one.
        spends_names: Whether a name that was deleted cannot be used again; where it can be, as at some CalDAV servers,
            a late creation makes the event anew.
        spent_names: Creations refused because their name had been used and deleted before.
    """

    def __init__(self, remote_id: str, *, name: str = "", writable: bool = True) -> None:
        MemoryEvents.__init__(self)
        MemoryPush.__init__(self)
        self.info = RemoteCalendarInfo(remote_id=remote_id, name=name or remote_id, writable=writable)
        self.on_write: WriteCallback | None = None
        self.offline: ProviderError | None = None
        self.etags: Literal["strong", "weak", "none"] = "strong"
        self.feed = True
        self.lists_nothing = False
        self.hides_deletions = False
        self.tentative_is_free = False
        self.around: Around | None = None
        self.days: list[date] = []
        self.unreadable: list[UnreadEvent] = []
        self.requests: Counter[str] = Counter()
        self.spends_names = True
        self.spent_names: list[str] = []
        self._faults: list[Fault] = []
        self._interruptions: deque[Callable[[], None]] = deque()
        self._era = 1

    # What the core sees: the port.

    def apply(self, actions: Sequence[Action]) -> Iterator[Outcome]:
        """Do the actions one after the other."""
        fatal: ProviderError | None = None
        for action in actions:
            if fatal:
                yield Failed(key=action.key, error=fatal)
                continue
            outcome = self._do(action)
            if isinstance(outcome, Failed) and (self.offline or isinstance(outcome.error, AccessLostError)):
                fatal = outcome.error
            yield outcome

    def read(self, refs: Sequence[Ref]) -> Mapping[str, Sighting | None]:
        """Read what stands there."""
        before_request()
        with self._lock:
            self._ask("read")
            events = {ref.name: self.events.get(ref.href or ref.name) for ref in refs}
            return {
                name: Sighting(href=event.href, etag=self._etag(event), content=event.content) if event else None
                for name, event in events.items()
            }

    def changes(self, token: str | None) -> Changes:
        """Read the feed from a token."""
        before_request()
        with self._lock:
            self._ask("changes")
            current = f"{self._era}:{self._version}"
            if token is None or not self.feed:
                return Changes(changed=self._changed(0), gone=(), token=current, full=True)
            era, _, version = token.partition(":")
            if era != str(self._era):
                raise SyncTokenExpiredError(Sentence("the token is from before"))
            deletions = () if self.lists_nothing or self.hides_deletions else self._tombstones.items()
            gone = tuple(sorted(href for href, deleted_in in deletions if deleted_in > int(version)))
            return Changes(changed=self._changed(int(version)), gone=gone, token=current, full=False)

    def listing(self, since: datetime) -> Sequence[Listed]:
        """Return every event of ours that ends after `since`."""
        before_request()
        with self._lock:
            self._ask("listing")
            ours = [event for event in self.events.values() if event.name is not None and event.span.end > since]
            return [
                Listed(
                    sighting=Sighting(href=event.href, etag=self._etag(event), content=event.content),
                    name=event.name,
                    marked=event.marked,
                )
                for event in ours
            ]

    def busy(self, span: Span, *, zone: tzinfo = UTC) -> BusyReading:
        """Return when it is not free, and of no time which event takes it."""
        before_request()
        with self._lock:
            self._ask("busy")
            intervals = self._busy_events(span)
            shown = [busy for busy in intervals if not (self.tentative_is_free and self._is_tentative(busy))]
            reading = self._reading(shown, zone)
            return replace(reading, times=[Busy(span=one.span) for one in reading.times])

    def list_busy(self, span: Span, *, zone: tzinfo = UTC) -> BusyReading:
        """Return each event that is not free, tentative ones too; asks as `busy` does."""
        before_request()
        with self._lock:
            self._ask("busy")
            return self._reading(self._busy_events(span), zone)

    # What goes wrong: the tests' own handles.

    def fail(self, error: ProviderError, *, on: Verb = "any", times: int = 1, answer_lost: bool = False) -> None:
        """Let the next matching requests fail, before anything is done or with only the answer lost."""
        self._faults += [Fault(on=on, error=error, done=answer_lost)] * times

    def recover(self) -> None:
        """Let no further request fail."""
        self._faults.clear()

    def meanwhile(self, edit: Callable[[], None], *, times: int = 1) -> None:
        """Let somebody else edit between an adapter's look at an event and its write, which then meets a new ETag."""
        self._interruptions.extend([edit] * times)

    def empty_feed(self) -> None:
        """Let the change feed forget every token and list nothing, until `lists_nothing` is unset."""
        self.expire_tokens()
        self.lists_nothing = True

    def expire_tokens(self) -> None:
        """Forget every sync token given so far."""
        self._era += 1

    # How it works inside.

    def _do(self, action: Action) -> Outcome:
        before_request()
        if self.on_write:
            self.on_write("before", action)
        try:
            outcome = self.around(action, lambda: self._outcome(action)) if self.around else self._outcome(action)
        except ProviderError as error:
            outcome = Failed(key=action.key, error=error)
        if self.on_write:
            self.on_write("after", action)
        return outcome

    def _outcome(self, action: Action) -> Outcome:
        with self._lock:
            return self._put(action) if isinstance(action, Put) else self._remove(action)

    def _put(self, put: Put) -> Outcome:
        lost = self._ask("put")
        event = self._written(put, self._writable(put))
        if lost:
            return Failed(key=put.key, error=lost)
        ref = replace(put.ref, href=event.href, etag=self._etag(event))
        return Written(key=put.key, ref=ref, seen=put.entry.content.fingerprint)

    def _writable(self, put: Put) -> Event | None:
        """Return the event to be written over, once nobody interferes; None if it is to be created.

        Raises: ProviderError.
        """
        href = put.ref.href or put.ref.name
        for _ in range(_ROUNDS):
            event = self.events.get(href)
            if event is None:
                self._check_creatable(put, href)
            elif put.ref.etag is None or put.ref.etag != self._etag(event):  # so it must be read before it is written
                if event.content == put.entry.content:
                    return event
                check_overwrite(put, event.content)
            if not self._interruptions:
                return event
            self._interruptions.popleft()()
        raise EditConflictError(Sentence("somebody else kept changing %(address)s at the same time", address=href))

    def _check_creatable(self, put: Put, href: str) -> None:
        if put.ref.href is not None:
            raise MissingError(Sentence("%(address)s is not there any more", address=href))
        if href in self._tombstones and self.spends_names:
            self.spent_names.append(href)
            raise MissingError(
                Sentence("the name %(name)s is spent: nothing is there, and it cannot be used again", name=href)
            )

    def _written(self, put: Put, event: Event | None) -> Event:
        """Return the event as it stands after the write, which changes nothing if it shows the entry already."""
        content = put.entry.content
        if event is not None and event.content == content:
            return event
        version = self._next()
        base = event or Event(href=put.ref.href or put.ref.name, version=version, shown=content, name=put.ref.name)
        written = replace(base, version=version, shown=content, busy=True, all_day=False, recurring=False)
        self.events[written.href] = written
        self._tombstones.pop(written.href, None)
        return written

    def _remove(self, remove: Remove) -> Outcome:
        if isinstance(self.offline, MissingError):
            return Removed(key=remove.key)  # gone with its calendar
        lost = self._ask("remove")
        href = remove.ref.href or remove.ref.name
        if href in self.events:
            self.delete(href)
        return Failed(key=remove.key, error=lost) if lost else Removed(key=remove.key)

    def _ask(self, verb: Verb) -> ProviderError | None:
        """Count a request and raise its fault, if any; return the error to answer with once the write is done."""
        self.requests[verb] += 1
        counters.answered(DECLARATION.slug, None if self.offline else _OK)
        if self.offline:
            gone = isinstance(self.offline, MissingError) and verb == "put"
            raise RefusedError(Sentence("the calendar itself is not there any more")) if gone else self.offline
        fault = next((fault for fault in self._faults if fault.on in {verb, "any"}), None)
        if fault is None:
            return None
        self._faults.remove(fault)
        if not fault.done:
            raise fault.error
        return fault.error

    def _busy_events(self, span: Span) -> list[Busy]:
        events = [event for event in self.events.values() if event.busy and event.span.overlaps(span)]
        by_time = sorted(events, key=lambda event: event.span)
        return [
            Busy(
                span=event.span,
                href=event.href,
                name=event.name,
                nature=event.nature,
                in_series=event.recurring,
                occurrence=event.span.start if event.recurring else None,
            )
            for event in by_time
        ]

    def _reading(self, events: Sequence[Busy], zone: tzinfo) -> BusyReading:
        days = (datetime.combine(day, time(), zone) for day in self.days)
        taken = [Busy(span=Span.of(day, day + timedelta(days=1)), href=f"/{day}") for day in days]
        return BusyReading(times=[*events, *taken], unreadable=tuple(self.unreadable))

    def _is_tentative(self, busy: Busy) -> bool:
        return self.events[busy.href or ""].shown.showing is Showing.TENTATIVE

    def _changed(self, since: int) -> tuple[Changed, ...]:
        if self.lists_nothing:
            return ()
        newer = (event for event in self.events.values() if event.version > since)
        return tuple(Changed(href=event.href, etag=self._etag(event)) for event in newer)

    def _etag(self, event: Event) -> str | None:
        return {"strong": event.etag, "weak": f"W/{event.etag}", "none": None}[self.etags]


@dataclass
class MemoryStore:
    """One account at the service; `password` is what it accepts now."""

    id: str
    password: str = "secret"  # noqa: S105 - opens nothing
    calendars: dict[str, MemoryCalendar] = field(default_factory=dict)

    def calendar(self, remote_id: str = "calendar", *, writable: bool = True) -> MemoryCalendar:
        """Return one of its calendars, made if there is none of that id."""
        return self.calendars.setdefault(remote_id, MemoryCalendar(remote_id, writable=writable))

    def change_password(self, password: str) -> None:
        """Accept another password from now on: who is connected with the old one loses access."""
        self.password = password
        for calendar in self.calendars.values():
            calendar.offline = _refused()


_stores: dict[str, MemoryStore] = {}


def store(identity: str) -> MemoryStore:
    """Return the account of that id, the same one as long as the process lives."""
    return _stores.setdefault(identity, MemoryStore(identity))


def forget(identity: str) -> None:
    """Drop an account and all its calendars."""
    _stores.pop(identity, None)


def _refused() -> AccessLostError:
    return AccessLostError(Sentence("the password is not accepted"))


class MemoryAccount:
    """What a connected program sees of a store."""

    def __init__(self, store: MemoryStore, password: str) -> None:
        self._store = store
        self._password = password

    def calendars(self) -> Sequence[RemoteCalendarInfo]:
        """Return its calendars."""
        if self._password != self._store.password:
            raise _refused()
        return tuple(
            replace(calendar.info, identity=f"{self._store.id}/{calendar.info.remote_id}")
            for calendar in self._store.calendars.values()
        )

    def open(self, remote_id: str) -> MemoryCalendar:
        """Return one calendar; one that is not there, or not to be seen, fails when it is used."""
        calendar = self._store.calendars.get(remote_id)
        if calendar and self._password == self._store.password:
            return calendar
        closed = MemoryCalendar(remote_id)
        closed.offline = (
            MissingError(Sentence("there is no calendar “%(name)s”", name=remote_id))
            if calendar is None
            else _refused()
        )
        return closed


class Memory:
    """The provider."""

    slug = "memory"
    label = "Memory"

    def account_key(self, credentials: Mapping[str, str]) -> str | None:
        """Return the `account_id` that tests give."""
        return credentials.get("account_id") or None

    def connect(self, form: Mapping[str, str], network: Network) -> Mapping[str, str]:  # noqa: ARG002 - reaches none
        """Check `password` against the store whose id is `address`.

        Returns: `store` and `password`.
        Raises: AccessLostError.
        """
        account, password = store(form["address"]), form.get("password", "")
        MemoryAccount(account, password).calendars()
        for calendar in account.calendars.values():
            calendar.offline = None
        return {"store": account.id, "password": password}

    def form_of(self, credentials: Mapping[str, str]) -> Mapping[str, str]:
        """Return the id of the store."""
        return {"address": credentials.get("store", "")}

    def account(self, tokens: TokenStore, network: Network) -> MemoryAccount:  # noqa: ARG002 - reaches none
        """Return the account of that store."""
        credentials = tokens.load()
        return MemoryAccount(store(credentials["store"]), credentials["password"])


PROVIDER = Memory()
