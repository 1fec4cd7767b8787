"""Which of a Google calendar's events keep its owner from being free."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from connector.domain.span import Span
from connector.domain.standing import Nature, Standing, nature_of
from connector.errors import TransientError
from connector.ports import BusyReading
from providers import _zones
from providers._gathered import Gathered
from providers.google.errors import instant, members, pages, text
from providers.google.events import mark, name
from providers.google.http import Api

_FIELDS = (
    "timeZone,nextPageToken,"
    "items(id,iCalUID,recurringEventId,originalStartTime,status,transparency,eventType,start,end,attendees(self,responseStatus),"
    "extendedProperties(private))"
)
_PAGE = 2500


def listed(api: Api, calendar_id: str, span: Span, *, home: tzinfo = UTC) -> BusyReading:
    """Return each event in `span` that is not free, by time; what it is about is not asked for.

    An event of a series bears the series' id, so that ours is recognised whatever was made of it. A day begins at
    midnight in the calendar's zone, or at `home` where that is not known. Free is what free/busy calls so: transparent,
    cancelled and declined events.

    Raises: RefusedError where only free and busy may be seen; another ProviderError.
    Source: Google Calendar API v3, events.list and freebusy.query.
    """
    gathered = Gathered(span)
    asked = gathered.asked

    def page(place: Mapping[str, str]) -> Mapping[str, Any]:
        request = api.resources.events.list(
            calendarId=calendar_id,
            singleEvents=True,
            timeMin=f"{asked.start:%Y-%m-%dT%H:%M:%SZ}",
            timeMax=f"{asked.end:%Y-%m-%dT%H:%M:%SZ}",
            maxResults=_PAGE,
            maxAttendees=1,  # the owner alone
            fields=_FIELDS,
            **place,
        )
        return api.call("list_busy", request)

    for part in pages(page):
        zone = _zones.zone(str(part.get("timeZone", ""))) or home
        for event in members(part, "items"):
            standings = tuple(_standings(event))
            if all(standing.takes_time for standing in standings):
                _add(gathered, event, zone, nature=nature_of(standings))
    return gathered.reading


def shown(rows: Iterable[Mapping[str, Any]], span: Span) -> BusyReading:
    """Return when a calendar is not free, as free/busy tells it."""
    gathered = Gathered(span)
    for row in rows:
        gathered.add(*(_instant({"dateTime": row.get(edge)}, UTC) for edge in ("start", "end")))
    return gathered.reading


def _add(gathered: Gathered, event: Mapping[str, Any], zone: tzinfo, *, nature: Nature) -> None:
    """Add an event under its series' id, if it is of one."""
    series, start = _series(event), event.get("start")
    gathered.add(
        *(_instant(event.get(edge), zone) for edge in ("start", "end")),
        href=series["id"] if isinstance(series.get("id"), str) else None,
        name=_name(series),
        whole_day=isinstance(start, dict) and "date" in start,
        nature=nature,
        in_series="recurringEventId" in event,
        occurrence=_instant(event.get("originalStartTime"), zone),
    )


def _series(event: Mapping[str, Any]) -> Mapping[str, Any]:
    """Return an event under the id of the series it is of, if it is of one."""
    return event if "recurringEventId" not in event else {**event, "id": event["recurringEventId"]}


def _name(event: Mapping[str, Any]) -> str | None:
    """Return the name of ours; empty if it is marked and tells none."""
    return name(event) or ("" if mark(event) else None)


def _standings(event: Mapping[str, Any]) -> Iterator[Standing]:
    if event.get("status") == "cancelled":
        yield Standing.CANCELLED
    if event.get("transparency") == "transparent":
        yield Standing.FREE
    match event.get("eventType"):
        case "workingLocation":
            yield Standing.ELSEWHERE
        case "outOfOffice":
            yield Standing.OUT_OF_OFFICE
        case "focusTime":
            yield Standing.FOCUS
    attendees = event.get("attendees")
    for attendee in attendees if isinstance(attendees, list) else ():
        if isinstance(attendee, dict) and attendee.get("self") and attendee.get("responseStatus") == "declined":
            yield Standing.DECLINED


def _instant(edge: object, zone: tzinfo) -> datetime | None:
    """Read an instant, or a date's midnight; None if it is neither."""
    try:
        if isinstance(edge, dict) and isinstance(edge.get("date"), str):
            return datetime.fromisoformat(edge["date"]).replace(tzinfo=zone)
        return instant(text(edge, "dateTime"))
    except (ValueError, OverflowError, TransientError):
        return None
