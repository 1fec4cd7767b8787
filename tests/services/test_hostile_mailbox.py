"""A real mailbox full of mails that were made to do harm: each is passed, and the answer behind them counts."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import replace

import pytest
import sqlalchemy as sa

from connector.domain.facts import FlagReason
from connector.inbox.bounds import Excess, identity
from connector.mailbox.imap import ImapMailbox
from connector.services import fetching
from connector.storage import tables
from connector.storage.due import Urgency
from connector.storage.ledger import Kind
from tests.fakes.dovecot import Dovecot, dovecot
from tests.inbox import mails
from tests.inbox.hostile import BREAKING
from tests.services.connected import on_sqlite
from tests.services.practice import Practice
from tests.services.test_receiving import SERVER, reply

pytestmark = [pytest.mark.dovecot, pytest.mark.long, on_sqlite]
SPAM = 400


@pytest.fixture(scope="module")
def server() -> Iterator[Dovecot]:
    with dovecot() as server:
        yield server


def test_an_answer_behind_hundreds_of_hostile_mails_is_read_and_nothing_else_changes(
    practice: Practice, server: Dovecot
) -> None:
    session = practice.book()
    made = [make() for _, make in BREAKING.values()]
    no_copies = {identity(raw): raw for raw in made}
    hostile = [raw for raw in no_copies.values() if b"\0" not in raw]  # which no IMAP server takes
    spam = [mails.plain(f"Buy number {n}!", sender=f"s{n}@spam.example") for n in range(SPAM)]
    server.deliver("sessions", *hostile, *spam, reply(practice, session), at=practice.now)
    settings = replace(practice.runtime.settings, mail_server_id=SERVER)
    mailbox = ImapMailbox(server.url("sessions"))
    practice.runtime = replace(practice.runtime, settings=settings, mailbox=mailbox)
    fetching.begin(practice.database, mailbox, now=practice.now, urgency=Urgency.LOOK)
    before = practice.session(session)
    for _ in range(20):
        practice.carry_out(Kind.MAILBOX, Kind.MAIL)
        practice.wait(seconds=10)
    with practice.database.read() as db:
        outcomes = Counter(db.execute(sa.select(tables.incoming_mails.c.outcome)).scalars())
    assert outcomes["applies"] == 1
    assert None not in outcomes
    assert outcomes.total() == len(hostile) + SPAM + 1
    quarantined = sum(outcomes[excess.value] for excess in Excess)
    assert quarantined > len(hostile) * 0.9, "a server writes some of them anew, and so takes the sting out"
    assert practice.session(session) == replace(before, flag=FlagReason.DECLINED)
    assert all(server.seen("sessions")[-SPAM:])
