"""A filled database of every earlier version: nothing is lost or done twice, and what is new is done for it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from uuid import UUID, uuid4

import pytest
import sqlalchemy as sa
from _pytest.mark import ParameterSet

import providers
from connector.domain.connection import CalendarRole
from connector.domain.notice import NoticeKind
from connector.domain.offer import OfferState
from connector.domain.people import CLOCK
from connector.domain.span import Span
from connector.ports import Network
from connector.runtime import Runtime
from connector.services import erasing
from connector.services.policy import Policy
from connector.settings import Settings
from connector.storage import calendars, channels, ledger, migrations, needs, offers, questions, tables
from connector.storage.columns import metadata
from connector.storage.database import Database, read_url
from connector.storage.ledger import Key, Kind
from connector.storage.needs import NEEDS
from tests.conftest import SWEEP, Clock
from tests.services.practice import SEAL, KeptLetters
from tests.sweeps import EVERY_CASE
from tests.work.driver import Driver

from .stored import Stored, revisions

pytestmark = pytest.mark.slow


@dataclass(frozen=True)
class Upgraded:
    """An installation on a database of an earlier version, after `pencilled migrate`."""

    stored: Stored
    database: Database
    clock: Clock
    letters: KeptLetters

    @property
    def runtime(self) -> Runtime:
        return Runtime(
            settings=Settings(database_url=self.stored.url, public_url="https://pencilled.example"),
            database=self.database,
            seal=SEAL,
            policy=Policy(organizer="sessions@pencilled.example"),
            network=Network(),
            sender=self.letters,
            clock=self.clock,
            load_provider=providers.load,
        )

    def do_what_is_due(self, *, after: timedelta = timedelta()) -> None:
        self.clock.advance(after)
        Driver(runtime=self.runtime).carry_out()

    def times(self, name: str) -> list[Span]:
        return [content.span for content in self.stored.calendar(name).shown()]


def _urls(request: pytest.FixtureRequest, kind: str, tmp_path_name: str) -> str:
    if kind == "sqlite":
        return f"sqlite:///{request.getfixturevalue('tmp_path')}/{tmp_path_name}.sqlite3"
    url: str = request.getfixturevalue("empty_postgresql_url")
    return url


def _every_version() -> Iterator[ParameterSet]:
    """Every version at databases in turns, or at both in a whole sweep.

    At once the oldest, and the newest whose letters waited as messages.
    """
    kinds = ("sqlite", "postgresql")
    for n, revision in enumerate(revisions()):
        for kind in kinds:
            at_once = (kind, revision) in {("sqlite", "0001"), ("postgresql", "0006")}
            marks = [pytest.mark.postgresql] if kind == "postgresql" else []
            if at_once:
                yield pytest.param((kind, revision), marks=marks)
            elif SWEEP == EVERY_CASE or kind == kinds[n % 2]:
                yield pytest.param((kind, revision), marks=[*marks, pytest.mark.long])


@pytest.fixture(params=_every_version(), ids="-".join)
def stored(request: pytest.FixtureRequest) -> Stored:
    """A filled database of a version."""
    kind, revision = request.param
    stored = Stored(url=_urls(request, kind, "stored"), revision=revision)
    stored.fill()
    return stored


@contextmanager
def upgrade(stored: Stored) -> Iterator[Upgraded]:
    migrations.migrate(stored.url)
    database = Database(stored.url)
    try:
        yield Upgraded(stored, database, Clock(stored.now), KeptLetters())
    finally:
        database.dispose()


def check_what_people_are_told(upgraded: Upgraded, queued: list[str]) -> None:
    """What waited is told once, made anew from what stands, and nothing that was told is told again."""
    letters = [letter.notice.kind.value for letter in upgraded.letters.letters]
    assert sorted(letters) == queued
    with upgraded.database.read() as db:
        begun = tables.conversations.c.letter_id.is_not(None)
        assert db.execute(sa.select(tables.conversations).where(begun)).all() == []
        assert db.execute(sa.select(tables.pending_notices)).all() == []
        assert "queued" not in db.execute(sa.select(tables.messages.c.state)).scalars().all()


def queued_messages(url: str) -> list[str]:
    """Return the kinds of what waits to leave, in any version's schema."""
    engine = sa.create_engine(read_url(url))
    with engine.connect() as db:
        kinds = sorted(db.execute(sa.text("SELECT kind FROM messages WHERE state = 'queued'")).scalars())
    engine.dispose()
    return kinds


