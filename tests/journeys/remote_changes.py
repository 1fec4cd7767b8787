"""A practitioner who does things in their calendar, told in the words of the tables in tests/data/remote_changes."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from connector.domain.connection import Calendar
from connector.domain.facts import Answer
from connector.domain.notice import NoticeKind
from connector.domain.offer import Offer
from connector.domain.people import Medium
from connector.domain.question import Question
from connector.domain.session import Session, SessionState
from connector.ports import RemoteCalendar
from connector.runtime import Runtime
from connector.services.scheduling.questions import answer
from connector.services.sync import pull, push
from connector.storage import ledger, offers, questions, tables
from connector.storage.ledger import Key, Kind
from connector.storage.messages import Message
from tests.domain.examples import ATTESTED, KIM, NOW, client, when
from tests.journeys.services import Service, Shown, connect, use
from tests.journeys.stage import Installation
from tests.services.fences import OURS
from tests.services.practice import Practice

TABLES = Path(__file__).parents[1] / "data" / "remote_changes"
HOLDS = {"hold": 0, "second": 1, "third": 2}
ELSEWHERE = 200


def rows(name: str) -> list[dict[str, str]]:
    """Read a table: one dict a row, by the names in its first line."""
    lines = [line for line in (TABLES / name).read_text().splitlines() if line.strip() and not line.startswith("#")]
    heads = [head.strip() for head in lines[0].split("|")]
    return [dict(zip(heads, (cell.strip() for cell in line.split("|")), strict=True)) for line in lines[1:]]


@dataclass
class Desk:
    """A practitioner at a calendar of one service, with everything done by hand and nothing in the background."""

    runtime: Runtime
    practice: Practice
    calendar: Calendar
    there: Service
    session: Session = field(init=False)
    offer: Offer | None = None
    places: dict[str, str] = field(default_factory=dict)
    heard: int = 0

    @property
    def remote(self) -> RemoteCalendar:
        return self.runtime.remote(self.calendar.id)

    def work(self) -> None:
        """Write to the calendar what is due to be written."""
        self.practice.carry_out(Kind.CALENDAR)

    def look(self) -> None:
        """Read what happened in it, if that is due."""
        self.practice.carry_out(Kind.PULL)

    def notify(self) -> None:
        """Have the service say that something has changed in it."""
        with self.practice.database.begin() as db:
            key = Key(Kind.PULL, str(self.calendar.id))
            ledger.touch(db, key, due_at=self.practice.now, lane=self.calendar.lane)

    def pass_by(self) -> int:
        """Read it once more, due or not, and return how many writes it would still take."""
        database, policy, calendar = self.practice.database, self.practice.policy, self.calendar.id
        pull.pull(database, policy, calendar, self.remote, fence=OURS, now=self.practice.now)
        return push.converge(database, policy, calendar, self.remote, clock=self.practice.clock, fence=OURS)

    def settle(self) -> None:
        """Let what was done be noticed, settle and take effect: all but the first look is due by itself."""
        self.notify()
        for _ in range(3):
            self.practice.carry_out(Kind.PULL, Kind.CALENDAR)
            self.practice.wait(seconds=61)
        self.practice.carry_out(Kind.PULL, Kind.CALENDAR)

    def begin(self, state: str) -> None:
        """Bring a session to a state, and show it."""
        practice = self.practice
        self.session = practice.book(48)
        practice.book(ELSEWHERE, of=practice.another_client(client(name="Bo Other", email="bo@client.example")))
        getattr(self, f"_{state}")()
        self._show()
        self.heard = len(practice.told(self.session))

    def _booked(self) -> None:
        pass

    def _drafted(self) -> None:
        self.offer = self.practice.draft(self.session, 72, 96, 120)

    def _open(self) -> None:
        self.offer = self.practice.offer(self.session, 72, 96, 120)

    def _single(self) -> None:
        self.offer = self.practice.offer(self.session, 72)

    def _accepted(self) -> None:
        self.offer = self.practice.offer(self.session, 72, 96)
        self._show()
        self.practice.accept(self.offer, 1)

    def _rejected(self) -> None:
        self.offer = self.practice.offer(self.session, 72, 96)
        self.practice.reject(self.offer)

    def _withdrawn(self) -> None:
        self.offer = self.practice.offer(self.session, 72, 96)
        self.practice.withdraw(self.offer)

    def _lapsed(self) -> None:
        self.offer = self.practice.offer(self.session, 72, window=timedelta(hours=1))
        self.practice.wait(hours=2)
        self.practice.carry_out(Kind.OFFER)

    def _cancelled(self) -> None:
        self.practice.cancel(self.session)

    def _over(self) -> None:
        self._show()
        self.practice.wait(hours=50)

    def _asked(self) -> None:
        self._show()
        self.there.hand.move(self._find(48).href, when(60).span)
        self.settle()

    def _show(self) -> None:
        self.work()
        self.look()
        self.work()

    def change(self, words: str) -> None:
        """Do what a row says, one change after the other."""
        for one in (part.strip() for part in words.split(",")):
            self._change(one.split())

    def _change(self, words: list[str]) -> None:
        hand = self.there.hand
        if words == ["look"]:
            self.notify()
            self.look()
            self.work()
            return
        subject, verb, *rest = words
        if subject == "add":
            hand.add(when(float(verb)).span)
            return
        href = self._place(subject)
        match verb:
            case "move":
                hand.move(href, when(float(rest[0])).span)
            case "all-day":
                hand.make_all_day(href)
            case "recurring":
                hand.make_recurring(href)
            case "retitle":
                hand.retitle(href, "Lunch")
            case "rezone":
                hand.rezone(href, "America/New_York")
            case "note":
                hand.note(href, "blue folder")
            case _:
                getattr(hand, verb)(href)

    def _place(self, subject: str) -> str:
        """Return where an entry stands, remembered from before anything was done to it."""
        if subject not in self.places:
            events = sorted(self._own(), key=lambda one: one.start)
            holds = [one.href for one in events if one.status == "tentative"]
            self.places |= dict(zip(HOLDS, holds, strict=False))
            self.places["session"] = next(one.href for one in events if one.status != "tentative")
        return self.places[subject]

    def _find(self, hours: float) -> Shown:
        return next(one for one in self._own() if one.start == when(hours).span.start)

    def _own(self) -> list[Shown]:
        """What stands in the calendar but the other client's session and what is foreign."""
        ours = self.there.shown()
        return [one for one in ours if one.start != when(ELSEWHERE).span.start or one.status == "tentative"]

    def answer(self, word: str) -> None:
        """Answer the open question, or let it answer itself."""
        practice = self.practice
        with practice.database.read() as db:
            question = questions.open_of(db, self.session.id)
        assert question is not None
        self.heard = len(practice.told(self.session))
        if word in ("silence", "unreachable"):
            if word == "unreachable":
                self._silence_client()
            practice.now = question.answers_itself_at
            practice.carry_out(Kind.QUESTION, Kind.OFFER)
            return
        attestation = ATTESTED if word == "agreed" else None
        with practice.database.begin() as db:
            answer(db, practice.policy, question.id, Answer(word), by=KIM, now=practice.now, attestation=attestation)

    def _silence_client(self) -> None:
        own = tables.clients.c.id == self.practice.alex.id
        with self.practice.database.begin() as db:
            db.execute(tables.clients.update().where(own).values(media=Medium.SMS.value))

    # What came of it, in the words of the tables

    def told_session(self) -> str:
        session = self.practice.session(self.session)
        if session.state is SessionState.CANCELLED:
            return "cancelled"
        return f"{_hours(session.when.span.start)}{'!' if session.flag else ''}"

    def told_offer(self) -> str:
        with self.practice.database.read() as db:
            session_offers = offers.of_session(db, self.session.id)
        if not session_offers:
            return "-"
        open_offers = [offer for offer in session_offers if offer.state.value == "open"]
        offer = (open_offers or session_offers)[0]
        if offer.state.value not in ("draft", "open"):
            return str(offer.state.value)
        times = sorted(alternative.when.span.start for alternative in offer.standing)
        return " ".join([offer.state.value, *map(_hours, times)])

    def told_question(self) -> str:
        question = self.question()
        if question is None:
            return "-"
        return f"{question.kind.value} {_hours(question.moved_to.span.start)}" if question.moved_to else "deleted"

    def question(self) -> Question | None:
        with self.practice.database.read() as db:
            return questions.open_of(db, self.session.id)

    def told_calendar(self) -> str:
        """Say what is ours in the calendar; what cannot be told from ours by its title is a fault."""
        own = [one for one in self._own() if one.title.startswith(("Session", "Hold"))]
        assert not [one for one in own if one.all_day or one.recurring]
        holds = {True: "H", False: "S"}
        ordered = sorted(own, key=lambda one: (one.status == "tentative", one.start))
        return " ".join(f"{holds[one.status == 'tentative']}{_hours(one.start)}" for one in ordered)

    def told_people(self, *, to_client: bool) -> str:
        kinds = [_kind(one) for one in self.practice.told(self.session)[self.heard :] if one.to_client is to_client]
        return " ".join(kinds) or "-"


def _kind(message: Message) -> str:
    revert = message.kind is NoticeKind.ENTRY_REVERTED
    return f"back:{message.notice.reason}" if revert else str(message.kind.value)


def _hours(at: object) -> str:
    return f"{(at - NOW) / timedelta(hours=1):g}"  # type: ignore[operator]


@contextmanager
def desk(there: Service, database_url: str) -> Iterator[Desk]:
    """Sit a practitioner down at a fresh calendar of a running service."""
    with Installation(database_url) as installation:
        use(installation.runtime, there)
        practice = installation.practice
        practice.runtime = installation.runtime
        calendar = connect(practice, installation.runtime, there)
        yield Desk(runtime=installation.runtime, practice=practice, calendar=calendar, there=there)
