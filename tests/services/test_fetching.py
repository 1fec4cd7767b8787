"""Mail is fetched from the reply mailbox once, in order and within bounds, whatever its server and its senders do."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import UTC, timedelta
from imaplib import Time2Internaldate
from typing import Any
from uuid import uuid4

import pytest
import sqlalchemy as sa
import structlog

from connector.domain.notice import NoticeKind
from connector.errors import LeaseLostError
from connector.inbox.bounds import LARGEST
from connector.mailbox.imap import ImapMailbox
from connector.services import fetching, standstill
from connector.storage import ledger, needs, reply_mailbox, tables
from connector.storage.due import Urgency
from connector.storage.ledger import Kind
from connector.storage.reply_mailbox import Standing
from tests.domain.examples import KIM
from tests.fakes.dovecot import Dovecot, dovecot
from tests.fakes.imap_liar import ImapLiar
from tests.services.backups import Backup
from tests.services.connected import on_sqlite
from tests.services.crashes import CrashError, MortalDatabase
from tests.services.practice import KeptLetters, Practice

SOON = timedelta(seconds=1)


@pytest.fixture
def liar() -> Iterator[ImapLiar]:
    with ImapLiar() as liar:
        yield liar


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot() as server:
        yield server


def use(practice: Practice, url: str, *, timeout: timedelta = timedelta(seconds=20)) -> None:
    """Have a practice read a mailbox, as at the start of a worker."""
    practice.policy = replace(practice.policy, operator="operator@pencilled.example")
    practice.runtime = replace(practice.runtime, mailbox=ImapMailbox(url, timeout=timeout))
    fetching.begin(practice.database, practice.runtime.mailbox, now=practice.now, urgency=Urgency.LOOK)


@pytest.fixture
def read(practice: Practice, liar: ImapLiar) -> Practice:
    """A practice that reads the mailbox of a server which can be told to lie."""
    use(practice, liar.url)
    return practice


def look(practice: Practice) -> list[str]:
    """Look into the mailbox, due or not, and return how that ended."""
    fetching.begin(practice.database, practice.runtime.mailbox, now=practice.now, urgency=Urgency.LOOK)
    return [ending.how for ending in practice.carry_out(Kind.MAILBOX)]


def mail(text: str) -> bytes:
    return f"From: alex@client.example\r\nMessage-ID: <{text}@client.example>\r\n\r\n{text}\r\n".encode()


def came(practice: Practice) -> list[tuple[str | None, str]]:
    """Return what became of each mail that came in, and its last line while it waits to be read."""
    with practice.database.read() as db:
        rows = db.execute(sa.select(tables.incoming_mails)).all()
    mails = [(row.outcome, row.raw.splitlines()[-1].decode() if row.raw else "") for row in rows]
    return sorted(mails, key=lambda one: (one[1], one[0] or ""))


def texts(practice: Practice) -> list[str]:
    return [text for _, text in came(practice) if text]


def standing(practice: Practice) -> Standing:
    with practice.database.read() as db:
        stands = reply_mailbox.standing(db)
    assert stands is not None
    return stands


def test_what_has_come_in_is_stored_then_marked_and_each_mail_is_read_on_its_own(
    read: Practice, liar: ImapLiar
) -> None:
    for text in "abc":
        liar.put(mail(text))
    assert look(read) == ["done"]
    assert texts(read) == ["a", "b", "c"]
    assert liar.marked == [1, 2, 3]
    read.carry_out(Kind.MAIL)
    assert [outcome for outcome, _ in came(read)] == ["unmatched"] * 3


def test_only_what_is_new_is_fetched_again_and_again(read: Practice, liar: ImapLiar) -> None:
    liar.put(mail("a"))
    look(read)
    liar.put(mail("b"))
    look(read)
    look(read)
    assert liar.fetched == [1, 2]


def test_it_is_looked_into_every_minute_and_more_rarely_where_the_server_tells(read: Practice, liar: ImapLiar) -> None:
    def pause() -> timedelta:
        [ending] = read.carry_out(Kind.MAILBOX)
        assert ending.again_at is not None
        return ending.again_at - read.now

    assert pause() == timedelta(minutes=1)
    liar.capabilities += " IDLE"
    read.wait(minutes=1)
    assert pause() == timedelta(minutes=5)


@pytest.mark.dovecot
def test_a_real_mailbox_is_read_marked_and_read_once_more_when_its_server_numbers_it_anew(
    practice: Practice, server: Dovecot
) -> None:
    user = f"kim-{uuid4().hex[:8]}"  # of each database another: they share the server
    server.deliver(user, mail("a"), mail("b"), at=practice.now)
    use(practice, server.url(user))
    assert look(practice) == ["done"]
    assert texts(practice) == ["a", "b"]
    assert server.seen(user) == [True, True]
    server.renumber(user)
    server.deliver(user, mail("c"), at=practice.now)
    look(practice)
    assert texts(practice) == ["a", "b", "c"]


def test_a_new_validity_doubles_nothing_and_loses_nothing(read: Practice, liar: ImapLiar) -> None:
    for text in "ab":
        liar.put(mail(text))
    look(read)
    liar.validity += 1
    liar.mails = [replace(one, uid=one.uid - 1) for one in liar.mails[1:]]
    liar.put(mail("c"))
    look(read)
    assert texts(read) == ["a", "b", "c"]


def test_what_came_before_all_that_is_remembered_is_passed_over(read: Practice, liar: ImapLiar) -> None:
    old = Time2Internaldate((read.now - timedelta(days=90)).astimezone(UTC)).strip('"')
    for text in ("old", "new", "older", "oldest"):
        liar.put(mail(text), came=old) if text.startswith("old") else liar.put(mail(text))
    look(read)
    assert (texts(read), liar.fetched, standing(read).uid) == (["new"], [2], 4)


def test_a_mail_that_is_too_large_is_quarantined_once_and_never_fetched(read: Practice, liar: ImapLiar) -> None:
    liar.put(b"x", said_size=LARGEST + 1)
    liar.put(mail("a"))
    look(read)
    liar.validity += 1
    look(read)
    assert [outcome for outcome, _ in came(read) if outcome] == ["mail_size"]
    assert 1 not in liar.fetched


class Fickle(ImapLiar):
    """Numbers its mails anew at each connection (RFC 3501 allows it)."""

    def __getattribute__(self, name: str) -> Any:
        if name == "validity":
            self.openings = getattr(self, "openings", 100) + 1
            return self.openings
        return super().__getattribute__(name)


def test_in_a_mailbox_that_is_numbered_anew_each_time_all_is_read_and_the_operator_is_told(practice: Practice) -> None:
    """Critic13, finding W."""
    with Fickle() as fickle:
        use(practice, fickle.url)
        for n in range(fetching.MOST + 2):
            fickle.put(mail(f"m{n}"))
        look(practice)
        assert len(texts(practice)) == fetching.MOST + 2, "copies take nobody's place"
        for n in range(reply_mailbox.FICKLE):
            before = len(fickle.fetched)
            practice.wait(minutes=1)
            look(practice)
            assert len(fickle.fetched) == before + fetching.MOST + 2 + n, "a round without anything new pauses"
            fickle.put(mail(f"later{n}"))
    [notice] = told(practice)
    assert "other numbers than before" in notice.reason
    assert notice.about == fetching.LATE
    assert standing(practice).fault == notice.reason


def test_a_mailbox_that_keeps_its_numbers_for_an_hour_is_well_again(read: Practice, liar: ImapLiar) -> None:
    liar.put(mail("a"))
    for _ in range(reply_mailbox.FICKLE + 1):
        liar.validity += 1
        look(read)
    assert standing(read).fault is not None
    read.wait(hours=1)
    look(read)
    assert standing(read).fault is None
    liar.validity += 1
    look(read)
    assert standing(read).fault is None


def test_a_mail_that_is_larger_than_its_server_says_is_quarantined(read: Practice, liar: ImapLiar) -> None:
    liar.put(b"x" * (LARGEST + 5000), said_size=10)
    liar.put(mail("a"))
    look(read)
    assert came(read) == [("mail_size", ""), (None, "a")]


@pytest.mark.parametrize("point", ["before commit", pytest.param("after commit", marks=pytest.mark.long)])
@pytest.mark.parametrize("commits", [2, 3, *(pytest.param(n, marks=pytest.mark.long) for n in (0, 1, *range(4, 12)))])
def test_whenever_the_process_dies_each_mail_is_stored_once(
    sqlite_url: str, liar: ImapLiar, point: str, commits: int
) -> None:
    database = MortalDatabase(sqlite_url)
    practice = Practice(database)
    use(practice, liar.url)
    for text in "abc":
        liar.put(mail(text))
    database.die_at(point, commits)
    with suppress(CrashError):
        practice.carry_out(Kind.MAILBOX)
    database.revive()
    look(practice)
    assert texts(practice) == ["a", "b", "c"]
    assert max(Counter(liar.fetched).values()) <= 2
    database.dispose()


@on_sqlite
def test_what_came_since_a_back_up_is_read_again_once_that_is_put_right(
    read: Practice, liar: ImapLiar, sqlite_url: str
) -> None:
    liar.put(mail("a"))
    look(read)
    backup = Backup(sqlite_url)
    liar.put(mail("b"))
    look(read)
    backup.restore(read.database)
    assert texts(read) == ["a"]
    standstill.declare(read.database, read.policy, None, by=KIM, now=read.now)
    look(read)
    assert texts(read) == ["a"]
    with read.database.begin() as db:
        standstill.end(db)
    read.wait(minutes=2)
    look(read)
    assert texts(read) == ["a", "b"]


def test_a_crash_before_anything_is_stored_has_it_fetched_again(read: Practice, liar: ImapLiar) -> None:
    liar.put(mail("a"))
    liar.put(mail("b"))
    liar.dropped_at.add(2)
    assert look(read) == ["postponed"]
    assert (texts(read), liar.marked) == (["a"], [])
    liar.dropped_at.clear()
    read.wait(minutes=1)
    assert look(read) == ["done"]
    assert texts(read) == ["a", "b"]
    assert liar.fetched == [1, 2, 2]


def test_a_connection_that_is_lost_while_mails_are_marked_loses_none(read: Practice, liar: ImapLiar) -> None:
    liar.put(mail("a"))
    liar.dropped.add("STORE")
    look(read)
    assert texts(read) == ["a"]


def test_what_cannot_be_marked_is_read_all_the_same_and_told(read: Practice, liar: ImapLiar) -> None:
    liar.put(mail("a"))
    liar.readonly = True
    liar.refused["STORE"] = "NO read-only"
    with structlog.testing.capture_logs() as log:
        assert look(read) == ["done"]
    assert texts(read) == ["a"]
    assert [line["event"] for line in log if line["log_level"] == "warning"] == ["mails_not_marked"]


@pytest.mark.parametrize("fault", ["dropped_at", "silent_at"])
def test_a_mail_that_cannot_be_fetched_is_left_behind_and_the_next_ones_are_read(
    read: Practice, liar: ImapLiar, fault: str
) -> None:
    for text in "abc":
        liar.put(mail(text))
    use(read, liar.url, timeout=SOON)
    getattr(liar, fault).add(2)
    for _ in range(3):
        assert look(read) == ["postponed"]
        read.wait(minutes=15)
    assert look(read) == ["done"]
    assert (texts(read), standing(read).left_behind) == (["a", "c"], 1)


def left_behind(practice: Practice, liar: ImapLiar) -> None:
    """Have a mail that cannot be fetched left behind."""
    liar.dropped_at.add(liar.put(mail("a")))
    for _ in range(4):
        look(practice)
        practice.wait(minutes=15)


def test_what_was_left_behind_is_fetched_as_soon_as_it_can_be(read: Practice, liar: ImapLiar) -> None:
    left_behind(read, liar)
    read.wait(hours=1)
    with structlog.testing.capture_logs() as log:
        assert look(read) == ["done"]
    assert [line["event"] for line in log if line["log_level"] == "warning"] == ["mail_left_behind"]
    liar.dropped_at.clear()
    assert look(read) == ["done"]
    assert texts(read) == []
    read.wait(hours=1)
    look(read)
    assert (texts(read), standing(read).left_behind) == (["a"], 0)


def test_what_is_still_left_behind_after_a_week_is_quarantined_unread(read: Practice, liar: ImapLiar) -> None:
    left_behind(read, liar)
    read.wait(days=8)
    look(read)
    assert (came(read), standing(read).left_behind) == ([("unfetched", "")], 0)


def test_a_flood_is_fetched_in_rounds_and_waits_in_the_mailbox_until_it_is_read(
    read: Practice, liar: ImapLiar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "MOST", 2)
    monkeypatch.setattr(fetching, "MOST_WAITING", 5)
    for n in range(8):
        liar.put(mail(f"{n:02}"))
    ended = read.carry_out(Kind.MAILBOX)
    assert [one.again_at == read.now for one in ended] == [True, True, True, False]
    assert len(texts(read)) == 5
    while len(came(read)) < 8:
        read.carry_out(Kind.MAIL)
        read.wait(seconds=10)
        read.carry_out(Kind.MAILBOX)
    assert liar.fetched == list(range(1, 9))


def test_a_round_that_has_lasted_long_enough_ends_and_the_next_is_due_at_once(
    read: Practice, liar: ImapLiar, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(fetching, "LONGEST", timedelta(seconds=-1))
    liar.put(mail("a"))
    fence = Held(is_lost=False)
    due = fetching.look(read.database, read.policy, read.runtime.mailbox, clock=read.clock, fence=fence)
    assert (due, texts(read)) == (read.now, [])


@dataclass(frozen=True)
class Held:
    """A claim, or one that is lost as soon as something is to be recorded."""

    is_lost: bool

    def renew(self) -> None:
        pass

    def check(self, _db: object) -> None:
        if self.is_lost:
            raise LeaseLostError("another worker may have the claim")


def told(practice: Practice) -> list[Any]:
    practice.mail()
    sender = practice.runtime.sender
    assert isinstance(sender, KeptLetters)
    return [letter.notice for letter in sender.letters if letter.notice.kind is NoticeKind.MAILBOX_UNREAD]


def test_a_refused_login_is_told_to_the_operator_once_and_tried_again_ever_more_slowly(
    read: Practice, liar: ImapLiar
) -> None:
    liar.refused["LOGIN"] = "NO [AUTHENTICATIONFAILED] kim, secret?"
    pauses = []
    for _ in range(4):
        [ending] = read.carry_out(Kind.MAILBOX)
        assert (ending.how, ending.again_at is not None) == ("refused", True)
        pauses.append((ending.again_at or read.now) - read.now)
        read.wait(seconds=pauses[-1].total_seconds())
    assert all(ledger.REFUSAL_FIRST <= pause <= ledger.REFUSAL_FIRST * (2 << n) for n, pause in enumerate(pauses))
    [notice] = told(read)
    assert "refuses to let us log in: check user and password" in notice.reason
    assert "secret" not in notice.reason
    assert standing(read).fault == notice.reason


def test_once_it_can_be_read_again_that_is_noted_and_a_new_refusal_is_told_anew(read: Practice, liar: ImapLiar) -> None:
    liar.refused["LOGIN"] = "NO no"
    look(read)
    told(read)
    liar.refused.clear()
    read.wait(hours=2)
    assert look(read) == ["done"]
    assert standing(read).fault is None
    liar.refused["LOGIN"] = "NO no"
    look(read)
    assert len(told(read)) == 2


def test_what_was_put_right_before_the_operator_was_told_is_not_told(read: Practice, liar: ImapLiar) -> None:
    liar.refused["LOGIN"] = "NO no"
    look(read)
    liar.refused.clear()
    read.wait(hours=2)
    look(read)
    assert told(read) == []


def test_an_outage_is_told_once_when_it_has_lasted_an_hour(read: Practice, liar: ImapLiar) -> None:
    use(read, liar.url, timeout=SOON)
    liar.silent.add("SELECT")
    assert look(read) == ["postponed"]
    assert told(read) == []
    for _ in range(2):
        read.wait(minutes=61)
        assert look(read) == ["postponed"]
    assert [notice.reason for notice in told(read)] == ["the mailbox's server took too long while connecting"]


def test_who_has_lost_the_claim_stores_nothing(read: Practice, liar: ImapLiar) -> None:
    liar.put(mail("a"))
    with pytest.raises(LeaseLostError):
        fetching.look(read.database, read.policy, read.runtime.mailbox, clock=read.clock, fence=Held(is_lost=True))
    assert texts(read) == []


def test_another_mailbox_is_read_from_its_beginning_and_the_former_is_forgotten(read: Practice, liar: ImapLiar) -> None:
    liar.put(mail("a"))
    look(read)
    with ImapLiar() as other:
        other.put(mail("b"))
        use(read, other.url)
        read.carry_out(Kind.MAILBOX)
    assert texts(read) == ["a", "b"]


def test_where_there_is_no_mailbox_any_more_nothing_is_due(read: Practice) -> None:
    look(read)
    read.runtime = replace(read.runtime, mailbox=None)
    read.wait(minutes=5)
    assert [ending.again_at for ending in read.carry_out(Kind.MAILBOX)] == [None]
    with read.database.begin() as db:
        assert reply_mailbox.standing(db) is None
        assert needs.make_missing_due(db, now=read.now) == 0


def test_a_mailbox_that_the_ledger_has_lost_is_looked_into_all_the_same(read: Practice, liar: ImapLiar) -> None:
    look(read)
    liar.put(mail("a"))
    with read.database.begin() as db:
        db.execute(sa.text("DELETE FROM due WHERE kind = 'mailbox'"))
        needs.make_missing_due(db, now=read.now)
    read.carry_out(Kind.MAILBOX)
    assert texts(read) == ["a"]


def test_no_line_of_the_log_says_whose_mail_it_is_or_what_is_in_it(read: Practice, liar: ImapLiar) -> None:
    liar.dropped_at.add(liar.put(mail("hush")))
    with structlog.testing.capture_logs() as log:
        for _ in range(5):
            look(read)
            read.wait(hours=2)
    assert log
    assert not [line for line in log if any(word in str(line) for word in ("hush", "alex", "secret", "kim"))]
