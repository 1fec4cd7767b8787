"""An act that names itself is done once, however often and however soon it is asked for."""

from __future__ import annotations

import signal
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from http.client import HTTPException
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from connector.domain.api_key import Scope
from connector.domain.people import Client
from connector.services import upkeep
from connector.storage import people, tables
from connector.storage.columns import metadata
from connector.storage.tables import api_keys, kept_answers
from tests.api.conftest import serving
from tests.api.crowd import ask
from tests.api.mortal import mortal
from tests.api.program import Program, code, program
from tests.conftest import free_port
from tests.web.stage import Stage

KEY = {"name": "Booking site", "scopes": ["read"]}


@pytest.fixture
def either(on_either: Stage) -> Program:
    return program(on_either.runtime, on_either.app.test_client(use_cookies=False), *Scope)


def count(program: Program, table: sa.Table = api_keys) -> int:
    with program.runtime.database.read() as db:
        return db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_the_same_request_is_answered_the_same(either: Program) -> None:
    first, second = (either.post("/keys", KEY, once="order-7") for _ in range(2))
    assert first.status_code == second.status_code == 201
    assert first.data == second.data
    for name in ("ETag", "Location"):
        assert first.headers[name] == second.headers[name]
    assert "Idempotent-Replayed" not in first.headers
    assert second.headers["Idempotent-Replayed"] == "true"
    assert count(either) == 2


def test_requests_that_are_equal_and_at_once_are_one_act(either: Program, on_either: Stage) -> None:
    def ask(_number: int) -> tuple[int, bytes]:
        own = Program(runtime=either.runtime, client=on_either.app.test_client(), secret=either.secret)
        answer = own.post("/keys", KEY, once="order-7")
        return answer.status_code, answer.data

    with ThreadPoolExecutor(50) as threads:
        answers = set(threads.map(ask, range(50)))
    assert len(answers) == 1
    assert answers.pop()[0] == 201
    assert count(either) == 2


def test_another_request_under_the_same_name_is_refused(either: Program) -> None:
    either.post("/keys", KEY, once="order-7")
    for other in ({**KEY, "name": "Another"}, {**KEY, "scopes": ["offers"]}):
        answer = either.post("/keys", other, once="order-7")
        assert (answer.status_code, code(answer)) == (422, "idempotency_key_reused")
    assert count(either) == 2


def test_what_was_refused_is_not_kept(either: Program) -> None:
    assert either.post("/keys", {**KEY, "scopes": []}, once="order-7").status_code == 422
    assert either.post("/keys", KEY, once="order-7").status_code == 201


def test_names_are_each_keys_own(either: Program, on_either: Stage) -> None:
    other = program(on_either.runtime, on_either.app.test_client(), Scope.ADMIN, Scope.READ)
    assert either.post("/keys", KEY, once="a").data != other.post("/keys", KEY, once="a").data


def test_without_a_name_each_request_is_an_act(api: Program) -> None:
    assert api.post("/keys", KEY).data != api.post("/keys", KEY).data


@pytest.mark.parametrize("name", ["a b", "ä", "x" * 256, " "])
def test_what_can_be_no_name_is_refused(api: Program, name: str) -> None:
    answer = api.ask("POST", "/keys", KEY, headers={"Idempotency-Key": name})
    assert (answer.status_code, code(answer)) == (400, "idempotency_key_malformed")


def test_an_answer_is_kept_for_a_day_and_sealed(installed: Stage, api: Program) -> None:
    made = api.post("/keys", KEY, once="order-7")
    with installed.runtime.database.read() as db:
        kept = db.execute(sa.select(kept_answers)).one()
    assert made.json["secret"].encode() not in kept.answer  # type: ignore[index]
    for hours, left in ((23, 1), (2, 0)):
        installed.clock.advance(timedelta(hours=hours))
        with installed.runtime.database.begin() as db:
            upkeep.sweep(db, now=installed.now)
        assert count(api, kept_answers) == left
    assert api.post("/keys", KEY, once="order-7").data != made.data


def test_with_a_client_goes_what_may_tell_of_them(installed: Stage, api: Program) -> None:
    """Answers that are kept, and what hosts were told or are to be told, tell nothing of who was erased."""
    assert api.post("/endpoints", {"url": "https://host.example/outcomes"}).status_code == 201
    zoe = {"name": "Zoe Quartzfield", "email": "quartz@client.example", "zone": "UTC", "external_id": "host-quartz"}
    made = api.post("/clients", zoe, once="client-7").json
    assert made is not None
    client = people_client(installed, made["id"])
    session = installed.book(installed.at(20, 9), client=client)
    path, why = f"/sessions/{session.id}/cancel", {"reason": "For Quartzfield"}
    assert api.post(path, why, match="*", once="c-7").status_code == 200
    installed.mail()
    assert "quartz" in everything(installed)
    assert api.delete(f"/clients/{made['id']}", query={"erase": "true"}, match="*").status_code == 200
    assert "quartz" not in everything(installed)
    for again in (api.post("/clients", zoe, once="client-7"), api.post(path, why, match="*", once="c-7")):
        assert (again.status_code, code(again)) == (409, "idempotent_answer_gone")


def people_client(stage: Stage, client_id: str) -> Client:
    with stage.runtime.database.read() as db:
        return people.client(db, UUID(client_id))


def everything(stage: Stage) -> str:
    """Whatever is stored in any table, in small letters; what was sealed is opened."""
    with stage.runtime.database.read() as db:
        rows = [row for table in metadata.sorted_tables for row in db.execute(sa.select(table)).all()]
        kept = [stage.runtime.seal.open(row.answer) for row in db.execute(sa.select(kept_answers)) if row.answer]
    return f"{rows} {kept}".lower()


def answer_for_them(stage: Stage) -> tuple[str, dict[str, Any], int]:
    offer = stage.offer(stage.at(9, 9), stage.at(9, 11))
    chosen = offer.alternatives[0]
    shown = {"alternative_id": str(chosen.id), "shown": chosen.when.span.start.isoformat()}
    return f"/offers/{offer.id}/answer", {"answer": "accept", "name": "Robin", "reason": "Called"} | shown, 200


def add_a_client(_stage: Stage) -> tuple[str, dict[str, Any], int]:
    return "/clients", {"name": "Zoe", "email": "zoe@client.example", "zone": "UTC", "allow_duplicate": True}, 201


@pytest.mark.long
@pytest.mark.parametrize("act", [answer_for_them, add_a_client])
def test_who_dies_between_the_commit_and_the_answer_has_done_it_once(
    installed: Stage, sqlite_url: str, act: Callable[[Stage], tuple[str, dict[str, Any], int]]
) -> None:
    """As bookings and offers that are sent: see `test_sessions_at_once` and `test_offers_at_once`."""
    path, body, done = act(installed)
    api, port = program(installed.runtime, installed.app.test_client(), *Scope), free_port()
    before = count(api, tables.clients), count(api, tables.facts)
    with mortal(sqlite_url, port, now=installed.now) as server:
        with pytest.raises((HTTPException, OSError)):
            ask(f"http://127.0.0.1:{port}", api.secret, path, body, headers={"Idempotency-Key": "act-7"})
        assert server.wait(60) == -signal.SIGKILL
    after = count(api, tables.clients), count(api, tables.facts)
    assert after != before, "it was done"
    with serving(installed) as base:
        answers = [ask(base, api.secret, path, body, headers={"Idempotency-Key": "act-7"}) for _ in range(2)]
    assert answers[0] == answers[1]
    assert answers[0][0] == done
    assert (count(api, tables.clients), count(api, tables.facts)) == after
