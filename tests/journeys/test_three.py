"""The same story, the same promises, on CalDAV, Google Calendar and Outlook alike."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import suppress
from datetime import datetime, timedelta
from pathlib import Path
from random import Random

import pytest

from connector.domain.connection import Calendar
from connector.domain.facts import FlagReason
from connector.domain.offer import OfferState
from connector.domain.people import Level
from connector.domain.session import Edit, Location, LocationKind
from connector.errors import RuleError, TransientError
from connector.ports import Account, RemoteCalendar
from connector.services.accounts import disconnect
from connector.services.sync import pull, push
from connector.storage import calendars
from connector.storage.ledger import Kind
from tests.domain.examples import KIM, when
from tests.fakes.servers import Server
from tests.journeys import services
from tests.journeys.services import Service, connect, use
from tests.journeys.stage import Installation
from tests.services.crashes import CrashError, MortalDatabase
from tests.services.deaths import DyingAccount, DyingCalendar
from tests.services.fences import OURS

pytestmark = pytest.mark.slow

SLUGS = ["google", *(pytest.param(slug, marks=pytest.mark.long) for slug in ("caldav", "outlook"))]


@pytest.fixture(params=SLUGS)
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    server: Server | None = request.getfixturevalue("radicale_server") if request.param == "caldav" else None
    with services.service(request.param, tmp_path, server) as running:
        yield running


@pytest.fixture
def installation(there: Service, sqlite_url: str) -> Iterator[Installation]:
    with Installation(sqlite_url) as installation:
        use(installation.runtime, there)
        installation.calendar = connect(installation.practice, installation.runtime, there)
        yield installation


def test_the_whole_story(installation: Installation, there: Service) -> None:
    practice = installation.practice
    installation.start()
    booked = practice.book(48)
    (session,) = installation.until(there.shown, lambda events: len(events) == 1)
    assert (session.status, session.start) == ("confirmed", when(48).span.start)
    there.hand.note(session.href, "blue folder")
    draft = practice.draft(booked, 72, 96, 120)
    installation.settled()
    assert len(there.shown()) == 1
    there.forget()
    offer = practice.send(draft).offer
    events = installation.until(there.shown, lambda events: len(events) == 4)
    installation.settled()
    print(f"{there.slug}: requests for an offer of three: {there.requests()}")
    looks = [verb for verb in there.requests() if verb in ("GET", "REPORT")]
    assert len(there.requests()) - len(looks) <= {"caldav": 3, "google": 1, "outlook": 1}[there.slug]
    # When the practitioner is not free; a list of ETags is one look, and what they have touched meanwhile another.
    assert len(looks) <= {"caldav": 2, "google": 1, "outlook": 1}[there.slug]
    assert [one.status for one in events] == ["confirmed", "tentative", "tentative", "tentative"]
    practice.accept(offer, 1)
    (event,) = installation.until(there.shown, lambda events: len(events) == 1)
    installation.settled()
    assert (event.href, event.start, event.status) == (session.href, when(96).span.start, "confirmed")
    assert "blue folder" in event.notes
    installation.mailbox.wait_for(4)


def test_an_acceptance_costs_few_requests(installation: Installation, there: Service) -> None:
    practice = installation.practice
    installation.start()
    offer = practice.offer(practice.book(48), 72, 96, 120)
    installation.until(there.shown, lambda events: len(events) == 4)
    installation.settled()
    there.forget()
    practice.accept(offer, 0)
    installation.until(there.shown, lambda events: len(events) == 1)
    installation.settled()
    print(f"{there.slug}: requests for an acceptance: {there.requests()}")
    assert len(there.requests()) <= {"caldav": 4, "google": 2, "outlook": 2}[there.slug]


def test_a_corrected_place_and_an_agreed_move_change_the_one_event_and_mail_once_each(
    installation: Installation, there: Service
) -> None:
    practice = installation.practice
    installation.start()
    booked = practice.book(48)
    (session,) = installation.until(there.shown, lambda events: len(events) == 1)
    installation.mailbox.wait_for(1)
    practice.edit(booked, Edit(location=Location(kind=LocationKind.IN_PERSON, text="Lindenstr. 5, Berlin")))
    installation.mailbox.wait_for(2)
    practice.move(booked, when(60))
    (event,) = installation.until(there.shown, lambda events: [one.start for one in events] == [when(60).span.start])
    assert event.href == session.href
    installation.settled()
    mails = installation.mailbox.wait_for(3)
    assert len(mails) == 3
    assert practice.session(booked).revision == 2


def test_an_unanswered_offer_lapses(installation: Installation, there: Service) -> None:
    practice = installation.practice
    installation.start()
    booked = practice.book(48)
    offer = practice.offer(booked, 72, 96, window=timedelta(hours=2))
    installation.until(there.shown, lambda events: len(events) == 3)
    installation.mailbox.wait_for(2)
    installation.wait(hours=2)
    installation.until(there.shown, lambda events: len(events) == 1)
    installation.settled()
    assert practice.offer_now(offer).state is OfferState.LAPSED
    assert practice.session(booked).flag is FlagReason.LAPSED
    installation.mailbox.wait_for(4)


def test_a_quiet_pass_writes_nothing_and_reads_once(installation: Installation, there: Service) -> None:
    practice, calendar = installation.practice, installation.calendar
    practice.offer(practice.book(48), 72, 96)
    remote = installation.runtime.remote(calendar.id)
    for _ in range(2):
        converge(installation, calendar, remote)
        pull.pull(practice.database, practice.policy, calendar.id, remote, fence=OURS, now=practice.now)
    there.forget()
    pull.pull(practice.database, practice.policy, calendar.id, remote, fence=OURS, now=practice.now)
    assert converge(installation, calendar, remote) == 0
    print(f"{there.slug}: requests of a quiet pass: {there.requests()}")
    assert len(there.requests()) == 1


@pytest.mark.parametrize("level", list(Level))
def test_nothing_of_a_client_above_the_level_is_ever_sent(there: Service, sqlite_url: str, level: Level) -> None:
    with Installation(sqlite_url) as installation:
        use(installation.runtime, there)
        calendar = connect(installation.practice, installation.runtime, there, level=level)
        practice = installation.practice
        offer = practice.offer(practice.book(48), 72, 96)
        remote = installation.runtime.remote(calendar.id)
        converge(installation, calendar, remote)
        practice.accept(offer, 0)
        converge(installation, calendar, remote)
        traffic = there.everything_sent()
    canaries = {"Alex Client": Level.FULL, "Lindenstr": Level.FULL, "Alex": Level.FIRST_NAME, "A. C.": Level.INITIALS}
    for canary, from_level in canaries.items():
        assert canary not in traffic or level >= from_level, canary
    titles = {Level.BUSY: "Busy", Level.NEUTRAL: "Session", Level.INITIALS: "A. C.", Level.FIRST_NAME: "Alex"}
    assert titles.get(level, "Alex Client") in traffic
    for never in ("alex@client.example", "Client@", "/answer/"):
        assert never not in traffic


def test_answers_lost_after_every_write_leave_no_double_and_no_orphan(
    installation: Installation, there: Service
) -> None:
    practice = installation.practice
    chance = Random(7)

    def lose_half(_request: object, forward: Callable[[], object]) -> object:
        reply = forward()
        if chance.random() < 0.5:
            raise there.hang_up()
        return reply

    there.at_every_write(lose_half)
    installation.start()
    offer = practice.offer(practice.book(48), 72, 96, 120)
    finish(installation, there, [when(h).span.start for h in (48, 72, 96, 120)])
    practice.accept(offer, 2)
    finish(installation, there, [when(120).span.start])


def finish(installation: Installation, there: Service, wanted: list[datetime]) -> None:
    """Let time pass until the work that was put off is done, and then nothing more happens."""

    def passing() -> list[datetime]:
        installation.wait(minutes=5)
        installation.settled()
        return [one.start for one in there.shown()]

    installation.until(passing, lambda starts: starts == wanted)
    installation.wait(minutes=40)
    installation.settled()
    assert [one.start for one in there.shown()] == wanted


def test_a_push_that_is_lost_for_ever_costs_one_polling_interval(installation: Installation, there: Service) -> None:
    practice = installation.practice
    installation.start()
    practice.book(48)
    (session,) = installation.until(there.shown, lambda events: len(events) == 1)
    installation.wait(minutes=11)
    installation.settled()
    there.hand.delete(session.href)
    installation.settled()
    assert len(installation.mailbox.messages) == 1
    installation.wait(minutes=10, seconds=1)
    installation.settled()
    installation.wait(seconds=61)
    mails = installation.mailbox.wait_for(2)
    assert mails[1].recipients == (practice.kim.email,)
    assert there.shown() == []


def test_a_withdrawn_grant_is_told_once_and_stops_a_blind_offer(installation: Installation, there: Service) -> None:
    practice = installation.practice
    installation.start()
    booked = practice.book(48)
    installation.until(there.shown, lambda events: len(events) == 1)
    installation.settled()
    there.revoke()
    installation.wait(hours=2)
    mails = installation.mailbox.wait_for(2)
    assert mails[1].recipients == (practice.kim.email,)
    draft = practice.draft(booked, 72)
    with pytest.raises(RuleError, match="no longer lets Pencilled in"):
        practice.send(draft)
    assert practice.offer_now(draft).held == ()
    installation.wait(hours=2)
    installation.settled()
    assert len(installation.mailbox.messages) == 2


@pytest.mark.sweep(at_least=16)
@pytest.mark.parametrize("n", range(4))
@pytest.mark.parametrize("point", ["before write", "after write", "before commit", "after commit"])
def test_a_crash_at_any_point_of_a_send_an_accept_a_lapse_and_a_disconnect_leaves_no_double_and_no_orphan(
    there: Service, sqlite_url: str, point: str, n: int
) -> None:
    database = MortalDatabase(sqlite_url)
    with Installation(sqlite_url) as installation:
        use(installation.runtime, there)
        practice = installation.practice
        calendar = connect(practice, installation.runtime, there)
        installation.runtime.database = database
        remote = installation.runtime.remote(calendar.id)

        def crash_then_recover() -> None:
            database.die_at(point, n)
            with suppress(CrashError, TransientError):
                converge(installation, calendar, DyingCalendar(remote, database))
            database.revive()
            converge(installation, calendar, remote)
            assert converge(installation, calendar, remote) == 0

        booked = practice.book(48)
        offer = practice.offer(booked, 72, 96, 120)
        crash_then_recover()
        assert [one.start for one in there.shown()] == [when(h).span.start for h in (48, 72, 96, 120)]
        practice.accept(offer, 2)
        crash_then_recover()
        assert [one.start for one in there.shown()] == [when(120).span.start]
        practice.offer(booked, 150, 160, window=timedelta(hours=1))
        converge(installation, calendar, remote)
        installation.wait(hours=2)
        practice.carry_out(Kind.OFFER)
        crash_then_recover()
        assert [one.start for one in there.shown()] == [when(120).span.start]
        practice.offer(booked, 170, 180)
        converge(installation, calendar, remote)
        disconnect_and_die(installation, calendar, database, point, n)
        assert there.shown() == []
        with database.read() as db:
            assert calendars.connections_of(db) == []
    database.dispose()


def disconnect_and_die(
    installation: Installation, calendar: Calendar, database: MortalDatabase, point: str, n: int
) -> None:
    """Disconnect, die on the way, and let another process finish it."""
    runtime = installation.runtime
    with database.begin() as db:
        disconnect.begin(db, installation.runtime.policy, calendar.connection_id, by=KIM, now=installation.now)
    provider = runtime.load_provider("")
    account = provider.account(runtime.tokens(calendar.connection_id), runtime.network)

    def finish(through: Account) -> None:
        disconnect.finish(
            database,
            runtime.policy,
            runtime.seal,
            calendar.connection_id,
            through,
            account_key=provider.account_key,
            clock=lambda: installation.now,
            fence=OURS,
        )

    database.die_at(point, n)
    with suppress(CrashError, TransientError):
        finish(DyingAccount(account, database))
    database.revive()
    finish(account)


def converge(installation: Installation, calendar: Calendar, remote: RemoteCalendar) -> int:
    """Bring the calendar up to date in this thread."""
    runtime = installation.runtime
    database, policy = runtime.database, runtime.policy
    return push.converge(database, policy, calendar.id, remote, clock=lambda: installation.now, fence=OURS)
