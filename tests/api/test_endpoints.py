"""A host adds endpoints, looks after them, and reads what became of outcomes."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from connector.domain.api_key import Scope
from connector.domain.people import Practitioner
from connector.domain.session import Session
from connector.domain.span import When
from connector.outbox.http import Reach
from connector.outbox.outcomes import HttpPoster
from connector.services.outcomes import endpoints
from connector.services.scheduling import sessions
from tests.api.conftest import MakesKeys
from tests.api.program import Program, code, pointer, program
from tests.domain.examples import PRACTICE
from tests.fakes.outcome_host import OutcomeHost
from tests.web.stage import Stage
from tests.work.driver import Driver

URL = "https://host.example/outcomes"


def made(answer: Any) -> Any:
    assert answer.status_code in {200, 201, 202}, answer.text
    return answer.json


def test_an_endpoint_is_added_read_changed_and_removed(api: Program) -> None:
    added = api.post("/endpoints", {"url": URL, "types": ["session.moved"], "external_id": "main"})
    body = made(added)
    assert body["secret"].startswith("whsec_")
    path = added.headers["Location"].removeprefix("/api/v1")
    shown = api.get(path)
    assert shown.headers["ETag"] == '"1"'
    assert {**made(shown), "secret": body["secret"]} == body
    assert (body["state"], body["types"], body["external_id"]) == ("enabled", ["session.moved"], "main")
    assert code(api.patch(path, {"types": []})) == "precondition_required"
    assert code(api.patch(path, {"types": []}, match=9)) == "precondition_failed"
    changed = made(api.patch(path, {"types": [], "external_id": None}, match=1))
    assert (changed["types"], changed["external_id"], changed["version"], changed["url"]) == ([], None, 2, URL)
    rotated = made(api.post(f"{path}/rotate-secret", match=2))
    assert rotated["secret"] != body["secret"]
    assert [made(api.post(f"{path}/{act}", match="*"))["state"] for act in ("disable", "enable")] == [
        "disabled",
        "enabled",
    ]
    assert [one["id"] for one in made(api.get("/endpoints"))["items"]] == [body["id"]]
    assert api.delete(path, match="*").status_code == 204
    assert code(api.get(path)) == "endpoint_not_found"


def test_what_cannot_be_an_endpoint_is_refused_with_a_pointer(api: Program) -> None:
    for url, why in (
        ("http://host.example/", "endpoint_url_unencrypted"),
        ("https://10.1.2.3/", "inner_address"),
        ("host.example", "endpoint_url_malformed"),
    ):
        refused = api.post("/endpoints", {"url": url})
        assert (refused.status_code, code(refused), pointer(refused)) == (422, why, "/url")
    assert api.post("/endpoints", {"url": URL, "types": ["session.eaten"]}).status_code == 422
    assert api.post("/endpoints", {"url": URL, "external_id": "a"}).status_code == 201
    taken = api.post("/endpoints", {"url": URL, "external_id": "a"})
    assert (taken.status_code, code(taken)) == (409, "external_id_taken")


def test_one_of_the_hosts_own_id_is_made_once_and_changed_knowingly(api: Program) -> None:
    path = "/endpoints/by-external-id/main"
    first = api.put(path, {"url": URL})
    assert first.status_code == 201
    same = api.put(path, {"url": URL})
    assert (same.status_code, made(same)["version"]) == (200, 1)
    assert code(api.put(path, {"url": f"{URL}/2"})) == "precondition_required"
    assert made(api.put(path, {"url": f"{URL}/2"}, match=1))["url"] == f"{URL}/2"


def test_another_practitioners_endpoints_are_answered_as_unknown_ones(
    installed: Stage, api: Program, key: MakesKeys
) -> None:
    adas, bobs = (key([Scope.ADMIN, Scope.READ], practitioner=one.id) for one in (installed.ada, installed.bob))
    own = made(adas.post("/endpoints", {"url": URL}))
    assert own["practitioner_id"] == str(installed.ada.id)
    everybodys = made(api.post("/endpoints", {"url": URL}))
    for hidden in (own["id"], everybodys["id"]):
        unknown = bobs.get(f"/endpoints/{UUID(int=1)}")
        for answer in (
            bobs.get(f"/endpoints/{hidden}"),
            bobs.patch(f"/endpoints/{hidden}", {"types": []}, match="*"),
            bobs.delete(f"/endpoints/{hidden}", match="*"),
            bobs.post(f"/endpoints/{hidden}/test"),
            bobs.post(f"/endpoints/{hidden}/rotate-secret", match="*"),
            bobs.post(f"/endpoints/{hidden}/replay", {"since": "2026-03-01T00:00:00Z"}),
        ):
            assert {**answer.json, "request_id": 0} == {**unknown.json, "request_id": 0}  # type: ignore[dict-item]
    assert made(bobs.get("/endpoints"))["items"] == []
    refused = bobs.post("/endpoints", {"url": URL, "practitioner_id": str(installed.ada.id)})
    assert code(refused) == "practitioner_not_found"


def test_what_another_practitioners_endpoint_is_called_is_taken(installed: Stage, api: Program, key: MakesKeys) -> None:
    api.post("/endpoints", {"url": URL, "external_id": "main"})
    bobs = key([Scope.ADMIN], practitioner=installed.bob.id)
    for refused in (
        bobs.put("/endpoints/by-external-id/main", {"url": URL}),
        bobs.post("/endpoints", {"url": URL, "external_id": "main"}),
    ):
        assert (refused.status_code, code(refused)) == (409, "external_id_taken")


def test_a_test_is_delivered_and_read_and_replayed(installed: Stage, api: Program, key: MakesKeys) -> None:
    reach = Reach(inner_hosts=frozenset({"127.0.0.1"}))
    installed.runtime.poster = HttpPoster(reach=reach)
    with OutcomeHost() as host:
        with installed.runtime.database.begin() as db:
            endpoint, secret = endpoints.add(
                db, installed.runtime.seal, host.url, inner_hosts={"127.0.0.1"}, now=installed.runtime.clock()
            )
        tested = api.post(f"/endpoints/{endpoint.id}/test")
        path = tested.headers["Location"].removeprefix("/api/v1")
        before = made(api.get(path))
        assert (before["state"], before["type"], before["attempts"]) == ("pending", "endpoint.test", 0)
        Driver(runtime=installed.runtime).carry_out()
        [received] = host.received
        assert received.is_signed_by(secret)
        after = made(api.get(path))
        assert (after["state"], after["status"], after["event_id"]) == ("delivered", 204, received.id)
        assert made(api.post(f"{path}/replay"))["state"] == "pending"
        Driver(runtime=installed.runtime).carry_out()
        assert [one.id for one in host.received] == [received.id] * 2
        again = made(api.post(f"/endpoints/{endpoint.id}/replay", {"since": "2026-03-02T00:00:00+01:00"}))
        assert again == {"outcomes": 0}  # a test is of who was tested, and of nobody else
        assert code(api.post(f"/endpoints/{endpoint.id}/replay", {"since": "2026-03-02T00:00:00"})) == (
            "time_without_offset"
        )
        assert [one["id"] for one in made(api.get("/deliveries", state="delivered"))["items"]] == [before["id"]]
        assert made(api.get("/deliveries", state="failed"))["items"] == []
        assert made(key([Scope.ADMIN], practitioner=installed.ada.id).get("/deliveries"))["items"] == []


def test_events_are_read_in_their_order_behind_a_cursor_that_goes_on(installed: Stage, api: Program) -> None:
    assert made(api.get("/events")) == {"items": [], "next": None}
    made(api.post("/endpoints", {"url": URL}))
    for day in (9, 10, 11):
        installed.book(installed.at(day, 16))
    page = made(api.get("/events", limit=2))
    assert [one["type"] for one in page["items"]] == ["session.booked"] * 2
    rest = made(api.get("/events", cursor=page["next"]))
    assert len(rest["items"]) == 1
    assert made(api.get("/events", cursor=rest["next"])) == {"items": [], "next": rest["next"]}
    installed.book(installed.at(12, 16))
    [new] = made(api.get("/events", cursor=rest["next"]))["items"]
    assert new["data"]["practitioner_id"] == str(installed.ada.id)


@pytest.mark.postgresql
@pytest.mark.parametrize("database_url", ["postgresql"], indirect=True)
def test_events_that_began_earlier_and_end_later_are_not_left_out(on_either: Stage) -> None:
    api = program(on_either.runtime, on_either.app.test_client(use_cookies=False), *Scope)
    made(api.post("/endpoints", {"url": URL}))
    on_either.book(on_either.at(9, 16))
    first = made(api.get("/events"))
    with ThreadPoolExecutor(1) as other, on_either.runtime.database.begin() as db:
        earlier = book_within(db, on_either, on_either.ada, on_either.at(10, 16))
        later = other.submit(
            on_either.book, on_either.at(11, 16), client=on_either.lou, practitioner=on_either.bob
        ).result(60)
        assert made(api.get("/events", cursor=first["next"])) == {"items": [], "next": first["next"]}
    both = made(api.get("/events", cursor=first["next"]))["items"]
    assert [one["data"]["session_id"] for one in both] == [str(earlier.id), str(later.id)]


def book_within(db: sa.Connection, stage: Stage, practitioner: Practitioner, when: When) -> Session:
    return sessions.book(
        db,
        stage.runtime.policy,
        practitioner_id=practitioner.id,
        client_id=stage.kim.id,
        when=when,
        location=PRACTICE,
        by=stage.by,
        now=stage.now,
    )
