# ruff: noqa: RUF001 - pages write stretches of time with an en dash
"""Whoever moved or deleted a session in their calendar says what they meant, from the mail, and only on purpose."""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from uuid import uuid4

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from connector.domain.facts import Answer
from connector.domain.notice import NoticeKind
from connector.domain.offer import Offer, OfferState
from connector.domain.question import Question, QuestionState
from connector.domain.session import SessionState
from connector.services.scheduling import sessions
from connector.services.scheduling.questions import PURPOSE
from connector.storage import messages, offers
from connector.storage.ledger import Kind
from connector.storage.seal import Seal
from connector.storage.tables import clients
from tests.web.desk import Desk, alert, later
from tests.web.remote_changes import (
    add_foreign,
    drag,
    event_of,
    hand,
    open_question,
    page_of,
    question_about_deletion,
    question_about_move,
    question_about_replacing,
    question_now,
    settle,
)
from tests.web.stage import Browser, Stage

pytestmark = pytest.mark.slow

AGREED = {"who": "Kim Noor", "agreed_at": "2026-03-02T09:30", "channel": "by phone"}
KINDS: Mapping[str, Callable[[Desk], Question]] = {
    "moved": question_about_move,
    "replace": question_about_replacing,
    "deleted": question_about_deletion,
}


@pytest.fixture(params=list(KINDS))
def question(request: pytest.FixtureRequest, there: Desk) -> Question:
    """A question of each kind."""
    return KINDS[request.param](there)


def answer(stage: Stage, question: Question, choice: str, form: Mapping[str, str] | None = None) -> TestResponse:
    return stage.browser().post(f"{page_of(stage, question)}/{choice}", form)


def open_offer(stage: Stage) -> Offer | None:
    with stage.runtime.database.read() as db:
        return offers.in_state(db, stage.session.id, OfferState.OPEN)


def told_to_client(stage: Stage) -> list[NoticeKind]:
    stage.mail()
    with stage.runtime.database.read() as db:
        return [message.kind for message in messages.of_session(db, stage.session.id) if message.to_client]


def token_of(browser: Browser, path: str) -> str:
    match = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(path).text)
    assert match
    return match[1]


def test_the_page_says_what_was_done_and_what_happens_by_itself_when(there: Desk) -> None:
    question = question_about_move(there)
    text = there.stage.browser().get(page_of(there.stage, question)).text
    for words in ("Kim Noor", "15:00–15:50", "16:00–16:50", "“work”", "Tuesday, 10 March 2026"):
        assert words in text
    by_itself = (
        "Happens by itself on Monday, 2 March 2026, 10:31 (Central European Time, Berlin) if you choose nothing."
    )
    assert by_itself in text
    assert text.index("Ask Kim Noor") < text.index(by_itself) < text.index("Kim Noor has already agreed")
    assert "<form" not in text


def test_every_answer_is_a_link_to_a_page_that_asks_once_more(there: Desk, question: Question) -> None:
    browser, page = there.stage.browser(), page_of(there.stage, question)
    text = browser.get(page).text
    for choice in question.row.answers:
        assert f'href="{page}/{choice.value}"' in text
        confirm = browser.get(f"{page}/{choice.value}")
        assert confirm.status_code == 200
        assert "What happens then" in confirm.text
        assert confirm.text.count("<button") == 1


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_opening_every_page_decides_nothing(there: Desk, question: Question, method: str) -> None:
    browser, page = there.stage.browser(), page_of(there.stage, question)
    before = there.stage.everything()
    paths = [page, *(f"{page}/{choice.value}" for choice in question.row.answers)]
    for path in paths:
        assert browser.http.open(path, method=method).status_code == 200
    later(there.stage, days=3)  # not even what has come due by now
    for path in paths:
        assert browser.http.open(path, method=method).status_code in (200, 303)
    assert there.stage.everything() == before


def test_asking_the_client_offers_them_this_one_time(there: Desk) -> None:
    question = question_about_move(there)
    text = there.stage.browser().get(f"{page_of(there.stage, question)}/ask").text
    assert "Kim Noor is asked by e-mail." in text
    assert "has 24 hours to answer" in text
    assert "goes back to the agreed time, and a hold stands at the new one until Kim Noor answers" in text
    reply = answer(there.stage, question, "ask")
    assert (reply.status_code, reply.location) == (303, page_of(there.stage, question))
    offer = open_offer(there.stage)
    assert offer
    assert [a.when for a in offer.alternatives] == [question.moved_to]
    assert there.stage.stored_session() == there.stage.session
    assert told_to_client(there.stage)[-1] is NoticeKind.OFFERED
    page_text = there.stage.browser().get(reply.location).text
    assert "Decided: Kim Noor is asked" in page_text
    assert "Decided by Dr. Ada Weiß on Monday, 2 March 2026, 10:01" in page_text
    assert f'href="/sessions/{there.stage.session.id}"' in page_text
    there.work()
    assert there.service.titles() == ["Session: K. N.", "Hold: K. N."]


