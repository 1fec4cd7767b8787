"""Nothing tells any more who a client was who is erased, and what was booked can still be counted."""

from __future__ import annotations

import base64
import sqlite3
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager
from dataclasses import replace
from pathlib import Path
from uuid import UUID

import msgspec
import psycopg
import pytest
import sqlalchemy as sa

from connector.domain.connection import Calendar
from connector.domain.facts import Answer, Attestation, ConnectionAdded
from connector.domain.notice import NoticeKind, PauseReason
from connector.domain.people import CLOCK, Actor, Level, Role
from connector.domain.session import Session
from connector.errors import AccessLostError, RefusedError, RuleError, TransientError
from connector.services import erasing, exporting
from connector.services.accounts import connect as accounts
from connector.services.conversations import readdress
from connector.services.erasing import Erased
from connector.services.people import change_client, change_practitioner, unretire_client
from connector.services.scheduling import sessions as scheduling
from connector.services.sync import breaker
from connector.services.sync.breaker import How
from connector.services.views.sessions import session_list, session_page
from connector.storage import calendars, erasures, people, tables, timeline
from connector.storage.database import Database, read_url
from connector.storage.ledger import Kind
from connector.storage.messages import MessageState
from tests.conftest import missing
from tests.domain.examples import KIM, client, when
from tests.services.connected import answer, connect, href_at, move_and_settle, on_sqlite, push, remote, retarget, work
from tests.services.practice import SEAL, KeptLetters, Practice
from tests.services.unmistakable import AGREED, OPERATOR, WORDS, Moody, told
from tests.services.waiting import until_it_waits


def erase(practice: Practice, client_id: UUID | None = None) -> Erased:
    with practice.database.begin() as db:
        return erasing.erase(db, practice.policy, client_id or practice.alex.id, by=OPERATOR, now=practice.now)


def waiting(practice: Practice, calendar: Calendar) -> int:
    with practice.database.read() as db:
        return len(erasures.of_calendar(db, calendar.id))


def titles(practice: Practice, name: str = "calendar") -> list[str]:
    return sorted(content.title for content in remote(practice, name).shown())


def counted(practice: Practice) -> Counter[tuple[object, ...]]:
    columns = (tables.sessions.c.practitioner_id, tables.sessions.c.starts_at, tables.sessions.c.state)
    with practice.database.read() as db:
        return Counter(tuple(row) for row in db.execute(sa.select(*columns)))


def files_of(database_url: str) -> list[Path]:
    """Everything that a database keeps on the disk of this machine."""
    if read_url(database_url).get_backend_name() == "sqlite":
        path = Path(read_url(database_url).database or "")
        return [file for file in path.parent.iterdir() if file.name.startswith(path.name) and file.suffix != ".lock"]
    with psycopg.connect(database_url, autocommit=True) as db:
        db.execute("CHECKPOINT")
        [folder] = db.execute("SHOW data_directory").fetchone() or ("",)
        [number] = db.execute("SELECT oid FROM pg_database WHERE datname = current_database()").fetchone() or ("",)
    files = Path(folder) / "base" / str(number)
    if not files.is_dir():
        missing("the files of PostgreSQL are on another machine, or belong to somebody else")
    return list(files.iterdir())


def gather_statistics(database_url: str) -> None:
    """Have PostgreSQL keep samples of what is stored, as it does by itself after a while."""
    if read_url(database_url).get_backend_name() != "sqlite":
        with psycopg.connect(database_url, autocommit=True) as db:
            db.execute("ANALYZE")


def found_in(texts: bytes) -> list[str]:
    return [word for word in WORDS if word.lower().encode() in texts.lower() or word.encode() in texts]


def test_nothing_in_the_database_or_its_files_tells_who_an_erased_client_was(
    practice: Practice, database_url: str
) -> None:
    story = told(practice)
    before, sessions_before = story.texts(), counted(practice)
    assert found_in(before.encode()) == list(WORDS), "the story tells of them everywhere"
    gather_statistics(database_url)
    erased = erase(practice, story.zeb.id)
    assert found_in(story.texts().encode()) == []
    assert erased.sessions == len(story.sessions)
    work(practice, story.calendar)
    assert erasing.finish(practice.database) == ""
    for file in files_of(database_url):
        assert found_in(file.read_bytes()) == [], file
    assert counted(practice) == sessions_before
    assert "Somebody Else" in story.texts()


