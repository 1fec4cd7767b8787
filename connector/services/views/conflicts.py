"""What a practitioner sees of an offered time at which something else stands."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from connector.domain.offer import Alternative, Offer, OfferState
from connector.domain.people import Client, Practitioner
from connector.domain.session import Session
from connector.services.scheduling.take_back import find
from connector.services.sync import free_busy
from connector.services.views.offers import state_now
from connector.storage import people, sessions
from connector.storage.seal import Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictPage:
    """What a practitioner sees of an offered time that is no longer free.

    Attributes:
        state: Of the offer, as of now.
        conflicts: The names of the calendars in which something else stands at that time.
    """

    offer: Offer
    alternative: Alternative
    state: OfferState
    session: Session
    client: Client
    practitioner: Practitioner
    conflicts: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        """Whether this time can still be chosen, and so be taken back."""
        return self.state is OfferState.OPEN and not self.alternative.withdrawn

    @property
    def is_last(self) -> bool:
        """Whether the offer ends with it."""
        return len(self.offer.standing) == 1


def conflict_page(db: Connection, seal: Seal, token: str, *, now: datetime) -> ConflictPage:
    """Return what the link in the letter about a conflict shows.

    Raises: NotFoundError if the link is none of ours, or the offer ended more than 90 days ago.
    """
    offer, alternative = find(db, seal, token, now=now)
    session = sessions.get(db, offer.session_id)
    return ConflictPage(
        offer=offer,
        alternative=alternative,
        state=state_now(offer, now),
        session=session,
        client=people.client(db, session.client_id),
        practitioner=people.practitioner(db, offer.practitioner_id),
        conflicts=free_busy.conflicts(db, offer.practitioner_id, alternative.when.span),
    )
