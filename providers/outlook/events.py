"""Outlook's events as JSON: what we write of one, and what we read in it.

Source: https://learn.microsoft.com/graph/api/resources/event
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any
from urllib.parse import quote

from connector.domain.entry import Content, Showing
from connector.domain.reconcile import Ref, name_in
from connector.domain.span import Span
from connector.errors import RuleError
from providers._conflict import tidy
from providers.outlook import zones
from providers.outlook.protocol import Call

_OURS = "String {9d2c4bd4-53c1-4a0e-8f0b-6a5a3c1e7d42} Name "
NAME = f"{_OURS}PencilledName"
_SHOWING = f"{_OURS}PencilledShowing"
_SLACK = timedelta(hours=26)
_SHOW_AS = {Showing.TENTATIVE: "tentative", Showing.CONFIRMED: "busy", Showing.FIRM: "busy"}
_SELECT = "$select=id,subject,location,start,end,showAs,isAllDay,type,recurrence,transactionId"
_EXPAND = "$expand=" + quote(f"singleValueExtendedProperties($filter=id eq '{_SHOWING}')", safe="()$=")
FIELDS = f"{_SELECT}&{_EXPAND}"
# By what an event is known as ours, whatever else has become of it.
IDENTITY = "iCalUId,transactionId"
_BOTH = f"singleValueExtendedProperties($filter=id eq '{NAME}' or id eq '{_SHOWING}')"
MARKS = "$expand=" + quote(_BOTH, safe="()$=")


def path(href: str) -> str:
    """Return the path of one event."""
    return f"/me/events/{quote(href, safe='')}"


def get(href: str) -> Call:
    """Ask for one event."""
    return Call(method="GET", path=f"{path(href)}?{FIELDS}")


def create(calendar: str, ref: Ref, content: Content) -> Call:
    """Create an event under our own name: repeated, it gives the same event again.

    No attendee, ever: Exchange would write to them. No reminder: a hold would announce itself.
    """
    body = _own(content) | {
        "body": {"contentType": "text", "content": ""},
        "sensitivity": "private",
        "isReminderOn": False,
        "responseRequested": False,
        "transactionId": ref.name,
    }
    properties = [{"id": NAME, "value": ref.name}, {"id": _SHOWING, "value": content.showing.value}]
    return Call(method="POST", path=f"{calendar}/events", body=body | {"singleValueExtendedProperties": properties})


def update(href: str, etag: str, content: Content, *, single: bool = False) -> Call:
    """Change what is ours in an event, if nobody has changed it since `etag`.

    `single` makes of a series the single event it was. Whatever is not named stays as the practitioner has it.
    """
    body = _own(content) | {"singleValueExtendedProperties": [{"id": _SHOWING, "value": content.showing.value}]}
    if single:
        body["recurrence"] = None
    return Call(method="PATCH", path=path(href), body=body, headers={"If-Match": etag})


def delete(href: str) -> Call:
    """Remove an event, also if it was changed in between."""
    return Call(method="DELETE", path=path(href))


def search(calendar: str, name: str) -> Call:
    """Look for the event of a name of ours by its mark; the index behind it may lag, or fail altogether."""
    condition = f"singleValueExtendedProperties/Any(ep: ep/id eq '{NAME}' and ep/value eq '{name}')"
    return Call(method="GET", path=f"{calendar}/events?$filter={quote(condition, safe='()$=')}&{FIELDS}")


def listing(calendar: str, since: datetime) -> Call:
    """Ask for the events that end after a time, each series as one; some mailboxes reckon days in UTC."""
    start = f"{(since - _SLACK).astimezone(UTC):%Y-%m-%dT%H:%M:%S}"
    condition = "$filter=" + quote(f"end/dateTime ge '{start}'", safe="")
    return Call(method="GET", path=f"{calendar}/events?{condition}&{_SELECT},iCalUId&{MARKS}&$top=200")


def name(event: Mapping[str, Any]) -> str | None:
    """Return the name of ours an event was made under, as its mark or what stands for its UID tells."""
    told = (_property(event, NAME), event.get("transactionId"), event.get("iCalUId"))
    return next((found for text in told if isinstance(text, str) and (found := name_in(text))), None)


def is_marked(event: Mapping[str, Any]) -> bool:
    """Whether an event bears our mark; only one that was asked for with `MARKS` tells."""
    return bool(_property(event, NAME) or _property(event, _SHOWING))


def content_of(event: Mapping[str, Any]) -> Content | None:
    """Return what an event shows; None for what we never write: all-day, recurring, free, or senseless."""
    if event.get("isAllDay") or is_series(event):
        return None
    tentative = event.get("showAs") == "tentative"
    if not tentative and event.get("showAs") != "busy":
        return None
    span = span_of(event)
    if span is None:
        return None
    location = event.get("location")
    place = location.get("displayName") if isinstance(location, Mapping) else ""
    confirmed = Showing.FIRM if _property(event, _SHOWING) == Showing.FIRM else Showing.CONFIRMED
    return Content(
        span=span,
        title=str(event.get("subject") or ""),
        location=str(place or ""),
        showing=Showing.TENTATIVE if tentative else confirmed,
    )


def is_series(event: Mapping[str, Any]) -> bool:
    """Whether an event repeats, or is one of several."""
    return bool(event.get("recurrence")) or event.get("type", "singleInstance") != "singleInstance"


def shows(event: Mapping[str, Any], content: Content) -> bool:
    """Whether a write's own answer shows what was written, however the service tidies blanks.

    Such an answer does not tell extended properties, and so not which kind of busy it is.
    """
    actual = content_of(event)
    if actual is None:
        return False
    return (
        actual.span == content.span
        and tidy(actual.title) == tidy(content.title)
        and tidy(actual.location) == tidy(content.location)
        and _SHOW_AS[actual.showing] == _SHOW_AS[content.showing]
    )


def span_of(event: Mapping[str, Any]) -> Span | None:
    """Return the time an event takes; None if it makes no sense."""
    start, end = ends_of(event)
    try:
        return Span.of(start, end) if start and end else None
    except (RuleError, OverflowError):
        return None


def ends_of(event: Mapping[str, Any], *, home: tzinfo = UTC) -> tuple[datetime | None, datetime | None]:
    """Return when an event begins and ends, each None if it makes no sense.

    All-day events are dates: they begin and end at midnight where they were made, whatever zone the answer is in, and
    at `home` where that is not known.
    """
    zone: tzinfo | None = None
    if event.get("isAllDay"):
        zone = zones.zone(str(event.get("originalStartTimeZone") or "")) or home
    return _instant(event.get("start"), zone), _instant(event.get("end"), zone)


def moment(value: datetime) -> dict[str, str]:
    """Write an instant as the service wants it: wall time and zone apart."""
    return {"dateTime": f"{value.astimezone(UTC):%Y-%m-%dT%H:%M:%S}", "timeZone": "UTC"}


def _own(content: Content) -> dict[str, object]:
    return {
        "subject": content.title,
        "location": {"displayName": content.location},
        "start": moment(content.span.start),
        "end": moment(content.span.end),
        "isAllDay": False,
        "showAs": _SHOW_AS[content.showing],
    }


def _instant(value: object, zone: tzinfo | None) -> datetime | None:
    """Read `2026-12-03T13:00:00.0000000` in the zone named beside it, or in `zone`; with an offset it says its own."""
    if not isinstance(value, Mapping):
        return None
    try:
        wall = datetime.fromisoformat(str(value.get("dateTime")))
    except ValueError:
        return None
    if wall.tzinfo is not None and zone is None:
        return wall
    zone = zone or zones.zone(str(value.get("timeZone") or "UTC"))
    return wall.replace(tzinfo=zone) if zone else None


def _property(event: Mapping[str, Any], identity: str) -> str:
    properties = event.get("singleValueExtendedProperties")
    for item in properties if isinstance(properties, list) else ():
        if isinstance(item, Mapping) and str(item.get("id", "")).lower() == identity.lower():
            return str(item.get("value", ""))
    return ""
