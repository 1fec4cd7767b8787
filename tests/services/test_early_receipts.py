"""A gateway may tell of a text before we have stored what it calls it, and change its mind: neither loses a word."""

from __future__ import annotations

from dataclasses import replace

import pytest
import sqlalchemy as sa

from connector.domain.people import Client, Medium
from connector.domain.session import Session
from connector.ports import Letter, NotSentError, Receipt
from connector.sentence import Sentence
from connector.services import texts
from connector.services.views.sessions import session_list, session_page
from connector.storage import early_receipts, tables
from connector.storage.database import Database
from connector.storage.ledger import Kind
from tests.domain.examples import client
from tests.services.practice import Practice
from tests.services.test_texts import NUMBER, Post, texting

NO_MAIL = NotSentError(Sentence("the mail server takes nothing just now"), permanent=False)
ONLY = frozenset({Medium.SMS})


@pytest.fixture
def practice(sqlite_database: Database) -> Practice:
    return texting(sqlite_database)


@pytest.fixture(autouse=True)
def post(practice: Practice) -> Post:
    practice.runtime.sender = post = Post()
    return post


@pytest.fixture
def robin(practice: Practice) -> Client:
    only = replace(client(name="Robin", email="", phone=NUMBER), media=ONLY, texts_agreed=True)
    return practice.another_client(only)


def tell(practice: Practice, state: str, *, remote_id: str = "SM1") -> int:
    """Have the gateway tell what became of a text, as its door takes it in."""
    receipts = [Receipt(remote_id=remote_id, state=state)]
    with practice.database.begin() as db:
        taken = texts.receive(db, practice.policy, receipts, now=practice.now)
    with practice.database.begin() as db:
        return taken + texts.look_again(db, practice.policy, receipts, now=practice.now)


def kinds(practice: Practice, session: Session) -> list[str]:
    return practice.kinds_told(session, client=False)


def count(practice: Practice) -> int:
    with practice.database.read() as db:
        return db.execute(sa.select(sa.func.count()).select_from(tables.early_receipts)).scalar_one()


def needing(practice: Practice) -> int:
    with practice.database.read() as db:
        return len(session_list(db, practice.kim.id, now=practice.now).flagged)


def told_while_sending(practice: Practice, post: Post, *states: str) -> None:
    """Have the gateway tell of the next text while it is still being handed over."""

    def before(letter: Letter) -> None:
        if letter.medium is Medium.SMS:
            post.before = lambda _: None
            for state in states:
                assert tell(practice, state) == 0

    post.before = before


def test_a_receipt_that_is_faster_than_our_own_record_counts(database: Database) -> None:
    practice, post = texting(database), Post()
    practice.runtime.sender = post
    only = replace(client(name="Robin", email="", phone=NUMBER), media=ONLY, texts_agreed=True)
    robin = practice.another_client(only)
    told_while_sending(practice, post, "failed")

    booked = practice.book(of=robin)

    assert kinds(practice, booked) == ["not_delivered"]
    assert (needing(practice), count(practice)) == (1, 0)


def test_of_two_that_are_faster_what_has_arrived_stays_so(practice: Practice, post: Post, robin: Client) -> None:
    told_while_sending(practice, post, "failed", "delivered", "failed")

    booked = practice.book(of=robin)

    assert kinds(practice, booked) == []
    with practice.database.read() as db:
        page = session_page(db, practice.policy, practice.kim.id, booked.id, now=practice.now)
    assert [message.receipt for message in page.messages if message.to_client] == ["delivered"]


def test_a_receipt_between_the_record_and_the_look_for_it_counts(practice: Practice, robin: Client) -> None:
    receipts = [Receipt(remote_id="SM1", state="failed")]
    with practice.database.begin() as db:
        assert texts.receive(db, practice.policy, receipts, now=practice.now) == 0
    booked = practice.book(of=robin)  # which stores the name, and looks
    with practice.database.begin() as db:
        assert texts.look_again(db, practice.policy, receipts, now=practice.now) == 0  # once

    assert kinds(practice, booked) == ["not_delivered"]


def test_what_a_dead_worker_has_not_looked_for_is_found_by_upkeep(practice: Practice, robin: Client) -> None:
    booked = practice.book(of=robin)
    with practice.database.begin() as db:
        early_receipts.keep(db, Receipt(remote_id="SM1", state="failed"), now=practice.now)

    practice.wait(hours=1)
    practice.carry_out(Kind.UPKEEP)

    assert kinds(practice, booked) == ["not_delivered"]
    assert count(practice) == 0


def test_what_nobody_asks_for_is_forgotten_after_an_hour_and_never_more_than_so_many(
    practice: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(early_receipts, "MOST", 3)
    for number in range(5):
        practice.wait(seconds=1)
        assert tell(practice, "failed", remote_id=f"SM-of-others-{number}") == 0
    assert count(practice) == 3
    with practice.database.read() as db:
        stored = repr(db.execute(sa.select(tables.early_receipts)).all())
    assert "SM-of-others" not in stored

    practice.wait(hours=1)
    practice.carry_out(Kind.UPKEEP)
    assert count(practice) == 0


def test_whoever_was_told_that_a_text_did_not_arrive_is_told_once_that_it_has(
    practice: Practice, robin: Client
) -> None:
    booked = practice.book(of=robin)

    for state in ("failed", "delivered", "failed", "delivered"):
        tell(practice, state)
        practice.mail()

    assert kinds(practice, booked) == ["not_delivered", "arrived_after_all"]
    assert needing(practice) == 0
    assert practice.happened(booked)[-2:] == ["NoticeRefused", "NoticeArrived"]
    with practice.database.read() as db:
        page = session_page(db, practice.policy, practice.kim.id, booked.id, now=practice.now)
    assert page.told_by == (Medium.SMS,)


def test_nobody_is_told_that_a_text_did_not_arrive_which_has_before_that_could_be_told(
    practice: Practice, post: Post, robin: Client
) -> None:
    booked = practice.book(of=robin)
    post.wrong = {Medium.EMAIL: NO_MAIL}
    tell(practice, "failed")
    tell(practice, "delivered")
    post.wrong = {}
    practice.wait(minutes=20)

    assert kinds(practice, booked) == []
    assert needing(practice) == 0


def test_a_text_that_has_arrived_after_all_is_followed_by_what_is_new_alone(
    practice: Practice, post: Post, robin: Client
) -> None:
    practice.book(of=robin)
    tell(practice, "failed")
    practice.mail()
    tell(practice, "delivered")
    practice.wait(hours=1)
    practice.mail()

    by_text = [one.notice.kind.value for one in post.taken if one.medium is Medium.SMS]
    assert by_text == ["booked"]
    assert needing(practice) == 0
