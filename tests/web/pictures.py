"""Pictures of pages, to be looked at: CONNECTOR_TEST_SCREENSHOTS names the folder in which they are kept."""

from __future__ import annotations

import base64
from itertools import product
from pathlib import Path

from flask import Flask, Response
from selenium import webdriver

from tests.conftest import SCREENSHOTS

WIDTHS = (360, 1280)
THEMES = ("light", "dark")


def keep_picture(chromium: webdriver.Chrome, name: str) -> None:
    """Keep a picture of the whole page that is shown, if somebody wants to look at it."""
    if folder := SCREENSHOTS:
        metrics = chromium.execute_cdp_cmd("Page.getLayoutMetrics", {})
        width, height = metrics["cssLayoutViewport"]["clientWidth"], metrics["cssContentSize"]["height"]
        clip = {"x": 0, "y": 0, "width": width, "height": height, "scale": 1}
        picture = chromium.execute_cdp_cmd("Page.captureScreenshot", {"captureBeyondViewport": True, "clip": clip})
        Path(folder, f"{name}.png").write_bytes(base64.b64decode(picture["data"]))


def keep_pictures(chromium: webdriver.Chrome, name: str) -> None:
    """Keep pictures of the page that is shown on a phone and at a desk, in the light and in the dark."""
    if SCREENSHOTS:
        for width, theme in product(WIDTHS, THEMES):
            be(chromium, (width, 800), theme=theme, mobile=width < 600)
            keep_picture(chromium, f"{name}-{width}-{theme}")


def be(chromium: webdriver.Chrome, size: tuple[int, int], *, theme: str, mobile: bool = False) -> None:
    """Take the size of a device and the light it is used in."""
    metrics = {"width": size[0], "height": size[1], "deviceScaleFactor": 1, "mobile": mobile}
    chromium.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", metrics)
    scheme = {"name": "prefers-color-scheme", "value": theme}
    chromium.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [scheme]})


def showing(pages: list[str]) -> Flask:
    """Return an application that shows pages as they were, by their number, with their style sheet."""
    app = Flask("connector.web")
    app.add_url_rule("/<int:n>", "page", lambda n: Response(pages[n], mimetype="text/html"))
    return app
