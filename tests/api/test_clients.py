from __future__ import annotations

from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest
from werkzeug.test import TestResponse

from connector.domain.api_key import Scope
from connector.domain.notice import NoticeKind
from connector.services import consent
from connector.storage import people, tables
from tests.api.conftest import MakesKeys
from tests.api.program import Program, code, pointer, program
from tests.counting import statements
from tests.domain.examples import client
from tests.web.stage import NotedMail, Stage

NEW: dict[str, Any] = {"name": "Alex Okoro", "email": "alex@client.example", "zone": "Europe/London"}


def made(api: Program, **more: Any) -> dict[str, Any]:
    answer = api.post("/clients", NEW | more)
    assert answer.status_code == 201, answer.text
    body: dict[str, Any] = answer.json  # type: ignore[assignment]
    return body


def ids(answer: Any) -> list[str]:
    return [one["id"] for one in answer.json["items"]]


def test_a_client_is_added_and_found_again(api: Program) -> None:
    answer = api.post("/clients", NEW | {"external_id": "user-1", "phone": "+49 30 123456", "media": ["sms", "email"]})
    body = answer.json
    assert body is not None
    assert body | {"id": 0, "created_at": 0} == {
        "id": 0,
        "created_at": 0,
        "external_id": "user-1",
        "version": 1,
        "name": "Alex Okoro",
        "email": "alex@client.example",
        "phone": "+4930123456",
        "zone": "Europe/London",
        "locale": "en",
        "media": ["email", "sms"],
        "texts_agreed": None,
        "retired": False,
        "erased": False,
    }
    shown = api.get(answer.headers["Location"].removeprefix("/api/v1"))
    assert (shown.json, shown.headers["ETag"]) == (body, '"1"')
    assert ids(api.get("/clients", external_id="user-1")) == [body["id"]]
    assert ids(api.get("/clients", email="ALEX@client.example")) == [body["id"]]
    assert body["id"] in ids(api.get("/clients", retired="false"))


@pytest.mark.parametrize(
    ("change", "refused", "at"),
    [
        ({"name": ""}, "text_empty", "/name"),
        ({"email": "alex@"}, "address_malformed", "/email"),
        ({"phone": "030 123456"}, "phone_malformed", "/phone"),
        ({"phone": "+44123"}, "phone_impossible", "/phone"),
        ({"zone": "Europe/Atlantis"}, "zone_unknown", "/zone"),
        ({"media": ["pigeon"]}, "value_invalid", "/media/0"),
        ({"texts_agreed": True}, "value_of_wrong_type", "/texts_agreed"),
        ({"texts_agreed": {"at": "2026-01-01T10:00:00", "by": "x"}}, "time_without_offset", "/texts_agreed/at"),
        ({"texts_agreed": {"at": "0001-01-01T00:00:00+14:00", "by": "x"}}, "time_out_of_range", "/texts_agreed/at"),
        ({"texts_agreed": {"at": "2090-01-01T10:00:00Z", "by": "x"}}, "consent_in_future", "/texts_agreed"),
        ({"texts_agreed": {"at": "2020-01-01T10:00:00Z"}}, "field_missing", "/texts_agreed/by"),
    ],
)
def test_what_cannot_be_is_refused_where_it_stands(api: Program, change: dict[str, Any], refused: str, at: str) -> None:
    answer = api.post("/clients", NEW | change)
    assert (answer.status_code, code(answer), pointer(answer)) == (422, refused, at)


def test_who_has_the_same_address_is_named_unless_it_is_somebody_else(api: Program) -> None:
    first = made(api)
    for answer in (api.post("/clients", NEW), api.put("/clients/by-external-id/u2", NEW)):
        assert (answer.status_code, code(answer), answer.json["known"]) == (409, "client_exists", first["id"])  # type: ignore[index]
    second = made(api, allow_duplicate=True)
    assert second["id"] != first["id"]
    for one in (first, second):
        assert api.delete(f"/clients/{one['id']}", match="*").status_code == 200
    assert api.post("/clients", NEW).status_code == 201, "whoever is retired is no duplicate"


@pytest.mark.parametrize("method", ["POST", "PUT"])
def test_of_many_who_add_one_address_at_once_one_does(on_either: Stage, method: str) -> None:
    def ask(_number: int) -> int:
        own = program(on_either.runtime, on_either.app.test_client(use_cookies=False), Scope.SESSIONS)
        path = "/clients" if method == "POST" else "/clients/by-external-id/u1"
        return own.ask(method, path, NEW).status_code

    with ThreadPoolExecutor(6) as threads:
        answers = Counter(threads.map(ask, range(6)))
    assert answers == {201: 1, 409 if method == "POST" else 200: 5}


