"""What stands at a time in another calendar is said before anything is saved, and is accepted knowingly."""

from __future__ import annotations

from datetime import timedelta
from threading import Event, Thread
from threading import enumerate as enumerate_threads
from uuid import UUID

import pytest

from connector.domain.connection import Calendar
from connector.domain.facts import ConflictAccepted
from connector.domain.offer import Offer
from connector.domain.session import Edit, Session
from connector.domain.span import When
from connector.errors import ConflictError, TransientError
from connector.ports import RemoteCalendar
from connector.services.scheduling import conflicts, offers, sessions
from connector.services.scheduling.conflicts import ANYTHING, NOT_ASKED, Consent, Findings
from connector.services.sync import free_busy
from connector.services.sync.readers import NAME, OF_ONE_LANE, Readers
from connector.storage import timeline
from tests.domain.examples import ATTESTED, KIM, PRACTICE, when
from tests.services.connected import connect, offer_and_show, remote, work
from tests.services.practice import Practice

ASKED = Consent()


def test_a_conflict_is_said_before_a_session_is_booked(practice: Practice, private: Calendar) -> None:
    remote(practice, "private").add_foreign(when(48.5).span)
    read_now(practice, when(48))
    with pytest.raises(ConflictError, match=rf"“{private.name}” at this time already.*Nothing has been saved"):
        book(practice, when(48), ASKED)
    assert practice.kept() == []


def test_a_conflict_is_said_before_a_session_is_moved(practice: Practice, private: Calendar) -> None:
    booked = practice.book(48)
    remote(practice, "private").add_foreign(when(72).span)
    read_now(practice, when(72))
    with pytest.raises(ConflictError, match=private.name):
        edit(practice, booked, Edit(when=when(72), attestation=ATTESTED), ASKED)
    assert practice.session(booked) == booked


def test_a_conflict_is_said_before_an_offered_time_is_moved(
    practice: Practice, calendar: Calendar, private: Calendar
) -> None:
    _, offer = offer_and_show(practice, calendar, 72)
    remote(practice, "private").add_foreign(when(96).span)
    read_now(practice, when(96))
    with pytest.raises(ConflictError, match=private.name):
        move(practice, offer, when(96), ASKED)
    assert practice.offer_now(offer).alternatives[0].when == when(72)
    move(practice, offer, when(96), ANYTHING)
    assert practice.offer_now(offer).alternatives[0].when == when(96)


def test_what_stands_at_an_offered_time_stops_the_sending_where_that_is_asked_and_is_accepted_knowingly(
    practice: Practice, private: Calendar
) -> None:
    remote(practice, "private").add_foreign(when(72).span)
    booked = practice.book(48)
    draft = practice.draft(booked, 72, 96)
    read_now(practice, when(96))
    with pytest.raises(ConflictError, match=private.name):
        send(practice, draft, NOT_ASKED)
    assert len(practice.kept()) == 1
    send(practice, draft, Consent(shown=find(practice, when(72), when(96)).key))
    with practice.database.read() as db:
        accepted = [fact for fact in timeline.of_session(db, booked.id) if isinstance(fact, ConflictAccepted)]
    assert [(fact.when, fact.offer_id) for fact in accepted] == [(when(72), draft.id)]


def test_a_calendar_of_which_nobody_knows_keeps_no_offer_from_being_sent(
    practice: Practice, calendar: Calendar
) -> None:
    remote(practice).offline = TransientError("no answer")
    draft = practice.draft(practice.book(48), 72)
    read_now(practice, when(72))
    assert any(calendar.name in str(warning) for warning in send(practice, draft, NOT_ASKED).warnings)


def test_what_was_shown_is_accepted_and_nothing_else_and_the_timeline_notes_it(
    practice: Practice, private: Calendar
) -> None:
    there = remote(practice, "private")
    there.add_foreign(when(48).span)
    there.add_foreign(when(72).span)
    read_now(practice, when(72))
    shown = find(practice, when(48)).key
    with pytest.raises(ConflictError):
        book(practice, when(72), Consent(shown=shown))
    booked = book(practice, when(48), Consent(shown=shown))
    with practice.database.read() as db:
        accepted = [fact for fact in timeline.of_session(db, booked.id) if isinstance(fact, ConflictAccepted)]
    assert [(fact.when, fact.calendars, fact.unread) for fact in accepted] == [(when(48), (private.name,), ())]


