from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog.testing

from connector.domain.notice import NoticeKind
from connector.domain.people import Medium
from connector.services import short_links
from connector.web.limits import GUESS_LIMIT
from tests.counting import statements
from tests.outbox.people import notice
from tests.web.stage import Browser, Stage
from tests.web.test_subscriptions import begin_own

LIMIT = int(GUESS_LIMIT.split()[0])


def short(stage: Stage) -> tuple[str, str]:
    """Return a short link to an offer, and the long one."""
    offer = stage.offer()
    told = notice(NoticeKind.OFFERED, offer_id=offer.id, expires_at=offer.expires_at)
    link = stage.runtime.link_for(replace(told, to=replace(told.to, address=stage.kim.phone)), Medium.SMS)
    assert link is not None
    return link.removeprefix(stage.runtime.settings.public_url), stage.link(offer)


@pytest.mark.parametrize("method", ["GET", "HEAD"])
def test_a_short_link_leads_to_the_page_of_the_offer_and_changes_nothing(stage: Stage, method: str) -> None:
    path, long = short(stage)
    before = stage.everything()

    answer = stage.browser().http.open(path, method=method)

    assert answer.status_code == 303
    browser, path = stage.browser(), answer.location.removeprefix(stage.runtime.settings.public_url)
    assert _told(browser, path).replace(path, long) == _told(browser, long)
    assert stage.everything() == before


def _told(browser: Browser, path: str) -> str:
    """Return what a page says; the link from there to their own page is each address's own."""
    return re.sub(r"/mine/[\w.-]+", "/mine/theirs", browser.get(path).text)


def test_a_short_link_is_only_good_for_what_it_was_made_for_and_until_it_ends(stage: Stage) -> None:
    path, _ = short(stage)
    with stage.runtime.database.begin() as db:
        other = short_links.lend(
            db, stage.runtime.seal, "other", stage.session.id, ends_at=stage.now + timedelta(days=1)
        )
    assert stage.browser().get(f"/s/{other}").status_code == 404
    stage.clock.advance(timedelta(days=92))
    assert stage.browser().get(path).status_code == 404


def guess(stage: Stage, door: str) -> list[int]:
    """Try addresses that lead nowhere, more than are allowed."""
    return [stage.browser().get(door.format(letter)).status_code for letter in "abcdefghijklmn"]


SHORT, FEED = f"/s/{'a' * 15}{{}}", f"/feed/{'a' * 25}{{}}.ics"
doors = pytest.mark.parametrize(("door", "other"), [(SHORT, FEED), (FEED, SHORT)])


@doors
def test_whoever_guesses_is_slowed_down_and_nobody_behind_the_same_address_is_kept_from_what_is_theirs(
    stage: Stage, door: str, other: str
) -> None:
    path, _ = short(stage)
    _, feed = begin_own(stage)
    assert guess(stage, door) == [404] * LIMIT + [429] * (14 - LIMIT)
    assert stage.browser().get(other.format("b")).status_code == 429, "guesses count together"
    assert [stage.browser().get(one).status_code for one in (path, feed)] == [303, 200]
    stage.clock.advance(timedelta(days=92))
    guess(stage, door)
    assert stage.browser().get(path).status_code == 429, "what has ended leads nowhere"


@doors
def test_a_guess_costs_two_statements_and_beyond_the_limit_no_line_in_the_log(
    stage: Stage, door: str, other: str
) -> None:
    guess(stage, other)
    stage.browser().get(door.format("c"))
    with structlog.testing.capture_logs() as lines, statements() as asked:
        guess(stage, door)
    assert lines == []
    assert len(asked) <= 2 * 14, "whether everything stands still, and whether there is such an address"


def test_a_key_that_is_rotated_leaves_the_links_that_are_out_as_they_are(stage: Stage) -> None:
    path, _ = short(stage)
    stage.runtime.seal = type(stage.runtime.seal)(
        ["another key for tests that is long enough", "a key for tests that is long enough"]
    )

    assert stage.browser().get(path).status_code == 303
