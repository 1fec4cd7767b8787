"""Codes beneath the pages: guesses at once, keys that are rotated, and what a copy of the database is worth."""

from __future__ import annotations

from collections import Counter
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import pytest
import sqlalchemy as sa

from connector.domain.answering import MOST_TRIES, AnswerPolicy, CodeBy, proof_of
from connector.domain.offer import Offer
from connector.domain.people import Medium
from connector.errors import CodeRefusedError
from connector.ports import Letter
from connector.services.scheduling import codes
from connector.storage import tables
from connector.storage.database import Database
from connector.storage.seal import Seal
from tests.domain.examples import client
from tests.services.practice import SEAL, Practice

BOTH = frozenset(Medium)
KEY, NEW_KEY = "a test key of at least thirty-two characters", "a newer key of at least thirty-two characters"


def asked(database: Database, seal: Seal = SEAL) -> tuple[Practice, Offer]:
    """Return a practice in which a client has asked for a code by the link in a mail."""
    practice = Practice(database)
    practice.policy = replace(practice.policy, media=BOTH, answers=AnswerPolicy.CODE)
    alex = practice.another_client(replace(client(phone="+447700900123"), media=BOTH, texts_agreed=True))
    offer = practice.offer(practice.book(of=alex))
    with database.begin() as db:
        codes.send(db, practice.policy, seal, offer.id, Medium.EMAIL, now=practice.now)
    return practice, offer


def letters(practice: Practice) -> list[Letter]:
    practice.mail()
    return [one for one in practice.runtime.sender.letters if one.code]  # type: ignore[attr-defined]  # kept there


def tried(practice: Practice, offer: Offer, typed: str, seal: Seal = SEAL) -> str:
    """Return with which code a try was refused; empty if it was not."""
    try:
        codes.check(practice.database, practice.policy, seal, offer.id, Medium.EMAIL, typed, now=practice.now)
    except CodeRefusedError as error:
        return error.code
    return ""


@pytest.mark.parametrize(
    ("policy", "came_by", "reachable", "proof"),
    [
        (AnswerPolicy.LINK, Medium.EMAIL, BOTH, None),
        (AnswerPolicy.CODE, Medium.EMAIL, BOTH, CodeBy(medium=Medium.SMS, alone=False)),
        (AnswerPolicy.CODE, Medium.SMS, BOTH, CodeBy(medium=Medium.EMAIL, alone=False)),
        (AnswerPolicy.CODE, Medium.EMAIL, {Medium.SMS}, CodeBy(medium=Medium.SMS, alone=False)),
        (AnswerPolicy.CODE, Medium.EMAIL, {Medium.EMAIL}, CodeBy(medium=Medium.EMAIL, alone=True)),
        (AnswerPolicy.CODE, Medium.SMS, set(), CodeBy(medium=Medium.SMS, alone=True)),
    ],
)
def test_the_code_goes_by_another_medium_than_the_link_wherever_there_is_one(
    policy: AnswerPolicy, came_by: Medium, reachable: set[Medium], proof: CodeBy | None
) -> None:
    assert proof_of(policy, came_by=came_by, reachable=reachable) == proof


def test_guesses_that_come_at_once_count_as_many_as_they_are(database: Database) -> None:
    practice, offer = asked(database)
    [letter] = letters(practice)
    wrong = [f"{(int(letter.code) + n) % 10**6:06}" for n in range(1, 25)]

    with ThreadPoolExecutor(8) as threads:
        outcomes = Counter(threads.map(lambda typed: tried(practice, offer, typed), wrong))

    assert outcomes["answer_code_wrong"] + outcomes["answer_code_tried_out"] == MOST_TRIES
    assert outcomes["answer_code_tried_out"] == 1
    assert tried(practice, offer, letter.code) == "answer_code_over"


def test_codes_that_are_asked_for_at_once_are_one(database: Database) -> None:
    practice, offer = asked(database)

    def send(_: int) -> None:
        with database.begin() as db:
            codes.send(db, practice.policy, SEAL, offer.id, Medium.EMAIL, now=practice.now)

    practice.wait(minutes=1)
    with ThreadPoolExecutor(8) as threads:
        list(threads.map(send, range(8)))

    with database.read() as db:
        count = db.execute(sa.select(sa.func.count()).select_from(tables.answer_codes)).scalar_one()
    assert count == 2
    assert len(letters(practice)) == 1  # the first had not left yet, and is void


def test_a_key_that_is_rotated_leaves_the_codes_that_are_out_good(sqlite_database: Database) -> None:
    practice, offer = asked(sqlite_database)
    rotated = Seal([NEW_KEY, KEY])
    practice.runtime = replace(practice.runtime, seal=rotated)
    [letter] = letters(practice)  # written after the rotation

    assert tried(practice, offer, letter.code, rotated) == ""
    assert tried(practice, offer, letter.code, Seal([NEW_KEY])) == "answer_code_wrong"


def test_without_the_key_nobody_finds_a_code_in_the_database(sqlite_database: Database) -> None:
    practice, offer = asked(sqlite_database)
    [letter] = letters(practice)
    with sqlite_database.read() as db:
        [row] = db.execute(sa.select(tables.answer_codes)).all()

    another = Seal([NEW_KEY])
    assert not another.proves(codes.PURPOSE, row.id, letter.code, row.proof)
    assert not SEAL.proves("other", row.id, letter.code, row.proof)
    assert not SEAL.proves(codes.PURPOSE, offer.id, letter.code, row.proof)
    assert SEAL.proves(codes.PURPOSE, row.id, letter.code, row.proof)


@pytest.mark.parametrize("typed", ["", " ", "1" * 10_000, "\ud83d", "١٢٣٤٥٦", "0x12", "\x00"])
def test_whatever_is_typed_is_compared_and_nothing_breaks(sqlite_database: Database, typed: str) -> None:
    practice, offer = asked(sqlite_database)

    assert tried(practice, offer, typed) == ("answer_code_wrong" if typed.strip() else "answer_code_missing")


def test_a_code_for_one_offer_answers_no_other(sqlite_database: Database) -> None:
    practice, offer = asked(sqlite_database)
    [letter] = letters(practice)
    other = practice.offer(practice.book(200), 224)

    assert tried(practice, other, letter.code) == "answer_code_over"
    assert tried(practice, offer, letter.code) == ""