@on_sqlite
def test_pages_of_an_erased_clients_sessions_open_and_name_nobody(practice: Practice) -> None:
    story = told(practice)
    erase(practice, story.zeb.id)
    work(practice, story.calendar)
    with practice.database.read() as db:
        rows = session_list(db, practice.kim.id, now=practice.now)
        pages = [
            session_page(db, practice.policy, practice.kim.id, session.id, now=practice.now)
            for session in story.sessions
        ]
    assert {row.client_name for row in rows.past if row.session.client_id == story.zeb.id} == {"Erased client"}
    for page in pages:
        assert found_in(repr(page).encode()) == []
        assert "Erased who the client is" in page.timeline[-1].what
        assert page.timeline[-1].who == "root"
        newer = [line.what for line in page.timeline if "newer version" in line.what]
        assert len(newer) == (2 if page.session.id == story.sessions[-1].id else 0), "every other line still reads"
        assert not page.missing_in


@on_sqlite
def test_what_had_not_left_is_not_sent_any_more(practice: Practice) -> None:
    mail = Moody()
    practice.runtime = replace(practice.runtime, sender=mail)
    booked = practice.book(48)
    mail.away = True
    practice.cancel(booked)
    sent = len(mail.letters)
    erased = erase(practice)
    mail.away = False
    for _ in range(3):
        practice.wait(hours=2)
        practice.carry_out()
    assert (len(mail.letters), erased.unsent) == (sent, 1)
    with practice.database.read() as db:
        page = session_page(db, practice.policy, practice.kim.id, booked.id, now=practice.now)
    assert [message.state for message in page.messages] == [MessageState.SENT, MessageState.HELD_BACK]


@on_sqlite
def test_a_second_erasure_does_no_harm(practice: Practice) -> None:
    story = told(practice)
    erase(practice, story.zeb.id)
    work(practice, story.calendar)
    before = story.texts()
    again = erase(practice, story.zeb.id)
    there = remote(practice)
    there.requests.clear()
    work(practice, story.calendar)
    assert (again.unsent, there.requests["put"]) == (0, 0)
    different = set(story.texts().splitlines()) ^ set(before.splitlines())
    assert {line.partition(",")[0] for line in different} <= {"('calendar'"}, "due work alone has counted on"


@on_sqlite
def test_nobody_is_erased_while_something_stands_and_what_to_do_first_is_said(practice: Practice) -> None:
    booked = practice.book(48)
    with pytest.raises(RuleError, match=f"{booked.id.hex[:8]}.*Cancel it first"):
        erase(practice)
    offer = practice.offer(booked, 96)
    practice.wait(hours=49)
    with practice.database.begin() as db:  # as if nobody had looked at its deadline yet
        db.execute(sa.update(tables.offers).values(state="open"))
    with pytest.raises(RuleError, match="Take it back first"):
        erase(practice)
    practice.come_due(offer)
    erase(practice)


@on_sqlite
def test_nobody_is_erased_while_their_practitioner_is_asked_about_them(practice: Practice) -> None:
    calendar = connect(practice)
    booked, question = move_and_settle(practice, calendar)
    practice.wait(hours=50)  # over, and nobody has looked since
    with pytest.raises(RuleError, match=f"{booked.id.hex[:8]}.*answer first"):
        erase(practice)
    answer(practice, question, Answer.REVERT)
    erase(practice)


@on_sqlite
def test_a_draft_for_who_is_erased_is_thrown_away_and_nobody_is_reminded_of_it(practice: Practice) -> None:
    practice.draft(practice.book(2), 96)
    practice.wait(hours=3)
    erase(practice)
    practice.wait(hours=5)
    practice.carry_out()
    sender = practice.runtime.sender
    assert isinstance(sender, KeptLetters)
    assert [letter.notice.kind for letter in sender.letters] == [NoticeKind.BOOKED]


