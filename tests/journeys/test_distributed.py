"""Web, workers, PostgreSQL and Redis as processes of their own: one journey through all of them."""

from __future__ import annotations

import json
import os
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager, suppress
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from connector.cli.demo.evidence import CalendarServer, Seen, by_status, eventually, invitation, link_in
from connector.cli.demo.visitor import Visitor
from tests.cli.keyboard import ahead, run_process, start_process
from tests.conftest import free_port
from tests.fakes.mailbox import Mailbox
from tests.fakes.servers import Server, radicale
from tests.fakes.shifted import shifted
from tests.scraped import Scrape

pytestmark = [pytest.mark.postgresql, pytest.mark.redis, pytest.mark.slow]


@dataclass
class Site:
    """An installation on several processes."""

    settings: dict[str, str]
    folder: Path

    @property
    def url(self) -> str:
        return self.settings["CONNECTOR_PUBLIC_URL"]

    def ok(self, *words: str, stdin: Path | None = None) -> str:
        more = ("--password-file", str(stdin)) if stdin else ()
        process = run_process(*words, *more, settings=self.settings)
        assert process.returncode == 0, process.stderr
        return process.stdout

    def json(self, *words: str) -> Any:
        return json.loads(self.ok(*words, "--json"))

    @contextmanager
    def running(self, *words: str) -> Iterator[subprocess.Popen[bytes]]:
        """Run one of the processes; what it says is in a log that is named after its first word."""
        process = start_process(*words, settings=self.settings, log=self.log(words[0]))
        try:
            yield process
        finally:
            if process.poll() is None:
                process.send_signal(signal.SIGTERM)
                process.wait(120)

    def with_clock_off(self, by: timedelta) -> Site:
        """The same installation, on a machine whose clock is off by so much."""
        return replace(self, settings={**self.settings, **shifted(self.folder, by)})

    def log(self, name: str) -> Path:
        return self.folder / f"{name}.log"

    def metrics(self) -> Scrape:
        with urllib.request.urlopen(f"{self.url}/metrics", timeout=30) as answer:  # noqa: S310 - a page of ours
            return Scrape(answer.read().decode())

    def told(self) -> str:
        return "\n".join(path.read_text() for path in self.folder.glob("*.log"))


@pytest.fixture
def calendars(tmp_path: Path) -> Iterator[Server]:
    with radicale(tmp_path / "radicale") as server:
        yield server


@pytest.fixture
def mailbox() -> Iterator[Mailbox]:
    with Mailbox() as mailbox:
        yield mailbox


@pytest.fixture
def site(empty_postgresql_url: str, redis_url: str, mailbox: Mailbox, tmp_path: Path) -> Site:
    listen = f"127.0.0.1:{free_port()}"
    settings = {
        "CONNECTOR_DATABASE_URL": empty_postgresql_url,
        "CONNECTOR_BROKER_URL": redis_url,
        "CONNECTOR_SECRET_KEYS": "a key for tests that is long enough",
        "CONNECTOR_LISTEN": listen,
        "CONNECTOR_PUBLIC_URL": f"http://{listen}",
        "CONNECTOR_SMTP_URL": mailbox.url,
        "CONNECTOR_MAIL_FROM": "sessions@pencilled.example",
        "CONNECTOR_INNER_HOSTS": "127.0.0.1",
    }
    return Site(settings, tmp_path)


def settle(site: Site, calendar: CalendarServer, *, sessions: int, holds: int, seconds: float = 120) -> list[Seen]:
    """Wait until the calendar shows so many of each."""

    def right(events: list[Seen]) -> bool:
        return (len(by_status(events, "CONFIRMED")), len(by_status(events, "TENTATIVE"))) == (sessions, holds)

    events = eventually(calendar.events, right, seconds=seconds)
    assert right(events), (events, site.told())
    return events


def check_metrics(site: Site) -> None:
    """What workers have counted that have ended since, a web process tells."""
    told = site.metrics()
    assert told["work_ended_total"]["done", "calendar"] >= 2
    assert told["requests_total"]["2xx", "caldav"] >= 2
    assert set(told["letters_total"]) == {("sent", "email")}
    assert told["calendars"] == {("caldav", "target", "at_work"): 1}


@pytest.mark.long
def test_nothing_runs_on_a_schema_that_is_not_there(site: Site) -> None:
    for command in ("web", "worker"):
        refused = run_process(command, settings=site.settings)
        assert refused.returncode == 1
        assert refused.stderr == "Error: The database is not up to date. Run `pencilled migrate` first.\n"
    assert run_process("migrate", "--check", settings=site.settings).returncode == 1
    site.ok("migrate")
    site.ok("migrate", "--check")


