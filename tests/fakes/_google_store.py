"""Calendars as Google keeps them: events with etags and tombstones, and what changed since when."""

from __future__ import annotations

import re
from collections.abc import Iterator
from copy import deepcopy
from dataclasses import dataclass, field
from datetime import UTC, datetime
from itertools import count, islice
from typing import Any
from uuid import uuid4
from zoneinfo import ZoneInfo

from dateutil.rrule import rrulestr

from tests.fakes._google_wire import Reply

Event = dict[str, Any]
Saved = tuple[dict[str, Event], dict[str, int], set[str]]
_FAR = datetime(9999, 1, 1, tzinfo=UTC)
_ID = re.compile(r"[a-v0-9]{5,1024}")
_SERVERS = frozenset({"etag", "kind", "created", "updated", "htmlLink", "iCalUID", "creator", "organizer", "sequence"})


def refusal(status: int, reason: str, *, location: str | None = None, retry_after: int | None = None) -> Reply:
    """An error as the Calendar API words it."""
    domain = "usageLimits" if "xceeded" in reason else "global"
    row = {"domain": domain, "reason": reason, "message": reason}
    if location:
        row |= {"locationType": "parameter", "location": location}
    body = {"error": {"code": status, "message": reason, "errors": [row]}}
    return Reply(status, body, {} if retry_after is None else {"Retry-After": str(retry_after)})


class RefusedByGoogle(Exception):  # noqa: N818 - an answer
    def __init__(self, reply: Reply) -> None:
        super().__init__(reply.body)
        self.reply = reply


def refuse(status: int, reason: str, *, location: str | None = None) -> RefusedByGoogle:
    return RefusedByGoogle(refusal(status, reason, location=location))


