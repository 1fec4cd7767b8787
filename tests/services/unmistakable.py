"""A client who is told of in every place there is, in words that occur nowhere else."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import timedelta
from uuid import uuid4

import sqlalchemy as sa

from connector.domain.connection import Calendar
from connector.domain.facts import Answer, Attestation
from connector.domain.notice import Notice, NoticeKind, Recipient, Righted, Righting
from connector.domain.people import Actor, Client, Level, Medium, Role
from connector.domain.session import Edit, Location, LocationKind, Session
from connector.ports import Letter, NotSentError
from connector.sentence import Sentence
from connector.services import notices
from connector.services.people import change_client
from connector.services.scheduling import offers, questions, sessions
from connector.storage import tables
from connector.storage.columns import metadata
from tests.domain.examples import KIM, when
from tests.services.connected import connect, move_and_settle, push, work
from tests.services.practice import KeptLetters, Practice

WORDS = ("Zebulon", "Quaxwort", "Zoölina", "quax", "4915200000777", "Quaxgasse")
OPERATOR = Actor(role=Role.OPERATOR, name="root")
QUAX = Actor(role=Role.CLIENT, name="Zebulon Quaxwort")
HOME = Location(kind=LocationKind.IN_PERSON, text="Quaxgasse 7, rear building")
ROOM = Location(kind=LocationKind.ONLINE, text="https://meet.example/quax-room")
AGREED = "quax-pigeon"


@dataclass
class Moody(KeptLetters):
    """A mail server that refuses for good what goes to this address, is away, or says nothing of a letter's fate."""

    refuses: str = ""
    away: bool = False
    fate_unknown: bool = False

    def send(self, letter: Letter) -> None:
        if self.away:
            raise NotSentError(Sentence("the mail server is away"), permanent=False)
        if self.fate_unknown:
            raise NotSentError(Sentence("the connection broke"), permanent=False, unknown=True)
        if letter.notice.to.address == self.refuses:
            raise NotSentError(Sentence("no mailbox quax@client.example"), permanent=True)
        super().send(letter)


@dataclass
class Told:
    """The practice, and the client of whom everything is told."""

    practice: Practice
    calendar: Calendar
    zeb: Client
    sessions: list[Session]

    def texts(self) -> str:
        """Every row of every table, as one text."""
        with self.practice.database.read() as db:
            rows = [row for table in metadata.sorted_tables for row in db.execute(sa.select(table))]
        return "\n".join(repr(tuple(row)) for row in rows)


def told(practice: Practice) -> Told:
    """Fill a practice through public doors, until all of it is over."""
    mail = Moody()
    practice.runtime = replace(practice.runtime, sender=mail)
    practice.policy = replace(practice.policy, media=frozenset(Medium))
    calendar = connect(practice, level=Level.FULL)
    _another_about_them(practice)
    zeb = practice.another_client(
        Client(
            id=uuid4(),
            name="Zoölina Quaxwort",
            zone="Europe/London",
            email="quax@former.example",
            phone="+4915200000777",
            media=frozenset({Medium.EMAIL, Medium.SMS}),
            texts_agreed=True,
        )
    )
    practice.alex = zeb
    first, question = move_and_settle(practice, calendar)
    with practice.database.begin() as db:
        agreed = Attestation(who="Mrs Quaxwort", at=practice.now, channel=AGREED)
        questions.answer(db, practice.policy, question.id, Answer.AGREED, by=KIM, now=practice.now, attestation=agreed)
    zeb = replace(zeb, name="Zebulon Quaxwort", email="quax@client.example")
    with practice.database.begin() as db:
        change_client(db, zeb.id, {"name": zeb.name, "email": zeb.email}, by=OPERATOR, now=practice.now)
    practice.mail()
    practice.edit(first, Edit(location=HOME))
    practice.edit(first, Edit(location=ROOM))
    mail.refuses = zeb.email
    cancelled = practice.book(100)
    with practice.database.begin() as db:
        sessions.cancel(
            db, practice.policy, cancelled.id, by=KIM, now=practice.now, reason="their quax is ill, they say"
        )
    practice.mail()
    mail.refuses = ""
    offered = _offered(practice)
    work(practice, calendar)
    push(practice, calendar)
    _of_a_newer_version(practice, offered)
    _after_a_restore(practice)
    practice.now += timedelta(days=20)
    mail.away = True  # so that something waits
    work(practice, calendar)
    return Told(practice, calendar, zeb, [first, cancelled, offered])


def _another_about_them(practice: Practice) -> None:
    """Have the timeline of somebody else's session tell of them, too."""
    support = Actor(role=Role.SUPPORT, name="Robin", reason="swapped with Zebulon Quaxwort")
    with practice.database.begin() as db:
        booked = sessions.book(
            db,
            practice.policy,
            practitioner_id=practice.kim.id,
            client_id=practice.alex.id,
            when=when(480),
            location=Location(kind=LocationKind.PHONE, text="Kim calls"),
            by=support,
            now=practice.now,
        )
    practice.mail()
    practice.cancel(booked)


def _offered(practice: Practice) -> Session:
    """Have them rearrange a session, and turn another offer down."""
    offered = practice.book(200)
    with practice.database.begin() as db:
        draft = offers.draft(
            db, practice.policy, offered.id, [(when(224), HOME), (when(248), None)], by=KIM, now=practice.now
        )
        offers.send(db, practice.policy, draft.id, by=KIM, now=practice.now)
    practice.mail()
    practice.accept(draft, 0, by=QUAX)
    second = practice.offer(offered, 272)
    practice.reject(second)
    third = practice.offer(offered, 272)
    support = Actor(role=Role.SUPPORT, name="Robin", reason="quax on the phone")
    practice.accept(third, 0, by=support)
    return offered


def _of_a_newer_version(practice: Practice, session: Session) -> None:
    """Have the timeline tell of them in words that this version cannot read."""
    row = {
        "at": practice.now,
        "practitioner_id": practice.kim.id,
        "session_id": session.id,
        "actor_role": "operator",
        "actor_name": "root",
        "actor_reason": "",
    }
    with practice.database.begin() as db:
        for kind in ("from_the_future", "session_flagged"):
            db.execute(sa.insert(tables.facts).values(row | {"kind": kind, "details": '{"reason":"quax says so"}'}))


def _after_a_restore(practice: Practice) -> None:
    """Have a list and an unknown entry name them, as a restore leaves them behind."""
    notice = Notice(
        kind=NoticeKind.RESTORED,
        to=Recipient.of(practice.kim),
        practitioner_name=practice.kim.name,
        righted=(
            Righted(what=Righting.MOVED, when=when(48), about="Zebulon Quaxwort"),
            Righted(what=Righting.UNKNOWN, when=when(48), about="Session: Zoölina"),
            Righted(what=Righting.MOVED, when=when(48), about="Somebody Else"),
        ),
    )
    with practice.database.begin() as db:
        notices.tell_practitioner(db, practice.kim, notice, now=practice.now)
        [calendar] = db.execute(sa.select(tables.calendars.c.id)).scalars()
        row = {"calendar_id": calendar, "name": "n", "href": "/n", "title": "Hold: Zebulon Quaxwort", "fate": "asked"}
        db.execute(sa.insert(tables.unknown_entries).values(row))
    practice.mail()
