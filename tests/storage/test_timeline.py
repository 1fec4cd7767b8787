"""Facts come back as what they were, whatever the classes are called today and whoever wrote them."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import msgspec
import pytest
import sqlalchemy as sa
from alembic import command

from connector.domain.facts import (
    BY_TAG,
    AnyFact,
    CalendarResumed,
    Disconnected,
    OfferSent,
    UnknownFact,
)
from connector.domain.people import Actor, Role
from connector.services.views import connections
from connector.services.views.timeline import line_of
from connector.storage import migrations, people, tables, timeline
from connector.storage.database import Database
from tests.domain.examples import practitioner, when
from tests.services.connected import connect
from tests.services.practice import Practice
from tests.services.telling import ENGLISH

# Every kind of fact as it was stored, and who, what and why it is told as: with its variants as version 0004 had it,
# and each that came after as it was first stored. A new kind adds its row; none is ever changed.
_ROWS = Path(__file__).parent.parent / "data" / "facts"
OLD_ROWS: list[dict[str, Any]] = json.loads((_ROWS / "0004.json").read_text(encoding="utf-8"))
LATER_ROWS: list[dict[str, Any]] = json.loads((_ROWS / "later.json").read_text(encoding="utf-8"))
NOW = datetime(2026, 11, 24, 9, 0, 30, tzinfo=UTC)
CALENDAR, CONNECTION, OTHER = UUID(int=7), UUID(int=3), UUID(int=8)


def to_version(url: str, version: str) -> None:
    with migrations._alone(url) as db:
        config = migrations._config()
        config.attributes["connection"] = db
        (command.downgrade if version < "0005" else command.upgrade)(config, version)


def insert(database: Database, practitioner_id: UUID, rows: Sequence[Mapping[str, Any]]) -> None:
    """Store rows in plain SQL, word for word."""
    names = ("kind", "session_id", "offer_id", "connection_id", "actor_role", "actor_name", "actor_reason", "details")
    columns = ", ".join(("at", "practitioner_id", *names))
    marks = ", ".join(f":{name}" for name in ("at", "practitioner_id", *names))
    plain = {"at": NOW.isoformat(sep=" "), "practitioner_id": stored(str(practitioner_id), database)}
    with database.begin() as db:
        for row in rows:
            ids = {name: stored(row[name], database) for name in names if name.endswith("_id")}
            db.execute(sa.text(f"INSERT INTO facts ({columns}) VALUES ({marks})"), {**row, **plain, **ids})  # noqa: S608


def stored(identity: str | None, database: Database) -> str | None:
    return identity.replace("-", "") if identity and database.embedded else identity


def old_calendars(database: Database, practitioner_id: UUID, *names: str) -> None:
    """Connect calendars of these names, the first of which is CALENDAR, in one connection."""
    with database.begin() as db:
        connection = {"label": "", "provider": "", "credentials": b"", "state": "ok", "sign_ins": 0, "created_at": NOW}
        owner = {"practitioner_id": practitioner_id}
        db.execute(sa.insert(tables.connections).values(id=CONNECTION, **owner, **connection))
        for number, name in enumerate(names):
            fixed = {"remote_id": "", "session_level": 2, "hold_level": 2, "firm_holds": False, "lane": ""}
            own = {"id": UUID(int=CALENDAR.int + number), "connection_id": CONNECTION, "name": name, "created_at": NOW}
            db.execute(sa.insert(tables.calendars).values(**own, **owner, **fixed))


@pytest.fixture
def owner(database: Database) -> UUID:
    kim = practitioner(email=f"kim-{uuid4().hex[:8]}@practice.example")
    with database.begin() as db:
        people.add_practitioner(db, kim, now=NOW)
    return kim.id


LATER = {BY_TAG[row["kind"]] for row in LATER_ROWS}  # kinds that version 0004 did not have


def everything(database: Database) -> list[AnyFact | UnknownFact]:
    with database.read() as db:
        return [timeline.fact_of(row) for row in db.execute(sa.select(tables.facts).order_by(tables.facts.c.id))]


def kinds(database: Database) -> list[str]:
    with database.read() as db:
        return list(db.execute(sa.text("SELECT kind FROM facts ORDER BY id")).scalars())


def test_rows_of_the_version_before_read_as_facts_and_are_told_in_the_same_words(
    database: Database, database_url: str, owner: UUID
) -> None:
    to_version(database_url, "0004")
    insert(database, owner, OLD_ROWS)

    migrations.migrate(database_url)

    stored_facts = everything(database)
    assert {type(fact) for fact in stored_facts} == set(BY_TAG.values()) - LATER
    lines = [line_of(fact, ENGLISH) for fact in stored_facts]
    assert [[line.who, line.what, line.why] for line in lines] == [row["told"] for row in OLD_ROWS]
    assert {line.at for line in lines} == {NOW}
    ids = [[fact.session_id, fact.offer_id, fact.connection_id] for fact in stored_facts]
    names = ("session_id", "offer_id", "connection_id")
    assert ids == [[UUID(row[name]) if row[name] else None for name in names] for row in OLD_ROWS]


def test_a_kind_that_came_later_reads_as_it_was_first_stored_and_is_told_in_the_same_words(
    sqlite_database: Database,
) -> None:
    practice = Practice(sqlite_database, prompt=False)
    insert(sqlite_database, practice.kim.id, LATER_ROWS)

    lines = [line_of(fact, ENGLISH) for fact in everything(sqlite_database)]

    assert [[line.who, line.what, line.why] for line in lines] == [row["told"] for row in LATER_ROWS]


def test_going_back_a_version_gives_back_the_rows_it_had(database: Database, database_url: str, owner: UUID) -> None:
    to_version(database_url, "0004")
    insert(database, owner, OLD_ROWS)
    migrations.migrate(database_url)

    to_version(database_url, "0004")

    assert kinds(database) == [row["kind"] for row in OLD_ROWS]
    with database.read() as db:
        details = db.execute(sa.text("SELECT details FROM facts ORDER BY id")).scalars().all()
    assert details == [row["details"] for row in OLD_ROWS]


def test_a_word_no_version_knows_is_left_as_it_is(database: Database, database_url: str, owner: UUID) -> None:
    to_version(database_url, "0004")
    insert(database, owner, [{**OLD_ROWS[0], "kind": "SessionSplit"}])
    migrations.migrate(database_url)
    assert kinds(database) == ["SessionSplit"]


@pytest.mark.parametrize(
    ("names", "calendar_id"), [(("Work", "Family"), CALENDAR), (("Work", "Work"), None), (("Job",), None)]
)
def test_an_old_row_learns_which_calendar_goes_on_where_its_name_is_certain(
    database: Database, database_url: str, owner: UUID, names: tuple[str, ...], calendar_id: UUID | None
) -> None:
    to_version(database_url, "0004")
    old_calendars(database, owner, *names)
    insert(database, owner, [next(row for row in OLD_ROWS if row["kind"] == "CalendarResumed")])

    migrations.migrate(database_url)

    [resumed] = everything(database)
    assert isinstance(resumed, CalendarResumed)
    assert resumed.calendar_id == calendar_id
    assert resumed.calendar == "Work"


def test_every_fact_comes_back_as_it_was_stored(database: Database, database_url: str, owner: UUID) -> None:
    to_version(database_url, "0004")
    insert(database, owner, OLD_ROWS)
    migrations.migrate(database_url)
    before = everything(database)
    readable = [fact for fact in before if not isinstance(fact, UnknownFact)]

    with database.begin() as db:
        db.execute(sa.delete(tables.facts))
        timeline.append(db, owner, readable)

    assert everything(database) == before


def test_a_sent_offer_comes_back_with_its_times_and_durations(sqlite_database: Database) -> None:
    practice = Practice(sqlite_database, prompt=False)
    booked = practice.book()
    offer = practice.offer(booked, 72, 96, window=timedelta(hours=5))
    with sqlite_database.read() as db:
        [sent] = [fact for fact in timeline.of_session(db, booked.id) if isinstance(fact, OfferSent)]
    assert sent.alternatives == (when(72), when(96))
    assert (sent.window, sent.expires_at, sent.offer_id) == (timedelta(hours=5), offer.expires_at, offer.id)
    assert sent.by == Actor(role=Role.PRACTITIONER, name="Kim Beispiel")


@pytest.mark.parametrize(
    ("kind", "details"),
    [
        ("session_split", '{"into": 2}'),
        ("session_flagged", '{"reason": "word_of_another_age"}'),
        ("offer_sent", "{}"),
        ("session_booked", '{"when": {"span": {"start": "2026-12-01T13:00:00Z", "end": "2026-12-01T13:00:00Z"}}}'),
    ],
)
def test_what_a_newer_version_has_noted_is_told_as_such_and_keeps_its_place(
    sqlite_database: Database, kind: str, details: str
) -> None:
    practice = Practice(sqlite_database, prompt=False)
    booked = practice.book()
    by = {"actor_role": "practitioner", "actor_name": "Kim", "actor_reason": "", "offer_id": None}
    row = {"kind": kind, "session_id": str(booked.id), "connection_id": None, "details": details, **by}
    insert(sqlite_database, practice.kim.id, [row])
    practice.cancel(booked)

    with sqlite_database.read() as db:
        stored_facts = timeline.of_session(db, booked.id)

    assert [type(fact).__name__ for fact in stored_facts] == ["SessionBooked", "UnknownFact", "SessionCancelled"]
    line = line_of(stored_facts[1], ENGLISH)
    assert line.what == f"Something that a newer version has noted, and this one cannot tell: {kind}"
    assert (line.who, line.at) == ("Kim", NOW)


@pytest.mark.parametrize(("role", "details"), [("assistant", "{}"), ("support", "{}"), ("practitioner", "[]")])
def test_what_an_unknown_actor_did_keeps_its_place_too(sqlite_database: Database, role: str, details: str) -> None:
    practice = Practice(sqlite_database, prompt=False)
    booked = practice.book()
    by = {"actor_role": role, "actor_name": "", "actor_reason": "", "offer_id": None}
    row = {"kind": "flag_cleared", "session_id": str(booked.id), "connection_id": None, "details": details, **by}
    insert(sqlite_database, practice.kim.id, [row])
    with sqlite_database.read() as db:
        last = timeline.of_session(db, booked.id)[-1]
    assert isinstance(last, UnknownFact)
    assert line_of(last, ENGLISH).who == role


def test_a_fact_nobody_could_read_is_never_stored_again(sqlite_database: Database) -> None:
    practice = Practice(sqlite_database, prompt=False)
    unknown = UnknownFact(at=NOW, by=Actor(role=Role.OPERATOR), stored_tag="session_split")
    with pytest.raises(AttributeError), sqlite_database.begin() as db:
        timeline.append(db, practice.kim.id, [unknown])


def test_a_disconnection_that_cannot_be_read_is_not_taken_for_none(sqlite_database: Database) -> None:
    practice = Practice(sqlite_database, prompt=False)
    connection = connect(practice).connection_id
    fact = Disconnected(at=practice.now, by=Actor(role=Role.CLOCK), connection_id=connection, label="A", left_behind=2)
    with sqlite_database.begin() as db:
        timeline.append(db, practice.kim.id, [fact])
    with sqlite_database.read() as db:
        assert len(connections.connection_list(db, practice.kim.id, now=practice.now).disconnected) == 1
    with sqlite_database.begin() as db:
        own = tables.facts.c.kind == Disconnected.tag
        db.execute(sa.update(tables.facts).where(own).values(details='{"label": "A", "left_behind": "some"}'))
    with sqlite_database.read() as db, pytest.raises(msgspec.ValidationError):
        connections.connection_list(db, practice.kim.id, now=practice.now)
