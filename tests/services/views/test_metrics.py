"""The metrics tell how an installation stands, at the same price however much is stored, and nobody's name."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from datetime import timedelta
from pathlib import Path
from uuid import uuid4

import pytest
import sqlalchemy as sa

from connector import counters
from connector.domain.connection import Calendar, CalendarRole
from connector.domain.notice import PauseReason
from connector.domain.people import Level
from connector.errors import InstallationError, RefusedError, TransientError
from connector.ports import Letter, NotSentError
from connector.sentence import Sentence
from connector.services.accounts import connect as accounts
from connector.services.outcomes import endpoints
from connector.services.sync import breaker
from connector.services.views import metrics
from connector.storage import calendars, ledger, measures, tables
from connector.storage import endpoints as stored_endpoints
from connector.storage.database import Database
from connector.storage.due import due
from connector.storage.ledger import Key, Kind
from tests.scraped import Scrape, scrape
from tests.services.connected import connect, look, on_sqlite, remote, work
from tests.services.practice import SEAL, Practice
from tests.storage.test_ledger_queries import counted, explained

STATEMENTS = 9
SMALL = {
    "alembic_version",
    "installation",
    "calendars",
    "connections",
    "counters",
    "registration_faults",
    "endpoints",
    "waiting",
    "anon_1",
}
OF_WHAT_IS_DUE = {"ix_due_due_at", "ix_due_urgency", "ix_due_lane"}  # any of them holds those rows and no other
PARTIAL = {"ix_due_leased", "ix_due_failing", "ix_due_refused", "uq_offers_open"}
LONG = 3 * 24 * 3600.0


def scraped(practice: Practice) -> Scrape:
    settings = replace(practice.runtime.settings, providers=("memory",))
    return scrape(replace(practice.runtime, settings=settings, database=practice.database, clock=practice.clock))


# How calendars stand


def test_the_ages_of_the_last_good_look_and_comparison_grow_until_the_next_one(
    practice: Practice, calendar: Calendar
) -> None:
    look(practice, calendar)
    assert scraped(practice).all("oldest_look_age_seconds") == {("memory", "none"): 0}
    remote(practice).offline = TransientError("down")
    practice.wait(hours=2)
    look(practice, calendar)
    down = scraped(practice)
    assert down["oldest_look_age_seconds"] == down["oldest_comparison_age_seconds"] == {("memory", "service"): 7200}
    remote(practice).offline = None
    practice.wait(hours=1)
    look(practice, calendar)
    again = scraped(practice)
    assert again["oldest_look_age_seconds"] == again["oldest_comparison_age_seconds"] == {}


@on_sqlite
def test_a_calendar_that_was_never_looked_at_is_as_old_as_its_connection(
    practice: Practice, calendar: Calendar
) -> None:
    practice.wait(days=3)
    told = scraped(practice)
    assert told["oldest_look_age_seconds"] == told["oldest_comparison_age_seconds"] == {("memory", "none"): LONG}
    assert calendar.read_at is None


def test_calendars_are_counted_by_how_they_stand(practice: Practice, calendar: Calendar, private: Calendar) -> None:
    assert private.role is CalendarRole.WATCHED
    at_work = {("memory", "target", "at_work"): 1, ("memory", "watched", "at_work"): 1}
    assert scraped(practice)["calendars"] == at_work
    with practice.database.begin() as db:
        breaker.pause(db, practice.policy, calendar, PauseReason.EMPTIED, count=3, now=practice.now)
    practice.wait(days=3)
    paused = scraped(practice)
    assert paused["calendars"] == {
        ("memory", "target", "paused_emptied"): 1,
        ("memory", "watched", "at_work"): 1,
    }
    assert not any(sample.name.endswith("look_age_seconds") for sample in paused.samples), "nobody looks at it"
    with practice.database.begin() as db:
        accounts.note_access_lost(db, calendar.connection_id, now=practice.now)
    assert {words[2] for words in scraped(practice)["calendars"]} == {"access_lost"}


@pytest.mark.parametrize(
    ("error", "trouble"),
    [
        (RefusedError("read only"), "account"),
        (InstallationError("accessNotConfigured"), "installation"),
        (TransientError("busy"), "service"),
    ],
)
@on_sqlite
def test_trouble_is_told_by_who_can_end_it(
    practice: Practice, calendar: Calendar, error: Exception, trouble: str
) -> None:
    look(practice, calendar)
    work(practice, calendar)
    practice.book()
    remote(practice).fail(error, on="put")  # type: ignore[arg-type]
    work(practice, calendar)
    told = scraped(practice)
    assert told["troubled_calendars"] == {("write", "memory", trouble): 1}
    assert told["registration_refused"] == ({("memory",): 1} if trouble == "installation" else {})
    practice.wait(hours=2)
    work(practice, calendar)
    assert "pencilled_troubled_calendars{" not in scraped(practice).text


# What waits


def test_due_work_is_told_by_kind_and_by_how_long_it_has_waited(practice: Practice) -> None:
    with practice.database.begin() as db:
        for number, seconds in enumerate((0, 59, 60, 599, 600, 9000, -1)):
            ledger.touch(db, Key(Kind.PULL, str(number)), due_at=practice.now - timedelta(seconds=seconds))
        ledger.touch(db, Key(Kind.OFFER, "one"), due_at=practice.now)
    told = scraped(practice)
    assert told["work"] == {
        ("offer", "due"): 1,
        ("pull", "due"): 2,
        ("pull", "over_1m"): 2,
        ("pull", "over_10m"): 2,
    }
    assert told["oldest_work_age_seconds"]["pull", "over_10m"] == 9000
    assert told.all("work")["busy", "due"] == 0, "what is not there is zero, and not missing"
    assert ledger.claim(practice.database, Key(Kind.PULL, "5"), now=practice.now)
    claimed = scraped(practice)["work"]
    assert (claimed["pull", "over_10m"], claimed["pull", "running"]) == (1, 1)


def test_work_that_fails_or_is_refused_is_told_with_when_that_began(practice: Practice) -> None:
    keys = [Key(Kind.PULL, "one"), Key(Kind.CALENDAR, "one")]
    with practice.database.begin() as db:
        for key in keys:
            ledger.touch(db, key, due_at=practice.now)
    put_off: tuple[Callable[..., object], ...] = (ledger.postpone, ledger.refuse)
    for _ in range(3):
        for key, end in zip(keys, put_off, strict=True):
            claim = ledger.claim(practice.database, key, now=practice.now)
            assert claim
            end(practice.database, claim, now=practice.now, retry_after=None, error="no")
        practice.wait(hours=1)
    told = scraped(practice)
    assert told["work"]["pull", "failing"] == told["work"]["calendar", "refused"] == 1
    ages = told["oldest_work_age_seconds"]
    assert ages["pull", "failing"] == ages["calendar", "refused"] == 3 * 3600
    for key in keys:
        claim = ledger.claim(practice.database, key, now=practice.now)
        assert claim
        ledger.finish(practice.database, claim)
    assert scraped(practice)["work"] == {}


def test_letters_that_cannot_leave_are_told_with_how_long_they_have_waited(practice: Practice) -> None:
    mail = BrokenMail()
    practice.runtime.sender = mail
    assert scraped(practice).all("letters_waiting") == {("email",): 0, ("sms",): 0}
    practice.book()
    practice.book(hours=72)
    for _ in range(3):
        practice.wait(minutes=20)
        practice.mail()
    told = scraped(practice)
    assert told["letters_waiting"] == {("email",): 2}
    assert told["oldest_letter_age_seconds"] == {("email",): 3600}
    mail.works = True
    practice.wait(minutes=20)
    practice.mail()
    empty = scraped(practice)
    assert empty["letters_waiting"] == empty["oldest_letter_age_seconds"] == {}


class BrokenMail:
    """A mail server that is down."""

    works = False

    def send(self, _letter: Letter) -> None:
        if not self.works:
            raise NotSentError(Sentence("down"), permanent=False)


@on_sqlite
def test_open_offers_and_a_standstill_are_told(practice: Practice) -> None:
    practice.draft(practice.book())
    assert scraped(practice)["open_offers"] == {}
    practice.offer(practice.book(hours=50), 98)
    assert scraped(practice)["open_offers"] == {(): 1}
    assert scraped(practice).all("standstill") == {(): 0}
    with practice.database.begin() as db:
        db.execute(sa.update(tables.installation).values(restored_at=practice.now))
    assert scraped(practice)["standstill"] == {(): 1}


@on_sqlite
def test_version_and_schema_are_told(practice: Practice) -> None:
    told = scraped(practice)
    assert told["build_info"] == {("0.1.0",): 1}
    with practice.database.read() as db:
        [step] = db.execute(sa.text("SELECT version_num FROM alembic_version")).scalars()
    assert told["schema_info"] == {(step,): 1}


def test_endpoints_are_counted_by_whether_outcomes_arrive_there(practice: Practice) -> None:
    assert set(scraped(practice)["endpoints"]) == set()
    with practice.database.begin() as db:
        made = [
            endpoints.add(db, SEAL, f"https://host.example/{n}", inner_hosts=(), now=practice.now)[0] for n in range(5)
        ]
        stored_endpoints.save(db, replace(made[1], failing_since=practice.now))
        endpoints.disable(db, made[2].id, now=practice.now)
        endpoints.disable(db, made[3].id, why=endpoints.GONE, now=practice.now)
    assert scraped(practice)["endpoints"] == {
        ("working",): 2,
        ("failing",): 1,
        ("disabled",): 1,
        ("disabled_by_hand",): 1,
    }


# What operators ask


@on_sqlite
def test_the_alerts_of_the_operators_page_ask_for_what_is_told(practice: Practice, calendar: Calendar) -> None:
    other = connect(practice, name="other")
    remote(practice, "other").offline = TransientError("down")
    for one in (calendar, other):
        look(practice, one)
    told = scraped(practice)
    page = (Path(__file__).parents[3] / "docs" / "operating.md").read_text(encoding="utf-8")
    rules = page.partition("```yaml alerts.yml")[2].partition("```")[0]
    assert len(re.findall(r"- alert:", rules)) >= 5
    for name, selector in re.findall(r"pencilled_(\w+)(?:{([^}]*)})?", rules):
        own = [sample.labels for sample in told.samples if sample.name == f"pencilled_{name}"]
        assert own, name
        for label, is_pattern, word in re.findall(r'(\w+)=(~?)"([^"]+)"', selector):
            words = {labels[label] for labels in own}
            pauses = {f"paused_{reason}" for reason in PauseReason}
            assert any(re.fullmatch(word, one) for one in pauses) if is_pattern else word in words, (name, word)


@on_sqlite
def test_the_operators_page_names_no_metric_that_is_not_told(practice: Practice, calendar: Calendar) -> None:
    remote(practice).offline = TransientError("down")
    look(practice, calendar)
    names = {sample.name for sample in scraped(practice).samples}
    page = (Path(__file__).parents[3] / "docs" / "operating.md").read_text(encoding="utf-8")
    assert set(re.findall(r"\bpencilled_\w+", page)) <= names


# What it costs


def test_a_scrape_is_as_many_statements_with_500_calendars_as_with_one_and_reads_no_history(
    practice: Practice, calendar: Calendar
) -> None:
    def read() -> list[str]:
        with counted(practice.database, most=STATEMENTS) as queries, no_writes(practice.database):
            metrics.read(practice.database, ["memory"], now=practice.now)
        return queries

    few = read()
    many(practice, calendar)
    practice.offer(practice.book(hours=72), 120)
    assert read() == few
    assert len(few) == STATEMENTS
    with explained(practice.database) as plans:
        told = metrics.read(practice.database, ["memory"], now=practice.now)
    [calendars_metric] = [metric for metric in told if metric.name == "calendars"]
    assert calendars_metric.samples == [(("memory", "target", "at_work"), 500)]
    whole = {name for plan in plans for name in re.findall(r"(?:Seq Scan on|SCAN) (\w+)\b(?! USING)", plan)}
    assert whole <= SMALL
    assert not re.search(r"SCAN (?:due|conversations|offers) USING INDEX sqlite_autoindex", str(plans))
    used = {name for plan in plans for name in re.findall(r"(?:ix|uq)_\w+", plan)}
    assert used & OF_WHAT_IS_DUE
    assert used - OF_WHAT_IS_DUE == PARTIAL
    assert not {"facts", "messages", "sessions"} & {word for plan in plans for word in re.findall(r"\w+", plan)}


@contextmanager
def no_writes(database: Database) -> Iterator[None]:
    """Fail at whatever is no question."""

    def check(_db: sa.Connection, _cursor: object, statement: str, *_: object) -> None:
        assert statement.split(maxsplit=1)[0] in {"SELECT", "BEGIN"}, statement

    engine = database._writers if not database.embedded else database._readers
    sa.event.listen(engine, "before_cursor_execute", check)
    try:
        yield
    finally:
        sa.event.remove(engine, "before_cursor_execute", check)


def many(practice: Practice, calendar: Calendar) -> None:
    """Have 500 calendars with idle work, and thousands of conversations and offers that are over.

    So many conversations that no planner would rather read them all, however many it believes to be due.
    """
    practice.withdraw(practice.offer(practice.book(), 98))
    with practice.database.begin() as db:
        [connection] = db.execute(sa.select(tables.connections)).mappings()
        [target] = db.execute(sa.select(tables.calendars)).mappings()
        fresh = [(uuid4(), uuid4()) for _ in range(499)]
        db.execute(sa.insert(tables.connections), [dict(connection) | {"id": one} for one, _ in fresh])
        rows = [
            dict(target) | {"id": another, "connection_id": one, "identity": str(one), "twin": 0}
            for one, another in fresh
        ]
        db.execute(sa.insert(tables.calendars), rows)
        idle = {"kind": "pull", "lane": "", "desired": 1, "applied": 1, "token": 1, "attempts": 0, "due_at": None}
        db.execute(sa.insert(due), [idle | {"id": str(another)} for _, another in fresh])
        told = idle | {"kind": "conversation"}
        db.execute(sa.insert(due), [told | {"id": str(uuid4())} for _ in range(2000)])
        quiet = {"practitioner_id": practice.kim.id, "reader": "client", "medium": "email", "address": ""}
        db.execute(sa.insert(tables.conversations), [quiet | {"id": uuid4()} for _ in range(10_000)])
        [offer] = db.execute(sa.select(tables.offers)).mappings()
        over = dict(offer) | {"state": "lapsed"}
        db.execute(sa.insert(tables.offers), [over | {"id": uuid4()} for _ in range(2000)])
        if not practice.database.embedded:  # nobody does it on SQLite
            db.exec_driver_sql("ANALYZE")
    assert calendar.role is CalendarRole.TARGET


# What it never tells


@on_sqlite
def test_nobodys_name_address_or_id_is_told(practice: Practice) -> None:
    words = ("Zebulon", "Quixote", "xyzzy", "plugh", "Frobozz")
    with practice.database.begin() as db:
        db.execute(sa.update(tables.practitioners).values(name="Zebulon", email="xyzzy@plugh.example"))
        db.execute(sa.update(tables.clients).values(name="Quixote", email="quixote@plugh.example", phone="+4917000000"))
    calendar = connect(practice, name="frobozz", level=Level.FULL)
    with practice.database.begin() as db:
        db.execute(sa.update(tables.connections).values(label="Frobozz"))
        db.execute(sa.update(tables.calendars).values(name="Frobozz", lane="caldav:plugh.example"))
    look(practice, calendar)
    practice.runtime.sender = BrokenMail()
    practice.offer(practice.book(), 98)
    remote(practice, "frobozz").offline = InstallationError("Zebulon of plugh.example may not")
    practice.carry_out()
    with practice.database.read() as db:
        target = calendars.calendar(db, calendar.id)
        assert target.trouble is not None
        assert "Zebulon" in str(target.trouble)
    told = scraped(practice)
    assert told["troubled_calendars"]
    assert told["letters_waiting"]
    assert [word for word in words if word.lower() in told.text.lower()] == []
    assert re.findall(r"@|://|\.example|\+49|[0-9a-f]{8}-?[0-9a-f]{4}", told.text) == []


@on_sqlite
def test_every_word_of_a_label_is_of_a_closed_list_or_the_slug_of_a_provider(
    practice: Practice, calendar: Calendar
) -> None:
    look(practice, calendar)
    told: dict[str, set[str]] = {}
    for sample in scraped(practice).samples:
        for label, word in sample.labels.items():
            told.setdefault(label, set()).add(word)
    assert told.pop("provider") == {"memory"}
    assert {len(told.pop("version")), len(told.pop("step"))} == {1}
    lists: dict[str, set[str]] = {}
    for counter in counters.COUNTERS:
        for name, words in counter.labels.items():
            lists.setdefault(name, {counters.OTHER}).update(words)
    lists["trouble"] |= {metrics.NO_TROUBLE}
    lists |= {"role": {role.value for role in CalendarRole}}
    lists |= {"state": {*measures.WORK_STATES, *measures.ENDPOINT_STATES, metrics.AT_WORK}}
    assert {label: words - lists[label] for label, words in told.items()} == {label: set() for label in told}
