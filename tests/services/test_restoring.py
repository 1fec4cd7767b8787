"""A database set back to an earlier state: no client is told, revisions never fall, one decision puts it right."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import Path
from uuid import UUID

import pytest

from connector.domain.connection import Calendar
from connector.domain.facts import FlagReason
from connector.domain.notice import NoticeKind, Righting
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Actor, Role
from connector.domain.restore import Follow
from connector.domain.session import Edit, Session
from connector.errors import RuleError, StandstillError, TransientError
from connector.ports import Letter, RemoteCalendar, Seen
from connector.services import restoring, standstill, surveys
from connector.services.scheduling import sessions as scheduling
from connector.services.surveys import Survey
from connector.services.sync import breaker, push
from connector.services.sync.breaker import How
from connector.storage import calendars, installation, people
from connector.storage.database import Database
from connector.storage.ledger import Kind
from connector.witnesses import FileWitness
from providers.memory import provider as memory
from tests.domain.examples import ATTESTED, KIM, when
from tests.services.backups import Backup, ServerBackup
from tests.services.connected import connect, href_at, offer_and_show, remote, times, work
from tests.services.connected import push as look
from tests.services.practice import KeptLetters, Practice
from tests.services.waiting import until_it_waits

OPERATOR = Actor(role=Role.OPERATOR, name="root")
BOTH = pytest.mark.parametrize("follow", list(Follow))


@dataclass
class Restored:
    """An installation with a witness, and the back-up of it that can be put in its place."""

    practice: Practice
    calendar: Calendar
    url: str
    witness: FileWitness
    backup: Backup | ServerBackup = None  # type: ignore[assignment]  # made by `back_up`
    server: str = ""  # of PostgreSQL

    @property
    def letters(self) -> list[Letter]:
        sender = self.practice.runtime.sender
        assert isinstance(sender, KeptLetters)
        return sender.letters

    def to_clients(self) -> list[Letter]:
        return [letter for letter in self.letters if letter.notice.to.address == self.practice.alex.email]

    def revisions(self, session: Session) -> list[int]:
        mailed = [letter.notice.session for letter in self.to_clients()]
        return [told.revision for told in mailed if told is not None and told.uid == session.uid]

    def look(self) -> None:
        """What every process does before anything else, and then again and again."""
        standstill.look(self.practice.database, self.practice.policy, self.witness, clock=self.practice.clock)

    def back_up(self) -> None:
        self.look()
        if self.server:
            self.backup = ServerBackup(self.server, self.url, self.practice.database)
        else:
            self.backup = Backup(self.url)

    def restore(self) -> None:
        """Let the world go on until now be known to the witness, set the database back, and start."""
        self.look()
        self.practice.wait(hours=1)
        self.backup.restore(self.practice.database)
        self.look()

    def remote(self, calendar_id: UUID) -> RemoteCalendar:
        with self.practice.database.read() as db:
            return remote(self.practice, calendars.calendar(db, calendar_id).remote_id)

    def survey(self) -> list[Survey]:
        return list(surveys.take(self.practice.database, self.practice.policy, self.remote, now=self.practice.now))

    def decide(self, follow: Follow) -> None:
        restoring.decide(
            self.practice.database,
            self.practice.policy,
            self.remote,
            self.survey(),
            follow,
            by=OPERATOR,
            now=self.practice.now,
        )

    def go_on(self) -> None:
        """Do all that is due for some minutes."""
        for _ in range(4):
            self.practice.carry_out(Kind.CALENDAR, Kind.PULL, Kind.CONVERSATION, Kind.OFFER, Kind.QUESTION)
            self.practice.wait(minutes=1)

    def righted(self) -> list[Righting]:
        [letter] = [letter for letter in self.letters if letter.notice.kind is NoticeKind.RESTORED]
        return [one.what for one in letter.notice.righted]

    def assert_in_line(self) -> None:
        """The calendar shows what it should, and another look writes nothing."""
        with self.practice.database.read() as db:
            picture = push.picture(db, self.practice.policy, self.calendar.id, now=self.practice.now)
            kept = installation.kept_entries_of(db, self.calendar.id)
        assert picture.calendar.paused is None
        there = remote(self.practice)
        ours = [event.span for event in there.events.values() if event.name and event.name not in kept]
        assert sorted(ours) == sorted(entry.content.span for entry in picture.wanted)
        there.requests.clear()
        look(self.practice, self.calendar)
        work(self.practice, self.calendar)
        assert not there.requests["put"] + there.requests["remove"]


@pytest.fixture
def restored(sqlite_database: Database, sqlite_url: str, tmp_path: Path) -> Iterator[Restored]:
    practice = Practice(sqlite_database)
    yield Restored(practice, connect(practice), sqlite_url, FileWitness(tmp_path / "witness"))
    memory.forget(str(practice.kim.id))


def lived_on(restored: Restored) -> tuple[Session, Offer, Session, Session]:
    """Back up an installation with an open offer; the client accepts, a session is moved, and one is booked."""
    practice = restored.practice
    moved = practice.book(200)
    offered, offer = offer_and_show(practice, restored.calendar, 72, 96, 120)
    restored.back_up()
    practice.wait(hours=1)
    practice.accept(offer, 1)
    moved = practice.move(moved, when(224))
    practice.mail()
    practice.mail()
    new = practice.book(300)
    work(practice, restored.calendar)
    look(practice, restored.calendar)
    return offered, offer, moved, new


@BOTH
def test_a_restored_database_tells_no_client_anything_and_no_revision_falls(restored: Restored, follow: Follow) -> None:
    offered, _, moved, _ = lived_on(restored)
    before = len(restored.to_clients())
    highest = {session.id: max(restored.revisions(session)) for session in (offered, moved)}

    restored.restore()
    restored.go_on()
    assert len(restored.to_clients()) == before
    restored.decide(follow)
    restored.go_on()

    assert len(restored.to_clients()) == before
    restored.assert_in_line()
    for session in (offered, moved):
        practice = restored.practice
        practice.move(practice.session(session), when(400 if session is offered else 424))
        assert restored.revisions(session)[-1] > highest[session.id]


def test_following_the_calendars_a_session_stands_where_its_event_stands(restored: Restored) -> None:
    offered, offer, moved, _new = lived_on(restored)
    practice = restored.practice

    restored.restore()
    restored.decide(Follow.CALENDARS)
    restored.go_on()

    assert practice.session(offered).when == when(96)
    assert practice.session(offered).flag is None
    assert practice.offer_now(offer).state is OfferState.ACCEPTED
    assert practice.session(moved).when == when(224)
    assert practice.session(moved).flag is FlagReason.RESTORED  # whether its client knows is not certain
    assert restored.righted() == [Righting.ACCEPTED, Righting.MOVED, Righting.UNKNOWN]
    assert when(300).span in times(practice)  # nobody knows it, so it is the practitioner's own now


def test_following_the_database_all_is_put_back_but_an_answered_offer_and_what_nobody_knows_goes(
    restored: Restored,
) -> None:
    offered, offer, moved, _ = lived_on(restored)
    practice = restored.practice

    restored.restore()
    restored.decide(Follow.DATABASE)
    restored.go_on()

    assert practice.session(offered).when == when(48)
    assert practice.offer_now(offer).state is OfferState.WITHDRAWN  # its end would tell its client something false
    assert practice.session(offered).flag is FlagReason.RESTORED
    assert practice.session(moved).when == when(200)
    assert times(practice) == [when(48).span, when(200).span]
    assert set(restored.righted()) == {Righting.OFFER_OVER, Righting.PUT_BACK, Righting.REMOVED}


def test_following_the_database_an_offer_of_which_calendars_say_nothing_stays_open(restored: Restored) -> None:
    practice = restored.practice
    _, offer = offer_and_show(practice, restored.calendar, 72, 96)
    restored.back_up()
    practice.book(300)  # so that it is noticed
    work(practice, restored.calendar)
    remote(practice).wipe()

    restored.restore()
    restored.decide(Follow.DATABASE)
    restored.go_on()

    assert practice.offer_now(offer).state is OfferState.OPEN
    assert times(practice) == [when(48).span, when(72).span, when(96).span]


def test_an_offer_whose_times_are_gone_is_over_and_its_session_needs_its_practitioner(restored: Restored) -> None:
    practice = restored.practice
    booked, offer = offer_and_show(practice, restored.calendar, 72, 96)
    restored.back_up()
    practice.reject(offer)
    work(practice, restored.calendar)
    before = len(restored.to_clients())

    restored.restore()
    restored.decide(Follow.CALENDARS)
    practice.wait(hours=30)
    restored.go_on()

    assert practice.offer_now(offer).state is OfferState.WITHDRAWN
    assert practice.session(booked).flag is FlagReason.RESTORED
    assert len(restored.to_clients()) == before
    restored.assert_in_line()


@BOTH
def test_a_draft_that_was_sent_since_is_not_forgotten(restored: Restored, follow: Follow) -> None:
    practice = restored.practice
    booked = practice.book(48)
    work(practice, restored.calendar)
    draft = practice.draft(booked, 72, 96, 120)
    restored.back_up()
    practice.send(draft)
    work(practice, restored.calendar)
    remote(practice).delete(href_at(practice, 120))  # taken back since, in the calendar
    before = len(restored.to_clients())

    restored.restore()
    restored.decide(follow)
    restored.go_on()

    offer = practice.offer_now(draft)
    assert len(restored.to_clients()) == before
    restored.assert_in_line()
    if follow is Follow.DATABASE:
        assert (restored.righted(), offer.state) == ([Righting.DRAFT_AGAIN], OfferState.DRAFT)
        return
    assert (restored.righted(), offer.state) == ([Righting.OFFER_SENT], OfferState.OPEN)
    assert [one.when for one in offer.held] == [when(72), when(96)]
    practice.accept(offer, 1)
    assert practice.session(booked).when == when(96)
    assert len(restored.to_clients()) == before + 1


def test_a_session_whose_event_is_gone_is_flagged_and_not_cancelled(restored: Restored) -> None:
    practice = restored.practice
    booked = practice.book(48)
    work(practice, restored.calendar)
    restored.back_up()
    practice.cancel(booked)
    work(practice, restored.calendar)
    before = len(restored.to_clients())

    restored.restore()
    restored.decide(Follow.CALENDARS)
    restored.go_on()

    assert practice.session(booked).flag is FlagReason.RESTORED
    assert restored.righted() == [Righting.GONE]
    assert len(restored.to_clients()) == before
    restored.assert_in_line()


def test_two_sessions_that_have_changed_places_stand_where_they_stand(restored: Restored) -> None:
    practice = restored.practice
    first, second = practice.book(48), practice.book(72)
    work(practice, restored.calendar)
    restored.back_up()
    practice.move(first, when(500))
    practice.move(second, when(48))
    practice.move(practice.session(first), when(72))
    work(practice, restored.calendar)

    restored.restore()
    restored.decide(Follow.CALENDARS)
    restored.go_on()

    assert (practice.session(first).when, practice.session(second).when) == (when(72), when(48))
    restored.assert_in_line()


def test_a_question_that_may_have_been_answered_since_asks_no_client_by_itself(restored: Restored) -> None:
    practice = restored.practice
    booked = practice.book(48)
    work(practice, restored.calendar)
    look(practice, restored.calendar)
    remote(practice).move(href_at(practice, 48), when(60).span)
    for _ in range(3):
        look(practice, restored.calendar)
        practice.wait(seconds=61)
    restored.back_up()
    practice.book(300)
    before = len(restored.to_clients())

    restored.restore()
    restored.decide(Follow.CALENDARS)
    restored.go_on()

    assert practice.session(booked).when == when(48)
    assert practice.session(booked).flag is FlagReason.RESTORED
    assert len(restored.to_clients()) == before
    restored.assert_in_line()


def test_while_it_stands_still_nothing_is_decided_and_no_calendar_goes_on_by_itself(restored: Restored) -> None:
    _, offer, moved, _ = lived_on(restored)
    practice = restored.practice
    restored.restore()

    with pytest.raises(StandstillError):
        practice.book(600)
    with pytest.raises(StandstillError):
        practice.accept(offer, 0)
    with pytest.raises(StandstillError), practice.database.begin() as db:
        breaker.resume(db, restored.calendar.id, How.REVERT, by=OPERATOR, now=practice.now)

    remote(practice).requests.clear()
    restored.go_on()
    assert not remote(practice).requests
    assert practice.session(moved).when == when(200)


def test_a_calendar_that_cannot_be_read_stays_stopped_until_it_is_decided_about(restored: Restored) -> None:
    _offered, _, moved, _ = lived_on(restored)
    practice = restored.practice
    restored.restore()
    remote(practice).offline = TransientError("down")
    assert [survey.error for survey in restored.survey()] == ["down"]
    restored.decide(Follow.CALENDARS)
    restored.go_on()
    remote(practice).offline = None
    restored.go_on()
    with practice.database.read() as db:
        assert calendars.calendar(db, restored.calendar.id).paused == "restored"
    with pytest.raises(RuleError, match="set back to an earlier state"), practice.database.begin() as db:
        breaker.resume(db, restored.calendar.id, How.REVERT, by=OPERATOR, now=practice.now)

    restored.decide(Follow.CALENDARS)
    restored.go_on()

    assert practice.session(moved).when == when(224)
    restored.assert_in_line()


@BOTH
def test_a_decision_about_a_database_that_was_not_restored_changes_nothing(restored: Restored, follow: Follow) -> None:
    practice = restored.practice
    booked, offer = offer_and_show(practice, restored.calendar, 72, 96)
    before = len(restored.to_clients())
    with practice.database.begin() as db:
        standstill.begin(db, practice.policy, by=OPERATOR, now=practice.now)

    restored.decide(follow)
    restored.go_on()

    assert practice.session(booked).when == when(48)
    assert practice.offer_now(offer).state is OfferState.OPEN
    assert restored.righted() == []
    assert len(restored.to_clients()) == before
    restored.assert_in_line()


def test_a_back_up_that_is_restored_twice_is_noticed_twice_and_revisions_rise_again(restored: Restored) -> None:
    practice = restored.practice
    booked = practice.book(48)
    work(practice, restored.calendar)
    restored.back_up()
    sent = []
    for hours in (72, 96):
        practice.move(practice.session(booked), when(hours))
        sent += restored.revisions(booked)
        restored.restore()
        assert standstill.stands(practice.database)
        restored.decide(Follow.DATABASE)
        restored.go_on()
        practice.move(practice.session(booked), when(hours + 200))
        assert restored.revisions(booked)[-1] > max(sent)
        sent += restored.revisions(booked)
    with practice.database.read() as db:
        assert installation.get(db).epoch == 2


def test_a_witness_that_knows_nothing_or_another_installation_proves_nothing(
    restored: Restored, tmp_path: Path
) -> None:
    restored.practice.book(48)
    (tmp_path / "witness").write_text(f"{UUID(int=1)} 7 900\n", encoding="ascii")
    restored.look()
    assert not standstill.stands(restored.practice.database)
    (tmp_path / "witness").unlink()
    restored.look()
    assert not standstill.stands(restored.practice.database)
    (tmp_path / "witness").write_text("nonsense", encoding="ascii")
    restored.look()
    assert not standstill.stands(restored.practice.database)


@pytest.mark.parametrize("is_witnessed", [True, False])
def test_a_back_up_made_after_a_restore_can_be_restored_twice_within_minutes(
    restored: Restored, tmp_path: Path, *, is_witnessed: bool
) -> None:
    practice = restored.practice
    booked = practice.book(48)
    revisions = []
    for hours in (60, 61, 62):
        if not is_witnessed:
            (tmp_path / "witness").unlink(missing_ok=True)
        with practice.database.begin() as db:
            standstill.begin(db, practice.policy, by=OPERATOR, now=practice.now)
        restored.decide(Follow.DATABASE)
        if hours == 60:
            restored.back_up()
        practice.move(practice.session(booked), when(hours))
        revisions.append(practice.session(booked).revision)
        restored.look()
        practice.wait(minutes=3)
        restored.backup.restore(practice.database)
    assert revisions == sorted(set(revisions))
    assert revisions[-1] < 2**31


def test_a_witness_has_revisions_rise_from_one_restore_to_the_next_although_the_clock_was_set_back(
    restored: Restored,
) -> None:
    practice = restored.practice
    booked = practice.book(48)
    restored.back_up()
    practice.move(booked, when(50))
    restored.restore()
    restored.decide(Follow.DATABASE)
    restored.look()
    later = Backup(restored.url, "later")
    revisions = []
    for hours in (60, 61, 62):
        practice.move(practice.session(booked), when(hours))
        revisions.append(practice.session(booked).revision)
        restored.look()
        practice.wait(hours=-1)
        later.restore(practice.database)
        restored.look()
        restored.decide(Follow.DATABASE)
    assert revisions == sorted(set(revisions))


class BusyWitness(FileWitness):
    """A witness that is told of something new between the moment somebody reads the database and the question."""

    def __init__(self, path: Path, meanwhile: Callable[[], None]) -> None:
        super().__init__(path)
        self._meanwhile = meanwhile

    def recall(self, installation_id: UUID) -> Seen | None:
        self._meanwhile()
        return super().recall(installation_id)


def test_what_happens_while_somebody_looks_is_no_restore(restored: Restored, tmp_path: Path) -> None:
    practice = restored.practice
    practice.book(48)
    restored.look()

    def book_another() -> None:
        practice.book(100, of=practice.another_client())
        restored.look()  # as the process that pumps does within a second

    busy = BusyWitness(tmp_path / "witness", book_another)
    standstill.look(practice.database, practice.policy, busy, clock=practice.clock)

    assert not standstill.stands(practice.database)
    with practice.database.read() as db:
        told = Seen(epoch=0, fact=installation.newest_fact(db))
        assert restored.witness.recall(installation.get(db).id) == told


def test_what_is_known_of_a_back_up_that_was_made_in_a_standstill_is_no_more_than_was_known_before_it(
    restored: Restored,
) -> None:
    practice = restored.practice
    practice.book(48)
    for _ in range(2):
        practice.wait(hours=1)
        standstill.declare(practice.database, practice.policy, None, by=OPERATOR, now=practice.now)
    with practice.database.read() as db:
        stored = installation.get(db)
    assert (stored.epoch, stored.restored_at) == (2, practice.now)
    assert stored.known_until == practice.now - timedelta(hours=2)


def test_the_operator_is_told_once_that_the_database_was_restored(restored: Restored) -> None:
    practice = restored.practice
    practice.policy = type(practice.policy)(organizer=practice.policy.organizer, operator="ops@practice.example")
    booked = practice.book(48)
    restored.back_up()
    practice.move(booked, when(72))

    restored.restore()
    for _ in range(3):
        restored.look()
        restored.go_on()

    told = [letter for letter in restored.letters if letter.notice.kind is NoticeKind.RESTORE_FOUND]
    assert [letter.notice.to.address for letter in told] == ["ops@practice.example"]
    assert isinstance(told[0].notice.since, datetime)


def test_what_a_practitioner_adds_after_a_restore_is_known_to_the_witness_again(restored: Restored) -> None:
    practice = restored.practice
    booked = practice.book(48)
    restored.back_up()
    practice.move(booked, when(72))
    restored.restore()
    restored.decide(Follow.DATABASE)
    restored.go_on()
    restored.look()
    assert not standstill.stands(practice.database)
    with practice.database.read() as db:
        assert people.practitioner(db, practice.kim.id) == practice.kim


@pytest.mark.postgresql
def test_a_restored_database_on_a_server_is_put_right_alike(
    postgresql_database: Database, postgresql_url: str, postgresql_server: str, tmp_path: Path
) -> None:
    practice = Practice(postgresql_database)
    witness = FileWitness(tmp_path / "witness")
    restored = Restored(practice, connect(practice), postgresql_url, witness, server=postgresql_server)
    offered, offer, moved, _ = lived_on(restored)
    before, highest = len(restored.to_clients()), max(restored.revisions(offered))

    restored.restore()
    assert standstill.stands(practice.database)
    restored.decide(Follow.CALENDARS)
    restored.go_on()

    assert len(restored.to_clients()) == before
    assert (practice.session(offered).when, practice.session(moved).when) == (when(96), when(224))
    assert practice.offer_now(offer).state is OfferState.ACCEPTED
    assert practice.session(offered).revision > highest
    restored.assert_in_line()
    memory.forget(str(practice.kim.id))


@pytest.mark.postgresql
def test_a_decision_under_way_ends_before_a_standstill_begins_so_that_its_revision_is_raised(
    postgresql_database: Database,
) -> None:
    practice = Practice(postgresql_database)
    booked = practice.book(48)

    def begin() -> None:
        with practice.database.begin() as db:
            standstill.begin(db, practice.policy, by=OPERATOR, now=practice.now)

    with ThreadPoolExecutor(1) as pool:
        with practice.database.begin() as db:
            standstill.lock(db, practice.kim.id)
            beginning = pool.submit(begin)
            until_it_waits(db, beginning)
            agreed = Edit(when=when(60), attestation=ATTESTED)
            scheduling.edit(db, practice.policy, booked.id, agreed, by=KIM, now=practice.now)
        beginning.result()

    assert practice.session(booked).when == when(60)
    assert practice.session(booked).revision >= installation.above_all(practice.now)
