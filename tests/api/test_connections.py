from __future__ import annotations

from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest

from connector.domain.api_key import Scope
from connector.domain.connection import Calendar, CalendarRole, Connection, ConnectionState, TroubleKind
from connector.domain.entry import Disclosure
from connector.domain.notice import PauseReason
from connector.domain.people import CLOCK
from connector.sentence import Sentence
from connector.services import standstill
from connector.storage import calendars, troubles
from connector.storage.due import Kind
from tests.api.conftest import MakesKeys
from tests.api.program import Program, code, pointer
from tests.counting import statements
from tests.web.desk import Desk, desk, lose
from tests.web.guests import APP, BACK, Guest, connected
from tests.web.services import memory_service
from tests.web.stage import Stage


@pytest.fixture
def there(installed: Stage) -> Iterator[Desk]:
    """Ada has connected a calendar."""
    with memory_service(installed.clock) as service:
        here = desk(installed, service)
        here.connect("work", "private")
        yield here


def own(here: Desk) -> str:
    return f"/connections/{here.connections[0].id}"


def test_a_connection_is_read_with_its_calendars(there: Desk, api: Program) -> None:
    there.work()
    answer = api.get(own(there))
    body = answer.json
    assert body is not None
    assert answer.headers["ETag"] == f'"{body["version"]}"'
    assert body["practitioner_id"] == str(there.stage.ada.id)
    assert (body["provider"], body["external_id"]) == ("memory", None)
    assert body["health"] == {"state": "ok", "since": None, "what": None, "ends_by": None, "why": None}
    assert body["calendar"]["name"] == "work"
    assert (body["calendar"]["session_level"], body["calendar"]["hold_level"]) == (2, 2)
    assert body["calendar"]["holds"] is None
    assert body["calendar"]["last_written_at"]
    assert body["watched"] == [{"name": "private", "last_read_at": None, "unreadable": False}]
    assert "credentials" not in answer.text
    assert "secret" not in answer.text


def test_what_was_not_known_before_is_a_change(there: Desk, api: Program) -> None:
    seen = []
    for _ in range(3):
        body = api.get(own(there)).json
        assert body is not None
        seen.append((body["calendar"]["holds"], body["version"]))
        with there.stage.runtime.database.begin() as db:
            calendars.note_hold_strength(db, there.calendar.id, firm=False, now=there.stage.now)
    first = seen[0][1]
    assert seen == [(None, first), ("tentative", first + 1), ("tentative", first + 1)]


def test_why_something_does_not_go_through_is_said_in_the_language_asked_for(there: Desk, api: Program) -> None:
    now = there.stage.now
    away = Sentence("“%(host)s” could not be reached", host="cloud.example")
    with there.stage.runtime.database.begin() as db:
        troubles.note_read(db, there.calendar.id, away, kind=TroubleKind.OUTAGE, now=now)
    health = api.get(own(there)).json["health"]  # type: ignore[index]
    assert (health["state"], health["what"], health["ends_by"]) == ("troubled", "read", "outage")
    assert health["since"] == now.isoformat().replace("+00:00", "Z")
    assert health["why"] == "“cloud.example” could not be reached. That usually passes."
    german = api.ask("GET", own(there), headers={"Accept-Language": "de"}).json["health"]  # type: ignore[index]
    assert german["why"].startswith("„cloud.example“ ")


@pytest.mark.parametrize("state", ["access_lost", "paused", "disconnecting"])
def test_the_worst_that_holds_of_it_is_said(there: Desk, api: Program, state: str) -> None:
    before, now = api.get(own(there)).json, there.stage.now
    with there.stage.runtime.database.begin() as db:
        troubles.note_read(db, there.calendar.id, Sentence("it is away"), kind=TroubleKind.OUTAGE, now=now)
        if state == "paused":
            calendars.pause(db, there.calendar.id, PauseReason.EMPTIED, count=3, now=now)
    if state == "access_lost":
        lose(there)
    if state == "disconnecting":
        api.post(f"{own(there)}/disconnect", {}, match="*")
    after = api.get(own(there)).json
    assert after is not None
    assert after["health"]["state"] == state
    assert after["health"]["why"]
    assert after["version"] > before["version"]  # type: ignore[index]


def test_what_it_shows_is_changed_and_rewritten(there: Desk, api: Program) -> None:
    there.work()
    version = api.get(own(there)).json["version"]  # type: ignore[index]
    assert code(api.patch(own(there), {"session_level": 4})) == "precondition_required"
    assert code(api.patch(own(there), {"session_level": 4}, match=version + 7)) == "precondition_failed"
    changed = api.patch(own(there), {"session_level": 4, "external_id": "calendar-7"}, match=version)
    assert changed.status_code == 200
    body = changed.json
    assert body is not None
    assert (body["calendar"]["session_level"], body["calendar"]["hold_level"]) == (4, 2)
    assert body["external_id"] == "calendar-7"
    assert body["version"] > version
    there.work()
    assert there.service.titles() == ["Session: Kim Noor"]
    assert [one["id"] for one in api.get("/connections", external_id="calendar-7").json["items"]] == [  # type: ignore[index]
        body["id"]
    ]
    again = api.patch(own(there), {"hold_level": 2, "external_id": None}, match=body["version"])
    assert again.json["external_id"] is None  # type: ignore[index]


