"""Which clock is meant by the name of a time zone in a calendar object.

IANA's names come first, then what the object itself brings along under the name, then names that others have given
IANA's zones, and last the clock of whoever's calendar it is. Nothing is kept but what content alone decides.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta, tzinfo
from functools import cache
from zoneinfo import ZoneInfo, available_timezones

from babel.core import get_global

from connector.ical.foreign import brought, lines, text
from connector.ical.foreign.brought import Clock
from connector.ical.foreign.budget import Budget
from connector.ical.foreign.clock import UNIVERSAL, Fixed, Known, Zone

_NOWHERE = frozenset({"localtime", "factory", "posixrules"})  # files beside the zones
_LONGEST_NAME = 200  # characters; no name is longer, and every one is looked up in several spellings
_FIXED = re.compile(r"(?:GMT|UTC)?([+-])(\d{1,2})(?::?(\d\d))?", re.ASCII | re.IGNORECASE)
_DEPTH = 3  # parts of the longest names, such as America/Argentina/Salta


@dataclass(slots=True)
class Zones:
    """The zones of one object: by the names it uses, out of what it brings along.

    Attributes:
        own: The lines of each of its VTIMEZONEs, by `text.zone_name`.
        home: Where times are meant that name no zone that anybody knows.
        budget: Who pays for what it brings along.
        strict: Whether also a name that nobody knows is a guess, where it brings nothing along.
        guesses: How often a zone was asked for that it should have brought along, and that cannot be read, or not all.
    """

    own: Mapping[str, bytes]
    home: Zone
    budget: Budget = field(default_factory=Budget)
    strict: bool = False
    guesses: int = 0
    _named: dict[str, tuple[Zone, bool]] = field(default_factory=dict)
    _clocks: dict[str, Clock | None] = field(default_factory=dict)

    def named(self, tzid: str | None) -> Zone:
        """Return the zone of a TZID."""
        if not tzid:
            return self.home
        if tzid not in self._named:
            self._named[tzid] = self._meant(tzid)
        zone, is_guess = self._named[tzid]
        self.guesses += is_guess
        return zone

    def _meant(self, tzid: str) -> tuple[Zone, bool]:
        """Return the zone of a TZID, and whether that is a guess."""
        if found := known(tzid):
            return found, False
        own = self._brought(text.zone_name(tzid))
        if own and own.is_whole:
            return own, False
        if found := _translated(tzid):
            return found, False
        return own or self.home, self.strict or bool(self.own)

    def _brought(self, name: str) -> Clock | None:
        if name not in self._clocks:
            content = self.own.get(name)
            self._clocks[name] = brought.clock(content, self.budget) if content else None
        return self._clocks[name]


def home(practitioner: tzinfo, *, zone_id: str = "", timezone: str = "") -> Zone:
    """Return where the times of a collection are meant that name no zone.

    Args:
        practitioner: Whose zone it is if the collection tells none.
        zone_id: Its calendar-timezone-id (RFC 7809), if it has one.
        timezone: Its calendar-timezone (RFC 4791): an object with one VTIMEZONE, or a mere name.
    """
    last = Known(practitioner)
    if found := known(zone_id) or _translated(zone_id):
        return found
    content = lines.scan(lines.filtered(timezone.encode(errors="replace"))).zones
    names = Zones(content, last)
    return names.named(next(iter(content), timezone.strip()))


def known(name: str) -> Zone | None:
    """Return the IANA zone of a name, in whatever case it is written; None if there is none."""
    if len(name) > _LONGEST_NAME:
        return None
    spelled = _names().get(name.strip().replace(" ", "_").casefold())
    return _iana(spelled) if spelled else None


def _translated(tzid: str) -> Zone | None:
    """Return the zone of a name that is not IANA's: a Windows name, one with a vendor before it, or a plain offset."""
    if not tzid or len(tzid) > _LONGEST_NAME:
        return None
    name = tzid.strip()
    if windows := _windows().get(name.casefold()):
        return known(windows)
    parts = name.split("/")
    for depth in range(min(_DEPTH, len(parts) - 1), 0, -1):
        if found := known("/".join(parts[-depth:])):
            return found
    return _fixed(name)


def _fixed(name: str) -> Zone | None:
    parts = _FIXED.fullmatch(name)
    if parts is None:
        return None
    ahead = timedelta(hours=int(parts[2]), minutes=int(parts[3] or 0))
    return Fixed(-ahead if parts[1] == "-" else ahead) if ahead < timedelta(days=1) else None


@cache
def _names() -> Mapping[str, str]:
    return {name.casefold(): name for name in available_timezones() if name.casefold() not in _NOWHERE}


@cache
def _windows() -> Mapping[str, str]:
    names: Mapping[str, str] = get_global("windows_zone_mapping")
    return {name.casefold(): zone for name, zone in names.items()}


@cache
def _iana(name: str) -> Zone:
    return UNIVERSAL if name == "UTC" else Known(ZoneInfo(name))
