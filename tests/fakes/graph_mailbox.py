"""One mailbox at the fake of Microsoft Graph: calendars, events, views and the change feed, as JSON."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Callable, Iterator
from copy import deepcopy
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import uuid4
from zoneinfo import ZoneInfo

from connector.domain.span import Span
from tests.fakes import graph_types

Json = dict[str, Any]
Saved = tuple[dict[str, Json], dict[str, tuple[Json, int]], dict[str, tuple[str, str]]]
_HIDDEN = "_"  # keys that begin so are the fake's own
_DEFAULTS: Json = {
    "subject": "",
    "body": {"contentType": "html", "content": ""},
    "bodyPreview": "",
    "categories": [],
    "importance": "normal",
    "sensitivity": "normal",
    "showAs": "busy",
    "isAllDay": False,
    "isCancelled": False,
    "isOrganizer": True,
    "isReminderOn": True,
    "reminderMinutesBeforeStart": 15,
    "responseRequested": True,
    "type": "singleInstance",
    "recurrence": None,
    "attendees": [],
    "location": {"displayName": "", "locationType": "default"},
    "originalStartTimeZone": "W. Europe Standard Time",
}
_EPOCH = datetime(2026, 1, 1, tzinfo=UTC)


class GraphError(Exception):
    """A refusal in Graph's own shape."""

    def __init__(self, status: int, code: str, message: str = "", **more: object) -> None:
        super().__init__(code)
        self.status = status
        self.body = {
            "error": {
                "code": code,
                "message": message or code,
                "innerError": {"date": "2026-11-22T10:00:00", "request-id": str(uuid4())},
                **more,
            }
        }


@dataclass
class Asked:
    """What an operation states beside its path."""

    query: dict[str, str]
    prefer: str
    if_match: str | None
    link: Callable[[dict[str, str]], str]

    @property
    def zone(self) -> str:
        found = re.search(r'outlook\.timezone="([^"]+)"', self.prefer)
        return found[1] if found else "W. Europe Standard Time"


