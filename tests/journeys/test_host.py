"""A booking platform hands the rearranging over: its program, the client's page, the practitioner's calendar."""

from __future__ import annotations

import re
from datetime import datetime
from typing import Any

from connector import app
from connector.domain.api_key import Scope
from connector.domain.span import When
from tests.api.program import program
from tests.domain.examples import when
from tests.fakes.mailbox import Caught
from tests.journeys.stage import Stage
from tests.web.stage import Browser

Json = dict[str, Any]


def time_of(at: When) -> Json:
    return {"start": at.span.start.isoformat(), "end": at.span.end.isoformat(), "zone": "UTC"}


def body(answer: Any) -> Json:
    assert answer.status_code < 300, answer.text
    found: Json = answer.json
    return found


def answer_link(mail: Caught, public_url: str) -> str:
    """The path of the page on which a client answers."""
    (text,) = [part for part in mail.message.walk() if part.get_content_type() == "text/plain"]
    match = re.search(rf"{re.escape(public_url)}(/answer/\S+)", str(text.get_content()))
    assert match, text.get_content()
    return match[1]


def test_a_host_offers_times_and_its_client_takes_one(on_radicale: Stage) -> None:
    stage = on_radicale
    stage.connect()
    stage.start()
    pages = app.create_app(stage.runtime)
    host = program(stage.runtime, pages.test_client(use_cookies=False), *Scope)

    booking = {
        "practitioner_id": str(stage.practice.kim.id),
        "client_id": str(stage.practice.alex.id),
        "time": time_of(when(48)),
        "location": {"kind": "in_person", "text": "Lindenstr. 3, Berlin"},
        "external_id": "booking-1",
    }
    session = body(host.post("/sessions", booking, once="book-1"))
    stage.until(stage.shown, lambda events: len(events) == 1)
    stage.mailbox.wait_for(1)
    stage.settled()

    offering = {"alternatives": [{"time": time_of(when(hours))} for hours in (72, 96)]}
    draft = body(host.post(f"/sessions/{session['id']}/offers", offering))
    seen = body(host.post(f"/offers/{draft['id']}/preview"))
    assert (seen["would_be_sent"], seen["conflicts"], len(seen["holds"])) == (True, [], 2)
    stage.settled()
    assert len(stage.shown()) == 1
    assert len(stage.mailbox.messages) == 1

    sent = body(host.post(f"/offers/{draft['id']}/send", {}, match=draft["version"], once="send-1"))
    assert (sent["warnings"], sent["offer"]["expires_at"]) == ([], seen["expires_at"])
    stage.until(stage.shown, lambda events: [one.status for one in events].count("TENTATIVE") == 2)
    link = answer_link(stage.mailbox.wait_for(2)[1], stage.public_url)

    client, chosen = Browser(pages.test_client()), sent["offer"]["alternatives"][1]
    shown = datetime.fromisoformat(chosen["time"]["start"]).isoformat()
    assert client.post(f"{link}/choose/{chosen['id']}", {"shown": shown}, page=f"{link}/none").status_code == 303

    moved = body(host.get(f"/sessions/{session['id']}"))
    assert datetime.fromisoformat(moved["time"]["start"]) == when(96).span.start
    assert (moved["external_id"], moved["open_offer_id"]) == ("booking-1", None)
    assert moved["version"] > session["version"]
    accepted = body(host.get(f"/offers/{draft['id']}"))
    assert (accepted["state"], accepted["accepted_alternative_id"]) == ("accepted", chosen["id"])
    (event,) = stage.until(stage.shown, lambda events: len(events) == 1)
    assert event.start == when(96).span.start
