"""Whoever has a link from the command line sees what became of outcomes, for an hour, and nothing personal."""

from __future__ import annotations

from datetime import timedelta
from uuid import uuid4

import pytest

from connector.domain.people import Actor, Role
from connector.services.outcomes import endpoints, looking
from connector.storage.seal import Seal
from tests.web.deliveries import STATUSES, deliver, hosts, page_of
from tests.web.desk import later
from tests.web.stage import Stage
from tests.web.walk import texts


def said(page: str) -> str:
    return " ".join(" ".join(texts(page)).split())


def rows(page: str) -> list[str]:
    return [said(row) for row in page.partition('<ul class="lines">')[2].partition("</ul>")[0].split("<li>")[1:]]


def test_each_delivery_says_how_far_it_has_come_how_it_was_answered_and_when_it_goes_on(stage: Stage) -> None:
    with hosts(stage):
        answer = stage.browser().get(page_of(stage))
    found = rows(answer.text)
    assert len(found) == len(STATUSES)
    by_host = {name: next(row for row in found if name in row) for name in STATUSES}
    for row in found:
        assert "session.booked" in row
    assert "Arrived , after one attempt Last answer: 204." in by_host["takes-them"]
    assert "Waiting , after one attempt Last answer: it answers 500. Next attempt: " in by_host["fails"]
    assert "Last answer: it answers 410. It waits until its endpoint is enabled." in by_host["is-gone"]
    assert "Waiting It waits until its endpoint is enabled." in by_host["left-alone"]
    cards = said(answer.text)
    for words in ("It has answered that it is gone (410).", "Nothing has arrived since", "Somebody has disabled it."):
        assert words in cards
    assert answer.headers["Cache-Control"] == "no-store"
    assert answer.headers["X-Robots-Tag"] == "noindex, nofollow"
    assert "<script>" not in answer.text
    for name in ("Ada", "Kim", "Noor", "kim@example.org", "Lindenstraße", "?key=42"):
        assert name not in answer.text


def test_links_choose_an_endpoint_and_a_state_and_lead_to_older_ones(
    stage: Stage, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("connector.services.views.deliveries._ON_PAGE", 2)
    browser, path = stage.browser(), page_of(stage)
    with hosts(stage) as (takes, fails, *_):
        stage.book(stage.at(12, 9))
        deliver(stage)
    one = browser.get(path, query_string={"to": str(fails.id)}).text
    assert len(rows(one)) == 2
    assert all("fails" in row for row in rows(one))
    arrived = browser.get(path, query_string={"state": "delivered"}).text
    assert all("takes-them" in row and "Arrived" in row for row in rows(arrived))
    both = browser.get(path, query_string={"state": "delivered", "to": str(fails.id)}).text
    assert rows(both) == ["There are none."]
    seen, here = [], path
    while here:
        page = browser.get(here).text
        seen += rows(page)
        here = page.partition('class="button plain" href="')[2].partition('"')[0].replace("&amp;", "&")
    assert len(seen) == len(set(seen)) == 2 * len(STATUSES)
    assert browser.get(path, query_string={"to": str(takes.id)}).text.count('aria-current="true"') == 2


def test_a_link_of_one_endpoint_shows_no_other(stage: Stage) -> None:
    browser = stage.browser()
    with hosts(stage) as (takes, fails, *_):
        path = page_of(stage, takes.id)
        page = browser.get(path).text
        assert len(rows(page)) == 1
        assert "fails" not in page
        assert browser.get(path, query_string={"to": str(fails.id)}).status_code == 404
        with stage.runtime.database.begin() as db:
            endpoints.remove(db, takes.id)
        assert browser.get(path).status_code == 404


def test_a_link_ends_after_an_hour_and_says_how_to_get_another(stage: Stage) -> None:
    path, browser = page_of(stage), stage.browser()
    stage.clock.advance(looking.LASTS - timedelta(seconds=1))
    assert browser.get(path).status_code == 200
    stage.clock.advance(timedelta(seconds=1))
    late = browser.get(path)
    assert late.status_code == 410
    assert "pencilled deliveries page" in late.text


@pytest.mark.parametrize(
    "query",
    [
        {"state": "lost"},
        {"to": "mine"},
        {"before": "x"},
        {"before": f"{2**63}.{uuid4().hex}"},
        {"before": f"-1.{uuid4().hex}"},
        {"before": "1.x"},
    ],
)
def test_what_no_link_of_the_page_asks_is_refused(stage: Stage, query: dict[str, str]) -> None:
    refused = stage.browser().get(page_of(stage), query_string=query)
    assert refused.status_code == 422
    assert "There are no such deliveries." in refused.text


def test_an_endpoint_that_is_not_there_and_a_link_that_is_none_of_ours_are_not_found(stage: Stage) -> None:
    browser, path = stage.browser(), page_of(stage)
    assert browser.get(path, query_string={"to": str(uuid4())}).status_code == 404
    other, _ = looking.make(Seal(["another key that is long enough, too"]), endpoint_id=None, now=stage.now)
    for token in (other, path[:-1].rpartition("/")[2], "forged"):
        assert browser.get(f"/deliveries/{token}").status_code == 404


def test_a_page_without_endpoints_says_so(stage: Stage) -> None:
    assert "No host is told of outcomes." in stage.browser().get(page_of(stage)).text


def test_the_page_changes_nothing_and_asks_as_often_whatever_is_on_it(stage: Stage) -> None:
    with hosts(stage) as (_, fails, *_others):
        with stage.runtime.database.begin() as db:
            endpoints.test(db, fails.id, by=Actor(role=Role.HOST, name="Host"), now=stage.now)
        before = stage.everything()
        stage.browser().get(page_of(stage))
        assert stage.everything() == before
    later(stage, days=1)
