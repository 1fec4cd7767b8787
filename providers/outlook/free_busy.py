"""When an Outlook calendar is not free."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, tzinfo
from typing import Any

from connector.domain.span import Span
from connector.domain.standing import Standing, nature_of, of_exchange
from connector.errors import AccessLostError, ProviderError, TransientError
from connector.ports import BusyReading
from providers._gathered import Gathered
from providers.outlook import events
from providers.outlook.http import Graph
from providers.outlook.protocol import Call

_PAGES = 100
_FIELDS = (
    "seriesMasterId,originalStart,start,end,showAs,isCancelled,responseStatus,isAllDay,originalStartTimeZone,"
    f"{events.IDENTITY}"
)
_SELECT = f"$select=id,{_FIELDS}&{events.MARKS}&$top=200"


def viewed(graph: Graph, calendar: str, span: Span, *, home: tzinfo = UTC, free: bool = False) -> BusyReading:
    """Return what the events of one calendar take, series expanded; with `free`, also those that leave it free.

    An event of a series bears the series' id, so that one of ours is recognised whatever was made of it. Days are meant
    at `home` where an event does not tell.

    Raises: ProviderError. Source: https://learn.microsoft.com/graph/api/calendar-list-calendarview
    """
    gathered = Gathered(span)
    asked = gathered.asked
    window = f"startDateTime={asked.start:%Y-%m-%dT%H:%M:%SZ}&endDateTime={asked.end:%Y-%m-%dT%H:%M:%SZ}"
    first = Call(method="GET", path=f"{calendar}/calendarView?{window}&{_SELECT}")
    for page in graph.pages(first, most=_PAGES):
        for event in page.value():
            standings = tuple(_standings(event))
            if free or all(standing.takes_time for standing in standings):
                href = str(event.get("seriesMasterId") or event.get("id"))
                whole_day = bool(event.get("isAllDay"))
                gathered.add(
                    *events.ends_of(event, home=home),
                    href=href,
                    name=_name(event),
                    whole_day=whole_day,
                    nature=nature_of(standings),
                    in_series=bool(event.get("seriesMasterId")),
                    occurrence=_original_start(event),
                )
    return gathered.reading


def scheduled(graph: Graph, username: str, span: Span) -> BusyReading | None:
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
    gathered = Gathered(span)
    for item in schedules[0]["scheduleItems"]:
        row = item if isinstance(item, Mapping) else {}
        if of_exchange(row.get("status")).takes_time:
            gathered.add(*events.ends_of(row))
    return gathered.reading


def _original_start(event: Mapping[str, Any]) -> datetime | None:
    """Return when the series has an occurrence; None if that is not told so that it can be understood."""
    try:
        original = datetime.fromisoformat(str(event.get("originalStart")))
        return original.replace(tzinfo=UTC) if original.tzinfo is None else original.astimezone(UTC)
    except (ValueError, OverflowError):
        return None


def _name(event: Mapping[str, Any]) -> str | None:
    """Return the name of ours; empty if it is marked and tells none."""
    return events.name(event) or ("" if events.is_marked(event) else None)


def _standings(event: Mapping[str, Any]) -> Iterator[Standing]:
    yield of_exchange(event.get("showAs"))
    if event.get("isCancelled"):
        yield Standing.CANCELLED
    answer = event.get("responseStatus")
    if isinstance(answer, Mapping) and answer.get("response") == "declined":
        yield Standing.DECLINED
