"""An installation on several processes in a storm: people act while processes, services and servers fail, by a seed."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Event, Lock
from typing import Any, TypeVar
from uuid import UUID

import psycopg
from sqlalchemy.exc import OperationalError

from connector import app
from connector.domain.connection import Calendar
from connector.domain.facts import MoveReason
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Actor, Client
from connector.domain.session import Edit, Location, LocationKind, Session, SessionState
from connector.errors import RuleError
from connector.services.scheduling import answers, offers
from connector.storage import calendars, ledger, messages
from connector.storage import offers as stored_offers
from connector.storage.ledger import Key, Kind
from connector.work.engine import Engine
from tests.conftest import Postgresql, child
from tests.domain.examples import ALEX, ATTESTED, KIM, NOW, PRACTICE, SUPPORT, client, when
from tests.fakes.caldav_proxy import lose_answer, says
from tests.fakes.mailbox import CutOff, Mailbox
from tests.journeys.services import CaldavService, connect, use
from tests.journeys.stage import Installation
from tests.services.practice import Practice
from tests.work.redis_server import RedisServer

T = TypeVar("T")
LEASE = timedelta(seconds=3)
SHORT = timedelta(seconds=60)  # windows below this lapse in the storm
PLACES = (
    PRACTICE,
    Location(kind=LocationKind.IN_PERSON, text="Birkenweg 4, Berlin"),
    Location(kind=LocationKind.ONLINE, text="https://meet.example.org/kim"),
)
ROOT = Path(__file__).parents[2]
_INHERITED = {name: value for name, value in os.environ.items() if not name.startswith("CONNECTOR_")}  # noqa: TID251 - a child's


def real_now() -> datetime:
    return datetime.now(UTC)  # noqa: TID251 - the workers live in real time


@dataclass(frozen=True, kw_only=True)
class OnPage:
    """What a client has done on a page, after so many letters had arrived at all."""

    session_id: UUID
    letters: int
    offer_id: UUID
    choice: Session | None = None  # the session as it stands by it, if they have chosen a time


@dataclass
class Diary:
    """A practitioner with clients, and a calendar at a server of their own."""

    practice: Practice
    calendar: Calendar
    there: CaldavService
    clients: Sequence[Client]
    shift: float
    sessions: list[Session] = field(default_factory=list)
    former: dict[UUID, list[float]] = field(default_factory=dict)  # hours at which a session has stood
    slots: int = 0

    def slot(self) -> float:
        """Hours that were never spoken of."""
        self.slots += 1
        return self.shift + 48 + 2 * self.slots

    def standing(self) -> list[Session]:
        return [one for one in map(self.practice.session, self.sessions) if one.state is SessionState.BOOKED]

    def offers_of(self, session: Session) -> Sequence[Offer]:
        with self.practice.database.read() as db:
            return stored_offers.of_session(db, session.id)


@dataclass
class Worker:
    """A worker process; frozen or not."""

    process: subprocess.Popen[bytes]
    stack: ExitStack

    def send(self, number: signal.Signals) -> None:
        self.process.send_signal(number)

    def kill(self) -> None:
        self.process.kill()
        self.process.wait(120)
        self.stack.close()

    def stop(self) -> None:
        self.send(signal.SIGCONT)
        self.stack.close()


@dataclass
class Freeze:
    """All workers of a moment, stopped by what one of them does, until their claims are lost; a newcomer goes on."""

    workers: list[Worker]
    struck: Event = field(default_factory=Event)
    thawed: Event = field(default_factory=Event)
    ends_at: float = 0.0
    _lock: Lock = field(default_factory=Lock)

    def strike(self) -> None:
        with self._lock:
            if self.struck.is_set() or self.thawed.is_set():
                return
            for worker in self.workers:
                worker.send(signal.SIGSTOP)
            self.ends_at = time.monotonic() + LEASE.total_seconds() * 1.4
            self.struck.set()

    def thaw(self) -> None:
        with self._lock:
            self.thawed.set()
            for worker in self.workers:
                worker.send(signal.SIGCONT)


class Distributed(Installation):
    """An installation on PostgreSQL and Redis; its workers are processes of their own."""

    def __init__(self, database_url: str, broker_url: str) -> None:
        super().__init__(database_url, now=real_now().replace(microsecond=0))
        self.broker_url = broker_url

    def environment(self) -> dict[str, str]:
        more = {"CONNECTOR_BROKER_URL": self.broker_url, "CONNECTOR_SECRET_KEYS": "a key for tests that is long enough"}
        return super().environment() | more


class Storm:
    """Everything that acts and everything that fails, in an order that the seed decides."""

    def __init__(
        self,
        installation: Distributed,
        diaries: Sequence[Diary],
        *,
        database: Postgresql,
        redis: RedisServer,
        folder: Path,
        seed: int,
    ) -> None:
        self.installation = installation
        self.diaries = diaries
        self.database, self.redis, self.folder = database, redis, folder
        self.random = random.Random(seed)
        self.on_pages: list[OnPage] = []
        self.acts: Counter[str] = Counter()
        self.faults: Counter[str] = Counter()
        self.workers: list[Worker] = []
        self.freeze: Freeze | None = None
        self._ends: list[tuple[int, Callable[[], None]]] = []  # faults that end before so many acts are left

    @property
    def mailbox(self) -> Mailbox:
        return self.installation.mailbox

    # The storm.

    def rage(self, acts: int) -> None:
        faults = self._faults()
        order = [*faults, *self.random.choices(list(faults), k=acts // 6)]
        self.random.shuffle(order)
        for _ in range(2):
            self.workers.append(self.begin_worker())
        for diary in self.diaries:
            for person in diary.clients:
                self._book(diary, person)
        at = {round((n + 1) * acts / (len(order) + 1)): name for n, name in enumerate(order)}
        for n in range(acts):
            self._mend(n)
            if n in at:
                faults[at[n]](n)
                self.faults[at[n]] += 1
            self._act()
            self._breathe()
        self.end_faults()

    def end_faults(self) -> None:
        """Let everything be well again."""
        for _, end in self._ends:
            end()
        self._ends.clear()
        self.mailbox.forget_acts()
        for diary in self.diaries:
            diary.there.proxy.forget_scripts()
        self._thaw()
        while len(self.workers) < 2:
            self.workers.append(self.begin_worker())

    def stop(self) -> None:
        self.redis.thaw()
        if self.freeze is not None:
            self.freeze.thaw()
        for worker in self.workers:
            worker.stop()

    def begin_worker(self) -> Worker:
        environ = _INHERITED | self.installation.environment() | {"PYTHONPATH": str(ROOT)}
        lease_ms = str(round(LEASE / timedelta(milliseconds=1)))
        module = [sys.executable, "-m", "tests.journeys.brief_worker", self.installation.broker_url, lease_ms]
        wrapped: list[str | Path] = ["env", *[f"{name}={value}" for name, value in environ.items()], *module]
        stack = ExitStack()
        log = stack.enter_context((self.folder / "workers.log").open("ab"))
        return Worker(stack.enter_context(child(wrapped, log, stop=signal.SIGTERM)), stack)

    def _breathe(self) -> None:
        """Go on once something was told or written, or at once, or after a moment."""
        before, ends_at = self._events(), time.monotonic() + self.random.choice((0.0, 0.3, 0.6, 1.5))
        self.installation.until(lambda: self._events() != before or time.monotonic() >= ends_at, bool)

    def _events(self) -> int:
        return len(self.mailbox.messages) + sum(diary.there.proxy.count() for diary in self.diaries)

    def _mend(self, n: int) -> None:
        for ends, end in list(self._ends):
            if n >= ends:
                end()
                self._ends.remove((ends, end))
        freeze = self.freeze
        if freeze is not None and freeze.struck.is_set():
            if all(worker in freeze.workers for worker in self.workers):
                self.workers.append(self.begin_worker())
            if time.monotonic() > freeze.ends_at:
                self._thaw()

    # What fails.

    def _faults(self) -> dict[str, Callable[[int], None]]:
        return {
            "worker killed": lambda _: self._kill(),
            "workers frozen at a write": lambda _: self._freeze_at_write(held=False),
            "workers frozen, their write held": lambda _: self._freeze_at_write(held=True),
            "workers frozen at a letter": lambda _: self._freeze_at_letter(),
            "workers frozen": lambda _: self._freeze_now(),
            "redis flushed": lambda _: self.redis.flush(),
            "redis frozen": self._freeze_redis,
            "database restarted": lambda _: self.database.restart(),
            "answers lost": lambda _: self._script(lose_answer),
            "calendar busy": lambda _: self._script(says(503)),
            "mail refused for now": self._refuse_mail,
            "letter cut off": lambda _: self.mailbox.once("data", _cut_off, times=2),
            "letter taken, answer cut off": lambda _: self.mailbox.once("kept", _cut_off, times=2),
        }

    def _kill(self) -> None:
        self._thaw()
        self.workers.pop(self.random.randrange(len(self.workers))).kill()
        self.workers.append(self.begin_worker())

    def _new_freeze(self) -> Freeze:
        self._thaw()
        self.freeze = Freeze(list(self.workers))
        return self.freeze

    def _freeze_now(self) -> None:
        self._new_freeze().strike()

    def _freeze_at_letter(self) -> None:
        self.mailbox.once(self.random.choice(("rcpt", "data", "kept")), self._new_freeze().strike)

    def _freeze_at_write(self, *, held: bool) -> None:
        freeze = self._new_freeze()

        def script(_request: Any, forward: Callable[[], Any]) -> Any:
            freeze.strike()
            if held:
                freeze.thawed.wait(120)
            return forward()

        self.random.choice(self.diaries).there.proxy.once(self.random.choice(("PUT", "PUT", "DELETE")), script)

    def _thaw(self) -> None:
        """Let those who are frozen go on once they have lost what they had; one newcomer more is enough."""
        freeze, self.freeze = self.freeze, None
        if freeze is None:
            return
        if freeze.struck.is_set():
            self.installation.until(time.monotonic, lambda now: now > freeze.ends_at)
        freeze.thaw()
        while len(self.workers) > 3:
            self.workers.pop(0).kill()

    def _freeze_redis(self, n: int) -> None:
        self.redis.freeze()
        self._ends.append((n + 4, self.redis.thaw))

    def _refuse_mail(self, n: int) -> None:
        stage = self.random.choice(("mail", "rcpt", "data"))
        self.mailbox.refuse_with(451, at=stage)
        self._ends.append((n + 5, lambda: self.mailbox.refuse_with(None, at=stage)))

    def _script(self, script: Callable[..., Any]) -> None:
        proxy = self.random.choice(self.diaries).there.proxy
        for method, times in (("PUT", 2), ("DELETE", 1), ("REPORT", 1)):
            proxy.once(method, script, times=times)

    # What people do.

    def _act(self) -> None:
        diary = self.random.choice(self.diaries)
        standing = diary.standing()
        if len(standing) < len(diary.clients):
            self._book(diary, self.random.choice(diary.clients))
            return
        session = self.random.choice(standing)
        opened = [one for one in diary.offers_of(session) if one.state is OfferState.OPEN]
        name = self.random.choice(_ABOUT_OFFER if opened and self.random.random() < 0.7 else _ABOUT_SESSION)
        offer = opened[0] if opened else None
        acts: dict[str, Callable[[], object]] = {
            "book": lambda: self._book(diary, self.random.choice(diary.clients)),
            "move": lambda: self._edit(diary, session, Edit(when=self._time(diary, session), attestation=ATTESTED)),
            "correct": lambda: self._edit(
                diary, session, Edit(when=self._time(diary, session), reason=MoveReason.CORRECTION)
            ),
            "relocate": lambda: self._edit(diary, session, Edit(location=self.random.choice(PLACES))),
            "cancel": lambda: diary.practice.cancel(session),
            "offer": lambda: self._offer(diary, session),
        }
        if offer is not None:
            acts |= {
                "change": lambda: self._change(diary, offer),
                "drop": lambda: self._drop(diary, offer),
                "accept": lambda: self._accept(diary, offer),
                "reject": lambda: self._reject(diary, offer),
                "withdraw": lambda: diary.practice.withdraw(offer),
                "cancel booking": lambda: self._cancel_booking(diary, offer),
            }
        if name != "book":
            self._done(name, diary, acts[name])
        else:
            acts[name]()

    def _done(self, name: str, diary: Diary, act: Callable[[], T]) -> T | None:
        """Have somebody do something, again if the database was away or somebody stood in the way."""
        ends_at = time.monotonic() + 120
        while True:
            diary.practice.now = real_now().replace(microsecond=0)
            try:
                done = act()
            except RuleError:
                self.acts["refused"] += 1
                return None
            except OperationalError:
                assert time.monotonic() < ends_at, f"nobody could {name}: {self._who_blocks()}"
            else:
                self.acts[name] += 1
                return done

    def _who_blocks(self) -> list[Any]:
        """Every transaction that is open, how it waits, and for whom."""
        query = (
            "SELECT pid, pg_blocking_pids(pid), state, wait_event, now() - xact_start, now() - state_change,"
            " left(query, 90) FROM pg_stat_activity WHERE xact_start IS NOT NULL"
        )
        with psycopg.connect(self.database.url) as db:
            return db.execute(query).fetchall()

    def _book(self, diary: Diary, person: Client) -> None:
        hours = diary.slot()
        if booked := self._done("book", diary, lambda: diary.practice.book(hours, of=person)):
            diary.sessions.append(booked)
            diary.former[booked.id] = [hours]

    def _time(self, diary: Diary, session: Session) -> Any:
        """A new time, or one at which the session has stood before."""
        former = diary.former[session.id]
        hours = self.random.choice(former) if self.random.random() < 0.4 else diary.slot()
        former.append(hours)
        return when(hours)

    def _edit(self, diary: Diary, session: Session, edit: Edit) -> None:
        diary.practice.edit(session, edit)

    def _offer(self, diary: Diary, session: Session) -> None:
        hours = [diary.slot() for _ in range(self.random.choice((2, 3)))]
        window = timedelta(seconds=self.random.choice((4, 10, 86_400, 86_400)))
        diary.practice.offer(session, *hours, window=window)

    def _change(self, diary: Diary, offer: Offer) -> None:
        practice, alternative, to = diary.practice, self.random.choice(offer.standing), when(diary.slot())
        with practice.database.begin() as db:
            offers.move_alternative(db, practice.policy, offer.id, alternative.id, to, by=KIM, now=practice.now)

    def _drop(self, diary: Diary, offer: Offer) -> None:
        practice, alternative = diary.practice, self.random.choice(offer.standing)
        with practice.database.begin() as db:
            offers.withdraw_alternative(db, practice.policy, offer.id, alternative.id, by=KIM, now=practice.now)

    def _who(self, offer: Offer) -> Actor:
        """The client, if they have a link to the offer; support for them otherwise."""
        arrived = {str(mail.message["Message-ID"]) for mail in self.mailbox.messages}
        told = self._log(offer.session_id)
        return ALEX if any(one.notice.offer_id == offer.id and one.message_id in arrived for one in told) else SUPPORT

    def _log(self, session_id: UUID) -> Sequence[Any]:
        with self.installation.runtime.database.read() as db:
            return [one for one in messages.of_session(db, session_id) if one.to_client]

    def _accept(self, diary: Diary, offer: Offer) -> None:
        practice, alternative, by = diary.practice, self.random.choice(offer.standing), self._who(offer)
        letters = len(self.mailbox.messages)
        with practice.database.begin() as db:
            answers.accept(db, practice.policy, offer.id, alternative.id, by=by, now=practice.now)
        if by is ALEX:
            choice = practice.session(next(one for one in diary.sessions if one.id == offer.session_id))
            self.on_pages.append(OnPage(session_id=offer.session_id, letters=letters, offer_id=offer.id, choice=choice))

    def _reject(self, diary: Diary, offer: Offer) -> None:
        practice, by = diary.practice, self._who(offer)
        letters = len(self.mailbox.messages)
        with practice.database.begin() as db:
            answers.reject(db, practice.policy, offer.id, by=by, now=practice.now)
        if by is ALEX:
            self.on_pages.append(OnPage(session_id=offer.session_id, letters=letters, offer_id=offer.id))

    def _cancel_booking(self, diary: Diary, offer: Offer) -> None:
        practice, by = diary.practice, self._who(offer)
        with practice.database.begin() as db:
            answers.cancel_booking(db, practice.policy, offer.id, by=by, now=practice.now)


_ABOUT_SESSION = ("book", "move", "move", "correct", "relocate", "cancel", "offer", "offer", "offer", "offer")
_ABOUT_OFFER = ("change", "change", "drop", "accept", "accept", "reject", "withdraw", "cancel booking", "offer")


def _cut_off() -> None:
    raise CutOff


def open_diary(installation: Distributed, there: CaldavService, *, clients: int, number: int) -> Diary:
    """A practitioner with clients and a connected calendar."""
    use(installation.runtime, there)
    practice = Practice(
        installation.runtime.database, policy=installation.runtime.policy, now=installation.now, prompt=False
    )
    calendar = connect(practice, installation.runtime, there)
    people = [
        practice.another_client(client(name=f"Alex Client {n}", email=f"alex{number}{n}@client.example"))
        for n in range(clients)
    ]
    shift = (installation.now - NOW).total_seconds() / 3600
    return Diary(practice, calendar, there, people, shift)


def attached(installation: Distributed) -> Engine:
    """Have wake-ups sent for what is done in this process, as a web process does."""
    engine = app.create_engine(installation.runtime)
    engine.attach()
    return engine


def look(installation: Distributed, calendar: Calendar) -> None:
    """Have everything in a calendar read again, now."""
    with installation.runtime.database.begin() as db:
        calendars.forget_token(db, calendar.id)
        ledger.touch(db, Key(Kind.PULL, str(calendar.id)), due_at=real_now(), lane=calendar.lane)
