from __future__ import annotations

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import pytest

from connector.domain.connection import Calendar, CalendarRole
from connector.domain.entry import Showing
from connector.domain.facts import MoveReason
from connector.domain.people import Level
from connector.domain.reconcile import Action, Put
from connector.domain.session import Edit
from connector.errors import AccessLostError, EditConflictError, RefusedError, RuleError, StoppingError, TransientError
from connector.sentence import Sentence
from connector.services.accounts.connect import ConnectionRequest, set_levels
from connector.services.accounts.connect import connect as connect_account
from connector.services.sync import push as sync_push
from connector.storage import calendars, ledger
from connector.storage.ledger import Key, Kind
from providers.memory import provider as memory
from tests.domain.examples import KIM, when
from tests.services.connected import (
    NETWORK,
    book_and_show,
    connect,
    converge,
    doubtful,
    href_at,
    look,
    offer_and_show,
    on_sqlite,
    push,
    question_or_none,
    remote,
    retarget,
    settle,
    times,
    work,
)
from tests.services.crashes import POINTS, CrashError, MortalDatabase
from tests.services.fences import Claimed
from tests.services.practice import SEAL, Practice

pytestmark = on_sqlite


def test_a_booked_session_is_shown_once_and_a_second_run_does_nothing(practice: Practice, calendar: Calendar) -> None:
    practice.book(48)
    assert converge(practice, calendar) == 1
    assert converge(practice, calendar) == 0
    (content,) = remote(practice).shown()
    assert (content.title, content.showing, content.span) == ("Session: A. C.", Showing.CONFIRMED, when(48).span)


