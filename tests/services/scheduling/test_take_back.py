"""An offered time at which something else stands is told once, and taken back by the link in that letter."""

from __future__ import annotations

import pytest

from connector.domain.connection import Calendar
from connector.errors import NotFoundError
from connector.services.scheduling.take_back import PURPOSE, find, take_back
from tests.domain.examples import KIM, when
from tests.services.connected import conflicts, read_free_busy, remote, work
from tests.services.practice import SEAL, Practice


def test_a_conflict_with_an_open_offer_is_told_once_with_a_way_to_take_it_back(
    practice: Practice, calendar: Calendar, private: Calendar
) -> None:
    booked = practice.book(48)
    offer = practice.offer(booked, 72, 96)
    work(practice, calendar)
    read_free_busy(practice, private)
    assert practice.kinds_told(booked, client=False) == []
    remote(practice, "private").add_foreign(when(72.5).span)
    read_free_busy(practice, private)
    practice.wait(seconds=30)
    read_free_busy(practice, private)
    (message,) = practice.told(booked, client=False)
    assert (message.kind.value, message.notice.about, message.notice.choices[0].when) == (
        "clash_found",
        "Private",
        when(72),
    )
    assert conflicts(practice, 72) == ("Private",)
    token = SEAL.token(PURPOSE, message.notice.alternative_id or offer.id)
    with practice.database.begin() as db:
        conflicting_offer, alternative = find(db, SEAL, token, now=practice.now)
        take_back(db, practice.policy, conflicting_offer, alternative, by=KIM, now=practice.now)
    assert [a.when for a in practice.offer_now(offer).standing] == [when(96)]
    assert practice.kinds_told(booked, client=True)[-1] == "offer_changed"


def test_a_link_to_take_back_ends_ninety_days_after_the_offer(practice: Practice) -> None:
    offer = practice.offer(practice.book(48), 72)
    practice.withdraw(offer)
    token = SEAL.token(PURPOSE, offer.alternatives[0].id)
    practice.wait(days=89)
    with practice.database.read() as db:
        assert find(db, SEAL, token, now=practice.now)[0].id == offer.id
    practice.wait(days=2)
    with practice.database.read() as db, pytest.raises(NotFoundError):
        find(db, SEAL, token, now=practice.now)
