"""Where answers count only of a client whom the platform has signed in, it does so on the way."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

from lindenhof import mounted
from test_lindenhof import PASSWORD, QUICK, Visitor, begin

from connector.domain.notice_table import Link
from connector.hosted.calls import Time

BERLIN = ZoneInfo("Europe/Berlin")


def test_a_client_signs_in_at_the_platform_and_answers(sqlite_url: str, tmp_path: Path) -> None:
    settings = {
        "CONNECTOR_DATABASE_URL": sqlite_url,
        "CONNECTOR_PUBLIC_URL": "http://localhost/rearrange",
        "CONNECTOR_ANSWER_POLICY": "host",
    }
    own = {"DATABASE": tmp_path / "lindenhof.sqlite3", "TESTING": True, **QUICK}
    platform = begin(mounted.create_app(**own, PENCILLED=settings))
    alex, stranger = Visitor(platform), Visitor(platform)
    alex.sign_in("Alex")
    alex.post(alex.free()[-1])
    pencilled = platform.extensions["rearranging"]._pencilled
    start = datetime.now(BERLIN).replace(hour=10, minute=0, second=0, microsecond=0) + timedelta(days=30)  # noqa: TID251
    other = Time(start=start, end=start + timedelta(minutes=50), zone=BERLIN.key)
    offer = pencilled.offers.send(pencilled.offers.draft("booking-1", [other]).id).offer
    link = pencilled.runtime.link(Link.ANSWER, offer.id).removeprefix("http://localhost")

    asked = stranger.http.get(link)
    assert f"{start:%H:%M}" not in asked.text
    (way,) = re.findall(r'href="(/sign-in\?next=[^"]+)"', asked.text)
    page = stranger.post(html.unescape(way), email="alex@lindenhof.example", password=PASSWORD)
    assert f"{start:%H:%M}" in page
    pencilled.close()