def test_a_time_the_client_has_agreed_to_stands_at_once(there: Desk) -> None:
    question = question_about_move(there)
    text = there.stage.browser().get(f"{page_of(there.stage, question)}/agreed").text
    assert 'name="who" value="Kim Noor"' in text
    assert answer(there.stage, question, "agreed", AGREED).status_code == 303
    assert there.stage.stored_session().when == question.moved_to
    assert told_to_client(there.stage)[-1] is NoticeKind.MOVED
    page = there.ada.get(f"/sessions/{there.stage.session.id}").text
    assert "Kim Noor agreed on Mon, 2 Mar 2026, 09:30 CET (by phone)" in page


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"who": ""}, "Who agreed: please fill this in."),
        ({"channel": ""}, "How they told you: please fill this in."),
        ({"agreed_at": ""}, "Give both a date and a time."),
        ({"agreed_at": "2026-03-02T10:02"}, "The client cannot have agreed in the future. Say when they told you."),
    ],
)
def test_nobody_is_moved_without_an_attestation(there: Desk, changes: Mapping[str, str], told: str) -> None:
    question = question_about_move(there)
    before = there.stage.everything()
    typed = {**AGREED, **changes}
    refused = answer(there.stage, question, "agreed", typed)
    assert refused.status_code == 422
    assert f">{told}</p>" in refused.text
    assert refused.text.count(" autofocus") == 1
    assert there.stage.everything() == before
    for name in ("who", "agreed_at"):
        assert f'name="{name}" value="{typed[name]}"' in refused.text


def test_what_was_moved_is_put_back_and_nobody_hears_of_it(there: Desk) -> None:
    question = question_about_move(there)
    before = told_to_client(there.stage)
    assert answer(there.stage, question, "back").status_code == 303
    there.work()
    [content] = hand(there).shown()
    assert content.span == there.stage.session.when.span
    assert told_to_client(there.stage) == before


def test_what_was_deleted_is_put_back(there: Desk) -> None:
    question = question_about_deletion(there)
    assert "returns to “work”" in there.stage.browser().get(f"{page_of(there.stage, question)}/back").text
    assert answer(there.stage, question, "back").status_code == 303
    there.work()
    assert there.service.titles() == ["Session: K. N."]


def test_cancelling_cancels(there: Desk) -> None:
    question = question_about_deletion(there)
    assert there.stage.stored_session().state is SessionState.BOOKED
    assert answer(there.stage, question, "cancel").status_code == 303
    assert there.stage.stored_session().state is SessionState.CANCELLED
    text = there.stage.browser().get(page_of(there.stage, question)).text
    assert "The session with Kim Noor is cancelled" in text
    assert told_to_client(there.stage)[-1] is NoticeKind.CANCELLED


def test_offering_other_times_leads_to_the_draft_after_signing_in(there: Desk) -> None:
    question = question_about_deletion(there)
    reply = answer(there.stage, question, "offer")
    draft = f"/sessions/{there.stage.session.id}/offer"
    assert (reply.status_code, reply.location) == (303, draft)
    assert there.stage.browser().get(draft).location == "/signin"
    assert there.ada.get(draft).status_code == 200
    there.work()
    assert there.service.titles() == ["Session: K. N."]


def test_an_offer_is_replaced_by_the_time_the_session_was_moved_to(there: Desk) -> None:
    question = question_about_replacing(there)
    first = open_offer(there.stage)
    assert first
    assert "09:00" in there.stage.browser().get(page_of(there.stage, question)).text
    assert answer(there.stage, question, "replace").status_code == 303
    assert there.stage.stored(first).state is OfferState.REPLACED
    offer = open_offer(there.stage)
    assert offer
    assert [a.when for a in offer.alternatives] == [question.moved_to]


