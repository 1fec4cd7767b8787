"""A client says what would suit them: it waits for their practitioner, and refuses the offer only if they say so."""

from __future__ import annotations

from dataclasses import replace

import msgspec
import pytest
import sqlalchemy as sa

from connector.domain.answering import AnswerPolicy
from connector.domain.facts import MailKind
from connector.domain.notice import NoticeKind
from connector.domain.notice_table import Link
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Medium
from connector.domain.span import When
from connector.services import client_mails, erasing, exporting, people
from connector.services.scheduling import session_links, sessions, wishes
from connector.storage import client_mails as stored
from connector.storage import tables
from tests.web.stage import NotedMail, Stage


def typed(*times: When, words: str = "Mornings are better.") -> dict[str, str]:
    return {"words": words} | {
        f"{field}-{n}": part
        for n, when in enumerate(times)
        for field, part in (("date", f"{when.local:%Y-%m-%d}"), ("time", f"{when.local:%H:%M}"))
    }


def written(stage: Stage) -> list[str]:
    with stage.runtime.database.read() as db:
        return [one.text for one in stored.of_session(db, stage.session.id, most=20) if one.kind is MailKind.WISH]


def decide_page(stage: Stage) -> str:
    with stage.runtime.database.read() as db:
        [mail] = [one for one in stored.of_session(db, stage.session.id, most=20) if one.is_open]
    return stage.runtime.link(Link.MAIL, mail.id).removeprefix(stage.runtime.settings.public_url)


def kinds(stage: Stage) -> list[NoticeKind]:
    stage.mail()
    assert isinstance(stage.runtime.sender, NotedMail)
    return [letter.notice.kind for letter in stage.runtime.sender.letters]


def send(stage: Stage, offer: Offer, form: dict[str, str]) -> int:
    where = stage.link(offer)
    return stage.browser().post(f"{where}/none", form, page=f"{where}/none").status_code


def test_a_wish_alone_keeps_the_offer_open_and_moves_nothing(stage: Stage) -> None:
    offer = stage.offer()
    assert send(stage, offer, typed(stage.at(11, 9)) | {"keep": "yes"}) == 303
    assert stage.stored(offer).state is OfferState.OPEN
    assert stage.stored_session().when == stage.session.when
    assert written(stage) == ["Mornings are better."]
    assert kinds(stage).count(NoticeKind.CLIENT_WISHED) == 1


def own(stage: Stage) -> str:
    token = session_links.token(stage.runtime.seal, stage.session.id, Medium.EMAIL, reader=stage.kim.email)
    return f"/mine/{token}"


def test_their_own_page_renews_itself_and_says_what_was_sent_and_what_happens_next(stage: Stage) -> None:
    offer, browser = stage.offer(), stage.browser()
    assert "What you wrote" not in browser.get(own(stage)).text
    before = browser.get(f"{own(stage)}/state").headers["ETag"]
    send(stage, offer, typed(stage.at(11, 9), words="Mornings are <b>better.") | {"keep": "yes"})
    after = browser.get(f"{own(stage)}/state").headers["ETag"]
    assert after != before
    page = browser.get(own(stage)).text
    assert "What you wrote to Dr. Ada Weiß" in page
    assert "Mornings are &lt;b&gt;better." in page
    assert "Friday, 13 March 2026" in page.partition("What you wrote")[2].partition("</section>")[0]
    assert "reads it and decides" in page
    assert "Please answer before" in page
    where = decide_page(stage)
    browser.post(f"{where}/dismiss", page=where)
    assert browser.get(f"{own(stage)}/state").headers["ETag"] not in (before, after)
    assert "What you wrote" not in browser.get(own(stage)).text


def test_rejecting_with_words_is_both_and_one_letter_tells_it(stage: Stage) -> None:
    offer = stage.offer()
    assert send(stage, offer, typed(stage.at(11, 9), stage.at(12, 9))) == 303
    assert stage.stored(offer).state is OfferState.REJECTED
    told = kinds(stage)
    assert told.count(NoticeKind.CLIENT_WISHED) == 1
    assert NoticeKind.CLIENT_REJECTED not in told


def test_a_wished_time_that_is_agreed_to_leaves_the_session_on_its_own_clock(stage: Stage) -> None:
    with stage.runtime.database.begin() as db:
        people.change_client(db, stage.kim.id, {"zone": "America/New_York"}, by=stage.by, now=stage.now)
    there = When.of(stage.at(11, 15).span, zone="America/New_York")
    assert send(stage, stage.offer(), typed(there)) == 303
    where = decide_page(stage)
    assert stage.browser().post(f"{where}/agree", {"which": "0"}, page=where).status_code == 303
    assert stage.stored_session().when == When.of(there.span, zone=stage.session.when.zone)


