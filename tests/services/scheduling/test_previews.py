"""What a preview says is what sending does; and it does nothing itself."""

from __future__ import annotations

from datetime import datetime
from uuid import uuid4

import pytest

from connector.domain.connection import Calendar
from connector.domain.notice import PauseReason
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Medium
from connector.errors import NotFoundError, OfferClosedError, RuleError
from connector.services.scheduling import previews
from connector.services.scheduling.previews import Preview
from connector.services.sync import breaker
from connector.storage.database import Database
from tests.counting import statements
from tests.domain.examples import KIM, client, when
from tests.services.connected import remote
from tests.services.practice import Practice
from tests.services.scheduling.test_conflicts import read_now


def preview(practice: Practice, offer: Offer) -> Preview:
    with practice.database.read() as db:
        return previews.preview(db, practice.policy, offer.id, by=KIM, now=practice.now)


def held(practice: Practice, offer: Offer) -> list[tuple[datetime, datetime]]:
    return sorted((start, end) for start, end, state in practice.kept(offer.session_id) if state == "held")


def test_what_is_previewed_is_what_is_sent(practice: Practice, calendar: Calendar, private: Calendar) -> None:
    remote(practice, "private").add_foreign(when(96.5).span)
    booked = practice.book(48)
    earlier = practice.offer(booked, 200)
    draft = practice.draft(booked, 72, 96, 200)
    read_now(practice, when(200))
    seen = preview(practice, draft)
    sent = practice.send(draft)
    assert seen.refusals == ()
    assert seen.offer == sent.offer
    assert seen.offer.expires_at == practice.now + practice.policy.window
    assert sorted((hold.span.start, hold.span.end) for hold in seen.holds) == held(practice, draft)
    assert seen.warnings == sent.warnings != ()
    assert [other.calendar for _, other in seen.findings.standing] == [private.name]
    assert seen.replaces == earlier.id
    assert practice.offer_now(earlier).state is OfferState.REPLACED
    assert seen.media == (Medium.EMAIL,)
    assert seen.client == practice.alex
    assert [one.id for one in seen.calendars] == [calendar.id]


def test_the_buffer_is_part_of_what_would_be_held(database: Database) -> None:
    practice = Practice(database, buffer=15)
    draft = practice.draft(practice.book(48), 72)
    (hold,) = preview(practice, draft).holds
    assert hold.span.end - hold.alternative.when.span.end == practice.kim.buffer
    practice.send(draft)
    assert held(practice, draft) == [(hold.span.start, hold.span.end)]


@pytest.mark.usefixtures("calendar")
def test_a_preview_sends_the_database_nothing_but_questions(practice: Practice) -> None:
    other = practice.offer(practice.book(60, of=practice.another_client()), 130)
    draft = practice.draft(practice.book(48))
    assert other.expires_at is not None
    practice.now = other.expires_at
    with statements() as sent:
        preview(practice, draft)
    assert sent
    assert [statement for statement in sent if not statement.startswith("SELECT")] == []
    assert practice.offer_now(draft).state is OfferState.DRAFT


def test_every_reason_not_to_send_is_said_and_sending_is_refused_for_one_of_them(practice: Practice) -> None:
    booked = practice.book(48, of=practice.another_client(client(email="")))
    draft = practice.draft(booked, 72, 96)
    practice.book(72, of=practice.alex)
    practice.book(96, of=practice.alex)
    codes = [error.code for error in preview(practice, draft).refusals]
    assert codes == ["client_unreachable", "alternative_overlaps", "alternative_overlaps"]
    with pytest.raises(RuleError) as refused:
        practice.send(draft)
    assert refused.value.code in codes


def test_a_stopped_calendar_and_a_time_that_has_passed_are_said(practice: Practice, calendar: Calendar) -> None:
    draft = practice.draft(practice.book(48), 72)
    with practice.database.begin() as db:
        breaker.pause(db, practice.policy, calendar, PauseReason.EMPTIED, now=practice.now)
    practice.wait(hours=73)
    seen = preview(practice, draft)
    assert seen.offer.state is OfferState.DRAFT
    assert seen.holds == ()
    assert len(seen.refusals) == 2


def test_what_an_overdue_offer_holds_is_in_nobodys_way(practice: Practice) -> None:
    booked = practice.book(48)
    draft = practice.draft(booked, 130)
    other = practice.offer(practice.book(60, of=practice.another_client()), 130)
    assert [error.code for error in preview(practice, draft).refusals] == ["alternative_overlaps"]
    assert other.expires_at is not None
    practice.now = other.expires_at
    assert preview(practice, draft).refusals == ()
    practice.send(draft)


def test_an_own_offer_that_is_overdue_is_not_replaced(practice: Practice) -> None:
    booked = practice.book(148)
    earlier = practice.offer(booked, 130)
    draft = practice.draft(booked, 135)
    assert earlier.expires_at is not None
    practice.now = earlier.expires_at
    assert preview(practice, draft).replaces is None
    practice.send(draft)
    assert practice.offer_now(earlier).state is OfferState.LAPSED


def test_only_a_draft_is_previewed(practice: Practice) -> None:
    offer = practice.offer(practice.book(48), 72)
    with pytest.raises(OfferClosedError):
        preview(practice, offer)
    with pytest.raises(NotFoundError), practice.database.read() as db:
        previews.preview(db, practice.policy, uuid4(), by=KIM, now=practice.now)
