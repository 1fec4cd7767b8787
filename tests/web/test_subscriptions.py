"""Whoever wants a calendar subscription gets an address, programs fetch it sparingly, and it ends when they say so."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import timedelta
from email.utils import format_datetime

import pytest
import sqlalchemy as sa
from ical.calendar_stream import CalendarStream

from connector.domain.notice import NoticeKind
from connector.domain.people import CLOCK
from connector.outbox.letters import compose
from connector.services import publishing, standstill
from connector.services.people import change_client
from connector.storage.tables import clients
from tests.web.stage import Browser, NotedMail, Stage, add_client

_ADDRESS = re.compile(r'value="([^"]*/feed/[a-z2-7]{26}\.ics)"')


def page(stage: Stage) -> str:
    """The path of the client's page, as their first letter names it."""
    assert isinstance(stage.runtime.sender, NotedMail)
    letter = next(one for one in stage.runtime.sender.letters if one.notice.client_name == stage.kim.name)
    mail = compose(letter, brand="Pencilled", from_address="pencilled@example.org")
    words = mail.get_body(("plain",))
    assert words is not None
    assert letter.subscription is not None
    assert letter.subscription in words.get_content().replace("\n", "")
    return letter.subscription.removeprefix(stage.runtime.settings.public_url)


def address(stage: Stage, browser: Browser, where: str) -> str:
    """The path that a page shows to be fetched."""
    match = _ADDRESS.search(browser.get(where).text)
    assert match
    return match[1].removeprefix(stage.runtime.settings.public_url)


def begin(stage: Stage) -> tuple[str, str]:
    """Have the client subscribe, and something booked for them; return the page and the path of the calendar."""
    where = page(stage)
    browser = stage.browser()
    browser.post(f"{where}/begin", {"shown": ""}, page=where)
    stage.session = stage.book(stage.at(8, 10))
    stage.mail()
    return where, address(stage, browser, where)


def begin_own(stage: Stage) -> tuple[str, str]:
    """Have the practitioner subscribe, likewise."""
    ada = stage.signed_in()
    ada.post("/subscription", {"shown": "", "session_level": "2", "hold_level": "1"})
    return "/subscription", address(stage, ada, "/subscription")


ways = pytest.mark.parametrize("way", [begin, pytest.param(begin_own, marks=pytest.mark.long)])
Way = Callable[[Stage], tuple[str, str]]


@ways
def test_a_program_fetches_what_stands_and_nobody_elses_name_is_in_the_address(stage: Stage, way: Way) -> None:
    _, path = way(stage)
    answer = stage.browser().get(path)
    [calendar] = CalendarStream.from_ics(answer.text).calendars
    assert answer.content_type == "text/calendar; charset=utf-8"
    assert answer.headers["Cache-Control"] == "private, no-cache"
    assert calendar.method == "PUBLISH"
    assert stage.session.when.span.start in {event.dtstart for event in calendar.events}
    assert "Lou" not in answer.text
    assert re.fullmatch(r"/feed/[a-z2-7]{26}\.ics", path)


@ways
def test_a_program_that_has_it_is_told_that_nothing_changed_until_something_does(stage: Stage, way: Way) -> None:
    _, path = way(stage)
    browser = stage.browser()
    first = browser.get(path)
    etag, since = first.headers["ETag"], first.headers["Last-Modified"]
    stage.clock.advance(timedelta(hours=2))
    for headers in ({"If-None-Match": etag}, {"If-Modified-Since": since}, {"If-None-Match": f'"other", {etag}'}):
        again = browser.get(path, headers=headers)
        assert (again.status_code, again.data, again.headers["ETag"]) == (304, b"", etag)
    assert browser.get(path, headers={"If-None-Match": '"other"', "If-Modified-Since": since}).status_code == 200
    stage.book(stage.at(9, 10))
    assert browser.get(path, headers={"If-None-Match": etag}).status_code == 200
    changed = browser.get(path, headers={"If-Modified-Since": since})
    assert (changed.status_code, changed.headers["ETag"] == etag) == (200, False)
    assert changed.last_modified == stage.now.replace(microsecond=0)
    assert format_datetime(stage.now, usegmt=True) == changed.headers["Last-Modified"]


@ways
def test_a_head_is_answered_like_a_get_without_a_body(stage: Stage, way: Way) -> None:
    _, path = way(stage)
    get, head = stage.browser().get(path), stage.browser().http.head(path)
    assert (head.status_code, head.data) == (200, b"")
    for name in ("ETag", "Last-Modified", "Content-Type", "Content-Length"):
        assert head.headers[name] == get.headers[name]


@ways
def test_another_address_ends_the_one_before_and_a_form_sent_twice_ends_nothing(stage: Stage, way: Way) -> None:
    where, former = way(stage)
    browser = stage.signed_in()
    [shown] = set(re.findall(r'name="shown" value="([^"]+)"', browser.get(where).text))
    form = {"shown": shown, "session_level": "2", "hold_level": "2"}
    to = where if way is begin_own else f"{where}/begin"
    browser.post(to, form, page=where)
    new = address(stage, browser, where)
    browser.post(to, form, page=where)
    assert address(stage, browser, where) == new != former
    gone = stage.browser().get(former)
    assert (gone.status_code, gone.headers["Cache-Control"]) == (410, "no-store")
    assert "has ended" in gone.text
    assert stage.browser().get(new).status_code == 200


