"""A Google account and its calendars, as the core asks for them."""

from __future__ import annotations

import secrets
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import partial
from typing import Any
from uuid import uuid4

from connector.domain.reconcile import Action, Ref, Sighting
from connector.domain.span import Span
from connector.errors import MissingError, ProviderError, TransientError
from connector.ports import (
    BusyReading,
    Changed,
    Changes,
    Channel,
    Failed,
    Listed,
    Outcome,
    RemoteCalendarInfo,
    TokenStore,
)
from connector.sentence import Sentence
from providers.google import events, free_busy
from providers.google import tokens as _google_tokens
from providers.google.errors import Fault, garbled, meaning, members, pages, text
from providers.google.events import Procedures, carry_out, mark, sighting
from providers.google.http import Api, Pool
from providers.google.tokens import Bearer, Site

_PAST = timedelta(days=7)  # how far back a full listing goes; what is older is read by itself when it matters
_PAGE = 2500
_LISTED = (
    "nextPageToken,items(id,iCalUID,etag,status,summary,location,start,end,transparency,recurrence,recurringEventId,"
    "extendedProperties(private))"
)
_ROUNDS = 2  # of a feed whose page token was lost halfway
_CHANNEL_LIFE = timedelta(days=7)
_MILLISECOND = timedelta(milliseconds=1)
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_BAD, _GONE = 400, 410


