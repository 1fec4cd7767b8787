from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from datetime import timedelta

import pytest
import sqlalchemy as sa
from werkzeug.test import TestResponse

from connector.domain.facts import FlagReason
from connector.domain.session import LocationKind, SessionState
from connector.services.scheduling import answers
from connector.storage import messages, tables
from connector.storage import sessions as stored_sessions
from tests.web.stage import PRACTICE, Browser, NotedMail, Stage

AGREED = {"reason": "agreed", "who": "Kim", "agreed_at": "2026-03-02T09:30", "channel": "by phone"}
WRONG = {"reason": "correction"}


def move(stage: Stage, browser: Browser, **changes: str) -> TestResponse:
    form = {"date": "2026-03-10", "time": "16:00", "minutes": "50", "place_kind": "in_person"}
    form |= {"place_text": PRACTICE.text} | AGREED | changes
    return browser.post(f"/sessions/{stage.session.id}/time", form)


def kinds(stage: Stage) -> list[str]:
    stage.mail()
    with stage.runtime.database.read() as db:
        return [message.kind.value for message in messages.of_session(db, stage.session.id)]


def test_a_time_the_client_agreed_to_stands_at_once(stage: Stage) -> None:
    ada = stage.signed_in()
    saved = move(stage, ada)
    assert (saved.status_code, saved.location) == (303, f"/sessions/{stage.session.id}")
    session = stage.stored_session()
    assert (session.when, session.id, session.uid) == (stage.at(8, 16), stage.session.id, stage.session.uid)
    assert session.revision == stage.session.revision + 1
    page = ada.get(saved.location).text
    assert "Saved. Kim Noor is being told" in page
    assert "Kim agreed on Mon, 2 Mar 2026, 09:30 CET (by phone)" in page
    assert kinds(stage) == ["booked", "moved"]


def test_time_and_place_change_in_one_save(stage: Stage) -> None:
    move(stage, stage.signed_in(), place_kind="online", place_text="https://meet.example.org/kim")
    session = stage.stored_session()
    assert (session.revision, session.location.kind) == (stage.session.revision + 1, LocationKind.ONLINE)
    assert kinds(stage) == ["booked", "moved"]


def test_saving_unchanged_values_tells_nobody(stage: Stage) -> None:
    ada = stage.signed_in()
    before = stage.everything()
    saved = move(stage, ada, date="2026-03-09", time="15:00", reason="")
    assert saved.status_code == 303
    assert stage.everything() == before
    assert "Nothing has changed, so nobody was told." in ada.get(saved.location).text


def test_a_correction_in_the_past_asks_first(stage: Stage) -> None:
    ada = stage.signed_in()
    answer = move(stage, ada, date="2026-03-01", **WRONG)
    assert answer.status_code == 422
    assert 'name="override"' in answer.text
    assert "If that is right, tick the box below and save again." in answer.text
    assert 'value="correction" checked' in answer.text
    assert move(stage, ada, date="2026-03-01", override="yes", **WRONG).status_code == 303
    assert stage.stored_session().when == stage.at(-1, 16)


@pytest.mark.parametrize(
    ("changes", "told"),
    [
        ({"reason": ""}, "Say why"),
        ({"reason": "whim"}, "Say why"),
        ({"who": ""}, "Who agreed: please fill this in."),
        ({"channel": ""}, "How they told you: please fill this in."),
        ({"agreed_at": ""}, "Give both a date and a time."),
        ({"agreed_at": "2026-03-02T10:01"}, "cannot have agreed in the future"),
        ({"agreed_at": "soon"}, "Give both a date and a time."),
        ({"who": "Kim\x07"}, "an invisible character (U+0007), which stands there as character 4"),
        ({"date": ""}, "Give both a date and a time."),
        ({"time": "25:00"}, "Write the date as"),
        ({"time": "15:00+01:00"}, "Write the date as"),
        ({"date": "9999-12-31"}, "Write the date as"),
        ({"minutes": "many"}, "Say how many minutes"),
        ({"minutes": "nan"}, "Say how many minutes"),
        ({"minutes": "0"}, "between 1 minute and 24 hours"),
        ({"date": "2026-03-01"}, "has already passed"),
        ({"date": "2026-03-29", "time": "02:30"}, "does not exist"),
        ({"date": "2026-10-25", "time": "02:30"}, "comes twice"),
        ({"place_kind": "online", "place_text": "http://plain.example.org"}, "https://"),
        ({"place_kind": "moon"}, "Say how you meet"),
    ],
)
def test_what_is_wrong_is_said_and_nothing_typed_is_lost(stage: Stage, changes: Mapping[str, str], told: str) -> None:
    ada = stage.signed_in()
    before = stage.everything()
    refused = move(stage, ada, **{"time": "16:05", **changes})
    assert refused.status_code == 422
    assert told in refused.text
    assert stage.everything() == before
    typed = {"date": "2026-03-10", "time": "16:05", **AGREED, **changes}
    for name in ("date", "time", "who", "agreed_at"):
        assert f'name="{name}" value="{typed[name]}"' in refused.text


