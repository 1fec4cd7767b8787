from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from uuid import uuid4

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from connector.domain.facts import AlternativeWithdrawn, FlagReason, OfferWithdrawn
from connector.domain.offer import (
    Offer,
    OfferState,
    Transition,
    accept,
    cancel_booking,
    discard,
    draft,
    lapse,
    move_alternative,
    reject,
    replaced,
    send,
    withdraw,
    withdraw_alternative,
)
from connector.domain.session import Location, LocationKind, Session, SessionState, cancel
from connector.errors import NotFoundError, OfferClosedError, PastSpanError, RuleError, StaleAnswerError
from tests.domain.examples import ALEX, KIM, NOW, SUPPORT, session, when

DAY = timedelta(hours=24)
SECOND = timedelta(seconds=1)


def sent(*hours: float) -> tuple[Offer, Session]:
    own = session(48)
    alternatives = [(when(h), None) for h in hours or (72, 96, 120)]
    drafted = draft(own, alternatives, window=DAY, by=KIM, now=NOW)
    transition = send(drafted.offer, own, by=KIM, now=NOW)
    return transition.offer, transition.session


def test_a_draft_is_inert() -> None:
    transition = draft(session(), [(when(72), None)], window=DAY, by=KIM, now=NOW)
    assert transition.offer.held == ()
    assert transition.offer.expires_at is None


def test_sending_holds_every_alternative_and_starts_the_clock() -> None:
    offer, _ = sent()
    assert len(offer.held) == 3
    assert offer.expires_at == NOW + DAY


@pytest.mark.parametrize("count", [0, 11])
def test_an_offer_has_one_to_ten_alternatives(count: int) -> None:
    with pytest.raises(RuleError, match="at least one time, and at most 10"):
        draft(session(), [(when(72 + n), None) for n in range(count)], window=DAY, by=KIM, now=NOW)


def test_a_time_offered_twice_is_refused() -> None:
    with pytest.raises(RuleError, match="offered twice"):
        draft(session(), [(when(72), None), (when(72), None)], window=DAY, by=KIM, now=NOW)


def test_the_sessions_own_time_is_no_alternative() -> None:
    with pytest.raises(RuleError, match="own time"):
        draft(session(48), [(when(48), None)], window=DAY, by=KIM, now=NOW)


def test_a_past_alternative_is_refused() -> None:
    with pytest.raises(PastSpanError):
        draft(session(), [(when(-1), None)], window=DAY, by=KIM, now=NOW)


def test_an_alternative_that_has_passed_since_drafting_stops_the_sending() -> None:
    own = session()
    drafted = draft(own, [(when(1), None)], window=DAY, by=KIM, now=NOW).offer
    with pytest.raises(PastSpanError):
        send(drafted, own, by=KIM, now=NOW + timedelta(hours=2))


def test_only_a_draft_can_be_sent_or_discarded_and_what_became_of_it_is_said() -> None:
    offer, own = sent()
    gone = discard(draft(own, [(when(72), None)], window=DAY, by=KIM, now=NOW).offer, own, by=KIM, now=NOW).offer
    for step in (send, discard):
        with pytest.raises(OfferClosedError, match="no longer a draft") as refused:
            step(offer, own, by=KIM, now=NOW)
        assert refused.value.state == OfferState.OPEN
        with pytest.raises(OfferClosedError, match="was never sent") as refused:
            step(gone, own, by=KIM, now=NOW)
        assert refused.value.state == OfferState.DISCARDED


def test_accepting_moves_the_session_and_releases_the_rest() -> None:
    offer, own = sent()
    chosen = offer.alternatives[1]
    transition = accept(offer, own, chosen.id, by=ALEX, now=NOW)
    assert transition.session.when == chosen.when
    assert transition.session.revision == own.revision + 1
    assert transition.offer.held == ()
    assert transition.offer.accepted_id == chosen.id


def test_an_alternative_takes_its_own_place_along() -> None:
    own = session(48)
    there = Location(kind=LocationKind.PHONE, text="We call you")
    drafted = draft(own, [(when(72), there)], window=DAY, by=KIM, now=NOW).offer
    offer = send(drafted, own, by=KIM, now=NOW).offer
    assert accept(offer, own, offer.alternatives[0].id, by=ALEX, now=NOW).session.location == there


def test_an_answer_counts_strictly_before_the_deadline() -> None:
    offer, own = sent()
    chosen = offer.alternatives[0].id
    assert accept(offer, own, chosen, by=ALEX, now=NOW + DAY - SECOND).facts
    with pytest.raises(OfferClosedError) as late:
        accept(offer, own, chosen, by=ALEX, now=NOW + DAY)
    assert late.value.state == OfferState.LAPSED


def test_the_same_answer_again_is_harmless() -> None:
    offer, own = sent()
    first = accept(offer, own, offer.alternatives[0].id, by=ALEX, now=NOW)
    again = accept(first.offer, first.session, offer.alternatives[0].id, by=ALEX, now=NOW)
    assert again.facts == ()
    assert again.session == first.session


