"""When an Outlook calendar is not free."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from connector.domain.span import Span
from connector.errors import AccessLostError, ProviderError, TransientError
from connector.ports import Busy
from providers.outlook import events
from providers.outlook.answers import Call
from providers.outlook.http import Graph

_FREE = "free"
_PAGES = 100
_SELECT = "$select=id,seriesMasterId,start,end,showAs,isCancelled,isAllDay,originalStartTimeZone&$top=200"


def viewed(graph: Graph, calendar: str, span: Span, *, free: bool = False) -> list[Busy]:
    """Return what the events of one calendar take, series expanded; with `free`, also those that leave it free.

    An event of a series bears the series' id, so that one of ours is known whatever was made of it.

    Raises: ProviderError. Source: https://learn.microsoft.com/graph/api/calendar-list-calendarview
    """
    window = f"startDateTime={span.start:%Y-%m-%dT%H:%M:%SZ}&endDateTime={span.end:%Y-%m-%dT%H:%M:%SZ}"
    first = Call(method="GET", path=f"{calendar}/calendarView?{window}&{_SELECT}")
    found = []
    for page in graph.pages(first, most=_PAGES):
        for event in page.value():
            taken = events.span_of(event)
            counts = free or (event.get("showAs") != _FREE and not event.get("isCancelled"))
            if counts and taken and taken.overlaps(span):
                found.append(Busy(span=taken, href=str(event.get("seriesMasterId") or event.get("id"))))
    return sorted(found, key=lambda one: one.span)


def scheduled(graph: Graph, username: str, span: Span) -> list[Busy] | None:
    """Return what a work account's default calendar shows to colleagues who look for a free time.

    None where the service does not tell: personal accounts, too many entries, a policy. It names no events.

    Raises: AccessLostError, TransientError.
    Source: https://learn.microsoft.com/graph/api/calendar-getschedule
    """
    body = {
        "schedules": [username],
        "startTime": events.moment(span.start),
        "endTime": events.moment(span.end),
        "availabilityViewInterval": 15,
    }
    try:
        schedules = graph.call(Call(method="POST", path="/me/calendar/getSchedule", body=body)).value()
    except (AccessLostError, TransientError):
        raise
    except ProviderError:
        return None
    if len(schedules) != 1 or schedules[0].get("error") or not isinstance(schedules[0].get("scheduleItems"), list):
        return None
    taken = (_taken(item) for item in schedules[0]["scheduleItems"])
    return [Busy(span=one) for one in sorted(one for one in taken if one and one.overlaps(span))]


def _taken(item: Mapping[str, Any]) -> Span | None:
    return None if item.get("status") == _FREE else events.span_of(item)
