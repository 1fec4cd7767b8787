from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import uuid4

import pytest

from connector.domain.connection import Calendar, Connection, ConnectionState, TroubleKind
from connector.domain.entry import Disclosure
from connector.domain.facts import AccessLost, FlagReason, OfferLapsed
from connector.domain.notice import PauseReason
from connector.domain.offer import Offer, OfferState
from connector.domain.people import CLOCK, Level
from connector.errors import OfferClosedError, PastSpanError, RuleError, TimeTakenError
from connector.sentence import Sentence
from connector.services.accounts import connect
from connector.services.scheduling import offers as offer_service
from connector.services.scheduling.offers import move_alternative, withdraw_alternative
from connector.services.sync import breaker
from connector.storage import calendars, ledger, offers, tables, troubles
from connector.storage.database import Database
from connector.storage.ledger import Kind
from tests.domain.examples import KIM, NOW, client, when
from tests.services.practice import Practice

DAY = timedelta(hours=24)


def connected(practice: Practice, *, lost: bool = False) -> Calendar:
    """A calendar row, as connecting leaves it."""
    connection = Connection(
        id=uuid4(),
        practitioner_id=practice.kim.id,
        provider="memory",
        label="Kim's calendar",
        credentials=b"sealed",
        state=ConnectionState.OK,
        created_at=NOW,
    )
    calendar = Calendar(
        id=uuid4(),
        connection_id=connection.id,
        practitioner_id=practice.kim.id,
        remote_id="work",
        name="Work",
        disclosure=Disclosure(session_level=Level.INITIALS, hold_level=Level.INITIALS),
        lane="memory",
    )
    with practice.database.begin() as db:
        calendars.add_connection(db, connection)
        calendars.add_calendar(db, calendar, now=NOW)
        if lost:
            connect.note_access_lost(db, connection.id, now=NOW)
    return calendar


def due(practice: Practice) -> set[str]:
    far = practice.now + timedelta(days=60)
    return {f"{key.kind}" for key in ledger.due_keys(practice.database, far, seats=1000)}


def test_a_draft_holds_nothing_tells_nobody_and_has_no_deadline(practice: Practice) -> None:
    connected(practice)
    booked = practice.book()
    before = practice.kept()
    draft = practice.draft(booked)
    assert practice.kept() == before
    assert practice.kinds_told(booked, client=True) == ["booked"]
    assert draft.expires_at is None


def test_a_draft_makes_no_calendar_due(practice: Practice) -> None:
    booked = practice.book()
    calendar = connected(practice)
    practice.draft(booked)
    due_now = {key.id for key in ledger.due_keys(practice.database, practice.now)}
    assert str(calendar.id) not in due_now


def test_an_unsent_draft_is_reminded_of_once(practice: Practice) -> None:
    booked = practice.book()
    draft = practice.draft(booked)
    assert practice.come_due(draft) == practice.now + practice.policy.draft_reminder
    practice.wait(hours=4)
    assert practice.come_due(draft) is None
    assert practice.kinds_told(booked, client=False) == ["draft_waiting"]


def test_a_new_draft_takes_the_place_of_the_old_one(practice: Practice) -> None:
    booked = practice.book()
    first = practice.draft(booked)
    second = practice.draft(booked, 200)
    assert practice.offer_now(first).state is OfferState.DISCARDED
    assert practice.offer_now(second).state is OfferState.DRAFT


def test_a_draft_gives_way_to_another_only_if_that_is_said(practice: Practice) -> None:
    booked = practice.book()
    first = practice.draft(booked)
    with pytest.raises(RuleError) as refused, practice.database.begin() as db:
        offer_service.draft(
            db, practice.policy, booked.id, [(when(200), None)], by=KIM, now=practice.now, instead=False
        )
    assert refused.value.code == "draft_exists_already"
    assert practice.offer_now(first) == first


def redraft(practice: Practice, offer: Offer, *hours: float, window: timedelta | None = None) -> Offer:
    choices = [(when(h), None) for h in hours]
    with practice.database.begin() as db:
        return offer_service.redraft(db, practice.policy, offer.id, choices, by=KIM, now=practice.now, window=window)