def test_each_thing_is_accepted_by_itself_and_neither_a_changed_nor_a_further_one_with_it(
    practice: Practice, private: Calendar
) -> None:
    there = remote(practice, "private")
    event = there.add_foreign(when(48).span)
    read_now(practice, when(48))
    seen = find(practice, when(48)).each
    assert [(one.start, one.end, one.calendar, one.is_blind) for one in seen] == [
        (when(48).span.start, when(48).span.end, private.name, False)
    ]
    accepted = Consent(each=frozenset(one.id for one in seen))
    there.add_foreign(when(48.5).span)
    again(practice)
    with pytest.raises(ConflictError) as refused:
        book(practice, when(48), accepted)
    assert [one.id in accepted.each for one in refused.value.found] == [True, False]
    there.delete(event)
    there.add_foreign(when(48, minutes=40).span)
    again(practice)
    with pytest.raises(ConflictError):
        book(practice, when(48), Consent(each=frozenset(one.id for one in refused.value.found)))
    book(practice, when(48), Consent(each=frozenset(one.id for one in find(practice, when(48)).each)))


@pytest.mark.usefixtures("private")
def test_what_was_accepted_for_one_time_is_not_for_another(practice: Practice) -> None:
    remote(practice, "private").add_foreign(when(48, minutes=300).span)
    read_now(practice, when(53))
    accepted = Consent(each=frozenset(one.id for one in find(practice, when(48)).each))
    with pytest.raises(ConflictError):
        book(practice, when(49), accepted)


def test_a_blind_spot_is_accepted_by_itself(practice: Practice, calendar: Calendar) -> None:
    remote(practice).offline = TransientError("no answer")
    read_now(practice, when(48))
    (spot,) = find(practice, when(48)).each
    assert (spot.is_blind, spot.calendar, spot.start) == (True, calendar.name, when(48).span.start)
    with pytest.raises(ConflictError):
        book(practice, when(48), Consent(each=frozenset({"somethingelse"})))
    book(practice, when(48), Consent(each=frozenset({spot.id})))


def test_a_use_case_that_asked_nobody_refuses_what_is_known_to_stand_there(
    practice: Practice, private: Calendar
) -> None:
    remote(practice, "private").add_foreign(when(48).span)
    read_now(practice, when(48))
    with pytest.raises(ConflictError, match=private.name):
        practice.book(48)


def test_a_calendar_that_cannot_be_read_is_said_and_never_free(practice: Practice, calendar: Calendar) -> None:
    remote(practice).offline = TransientError("no answer")
    read_now(practice, when(48))
    with pytest.raises(ConflictError, match=rf"“{calendar.name}” cannot be read at the moment.*nobody knows"):
        book(practice, when(48), ASKED)
    booked = book(practice, when(48), Consent(shown=find(practice, when(48)).key))
    assert "ConflictAccepted" in practice.happened(booked)


def test_a_server_that_is_silent_is_waited_for_only_so_long(practice: Practice, calendar: Calendar) -> None:
    goes_on, began = Event(), Event()

    def silent(identity: UUID) -> RemoteCalendar:
        began.set()
        goes_on.wait()
        return practice.runtime.remote(identity)

    try:
        read_now(practice, when(48), open_remote=silent, patience=timedelta(milliseconds=50))
        assert began.wait(60)
        assert [spot.calendar for spot in find(practice, when(48)).blind] == [calendar.name]
    finally:
        goes_on.set()
        for thread in reading():
            thread.join(60)


