"""Whoever had something by an address is let in by none of it once that address was corrected; who reads at the new is.

Critic13, finding K.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import Connection

from connector.domain.notice import NoticeKind
from connector.domain.people import CLOCK, Medium
from connector.outbox.letters import compose
from connector.ports import Letter
from connector.services import conversations, erasing, exporting
from connector.services.people import change_client, change_practitioner
from tests.web.desk import Desk
from tests.web.remote_changes import page_of, question_about_move
from tests.web.stage import NotedMail, Stage
from tests.web.test_subscriptions import begin, begin_own
from tests.web.test_subscriptions import page as begin_page
from tests.web.texting import BOTH, Post, answering

RIGHT = "right@client.example"
Correct = Callable[[Connection, Stage], Any]


def change(stage: Stage, **changes: object) -> None:
    with stage.runtime.database.begin() as db:
        change_client(db, stage.kim.id, changes, by=CLOCK, now=stage.now)
    stage.mail()


def letters(stage: Stage) -> list[Letter]:
    assert isinstance(stage.runtime.sender, NotedMail)
    return stage.runtime.sender.letters


def path(stage: Stage, link: str | None) -> str:
    assert link
    return link.removeprefix(stage.runtime.settings.public_url)


def by_command(db: Connection, stage: Stage) -> None:
    conversations.readdress(db, stage.kim.id, RIGHT, by=CLOCK, now=stage.now)


def by_change(db: Connection, stage: Stage) -> None:
    change_client(db, stage.kim.id, {"email": RIGHT}, by=CLOCK, now=stage.now)


@pytest.mark.parametrize("correct", [by_change, by_command])
def test_a_clients_subscription_ends_with_the_address_whose_reader_began_it(stage: Stage, correct: Correct) -> None:
    where, feed = begin(stage)
    with stage.runtime.database.begin() as db:
        correct(db, stage)
    stage.mail()
    assert stage.browser().get(feed).status_code == 410
    assert stage.browser().get(where).status_code == 404
    stage.book(stage.at(12, 10))
    stage.mail()
    invited = [one for one in letters(stage) if one.notice.to.address == RIGHT]
    assert len(invited) == 3
    for one in invited:
        mail = compose(one, brand="Pencilled", from_address="pencilled@example.org")
        assert "text/calendar" in {part.get_content_type() for part in mail.walk()}
    assert stage.browser().get(path(stage, invited[-1].subscription)).status_code == 200


@pytest.mark.parametrize(
    ("changes", "status"),
    [({"email": ""}, 410), ({"name": "Kim N."}, 200), ({"phone": "+447700900123"}, 200), ({"zone": "UTC"}, 200)],
)
def test_a_subscription_ends_with_an_address_and_with_nothing_else(
    stage: Stage, changes: Mapping[str, str], status: int
) -> None:
    _, feed = begin(stage)
    change(stage, **changes)
    assert stage.browser().get(feed).status_code == status


def test_another_spelling_of_an_address_is_the_same_address(stage: Stage) -> None:
    where, feed = begin(stage)
    change(stage, email=stage.kim.email.upper())
    assert [stage.browser().get(one).status_code for one in (feed, where)] == [200, 200]


def test_the_link_of_an_open_offer_answers_nothing_once_the_address_was_corrected(stage: Stage) -> None:
    stage.offer()
    stage.mail()
    former = path(stage, letters(stage)[-1].link)
    assert stage.browser().get(former).status_code == 200
    change(stage, email=RIGHT)
    assert stage.browser().get(former).status_code == 404
    offered = [one for one in letters(stage) if one.notice.kind is NoticeKind.OFFERED]
    assert offered[-1].notice.to.address == RIGHT
    assert stage.browser().get(path(stage, offered[-1].link)).status_code == 200


def test_the_link_of_a_text_answers_nothing_once_the_number_was_corrected(stage: Stage) -> None:
    here = answering(stage)
    former = _texted(stage, here.post)
    long = path(stage, stage.browser().get(former).location)
    with stage.runtime.database.begin() as db:
        change_client(db, here.client.id, {"phone": "+447700900124"}, by=CLOCK, now=stage.now)
    stage.mail()
    new = _texted(stage, here.post)
    assert new != former
    assert [stage.browser().get(one).status_code for one in (former, long, new)] == [404, 404, 303]
    assert stage.browser().get(path(stage, stage.browser().get(new).location)).status_code == 200


def _texted(stage: Stage, post: Post) -> str:
    texts = [one for one in post.taken if one.medium is Medium.SMS and one.notice.kind is NoticeKind.OFFERED]
    return path(stage, texts[-1].link)


def test_a_code_proves_nothing_once_the_address_was_corrected_to_which_it_was_sent(stage: Stage) -> None:
    here = answering(stage)
    here.came_by = Medium.SMS
    here.ask()
    [code] = here.post.codes(Medium.EMAIL)
    with stage.runtime.database.begin() as db:
        change_client(db, here.client.id, {"email": RIGHT, "media": BOTH}, by=CLOCK, now=stage.now)
    here.take(code)
    assert not here.is_moved
    here.ask()
    here.take(here.post.codes(Medium.EMAIL)[-1])
    assert here.is_moved


def test_what_was_mailed_to_a_practitioner_opens_nothing_once_their_address_was_corrected(there: Desk) -> None:
    stage = there.stage
    question = question_about_move(there)
    stage.mail()
    letter = next(one for one in letters(stage) if one.notice.question_id == question.id)
    _, feed = begin_own(stage)
    assert stage.browser().get(path(stage, letter.link)).status_code == 200
    with stage.runtime.database.begin() as db:
        change_practitioner(db, stage.ada.id, {"email": "ada@right.example"}, by=CLOCK, now=stage.now)
    assert [stage.browser().get(one).status_code for one in (feed, path(stage, letter.link))] == [410, 404]
    assert stage.browser().get(page_of(stage, question)).status_code == 200  # as a session's page leads to it


def test_that_somebody_subscribes_is_told_to_the_client_with_a_link_that_ends_it(stage: Stage) -> None:
    _, feed = begin(stage)
    [told] = [one for one in letters(stage) if one.notice.kind is NoticeKind.SUBSCRIBED]
    assert told.notice.to.address == stage.kim.email
    page = path(stage, told.link)
    assert stage.browser().get(feed).status_code == 200
    stage.browser().post(f"{page}/end", page=page)
    assert stage.browser().get(feed).status_code == 410


def test_another_address_is_told_of_once_an_hour_however_often_it_is_asked_for(stage: Stage) -> None:
    where, _ = begin(stage)
    browser = stage.browser()
    for hours in (0, 0, 1):
        stage.clock.advance(timedelta(hours=hours))
        [shown] = set(re.findall(r'name="shown" value="([^"]+)"', browser.get(where).text))
        browser.post(f"{where}/begin", {"shown": shown}, page=where)
        stage.mail()
    assert len([one for one in letters(stage) if one.notice.kind is NoticeKind.SUBSCRIBED]) == 2


@pytest.mark.parametrize("end", [lambda stage, where: stage.browser().post(f"{where}/end", page=where), None])
def test_of_what_has_ended_before_the_letter_could_leave_nobody_is_told(
    stage: Stage, end: Callable[[Stage, str], Any] | None
) -> None:
    where = begin_page(stage)
    stage.browser().post(f"{where}/begin", {"shown": ""}, page=where)
    if end is not None:
        end(stage, where)
    else:
        with stage.runtime.database.begin() as db:
            by_change(db, stage)
    stage.mail()
    assert [one for one in letters(stage) if one.notice.kind is NoticeKind.SUBSCRIBED] == []


def test_what_tells_of_a_subscription_goes_with_the_client_who_is_erased(stage: Stage) -> None:
    begin(stage)
    with stage.runtime.database.begin() as db:
        exported = exporting.export(db, stage.runtime.policy, stage.kim.id, now=stage.now)
    [told] = [one for one in exported["letters"] if one["kind"] == "subscribed"]
    assert told["conversation_id"] in {one["id"] for one in exported["conversations"]}
    assert exported["calendar_subscriptions"][0]["conversation_id"] == told["conversation_id"]
    stage.clock.advance(timedelta(days=60))
    with stage.runtime.database.begin() as db:
        erasing.erase(db, stage.runtime.policy, stage.kim.id, by=CLOCK, now=stage.now)
    everything = stage.everything()
    for name in ("conversations", "published_calendars", "messages"):
        assert stage.kim.email not in repr(everything[name]), name