def test_a_draft_is_changed_and_stays_the_same_draft(practice: Practice) -> None:
    draft = practice.draft(practice.book(), 72, 96)
    changed = redraft(practice, draft, 96, 120, window=timedelta(hours=2))
    assert practice.offer_now(draft) == changed
    assert (changed.id, changed.window, changed.state) == (draft.id, timedelta(hours=2), OfferState.DRAFT)
    assert changed.alternatives[0] == draft.alternatives[1]
    assert changed.alternatives[1].when == when(120)
    assert len(practice.kept()) == 1


def test_a_draft_that_is_changed_into_itself_stays_as_it_is(practice: Practice) -> None:
    booked = practice.book()
    draft = practice.draft(booked, 72, 96)
    assert redraft(practice, draft, 72, 96) == draft
    assert practice.happened(booked).count("OfferDrafted") == 1


def test_only_a_draft_is_changed_and_only_into_what_can_be_offered(practice: Practice) -> None:
    practice.book(100, of=practice.another_client())
    draft = practice.draft(practice.book(), 72)
    with pytest.raises(TimeTakenError):
        redraft(practice, draft, 100)
    with pytest.raises(RuleError, match="at least one time"):
        redraft(practice, draft)
    practice.send(draft)
    with pytest.raises(OfferClosedError):
        redraft(practice, draft, 96)


def test_an_open_offer_is_replaced_in_one_act(practice: Practice) -> None:
    booked = practice.book()
    earlier = practice.offer(booked, 72, 96)
    choices = [(when(96), None), (when(120), None)]
    with practice.database.begin() as db:
        sent = offer_service.send_instead(db, practice.policy, earlier.id, choices, by=KIM, now=practice.now)
    assert practice.offer_now(earlier).state is OfferState.REPLACED
    assert practice.offer_now(sent.offer).state is OfferState.OPEN
    assert len(practice.kept(booked.id)) == 3
    with pytest.raises(OfferClosedError), practice.database.begin() as db:
        offer_service.send_instead(db, practice.policy, earlier.id, choices, by=KIM, now=practice.now)


def test_a_draft_that_overlaps_another_session_is_refused(practice: Practice) -> None:
    booked = practice.book(48)
    practice.book(72, of=practice.another_client())
    with pytest.raises(TimeTakenError, match="overlaps another session"):
        practice.draft(booked, 72.5)


def test_alternatives_may_overlap_each_other_and_the_sessions_own_time(practice: Practice) -> None:
    booked = practice.book(48)
    offer = practice.offer(booked, 48.25, 48.5, 72, 72.25)
    assert len(practice.kept(booked.id)) == 5
    assert practice.accept(offer, 1).state is OfferState.ACCEPTED


def test_sending_holds_everything_and_asks_the_client(practice: Practice) -> None:
    booked = practice.book()
    offer = practice.offer(booked)
    assert [state for _, _, state in practice.kept()] == ["booked", "held", "held", "held"]
    assert practice.kinds_told(booked, client=True) == ["booked", "offered"]
    notice = practice.told(booked, client=True)[-1].notice
    assert len(notice.choices) == 3
    assert notice.expires_at == practice.now + DAY == offer.expires_at


def test_held_time_cannot_be_booked_or_offered_to_anybody_else(practice: Practice) -> None:
    practice.offer(practice.book(48), 72)
    other = practice.another_client()
    with pytest.raises(TimeTakenError):
        practice.book(72.5, of=other)
    with pytest.raises(TimeTakenError):
        practice.draft(practice.book(60, of=other), 72)


def test_a_time_taken_since_the_draft_stops_the_whole_sending(practice: Practice) -> None:
    booked = practice.book(48)
    draft = practice.draft(booked, 72, 96)
    practice.book(96, of=practice.another_client())
    with pytest.raises(TimeTakenError):
        practice.send(draft)
    assert practice.offer_now(draft).state is OfferState.DRAFT
    assert len(practice.kept(booked.id)) == 1
    assert practice.kinds_told(booked, client=True) == ["booked"]


def test_a_client_who_cannot_be_reached_is_not_offered_anything(practice: Practice) -> None:
    booked = practice.book(of=practice.another_client(client(email="")))
    draft = practice.draft(booked)
    with pytest.raises(RuleError, match="No time is held"):
        practice.send(draft)
    assert len(practice.kept()) == 1


def test_a_calendar_that_lost_its_access_stops_the_sending_and_says_how_to_reconnect(practice: Practice) -> None:
    draft = practice.draft(practice.book())
    connected(practice, lost=True)
    with pytest.raises(RuleError, match="Reconnect it first"):
        practice.send(draft)
    assert len(practice.kept()) == 1


