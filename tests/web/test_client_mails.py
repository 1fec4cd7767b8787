"""What a client has written is read and decided from the mail that tells of it, and on the page of its session."""

from __future__ import annotations

import pytest

from connector.domain.client_mail import ClientMail, MailState
from connector.domain.facts import FlagReason
from connector.domain.session import SessionState
from connector.services.scheduling.mails import PURPOSE
from connector.storage import client_mails, messages
from connector.storage.seal import Seal
from tests.web.client_mails import KINDS, answer, of_kind, page_of, wish, words
from tests.web.desk import Desk, alert, later
from tests.web.remote_changes import add_foreign, begin
from tests.web.stage import Stage, add_client

pytestmark = pytest.mark.slow


def now(stage: Stage, mail: ClientMail) -> ClientMail:
    with stage.runtime.database.read() as db:
        return client_mails.get(db, mail.id)


def told(stage: Stage, *, client: bool) -> list[str]:
    stage.mail()
    with stage.runtime.database.read() as db:
        return [one.kind for one in messages.of_session(db, stage.session.id) if one.to_client is client]


@pytest.mark.parametrize("kind", [pytest.param(k, marks=[] if k == "proposal" else pytest.mark.long) for k in KINDS])
@pytest.mark.parametrize("method", ["GET", pytest.param("HEAD", marks=pytest.mark.long)])
def test_opening_every_page_decides_nothing(stage: Stage, kind: str, method: str) -> None:
    mail, browser = of_kind(stage, kind), stage.browser()
    page = page_of(stage, mail)
    before = stage.everything()
    for path in (page, *(f"{page}/{choice.value}" for choice in mail.row.choices)):
        assert browser.http.open(path, method=method).status_code == 200
    later(stage, days=1)
    assert browser.http.open(page, method=method).status_code == 200
    assert stage.everything() == before


def test_words_are_shown_as_text_whatever_stands_in_them(stage: Stage) -> None:
    page = page_of(stage, words(stage, "<script>alert(1)</script>\r\n\r\n{{ brand }} http://evil.example"))
    for text in (stage.browser().get(page).text, stage.signed_in().get(f"/sessions/{stage.session.id}").text):
        assert "&lt;script&gt;alert(1)&lt;/script&gt;<br><br>{{ brand }} http://evil.example" in text
        assert 'href="http://evil' not in text
        assert "Kim Noor has written to you" in text


def test_words_that_nothing_proves_are_shown_as_such(stage: Stage) -> None:
    page = page_of(stage, words(stage, vouched=False))
    for text in (stage.browser().get(page).text, stage.signed_in().get(f"/sessions/{stage.session.id}").text):
        assert "We could not check that this is from Kim Noor" in text
        assert "Kim Noor has written to you" not in text


def test_an_unproved_answer_has_one_button_on_its_page_and_on_that_of_the_session(stage: Stage) -> None:
    mail = answer(stage, "ACCEPTED", vouched=False)
    page, own = page_of(stage, mail), f"/sessions/{stage.session.id}"
    ada = stage.signed_in()
    for text in (stage.browser().get(page).text, ada.get(own).text):
        assert "Nothing proves that Kim Noor has written it" in text
        assert text.count("Take this as the client") == 1
    assert "A mail answers the invitation" in ada.get("/").text
    answered = ada.post(f"{page}/take", page=own)
    assert (answered.status_code, answered.location) == (303, page)
    assert "Decided: this is the answer of Kim Noor" in stage.browser().get(page).text
    assert now(stage, mail).state is MailState.DECIDED
    assert "A mail answers the invitation" not in ada.get("/").text


def test_pressing_twice_takes_an_answer_once(stage: Stage) -> None:
    page, browser = page_of(stage, answer(stage, vouched=False)), stage.browser()
    assert [browser.post(f"{page}/take", page="/signin").status_code for _ in range(2)] == [303, 303]
    assert "Kim Noor has declined: what should happen?" in browser.get(page).text


def test_who_has_declined_has_the_page_ask_what_follows(stage: Stage) -> None:
    page = page_of(stage, answer(stage))
    text = stage.browser().get(page).text
    assert "Kim Noor has declined: what should happen?" in text
    assert "I am ill" in text
    assert f'href="{page}/cancel"' in text
    assert f'href="/sessions/{stage.session.id}/offer"' in text
    assert stage.stored_session().flag is FlagReason.DECLINED
    assert stage.signed_in().get(f"/sessions/{stage.session.id}").text.count('class="alarm"') == 1
    assert stage.browser().post(f"{page}/keep", page=page).status_code == 303
    assert stage.stored_session().flag is None
    assert "Decided: the session stays as it is" in stage.browser().get(page).text


