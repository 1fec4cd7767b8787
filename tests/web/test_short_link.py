from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connector.domain.notice import NoticeKind
from connector.domain.people import Medium
from connector.services import short_links
from connector.web.limits import GUESS_LIMIT
from tests.outbox.people import notice
from tests.web.stage import Stage

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
    assert browser.get(path).text.replace(path, long) == browser.get(long).text
    assert stage.everything() == before


def test_a_short_link_is_only_good_for_what_it_was_made_for_and_until_it_ends(stage: Stage) -> None:
    path, _ = short(stage)
    with stage.runtime.database.begin() as db:
        other = short_links.lend(
            db, stage.runtime.seal, "other", stage.session.id, ends_at=stage.now + timedelta(days=1)
        )
    assert stage.browser().get(f"/s/{other}").status_code == 404
    stage.clock.advance(timedelta(days=92))
    assert stage.browser().get(path).status_code == 404


def test_whoever_guesses_short_links_is_slowed_down_and_whoever_has_one_is_not(stage: Stage) -> None:
    path, _ = short(stage)
    browser = stage.browser()

    assert {browser.get(path).status_code for _ in range(LIMIT + 5)} == {303}
    statuses = [browser.get(f"/s/{'a' * 15}{letter}").status_code for letter in "abcdefghijklmn"]
    assert statuses == [404] * LIMIT + [429] * (14 - LIMIT)


def test_a_key_that_is_rotated_leaves_the_links_that_are_out_as_they_are(stage: Stage) -> None:
    path, _ = short(stage)
    stage.runtime.seal = type(stage.runtime.seal)(
        ["another key for tests that is long enough", "a key for tests that is long enough"]
    )

    assert stage.browser().get(path).status_code == 303
