"""Yesterday's database, or yesterday's calendars: nobody is told anything by it, and one decision puts it right."""

from __future__ import annotations

import shutil
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from icalendar import Calendar as ICalendar

from connector.domain.facts import FlagReason
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Actor, Role
from connector.domain.restore import Follow
from connector.domain.session import Session
from connector.services import restoring, standstill, surveys
from connector.services.surveys import Survey
from connector.services.sync import push
from connector.storage import calendars, installation, ledger
from connector.storage.ledger import Key, Kind
from tests.domain.examples import client, when
from tests.fakes.servers import Server, radicale
from tests.journeys import services
from tests.journeys.services import Service
from tests.journeys.stage import Installation
from tests.services.backups import Backup

OPERATOR = Actor(role=Role.OPERATOR, name="root")
WRITING = {"PUT", "DELETE", "POST", "PATCH", "BATCH"}
FIRST = {("outlook", Follow.CALENDARS), ("google", Follow.DATABASE)}
EACH = [
    pytest.param(slug, follow, marks=() if (slug, follow) in FIRST else pytest.mark.long)  # the others in the long run
    for slug in ("radicale", "xandikos", "google", "outlook")
    for follow in Follow
]


@dataclass
class Practising:
    """An installation with real mail and a calendar at a service, with everything done by hand."""

    installation: Installation
    service: Service
    witnessed: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        services.use(self.installation.runtime, self.service)
        self.practice = self.installation.practice
        self.practice.runtime, self.practice.prompt = self.installation.runtime, True
        self.calendar = services.connect(self.practice, self.installation.runtime, self.service)
        self.go_on(minutes=5)

    def tick(self) -> None:
        """What the pump does at each tick, before anything else."""
        runtime = self.installation.runtime
        standstill.look(runtime.database, runtime.policy, runtime.witness, clock=self.practice.clock)

    def go_on(self, **by: float) -> None:
        """Let time pass with everything done as it becomes due, and the calendar looked at."""
        left = timedelta(**by)
        longest = max(left / 10, timedelta(minutes=20))
        while left > timedelta():
            step = min(left, longest)
            self.installation.wait(seconds=step.total_seconds())
            self.service.pass_time(step)
            self.tick()
            self.look()
            left -= step

    def look(self) -> None:
        with self.practice.database.begin() as db:
            ledger.touch(db, Key(Kind.PULL, str(self.calendar.id)), due_at=self.practice.now, lane=self.calendar.lane)
        self.practice.carry_out()

    def start_with(self, backup: Backup) -> None:
        """Put a back-up in the place of the database, and start."""
        self.tick()
        self.installation.wait(hours=1)
        self.service.pass_time(timedelta(hours=1))
        backup.restore(self.practice.database)
        self.tick()

    def survey(self) -> Sequence[Survey]:
        return surveys.take(
            self.practice.database, self.practice.policy, self.installation.runtime.remote, now=self.practice.now
        )

    def decide(self, follow: Follow) -> None:
        """What `pencilled restored --follow ...` does."""
        runtime, practice = self.installation.runtime, self.practice
        restoring.decide(
            practice.database, practice.policy, runtime.remote, self.survey(), follow, by=OPERATOR, now=practice.now
        )

    def mails_to_clients(self) -> list[str]:
        """The subject of every mail to anybody but the practitioner."""
        messages = self.installation.mailbox.messages
        return [str(one.message["Subject"]) for one in messages if self.practice.kim.email not in one.recipients]

    def sequences(self, session: Session) -> list[int]:
        """The SEQUENCE of every iCalendar part that was mailed about a session, by its UID, in order."""
        parts = (
            part
            for one in self.installation.mailbox.messages
            for part in one.message.walk()
            if part.get_content_type() == "text/calendar"
        )
        events = [_event(part.get_content()) for part in parts]
        return [int(event["SEQUENCE"]) for event in events if str(event["UID"]) == session.uid]

    def times(self) -> list[datetime]:
        return [event.start for event in self.service.shown()]

    def assert_in_line(self) -> None:
        """The calendar shows what it should, and another look writes nothing."""
        with self.practice.database.read() as db:
            picture = push.picture(db, self.practice.policy, self.calendar.id, now=self.practice.now)
            kept = installation.kept_entries_of(db, self.calendar.id)
            assert calendars.calendar(db, self.calendar.id).paused is None
        assert picture.actions == ()
        assert len(self.service.shown()) == len(picture.wanted) + len(kept)
        assert {entry.content.span.start for entry in picture.wanted} <= set(self.times())
        assert self.written_by(minutes=20) == []

    def written_by(self, **by: float) -> list[str]:
        """What is written to the service while so much time passes."""
        self.service.forget()
        self.go_on(**by)
        return [request for request in self.service.requests() if request in WRITING]