@dataclass
class Calendar:
    """One calendar.

    Attributes:
        roles: What each account may do in it; who is not named does not see it.
        made_by_us: Whether the connected program made it.
        forbidden: While set, whatever is asked about it is refused.
        lists_nothing: While set, the change feed is empty, although each event can still be read.
        tentative_is_free: Whether free/busy leaves tentative events out.
        refuses_writes: The status and reason with which creations and changes are refused, if any, while all else goes
            on: 403 `quotaExceeded` or `forbidden`, 400 `invalid`, or 404 `notFound`, which Google says may pass.
        hides_deletions: Whether the feed leaves out what was deleted, as is reported of Graph's.
        tells_occurrences: Whether the feed names the occurrences of a series and not the series itself.
        tells_nothing: Whether the feed leaves out all that has changed since its token, though tokens go on.
    """

    id: str
    summary: str
    owner: str
    zone: str = "Europe/Berlin"
    made_by_us: bool = False
    pushes: bool = True
    forbidden: bool = False
    lists_nothing: bool = False
    tentative_is_free: bool = False
    refuses_writes: tuple[int, str] | None = None
    hides_deletions: bool = False
    tells_occurrences: bool = False
    tells_nothing: bool = False
    page_size: int = 2500
    roles: dict[str, str] = field(default_factory=dict)
    events: dict[str, Event] = field(default_factory=dict)
    versions: dict[str, int] = field(default_factory=dict)
    purged: set[str] = field(default_factory=set)
    tokens: dict[str, tuple[int, dict[str, str]]] = field(default_factory=dict)
    pages: dict[str, tuple[list[Event], dict[str, str]]] = field(default_factory=dict)
    ticks: count[int] = field(default_factory=lambda: count(1))
    last: int = 0

    def live(self) -> list[Event]:
        return [event for event in self.events.values() if event["status"] != "cancelled"]

    def stamp(self, event: Event, now: datetime) -> Event:
        """Note that an event has changed."""
        self.last = next(self.ticks)
        event["etag"] = f'"35{self.last:012d}"'
        event["updated"] = f"{now:%Y-%m-%dT%H:%M:%S}.{self.last % 1000:03d}Z"
        self.events[event["id"]] = event
        self.versions[event["id"]] = self.last
        return event

    def snapshot(self) -> Saved:
        """Return a back-up of the events."""
        return deepcopy((self.events, self.versions, self.purged))

    def set_back(self, saved: Saved) -> None:
        """Bring a back-up back behind the feed's back: it knows all its tokens, and tells nothing of it."""
        self.events, self.versions, self.purged = deepcopy(saved)

    # The methods.

    def insert(self, body: Event, now: datetime) -> Event:
        identity = body.get("id") or uuid4().hex
        if not _ID.fullmatch(identity):
            raise refuse(400, "invalid", location="id")
        if identity in self.events or identity in self.purged:
            raise refuse(409, "duplicate")
        event = {
            "kind": "calendar#event",
            "status": "confirmed",
            "eventType": "default",
            "reminders": {"useDefault": True},
            **{name: value for name, value in body.items() if name not in _SERVERS},
            "id": identity,
            "iCalUID": f"{identity}@google.com",
            "htmlLink": f"https://www.google.com/calendar/event?eid={identity}",
            "created": f"{now:%Y-%m-%dT%H:%M:%S.000Z}",
            "creator": {"email": self.owner, "self": True},
            "organizer": {"email": self.owner, "self": True},
            "sequence": 0,
        }
        self._check(event)
        return self.stamp(event, now)

    def found(self, identity: str) -> Event:
        if identity not in self.events:
            raise refuse(404, "notFound")
        return self.events[identity]

    def patch(self, identity: str, body: Event, match: str | None, now: datetime) -> Event:
        return self._rewrite(identity, merged(self.found(identity), body), match, now)

    def update(self, identity: str, body: Event, match: str | None, now: datetime) -> Event:
        old = self.found(identity)
        kept = {name: value for name, value in old.items() if name in _SERVERS | {"id", "eventType"}}
        return self._rewrite(identity, {"status": "confirmed", **body, **kept}, match, now)

    def delete(self, identity: str, match: str | None, now: datetime) -> None:
        event = self.found(identity)
        if event["status"] == "cancelled":
            raise refuse(410, "deleted")
        self._matches(event, match)
        self.stamp({**event, "status": "cancelled"}, now)

    def purge(self, identity: str) -> None:
        """Forget a tombstone, but not that its id is spent."""
        del self.events[identity]
        self.purged.add(identity)

    def page(self, query: dict[str, str], now: datetime) -> dict[str, Any]:
        """Answer a full or an incremental round, a page at a time."""
        if "pageToken" in query:
            if query["pageToken"] not in self.pages:
                raise refuse(400, "invalid", location="pageToken")
            items, asked = self.pages.pop(query["pageToken"])
            given = {name: value for name, value in query.items() if name != "pageToken"}
            if given != asked:
                raise refuse(400, "invalid", location="pageToken")
        else:
            items, asked = self._listed(query), query
        size = min(self.page_size, int(query.get("maxResults", "250")))
        answer: dict[str, Any] = {
            "kind": "calendar#events",
            "etag": f'"p{self.last}"',
            "summary": self.summary,
            "timeZone": self.zone,
            "updated": f"{now:%Y-%m-%dT%H:%M:%S.000Z}",
            "accessRole": "owner",
            "items": items[:size],
        }
        if len(items) > size:
            token = uuid4().hex
            self.pages[token] = (items[size:], asked)
            return answer | {"nextPageToken": token}
        if "orderBy" not in asked:
            answer["nextSyncToken"] = self._sync_token(asked)
        return answer

    def busy(self, start: datetime, end: datetime) -> list[dict[str, str]]:
        """Return the busy times, those that touch joined."""
        spans = sorted(
            span
            for event in self.live()
            if not self._is_free(event)
            for occurrence in self._occurrences(event, end)
            if (span := self._in_utc(occurrence))[0] < end and start < span[1]
        )
        joined: list[tuple[datetime, datetime]] = []
        for span in spans:
            if joined and span[0] <= joined[-1][1]:
                joined[-1] = (joined[-1][0], max(span[1], joined[-1][1]))
            else:
                joined.append(span)
        return [{"start": f"{a:%Y-%m-%dT%H:%M:%SZ}", "end": f"{b:%Y-%m-%dT%H:%M:%SZ}"} for a, b in joined]

    # How it works inside.

    def _listed(self, query: dict[str, str]) -> list[Event]:
        if "syncToken" not in query:
            return self._whole(query)
        fixed = {"iCalUID", "orderBy", "privateExtendedProperty", "q", "sharedExtendedProperty", "timeMin", "timeMax"}
        if (fixed | {"updatedMin"}) & query.keys() or query.get("showDeleted") == "false":
            raise refuse(400, "invalid", location="syncToken")
        known = self.tokens.get(query["syncToken"])
        if known is None:
            raise refuse(410, "fullSyncRequired", location="syncToken")
        version, asked = known
        if _lasting(asked) != _lasting(query):
            raise refuse(400, "invalid", location="syncToken")
        if self.lists_nothing or self.tells_nothing:
            return []
        newer = [event for name, event in self.events.items() if self.versions[name] > version]
        return [told for event in newer for told in self._told(event)]

    def _told(self, event: Event) -> list[Event]:
        """Return what the feed tells of an event that has changed."""
        if event["status"] == "cancelled":
            deletion = {"kind": "calendar#event", "id": event["id"], "status": "cancelled"}
            return [] if self.hides_deletions else [deletion]
        if event.get("recurrence") and self.tells_occurrences:
            return [self.shown(one) for one in self._occurrences(event, _FAR)]
        return [self.shown(event)]

    def _whole(self, query: dict[str, str]) -> list[Event]:
        """List what ends after `timeMin` and begins before `timeMax`; with `singleEvents` each series by its events."""
        single = query.get("singleEvents") == "true"
        if self.lists_nothing and not single:
            return []
        since, until = (
            datetime.fromisoformat(query.get(name, far))
            for name, far in (("timeMin", "0001-01-01T00:00Z"), ("timeMax", "9999-01-01T00:00Z"))
        )
        found = []
        for event in self.events.values() if query.get("showDeleted") == "true" else self.live():
            occurrences = [
                one
                for one in self._occurrences(event, until)
                if self.extent(one)[1] > since and self.extent(one)[0] < until
            ]
            found += occurrences if single else [event] if occurrences else []
        return [self.shown(event, most=int(query.get("maxAttendees", "250"))) for event in found]

    def _occurrences(self, event: Event, until: datetime) -> Iterator[Event]:
        """Yield an event, or the instances of a series up to a time, a hundred at most."""
        if not event.get("recurrence") or event["status"] == "cancelled":
            yield event
            return
        start, end = self.extent(event)
        zone = ZoneInfo(event["start"].get("timeZone", self.zone))
        rule = rrulestr("\n".join(event["recurrence"]), dtstart=start.astimezone(zone).replace(tzinfo=None))
        for wall in islice(rule, 100):
            begins = wall.replace(tzinfo=zone)
            if begins >= until:
                return
            yield _instance(event, begins, begins + (end - start))

    def _is_free(self, event: Event) -> bool:
        if event.get("transparency") == "transparent" or event["eventType"] == "workingLocation":
            return True
        answers = [one.get("responseStatus") for one in event.get("attendees", ()) if one.get("self")]
        return "declined" in answers or (self.tentative_is_free and event["status"] == "tentative")

    def extent(self, event: Event) -> tuple[datetime, datetime]:
        """Return when an event is: a day begins and ends at midnight in the calendar's zone."""
        span = times(event)
        if span:
            return span
        zone = ZoneInfo(self.zone)
        start, end = (datetime.fromisoformat(event[edge]["date"]).replace(tzinfo=zone) for edge in ("start", "end"))
        return start, end

    def _in_utc(self, event: Event) -> tuple[datetime, datetime]:
        start, end = self.extent(event)
        return start.astimezone(UTC), end.astimezone(UTC)

    def _sync_token(self, asked: dict[str, str]) -> str:
        token = f"{uuid4().hex}{self.last:07d}="
        self.tokens[token] = (self.last, asked)
        return token

    def shown(self, event: Event, *, most: int = 250) -> Event:
        """Return an event as it goes out: its instants with the offset of the calendar's zone, and its attendees.

        Where there are more attendees than asked for, only the account's own entry is told.
        """
        event = dict(event)
        if len(event.get("attendees", ())) > most:
            event |= {"attendees": [one for one in event["attendees"] if one.get("self")], "attendeesOmitted": True}
        for edge in ("start", "end"):
            if "dateTime" in event.get(edge, {}):
                local = datetime.fromisoformat(event[edge]["dateTime"]).astimezone(ZoneInfo(self.zone))
                event[edge] = {"timeZone": self.zone, **event[edge], "dateTime": local.isoformat()}
        return event

    def _rewrite(self, identity: str, event: Event, match: str | None, now: datetime) -> Event:
        old = self.found(identity)
        self._matches(old, match)
        if old["status"] == "cancelled":
            raise refuse(403, "forbidden")
        self._check(event)
        event["sequence"] = old["sequence"] + (event["start"] != old["start"])
        return self.stamp(event, now)

    def _matches(self, event: Event, match: str | None) -> None:
        if match is not None and match != event["etag"]:
            raise refuse(412, "conditionNotMet", location="If-Match")

    def _check(self, event: Event) -> None:
        for edge in ("start", "end"):
            if len({"date", "dateTime"} & event[edge].keys()) != 1:
                raise refuse(400, "invalid", location=edge)
        span = times(event)
        if span and span[0] >= span[1]:
            raise refuse(400, "timeRangeEmpty")