def test_what_waited_is_done_once_and_what_is_new_is_done_for_old_rows(stored: Stored) -> None:
    queued = queued_messages(stored.url)
    before = {name: stored.calendar(name).shown() for name in ("work", "private", "lost", "going")}
    assert len(queued) == 2
    with upgrade(stored) as upgraded:
        upgraded.do_what_is_due(after=timedelta(minutes=1))

        work = stored.calendar("work")
        shown = work.shown()
        assert [content for content in before["work"] if content not in shown] == []
        assert len(shown) == len(before["work"]) + 1  # the session whose entry was not written yet, and no double
        assert work.requests["put"] - work.requests["remove"] == 1  # beside it, a probe at most came and went
        assert stored.calendar("private").shown() == before["private"]
        assert stored.calendar("lost").shown() == before["lost"]  # closed to us
        assert [content for content in stored.calendar("going").shown() if content.span.end > stored.now] == []
        check_what_people_are_told(upgraded, queued)

        with upgraded.database.read() as db:
            for calendar in db.execute(sa.select(tables.calendars)).all():
                if calendar.name not in ("work", "private"):
                    continue
                assert calendar.busy_at is not None, calendar.name  # an offer is open
                if calendar.role == CalendarRole.TARGET.value:
                    check_looked_after(db, calendar)
            assert ledger.refused(upgraded.database) == []
            for need in NEEDS:
                assert needs._missing(db, need) == [], need.kind


def test_what_was_refused_is_neither_sent_nor_told_again_by_an_upgrade(tmp_path: Path) -> None:
    stored = Stored(url=f"sqlite:///{tmp_path}/stored.sqlite3", revision="0006")
    stored.fill()
    engine = sa.create_engine(read_url(stored.url))
    with engine.begin() as db:
        waiting = "SELECT session_id FROM messages WHERE to_client AND state <> 'sent' AND session_id IS NOT NULL"
        refused = f"UPDATE messages SET state = 'refused' WHERE to_client AND session_id NOT IN ({waiting})"  # noqa: S608
        assert db.execute(sa.text(refused)).rowcount
        db.execute(sa.text("UPDATE practitioners SET name = 'Kim Married'"))
    engine.dispose()
    queued = queued_messages(stored.url)
    with upgrade(stored) as upgraded:
        upgraded.do_what_is_due(after=timedelta(minutes=1))
        check_what_people_are_told(upgraded, queued)
        with upgraded.database.read() as db:
            kept = tables.conversations.c.refused.is_not(None)
            assert db.execute(sa.select(tables.conversations).where(kept)).all()


@pytest.mark.parametrize("state", ["booked", "cancelled"])
def test_calendars_that_nobody_waited_for_are_read_where_sessions_lie_ahead(tmp_path: Path, state: str) -> None:
    stored = Stored(url=f"sqlite:///{tmp_path}/stored.sqlite3", revision="0042")
    stored.fill()
    with _writing(stored.url) as db:
        db.execute(sa.text("UPDATE offers SET state = 'withdrawn'"))
        db.execute(sa.text("UPDATE sessions SET state = :state"), {"state": state})
        db.execute(sa.text("UPDATE due SET due_at = NULL, lease_until = NULL WHERE kind = 'busy'"))
    with upgrade(stored) as upgraded, upgraded.database.read() as db:
        kept = {row.name: str(row.id) for row in db.execute(sa.select(tables.calendars))}
        waits = {name: ledger.waits(db, Key(Kind.BUSY, kept[name])) for name in ("work", "private", "lost")}
    is_ahead = state == "booked"
    assert waits == {"work": is_ahead, "private": is_ahead, "lost": False}


