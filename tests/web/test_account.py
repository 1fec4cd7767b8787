"""What practitioners say about themselves on pages: their details, and when they work."""

from __future__ import annotations

import re
from datetime import date, timedelta

import pytest

from connector.domain.people import Level, Practitioner
from connector.domain.working_hours import MOST_EXCEPTIONS, Stretch, WorkingHours
from connector.services import people as changing
from connector.services import working_hours
from connector.services.scheduling.sessions import cancel
from connector.services.working_hours import CurrentHours, Source
from connector.storage import people
from tests.web.presence import HostsUsers, hosted
from tests.web.stage import Browser, Stage

DETAILS, HOURS = "/account/details", "/account/hours"
DATES = f"{HOURS}/dates"


def ada(stage: Stage) -> Practitioner:
    with stage.runtime.database.read() as db:
        return people.practitioner(db, stage.ada.id)


def current(stage: Stage) -> CurrentHours:
    with stage.runtime.database.read() as db:
        return working_hours.current(db, ada(stage), now=stage.now)


def fields(stage: Stage, **changes: str) -> dict[str, str]:
    person = ada(stage)
    return {
        "name": person.name,
        "zone": person.zone,
        "locale": person.locale,
        "buffer": "0",
        "session_level": "2",
        "hold_level": "2",
        "version": str(person.version),
    } | changes


def shown(browser: Browser) -> str:
    """Return by what the form for single dates knows the hours that are shown above it."""
    versions: list[str] = re.findall(r'name="version" value="([^"]*)"', browser.get(HOURS).text)
    return versions[-1]


def typed(page: str) -> dict[str, str]:
    """Return the hours that a page is filled with, as a browser would send them."""
    return dict(re.findall(r'name="((?:from|to)\d-\d|version)" value="([^"]*)"', page.partition('id="dates"')[0]))


def test_a_practitioner_changes_their_own_details_and_nobody_elses(stage: Stage) -> None:
    browser = stage.signed_in()
    form = fields(stage, name="Dr. Ada Black", zone="Europe/Paris", locale="de", buffer="10", session_level="4")
    answer = browser.post(DETAILS, form | {"takes_replies": "yes"})
    assert (answer.status_code, answer.location) == (303, "/account")
    changed = ada(stage)
    assert (changed.name, changed.zone, changed.locale) == ("Dr. Ada Black", "Europe/Paris", "de")
    assert (changed.buffer, changed.session_level, changed.takes_replies) == (timedelta(minutes=10), Level.FULL, True)
    assert "Gespeichert." in browser.get("/account").text
    with stage.runtime.database.read() as db:
        assert people.practitioner(db, stage.bob.id) == stage.bob


def test_the_address_that_signs_in_is_not_changed_on_a_page(stage: Stage) -> None:
    browser = stage.signed_in()
    assert "changed by whoever runs Pencilled" in browser.get(DETAILS).text
    browser.post(DETAILS, fields(stage, email="mallory@example.org"))
    assert ada(stage).email == stage.ada.email


def test_what_is_wrong_with_details_is_said_at_once_at_each_field(stage: Stage) -> None:
    before = ada(stage)
    wrong = {"name": "", "zone": "Mars", "locale": "!", "buffer": "900", "session_level": "9"}
    answer = stage.signed_in().post(DETAILS, fields(stage, **wrong))
    assert answer.status_code == 422
    assert set(re.findall(r'id="error-(\w+)"', answer.text)) == set(wrong)
    assert answer.text.count("autofocus") == 1
    assert ada(stage) == before


@pytest.mark.parametrize("buffer", ["0.5", "1,5"])
def test_a_buffer_is_typed_as_people_write_numbers(stage: Stage, buffer: str) -> None:
    assert stage.signed_in().post(DETAILS, fields(stage, buffer=buffer)).status_code == 303
    assert ada(stage).buffer == timedelta(minutes=float(buffer.replace(",", ".")))


def test_a_buffer_by_which_sessions_would_collide_is_refused_at_its_field(stage: Stage) -> None:
    stage.book(stage.at(7, 16))
    answer = stage.signed_in().post(DETAILS, fields(stage, buffer="30"))
    assert answer.status_code == 422
    assert 'id="error-buffer"' in answer.text
    assert ada(stage).buffer == timedelta(0)


def test_details_that_somebody_else_has_changed_meanwhile_are_not_overwritten(stage: Stage) -> None:
    seen = fields(stage)
    with stage.runtime.database.begin() as db:
        changing.change_practitioner(db, stage.ada.id, {"zone": "Europe/Rome"}, by=stage.by, now=stage.now)
    answer = stage.signed_in().post(DETAILS, seen | {"name": "Ada"})
    assert "Somebody else has changed this" in answer.text
    assert (ada(stage).name, ada(stage).zone) == (stage.ada.name, "Europe/Rome")


def test_hours_that_were_learnt_are_confirmed_as_they_are_shown(stage: Stage) -> None:
    browser, shown = stage.signed_in(), current(stage)
    assert shown.source is Source.LEARNT
    page = browser.get(HOURS).text
    assert "learnt from your sessions" in page
    assert browser.post(HOURS, typed(page)).status_code == 303
    said = current(stage)
    assert (said.source, said.hours) == (Source.CONFIRMED, shown.hours)


