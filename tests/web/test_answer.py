# ruff: noqa: RUF001 - pages write stretches of time with an en dash
from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from werkzeug.test import TestResponse

from connector.domain.offer import Alternative, Offer, OfferState
from connector.domain.session import Location, LocationKind, SessionState
from connector.services.scheduling import offers, sessions
from connector.services.scheduling.answers import PURPOSE
from connector.storage.seal import Seal
from tests.web.stage import NEW_YORK, Browser, Stage, add_client


def take(browser: Browser, link: str, alternative: Alternative, shown: str | None = None) -> TestResponse:
    form = {"shown": shown or alternative.when.span.start.isoformat()}
    return browser.post(f"{link}/choose/{alternative.id}", form, page=link + "/none")


def pages_of(link: str, offer: Offer) -> list[str]:
    return [link, *(f"{link}/choose/{a.id}" for a in offer.alternatives), f"{link}/none", f"{link}/cancel"]


def test_the_page_shows_the_times_the_place_and_the_deadline(stage: Stage) -> None:
    offer = stage.offer()
    text = stage.browser().get(stage.link(offer)).text
    for words in ("Dr. Ada Weiß", "09:00–09:50", "11:00–11:50", "15:00–15:50", "Lindenstraße 7, Berlin"):
        assert words in text
    assert 'Please answer before <time datetime="2026-03-03T09:00:00+00:00" data-deadline="86400">' in text
    assert ">Tuesday, 3 March 2026, 10:00 (Central European Time, Berlin)</time>." in text
    assert "It stays yours until you choose another one." in text
    assert '<meta name="robots" content="noindex, nofollow">' in text


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_opening_every_page_changes_nothing(stage: Stage, method: str) -> None:
    offer, browser = stage.offer(), stage.browser()
    before = stage.everything()
    for path in pages_of(stage.link(offer), offer):
        assert browser.http.open(path, method=method).status_code == 200
    stage.clock.advance(timedelta(hours=25))  # not even a deadline that has come
    for path in pages_of(stage.link(offer), offer):
        assert browser.http.open(path, method=method).status_code in (200, 303)
    assert stage.everything() == before


def test_accepting_moves_the_session_and_says_so_at_every_later_visit(stage: Stage) -> None:
    offer, browser = stage.offer(), stage.browser()
    link, alternative = stage.link(offer), offer.alternatives[1]
    answer = take(browser, link, alternative)
    assert (answer.status_code, answer.location) == (303, link)
    assert stage.stored_session().when == alternative.when
    stage.clock.advance(timedelta(days=89))
    text = stage.browser().get(link).text
    assert "Your new time is booked" in text
    assert "11:00–11:50" in text
    assert "<form" not in text
    stage.clock.advance(timedelta(days=1))
    assert stage.browser().get(link).status_code == 404


def test_repeating_the_same_answer_shows_the_same_result(stage: Stage) -> None:
    offer, browser = stage.offer(), stage.browser()
    link = stage.link(offer)
    form = {"shown": offer.alternatives[0].when.span.start.isoformat()}
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(link + "/none").text)
    assert token
    path = f"{link}/choose/{offer.alternatives[0].id}"
    first = browser.http.post(path, data={"csrf_token": token[1], **form})
    before = stage.everything()
    again = browser.http.post(path, data={"csrf_token": token[1], **form})
    assert (first.status_code, first.location) == (again.status_code, again.location) == (303, link)
    assert stage.everything() == before


def test_a_different_second_answer_is_refused_and_shown_the_first(stage: Stage) -> None:
    offer, browser = stage.offer(), stage.browser()
    link = stage.link(offer)
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(link + "/none").text)
    assert token
    take(browser, link, offer.alternatives[0])
    for path in (f"{link}/choose/{offer.alternatives[1].id}", f"{link}/none", f"{link}/cancel"):
        answer = browser.http.post(path, data={"csrf_token": token[1]})
        assert answer.status_code == 409
        assert "that first answer stands" in answer.text
        assert "09:00–09:50" in answer.text
    assert stage.stored_session().when == offer.alternatives[0].when


def test_none_suits_keeps_the_session_and_flags_it(stage: Stage) -> None:
    offer, browser = stage.offer(), stage.browser()
    link = stage.link(offer)
    assert browser.post(link + "/none").status_code == 303
    session = stage.stored_session()
    assert (session.state, session.when) == (SessionState.BOOKED, stage.session.when)
    assert session.flag is not None
    assert "Your session is still booked" in browser.get(link).text


def test_cancelling_ends_the_session(stage: Stage) -> None:
    offer, browser = stage.offer(), stage.browser()
    link = stage.link(offer)
    assert "You cannot undo this here." in browser.get(link + "/cancel").text
    assert browser.post(link + "/cancel").status_code == 303
    assert stage.stored_session().state is SessionState.CANCELLED
    assert "The booking is cancelled" in browser.get(link).text