@dataclass
class Mailbox:
    """One person's calendars.

    Attributes:
        search: Whether events are found by extended property: yes, not yet, or never.
        duplicates: How a spent transactionId is refused: the status, and whether the event's id is told.
        strict: Whether even the same creation repeated is refused instead of answered with the event.
        spurious: How many of the next conditional writes are refused for no reason.
        ignores_zone: Whether times are answered in the mailbox's own zone whatever was asked.
        keeps_deleted: Whether deleted events can still be read by their immutable id.
        schedule_error: What getSchedule says of the mailbox instead of its times.
        tentative_is_free: Whether getSchedule tells colleagues that a tentative time is free.
        closed: How everything about a calendar is refused, by its id: the status and the code.
        lists_nothing: Whether the change feed is empty, although each event can still be read.
        refuses_writes: The status and code with which creations and changes are refused, if any, while all else goes
            on: 403 `ErrorAccessDenied` where a calendar was shared for reading, 404 `ErrorItemNotFound` while it moves.
        hides_deletions: Whether the change feed leaves out what was deleted, as is reported of it.
        tells_occurrences: Whether the change feed names the occurrences of a series and not the series itself.
        tells_nothing: Whether the change feed leaves out all that has changed since its token, though tokens go on.
        lock: Whoever changes something beside the requests holds it.
    """

    personal: bool = False
    username: str = "k@example.org"
    search: Literal["works", "lags", "fails"] = "works"
    duplicates: tuple[int, bool] = (409, True)
    strict: bool = False
    spurious: int = 0
    ignores_zone: bool = False
    keeps_deleted: bool = False
    schedule_error: Json | None = None
    tentative_is_free: bool = False
    closed: dict[str, tuple[int, str]] = field(default_factory=dict)
    lists_nothing: bool = False
    refuses_writes: tuple[int, str] | None = None
    hides_deletions: bool = False
    tells_occurrences: bool = False
    tells_nothing: bool = False
    page_size: int = 100
    expired: tuple[int, str] = (410, "SyncStateNotFound")
    calendars: dict[str, Json] = field(default_factory=dict)
    events: dict[str, Json] = field(default_factory=dict)
    deleted: dict[str, tuple[Json, int]] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)
    changed: list[tuple[str, Json]] = field(default_factory=list)  # what subscribers are to be told
    types: graph_types.Types = field(default_factory=graph_types.load)
    meanwhile: list[Callable[[], None]] = field(default_factory=list)
    lock: threading.RLock = field(default_factory=threading.RLock)
    _transactions: dict[str, tuple[str, str]] = field(default_factory=dict)
    _windows: dict[str, tuple[str, datetime, datetime]] = field(default_factory=dict)
    _version: int = 0
    _era: int = 1

    def __post_init__(self) -> None:
        self.add_calendar("Calendar", default=True)

    # What the service does.

    def add_calendar(self, name: str, *, default: bool = False, editable: bool = True) -> Json:
        calendar: Json = {
            "id": f"AQMkAD/{len(self.calendars)}+{uuid4().hex}=",
            "name": name,
            "canEdit": editable,
            "isDefaultCalendar": default,
        }
        self.calendars[calendar["id"]] = calendar
        return calendar

    def calendar(self, identity: str) -> Json:
        if identity not in self.calendars:
            raise GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
        if identity in self.closed:
            raise GraphError(*self.closed[identity])
        return self.calendars[identity]

    def listed(self) -> list[Json]:
        """Return the calendars that are offered for choice; one that is gone is not."""
        gone = {identity for identity, (status, _) in self.closed.items() if status == 404}
        return [calendar for identity, calendar in self.calendars.items() if identity not in gone]

    def enter(self, href: str) -> None:
        """Refuse an event of a calendar that is closed."""
        event = self.events.get(href)
        if event and event["_calendar"] in self.closed:
            raise GraphError(*self.closed[event["_calendar"]])

    def create(self, calendar: str, body: Json, asked: Asked) -> Json:
        if not self.calendar(calendar)["canEdit"]:
            raise GraphError(403, "ErrorAccessDenied")
        self._check_writable()
        self.check("event", body)
        name, posted = str(body.get("transactionId", uuid4())), json.dumps(body, sort_keys=True)
        if name in self._transactions:
            href, before = self._transactions[name]
            if href in self.events and before == posted and not self.strict:
                return self.shown(self.events[href], asked)
            status, tells = self.duplicates
            more = {"@event.existingEventId": href} if tells else {}
            raise GraphError(status, "ErrorDuplicateTransactionId", "The TransactionId was used before.", **more)
        href = f"AAkALg/{uuid4().hex}+{len(self.events)}="
        event = deepcopy(_DEFAULTS) | {"id": href, "_calendar": calendar, "_properties": {}}
        self.events[href] = event
        self._transactions[name] = (href, posted)
        self._write(event, body, "created")
        return self.shown(event, asked)

    def _check_writable(self) -> None:
        if self.refuses_writes:
            raise GraphError(*self.refuses_writes)

    def update(self, href: str, body: Json, asked: Asked) -> Json:
        event = self.event(href)
        self._check_writable()
        self.check("event", body)
        if "transactionId" in body:
            self.faults.append("transactionId can only be set when creating")
        if self.meanwhile:
            self.meanwhile.pop(0)()
        if self.spurious:
            self.spurious -= 1
            raise GraphError(412, "ErrorIrresolvableConflict")
        if asked.if_match is None:
            self.faults.append("a PATCH without If-Match")
        elif asked.if_match != event["@odata.etag"]:
            raise GraphError(412, "ErrorIrresolvableConflict", "The item was changed.")
        if body.get("isAllDay", event["isAllDay"]) and "00:00:00" not in str(body.get("start", "00:00:00")):
            raise GraphError(400, "ErrorPropertyValidationFailure", "An all-day event starts at midnight.")
        self._write(event, body, "updated")
        return self.shown(event, asked)

    def delete(self, href: str) -> None:
        with self.lock:
            event = self.event(href, present=True)
            self._version += 1
            self.deleted[href] = (self.events.pop(href), self._version)
            self.changed.append(("deleted", event))

    def event(self, href: str, *, present: bool = False) -> Json:
        if href in self.events:
            return self.events[href]
        if self.keeps_deleted and href in self.deleted and not present:
            return self.deleted[href][0]
        raise GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")

    def found(self, calendar: str, asked: Asked) -> list[Json]:
        """List a calendar's events, or those with an extended property of a value."""
        self.calendar(calendar)
        events = [event for event in self.events.values() if event["_calendar"] == calendar]
        wanted = asked.query.get("$filter", "")
        if ends := re.fullmatch(r"end/dateTime ge '([-\dT:]+)'", wanted):
            since = datetime.fromisoformat(f"{ends[1]}Z")
            events = [event for event in events if event["_span"][1] >= since]
        elif wanted:
            parts = re.fullmatch(
                r"singleValueExtendedProperties/Any\(ep: ep/id eq '([^']+)' and ep/value eq '([^']+)'\)", wanted
            )
            if parts is None or self.search == "fails":
                raise GraphError(501 if parts else 400, "ErrorInvalidRequest" if parts else "BadRequest")
            events = [e for e in events if e["_properties"].get(parts[1], "").lower() == parts[2].lower()]
            events = [] if self.search == "lags" else events
        return [self.shown(event, asked) for event in events]

    def view(self, calendar: str, start: datetime, end: datetime, asked: Asked) -> list[Json]:
        self.calendar(calendar)
        return [
            self.shown(one, asked)
            for event in self.events.values()
            if event["_calendar"] == calendar
            for one in _occurrences(event, start=start, end=end)
        ]

    def schedule(self, body: Json, asked: Asked) -> Json:
        self.check("getSchedule", body)
        if self.personal:
            raise GraphError(400, "ErrorInvalidRequest", "This is not supported for personal accounts.")
        answer: Json = {"scheduleId": body["schedules"][0], "availabilityView": "", "scheduleItems": []}
        if self.schedule_error or body["schedules"] != [self.username]:
            return answer | {
                "scheduleItems": None,
                "error": self.schedule_error or {"responseCode": "ErrorMailRecipient"},
            }
        start, end = (datetime.fromisoformat(body[key]["dateTime"] + "Z") for key in ("startTime", "endTime"))
        default = next(key for key, calendar in self.calendars.items() if calendar["isDefaultCalendar"])
        for event in self.view(default, start, end, replace(asked, query={})):
            free = self.tentative_is_free and event["showAs"] == "tentative"
            status = "free" if free else event["showAs"]
            item = {"status": status, "isPrivate": True, "start": event["start"], "end": event["end"]}
            answer["scheduleItems"].append(item)
        self.check("scheduleInformation", answer)
        return answer

    def delta(self, calendar: str, asked: Asked) -> Json:
        """Answer one page of the change feed; the token names its window, where it began, and where the page is."""
        self.calendar(calendar)
        if not {"$select", "$filter", "$orderby", "$search", "$expand"}.isdisjoint(asked.query):
            raise GraphError(400, "ErrorInvalidUrlQuery", "The change feed takes no such parameter.")
        token = asked.query.get("$deltatoken") or asked.query.get("$skiptoken")
        if token is None:
            window = str(len(self._windows))
            start, end = (datetime.fromisoformat(asked.query[key]) for key in ("startDateTime", "endDateTime"))
            self._windows[window] = (calendar, start, end)
            era, since, upto, skip = self._era, 0, self._version, 0
        else:
            parts = token.split("-")
            if len(parts) != 5 or not all(part.isdecimal() for part in parts) or int(parts[0]) != self._era:
                raise GraphError(*self.expired)
            window, (era, since, upto, skip) = parts[1], (int(parts[n]) for n in (0, 2, 3, 4))
            upto = upto if "$skiptoken" in asked.query else self._version
        items = self._changes(window, since, upto, asked)
        size = min(self.page_size, int((re.search(r"odata\.maxpagesize=(\d+)", asked.prefer) or ["", "10"])[1]))
        page: Json = {"value": items[skip : skip + size]}
        if skip + size < len(items):
            page["@odata.nextLink"] = asked.link({"$skiptoken": f"{era}-{window}-{since}-{upto}-{skip + size}"})
        else:
            page["@odata.deltaLink"] = asked.link({"$deltatoken": f"{era}-{window}-{upto}-0-0"})
        return page

    def _changes(self, window: str, since: int, upto: int, asked: Asked) -> list[Json]:
        calendar, start, end = self._windows[window]
        items: list[Json] = []
        if self.lists_nothing or (self.tells_nothing and since):
            return items
        for event in self.events.values():
            if event["_calendar"] != calendar or not since < event["_version"] <= upto:
                continue
            if self.tells_occurrences and event.get("_weeks", 1) > 1:
                items += [
                    self.shown(one, replace(asked, query={})) for one in _occurrences(event, start=start, end=end)
                ]
            elif event["_span"][0] < end and start < event["_span"][1]:
                items.append(self.shown(event, replace(asked, query={})))
            elif since:
                items.append({"id": event["id"], "@removed": {"reason": "deleted"}})
        if since and not self.hides_deletions:
            gone = [href for href, (_, version) in self.deleted.items() if since < version <= upto]
            items += [{"id": href, "@removed": {"reason": "deleted"}} for href in gone]
        return items

    def shown(self, event: Json, asked: Asked) -> Json:
        """Return an event as it is answered: only what was selected, extended properties only where expanded."""
        zone = "W. Europe Standard Time" if self.ignores_zone else asked.zone
        found = {key: value for key, value in event.items() if not key.startswith(_HIDDEN)}
        found |= dict(zip(("start", "end"), (_wall(m, zone, event) for m in event["_span"]), strict=True))
        if "$select" in asked.query:
            names = asked.query["$select"].split(",")
            self.faults += [f"$select: event has no {one}" for one in names if one not in self.types["event"]]
            found = {key: value for key, value in found.items() if key in {*names, "id", "@odata.etag"}}
        expand = asked.query.get("$expand", "")
        if expand.startswith("singleValueExtendedProperties"):
            wanted = re.findall(r"id eq '([^']+)'", expand)
            some = [{"id": key, "value": value} for key, value in event["_properties"].items() if key in wanted]
            found |= {"singleValueExtendedProperties": some} if some else {}
        self.faults += graph_types.faults(self.types, "event", found, "our own answer")
        return found

    def check(self, name: str, body: Json) -> None:
        """Refuse what Microsoft's types do not know, and what would make Exchange write mail."""
        wrong = graph_types.faults(self.types, name, body, name)
        if wrong:
            self.faults += wrong
            raise GraphError(400, "ErrorPropertyValidationFailure", "; ".join(wrong))
        if body.get("attendees"):
            self.faults.append("attendees: Exchange would write to them")

    def expire_tokens(self) -> None:
        self._era += 1

    def snapshot(self) -> Saved:
        """Return a back-up of the events."""
        with self.lock:
            return deepcopy((self.events, self.deleted, self._transactions))

    def set_back(self, saved: Saved) -> None:
        """Bring a back-up back behind the feed's back: it knows all its tokens, and tells nothing of it."""
        with self.lock:
            self.events, self.deleted, self._transactions = deepcopy(saved)

    def _write(self, event: Json, body: Json, how: str) -> None:
        self._version += 1
        own = {key: deepcopy(value) for key, value in body.items() if key != "singleValueExtendedProperties"}
        for one in body.get("singleValueExtendedProperties", ()):
            event["_properties"][one["id"]] = one["value"]
        if "start" in own or "end" in own:
            ends = zip(("start", "end"), event.get("_span", (None, None)), strict=True)
            event["_span"] = tuple(_instant(own.pop(key)) if key in own else before for key, before in ends)
        event |= own
        if "recurrence" in body:
            event["type"] = "seriesMaster" if body["recurrence"] else "singleInstance"
            event["_weeks"] = 4 if body["recurrence"] else 1
        stamp = f"{_EPOCH + timedelta(seconds=self._version):%Y-%m-%dT%H:%M:%SZ}"
        event |= {"createdDateTime": event.get("createdDateTime", stamp), "lastModifiedDateTime": stamp}
        event |= {"_version": self._version, "changeKey": f"v{self._version}", "@odata.etag": f'W/"v{self._version}"'}
        self.changed.append((how, event))

    # What the practitioner does in Outlook.

    def touch(self, href: str, **changes: object) -> None:
        """Change properties of an event; `span` moves it."""
        span = changes.pop("span", None)
        if isinstance(span, Span):
            changes |= {"start": _utc(span.start), "end": _utc(span.end)}
        with self.lock:
            self._write(self.events[href], changes, "updated")

    def add(self, calendar: str, span: Span, **more: object) -> str:
        """Add an event of their own and return its id."""
        href = f"AAkAOWN/{uuid4().hex}="
        body = {"subject": "Dentist", "start": _utc(span.start), "end": _utc(span.end)}
        with self.lock:
            self.events[href] = deepcopy(_DEFAULTS) | {"id": href, "_calendar": calendar, "_properties": {}}
            self._write(self.events[href], body | more, "created")
        return href


