"""What counts as evidence when it is decided after a restore, and what may be removed by that."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path
from uuid import uuid5

import pytest

from connector.domain.entry import EntryKey, EntryKind
from connector.domain.facts import FlagReason
from connector.domain.notice import NoticeKind, Righting
from connector.domain.offer import OfferState
from connector.domain.reconcile import former_name, name_for
from connector.domain.restore import Follow
from connector.domain.session import Session
from connector.errors import TransientError
from connector.storage import installation
from connector.storage.database import Database
from connector.witnesses import FileWitness
from providers.memory import provider as memory
from tests.domain.examples import when
from tests.services.connected import (
    book_and_show,
    book_and_show_in_two,
    connect,
    href_at,
    offer_and_show,
    remote,
    times,
    work,
)
from tests.services.connected import push as look
from tests.services.practice import Practice
from tests.services.test_restoring import BOTH, Restored


@pytest.fixture
def restored(sqlite_database: Database, sqlite_url: str, tmp_path: Path) -> Iterator[Restored]:
    practice = Practice(sqlite_database)
    yield Restored(practice, connect(practice), sqlite_url, FileWitness(tmp_path / "witness"))
    memory.forget(str(practice.kim.id))


def set_back(restored: Restored) -> None:
    """Let something happen that the back-up does not know of, so that it is noticed, and restore."""
    restored.practice.book(300)
    restored.restore()


@BOTH
def test_an_offer_in_a_calendar_that_nobody_could_read_stays_open(restored: Restored, follow: Follow) -> None:
    practice = restored.practice
    _, offer = offer_and_show(practice, restored.calendar, 72, 96)
    restored.back_up()
    set_back(restored)
    remote(practice).offline = TransientError("down")

    restored.decide(follow)
    restored.go_on()

    assert practice.offer_now(offer).state is OfferState.OPEN
    assert len(practice.offer_now(offer).held) == 2


def test_an_offer_that_nobody_could_read_about_and_that_is_overdue_is_over_without_a_letter(restored: Restored) -> None:
    practice = restored.practice
    booked, offer = offer_and_show(practice, restored.calendar, 72, 96)
    restored.back_up()
    practice.wait(hours=30)
    set_back(restored)
    remote(practice).offline = TransientError("down")
    before = len(restored.to_clients())

    restored.decide(Follow.CALENDARS)
    restored.go_on()

    assert practice.offer_now(offer).state is OfferState.WITHDRAWN
    assert practice.session(booked).flag is FlagReason.RESTORED
    assert len(restored.to_clients()) == before


def test_the_offer_of_a_practitioner_without_a_calendar_stays_open(restored: Restored) -> None:
    nobody = Practice(restored.practice.database)
    offer = nobody.offer(nobody.book(48), 72)
    restored.back_up()
    set_back(restored)

    restored.decide(Follow.CALENDARS)
    restored.go_on()

    assert nobody.offer_now(offer).state is OfferState.OPEN


def test_a_decision_that_is_given_again_after_a_crash_judges_nobody_twice(restored: Restored) -> None:
    practice = restored.practice
    _, offer = offer_and_show(practice, restored.calendar, 72, 96)
    restored.back_up()
    set_back(restored)
    restored.decide(Follow.CALENDARS)
    with practice.database.begin() as db:  # as it stands where the process dies before the end
        installation.stand_still(db, epoch=installation.get(db).epoch, now=practice.now)

    restored.decide(Follow.CALENDARS)
    restored.go_on()

    assert practice.offer_now(offer).state is OfferState.OPEN
    assert restored.righted() == []
    restored.assert_in_line()


def test_a_calendar_that_could_not_be_written_before_the_back_up_moves_nothing_back(restored: Restored) -> None:
    practice = restored.practice
    booked, second = book_and_show_in_two(practice, restored.calendar)
    remote(practice, "second").fail(TransientError("down"), on="put")
    practice.move(booked, when(60))
    work(practice, restored.calendar)
    work(practice, second)
    assert (times(practice), times(practice, "second")) == ([when(60).span], [when(48).span])
    restored.back_up()
    set_back(restored)

    restored.decide(Follow.CALENDARS)
    restored.go_on()

    assert practice.session(booked).when == when(60)
    assert practice.session(booked).flag is None
    assert times(practice, "second") == [when(60).span]


def test_a_move_that_was_settling_when_the_back_up_was_made_is_followed(restored: Restored) -> None:
    practice = restored.practice
    booked = book_and_show(practice, restored.calendar)
    remote(practice).move(href_at(practice, 48), when(60).span)
    look(practice, restored.calendar)  # seen, and not yet for long enough
    restored.back_up()
    set_back(restored)

    restored.decide(Follow.CALENDARS)
    restored.go_on()

    assert practice.session(booked).when == when(60)
    assert practice.session(booked).flag is FlagReason.RESTORED


def late(restored: Restored) -> tuple[Session, Session]:
    """Decide while the second of two calendars cannot be read; what the two sessions say was in both."""
    practice = restored.practice
    second = connect(practice, name="second")
    sessions = practice.book(200), practice.book(240)
    for calendar in (restored.calendar, second):
        work(practice, calendar)
        look(practice, calendar)
    restored.back_up()
    set_back(restored)
    remote(practice, "second").offline = TransientError("down")
    restored.decide(Follow.CALENDARS)
    restored.go_on()
    return sessions


@BOTH
def test_what_was_decided_since_stands_when_a_calendar_is_decided_about_late(
    restored: Restored, follow: Follow
) -> None:
    practice = restored.practice
    booked, _ = late(restored)
    practice.move(practice.session(booked), when(220))
    restored.go_on()
    before = len(restored.to_clients())

    remote(practice, "second").offline = None
    restored.decide(follow)
    restored.go_on()

    assert practice.session(booked).when == when(220)
    assert len(restored.to_clients()) == before
    assert times(practice) == times(practice, "second") == [when(220).span, when(240).span]
    *_, letter = [letter for letter in restored.letters if letter.notice.kind is NoticeKind.RESTORED]
    assert [(one.what, one.old) for one in letter.notice.righted] == []  # it stood where it was last seen to stand


def test_a_letter_that_waits_is_not_dropped_by_a_late_decision(restored: Restored) -> None:
    practice = restored.practice
    booked, _ = late(restored)
    practice.prompt = False
    practice.move(practice.session(booked), when(220))
    before = len(restored.to_clients())

    remote(practice, "second").offline = None
    restored.decide(Follow.CALENDARS)
    restored.go_on()

    [letter] = restored.to_clients()[before:]
    assert letter.notice.session is not None
    assert letter.notice.session.when == when(220)


def test_what_was_moved_in_a_calendar_that_is_decided_about_late_is_followed_if_nothing_was_decided_since(
    restored: Restored,
) -> None:
    practice = restored.practice
    booked, other = late(restored)
    practice.move(practice.session(booked), when(220))
    restored.go_on()

    remote(practice, "second").offline = None
    for hours in (200, 240):
        remote(practice, "second").move(href_at(practice, hours, "second"), when(hours + 50).span)
    restored.decide(Follow.CALENDARS)
    restored.go_on()

    assert practice.session(booked).when == when(220)
    assert practice.session(other).when == when(290)
    *_, letter = [letter for letter in restored.letters if letter.notice.kind is NoticeKind.RESTORED]
    assert {(one.what, one.old) for one in letter.notice.righted} == {
        (Righting.PUT_BACK, when(250)),
        (Righting.MOVED, when(240)),
    }


def test_what_a_calendar_that_is_decided_about_late_does_not_show_is_not_gone(restored: Restored) -> None:
    practice = restored.practice
    second = connect(practice, name="second")
    booked, offer = offer_and_show(practice, restored.calendar, 72, 96)
    work(practice, second)
    look(practice, second)
    restored.back_up()
    set_back(restored)
    remote(practice, "second").offline = TransientError("down")
    restored.decide(Follow.CALENDARS)
    restored.go_on()

    remote(practice, "second").offline = None
    remote(practice, "second").wipe()
    restored.decide(Follow.CALENDARS)
    restored.go_on()

    assert practice.offer_now(offer).state is OfferState.OPEN
    assert practice.session(booked).flag is None
    assert len(times(practice, "second")) == 3


def test_what_was_made_anew_after_one_restore_is_known_after_another_of_the_same_back_up(restored: Restored) -> None:
    practice = restored.practice
    booked = practice.book(200)
    work(practice, restored.calendar)
    look(practice, restored.calendar)
    restored.back_up()
    practice.book(300)
    remote(practice).delete(href_at(practice, 200))
    restored.restore()
    restored.decide(Follow.CALENDARS)
    restored.go_on()
    practice.move(practice.session(booked), when(220))
    restored.go_on()
    before = len(restored.to_clients())

    restored.restore()
    restored.decide(Follow.CALENDARS)
    restored.go_on()

    assert practice.session(booked).when == when(220)
    assert times(practice) == [when(220).span]
    assert len(restored.to_clients()) == before
    restored.assert_in_line()


def test_what_an_earlier_version_has_made_anew_since_is_known(restored: Restored) -> None:
    practice = restored.practice
    booked = book_and_show(practice, restored.calendar)
    restored.back_up()
    key = EntryKey(kind=EntryKind.SESSION, id=booked.id)
    event = remote(practice).events[href_at(practice, 48)]
    remote(practice).delete(event.href)
    remote(practice).copy(replace(event, name=former_name(restored.calendar.id, key, 2)), "/anew")
    remote(practice).move("/anew", when(60).span)
    set_back(restored)

    restored.decide(Follow.CALENDARS)

    assert practice.session(booked).when == when(60)


@BOTH
@pytest.mark.parametrize("hours", [48, 400])
def test_a_copy_of_an_event_stays_and_the_event_itself_is_the_one_at_its_address(
    restored: Restored, follow: Follow, hours: int
) -> None:
    practice = restored.practice
    booked = book_and_show(practice, restored.calendar)
    there = remote(practice)
    original = href_at(practice, 48)
    there.note(original, "bring the file")
    there.copy(there.events[original], "/copy")
    there.move("/copy", when(hours).span)
    look(practice, restored.calendar)
    restored.back_up()
    set_back(restored)

    restored.decide(follow)
    restored.go_on()

    assert there.events.keys() == {original, "/copy"}
    assert there.events[original].note == "bring the file"
    assert practice.session(booked).when == when(48)
    assert restored.righted() == []


def test_copies_from_other_calendars_and_what_only_looks_like_ours_are_left_alone(
    restored: Restored,
) -> None:
    practice = restored.practice
    booked, _second = book_and_show_in_two(practice, restored.calendar)
    there, other = remote(practice), remote(practice, "second")
    foreign = replace(there.events[href_at(practice, 48)], name=str(uuid5(booked.id, "of another program")))
    there.copy(foreign, "/foreign", marked=False)
    there.copy(other.events[href_at(practice, 48, "second")], "/copy")
    there.copy(replace(foreign, name=str(uuid5(booked.id, "of ours"))), "/unknown")
    restored.back_up()
    set_back(restored)

    restored.decide(Follow.DATABASE)

    assert {"/foreign", "/copy"} <= there.events.keys()
    assert "/unknown" not in there.events
    assert restored.survey() == []


def test_of_two_generations_the_newer_one_counts_and_the_earlier_one_is_removed(restored: Restored) -> None:
    practice = restored.practice
    booked = book_and_show(practice, restored.calendar)
    there = remote(practice)
    event = there.events[href_at(practice, 48)]
    restored.back_up()
    key = EntryKey(kind=EntryKind.SESSION, id=booked.id)
    there.copy(replace(event, name=name_for(restored.calendar.id, key, 2)), "/anew")
    set_back(restored)

    restored.decide(Follow.CALENDARS)
    restored.go_on()

    assert there.events.keys() == {"/anew"}
    restored.assert_in_line()