@pytest.mark.parametrize(
    ("body", "where"),
    [({"session_level": 5}, "/session_level"), ({"hold_level": "2"}, "/hold_level"), ({"x": 1}, "/x")],
)
def test_what_is_no_level_is_refused(there: Desk, api: Program, body: dict[str, object], where: str) -> None:
    refused = api.patch(own(there), body, match="*")
    assert (refused.status_code, pointer(refused)) == (422, where)


def test_disconnecting_goes_on_in_the_background(there: Desk, api: Program) -> None:
    there.work()
    answer = api.post(f"{own(there)}/disconnect", {}, match="*")
    assert answer.status_code == 202
    assert answer.json["health"]["state"] == "disconnecting"  # type: ignore[index]
    assert api.post(f"{own(there)}/disconnect", {}, match="*").status_code == 202
    assert code(api.patch(own(there), {"hold_level": 1}, match="*")) == "calendar_being_disconnected"
    path = own(there)
    there.carry_out(Kind.CALENDAR)
    assert there.service.titles() == []
    assert api.get(path).status_code == 404


def test_entries_are_left_only_where_nobody_reaches_them(there: Desk, api: Program) -> None:
    path = f"{own(there)}/disconnect"
    refused = api.post(path, {"leave_entries": True}, match="*")
    assert (code(refused), pointer(refused)) == ("entries_left_behind", "/leave_entries")
    lose(there)
    assert api.post(path, {}, match="*").status_code == 204
    assert there.connections == []


def test_one_that_does_not_come_to_an_end_is_given_up(there: Desk, api: Program) -> None:
    path = f"{own(there)}/disconnect"
    api.post(path, {}, match="*")
    assert api.post(path, {"leave_entries": True}, match="*").status_code == 204
    assert there.connections == []


def test_a_practitioners_key_sees_no_others_connections(there: Desk, key: MakesKeys) -> None:
    stage = there.stage
    bobs = key(Scope, practitioner=stage.bob.id)
    adas = key([Scope.READ], practitioner=stage.ada.id)
    unknown = f"/connections/{uuid4()}"
    for method, path, body in (
        ("GET", "", None),
        ("PATCH", "", {"session_level": 1}),
        ("POST", "/disconnect", {}),
    ):
        hidden, none = (bobs.ask(method, one + path, body, match="*") for one in (own(there), unknown))
        assert hidden.status_code == none.status_code == 404
        assert {**hidden.json, "request_id": ""} == {**none.json, "request_id": ""}  # type: ignore[dict-item]
    for query in ({}, {"practitioner_id": str(stage.ada.id)}):
        assert bobs.get("/connections", **query).json == {"items": [], "next": None}
    assert len(adas.get("/connections").json["items"]) == 1  # type: ignore[index]
    wanted = {"return_url": BACK}
    hidden, none = (bobs.post(f"/practitioners/{one}/connect-links", wanted) for one in (stage.ada.id, uuid4()))
    assert hidden.status_code == none.status_code == 404
    assert there.connections[0].state is ConnectionState.OK


def test_reading_is_not_changing(there: Desk, key: MakesKeys) -> None:
    for scopes in ([Scope.READ], [Scope.ADMIN], [Scope.SESSIONS, Scope.OFFERS, Scope.SUPPORT]):
        program = key(scopes)
        assert code(program.post(f"{own(there)}/disconnect", {}, match="*")) == "scope_missing"
        path = f"/practitioners/{there.stage.ada.id}/connect-links"
        assert code(program.post(path, {"return_url": BACK})) == "scope_missing"
    assert key([Scope.CONNECTIONS]).get(own(there)).status_code == 200


def test_a_list_of_a_thousand_takes_as_many_statements_as_one_of_ten(installed: Stage, api: Program) -> None:
    _connect(installed, 10)
    with statements() as few:
        assert len(api.get("/connections", limit=5).json["items"]) == 5  # type: ignore[index]
    _connect(installed, 990)
    with statements() as many:
        page = api.get("/connections", limit=100).json
    assert len(many) == len(few)
    found, pages = [one["id"] for one in page["items"]], 1  # type: ignore[index]
    while page["next"]:  # type: ignore[index]
        page = api.get("/connections", limit=100, cursor=page["next"]).json  # type: ignore[index]
        found += [one["id"] for one in page["items"]]  # type: ignore[index]
        pages += 1
    assert (len(found), len(set(found)), pages) == (1000, 1000, 10)


