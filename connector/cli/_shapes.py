"""How sessions and offers are printed: as JSON that programs can rely on, and as words."""

from __future__ import annotations

from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from connector.domain.offer import Alternative, Offer
from connector.domain.session import Location, LocationKind, Session
from connector.domain.span import When
from connector.services.views.unread import UnreadView

_PLACES = {LocationKind.IN_PERSON: "in person", LocationKind.ONLINE: "online", LocationKind.PHONE: "phone"}


def session_json(session: Session, client_name: str) -> dict[str, Any]:
    """Return a session for programs."""
    return {
        "id": session.id,
        "practitioner_id": session.practitioner_id,
        "client_id": session.client_id,
        "client_name": client_name,
        "kind": session.kind,
        "state": session.state,
        "needs_attention": session.flag,
        **when_json(session.when),
        "location": location_json(session.location),
        "revision": session.revision,
        "uid": session.uid,
        "series_id": session.series_id,
    }


def offer_json(offer: Offer, session: Session) -> dict[str, Any]:
    """Return an offer for programs; alternatives are numbered as commands take them."""
    return {
        "id": offer.id,
        "session_id": offer.session_id,
        "state": offer.state,
        "window_seconds": int(offer.window.total_seconds()),
        "drafted_at": offer.drafted_at,
        "sent_at": offer.sent_at,
        "expires_at": offer.expires_at,
        "ended_at": offer.ended_at,
        "alternatives": [
            {
                "number": number,
                "id": alternative.id,
                **when_json(alternative.when),
                "location": location_json(alternative.location or session.location),
                "withdrawn": alternative.withdrawn,
                "chosen": alternative.id == offer.accepted_id,
            }
            for number, alternative in enumerate(offer.alternatives, 1)
        ],
    }


def when_json(when: When) -> dict[str, Any]:
    """Return a time for programs: instants in UTC, and the wall time that was agreed."""
    return {"start": when.span.start, "end": when.span.end, "local": when.local, "zone": when.zone}


def location_json(location: Location) -> dict[str, str]:
    """Return a place for programs."""
    return {"kind": location.kind.value, "text": location.text}


def unread_json(view: UnreadView) -> list[dict[str, Any]]:
    """Return what of a calendar could not be read for programs, by reason."""
    return [
        {"reason": one.reason, "events": one.events, "since": one.since, "starts": one.starts} for one in view.reasons
    ]


def when_text(when: When) -> str:
    """Return a time in words, its zone named."""
    minutes = int(when.span.duration.total_seconds() // 60)
    return f"{when.local:%a %d %b %Y, %H:%M} ({when.zone}), {minutes} min"


def place_text(location: Location) -> str:
    """Return a place in words."""
    return f"{_PLACES[location.kind]}: {location.text}"


def instant_text(instant: datetime | None, zone: str) -> str:
    """Return an instant in words, on the clock of a zone."""
    return f"{instant.astimezone(ZoneInfo(zone)):%a %d %b %Y, %H:%M} ({zone})" if instant else ""


def alternative_row(number: int, alternative: Alternative, offer: Offer, session: Session) -> tuple[str, ...]:
    """Return an alternative as the row of a table."""
    note = "chosen" if alternative.id == offer.accepted_id else "taken back" if alternative.withdrawn else ""
    return (str(number), when_text(alternative.when), place_text(alternative.location or session.location), note)
