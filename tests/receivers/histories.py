"""Random lives of sessions in a real practice with a mail server that is not always well, and what reaches a client."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field, replace
from random import Random
from uuid import uuid4

from connector.domain.facts import MoveReason
from connector.domain.notice import NoticeKind
from connector.domain.offer import Offer, OfferState
from connector.domain.session import Edit, Location, LocationKind, Session
from connector.domain.span import When
from connector.errors import RuleError
from connector.outbox.letters import compose
from connector.ports import Letter, NotSentError
from connector.sentence import Sentence
from connector.services.people import change_client
from connector.services.scheduling import offers
from connector.storage import offers as stored_offers
from connector.storage.database import Database
from connector.storage.due import Kind
from tests.domain.examples import KIM, PRACTICE, client, when
from tests.outbox.people import BRAND
from tests.receivers.broken import Change, altered, shown
from tests.receivers.mails import read
from tests.receivers.models import Shown
from tests.services.practice import Practice

STEPS = 14
HOURS = range(400, 520)  # far enough for every session to be still to come at the end
PLACES = (
    PRACTICE,
    Location(kind=LocationKind.ONLINE, text="https://meet.example.org/kim?a=1,2;b=3"),
    Location(kind=LocationKind.IN_PERSON, text="Birkenweg 4, 12345 Berlin; 2nd floor"),
)


@dataclass
class MailServer:
    """Takes letters, turns them away, or breaks off without a word whether it has taken one.

    `from_address` and `answers_read` are settings of the installation; `change` is a fault of ours in every letter.
    """

    pick: Random
    from_address: str = "sessions@pencilled.example"
    answers_read: bool = False
    change: Change | None = None
    taken: list[tuple[str, NoticeKind, bytes]] = field(default_factory=list)
    is_well: bool = True

    def send(self, letter: Letter) -> None:
        fate = "taken" if self.is_well else self.pick.choice(("taken", "refused", "taken in silence", "lost"))
        if fate == "refused":
            raise NotSentError(Sentence("the mail server refused the message (451 4.3.0)"), permanent=False)
        if fate != "lost":
            mail = compose(letter, brand=BRAND, from_address=self.from_address, answers_read=self.answers_read)
            sent = mail.as_bytes()
            if self.change is not None and read(sent) is not None:
                sent = altered(sent, self.change)
            self.taken.append((letter.notice.to.address, letter.notice.kind, sent))
        if fate != "taken":
            raise NotSentError(Sentence("the connection failed while sending"), permanent=False, unknown=True)


class History:
    """One history of a client's sessions: the same seed makes the same one."""

    def __init__(self, database: Database, seed: int, *, change: Change | None = None) -> None:
        self.pick = Random(seed)
        self.server = MailServer(self.pick, change=change)
        self.practice = Practice(database)
        self.practice.runtime.sender = self.server
        self.client = self.practice.another_client(client(email=_address()))
        self.addresses = [self.client.email]
        self.sessions = [self._book()]
        self.told: list[str] = ["booked"]

    def run(self) -> None:
        """Let things happen, and then let everything be told."""
        for _ in range(STEPS):
            self.server.is_well = self.pick.random() < 0.6
            self.practice.prompt = self.pick.random() < 0.8
            self._step()
        self.server.is_well = self.practice.prompt = True
        for _ in range(3):
            self.practice.wait(hours=5)
            self.practice.carry_out(Kind.OFFER, Kind.CONVERSATION)

    @property
    def mailboxes(self) -> dict[str, list[bytes]]:
        """What the client may have read, in its order: what came to their last address, or to all they have had."""
        taken = self.server.taken
        return {
            "the last mailbox": [mail for address, _, mail in taken if address == self.client.email],
            "every mailbox": [mail for address, _, mail in taken if address in self.addresses],
        }

    @property
    def kinds(self) -> set[NoticeKind]:
        """Of which kinds that was."""
        return {kind for address, kind, _ in self.server.taken if address in self.addresses}

    def agreed(self) -> list[Shown]:
        """What is to stand in the client's calendar: one entry a session, where it now stands."""
        return [entry for one in self.sessions for entry in shown(self.practice.session(one))]

    def _book(self) -> Session:
        return self.practice.book(self.pick.choice(HOURS), of=self.client)

    def _step(self) -> None:
        acts: tuple[Callable[[Session], str], ...] = (
            self._move,
            self._move,
            self._correct,
            self._relocate,
            self._offer,
            self._offer,
            self._answer,
            self._answer,
            self._change_the_offer,
            self._withdraw,
            self._cancel,
            self._another,
            self._time_passes,
            self._time_passes,
            self._change_the_client,
            self._change_the_settings,
        )
        session = self.practice.session(self.pick.choice(self.sessions))
        with suppress(RuleError):
            self.told.append("refused")
            self.told[-1] = self.pick.choice(acts)(session)

    def _when(self) -> When:
        return when(self.pick.choice(HOURS))

    def _move(self, session: Session) -> str:
        return f"moved to {self.practice.move(session, self._when()).when.local}"

    def _correct(self, session: Session) -> str:
        edit = Edit(when=self._when(), reason=MoveReason.CORRECTION, location=self.pick.choice((None, *PLACES)))
        return f"corrected to {self.practice.edit(session, edit).when.local}"

    def _relocate(self, session: Session) -> str:
        return f"relocated to {self.practice.edit(session, Edit(location=self.pick.choice(PLACES))).location.text}"

    def _offer(self, session: Session) -> str:
        hours = self.pick.sample(HOURS, self.pick.choice((1, 2, 3)))
        offer = self.practice.offer(session, *hours)
        return f"offered {[one.when.local for one in offer.alternatives]}"

    def _answer(self, session: Session) -> str:
        offer = self._open(session)
        answer = self.pick.choice(("accepted", "accepted", "accepted", "rejected", "cancelled by the client"))
        match answer:
            case "accepted":
                n = self.pick.randrange(len(offer.alternatives))
                self.practice.accept(offer, n)
            case "rejected":
                self.practice.reject(offer)
            case _:
                self.practice.cancel_booking(offer)
        return answer

    def _open(self, session: Session) -> Offer:
        with self.practice.database.read() as db:
            offer = stored_offers.in_state(db, session.id, OfferState.OPEN)
        if offer is None:
            raise RuleError("There is no open offer.", code="offer_closed")
        return offer

    def _change_the_offer(self, session: Session) -> str:
        offer = self._open(session)
        alternative = self.pick.choice(offer.alternatives)
        practice = self.practice
        with practice.database.begin() as db:
            offers.move_alternative(
                db, practice.policy, offer.id, alternative.id, self._when(), by=KIM, now=practice.now
            )
        return "an alternative moved"

    def _withdraw(self, session: Session) -> str:
        self.practice.withdraw(self._open(session))
        return "withdrawn"

    def _cancel(self, session: Session) -> str:
        self.practice.cancel(session)
        return "cancelled"

    def _another(self, _session: Session) -> str:
        self.sessions.append(self._book())
        return "another booked"

    def _time_passes(self, _session: Session) -> str:
        self.practice.wait(hours=self.pick.choice((1, 5, 13)))
        self.practice.carry_out(Kind.OFFER, Kind.CONVERSATION)
        return "time passes"

    def _change_the_client(self, _session: Session) -> str:
        """Have them read another language, be called something else, or read their mail elsewhere, or there again."""
        practice = self.practice
        address = self.pick.choice((_address(), *self.addresses))
        change = self.pick.choice(({"locale": "de"}, {"name": 'Zoë "Alex" Ölçek'}, {"email": address}))
        with practice.database.begin() as db:
            self.client = change_client(db, self.client.id, change, by=KIM, now=practice.now)
        self.addresses.append(self.client.email)
        if practice.prompt:
            practice.mail()
        return f"changed: {[*change]}"

    def _change_the_settings(self, _session: Session) -> str:
        """Have the operator write from another address, or read answers from now on, or no longer."""
        address = f"{self.pick.choice(('sessions', 'post', 'calendar'))}@pencilled.example"
        self.practice.policy = replace(self.practice.policy, organizer=address)
        self.server.from_address, self.server.answers_read = address, not self.server.answers_read
        return f"written from {address}, answers read: {self.server.answers_read}"


def _address() -> str:
    return f"alex-{uuid4().hex[:8]}@client.example"