def test_hours_with_a_break_and_until_midnight_are_said_and_exceptions_stay(stage: Stage) -> None:
    with stage.runtime.database.begin() as db:
        hours = WorkingHours(weekly=((),) * 7, exceptions={date(2026, 12, 24): ()})
        working_hours.change(db, stage.ada.id, hours, by=stage.by, now=stage.now)
    browser = stage.signed_in()
    page = browser.get(HOURS).text
    assert "not at work" in page
    form = typed(page) | {"from0-0": "09:00", "to0-0": "12:30", "from0-1": "14:00", "to0-1": "00:00"}
    assert browser.post(HOURS, form).status_code == 303
    said = current(stage).hours
    assert said.weekly[0] == (Stretch(start=540, end=750), Stretch(start=840, end=1440))
    assert said.exceptions == hours.exceptions


@pytest.mark.parametrize("row", [("09:00", ""), ("12:00", "09:00"), ("nine", "ten")])
def test_hours_that_cannot_be_are_refused_on_their_day_with_everything_as_typed(
    stage: Stage, row: tuple[str, str]
) -> None:
    browser, before = stage.signed_in(), current(stage)
    form = typed(browser.get(HOURS).text)
    form |= {"from2-0": row[0], "to2-0": row[1], "from4-0": "08:00", "to4-0": "12:00", "from4-1": "11:00"}
    answer = browser.post(HOURS, form | {"to4-1": "13:00"})
    assert answer.status_code == 422
    assert set(re.findall(r'id="error-(\w+)"', answer.text)) == {"day2", "day4"}
    assert f'name="from2-0" value="{row[0]}"' in answer.text
    assert current(stage) == before


def test_a_date_is_closed_or_has_hours_of_its_own_and_is_taken_away_again(stage: Stage) -> None:
    browser, weekly = stage.signed_in(), current(stage).hours.weekly

    def say(**form: str) -> int:
        return browser.post(DATES, form | {"version": shown(browser)}, page=HOURS).status_code

    stale = shown(browser)
    late = stage.book(stage.at(5, 20))
    missed = browser.post(DATES, {"day": "2026-12-24", "version": stale}, page=HOURS)
    assert missed.status_code == 422, "hours that were learnt since would count as said"
    with stage.runtime.database.begin() as db:
        cancel(db, stage.runtime.policy, late.id, by=stage.by, now=stage.now)
    assert "Once you add one, the hours above count as said by you." in browser.get(HOURS).text
    assert say(day="2026-12-24") == 303
    assert say(**{"day": "2026-12-31", "from7-0": "09:00", "to7-0": "12:00"}) == 303
    morning = (Stretch(start=540, end=720),)
    assert current(stage).hours == WorkingHours(
        weekly=weekly, exceptions={date(2026, 12, 24): (), date(2026, 12, 31): morning}
    )
    page = browser.get(HOURS).text
    assert page.index("not at work") < page.index("09:00\N{EN DASH}12:00")
    again = {"day": "2026-12-24", "from7-0": "10:00", "to7-0": "12:00"}
    assert say(**again) == 303, "said once more, it is replaced"
    assert say(remove="2026-12-31") == 303
    assert current(stage).hours.exceptions == {date(2026, 12, 24): (Stretch(start=600, end=720),)}


def test_what_is_wrong_with_a_date_is_said_at_its_fields_and_nothing_is_saved(stage: Stage) -> None:
    browser, before = stage.signed_in(), current(stage)
    wrong = {"day": "2026-03-01", "from7-0": "12:00", "to7-0": "09:00", "version": str(before.version)}
    refused = browser.post(DATES, wrong, page=HOURS)
    assert refused.status_code == 422
    assert set(re.findall(r'id="error-(\w+)"', refused.text)) == {"day", "times"}
    assert re.findall(r'name="(\w+)"[^>]* autofocus', refused.text) == ["day"]
    assert 'name="from7-0" value="12:00"' in refused.text
    stale = browser.post(DATES, {"day": "2026-12-24", "version": "7"}, page=HOURS)
    assert "Somebody else has changed this" in stale.text
    assert current(stage) == before


def test_more_dates_than_a_page_has_room_for_are_refused_or_paged(stage: Stage) -> None:
    first = stage.now.date()
    days = {first + timedelta(days=n): () for n in range(MOST_EXCEPTIONS)}
    with stage.runtime.database.begin() as db:
        hours = WorkingHours(weekly=((),) * 7, exceptions=days)
        working_hours.change(db, stage.ada.id, hours, by=stage.by, now=stage.now)
    browser = stage.signed_in()
    one_more = {"day": f"{first + timedelta(days=MOST_EXCEPTIONS)}", "version": "1"}
    refused = browser.post(DATES, one_more, page=HOURS)
    assert (refused.status_code, 'id="error-day"' in refused.text) == (422, True)
    stage.clock.advance(timedelta(days=1))
    browser = stage.signed_in()
    assert browser.post(DATES, one_more, page=HOURS).status_code == 303, "what is over makes room"
    page = browser.get(HOURS).text
    assert len(page.encode()) < 50_000
    further = re.search(r'href="(/account/hours\?behind=[^"#]*)', page)
    assert further
    assert page.count('name="remove"') == browser.get(further[1]).text.count('name="remove"') == 60


def test_details_that_a_host_in_this_process_keeps_are_changed_there_and_hours_here(stage: Stage) -> None:
    with stage.runtime.database.begin() as db:
        changing.change_practitioner(db, stage.ada.id, {"external_id": "p-1"}, by=stage.by, now=stage.now)
    hosted(stage, HostsUsers(names_practitioners=True, practitioner_id="p-1"))
    browser = Browser(stage.app.test_client())
    page = browser.get("/account").text
    assert DETAILS not in page
    assert HOURS in page
    assert browser.get(DETAILS).status_code == 303
    assert browser.get(HOURS).status_code == 200
