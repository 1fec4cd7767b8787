"""Disconnecting leaves nothing of ours behind, wherever the process dies on the way."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress

import pytest
import sqlalchemy as sa

from connector.domain.connection import Calendar, ConnectionState
from connector.domain.facts import Disconnected
from connector.errors import AccessLostError, MissingError, RefusedError, RuleError, TransientError
from connector.ports import Account, RemoteCalendarInfo
from connector.services.accounts import connect, disconnect
from connector.services.accounts.connect import NewConnection
from connector.services.sync import push
from connector.storage import calendars, tables, timeline
from connector.storage.database import Database
from connector.storage.due import due
from connector.storage.ledger import Kind
from connector.storage.tokens import StoredTokens
from providers.memory import provider as memory
from tests.domain.examples import KIM
from tests.services import connected
from tests.services.channels import watch
from tests.services.connected import NETWORK, remote, work
from tests.services.crashes import POINTS, CrashError, MortalDatabase
from tests.services.fences import OURS
from tests.services.practice import SEAL, Practice


class Grant:
    """An account whose permission can be given back, and where its calendars are reached as ever."""

    def __init__(self, account: Account, faults: list[Exception]) -> None:
        self.calendars, self.open = account.calendars, account.open
        self.faults = faults
        self.revoked = 0

    def revoke(self) -> None:
        if self.faults:
            raise self.faults.pop(0)
        self.revoked += 1


@pytest.fixture
def practice(sqlite_database: Database) -> Iterator[Practice]:
    practice = Practice(sqlite_database)
    yield practice
    memory.forget(str(practice.kim.id))


@pytest.fixture
def calendar(practice: Practice) -> Calendar:
    """A calendar with a session that is over, one to come, and the three holds of an offer."""
    return filled(practice)


def filled(practice: Practice) -> Calendar:
    calendar = connected.connect(practice)
    practice.book(2)
    booked = practice.book(48)
    work(practice, calendar)
    practice.wait(hours=12)
    practice.offer(booked, 72, 96, 120)
    work(practice, calendar)
    remote(practice).add_foreign(booked.when.span)
    return calendar


def account(practice: Practice, calendar: Calendar, *faults: Exception) -> Grant:
    tokens = StoredTokens(practice.database, SEAL, calendar.connection_id)
    return Grant(memory.PROVIDER.account(tokens, NETWORK), list(faults))


def begin(practice: Practice, calendar: Calendar) -> None:
    with practice.database.begin() as db:
        disconnect.begin(db, practice.policy, calendar.connection_id, by=KIM, now=practice.now)


def finish(practice: Practice, calendar: Calendar, account: Account) -> None:
    disconnect.finish(
        practice.database,
        practice.policy,
        SEAL,
        calendar.connection_id,
        account,
        account_key=memory.PROVIDER.account_key,
        clock=practice.clock,
        fence=OURS,
    )


def disconnected(practice: Practice, calendar: Calendar, *faults: Exception) -> Grant:
    begin(practice, calendar)
    grant = account(practice, calendar, *faults)
    finish(practice, calendar, grant)
    return grant


def titles(practice: Practice) -> list[str]:
    """What stands in the calendar."""
    return [content.title for content in remote(practice).shown()]


def row_counts(practice: Practice) -> dict[str, int]:
    """How many rows there are of all that a connection leaves."""
    counts = {}
    with practice.database.read() as db:
        for table in (tables.connections, tables.calendars, tables.mirrors, tables.channels):
            counts[table.name] = db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()
        kinds = [kind.value for kind in (Kind.CALENDAR, Kind.PULL, Kind.CHANNEL)]
        work = sa.select(sa.func.count()).where(due.c.kind.in_(kinds), due.c.due_at.is_not(None))
        counts["due"] = db.execute(work).scalar_one()
    return {name: number for name, number in counts.items() if number}


def recorded(practice: Practice, calendar: Calendar) -> list[tuple[str, int | None]]:
    """The facts of its connection, each with how many entries were left behind."""
    with practice.database.read() as db:
        facts = timeline.of_connection(db, calendar.connection_id)
    return [(type(fact).__name__, fact.left_behind if isinstance(fact, Disconnected) else None) for fact in facts]


def test_entries_to_come_are_removed_and_those_over_or_not_ours_stay(practice: Practice, calendar: Calendar) -> None:
    assert titles(practice) == ["Session: A. C.", "Dentist", "Session: A. C.", *["Hold: A. C."] * 3]
    grant = disconnected(practice, calendar)
    assert titles(practice) == ["Session: A. C.", "Dentist"]
    assert row_counts(practice) == {}
    assert grant.revoked == 1
    assert recorded(practice, calendar)[-2:] == [("DisconnectRequested", None), ("Disconnected", 0)]


def test_its_channels_are_closed(practice: Practice, calendar: Calendar) -> None:
    watch(practice, calendar)
    assert remote(practice).channels
    disconnected(practice, calendar)
    assert remote(practice).channels == {}
    assert row_counts(practice) == {}


def test_beginning_makes_only_the_clearing_due(practice: Practice, calendar: Calendar) -> None:
    begin(practice, calendar)
    begin(practice, calendar)
    with practice.database.read() as db:
        query = sa.select(due.c.kind).where(due.c.id == str(calendar.id), due.c.due_at.is_not(None))
        assert db.execute(query).scalars().all() == ["calendar"]
    assert [kind for kind, _ in recorded(practice, calendar)].count("DisconnectRequested") == 1


def test_nothing_more_is_written_to_a_calendar_that_is_being_disconnected(
    practice: Practice, calendar: Calendar
) -> None:
    begin(practice, calendar)
    practice.book(200)
    with practice.database.read() as db:
        assert push.picture(db, practice.policy, calendar.id, now=practice.now).wanted == ()
    disconnected(practice, calendar)
    assert titles(practice) == ["Session: A. C.", "Dentist"]


def test_losing_access_does_not_stop_a_disconnection_nor_tell_anybody(practice: Practice, calendar: Calendar) -> None:
    begin(practice, calendar)
    with practice.database.begin() as db:
        connect.note_access_lost(db, calendar.connection_id, now=practice.now)
        assert calendars.connection(db, calendar.connection_id).state is ConnectionState.DISCONNECTING
        assert db.execute(sa.select(tables.messages.c.kind)).scalars().all().count("access_lost") == 0


def test_a_disconnection_that_was_refused_ends_at_the_next_try(practice: Practice, calendar: Calendar) -> None:
    with practice.database.begin() as db:
        disconnect.begin(db, practice.policy, calendar.connection_id, by=KIM, now=practice.now)
    remote(practice).fail(RefusedError("not now"), on="remove", times=50)
    assert work(practice, calendar)[-1] == "refused"
    remote(practice)._faults.clear()
    practice.wait(hours=1)
    assert work(practice, calendar) == ["done"]
    with practice.database.read() as db:
        assert calendars.connections_of(db, practice.kim.id) == []


def test_what_is_being_disconnected_cannot_be_reauthorized(practice: Practice, calendar: Calendar) -> None:
    begin(practice, calendar)
    with practice.database.begin() as db, pytest.raises(RuleError, match="being disconnected"):
        connect.reauthorize(db, SEAL, calendar.connection_id, {"a": "b"}, by=KIM, now=practice.now)


def test_access_that_is_lost_already_ends_it_at_once_and_the_number_left_is_kept(
    practice: Practice, calendar: Calendar
) -> None:
    with practice.database.begin() as db:
        connect.note_access_lost(db, calendar.connection_id, now=practice.now)
    remote(practice).requests.clear()
    begin(practice, calendar)
    assert row_counts(practice) == {}
    assert not remote(practice).requests
    assert recorded(practice, calendar)[-1] == ("Disconnected", 4)


def test_access_that_is_lost_on_the_way_ends_it_too(practice: Practice, calendar: Calendar) -> None:
    remote(practice).fail(AccessLostError("the token was revoked"), on="remove")
    grant = disconnected(practice, calendar)
    assert row_counts(practice) == {}
    assert grant.revoked == 0
    assert recorded(practice, calendar)[-1] == ("Disconnected", 4)


def test_an_outage_keeps_everything_for_the_next_try(practice: Practice, calendar: Calendar) -> None:
    remote(practice).offline = TransientError("down")
    with pytest.raises(TransientError):
        disconnected(practice, calendar)
    assert set(row_counts(practice)) == {"connections", "calendars", "mirrors", "due"}
    remote(practice).offline = None
    disconnected(practice, calendar)
    assert titles(practice) == ["Session: A. C.", "Dentist"]
    assert row_counts(practice) == {}


def test_somebody_may_stop_waiting_for_a_calendar_that_never_answers(practice: Practice, calendar: Calendar) -> None:
    remote(practice).offline = TransientError("down")
    with pytest.raises(TransientError):
        disconnected(practice, calendar)
    with practice.database.begin() as db:
        disconnect.give_up(db, practice.policy, calendar.connection_id, by=KIM, now=practice.now)
    assert row_counts(practice) == {}
    assert recorded(practice, calendar)[-1] == ("Disconnected", 4)
    finish(practice, calendar, memory.PROVIDER.account(_Nothing(), NETWORK))  # the worker comes too late, quietly


class _Nothing:
    """A token store whose account is never looked at."""

    def load(self) -> dict[str, str]:
        return {"store": "nobody", "password": ""}

    def renew(self, seen: object, refresh: Callable[..., object]) -> dict[str, str]:
        raise AssertionError(seen, refresh)


def test_a_calendar_that_was_deleted_at_the_service_has_nothing_to_clear(
    practice: Practice, calendar: Calendar
) -> None:
    remote(practice).offline = MissingError("gone")
    disconnected(practice, calendar)
    assert row_counts(practice) == {}


def test_an_event_that_may_not_be_removed_is_not_forgotten(practice: Practice, calendar: Calendar) -> None:
    remote(practice).fail(RefusedError("read-only"), on="remove", times=10)
    with pytest.raises(RefusedError):
        disconnected(practice, calendar)
    assert "mirrors" in row_counts(practice)


def test_a_connection_that_is_not_being_disconnected_is_left_alone(practice: Practice, calendar: Calendar) -> None:
    grant = account(practice, calendar)
    finish(practice, calendar, grant)
    assert grant.revoked == 0
    assert "connections" in row_counts(practice)


def test_a_permission_another_connection_depends_on_is_not_given_back(practice: Practice, calendar: Calendar) -> None:
    other = RemoteCalendarInfo(remote_id="other", name="Other", writable=True)
    credentials = {"store": str(practice.kim.id), "password": "secret", "account_id": "kim"}
    new = NewConnection(provider=memory.PROVIDER, credentials=credentials, label="", target=other)
    with practice.database.begin() as db:
        calendars.set_credentials(db, calendar.connection_id, SEAL.seal(credentials))
        second = connect.add(db, SEAL, practice.kim.id, new, by=KIM, now=practice.now)
    assert disconnected(practice, calendar).revoked == 0
    remote(practice, "other")
    assert disconnected(practice, second).revoked == 1


def test_a_permission_of_another_account_is_given_back_all_the_same(practice: Practice, calendar: Calendar) -> None:
    other = RemoteCalendarInfo(remote_id="other", name="Other", writable=True)
    credentials = {"store": str(practice.kim.id), "password": "secret"}
    new = NewConnection(
        provider=memory.PROVIDER, credentials=credentials | {"account_id": "ada"}, label="", target=other
    )
    with practice.database.begin() as db:
        calendars.set_credentials(db, calendar.connection_id, SEAL.seal(credentials | {"account_id": "kim"}))
        connect.add(db, SEAL, practice.kim.id, new, by=KIM, now=practice.now)
    assert disconnected(practice, calendar).revoked == 1


def test_a_permission_the_service_does_not_take_back_is_forgotten_here(practice: Practice, calendar: Calendar) -> None:
    disconnected(practice, calendar, RefusedError("no"))
    assert row_counts(practice) == {}


def test_a_revocation_that_failed_for_now_is_tried_again(practice: Practice, calendar: Calendar) -> None:
    with pytest.raises(TransientError):
        disconnected(practice, calendar, TransientError("down"))
    assert disconnected(practice, calendar).revoked == 1
    assert row_counts(practice) == {}


@pytest.mark.parametrize("point", POINTS)
def test_dying_anywhere_leaves_nothing_of_ours_behind(point: str, sqlite_url: str) -> None:
    database = MortalDatabase(sqlite_url)
    deaths = 0
    while dies_at(database, point, deaths):
        deaths += 1
    assert deaths >= 4
    database.dispose()


def dies_at(database: MortalDatabase, point: str, n: int) -> bool:
    """Disconnect, die at the nth such point, and go on as a new process would; False if there is no such point."""
    practice = Practice(database)
    calendar, there = filled(practice), remote(practice)
    watch(practice, calendar)
    there.on_write = database.on_write
    grant = account(practice, calendar)
    database.die_at(point, n)
    with suppress(CrashError):
        disconnected(practice, calendar)
    died = database.dead
    database.revive()
    with practice.database.begin() as db:
        if calendars.connections_of(db):
            disconnect.begin(db, practice.policy, calendar.connection_id, by=KIM, now=practice.now)
    finish(practice, calendar, grant)
    assert titles(practice) == ["Session: A. C.", "Dentist"]
    assert there.channels == {}
    assert row_counts(practice) == {}
    memory.forget(str(practice.kim.id))
    return died


def test_a_disconnect_while_a_probe_is_placed_leaves_nothing(practice: Practice) -> None:
    calendar = connected.connect(practice)
    there = remote(practice)
    calls: list[int] = []

    def on_write(moment: str, _action: object) -> None:
        if moment == "before" and not calls:
            calls.append(1)
            with practice.database.begin() as db:
                disconnect.begin(db, practice.policy, calendar.connection_id, by=KIM, now=practice.now)
            practice.carry_out(Kind.CALENDAR)

    there.on_write = on_write
    practice.wait(minutes=1)
    practice.carry_out(Kind.PROBE)
    assert calls
    assert there.events == {}
