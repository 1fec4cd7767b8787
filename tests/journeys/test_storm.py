"""The storm: many acts for several clients while everything fails; afterwards calendars and letters say what is so."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from difflib import unified_diff
from pathlib import Path
from uuid import UUID

import psycopg
import pytest
import sqlalchemy as sa
from icalendar import Calendar

from connector.domain.notice import Choice, Notice, NoticeKind
from connector.domain.offer import OfferState
from connector.domain.session import Session, SessionState
from connector.services import beliefs
from connector.services.sync import push
from connector.storage import conversations as stored_conversations
from connector.storage import doubts, ledger, messages, migrations, remote_changes, tables
from connector.storage.messages import Message, MessageState
from tests.conftest import STORMS, Postgresql, postgresql
from tests.domain.conversations import ASKING, ENDING, Reader
from tests.fakes.caldav_proxy import Proxy
from tests.fakes.mailbox import Caught
from tests.fakes.servers import radicale, xandikos
from tests.journeys.services import CaldavService
from tests.journeys.storm import SHORT, Diary, Distributed, OnPage, Storm, attached, look, open_diary, real_now
from tests.work.redis_server import redis_server

pytestmark = [pytest.mark.postgresql, pytest.mark.redis, pytest.mark.slow, pytest.mark.long]

# Others by hand: CONNECTOR_TEST_STORMS="3 4 5" make test-long ARGS=tests/journeys/test_storm.py
ACTS = 60
PATIENCE = 400.0  # what failed is put off for longer and longer


@pytest.fixture(scope="module")
def database_server() -> Iterator[Postgresql]:
    with postgresql() as server:
        yield server


@contextmanager
def installed(server: Postgresql, folder: Path, *, seed: int) -> Iterator[Storm]:
    """Two practitioners with two clients each, and a calendar server each."""
    url = sa.make_url(server.url).set(database=f"storm{seed}").render_as_string(hide_password=False)
    with psycopg.connect(server.url, autocommit=True) as db:
        db.execute(f"CREATE DATABASE storm{seed}".encode())
    migrations.migrate(url)
    with ExitStack() as held:
        redis = held.enter_context(redis_server(folder))
        installation = held.enter_context(Distributed(url, redis.url))
        diaries: list[Diary] = []
        for number, start in enumerate((radicale, xandikos)):
            calendar_server = held.enter_context(start(folder / start.__name__))
            there = CaldavService(calendar_server, held.enter_context(Proxy(calendar_server.url)))
            held.callback(there.provider.close)
            diaries.append(open_diary(installation, there, clients=2, number=number))
        held.callback(attached(installation).stop)
        storm = Storm(installation, diaries, database=server, redis=redis, folder=folder, seed=seed)
        held.callback(storm.stop)
        yield storm


@pytest.mark.timeout(1500)
@pytest.mark.parametrize("seed", STORMS)
def test_after_a_storm_calendars_and_clients_have_the_truth(
    database_server: Postgresql, tmp_path: Path, seed: int
) -> None:
    with installed(database_server, tmp_path, seed=seed) as storm:
        storm.rage(ACTS)
        settle(storm)
        for diary in storm.diaries:
            look(storm.installation, diary.calendar)
        settle(storm)
        for diary in storm.diaries:
            check_calendar(storm, diary)
        check_nothing_waits(storm)
        letters = Letters(storm)
        letters.check_repeats()
        for diary in storm.diaries:
            for session in diary.sessions:
                letters.check_session(diary, diary.practice.session(session))
        print(f"seed {seed}: {dict(storm.acts)}, {dict(storm.faults)}, {len(storm.mailbox.messages)} letters")


def settle(storm: Storm) -> None:
    """Wait until nothing is to be done any more, and nothing lapses soon."""
    storm.installation.until(lambda: unsettled(storm), lambda left: not left, patience=PATIENCE)


def unsettled(storm: Storm) -> list[str]:
    database, now = storm.installation.runtime.database, real_now()
    left = [str(key) for key in storm.installation.unfinished(now)]
    with database.read() as db:
        failing = db.execute(sa.select(ledger.due).where(ledger.due.c.attempts > 0, ledger.due.c.due_at.is_not(None)))
        left += [f"{row.kind} {row.id} failed: {row.last_error}" for row in failing]
        open_until = db.execute(sa.select(tables.offers.c.expires_at).where(tables.offers.c.state == "open")).scalars()
        left += [f"an offer until {at}" for at in open_until if at < now + SHORT]
        for diary in storm.diaries:
            if doubts.next_look(db, diary.calendar.id) is not None:
                left.append(f"doubts of {diary.calendar.id}")
    return left


def check_calendar(storm: Storm, diary: Diary) -> None:
    """The server lists what should stand, once, and nothing is planned after everything was read."""
    shown = [(event.start, event.end, event.status) for event in diary.there.shown()]
    states = {"booked": "confirmed", "session": "confirmed"}
    kept = [(start, end, states.get(state, "tentative")) for start, end, state in diary.practice.kept()]
    assert shown == kept
    with storm.installation.runtime.database.read() as db:
        picture = push.picture(db, diary.practice.policy, diary.calendar.id, now=real_now())
        assert picture.calendar.paused is None
        assert picture.actions == ()
        assert remote_changes.of_calendar(db, diary.calendar.id) == {}


def check_nothing_waits(storm: Storm) -> None:
    arrived = {str(mail.message["Message-ID"]) for mail in storm.mailbox.messages}
    with storm.installation.runtime.database.read() as db:
        for diary in storm.diaries:
            for session in diary.sessions:
                for stored in stored_conversations.of_session(db, session.id):
                    assert stored.letter_id is None
                    assert beliefs.waiting(db, stored, now=real_now()) is None
        assert db.execute(sa.select(sa.func.count()).select_from(tables.pending_notices)).scalar_one() == 0
        log = db.execute(sa.select(tables.messages)).all()
    states = {row.message_id: MessageState(row.state) for row in log}
    assert MessageState.SENDING not in states.values()
    assert {one for one, state in states.items() if state is MessageState.SENT} <= arrived
    assert arrived <= states.keys()
    assert not [one for one in arrived if states[one] in (MessageState.QUEUED, MessageState.HELD_BACK)]


@dataclass(frozen=True)
class Told:
    """A letter as it arrived, and what it was about."""

    number: int
    mail: Caught
    notice: Notice

    @property
    def invitation(self) -> tuple[str, int, datetime, str] | None:
        """METHOD, SEQUENCE, start and place."""
        for part in self.mail.message.walk():
            if part.get_content_type() == "text/calendar":
                (event,) = Calendar.from_ical(str(part.get_payload(decode=True), "utf-8")).walk("VEVENT")  # type: ignore[arg-type]
                assert self.notice.session is not None
                assert str(event["UID"]) == self.notice.session.uid
                method = str(part.get_param("method"))
                return method, int(str(event["SEQUENCE"])), event.decoded("DTSTART"), str(event["LOCATION"])
        return None


@dataclass
class Letters:
    """Everything on the wire, in order, with what the log says it was."""

    storm: Storm
    _log: dict[str, Message] = field(init=False)

    def __post_init__(self) -> None:
        self._log = {}
        with self.storm.installation.runtime.database.read() as db:
            for diary in self.storm.diaries:
                for session in diary.sessions:
                    self._log |= {one.message_id: one for one in messages.of_session(db, session.id)}

    def check_repeats(self) -> None:
        """A letter that came once more came as it was."""
        first: dict[str, Caught] = {}
        for mail in self.storm.mailbox.messages:
            earlier = first.setdefault(str(mail.message["Message-ID"]), mail)
            assert list(unified_diff(str(earlier.raw).split("\\r\\n"), str(mail.raw).split("\\r\\n"), n=0)) == []

    def to_client(self, session_id: UUID) -> Sequence[Told]:
        told = []
        for number, mail in enumerate(self.storm.mailbox.messages):
            one = self._log.get(str(mail.message["Message-ID"]))
            if one is not None and one.to_client and one.session_id == session_id:
                told.append(Told(number, mail, one.notice))
        return told

    def check_session(self, diary: Diary, session: Session) -> None:
        told = self.to_client(session.id)
        story = [(one.number, one.notice.kind.value, one.invitation) for one in told]
        invitations = [one.invitation for one in told if one.invitation is not None]
        sequences = [sequence for _, sequence, _, _ in invitations]
        assert sequences == sorted(sequences), story
        check_order(told)
        reader = self._reader(session.id, told)
        if session.state is SessionState.CANCELLED:
            assert not invitations or invitations[-1][0] == "CANCEL", story
            assert reader.known is None, story
            assert not reader.offers, story
            return
        assert invitations, story
        assert (invitations[-1][0], *invitations[-1][2:]) == (
            "REQUEST",
            session.when.span.start,
            session.location.text,
        ), story
        assert reader.known == (session.when, session.location), story
        opened = [one for one in diary.offers_of(session) if one.state is OfferState.OPEN]
        assert reader.offers == {
            one.id: (
                tuple(Choice(when=a.when, location=a.location or session.location) for a in one.standing),
                one.expires_at,
            )
            for one in opened
        }, story

    def _reader(self, session_id: UUID, told: Sequence[Told]) -> Reader:
        """Somebody who has believed every letter, and what they have done on pages in between."""
        reader = Reader()
        on_pages = [one for one in self.storm.on_pages if one.session_id == session_id]
        happened: list[tuple[int, int, Told | OnPage]] = [(one.number, 1, one) for one in told]
        happened += [(one.letters, 0, one) for one in on_pages]
        for _, _, one in sorted(happened, key=lambda row: row[:2]):
            if isinstance(one, Told):
                reader.read(one.notice)
                continue
            reader.answered.add(one.offer_id)
            if one.choice is None:
                reader.offers.pop(one.offer_id, None)
            else:
                reader.known = (one.choice.when, one.choice.location)
                reader.offers.clear()
        return reader


def check_order(told: Sequence[Told]) -> None:
    """No offer is told of after its end was."""
    asked: set[UUID] = set()
    ended: set[UUID] = set()
    for one in told:
        notice = one.notice
        if notice.kind in ASKING:
            assert notice.offer_id is not None
            assert notice.offer_id not in ended, [(other.number, other.notice.kind.value) for other in told]
            ended |= asked - {notice.offer_id} if notice.offer_withdrawn else set()
            asked.add(notice.offer_id)
        elif ends_everything(notice):
            ended |= asked


def ends_everything(notice: Notice) -> bool:
    """Whether a letter says that what was offered before it has ended."""
    if notice.kind is NoticeKind.CANCELLED:
        return notice.offer_id is not None
    return notice.offer_withdrawn or notice.kind in ENDING | {NoticeKind.ACCEPTED}