def test_a_late_answer_is_refused_with_what_happened_and_what_to_do(stage: Stage) -> None:
    offer, browser = stage.offer(), stage.browser()
    link = stage.link(offer)
    browser.get(link + "/none")
    form_page = browser.get(f"{link}/choose/{offer.alternatives[0].id}").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', form_page)
    assert token
    stage.clock.advance(timedelta(hours=24))
    form = {"csrf_token": token[1], "shown": offer.alternatives[0].when.span.start.isoformat()}
    answer = browser.http.post(f"{link}/choose/{offer.alternatives[0].id}", data=form)
    assert answer.status_code == 410
    assert "The time to answer has passed" in answer.text
    assert "To reach Dr. Ada Weiß, please use the way that you know from them." in answer.text
    assert "If you need another time, write when you could." in answer.text
    assert stage.stored_session().when == stage.session.when


def test_an_answer_counts_one_second_before_the_deadline(stage: Stage) -> None:
    offer, browser = stage.offer(), stage.browser()
    stage.clock.advance(timedelta(hours=24) - timedelta(seconds=1))
    assert take(browser, stage.link(offer), offer.alternatives[0]).status_code == 303
    assert stage.stored(offer).state is OfferState.ACCEPTED


def test_a_stale_page_accepts_nothing_and_shows_the_new_time(stage: Stage) -> None:
    offer, browser = stage.offer(), stage.browser()
    link, alternative = stage.link(offer), offer.alternatives[1]
    with stage.runtime.database.begin() as db:
        new = stage.at(9, 17)
        offers.move_alternative(db, stage.runtime.policy, offer.id, alternative.id, new, by=stage.by, now=stage.now)
    answer = take(browser, link, alternative)
    assert answer.status_code == 409
    assert "This time has changed since you opened the page." in answer.text
    assert "17:00–17:50" in answer.text
    assert f'value="{new.span.start.isoformat()}"' in answer.text
    assert stage.stored(offer).state is OfferState.OPEN


@pytest.mark.parametrize("shown", ["", "nonsense", "2026-03-11T10:00:00", "0001-01-01T00:00:00+23:00"])
def test_a_form_that_does_not_say_what_it_showed_accepts_nothing(stage: Stage, shown: str) -> None:
    offer, browser = stage.offer(), stage.browser()
    link, alternative = stage.link(offer), offer.alternatives[1]
    answer = browser.post(f"{link}/choose/{alternative.id}", {"shown": shown})
    assert answer.status_code == 409
    assert stage.stored(offer).state is OfferState.OPEN


def test_a_time_taken_back_is_refused_and_the_others_are_shown(stage: Stage) -> None:
    offer, browser = stage.offer(), stage.browser()
    link, gone = stage.link(offer), offer.alternatives[0]
    with stage.runtime.database.begin() as db:
        offers.withdraw_alternative(db, stage.runtime.policy, offer.id, gone.id, by=stage.by, now=stage.now)
    assert browser.get(f"{link}/choose/{gone.id}").location == link
    answer = take(browser, link, gone)
    assert answer.status_code == 409
    assert "This time is no longer offered. Please choose one of the others." in answer.text
    assert stage.stored(offer).state is OfferState.OPEN


def test_a_time_that_has_begun_is_refused(stage: Stage) -> None:
    offer, browser = stage.offer(stage.at(0, 12), stage.at(9, 9)), stage.browser()
    stage.clock.advance(timedelta(hours=3))
    answer = take(browser, stage.link(offer), offer.alternatives[0])
    assert answer.status_code == 409
    assert "This time has already begun." in answer.text


def test_links_of_ended_offers_say_what_became_of_them(stage: Stage) -> None:
    first = stage.offer()
    second = stage.offer(stage.at(12, 9))
    text = stage.browser().get(stage.link(first)).text
    assert "There is a newer offer" in text
    assert "12:00" not in text
    with stage.runtime.database.begin() as db:
        offers.withdraw(db, stage.runtime.policy, second.id, by=stage.by, now=stage.now)
    assert "This offer was taken back" in stage.browser().get(stage.link(second)).text
    for offer in (first, second):
        assert take(stage.browser(), stage.link(offer), offer.alternatives[0]).status_code in (404, 410)


def test_an_accepted_page_tells_what_stands_now(stage: Stage) -> None:
    offer, browser = stage.offer(), stage.browser()
    link = stage.link(offer)
    take(browser, link, offer.alternatives[0])
    with stage.runtime.database.begin() as db:
        sessions.cancel(db, stage.runtime.policy, stage.session.id, by=stage.by, now=stage.now)
    text = browser.get(link).text
    assert "Since then the session has been cancelled." in text


