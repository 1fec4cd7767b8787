"""Sessions that were booked elsewhere are brought in: said first, done once, and each row by itself."""

from __future__ import annotations

import io
from collections import Counter
from collections.abc import Iterable
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
import sqlalchemy as sa

from connector.domain.connection import Calendar
from connector.domain.facts import SessionBooked
from connector.domain.notice import NoticeKind
from connector.domain.people import Actor, Role
from connector.domain.session import Edit, Location, LocationKind
from connector.domain.span import Span
from connector.importing import table
from connector.importing.rows import Read
from connector.ports import Busy
from connector.services.importing import Import, Outcome, Result, Terms
from connector.services.views.timeline import line_of
from connector.storage import busy, people, sessions, tables
from tests.counting import statements
from tests.domain.examples import KIM, NOW, PRACTICE, client, when
from tests.receivers.broken import shown
from tests.receivers.histories import MailServer
from tests.receivers.mails import read
from tests.receivers.models import RECEIVERS, after
from tests.services.practice import Practice
from tests.services.telling import ENGLISH

HEAD = "external_id,start,minutes,client_external_id,client_name,client_email,location"
OPERATOR = Actor(role=Role.PRACTITIONER, name="Kim Beispiel (entered by root)")


@pytest.fixture
def server(practice: Practice) -> MailServer:
    server = MailServer(Random(0), from_address=practice.policy.organizer)
    practice.runtime.sender = server
    return server


def line(number: int, hours: float, *, client: str = "", place: str = "Linden Street 4", minutes: int = 50) -> str:
    who = client or f"c{number},Client {number},c{number}@client.example"
    return f"s{number},{when(hours).local:%Y-%m-%d %H:%M},{minutes},{who},{place}"


def rows(*lines: str, zone: str = "Europe/Berlin") -> Iterable[Read]:
    file = io.BytesIO("\n".join((HEAD, *lines)).encode())
    return table.read(file, table.sniffed(file), zone=zone)


def bring(practice: Practice, *lines: str, apply: bool = True, **terms: object) -> list[Result]:
    known = {"zone": "Europe/Berlin", "locale": "de", "by": OPERATOR} | terms
    work = Import(
        database=practice.database,
        policy=practice.policy,
        practitioner=practice.kim,
        terms=Terms(**known),  # type: ignore[arg-type]  # as the test says
        clock=practice.clock,
        apply=apply,
    )
    return list(work.run(rows(*lines)))


def outcomes(results: Iterable[Result]) -> list[str]:
    return [result.why.code if result.why else result.outcome.value for result in results]


def count(practice: Practice, table: sa.Table) -> int:
    with practice.database.read() as db:
        return db.execute(sa.select(sa.func.count()).select_from(table)).scalar_one()


def test_it_is_said_first_and_done_once(practice: Practice, server: MailServer) -> None:
    lines = [line(1, 48), line(2, 72), line(3, 96, client="c1,Client 1,c1@client.example")]
    said = bring(practice, *lines, apply=False)
    assert (outcomes(said), count(practice, tables.sessions), count(practice, tables.clients)) == (["new"] * 3, 0, 1)
    done = bring(practice, *lines)
    strip = [replace(one, session_id=None) for one in done]
    assert strip == said
    assert [one.is_new_client for one in done] == [True, True, False]
    assert outcomes(bring(practice, *lines)) == outcomes(bring(practice, *lines, apply=False)) == ["unchanged"] * 3
    practice.mail()
    assert server.taken == []
    assert (count(practice, tables.sessions), count(practice, tables.clients)) == (3, 3)


def test_what_is_told_later_invites_and_every_program_shows_it_once(practice: Practice, server: MailServer) -> None:
    [result] = bring(practice, line(1, 48))
    assert result.session_id is not None
    with practice.database.read() as db:
        session = sessions.get(db, result.session_id)
    practice.mail()
    practice.move(session, when(72))
    [(_, kind, raw)] = server.taken
    message = read(raw)
    assert message is not None
    assert (kind, message.method, message.sequence) == (NoticeKind.MOVED, "REQUEST", 1)
    practice.move(session, when(96))
    raws = [raw for _, _, raw in server.taken]
    for receiver in RECEIVERS:
        assert list(after(raws, receiver).entries) == list(shown(practice.session(session))), receiver.name
    practice.cancel(session)
    raws = [raw for _, _, raw in server.taken]
    for receiver in RECEIVERS:
        assert not after(raws, receiver).entries, receiver.name