def test_a_paused_calendar_stops_the_sending_and_says_so(practice: Practice) -> None:
    draft = practice.draft(practice.book())
    calendar = connected(practice)
    with practice.database.begin() as db:
        breaker.pause(db, practice.policy, calendar, PauseReason.EMPTIED, now=NOW)
    with pytest.raises(RuleError, match="was stopped because it looks wrong"):
        practice.send(draft)
    assert practice.offer_now(draft).state is OfferState.DRAFT
    assert len(practice.kept()) == 1


def test_the_operator_who_is_told_of_a_paused_calendar_is_no_client(practice: Practice) -> None:
    """Else a refusal of that mail would be told to the practitioner as one of their client's."""
    practice.policy = replace(practice.policy, operator="operator@sessions.example.org")
    calendar = connected(practice)
    with practice.database.begin() as db:
        breaker.pause(db, practice.policy, calendar, PauseReason.EMPTIED, now=NOW)
    practice.mail()
    with practice.database.read() as db:
        to_client = {row.kind: row.to_client for row in db.execute(tables.messages.select())}
    assert to_client == {"calendar_stopped": False, "operator_stopped": False}


def test_nothing_is_offered_for_a_session_that_is_cancelled(practice: Practice) -> None:
    booked = practice.book()
    practice.cancel(booked)
    with pytest.raises(RuleError, match="cancelled"):
        practice.draft(booked)
    with practice.database.read() as db:
        assert offers.of_session(db, booked.id) == []


def test_without_a_calendar_it_is_sent_with_a_warning(practice: Practice) -> None:
    sending = practice.send(practice.draft(practice.book()))
    assert "No calendar is connected" in str(sending.warnings[0])


def test_a_passing_outage_is_sent_with_a_warning(practice: Practice) -> None:
    calendar = connected(practice)
    with practice.database.begin() as db:
        troubles.note_write(db, calendar.id, Sentence("the server does not answer"), kind=TroubleKind.OUTAGE, now=NOW)
    sending = practice.send(practice.draft(practice.book()))
    assert "cannot be reached at the moment" in str(sending.warnings[0])


def test_at_the_deadline_holds_are_released_and_both_are_told(practice: Practice) -> None:
    booked = practice.book()
    offer = practice.offer(booked, window=timedelta(hours=2))
    practice.wait(hours=1, minutes=59)
    assert practice.come_due(offer) == offer.expires_at
    practice.wait(minutes=1)
    assert practice.come_due(offer) is None
    assert practice.offer_now(offer).state is OfferState.LAPSED
    assert practice.session(booked).flag is FlagReason.LAPSED
    assert practice.session(booked).when == booked.when
    assert len(practice.kept()) == 1
    assert practice.kinds_told(booked, client=True)[-1] == "lapsed"
    assert practice.kinds_told(booked, client=False)[-1] == "offer_lapsed"


def test_an_offer_lapses_at_its_deadline_by_itself_with_no_calendar_to_look_at(practice: Practice) -> None:
    booked = practice.book()
    offer = practice.offer(booked, window=timedelta(hours=2))
    practice.wait(hours=1, minutes=59)
    practice.carry_out(Kind.OFFER)
    assert practice.offer_now(offer).state is OfferState.OPEN
    practice.wait(minutes=1)
    practice.carry_out(Kind.OFFER)
    assert practice.offer_now(offer).state is OfferState.LAPSED
    assert practice.kinds_told(booked, client=True)[-1] == "lapsed"


def test_an_unsent_draft_is_reminded_of_by_itself(practice: Practice) -> None:
    booked = practice.book()
    practice.draft(booked)
    practice.wait(hours=4)
    practice.carry_out(Kind.OFFER)
    practice.wait(days=2)
    practice.carry_out(Kind.OFFER)
    assert practice.kinds_told(booked, client=False) == ["draft_waiting"]


def test_booking_frees_overdue_holds_by_itself(practice: Practice) -> None:
    offer = practice.offer(practice.book(48), 72)
    practice.wait(hours=24)
    practice.book(72, of=practice.another_client())
    assert practice.offer_now(offer).state is OfferState.LAPSED


