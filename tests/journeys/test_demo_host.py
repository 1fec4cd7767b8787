"""The demo of a booking platform works from beginning to end, in both ways, and is cleaned up."""

from __future__ import annotations

from pathlib import Path

import pytest

from connector.cli.demo.visitor import Visitor
from tests.journeys.test_demo import playing

pytestmark = pytest.mark.long  # `tests/examples/test_story.py` tells both stories in this process


def test_the_platform_is_played_in_both_ways_and_stays_up(tmp_path: Path) -> None:
    with playing(tmp_path, "--host", "--keep") as demo:
        demo.read_until("Press Ctrl-C")
        output = "\n".join(demo.told)
        assert output.count("4. The client takes the second; the platform's own table moves") == 2
        assert "Everything was as told" in output
        for name in ("Lindenhof, mounted", "Lindenhof, beside"):
            assert "Kim Beispiel" in Visitor().open(demo.link(name)).text
        for name in ("Mails, mounted", "Mails, beside"):
            assert "New session time?" in Visitor().open(demo.link(name)).text
        assert demo.stop() == 0
        assert demo.left_behind() == []
