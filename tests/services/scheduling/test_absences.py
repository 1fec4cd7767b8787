"""An absence in a calendar is asked about once, for all sessions in it, and nothing follows from it by itself."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from connector.domain.absence import Absence, AbsenceState, PartKey
from connector.domain.connection import Calendar, ConnectionState
from connector.domain.facts import AbsenceAnswer, AbsenceEnd
from connector.domain.notice import NoticeKind
from connector.domain.session import Edit, Session
from connector.domain.span import Span
from connector.domain.standing import Nature
from connector.errors import QuestionClosedError, RefusedError, RuleError
from connector.services import people
from connector.services.accounts import disconnect
from connector.services.scheduling import absences, sessions
from connector.services.scheduling.conflicts import ANYTHING
from connector.services.views.absences import open_absences, sessions_of
from connector.services.views.explain import explain
from connector.storage import absences as stored
from connector.storage import busy, calendars
from connector.storage.ledger import Kind
from tests.counting import statements
from tests.domain.examples import ATTESTED, KIM, NOW, PRACTICE, when
from tests.services.connected import on_sqlite, read_free_busy, remote
from tests.services.practice import KeptLetters, Practice

DAY = Span.of(NOW + timedelta(days=1, hours=14), timedelta(days=1))  # Wednesday, as Berlin has it
EVERYTHING = (Kind.BUSY, Kind.ABSENCE, Kind.CONVERSATION)


def pass_time(practice: Practice, minutes: float = 0) -> None:
    """Let time pass, and have done what is due by then."""
    practice.wait(minutes=minutes)
    for _ in range(3):  # a reading confirms, and what it says is looked at after it
        practice.carry_out(*EVERYTHING)


def away(practice: Practice, span: Span = DAY, *, nature: Nature = Nature.OUT_OF_OFFICE, name: str = "private") -> str:
    practice.wait(minutes=1)
    return remote(practice, name).add_foreign(span, "Away", nature=nature)


def read(practice: Practice, calendar: Calendar) -> None:
    read_free_busy(practice, calendar)


def known(practice: Practice) -> Sequence[Absence]:
    with practice.database.read() as db:
        return stored.lately(db, practice.kim.id, now=practice.now)


def asked(practice: Practice) -> Absence:
    [absence] = [one for one in known(practice) if one.is_open]
    return absence


def named(practice: Practice, absence: Absence) -> list[Session]:
    with practice.database.read() as db:
        return list(sessions_of(db, absence.id))


def letters(practice: Practice) -> list[list[datetime]]:
    sender = practice.runtime.sender
    assert isinstance(sender, KeptLetters)
    notices = [one.notice for one in sender.letters if one.notice.kind is NoticeKind.ABSENCE_ASKED]
    return [[one.when.span.start for one in notice.concerned] for notice in notices]


def settled(practice: Practice, private: Calendar) -> Absence:
    """Have an absence seen over two sessions, and asked about."""
    read(practice, private)
    pass_time(practice)
    assert known(practice) == []
    pass_time(practice, minutes=10)
    return asked(practice)


def answer(practice: Practice, absence: Absence, chosen: AbsenceAnswer, *calendars: Calendar) -> Absence:
    with practice.database.begin() as db:
        ids = [one.id for one in calendars]
        return absences.answer(db, practice.policy, absence.id, chosen, by=KIM, now=practice.now, calendar_ids=ids)


def practice_all(practice: Practice) -> Sequence[Absence]:
    with practice.database.read() as db:
        return stored.lately(db, practice.kim.id, now=NOW)


def test_an_absence_over_sessions_is_asked_about_once_and_unanswered_leads_to_nothing(
    practice: Practice, private: Calendar
) -> None:
    first, second, before = practice.book(48), practice.book(50), practice.book(30)
    kept, told = practice.kept(), [len(practice.told(one, client=True)) for one in (first, second, before)]
    away(practice)
    absence = settled(practice, private)

    assert absence.span == DAY
    assert [one.id for one in named(practice, absence)] == [first.id, second.id]
    assert letters(practice) == [[first.when.span.start, second.when.span.start]]
    for _ in range(3):
        pass_time(practice, minutes=15)
    assert len(letters(practice)) == 1
    assert practice.kept() == kept
    assert [len(practice.told(one, client=True)) for one in (first, second, before)] == told

    practice.now = DAY.end
    pass_time(practice)
    [over] = practice_all(practice)
    assert (over.state, over.ended) == (AbsenceState.ENDED, AbsenceEnd.OVER)
    assert len(letters(practice)) == 1
    assert [practice.session(one) for one in (first, second, before)] == [first, second, before]


@pytest.mark.parametrize(
    ("nature", "span", "is_asked"),
    [
        (Nature.OUT_OF_OFFICE, Span.of(DAY.start + timedelta(hours=9), timedelta(hours=4)), True),
        (Nature.ORDINARY, DAY, True),
        (Nature.ORDINARY, Span.of(DAY.start + timedelta(hours=1), DAY.end), False),
        (Nature.NEVER, DAY, False),
    ],
    ids=["called so", "a whole day", "most of a day", "focus time"],
)
def test_what_is_an_absence(
    practice: Practice, private: Calendar, nature: Nature, span: Span, *, is_asked: bool
) -> None:
    practice.book(48)
    away(practice, span, nature=nature)
    read(practice, private)
    pass_time(practice, minutes=10)
    assert bool(known(practice)) is is_asked


def test_a_day_of_a_series_is_none_unless_the_service_calls_it_so(practice: Practice, private: Calendar) -> None:
    practice.book(48)
    remote(practice, "private").make_recurring(away(practice, nature=Nature.ORDINARY))
    read(practice, private)
    pass_time(practice, minutes=10)
    assert known(practice) == []
    remote(practice, "private").make_recurring(away(practice))
    read(practice, private)
    pass_time(practice, minutes=10)
    assert asked(practice).span == DAY


def test_a_session_put_knowingly_into_an_absence_is_not_asked_about(practice: Practice, private: Calendar) -> None:
    booked = practice.book(48)
    away(practice)
    read(practice, private)
    pass_time(practice, minutes=1)
    moved = practice.book(30)
    with practice.database.begin() as db:
        edit = Edit(when=when(52), attestation=ATTESTED)
        sessions.edit(db, practice.policy, moved.id, edit, by=KIM, now=practice.now, consent=ANYTHING)
    pass_time(practice, minutes=10)
    assert [one.id for one in named(practice, asked(practice))] == [booked.id]


def test_a_longer_absence_updates_the_question_and_mails_only_what_is_added(
    practice: Practice, private: Calendar
) -> None:
    first, second = practice.book(48), practice.book(72)
    href = away(practice)
    absence = settled(practice, private)
    longer = Span.of(DAY.start, timedelta(days=2))
    remote(practice, "private").move(href, longer)
    read(practice, private)
    pass_time(practice, minutes=5)
    assert asked(practice) == absence
    pass_time(practice, minutes=10)
    assert asked(practice).id == absence.id
    assert asked(practice).span == longer
    assert [one.id for one in named(practice, absence)] == [first.id, second.id]
    assert [len(letter) for letter in letters(practice)] == [1, 2]

    remote(practice, "private").move(href, Span.of(DAY.start, timedelta(days=3)))
    read(practice, private)
    pass_time(practice, minutes=10)
    assert asked(practice).span.duration == timedelta(days=3)
    assert len(letters(practice)) == 2

    for span, sessions_in_it in ((DAY, [first]), (longer, [first, second])):  # whom it has named before is not added
        remote(practice, "private").move(href, span)
        read(practice, private)
        pass_time(practice, minutes=10)
        assert [one.id for one in named(practice, absence)] == [one.id for one in sessions_in_it]
    assert len(letters(practice)) == 2


def test_an_absence_that_is_gone_is_dropped_without_a_word(practice: Practice, private: Calendar) -> None:
    booked = practice.book(48)
    offer = practice.offer(practice.book(72), 96)
    href = away(practice)
    absence = settled(practice, private)
    remote(practice, "private").delete(href)
    read(practice, private)
    pass_time(practice)
    assert [(one.id, one.ended) for one in known(practice)] == [(absence.id, AbsenceEnd.GONE)]
    assert practice.offer_now(offer) == offer
    assert "AbsenceDropped" in practice.happened(booked)
    assert len(letters(practice)) == 1


def test_a_drag_is_not_asked_about_before_it_has_settled(practice: Practice, private: Calendar) -> None:
    practice.book(48)
    href = away(practice)
    for hours in (25, 26, 27):
        read(practice, private)
        pass_time(practice, minutes=4)
        remote(practice, "private").move(href, Span.of(DAY.start, timedelta(hours=hours)))
    read(practice, private)
    pass_time(practice)
    assert known(practice) == []
    pass_time(practice, minutes=10)
    assert len(known(practice)) == 1


def test_whoever_has_said_no_is_never_asked_about_those_sessions_again(practice: Practice, private: Calendar) -> None:
    practice.book(48)
    href = away(practice)
    answered = answer(practice, settled(practice, private), AbsenceAnswer.KEEP)
    assert answered.state is AbsenceState.ANSWERED
    remote(practice, "private").delete(href)
    away(practice)
    read(practice, private)
    pass_time(practice, minutes=10)
    assert [one.id for one in known(practice)] == [answered.id]

    later = practice.book(72)
    away(practice, Span.of(DAY.end, timedelta(days=1)))
    practice.wait(minutes=1)
    read(practice, private)
    pass_time(practice, minutes=10)
    assert [one.id for one in named(practice, asked(practice))] == [later.id]


def test_the_same_answer_twice_changes_nothing_and_another_one_comes_too_late(
    practice: Practice, private: Calendar
) -> None:
    practice.book(48)
    away(practice)
    absence = settled(practice, private)
    answered = answer(practice, absence, AbsenceAnswer.KEEP)
    assert answer(practice, absence, AbsenceAnswer.KEEP) == answered
    with pytest.raises(QuestionClosedError):
        answer(practice, absence, AbsenceAnswer.UNRELATED, private)


def test_a_calendar_that_does_not_concern_sessions_is_asked_about_no_more_until_that_is_taken_back(
    practice: Practice, calendar: Calendar, private: Calendar
) -> None:
    practice.book(48)
    practice.book(72)
    away(practice)
    absence = settled(practice, private)
    with pytest.raises(RuleError, match="does not stand in that calendar"):
        answer(practice, absence, AbsenceAnswer.UNRELATED, calendar)
    answer(practice, absence, AbsenceAnswer.UNRELATED, private)
    away(practice, Span.of(DAY.end + timedelta(hours=5), timedelta(hours=9)))
    read(practice, private)
    pass_time(practice, minutes=10)
    assert not any(one.is_open for one in known(practice))
    with practice.database.begin() as db:
        absences.relate(db, private.id, related=True, now=practice.now)
    pass_time(practice)
    assert any(one.is_open for one in known(practice))


def test_two_calendars_make_one_absence_and_one_of_them_can_be_left_out(
    practice: Practice, calendar: Calendar, private: Calendar
) -> None:
    first, second = practice.book(48), practice.book(72)
    away(practice)
    away(practice, Span.of(DAY.end, timedelta(days=1)), name="calendar")
    read(practice, calendar)
    absence = settled(practice, private)
    assert absence.span == Span.of(DAY.start, timedelta(days=2))
    assert [one.id for one in named(practice, absence)] == [first.id, second.id]
    assert answer(practice, absence, AbsenceAnswer.UNRELATED, private).is_open
    pass_time(practice)
    assert asked(practice).id == absence.id
    assert [one.id for one in named(practice, absence)] == [second.id]
    assert len(letters(practice)) == 1


@on_sqlite
@pytest.mark.parametrize("how", ["at once", "seen in between", "into another calendar"])
def test_an_absence_that_a_program_writes_anew_is_the_same_one(
    practice: Practice, calendar: Calendar, private: Calendar, how: str
) -> None:
    booked = practice.book(48)
    name = "private"
    href = away(practice)
    absence = settled(practice, private)

    def rewrite() -> None:
        nonlocal name, href
        remote(practice, name).delete(href)
        if how != "at once":
            read(practice, private)
            pass_time(practice)
        name = "calendar" if how == "into another calendar" else name
        href = away(practice, name=name)
        for one in (calendar, private):
            read(practice, one)
        pass_time(practice)

    rewrite()
    if how == "at once":  # and whoever booked since then has known of it
        assert asked(practice).id == absence.id
        practice.wait(minutes=1)
    pass_time(practice, minutes=10)
    assert asked(practice).id == absence.id
    assert [one.id for one in named(practice, absence)] == [booked.id]
    assert len(letters(practice)) == 1

    answer(practice, absence, AbsenceAnswer.KEEP)
    rewrite()
    pass_time(practice, minutes=10)
    assert [(one.id, one.state) for one in known(practice)] == [(absence.id, AbsenceState.ANSWERED)]
    assert len(letters(practice)) == 1


@on_sqlite
def test_a_session_is_asked_about_when_its_offer_ends_though_nothing_was_before(
    practice: Practice, private: Calendar
) -> None:
    booked = practice.book(48)
    offer = practice.offer(booked, 96)
    away(practice)
    read(practice, private)
    pass_time(practice, minutes=11)
    assert known(practice) == []
    practice.withdraw(offer)
    pass_time(practice)
    assert [one.id for one in named(practice, asked(practice))] == [booked.id]


@on_sqlite
def test_an_absence_ends_with_its_calendar_though_nobody_gets_in_there(practice: Practice, private: Calendar) -> None:
    practice.book(48)
    away(practice)
    absence = settled(practice, private)
    with practice.database.begin() as db:
        calendars.set_state(db, private.connection_id, ConnectionState.ACCESS_LOST)
        disconnect.begin(db, practice.policy, private.connection_id, by=KIM, now=practice.now)
    pass_time(practice)
    assert [(one.id, one.ended) for one in known(practice)] == [(absence.id, AbsenceEnd.GONE)]


@on_sqlite
def test_whoever_leaves_out_the_only_calendar_that_is_left_has_answered(practice: Practice, private: Calendar) -> None:
    practice.book(48)
    away(practice)
    absence = settled(practice, private)
    elsewhere = PartKey(practice.another_client().id, "/away", None)  # which is disconnected by now
    with practice.database.begin() as db:
        stored.save(db, replace(absence, keys=absence.keys | {elsewhere}))
    assert answer(practice, absence, AbsenceAnswer.UNRELATED, private).state is AbsenceState.ANSWERED


@on_sqlite
def test_which_days_are_whole_ones_is_another_matter_in_another_zone(practice: Practice, private: Calendar) -> None:
    booked = practice.book(48)
    away(practice, Span.of(DAY.start + timedelta(hours=1), timedelta(days=1)), nature=Nature.ORDINARY)
    read(practice, private)
    pass_time(practice, minutes=11)
    assert known(practice) == []
    with practice.database.begin() as db:
        people.change_practitioner(db, practice.kim.id, {"zone": "Europe/London"}, by=KIM, now=practice.now)
    pass_time(practice)
    assert [one.id for one in named(practice, asked(practice))] == [booked.id]


@on_sqlite
def test_what_is_asked_is_said_of_the_sessions_own_event(
    practice: Practice, calendar: Calendar, private: Calendar
) -> None:
    named_one, other = practice.book(48), practice.book(96)
    practice.carry_out(Kind.CALENDAR, of=[calendar])
    away(practice)
    settled(practice, private)
    with practice.database.read() as db:
        told = [
            " ".join(one.follows)
            for session in (named_one, other)
            for one in explain(db, practice.policy, str(session.id), now=practice.now)
        ]
    assert [f"away until {DAY.end:%d %B %Y at %H:%M} UTC" in follows for follows in told] == [True, False]


def test_the_question_ends_when_no_session_waits_any_more(practice: Practice, private: Calendar) -> None:
    first, second = practice.book(48), practice.book(50)
    away(practice)
    absence = settled(practice, private)
    practice.offer(first, 96)
    pass_time(practice)
    assert [one.id for one in named(practice, asked(practice))] == [second.id]
    practice.cancel(second)
    pass_time(practice)
    assert [(one.id, one.ended) for one in known(practice)] == [(absence.id, AbsenceEnd.SETTLED)]


@on_sqlite
def test_a_reading_that_finds_nothing_new_writes_one_row_and_open_questions_take_few_statements(
    practice: Practice, private: Calendar
) -> None:
    for n in range(6):
        practice.book(48 + n)
    for n in range(40):
        remote(practice, "private").add_foreign(when(100 + n).span)
    away(practice)
    settled(practice, private)
    read(practice, private)
    with statements() as asked_for:
        read(practice, private)
    assert not [one for one in asked_for if "busy_times" in one and not one.startswith("SELECT")]
    with practice.database.read() as db, statements() as asked_for:
        [page] = open_absences(db, practice.kim.id, now=practice.now)
    assert len(page.sessions) == 6
    assert len(asked_for) <= 7


def test_a_calendar_that_tells_for_a_while_only_when_it_is_not_free_says_nothing_of_what_stands_there(
    practice: Practice, private: Calendar
) -> None:
    practice.book(48)
    away(practice)
    absence = settled(practice, private)
    with practice.database.begin() as db:  # by somebody who knows of it
        later_known = sessions.book(
            db,
            practice.policy,
            practitioner_id=practice.kim.id,
            client_id=practice.alex.id,
            when=when(50),
            location=PRACTICE,
            by=KIM,
            now=practice.now,
            consent=ANYTHING,
        )

    remote(practice, "private").fail(RefusedError("no lists just now"), on="busy")
    read(practice, private)
    pass_time(practice)
    assert asked(practice) == absence
    with practice.database.read() as db:
        assert [one.span for one in busy.overlapping(db, practice.kim.id, DAY)] == [DAY]

    read(practice, private)
    pass_time(practice, minutes=20)
    assert asked(practice) == absence
    assert later_known.id not in [one.id for one in named(practice, absence)]
    assert len(letters(practice)) == 1


def test_what_a_calendar_shows_as_free_is_gone_however_it_tells(practice: Practice, private: Calendar) -> None:
    practice.book(48)
    href = away(practice)
    absence = settled(practice, private)
    remote(practice, "private").add_foreign(Span.of(DAY.start, timedelta(hours=1)))
    remote(practice, "private").delete(href)
    remote(practice, "private").fail(RefusedError("no lists just now"), on="busy")
    read(practice, private)
    pass_time(practice)
    [gone] = known(practice)
    assert (gone.id, gone.ended) == (absence.id, AbsenceEnd.GONE)
