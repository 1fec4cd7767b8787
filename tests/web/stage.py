"""An installation with people in it, for tests of pages: a migrated database, virtual time, mail that is only noted."""

from __future__ import annotations

import re
import sqlite3
from collections.abc import Mapping
from contextlib import closing
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from functools import cached_property
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from flask import Flask
from flask.testing import FlaskClient
from jinja2.bccache import Bucket, BytecodeCache
from werkzeug.test import TestResponse

from connector.app import shared_counts
from connector.counts import OwnCounts
from connector.domain.answering import AnswerPolicy
from connector.domain.notice_table import Link
from connector.domain.offer import Offer
from connector.domain.people import Actor, Client, Practitioner, Role, SupportPerson
from connector.domain.session import Location, LocationKind, Session
from connector.domain.span import When
from connector.errors import RuleError
from connector.ports import Letter, Network, NotSentError, Provider
from connector.runtime import Runtime
from connector.sentence import Sentence
from connector.services import notices, support_people
from connector.services.policy import Policy
from connector.services.scheduling.offers import draft, send
from connector.services.scheduling.sessions import book
from connector.settings import Settings
from connector.storage import offers, people, sessions
from connector.storage.columns import metadata
from connector.storage.database import Database
from connector.storage.ledger import Kind
from connector.storage.seal import Seal
from connector.storage.tables import signins
from connector.web import pages
from providers.memory import provider as memory
from tests.conftest import Clock
from tests.work.driver import Driver

BERLIN, NEW_YORK = "Europe/Berlin", "America/New_York"
PRACTICE = Location(kind=LocationKind.IN_PERSON, text="Lindenstraße 7, Berlin")
KEY = "a key for tests that is long enough"
Places = Mapping[int, Location]
_TOKEN = re.compile(r'name="csrf_token" value="([^"]+)"')


class KeptTemplates(BytecodeCache):
    """Compiles each template once a run, not once a test."""

    def __init__(self) -> None:
        self._kept: dict[str, bytes] = {}

    def load_bytecode(self, bucket: Bucket) -> None:
        if bucket.key in self._kept:
            bucket.bytecode_from_string(self._kept[bucket.key])

    def dump_bytecode(self, bucket: Bucket) -> None:
        self._kept[bucket.key] = bucket.bytecode_to_string()


_TEMPLATES = KeptTemplates()


@dataclass
class NotedMail:
    """A Sender that keeps what it is given, or refuses it for good."""

    letters: list[Letter] = field(default_factory=list)
    refusal: str = ""

    def send(self, letter: Letter) -> None:
        if self.refusal:
            raise NotSentError(Sentence.of(self.refusal, {"code": "550"}), permanent=True)
        self.letters.append(letter)


def make_runtime(database: Database, url: str, clock: Clock, **choices: Any) -> Runtime:
    """Put an installation together on a migrated database; `choices` are settings."""
    providers = ("caldav", "google", "outlook")
    settings = Settings(**{"database_url": url, "secret_keys": (KEY,), "providers": providers} | choices)
    seal = Seal(settings.secret_keys)
    return Runtime(
        settings=settings,
        database=database,
        seal=seal,
        policy=Policy(
            organizer="pencilled@example.org",
            window=settings.offer_window,
            sign_in=settings.sign_in,
            answers=AnswerPolicy(settings.answer_policy),
        ),
        network=Network(),
        sender=NotedMail(),
        clock=clock,
        load_provider=_no_provider,
        counts=OwnCounts() if not database.embedded else shared_counts(settings, seal),
    )


def _no_provider(slug: str) -> Provider:
    raise RuleError("No calendar service %(slug)s in this test.", code="not_in_this_test", slug=slug)


