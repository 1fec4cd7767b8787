"""Whoever changes a row, or what is shown of it, raises its version: nobody else goes over what they have not seen."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa

from connector.domain.connection import ConnectionState
from connector.domain.people import Consent, Level
from connector.errors import ExistsError
from connector.sentence import Sentence
from connector.storage import busy, calendars, offers, people, sessions
from connector.storage.database import Database
from connector.storage.versions import SILENT, VERSIONED, raising
from tests.domain.examples import ALEX, NOW, client, practitioner
from tests.services import connected
from tests.services.practice import Practice

STORAGE = Path(people.__file__).parent


def version(database: Database, table: sa.Table, row_id: UUID) -> int:
    with database.read() as db:
        found: int = db.execute(sa.select(table.c.version).where(table.c.id == row_id)).scalar_one()
    return found


def test_nobody_updates_these_tables_in_another_way() -> None:
    names = "|".join(table.name for table in VERSIONED)
    for path in STORAGE.glob("*.py"):
        if path.stem != "versions":
            assert not re.search(rf"\bupdate\((tables\.)?({names})\)", path.read_text(encoding="utf-8")), path.name


@pytest.mark.parametrize("table", VERSIONED, ids=lambda table: table.name)
def test_what_is_silent_is_a_column(table: sa.Table) -> None:
    assert SILENT.get(table, frozenset()) <= set(table.c.keys())


def test_each_change_of_a_person_counts_and_what_changes_nothing_does_not(database: Database) -> None:
    alex, kim = client(phone="+4930123456"), practitioner(email=f"{uuid4().hex}@practice.example")
    with database.begin() as db:
        people.add_client(db, alex, now=NOW)
        people.add_practitioner(db, kim, now=NOW)
    acts: list[tuple[UUID, Callable[[sa.Connection], object]]] = [
        (alex.id, lambda db: people.save_client(db, replace(alex, name="Al"))),
        (alex.id, lambda db: people.save_client(db, replace(alex, name="Al", external_id="u1"))),
        (alex.id, lambda db: people.readdress_client(db, alex.id, "b@client.example")),
        (alex.id, lambda db: people.agree_to_texts(db, alex.id, Consent(at=NOW, by="x"), now=NOW)),
        (alex.id, lambda db: people.agree_to_texts(db, alex.id, None, now=NOW)),
        (alex.id, lambda db: people.retire_client(db, alex.id, now=NOW)),
        (kim.id, lambda db: people.save_practitioner(db, replace(kim, takes_replies=True))),
        (kim.id, lambda db: people.retire_practitioner(db, kim.id, now=NOW)),
    ]
    for row_id, act in acts:
        table = VERSIONED[1] if row_id == alex.id else VERSIONED[0]
        before = version(database, table, row_id)
        for _ in range(2):  # the second time nothing is another
            with database.begin() as db:
                act(db)
            assert version(database, table, row_id) == before + 1


def test_a_session_shows_its_offers_and_an_offer_its_alternatives(database: Database) -> None:
    practice = Practice(database)
    session = practice.book(48)

    def versions() -> int:
        with database.read() as db:
            return sessions.get(db, session.id).version

    before = versions()
    offer = practice.offer(session, 72, 96)
    sent = versions()
    assert sent > before
    with database.begin() as db:
        stored = offers.get(db, offer.id)
        offers.save(db, stored, was=stored.state)
        assert offers.get(db, offer.id).version == stored.version + 1
    assert versions() == sent, "what stays open leaves its session as it was"
    practice.accept(offer, 0, by=ALEX)
    assert versions() > sent


def test_what_a_connection_shows_counts_with_its_calendars_and_what_changes_with_every_look_does_not(
    database: Database,
) -> None:
    calendar = connected.connect(Practice(database))
    connection_id = calendar.connection_id
    trouble, least = Sentence("it is full"), Level.BUSY

    def shown() -> int:
        with database.read() as db:
            return calendars.connection(db, connection_id).version

    def does(act: Callable[[sa.Connection], object]) -> int:
        """Return by how much the version is raised by doing something twice."""
        before = shown()
        for _ in range(2):  # the second time nothing is another
            with database.begin() as db:
                act(db)
        return shown() - before

    lost, target = ConnectionState.ACCESS_LOST, calendar.id
    assert [
        does(lambda db: calendars.name_connection(db, connection_id, "c1")),
        does(lambda db: calendars.set_levels(db, target, session_level=least, hold_level=least)),
        does(lambda db: calendars.note_hold_strength(db, target, firm=not calendar.disclosure.firm_holds, now=NOW)),
        does(lambda db: calendars.pause(db, target, "emptied", count=3, now=NOW)),
        does(lambda db: calendars.resume(db, target)),
        does(lambda db: busy.note_trouble(db, target, trouble)),
        does(lambda db: calendars.set_state(db, connection_id, lost)),
    ] == [1] * 7
    assert [
        does(lambda db: calendars.set_credentials(db, connection_id, b"others", signed_in=True)),
        does(lambda db: calendars.note_read(db, target, "a token", now=NOW)),
        does(lambda db: calendars.note_written(db, target, now=NOW)),
        does(lambda db: calendars.note_compared(db, target, now=NOW, again_at=NOW)),
        does(lambda db: busy.outdate(db, target, now=NOW)),
    ] == [0] * 5


def test_an_external_id_is_of_one_row_of_its_table(database: Database) -> None:
    practice = Practice(database)
    first, second = practice.book(48), practice.book(96)
    with database.begin() as db:
        sessions.name(db, first.id, "s1")
    with pytest.raises(ExistsError, match="s1"), database.begin() as db:
        sessions.name(db, second.id, "s1")
    with database.read() as db:
        found = sessions.by_external_id(db, "s1")
    assert found is not None
    assert found.id == first.id


def test_what_is_stored_for_ourselves_alone_raises_nothing() -> None:
    calendars = VERSIONED[-1]
    assert "version" not in str(raising(calendars, {"read_at": NOW, "sync_token": "x"}))
    assert "version" in str(raising(calendars, {"read_at": NOW, "paused": "x"}))
