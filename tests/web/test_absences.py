"""The page of a question about an absence: it shows which sessions, decides by POST alone, and leads to other times."""

from __future__ import annotations

from datetime import timedelta
from html import unescape
from typing import Any

from connector.domain.absence import Absence
from connector.domain.session import Session
from connector.storage import absences
from tests.web.absences import absence_of, page_of
from tests.web.away import Form
from tests.web.desk import Desk
from tests.web.stage import Stage


def asked(stage: Stage, *named: Session, calendar: Any = None) -> tuple[Absence, str]:
    with stage.runtime.database.begin() as db:
        calendar_id = calendar.id if calendar else None
        absence = absence_of(db, stage.ada.id, named, now=stage.now, calendar_id=calendar_id)
    return absence, page_of(stage, absence)


def state(stage: Stage, absence: Absence) -> str:
    with stage.runtime.database.read() as db:
        return absences.get(db, absence.id).state.value


def test_the_page_names_the_sessions_and_opening_it_decides_nothing(stage: Stage) -> None:
    session, other = stage.book(stage.at(12, 9)), stage.book(stage.at(12, 14))
    absence, path = asked(stage, session, other)
    before = stage.everything()
    page = stage.browser().get(path)
    assert page.status_code == 200
    assert "2 sessions are booked then" in page.text
    assert page.text.count(stage.kim.name) == 2
    assert f"/away?absence={absence.id}" in unescape(page.text)
    assert stage.everything() == before


def test_whoever_says_no_is_told_so_and_a_second_answer_comes_too_late(stage: Stage) -> None:
    absence, path = asked(stage, stage.book(stage.at(12, 9)))
    browser = stage.browser()
    assert browser.post(path, {"answer": "keep"}).status_code == 303
    assert state(stage, absence) == "answered"
    assert "The sessions take place" in browser.get(path).text
    late = browser.post(path, {"answer": "unrelated"}, page=path)
    assert (late.status_code, "decided already" in late.text) == (409, True)


def test_an_answer_that_is_none_is_refused(stage: Stage) -> None:
    absence, path = asked(stage, stage.book(stage.at(12, 9)))
    assert stage.browser().post(path, {"answer": "perhaps"}).status_code == 422
    assert state(stage, absence) == "open"


def test_a_calendar_that_does_not_concern_sessions_is_said_so_once_and_taken_back_on_its_page(
    there: Desk,
) -> None:
    there.connect()
    stage, calendar = there.stage, there.calendar
    absence, path = asked(stage, stage.book(stage.at(12, 9)), calendar=calendar)
    browser = stage.browser()
    assert f"Never ask about “{calendar.name}”" in browser.get(path).text
    browser.post(path, {"answer": "unrelated", "calendar": str(calendar.id)})
    assert (state(stage, absence), there.calendar.absences_unrelated) == ("answered", True)

    own, signed_in = f"/calendars/{calendar.connection_id}", stage.signed_in(stage.ada)
    assert f"Ask about “{calendar.name}” again" in signed_in.get(own).text
    form = {"calendar": str(calendar.id), "asks": "yes"}
    assert signed_in.post(f"{own}/absences", form, page=own).status_code == 303
    assert there.calendar.absences_unrelated is False


def test_other_times_are_offered_for_just_the_sessions_that_an_absence_names(stage: Stage) -> None:
    named, other = stage.book(stage.at(12, 9)), stage.book(stage.at(12, 15))
    absence, _ = asked(stage, named)
    page = stage.signed_in(stage.ada).get(f"/away?absence={absence.id}")
    assert page.status_code == 200
    ticked = [line for line in page.text.splitlines() if 'name="with-' in line]
    assert [" checked" in line for line in ticked] == [True, False]
    assert named.id.hex in page.text
    assert other.id.hex in page.text
    assert stage.signed_in(stage.bob).get(f"/away?absence={absence.id}").status_code == 404


def test_a_link_to_an_absence_of_more_days_than_can_be_shown_shows_as_many_as_can(stage: Stage) -> None:
    first, last = stage.book(stage.at(3, 9)), stage.book(stage.at(80, 9))
    absence, _ = asked(stage, first, last)
    page = stage.signed_in(stage.ada).get(f"/away?absence={absence.id}")
    assert page.status_code == 200
    assert Form(page).row(first) is not None
    assert Form(page).row(last) is None
    stage.clock.advance(timedelta(days=30))  # the first is over, and the question stands: the other is left
    page = stage.signed_in(stage.ada).get(f"/away?absence={absence.id}")
    assert page.status_code == 200
    assert Form(page).row(last) is not None
