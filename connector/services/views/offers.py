"""An offer as its practitioner and commands see it: where it stands, and what is known of each of its times."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from connector.domain.entry import EntryKey, EntryKind
from connector.domain.offer import Alternative, Offer, OfferState
from connector.domain.session import Location, Session


@dataclass(frozen=True, slots=True, kw_only=True)
class AlternativeView:
    """One offered time.

    Attributes:
        missing_in: The names of the connected calendars that do not show its hold yet.
        conflicts: The names of those in which something else stands at that time.
    """

    alternative: Alternative
    location: Location
    missing_in: tuple[str, ...]
    conflicts: tuple[str, ...]


@dataclass(frozen=True, slots=True, kw_only=True)
class OfferView:
    """An open offer with its alternatives, those that were taken back included."""

    offer: Offer
    alternatives: tuple[AlternativeView, ...]


def state_now(offer: Offer, now: datetime) -> OfferState:
    """Return where an offer stands as people see it: past its deadline it is lapsed, even before that is recorded."""
    overdue = offer.state is OfferState.OPEN and offer.expires_at is not None and offer.expires_at <= now
    return OfferState.LAPSED if overdue else offer.state


def is_open(offer: Offer, now: datetime) -> bool:
    """Whether its client can still answer it."""
    return state_now(offer, now) is OfferState.OPEN


def offer_view(
    offer: Offer,
    session: Session,
    *,
    missing: Mapping[EntryKey, tuple[str, ...]],
    conflicts: Mapping[UUID, tuple[str, ...]],
) -> OfferView:
    """Return an open offer with what is known of its times.

    Args:
        offer: The offer.
        session: Its session.
        missing: By entry, the names of the calendars that do not show it as it is wanted.
        conflicts: By alternative, the names of the calendars in which something else stands at its time.
    """
    views = (
        AlternativeView(
            alternative=alternative,
            location=alternative.location or session.location,
            missing_in=missing.get(EntryKey(kind=EntryKind.HOLD, id=alternative.id), ()),
            conflicts=conflicts.get(alternative.id, ()),
        )
        for alternative in offer.alternatives
    )
    return OfferView(offer=offer, alternatives=tuple(views))
