"""No server of one practitioner keeps the calendar of another waiting."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from connector.domain.people import Practitioner
from connector.services.accounts import connect
from connector.services.accounts.connect import ConnectionRequest
from connector.services.scheduling import sessions
from connector.storage import people
from connector.storage.due import due
from tests.domain.examples import KIM, PRACTICE, practitioner, when
from tests.fakes.caldav_proxy import Proxy, Reply, Request
from tests.journeys.stage import Stage

NEIGHBOURS = 6
TIMEOUT = 600  # seconds: a test that fails releases the server long before


class Silent(Proxy):
    """A server that answers until it falls silent; then each request waits until it is released."""

    def __init__(self, target: str) -> None:
        super().__init__(target)
        self.is_silent = False
        self.released = threading.Event()
        self.gate = self._wait

    def _wait(self, _: Request, forward: Callable[[], Reply]) -> Reply:
        if self.is_silent:
            self.released.wait(TIMEOUT)
        return forward()


@pytest.fixture
def silent(on_radicale: Stage) -> Iterator[Silent]:
    with Silent(on_radicale.server.url) as proxy:
        yield proxy
        proxy.released.set()


def move_in(stage: Stage, silent: Silent) -> Practitioner:
    """Have another practitioner connect a calendar at the server that will fall silent."""
    person = practitioner(email=f"{uuid4().hex[:8]}@practice.example")
    url = stage.server.make_calendar(f"neighbour{uuid4().hex[:8]}")
    with stage.runtime.database.begin() as db:
        people.add_practitioner(db, person, now=stage.now)
    form = {"address": silent.through(url), "username": stage.server.username, "password": stage.server.password}
    request = ConnectionRequest(provider=stage.runtime.load_provider("caldav"), form=form, label="")
    runtime = stage.runtime
    connect.connect(runtime.database, runtime.seal, runtime.network, person.id, request, by=KIM, now=stage.now)
    return person


def book(stage: Stage, practitioner_id: UUID) -> None:
    with stage.runtime.database.begin() as db:
        sessions.book(
            db,
            stage.runtime.policy,
            practitioner_id=practitioner_id,
            client_id=stage.practice.alex.id,
            when=when(48),
            location=PRACTICE,
            by=KIM,
            now=stage.now,
        )


def test_a_session_is_in_its_calendar_while_the_server_of_others_is_silent(on_radicale: Stage, silent: Silent) -> None:
    stage = on_radicale
    stage.connect()
    neighbours = [move_in(stage, silent) for _ in range(NEIGHBOURS)]
    stage.start()
    stage.settled()
    silent.is_silent = True
    silent.forget()
    for neighbour in neighbours:
        book(stage, neighbour.id)
    stage.until(lambda: len(silent.requests), lambda waiting: waiting >= 1)
    book(stage, stage.practice.kim.id)
    stage.until(stage.shown, lambda seen: len(seen) == 1)
    with stage.runtime.database.read() as db:
        assert set(db.execute(sa.select(due.c.attempts)).scalars()) == {0}, "no request has been given up by then"
    assert not silent.released.is_set()
    assert 1 <= len(silent.requests) <= NEIGHBOURS, "what is silent has been waited for all the time"
