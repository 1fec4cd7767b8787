"""Our events in a Google calendar: how an entry is written and read, and the requests that takes.

A procedure is one action as a generator of requests: it does no I/O itself, so that several can share a batch.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Generator, Hashable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Generic, TypeVar
from uuid import UUID

from connector.domain.entry import Content, Entry, Showing
from connector.domain.reconcile import Action, Put, Ref, Remove, Sighting, name_in
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
from connector.sentence import Sentence
from providers._conflict import check_overwrite
from providers.google.errors import Fault, meaning, text
from providers.google.http import Api, Reply

MARK = "pencilled"
ENTRY = "pencilledEntry"
BATCH = 50  # requests in one batch: more trip the limit on writes to one calendar
_MARKS = {Showing.CONFIRMED: "session", Showing.TENTATIVE: "hold", Showing.FIRM: "hold-firm"}
_ROUNDS = 3
_FORBIDDEN, _NOT_FOUND, _CONFLICT, _GONE, _CHANGED = 403, 404, 409, 410, 412

K = TypeVar("K", bound=Hashable)
T = TypeVar("T")
Body = dict[str, Any]
Procedure = Generator[Any, Body, T]
"""Yields requests, is sent their answers or thrown their Fault, and returns its result."""


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
    return _private(event, MARK)


def name(event: Mapping[str, Any]) -> str | None:
    """Return the name of ours an event was made under, as its mark, its id or its UID tells; None if none does."""
    told = (_private(event, ENTRY), event.get("id"), event.get("iCalUID"))
    return next((found for text in told if isinstance(text, str) and (found := name_in(text))), None)


def _private(event: Mapping[str, Any], key: str) -> str | None:
    properties = event.get("extendedProperties")
    private = properties.get("private") if isinstance(properties, dict) else None
    word = private.get(key) if isinstance(private, dict) else None
    return word if isinstance(word, str) else None


def _changed(entry_name: str, entry: Entry) -> Body:
    """Return what is ours of an event, for a patch: null clears, and what is not named stays as it is."""
    content, link = entry.content, entry.link
    return {
        "summary": content.title,
        "location": content.location or None,
        "start": {"dateTime": _utc(content.span.start), "date": None},
        "end": {"dateTime": _utc(content.span.end), "date": None},
        "recurrence": None,
        "status": "tentative" if content.showing is Showing.TENTATIVE else "confirmed",
        "transparency": "opaque",
        "source": {"url": link.url, "title": link.title} if link is not None else None,
        "extendedProperties": {"private": {MARK: _MARKS[content.showing], ENTRY: entry_name}},
    }


def _created(identity: str, entry_name: str, entry: Entry) -> Body:
    """Return a new event: without attendees, so that Google writes to nobody, and without reminders."""
    content = entry.content
    body = {name: value for name, value in _changed(entry_name, entry).items() if value is not None}
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
class Procedures:
    """The requests about events of one calendar. `events` is the library's resource."""

    events: Any
    calendar_id: str

    def apply(self, action: Action) -> Procedure[Written | Removed]:
        """Do one action.

        Raises: ProviderError.
        """
        return self.put(action) if isinstance(action, Put) else self.remove(action)

    def put(self, put: Put) -> Procedure[Written]:
        """Make an event show the entry: one request, unless somebody else has touched it or it was there before.

        Raises: ProviderError; MissingError if an event that was there is gone, or its id is spent; EditConflictError
            if somebody else has changed what stands there.
        """
        identity = event_id(put.ref)
        if put.ref.etag is not None:
            return (yield from self._update(put, identity, None))
        if put.ref.href is None:
            try:
                return _written(put, (yield self._insert(identity, put)))
            except Fault as fault:
                if fault.status != _CONFLICT:
                    raise meaning("insert", fault) from fault
        return (yield from self._update(put, identity, (yield from self._ours(identity))))

    def _update(self, put: Put, identity: str, event: Body | None) -> Procedure[Written]:
        """Compare and patch until nobody has written in between; an event not read yet has the etag last seen."""
        content = put.entry.content
        for _ in range(_ROUNDS):
            etag = put.ref.etag
            if event is not None:
                if read(event) == content:
                    return _written(put, event)
                check_overwrite(put, read(event))
                etag = text(event, "etag")
            try:
                return _written(put, (yield self._patch(identity, put, etag)))
            except Fault as fault:
                event = yield from self._after(fault, identity)
        raise EditConflictError(Sentence("somebody else kept changing %(address)s at the same time", address=identity))

    def remove(self, remove: Remove) -> Procedure[Removed]:
        """Make sure an event is not there, also if it was changed in between.

        Raises: ProviderError.
        """
        request = self.events.delete(calendarId=self.calendar_id, eventId=event_id(remove.ref), sendUpdates="none")
        try:
            yield request
        except Fault as fault:
            if fault.status not in {_NOT_FOUND, _GONE}:
                raise meaning("delete", fault) from fault
        return Removed(key=remove.key)

    def look(self, ref: Ref) -> Procedure[Sighting | None]:
        """Read one event; None if it is confirmed not to be there.

        Raises: ProviderError.
        """
        event = yield from self._get(event_id(ref))
        return sighting(event) if event else None

    def _get(self, identity: str) -> Procedure[Body | None]:
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

    def _ours(self, identity: str) -> Procedure[Body]:
        event = yield from self._get(identity)
        if event is None:
            raise MissingError(Sentence("the event %(name)s is not there, and its name is spent", name=identity))
        if mark(event) is None:
            raise RefusedError(Sentence("another event stands where ours belongs"))
        return event

    def _after(self, fault: Fault, identity: str) -> Procedure[Body]:
        """Look what stands there after a patch was refused; a deleted event refuses every one."""
        if fault.status in {_CHANGED, _NOT_FOUND, _GONE}:
            return (yield from self._ours(identity))
        if fault.status == _FORBIDDEN and "forbidden" in fault.reasons:
            yield from self._ours(identity)
        raise meaning("patch", fault) from fault

    def _insert(self, identity: str, put: Put) -> Any:
        body = _created(identity, put.ref.name, put.entry)
        return self.events.insert(calendarId=self.calendar_id, body=body, sendUpdates="none")

    def _patch(self, identity: str, put: Put, etag: str | None) -> Any:
        body = _changed(put.ref.name, put.entry)
        request = self.events.patch(calendarId=self.calendar_id, eventId=identity, body=body, sendUpdates="none")
        if etag:
            request.headers["If-Match"] = etag
        return request