def test_withdrawing_ends_it_and_old_links_change_nothing(practice: Practice) -> None:
    booked = practice.book()
    offer = practice.offer(booked)
    practice.withdraw(offer)
    with pytest.raises(OfferClosedError, match="taken back"):
        practice.accept(offer, 0)
    assert len(practice.kept()) == 1
    assert practice.kinds_told(booked, client=True)[-1] == "withdrawn"


def test_one_alternative_taken_back_frees_only_that_one(practice: Practice) -> None:
    booked = practice.book()
    offer = practice.offer(booked)
    for n in (0, 1):
        with practice.database.begin() as db:
            withdraw_alternative(db, practice.policy, offer.id, offer.alternatives[n].id, by=KIM, now=practice.now)
        practice.mail()
    assert len(practice.kept()) == 2
    assert practice.kinds_told(booked, client=True)[-2:] == ["offer_changed", "offer_changed"]


def test_replacing_swaps_the_holds_without_a_gap(practice: Practice) -> None:
    booked = practice.book()
    first = practice.offer(booked, 72, 96)
    second = practice.offer(booked, 96, 120)
    assert practice.offer_now(first).state is OfferState.REPLACED
    assert {start for start, _, state in practice.kept() if state == "held"} == {
        when(96).span.start,
        when(120).span.start,
    }
    with pytest.raises(OfferClosedError, match="replaced"):
        practice.accept(first, 0)
    assert practice.accept(second, 0).state is OfferState.ACCEPTED
    assert practice.kinds_told(booked, client=True) == ["booked", "offered", "offered", "accepted"]


def test_moving_an_alternative_holds_its_new_time_instead_and_tells_the_client(practice: Practice) -> None:
    booked = practice.book(48)
    offer = practice.offer(booked, 72)
    alternative_id = offer.alternatives[0].id
    with practice.database.begin() as db:
        moved = move_alternative(db, practice.policy, offer.id, alternative_id, when(96), by=KIM, now=practice.now)
    assert moved == practice.offer_now(offer)
    assert [a.when for a in moved.standing] == [when(96)]
    assert {start for start, _, state in practice.kept() if state == "held"} == {when(96).span.start}
    assert practice.kinds_told(booked, client=True)[-1] == "offer_changed"


def test_moving_an_alternative_onto_somebody_else_is_refused(practice: Practice) -> None:
    offer = practice.offer(practice.book(48), 72)
    practice.book(96, of=practice.another_client())
    with pytest.raises(TimeTakenError), practice.database.begin() as db:
        move_alternative(db, practice.policy, offer.id, offer.alternatives[0].id, when(96), by=KIM, now=practice.now)


def test_moving_an_alternative_into_the_past_is_refused(practice: Practice) -> None:
    offer = practice.offer(practice.book(48), 72)
    with pytest.raises(PastSpanError), practice.database.begin() as db:
        move_alternative(db, practice.policy, offer.id, offer.alternatives[0].id, when(-1), by=KIM, now=practice.now)


def test_lost_access_is_told_once(practice: Practice) -> None:
    calendar = connected(practice)
    for _ in range(3):
        with practice.database.begin() as db:
            connect.note_access_lost(db, calendar.connection_id, now=NOW)
    with practice.database.read() as db:
        from connector.storage import timeline  # noqa: PLC0415

        kinds = [type(fact) for fact in timeline.of_connection(db, calendar.connection_id)]
    assert kinds == [AccessLost]


def test_the_clock_is_named_as_who_ended_an_offer(database: Database) -> None:
    practice = Practice(database)
    booked = practice.book()
    offer = practice.offer(booked)
    practice.wait(hours=24)
    practice.come_due(offer)
    with database.read() as db:
        from connector.storage import timeline  # noqa: PLC0415

        lapsed = [fact for fact in timeline.of_session(db, booked.id) if isinstance(fact, OfferLapsed)]
    assert [fact.by for fact in lapsed] == [CLOCK]


def test_a_time_that_begins_at_the_deadline_can_be_chosen_to_the_end(practice: Practice) -> None:
    connected(practice)
    at_the_deadline = practice.draft(practice.book(48), 72, window=timedelta(hours=72))
    assert not [words for words in practice.send(at_the_deadline).warnings if "deadline" in str(words)]
    before_it = practice.draft(practice.book(200), 96, window=timedelta(hours=96, seconds=1))
    assert [words for words in practice.send(before_it).warnings if "deadline" in str(words)]
