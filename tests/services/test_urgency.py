"""What somebody waits for goes first: what acts make due is urgent, and what comes round by itself is not."""

from __future__ import annotations

import sqlalchemy as sa

from connector.domain.notice import PauseReason
from connector.services.signing_in import links
from connector.services.sync import breaker
from connector.services.sync.breaker import How
from connector.storage import ledger, needs
from connector.storage.due import due
from connector.storage.ledger import Kind, Urgency
from tests.domain.examples import KIM
from tests.services.connected import connect
from tests.services.practice import Practice


def urgencies(practice: Practice) -> dict[Kind, Urgency]:
    """Return how urgent what is due is, by kind; the most urgent of each."""
    query = sa.select(due.c.kind, sa.func.min(due.c.urgency)).where(due.c.due_at.is_not(None)).group_by(due.c.kind)
    with practice.database.read() as db:
        return {Kind(kind): Urgency(urgency) for kind, urgency in db.execute(query)}


def test_holds_and_letters_are_acts_and_what_an_offer_asks_to_be_read_comes_next(practice: Practice) -> None:
    practice.prompt = False
    connect(practice)
    booked = practice.book()
    practice.carry_out()
    practice.offer(booked)
    found = urgencies(practice)
    assert {kind for kind, urgency in found.items() if urgency is Urgency.ACT} == {
        Kind.CALENDAR,
        Kind.OFFER,
        Kind.CONVERSATION,
    }
    assert {kind for kind, urgency in found.items() if urgency is Urgency.LOOK} == {Kind.BUSY}
    assert {Kind.PULL, Kind.PROBE} <= {kind for kind, urgency in found.items() if urgency is Urgency.UPKEEP}


def test_what_comes_round_by_itself_is_upkeep(practice: Practice) -> None:
    calendar = connect(practice)
    assert urgencies(practice)[Kind.PULL] is Urgency.LOOK, "somebody has just connected it"
    practice.carry_out()
    assert ledger.next_due(practice.database, practice.now) is not None, calendar
    assert set(urgencies(practice).values()) == {Urgency.UPKEEP}


def test_a_sign_in_link_that_somebody_asks_for_goes_before_polls_and_after_acts(
    practice: Practice,
) -> None:
    connect(practice)
    with practice.database.begin() as db:
        links.ask(db, "ada@example.org", now=practice.now)
    assert urgencies(practice)[Kind.SIGN_IN] is Urgency.LOOK


def test_whoever_lets_a_stopped_calendar_go_on_waits_behind_no_polls(practice: Practice) -> None:
    calendar = connect(practice)
    practice.carry_out()
    with practice.database.begin() as db:
        breaker.pause(db, practice.policy, calendar, PauseReason.EMPTIED, now=practice.now)
        breaker.resume(db, calendar.id, How.REVERT, by=KIM, now=practice.now)
    found = urgencies(practice)
    assert found.pop(Kind.CALENDAR) is Urgency.ACT
    assert {found[kind] for kind in (Kind.PULL, Kind.CHANNEL, Kind.BUSY, Kind.PROBE)} == {Urgency.LOOK}


def test_what_a_damaged_ledger_lacked_goes_after_what_people_do(practice: Practice) -> None:
    connect(practice)
    practice.book()
    practice.carry_out()
    with practice.database.begin() as db:
        db.execute(sa.delete(due))
        assert needs.make_missing_due(db, now=practice.now)
    assert set(urgencies(practice).values()) == {Urgency.UPKEEP}
    practice.book(hours=72)
    assert urgencies(practice)[Kind.CALENDAR] is Urgency.ACT


def test_a_new_version_that_rewrites_every_calendar_keeps_nobody_waiting(practice: Practice) -> None:
    connect(practice)
    practice.carry_out()
    with practice.database.begin() as db:
        needs.make_calendars_due(db, now=practice.now)
    assert urgencies(practice)[Kind.CALENDAR] is Urgency.UPKEEP
