"""Where a collection's times are meant that name no zone, and how its account's owner is called in invitations."""

from __future__ import annotations

from datetime import datetime, timedelta, tzinfo

from caldav.elements import cdav
from caldav.elements.base import BaseElement

from connector.errors import AccessLostError, ProviderError
from connector.ical.foreign import events as foreign
from connector.ical.foreign import zones
from connector.ical.foreign.clock import Zone
from providers._wire import Http
from providers.caldav import dav as _dav
from providers.caldav.events import Events


class TimezoneId(BaseElement):
    """The name of a collection's zone (RFC 7809 section 5.2)."""

    tag = "{urn:ietf:params:xml:ns:caldav}calendar-timezone-id"


class Home:
    """A collection's own clock; asked for when it first matters, since most times name their zone.

    `uses` counts how often it has mattered. Raises, when it is asked, whatever the request does.
    """

    def __init__(self, events: Events, practitioner: tzinfo) -> None:
        self._events = events
        self._practitioner = practitioner
        self._zone: Zone | None = None
        self.uses = 0

    def offset(self, wall: datetime) -> timedelta:
        """Return how far it is ahead of UTC when it shows a time."""
        self.uses += 1
        if self._zone is None:
            self._zone = self._told()
        return self._zone.offset(wall)

    def _told(self) -> Zone:
        body = _dav.propfind(TimezoneId, cdav.CalendarTimeZone)
        answer = self._events.http.request("PROPFIND", self._events.url, headers=_dav.headers(0), body=body)
        rows = _dav.rows_about(answer)
        zone_id, timezone = (
            next(filter(None, (row.text(prop) for row in rows)), "") for prop in (TimezoneId, cdav.CalendarTimeZone)
        )
        return zones.home(self._practitioner, zone_id=zone_id, timezone=timezone)


class Owner:
    """Whoever's account it is: how they are called as attendees, asked for when it first matters."""

    def __init__(self, http: Http, principal: str) -> None:
        self._http = http
        self._principal = principal
        self._names: frozenset[str] | None = None

    @property
    def names(self) -> frozenset[str]:
        """Their addresses, evened out; a server that does not tell leaves the one they sign in with."""
        if self._names is not None:
            return self._names
        own = frozenset({foreign.name(self._http.login.username)})
        body = _dav.propfind(cdav.CalendarUserAddressSet)
        try:
            answer = self._http.request("PROPFIND", self._principal, headers=_dav.headers(0), body=body)
            told = {href for row in _dav.rows_about(answer) for href in row.hrefs(cdav.CalendarUserAddressSet)}
        except AccessLostError:
            raise
        except ProviderError:
            return own  # asked again the next time
        self._names = own | {foreign.name(href) for href in told}
        return self._names
