"""One Outlook calendar: its events written, removed and read, one request each or up to twenty in a batch."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, tzinfo
from typing import Any
from urllib.parse import quote

from connector.domain.reconcile import Action, Put, Ref, Remove, Sighting
from connector.domain.span import Span
from connector.errors import (
    AccessLostError,
    EditConflictError,
    InstallationError,
    MissingError,
    ProviderError,
    RefusedError,
)
from connector.ports import BusyReading, Changes, Channel, Failed, Listed, Outcome, Removed, Written
from connector.sentence import Sentence
from providers._conflict import check_overwrite
from providers.outlook import events, feed, free_busy, push
from providers.outlook.http import BATCH, Graph
from providers.outlook.protocol import Answer, Call, ThrottledError, UnreachableError, meaning, nonsense, wait
from providers.outlook.tokens import WORK, Tokens

_ROUNDS = 3
_PAGES = 200
_MOST_LEFT = 1000  # events kept in mind as having left the window
_CHANGED = frozenset({409, 412})
_UNAUTHORIZED, _TOO_MANY = 401, 429
_DUPLICATE = "errorduplicatetransactionid"
_FATAL = (AccessLostError, InstallationError, UnreachableError, ThrottledError)


class OutlookCalendar:
    """One calendar of a Microsoft account; safe to share between threads."""

    def __init__(self, graph: Graph, tokens: Tokens, remote_id: str, *, clock: Callable[[], datetime]) -> None:
        self._graph = graph
        self._tokens = tokens
        self._clock = clock
        self._path = f"/me/calendars/{quote(remote_id, safe='')}"
        self._left: dict[str, None] = {}  # events the feed said have left the calendar's window
        self._default: bool | None = None

    def apply(self, actions: Sequence[Action]) -> Iterator[Outcome]:
        """Do the actions: one alone is one request, up to twenty are one `$batch`."""
        fatal: ProviderError | None = None
        for start in range(0, len(actions), BATCH):
            for outcome in self._apply_batch(actions[start : start + BATCH], fatal):
                if isinstance(outcome, Failed) and isinstance(outcome.error, _FATAL):
                    fatal = outcome.error
                yield outcome

    def _apply_batch(self, actions: Sequence[Action], fatal: ProviderError | None) -> Iterator[Outcome]:
        """Do up to twenty actions, those first that succeed; with a fatal error from before they fail unasked."""
        cause, answers = fatal, list[Answer]()
        if cause is None:
            try:
                answers = self._answers([self._first(action) for action in actions], _in_order(actions))
            except ProviderError as error:
                cause = error
        if cause is not None:
            yield from (Failed(key=action.key, error=cause) for action in actions)
            return
        for action, answer in sorted(zip(actions, answers, strict=True), key=lambda pair: not pair[1].ok):
            outcome = self._outcome(action, answer, fatal)
            if isinstance(outcome, Failed) and isinstance(outcome.error, _FATAL):
                fatal = outcome.error
            yield outcome

    def read(self, refs: Sequence[Ref]) -> Mapping[str, Sighting | None]:
        """Read what stands there, twenty at a time.

        Raises: ProviderError.
        """
        sightings: dict[str, Sighting | None] = {}
        names = {ref.href: ref.name for ref in refs if ref.href is not None}
        hrefs = list(names)
        for start in range(0, len(hrefs), BATCH):
            chunk = hrefs[start : start + BATCH]
            for href, answer in zip(chunk, self._answers([events.get(href) for href in chunk]), strict=True):
                sightings[names[href]] = self._sighting(None if answer.absent else answer.done().body)
        for ref in refs:
            if ref.href is None:
                sightings[ref.name] = self._sighting(self._find(ref.name))
        return sightings

    def changes(self, token: str | None) -> Changes:
        """Read the change feed."""
        changes = feed.changes(self._graph, self._path, token, now=self._clock())
        for changed in changes.changed:
            self._left.pop(changed.href, None)
        self._left |= dict.fromkeys(changes.gone)
        while len(self._left) > _MOST_LEFT:
            self._left.pop(next(iter(self._left)), None)
        return changes

    def listing(self, since: datetime) -> Sequence[Listed]:
        """List what is ours: one request for each 200 events that end after `since`, whose they are."""
        found: dict[str, Listed] = {}  # an event that changes meanwhile may come twice: the last counts
        for page in self._graph.pages(events.listing(self._path, since), most=_PAGES):
            found |= {_id(event): one for event in page.value() if (one := _listed(event, since))}
        return tuple(found.values())

    def busy(self, span: Span, *, zone: tzinfo = UTC) -> BusyReading:
        """Return when the calendar is not free: of a work account's default one, what its colleagues see.

        Raises: ProviderError.
        """
        credentials = self._tokens.credentials()
        if credentials.get("tenant") == WORK and credentials.get("username") and self._is_default():
            reading = free_busy.scheduled(self._graph, credentials["username"], span)
            if reading is not None:
                return reading
        return self.list_busy(span, zone=zone)

    def list_busy(self, span: Span, *, zone: tzinfo = UTC) -> BusyReading:
        """Return each event that is not free.

        Raises: RefusedError where only free and busy may be seen; another ProviderError.
        """
        return free_busy.viewed(self._graph, self._path, span, home=zone)

    def watch(self, *, channel_id: str, secret: str, address: str, now: datetime) -> Channel:
        """Subscribe to the calendar."""
        return push.watch(self._graph, self._path, channel_id=channel_id, secret=secret, address=address, now=now)

    def renew(self, channel: Channel, *, address: str, now: datetime) -> Channel:
        """Make the subscription last longer, or open another where it is gone."""
        longer = push.renew(self._graph, channel, now=now)
        return longer or self.watch(channel_id=channel.id, secret=channel.secret, address=address, now=now)

    def unwatch(self, channel: Channel) -> None:
        """End the subscription."""
        push.unwatch(self._graph, channel.remote_id)

    def _first(self, action: Action) -> Call:
        """Return the one request that usually does it."""
        at = action.ref
        if at.href is None:
            if isinstance(action, Put):
                return events.create(self._path, at, action.entry.content)
            return events.search(self._path, at.name)
        if isinstance(action, Remove):
            return events.delete(at.href)
        if at.etag is None:
            return events.get(at.href)
        return events.update(at.href, at.etag, action.entry.content)

    def _answers(self, calls: Sequence[Call], after: Mapping[int, int] | None = None) -> list[Answer]:
        """Ask, all in one request; what was turned away inside it for no named time is asked again by itself."""
        if len(calls) == 1:
            return [self._graph.call(calls[0])]
        return [
            self._graph.call(call) if _was_crowded(answer) else answer
            for call, answer in zip(calls, self._graph.batch(calls, after=after), strict=True)
        ]

    def _outcome(self, action: Action, answer: Answer, fatal: ProviderError | None) -> Outcome:
        """Finish what an answer has begun; after a fatal error nothing more is asked."""
        if fatal and not answer.ok:
            return Failed(key=action.key, error=fatal)
        try:
            if isinstance(action, Remove):
                return self._removed(action, answer)
            if action.ref.href is None:
                return self._created(action, answer)
            if action.ref.etag is None:
                return self._updated(action, action.ref.href, None if answer.absent else answer.done().body)
            return self._patched(action, action.ref.href, answer) or self._again(action, action.ref.href)
        except ProviderError as error:
            return Failed(key=action.key, error=error)

    def _created(self, put: Put, answer: Answer) -> Written:
        """Take the event a creation gave, which may be one of an earlier attempt and show something else."""
        if answer.code == _DUPLICATE:
            return self._adopted(put, answer)
        if answer.absent:
            raise RefusedError(Sentence("the calendar itself is not there any more"))
        event = answer.done().body
        if events.shows(event, put.entry.content):
            return _written(put, event)
        _etag(event)  # an answer without one makes no sense
        return self._again(put, _id(event))  # such an answer does not tell which kind of busy it is

    def _adopted(self, put: Put, answer: Answer) -> Written:
        """Change the event that has our name already.

        Raises: MissingError if it was deleted: the name is spent.
        """
        href = answer.error.get("@event.existingEventId")
        event = self._event(str(href)) if href else self._find(put.ref.name)
        if event is None:
            raise MissingError(Sentence("the name %(name)s is spent: its event was deleted", name=put.ref.name))
        return self._updated(put, _id(event), event)

    def _again(self, put: Put, href: str) -> Written:
        return self._updated(put, href, self._event(href))

    def _updated(self, put: Put, href: str, event: Mapping[str, Any] | None) -> Written:
        """Compare and write until nobody has written in between; writes nothing if all is as it should be.

        Raises: ProviderError; EditConflictError if somebody else has changed what stands there.
        """
        for _ in range(_ROUNDS):
            if event is None:
                raise MissingError(Sentence("%(address)s is not there any more", address=href))
            if events.content_of(event) == put.entry.content:
                return _written(put, event)
            single = events.is_series(event)
            call = events.update(href, _etag(event), put.entry.content, single=single)
            check_overwrite(put, events.content_of(event))
            written = self._patched(put, href, self._graph.call(call))
            if written:
                return written
            event = self._event(href)
        raise EditConflictError(Sentence("somebody else kept changing %(address)s at the same time", address=href))

    def _patched(self, put: Put, href: str, answer: Answer) -> Written | None:
        """Take an update's answer; None if somebody has written in between, or Outlook says so for no reason."""
        if answer.status in _CHANGED:
            return None
        if answer.absent:
            raise MissingError(Sentence("%(address)s is not there any more", address=href))
        event = answer.done().body
        if events.is_series(event):
            return None
        return _written(put, event)

    def _removed(self, remove: Remove, answer: Answer) -> Removed:
        if remove.ref.href is None:
            event = self._find(remove.ref.name, answer)
            if event is None:
                return Removed(key=remove.key)
            answer = self._graph.call(events.delete(_id(event)))
        if not answer.ok and not answer.absent:
            raise meaning(answer)
        return Removed(key=remove.key)

    def _event(self, href: str) -> Mapping[str, Any] | None:
        answer = self._graph.call(events.get(href))
        return None if answer.absent else answer.done().body

    def _find(self, name: str, search: Answer | None = None) -> Mapping[str, Any] | None:
        """Return the event of a name of ours whose id we do not know; None is a confirmed absence.

        Where the search does not find it, the whole calendar is looked through: a search index may lag.
        """
        try:
            answer = search or self._graph.call(events.search(self._path, name))
            if answer.absent:
                return None  # gone with its calendar
            if matches := answer.value():
                return matches[0]
        except _FATAL:
            raise
        except ProviderError:
            pass  # some mailboxes cannot search at all
        listing = Call(method="GET", path=f"{self._path}/events?$select=id,transactionId&$top=500")
        for page in self._graph.pages(listing, most=_PAGES):
            for event in page.value():
                if event.get("transactionId") == name:
                    return self._event(_id(event))
        return None

    def _sighting(self, event: Mapping[str, Any] | None) -> Sighting | None:
        if event is None or not self._stands_here(event):
            return None
        return Sighting(href=_id(event), etag=_etag(event), content=events.content_of(event))

    def _stands_here(self, event: Mapping[str, Any]) -> bool:
        """Whether an event the feed said has left is still in this calendar, and only its time has left the window.

        An immutable id goes on naming an event that lies in another calendar or among the deleted items.
        """
        if _id(event) not in self._left or events.is_series(event):
            return True
        span = events.span_of(event)
        now = self._clock()
        if span is None or span.end <= now - feed.BEHIND or span.start >= now + feed.LEAST_AHEAD:
            return True
        around = free_busy.viewed(self._graph, self._path, span, free=True)
        return _id(event) in {*(one.href for one in around.times), *(one.href for one in around.unreadable)}

    def _is_default(self) -> bool:
        if self._default is None:
            answer = self._graph.call(Call(method="GET", path=f"{self._path}?$select=id,isDefaultCalendar"))
            self._default = bool(answer.done().body.get("isDefaultCalendar"))
        return self._default


