"""Practitioners mend what is wrong, by keyboard alone and without a script: an address, and a session told wrongly."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver.common.by import By
from selenium.webdriver.common.keys import Keys

from connector.domain.notice import NoticeKind
from tests.web.pictures import keep_picture
from tests.web.stage import NotedMail, Stage
from tests.web.test_browser import PHONE, Page, chromium, door, page
from tests.web.test_clients import RIGHT, letters_to, refuse_mail

__all__ = ["chromium", "door", "page"]

pytestmark = [pytest.mark.chromium, pytest.mark.slow]
SIZES = pytest.mark.parametrize("size", [PHONE, (1280, 900)], ids=["phone", "desk"])


@pytest.fixture
def desk(page: Page, stage: Stage) -> Iterator[Page]:
    """Return what Ada sees who is signed in, where no script runs."""
    page.open(stage.sign_in_link(stage.ada))
    page.press("Sign in now", to="")
    with page.without_scripts():
        yield page


def write(page: Page, name: str, text: str) -> None:
    """Go to a field by keyboard, and type something in place of what stands in it."""
    field = page.tab_to(name)
    field.send_keys(Keys.CONTROL, "a")
    field.send_keys(text)


@pytest.mark.long
@SIZES
def test_an_address_is_mended_from_the_session_whose_letter_came_back(
    desk: Page, stage: Stage, size: tuple[int, int]
) -> None:
    desk.be(size)
    stage.offer()
    refuse_mail(stage)
    desk.open(f"/sessions/{stage.session.id}")
    desk.taps = 0
    desk.press("Correct the address", to="Change Kim Noor")
    desk.check()
    keep_picture(desk.chromium, f"mending-{size[0]}")
    assert "told at once what is still true" in desk.text

    write(desk, "E-mail address", "kim at example")
    desk.press("Save", to="Change Kim Noor")
    desk.check()
    assert "One field is not right yet." in desk.text
    assert desk.chromium.switch_to.active_element.get_attribute("name") == "email"
    keep_picture(desk.chromium, f"mending-wrong-{size[0]}")
    desk.chromium.switch_to.active_element.send_keys(Keys.CONTROL, "a")
    desk.chromium.switch_to.active_element.send_keys(RIGHT)
    desk.press("Save", to="Kim Noor")
    desk.check()
    keep_picture(desk.chromium, f"mended-{size[0]}")

    assert f"Kim Noor is being told at {RIGHT}" in desk.text
    stage.mail()
    assert "offered" in letters_to(stage, RIGHT)
    print(f"{desk.taps} taps from the session's page until an address is right, one mistake among them")


@pytest.mark.long
@SIZES
def test_a_session_that_was_told_wrongly_is_corrected(desk: Page, stage: Stage, size: tuple[int, int]) -> None:
    desk.be(size)
    desk.open(f"/sessions/{stage.session.id}")
    desk.taps = 0
    desk.press("Edit date/time", to="Edit date/time")
    desk.check()
    desk.pick("time", "16:00")
    desk.tab_to("Kim Noor asked for this time").send_keys(Keys.ARROW_DOWN)  # one radio button of a group is reached
    desk.taps += 1
    assert desk.chromium.switch_to.active_element.accessible_name == "I am correcting a mistake"
    keep_picture(desk.chromium, f"correcting-{size[0]}")
    desk.press("Save and tell Kim Noor", to="Session with Kim Noor")
    desk.check()
    keep_picture(desk.chromium, f"corrected-{size[0]}")
    stage.mail()
    assert stage.stored_session().when == stage.at(7, 16)
    assert isinstance(stage.runtime.sender, NotedMail)
    assert stage.runtime.sender.letters[-1].notice.kind is NoticeKind.CORRECTED
    print(f"{desk.taps} taps from the session's page until a mistake is corrected")


@pytest.mark.long
@SIZES
def test_every_page_about_people_can_be_used_by_everybody(desk: Page, stage: Stage, size: tuple[int, int]) -> None:
    desk.be(size)
    kim = f"/clients/{stage.kim.id}"
    for path in ("/clients", kim, f"{kim}/change", "/clients/new", "/account", "/account/details", "/account/hours"):
        desk.open(path)
        desk.check()
        keep_picture(desk.chromium, f"people{path.replace(str(stage.kim.id), 'kim').replace('/', '-')}-{size[0]}")
    assert desk.chromium.find_elements(By.NAME, "from0-0")
