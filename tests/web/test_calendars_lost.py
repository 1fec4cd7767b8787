"""Access that is lost is regained by its owner; what is to go goes without leaving anything of ours to come."""

from __future__ import annotations

import threading

import sqlalchemy as sa

from connector.errors import TransientError
from connector.storage import ledger
from connector.storage.ledger import Key, Kind
from connector.storage.tables import messages
from connector.work.dispatch import handler
from connector.work.engine import Running
from tests.web.desk import Desk, alert, csrf, is_due, later, lose, state
from tests.web.services import GoogleService, MemoryService


def test_a_grant_that_is_taken_back_is_told_once_and_regained_by_signing_in_again(everywhere: Desk) -> None:
    everywhere.connect()
    everywhere.work()
    everywhere.stage.book(everywhere.stage.at(3, 9))
    everywhere.service.revoke()
    carry_out_calendar(everywhere)
    carry_out_calendar(everywhere)
    assert state(everywhere) == "access_lost"
    everywhere.stage.mail()
    with everywhere.stage.runtime.database.read() as db:
        kinds = db.execute(sa.select(messages.c.kind)).scalars().all()
    assert kinds.count("access_lost") == 1
    assert 'href="/calendars"' in everywhere.ada.get("/sessions").text
    page = everywhere.ada.get("/calendars").text
    own = f"/calendars/{everywhere.connections[0].id}/reconnect"
    assert "Access lost" in page
    assert own in page
    draft, session = everywhere.stage.draft(everywhere.stage.at(9, 9)), f"/sessions/{everywhere.stage.session.id}"
    refused = everywhere.ada.post(f"{session}/offer/send", {"offer": str(draft.id)}, page=session)
    assert "on the page of your calendars" in refused.text
    if isinstance(everywhere.service, MemoryService):
        everywhere.service.store.change_password("secret")
        for calendar in everywhere.service.store.calendars.values():
            calendar.offline = None
    answer = everywhere.back(everywhere.service.consent(everywhere.begin_sign_in(own)))
    assert state(everywhere) == "ok", answer.text
    assert is_due(everywhere)
    everywhere.work()
    assert everywhere.service.titles() == ["Session: K. N."] * 2


def carry_out_calendar(here: Desk) -> None:
    """Let the worker's own handler do what is due for the calendar."""
    runtime, key = here.stage.runtime, Key(Kind.CALENDAR, str(here.calendar.id))
    with runtime.database.begin() as db:
        ledger.touch(db, key, due_at=here.stage.now)
    claim = ledger.claim(runtime.database, key, now=here.stage.now)
    assert claim
    handler(runtime)(claim, Running(runtime.database, claim, lease=ledger.LEASE, stop=threading.Event()))
    ledger.finish(runtime.database, claim)


def test_another_account_does_not_reauthorize_a_connection(google: Desk) -> None:
    assert isinstance(google.service, GoogleService)
    google.connect()
    lose(google)
    google.service.fake.add_calendar("ada@practice.example")
    google.service.fake.oauth.account = "ada@practice.example"
    own = f"/calendars/{google.connections[0].id}/reconnect"
    assert "another Google account" in alert(google.back(google.service.consent(google.begin_sign_in(own))))
    assert state(google) == "access_lost"


def test_a_second_consent_without_a_lasting_permission_keeps_the_first(google: Desk) -> None:
    assert isinstance(google.service, GoogleService)
    google.connect()
    lose(google)
    google.service.fake.oauth.lasting = False
    own = f"/calendars/{google.connections[0].id}/reconnect"
    google.back(google.service.consent(google.begin_sign_in(own)))
    assert state(google) == "ok"
    tokens = google.stage.runtime.tokens(google.connections[0].id).load()
    assert tokens["refresh_token"] in google.service.fake.oauth.grants


def test_nobody_reauthorizes_a_strangers_connection(there: Desk) -> None:
    there.connect()
    bob = there.stage.signed_in(there.stage.bob)
    own = f"/calendars/{there.connections[0].id}"
    for path in (f"{own}/reconnect", f"{own}/disconnect"):
        assert bob.get(path).status_code == 404


def test_a_calendar_is_disconnected_and_nothing_of_ours_to_come_is_left(everywhere: Desk) -> None:
    everywhere.connect(None, everywhere.service.other)
    everywhere.work()
    own = f"/calendars/{everywhere.connections[0].id}/disconnect"
    assert "Every entry of ours that is still to come is removed" in everywhere.ada.get(own).text
    assert state(everywhere) == "ok"
    everywhere.ada.post(own)
    assert "Being disconnected" in everywhere.ada.get("/calendars").text
    assert everywhere.service.titles() == ["Session: K. N."]
    everywhere.work()
    assert everywhere.service.titles() == []
    assert everywhere.connections == []
    assert "No calendar is connected yet" in everywhere.ada.get("/calendars").text
    if isinstance(everywhere.service, GoogleService):
        assert not any(grant.alive for grant in everywhere.service.fake.oauth.grants.values())


def test_lost_access_is_disconnected_at_once_and_what_is_left_is_said(there: Desk) -> None:
    there.connect()
    there.work()
    own = f"/calendars/{there.connections[0].id}/disconnect"
    stale = there.ada.get(own)
    assert stale.status_code == 200
    lose(there)
    again = there.ada.http.post(own, data={"csrf_token": csrf(stale)})
    assert again.status_code == 409
    assert "what we wrote to it stays there" in again.text
    there.ada.post(own, {"how": "leave"})
    assert there.connections == []
    page = there.ada.get("/calendars").text
    assert "1 entry of Pencilled may still stand in that calendar" in page
    later(there.stage, days=31)
    assert "may still stand" not in there.stage.signed_in().get("/calendars").text


def test_somebody_may_stop_waiting_for_a_calendar_that_does_not_answer(there: Desk) -> None:
    assert isinstance(there.service, MemoryService)
    there.connect()
    there.work()
    own = f"/calendars/{there.connections[0].id}/disconnect"
    there.ada.post(own)
    there.service.store.calendar("work").offline = TransientError("down")
    there.work()
    assert "Stop waiting for it" in there.ada.get("/calendars").text
    there.ada.post(own)
    assert len(there.connections) == 1
    there.ada.post(own, {"how": "leave"})
    assert there.connections == []


def test_what_is_leaving_is_not_reconnected(there: Desk) -> None:
    there.connect()
    own = f"/calendars/{there.connections[0].id}"
    there.ada.post(f"{own}/disconnect")
    assert "being disconnected" in alert(there.back(there.service.consent(there.begin_sign_in(f"{own}/reconnect"))))
