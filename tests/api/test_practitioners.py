from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.test import TestResponse

from connector.domain.api_key import Scope
from connector.storage import people, tables
from tests.api.conftest import MakesKeys
from tests.api.program import Program, code, pointer, program
from tests.counting import statements
from tests.domain.examples import practitioner
from tests.web.stage import Stage

NEW: dict[str, Any] = {"name": "Mo Adler", "email": "Mo@Practice.example", "zone": "Europe/Berlin"}


def made(api: Program, **more: Any) -> dict[str, Any]:
    answer = api.post("/practitioners", NEW | more)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json  # type: ignore[assignment]
    return body


def test_a_practitioner_is_added_with_what_a_new_one_has_and_found_again(api: Program) -> None:
    answer = api.post("/practitioners", NEW | {"external_id": "staff/7", "buffer_minutes": 10})
    body = answer.json
    assert body is not None
    assert body | {"id": 0, "created_at": 0} == {
        "id": 0,
        "created_at": 0,
        "external_id": "staff/7",
        "version": 1,
        "name": "Mo Adler",
        "email": "mo@practice.example",
        "zone": "Europe/Berlin",
        "locale": "en",
        "buffer_minutes": 10,
        "session_level": 2,
        "hold_level": 2,
        "takes_replies": False,
        "retired": False,
    }
    shown = api.get(answer.headers["Location"].removeprefix("/api/v1"))
    assert shown.json == body
    assert shown.headers["ETag"] == '"1"'
    assert [one["id"] for one in api.get("/practitioners", external_id="staff/7").json["items"]] == [body["id"]]  # type: ignore[index]
    found = api.get("/practitioners", email="MO@practice.example").json["items"]  # type: ignore[index]
    assert [one["id"] for one in found] == [body["id"]]


