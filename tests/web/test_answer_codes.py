"""Where an answer needs a code: it comes by the other medium, is tried a few times, and nothing happens without it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest
import structlog.testing

from connector.domain.answering import MOST_TRIES
from connector.domain.notice import NoticeKind
from connector.domain.offer import OfferState
from connector.domain.people import Medium
from connector.domain.session import SessionState
from connector.paths import assertion
from connector.services import upkeep
from connector.services.people import change_client
from connector.services.scheduling import codes
from connector.services.scheduling.offers import move_alternative
from connector.storage import people, personal
from tests.web.stage import Stage
from tests.web.texting import NUMBER, PUT_OFF, UNKNOWN, Answering, answering


@pytest.fixture
def here(stage: Stage) -> Answering:
    return answering(stage)


@pytest.mark.parametrize(("came_by", "goes_by"), [(Medium.EMAIL, Medium.SMS), (Medium.SMS, Medium.EMAIL)])
def test_the_code_comes_by_the_other_medium_and_opens_the_answer(
    here: Answering, came_by: Medium, goes_by: Medium
) -> None:
    here.came_by = came_by
    first = here.browser.get(here.choose).text
    assert "Send me a code" in first
    assert 'name="code"' not in first
    assert NUMBER not in first

    page = here.ask()
    assert 'autocomplete="one-time-code"' in page
    assert "proves only" not in page
    [code] = here.post.codes()
    assert here.post.codes(goes_by) == [code]
    assert re.fullmatch("[0-9]{6}", code)

    answer = here.take(f" {code[:3]} {code[3:]} ")
    assert (answer.status_code, answer.location) == (303, here.link)
    assert here.is_moved


def test_the_short_link_of_a_text_leads_to_the_page_whose_code_comes_by_mail(here: Answering) -> None:
    [text] = [one for one in here.post.taken if one.medium is Medium.SMS and one.notice.kind is NoticeKind.OFFERED]
    path = str(text.link).removeprefix(here.stage.runtime.settings.public_url)

    long = here.browser.get(path).location.removeprefix(here.stage.runtime.settings.public_url)
    page = here.browser.get(f"{long}/none").text

    assert "It is sent to your e-mail address." in page


def test_who_reads_the_mails_alone_cannot_answer_with_a_code_that_came_by_mail(here: Answering) -> None:
    here.came_by = Medium.SMS
    here.ask()
    [code] = here.post.codes(Medium.EMAIL)

    here.came_by = Medium.EMAIL
    assert here.take(code).status_code == 422
    here.ask()
    assert here.take(code).status_code == 422
    assert not here.is_moved


def test_nothing_that_is_posted_answers_without_a_code(here: Answering) -> None:
    here.ask()
    rules = [rule for rule in here.stage.app.url_map.iter_rules() if rule.endpoint.startswith("answer.")]
    ways = [rule.rule for rule in rules if "POST" in (rule.methods or ())]
    assert len(ways) == 5
    before = here.stage.stored(here.offer), here.stage.stored_session(here.stage.session)
    for way in ways:
        path = way.replace("<token>", here.link.rpartition("/")[2])
        path = path.replace("<uuid:alternative_id>", str(here.offer.alternatives[1].id))
        for form in ({}, {"code": ""}, {"code": "x" * 2000}, {"code": "\u0664\u0665\x00"}, {"for": "//evil.example"}):
            answer = here.browser.post(path, form, page=here.choose)
            assert answer.status_code in ({404} if path == assertion() else {303, 422}), path
            assert "evil" not in (answer.location or "")
    here.stage.mail()
    assert (here.stage.stored(here.offer), here.stage.stored_session(here.stage.session)) == before


@pytest.mark.parametrize("way", ["none", pytest.param("cancel", marks=pytest.mark.long)])
def test_the_other_answers_take_the_code_as_well(here: Answering, way: str) -> None:
    here.ask(way=way)
    [code] = here.post.codes()

    assert here.browser.post(f"{here.link}/{way}", {"code": here.other(code)}).status_code == 422
    assert here.browser.post(f"{here.link}/{way}", {"code": code}).status_code == 303

    assert here.stage.stored(here.offer).state is (OfferState.REJECTED if way == "none" else OfferState.CANCELLED)


def test_a_code_leaves_at_night_as_well_for_whoever_has_just_asked_for_it(here: Answering) -> None:
    here.stage.clock.advance(timedelta(hours=17))
    here.ask()

    assert len(here.post.codes(Medium.SMS)) == 1


def test_five_wrong_tries_end_a_code_and_another_can_be_sent(here: Answering) -> None:
    here.ask()
    [code] = here.post.codes()
    for left in range(MOST_TRIES - 1, 0, -1):
        page = here.take(here.other(code))
        assert page.status_code == 422
        assert ("one try is left" if left == 1 else f"{left} tries are left") in page.text
    assert "it was the last try" in here.take(here.other(code)).text
    late = here.take(code, page=f"{here.link}/none")
    assert (late.status_code, here.is_moved) == (422, False)
    assert "Send me a code" in late.text

    here.ask()
    assert here.take(here.post.codes()[-1]).status_code == 303


def test_a_code_is_good_for_ten_minutes(here: Answering) -> None:
    here.ask()
    here.stage.clock.advance(codes.GOOD_FOR)

    assert here.take(here.post.codes()[-1], page=f"{here.link}/none").status_code == 422
    assert not here.is_moved


def test_no_code_is_good_or_sent_beyond_the_deadline_of_its_offer(here: Answering) -> None:
    assert here.offer.expires_at is not None
    here.stage.clock.advance(here.offer.expires_at - here.stage.now - timedelta(minutes=4))
    assert "can be used until Tuesday, 3 March 2026, 10:00" in here.ask()
    here.stage.clock.advance(timedelta(minutes=4))

    assert "The time to answer has passed" in here.take(here.post.codes()[-1], page="/signin").text
    here.browser.post(f"{here.link}/code", {"for": "none"}, page="/signin")
    here.stage.mail()
    assert len(here.post.codes()) == 1


def test_the_newest_code_alone_counts_and_asking_twice_in_a_moment_sends_one(here: Answering) -> None:
    here.ask()
    here.ask()
    assert len(here.post.codes()) == 1
    here.stage.clock.advance(codes.PAUSE)
    here.ask()
    first, second = here.post.codes()

    assert first == second or here.take(first).status_code == 422
    assert here.take(second).status_code == 303


@pytest.mark.long
def test_so_many_codes_are_sent_in_an_hour_and_no_more(here: Answering) -> None:
    for _ in range(codes.MOST):
        here.ask()
        here.stage.clock.advance(codes.PAUSE)
    assert "no further one" in here.ask()
    assert len(here.post.codes()) == codes.MOST

    here.stage.clock.advance(codes.WITHIN)
    here.ask()
    assert len(here.post.codes()) == codes.MOST + 1
    assert here.take(here.post.codes()[-1]).status_code == 303


@pytest.mark.long
def test_for_one_offer_so_many_codes_are_sent_at_all(here: Answering) -> None:
    for _ in range(codes.MOST_EVER):
        here.ask()
        here.stage.clock.advance(codes.WITHIN / codes.MOST)
    assert "no further one" in here.ask()
    assert len(here.post.codes()) == codes.MOST_EVER


@pytest.mark.parametrize(
    ("changes", "came_by", "words"),
    [
        ({"phone": ""}, Medium.EMAIL, "only that you can read the mail there"),
        ({"texts_agreed": False}, Medium.EMAIL, "only that you can read the mail there"),
        ({"email": "", "media": frozenset({Medium.SMS})}, Medium.SMS, "only that you can read what is sent there"),
    ],
)
def test_where_there_is_no_other_medium_the_page_says_what_the_code_proves(
    stage: Stage, changes: Mapping[str, Any], came_by: Medium, words: str
) -> None:
    here = answering(stage, **changes)
    here.came_by = came_by
    assert words in here.browser.get(here.choose).text

    assert words in here.ask()
    assert here.take(here.post.codes(came_by)[-1]).status_code == 303


def test_neither_the_database_nor_the_log_knows_a_code(here: Answering) -> None:
    with structlog.testing.capture_logs() as logged:
        here.ask()
        [code] = here.post.codes()
        here.take(here.other(code))

    stored = here.stage.everything()
    words = " ".join(repr(row) for rows in stored.values() for row in rows)
    assert not re.search(rf"(?<![0-9a-f]){code}(?![0-9a-f])", words)
    assert code not in repr(logged)
    assert NUMBER not in repr(logged)


@pytest.mark.parametrize("method", ["GET", pytest.param("HEAD", marks=pytest.mark.long)])
def test_opening_the_pages_sends_no_code_and_changes_nothing(here: Answering, method: str) -> None:
    before = here.stage.everything()
    for path in (here.link, here.choose, f"{here.link}/none", f"{here.link}/cancel"):
        assert here.browser.http.open(path, method=method).status_code == 200
    assert here.browser.http.open(f"{here.link}/code", method=method).status_code == 405
    assert here.stage.everything() == before


def test_a_time_that_has_moved_is_shown_again_and_the_code_stays_good(here: Answering) -> None:
    here.ask()
    [code] = here.post.codes()
    runtime, moved = here.stage.runtime, here.offer.alternatives[1]
    with runtime.database.begin() as db:
        move_alternative(
            db, runtime.policy, here.offer.id, moved.id, here.stage.at(10, 9), by=here.stage.by, now=here.stage.now
        )

    again = here.take(code)
    assert again.status_code == 409
    assert f'value="{code}"' in again.text
    form = {"shown": here.stage.at(10, 9).span.start.isoformat(), "code": code}
    assert here.browser.post(here.choose, form).status_code == 303


def test_once_answered_the_link_shows_what_happened_and_asks_for_no_code(here: Answering) -> None:
    here.ask()
    [code] = here.post.codes()
    here.take(code)

    for page in (here.browser.get(here.link), here.take(code, page="/signin"), here.take("", page="/signin")):
        text = here.browser.get(page.location).text if page.status_code == 303 else page.text
        assert "Your new time is booked" in text
    assert "Your new time is booked" in here.ask()
    assert len(here.post.codes()) == 1
    here.stage.clock.advance(timedelta(days=91))
    assert here.browser.get(here.link).status_code == 404


@pytest.mark.long
def test_a_code_that_could_not_leave_in_time_never_does(here: Answering) -> None:
    here.post.wrong = {Medium.SMS: PUT_OFF}
    here.ask()
    here.stage.clock.advance(codes.GOOD_FOR)
    here.post.wrong = {}
    here.stage.mail()

    assert here.post.codes() == []
    here.ask()
    assert here.take(here.post.codes()[-1]).status_code == 303


def test_a_code_of_which_nobody_knows_whether_it_left_goes_once_and_the_next_is_another(here: Answering) -> None:
    here.post.wrong = {Medium.SMS: UNKNOWN}
    here.ask()
    here.post.wrong = {}
    here.stage.clock.advance(codes.PAUSE)
    here.stage.mail()
    assert here.post.codes() == []

    here.ask()
    assert here.take(here.post.codes()[-1]).status_code == 303


@pytest.mark.long
def test_who_can_be_reached_by_nothing_is_told_whom_to_ask(here: Answering) -> None:
    runtime = here.stage.runtime
    with runtime.database.begin() as db:
        change_client(db, here.client.id, {"phone": ""}, by=here.stage.by, now=here.stage.now)
    runtime.policy = replace(runtime.policy, media=frozenset({Medium.SMS}))
    here.came_by = Medium.SMS

    assert "No code can be sent to you" in here.ask()


def test_who_opens_the_session_sees_that_a_code_was_sent(here: Answering) -> None:
    here.ask()

    page = here.stage.signed_in().get(f"/sessions/{here.offer.session_id}").text
    assert "code for answering" in page


def test_nothing_of_a_code_is_left_of_an_erased_client_or_after_a_month(here: Answering) -> None:
    here.ask()
    runtime = here.stage.runtime
    with runtime.database.begin() as db:
        personal.erase(db, here.client.id, now=here.stage.now)
    with runtime.database.read() as db:
        assert people.client(db, here.client.id).erased
    for name in ("conversations", "answer_codes", "messages", "pending_notices"):
        assert NUMBER not in repr(here.stage.everything()[name])

    here.stage.clock.advance(codes.KEPT + timedelta(minutes=1))
    with runtime.database.begin() as db:
        upkeep.sweep(db, now=here.stage.now)
    assert here.stage.everything()["answer_codes"] == []


def test_a_session_is_cancelled_by_nobody_who_guesses(here: Answering) -> None:
    here.ask(way="cancel")
    here.browser.post(f"{here.link}/cancel", {"code": here.other(here.post.codes()[-1])})

    assert here.stage.stored_session().state is SessionState.BOOKED