def test_an_offer_of_three_costs_three_writes_and_its_acceptance_four(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    work(practice, calendar)
    remote(practice).requests.clear()
    offer = practice.offer(booked, 72, 96, 120)
    work(practice, calendar)
    assert remote(practice).requests == {"put": 3}
    remote(practice).requests.clear()
    practice.accept(offer, 1)
    work(practice, calendar)
    assert remote(practice).requests == {"put": 1, "remove": 3}


def test_the_sessions_own_event_moves_and_keeps_its_note(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    work(practice, calendar)
    (href,) = remote(practice).events
    remote(practice).note(href, "bring the blue folder")
    practice.accept(practice.offer(booked, 72, 96), 1)
    work(practice, calendar)
    assert list(remote(practice).events) == [href]
    event = remote(practice).events[href]
    assert (event.note, event.span) == ("bring the blue folder", when(96).span)


def test_the_move_comes_before_the_removals(practice: Practice, calendar: Calendar) -> None:
    offer = practice.offer(practice.book(48), 72, 96)
    work(practice, calendar)
    order: list[str] = []
    remote(practice).on_write = lambda moment, action: (
        order.append(type(action).__name__) if moment == "before" else None
    )
    practice.accept(offer, 0)
    work(practice, calendar)
    assert order == ["Put", "Remove", "Remove"]


def test_holds_stay_while_the_move_of_their_session_fails(practice: Practice, calendar: Calendar) -> None:
    offer = practice.offer(practice.book(48), 72, 96)
    work(practice, calendar)
    practice.accept(offer, 0)
    remote(practice).fail(TransientError("busy"), on="put")
    with pytest.raises(TransientError):
        converge(practice, calendar)
    assert len(remote(practice).shown()) == 3
    assert converge(practice, calendar) == 3
    assert [content.span for content in remote(practice).shown()] == [when(72).span]


def test_one_failing_entry_does_not_keep_the_others(practice: Practice, calendar: Calendar) -> None:
    for n in range(5):
        practice.book(48 + 2 * n)
    remote(practice).fail(RefusedError("no"), on="put")
    with pytest.raises(RefusedError):
        converge(practice, calendar)
    assert len(remote(practice).shown()) == 4
    work(practice, calendar)
    assert len(remote(practice).shown()) == 5


def test_a_passing_fault_beside_a_refusal_is_tried_again(practice: Practice, calendar: Calendar) -> None:
    practice.book(48)
    practice.book(50)
    remote(practice).fail(RefusedError("no"), on="put")
    remote(practice).fail(TransientError("later"), on="put")
    with pytest.raises(TransientError):
        converge(practice, calendar)


@pytest.mark.parametrize("n", range(4))
@pytest.mark.parametrize("point", POINTS)
def test_a_crash_anywhere_in_a_send_or_an_accept_leaves_no_double_and_no_orphan(
    database_url: str, point: str, n: int
) -> None:
    database = MortalDatabase(database_url)
    practice = Practice(database)
    calendar = connect(practice)
    remote(practice).on_write = database.on_write

    def crash_and_restart() -> None:
        database.die_at(point, n)
        with suppress(CrashError):
            converge(practice, calendar)
        database.revive()
        work(practice, calendar)

    offer = practice.offer(practice.book(48), 72, 96, 120)
    crash_and_restart()
    assert [content.span for content in remote(practice).shown()] == [when(h).span for h in (48, 72, 96, 120)]
    practice.accept(offer, 2)
    crash_and_restart()
    assert [content.span for content in remote(practice).shown()] == [when(120).span]
    assert len(remote(practice).events) == 1
    assert doubtful(practice, calendar.id) == 0
    assert converge(practice, calendar) == 0
    database.dispose()


def test_an_answer_lost_after_the_write_leaves_one_event(practice: Practice, calendar: Calendar) -> None:
    practice.book(48)
    remote(practice).fail(TransientError("no answer"), on="put", answer_lost=True)
    with pytest.raises(TransientError):
        converge(practice, calendar)
    work(practice, calendar)
    assert len(remote(practice).events) == 1
    assert remote(practice).spent_names == []


def test_a_touch_between_reading_and_writing_is_merged(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    work(practice, calendar)
    (href,) = remote(practice).events
    practice.move(booked, when(72))
    remote(practice).meanwhile(lambda: remote(practice).note(href, "typed just now"))
    work(practice, calendar)
    assert remote(practice).events[href].note == "typed just now"
    assert remote(practice).events[href].span == when(72).span


def test_an_event_that_is_never_left_alone_is_tried_again_later(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    work(practice, calendar)
    (href,) = remote(practice).events
    practice.move(booked, when(72))
    remote(practice).meanwhile(lambda: remote(practice).note(href, "again"), times=3)
    with pytest.raises(TransientError) as put_off:
        converge(practice, calendar)
    assert isinstance(put_off.value.__cause__, EditConflictError)


def test_a_deleted_event_comes_back_under_a_new_name(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    work(practice, calendar)
    (href,) = remote(practice).events
    remote(practice).delete(href)
    practice.move(booked, when(72))
    work(practice, calendar)
    (again,) = remote(practice).events
    assert again != href
    assert remote(practice).spent_names == []


def test_refused_credentials_stop_everything_at_once(practice: Practice, calendar: Calendar) -> None:
    for n in range(4):
        practice.book(48 + 2 * n)
    memory.store(str(practice.kim.id)).change_password("new")
    with pytest.raises(AccessLostError):
        converge(practice, calendar)
    assert remote(practice).requests["put"] == 1


def test_trouble_is_noted_in_words_and_cleared_when_it_is_over(practice: Practice, calendar: Calendar) -> None:
    practice.book(48)
    remote(practice).fail(TransientError("the server does not answer"), on="put")
    assert work(practice, calendar) == ["postponed"]
    with practice.database.read() as db:
        assert calendars.calendar(db, calendar.id).trouble == Sentence("the server does not answer")
    practice.wait(minutes=1)
    work(practice, calendar)
    with practice.database.read() as db:
        assert calendars.calendar(db, calendar.id).trouble is None


def test_what_ended_long_ago_stays_in_the_calendar(practice: Practice, calendar: Calendar) -> None:
    practice.book(48)
    work(practice, calendar)
    practice.wait(days=30)
    assert converge(practice, calendar) == 0
    assert len(remote(practice).events) == 1


def test_holds_of_a_session_that_took_place_long_ago_are_kept_right(practice: Practice, calendar: Calendar) -> None:
    """Found by the state machine: the session's own event was taken for one that had never been written."""
    booked = practice.book(48)
    offer = practice.offer(booked, 200, 210, window=timedelta(days=7))
    work(practice, calendar)
    practice.wait(days=4)
    assert converge(practice, calendar) == 0
    practice.accept(offer, 0)
    work(practice, calendar)
    assert [content.span for content in remote(practice).shown()] == [when(200).span]


def test_what_is_cancelled_or_corrected_long_after_it_took_place_goes_or_moves(
    practice: Practice, calendar: Calendar
) -> None:
    """Found by the state machine: what had ended more than a day ago was never looked at again."""
    cancelled, corrected = practice.book(48), practice.book(50)
    work(practice, calendar)
    practice.wait(days=9)
    practice.cancel(cancelled)
    practice.edit(corrected, Edit(when=when(60), reason=MoveReason.CORRECTION, override_past=True))
    work(practice, calendar)
    assert [content.span for content in remote(practice).shown()] == [when(60).span]
    assert converge(practice, calendar) == 0


def test_a_hold_that_outlived_its_time_is_removed(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    offer = practice.offer(booked, 30)
    work(practice, calendar)
    practice.withdraw(offer)
    practice.wait(days=9)
    work(practice, calendar)
    assert [content.span for content in remote(practice).shown()] == [when(48).span]


def test_a_calendar_connected_late_shows_holds_of_a_session_long_past(practice: Practice) -> None:
    practice.offer(practice.book(48), 200, window=timedelta(days=7))
    practice.wait(days=4)
    calendar = connect(practice)
    work(practice, calendar)
    assert when(200).span in [content.span for content in remote(practice).shown()]


@pytest.mark.parametrize("level", list(Level))
def test_nothing_above_the_chosen_level_reaches_the_service(practice: Practice, level: Level) -> None:
    calendar = connect(practice, level=level)
    practice.offer(practice.book(48), 72)
    requests: list[str] = []

    def on_write(_moment: str, action: Action) -> None:
        if isinstance(action, Put):
            requests.append(repr(action))

    remote(practice).on_write = on_write
    work(practice, calendar)
    assert requests
    secrets = {"Alex Client": Level.FULL, "Alex": Level.FIRST_NAME, "Lindenstr": Level.FULL, "A. C.": Level.INITIALS}
    for text, from_level in secrets.items():
        if level < from_level:
            assert not any(text in request for request in requests), text
    assert not any("alex@client.example" in request for request in requests)


def test_two_connections_show_the_same_times(practice: Practice, calendar: Calendar) -> None:
    other = connect(practice, name="second", level=Level.BUSY)
    practice.offer(practice.book(48), 72)
    work(practice, calendar)
    work(practice, other)
    first, second = (remote(practice, name).shown() for name in ("calendar", "second"))
    assert [content.span for content in first] == [content.span for content in second]
    assert {content.title for content in second} == {"Busy"}


def test_an_account_without_that_calendar_names_those_it_has(practice: Practice) -> None:
    memory.store(str(practice.kim.id)).calendar("Work")
    memory.store(str(practice.kim.id)).calendar("Family", writable=False)
    with pytest.raises(RuleError, match=r"no calendar “Wrok”.*: Work"):
        _connect_without_making(practice, "Wrok")
    with pytest.raises(RuleError, match="no calendar “Family”"):
        _connect_without_making(practice, "Family")


def test_an_account_without_any_calendar_says_so(practice: Practice) -> None:
    with pytest.raises(RuleError, match="Create one there first"):
        _connect_without_making(practice, "")


def test_the_only_calendar_needs_no_name(practice: Practice) -> None:
    memory.store(str(practice.kim.id)).calendar("Work")
    assert _connect_without_making(practice, "").name == "Work"


def test_connecting_has_the_calendar_written_read_watched_and_proved(practice: Practice) -> None:
    memory.store(str(practice.kim.id)).calendar("Work")
    calendar = _connect_without_making(practice, "Work")
    due = {key.kind.value for key in ledger.due_keys(practice.database, practice.now) if key.id == str(calendar.id)}
    assert due == {"calendar", "pull", "channel"}
    later = practice.now + timedelta(minutes=1)
    assert Key(Kind.PROBE, str(calendar.id)) in ledger.due_keys(practice.database, later, seats=1000)


def _connect_without_making(practice: Practice, name: str) -> Calendar:
    form = {"address": str(practice.kim.id), "password": "secret"}
    request = ConnectionRequest(provider=memory.PROVIDER, form=form, label="", calendar=name)
    return connect_account(practice.database, SEAL, NETWORK, practice.kim.id, request, by=KIM, now=practice.now)


def move_before_the_next_write(practice: Practice, calendar: Calendar) -> None:
    """Have the session's event moved, and that noticed, between the next reading of it and its writing."""
    href = href_at(practice, 48)
    is_moved = False

    def on_write(moment: str, _action: object) -> None:
        nonlocal is_moved
        if moment == "before" and not is_moved:
            is_moved = True
            remote(practice).move(href, when(60).span)
            push(practice, calendar)

    remote(practice).on_write = on_write


def test_a_change_read_while_the_mirror_is_in_doubt_is_not_lost(practice: Practice, calendar: Calendar) -> None:
    _, offer = offer_and_show(practice, calendar, 72, 96)
    practice.accept(offer, 1)
    move_before_the_next_write(practice, calendar)
    for _ in range(6):
        work(practice, calendar)
        look(practice, calendar)
        practice.wait(seconds=61)
    assert times(practice) == [when(96).span]


def test_a_drag_while_everything_is_rewritten_is_asked_about(practice: Practice, calendar: Calendar) -> None:
    """A push came while everything was being rewritten for privacy."""
    booked = book_and_show(practice, calendar)
    with practice.database.begin() as db:
        set_levels(db, calendar.connection_id, session_level=Level(1), hold_level=Level(1), now=practice.now)
    move_before_the_next_write(practice, calendar)
    for _ in range(8):
        work(practice, calendar)
        look(practice, calendar)
        practice.wait(seconds=61)
    assert question_or_none(practice, booked) is not None


def test_holds_wait_while_somebody_elses_change_of_the_sessions_event_is_not_read(
    practice: Practice, calendar: Calendar
) -> None:
    offer = practice.offer(practice.book(48), 72, 96)
    work(practice, calendar)
    remote(practice).move(href_at(practice, 48), when(50).span)
    practice.accept(offer, 1)
    with pytest.raises(TransientError):
        converge(practice, calendar)
    assert times(practice) == [when(h).span for h in (50, 72, 96)]
    settle(practice, calendar)
    assert times(practice) == [when(96).span]


def test_holds_wait_while_the_sessions_deleted_event_is_made_anew(practice: Practice, calendar: Calendar) -> None:
    """Else the time would be seen free for a moment."""
    _, offer = offer_and_show(practice, calendar, 72, 96)
    practice.accept(offer, 1)
    remote(practice).delete(href_at(practice, 48))
    order: list[str] = []
    remote(practice).on_write = lambda moment, action: (
        order.append(type(action).__name__) if moment == "before" else None
    )
    converge(practice, calendar)
    assert order == ["Put", "Put", "Remove", "Remove"]
    assert times(practice) == [when(96).span]


def test_what_ends_just_now_stays_in_the_calendar_that_is_cleared(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    practice.now = booked.when.span.end
    second = retarget(practice, calendar)
    work(practice, second)
    work(practice, calendar)
    assert times(practice) == [when(48).span]
    with practice.database.read() as db:
        assert calendars.calendar(db, calendar.id).role is CalendarRole.WATCHED, "nothing is left to be cleared"


def test_a_calendar_that_is_cleared_for_no_other_is_not_kept_waiting(practice: Practice, calendar: Calendar) -> None:
    """As those are that were being cleared when the successor was not stored yet."""
    book_and_show(practice, calendar)
    with practice.database.begin() as db:
        calendars.set_role(db, calendar.id, CalendarRole.CLEARING)
    converge(practice, calendar)
    assert times(practice) == []


def test_what_is_tidied_away_once_it_is_over_is_not_written_again(practice: Practice, calendar: Calendar) -> None:
    booked = book_and_show(practice, calendar)
    practice.now = booked.when.span.end
    remote(practice).delete(href_at(practice, 48))
    push(practice, calendar)
    assert converge(practice, calendar) == 0
    assert times(practice) == []


def test_a_process_that_is_stopping_begins_no_further_batch(practice: Practice, calendar: Calendar) -> None:
    for n in range(sync_push.BATCH + 1):
        practice.book(48 + n)
    there = remote(practice)

    def stop_after_one_batch() -> None:
        if there.requests["put"]:
            raise StoppingError

    fence = Claimed(renewing=stop_after_one_batch)
    with pytest.raises(StoppingError):
        sync_push.converge(practice.database, practice.policy, calendar.id, there, clock=practice.clock, fence=fence)
    assert there.requests["put"] == sync_push.BATCH
    there.requests.clear()
    converge(practice, calendar)
    assert there.requests["put"] == 1, "what had landed is recorded"


def test_entries_that_stand_lead_to_their_session_from_their_next_write_on(
    practice: Practice, calendar: Calendar
) -> None:
    """After an upgrade, or a move of the installation, nothing is written that was not to be written anyway."""
    offer = practice.offer(practice.book(48), 72)
    assert converge(practice, calendar) == 2
    practice.policy = replace(practice.policy, public_url="https://pencilled.example/book/", brand="Pencilled")
    assert converge(practice, calendar) == 0
    written: list[Action] = []
    remote(practice).on_write = lambda moment, action: written.append(action) if moment == "before" else None
    practice.accept(offer, 0)
    assert converge(practice, calendar) == 2
    (put,) = [action for action in written if isinstance(action, Put)]
    assert put.entry.link
    assert put.entry.link.url == f"https://pencilled.example/book/sessions/{put.session_id}"
