"""The pages about people, without a script, on a phone and at a desk."""

from __future__ import annotations

from collections.abc import Iterator

import pytest
from selenium.webdriver.common.by import By

from tests.web.pictures import keep_picture
from tests.web.stage import Stage
from tests.web.test_browser import PHONE, Page, chromium, door, page

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
