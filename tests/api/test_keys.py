from __future__ import annotations

from datetime import timedelta

import pytest

from connector.domain.api_key import Scope
from connector.services import api_keys
from tests.api.conftest import MakesKeys
from tests.api.program import Program, code, pointer
from tests.web.stage import Stage


def test_a_key_is_shown_once_and_lets_its_program_in(api: Program) -> None:
    made = api.post("/keys", {"name": "Booking site", "scopes": ["read"]})
    assert made.status_code == 201
    secret = made.json["secret"]  # type: ignore[index]
    assert secret.startswith(made.json["prefix"] + "_")  # type: ignore[index]
    shown = api.get(made.headers["Location"].removeprefix("/api/v1"))
    assert shown.status_code == 200
    assert secret not in shown.text
    assert shown.headers["ETag"] == '"1"'
    client = Program(runtime=api.runtime, client=api.client, secret=secret)
    assert code(client.get("/keys")) == "scope_missing"


def test_a_key_that_is_none_is_refused(api: Program) -> None:
    for headers in ({}, {"Authorization": "Bearer pk_no"}, {"Authorization": "Basic abc"}, {"Authorization": "Bearer"}):
        answer = Program(runtime=api.runtime, client=api.client).ask("GET", "/keys", headers=headers)
        assert (answer.status_code, code(answer)) == (401, "key_not_accepted")
        assert answer.headers["WWW-Authenticate"] == "Bearer"


def test_a_revoked_key_lets_nobody_in(api: Program, key: MakesKeys) -> None:
    other = key([Scope.ADMIN])
    assert other.key is not None
    path = f"/keys/{other.key.id}"
    assert other.get(path).status_code == 200
    assert code(api.delete(path)) == "precondition_required"
    assert code(api.delete(path, match=7)) == "precondition_failed"
    revoked = api.delete(path, match=1)
    assert revoked.json["revoked_at"]  # type: ignore[index]
    assert revoked.headers["ETag"] == '"2"'
    assert other.get(path).status_code == 401


def test_a_key_that_is_revoked_while_it_acts_does_nothing(installed: Stage, api: Program) -> None:
    def revoke(_practitioner: object, _times: object) -> None:
        with installed.runtime.database.begin() as db:
            assert api.key is not None
            api_keys.revoke(db, api.key, now=installed.now)

    object.__setattr__(installed.runtime, "read_busy", revoke)  # calendars are read before the act
    body = {
        "practitioner_id": str(installed.ada.id),
        "client_id": str(installed.kim.id),
        "time": {"start": "2026-03-20T10:00:00+01:00", "end": "2026-03-20T10:50:00+01:00", "zone": "Europe/Berlin"},
        "location": {"kind": "in_person", "text": "Linden Street 4"},
    }
    before = installed.everything()["sessions"]
    assert code(api.post("/sessions", body)) == "key_not_accepted"
    assert installed.everything()["sessions"] == before


@pytest.mark.parametrize("odd", ["\ufffd", "..", "a/./b", " a", "a\n"])
def test_a_key_is_called_by_what_can_stand_in_an_address(api: Program, odd: str) -> None:
    refused = api.post("/keys", {"name": "x", "scopes": ["read"], "external_id": odd})
    assert (code(refused), pointer(refused)) == ("external_id_malformed", "/external_id")


def test_nobody_gives_what_they_do_not_have(installed: Stage, key: MakesKeys) -> None:
    small = key([Scope.ADMIN, Scope.READ])
    assert code(small.post("/keys", {"name": "x", "scopes": ["offers"]})) == "key_gives_too_much"
    adas = key([Scope.ADMIN], practitioner=installed.ada.id)
    assert code(adas.post("/keys", {"name": "x", "scopes": ["admin"]})) == "key_for_another"
    body = {"name": "x", "scopes": ["admin"], "practitioner_id": str(installed.bob.id)}
    assert code(adas.post("/keys", body)) == "key_for_another"
    own = adas.post("/keys", {**body, "practitioner_id": str(installed.ada.id)})
    assert own.status_code == 201


def test_a_practitioners_key_sees_no_others(installed: Stage, api: Program, key: MakesKeys) -> None:
    adas = key([Scope.ADMIN], practitioner=installed.ada.id)
    assert api.key is not None
    hidden, unknown = adas.get(f"/keys/{api.key.id}"), adas.get(f"/keys/{installed.ada.id}")
    assert hidden.status_code == unknown.status_code == 404
    assert {**hidden.json, "request_id": 0} == {**unknown.json, "request_id": 0}  # type: ignore[dict-item]
    assert [one["id"] for one in adas.get("/keys").json["items"]] == [str(adas.key.id)]  # type: ignore[index,union-attr]


def test_keys_are_listed_a_page_at_a_time(api: Program) -> None:
    for number in range(5):
        api.post("/keys", {"name": f"Key {number}", "scopes": ["read"]})
    found, query = [], {"limit": 2}
    while True:
        page = api.get("/keys", **query).json
        assert page is not None
        found += [one["name"] for one in page["items"]]
        if page["next"] is None:
            break
        query["cursor"] = page["next"]
    assert sorted(found) == ["Booking site", *(f"Key {number}" for number in range(5))]
    assert len(found) == 6


def test_a_cursor_is_good_for_its_own_list_alone(installed: Stage, api: Program, key: MakesKeys) -> None:
    key([Scope.READ])
    cursor = api.get("/keys", limit=1).json["next"]  # type: ignore[index]
    assert code(api.get("/keys", cursor=cursor[:-1])) == "cursor_invalid"
    adas = key([Scope.ADMIN], practitioner=installed.ada.id)
    assert code(adas.get("/keys", cursor=cursor)) == "cursor_invalid"


def test_the_last_use_of_a_key_is_noted_to_the_minute(installed: Stage, api: Program) -> None:
    assert api.key is not None
    path = f"/keys/{api.key.id}"
    api.get(path).close()
    installed.clock.advance(timedelta(seconds=61))
    minute = installed.now.replace(second=0)
    api.get(path).close()
    assert api.get(path).json["last_used_at"] == minute.isoformat().replace("+00:00", "Z")  # type: ignore[index]


@pytest.mark.parametrize("scopes", [[], ["everything"], "read", None])
def test_a_key_of_no_scope_there_is_cannot_be_made(api: Program, scopes: object) -> None:
    assert api.post("/keys", {"name": "x", "scopes": scopes}).status_code == 422
