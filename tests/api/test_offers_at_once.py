"""However many ask at once, over HTTP: a time is held once, one answer counts, and a death tells nobody twice."""

from __future__ import annotations

import json
import signal
from collections import Counter
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection, HTTPException
from itertools import pairwise
from threading import Barrier
from typing import Any
from urllib.parse import urlsplit

import pytest
import sqlalchemy as sa

from connector.domain.api_key import Scope
from connector.domain.offer import OfferState
from connector.storage import offers as stored_offers
from connector.storage import tables
from tests.api.conftest import serving
from tests.api.mortal import mortal
from tests.api.program import Program, program
from tests.conftest import free_port
from tests.web.stage import Stage, add_client

CROWD = 50
Reply = tuple[int, dict[str, Any]]


IN_FULL = [pytest.mark.long]
BOTH = pytest.mark.parametrize(
    ("database_url", "crowd"),
    [
        pytest.param("sqlite", 10, id="sqlite-10"),
        pytest.param("sqlite", CROWD, id="sqlite-50", marks=IN_FULL),
        pytest.param("postgresql", CROWD, id="postgresql-50", marks=[*IN_FULL, pytest.mark.postgresql]),
    ],
    indirect=["database_url"],
)


def ask(base: str, secret: str, path: str, body: dict[str, Any], *, match: object, once: str = "") -> Reply:
    """Ask over HTTP, on a connection of its own."""
    connection = HTTPConnection(urlsplit(base).netloc, timeout=120)
    headers = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"}
    headers["If-Match"] = "*" if match == "*" else f'"{match}"'
    if once:
        headers["Idempotency-Key"] = once
    try:
        connection.request("POST", f"/api/v1{path}", json.dumps(body), headers)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def at_once(attempts: Sequence[Callable[[], Reply]]) -> list[Reply]:
    barrier = Barrier(len(attempts))

    def run(attempt: Callable[[], Reply]) -> Reply:
        barrier.wait()
        return attempt()

    with ThreadPoolExecutor(len(attempts)) as pool:
        return list(pool.map(run, attempts))


def overlaps(stage: Stage) -> list[object]:
    query = sa.select(tables.occupancy.c.starts_at, tables.occupancy.c.ends_at, tables.occupancy.c.session_id)
    own = tables.occupancy.c.practitioner_id == stage.ada.id
    with stage.runtime.database.read() as db:
        rows = sorted(tuple(row) for row in db.execute(query.where(own)))
    return [(one, other) for one, other in pairwise(rows) if other[0] < one[1] and other[2] != one[2]]


def helper(stage: Stage, *scopes: Scope) -> Program:
    return program(stage.runtime, stage.app.test_client(use_cookies=False), *scopes)


@BOTH
def test_of_many_offers_of_one_time_exactly_one_is_sent(on_either: Stage, crowd: int) -> None:
    stage = on_either
    drafts = []
    for n in range(crowd):
        client = add_client(stage, email=f"client-{n}@example.org")
        booked = stage.book(stage.at(10 + n // 10, 8 + n % 10), client=client)
        drafts.append(stage.draft(stage.at(40, 9, n % 50), stage.at(41 + n, 9), session=booked))
    secret = helper(stage, Scope.OFFERS).secret
    with serving(stage) as base:
        replies = at_once(
            [lambda path=f"/offers/{one.id}/send": ask(base, secret, path, {}, match="*") for one in drafts]  # type: ignore[misc]
        )
    assert Counter(status for status, _ in replies) == {200: 1, 409: crowd - 1}
    assert {body["code"] for status, body in replies if status == 409} == {"time_taken"}
    assert overlaps(stage) == []
    with stage.runtime.database.read() as db:
        assert len(stored_offers.open_of_practitioner(db, stage.ada.id)) == 1


@BOTH
def test_an_answer_and_a_withdrawal_have_one_winner(on_either: Stage, crowd: int) -> None:
    stage = on_either
    offer = stage.offer(stage.at(9, 9), stage.at(9, 11))
    secret = helper(stage, Scope.OFFERS, Scope.SUPPORT).secret
    by = {"name": "Robin", "reason": "called"}
    choices: list[tuple[str, dict[str, Any]]] = [
        ("answer", {"answer": "accept", "alternative_id": str(one.id), "shown": one.when.span.start.isoformat(), **by})
        for one in offer.alternatives
    ]
    choices += [("answer", {"answer": "cancel", **by}), ("withdraw", {})]

    with serving(stage) as base:

        def attempt(n: int) -> Callable[[], Reply]:
            act, body = choices[n % len(choices)]
            return lambda: ask(base, secret, f"/offers/{offer.id}/{act}", body, match="*")

        replies = at_once([attempt(n) for n in range(crowd)])
    won = {n % len(choices) for n, (status, _) in enumerate(replies) if status == 200}
    assert len(won) == 1, replies
    assert {status for status, _ in replies} == {200, 409}
    ended = stage.stored(offer)
    assert ended.state in (OfferState.ACCEPTED, OfferState.CANCELLED, OfferState.WITHDRAWN)
    told = {body["state"] for status, body in replies if status == 409}
    assert told == {ended.state.value}


def test_who_dies_between_the_commit_and_the_answer_has_sent_once(installed: Stage, sqlite_url: str) -> None:
    draft = installed.draft(installed.at(9, 9), installed.at(9, 11))
    secret = helper(installed, Scope.OFFERS).secret
    path, once = f"/offers/{draft.id}/send", "send-7"
    port = free_port()
    with mortal(sqlite_url, port, now=installed.now) as server:
        with pytest.raises((HTTPException, OSError)):
            ask(f"http://127.0.0.1:{port}", secret, path, {}, match=1, once=once)
        assert server.wait(60) == -signal.SIGKILL
    with serving(installed) as base:
        status, body = ask(base, secret, path, {}, match=1, once=once)
        assert (status, body["offer"]["state"]) == (200, "open")
        assert ask(base, secret, path, {}, match=1, once=once) == (status, body)
        other, problem = ask(base, secret, path, {}, match=2)
        assert (other, problem["code"]) == (409, "offer_sent")
    installed.mail()
    assert len(installed.runtime.sender.letters) == 3  # type: ignore[attr-defined]  # two bookings, one offer