def _event(text: Any) -> Any:
    calendar = ICalendar.from_ical(text if isinstance(text, str) else bytes(text).decode())
    (event,) = calendar.walk("VEVENT")
    return event


@contextmanager
def at(service: Service, sqlite_url: str) -> Iterator[Practising]:
    with Installation(sqlite_url) as here:
        yield Practising(here, service)


@contextmanager
def running(slug: str, request: pytest.FixtureRequest, folder: Path) -> Iterator[Service]:
    server: Server | None = None
    if slug in ("radicale", "xandikos"):
        server = request.getfixturevalue(f"{slug}_server")
    with services.service("caldav" if server else slug, folder, server) as service:
        yield service


@dataclass(frozen=True)
class Day:
    """What has happened since the back-up: an offer was answered, a session moved, another one booked."""

    offered: Session
    offer: Offer
    moved: Session
    new: Session
    backup: Backup


def live_on(here: Practising, sqlite_url: str) -> Day:
    practice = here.practice
    moved = practice.book(200, of=practice.another_client(client(name="Bo Other", email="bo@client.example")))
    offered = practice.book(48)
    offer = practice.offer(offered, 72, 96, 120)
    here.go_on(minutes=5)
    backup = Backup(sqlite_url)
    practice.accept(offer, 1)
    practice.move(moved, when(224))
    new = practice.book(300, of=practice.another_client(client(name="Cy Third", email="cy@client.example")))
    here.go_on(minutes=5)
    assert here.times() == [when(hours).span.start for hours in (96, 224, 300)]
    return Day(offered, offer, moved, new, backup)


@pytest.mark.parametrize(("slug", "follow"), EACH)
def test_yesterdays_database_tells_nobody_anything_and_is_put_right_by_one_decision(
    slug: str, follow: Follow, request: pytest.FixtureRequest, sqlite_url: str, tmp_path: Path
) -> None:
    with running(slug, request, tmp_path) as service, at(service, sqlite_url) as here:
        practice, day = here.practice, live_on(here, sqlite_url)
        mails, stood = here.mails_to_clients(), here.times()
        sent = {session.id: max(here.sequences(session)) for session in (day.offered, day.moved)}
        assert here.sequences(day.new)

        here.start_with(day.backup)
        assert here.written_by(hours=2) == []
        assert (here.mails_to_clients(), here.times()) == (mails, stood)
        (survey,) = here.survey()
        unknown = [one.actual.start for one in survey.differences(practice.now) if one.what == "unknown" and one.actual]
        assert unknown == [when(300).span.start]

        here.decide(follow)
        here.go_on(hours=30)  # past every reminder and deadline
        assert here.mails_to_clients() == mails
        here.assert_in_line()
        follows_calendars = follow is Follow.CALENDARS
        assert practice.session(day.offered).when == when(96 if follows_calendars else 48)
        assert practice.session(day.moved).when == when(224 if follows_calendars else 200)
        assert (practice.session(day.moved).flag is FlagReason.RESTORED) is follows_calendars
        state = OfferState.ACCEPTED if follows_calendars else OfferState.WITHDRAWN
        assert practice.offer_now(day.offer).state is state
        assert (when(300).span.start in here.times()) is follows_calendars

        for session, hours in ((day.offered, 400), (day.moved, 424)):
            practice.move(practice.session(session), when(hours))
            assert here.sequences(session)[-1] > sent[session.id]
        assert len(here.mails_to_clients()) == len(mails) + 2
        here.go_on(minutes=20)
        here.assert_in_line()


def test_a_server_whose_files_are_yesterdays_is_put_right_and_nobody_is_told(sqlite_url: str, tmp_path: Path) -> None:
    with ExitStack() as held:
        server = held.enter_context(radicale(tmp_path / "radicale"))
        service = held.enter_context(services.service("caldav", tmp_path, server))
        here = held.enter_context(at(service, sqlite_url))
        practice, files, saved = here.practice, tmp_path / "radicale" / "collections", tmp_path / "saved"
        moved, offered = practice.book(200), practice.book(48, of=practice.another_client())
        offer = practice.offer(offered, 72, 96, 120)
        here.go_on(minutes=5)
        shutil.copytree(files, saved)
        practice.accept(offer, 1)
        practice.move(moved, when(224))
        practice.book(300)
        here.go_on(minutes=5)
        right, mails = here.times(), len(here.installation.mailbox.messages)

        shutil.rmtree(files)
        shutil.copytree(saved, files)
        assert here.times() != right
        here.go_on(hours=25)

        assert here.times() == right
        assert len(here.installation.mailbox.messages) == mails
        here.assert_in_line()