@pytest.mark.long
@pytest.mark.parametrize("revision", ["0001", "0006"])
def test_whoever_an_earlier_version_has_stored_can_be_erased(tmp_path: Path, revision: str) -> None:
    stored = Stored(url=f"sqlite:///{tmp_path}/stored.sqlite3", revision=revision)
    stored.fill()
    with upgrade(stored) as upgraded:
        for _ in range(4):
            upgraded.do_what_is_due(after=timedelta(days=30))
        database, policy, now = upgraded.database, upgraded.runtime.policy, upgraded.clock()
        with database.read() as db:
            clients = db.execute(sa.select(tables.clients)).all()
        for client in clients:
            with database.begin() as db:
                erasing.erase(db, policy, client.id, by=CLOCK, now=now)
        with database.read() as db:
            rows = [row for table in metadata.sorted_tables for row in db.execute(sa.select(table))]
        texts = "\n".join(repr(tuple(row)) for row in rows)
        words = [word for client in clients for word in (client.name, client.email, client.phone) if word]
        assert words
        assert [word for word in words if word in texts] == []


def check_looked_after(db: sa.Connection, calendar: sa.Row[object]) -> None:
    """A calendar of ours is probed and watched, and will be read, probed and watched again."""
    assert calendar.probed_at is not None
    assert calendar.read_at is not None
    assert len(channels.of_calendar(db, calendar.id)) == 1
    for kind in (Kind.PULL, Kind.CHANNEL, Kind.PROBE):
        assert ledger.waits(db, Key(kind, str(calendar.id))), kind


def test_what_an_old_version_had_begun_comes_to_its_end(stored: Stored) -> None:
    with upgrade(stored) as upgraded:
        upgraded.do_what_is_due(after=timedelta(minutes=1))
        for _ in range(4):
            upgraded.do_what_is_due(after=timedelta(hours=7))
        with upgraded.database.read() as db:
            practitioner_id = db.execute(sa.select(tables.practitioners.c.id)).scalar_one()
            states = {row.session_id: row.state for row in db.execute(sa.select(tables.offers))}
            assert states[stored.session["offered"]] == OfferState.LAPSED.value
            assert states[stored.session["drafted"]] == OfferState.DRAFT.value
            assert not offers.open_of_practitioner(db, practitioner_id)
            assert not questions.open_of_practitioner(db, practitioner_id)  # it has answered itself
            answers = db.execute(sa.select(tables.questions.c.state)).scalars().all()
            assert answers == (["answered"] if stored.knows_questions else [])
            labels = db.execute(sa.select(tables.connections.c.label)).scalars()
            assert set(labels) == {"Kim's calendar", "Lost"}  # the third is disconnected
        assert [content for content in stored.calendar("work").shown() if content.title.startswith("Hold")] == []
        reminders = [letter for letter in upgraded.letters.letters if letter.notice.kind is NoticeKind.DRAFT_WAITING]
        assert len(reminders) == 1


def test_migrating_a_database_that_is_up_to_date_makes_nothing_due(sqlite_database: Database, sqlite_url: str) -> None:
    migrations.migrate(sqlite_url)
    with sqlite_database.read() as db:
        assert db.execute(sa.select(sa.func.count()).select_from(ledger.due)).scalar_one() == 0


UNTOUCHED = ("practitioners", "clients", "sessions", "offers", "alternatives", "occupancy", "mirrors", "facts")
BOTH = ["sqlite", pytest.param("postgresql", marks=[pytest.mark.postgresql, pytest.mark.long])]


@pytest.mark.parametrize("kind", BOTH)
def test_what_a_version_that_gave_up_had_given_up_is_written_and_all_else_is_as_it_was(
    request: pytest.FixtureRequest, kind: str
) -> None:
    stored = Stored(url=_urls(request, kind, "stored"), revision="0008")
    stored.fill()
    with _writing(stored.url) as db:
        parked = "UPDATE due SET due_at = NULL, parked_at = due_at, last_error = 'RefusedError' WHERE kind = 'calendar'"
        assert db.execute(sa.text(parked)).rowcount
        before = {name: _rows(db, name) for name in UNTOUCHED}
    shown = len(stored.calendar("work").shown())
    with upgrade(stored) as upgraded:
        with _writing(stored.url) as db:
            assert {name: _rows(db, name, like=before[name]) for name in UNTOUCHED} == before
        assert ledger.refused(upgraded.database) != []
        upgraded.do_what_is_due(after=timedelta(minutes=1))
        assert ledger.refused(upgraded.database) == []
        assert len(stored.calendar("work").shown()) == shown + 1


