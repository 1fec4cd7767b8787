"""None of the times suits: a client says when they could, and their practitioner agrees, on phones without a script."""

from __future__ import annotations

import pytest

from connector.domain.offer import OfferState
from connector.domain.people import Medium
from connector.services.scheduling import session_links
from tests.web.pictures import keep_picture
from tests.web.stage import Stage
from tests.web.test_browser import Page, chromium, door, page

__all__ = ["chromium", "door", "page"]

pytestmark = [pytest.mark.chromium, pytest.mark.long]


def test_a_client_says_that_none_suits_and_when_they_could_and_it_is_agreed_to(page: Page, stage: Stage) -> None:
    offer, first, second = stage.offer(), stage.at(11, 9), stage.at(12, 16)
    own = f"/mine/{session_links.token(stage.runtime.seal, stage.session.id, Medium.EMAIL, reader=stage.kim.email)}"
    with page.without_scripts():
        page.open(own)
        _look(page, "mine-offered", "Can your session take place at another time?")
        page.press("None of these times suits me", to="None of these times suits you?")
        _look(page, "none-empty", "None of these times suits you?")
        page.tab_to("A line for").send_keys("Mornings are better for me.")
        for n, when in enumerate((first, second)):
            page.pick(f"date-{n}", f"{when.local:%Y-%m-%d}")
            page.pick(f"time-{n}", f"{when.local:%H:%M}")
        page.pick("date-2", "2020-01-01")
        page.pick("time-2", "10:00")
        page.press("Yes, none of these times suits", to="None of these times suits you?")
        _look(page, "none-refused", "None of these times suits you?")
        assert "Mornings are better for me." in page.chromium.page_source
        page.pick("date-2", "")
        page.pick("time-2", "")
        page.press("Yes, none of these times suits", to="None of the times suited you")
        _look(page, "none-said", "None of the times suited you")
        page.press("Everything about your session", to="Your session is booked")
        _look(page, "mine-said", "Your session is booked")
        assert stage.stored(offer).state is OfferState.REJECTED
        assert stage.stored_session().when == stage.session.when

        stage.mail()
        page.chromium.delete_all_cookies()
        page.open(stage.sign_in_link(stage.ada))
        page.press("Sign in now", to="Your week")
        _look(page, "week-wish", "Your week")
        page.press("Kim Noor", to="Session with Kim Noor")
        _look(page, "session-wish", "Session with Kim Noor")
        page.press("Decide about it", to="Kim Noor")
        _look(page, "wish", "Kim Noor")
        page.press("Agree to this time", nth=2, to="Move the session with Kim Noor?")
        _look(page, "wish-agree", "Move the session with Kim Noor?")
        page.press("Yes, move it and tell Kim Noor", to="Decided")
        _look(page, "wish-agreed", "Decided")
        assert stage.stored_session().when == second

        page.open(own)
        _look(page, "mine-agreed", "Your session is booked")


def _look(page: Page, name: str, heading: str) -> None:
    assert heading in page.heading
    page.check()
    keep_picture(page.chromium, f"wishes-{name}")
