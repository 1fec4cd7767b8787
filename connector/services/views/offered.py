"""Offers as programs see them, as of now."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.offer import Offer, OfferState
from connector.domain.text import check_external_id
from connector.errors import NotFoundError
from connector.services.views.offers import state_now
from connector.storage import offers
from connector.storage.offers import Wanted

Sees = Callable[[UUID], bool]  # of a practitioner, whether what is theirs exists for whoever asks


def offer(db: Connection, offer_id: UUID, *, sees: Sees, now: datetime) -> Offer:
    """Return an offer.

    Raises: NotFoundError if there is none, or none that whoever asks may see.
    """
    return as_of(_seen(offers.get(db, offer_id), sees), now)


def named(db: Connection, external_id: str, *, sees: Sees, now: datetime) -> Offer | None:
    """Return the offer that the host calls so; None if there is none.

    Raises: NotFoundError if it is none that whoever asks may see; RuleError if nothing can be called so.
    """
    check_external_id(external_id)
    found = offers.by_external_id(db, external_id)
    return as_of(_seen(found, sees), now) if found is not None else None


def listed(
    db: Connection,
    *,
    practitioner_id: UUID | None = None,
    session_id: UUID | None = None,
    external_id: str | None = None,
    state: OfferState | None = None,
    after: tuple[datetime, UUID] | None = None,
    most: int,
    now: datetime,
) -> Sequence[Offer]:
    """Return up to `most` offers, those that were noted down last first; what is None narrows nothing.

    Raises: RuleError if nothing can be called so.
    """
    check_external_id(external_id)
    wanted = Wanted(
        practitioner_id=practitioner_id,
        session_id=session_id,
        external_id=external_id,
        states=frozenset({state} if state is not None else ()),
    )
    return [as_of(one, now) for one in offers.newest(db, wanted, after=after, most=most, now=now)]


def as_of(offer: Offer, now: datetime) -> Offer:
    """Return an offer as it stands now: past its deadline it has lapsed at it, whenever that is recorded.

    So its version is the one that it will have then: whoever has read it has seen all there is.
    """
    if state_now(offer, now) is not OfferState.LAPSED:
        return offer
    recorded = offer.state is OfferState.LAPSED
    return replace(
        offer,
        state=OfferState.LAPSED,
        ended_at=offer.expires_at,
        version=offer.version if recorded else offer.version + 1,
    )


def _seen(offer: Offer, sees: Sees) -> Offer:
    if not sees(offer.practitioner_id):
        raise NotFoundError("There is no such offer.", code="offer_not_found")
    return offer