def _connect(stage: Stage, number: int) -> None:
    """Store connections with a calendar each, several in one instant."""
    with stage.runtime.database.begin() as db:
        for n in range(number):
            one = Connection(
                id=uuid4(),
                practitioner_id=(stage.ada, stage.bob)[n % 2].id,
                provider="caldav",
                label=f"Account {n}",
                credentials=b"",
                state=ConnectionState.OK,
                created_at=stage.now + timedelta(seconds=n // 3),
            )
            calendars.add_connection(db, one)
            target = Calendar(
                id=uuid4(),
                connection_id=one.id,
                practitioner_id=one.practitioner_id,
                remote_id=f"calendar {one.id}",
                name="Practice",
                disclosure=Disclosure(session_level=stage.ada.session_level, hold_level=stage.ada.hold_level),
                lane="caldav:x",
                role=CalendarRole.TARGET,
            )
            calendars.add_calendar(db, target, now=stage.now)


def test_a_connect_link_leads_to_a_connection_the_host_is_told_of(there: Desk, api: Program) -> None:
    stage = there.stage
    stage.runtime.policy = replace(stage.runtime.policy, return_origins=(APP,))
    path = f"/practitioners/{stage.ada.id}/connect-links"
    made = api.post(path, {"return_url": BACK, "provider": "memory", "locale": "de"}, once="once")
    assert made.status_code == 201
    assert made.json["expires_at"] == (stage.now + timedelta(hours=1)).isoformat().replace("+00:00", "Z")  # type: ignore[index]
    url = made.json["url"]  # type: ignore[index]
    assert api.post(path, {"return_url": BACK, "provider": "memory", "locale": "de"}, once="once").json == made.json
    guest = Guest(there, url.removeprefix(stage.runtime.settings.public_url), stage.browser())
    assert '<html lang="de"' in guest.browser.get(guest.path).text
    guest.sign_in()
    told = connected(guest.choose("private"))
    assert api.get(f"/connections/{told}").json["calendar"]["name"] == "private"  # type: ignore[index]


def test_the_links_of_a_key_end_with_it(there: Desk, api: Program, key: MakesKeys) -> None:
    stage = there.stage
    stage.runtime.policy = replace(stage.runtime.policy, return_origins=(APP,))
    lost = key([Scope.CONNECTIONS])
    pages = []
    for program in (lost, api):
        made = program.post(f"/practitioners/{stage.ada.id}/connect-links", {"return_url": BACK})
        url = made.json["url"]  # type: ignore[index]
        pages.append(url.removeprefix(stage.runtime.settings.public_url))
    assert lost.key is not None
    assert api.delete(f"/keys/{lost.key.id}", match="*").status_code == 200
    ended, open_still = (stage.browser().get(page) for page in pages)
    assert (ended.status_code, open_still.status_code) == (410, 200)
    assert f"{BACK}?status=failed&amp;code=connect_link_ended" in ended.text


@pytest.mark.parametrize(
    ("changes", "refused", "where"),
    [
        ({"return_url": "https://evil.example/"}, "return_url_not_allowed", "/return_url"),
        ({"return_url": "javascript:alert(1)"}, "return_url_malformed", "/return_url"),
        ({"return_url": f"{BACK}?code=x"}, "return_url_taken", "/return_url"),
        ({"return_url": ""}, "return_url_malformed", "/return_url"),
        ({"locale": ""}, "locale_malformed", "/locale"),
        ({"return_url": "x" * 2001}, "return_url_malformed", "/return_url"),
        ({"provider": "dropbox"}, "calendar_service_not_offered", "/provider"),
        ({"locale": "nowhere at all"}, "locale_malformed", "/locale"),
        ({"reconnect": str(UUID(int=9))}, "connection_not_found", None),
        ({"return_to": "x"}, "field_unknown", "/return_to"),
    ],
)
def test_a_link_that_cannot_be_made_is_refused_by_name(
    there: Desk, api: Program, changes: dict[str, str], refused: str, where: str | None
) -> None:
    stage = there.stage
    stage.runtime.policy = replace(stage.runtime.policy, return_origins=(APP,))
    answer = api.post(f"/practitioners/{stage.ada.id}/connect-links", {"return_url": BACK} | changes)
    assert code(answer) == refused
    if where:
        assert pointer(answer) == where


def test_without_the_operators_word_nobody_is_sent_anywhere(there: Desk, api: Program) -> None:
    answer = api.post(f"/practitioners/{there.stage.ada.id}/connect-links", {"return_url": BACK})
    assert code(answer) == "return_url_not_allowed"


def test_another_practitioners_connection_is_not_reconnected(there: Desk, api: Program) -> None:
    stage = there.stage
    stage.runtime.policy = replace(stage.runtime.policy, return_origins=(APP,))
    body = {"return_url": BACK, "reconnect": str(there.connections[0].id)}
    assert code(api.post(f"/practitioners/{stage.bob.id}/connect-links", body)) == "connection_not_found"


def test_nothing_is_changed_while_a_restored_database_waits(there: Desk, api: Program) -> None:
    with there.stage.runtime.database.begin() as db:
        standstill.begin(db, there.stage.runtime.policy, by=CLOCK, now=there.stage.now)
    assert api.get(own(there)).json["health"]["state"] == "paused"  # type: ignore[index]
    for answer in (
        api.patch(own(there), {"hold_level": 1}, match="*"),
        api.post(f"{own(there)}/disconnect", {}, match="*"),
        api.post(f"/practitioners/{there.stage.ada.id}/connect-links", {"return_url": BACK}),
    ):
        assert (answer.status_code, code(answer)) == (503, "standing_still")
        assert answer.headers["Retry-After"]
