"""What follows from what a practitioner did in their calendar: in time, exactly once, and whatever breaks."""

from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from threading import Event, Thread

import pytest

from connector.domain.connection import Calendar, ConnectionState
from connector.domain.facts import Answer, Dropped, EventMoved, QuestionDropped, QuestionKind
from connector.domain.notice import PauseReason
from connector.domain.people import Level
from connector.domain.question import QuestionState
from connector.errors import TimeTakenError, TransientError
from connector.services.accounts import disconnect
from connector.services.accounts.connect import set_levels
from connector.services.sync import breaker
from connector.services.sync.breaker import How
from connector.storage import calendars, people, questions, timeline
from connector.storage.database import Database
from connector.storage.ledger import Kind
from providers.memory import provider as memory
from tests.domain.examples import KIM, when
from tests.services.connected import (
    answer,
    book_and_show,
    book_and_show_in_two,
    connect,
    converge,
    href_at,
    look,
    move_and_settle,
    notify,
    offer_and_show,
    on_sqlite,
    open_question,
    pull,
    push,
    question_or_none,
    remote,
    settle,
    times,
    work,
)
from tests.services.crashes import POINTS, CrashError, MortalDatabase
from tests.services.practice import Practice

pytestmark = pytest.mark.slow


def come_due(practice: Practice) -> None:
    practice.carry_out(Kind.QUESTION)