def test_a_time_that_comes_twice_is_asked_about_and_then_taken(stage: Stage) -> None:
    ada = stage.signed_in()
    answer = move(stage, ada, date="2026-10-25", time="02:30")
    assert 'name="which" value="earlier"' in answer.text
    assert move(stage, ada, date="2026-10-25", time="02:30", which="later").status_code == 303
    later = stage.stored_session().when
    assert later.span.start.isoformat() == "2026-10-25T01:30:00+00:00"
    text = ada.get(f"/sessions/{stage.session.id}/time").text
    assert 'name="which" value="later" checked' in text
    before = stage.everything()
    move(stage, ada, date="2026-10-25", time="02:30", which="later")
    assert stage.everything() == before


def test_a_time_somebody_else_has_is_refused(stage: Stage) -> None:
    stage.book(stage.at(8, 16))
    refused = move(stage, stage.signed_in())
    assert refused.status_code == 409
    assert "That time is taken by another session" in refused.text
    assert 'value="16:00"' in refused.text


def test_the_place_alone_can_change(stage: Stage) -> None:
    ada, path = stage.signed_in(), f"/sessions/{stage.session.id}/location"
    assert ada.post(path, {"place_kind": "phone", "place_text": "We call +4930123456"}).status_code == 303
    assert stage.stored_session().location.kind is LocationKind.PHONE
    assert kinds(stage) == ["booked", "relocated"]
    for form, told in (
        ({"place_kind": "online", "place_text": "meet.example.org"}, "begins with https://"),
        ({"place_kind": "phone", "place_text": ""}, "Say where the session takes place."),
    ):
        refused = ada.post(path, form)
        assert refused.status_code == 422
        assert told in refused.text
        assert f'value="{form["place_text"]}"' in refused.text


def test_cancelling_says_what_happens_and_then_does_it(stage: Stage) -> None:
    stage.offer()
    ada, path = stage.signed_in(), f"/sessions/{stage.session.id}/cancel"
    before = stage.everything()
    text = ada.get(path).text
    assert stage.everything() == before
    assert "The open offer ends" in text
    too_long = ada.post(path, {"reason": "x" * 201})
    assert too_long.status_code == 422
    assert "x" * 201 in too_long.text
    assert 'aria-invalid="true" aria-describedby="error-reason" autofocus' in too_long.text
    ada.post(path, {"reason": "burst pipe"})
    assert stage.stored_session().state is SessionState.CANCELLED
    page = ada.get(f"/sessions/{stage.session.id}").text
    assert "Session cancelled: burst pipe" in page
    assert "Offer alternatives" not in page
    forms = [ada.get(f"/sessions/{stage.session.id}/{form}") for form in ("time", "location", "cancel", "offer")]
    assert {form.headers.get("Location") for form in forms} == {f"/sessions/{stage.session.id}"}  # promises nothing


@pytest.mark.parametrize("reason", FlagReason)
def test_whatever_a_session_needs_its_practitioner_for_is_said_on_its_page_and_in_the_list(
    stage: Stage, reason: FlagReason
) -> None:
    with stage.runtime.database.begin() as db:
        stored_sessions.save(db, replace(stage.session, flag=reason))
    ada = stage.signed_in()
    assert "Keep the booked time" in ada.get(f"/sessions/{stage.session.id}").text
    assert 'class="tag bad"' in ada.get("/sessions").text