@pytest.mark.postgresql
def test_who_is_booked_just_while_they_are_erased_is_not_booked(postgresql_database: Database) -> None:
    practice, another = Practice(postgresql_database), Practice(postgresql_database)
    with ThreadPoolExecutor(1) as pool:
        with postgresql_database.begin() as db:
            erasing.erase(db, practice.policy, practice.alex.id, by=OPERATOR, now=practice.now)
            booking = pool.submit(another.book, 48, of=practice.alex)
            until_it_waits(db, booking)
        with pytest.raises(RuleError, match="retired"):
            booking.result()


@on_sqlite
def test_nobody_is_erased_while_a_letter_may_be_on_its_way(practice: Practice) -> None:
    mail = Moody()
    practice.runtime = replace(practice.runtime, sender=mail)
    practice.prompt = False
    practice.cancel(practice.book(48))
    booked = practice.book(72)
    mail.fate_unknown = True
    practice.mail()
    practice.wait(hours=100)
    with pytest.raises(RuleError, match=rf"is on its way: .* \({booked.id.hex[:8]}\)"):
        erase(practice)
    mail.fate_unknown = False
    practice.mail()
    erase(practice)


def over_in(practice: Practice, *, level: Level = Level.FULL) -> tuple[Calendar, Session]:
    """A session that was over weeks ago, in a calendar that shows it."""
    calendar = connect(practice, level=level)
    booked = practice.book(48)
    work(practice, calendar)
    practice.wait(hours=24 * 30)
    push(practice, calendar)
    return calendar, booked


@on_sqlite
def test_events_that_are_over_are_written_without_the_client_and_all_else_of_them_is_kept(practice: Practice) -> None:
    calendar, _booked = over_in(practice)
    practice.book(24 * 31, of=practice.another_client())
    work(practice, calendar)
    there, href = remote(practice), href_at(practice, 48)
    there.note(href, "brought the forms")
    there.move(href, when(50).span)
    push(practice, calendar)
    assert titles(practice) == ["Session: Alex Client"] * 2
    [remainder] = erase(practice).remainders
    assert (remainder.calendar, remainder.entries, remainder.why) == ("calendar", 1, "")
    work(practice, calendar)
    event = there.events[href]
    assert (event.shown.title, event.shown.location, event.note) == ("Session", "", "brought the forms")
    assert event.span == when(50).span, "where its practitioner has put it"
    assert titles(practice) == ["Session", "Session: Alex Client"]
    assert waiting(practice, calendar) == 0
    there.requests.clear()
    push(practice, calendar)
    work(practice, calendar)
    assert there.requests["put"] == 0


@on_sqlite
def test_events_that_are_over_are_named_in_their_practitioners_language(practice: Practice) -> None:
    with practice.database.begin() as db:
        change_practitioner(db, practice.kim.id, {"locale": "de"}, by=KIM, now=practice.now)
    calendar, _booked = over_in(practice)
    with practice.database.read() as db:
        exported = exporting.export(db, practice.policy, practice.alex.id, now=practice.now)
    assert [one["title"] for one in exported["shown_in_calendars"]] == titles(practice) == ["Termin: Alex Client"]

    erase(practice)
    work(practice, calendar)

    assert (titles(practice), waiting(practice, calendar)) == (["Termin"], 0)


@on_sqlite
@pytest.mark.parametrize("level", [Level.BUSY, Level.NEUTRAL])
def test_what_never_showed_the_client_is_not_written(practice: Practice, level: Level) -> None:
    calendar, _booked = over_in(practice, level=level)
    there = remote(practice)
    there.requests.clear()
    erase(practice)
    work(practice, calendar)
    assert (there.requests["put"], waiting(practice, calendar)) == (0, 0)


@on_sqlite
def test_events_in_a_calendar_that_was_left_for_another_are_written_too(practice: Practice) -> None:
    calendar, _booked = over_in(practice)
    retarget(practice, calendar)
    for _ in range(2):
        practice.carry_out(Kind.CALENDAR)
        practice.wait(minutes=1)
    erase(practice)
    practice.carry_out(Kind.CALENDAR)
    assert titles(practice) == ["Session"]


@on_sqlite
def test_what_is_interrupted_goes_on_where_it_stopped(practice: Practice) -> None:
    calendar, _booked = over_in(practice)
    there = remote(practice)
    erase(practice)
    there.fail(TransientError("gone for a moment"), on="put", answer_lost=True)
    work(practice, calendar)
    assert waiting(practice, calendar) == 1
    practice.wait(minutes=20)
    there.requests.clear()
    work(practice, calendar)
    assert (titles(practice), waiting(practice, calendar), there.requests["put"]) == (["Session"], 0, 0)