def test_nothing_counts_before_it_has_lasted_the_settling_time(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    remote(practice).move(href_at(practice, 48), when(60).span)
    push(practice, calendar)
    practice.wait(seconds=59)
    push(practice, calendar)
    assert question_or_none(practice, booked) is None
    assert converge(practice, calendar) == 0, "what has not settled is left alone"
    practice.wait(seconds=1)
    look(practice, calendar)
    assert question_or_none(practice, booked) is not None


def test_both_times_are_kept_free_while_a_move_is_asked_about(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    remote(practice).move(href_at(practice, 48), when(60).span)
    settle(practice, calendar)
    starts = [start for start, _, _ in practice.kept(booked.id)]
    assert starts == [when(48).span.start, when(60).span.start]
    with pytest.raises(TimeTakenError):
        practice.book(60, of=practice.another_client())
    question = open_question(practice, booked)
    answer(practice, question, Answer.REVERT)
    practice.book(60, of=practice.another_client())


def test_while_an_offer_is_open_what_is_done_is_noticed_without_any_push(
    practice: Practice, calendar: Calendar
) -> None:
    booked = book_and_show(practice, calendar)
    offer = practice.offer(booked, 72, 96, 120)
    work(practice, calendar)
    for hours in (72, 96):  # the first look is due since the sending, each further one since the look before
        remote(practice).delete(href_at(practice, hours))
        for _ in range(4):
            practice.wait(seconds=31)
            look(practice, calendar)
    assert [a.when for a in practice.offer_now(offer).standing] == [when(120)]


def test_a_push_that_is_lost_costs_one_polling_interval(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    remote(practice).move(href_at(practice, 48), when(60).span)
    for wait in (practice.policy.poll_idle, practice.policy.settling):
        practice.now += wait
        look(practice, calendar)
    assert question_or_none(practice, booked) is not None


def test_a_deletion_our_own_writing_meets_is_looked_at_once_it_has_settled(
    practice: Practice, calendar: Calendar
) -> None:
    booked = book_and_show(practice, calendar)
    practice.wait(minutes=1)
    remote(practice).delete(href_at(practice, 48))
    with practice.database.begin() as db:
        set_levels(db, calendar.connection_id, session_level=Level(0), hold_level=Level(0), now=practice.now)
    work(practice, calendar)
    practice.wait(seconds=59)
    assert look(practice, calendar) == []
    practice.wait(seconds=1)
    look(practice, calendar)
    question = open_question(practice, booked)
    assert question.kind is QuestionKind.DELETED


def test_a_longer_session_is_asked_about_like_a_moved_one(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    remote(practice).move(href_at(practice, 48), when(48, minutes=80).span)
    settle(practice, calendar)
    question = open_question(practice, booked)
    assert question.moved_to == when(48, minutes=80)


def test_a_decision_made_elsewhere_ends_the_question(practice: Practice, calendar: Calendar) -> None:
    booked, question = move_and_settle(practice, calendar)
    practice.wait(minutes=3)
    practice.move(booked, when(96))
    with practice.database.read() as db:
        ended_question = questions.get(db, question.id)
    assert (ended_question.state, ended_question.ended_at) == (QuestionState.DROPPED, practice.now)
    work(practice, calendar)
    assert [content.span for content in remote(practice).shown()] == [when(96).span]
    assert [start for start, _, _ in practice.kept(booked.id)] == [when(96).span.start]


def test_an_answer_of_the_client_wins_over_a_move_that_has_not_settled_and_is_told(
    practice: Practice, calendar: Calendar
) -> None:
    booked, offer = offer_and_show(practice, calendar, 72, 96)
    remote(practice).move(href_at(practice, 48), when(60).span)
    push(practice, calendar)
    practice.accept(offer, 1)
    work(practice, calendar)
    assert [content.span for content in remote(practice).shown()] == [when(96).span]
    settle(practice, calendar)
    assert [content.span for content in remote(practice).shown()] == [when(96).span]
    assert question_or_none(practice, booked) is None
    notices = [message.notice for message in practice.told(booked, client=False) if message.kind == "entry_put_back"]
    assert [(notice.reason, notice.moved_to) for notice in notices] == [("decided", when(60))]


def test_an_answer_of_the_client_wins_over_a_move_nobody_has_seen_yet(practice: Practice, calendar: Calendar) -> None:
    """The write meets a version it does not know: it is not written over before it is known what was changed."""
    booked, offer = offer_and_show(practice, calendar, 72, 96)
    remote(practice).move(href_at(practice, 48), when(60).span)
    practice.accept(offer, 1)
    assert work(practice, calendar) == ["postponed"]
    look(practice, calendar)
    practice.wait(seconds=61)
    work(practice, calendar)
    assert [content.span for content in remote(practice).shown()] == [when(96).span]
    assert "entry_put_back" in practice.kinds_told(booked, client=False)


def test_a_rewrite_for_privacy_does_not_undo_a_move_nobody_has_seen_yet(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    remote(practice).move(href_at(practice, 48), when(60).span)
    with practice.database.begin() as db:
        set_levels(db, calendar.connection_id, session_level=0, hold_level=0, now=practice.now)  # type: ignore[arg-type]
    assert work(practice, calendar) == ["postponed"]
    settle(practice, calendar)
    question = open_question(practice, booked)
    assert question.moved_to == when(60)


def test_a_rewrite_for_privacy_does_not_bring_a_deleted_hold_back(practice: Practice, calendar: Calendar) -> None:
    _, offer = offer_and_show(practice, calendar, 72, 96)
    remote(practice).delete(href_at(practice, 72))
    with practice.database.begin() as db:
        set_levels(db, calendar.connection_id, session_level=0, hold_level=0, now=practice.now)  # type: ignore[arg-type]
    work(practice, calendar)
    settle(practice, calendar)
    assert [a.when for a in practice.offer_now(offer).standing] == [when(96)]


def test_our_own_write_whose_record_a_crash_took_is_nobodys_edit(sqlite_url: str) -> None:
    """The event stands where a write of ours put it, and by now it is wanted elsewhere again."""
    database = MortalDatabase(sqlite_url)
    practice = Practice(database)
    calendar = connect(practice)
    remote(practice).on_write = database.on_write
    booked = book_and_show(practice, calendar)
    practice.move(booked, when(60))
    database.die_at("after write", 0)
    with suppress(CrashError):
        work(practice, calendar)
    database.revive()
    practice.move(booked, when(72))
    settle(practice, calendar)
    assert [content.span for content in remote(practice).shown()] == [when(72).span]
    assert question_or_none(practice, booked) is None
    assert practice.kinds_told(booked, client=False) == []
    database.dispose()


def test_a_removal_whose_record_a_crash_took_is_nobodys_edit(sqlite_url: str) -> None:
    database = MortalDatabase(sqlite_url)
    practice = Practice(database)
    calendar = connect(practice)
    remote(practice).on_write = database.on_write
    booked, offer = offer_and_show(practice, calendar, 72, 96)
    practice.withdraw(offer)
    database.die_at("after write", 0)
    with suppress(CrashError):
        work(practice, calendar)
    database.revive()
    kinds = practice.kinds_told(booked, client=False)
    settle(practice, calendar)
    assert practice.kinds_told(booked, client=False) == kinds
    assert [content.span for content in remote(practice).shown()] == [when(48).span]
    database.dispose()


@pytest.mark.parametrize("n", range(3))
@pytest.mark.parametrize("point", POINTS)
@pytest.mark.parametrize("kind", ["move the session", "delete the session", "move a hold", "delete a hold"])
def test_a_crash_while_it_is_taken_in_loses_nothing_and_does_nothing_twice(
    sqlite_url: str, kind: str, point: str, n: int
) -> None:
    """Killed between reading the feed and saving the token, and between applying and saving, in every look."""
    database = MortalDatabase(sqlite_url)
    practice = Practice(database)
    calendar = connect(practice)
    remote(practice).on_write = database.on_write
    booked, offer = offer_and_show(practice, calendar, 72, 96)
    earlier = len(practice.told(booked))
    href = href_at(practice, 48 if "session" in kind else 72)
    if kind.startswith("move"):
        remote(practice).move(href, when(60).span)
    else:
        remote(practice).delete(href)
    notify(practice, calendar)
    for _ in range(3):
        for by_hand, as_due in ((pull, look), (converge, work)):
            database.die_at(point, n)
            with suppress(CrashError):
                by_hand(practice, calendar)
            database.revive()
            as_due(practice, calendar)
        practice.wait(seconds=61)
    messages = [(message.to_client, message.kind.value) for message in practice.told(booked)[earlier:]]
    question = question_or_none(practice, booked)
    expected = {
        "move the session": (["replace_asked"], [], "replace", [72, 96]),
        "delete the session": (["delete_asked"], [], "deleted", [72, 96]),
        "move a hold": ([], ["offer_changed"], None, [60, 96]),
        "delete a hold": ([], ["offer_changed"], None, [96]),
    }[kind]
    assert [kind for to_client, kind in messages if not to_client] == expected[0]
    assert [kind for to_client, kind in messages if to_client] == expected[1]
    assert (question.kind.value if question else None) == expected[2]
    assert [a.when for a in practice.offer_now(offer).standing] == [when(h) for h in expected[3]]
    push(practice, calendar)
    assert converge(practice, calendar) == 0
    database.dispose()


def test_holds_of_an_offer_that_go_one_after_another_are_told_once(practice: Practice, calendar: Calendar) -> None:
    booked, offer = offer_and_show(practice, calendar, 72, 96, 120)
    for hours in (72, 96, 120):
        remote(practice).delete(href_at(practice, hours))
        push(practice, calendar)
        practice.wait(seconds=40)
    push(practice, calendar)
    assert practice.offer_now(offer).standing == offer.standing
    practice.wait(seconds=20)
    look(practice, calendar)
    assert practice.kinds_told(booked, client=True) == ["booked", "offered", "withdrawn"]
    assert practice.kinds_told(booked, client=False) == ["offer_taken_back"]


def test_a_hold_brought_back_after_its_offer_has_ended_is_removed(practice: Practice, calendar: Calendar) -> None:
    """Found by the long run of the state machine: an event that was gone, and not wanted, was never looked at again."""
    offer = practice.offer(practice.book(48), 72)
    work(practice, calendar)
    push(practice, calendar)
    event = remote(practice).events[href_at(practice, 72)]
    remote(practice).delete(event.href)
    practice.withdraw(offer)
    settle(practice, calendar)
    remote(practice).restore(event)
    push(practice, calendar)
    work(practice, calendar)
    assert [content.span for content in remote(practice).shown()] == [when(48).span]
    assert converge(practice, calendar) == 0


def test_a_session_brought_back_after_it_was_put_back_stands_once(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    event = remote(practice).events[href_at(practice, 48)]
    remote(practice).delete(event.href)
    settle(practice, calendar)
    question = open_question(practice, booked)
    answer(practice, question, Answer.REVERT)
    work(practice, calendar)
    remote(practice).restore(event)
    assert len(remote(practice).events) == 2
    push(practice, calendar)
    (href,) = remote(practice).events
    assert href != event.href
    settle(practice, calendar)
    assert question_or_none(practice, booked) is None
    assert converge(practice, calendar) == 0


def test_a_session_brought_back_while_it_is_asked_about_needs_no_answer(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    event = remote(practice).events[href_at(practice, 48)]
    remote(practice).delete(event.href)
    settle(practice, calendar)
    assert question_or_none(practice, booked) is not None
    remote(practice).restore(event)
    push(practice, calendar)
    assert question_or_none(practice, booked) is None
    assert list(remote(practice).events) == [event.href]
    assert converge(practice, calendar) == 0


@pytest.mark.parametrize("first", ["moved", "deleted"])
def test_a_session_taken_to_where_it_cannot_stand_while_it_is_asked_about_is_put_back_and_asked_about_no_longer(
    practice: Practice, calendar: Calendar, first: str
) -> None:
    booked = book_and_show(practice, calendar)
    event = remote(practice).events[href_at(practice, 48)]
    if first == "moved":
        remote(practice).move(event.href, when(60).span)
    else:
        remote(practice).delete(event.href)
    settle(practice, calendar)
    question = open_question(practice, booked)
    assert question.kind.value == first
    if first == "deleted":
        remote(practice).restore(event)
    remote(practice).move(event.href, when(-30).span)
    settle(practice, calendar)
    assert question_or_none(practice, booked) is None
    assert practice.told(booked, client=False)[-1].notice.reason == "past"
    with practice.database.read() as db:
        [dropped] = [fact for fact in timeline.of_session(db, booked.id) if isinstance(fact, QuestionDropped)]
    assert dropped.dropped is Dropped.CANNOT_STAND


def test_a_lost_sync_token_is_recovered_with_its_deletions(practice: Practice, calendar: Calendar) -> None:
    _, offer = offer_and_show(practice, calendar, 72, 96)
    remote(practice).delete(href_at(practice, 72))
    remote(practice).expire_tokens()
    settle(practice, calendar)
    assert [a.when for a in practice.offer_now(offer).standing] == [when(96)]


def test_a_deletion_that_cannot_be_read_again_is_none(practice: Practice, calendar: Calendar) -> None:
    booked, offer = offer_and_show(practice, calendar, 72, 96)
    remote(practice).delete(href_at(practice, 72))
    push(practice, calendar)
    practice.wait(hours=1)
    remote(practice).fail(TransientError("down"), on="read")
    assert look(practice, calendar) == ["postponed"]
    assert len(practice.offer_now(offer).standing) == 2
    practice.wait(seconds=61)
    look(practice, calendar)
    assert len(practice.offer_now(offer).standing) == 1
    assert practice.kinds_told(booked, client=True)[-1] == "offer_changed"


def test_the_last_edit_counts_whichever_calendar_it_was_made_in(practice: Practice, calendar: Calendar) -> None:
    booked, other = book_and_show_in_two(practice, calendar)
    remote(practice).move(href_at(practice, 48), when(60).span)
    settle(practice, calendar)
    remote(practice, "second").move(href_at(practice, 48, "second"), when(66).span)
    settle(practice, other)
    question = open_question(practice, booked)
    assert (question.moved_to, question.calendar_id) == (when(66), other.id)
    settle(practice, calendar)
    assert [content.span for content in remote(practice).shown()] == [when(48).span]
    assert [content.span for content in remote(practice, "second").shown()] == [when(66).span]


def test_a_session_deleted_from_two_calendars_is_asked_about_once(practice: Practice, calendar: Calendar) -> None:
    booked, other = book_and_show_in_two(practice, calendar)
    remote(practice).delete(href_at(practice, 48))
    remote(practice, "second").delete(href_at(practice, 48, "second"))
    settle(practice, calendar)
    settle(practice, other)
    settle(practice, calendar)
    assert practice.kinds_told(booked, client=False) == ["delete_asked"]
    assert remote(practice).shown() == remote(practice, "second").shown() == []
    question = open_question(practice, booked)
    answer(practice, question, Answer.REVERT)
    for place, name in ((calendar, "calendar"), (other, "second")):
        work(practice, place)
        assert [content.span for content in remote(practice, name).shown()] == [when(48).span]


def test_disconnecting_ends_what_is_asked_about_that_calendar(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    remote(practice).move(href_at(practice, 48), when(60).span)
    settle(practice, calendar)
    with practice.database.begin() as db:
        disconnect.begin(db, practice.policy, calendar.connection_id, by=KIM, now=practice.now)
    assert question_or_none(practice, booked) is None
    assert [start for start, _, _ in practice.kept(booked.id)] == [when(48).span.start]
    with practice.database.read() as db:
        assert calendars.connection(db, calendar.connection_id).state is ConnectionState.DISCONNECTING


@pytest.mark.postgresql
@pytest.mark.parametrize("kind", ["resume", "write"])
def test_a_decision_about_a_calendar_is_not_interrupted(postgresql_database: Database, kind: str) -> None:
    """Else what a person has said, or that a write of ours is under way, would be stored over by an older look."""
    practice = Practice(postgresql_database)
    calendar = connect(practice)
    with practice.database.begin() as db:
        breaker.pause(db, practice.policy, calendar, PauseReason.EMPTIED, now=practice.now)
    if kind == "write":
        resume(practice, calendar)
        practice.book(48)
    done = Event()

    def go() -> None:
        (resume if kind == "resume" else converge)(practice, calendar)
        done.set()

    with practice.database.begin() as db:
        people.practitioner(db, practice.kim.id, lock=True)
        thread = Thread(target=go)
        thread.start()
        assert not done.wait(0.3)
    assert done.wait(60)
    thread.join()
    memory.forget(str(practice.kim.id))


def resume(practice: Practice, calendar: Calendar) -> None:
    with practice.database.begin() as db:
        breaker.resume(db, calendar.id, How.REVERT, by=KIM, now=practice.now)


def test_the_timeline_tells_who_did_what_where(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    remote(practice).move(href_at(practice, 48), when(60).span)
    settle(practice, calendar)
    assert practice.happened(booked)[-2:] == ["EventMoved", "PractitionerAsked"]
    with practice.database.read() as db:
        fact = timeline.of_session(db, booked.id)[-2]
    assert isinstance(fact, EventMoved)
    assert (fact.by.name, fact.calendar, fact.connection_id) == (
        "Kim Beispiel",
        calendar.name,
        calendar.connection_id,
    )


@on_sqlite
def test_undone_deletion_at_the_new_place_keeps_the_question(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    href = href_at(practice, 48)
    remote(practice).move(href, when(60).span)
    settle(practice, calendar)
    assert open_question(practice, booked).moved_to == when(60)
    event = remote(practice).events[href]
    remote(practice).delete(href)
    push(practice, calendar)
    practice.wait(seconds=20)
    remote(practice).restore(event)
    settle(practice, calendar)
    assert times(practice) == [when(60).span]
    assert question_or_none(practice, booked) is not None


@on_sqlite
def test_an_event_dragged_on_and_back_to_the_new_place_keeps_the_question(
    practice: Practice, calendar: Calendar
) -> None:
    booked = book_and_show(practice, calendar)
    href = href_at(practice, 48)
    remote(practice).move(href, when(60).span)
    settle(practice, calendar)
    remote(practice).move(href, when(66).span)
    push(practice, calendar)
    practice.wait(seconds=20)
    remote(practice).move(href, when(60).span)
    settle(practice, calendar)
    assert times(practice) == [when(60).span]
    assert question_or_none(practice, booked) is not None


@on_sqlite
def test_an_event_moved_back_in_another_calendar_leaves_the_question(practice: Practice, calendar: Calendar) -> None:
    booked, other = book_and_show_in_two(practice, calendar)
    remote(practice).move(href_at(practice, 48), when(60).span)
    settle(practice, calendar)
    assert question_or_none(practice, booked) is not None
    href = href_at(practice, 48, "second")
    remote(practice, "second").move(href, when(70).span)
    push(practice, other)
    remote(practice, "second").move(href, when(48).span)
    push(practice, other)
    work(practice, calendar)
    assert question_or_none(practice, booked) is not None
    assert times(practice) == [when(60).span]


@on_sqlite
def test_a_deleted_event_that_returns_at_another_time_is_a_move(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    href = href_at(practice, 48)
    event = remote(practice).events[href]
    remote(practice).delete(href)
    settle(practice, calendar)
    assert question_or_none(practice, booked) is not None
    earlier = len(practice.told(booked))
    remote(practice).restore(replace(event, shown=replace(event.shown, span=when(60).span)))
    settle(practice, calendar)
    question = open_question(practice, booked)
    assert question.moved_to == when(60)
    assert times(practice) == [when(60).span]
    assert [message.kind.value for message in practice.told(booked)[earlier:]] == ["move_asked"]


@on_sqlite
def test_undoing_the_deletion_of_a_moved_event_asks_about_the_move_again(
    practice: Practice, calendar: Calendar
) -> None:
    booked = book_and_show(practice, calendar)
    href = href_at(practice, 48)
    remote(practice).move(href, when(60).span)
    settle(practice, calendar)
    event = remote(practice).events[href]
    remote(practice).delete(href)
    settle(practice, calendar)
    assert open_question(practice, booked).kind.value == "deleted"
    earlier = len(practice.told(booked))
    remote(practice).restore(event)
    settle(practice, calendar)
    question = open_question(practice, booked)
    assert question.moved_to == when(60)
    assert times(practice) == [when(60).span]
    assert [message.kind.value for message in practice.told(booked)[earlier:]] == ["move_asked"]


@on_sqlite
def test_an_event_that_cannot_stand_in_another_calendar_leaves_the_question(
    practice: Practice, calendar: Calendar
) -> None:
    booked, other = book_and_show_in_two(practice, calendar)
    remote(practice).delete(href_at(practice, 48))
    settle(practice, calendar)
    assert open_question(practice, booked).kind.value == "deleted"
    remote(practice, "second").move(href_at(practice, 48, "second"), when(-5).span)
    settle(practice, other)
    settle(practice, calendar)
    assert question_or_none(practice, booked) is not None


@on_sqlite
def test_a_hold_dragged_to_where_another_was_deleted_takes_its_time(practice: Practice, calendar: Calendar) -> None:
    booked, offer = offer_and_show(practice, calendar, 72, 96)
    first, second = href_at(practice, 72), href_at(practice, 96)
    remote(practice).delete(second)
    remote(practice).move(first, when(96).span)
    settle(practice, calendar)
    moved_later = [alternative.when for alternative in practice.offer_now(offer).standing]
    other = practice.book(49.5)
    other_offer = practice.offer(other, 130, 140)
    work(practice, calendar)
    push(practice, calendar)
    first, second = href_at(practice, 130), href_at(practice, 140)
    remote(practice).delete(first)
    remote(practice).move(second, when(130).span)
    settle(practice, calendar)
    moved_earlier = [alternative.when for alternative in practice.offer_now(other_offer).standing]
    assert (moved_later, moved_earlier) == ([when(96)], [when(130)]), practice.kinds_told(booked, client=False)
