"""An act that names itself is done once, however often and however soon it is asked for."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta

import pytest
import sqlalchemy as sa

from connector.domain.api_key import Scope
from connector.services import upkeep
from connector.storage.tables import api_keys, kept_answers
from tests.api.program import Program, code, program
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
    api.post("/keys", KEY, once="order-7")
    with installed.runtime.database.begin() as db:
        db.execute(sa.update(kept_answers).values(answer=None))  # as an erasure does
    answer = api.post("/keys", KEY, once="order-7")
    assert (answer.status_code, code(answer)) == (409, "idempotent_answer_gone")
    assert count(api) == 2
