"""Where answers count only of a client whom the platform has signed in, it does so on the way."""

from __future__ import annotations

import html
import re
from datetime import datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import sqlalchemy as sa
from lindenhof import mounted
from test_lindenhof import PASSWORD, QUICK, Visitor, begin

from connector.cli.demo.evidence import eventually
from connector.cli.demo.visitor import Visitor as Browser
from connector.domain.notice_table import Link
from connector.domain.people import Actor, Role
from connector.domain.span import When
from connector.hosted.calls import Time
from connector.services.scheduling.offers import draft, send
from connector.storage.tables import sessions
from tests.examples.shapes import beside

OPERATOR = Actor(role=Role.OPERATOR, name="")
KEY = "between the platform and Pencilled and nobody else"
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


def test_a_client_whom_the_platform_signs_in_elsewhere_answers(sqlite_url: str, tmp_path: Path) -> None:
    with beside(sqlite_url, tmp_path, assertion_key=KEY) as shape:
        alex = Visitor(shape.platform)
        alex.sign_in("Alex")
        alex.post(alex.free()[-1])
        runtime, now = shape.runtime, shape.runtime.clock()
        with runtime.database.begin() as db:
            (session,) = db.execute(sa.select(sessions.c.id)).scalars()
            when = When.at(datetime(now.year + 1, 1, 12, 10), zone=BERLIN.key, duration=timedelta(minutes=50))
            offer = draft(db, runtime.policy, session, [(when, None)], by=OPERATOR, now=now)
            send(db, runtime.policy, offer.id, by=OPERATOR, now=now)
        someone, link = Browser(), runtime.link(Link.ANSWER, offer.id)
        page = someone.open(link)
        assert "10:00" not in page.text
        page = someone.follow(page, "Sign in")
        page = someone.press(page, "Sign in", fill={"email": "alex@lindenhof.example", "password": PASSWORD})
        page = someone.press(page, "Go on to the times")
        assert "10:00" in page.text
        someone.press(someone.follow(page, "Choose this time"), "Yes, take this time")
        assert eventually(lambda: "12 January, 10:00" in alex.get("/bookings"), bool)