def test_what_is_cancelled_before_anything_was_told_leaves_no_entry_and_is_told(
    practice: Practice, server: MailServer
) -> None:
    [result] = bring(practice, line(1, 48))
    with practice.database.read() as db:
        session = sessions.get(db, result.session_id or practice.kim.id)
    practice.cancel(session)
    [(_, kind, raw)] = server.taken
    assert kind is NoticeKind.CANCELLED
    for receiver in RECEIVERS:
        assert not after([raw], receiver).entries, receiver.name


def test_an_offer_is_asked_of_somebody_who_was_told_elsewhere(practice: Practice, server: MailServer) -> None:
    [result] = bring(practice, line(1, 48))
    with practice.database.read() as db:
        session = sessions.get(db, result.session_id or practice.kim.id)
    offer = practice.offer(session, 72)
    practice.accept(offer)
    own = [(kind, raw) for address, kind, raw in server.taken if address != practice.kim.email]
    assert [kind for kind, _ in own] == [NoticeKind.OFFERED, NoticeKind.ACCEPTED]
    raws = [raw for _, raw in own]
    for receiver in RECEIVERS:
        assert list(after(raws, receiver).entries) == list(shown(practice.session(session))), receiver.name


def test_clients_are_told_where_that_is_wanted(practice: Practice, server: MailServer) -> None:
    bring(practice, line(1, 48), tell=True)
    practice.mail()
    bring(practice, line(1, 72), tell=True)
    practice.mail()
    assert [kind for _, kind, _ in server.taken] == [NoticeKind.BOOKED, NoticeKind.MOVED]


def test_what_the_file_says_otherwise_counts_and_is_told_by_whoever_told_before(
    practice: Practice, server: MailServer
) -> None:
    bring(practice, line(1, 48))
    changed = line(1, 72, place="Birkenweg 4")
    [said] = bring(practice, changed, apply=False)
    [done] = bring(practice, changed)
    assert (said.outcome, said.old, said.when) == (Outcome.CHANGED, when(48), when(72))
    assert done == said
    practice.mail()
    assert server.taken == []
    assert outcomes(bring(practice, changed)) == ["unchanged"]
    with practice.database.read() as db:
        session = sessions.get(db, done.session_id or practice.kim.id)
    assert (session.when, session.location.text) == (when(72), "Birkenweg 4")
    practice.edit(session, Edit(location=PRACTICE))
    assert [kind for _, kind, _ in server.taken] == [NoticeKind.RELOCATED]


def test_what_was_decided_here_stands_whatever_an_old_file_says(practice: Practice, server: MailServer) -> None:
    results = bring(practice, line(1, 48), line(2, 50), line(3, 52))
    with practice.database.read() as db:
        one, two, three = (sessions.get(db, result.session_id or practice.kim.id) for result in results)
    practice.move(one, when(72))
    practice.cancel(two)
    practice.offer(three, 96)
    assert outcomes(bring(practice, line(1, 48), line(2, 50), line(3, 52))) == ["unchanged"] * 3
    again = bring(practice, line(1, 49), line(2, 55), line(3, 120), apply=False)
    refused = ["import_changed_here", "import_session_cancelled", "import_offer_open"]
    assert outcomes(again) == refused == outcomes(bring(practice, line(1, 49), line(2, 55), line(3, 120)))
    assert practice.session(one).when == when(72)
    assert server.taken


def test_what_is_refused_changes_nothing_and_the_rest_is_done(practice: Practice) -> None:
    practice.book(48)
    lines = [
        line(1, 48.5),
        line(2, 72),
        line(2, 96),
        line(3, 72.5, client="c9,Nina,nina@client.example"),
        line(4, -5),
        "s5,2027-03-28 02:30,50,c5,Client 5,,Linden Street 4",
        "s6,2026-12-01 10:00,50,c6,,,Linden Street 4",
        line(7, 120, place=""),
        "s8,2026-12-02 10:00,50,,Nobody,,Linden Street 4",
        ",2026-12-02 10:00,50,c7,Client 7,,Linden Street 4",
    ]
    expected = [
        "time_taken",
        "new",
        "import_twice",
        "time_taken",
        "past",
        "time_does_not_exist",
        "import_client_unknown",
        "import_place_missing",
        "import_client_missing",
        "text_empty",
    ]
    assert outcomes(bring(practice, *lines, apply=False)) == expected
    done = bring(practice, *lines)
    assert outcomes(done) == expected
    assert [one.line for one in done] == list(range(2, 12))
    assert (count(practice, tables.sessions), count(practice, tables.clients)) == (2, 2)


