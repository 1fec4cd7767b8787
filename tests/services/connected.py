"""A practice whose calendar is the memory service."""

from __future__ import annotations

from uuid import UUID

import pytest

from connector.domain.connection import Calendar
from connector.domain.people import Level
from connector.domain.question import Question
from connector.domain.reconcile import MirrorState
from connector.domain.session import Session
from connector.domain.span import Span
from connector.ports import Network, RemoteCalendarInfo
from connector.services.accounts import retarget as accounts_retarget
from connector.services.accounts.connect import ConnectionRequest
from connector.services.accounts.connect import connect as connect_account
from connector.services.sync import pull as sync_pull
from connector.services.sync import push as sync_push
from connector.storage import ledger, mirrors, questions
from connector.storage.ledger import Key, Kind
from providers.memory import provider as memory
from tests.domain.examples import KIM, when
from tests.services.fences import OURS
from tests.services.practice import SEAL, Practice

NETWORK = Network()

on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
"""Runs a story once, where its file runs everything on each kind of database."""


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


def question_or_none(practice: Practice, session: Session) -> Question | None:
    """What its practitioner is asked about a session."""
    with practice.database.read() as db:
        return questions.open_of(db, session.id)


def open_question(practice: Practice, session: Session) -> Question:
    """The question its practitioner is asked about a session; there must be one."""
    question = question_or_none(practice, session)
    assert question is not None
    return question


def retarget(practice: Practice, calendar: Calendar, name: str = "second", *, writable: bool = True) -> Calendar:
    """Have the entries go to another calendar of the account."""
    memory.store(str(practice.kim.id)).calendar(name)
    info = RemoteCalendarInfo(remote_id=name, name=name, writable=writable)
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