def test_past_the_deadline_a_link_alone_proves_nothing_even_before_the_lapse_is_recorded(stage: Stage) -> None:
    policy = replace(stage.runtime.policy, answers=AnswerPolicy.CODE)
    offer = stage.offer()
    assert offer.expires_at
    with stage.runtime.database.begin() as db:
        wishes.write(
            db,
            policy,
            offer.id,
            words="Mornings",
            times=(),
            rejects=False,
            came_by=Medium.EMAIL,
            by=stage.by,
            now=offer.expires_at,
        )
        [wish] = stored.of_session(db, stage.session.id, most=20)
    assert not wish.trusted


def test_rejecting_without_a_word_is_as_it_was(stage: Stage) -> None:
    offer = stage.offer()
    assert send(stage, offer, {}) == 303
    assert stage.stored(offer).state is OfferState.REJECTED
    assert written(stage) == []
    assert NoticeKind.CLIENT_REJECTED in kinds(stage)


def test_a_practitioner_agrees_to_one_of_the_times(stage: Stage) -> None:
    second = stage.at(12, 9)
    send(stage, stage.offer(), typed(stage.at(11, 9), second))
    where, browser = decide_page(stage), stage.browser()
    page = browser.get(where)
    assert page.text.count("You are free at that time.") == 2
    confirm = browser.get(f"{where}/agree?which=1")
    assert "Yes, move it and tell Kim Noor" in confirm.text
    assert stage.stored_session().when == stage.session.when
    browser.post(f"{where}/agree", {"which": "1"}, page=f"{where}/agree?which=1")
    assert stage.stored_session().when == second
    for nothing in ("?which=7", "?which=-1", "?which=zz", "?which=", ""):
        assert browser.get(f"{where}/agree{nothing}").status_code == 404
        assert browser.post(f"{where}/agree{nothing}", page=where).status_code == 404
    before = stage.everything()
    assert browser.post(f"{where}/agree", {"which": "1"}, page=where).status_code == 303  # once more is the same
    another = browser.post(f"{where}/agree", {"which": "0"}, page=where)
    assert another.status_code == 409
    assert "You have agreed to one of these times already." in another.text
    assert stage.everything() == before


def test_what_waits_is_shown_where_the_practitioner_looks(stage: Stage) -> None:
    send(stage, stage.offer(), typed(stage.at(11, 9)))
    text = stage.signed_in().get(f"/sessions/{stage.session.id}").text
    assert "Kim Noor has written what would suit" in text
    assert "Mornings are better." in text


def test_markup_is_text(stage: Stage) -> None:
    send(stage, stage.offer(), typed(words="<script>alert(1)</script>"))
    assert "<script>alert" not in stage.browser().get(decide_page(stage)).text


@pytest.mark.parametrize(
    ("form", "said"),
    [
        ({"keep": "yes", "words": "  "}, "Write a line, or a time"),
        ({"keep": "yes", "words": "x" * 501}, "at most 500 characters"),
        ({"date-0": "2020-01-01", "time-0": "10:00"}, "has already passed"),
        ({"date-1": "tomorrow", "time-1": "10:00"}, "Write the date"),
    ],
)
def test_what_cannot_be_sent_is_said_with_what_was_typed_and_changes_nothing(
    stage: Stage, form: dict[str, str], said: str
) -> None:
    offer = stage.offer()
    before, where, browser = stage.everything(), stage.link(offer), stage.browser()
    page = browser.post(f"{where}/none", form, page=f"{where}/none")
    assert page.status_code == 422
    assert said in page.text
    assert form.get("words", "").strip() in page.text
    assert stage.everything() == before


def test_times_that_do_not_fit_together_are_marked_and_the_line_is_not(stage: Stage) -> None:
    where, at = stage.link(stage.offer()), {"date": stage.at(5, 9).local.date().isoformat(), "time": "09:00"}
    form = {f"{name}-{n}": value for n in (0, 1) for name, value in at.items()}
    page = stage.browser().post(f"{where}/none", {"keep": "yes", "words": "mornings", **form}, page=f"{where}/none")
    assert page.status_code == 422
    assert page.text.count('aria-invalid="true" aria-describedby="wrong"') == len(form)
    assert '<textarea name="words" rows="3" maxlength="500">mornings' in page.text