@pytest.mark.parametrize("kind", BOTH)
def test_a_calendar_that_was_connected_twice_stays_so_and_is_known(request: pytest.FixtureRequest, kind: str) -> None:
    stored = Stored(url=_urls(request, kind, "stored"), revision="0012")
    stored.fill()
    usual, other = "https://dav.example.org/kim/work/", "http://KIM@DAV.example.org:80/kim//w%6Frk"
    younger = uuid4().hex
    with _writing(stored.url) as db:
        [own] = db.execute(sa.text("SELECT id, connection_id FROM calendars WHERE name = 'work'")).all()
        db.execute(sa.text("UPDATE connections SET provider = 'caldav' WHERE id = :id"), {"id": own.connection_id})
        db.execute(sa.text("UPDATE calendars SET remote_id = :url WHERE id = :id"), {"url": usual, "id": own.id})
        _copy(db, "connections", own.connection_id, id=younger)
        late = datetime(2091, 1, 1, tzinfo=UTC)
        _copy(db, "calendars", own.id, id=younger, connection_id=younger, remote_id=other, created_at=late)
        before = {name: _rows(db, name) for name in ("connections", "calendars")}
        for row in before["calendars"]:
            del row["lane"]
    with upgrade(stored) as upgraded:
        with _writing(stored.url) as db:
            assert {name: _rows(db, name, like=before[name]) for name in before} == before
        with upgraded.database.read() as read:
            [double] = calendars.doubles(read)
        assert [one.id for one in double] == [UUID(str(own.id)), UUID(younger)], "the older one first"
        assert {one.identity for one in double} == {"caldav:dav.example.org/kim/work"}
        assert {one.lane for one in double} == {"caldav:dav.example.org"}


def test_work_waits_in_the_lane_of_its_server_or_account_and_is_as_urgent_as_its_kind(tmp_path: Path) -> None:
    stored = Stored(url=f"sqlite:///{tmp_path}/stored.sqlite3", revision="0015")
    stored.fill()
    servers = {"work": "https://Dav.Example.org:8443/kim/", "private": "https://dav.example.org/kim/private/"}
    with _writing(stored.url) as db:
        db.execute(sa.text("UPDATE connections SET provider = 'caldav' WHERE label = 'Kim''s calendar'"))
        for name, url in servers.items():
            db.execute(sa.text("UPDATE calendars SET remote_id = :url WHERE name = :name"), {"url": url, "name": name})
    with upgrade(stored) as upgraded, upgraded.database.read() as db:
        calendar_rows = db.execute(sa.select(tables.calendars)).all()
        lanes = {row.name: row.lane for row in calendar_rows}
        assert lanes["work"] == "caldav:dav.example.org:8443"
        assert lanes["private"] == "caldav:dav.example.org"
        assert lanes["lost"].startswith("memory:")
        assert lanes["lost"] != lanes["going"]
        due_rows = db.execute(sa.select(ledger.due)).all()
        lane_of = {str(row.id): row.lane for row in calendar_rows}
        for row in due_rows:
            assert row.lane == lane_of.get(row.id, "mail" if row.kind == "conversation" else ""), row.kind
            assert row.urgency <= Kind(row.kind).urgency or row.kind == "calendar"
        assert {row.kind for row in due_rows if row.urgency == ledger.Urgency.UPKEEP} >= {"pull", "channel", "probe"}


@contextmanager
def _writing(url: str) -> Iterator[sa.Connection]:
    """Write to a database of any version as somebody with SQL at hand does."""
    engine = sa.create_engine(read_url(url))
    try:
        with engine.begin() as db:
            yield db
    finally:
        engine.dispose()


def _rows(db: sa.Connection, table: str, *, like: list[dict[str, Any]] | None = None) -> list[dict[str, Any]]:
    """Return every row; only the columns that those have which it is compared with."""
    rows = [dict(row) for row in db.execute(sa.text(f'SELECT * FROM "{table}"')).mappings()]  # noqa: S608 - no input
    names = list(like[0]) if like else list(rows[0])
    return sorted(({name: row[name] for name in names} for row in rows), key=str)


def _copy(db: sa.Connection, table: str, row_id: object, **changes: object) -> None:
    """Store a row a second time, otherwise in some columns."""
    description = sa.Table(table, sa.MetaData(), autoload_with=db)
    [row] = db.execute(sa.select(description).where(description.c.id == row_id)).mappings()
    db.execute(sa.insert(description).values({**row, **changes}))
