"""Offers for programs: page by page from an index, as of now."""

from __future__ import annotations

from uuid import uuid4

import pytest

from connector.domain.offer import Offer, OfferState
from connector.services.views.offered import listed
from tests.counting import statements
from tests.services.practice import Practice
from tests.services.views.test_sought import explained


@pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("own", "index"), [(False, "ix_offers_drafted_at_id"), (True, "ix_offers_practitioner_id_drafted_at_id")]
)
def test_a_page_goes_on_from_its_place_in_an_index_and_nothing_is_sorted(
    practice: Practice, *, own: bool, index: str
) -> None:
    practitioner_id = practice.kim.id if own else None
    with practice.database.read() as db, explained(db) as plans:
        place = (practice.now, uuid4())
        listed(db, practitioner_id=practitioner_id, after=place, most=50, now=practice.now)
    (plan,) = plans
    assert index in plan
    assert "TEMP B-TREE" not in plan


def test_the_newest_come_first_and_each_page_goes_on_where_the_last_ended(practice: Practice) -> None:
    practice.prompt = False
    booked = practice.book()
    made: list[Offer] = []
    for minute in (0, 0, 1, 2):
        practice.wait(minutes=minute)
        made.append(practice.draft(booked, 72 + len(made)))
    with practice.database.read() as db, statements() as asked:
        first = listed(db, most=3, now=practice.now)
    assert len(asked) == 2
    with practice.database.read() as db:
        rest = listed(db, most=3, after=(first[-1].drafted_at, first[-1].id), now=practice.now)
    assert [one.id for one in first[:2]] == [made[3].id, made[2].id]
    assert {one.id for one in (first[2], *rest)} == {made[0].id, made[1].id}


def test_an_offer_is_listed_as_what_it_is_by_now(practice: Practice) -> None:
    offer = practice.offer(practice.book(), 72)
    assert offer.expires_at is not None
    for now, state, other in (
        (practice.now, OfferState.OPEN, OfferState.LAPSED),
        (offer.expires_at, OfferState.LAPSED, OfferState.OPEN),
    ):
        with practice.database.read() as db:
            (found,) = listed(db, state=state, most=9, now=now)
            assert listed(db, state=other, most=9, now=now) == []
        assert found.state is state