def test_cancelling_is_asked_once_more(stage: Stage) -> None:
    page = page_of(stage, answer(stage))
    text = stage.browser().get(f"{page}/cancel").text
    assert "You cannot undo this" in text
    assert "The open offer ends" not in text
    assert stage.browser().post(f"{page}/cancel").status_code == 303
    assert stage.stored_session().state is SessionState.CANCELLED
    assert told(stage, client=True)[-1] == "cancelled"


def test_another_time_is_shown_with_what_is_known_of_it_and_agreed_to(stage: Stage) -> None:
    mail = wish(stage, stage.at(8, 16))
    page = page_of(stage, mail)
    text = stage.browser().get(page).text
    for said in ("Kim Noor would like another time", "16:00", "You are free at that time.", "A little later?"):
        assert said in text
    assert "noted as the agreement" in stage.browser().get(f"{page}/agree").text
    assert stage.browser().post(f"{page}/agree").status_code == 303
    assert stage.stored_session().when == stage.at(8, 16)
    assert told(stage, client=True)[-1] == "moved"
    assert "Kim Noor agreed on" in stage.signed_in().get(f"/sessions/{stage.session.id}").text


def test_agreeing_says_that_an_open_offer_ends(stage: Stage) -> None:
    stage.offer()
    page = page_of(stage, wish(stage, stage.at(8, 16)))
    assert "The open offer ends" in stage.browser().get(f"{page}/agree").text
    stage.browser().post(f"{page}/agree")
    assert told(stage, client=True)[-1] == "moved"


def test_another_time_that_nothing_proves_says_so_before_it_is_agreed_to(stage: Stage) -> None:
    page = page_of(stage, wish(stage, stage.at(8, 16), vouched=False))
    assert "Agree only if you know that" in stage.browser().get(f"{page}/agree").text


def test_another_time_is_declined_and_the_client_told(stage: Stage) -> None:
    page, before = page_of(stage, wish(stage, stage.at(8, 16))), stage.stored_session()
    assert stage.browser().post(f"{page}/refuse").status_code == 303
    assert told(stage, client=True)[-1] == "proposal_declined"
    assert stage.stored_session() == before
    assert "Decided: this time is not possible" in stage.browser().get(page).text


def test_a_time_that_is_taken_cannot_be_agreed_to(stage: Stage) -> None:
    stage.book(stage.at(8, 16), client=add_client(stage, name="Noa"))
    page = page_of(stage, wish(stage, stage.at(8, 16)))
    text = stage.browser().get(page).text
    assert "That time is not free" in text
    assert "Agree to this time" not in text
    refused = stage.browser().post(f"{page}/agree")
    assert (refused.status_code, "taken by another session" in alert(refused)) == (409, True)


def test_a_time_at_which_something_else_stands_is_agreed_to_knowingly(there: Desk) -> None:
    stage = there.stage
    begin(there)
    mail = wish(stage, stage.at(8, 16))
    add_foreign(there, stage.at(8, 16))
    page = page_of(stage, mail)
    assert "Something else stands in your calendar at that time." in stage.browser().get(page).text
    refused = stage.browser().post(f"{page}/agree")
    assert refused.status_code == 409
    key = refused.text.partition('name="despite" value="')[2].partition('"')[0]
    assert stage.browser().post(f"{page}/agree", {"despite": key}).status_code == 303
    assert stage.stored_session().when == stage.at(8, 16)


def test_what_was_decided_is_not_decided_otherwise(stage: Stage) -> None:
    page = page_of(stage, wish(stage, stage.at(8, 16)))
    browser = stage.browser()
    assert browser.post(f"{page}/refuse").status_code == 303
    assert browser.post(f"{page}/refuse", page="/signin").status_code == 303
    again = browser.post(f"{page}/agree", page="/signin")
    assert (again.status_code, "decided already" in alert(again)) == (409, True)


def test_a_link_about_a_session_that_has_been_changed_says_so(stage: Stage) -> None:
    mail = wish(stage, stage.at(8, 16))
    stage.offer()
    text = stage.browser().get(page_of(stage, mail)).text
    assert "There is nothing left to decide" in text
    assert "<form" not in text
    assert "Overtaken by what came after it" in stage.signed_in().get(f"/sessions/{stage.session.id}").text


def test_a_forged_link_and_a_choice_that_there_is_not_lead_nowhere(stage: Stage) -> None:
    mail = answer(stage)
    forged = Seal(["another key that is long enough for a seal"]).token(PURPOSE, mail.id)
    assert stage.browser().get(f"/mail/{forged}").status_code == 404
    assert stage.browser().get(f"{page_of(stage, mail)}/agree").status_code == 404


def test_a_link_shows_for_ninety_days_what_became_of_it(stage: Stage) -> None:
    page = page_of(stage, wish(stage, stage.at(8, 16)))
    stage.browser().post(f"{page}/refuse")
    later(stage, days=89)
    assert stage.browser().get(page).status_code == 200
    later(stage, days=2)
    assert stage.browser().get(page).status_code == 404
