"""Take back an offered time at which another calendar has something, by the link in the mail that said so."""

from __future__ import annotations

from datetime import datetime

from sqlalchemy import Connection

from connector.domain.offer import Alternative, Offer
from connector.domain.people import Actor
from connector.errors import NotFoundError
from connector.services.policy import Policy
from connector.services.scheduling.answers import LINKS_SHOW
from connector.services.scheduling.offers import withdraw_alternative
from connector.storage import offers, people
from connector.storage.seal import Seal

PURPOSE = "take-back"


def find(db: Connection, seal: Seal, token: str, *, now: datetime) -> tuple[Offer, Alternative]:
    """Return the offer and the alternative that a mailed link takes back.

    Raises: NotFoundError if the link is none of ours, or the offer ended more than 90 days ago.
    """
    alternative_id = seal.identity(PURPOSE, token)
    offer = offers.of_alternative(db, alternative_id)
    seal.check_reader(PURPOSE, token, people.practitioner(db, offer.practitioner_id).email)
    if offer.ended_at is not None and offer.ended_at + LINKS_SHOW <= now:
        raise NotFoundError(
            "This link has expired: the offer it is about ended long ago.", code="take_back_link_expired"
        )
    return offer, offer.alternative(alternative_id)


def take_back(
    db: Connection, policy: Policy, offer: Offer, alternative: Alternative, *, by: Actor, now: datetime
) -> None:
    """Take the alternative back; doing so twice changes nothing.

    Raises: OfferClosedError if the offer has ended.
    """
    withdraw_alternative(db, policy, offer.id, alternative.id, by=by, now=now)