def test_at_a_new_address_a_client_is_told_at_once_what_is_true(api: Program, installed: Stage) -> None:
    installed.mail()
    sender = installed.runtime.sender
    assert isinstance(sender, NotedMail)
    sender.letters.clear()
    path = f"/clients/{installed.kim.id}"
    stale = api.patch(path, {"email": "new@client.example"}, match=7)
    assert (stale.status_code, code(stale)) == (412, "precondition_failed")
    changed = api.patch(path, {"email": "new@client.example"}, match=api.get(path).headers["ETag"].strip('"'))
    assert (changed.json["email"], changed.json["version"]) == ("new@client.example", 2)  # type: ignore[index]
    installed.mail()
    told = [letter.notice.kind for letter in sender.letters if letter.notice.to.address == "new@client.example"]
    assert told == [NoticeKind.BOOKED]


def test_put_adds_then_does_nothing_then_asks_what_was_seen(api: Program) -> None:
    path, state = "/clients/by-external-id/a/b c", NEW | {"phone": "+49 30 123456"}
    first = api.put(path, state)
    assert (first.status_code, first.json["external_id"]) == (201, "a/b c")  # type: ignore[index]
    again = api.put(path, state)
    assert (again.status_code, again.json) == (200, first.json)
    assert code(api.put(path, NEW)) == "precondition_required"
    changed = api.put(path, NEW, match=1)
    assert (changed.status_code, changed.json["phone"], changed.json["version"]) == (200, "", 2)  # type: ignore[index]


def test_an_agreement_to_texts_counts_until_it_is_ended_and_only_a_later_one_after_that(
    api: Program, installed: Stage
) -> None:
    early = {"at": "2026-01-02T10:00:00+01:00", "by": "Booking form"}
    body = made(api, phone="+4930123456", media=["sms"], texts_agreed=early)
    path = f"/clients/{body['id']}"
    assert body["texts_agreed"] == {"at": "2026-01-02T09:00:00Z", "by": "Booking form"}
    assert api.patch(path, {"texts_agreed": early}, match=1).json["version"] == 1  # type: ignore[index]
    with installed.runtime.database.begin() as db:
        consent.stop_texts(db, installed.runtime.policy.media, "+4930123456", now=installed.now)
    shown = api.get(path)
    assert (shown.json["texts_agreed"], shown.json["version"]) == (None, 2)  # type: ignore[index]
    answer = api.patch(path, {"texts_agreed": early}, match="*")
    assert (answer.status_code, code(answer), pointer(answer)) == (422, "consent_ended", "/texts_agreed")
    installed.clock.advance(timedelta(seconds=60))
    late = {"at": installed.now.isoformat(), "by": "Reception"}
    assert api.patch(path, {"texts_agreed": late}, match="*").json["texts_agreed"]["by"] == "Reception"  # type: ignore[index]
    assert api.patch(path, {"texts_agreed": None}, match="*").json["texts_agreed"] is None  # type: ignore[index]


def test_who_has_something_to_come_is_neither_retired_nor_erased(api: Program, installed: Stage) -> None:
    for erase in ("false", "true"):
        answer = api.delete(f"/clients/{installed.kim.id}", query={"erase": erase}, match="*")
        assert (answer.status_code, code(answer)) == (409, "sessions_to_come")
    path = f"/clients/{made(api)['id']}"
    assert api.delete(path, match=1).json["retired"]  # type: ignore[index]
    assert not api.post(f"{path}/unretire", match=2).json["retired"]  # type: ignore[index]


def test_who_is_erased_is_nobody_any_more_not_even_for_the_host(api: Program, installed: Stage) -> None:
    body = made(api, external_id="user-1", phone="+4930123456")
    path = f"/clients/{body['id']}"
    assert code(api.delete(path, query={"erase": "true"}, match=9)) == "precondition_failed"
    erased = api.delete(path, query={"erase": "true"}, match=1)
    shown = api.get(path).json
    assert shown == erased.json
    assert shown is not None
    told = (shown["external_id"], shown["email"], shown["phone"], shown["texts_agreed"], shown["erased"])
    assert told == (None, "", "", None, True)
    for answer in (api.patch(path, {"name": "x"}, match="*"), api.post(f"{path}/unretire", match="*")):
        assert code(answer) == "client_erased"
    assert ids(api.get("/clients", external_id="user-1")) == []
    with installed.runtime.database.read() as db:
        row = db.execute(tables.clients.select().where(tables.clients.c.name.contains("Alex"))).first()
    assert row is None