class GoogleCalendar:
    """One calendar of an account; safe to share between threads."""

    def __init__(self, api: Api, calendar_id: str) -> None:
        self._api = api
        self._id = calendar_id

    def apply(self, actions: Sequence[Action]) -> Iterator[Outcome]:
        """Do the actions: one alone in a plain request, several in batches."""
        procedures = self._procedures
        for key, result in carry_out(self._api, ((action.key, procedures.apply(action)) for action in actions)):
            yield Failed(key=key, error=result) if isinstance(result, ProviderError) else result.value

    def read(self, refs: Sequence[Ref]) -> Mapping[str, Sighting | None]:
        """Read what stands there.

        Raises: ProviderError if any of it could not be read.
        """
        procedures = self._procedures
        sightings: dict[str, Sighting | None] = {}
        for name, result in carry_out(self._api, ((ref.name, procedures.look(ref)) for ref in refs)):
            if isinstance(result, ProviderError):
                raise result
            sightings[name] = result.value
        return sightings

    def changes(self, token: str | None) -> Changes:
        """Read the change feed; the events of ours that it names come along.

        A full listing leaves out what ended a week ago, so absence from it is for a direct read to confirm.

        Raises: SyncTokenExpiredError; MissingError if the calendar is not there; another ProviderError.
        Source: https://developers.google.com/workspace/calendar/api/guides/sync
        """
        query = {"timeMin": f"{self._api.now - _PAST:%Y-%m-%dT%H:%M:%SZ}"} if token is None else {"syncToken": token}
        page, items = self._events({**query, "showDeleted": True})
        return _feed(items, text(page, "nextSyncToken"), full=token is None)

    def listing(self, since: datetime) -> Sequence[Listed]:
        """List what is ours: one request for each 2,500 events that end after `since`, whose they are.

        An exception of a series is not listed: the series itself is.
        """
        query = {"timeMin": f"{since:%Y-%m-%dT%H:%M:%SZ}", "fields": _LISTED}
        _, items = self._events(query)
        return [one for item in items.values() if "recurringEventId" not in item and (one := _listed(item))]

    def busy(self, span: Span, *, zone: tzinfo = UTC) -> BusyReading:  # noqa: ARG002 - Google tells its own
        """Return when the calendar is not free; Google does not tell which event it is, and joins what touches.

        Raises: ProviderError.
        """
        body = {
            "timeMin": f"{span.start:%Y-%m-%dT%H:%M:%SZ}",
            "timeMax": f"{span.end:%Y-%m-%dT%H:%M:%SZ}",
            "items": [{"id": self._id}],
        }
        answer = self._api.call("busy", self._api.resources.freebusy.query(body=body))
        calendars = answer.get("calendars")
        calendar = calendars.get(self._id) if isinstance(calendars, dict) else None
        if faults := members(calendar, "errors"):
            reasons = {str(fault.get("reason")) for fault in faults}
            if "notFound" in reasons:
                raise MissingError(Sentence("the calendar itself is not there, or not to be seen"))
            raise TransientError(
                Sentence(
                    "Google cannot tell when the calendar is busy: %(reasons)s", reasons=", ".join(sorted(reasons))
                )
            )
        return free_busy.shown(members(calendar, "busy"), span)

    def list_busy(self, span: Span, *, zone: tzinfo = UTC) -> BusyReading:
        """Return each event that is not free.

        Raises: RefusedError where only free and busy may be seen; another ProviderError.
        """
        return free_busy.listed(self._api, self._id, span, home=zone)

    def watch(self, *, channel_id: str, secret: str, address: str, now: datetime) -> Channel:
        """Open a channel for a week, or as long as Google grants.

        Raises: RefusedError if this calendar is one whose changes Google does not push; another ProviderError.
        Source: https://developers.google.com/workspace/calendar/api/guides/push
        """
        expires_at = now + _CHANNEL_LIFE
        body = {
            "id": channel_id,
            "type": "web_hook",
            "address": address,
            "token": secret,
            "expiration": str((expires_at - _EPOCH) // _MILLISECOND),
        }
        answer = self._api.call("watch", self._api.resources.events.watch(calendarId=self._id, body=body))
        granted = str(answer.get("expiration", ""))
        if granted:
            expires_at = _expiry(granted)
        return Channel(
            id=channel_id,
            remote_id=text(answer, "resourceId"),
            secret=secret,
            expires_at=expires_at.replace(microsecond=0),
        )

    def renew(self, channel: Channel, *, address: str, now: datetime) -> Channel:  # noqa: ARG002 - the port's
        """Open a channel to take the place of one; the caller keeps the new one, then closes the old one."""
        return self.watch(channel_id=str(uuid4()), secret=secrets.token_urlsafe(32), address=address, now=now)

    def unwatch(self, channel: Channel) -> None:
        """Close a channel; one that is gone is closed."""
        body = {"id": channel.id, "resourceId": channel.remote_id}
        (reply,) = self._api.exchange([self._api.resources.channels.stop(body=body)])
        if isinstance(reply, Fault) and reply.status != 404:  # noqa: PLR2004 - Not Found
            raise meaning("stop", reply) from reply

    @property
    def _procedures(self) -> Procedures:
        return Procedures(self._api.resources.events, self._id)

    def _events(self, query: Mapping[str, Any]) -> tuple[Mapping[str, Any], dict[str, Mapping[str, Any]]]:
        """Return the last page of a list of events, and all its items by id: begun again where Google loses a page."""
        for _ in range(_ROUNDS):
            items: dict[str, Mapping[str, Any]] = {}  # an event that changes meanwhile may come twice: the last counts
            page: Mapping[str, Any] = {}
            try:
                for page in pages(partial(self._page, query)):
                    items |= {text(item, "id"): item for item in members(page, "items")}
            except _PageLostError:
                continue
            return page, items
        raise TransientError(Sentence("Google lost the place in its own list, again and again"))

    def _page(self, query: Mapping[str, Any], place: Mapping[str, str]) -> Mapping[str, Any]:
        request = self._api.resources.events.list(calendarId=self._id, maxResults=_PAGE, **query, **place)
        (reply,) = self._api.exchange([request])
        if not isinstance(reply, Fault):
            return reply
        if place and reply.status in {_BAD, _GONE} and "fullSyncRequired" not in reply.reasons:
            raise _PageLostError
        raise meaning("list" if "syncToken" in query else "full", reply) from reply


def _expiry(milliseconds: str) -> datetime:
    """Read an instant as Google tells those of channels.

    Raises: TransientError.
    """
    try:
        return _EPOCH + int(milliseconds) * _MILLISECOND
    except (ValueError, OverflowError) as error:
        raise garbled() from error


class _PageLostError(Exception):
    """Google does not know a page token it gave: the reading begins again."""


def _feed(items: Mapping[str, Mapping[str, Any]], token: str, *, full: bool) -> Changes:
    changed: dict[str, Changed] = {}
    for event in (_changed(item) for item in items.values() if item.get("status") != "cancelled"):
        if event.etag is not None or event.href not in changed:
            changed[event.href] = event
    gone = () if full else tuple(name for name, item in items.items() if item.get("status") == "cancelled")
    return Changes(changed=tuple(changed.values()), gone=gone, token=token, full=full)


def _listed(item: Mapping[str, Any]) -> Listed | None:
    name, marked = events.name(item), mark(item) is not None
    is_ours = (name is not None or marked) and item.get("status") != "cancelled"
    return Listed(sighting=sighting(item), name=name, marked=marked) if is_ours else None


def _changed(item: Mapping[str, Any]) -> Changed:
    """Say what has changed: of a series told by one of its occurrences the series itself, to a version not told."""
    if isinstance(series := item.get("recurringEventId"), str):
        return Changed(href=series, etag=None)
    event = sighting(item)
    return Changed(href=event.href, etag=event.etag, sighting=event if mark(item) else None)


class GoogleAccount:
    """One Google account that was signed in to; safe to share between threads."""

    def __init__(self, site: Site, tokens: TokenStore, pool: Pool, clock: Callable[[], datetime]) -> None:
        self._site = site
        self._tokens = tokens
        self._pool = pool
        self._clock = clock
        bearer = Bearer(tokens, lambda kept: _google_tokens.refresh(kept, site, pool.post, now=clock()), clock)
        self._api = Api(site, pool, bearer, clock)

    def calendars(self) -> Sequence[RemoteCalendarInfo]:
        """Return the account's calendars, those of others too; only its own can be written.

        Raises: ProviderError.
        """

        def page(place: Mapping[str, str]) -> Mapping[str, Any]:
            return self._api.call("calendars", self._api.resources.calendar_list.list(maxResults=250, **place))

        return tuple(self._info(item) for part in pages(page) for item in members(part, "items"))

    def create_calendar(self, name: str) -> RemoteCalendarInfo:
        """Make a calendar of our own in the account.

        Repeating it makes a second one. Raises: RefusedError if the permission was not given; another ProviderError.
        """
        answer = self._api.call("create", self._api.resources.calendars.insert(body={"summary": name}))
        return RemoteCalendarInfo(
            remote_id=text(answer, "id"),
            name=str(answer.get("summary", name)),
            writable=True,
            identity=text(answer, "id").casefold(),
        )

    def open(self, remote_id: str) -> GoogleCalendar:
        """Return one calendar by its id."""
        return GoogleCalendar(self._api, remote_id)

    def revoke(self) -> None:
        """Withdraw what the practitioner allowed: of every connection of this Google account, so count them first.

        Raises: TransientError; RefusedError.
        """
        _google_tokens.revoke(self._tokens.load(), self._site, self._pool.post, now=self._clock())

    def _info(self, item: Mapping[str, Any]) -> RemoteCalendarInfo:
        identity = text(item, "id")
        return RemoteCalendarInfo(
            remote_id=identity,
            name=str(item.get("summaryOverride") or item.get("summary") or identity),
            writable=item.get("accessRole") == "owner",
            identity=identity.casefold(),  # a mail address, the same for everybody who sees the calendar
        )