def test_the_same_twice_is_once_and_a_day_has_a_limit(stage: Stage) -> None:
    offer = stage.offer()
    for n in range(client_mails.MOST_A_DAY):
        send(stage, offer, typed(words=f"Wish {n}") | {"keep": "yes"})
        send(stage, offer, typed(words=f"Wish {n}") | {"keep": "yes"})
    assert len(written(stage)) == client_mails.MOST_A_DAY
    assert send(stage, offer, typed(words="One more")) == 422
    assert stage.stored(offer).state is OfferState.OPEN


def test_after_a_lapse_it_can_still_be_said_and_after_a_newer_offer_not(stage: Stage) -> None:
    first = stage.offer()
    stage.clock.advance(stage.runtime.policy.window)
    where, browser = stage.link(first), stage.browser()
    assert "What would suit you?" in browser.get(f"{where}/none").text
    assert send(stage, first, typed(stage.at(11, 9)) | {"keep": "yes"}) == 303
    stage.offer(stage.at(11, 11))
    assert browser.get(f"{where}/none").status_code == 303


def test_what_was_written_when_the_deadline_came_is_not_lost(stage: Stage) -> None:
    offer, browser = stage.offer(), stage.browser()
    where = stage.link(offer)
    browser.get(f"{where}/none")
    stage.clock.advance(stage.runtime.policy.window)
    form = typed(stage.at(11, 9), words="Mornings\x00 are\r\nbetter. " + "x" * 478)
    late = browser.post(f"{where}/none", form, page=f"{where}/none")
    assert late.status_code == 410
    assert "This offer was over before your answer came, so nothing was sent." in late.text
    assert "Mornings" in late.text
    assert f'value="{stage.at(11, 9).local:%Y-%m-%d}"' in late.text
    assert written(stage) == []
    again = browser.post(f"{where}/none", form | {"keep": "yes"}, page=f"{where}/none")
    assert again.status_code == 303
    [words] = written(stage)
    assert words == "Mornings are better. " + "x" * 478


def test_where_a_code_is_asked_for_nothing_is_written_without_it(stage: Stage) -> None:
    stage.runtime.policy = replace(stage.runtime.policy, answers=AnswerPolicy.CODE)
    offer = stage.offer()
    assert send(stage, offer, typed(stage.at(11, 9)) | {"keep": "yes"}) == 422
    assert written(stage) == []


def test_what_was_wished_is_in_an_export_and_gone_once_its_client_is_erased(stage: Stage) -> None:
    first, second = stage.at(11, 9), stage.at(12, 9)
    send(stage, stage.offer(), typed(first, second, words="Quaxwort suits me."))
    stage.mail()

    def exported() -> str:
        with stage.runtime.database.read() as db:
            sections = exporting.export(db, stage.runtime.policy, stage.kim.id, now=stage.now)
        return msgspec.json.encode(sections).decode()

    told = exported()
    assert "Quaxwort suits me." in told
    for when in (first, second):
        assert f"{when.local:%Y-%m-%dT%H:%M}" in told
    with stage.runtime.database.begin() as db:
        sessions.cancel(db, stage.runtime.policy, stage.session.id, by=stage.by, now=stage.now)
    stage.mail()
    with stage.runtime.database.begin() as db:
        erasing.erase(db, stage.runtime.policy, stage.kim.id, by=stage.by, now=stage.now)
    kept = exported()
    assert "Quaxwort" not in kept
    with stage.runtime.database.read() as db:
        rows = db.execute(sa.select(tables.client_mails)).all()
    assert "Quaxwort" not in str(rows)
    assert stage.kim.email not in str(rows)


def test_once_another_time_was_found_nobody_is_asked_for_one(stage: Stage) -> None:
    offer, agreed = stage.offer(), stage.at(12, 9)
    send(stage, offer, typed(agreed))
    token = session_links.token(stage.runtime.seal, stage.session.id, Medium.EMAIL, reader=stage.kim.email)
    browser = stage.browser()
    assert "Write once more" in browser.get(f"/mine/{token}").text
    where = decide_page(stage)
    browser.post(f"{where}/agree", {"which": "0"}, page=f"{where}/agree?which=0")
    assert stage.stored_session().when == agreed
    page = browser.get(f"/mine/{token}").text
    assert "What would suit you?" not in page
    assert "Write once more" not in page
    assert "Write when you could" not in browser.get(stage.link(offer)).text
    assert browser.get(f"{stage.link(offer)}/none").status_code == 303