def test_a_flagged_session_is_loud_until_it_is_seen_to(stage: Stage) -> None:
    offer, ada = stage.offer(), stage.signed_in()
    with stage.runtime.database.begin() as db:
        answers.reject(db, stage.runtime.policy, offer.id, by=stage.by, now=stage.now)
    text = ada.get("/sessions").text
    assert text.index("Needs your attention") < text.index("Coming up")
    page = f"/sessions/{stage.session.id}"
    assert "Nothing you offered suited Kim Noor" in ada.get(page).text
    assert ada.post(f"{page}/keep", page=page).status_code == 303
    session = stage.stored_session()
    assert (session.flag, session.when, session.revision) == (None, stage.session.when, stage.session.revision)
    assert "Needs your attention" not in ada.get("/sessions").text
    before = stage.everything()
    ada.post(f"{page}/keep", page=page)
    assert stage.everything() == before


def test_a_lapse_the_clock_has_not_got_to_yet_is_shown_as_one(stage: Stage) -> None:
    stage.offer()
    ada = stage.signed_in()
    assert "Waiting for an answer to 3 offered times until 3 Mar 2026, 10:00" in ada.get("/sessions").text
    assert (
        ">Tuesday, 3 March 2026, 10:00 (Central European Time, Berlin)</time>."
        in ada.get(f"/sessions/{stage.session.id}").text
    )
    stage.clock.advance(timedelta(hours=24))
    assert "Waiting" not in ada.get("/sessions").text
    assert "Kim Noor can answer until" not in ada.get(f"/sessions/{stage.session.id}").text


def test_a_message_that_did_not_arrive_is_seen(stage: Stage) -> None:
    stage.runtime.sender = NotedMail(refusal="550 no such user")
    booked = stage.book(stage.at(3, 9))
    stage.mail()
    ada = stage.signed_in()
    page = ada.get(f"/sessions/{booked.id}").text
    assert "<strong>Did not arrive</strong>: 550 no such user. Please reach Kim Noor another way." in page
    assert "A message did not reach Kim Noor" in ada.get("/sessions").text
    for session in (booked, stage.session):
        assert "The last mail to Kim Noor, at " in ada.get(f"/sessions/{session.id}").text
    stage.runtime.sender.refusal = ""
    stage.clock.advance(timedelta(hours=1))
    stage.book(stage.at(4, 9))
    stage.mail()
    assert "The last mail to Kim Noor" not in ada.get(f"/sessions/{booked.id}").text


def test_looking_changes_nothing(stage: Stage) -> None:
    offer = stage.offer()
    stage.draft(stage.at(12, 9))
    ada = stage.signed_in()
    before = stage.everything()
    own = f"/sessions/{stage.session.id}"
    one = f"{own}/offer/{offer.alternatives[0].id}"
    paths = ["/sessions", own, *(f"{own}/{name}" for name in ("time", "location", "cancel", "offer", "offer/review"))]
    for path in [*paths, f"{own}/offer/withdraw", f"{one}/withdraw", f"{one}/move"]:
        for method in ("GET", "HEAD"):
            assert ada.http.open(path, method=method).status_code == 200, path
    assert stage.everything() == before


def test_lists_take_as_many_queries_for_many_sessions_as_for_one(stage: Stage) -> None:
    def queries() -> int:
        statements: list[str] = []
        engine = stage.runtime.database._readers

        def count(*arguments: object) -> None:
            statements.append(str(arguments[2]))

        sa.event.listen(engine, "before_cursor_execute", count)
        try:
            assert stage_browser.get("/sessions").status_code == 200
            assert stage_browser.get(f"/sessions/{stage.session.id}").status_code == 200
        finally:
            sa.event.remove(engine, "before_cursor_execute", count)
        return len(statements)

    stage_browser = stage.signed_in()
    stage.offer()
    few = queries()
    for day in range(20, 32):
        stage.offer(stage.at(day, 12), session=stage.book(stage.at(day, 9)))
    assert queries() == few


def test_what_a_newer_version_has_noted_breaks_no_page(stage: Stage) -> None:
    with stage.runtime.database.begin() as db:
        db.execute(sa.update(tables.facts).values(kind="session_split"))
    page = stage.signed_in().get(f"/sessions/{stage.session.id}")
    assert page.status_code == 200
    assert "this one cannot tell: session_split" in page.text
