"""Our events in a Google calendar: how an entry is written and read, and the requests that takes.

A talk is one action as a generator of requests: it does no I/O itself, so that what several ask can travel together.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Hashable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from connector.domain.entry import Content, Showing
from connector.domain.reconcile import Action, Put, Ref, Remove, Sighting
from connector.domain.span import Span
from connector.errors import (
    AccessLostError,
    EditConflictError,
    MissingError,
    ProviderError,
    RefusedError,
    RuleError,
)
from connector.ports import Removed, Written
from providers._conflict import follow_up
from providers.google.errors import Fault, meaning, text
from providers.google.http import Api, Reply

MARK = "pencilled"
BATCH = 50  # requests in one batch: more trip the limit on writes to one calendar
_MARKS = {Showing.CONFIRMED: "session", Showing.TENTATIVE: "hold", Showing.FIRM: "hold-firm"}
_ROUNDS = 3
_FORBIDDEN, _NOT_FOUND, _CONFLICT, _GONE, _CHANGED = 403, 404, 409, 410, 412

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
Body = dict[str, Any]
Talk = Generator[Any, Body, T]
"""Yields requests, is sent their answers or thrown their Fault, and returns what came of it."""


def event_id(ref: Ref) -> str:
    """Return the id of a ref's event: the service's, else ours, a UUID's digits being base32hex as they stand."""
    return ref.href or UUID(ref.name).hex


def read(event: Mapping[str, Any]) -> Content | None:
    """Return what an event shows, in UTC; None if it is what we never write: all-day, recurring, or shown as free."""
    if event.get("recurrence") or event.get("recurringEventId") or event.get("transparency") == "transparent":
        return None
    try:
        start, end = (datetime.fromisoformat(event[edge]["dateTime"]) for edge in ("start", "end"))
        span = Span.of(start, end)
    except (LookupError, TypeError, ValueError, RuleError):
        return None
    showing = Showing.TENTATIVE if event.get("status") == "tentative" else Showing.CONFIRMED
    if showing is Showing.CONFIRMED and mark(event) == _MARKS[Showing.FIRM]:
        showing = Showing.FIRM
    return Content(
        span=span, title=str(event.get("summary", "")), location=str(event.get("location", "")), showing=showing
    )


def sighting(event: Mapping[str, Any]) -> Sighting:
    """Return an event of ours as it was read.

    Raises: TransientError if it has no id.
    """
    etag = event.get("etag")
    return Sighting(href=text(event, "id"), etag=str(etag) if etag else None, content=read(event))


def mark(event: Mapping[str, Any]) -> str | None:
    """Return the word by which we know an event as ours."""
    properties = event.get("extendedProperties")
    private = properties.get("private") if isinstance(properties, dict) else None
    found = private.get(MARK) if isinstance(private, dict) else None
    return found if isinstance(found, str) else None


def _changed(content: Content) -> Body:
    """Return what is ours of an event, for a patch: null clears, and what is not named stays as it is."""
    return {
        "summary": content.title,
        "location": content.location or None,
        "start": {"dateTime": _utc(content.span.start), "date": None},
        "end": {"dateTime": _utc(content.span.end), "date": None},
        "recurrence": None,
        "status": "tentative" if content.showing is Showing.TENTATIVE else "confirmed",
        "transparency": "opaque",
        "extendedProperties": {"private": {MARK: _MARKS[content.showing]}},
    }


def _created(identity: str, content: Content) -> Body:
    """Return a new event: without attendees, so that Google writes to nobody, and without reminders."""
    body = {name: value for name, value in _changed(content).items() if value is not None}
    return body | {
        "id": identity,
        "start": {"dateTime": _utc(content.span.start), "timeZone": "UTC"},
        "end": {"dateTime": _utc(content.span.end), "timeZone": "UTC"},
        "visibility": "private",
        "reminders": {"useDefault": False, "overrides": []},
    }


def _utc(at: datetime) -> str:
    return f"{at:%Y-%m-%dT%H:%M:%SZ}"


