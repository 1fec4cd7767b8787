"""Sessions and holds as a calendar that programs fetch again and again (PUBLISH of iTIP, RFC 5546 section 3.2.1).

Times go out in UTC, as in invitations. A cancelled session stays for a while and says so: not every program takes away
what a calendar no longer holds.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from icalendar import Calendar, Event, Timezone, TimezoneStandard, vCalAddress, vDuration

from connector.domain.people import check_address
from connector.domain.span import Span
from connector.ical.itip import PRODID, common_name, one_line

OFTEN = timedelta(hours=1)  # how often a program is asked to look; most decide that themselves


@dataclass(frozen=True, slots=True, kw_only=True)
class PublishedEvent:
    """One event of a published calendar.

    Attributes:
        uid: As in the invitation, for a client's session.
        sequence: The session's revision; 0 for what never changes.
        stamp: DTSTAMP and LAST-MODIFIED, aware UTC.
        created: Aware UTC.
        organizer: The address that invitations come from; empty for none.
        organizer_name: Shown beside it.
        is_cancelled: It takes no time any more.
        is_tentative: It is a hold.
    """

    uid: str
    sequence: int
    stamp: datetime
    created: datetime
    span: Span
    summary: str
    description: str = ""
    location: str = ""
    organizer: str = ""
    organizer_name: str = ""
    is_cancelled: bool = False
    is_tentative: bool = False


def publish(events: Iterable[PublishedEvent], *, name: str, anonymous: bool = False) -> bytes:
    """Build a calendar of this name that programs subscribe to.

    `anonymous`: it tells nothing of anybody, and so is no PUBLISH of iTIP, which would have to name an organizer.

    Returns: One VCALENDAR in CRLF lines of at most 75 octets, with nobody's address but organizers'.
    Source: RFC 5546 section 3.2.1; NAME and REFRESH-INTERVAL in RFC 7986 sections 5.1 and 5.7; X-PUBLISHED-TTL in
        MS-OXCICAL section 2.1.3.1.1.7.
    """
    calendar = Calendar()
    calendar.add("prodid", PRODID)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    if not anonymous:
        calendar.add("method", "PUBLISH")
    calendar.add("name", one_line(name))
    calendar.add("x-wr-calname", one_line(name))
    calendar.add("refresh-interval", vDuration(OFTEN), parameters={"VALUE": "DURATION"})
    calendar.add("x-published-ttl", "PT1H")
    components: list[Event | Timezone] = [_event(event) for event in events]
    for component in components or [_utc()]:
        calendar.add_component(component)
    serialised: bytes = calendar.to_ical()
    return serialised


def copy(event: PublishedEvent) -> bytes:
    """Build a file with one event, for somebody to put into their calendar by hand; nobody keeps it right afterwards.

    Returns: One VCALENDAR in CRLF lines of at most 75 octets, with nobody's address but the organizer's.
    Source: RFC 5546 section 3.2.1.
    """
    calendar = Calendar()
    calendar.add("prodid", PRODID)
    calendar.add("version", "2.0")
    calendar.add("calscale", "GREGORIAN")
    calendar.add("method", "PUBLISH")
    calendar.add_component(_event(event))
    serialised: bytes = calendar.to_ical()
    return serialised


def _event(published: PublishedEvent) -> Event:
    event = Event()
    event.add("uid", published.uid)
    event.add("sequence", published.sequence)
    event.add("dtstamp", published.stamp)
    event.add("created", published.created)
    event.add("last-modified", published.stamp)
    event.add("dtstart", published.span.start)
    event.add("dtend", published.span.end)
    event.add("class", "PRIVATE")
    event.add("summary", one_line(published.summary))
    if published.description:
        event.add("description", published.description)
    if published.location:
        event.add("location", published.location)
    status, busy = ("TENTATIVE", "TENTATIVE") if published.is_tentative else ("CONFIRMED", "BUSY")
    status, busy = ("CANCELLED", "FREE") if published.is_cancelled else (status, busy)
    event.add("status", status)
    event.add("transp", "TRANSPARENT" if published.is_cancelled else "OPAQUE")
    event.add("x-microsoft-cdo-busystatus", busy)
    if published.organizer:
        person = vCalAddress(f"mailto:{check_address(published.organizer)}")
        if words := common_name(published.organizer_name):
            person.params["CN"] = words
        event.add("organizer", person, encode=False)
    return event


def _utc() -> Timezone:
    """Return what an empty calendar holds, since none may hold nothing (RFC 5545 section 3.4); nobody sees it."""
    zone, standard = Timezone(), TimezoneStandard()
    zone.add("tzid", "Etc/UTC")
    standard.add("dtstart", datetime(1970, 1, 1))  # noqa: DTZ001 - the zone's own wall time
    standard.add("tzoffsetfrom", timedelta(0))
    standard.add("tzoffsetto", timedelta(0))
    zone.add_component(standard)
    return zone