@pytest.mark.parametrize("path", ["", "/none", "/cancel"])
def test_unknown_and_forged_links_reveal_nothing(stage: Stage, path: str) -> None:
    offer = stage.offer()
    draft = stage.draft(stage.at(20, 9))
    seal, genuine = stage.runtime.seal, stage.link(offer)
    stranger = Seal(("another key that is long enough, really",))
    forged = [
        "/answer/x",
        "/answer/%00%ff",
        genuine[:-9] + ("a" if genuine[-9] != "a" else "b") + genuine[-8:],
        f"/answer/{stranger.token(PURPOSE, offer.id)}",
        f"/answer/{seal.token('sign-in', offer.id)}",
        f"/answer/{seal.token(PURPOSE, uuid4())}",
        f"/answer/{seal.token(PURPOSE, draft.id)}",
        f"/answer/{seal.token(PURPOSE, stage.session.id)}",
    ]
    answers = [stage.browser().get(link + path) for link in forged]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert "Ada" not in answers[0].text


def test_a_time_of_another_offer_cannot_be_chosen(stage: Stage) -> None:
    mine, other = stage.offer(), stage.offer(stage.at(20, 9), session=stage.book(stage.at(19, 9)))
    answer = take(stage.browser(), stage.link(mine), other.alternatives[0])
    assert answer.status_code == 404
    assert stage.stored(mine).state is stage.stored(other).state is OfferState.OPEN


def test_nothing_of_other_clients_is_shown(stage: Stage) -> None:
    other = add_client(stage)
    session = stage.book(stage.at(19, 9), client=other)
    stage.offer(stage.at(20, 9), session=session)
    offer = stage.offer()
    browser = stage.browser()
    for path in pages_of(stage.link(offer), offer):
        text = browser.get(path).text
        for secret in ("Noa", "Lou", "Bob", "noa@example.org", "kim@example.org", str(session.id), str(stage.kim.id)):
            assert secret not in text


def test_times_are_told_in_the_clients_zone_and_words(stage: Stage) -> None:
    far = add_client(stage, zone=NEW_YORK, locale="en_US")
    offer = stage.offer(stage.at(9, 2), session=stage.book(stage.at(8, 16), client=far))
    text = stage.browser().get(stage.link(offer)).text.replace("\u00a0", " ")
    assert "Tuesday, March 10, 2026" in text  # 16:00 in Berlin on the 10th
    assert "9:00 PM–9:50 PM" in text  # 02:00 in Berlin is the evening before in New York
    assert "Eastern Time, New York" in text
    assert "For Dr. Ada Weiß: Wednesday, March 11, 2026, 2:00 AM–2:50 AM (Central European Time, Berlin)" in text
    german = add_client(stage, locale="de-AT")
    offer = stage.offer(stage.at(10, 9), session=stage.book(stage.at(8, 18), client=german))
    answer = stage.browser().get(stage.link(offer))
    assert '<html lang="de" dir="ltr">' in answer.text
    assert "Donnerstag, 12. März 2026" in answer.text
    assert "Diese Zeit passt mir nicht" in answer.text
    assert "Mitteleuropäische Zeit, Berlin" in answer.text


def test_names_and_places_are_escaped(stage: Stage) -> None:
    nasty = Location(kind=LocationKind.ONLINE, text='https://example.org/"><script>alert(1)</script>')
    odd = add_client(stage, name="<b>Kim</b>")
    offer = stage.offer(stage.at(9, 9), session=stage.book(stage.at(8, 9), client=odd), places={0: nasty})
    pages = [stage.browser().get(stage.link(offer)).text]
    ada = stage.signed_in()
    pages += [ada.get(path).text for path in ("/sessions", f"/sessions/{offer.session_id}")]
    for text in pages:
        assert text.count("<script") == 1
        assert "<script>" not in text
        assert "<b>Kim" not in text
    assert "&lt;b&gt;Kim" in pages[1]


def test_a_form_without_its_token_is_refused_kindly(stage: Stage) -> None:
    offer = stage.offer()
    link = stage.link(offer)
    before = stage.everything()
    answer = stage.browser().http.post(f"{link}/none")
    assert answer.status_code == 400
    assert "Please try that once more" in answer.text
    assert f'href="{link}/none"' in answer.text
    assert stage.everything() == before


def test_a_fault_speaks_the_browsers_language(stage: Stage) -> None:
    answer = stage.browser().get("/answer/x", headers={"Accept-Language": "de-CH,fr;q=0.5"})
    assert "Dieser Link funktioniert nicht" in answer.text
    assert '<html lang="de" dir="ltr">' in answer.text


def test_the_answer_is_the_clients(stage: Stage) -> None:
    offer = stage.offer()
    take(stage.browser(), stage.link(offer), offer.alternatives[0])
    text = stage.signed_in().get(f"/sessions/{stage.session.id}").text
    assert "Kim Noor (client)" in text
    assert stage.stored(offer).ended_at == datetime(2026, 3, 2, 9, tzinfo=UTC)
