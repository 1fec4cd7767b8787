"""However many book at once, over HTTP, a time has one session; a death before the answer books no second one."""

from __future__ import annotations

import signal
from collections import Counter
from datetime import datetime, timedelta
from http.client import HTTPException
from itertools import pairwise
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from connector.domain.api_key import Scope
from connector.storage import tables
from tests.api.conftest import serving
from tests.api.crowd import Reply, ask, at_once
from tests.api.mortal import mortal
from tests.api.program import program
from tests.api.test_sessions import agreed, shown, wanted
from tests.conftest import free_port
from tests.web.stage import NotedMail, Stage, add_client

CROWD = 50
BOTH = pytest.mark.parametrize(
    ("database_url", "crowd"),
    [
        pytest.param("sqlite", 8, id="sqlite-8"),
        pytest.param("sqlite", CROWD, id="sqlite-50", marks=pytest.mark.long),
        pytest.param("postgresql", CROWD, id="postgresql-50", marks=[pytest.mark.long, pytest.mark.postgresql]),
    ],
    indirect=["database_url"],
)


def secret_of(stage: Stage) -> str:
    return program(stage.runtime, stage.app.test_client(use_cookies=False), Scope.SESSIONS).secret


def kept(stage: Stage) -> list[tuple[datetime, datetime, UUID]]:
    """The times that are kept for sessions of Ada's, by their start."""
    query = sa.select(tables.occupancy.c.starts_at, tables.occupancy.c.ends_at, tables.occupancy.c.session_id)
    own = tables.occupancy.c.practitioner_id == stage.ada.id
    with stage.runtime.database.read() as db:
        return sorted((row.starts_at, row.ends_at, row.session_id) for row in db.execute(query.where(own)))


@BOTH
def test_of_many_bookings_of_overlapping_times_exactly_one_is_made(on_either: Stage, crowd: int) -> None:
    stage = on_either
    clients = [add_client(stage, email=f"client-{n}@example.org") for n in range(crowd)]
    first = stage.at(20, 9)
    bodies = [
        wanted(
            stage,
            first,
            client_id=str(client.id),
            time=shown(
                type(first).at(first.local + timedelta(minutes=n % 50), zone=first.zone, duration=timedelta(hours=1))
            ),
        )
        for n, client in enumerate(clients)
    ]
    secret = secret_of(stage)
    with serving(stage) as base:

        def book(body: object) -> Reply:
            return ask(base, secret, "/sessions", body)

        replies = at_once(book, bodies)
    assert Counter(status for status, _ in replies) == {201: 1, 409: crowd - 1}
    (booked,) = (body["id"] for status, body in replies if status == 201)
    losers = [body for status, body in replies if status == 409]
    assert {body["code"] for body in losers} == {"time_taken"}
    assert {one["session_id"] for body in losers for one in body["conflicts"]} == {booked}
    times = kept(stage)
    assert len(times) == 2
    assert all(one[1] <= other[0] for one, other in pairwise(times))


@BOTH
def test_of_many_moves_to_one_time_exactly_one_is_made(on_either: Stage, crowd: int) -> None:
    stage = on_either
    sessions = [stage.book(stage.at(10 + n // 8, 8 + n % 8)) for n in range(crowd)]
    secret, moved = secret_of(stage), agreed(stage, stage.at(40, 9))
    with serving(stage) as base:

        def move(identity: object) -> Reply:
            return ask(base, secret, f"/sessions/{identity}/reschedule", moved, headers={"If-Match": "*"})

        replies = at_once(move, [one.id for one in sessions])
    assert Counter(status for status, _ in replies) == {200: 1, 409: crowd - 1}
    assert sum(one[0] == stage.at(40, 9).span.start for one in kept(stage)) == 1


def test_of_many_who_have_seen_the_same_one_changes_it(installed: Stage) -> None:
    """The others have seen what is so no longer, and are told."""
    secret = secret_of(installed)
    places = [{"location": {"kind": "in_person", "text": f"Room {n}"}} for n in range(8)]
    with serving(installed) as base:

        def relocate(body: object) -> Reply:
            path = f"/sessions/{installed.session.id}/relocate"
            return ask(base, secret, path, body, headers={"If-Match": '"1"'})

        replies = at_once(relocate, places)
    assert Counter(status for status, _ in replies) == {200: 1, 412: 7}
    (stands,) = (body["location"] for status, body in replies if status == 200)
    assert stands["text"] == installed.stored_session().location.text


def test_equal_bookings_under_one_name_are_one(installed: Stage) -> None:
    secret, body, name = secret_of(installed), wanted(installed, installed.at(20, 9)), str(uuid4())
    with serving(installed) as base:

        def book(_n: int) -> Reply:
            return ask(base, secret, "/sessions", body, headers={"Idempotency-Key": name})

        replies = at_once(book, range(8))
    assert {status for status, _ in replies} == {201}
    assert len({answer["id"] for _, answer in replies}) == 1
    assert len(kept(installed)) == 2


def test_who_dies_between_the_commit_and_the_answer_has_booked_once(installed: Stage, sqlite_url: str) -> None:
    """The program asks again under the same name, and is answered as it would have been."""
    secret, body = secret_of(installed), wanted(installed, installed.at(20, 9))
    named, port = {"Idempotency-Key": "booking-7"}, free_port()
    with mortal(sqlite_url, port, now=installed.now) as server:
        with pytest.raises((HTTPException, OSError)):
            ask(f"http://127.0.0.1:{port}", secret, "/sessions", body, headers=named)
        assert server.wait(60) == -signal.SIGKILL
    (booked,) = [one for one in kept(installed) if one[0] == installed.at(20, 9).span.start]
    with serving(installed) as base:
        again = ask(base, secret, "/sessions", body, headers=named)
        assert ask(base, secret, "/sessions", body, headers=named) == again
        unnamed = ask(base, secret, "/sessions", body)
    assert (again[0], again[1]["id"]) == (201, str(booked[2]))
    assert (unnamed[0], unnamed[1]["code"]) == (409, "time_taken")
    installed.mail()
    told = [letter.notice.session.id for letter in noted(installed).letters if letter.notice.session]
    assert told.count(booked[2]) == 1


def noted(stage: Stage) -> NotedMail:
    assert isinstance(stage.runtime.sender, NotedMail)
    return stage.runtime.sender
