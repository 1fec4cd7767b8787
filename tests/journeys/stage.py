"""A whole installation in this process: real engine, real pages, real mail, a real calendar server behind a proxy."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Self, TypeVar
from urllib.error import HTTPError

from icalendar import Calendar as ICalendar
from sqlalchemy import or_

from connector import app
from connector.domain.connection import Calendar
from connector.runtime import Runtime
from connector.services.accounts import connect
from connector.services.accounts.connect import ConnectionRequest
from connector.storage import ledger
from connector.storage.due import ahead
from connector.storage.ledger import Key, Kind
from connector.work.engine import Engine
from tests.conftest import free_port
from tests.domain.examples import KIM, NOW
from tests.fakes.caldav_proxy import Proxy
from tests.fakes.mailbox import Mailbox
from tests.fakes.owner import Owner
from tests.fakes.servers import Server
from tests.services.practice import Practice

T = TypeVar("T")
PATIENCE = 120.0  # seconds, far beyond what anything here takes: only a failing test waits so long


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An event as it stands on the server."""

    href: str
    uid: str
    title: str
    start: datetime
    status: str
    transparency: str
    notes: str


@dataclass
class Installation:
    """Everything but a calendar service; the clock is virtual, the rest is real. Put it together with `with`."""

    database_url: str
    now: datetime = NOW
    public_url: str = "http://pages.example"
    mailbox: Mailbox = field(default_factory=Mailbox)
    runtime: Runtime = field(init=False)
    practice: Practice = field(init=False)
    calendar: Calendar = field(init=False)
    engine: Engine | None = field(init=False, default=None)
    port: int = field(default_factory=free_port)

    def __enter__(self) -> Self:
        self.mailbox.__enter__()
        self.runtime = app.build(app.read_settings(self.environment()), clock=lambda: self.now)
        self.practice = Practice(self.runtime.database, policy=self.runtime.policy, now=self.now, prompt=False)
        return self

    def __exit__(self, *_: object) -> None:
        self.stop()
        self.runtime.database.dispose()
        self.mailbox.__exit__()

    def environment(self) -> dict[str, str]:
        """The settings of this installation, as a process of its own would find them."""
        return {
            "CONNECTOR_DATABASE_URL": self.database_url,
            "CONNECTOR_INNER_HOSTS": "127.0.0.1",
            "CONNECTOR_SMTP_URL": self.mailbox.url,
            "CONNECTOR_MAIL_FROM": "sessions@pencilled.example",
            "CONNECTOR_PUBLIC_URL": self.public_url,
            "CONNECTOR_LISTEN": f"127.0.0.1:{self.port}",
        }

    def start(self) -> None:
        """Start the worker threads."""
        self.engine = app.create_engine(self.runtime)
        self.engine.start()

    def stop(self) -> None:
        """Stop them."""
        if self.engine is not None:
            self.engine.stop()
            self.engine = None

    def wait(self, **by: float) -> None:
        """Let virtual time pass; the pump would notice within a second, but here it looks at once."""
        self.now += timedelta(**by)
        self.practice.now = self.now
        if self.engine is not None:
            self.engine.wake_again(ledger.due_keys(self.runtime.database, self.now))

    def until(self, look: Callable[[], T], right: Callable[[T], bool], *, patience: float = PATIENCE) -> T:
        """Look until it is right; fail with what was seen last."""
        deadline = time.monotonic() + patience
        pause = threading.Event()
        while True:
            state = look()
            if right(state):
                return state
            assert time.monotonic() < deadline, f"still not so: {state}"
            pause.wait(0.02)

    def settled(self) -> None:
        """Wait until nothing is due and nobody works."""
        self.until(self.unfinished, lambda keys: not keys)

    def unfinished(self, now: datetime | None = None) -> list[Key]:
        """Return what is due or being carried out, seen at one moment: work that ends may make other work due.

        What is due within the next second counts only if `now` is given: that clock goes on, the virtual one stands.
        A key forgotten while somebody held it keeps their lease; had they been killed, nobody would ever end it.
        """
        due = ledger.due
        soon = due.c.due_at <= (self.now if now is None else now + timedelta(seconds=1))
        with self.runtime.database.read() as db:
            rows = db.execute(due.select().where(or_(soon, due.c.lease_until > ahead(0.0)))).all()
        return [Key(Kind(row.kind), row.id) for row in rows]


@dataclass(kw_only=True)
class Stage(Installation):
    """An installation with a real CalDAV server behind a proxy."""

    server: Server
    proxy: Proxy = field(init=False)
    owner: Owner = field(init=False)

    def __enter__(self) -> Self:
        super().__enter__()
        name = f"work{time.monotonic_ns()}"
        self.owner = Owner(self.server, self.server.make_calendar(name))
        self.proxy = Proxy(self.server.url)
        self.proxy.__enter__()
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.proxy.__exit__()

    def connect(self, *, password: str = "") -> Calendar:
        """Connect the owner's calendar through the proxy, as the command line does."""
        form = {
            "address": self.proxy.through(self.owner.url),
            "username": self.server.username,
            "password": password or self.server.password,
        }
        request = ConnectionRequest(provider=self.runtime.load_provider("caldav"), form=form, label="Kim's calendar")
        self.calendar = connect.connect(
            self.runtime.database,
            self.runtime.seal,
            self.runtime.network,
            self.practice.kim.id,
            request,
            by=KIM,
            now=self.now,
        )
        return self.calendar

    def shown(self) -> list[Shown]:
        """Look at the server itself, past Pencilled and past the proxy."""
        listing = self.owner.listing().decode()
        hrefs = [part.split("<")[0] for part in listing.replace("D:", "").replace("ns0:", "").split("href>")[1::2]]
        events = [self._event(href) for href in hrefs if href.endswith(".ics")]
        return sorted((event for event in events if event), key=lambda event: (event.start, event.href))

    def _event(self, href: str) -> Shown | None:
        try:
            calendar = ICalendar.from_ical(self.owner.text(href))
        except HTTPError as gone:
            if gone.code == 404:  # since it was listed
                return None
            raise
        (event,) = calendar.walk("VEVENT")
        return Shown(
            href=href,
            uid=str(event["UID"]),
            title=str(event["SUMMARY"]),
            start=event.decoded("DTSTART"),
            status=str(event["STATUS"]),
            transparency=str(event["TRANSP"]),
            notes=str(event.get("DESCRIPTION", "")),
        )
