"""Where practitioners go from any of their pages."""

from __future__ import annotations

from dataclasses import dataclass

from flask import request, url_for

_PLACES = ("week.show", "sessions.every", "clients.every", "calendars.every")
_PARTS = {
    "away": "week",
    "booking": "week",
    "offers": "sessions",
    "connection": "calendars",
    "subscriptions": "calendars",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Place:
    """One of the pages that all others lead to.

    Attributes:
        name: The part of the application that it is the first page of.
        is_here: Whether it is this page; `is_part`, whether this page belongs to it.
    """

    name: str
    address: str
    is_here: bool
    is_part: bool


def of_practitioners() -> tuple[Place, ...]:
    """Return the pages in the order in which they are shown."""
    blueprint = (request.endpoint or "").partition(".")[0]
    here = _PARTS.get(blueprint, blueprint)
    return tuple(
        Place(
            name=endpoint.partition(".")[0],
            address=url_for(endpoint),
            is_here=request.endpoint == endpoint,
            is_part=here == endpoint.partition(".")[0],
        )
        for endpoint in _PLACES
    )
