"""A client answers an offer, or support does for them: one answer wins, in time and from a page that is not stale."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connector.domain.connection import Calendar
from connector.domain.facts import FlagReason
from connector.domain.notice import NoticeKind
from connector.domain.offer import OfferState
from connector.domain.session import SessionState
from connector.errors import OfferClosedError, RuleError, StaleAnswerError, TimeTakenError
from connector.services.scheduling import answers
from connector.services.scheduling.offers import move_alternative
from connector.storage.seal import Seal
from tests.domain.examples import KIM, SUPPORT, when
from tests.services.connected import read_free_busy, remote
from tests.services.practice import Practice

DAY = timedelta(hours=24)


def test_accepting_moves_the_session_and_frees_everything_else(practice: Practice) -> None:
    booked = practice.book()
    offer = practice.offer(booked)
    practice.accept(offer, 1)
    session = practice.session(booked)
    assert (session.id, session.uid, session.revision) == (booked.id, booked.uid, 1)
    assert session.when == offer.alternatives[1].when
    assert practice.kept() == [(session.when.span.start, session.when.span.end, "booked")]
    assert practice.kinds_told(booked, client=True) == ["booked", "offered", "accepted"]
    assert practice.kinds_told(booked, client=False) == ["client_accepted"]


def test_the_original_time_is_free_again_after_an_accept(practice: Practice) -> None:
    practice.accept(practice.offer(practice.book(48)), 0)
    practice.book(48, of=practice.another_client())


def test_repeating_the_answer_is_harmless_and_tells_nobody_again(practice: Practice) -> None:
    booked = practice.book()
    offer = practice.offer(booked)
    practice.accept(offer, 1)
    practice.accept(offer, 1)
    assert practice.kinds_told(booked, client=True).count("accepted") == 1
    with pytest.raises(OfferClosedError):
        practice.accept(offer, 0)


def test_a_late_answer_is_refused_and_changes_nothing(practice: Practice) -> None:
    booked = practice.book()
    offer = practice.offer(booked)
    practice.wait(hours=24)
    with pytest.raises(OfferClosedError, match="has passed"):
        practice.accept(offer, 0)
    assert practice.session(booked).when == booked.when


def test_a_stale_page_accepts_nothing(practice: Practice) -> None:
    booked = practice.book()
    offer = practice.offer(booked)
    with practice.database.begin() as db:
        move_alternative(db, practice.policy, offer.id, offer.alternatives[0].id, when(75), by=KIM, now=practice.now)
    with pytest.raises(StaleAnswerError):
        practice.accept(offer, 0, shown=offer.alternatives[0].when.span.start)
    assert practice.session(booked) == booked
    assert practice.kinds_told(booked, client=True)[-1] == "offer_changed"


def test_rejecting_releases_and_flags(practice: Practice) -> None:
    booked = practice.book()
    practice.reject(practice.offer(booked))
    assert practice.session(booked).flag is FlagReason.REJECTED
    assert len(practice.kept()) == 1
    assert practice.kinds_told(booked, client=False) == ["client_rejected"]


def test_cancelling_the_booking_ends_it_and_tells_both(practice: Practice) -> None:
    booked = practice.book()
    practice.cancel_booking(practice.offer(booked))
    assert practice.session(booked).state is SessionState.CANCELLED
    assert practice.kept() == []
    assert practice.kinds_told(booked, client=True)[-1] == "cancelled"
    assert practice.kinds_told(booked, client=False) == ["client_cancelled"]


def test_support_accepts_after_a_lapse_while_the_time_is_free(practice: Practice) -> None:
    booked = practice.book()
    offer = practice.offer(booked)
    practice.wait(hours=25)
    practice.come_due(offer)
    practice.accept(offer, 0, by=SUPPORT)
    assert practice.session(booked).when == offer.alternatives[0].when
    assert practice.session(booked).flag is None
    last = practice.told(booked, client=True)[-1].notice
    assert last.kind is NoticeKind.ACCEPTED
    assert last.by_support


@pytest.mark.parametrize("late", [timedelta(), timedelta(hours=1)])
def test_support_accepting_once_the_deadline_has_come_tells_nobody_of_a_lapse(
    practice: Practice, late: timedelta
) -> None:
    booked = practice.book()
    offer = practice.offer(booked)
    practice.now += DAY + late
    practice.accept(offer, 0, by=SUPPORT)
    assert practice.offer_now(offer).state is OfferState.ACCEPTED
    assert practice.kinds_told(booked, client=True) == ["booked", "offered", "accepted"]
    assert practice.kinds_told(booked, client=False) == ["client_accepted"]


def test_support_cannot_take_a_time_that_somebody_has_by_now(practice: Practice) -> None:
    booked = practice.book()
    offer = practice.offer(booked)
    practice.wait(hours=25)
    practice.book(72, of=practice.another_client())
    with pytest.raises(TimeTakenError):
        practice.accept(offer, 0, by=SUPPORT)
    assert practice.session(booked).when == booked.when


def test_an_answer_link_leads_to_its_offer_and_expires_after_ninety_days(practice: Practice) -> None:
    seal = Seal(["k" * 32])
    offer = practice.offer(practice.book())
    token = seal.token(answers.PURPOSE, offer.id)
    with practice.database.read() as db:
        assert answers.find(db, seal, token, now=practice.now).id == offer.id
    practice.withdraw(offer)
    practice.wait(days=89)
    with practice.database.read() as db:
        assert answers.find(db, seal, token, now=practice.now).state is OfferState.WITHDRAWN
    practice.wait(days=1)
    with practice.database.read() as db, pytest.raises(RuleError, match="expired"):
        answers.find(db, seal, token, now=practice.now)


def test_a_link_survives_a_new_key_and_a_forged_one_opens_nothing(practice: Practice) -> None:
    offer = practice.offer(practice.book())
    token = Seal(["old" * 16]).token(answers.PURPOSE, offer.id)
    rotated = Seal(["new" * 16, "old" * 16])
    with practice.database.read() as db:
        assert answers.find(db, rotated, token, now=practice.now).id == offer.id
        for forged in (token[:-1], token + "x", "", "x" * 80, Seal(["bad" * 16]).token(answers.PURPOSE, offer.id)):
            with pytest.raises(RuleError, match="link"):
                answers.find(db, rotated, forged, now=practice.now)


def test_a_link_for_signing_in_answers_nothing(practice: Practice) -> None:
    seal = Seal(["k" * 32])
    offer = practice.offer(practice.book())
    with practice.database.read() as db, pytest.raises(RuleError):
        answers.find(db, seal, seal.token("sign-in", offer.id), now=practice.now)


def test_an_accepted_time_in_conflict_is_accepted_and_warned_of(practice: Practice, private: Calendar) -> None:
    booked = practice.book(48)
    offer = practice.offer(booked, 72, 96)
    remote(practice, "private").add_foreign(when(72).span)
    read_free_busy(practice, private)
    practice.accept(offer, 0)
    assert practice.session(booked).when == when(72)
    assert practice.told(booked, client=False)[-1].notice.about == "Private"


def test_an_installation_may_refuse_a_time_in_conflict_but_not_to_support(
    practice: Practice, private: Calendar
) -> None:
    practice.policy = replace(practice.policy, refuse_conflicts=True)
    booked = practice.book(48)
    offer = practice.offer(booked, 72, 96)
    remote(practice, "private").add_foreign(when(72).span)
    read_free_busy(practice, private)
    with pytest.raises(TimeTakenError):
        practice.accept(offer, 0)
    assert practice.offer_now(offer).state is OfferState.OPEN
    assert practice.session(booked) == booked
    practice.accept(offer, 0, by=SUPPORT)
    assert practice.session(booked).when == when(72)
