"""Which of a Google calendar's events keep its owner from being free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any
from zoneinfo import ZoneInfo

from connector.domain.span import Span
from connector.domain.standing import Standing
from connector.errors import RuleError
from connector.ports import Busy
from providers.google.errors import garbled, instant, members, pages, text
from providers.google.events import mark, name
from providers.google.http import Api

_FIELDS = (
    "timeZone,nextPageToken,"
    "items(id,iCalUID,recurringEventId,status,transparency,eventType,start,end,attendees(self,responseStatus),"
    "extendedProperties(private))"
)
_PAGE = 2500


def listed(api: Api, calendar_id: str, span: Span) -> list[Busy]:
    """Return each event in `span` that is not free, by time; what it is about is not asked for.

    An event of a series bears the series' id, so that ours is recognised whatever was made of it. A day begins at
    midnight in the calendar's zone. Free is what free/busy calls so: transparent, cancelled and declined events.

    Raises: RefusedError where only free and busy may be seen; another ProviderError.
    Source: Google Calendar API v3, events.list and freebusy.query.
    """

    def page(place: Mapping[str, str]) -> Mapping[str, Any]:
        request = api.resources.events.list(
            calendarId=calendar_id,
            singleEvents=True,
            timeMin=f"{span.start:%Y-%m-%dT%H:%M:%SZ}",
            timeMax=f"{span.end:%Y-%m-%dT%H:%M:%SZ}",
            maxResults=_PAGE,
            maxAttendees=1,  # the owner alone
            fields=_FIELDS,
            **place,
        )
        return api.call("list_busy", request)

    busy = [event for part in pages(page) for event in _busy(part, span)]
    return sorted(busy, key=lambda event: event.span)


def _busy(page: Mapping[str, Any], span: Span) -> Iterator[Busy]:
    zone = _zone(str(page.get("timeZone", "")))
    for event in members(page, "items"):
        if not all(standing.takes_time for standing in _standings(event)):
            continue
        event_span = _span(event, zone)
        if event_span and event_span.overlaps(span):
            yield Busy(span=event_span, href=text(series := _series(event), "id"), name=_name(series))


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
    if event.get("eventType") == "workingLocation":
        yield Standing.ELSEWHERE
    for attendee in members(event, "attendees"):
        if attendee.get("self") and attendee.get("responseStatus") == "declined":
            yield Standing.DECLINED


def _span(event: Mapping[str, Any], zone: tzinfo) -> Span | None:
    """Return the time an event takes; None if it takes none."""
    start, end = (_instant(event.get(edge), zone) for edge in ("start", "end"))
    try:
        return Span.of(start, end)
    except RuleError:
        return None


def _instant(edge: object, zone: tzinfo) -> datetime:
    """Read an instant, or a date's midnight.

    Raises: TransientError if it is neither: then nobody knows what is free.
    """
    if isinstance(edge, dict) and isinstance(edge.get("date"), str):
        try:
            return datetime.fromisoformat(edge["date"]).replace(tzinfo=zone)
        except ValueError as error:
            raise garbled() from error
    return instant(text(edge, "dateTime"))


def _zone(name: str) -> tzinfo:
    try:
        return ZoneInfo(name)
    except (ValueError, OSError, LookupError):
        return UTC