@dataclass
class Stage:
    """Ada gives sessions in Berlin, Kim receives them; Bob is another practitioner with a client of his own."""

    runtime: Runtime
    clock: Clock
    ada: Practitioner
    kim: Client
    session: Session
    bob: Practitioner
    lou: Client
    bobs: Session

    @cached_property
    def app(self) -> Flask:
        """The pages alone, made when they are first asked for; a test that needs more puts it here."""
        app = pages.create(self.runtime)
        app.jinja_env.bytecode_cache = _TEMPLATES
        return app

    @property
    def now(self) -> datetime:
        return self.clock()

    def at(self, days: int, hour: int, minute: int = 0, *, zone: str = BERLIN) -> When:
        """Return a wall time so many days from today."""
        day = self.clock().date() + timedelta(days=days)
        local = datetime(day.year, day.month, day.day, hour, minute)
        return When.at(local, zone=zone, duration=timedelta(minutes=50))

    def offer(self, *times: When, session: Session | None = None, places: Places | None = None) -> Offer:
        """Send an offer of these times, three by default; `places` by their position."""
        choices = times or (self.at(9, 9), self.at(9, 11), self.at(10, 15))
        offer = self.draft(*choices, session=session, places=places)
        with self.runtime.database.begin() as db:
            return send(db, self.runtime.policy, offer.id, by=self.by, now=self.now).offer

    def draft(self, *times: When, session: Session | None = None, places: Places | None = None) -> Offer:
        alternatives = [(when, (places or {}).get(n)) for n, when in enumerate(times)]
        with self.runtime.database.begin() as db:
            target = (session or self.session).id
            return draft(db, self.runtime.policy, target, alternatives, by=self.by, now=self.now)

    def book(self, when: When, *, client: Client | None = None, practitioner: Practitioner | None = None) -> Session:
        with self.runtime.database.begin() as db:
            return _book(db, self.runtime, practitioner or self.ada, client or self.kim, when)

    def mail(self) -> None:
        """Have everybody told what they are to be told by now, those who have asked for a sign-in link among them."""
        Driver(runtime=self.runtime).carry_out(Kind.CONVERSATION, Kind.SIGN_IN)

    @property
    def by(self) -> Actor:
        return Actor(role=Role.PRACTITIONER, name=self.ada.name)

    def link(self, offer: Offer) -> str:
        """Return the path of the client's answer page."""
        return self.runtime.link(Link.ANSWER, offer.id).removeprefix(self.runtime.settings.public_url)

    def stored(self, offer: Offer) -> Offer:
        with self.runtime.database.read() as db:
            return offers.get(db, offer.id)

    def stored_session(self, session: Session | None = None) -> Session:
        with self.runtime.database.read() as db:
            return sessions.get(db, (session or self.session).id)

    def browser(self) -> Browser:
        return Browser(self.app.test_client())

    def signed_in(self, practitioner: Practitioner | None = None) -> Browser:
        """Return a browser whose practitioner has gone through the mailed link."""
        browser = self.browser()
        browser.post(self.sign_in_link(practitioner or self.ada))
        return browser

    def sign_in_link(self, practitioner: Practitioner) -> str:
        with self.runtime.database.begin() as db:
            before = set(db.execute(sa.select(signins.c.id)).scalars())
            notices.queue_sign_in(db, self.runtime.policy, practitioner, now=self.now)
            (fresh,) = set(db.execute(sa.select(signins.c.id)).scalars()) - before
        return self.runtime.link(Link.SIGN_IN, fresh).removeprefix(self.runtime.settings.public_url)

    def support_link(self, name: str = "Robin Hale") -> str:
        """Name somebody who helps clients, and return the path of the link that signs them in."""
        robin = SupportPerson(id=uuid4(), name=name, email=f"{uuid4().hex}@example.org")
        with self.runtime.database.begin() as db:
            support_people.add(db, robin, now=self.now)
            notices.queue_sign_in(db, self.runtime.policy, robin, now=self.now)
            own = signins.c.support_id == robin.id
            signin = db.execute(sa.select(signins.c.id).where(own)).scalar_one()
        return self.runtime.link(Link.SUPPORT_SIGN_IN, signin).removeprefix(self.runtime.settings.public_url)

    def everything(self) -> dict[str, list[tuple[Any, ...]]]:
        """Return the content of every table."""
        with self.runtime.database.read() as db:
            return {
                table.name: sorted((tuple(row) for row in db.execute(sa.select(table))), key=repr)
                for table in metadata.sorted_tables
            }