def test_an_offer_can_be_left_as_it_is(there: Desk) -> None:
    question = question_about_replacing(there)
    before = open_offer(there.stage)
    assert answer(there.stage, question, "leave").status_code == 303
    assert open_offer(there.stage) == before
    assert "Decided: the offer stays as it is" in there.stage.browser().get(page_of(there.stage, question)).text


def test_repeating_an_answer_is_harmless(there: Desk) -> None:
    question, browser = question_about_move(there), there.stage.browser()
    path = f"{page_of(there.stage, question)}/agreed"
    form = {"csrf_token": token_of(browser, path), **AGREED}
    assert browser.http.post(path, data=form).status_code == 303
    before = there.stage.everything()
    assert browser.http.post(path, data=form).status_code == 303
    assert browser.http.post(path, data={"csrf_token": form["csrf_token"]}).status_code == 303
    assert there.stage.everything() == before


def test_another_answer_is_refused_and_shown_the_first(there: Desk) -> None:
    question, browser = question_about_move(there), there.stage.browser()
    path = page_of(there.stage, question)
    token = token_of(browser, f"{path}/back")
    answer(there.stage, question, "ask")
    before = there.stage.everything()
    for choice in ("back", "agreed"):
        late = browser.http.post(f"{path}/{choice}", data={"csrf_token": token, **AGREED})
        assert late.status_code == 409
        assert "Nothing was changed" in alert(late)
        assert "Decided: Kim Noor is asked" in late.text
        assert browser.get(f"{path}/{choice}").location == path
    assert there.stage.everything() == before


def test_a_question_that_was_moved_away_no_longer_stands_and_says_why(there: Desk) -> None:
    question, browser = question_about_move(there), there.stage.browser()
    path = page_of(there.stage, question)
    token = token_of(browser, f"{path}/back")
    drag(there, there.stage.session.when)
    assert question_now(there.stage, question).state is QuestionState.DROPPED
    assert "You moved the entry back to the agreed time" in browser.get(path).text
    late = browser.http.post(f"{path}/ask", data={"csrf_token": token})
    assert late.status_code == 410
    assert "This question no longer stands" in late.text
    assert open_offer(there.stage) is None


def test_an_older_question_leads_to_the_newer_one(there: Desk) -> None:
    question = question_about_move(there)
    drag(there, there.stage.at(8, 18))
    text = there.stage.browser().get(page_of(there.stage, question)).text
    assert "once more since" in text
    assert f'href="{page_of(there.stage, open_question(there.stage))}"' in text


def test_what_a_page_decided_meanwhile_is_said(there: Desk) -> None:
    question = question_about_move(there)
    with there.stage.runtime.database.begin() as db:
        sessions.cancel(db, there.stage.runtime.policy, there.stage.session.id, by=there.stage.by, now=there.stage.now)
    text = there.stage.browser().get(page_of(there.stage, question)).text
    assert "decided in another way" in text
    assert "is cancelled" in text


def test_a_question_about_an_offer_ends_with_it_before_the_clock_gets_to_it(there: Desk) -> None:
    question, browser = question_about_replacing(there), there.stage.browser()
    path = f"{page_of(there.stage, question)}/replace"
    token = token_of(browser, path)
    later(there.stage, hours=25)
    assert "The offer it was about has ended." in browser.get(page_of(there.stage, question)).text
    assert browser.get(path).status_code == 303
    late = browser.http.post(path, data={"csrf_token": token})
    assert late.status_code == 410
    assert "This question no longer stands" in late.text


def test_what_happened_by_itself_is_told_as_that(there: Desk) -> None:
    question = question_about_move(there)
    later(there.stage, minutes=30)
    there.carry_out(Kind.QUESTION)
    text = there.stage.browser().get(page_of(there.stage, question)).text
    assert "Decided: Kim Noor is asked" in text
    assert "Nobody had answered, so this happened by itself" in text


def test_a_client_nobody_can_reach_is_not_asked(there: Desk) -> None:
    question = question_about_move(there)
    with there.stage.runtime.database.begin() as db:
        db.execute(sa.update(clients).where(clients.c.id == there.stage.kim.id).values(email=""))
    page = f"{page_of(there.stage, question)}/ask"
    assert "<button disabled>" in there.stage.browser().get(page).text
    refused = answer(there.stage, question, "ask")
    assert refused.status_code == 422
    assert "cannot be told" in alert(refused)
    assert question_now(there.stage, question).is_open