@on_sqlite
def test_one_event_that_is_refused_is_tried_again_and_troubles_nobody(practice: Practice) -> None:
    calendar, _booked = over_in(practice)
    there = remote(practice)
    erase(practice)
    there.fail(RefusedError("this one is archived"), on="put")
    assert work(practice, calendar) == ["done"]
    with practice.database.read() as db:
        assert calendars.calendar(db, calendar.id).trouble is None
    practice.wait(hours=1, minutes=1)
    work(practice, calendar)
    assert (titles(practice), waiting(practice, calendar)) == (["Session"], 0)


@on_sqlite
def test_an_event_that_was_tidied_away_is_not_made_again(practice: Practice) -> None:
    calendar, _booked = over_in(practice)
    erase(practice)
    remote(practice).delete(href_at(practice, 48))
    work(practice, calendar)
    assert (titles(practice), waiting(practice, calendar)) == ([], 0)


@on_sqlite
def test_a_calendar_that_cannot_be_written_is_named_and_done_once_it_can(practice: Practice) -> None:
    calendar, _booked = over_in(practice)
    there = remote(practice)
    there.offline = AccessLostError("the password has changed")
    push(practice, calendar)
    [remainder] = erase(practice).remainders
    assert "reconnected" in remainder.why
    work(practice, calendar)
    there.offline = None
    with practice.database.begin() as db:
        credentials = {"store": str(practice.kim.id), "password": "secret"}
        accounts.reauthorize(db, SEAL, calendar.connection_id, credentials, by=OPERATOR, now=practice.now)
    work(practice, calendar)
    assert (titles(practice), waiting(practice, calendar)) == (["Session"], 0)


@on_sqlite
def test_a_calendar_that_is_stopped_is_named_and_done_once_it_goes_on(practice: Practice) -> None:
    calendar, _booked = over_in(practice)
    with practice.database.begin() as db:
        breaker.pause(db, practice.policy, calendar, PauseReason.EMPTIED, now=practice.now)
    [remainder] = erase(practice).remainders
    assert "stopped" in remainder.why
    work(practice, calendar)
    assert titles(practice) == ["Session: Alex Client"]
    with practice.database.begin() as db:
        breaker.resume(db, calendar.id, How.REVERT, by=OPERATOR, now=practice.now)
    work(practice, calendar)
    assert (titles(practice), waiting(practice, calendar)) == (["Session"], 0)


@on_sqlite
def test_who_is_erased_is_neither_booked_nor_changed_nor_taken_back(practice: Practice) -> None:
    erase(practice)
    for attempt in (
        lambda: practice.book(48),
        lambda: _in(practice, lambda db: unretire_client(db, practice.alex.id, by=OPERATOR, now=practice.now)),
        lambda: _in(
            practice, lambda db: change_client(db, practice.alex.id, {"phone": ""}, by=OPERATOR, now=practice.now)
        ),
        lambda: _in(
            practice, lambda db: readdress(db, practice.alex.id, "new@example.org", by=CLOCK, now=practice.now)
        ),
    ):
        with pytest.raises(RuleError, match=r"[Ee]rased"):
            attempt()


def _in(practice: Practice, do: Callable[[sa.Connection], object]) -> None:
    with practice.database.begin() as db:
        do(db)


@on_sqlite
def test_what_is_told_of_somebody_else_of_the_same_name_or_address_is_kept(practice: Practice) -> None:
    namesake = practice.another_client()
    kept = practice.book(48, of=namesake)
    practice.cancel(kept)
    erase(practice)
    with practice.database.read() as db:
        assert people.client(db, namesake.id) == namesake
        page = session_page(db, practice.policy, practice.kim.id, kept.id, now=practice.now)
    assert {message.to for message in page.messages if message.to_client} == {namesake.email}


@on_sqlite
def test_who_has_the_name_of_their_practitioner_is_erased_without_them(practice: Practice) -> None:
    themself = practice.another_client(client(name=KIM.name, email=practice.kim.email))
    own, others = practice.book(48, of=themself), practice.book(72)
    practice.cancel(own)
    erase(practice, themself.id)
    with practice.database.read() as db:
        page = session_page(db, practice.policy, practice.kim.id, others.id, now=practice.now)
    assert (page.practitioner, page.timeline[0].who) == (practice.kim, KIM.name)