def test_a_place_for_all_serves_those_that_say_none(practice: Practice) -> None:
    place = Location(kind=LocationKind.PHONE, text="Kim calls")
    [result] = bring(practice, line(1, 48, place=""), location=place)
    assert result.location == place
    assert outcomes(bring(practice, line(1, 48, place=""))) == ["unchanged"]


def test_clients_are_known_again_by_their_id_and_else_by_address_and_name(practice: Practice) -> None:
    other = practice.another_client(client(name="Bo Client", email=practice.alex.email))
    mine = f"c1,{practice.alex.name.upper()},{practice.alex.email.upper()}"
    by_name = bring(practice, line(1, 48, client=mine), line(2, 72, client="c1,,"))
    assert [one.is_new_client for one in by_name] == [False, False]
    with practice.database.read() as db:
        assert people.client(db, practice.alex.id).external_id == "c1"
        assert people.client(db, other.id).external_id is None
    assert outcomes(bring(practice, line(3, 96, client=f",,{practice.alex.email}"))) == ["import_client_ambiguous"]
    [new] = bring(practice, line(4, 100, client=f"c2,Someone Else,{practice.alex.email}"))
    assert new.is_new_client
    assert outcomes(bring(practice, line(1, 120, client="c2,,"))) == ["import_other_client"]


def test_nobody_takes_part_who_is_retired_and_no_session_is_anothers(practice: Practice) -> None:
    bring(practice, line(1, 48))
    assert outcomes(bring(Practice(practice.database), line(1, 48))) == ["import_session_of_other"]
    with practice.database.begin() as db:
        people.retire_client(db, practice.alex.id, now=practice.now)
    with practice.database.begin() as db:
        people.save_client(db, replace(practice.alex, external_id="alex"))
    assert outcomes(bring(practice, line(2, 72, client="alex,,"), apply=False)) == ["person_retired"]


def test_what_stands_in_another_calendar_keeps_it_out_unless_that_is_said(
    practice: Practice, calendar: Calendar
) -> None:
    with practice.database.begin() as db:
        span = Span.of(when(48).span.start, timedelta(minutes=30))
        busy.keep(db, calendar.id, [Busy(span=span)], now=practice.now, until=practice.now + timedelta(days=30))
    assert outcomes(bring(practice, line(1, 48), line(2, 72), apply=False)) == ["conflict_in_calendar", "new"]
    assert outcomes(bring(practice, line(1, 48), line(2, 72))) == ["conflict_in_calendar", "new"]
    assert outcomes(bring(practice, line(1, 48), despite=True)) == ["new"]


def test_a_break_in_the_middle_leaves_whole_rows_and_the_rest_is_done_again(practice: Practice) -> None:
    lines = [line(number, 48 + number) for number in range(10)]
    work = Import(
        database=practice.database,
        policy=practice.policy,
        practitioner=practice.kim,
        terms=Terms(zone="Europe/Berlin", locale="de", by=OPERATOR),
        clock=practice.clock,
        apply=True,
    )
    running = work.run(rows(*lines))
    for _ in range(4):
        next(running)
    running.close()  # type: ignore[attr-defined]  # it is a generator
    assert count(practice, tables.sessions) == 4
    assert Counter(outcomes(bring(practice, *lines))) == {"unchanged": 4, "new": 6}


def test_a_session_that_has_taken_place_since_is_there_already(practice: Practice) -> None:
    bring(practice, line(1, 48))
    practice.wait(hours=100)
    assert outcomes(bring(practice, line(1, 48), line(2, 48))) == ["unchanged", "past"]


def test_a_row_takes_few_statements_however_many_there_are(practice: Practice) -> None:
    lines = [
        line(number, 48 + number, client=f"c{number % 30},Client {number % 30},c{number % 30}@client.example")
        for number in range(100)
    ]
    with statements() as said:
        bring(practice, *lines, apply=False)
    with statements() as done:
        bring(practice, *lines)
    with statements() as again:
        bring(practice, *lines)
    assert (len(said), len(again)) == (5, 3)
    assert len(done) <= 100 * 16 + 30


def test_the_timeline_says_that_it_was_booked_elsewhere(practice: Practice) -> None:
    [result] = bring(practice, line(1, 48))
    fact = SessionBooked(at=NOW, by=KIM, session_id=result.session_id, when=when(48), elsewhere=True)
    assert line_of(fact, ENGLISH).what.startswith("Session brought in that was booked elsewhere")
