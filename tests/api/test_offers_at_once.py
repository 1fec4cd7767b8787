"""However many ask at once, over HTTP: a time is held once, one answer counts, and a death tells nobody twice."""

from __future__ import annotations

import signal
from collections import Counter
from datetime import timedelta
from http.client import HTTPException
from itertools import pairwise
from typing import Any
from uuid import UUID

import pytest
import sqlalchemy as sa

from connector.domain.api_key import Scope
from connector.domain.offer import OfferState
from connector.storage import offers as stored_offers
from connector.storage import tables
from tests.api.conftest import serving
from tests.api.crowd import Reply, ask, at_once
from tests.api.mortal import mortal
from tests.api.program import program
from tests.conftest import free_port
from tests.web.stage import Stage, add_client

CROWD = 50
ANY = {"If-Match": "*"}
BOTH = pytest.mark.parametrize(
    ("database_url", "crowd"),
    [
        pytest.param("sqlite", 8, id="sqlite-8"),
        pytest.param("sqlite", CROWD, id="sqlite-50", marks=pytest.mark.long),
        pytest.param("postgresql", CROWD, id="postgresql-50", marks=[pytest.mark.long, pytest.mark.postgresql]),
    ],
    indirect=["database_url"],
)


def overlaps(stage: Stage) -> list[object]:
    """Times of Ada's that two sessions have at once."""
    query = sa.select(tables.occupancy.c.starts_at, tables.occupancy.c.ends_at, tables.occupancy.c.session_id)
    own = tables.occupancy.c.practitioner_id == stage.ada.id
    with stage.runtime.database.read() as db:
        rows = sorted(tuple(row) for row in db.execute(query.where(own)))
    return [(one, other) for one, other in pairwise(rows) if other[0] < one[1] and other[2] != one[2]]


def secret_of(stage: Stage, *scopes: Scope) -> str:
    return program(stage.runtime, stage.app.test_client(use_cookies=False), *scopes).secret


@BOTH
def test_of_many_offers_of_overlapping_times_exactly_one_is_sent(on_either: Stage, crowd: int) -> None:
    stage, drafts = on_either, []
    for n in range(crowd):
        client = add_client(stage, email=f"client-{n}@example.org")
        booked = stage.book(stage.at(10 + n // 10, 8 + n % 10), client=client)
        drafts.append(stage.draft(stage.at(40, 9, n % 50), stage.at(41 + n, 9), session=booked).id)
    secret = secret_of(stage, Scope.OFFERS)
    with serving(stage) as base:

        def send(draft_id: UUID) -> Reply:
            return ask(base, secret, f"/offers/{draft_id}/send", {}, headers=ANY)

        replies = at_once(send, drafts)
    assert Counter(status for status, _ in replies) == {200: 1, 409: crowd - 1}
    (sent,) = (body["offer"]["id"] for status, body in replies if status == 200)
    losers = [body for status, body in replies if status == 409]
    assert {body["code"] for body in losers} == {"time_taken"}
    assert {one["offer_id"] for body in losers for one in body["conflicts"]} == {sent}
    assert overlaps(stage) == []
    with stage.runtime.database.read() as db:
        assert [str(one.id) for one in stored_offers.open_of_practitioner(db, stage.ada.id)] == [sent]


@BOTH
def test_answers_and_a_withdrawal_have_one_winner(on_either: Stage, crowd: int) -> None:
    stage = on_either
    offer = stage.offer(stage.at(9, 9), stage.at(9, 11))
    secret = secret_of(stage, Scope.OFFERS, Scope.SUPPORT)
    by = {"name": "Robin", "reason": "called"}
    choices: list[tuple[str, dict[str, Any]]] = [
        ("answer", {"answer": "accept", "alternative_id": str(one.id), "shown": one.when.span.start.isoformat(), **by})
        for one in offer.alternatives
    ]
    choices += [("answer", {"answer": "cancel", **by}), ("withdraw", {})]
    with serving(stage) as base:

        def answer(n: int) -> Reply:
            act, body = choices[n % len(choices)]
            return ask(base, secret, f"/offers/{offer.id}/{act}", body, headers=ANY)

        replies = at_once(answer, range(crowd))
    won = {n % len(choices) for n, (status, _) in enumerate(replies) if status == 200}
    assert len(won) == 1, replies
    assert {status for status, _ in replies} == {200, 409}
    ended = stage.stored(offer)
    assert ended.state in (OfferState.ACCEPTED, OfferState.CANCELLED, OfferState.WITHDRAWN)
    assert {body["state"] for status, body in replies if status == 409} == {ended.state.value}
    assert overlaps(stage) == []


def test_of_many_who_have_seen_the_same_one_changes_it(installed: Stage) -> None:
    offer = installed.offer(installed.at(9, 9))
    path = f"/offers/{offer.id}/alternatives/{offer.alternatives[0].id}/move"
    version = f'"{installed.stored(offer).version}"'
    secret = secret_of(installed, Scope.OFFERS)
    spans = [installed.at(20 + n, 9).span for n in range(8)]
    with serving(installed) as base:

        def move(n: int) -> Reply:
            start, end = spans[n].start, spans[n].start + timedelta(minutes=50)
            time = {"start": start.isoformat(), "end": end.isoformat(), "zone": "UTC"}
            return ask(base, secret, path, {"time": time}, headers={"If-Match": version})

        replies = at_once(move, range(8))
    assert Counter(status for status, _ in replies) == {200: 1, 412: 7}


def test_who_dies_between_the_commit_and_the_answer_has_sent_once(installed: Stage, sqlite_url: str) -> None:
    draft = installed.draft(installed.at(9, 9), installed.at(9, 11))
    secret, port = secret_of(installed, Scope.OFFERS), free_port()
    path, named = f"/offers/{draft.id}/send", {"If-Match": '"1"', "Idempotency-Key": "send-7"}
    with mortal(sqlite_url, port, now=installed.now) as server:
        with pytest.raises((HTTPException, OSError)):
            ask(f"http://127.0.0.1:{port}", secret, path, {}, headers=named)
        assert server.wait(60) == -signal.SIGKILL
    with serving(installed) as base:
        status, body = ask(base, secret, path, {}, headers=named)
        assert (status, body["offer"]["state"]) == (200, "open")
        assert ask(base, secret, path, {}, headers=named) == (status, body)
        other, problem = ask(base, secret, path, {}, headers=ANY)
        assert (other, problem["code"]) == (409, "offer_sent")
    installed.mail()
    assert len(installed.runtime.sender.letters) == 3  # type: ignore[attr-defined]  # two bookings, one offer