def _in_order(actions: Sequence[Action]) -> dict[int, int]:
    """Return which action must wait for which: the writes of one entry stay in order."""
    last: dict[object, int] = {}
    after = {}
    for number, action in enumerate(actions):
        if action.key in last:
            after[number] = last[action.key]
        last[action.key] = number
    return after


def _was_crowded(answer: Answer) -> bool:
    """Whether a part of a batch was turned away only because of the others, or of a token that ran out."""
    return answer.status == _UNAUTHORIZED or (answer.status == _TOO_MANY and wait(answer) is None)


def _listed(event: Mapping[str, Any], since: datetime) -> Listed | None:
    """Return an event if it is ours and ends after a time, as far as it makes sense."""
    name, marked = events.name(event), events.is_marked(event)
    span, content = events.span_of(event), events.content_of(event)
    if not (name or marked) or (span is not None and span.end <= since and not events.is_series(event)):
        return None
    sighting = Sighting(href=_id(event), etag=_etag(event), content=content)
    return Listed(sighting=sighting, name=name, marked=marked)


def _written(put: Put, event: Mapping[str, Any]) -> Written:
    ref = replace(put.ref, href=_id(event), etag=_etag(event))
    return Written(key=put.key, ref=ref, seen=put.entry.content.fingerprint)


def _id(event: Mapping[str, Any]) -> str:
    if not isinstance(event.get("id"), str):
        raise nonsense()
    return str(event["id"])


def _etag(event: Mapping[str, Any]) -> str:
    if not isinstance(event.get("@odata.etag"), str):
        raise nonsense()
    return str(event["@odata.etag"])
