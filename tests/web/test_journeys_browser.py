"""Whole journeys in a browser: by keyboard alone, on a phone and at a desk, with scripts and without.

Each says how often something was pressed or ticked, and how many fields were typed into. The phone without scripts is
in every run; the other screens are in long ones.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import nullcontext
from itertools import product

import pytest
from selenium.webdriver.common.keys import Keys

from connector.domain.notice import NoticeKind
from connector.domain.offer import OfferState
from connector.domain.people import Medium
from connector.domain.session import SessionState
from connector.services.scheduling import session_links
from connector.services.views.sessions import session_page
from connector.storage import people
from tests.web.away import days, full_day
from tests.web.pictures import keep_picture
from tests.web.stage import NotedMail, Stage
from tests.web.test_browser import PHONE, Page, chromium, door, page
from tests.web.test_clients import RIGHT, letters_to, refuse_mail

__all__ = ["chromium", "door", "page"]

pytestmark = [pytest.mark.chromium, pytest.mark.slow]

DESK = (1280, 900)


EXAMPLE = (PHONE, False)
LONG = [pytest.mark.long, pytest.mark.sweep]
ON_EVERY_SCREEN = pytest.mark.parametrize(
    ("size", "has_scripts"),
    [
        pytest.param(
            *one, id=f"{one[0][0]}{'' if one[1] else '-without-scripts'}", marks=LONG if one != EXAMPLE else []
        )
        for one in product((PHONE, DESK), (False, True))
    ],
)


@pytest.fixture
def at(page: Page, size: tuple[int, int], *, has_scripts: bool) -> Iterator[Page]:
    """Return a browser at a screen, before anybody has opened anything."""
    page.be(size)
    with nullcontext() if has_scripts else page.without_scripts():
        yield page


@pytest.fixture
def desk(at: Page, stage: Stage) -> Page:
    """Return what Ada sees who is signed in."""
    at.open(stage.sign_in_link(stage.ada))
    at.press("Sign in now", to="Your week")
    return at


def look(page: Page, name: str) -> None:
    """Hold the page against what everybody needs, and keep a picture of it."""
    page.check()
    keep_picture(page.chromium, f"journey-{name}-{page.width}")


def begin(page: Page) -> None:
    """Count from here."""
    page.taps = page.typed = 0


def tell(page: Page, what: str, *, taps: int) -> None:
    """Say what it took, and hold it against what it may take."""
    print(f"{page.taps} taps and {page.typed} fields typed: {what}")
    assert page.taps <= taps


@ON_EVERY_SCREEN
def test_three_free_times_are_offered_with_six_taps(desk: Page, stage: Stage) -> None:
    desk.open(f"/sessions/{stage.session.id}")
    begin(desk)
    desk.press("Offer alternatives", to="Offer alternatives")
    look(desk, "offer-1-times")
    for day in ("Tuesday, 10 March", "Wednesday, 11 March", "Thursday, 12 March"):
        desk.tick(day)
    desk.press("Continue", to="Check your draft")
    look(desk, "offer-2-check")
    assert "Nothing has been sent, and no time is held." in desk.text
    desk.press("Send to Kim Noor", to="Session with Kim Noor")
    tell(desk, "from the session's page until three times are offered", taps=6)

    look(desk, "offer-3-sent")
    assert "The offer is sent." in desk.text
    with stage.runtime.database.read() as db:
        shown = session_page(db, stage.runtime.policy, stage.ada.id, stage.session.id, now=stage.now)
    assert shown.open is not None
    assert [a.alternative.when for a in shown.open.alternatives] == [stage.at(n, 15) for n in (8, 9, 10)]
    stage.mail()
    assert letters_to(stage, stage.kim.email) == ["booked", "offered"]


@ON_EVERY_SCREEN
def test_a_day_with_five_sessions_is_rearranged(desk: Page, stage: Stage) -> None:
    full_day(stage, 5)
    stage.mail()
    desk.open(days(stage, 3))
    begin(desk)
    look(desk, "away-1-sessions")
    desk.press("Check all offers", to="Check all offers")
    look(desk, "away-2-check")
    desk.press("Send all 5 offers", to="Away: other times for your sessions")
    tell(desk, "from the sessions of a day until five offers are sent", taps=2)

    look(desk, "away-3-sent")
    assert "5 offers are sent." in desk.text
    stage.mail()
    assert [letters_to(stage, f"noa{n}@example.org")[-1] for n in range(5)] == ["offered"] * 5
    desk.open(days(stage, 3))
    desk.tick("Replace that offer")
    desk.press("Check all offers", to="Check all offers")
    assert "The offer that is open now is replaced" in desk.text


@ON_EVERY_SCREEN
def test_a_session_that_was_told_wrongly_is_corrected(desk: Page, stage: Stage) -> None:
    desk.open(f"/sessions/{stage.session.id}")
    begin(desk)
    desk.press("Edit date/time", to="Edit date/time")
    desk.enter("Time", "16:00")
    desk.take("Kim Noor asked for this time", down=1, name="I am correcting a mistake")
    look(desk, "correct-1-time")
    desk.press("Save and tell Kim Noor", to="Session with Kim Noor")
    tell(desk, "from the session's page until a mistake is corrected", taps=3)

    look(desk, "correct-2-saved")
    stage.mail()
    assert stage.stored_session().when == stage.at(7, 16)
    assert isinstance(stage.runtime.sender, NotedMail)
    assert stage.runtime.sender.letters[-1].notice.kind is NoticeKind.CORRECTED


@ON_EVERY_SCREEN
def test_support_finds_a_session_and_answers_for_its_client(at: Page, stage: Stage) -> None:
    offer = stage.offer()
    at.open(stage.support_link())
    at.press("Sign in now", to="Find a session")
    begin(at)
    look(at, "support-1-find")
    at.write("Name, e-mail address", "noor")
    at.press("Search", to="Find a session")
    look(at, "support-2-found")
    at.press("Kim Noor", to="Why do you look at this session?")
    look(at, "support-3-why")
    at.write("Reason", "called, cannot open the mail")
    at.press("Show the session", to="Session with Kim Noor")
    look(at, "support-4-session")
    at.take("Wednesday, 11 March")
    at.press("Answer for Kim Noor", to="Session with Kim Noor")
    tell(at, "from support's first page until a session is answered for", taps=5)

    assert "Done. The client and the practitioner are being told." in at.text
    assert stage.stored_session().when == offer.alternatives[0].when
    look(at, "support-5-answered")
    at.press("Cancel the booking", to="Cancel the booking for Kim Noor?")
    look(at, "support-6-cancel")
    at.press("Cancel the booking", to="Session with Kim Noor")
    look(at, "support-7-cancelled")
    assert stage.stored_session().state is SessionState.CANCELLED
    stage.mail()
    assert letters_to(stage, stage.kim.email)[-1] == "cancelled"
    assert "called, cannot open the mail" in stage.signed_in().get(f"/sessions/{stage.session.id}").text


@ON_EVERY_SCREEN
def test_a_client_says_that_none_suits_and_when_they_could_and_it_is_agreed_to(at: Page, stage: Stage) -> None:
    offer, first, second = stage.offer(), stage.at(11, 9), stage.at(12, 16)
    own = f"/mine/{session_links.token(stage.runtime.seal, stage.session.id, Medium.EMAIL, reader=stage.kim.email)}"
    at.open(own)
    begin(at)
    look(at, "none-1-offered")
    at.press("None of these times suits me", to="None of these times suits you?")
    at.write("A line for", "Mornings are better for me.")
    for n, when in enumerate((first, second), start=1):
        at.enter(f"Day {n}", f"{when.local:%Y-%m-%d}")
        at.enter(f"Time {n}", f"{when.local:%H:%M}")
    at.enter("Day 3", "2020-01-01")
    at.enter("Time 3", "10:00")
    at.press("Yes, none of these times suits", to="None of these times suits you?")
    look(at, "none-2-refused")
    assert "Mornings are better for me." in at.chromium.page_source
    assert at.chromium.switch_to.active_element.get_attribute("name") == "date-2"
    at.enter("Time 3", "")
    at.enter("Day 3", "")
    at.press("Yes, none of these times suits", to="None of the times suited you")
    tell(at, "from the client's own page until their wishes are sent, one mistake among them", taps=3)

    look(at, "none-3-said")
    at.press("Everything about your session", to="Your session is booked")
    look(at, "none-4-mine")
    assert stage.stored(offer).state is OfferState.REJECTED
    assert stage.stored_session().when == stage.session.when
    stage.mail()
    at.chromium.delete_all_cookies()
    at.open(stage.sign_in_link(stage.ada))
    at.press("Sign in now", to="Your week")
    begin(at)
    look(at, "none-5-week")
    at.press("Kim Noor", to="Session with Kim Noor")
    look(at, "none-6-session")
    at.press("Decide about it", to="Kim Noor")
    look(at, "none-7-decide")
    at.press("Agree to this time", nth=2, to="Move the session with Kim Noor?")
    look(at, "none-8-agree")
    at.press("Yes, move it and tell Kim Noor", to="Decided")
    tell(at, "from the week until a client's wish is agreed to", taps=4)

    assert stage.stored_session().when == second
    at.open(own)
    look(at, "none-9-agreed")
    assert at.heading == "Your session is booked"


@ON_EVERY_SCREEN
def test_an_address_is_mended_from_the_session_whose_letter_came_back(desk: Page, stage: Stage) -> None:
    stage.offer()
    refuse_mail(stage)
    desk.open(f"/sessions/{stage.session.id}")
    begin(desk)
    desk.press("Correct the address", to="Change Kim Noor")
    look(desk, "address-1-change")
    assert "told at once what is still true" in desk.text
    desk.write("E-mail address", "kim at example")
    desk.press("Save", to="Change Kim Noor")
    look(desk, "address-2-wrong")
    assert "One field is not right yet." in desk.text
    assert desk.chromium.switch_to.active_element.get_attribute("name") == "email"
    desk.chromium.switch_to.active_element.send_keys(Keys.CONTROL, "a")
    desk.chromium.switch_to.active_element.send_keys(RIGHT)
    desk.typed += 1
    desk.press("Save", to="Kim Noor")
    tell(desk, "from the session's page until an address is right, one mistake among them", taps=3)

    look(desk, "address-3-mended")
    assert f"Kim Noor is being told at {RIGHT}" in desk.text
    stage.mail()
    assert "offered" in letters_to(stage, RIGHT)
    with stage.runtime.database.read() as db:
        assert people.client(db, stage.kim.id).email == RIGHT
