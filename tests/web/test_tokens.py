"""A token opens the page it was made for, and no other."""

from __future__ import annotations

import pytest

from connector import paths
from connector.services import texts
from connector.services.accounts import connect_links
from connector.services.outcomes import looking
from connector.services.scheduling import answers, codes, questions, take_back
from connector.services.signing_in import links
from connector.services.sync import breaker
from tests.web.stage import Stage

PAGES = {
    "answer": paths.answer,
    "question": paths.question,
    "conflict": paths.conflict,
    "paused": paths.paused,
    "sign_in": paths.sign_in,
    "connect": paths.connect,
    "deliveries": paths.deliveries,
}
PURPOSES = {
    "answer": tuple(answers.PURPOSES.values()),
    "question": (questions.PURPOSE,),
    "conflict": (take_back.PURPOSE,),
    "paused": (breaker.PURPOSE,),
    "sign_in": (links.PURPOSE,),
    "connect": (connect_links.PURPOSE,),
    "deliveries": (looking.PURPOSE,),
    "none": (texts.PURPOSE, codes.PURPOSE, "cookie"),
}


def test_no_two_things_share_a_purpose() -> None:
    every = [purpose for purposes in PURPOSES.values() for purpose in purposes]
    assert len(set(every)) == len(every)


@pytest.mark.parametrize("page", PAGES)
def test_a_token_of_another_purpose_opens_nothing(stage: Stage, page: str) -> None:
    offer, browser = stage.offer(), stage.browser()
    others = [purpose for name, purposes in PURPOSES.items() if name != page for purpose in purposes]

    for purpose in others:
        token = stage.runtime.seal.token(purpose, offer.id)
        assert browser.get(PAGES[page](token)).status_code == 404, purpose
        assert browser.get(PAGES[page](stage.runtime.seal.short_token(purpose, offer.id))).status_code == 404