def test_a_different_second_answer_is_refused() -> None:
    offer, own = sent()
    first = accept(offer, own, offer.alternatives[0].id, by=ALEX, now=NOW)
    with pytest.raises(OfferClosedError, match="already been answered"):
        accept(first.offer, first.session, offer.alternatives[1].id, by=ALEX, now=NOW)
    with pytest.raises(OfferClosedError):
        reject(first.offer, first.session, by=ALEX, now=NOW)


def test_a_stale_page_accepts_nothing() -> None:
    offer, own = sent()
    target = offer.alternatives[0]
    moved = move_alternative(offer, own, target.id, when(75), by=KIM, now=NOW).offer
    with pytest.raises(StaleAnswerError, match="changed since"):
        accept(moved, own, target.id, by=ALEX, now=NOW, shown=target.when.span.start)
    assert accept(moved, own, target.id, by=ALEX, now=NOW, shown=when(75).span.start).facts


def test_moving_an_alternative_does_not_restart_the_clock() -> None:
    offer, own = sent()
    later = NOW + timedelta(hours=5)
    moved = move_alternative(offer, own, offer.alternatives[0].id, when(75), by=KIM, now=later).offer
    assert moved.expires_at == offer.expires_at


def test_an_alternative_of_another_offer_is_unknown() -> None:
    offer, own = sent()
    with pytest.raises(NotFoundError):
        accept(offer, own, uuid4(), by=ALEX, now=NOW)


def test_an_alternative_that_has_begun_cannot_be_accepted() -> None:
    offer, own = sent(1, 72)
    with pytest.raises(PastSpanError):
        accept(offer, own, offer.alternatives[0].id, by=ALEX, now=NOW + timedelta(hours=1))


def test_rejecting_keeps_the_session_and_flags_it() -> None:
    offer, own = sent()
    transition = reject(offer, own, by=ALEX, now=NOW)
    assert transition.session.when == own.when
    assert transition.session.flag is FlagReason.REJECTED
    assert transition.session.revision == own.revision
    assert transition.offer.held == ()


def test_cancelling_the_booking_ends_the_session() -> None:
    offer, own = sent()
    transition = cancel_booking(offer, own, by=ALEX, now=NOW)
    assert transition.session.state is SessionState.CANCELLED
    assert transition.session.revision == own.revision + 1
    assert transition.offer.state is OfferState.CANCELLED


def test_an_offer_lapses_at_its_deadline_and_not_before() -> None:
    offer, own = sent()
    assert lapse(offer, own, now=NOW + DAY - SECOND).facts == ()
    transition = lapse(offer, own, now=NOW + DAY)
    assert transition.offer.state is OfferState.LAPSED
    assert transition.session.flag is FlagReason.LAPSED
    assert transition.session.when == own.when


@pytest.mark.parametrize("step", ["reject", "withdraw", "cancel", "accept", "lapse", "replace"])
def test_an_offer_that_has_ended_does_not_lapse(step: str) -> None:
    offer, session = sent(72, 96)
    ended = {
        "reject": lambda: reject(offer, session, by=ALEX, now=NOW),
        "withdraw": lambda: withdraw(offer, session, by=KIM, now=NOW),
        "cancel": lambda: cancel_booking(offer, session, by=ALEX, now=NOW),
        "accept": lambda: accept(offer, session, offer.alternatives[0].id, by=ALEX, now=NOW),
        "lapse": lambda: lapse(offer, session, now=NOW + timedelta(hours=24)),
        "replace": lambda: replaced(offer, session, sent(120)[0], by=KIM, now=NOW),
    }[step]()
    again = lapse(ended.offer, ended.session, now=NOW + timedelta(hours=48))
    assert again == Transition(offer=ended.offer, session=ended.session)


@pytest.mark.parametrize("step", ["reject", "withdraw", "cancel", "withdraw one", "move one", "replace"])
def test_nothing_is_done_about_an_offer_that_was_answered_or_whose_time_is_over(step: str) -> None:
    offer, own = sent(72, 96, 120)
    target = offer.alternatives[1].id
    answered = accept(offer, own, offer.alternatives[0].id, by=ALEX, now=NOW)
    steps: dict[str, Callable[[Offer, Session, datetime], Transition]] = {
        "reject": lambda offer, own, now: reject(offer, own, by=ALEX, now=now),
        "withdraw": lambda offer, own, now: withdraw(offer, own, by=KIM, now=now),
        "cancel": lambda offer, own, now: cancel_booking(offer, own, by=ALEX, now=now),
        "withdraw one": lambda offer, own, now: withdraw_alternative(offer, own, target, by=KIM, now=now),
        "move one": lambda offer, own, now: move_alternative(offer, own, target, when(200), by=KIM, now=now),
        "replace": lambda offer, own, now: replaced(offer, own, sent(144)[0], by=KIM, now=now),
    }
    with pytest.raises(OfferClosedError, match="already been answered"):
        steps[step](answered.offer, answered.session, NOW)
    with pytest.raises(OfferClosedError, match="has passed"):
        steps[step](offer, own, NOW + DAY)
    assert steps[step](offer, own, NOW + DAY - SECOND).facts