@dataclass(frozen=True, slots=True)
class Talks:
    """The requests about events of one calendar. `events` is the library's resource."""

    events: Any
    calendar_id: str

    def act(self, action: Action) -> Talk[Written | Removed]:
        """Do one action.

        Raises: ProviderError.
        """
        return self.put(action) if isinstance(action, Put) else self.remove(action)

    def put(self, put: Put) -> Talk[Written]:
        """Make an event show the entry: one request, unless somebody else has touched it or it was there before.

        Raises: ProviderError; MissingError if an event that was there is gone, or its id is spent; EditConflictError
            if what stands there is news.
        """
        identity, etag, standing = event_id(put.at), put.at.etag, None
        if put.at.href is None and etag is None:
            try:
                return _written(put, (yield self._insert(identity, put.entry.content)))
            except Fault as fault:
                if fault.status != _CONFLICT:
                    raise meaning("insert", fault) from fault
        if etag is None:
            standing = yield from self._ours(identity)
        for _ in range(_ROUNDS):
            if standing is not None:
                if read(standing) == put.entry.content:
                    return _written(put, standing)
                follow_up(put, read(standing))
                etag = text(standing, "etag")
            try:
                return _written(put, (yield self._patch(identity, put.entry.content, etag)))
            except Fault as fault:
                standing = yield from self._after(fault, identity)
        raise EditConflictError(f"the event {identity} was changed under our hands {_ROUNDS} times")

    def remove(self, remove: Remove) -> Talk[Removed]:
        """Make sure an event is not there; whoever changed it in between changed what was to go anyway.

        Raises: ProviderError.
        """
        request = self.events.delete(calendarId=self.calendar_id, eventId=event_id(remove.at), sendUpdates="none")
        try:
            yield request
        except Fault as fault:
            if fault.status not in {_NOT_FOUND, _GONE}:
                raise meaning("delete", fault) from fault
        return Removed(key=remove.key)

    def look(self, ref: Ref) -> Talk[Sighting | None]:
        """Read one event; None if it is confirmed not to be there.

        Raises: ProviderError.
        """
        event = yield from self._get(event_id(ref))
        return sighting(event) if event else None

    def _get(self, identity: str) -> Talk[Body | None]:
        """Read an event. One that Google does not know is not there only if the calendar itself is."""
        try:
            event: Body = yield self.events.get(calendarId=self.calendar_id, eventId=identity)
        except Fault as fault:
            if fault.status not in {_NOT_FOUND, _GONE}:
                raise meaning("get", fault) from fault
        else:
            return None if event.get("status") == "cancelled" else event
        try:
            yield self.events.list(calendarId=self.calendar_id, maxResults=1)
        except Fault as fault:
            raise meaning("get", fault) from fault
        return None

    def _ours(self, identity: str) -> Talk[Body]:
        event = yield from self._get(identity)
        if event is None:
            raise MissingError(f"the event {identity} is not there, and its id is spent")
        if mark(event) is None:
            raise RefusedError("another event stands where ours belongs")
        return event

    def _after(self, fault: Fault, identity: str) -> Talk[Body]:
        """Look what stands there after a patch was refused; a deleted event refuses every one."""
        if fault.status in {_CHANGED, _NOT_FOUND, _GONE}:
            return (yield from self._ours(identity))
        if fault.status == _FORBIDDEN and "forbidden" in fault.reasons:
            yield from self._ours(identity)
        raise meaning("patch", fault) from fault

    def _insert(self, identity: str, content: Content) -> Any:
        body = _created(identity, content)
        return self.events.insert(calendarId=self.calendar_id, body=body, sendUpdates="none")

    def _patch(self, identity: str, content: Content, etag: str | None) -> Any:
        body = _changed(content)
        request = self.events.patch(calendarId=self.calendar_id, eventId=identity, body=body, sendUpdates="none")
        if etag:
            request.headers["If-Match"] = etag
        return request


def _written(put: Put, event: Body) -> Written:
    etag = text(event, "etag")
    ref = replace(put.at, href=text(event, "id"), etag=etag)
    return Written(key=put.key, ref=ref, seen=put.entry.content.fingerprint)


@dataclass(frozen=True, slots=True)
class Ended(Generic[T]):
    """What a talk returned."""

    value: T


def converse(api: Api, talks: Iterable[tuple[K, Talk[T]]]) -> Iterator[tuple[K, Ended[T] | ProviderError]]:
    """Hold talks side by side, each key's one after the other, and yield what came of each as it ends.

    What is asked at the same time travels in one request. Once Google asks to be left alone, refuses the credentials
    or cannot be reached, nothing more is sent and the rest end alike.
    """
    waiting = deque(talks)
    held: list[_Held[K, T]] = []
    stopped: ProviderError | None = None
    while waiting or held:
        while waiting and len(held) < BATCH and all(one.key != waiting[0][0] for one in held):
            held.append(_Held(*waiting.popleft()))
        try:
            replies = api.exchange([one.request for one in held])
        except ProviderError as error:
            stopped, replies = error, []
        for one, reply in zip(held, replies, strict=False):
            one.hear(reply)
            stopped = stopped or _stops(one, reply)
        yield from ((one.key, one.result) for one in held if one.result is not None)
        held = [one for one in held if one.result is None]
        if stopped:
            keys = [*(one.key for one in held), *(key for key, _ in waiting)]
            yield from ((key, stopped) for key in keys)
            return


class _Held(Generic[K, T]):
    """A talk under way, with what it asks next or what came of it."""

    def __init__(self, key: K, talk: Talk[T]) -> None:
        self.key = key
        self.request = next(talk)
        self.result: Ended[T] | ProviderError | None = None
        self._talk = talk

    def hear(self, reply: Reply) -> None:
        """Go on with the answer to what was asked."""
        try:
            self.request = self._talk.throw(reply) if isinstance(reply, Fault) else self._talk.send(reply)
        except StopIteration as end:
            self.result = Ended(end.value)
        except ProviderError as error:
            self.result = error


def _stops(one: _Held[K, T], reply: Reply) -> ProviderError | None:
    """Return the error after which nothing else is sent."""
    if isinstance(reply, Fault) and reply.throttled:
        return meaning("batch", reply)
    return one.result if isinstance(one.result, AccessLostError) else None