def in_timeline(practice: Practice, session: Session) -> list[tuple[str, str, str]]:
    """Who did what to a session and why, as it is stored."""
    columns = (tables.facts.c.actor_name, tables.facts.c.actor_reason, tables.facts.c.details)
    with practice.database.read() as db:
        rows = db.execute(sa.select(*columns).where(tables.facts.c.session_id == session.id))
        return [(row.actor_name, row.actor_reason, row.details) for row in rows]


@on_sqlite
def test_whose_name_begins_with_that_of_who_is_erased_keeps_theirs(practice: Practice) -> None:
    erased = practice.another_client(client(name="Max Muster", email="max@muster.example"))
    kept = practice.another_client(client(name="Max Mustermann", email="max@muster.example.org"))
    booked = practice.book(48, of=kept)
    practice.move(booked, when(60), Attestation(who="Max Mustermann", at=practice.now, channel=kept.email))
    before = in_timeline(practice, booked)
    erase(practice, erased.id)
    assert in_timeline(practice, booked) == before
    assert "Max Mustermann" in repr(before)


@on_sqlite
def test_who_acted_for_the_practice_is_named_still_though_they_are_erased_as_a_client(practice: Practice) -> None:
    """Such as a practitioner under a former name, who has sessions of their own."""
    theirs = practice.another_client(client(name="Kim Novak", email="novak@client.example"))
    by = Actor(role=Role.PRACTITIONER, name="Kim Novak")
    booked = practice.book(48)
    with practice.database.begin() as db:
        scheduling.cancel(db, practice.policy, booked.id, by=by, now=practice.now, reason="Kim Novak is ill")
    erase(practice, theirs.id)
    name, _reason, details = next(row for row in in_timeline(practice, booked) if "ill" in row[2])
    assert (name, msgspec.json.decode(details)["reason"]) == ("Kim Novak", "erased is ill")


@on_sqlite
def test_an_account_of_a_practitioners_keeps_its_label_though_it_reads_as_an_erased_clients_name(
    practice: Practice,
) -> None:
    calendar = connect(practice)
    erase(practice, practice.another_client(client(name="Kim's calendar", email="own@client.example")).id)
    with practice.database.read() as db:
        facts = timeline.of_connection(db, calendar.connection_id)
    assert [fact.label for fact in facts if isinstance(fact, ConnectionAdded)] == ["Kim's calendar"]


@on_sqlite
def test_what_was_typed_of_an_erased_client_goes_in_upper_and_lower_case(practice: Practice) -> None:
    erased = practice.another_client(client(name="Zoë Quaxwort", email="zoe@quax.example"))
    booked = practice.book(48)
    support = Actor(role=Role.SUPPORT, name="Robin", reason="swapped with ZOË quaxwort, Zoe@Quax.example")
    with practice.database.begin() as db:
        scheduling.cancel(db, practice.policy, booked.id, by=support, now=practice.now)
    erase(practice, erased.id)
    assert ("Robin", "swapped with erased, erased") in [row[:2] for row in in_timeline(practice, booked)]


@on_sqlite
def test_an_event_that_nobody_knows_is_a_clients_only_if_its_title_names_nobody_else(practice: Practice) -> None:
    calendar = connect(practice)
    max_muster = practice.another_client(client(name="Max Muster", email="max@a.example"))
    for name in ("Max Mustermann", "Mia Moll"):
        practice.another_client(client(name=name, email=f"{name[:3]}@b.example"))
    others = ["Session: Max Mustermann", "Session: M. M.", "Termin: Max", "Session", "Busy", "Reserviert"]
    theirs = ["Hold: Max Muster", "Reserviert: Max Muster"]
    with practice.database.begin() as db:
        for number, title in enumerate([*others, *theirs]):
            row = {"calendar_id": calendar.id, "name": f"n{number}", "href": f"/{number}", "title": title}
            db.execute(sa.insert(tables.unknown_entries).values(row | {"fate": "asked"}))
        exported = exporting.export(db, practice.policy, max_muster.id, now=practice.now)
    assert [one["title"] for one in exported["unknown_calendar_entries"]] == theirs
    erase(practice, max_muster.id)
    with practice.database.read() as db:
        left = db.execute(sa.select(tables.unknown_entries.c.title)).scalars().all()
    assert sorted(left) == sorted([*others, *(["erased"] * len(theirs))])