def test_nothing_is_offered_for_a_session_that_is_cancelled() -> None:
    cancelled = cancel(session(48), by=KIM, now=NOW).session
    with pytest.raises(RuleError, match="cancelled"):
        draft(cancelled, [(when(72), None)], window=timedelta(hours=24), by=KIM, now=NOW)


def test_support_can_accept_after_a_lapse() -> None:
    offer, own = sent()
    lapsed = lapse(offer, own, now=NOW + DAY)
    transition = accept(lapsed.offer, lapsed.session, offer.alternatives[0].id, by=SUPPORT, now=NOW + DAY)
    assert transition.session.when == offer.alternatives[0].when
    assert transition.session.flag is None


def test_a_client_cannot_accept_after_a_lapse() -> None:
    offer, own = sent()
    lapsed = lapse(offer, own, now=NOW + DAY)
    with pytest.raises(OfferClosedError, match="has passed"):
        accept(lapsed.offer, lapsed.session, offer.alternatives[0].id, by=ALEX, now=NOW + DAY)


def test_support_cannot_accept_a_withdrawn_offer() -> None:
    offer, own = sent()
    withdrawal = withdraw(offer, own, by=KIM, now=NOW)
    with pytest.raises(OfferClosedError, match="taken back"):
        accept(withdrawal.offer, withdrawal.session, offer.alternatives[0].id, by=SUPPORT, now=NOW)


def test_taking_back_the_last_alternative_withdraws_the_offer() -> None:
    offer, own = sent(72)
    transition = withdraw_alternative(offer, own, offer.alternatives[0].id, by=KIM, now=NOW)
    assert transition.offer.state is OfferState.WITHDRAWN
    assert [type(fact) for fact in transition.facts] == [AlternativeWithdrawn, OfferWithdrawn]


def test_a_withdrawn_alternative_cannot_be_accepted() -> None:
    offer, own = sent()
    target = offer.alternatives[0]
    rest = withdraw_alternative(offer, own, target.id, by=KIM, now=NOW).offer
    with pytest.raises(RuleError, match="no longer offered"):
        accept(rest, own, target.id, by=ALEX, now=NOW)


def test_twenty_four_hours_are_elapsed_hours_across_the_change_of_clocks() -> None:
    # Sent on Saturday 24 October 2026 at 12:00 in Berlin; the clocks go back that night.
    noon = datetime(2026, 10, 24, 10, 0, tzinfo=UTC)
    own = replace(session(48), created_at=noon)
    drafted = draft(own, [(when(72), None)], window=DAY, by=KIM, now=noon).offer
    assert send(drafted, own, by=KIM, now=noon).offer.expires_at == datetime(2026, 10, 25, 10, 0, tzinfo=UTC)


STEPS = st.lists(
    st.tuples(
        st.sampled_from(
            ["accept", "support", "reject", "cancel", "lapse", "withdraw", "withdraw one", "move one", "wait"]
        ),
        st.integers(min_value=0, max_value=2),
    ),
    max_size=12,
)


@given(STEPS)
@settings(max_examples=300)
def test_any_sequence_of_steps_keeps_the_rules(steps: list[tuple[str, int]]) -> None:
    offer, own = sent()
    now, accepted = NOW, set()
    for step, n in steps:
        target = offer.alternatives[n].id
        calls: dict[str, Callable[[], Transition]] = {
            "accept": partial(accept, offer, own, target, by=ALEX, now=now),
            "support": partial(accept, offer, own, target, by=SUPPORT, now=now),
            "reject": partial(reject, offer, own, by=ALEX, now=now),
            "cancel": partial(cancel_booking, offer, own, by=ALEX, now=now),
            "lapse": partial(lapse, offer, own, now=now),
            "withdraw": partial(withdraw, offer, own, by=KIM, now=now),
            "withdraw one": partial(withdraw_alternative, offer, own, target, by=KIM, now=now),
            "move one": partial(move_alternative, offer, own, target, when(200 + n), by=KIM, now=now),
        }
        if step == "wait":
            now += timedelta(hours=10)
            continue
        before, was = own, offer
        try:
            transition = calls[step]()
        except RuleError:
            continue
        offer, own = transition.offer, transition.session
        assert own.revision >= before.revision
        assert (own.uid, own.id, own.organizer) == (before.uid, before.id, before.organizer)
        assert own.stamp >= before.stamp
        assert bool(transition.facts) == ((offer, own) != (was, before))
        if offer.accepted_id:
            accepted.add(offer.accepted_id)
            assert own.when == offer.alternative(offer.accepted_id).when
        if offer.state is not OfferState.OPEN:
            assert offer.held == ()
            assert offer.ended_at is not None
        assert all(not alternative.withdrawn for alternative in offer.held)
    assert len(accepted) <= 1