@pytest.mark.parametrize(
    ("change", "refused", "at"),
    [
        ({"name": " "}, "text_empty", "/name"),
        ({"name": "x" * 201}, "text_too_long", "/name"),
        ({"email": "mo"}, "address_without_at", "/email"),
        ({"zone": "Mars/Olympus"}, "zone_unknown", "/zone"),
        ({"zone": "localtime"}, "zone_unknown", "/zone"),
        ({"locale": "deutsch!"}, "locale_malformed", "/locale"),
        ({"buffer_minutes": 241}, "value_invalid", "/buffer_minutes"),
        ({"buffer_minutes": "10"}, "value_of_wrong_type", "/buffer_minutes"),
        ({"session_level": 5}, "value_invalid", "/session_level"),
        ({"external_id": " x"}, "external_id_malformed", "/external_id"),
        ({"external_id": ""}, "value_invalid", "/external_id"),
        ({"nickname": "Mo"}, "field_unknown", "/nickname"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(api: Program, change: dict[str, Any], refused: str, at: str) -> None:
    answer = api.post("/practitioners", NEW | change)
    assert (answer.status_code, code(answer), pointer(answer)) == (422, refused, at)


def test_an_address_and_an_external_id_are_of_one_practitioner(api: Program) -> None:
    made(api, external_id="7")
    taken = {"external_id": "7", "email": "b@x.example"}
    for change, refused in (({}, "practitioner_address_taken"), (taken, "external_id_taken")):
        answer = api.post("/practitioners", NEW | change)
        assert (answer.status_code, code(answer)) == (409, refused)
    other = made(api, email="b@x.example")
    answer = api.patch(f"/practitioners/{other['id']}", {"external_id": "7"}, match=1)
    assert (answer.status_code, code(answer)) == (409, "external_id_taken")


def test_programs_that_put_the_same_practitioner_at_once_make_one(on_either: Stage) -> None:
    programs = [program(on_either.runtime, on_either.app.test_client(use_cookies=False), *Scope) for _ in range(6)]
    with ThreadPoolExecutor(len(programs)) as pool:
        answers = list(pool.map(lambda one: one.put("/practitioners/by-external-id/7", NEW), programs))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201], [code(one) for one in answers]
    assert len({answer.json["id"] for answer in answers}) == 1


def test_only_who_has_seen_what_they_change_changes_it(api: Program) -> None:
    path = f"/practitioners/{made(api)['id']}"
    assert code(api.patch(path, {"buffer_minutes": 5})) == "precondition_required"
    changed = api.patch(path, {"buffer_minutes": 5, "external_id": "7"}, match=1)
    assert (changed.json["version"], changed.json["buffer_minutes"]) == (2, 5)  # type: ignore[index]
    assert changed.headers["ETag"] == '"2"'
    stale = api.patch(path, {"buffer_minutes": 7}, match=1)
    assert (stale.status_code, code(stale)) == (412, "precondition_failed")
    same = api.patch(path, {"buffer_minutes": 5}, match=2)
    assert same.json["version"] == 2  # type: ignore[index]
    assert api.patch(path, {"external_id": None}, match="*").json["external_id"] is None  # type: ignore[index]


def test_a_buffer_by_which_sessions_would_collide_is_refused(api: Program, installed: Stage) -> None:
    installed.book(installed.at(20, 9), client=installed.kim)
    installed.book(installed.at(20, 10), client=installed.kim)
    answer = api.patch(f"/practitioners/{installed.ada.id}", {"buffer_minutes": 30}, match="*")
    assert (answer.status_code, code(answer), pointer(answer)) == (422, "buffer_collides", "/buffer_minutes")


def test_put_adds_then_does_nothing_then_asks_what_was_seen(api: Program) -> None:
    path = "/practitioners/by-external-id/staff/7"
    first = api.put(path, NEW)
    assert first.status_code == 201
    again = api.put(path, NEW)
    assert (again.status_code, again.json) == (200, first.json)
    assert code(api.put(path, NEW | {"name": "Mo Neu"})) == "precondition_required"
    changed = api.put(path, NEW | {"name": "Mo Neu", "buffer_minutes": 5}, match=1)
    assert (changed.status_code, changed.json["version"]) == (200, 2)  # type: ignore[index]
    back = api.put(path, NEW, match=2)  # what is left out is as for a new one
    assert (back.json["name"], back.json["buffer_minutes"]) == ("Mo Adler", 0)  # type: ignore[index]


def test_who_has_something_to_come_is_not_retired_and_is_told_what(api: Program, installed: Stage) -> None:
    answer = api.delete(f"/practitioners/{installed.ada.id}", match="*")
    assert (answer.status_code, code(answer)) == (409, "sessions_to_come")
    path = f"/practitioners/{made(api)['id']}"
    assert code(api.delete(path)) == "precondition_required"
    retired = api.delete(path, match=1)
    assert (retired.json["retired"], retired.json["version"]) == (True, 2)  # type: ignore[index]
    listed = api.get("/practitioners", retired="true").json["items"]  # type: ignore[index]
    assert [one["name"] for one in listed] == ["Mo Adler"]
    back = api.post(f"{path}/unretire", match=2)
    assert (back.json["retired"], back.json["version"]) == (False, 3)  # type: ignore[index]


def test_the_key_of_a_practitioner_sees_and_changes_that_one_alone(installed: Stage, key: MakesKeys) -> None:
    adas = key([Scope.READ, Scope.ADMIN], practitioner=installed.ada.id)
    assert [one["id"] for one in adas.get("/practitioners").json["items"]] == [str(installed.ada.id)]  # type: ignore[index]
    assert adas.get(f"/practitioners/{installed.ada.id}").status_code == 200
    asks: tuple[Callable[[object], TestResponse], ...] = (
        lambda of: adas.get(f"/practitioners/{of}"),
        lambda of: adas.patch(f"/practitioners/{of}", {"name": "x"}, match="*"),
        lambda of: adas.delete(f"/practitioners/{of}", match="*"),
        lambda of: adas.post(f"/practitioners/{of}/unretire", match="*"),
    )
    for ask in asks:
        hidden, unknown = ask(installed.bob.id), ask(uuid4())
        assert hidden.status_code == unknown.status_code == 404
        assert hidden.json | {"request_id": 0} == unknown.json | {"request_id": 0}  # type: ignore[operator]
    answer = adas.post("/practitioners", NEW)
    assert (answer.status_code, code(answer)) == (403, "key_of_one_practitioner")


def test_practitioners_take_the_scope_admin_and_are_read_by_who_may_read(installed: Stage, key: MakesKeys) -> None:
    reader = key([Scope.READ])
    assert reader.get(f"/practitioners/{installed.ada.id}").status_code == 200
    assert code(reader.post("/practitioners", NEW)) == "scope_missing"
    assert code(key([Scope.SESSIONS]).get("/practitioners")) == "scope_missing"


def test_a_thousand_practitioners_are_listed_at_the_price_of_a_few(api: Program, installed: Stage) -> None:
    def costs() -> tuple[int, list[str]]:
        with statements() as sent:
            page = api.get("/practitioners", limit=100).json
        assert page is not None
        return len(sent), [one["id"] for one in page["items"]]

    api.get("/practitioners").close()  # the use of the key is noted once a minute
    before, _ = costs()
    with installed.runtime.database.begin() as db:
        for number in range(1000):
            people.add_practitioner(db, practitioner(email=f"n{number}@practice.example"), now=installed.now)
    after, shown = costs()
    assert (before, len(shown)) == (after, 100)
    found: list[str] = []
    cursor: str | None = ""
    while cursor is not None:
        page = api.get("/practitioners", limit=100, **({"cursor": cursor} if cursor else {})).json
        assert page is not None
        found += [one["id"] for one in page["items"]]
        cursor = page["next"]
    with installed.runtime.database.read() as db:
        assert sorted(found) == sorted(str(row.id) for row in db.execute(tables.practitioners.select()))
