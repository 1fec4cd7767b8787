from __future__ import annotations

from datetime import timedelta

from connector.domain.offer import OfferState
from connector.services.views.offers import is_open, state_now
from tests.services.practice import Practice


def test_an_offer_is_lapsed_from_its_deadline_on(practice: Practice) -> None:
    offer = practice.offer(practice.book())
    assert offer.expires_at is not None
    before, at = offer.expires_at - timedelta(seconds=1), offer.expires_at
    assert (state_now(offer, before), is_open(offer, before)) == (OfferState.OPEN, True)
    assert (state_now(offer, at), is_open(offer, at)) == (OfferState.LAPSED, False)


def test_a_draft_never_lapses(practice: Practice) -> None:
    draft = practice.draft(practice.book())
    assert state_now(draft, practice.now + timedelta(days=365)) is OfferState.DRAFT


def test_an_answered_offer_stays_what_it_is_at_its_deadline(practice: Practice) -> None:
    offer = practice.offer(practice.book())
    assert offer.expires_at is not None
    assert state_now(practice.reject(offer), offer.expires_at) is OfferState.REJECTED