@dataclass
class Browser:
    """A browser without JavaScript: it keeps cookies and sends the CSRF token of the form it was shown."""

    http: FlaskClient

    def get(self, path: str, **more: Any) -> TestResponse:
        return self.http.get(path, **more)

    def post(self, path: str, form: Mapping[str, str] | None = None, *, page: str | None = None) -> TestResponse:
        """Submit a form; `page` is where it was shown, by default the address it is sent to."""
        match = _TOKEN.search(self.get(page or path).text) or _TOKEN.search(self.get("/signin").text)
        assert match
        return self.http.post(path, data={"csrf_token": match[1], **(form or {})})


def make_stage(runtime: Runtime, clock: Clock) -> Stage:
    """Fill an installation: one session each for Ada and Bob, in a week."""
    ada = Practitioner(id=uuid4(), name="Dr. Ada Weiß", email="ada@example.org", zone=BERLIN)
    bob = Practitioner(id=uuid4(), name="Bob Brown", email="bob@example.org", zone=BERLIN)
    kim = Client(id=uuid4(), name="Kim Noor", zone=BERLIN, email="kim@example.org")
    lou = Client(id=uuid4(), name="Lou Secret", zone=BERLIN, email="lou@example.org")
    day = clock().date() + timedelta(days=7)
    local = datetime(day.year, day.month, day.day, 15)
    when = When.at(local, zone=BERLIN, duration=timedelta(minutes=50))
    with runtime.database.begin() as db:
        for practitioner in (ada, bob):
            people.add_practitioner(db, practitioner, now=clock())
        for client in (kim, lou):
            people.add_client(db, client, now=clock())
        session = _book(db, runtime, ada, kim, when)
        bobs = _book(db, runtime, bob, lou, when)
    stage = Stage(runtime=runtime, clock=clock, ada=ada, kim=kim, session=session, bob=bob, lou=lou, bobs=bobs)
    stage.mail()
    return stage


def stage_of(database: Database, url: str, clock: Clock, **choices: Any) -> Stage:
    """Put together and fill an installation; on SQLite it is filled once a run, and from then on copied."""
    runtime = make_runtime(database, url, clock, **choices)
    if not database.embedded:
        return make_stage(runtime, clock)
    key = f"{replace(runtime.settings, database_url='')} {clock()}"
    with closing(sqlite3.connect(str(sa.make_url(url).database))) as file:
        assert not file.execute("SELECT count(*) FROM practitioners").fetchone()[0], "people are here already"
        if key not in _FILLED:
            stage = make_stage(runtime, clock)
            content = sqlite3.connect(":memory:")
            file.backup(content)
            _FILLED[key] = Filled(stage=stage, letters=tuple(_sent(runtime)), content=content)
            return stage
        filled = _FILLED[key]
        filled.content.backup(file)
    for person in (filled.stage.ada, filled.stage.bob):
        memory.forget(str(person.id))  # an account of a test before has their id, too
    _sent(runtime).extend(filled.letters)
    return replace(filled.stage, runtime=runtime, clock=clock)


@dataclass(frozen=True)
class Filled:
    """What an installation looks like once people are in it and have been told."""

    stage: Stage
    letters: tuple[Letter, ...]
    content: sqlite3.Connection


_FILLED: dict[str, Filled] = {}


def _sent(runtime: Runtime) -> list[Letter]:
    assert isinstance(runtime.sender, NotedMail)
    return runtime.sender.letters


def _book(db: sa.Connection, runtime: Runtime, practitioner: Practitioner, client: Client, when: When) -> Session:
    return book(
        db,
        runtime.policy,
        practitioner_id=practitioner.id,
        client_id=client.id,
        when=when,
        location=PRACTICE,
        by=Actor(role=Role.PRACTITIONER, name=practitioner.name),
        now=runtime.clock(),
    )


def add_client(stage: Stage, **changes: Any) -> Client:
    """Take in another client."""
    values: dict[str, Any] = {"id": uuid4(), "name": "Noa Levi", "zone": BERLIN, "email": "noa@example.org"} | changes
    client = Client(**values)
    with stage.runtime.database.begin() as db:
        people.add_client(db, client, now=stage.now)
    return client