def test_book_offer_and_accept_across_processes(site: Site, calendars: Server, mailbox: Mailbox) -> None:
    work = CalendarServer(calendars.make_calendar("work"), calendars.username, calendars.password)
    password = site.folder / "password"
    password.write_text(calendars.password)
    site.ok("migrate")
    with ExitStack() as held:
        web = held.enter_context(site.running("web", "--workers", "2"))
        workers = [held.enter_context(site.running("worker", "--threads", "2")) for _ in range(2)]
        visitor = Visitor()
        assert eventually(lambda: _status(site), lambda status: status == 200) == 200, site.told()

        second = run_process("web", settings=site.settings)
        assert second.returncode == 1
        assert second.stderr.startswith("Error: Cannot listen on 127.0.0.1:")

        site.ok("practitioners", "add", "--name", "Kim Berg", "--email", "kim@example.org", "--zone", "Europe/Berlin")
        site.ok("clients", "add", "--name", "Alex Okoro", "--email", "alex@example.org", "--zone", "Europe/London")
        site.ok("connections", "add", "--address", calendars.url, "--username", calendars.username, stdin=password)
        assert site.json("doctor")["ok"]

        place = ("--in-person", "Linden Street 4, Berlin")
        booking = ("sessions", "book", "--client", "alex@example.org", "--at", ahead(7), *place)
        session = site.json(*booking)["sessions"][0]
        [before] = settle(site, work, sessions=1, holds=0)

        site.ok("offers", "draft", session["id"], "--at", ahead(8), "--at", ahead(9), "--at", ahead(10))
        assert site.json("offers", "send", session["id"])["warnings"] == []
        settle(site, work, sessions=1, holds=3)

        [_booked, offered] = mailbox.wait_for(2)
        page = visitor.open(link_in(offered.message, "/answer/"))
        chosen = visitor.follow(page, "Choose", nth=1)
        answered = visitor.press(chosen, "Yes")
        assert answered.status == 200
        [after] = settle(site, work, sessions=1, holds=0)
        assert (after.href, after.uid) == (before.href, before.uid)
        assert after.start.isoformat() == site.json("sessions", "show", session["id"])["start"].replace("Z", "+00:00")

        confirmed = invitation(_to(mailbox, "alex@example.org", 3).message)
        assert confirmed is not None
        assert (confirmed.method, confirmed.uid, confirmed.sequence) == ("REQUEST", session["uid"], 1)
        assert confirmed.start == after.start

        for worker in workers:
            worker.send_signal(signal.SIGTERM)
            assert worker.wait(120) == 0, site.told()
        check_metrics(site)
        web.send_signal(signal.SIGTERM)
        assert web.wait(120) == 0, site.told()
    assert "Traceback" not in site.told()
    assert site.log("worker").read_text().endswith("Stopped.\n")


@pytest.mark.long
def test_whichever_worker_keeps_watch_another_goes_on_without_a_wake_up_when_it_is_killed(
    site: Site, calendars: Server
) -> None:
    work = CalendarServer(calendars.make_calendar("work"), calendars.username, calendars.password)
    password = site.folder / "password"
    password.write_text(calendars.password)
    site.ok("migrate")
    site.ok("practitioners", "add", "--name", "Kim Berg", "--email", "kim@example.org", "--zone", "Europe/Berlin")
    site.ok("clients", "add", "--name", "Alex Okoro", "--email", "alex@example.org", "--zone", "Europe/London")
    site.ok("connections", "add", "--address", calendars.url, "--username", calendars.username, stdin=password)
    with ExitStack() as held:
        workers = [held.enter_context(site.running("worker", "--threads", "2")) for _ in range(2)]
        booking = ("sessions", "book", "--client", "alex@example.org", "--phone", "Kim calls")
        site.ok(*booking, "--at", ahead(20))
        settle(site, work, sessions=1, holds=0)
        spares: list[subprocess.Popen[bytes]] = []
        for more, worker in enumerate(workers, 1):
            worker.send_signal(signal.SIGKILL)
            worker.wait(120)
            spares.append(held.enter_context(site.running("worker")))
            site.ok(*booking, "--at", ahead(20 + more))
            settle(site, work, sessions=1 + more, holds=0)
        for process in spares:
            process.send_signal(signal.SIGTERM)
            assert process.wait(120) == 0, site.told()
    assert "Traceback" not in site.told()


@pytest.mark.long
def test_web_processes_go_with_their_supervisor_and_the_port_is_free(site: Site) -> None:
    site.ok("migrate")
    web = start_process("web", "--workers", "2", settings=site.settings, log=site.log("web"), in_own_group=True)
    try:
        assert eventually(lambda: _status(site), lambda status: status == 200) == 200, site.told()
        web.kill()
        web.wait(120)
        assert eventually(lambda: _lives(web.pid), lambda lives: not lives, seconds=100) is False
        _host, _, port = site.settings["CONNECTOR_LISTEN"].rpartition(":")
        socket.create_server(("127.0.0.1", int(port))).close()
    finally:
        with suppress(ProcessLookupError):
            os.killpg(web.pid, signal.SIGKILL)
    with site.running("web"):
        assert eventually(lambda: _status(site), lambda status: status == 200) == 200, site.told()