def test_however_many_pages_ask_a_silent_server_few_threads_wait_for_it_and_others_are_read(
    practice: Practice, private: Calendar
) -> None:
    """What could not be asked is known as it was, with its age; it is read again by whoever comes next."""
    goes_on = Event()
    elsewhere = Practice(practice.database)
    other = connect(elsewhere)
    assert other.lane != private.lane
    remote(elsewhere).add_foreign(when(48).span)

    def silent(identity: UUID) -> RemoteCalendar:
        goes_on.wait()
        return practice.runtime.remote(identity)

    try:
        for _ in range(100):
            read_now(practice, when(48), open_remote=silent, patience=timedelta())
        assert len(reading()) == OF_ONE_LANE
        read_now(elsewhere, when(48))
        assert find(elsewhere, when(48)).standing
        assert private.name in [spot.calendar for spot in find(practice, when(48)).blind]
    finally:
        goes_on.set()
        for thread in reading():
            thread.join(60)
    read_now(practice, when(48))
    assert not find(practice, when(48))


def test_who_comes_while_others_are_read_waits_for_a_thread() -> None:
    readers, goes_on, done = Readers(most=1), Event(), Event()
    assert readers.run([("a", lambda: wait_for(goes_on))], patience=timedelta()) == 0
    assert readers.run([("b", done.set)], patience=timedelta()) == 1, "not begun"
    waiting = Thread(target=readers.run, args=([("b", done.set)],), kwargs={"patience": timedelta(minutes=1)})
    waiting.start()
    goes_on.set()
    waiting.join(60)
    assert done.is_set()


def wait_for(event: Event) -> None:
    event.wait(60)


def reading() -> list[Thread]:
    return [thread for thread in enumerate_threads() if thread.name == NAME]


def test_own_entries_and_a_free_calendar_are_nothing_to_say(practice: Practice, calendar: Calendar) -> None:
    booked = practice.book(48)
    work(practice, calendar)
    read_now(practice, when(72))
    edit(practice, booked, Edit(when=when(48.5), attestation=ATTESTED), ASKED)
    assert "ConflictAccepted" not in practice.happened(booked)


def test_without_a_calendar_there_is_nothing_to_say(practice: Practice) -> None:
    read_now(practice, when(48))
    assert book(practice, when(48), ASKED).when == when(48)


def read_now(
    practice: Practice,
    until: When,
    *,
    open_remote: object = None,
    patience: timedelta = timedelta(minutes=1),
) -> None:
    """Have the calendars read as a door does before something is saved."""
    remote_of = open_remote if callable(open_remote) else practice.runtime.remote
    free_busy.read_now(
        practice.database,
        practice.policy,
        remote_of,
        practice.kim.id,
        until.span.end,
        clock=practice.clock,
        patience=patience,
    )


def again(practice: Practice) -> None:
    """Have the calendars read once more, a little later."""
    practice.wait(seconds=1)
    read_now(practice, when(54))


def find(practice: Practice, *times: When) -> Findings:
    with practice.database.read() as db:
        return conflicts.find(db, practice.policy, practice.kim.id, times, now=practice.now)


def book(practice: Practice, at: When, consent: Consent) -> Session:
    with practice.database.begin() as db:
        return sessions.book(
            db,
            practice.policy,
            practitioner_id=practice.kim.id,
            client_id=practice.alex.id,
            when=at,
            location=PRACTICE,
            by=KIM,
            now=practice.now,
            consent=consent,
        )


def edit(practice: Practice, session: Session, change: Edit, consent: Consent) -> Session:
    with practice.database.begin() as db:
        return sessions.edit(db, practice.policy, session.id, change, by=KIM, now=practice.now, consent=consent)


def move(practice: Practice, offer: Offer, to: When, consent: Consent) -> Offer:
    alternative_id = offer.alternatives[0].id
    with practice.database.begin() as db:
        return offers.move_alternative(
            db, practice.policy, offer.id, alternative_id, to, by=KIM, now=practice.now, consent=consent
        )


def send(practice: Practice, offer: Offer, consent: Consent) -> offers.SentOffer:
    with practice.database.begin() as db:
        return offers.send(db, practice.policy, offer.id, by=KIM, now=practice.now, consent=consent)