@ways
def test_what_has_ended_is_gone_and_what_never_was_is_not_found(stage: Stage, way: Way) -> None:
    where, path = way(stage)
    browser = stage.signed_in()
    browser.post(f"{where}/end", page=where)
    assert stage.browser().get(path).status_code == 410
    assert not _ADDRESS.search(browser.get(where).text)
    assert stage.browser().get(f"/feed/{'a' * 26}.ics").status_code == 404
    assert stage.browser().get("/feed/short.ics").status_code == 404


def test_a_practitioner_gets_an_address_and_ends_it(stage: Stage) -> None:
    where, path = begin_own(stage)
    [calendar] = CalendarStream.from_ics(stage.browser().get(path).text).calendars
    assert [event.summary for event in calendar.events] == ["Session: K. N."]
    stage.signed_in().post(f"{where}/end", page=where)
    assert stage.browser().get(path).status_code == 410


def test_who_goes_back_to_invitations_is_invited(stage: Stage) -> None:
    where, _ = begin(stage)
    assert isinstance(stage.runtime.sender, NotedMail)
    before = len(stage.runtime.sender.letters)
    stage.browser().post(f"{where}/end", page=where)
    stage.mail()
    [letter] = stage.runtime.sender.letters[before:]
    assert letter.notice.kind is NoticeKind.BOOKED
    assert letter.notice.session == stage.stored_session()


@pytest.mark.parametrize("method", ["GET", pytest.param("HEAD", marks=pytest.mark.long)])
def test_looking_at_the_page_begins_and_ends_nothing(stage: Stage, method: str) -> None:
    where = page(stage)
    before = stage.everything()
    for path in (where, f"{where}/begin", f"{where}/end"):
        stage.browser().http.open(path, method=method)
    assert stage.everything() == before


def test_the_page_is_for_nobody_without_its_link_and_not_for_ever(stage: Stage) -> None:
    where = page(stage)
    assert stage.browser().get("/subscription/forged").status_code == 404
    other = stage.runtime.seal.token("answer", stage.session.id)
    assert stage.browser().get(f"/subscription/{other}").status_code == 404
    assert stage.browser().get("/subscription").status_code == 303
    stage.clock.advance(timedelta(days=7) + publishing.LINKS_SHOW + timedelta(days=1))
    assert stage.browser().get(where).status_code == 404


def test_the_page_of_an_offer_leads_there_whoever_gets_no_mail_and_nobody_else(stage: Stage) -> None:
    link = stage.link(stage.offer())
    assert "/subscription/" not in stage.browser().get(link).text
    with stage.runtime.database.begin() as db:
        db.execute(sa.update(clients).where(clients.c.id == stage.kim.id).values(email=""))
    where = re.search(r'href="(/subscription/[^"]+)"', stage.browser().get(link).text)
    assert where
    assert "Get an address to subscribe to" in stage.browser().get(where[1]).text


def test_whoever_had_the_link_at_an_address_that_was_wrong_is_shown_nothing(stage: Stage) -> None:
    where, path = begin(stage)
    with stage.runtime.database.begin() as db:
        change_client(db, stage.kim.id, {"email": "kim@elsewhere.example"}, by=stage.by, now=stage.now)
    for answer in (stage.browser().get(where), stage.browser().post(f"{where}/begin", page=where)):
        assert answer.status_code == 404
    assert stage.browser().get(path).status_code == 410, "nor what somebody who read there may have opened"


def test_nothing_is_fetched_while_the_database_may_be_older_than_what_a_program_has(stage: Stage) -> None:
    _, path = begin(stage)
    with stage.runtime.database.begin() as db:
        standstill.begin(db, stage.runtime.policy, by=CLOCK, now=stage.now)
    assert stage.browser().get(path).status_code == 503


def test_the_page_says_what_stays_an_invitation_and_when_it_was_fetched(stage: Stage) -> None:
    where, path = begin(stage)
    text = stage.browser().get(where).text
    assert "One session that is still to come was put into your calendar by an invitation" in text
    assert "No calendar program has fetched it yet." in text
    stage.browser().get(path)
    assert "Last fetched by a calendar program: " in stage.browser().get(where).text
    webcal = re.search(r'href="(webcal://[^"]+)"', text)
    assert webcal
    assert webcal[1].endswith(path)


def test_one_clients_calendar_holds_nothing_of_another(stage: Stage) -> None:
    _, path = begin(stage)
    stage.book(stage.at(9, 9), client=add_client(stage))
    [calendar] = CalendarStream.from_ics(stage.browser().get(path).text).calendars
    assert [event.uid for event in calendar.events] == [stage.session.uid]


def test_whoever_fetches_busy_times_learns_those_alone_and_nothing_once_it_was_revoked(stage: Stage) -> None:
    with stage.runtime.database.begin() as db:
        calendar = publishing.open_busy(db, stage.runtime.seal, stage.ada.id, name="Acme", by=CLOCK, now=stage.now)
    path = f"/feed/{publishing.token_of(stage.runtime.seal, calendar)}.ics"
    browser = stage.browser()
    answer = browser.get(path)
    [read] = CalendarStream.from_ics(answer.text).calendars
    assert stage.session.when.span.start in {event.dtstart for event in read.events}
    assert {event.summary for event in read.events} == {"Busy"}
    assert not [name for name in (stage.kim.name, stage.ada.name, "Acme", "ORGANIZER") if name in answer.text]
    again = browser.get(path, headers={"If-None-Match": answer.headers["ETag"]})
    head = browser.http.head(path)
    assert (again.status_code, head.status_code, head.headers["ETag"]) == (304, 200, answer.headers["ETag"])
    assert "subscription" not in browser.get(path).text
    with stage.runtime.database.begin() as db:
        publishing.end(db, calendar.id, by=CLOCK, now=stage.now)
    assert browser.get(path).status_code == 410