FIVE_MINUTES = timedelta(minutes=5)


def _offer_of_four_minutes(site: Site, session: str) -> Any:
    site.ok("offers", "draft", session, "--at", ahead(8), "--at", ahead(9), "--at", ahead(10), "--window", "4m")
    return site.json("offers", "send", session)


@pytest.mark.long
@pytest.mark.parametrize("error", [FIVE_MINUTES, -FIVE_MINUTES])
def test_deadlines_dueness_and_holds_go_by_the_databases_clock(
    site: Site, calendars: Server, mailbox: Mailbox, error: timedelta
) -> None:
    work = CalendarServer(calendars.make_calendar("work"), calendars.username, calendars.password)
    password = site.folder / "password"
    password.write_text(calendars.password)
    site.ok("migrate")
    off = site.with_clock_off(error)
    site.ok("practitioners", "add", "--name", "Kim Berg", "--email", "kim@example.org", "--zone", "Europe/Berlin")
    site.ok("clients", "add", "--name", "Alex Okoro", "--email", "alex@example.org", "--zone", "Europe/London")
    site.ok("connections", "add", "--address", calendars.url, "--username", calendars.username, stdin=password)
    booking = ("sessions", "book", "--client", "alex@example.org", "--at", ahead(7), "--phone", "Kim calls")
    with off.running("web"), off.running("worker"):
        assert eventually(lambda: _status(site), lambda status: status == 200) == 200, site.told()
        session = off.json(*booking)["sessions"][0]
        settle(site, work, sessions=1, holds=0)
        sent = _offer_of_four_minutes(off if error > timedelta() else site, session["id"])
        deadline = datetime.fromisoformat(sent["expires_at"])
        assert timedelta() < deadline - datetime.now(UTC) <= timedelta(minutes=4)  # noqa: TID251 - the right time
        settle(site, work, sessions=1, holds=3)  # minutes before a machine that is behind takes them to be due
        offered = _to(mailbox, "alex@example.org", 2).message
        visitor = Visitor()
        chosen = visitor.follow(visitor.open(link_in(offered, "/answer/")), "Choose", nth=1)
        assert visitor.press(chosen, "Yes").status == 200
        settle(site, work, sessions=1, holds=0)
    doctor = run_process("doctor", settings=off.settings)
    assert doctor.returncode == 1
    side = "behind" if error < timedelta() else "ahead of"
    assert f"s {side} the database's, which decides" in doctor.stdout
    assert "ok  clock: this machine's is 0." in run_process("doctor", settings=site.settings).stdout


def test_who_signs_in_at_a_process_whose_clock_is_ahead_is_signed_in_at_the_others(
    site: Site, mailbox: Mailbox
) -> None:
    site.ok("migrate")
    site.ok("practitioners", "add", "--name", "Kim Berg", "--email", "kim@example.org", "--zone", "Europe/Berlin")
    ahead_of_all = site.with_clock_off(FIVE_MINUTES)
    address = f"127.0.0.1:{free_port()}"
    right = replace(site, settings={**site.settings, "CONNECTOR_LISTEN": address})
    kim = Visitor()
    with ahead_of_all.running("web"), right.running("web"), site.running("worker"):
        assert eventually(lambda: _status(site), lambda status: status == 200) == 200, site.told()
        asked = kim.press(kim.open(f"{site.url}/signin"), "link", fill={"email": "kim@example.org"})
        assert asked.status == 200
        mail = _to(mailbox, "kim@example.org", 1).message
        page = kim.press(kim.open(link_in(mail, "/signin/")), "Sign in")
        assert page.url == f"{site.url}/"
        other = eventually(lambda: _page(kim, f"http://{address}/sessions"), lambda url: url != "")
        assert other == f"http://{address}/sessions"  # not sent back to sign in


def _page(visitor: Visitor, url: str) -> str:
    """Where opening an address leads; nowhere while nobody listens."""
    try:
        return visitor.open(url).url
    except OSError:
        return ""


def _lives(group: int) -> bool:
    """Whether anybody is left of a group of processes."""
    try:
        os.killpg(group, 0)  # sends nothing
    except ProcessLookupError:
        return False
    return True


def _status(site: Site) -> int:
    try:
        return Visitor().open(f"{site.url}/readyz").status
    except OSError:
        return 0


def _to(mailbox: Mailbox, address: str, number: int) -> Any:
    """Return the nth mail to somebody, as soon as it is there."""
    mails = mailbox.wait_for(lambda caught: sum(address in one.recipients for one in caught) >= number)
    return [one for one in mails if address in one.recipients][number - 1]
