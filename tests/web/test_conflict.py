"""An offered time at which something else stands is taken back from the mail that said so, and only on purpose."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from connector.domain.offer import Offer, OfferState
from connector.domain.unreadable import Unreadable
from connector.ports import UnreadEvent
from connector.sentence import Sentence
from connector.services.scheduling import answers, offers
from connector.services.scheduling.take_back import PURPOSE
from connector.storage import busy
from tests.web.desk import Desk, alert, is_due, later
from tests.web.remote_changes import add_foreign, begin, conflict_page, hand, is_link_of, refresh_free_busy
from tests.web.stage import Stage, add_client


@pytest.fixture
def offer(there: Desk) -> Offer:
    """An open offer; something else stands at the first of its three times."""
    begin(there)
    offer = there.stage.offer()
    add_foreign(there, offer.alternatives[0].when)
    return offer


def test_the_letter_leads_to_the_time_and_what_stands_there(there: Desk, offer: Offer) -> None:
    assert is_link_of(there, "clash_found", conflict_page(there))
    text = there.stage.browser().get(conflict_page(there)).text
    assert "Take this time back?" in text
    assert "There is something else at this time in “work”" in text
    assert "Kim Noor can choose it until Tuesday, 3 March 2026, 10:00 (Central European Time, Berlin)." in text
    assert "can still choose among the others" in text
    assert "Lindenstraße" not in text
    assert there.stage.stored(offer) == offer


@pytest.mark.parametrize("method", ["GET", "HEAD"])
@pytest.mark.usefixtures("offer")
def test_opening_the_page_takes_nothing_back(there: Desk, method: str) -> None:
    before = there.stage.everything()
    assert there.stage.browser().http.open(conflict_page(there), method=method).status_code == 200
    later(there.stage, days=2)
    assert there.stage.browser().http.open(conflict_page(there), method=method).status_code == 200
    assert there.stage.everything() == before


def test_one_click_takes_it_back_and_a_second_changes_nothing(there: Desk, offer: Offer) -> None:
    browser, page = there.stage.browser(), conflict_page(there)
    answer = browser.post(page)
    assert (answer.status_code, answer.location) == (303, page)
    after = there.stage.stored(offer)
    assert after.state is OfferState.OPEN
    assert [a.withdrawn for a in after.alternatives] == [True, False, False]
    assert "This time is taken back" in browser.get(page).text
    before = there.stage.everything()
    assert browser.post(page, page="/signin").status_code == 303
    assert there.stage.everything() == before


def test_taking_back_the_only_one_takes_the_offer_back_and_says_so_before(there: Desk) -> None:
    begin(there)
    offer = there.stage.offer(there.stage.at(9, 9))
    add_foreign(there, there.stage.at(9, 9))
    browser = there.stage.browser()
    assert "the whole offer is taken back" in browser.get(conflict_page(there)).text
    browser.post(conflict_page(there))
    assert there.stage.stored(offer).state is OfferState.WITHDRAWN
    assert "so the whole offer is taken back" in browser.get(conflict_page(there)).text


def _accept(stage: Stage, offer: Offer, n: int) -> None:
    with stage.runtime.database.begin() as db:
        answers.accept(db, stage.runtime.policy, offer.id, offer.alternatives[n].id, by=stage.by, now=stage.now)


def _reject(stage: Stage, offer: Offer) -> None:
    with stage.runtime.database.begin() as db:
        answers.reject(db, stage.runtime.policy, offer.id, by=stage.by, now=stage.now)


def _withdraw(stage: Stage, offer: Offer) -> None:
    with stage.runtime.database.begin() as db:
        offers.withdraw(db, stage.runtime.policy, offer.id, by=stage.by, now=stage.now)


@pytest.mark.parametrize(
    ("end", "told"),
    [
        (lambda stage, offer: _accept(stage, offer, 0), "Kim Noor has chosen this time"),
        (lambda stage, offer: _accept(stage, offer, 1), "Kim Noor has chosen another time."),
        (_reject, "nothing offered suits"),
        (_withdraw, "It was taken back."),
        (lambda stage, _: stage.offer(stage.at(12, 9)), "You have sent another offer in its place."),
        (lambda stage, _: later_day(stage), "did not answer in time"),
    ],
)
def test_an_offer_that_has_ended_is_told_as_it_ended(
    there: Desk, offer: Offer, end: Callable[[Stage, Offer], object], told: str
) -> None:
    browser, page = there.stage.browser(), conflict_page(there)
    token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(page).text)
    assert token
    end(there.stage, offer)
    answer = browser.get(page)
    assert told in answer.text
    assert "<form" not in answer.text
    session = there.stage.stored_session()
    late = browser.http.post(page, data={"csrf_token": token[1]})
    assert late.status_code == 409
    assert "the offer had ended already" in alert(late)
    assert told in late.text
    assert there.stage.stored_session() == session


def later_day(stage: Stage) -> None:
    later(stage, hours=25)


@pytest.mark.usefixtures("offer")
def test_what_went_away_again_is_not_called_a_conflict(there: Desk) -> None:
    [href] = [event.href for event in hand(there).events.values() if "Dentist" in repr(event)]
    hand(there).delete(href)
    refresh_free_busy(there)
    assert "nothing else stands at this time any more" in there.stage.browser().get(conflict_page(there)).text


def test_a_strangers_link_reveals_nothing(there: Desk, offer: Offer) -> None:
    seal = there.stage.runtime.seal
    for token in ("x", seal.token(PURPOSE, uuid4()), seal.token("answer", offer.alternatives[0].id)):
        for method in ("GET", "POST"):
            answer = there.stage.browser().http.open(f"/clash/{token}", method=method)
            assert answer.status_code in (404, 400)
            assert "Kim" not in answer.text


def test_conflicts_are_seen_where_the_practitioner_chooses_and_waits(there: Desk, offer: Offer) -> None:
    own, told = f"/sessions/{there.stage.session.id}", "There is something else at this time in “work”"
    assert there.ada.get(own).text.count(told) == 1
    there.stage.draft(offer.alternatives[0].when, there.stage.at(12, 9))
    assert there.ada.get(f"{own}/offer/review").text.count(told) == 1
    assert there.ada.get(own).text.count(told) == 2


def test_a_calendar_nobody_can_look_into_is_named_before_sending(there: Desk) -> None:
    begin(there)
    there.stage.draft(there.stage.at(9, 9))
    review = f"/sessions/{there.stage.session.id}/offer/review"
    assert "“work” has never been looked at, so it is not known" in there.ada.get(review).text
    refresh_free_busy(there)
    assert "it is not known whether" not in there.ada.get(review).text
    with there.stage.runtime.database.begin() as db:
        busy.note_trouble(db, there.calendar.id, Sentence("the server does not answer"))
    text = there.ada.get(review).text
    assert "“work” cannot be read at the moment, and was last looked at on Monday, 2 March 2026, 10:00 (Central" in text


def test_events_that_could_not_be_read_are_said_before_sending_and_go_when_they_can(there: Desk) -> None:
    begin(there)
    there.stage.draft(there.stage.at(9, 9))
    calendar = hand(there)
    start = there.stage.at(8, 12).span.start
    calendar.unreadable = [
        UnreadEvent(href="/lunch-with-kim.ics", reason=Unreadable.RULE, starts_at=start),
        UnreadEvent(href="/2.ics", reason=Unreadable.WITHHELD),
    ]
    refresh_free_busy(there)
    review = f"/sessions/{there.stage.session.id}/offer/review"
    text = there.ada.get(review).text
    assert "“work” holds 2 events that could not be read, so it is not known" in text
    assert 'class="send">' in text, "it is said, and does not keep anybody from sending"
    page = there.ada.get("/calendars").text
    assert "In “work” 2 events could not be read" in page
    told = "how it repeats makes no sense (since 2 Mar 2026, 10:00). Beginning: 10 Mar 2026, 12:00. Open it"
    assert told in " ".join(page.split())
    assert "All well" not in page
    assert "lunch" not in page
    calendar.unreadable.clear()
    refresh_free_busy(there)
    assert "could not be read" not in there.ada.get(review).text
    assert "All well" in there.ada.get("/calendars").text


def test_calendars_are_looked_at_while_times_are_chosen(there: Desk) -> None:
    begin(there)
    draft = f"/sessions/{there.stage.session.id}/offer"
    before = there.stage.everything()
    there.ada.http.head(draft)
    assert there.stage.everything() == before
    requests = sum(hand(there).requests.values())
    there.ada.get(draft)
    assert is_due(there, "busy")
    after = there.stage.everything()
    assert {name for name in before if before[name] != after[name]} == {"due"}
    assert sum(hand(there).requests.values()) == requests


@pytest.mark.parametrize(("language", "told"), [("en", "This time is no longer free."), ("de", "nicht mehr frei.")])
def test_a_client_sees_that_a_time_is_taken_where_it_then_is_refused(there: Desk, language: str, told: str) -> None:
    begin(there)
    runtime, stage = there.stage.runtime, there.stage
    runtime.policy = replace(runtime.policy, refuse_conflicts=True)
    session = stage.book(stage.at(8, 9), client=add_client(stage, locale=language))
    offer = stage.offer(stage.at(9, 9), stage.at(9, 11), session=session)
    add_foreign(there, stage.at(9, 9))
    page = stage.browser().get(stage.link(offer)).text
    assert told in page
    assert page.count("/choose/") == 1
