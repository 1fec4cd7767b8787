"""Practitioners and clients are changed, retired and taken back, and whatever follows is due."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from typing import TypeVar

import pytest
import sqlalchemy as sa

from connector.domain.notice import Notice, NoticeKind
from connector.domain.people import Actor, Client, Practitioner, Role
from connector.domain.session import Session
from connector.errors import RuleError, TimeTakenError
from connector.services import beliefs
from connector.services import people as changing
from connector.services.views.sessions import session_page
from connector.storage import people
from connector.storage.database import Database
from tests.services.connected import connect, on_sqlite, remote, work
from tests.services.practice import KeptLetters, Practice
from tests.services.waiting import until_it_waits

ROOT = Actor(role=Role.OPERATOR, name="root")
_T = TypeVar("_T")


def act(practice: Practice, do: Callable[[sa.Connection], _T]) -> _T:
    with practice.database.begin() as db:
        return do(db)


def change(practice: Practice, **changes: object) -> Sequence[Notice]:
    """Change Alex, and return what they are told next."""

    def do(db: sa.Connection) -> Sequence[Notice]:
        changed = changing.change_client(db, practice.alex.id, changes, by=ROOT, now=practice.now)
        return beliefs.next_to_client(db, changed.id, now=practice.now)

    return act(practice, do)


def change_kim(practice: Practice, **changes: object) -> Practitioner:
    return act(
        practice, lambda db: changing.change_practitioner(db, practice.kim.id, changes, by=ROOT, now=practice.now)
    )


def retire(practice: Practice) -> Client:
    return act(practice, lambda db: changing.retire_client(db, practice.alex.id, by=ROOT, now=practice.now))


def retire_kim(practice: Practice) -> Practitioner:
    return act(practice, lambda db: changing.retire_practitioner(db, practice.kim.id, by=ROOT, now=practice.now))


def lines(practice: Practice, session: Session) -> list[str]:
    with practice.database.read() as db:
        page = session_page(db, practice.policy, practice.kim.id, session.id, now=practice.now)
    return [line.what for line in page.timeline]


def letters(practice: Practice) -> list[tuple[str, NoticeKind]]:
    sender = practice.runtime.sender
    assert isinstance(sender, KeptLetters)
    return [(letter.notice.to.address, letter.notice.kind) for letter in sender.letters]


def test_at_a_new_address_a_client_is_told_what_is_still_true_and_nothing_of_what_is_over(practice: Practice) -> None:
    over, coming = practice.book(1), practice.book(48)
    practice.wait(hours=3)
    new = replace(practice.alex, email="new@client.example", phone="+4930123456")
    [announced] = change(practice, email=new.email, phone=new.phone)
    practice.mail()
    assert announced.session is not None
    assert announced.session.id == coming.id
    assert [told for told in letters(practice) if told[0] == new.email] == [(new.email, announced.kind)]
    assert lines(practice, coming)[-2:] == [
        "Changed about the client: e-mail address, telephone number",
        "Sent by e-mail: booking confirmation",
    ]
    assert "Changed" not in " ".join(lines(practice, over))
    with practice.database.read() as db:
        assert people.client(db, new.id) == new


@on_sqlite
def test_saving_a_client_unchanged_notes_nothing_and_tells_nobody(practice: Practice) -> None:
    booked = practice.book(48)
    before, told = lines(practice, booked), letters(practice)
    assert change(practice, name=practice.alex.name, email=practice.alex.email) == []
    practice.mail()
    assert (lines(practice, booked), letters(practice)) == (before, told)


@on_sqlite
def test_another_name_is_shown_in_the_calendar(practice: Practice) -> None:
    calendar = connect(practice)
    practice.book(48)
    work(practice, calendar)
    change(practice, name="Sasha Client")
    work(practice, calendar)
    assert [content.title for content in remote(practice).shown()] == ["Session: S. C."]


def test_another_buffer_is_kept_around_sessions_that_are_booked_already(practice: Practice) -> None:
    booked = practice.book(48)
    change_kim(practice, buffer=timedelta(minutes=15))
    assert practice.kept() == [(booked.when.span.start, booked.when.span.end + timedelta(minutes=15), "booked")]
    with pytest.raises(TimeTakenError):
        practice.book(49)


@on_sqlite
def test_a_buffer_by_which_sessions_would_collide_changes_nothing(practice: Practice) -> None:
    first = practice.book(48)
    practice.book(49)
    before = practice.kept()
    with pytest.raises(RuleError, match=first.id.hex[:8]):
        change_kim(practice, buffer=timedelta(minutes=30))
    assert practice.kept() == before
    with practice.database.read() as db:
        assert people.practitioner(db, practice.kim.id) == practice.kim


@on_sqlite
def test_nobody_is_retired_while_something_stands_and_each_is_named(practice: Practice) -> None:
    booked = practice.book(48)
    for attempt in (retire, retire_kim):
        with pytest.raises(RuleError, match=booked.id.hex[:8]):
            attempt(practice)
    practice.cancel(booked)
    connect(practice)
    assert retire(practice) == practice.alex
    with pytest.raises(RuleError, match="Disconnect them first"):
        retire_kim(practice)


@on_sqlite
def test_who_is_retired_takes_no_bookings_until_they_are_taken_back(practice: Practice) -> None:
    retire(practice)
    retire_kim(practice)
    with pytest.raises(RuleError, match="retired"):
        practice.book(48)
    for _ in range(2):  # a second time changes nothing
        act(practice, lambda db: changing.unretire_client(db, practice.alex.id, by=ROOT, now=practice.now))
    with pytest.raises(RuleError, match="retired"):
        practice.book(48)
    act(practice, lambda db: changing.unretire_practitioner(db, practice.kim.id, by=ROOT, now=practice.now))
    assert practice.book(48)


@pytest.mark.postgresql
def test_what_somebody_else_changes_of_a_client_meanwhile_is_kept(postgresql_database: Database) -> None:
    practice = Practice(postgresql_database)
    practice.book(48)
    with meanwhile(practice, lambda: change(practice, phone="+4915200000777")) as db:
        changing.change_client(db, practice.alex.id, {"email": "right@client.example"}, by=ROOT, now=practice.now)
    with practice.database.read() as db:
        now = people.client(db, practice.alex.id)
    assert (now.email, now.phone) == ("right@client.example", "+4915200000777")


@pytest.mark.postgresql
def test_what_somebody_else_changes_of_a_practitioner_meanwhile_is_kept(postgresql_database: Database) -> None:
    practice = Practice(postgresql_database)
    with meanwhile(practice, lambda: change_kim(practice, zone="Europe/London")) as db:
        buffer = {"buffer": timedelta(minutes=15)}
        changing.change_practitioner(db, practice.kim.id, buffer, by=ROOT, now=practice.now)
    with practice.database.read() as db:
        now = people.practitioner(db, practice.kim.id)
    assert (now.zone, now.buffer) == ("Europe/London", timedelta(minutes=15))


@contextmanager
def meanwhile(practice: Practice, do: Callable[[], object]) -> Iterator[sa.Connection]:
    """A transaction that ends only once somebody else, who has begun to do this, waits for it."""
    with ThreadPoolExecutor(1) as pool:
        with practice.database.begin() as db:
            yield db
            doing = pool.submit(do)
            until_it_waits(db, doing)
        doing.result()
