"""A practice whose calendar is the memory service."""

from __future__ import annotations

from datetime import datetime
from uuid import UUID

import pytest

from connector.domain.connection import Calendar
from connector.domain.facts import Answer
from connector.domain.offer import Offer
from connector.domain.people import Level
from connector.domain.question import Question
from connector.domain.reconcile import MirrorState
from connector.domain.session import Session
from connector.domain.span import Span
from connector.ports import Network, RemoteCalendarInfo
from connector.services.accounts import retarget as accounts_retarget
from connector.services.accounts.connect import ConnectionRequest
from connector.services.accounts.connect import connect as connect_account
from connector.services.scheduling import questions
from connector.services.sync import free_busy
from connector.services.sync import pull as sync_pull
from connector.services.sync import push as sync_push
from connector.storage import ledger, mirrors
from connector.storage import questions as stored_questions
from connector.storage.ledger import Key, Kind
from providers.memory import provider as memory
from tests.domain.examples import ATTESTED, KIM, when
from tests.services.fences import OURS
from tests.services.practice import SEAL, Practice

NETWORK = Network()

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Runs a story, or all of a file, on SQLite only."""


def connect(practice: Practice, *, name: str = "calendar", level: Level | None = None) -> Calendar:
    """Connect a fresh memory calendar of that name."""
    identity = str(practice.kim.id)
    memory.store(identity).calendar(name)
    request = ConnectionRequest(
        provider=memory.PROVIDER,
        form={"address": identity, "password": "secret"},
        label="Kim's calendar",
        calendar=name,
        session_level=level,
        hold_level=level,
    )
    calendar = connect_account(practice.database, SEAL, NETWORK, practice.kim.id, request, by=KIM, now=practice.now)
    with practice.database.begin() as db:  # watching is made due by the tests that are about it
        ledger.forget(db, Key(Kind.CHANNEL, str(calendar.id)))
    return calendar


def remote(practice: Practice, name: str = "calendar") -> memory.MemoryCalendar:
    """The calendar itself, as its practitioner sees it."""
    return memory.store(str(practice.kim.id)).calendar(name)


def work(practice: Practice, calendar: Calendar) -> list[str]:
    """Write there what is due to be written, and return how that ended, claim by claim."""
    return [ending.how for ending in practice.carry_out(Kind.CALENDAR, of=[calendar])]


def look(practice: Practice, calendar: Calendar) -> list[str]:
    """Read what happened there if that is due, and return how that ended."""
    return [ending.how for ending in practice.carry_out(Kind.PULL, of=[calendar])]


def notify(practice: Practice, calendar: Calendar) -> None:
    """Have its service say that something has changed there."""
    with practice.database.begin() as db:
        ledger.touch(db, Key(Kind.PULL, str(calendar.id)), due_at=practice.now, lane=calendar.lane)


def push(practice: Practice, calendar: Calendar) -> list[str]:
    """Have its service say that something has changed there, and read what it was."""
    notify(practice, calendar)
    return look(practice, calendar)


def settle(practice: Practice, calendar: Calendar) -> None:
    """Let what was done there be noticed, settle, and take effect: all but the first look is due by itself."""
    push(practice, calendar)
    for _ in range(2):
        practice.carry_out(Kind.CALENDAR, Kind.PULL, of=[calendar])
        practice.wait(seconds=61)
    practice.carry_out(Kind.CALENDAR, Kind.PULL, of=[calendar])


def converge(practice: Practice, calendar: Calendar) -> int:
    """Bring it to what it should show by hand, due or not: for what that costs, returns and raises."""
    there = remote(practice, calendar.remote_id)
    return sync_push.converge(practice.database, practice.policy, calendar.id, there, clock=practice.clock, fence=OURS)


def pull(practice: Practice, calendar: Calendar) -> None:
    """Read what happened there by hand, due or not: for what that costs, stores and raises."""
    there = remote(practice, calendar.remote_id)
    sync_pull.pull(practice.database, practice.policy, calendar.id, there, fence=OURS, now=practice.now)


def href_at(practice: Practice, hours: float, name: str = "calendar") -> str:
    """Where the event of that time stands."""
    return next(href for href, event in remote(practice, name).events.items() if event.span == when(hours).span)


def times(practice: Practice, name: str = "calendar") -> list[Span]:
    """When something stands there."""
    return [content.span for content in remote(practice, name).shown()]


def book_and_show(practice: Practice, calendar: Calendar) -> Session:
    """Book a session, and have it stand in the calendar."""
    booked = practice.book(48)
    work(practice, calendar)
    push(practice, calendar)
    return booked


def offer_and_show(practice: Practice, calendar: Calendar, *hours: float) -> tuple[Session, Offer]:
    """Book a session and offer other times for it, and have all of it stand in the calendar."""
    booked = practice.book(48)
    offer = practice.offer(booked, *hours)
    work(practice, calendar)
    push(practice, calendar)
    return booked, offer


def book_and_show_in_two(practice: Practice, calendar: Calendar) -> tuple[Session, Calendar]:
    """Book a session, and have it stand in the calendar and in a second one of the same account."""
    second = connect(practice, name="second")
    booked = book_and_show(practice, calendar)
    work(practice, second)
    push(practice, second)
    return booked, second


def move_and_settle(practice: Practice, calendar: Calendar) -> tuple[Session, Question]:
    """Book a session, and have its practitioner asked about the move of its event by twelve hours."""
    booked = book_and_show(practice, calendar)
    remote(practice).move(href_at(practice, 48), when(60).span)
    settle(practice, calendar)
    return booked, open_question(practice, booked)


def question_or_none(practice: Practice, session: Session) -> Question | None:
    """What its practitioner is asked about a session."""
    with practice.database.read() as db:
        return stored_questions.open_of(db, session.id)


def open_question(practice: Practice, session: Session) -> Question:
    """The question its practitioner is asked about a session; there must be one."""
    question = question_or_none(practice, session)
    assert question is not None
    return question


def answer(practice: Practice, question: Question, choice: Answer) -> None:
    """Have its practitioner answer a question."""
    attestation = ATTESTED if choice is Answer.AGREED else None
    with practice.database.begin() as db:
        questions.answer(db, practice.policy, question.id, choice, by=KIM, now=practice.now, attestation=attestation)


def read_free_busy(practice: Practice, calendar: Calendar) -> datetime | None:
    """Read by hand when a calendar is not free, and return when to look again."""
    there = remote(practice, calendar.remote_id)
    return free_busy.read(practice.database, practice.policy, calendar.id, there, fence=OURS, now=practice.now)


def conflicts(practice: Practice, hours: float) -> tuple[str, ...]:
    """Where something else stands at that time."""
    with practice.database.read() as db:
        return free_busy.conflicts(db, practice.kim.id, when(hours).span)


def retarget(practice: Practice, calendar: Calendar, name: str = "second", *, writable: bool = True) -> Calendar:
    """Have the entries go to another calendar of the account."""
    memory.store(str(practice.kim.id)).calendar(name)
    identity = f"{practice.kim.id}/{name}"
    info = RemoteCalendarInfo(remote_id=name, name=name, writable=writable, identity=identity)
    with practice.database.begin() as db:
        return accounts_retarget.retarget(db, practice.policy, calendar.connection_id, info, by=KIM, now=practice.now)


def is_due(practice: Practice, key: Key) -> bool:
    """Whether this work waits to be done, now or later."""
    with practice.database.read() as db:
        return ledger.waits(db, key)


def doubtful(practice: Practice, calendar_id: UUID) -> int:
    """How many mirrors are in doubt."""
    with practice.database.read() as db:
        return sum(mirror.state is MirrorState.UNKNOWN for mirror in mirrors.every(db, calendar_id))
