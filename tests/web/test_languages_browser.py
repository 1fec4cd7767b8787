"""Every page fits the screen of a phone, however long its words are and whichever way they are written.

CONNECTOR_TEST_SCREENSHOTS names a folder in which each page is kept as a picture, to be looked at.
"""

from __future__ import annotations

from itertools import product

import pytest
from selenium import webdriver

from tests.web.desk import Desk
from tests.web.pictures import keep_picture, showing
from tests.web.test_browser import PHONE, Door, chromium, door
from tests.web.test_languages import WALKS, germans, strange, strangers

__all__ = ["chromium", "door", "germans", "strange", "strangers"]  # fixtures

pytestmark = pytest.mark.chromium

OUTSIDE = """
for (const part of document.querySelectorAll("details")) part.open = true;
const width = document.documentElement.clientWidth;
return [...document.querySelectorAll("body *:not(.unseen, option)")].filter(e => {
  const box = e.getBoundingClientRect();
  return box.width && (box.left < -1 || box.right > width + 1);
}).map(e => e.outerHTML.slice(0, 200));
"""


@pytest.mark.parametrize(
    ("readers", "walk"),
    [
        pytest.param(*one, marks=[] if one == ("strangers", "sessions") else [pytest.mark.long])
        for one in product(("germans", "strangers"), WALKS)
    ],
)
def test_no_page_is_wider_than_a_phone(
    chromium: webdriver.Chrome, door: tuple[Door, str], request: pytest.FixtureRequest, readers: str, walk: str
) -> None:
    here: Desk = request.getfixturevalue(readers)
    pages = [text for _, text in WALKS[walk](here)]
    served, address = door
    served.app = showing(pages)
    chromium.execute_cdp_cmd(
        "Emulation.setDeviceMetricsOverride",
        {"width": PHONE[0], "height": PHONE[1], "deviceScaleFactor": 1, "mobile": False},
    )
    outside = {}
    for n in range(len(pages)):
        chromium.get(f"{address}/{n}")
        outside[n] = chromium.execute_script(OUTSIDE)
        keep_picture(chromium, f"{readers}-{walk}-{n:02}")

    assert {n: found for n, found in outside.items() if found} == {}
