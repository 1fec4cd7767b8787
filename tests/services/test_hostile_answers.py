"""Nothing that anybody writes changes a session by itself; each refusal is counted, and told without naming anybody."""

from __future__ import annotations

from collections import Counter as Counts
from collections.abc import Sequence
from typing import Any

import pytest
import sqlalchemy as sa
from structlog.testing import capture_logs

from connector import counters
from connector.domain.client_mail import MailState
from connector.domain.facts import Attendance
from connector.domain.session import Session
from connector.storage import tables
from connector.storage.ledger import Kind
from tests.counted import Counted
from tests.domain.examples import client, when
from tests.inbox.hostile import BREAKING, HARMLESS
from tests.inbox.hostile_answers import Around, Hostile, made
from tests.services.practice import Practice
from tests.services.test_client_mails import answers, kept
from tests.services.test_receiving import inbox, outcomes, receive, reply

__all__ = ["inbox"]  # a fixture

WHOLE = pytest.mark.long  # the rule is seen at one in seven
_UNTOUCHED = (tables.sessions, tables.offers, tables.alternatives, tables.occupancy, tables.mirrors, tables.clients)


@pytest.fixture
def session(inbox: Practice) -> Session:
    """A session that was moved twice and whose client has answered, told each time; an offer is open."""
    booked = inbox.book(60 * 24)
    for days in (61, 62):
        inbox.move(booked, when(days * 24))
    receive(inbox, reply(inbox, booked, "ACCEPTED"))
    inbox.carry_out(Kind.MAIL)
    inbox.offer(booked, 70 * 24, 71 * 24)
    inbox.mail()
    return booked


def around(practice: Practice, session: Session) -> Around:
    return Around(
        uid=session.uid,
        sequence=practice.session(session).revision,
        attendee=practice.alex.email,
        other=practice.another_client(client(email="sam@client.example")).email,
        session_id=str(session.id),
        letter=practice.told(session, client=True)[-1].message_id,
        organizer=practice.session(session).organizer,
    )


def untouched(practice: Practice, session: Session) -> dict[str, Any]:
    """Return all that decides anything, and what clients were told."""
    with practice.database.read() as db:
        rows = {table.name: sorted(map(repr, db.execute(sa.select(table)))) for table in _UNTOUCHED}
    told = [(one.kind, one.notice.to.address) for one in practice.told(session, client=True)]
    return {**rows, "told": told, "answers": answers(practice, session)}


def read_all(practice: Practice, corpus: Sequence[tuple[str, bytes]]) -> list[tuple[str, str]]:
    """Take in one mail after another, three hours apart; return the names of those that became something else."""
    wrong = []
    for expected, raw in corpus:
        before = Counts(map(str, outcomes(practice)))
        receive(practice, raw)
        practice.carry_out(Kind.MAIL)
        became = Counts(map(str, outcomes(practice))) - before
        if became != Counts([expected]):
            wrong.append((expected, str(became)))
        practice.wait(hours=3)
    return wrong


@pytest.mark.parametrize("part", [pytest.param(n, marks=() if n == 3 else WHOLE) for n in range(7)])
def test_no_hostile_answer_changes_anything_and_each_is_counted_and_told(
    inbox: Practice, session: Session, part: int
) -> None:
    about = around(inbox, session)
    before = untouched(inbox, session)
    corpus: list[Hostile] = list(made(about))[part::7]
    counted = Counted(counters.MAILS)
    with capture_logs() as logs:
        wrong = read_all(inbox, [(one.becomes, one.data) for one in corpus])
    assert wrong == []
    assert untouched(inbox, session) == before
    assert counted() == Counts((one.becomes,) for one in corpus)
    told = [one for one in logs if one["event"] in ("mail_read", "mail_quarantined")]
    assert [one.get("outcome", one.get("error")) for one in told] == [one.becomes for one in corpus]
    said = repr(logs)
    for word in (inbox.alex.email, inbox.alex.name, "evil", session.uid, about.letter, about.other):
        assert word not in said
    shown = [mail for mail in kept(inbox, session) if mail.state in (MailState.OPEN, MailState.SHOWN)]
    assert all(mail.author == about.attendee for mail in shown if mail.trusted)
    assert all(mail.doubt for mail in shown if mail.trusted and mail.is_open)


@WHOLE
def test_no_mail_that_breaks_bounds_or_parsers_changes_anything(inbox: Practice, session: Session) -> None:
    before = untouched(inbox, session)
    makers = [*(make for _, make in BREAKING.values()), *HARMLESS.values()]
    with capture_logs() as logs:
        for n, make in enumerate(makers):
            receive(inbox, make() + f"\r\n{n}".encode())  # else some would pass for copies of others
            inbox.carry_out(Kind.MAIL)
    assert None not in outcomes(inbox)
    assert untouched(inbox, session) == before
    quarantined = [one["error"] for one in logs if one["event"] == "mail_quarantined"]
    assert {excess.value for excess, _ in BREAKING.values()} <= set(quarantined)


def test_an_answer_after_the_session_is_over_changes_nothing(inbox: Practice) -> None:
    session = inbox.book()
    raw = reply(inbox, session)
    inbox.wait(hours=49)
    receive(inbox, raw)
    inbox.carry_out(Kind.MAIL)
    assert (outcomes(inbox), answers(inbox, session)) == (["ended"], [])


def test_of_two_clients_who_share_an_address_an_answer_is_about_the_session_it_names(inbox: Practice) -> None:
    other = inbox.another_client(client(name="Sam Client", email=inbox.alex.email))
    session, others = inbox.book(), inbox.book(72, of=other)
    receive(inbox, reply(inbox, session))
    inbox.carry_out(Kind.MAIL)
    assert answers(inbox, session) == [Attendance.DECLINED]
    assert (answers(inbox, others), inbox.session(others).flag) == ([], None)
