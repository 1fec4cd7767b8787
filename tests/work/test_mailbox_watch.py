"""The reply mailbox is listened to by one process at a time, and what is heard makes a look due."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa
import structlog

from connector.mailbox.imap import ImapMailbox
from connector.storage import installation, ledger, reply_mailbox
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from connector.work.mailbox_watch import MailboxWatch
from tests.fakes.imap_liar import ImapLiar

NOW = datetime(2026, 11, 23, 9, tzinfo=UTC)
SOON = timedelta(seconds=0.05)


@pytest.fixture
def liar() -> Iterator[ImapLiar]:
    with ImapLiar(capabilities="IMAP4rev1 IDLE") as liar:
        yield liar


@pytest.fixture(autouse=True)
def hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    """Pause no longer than a test likes to wait."""
    for pause in ("_BREATH", "_FIRST_PAUSE"):
        monkeypatch.setattr(f"connector.work.mailbox_watch.{pause}", SOON)


@pytest.fixture
def listen(liar: ImapLiar) -> Iterator[Callable[[Database], MailboxWatch]]:
    """Start to listen, until the test is over."""
    with ExitStack() as stack:

        def start(database: Database) -> MailboxWatch:
            watch = MailboxWatch(database, ImapMailbox(liar.url), lambda: NOW, take_over=SOON)
            watch.start()
            stack.callback(watch.stop)
            return watch

        yield start


Listen = Callable[[Database], MailboxWatch]


def desired(database: Database) -> int:
    """Return how often a look was made due."""
    with database.read() as db:
        query = sa.select(ledger.due.c.desired).where(ledger.due.c.kind == Kind.MAILBOX.value)
        return db.execute(query).scalar() or 0


def until(holds: Callable[[], bool]) -> None:
    deadline = time.monotonic() + 60
    while not holds():
        assert time.monotonic() < deadline
        time.sleep(0.02)  # the ledger tells nobody


def test_a_look_is_due_at_the_start_once_somebody_listens_and_whenever_something_is_heard(
    sqlite_database: Database, liar: ImapLiar, listen: Listen
) -> None:
    listen(sqlite_database)
    liar.wait_for("IDLE")
    until(lambda: desired(sqlite_database) == 2)
    liar.tell(b"* 1 EXISTS\r\n")
    liar.wait_for("IDLE", 2)
    until(lambda: desired(sqlite_database) == 3)
    with sqlite_database.read() as db:
        assert ledger.next_try(db, Key(Kind.MAILBOX, str(installation.get(db).id))) == NOW


def test_it_stops_at_once(sqlite_database: Database, liar: ImapLiar, listen: Listen) -> None:
    watch = listen(sqlite_database)
    liar.wait_for("IDLE")
    watch.stop()
    assert not watch.alive
    liar.wait_for("LOGOUT")


def test_a_connection_that_is_lost_is_told_once_and_made_again(
    sqlite_database: Database, liar: ImapLiar, listen: Listen
) -> None:
    liar.dropped.add("IDLE")
    with structlog.testing.capture_logs() as log:
        listen(sqlite_database)
        liar.wait_for("IDLE", 3)
        liar.dropped.clear()
        until(lambda: desired(sqlite_database) == 2)
    assert [line["event"] for line in log] == ["mailbox_not_listened_to"]


def test_a_server_that_cannot_tell_is_not_listened_to(
    sqlite_database: Database, liar: ImapLiar, listen: Listen
) -> None:
    liar.capabilities = "IMAP4rev1"
    watch = listen(sqlite_database)
    liar.wait_for("LOGOUT")
    assert (liar.heard["IDLE"], desired(sqlite_database), watch.alive) == (0, 1, True)


def test_a_mailbox_that_cannot_be_read_is_not_knocked_at_by_who_would_listen(
    sqlite_database: Database, liar: ImapLiar, listen: Listen
) -> None:
    with sqlite_database.begin() as db:
        reply_mailbox.begin(db, installation.get(db).id, identity=ImapMailbox(liar.url).identity)
        reply_mailbox.note_fault(db, "the mailbox's server refuses to let us log in", now=NOW)
    listen(sqlite_database)
    until(lambda: desired(sqlite_database) == 1)
    assert liar.heard["LOGIN"] == 0
    with sqlite_database.begin() as db:
        reply_mailbox.note_read(db, now=NOW)
    liar.wait_for("IDLE")
    assert liar.heard["LOGIN"] == 1


@pytest.mark.postgresql
def test_of_several_processes_one_listens_and_another_takes_over(
    postgresql_database: Database, liar: ImapLiar, listen: Listen
) -> None:
    first = listen(postgresql_database)
    liar.wait_for("IDLE")
    listen(postgresql_database)
    until(lambda: desired(postgresql_database) == 3)  # each has had it looked into at its start
    assert (liar.heard["LOGIN"], liar.heard["IDLE"]) == (1, 1)
    first.stop()
    liar.wait_for("IDLE", 2)
    assert liar.heard["LOGIN"] == 2
