"""A practice on a real database: the use cases as one-liners, for tests."""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from uuid import UUID, uuid4

import sqlalchemy as sa
from sqlalchemy import Connection

import providers
from connector.domain.connection import Calendar
from connector.domain.facts import Attestation, NoticeSent
from connector.domain.offer import Offer
from connector.domain.people import Actor, Client, Practitioner
from connector.domain.session import Edit, Session
from connector.domain.span import When
from connector.ports import Letter, Network
from connector.runtime import Runtime
from connector.services.policy import Policy
from connector.services.scheduling import answers, offers, sessions
from connector.settings import Settings
from connector.storage import messages, people, tables, timeline
from connector.storage import offers as stored_offers
from connector.storage import sessions as stored_sessions
from connector.storage.database import Database
from connector.storage.ledger import Kind
from connector.storage.messages import Message
from connector.storage.seal import Seal
from connector.work.engine import Ending
from tests.domain.examples import ALEX, ATTESTED, KIM, NOW, PRACTICE, client, practitioner, when
from tests.work.driver import Driver

SEAL = Seal(["a test key of at least thirty-two characters"])
_SETTINGS = Settings(database_url="sqlite:///", secret_keys=("a test key of at least thirty-two characters",))


@dataclass
class KeptLetters:
    """A sender that keeps what it is given."""

    letters: list[Letter] = field(default_factory=list)

    def send(self, letter: Letter) -> None:
        self.letters.append(letter)


@dataclass
class Practice:
    """One practitioner with one client, and a hand on the clock.

    `runtime` is the installation whose due work is carried out; where none is given, the calendars are those of the
    memory service and letters are kept. `prompt`: the mail server takes every letter at once.
    """

    database: Database
    policy: Policy = field(default_factory=lambda: Policy(organizer="sessions@pencilled.example"))
    now: datetime = NOW
    buffer: int = 0
    prompt: bool = True
    runtime: Runtime = None  # type: ignore[assignment]  # made below
    kim: Practitioner = field(init=False)
    alex: Client = field(init=False)

    def __post_init__(self) -> None:
        self.kim = practitioner(buffer=self.buffer, email=f"kim-{uuid4().hex[:8]}@practice.example")
        with self.database.begin() as db:
            people.add_practitioner(db, self.kim, now=self.now)
        self.alex = self.another_client()
        if self.runtime is None:
            self.runtime = Runtime(
                settings=_SETTINGS,
                database=self.database,
                seal=SEAL,
                policy=self.policy,
                network=Network(),
                sender=KeptLetters(),
                clock=self.clock,
                load_provider=providers.load,
            )

    def carry_out(self, *kinds: Kind, of: Iterable[Calendar] | None = None) -> list[Ending]:
        """Do what is due by now, as the worker does; narrowed to these kinds, and to the work of these calendars."""
        runtime = replace(self.runtime, database=self.database, policy=self.policy, clock=self.clock)
        return Driver(runtime=runtime).carry_out(*kinds, of=None if of is None else [calendar.id for calendar in of])

    def mail(self) -> None:
        """Have everybody told what they are to be told by now."""
        self.carry_out(Kind.CONVERSATION)

    @contextmanager
    def _act(self) -> Iterator[Connection]:
        """Open the transaction of one act, and have people told of it afterwards."""
        with self.database.begin() as db:
            yield db
        if self.prompt:
            self.mail()

    def clock(self) -> datetime:
        return self.now

    def wait(self, **by: float) -> None:
        self.now += timedelta(**by)

    def another_client(self, person: Client | None = None) -> Client:
        person = person or client()
        with self.database.begin() as db:
            people.add_client(db, person, now=self.now)
        return person

    def book(self, hours: float = 48, *, of: Client | None = None) -> Session:
        with self._act() as db:
            return sessions.book(
                db,
                self.policy,
                practitioner_id=self.kim.id,
                client_id=(of or self.alex).id,
                when=when(hours),
                location=PRACTICE,
                by=KIM,
                now=self.now,
            )

    def edit(self, session: Session, edit: Edit) -> Session:
        with self._act() as db:
            return sessions.edit(db, self.policy, session.id, edit, by=KIM, now=self.now)

    def move(self, session: Session, to: When, attestation: Attestation = ATTESTED) -> Session:
        return self.edit(session, Edit(when=to, attestation=attestation))

    def cancel(self, session: Session) -> Session:
        with self._act() as db:
            return sessions.cancel(db, self.policy, session.id, by=KIM, now=self.now)

    def draft(self, session: Session, *hours: float, window: timedelta | None = None) -> Offer:
        choices = [(when(h), None) for h in hours or (72, 96, 120)]
        with self._act() as db:
            return offers.draft(db, self.policy, session.id, choices, by=KIM, now=self.now, window=window)

    def send(self, offer: Offer) -> offers.SentOffer:
        with self._act() as db:
            return offers.send(db, self.policy, offer.id, by=KIM, now=self.now)

    def offer(self, session: Session, *hours: float, window: timedelta | None = None) -> Offer:
        return self.send(self.draft(session, *hours, window=window)).offer

    def accept(self, offer: Offer, n: int = 0, *, by: Actor = ALEX, shown: datetime | None = None) -> Offer:
        alternative_id = offer.alternatives[n].id
        with self._act() as db:
            return answers.accept(db, self.policy, offer.id, alternative_id, by=by, now=self.now, shown=shown)

    def reject(self, offer: Offer) -> Offer:
        with self._act() as db:
            return answers.reject(db, self.policy, offer.id, by=ALEX, now=self.now)

    def cancel_booking(self, offer: Offer) -> Offer:
        with self._act() as db:
            return answers.cancel_booking(db, self.policy, offer.id, by=ALEX, now=self.now)

    def withdraw(self, offer: Offer) -> Offer:
        with self._act() as db:
            return offers.withdraw(db, self.policy, offer.id, by=KIM, now=self.now)

    def come_due(self, offer: Offer) -> datetime | None:
        with self._act() as db:
            return offers.come_due(db, self.policy, offer.id, now=self.now)

    def session(self, session: Session) -> Session:
        with self.database.read() as db:
            return stored_sessions.get(db, session.id)

    def offer_now(self, offer: Offer) -> Offer:
        with self.database.read() as db:
            return stored_offers.get(db, offer.id)

    def told(self, session: Session, *, client: bool | None = None) -> list[Message]:
        if self.prompt:
            self.mail()
        with self.database.read() as db:
            rows = messages.of_session(db, session.id)
        return [message for message in rows if client is None or message.to_client is client]

    def kinds_told(self, session: Session, *, client: bool) -> list[str]:
        return [message.kind.value for message in self.told(session, client=client)]

    def happened(self, session: Session) -> list[str]:
        with self.database.read() as db:
            facts = timeline.of_session(db, session.id)
        return [type(fact).__name__ for fact in facts if not isinstance(fact, NoticeSent)]

    def kept(self, session_id: UUID | None = None) -> list[tuple[datetime, datetime, str]]:
        own = tables.occupancy.c.practitioner_id == self.kim.id
        query = sa.select(tables.occupancy).where(own).order_by(tables.occupancy.c.starts_at)
        if session_id is not None:
            query = query.where(tables.occupancy.c.session_id == session_id)
        with self.database.read() as db:
            return [(row.starts_at, row.ends_at, row.state) for row in db.execute(query)]