def test_a_time_somebody_else_has_by_now_is_not_offered(there: Desk) -> None:
    question = question_about_replacing(there)
    there.stage.book(there.stage.at(8, 16))
    refused = answer(there.stage, question, "replace")
    assert refused.status_code == 409
    assert alert(refused)
    assert "Replace your offer to Kim Noor?" in refused.text
    assert question_now(there.stage, question).is_open


def test_a_time_that_has_passed_is_not_offered(there: Desk) -> None:
    question = question_about_move(there, there.stage.at(0, 10, 20))
    later(there.stage, minutes=25)
    for choice, form in (("ask", {}), ("agreed", AGREED)):
        refused = answer(there.stage, question, choice, form)
        assert refused.status_code == 422
        assert "has already passed" in alert(refused)
    assert question_now(there.stage, question).is_open
    assert there.stage.stored_session() == there.stage.session


@pytest.mark.parametrize("path", ["", "/ask", "/back"])
def test_unknown_and_forged_links_reveal_nothing(there: Desk, path: str) -> None:
    question = question_about_move(there)
    seal, stage = there.stage.runtime.seal, there.stage
    forged = [
        "/question/x",
        f"/question/{Seal(('another key that is long enough, really',)).token(PURPOSE, question.id)}",
        f"/question/{seal.token('answer', question.id)}",
        f"/question/{seal.token(PURPOSE, uuid4())}",
        f"/question/{seal.token(PURPOSE, stage.session.id)}",
    ]
    answers = [stage.browser().get(link + path) for link in forged]
    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1
    assert "Ada" not in answers[0].text


def test_only_answers_to_this_question_have_pages(there: Desk, question: Question) -> None:
    path, browser = page_of(there.stage, question), there.stage.browser()
    token = token_of(browser, f"{path}/{question.row.answers[0].value}")
    before = there.stage.everything()
    for choice in {"", "nonsense", *(one.value for one in Answer)} - {one.value for one in question.row.answers}:
        assert browser.get(f"{path}/{choice}").status_code == 404
        assert browser.http.post(f"{path}/{choice}", data={"csrf_token": token}).status_code == 404
    assert there.stage.everything() == before


def test_a_form_without_its_token_decides_nothing(there: Desk) -> None:
    question = question_about_deletion(there)
    before = there.stage.everything()
    assert there.stage.browser().http.post(f"{page_of(there.stage, question)}/cancel").status_code == 400
    assert there.stage.everything() == before


def test_a_decided_question_is_shown_for_90_days(there: Desk) -> None:
    question = question_about_deletion(there)
    answer(there.stage, question, "back")
    later(there.stage, days=89)
    assert "Decided: it is put back" in there.stage.browser().get(page_of(there.stage, question)).text
    later(there.stage, days=1)
    assert there.stage.browser().get(page_of(there.stage, question)).status_code == 404


def test_the_page_shows_no_more_than_it_needs(there: Desk) -> None:
    question = question_about_move(there)
    browser, page = there.stage.browser(), page_of(there.stage, question)
    for path in (page, f"{page}/ask", f"{page}/agreed", f"{page}/back"):
        text = browser.get(path).text
        for secret in ("Lindenstraße", "kim@example.org", "ada@example.org", "Lou", "Bob"):
            assert secret not in text


def test_a_session_in_question_is_among_those_that_need_somebody(there: Desk, question: Question) -> None:
    listed, page = there.ada.get("/").text, page_of(there.stage, question)
    needed = listed.partition("Needs your attention")[2].partition("Find a client")[0]
    assert f'href="{page}"' in needed
    assert "in your calendar" in needed
    assert "Waits for your answer until" in needed
    text = there.ada.get(f"/sessions/{there.stage.session.id}").text
    for choice in question.row.answers:
        assert f'href="{page}/{choice.value}"' in text


def test_a_list_without_questions_is_calm(there: Desk) -> None:
    assert "Needs your attention" not in there.ada.get("/").text


def test_moving_onto_something_else_is_no_question(there: Desk) -> None:
    question_about_move(there)
    add_foreign(there, there.stage.at(8, 18))
    hand(there).move(event_of(there), there.stage.at(8, 18).span)
    settle(there)
    assert "Needs your attention" not in there.ada.get("/").text


def test_the_deadline_of_a_deletion_is_a_day(there: Desk) -> None:
    question = question_about_deletion(there)
    assert question.answers_itself_at == there.stage.now + timedelta(hours=24)
    text = there.stage.browser().get(page_of(there.stage, question)).text
    assert "Happens by itself on Tuesday, 3 March 2026, 10:01 (Central European Time, Berlin)" in text
