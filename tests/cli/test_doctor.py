"""One line for everything that has to work, and what to do where it does not."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import sqlalchemy as sa

from connector.domain.unreadable import Unreadable
from connector.errors import InstallationError, RefusedError, TransientError
from connector.ports import UnreadEvent
from connector.services import fetching
from connector.storage import installation, ledger, reply_mailbox, tables
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from providers.memory.provider import MemoryCalendar, MemoryStore
from tests.cli.keyboard import Cli, ahead
from tests.cli.worker import probe, pull, read_free_busy
from tests.conftest import free_port
from tests.fakes.imap_liar import ImapLiar
from tests.fakes.mailbox import Mailbox
from tests.fakes.sms_gateway import SmsGateway

ONE_MONDAY = datetime(2026, 3, 2, 9, tzinfo=UTC)


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture
def cli(cli: Cli, mailbox: Mailbox) -> Cli:
    return replace(cli, settings={**cli.settings, "CONNECTOR_SMTP_URL": mailbox.url})


def test_all_is_well(practice: Cli, calendar: MemoryCalendar, mailbox: Mailbox) -> None:
    said = practice.ok("doctor").splitlines()
    assert len(said) == 6
    assert all(line.startswith("ok  ") for line in said)
    assert calendar.requests["put"] == 0
    assert mailbox.messages == []


@pytest.mark.parametrize(
    ("address", "ok"),
    [
        ("http://host.example/book", False),
        ("http://192.168.1.7:8080", False),
        ("https://host.example", True),
        ("http://localhost:8080", True),
        ("http://[::1]:8080", True),
        ("", True),
    ],
)
def test_a_public_address_without_tls_is_pointed_out(practice: Cli, address: str, ok: bool) -> None:  # noqa: FBT001
    cli = replace(practice, settings={**practice.settings, "CONNECTOR_PUBLIC_URL": address})
    said = cli.run("doctor")
    assert (said.exit_code == 0) == ok
    assert (f"!!  public address: CONNECTOR_PUBLIC_URL is {address}, without TLS" in said.stdout) == (not ok)


def test_programs_are_told_the_same(practice: Cli) -> None:
    told = practice.json("doctor")
    assert told["ok"] is True
    assert {"name": "broker", "ok": True, "words": "none is needed with SQLite"} in told["checks"]


def test_a_calendar_out_of_reach_fails_with_its_reason(practice: Cli, calendar: MemoryCalendar) -> None:
    calendar.offline = RefusedError("closed for good")
    practice.book(7, "--despite-conflict")
    practice.refused("resync", "--wait")
    result = practice.run("doctor")
    assert result.exit_code == 1
    assert "!!  calendar" in result.stdout
    assert "!!  refused calendar" in result.stdout
    assert json.loads(practice.run("doctor", "--json").stdout)["ok"] is False


def test_a_stopped_calendar_fails_with_how_to_go_on(practice: Cli, calendar: MemoryCalendar) -> None:
    for day in (7, 8):
        practice.book(day)
    practice.ok("resync", "--wait")
    pull(practice)
    calendar.wipe()
    pull(practice)
    result = practice.run("doctor")
    assert result.exit_code == 1
    assert "“work” is stopped: nothing of ours stands in it any more (2 gone)" in result.stdout
    assert "pencilled connections resume" in result.stdout


def test_holds_that_must_be_firm_are_told_with_the_reason_and_are_no_fault(
    practice: Cli, calendar: MemoryCalendar
) -> None:
    calendar.tentative_is_free = True
    probe(practice, times=2)
    said = practice.ok("doctor")
    assert "“work”: shown as plainly busy: this calendar reads tentative entries as free" in said


def test_holds_not_tried_out_for_two_days_fail(practice: Cli, calendar: MemoryCalendar) -> None:
    probe(practice, later=-timedelta(hours=47))
    assert "tried out" not in practice.ok("doctor")
    probe(practice, later=-timedelta(hours=49))
    result = practice.run("doctor")
    assert result.exit_code == 1
    assert "tried out not since" in result.stdout
    assert calendar.shown() == []


def test_a_blind_spot_fails_where_somebody_relies_on_it(practice: Cli, calendar: MemoryCalendar) -> None:
    session = practice.book()
    practice.ok("resync", "--wait")
    assert "blind spot" not in practice.ok("doctor")
    practice.offer(session, ahead(8))
    practice.ok("resync", "--wait")
    assert "blind spot" not in practice.run("doctor").stdout, "booking has read it"
    read_free_busy(practice)
    assert "blind spot" not in practice.run("doctor").stdout
    calendar.fail(TransientError("the server does not answer"), on="busy")
    read_free_busy(practice)
    result = practice.run("doctor")
    assert result.exit_code == 1
    assert "a blind spot, last read on" in result.stdout
    assert "the server does not answer" in result.stdout


def test_events_that_could_not_be_read_are_told_with_their_age_and_never_by_name(
    practice: Cli, calendar: MemoryCalendar
) -> None:
    practice.offer(practice.book(), ahead(8))
    practice.ok("resync", "--wait")
    calendar.unreadable = [UnreadEvent(href="/lunch-with-alex.ics", reason=Unreadable.RULE, starts_at=ONE_MONDAY)]
    read_free_busy(practice)
    said = practice.run("doctor")
    assert said.exit_code == 1
    assert "“work”: 1 event could not be read, last read on" in said.stdout
    assert "how it repeats makes no sense" in said.stdout
    assert "alex" not in said.stdout
    told = json.loads(practice.run("doctor", "--json").stdout)
    ((one,),) = [check["unread_events"] for check in told["checks"] if "unread_events" in check]
    assert (one["reason"], one["events"], one["starts"]) == ("rule", 1, ["2026-03-02T09:00:00Z"])
    calendar.unreadable.clear()
    read_free_busy(practice)
    assert "could not be read" not in practice.ok("doctor")


def test_a_calendar_that_was_never_read_is_a_blind_spot_while_an_offer_is_open(
    practice: Cli, calendar: MemoryCalendar, store: MemoryStore, tmp_path: Path
) -> None:
    practice.offer(practice.book(), ahead(8))
    practice.ok("resync", "--wait")
    store.calendar("second")
    again = ("--address", store.id, "--password-file", str(tmp_path / "password"), "--calendar", "second")
    practice.ok("connections", "add", "--provider", "memory", *again)
    result = practice.run("doctor")
    assert result.exit_code == 1
    assert "“second”: a blind spot while an offer is open, never read yet" in result.stdout
    assert calendar.requests["put"]


def test_calendars_that_older_versions_connected_twice_are_named_with_what_to_do(
    practice: Cli, calendar: MemoryCalendar, store: MemoryStore, tmp_path: Path, sqlite_url: str
) -> None:
    store.calendar("second")
    again = ("--address", store.id, "--password-file", str(tmp_path / "password"), "--calendar", "second")
    practice.ok("connections", "add", "--provider", "memory", *again)
    assert "more than once" not in practice.run("doctor").stdout
    database = Database(sqlite_url)
    with database.begin() as db:
        first = sa.select(tables.calendars.c.identity).where(tables.calendars.c.remote_id == "work").scalar_subquery()
        second = sa.update(tables.calendars).where(tables.calendars.c.remote_id == "second")
        db.execute(second.values(identity=first, twin=1))
    database.dispose()
    by_name = {one["calendar"]["name"]: one["id"][:8] for one in practice.json("connections", "list")}
    result = practice.run("doctor")
    assert result.exit_code == 1
    words = f"connected more than once, by {by_name['work']} and {by_name['second']}"
    assert f"!!  calendar “work”: {words}. Keep one: `pencilled connections disconnect" in result.stdout
    practice.ok("connections", "disconnect", by_name["second"])
    practice.run("resync", "--wait")
    assert "more than once" not in practice.run("doctor").stdout
    assert calendar.info.remote_id == "work"


def test_a_service_that_refuses_the_installation_is_named_and_no_account_is_blamed(
    practice: Cli, calendar: MemoryCalendar
) -> None:
    practice.book()
    calendar.offline = InstallationError("the calendar API is not enabled for this installation")
    practice.refused("resync", "--wait")
    result = practice.run("doctor")
    assert "!!  registration memory: this installation is refused since " in result.stdout
    assert ": the calendar API is not enabled for this installation\n" in result.stdout
    listed = practice.ok("connections", "list")
    assert "The service refuses this installation, not the account; its operator has been told." in listed
    calendar.offline = None
    practice.ok("resync", "--wait")
    assert "registration" not in practice.run("doctor").stdout


def test_a_mail_server_out_of_reach_fails(cli: Cli) -> None:
    lost = replace(cli, settings={**cli.settings, "CONNECTOR_SMTP_URL": f"smtp://127.0.0.1:{free_port()}"})
    result = lost.run("doctor")
    assert result.exit_code == 1
    assert "!!  mail: the connection to the mail server at 127.0.0.1" in result.stdout


def test_a_mail_server_s_address_that_makes_no_sense_is_a_fault_of_the_settings(cli: Cli) -> None:
    wrong = replace(cli, settings={**cli.settings, "CONNECTOR_SMTP_URL": "smtp://host:port"})
    assert "CONNECTOR_SMTP_URL" in wrong.refused("clients", "list", code=2)


def test_work_that_nobody_does_fails(cli: Cli, sqlite_url: str) -> None:
    long_ago = datetime.now(UTC).replace(microsecond=0) - timedelta(minutes=9)  # noqa: TID251 - as the commands
    database = Database(sqlite_url)
    with database.begin() as db:
        ledger.touch(db, Key(Kind.UPKEEP, "nobody"), due_at=long_ago)
    database.dispose()
    result = cli.run("doctor")
    assert result.exit_code == 1
    assert "waiting for 9 minutes; nobody carries it out. Is `pencilled serve` running, or your host?" in result.stdout


def test_a_database_that_is_not_there_is_one_failure_among_the_others(cli: Cli) -> None:
    missing = replace(cli, settings={**cli.settings, "CONNECTOR_DATABASE_URL": "sqlite:////nowhere/at/all.sqlite3"})
    result = missing.run("doctor")
    assert result.exit_code == 1
    assert "!!  database: There is no database /nowhere/at/all.sqlite3, to which" in result.stdout
    assert "ok  mail" in result.stdout


def test_what_is_out_of_reach_on_postgresql_and_redis_is_told_line_by_line(mailbox: Mailbox) -> None:
    settings = {
        "CONNECTOR_DATABASE_URL": "postgresql://nobody@127.0.0.1:1/none",
        "CONNECTOR_BROKER_URL": "redis://127.0.0.1:1/0",
        "CONNECTOR_SECRET_KEYS": "k" * 32,
        "CONNECTOR_SMTP_URL": mailbox.url,
    }
    result = Cli(settings).run("doctor")
    assert result.exit_code == 1
    assert "!!  database: The database cannot be used" in result.stdout
    assert "!!  broker: Redis does not answer" in result.stdout
    assert "ok  mail" in result.stdout


@pytest.mark.parametrize(
    ("status", "fault", "ok", "word"),
    [
        (200, "", True, "nothing was sent"),
        (401, "", False, "refuses our credentials (401)"),
        (500, "", False, "answers 500"),
        (200, "reset", False, "connection to 127.0.0.1 failed"),
    ],
)
def test_the_gateway_of_texts_is_reached_and_sends_nothing(
    cli: Cli,
    status: int,
    fault: str,
    ok: bool,  # noqa: FBT001
    word: str,
) -> None:
    with SmsGateway(status=status, fault=fault) as gateway:
        url = gateway.url("twilio")
        settings = {**cli.settings, "CONNECTOR_SMS_URL": url, "CONNECTOR_INNER_HOSTS": "127.0.0.1"}
        said = Cli(settings).run("doctor").output
        [told] = [c for c in json.loads(Cli(settings).run("doctor", "--json").stdout)["checks"] if c["name"] == "texts"]
    [line] = [line for line in said.splitlines() if "texts:" in line]
    assert line.startswith("ok" if ok else "!!")
    assert word in line
    assert {posted.path for posted in gateway.posted} == {"/2010-04-01/Accounts/user.json"}
    assert "/hooks/sms/" in told["receipts"]
    assert "secret" not in said
    assert "/hooks/sms/" not in said


@pytest.mark.parametrize(("options", "is_advised"), [("", True), ("&ok=status:queued", False)])
def test_a_gateway_of_ones_own_is_to_say_what_it_answers_to_a_text_that_it_has_taken(
    cli: Cli,
    options: str,
    is_advised: bool,  # noqa: FBT001
) -> None:
    with SmsGateway() as gateway:
        url = gateway.url("json", options=f"to=phone&text=message{options}", path="/send")
        settings = {**cli.settings, "CONNECTOR_SMS_URL": url, "CONNECTOR_INNER_HOSTS": "127.0.0.1"}
        said = Cli(settings).run("doctor").output
    [line] = [line for line in said.splitlines() if "texts:" in line]

    assert line.startswith("ok")
    assert ("set ok= in CONNECTOR_SMS_URL" in line) is is_advised


def test_a_gateway_s_address_that_makes_no_sense_is_a_fault_of_the_settings(cli: Cli) -> None:
    wrong = replace(cli, settings={**cli.settings, "CONNECTOR_SMS_URL": "pigeon://user:hidden@host"})
    result = wrong.run("doctor")
    assert result.exit_code == 2
    assert "CONNECTOR_SMS_URL: a gateway's URL begins with twilio://" in result.output
    assert "hidden" not in result.output


@pytest.fixture
def answered(cli: Cli) -> Iterator[tuple[Cli, ImapLiar]]:
    """An installation with a mailbox that clients answer to."""
    with ImapLiar() as liar:
        yield replace(cli, settings={**cli.settings, "CONNECTOR_MAILBOX_URL": liar.url}), liar


def mailbox_line(cli: Cli) -> str:
    [line] = [line for line in cli.run("doctor").output.splitlines() if " mailbox: " in line]
    return line


def test_the_reply_mailbox_is_opened_and_nothing_is_read(answered: tuple[Cli, ImapLiar]) -> None:
    cli, liar = answered
    liar.put(b"Subject: one\r\n\r\n")
    assert mailbox_line(cli) == "ok  mailbox: reached and opened, and is looked into every minute; nothing was read"
    liar.capabilities += " IDLE"
    assert "tells at once what comes in" in mailbox_line(cli)
    assert (liar.fetched, liar.marked) == ([], [])


def test_a_reply_mailbox_that_lets_nobody_in_fails_without_its_password(answered: tuple[Cli, ImapLiar]) -> None:
    cli, liar = answered
    liar.refused["LOGIN"] = "NO kim, your secret is wrong"
    assert mailbox_line(cli) == (
        "!!  mailbox: the mailbox's server refuses to let us log in: check user and password in CONNECTOR_MAILBOX_URL"
    )
    assert "secret" not in cli.run("doctor", "--json").output


def test_a_reply_mailbox_that_is_reached_again_or_keeps_mails_back_is_told(
    answered: tuple[Cli, ImapLiar], sqlite_url: str
) -> None:
    cli, _ = answered
    database = Database(sqlite_url)
    with database.begin() as db:
        reply_mailbox.begin(db, installation.get(db).id, identity="0" * 64)
        reply_mailbox.note_fault(db, "the mailbox's server took too long while listing", now=ONE_MONDAY)
    assert mailbox_line(cli).startswith("!!  mailbox: reached just now, but not read since 02 Mar 2026, 09:00 UTC")
    with database.begin() as db:
        reply_mailbox.note_fault(db, fetching.FICKLE, now=ONE_MONDAY)
    assert mailbox_line(cli).startswith("!!  mailbox: reached, and read late since 02 Mar 2026, 09:00 UTC: its server")
    with database.begin() as db:
        reply_mailbox.note_read(db, now=ONE_MONDAY)
        reply_mailbox.leave_behind(db, 7, since=ONE_MONDAY, again_at=ONE_MONDAY)
    database.dispose()
    assert mailbox_line(cli).startswith("!!  mailbox: its server does not hand over 1 mail, though it lists them")


def test_a_mailbox_s_address_that_makes_no_sense_is_a_fault_of_the_settings(cli: Cli) -> None:
    wrong = replace(cli, settings={**cli.settings, "CONNECTOR_MAILBOX_URL": "imaps://user:hidden@host:port"})
    result = wrong.run("doctor")
    assert result.exit_code == 2
    assert "CONNECTOR_MAILBOX_URL: the mailbox's port must be a number" in result.output
    assert "hidden" not in result.output


def test_what_a_code_for_answers_proves_is_told_where_one_is_needed(practice: Cli) -> None:
    assert "answers:" not in practice.run("doctor").stdout
    strict = {**practice.settings, "CONNECTOR_ANSWER_POLICY": "code", "CONNECTOR_INNER_HOSTS": "127.0.0.1"}
    practice.book()
    assert (
        "ok  answers: a code is needed besides the link. It goes by the same mail" in Cli(strict).run("doctor").stdout
    )

    with SmsGateway() as gateway:
        cli = Cli({**strict, "CONNECTOR_SMS_URL": gateway.url("twilio")})
        assert "Of 1 with sessions to come 1 can be reached by one medium alone" in cli.run("doctor").stdout
        both = ("--channel", "email", "--channel", "sms", "--texts-agreed")
        [client] = cli.json("clients", "list")
        cli.ok("clients", "change", client["id"], "--phone", "+447700900123", *both)
        assert "goes by the other medium to everybody" in cli.run("doctor").stdout


def test_clients_of_whom_the_host_can_say_nothing_are_counted(practice: Cli) -> None:
    host = {
        "CONNECTOR_ANSWER_POLICY": "host",
        "CONNECTOR_HOST_SIGN_IN_URL": "https://host.example/login",
        "CONNECTOR_ASSERTION_KEYS": "a key that both sides have for tests alone",
    }
    cli = replace(practice, settings={**practice.settings, **host})
    told = cli.run("doctor").stdout
    assert "ok  answers: clients answer who are signed in at https://host.example/login" in told
    practice.book()
    told = cli.run("doctor").stdout
    assert "!!  answers: clients answer who are signed in at https://host.example/login" in told
    assert "Of 1 with sessions to come 1 have no external id" in told