def merged(old: Event, changes: Event) -> Event:
    """Patch: what is absent stays, null clears, objects merge, arrays are replaced."""
    result = dict(old)
    for name, value in changes.items():
        if value is None:
            result.pop(name, None)
        elif isinstance(value, dict):
            result[name] = merged(result.get(name, {}), value)
        else:
            result[name] = value
    return result


def times(event: Event) -> tuple[datetime, datetime] | None:
    """Return when an event is; None if it has days instead of instants."""
    if "dateTime" not in event["start"]:
        return None
    start, end = (datetime.fromisoformat(event[edge]["dateTime"]) for edge in ("start", "end"))
    return start, end


def _instance(series: Event, start: datetime, end: datetime) -> Event:
    """Return one event of a series."""
    event = {name: value for name, value in series.items() if name != "recurrence"}
    if "date" in series["start"]:
        edges = {"start": {"date": f"{start:%Y-%m-%d}"}, "end": {"date": f"{end:%Y-%m-%d}"}}
        stamp = f"{start:%Y%m%d}"
    else:
        place = {"timeZone": series["start"]["timeZone"]} if "timeZone" in series["start"] else {}
        edges = {"start": {"dateTime": start.isoformat(), **place}, "end": {"dateTime": end.isoformat(), **place}}
        stamp = f"{start.astimezone(UTC):%Y%m%dT%H%M%SZ}"
    own = {"id": f"{series['id']}_{stamp}", "recurringEventId": series["id"], "originalStartTime": edges["start"]}
    return event | edges | own


def _lasting(query: dict[str, str]) -> dict[str, str]:
    """Return the parameters that must be the same from the first round on."""
    return {name: value for name, value in query.items() if name not in {"syncToken", "timeMin", "timeMax", "alt"}}
