"""A practitioner at the calendar pages of an installation that is registered with one calendar service."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta

import sqlalchemy as sa
from werkzeug.test import TestResponse

from connector.domain.connection import Calendar, Connection
from connector.errors import NotFoundError
from connector.ports import Provider
from connector.services.accounts import connect
from connector.storage import calendars
from connector.storage.due import Kind, due
from connector.storage.tables import pending_connections
from tests.web.services import Query, Service
from tests.web.stage import Browser, Stage
from tests.work.driver import Driver


@dataclass
class Desk:
    """A practitioner at the pages of an installation that is registered with one calendar service."""

    stage: Stage
    service: Service
    ada: Browser

    def begin_sign_in(self, path: str | None = None, browser: Browser | None = None) -> str:
        """Press the button, and return where the browser is sent."""
        page = (browser or self.ada).post(path or f"/calendars/{self.service.slug}/connect", page="/calendars")
        assert page.status_code == 200, page.text
        return page.headers["Refresh"].removeprefix("0; url=")

    def back(self, answer: Query, browser: Browser | None = None) -> TestResponse:
        """Come back with an answer, and see the page it leads to."""
        path = f"/calendars/{self.service.slug}/back"
        return (browser or self.ada).get(path, query_string=dict(answer), follow_redirects=True)

    def sign_in(self) -> TestResponse:
        """Sign in and be asked which calendar."""
        return self.back(self.service.consent(self.begin_sign_in()))

    def connect(self, target: str | None = None, *watched: str) -> TestResponse:
        """Go all the way."""
        self.sign_in()
        return self.choose(target or self.service.target, *watched)

    def choose(self, target: str, *watched: str) -> TestResponse:
        form: dict[str, object] = {"target": target, "watched": list(watched)}
        return self.ada.post("/calendars/choose", form)  # type: ignore[arg-type]

    @property
    def connections(self) -> Sequence[Connection]:
        with self.stage.runtime.database.read() as db:
            return calendars.connections_of(db)

    @property
    def calendar(self) -> Calendar:
        with self.stage.runtime.database.read() as db:
            return calendars.target(db, self.connections[0].id)

    def work(self) -> None:
        """Write what is due to be written."""
        self.carry_out(Kind.CALENDAR)

    def carry_out(self, *kinds: Kind) -> None:
        """Do what is due of these kinds, as the worker does."""
        Driver(runtime=self.stage.runtime).carry_out(*kinds)


def desk(stage: Stage, service: Service) -> Desk:
    """Register the installation with a service, and sit a practitioner down at it."""
    runtime = stage.runtime
    runtime.settings = replace(runtime.settings, providers=(service.slug,))
    runtime.network = service.network

    def load_provider(slug: str) -> Provider:
        if slug != service.slug:
            raise NotFoundError("No calendar service of that name in this test.", code="not_in_this_test")
        return service.provider

    runtime.load_provider = load_provider
    return Desk(stage, service, stage.signed_in())


def later(stage: Stage, **by: float) -> None:
    """Let time pass."""
    stage.clock.advance(timedelta(**by))


def waiting(here: Desk) -> int:
    with here.stage.runtime.database.read() as db:
        return db.execute(sa.select(sa.func.count()).select_from(pending_connections)).scalar_one()


def is_due(here: Desk, kind: str = "calendar") -> bool:
    with here.stage.runtime.database.read() as db:
        query = sa.select(due.c.due_at).where(due.c.kind == kind, due.c.id == str(here.calendar.id))
        return db.execute(query).scalar_one() is not None


def lose(here: Desk) -> None:
    runtime = here.stage.runtime
    with runtime.database.begin() as db:
        connect.note_access_lost(db, here.connections[0].id, now=here.stage.now)


def alert(page: TestResponse) -> str:
    _, mark, rest = page.text.partition('class="note error"')
    assert mark, page.text
    return rest.partition(">")[2].partition("</p>")[0]


def csrf(page: TestResponse) -> str:
    return page.text.partition('name="csrf_token" value="')[2].partition('"')[0]


def state(here: Desk) -> str:
    """Return how we stand with the only account."""
    [connection] = here.connections
    return connection.state.value