def test_the_key_of_a_practitioner_knows_its_own_clients_alone(installed: Stage, api: Program, key: MakesKeys) -> None:
    adas = key([Scope.READ, Scope.SESSIONS], practitioner=installed.ada.id)
    bobs = key([Scope.READ, Scope.SESSIONS], practitioner=installed.bob.id)
    other = made(api, external_id="elsewhere")
    assert ids(adas.get("/clients")) == [str(installed.kim.id)]
    asks: tuple[Callable[[object], TestResponse], ...] = (
        lambda of: adas.get(f"/clients/{of}"),
        lambda of: adas.patch(f"/clients/{of}", {"name": "x"}, match="*"),
        lambda of: adas.delete(f"/clients/{of}", match="*"),
        lambda of: adas.delete(f"/clients/{of}", query={"erase": "true"}, match="*"),
        lambda of: adas.post(f"/clients/{of}/unretire", match="*"),
    )
    for ask in asks:
        for hidden_id in (installed.lou.id, other["id"]):
            hidden, unknown = ask(hidden_id), ask(uuid4())
            assert hidden.status_code == unknown.status_code == 404
            assert hidden.json | {"request_id": 0} == unknown.json | {"request_id": 0}  # type: ignore[operator]
    assert ids(adas.get("/clients", email=other["email"])) == []
    own = made(adas)  # whoever has the same address is not known to them, and is not named
    assert set(ids(adas.get("/clients"))) == {str(installed.kim.id), own["id"]}
    assert bobs.get(f"/clients/{own['id']}").status_code == 404


def test_who_is_also_somebody_elses_client_is_not_removed_by_one_of_them(
    installed: Stage, api: Program, key: MakesKeys
) -> None:
    body = made(api)
    with installed.runtime.database.read() as db:
        shared = people.client(
            db, next(row.id for row in db.execute(tables.clients.select()) if str(row.id) == body["id"])
        )
    for practitioner in (installed.ada, installed.bob):
        installed.book(installed.at(20, 9), client=shared, practitioner=practitioner)
    adas = key([Scope.SESSIONS], practitioner=installed.ada.id)
    before = installed.everything()
    for change in ({"email": "elsewhere@client.example"}, {"phone": "+4930654321"}):
        answer = adas.patch(f"/clients/{shared.id}", change, match="*")
        assert (answer.status_code, code(answer)) == (409, "client_contact_shared")
    for answer in (
        adas.delete(f"/clients/{shared.id}", match="*"),
        adas.post(f"/clients/{shared.id}/unretire", match="*"),
    ):
        assert (answer.status_code, code(answer)) == (409, "client_of_others")
    assert installed.everything() == before


def test_who_says_that_texts_were_agreed_to_is_named_to_no_other_practitioner_of_the_client(
    installed: Stage, api: Program, key: MakesKeys
) -> None:
    agreed = {"at": "2026-01-02T09:00:00Z", "by": installed.bob.name}
    path = f"/clients/{installed.kim.id}"
    api.patch(path, {"phone": "+4930123456", "texts_agreed": agreed}, match="*")
    adas = key([Scope.READ, Scope.SESSIONS], practitioner=installed.ada.id)
    assert adas.get(path).json["texts_agreed"] == agreed  # type: ignore[index]  # nobody else's client
    installed.book(installed.at(20, 9), practitioner=installed.bob)
    unnamed = agreed | {"by": ""}
    assert adas.get(path).json["texts_agreed"] == unnamed  # type: ignore[index]
    assert adas.get("/clients").json["items"][0]["texts_agreed"] == unnamed  # type: ignore[index]
    changed = adas.patch(path, {"name": "Kim N.", "texts_agreed": unnamed}, match="*")
    assert changed.json["texts_agreed"] == unnamed  # type: ignore[index]
    bobs = key([Scope.READ], practitioner=installed.bob.id)
    assert bobs.get(path).json["texts_agreed"] == api.get(path).json["texts_agreed"] == agreed  # type: ignore[index]


def test_two_programs_that_put_the_same_client_at_once_make_one(on_either: Stage) -> None:
    programs = [
        program(on_either.runtime, on_either.app.test_client(use_cookies=False), Scope.SESSIONS) for _ in range(6)
    ]
    with ThreadPoolExecutor(len(programs)) as pool:
        answers = list(pool.map(lambda one: one.put("/clients/by-external-id/u1", NEW | {"email": ""}), programs))
    assert sorted(answer.status_code for answer in answers) == [200] * 5 + [201]
    assert len({answer.json["id"] for answer in answers}) == 1


def test_a_thousand_clients_are_listed_at_the_price_of_a_few(installed: Stage, api: Program, key: MakesKeys) -> None:
    adas = key([Scope.READ], practitioner=installed.ada.id)

    def costs(who: Program) -> int:
        with statements() as sent:
            who.get("/clients", limit=100).close()
        return len(sent)

    for who in (api, adas):
        who.get("/clients").close()  # the use of the key is noted once a minute
    before = [costs(who) for who in (api, adas)]
    with installed.runtime.database.begin() as db:
        for number in range(1000):
            of = installed.ada.id if number % 2 else None
            people.add_client(db, client(email=f"n{number}@client.example"), now=installed.now, made_for=of)
    assert [costs(who) for who in (api, adas)] == before
    for who, expected in ((api, 1002), (adas, 501)):
        found: list[str] = []
        cursor: str | None = ""
        while cursor is not None:
            page = who.get("/clients", limit=100, **({"cursor": cursor} if cursor else {})).json
            assert page is not None
            found += [one["id"] for one in page["items"]]
            cursor = page["next"]
        assert len(found) == len(set(found)) == expected