def _written(put: Put, event: Body) -> Written:
    etag = text(event, "etag")
    ref = replace(put.ref, href=text(event, "id"), etag=etag)
    return Written(key=put.key, ref=ref, seen=put.entry.content.fingerprint)


@dataclass(frozen=True, slots=True)
class Result(Generic[T]):
    """What a procedure has returned."""

    value: T


def carry_out(api: Api, procedures: Iterable[tuple[K, Procedure[T]]]) -> Iterator[tuple[K, Result[T] | ProviderError]]:
    """Carry out procedures side by side, each key's one after the other, and yield the result of each as it ends.

    Requests made at the same time share a batch. Once Google throttles us, refuses the credentials or cannot be
    reached, nothing more is sent and the rest end with the same error.
    """
    waiting = deque(procedures)
    running: list[_Running[K, T]] = []
    while waiting or running:
        while waiting and len(running) < BATCH and all(other.key != waiting[0][0] for other in running):
            running.append(_Running(*waiting.popleft()))
        fatal = _exchange(api, running)
        yield from ((procedure.key, procedure.result) for procedure in running if procedure.result is not None)
        running = [procedure for procedure in running if procedure.result is None]
        if fatal:
            keys = [*(procedure.key for procedure in running), *(key for key, _ in waiting)]
            yield from ((key, fatal) for key in keys)
            return


class _Running(Generic[K, T]):
    """A procedure under way, with its next request or its result."""

    def __init__(self, key: K, procedure: Procedure[T]) -> None:
        self.key = key
        self.request = next(procedure)
        self.result: Result[T] | ProviderError | None = None
        self._procedure = procedure

    def advance(self, reply: Reply) -> None:
        """Go on with the answer to the last request."""
        try:
            self.request = self._procedure.throw(reply) if isinstance(reply, Fault) else self._procedure.send(reply)
        except StopIteration as end:
            self.result = Result(end.value)
        except ProviderError as error:
            self.result = error


def _exchange(api: Api, running: Sequence[_Running[K, T]]) -> ProviderError | None:
    """Take each procedure one request further; return the error after which nothing else is sent."""
    try:
        replies = api.exchange([procedure.request for procedure in running])
    except ProviderError as error:
        return error
    fatal: ProviderError | None = None
    for procedure, reply in zip(running, replies, strict=True):
        procedure.advance(reply)
        fatal = fatal or _fatal_error(procedure, reply)
    return fatal


def _fatal_error(procedure: _Running[K, T], reply: Reply) -> ProviderError | None:
    """Return the error if what came of a request means that no other one would succeed."""
    if isinstance(reply, Fault) and (reply.throttled or reply.is_ours):
        return meaning("batch", reply)
    return procedure.result if isinstance(procedure.result, AccessLostError) else None