def _occurrences(event: Json, *, start: datetime, end: datetime) -> Iterator[Json]:
    """Yield an event, or those of a series, as far as they touch a time."""
    repeats = event.get("_weeks", 1)
    for week in range(repeats):
        one = deepcopy(event)
        if repeats > 1:
            one |= {"id": f"{event['id']}#{week}", "type": "occurrence", "recurrence": None}
            one |= {"seriesMasterId": event["id"]}
        one["_span"] = tuple(moment + timedelta(weeks=week) for moment in event["_span"])
        if repeats > 1:
            one |= {"originalStart": f"{one['_span'][0]:%Y-%m-%dT%H:%M:%SZ}"}
        if one["_span"][0] < end and start < one["_span"][1]:
            yield one


def _utc(moment: datetime) -> Json:
    return {"dateTime": f"{moment:%Y-%m-%dT%H:%M:%S}", "timeZone": "UTC"}


def _instant(value: Json) -> datetime:
    zone: str = value["timeZone"]
    name = {"W. Europe Standard Time": "Europe/Berlin"}.get(zone, zone)
    return datetime.fromisoformat(value["dateTime"]).replace(tzinfo=ZoneInfo(name)).astimezone(UTC)


def _wall(moment: datetime, zone: str, event: Json) -> Json:
    """Write an instant with seven fraction digits and no offset; an all-day event's are midnights in any zone."""
    place = ZoneInfo("Europe/Berlin") if zone == "W. Europe Standard Time" and not event["isAllDay"] else UTC
    return {"dateTime": f"{moment.astimezone(place):%Y-%m-%dT%H:%M:%S}.0000000", "timeZone": zone}