@on_sqlite
def test_events_in_a_calendar_to_which_access_is_lost_are_named_those_of_cancelled_sessions_too(
    practice: Practice,
) -> None:
    calendar = connect(practice, level=Level.FULL)
    booked = practice.book(48)
    offer = practice.offer(booked, 72, 96)
    work(practice, calendar)
    push(practice, calendar)
    with practice.database.begin() as db:
        accounts.note_access_lost(db, calendar.connection_id, now=practice.now)
    practice.reject(offer)
    practice.cancel(booked)
    assert len(titles(practice)) == 3
    [remainder] = erase(practice).remainders
    assert (remainder.entries, "reconnected" in remainder.why) == (3, True)


@on_sqlite
def test_what_has_yet_to_be_taken_out_of_a_stopped_calendar_is_named_too(practice: Practice) -> None:
    calendar = connect(practice, level=Level.FULL)
    booked = practice.book(48)
    work(practice, calendar)
    with practice.database.begin() as db:
        breaker.pause(db, practice.policy, calendar, PauseReason.EMPTIED, now=practice.now)
    practice.cancel(booked)
    [remainder] = erase(practice).remainders
    assert (remainder.entries, "stopped" in remainder.why) == (1, True)
    with practice.database.begin() as db:
        breaker.resume(db, calendar.id, How.REVERT, by=OPERATOR, now=practice.now)
    work(practice, calendar)
    assert (titles(practice), waiting(practice, calendar)) == ([], 0)


@on_sqlite
def test_everything_told_of_a_client_is_exported_and_nothing_that_is_sealed(practice: Practice) -> None:
    story = told(practice)
    with practice.database.read() as db:
        exported = msgspec.json.encode(exporting.export(db, practice.policy, story.zeb.id, now=practice.now))
        sealed = [bytes(row) for row in db.execute(sa.select(tables.connections.c.credentials)).scalars()]
    assert found_in(exported) == list(WORDS)
    sections = msgspec.json.decode(exported)
    assert sections["client"]["name"] == story.zeb.name
    assert {one["id"] for one in sections["sessions"]} == {str(session.id) for session in story.sessions}
    assert sorted(len(offer["alternatives"]) for offer in sections["offers"]) == [1, 1, 2]
    assert AGREED.encode() in exported
    assert {one["title"] for one in sections["shown_in_calendars"]} == {"Session: Zebulon Quaxwort"}
    assert [one["about"] for one in sections["lists_after_restores"]] == ["Zebulon Quaxwort", "Session: Zoölina"]
    assert [one["title"] for one in sections["unknown_calendar_entries"]] == ["Hold: Zebulon Quaxwort"]
    assert b"Somebody Else" not in exported
    assert not any(base64.b64encode(one) in exported or one in exported for one in sealed)
    erase(practice, story.zeb.id)
    with practice.database.read() as db:
        assert (
            found_in(msgspec.json.encode(exporting.export(db, practice.policy, story.zeb.id, now=practice.now))) == []
        )


@pytest.mark.long
def test_old_copies_that_somebody_still_reads_are_said_to_be_left(practice: Practice, database_url: str) -> None:
    practice.cancel(practice.book(48))
    with reading(database_url):
        erase(practice)
        assert erasing.finish(practice.database)
    assert erasing.finish(practice.database) == ""


@contextmanager
def reading(database_url: str) -> Iterator[None]:
    """Somebody else in the middle of a long reading."""
    url = read_url(database_url)
    if url.get_backend_name() == "sqlite":
        with closing(sqlite3.connect(url.database or "", isolation_level=None)) as db:
            db.execute("BEGIN")
            db.execute("SELECT * FROM clients").fetchall()
            yield
    else:
        with psycopg.connect(database_url) as server:
            server.isolation_level = psycopg.IsolationLevel.REPEATABLE_READ
            server.execute("SELECT * FROM clients").fetchall()
            yield
