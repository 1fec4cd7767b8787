"""The life of a session as its client's mailbox and calendar see it: corrections, places, ends, series and threads."""

from __future__ import annotations

from dataclasses import replace
from email import message_from_bytes
from email.message import Message
from random import Random
from uuid import uuid4

import pytest

from connector.domain.facts import MoveReason
from connector.domain.notice import NoticeKind
from connector.domain.people import Medium
from connector.domain.session import Edit, Session
from connector.services.people import change_client
from connector.services.scheduling import sessions
from connector.storage.database import Database
from tests.domain.examples import KIM, PRACTICE, when
from tests.receivers.broken import shown
from tests.receivers.histories import PLACES, MailServer
from tests.receivers.mails import Invitation, read
from tests.receivers.models import RECEIVERS, after
from tests.services.practice import Practice


@pytest.fixture
def practice(sqlite_database: Database) -> Practice:
    practice = Practice(sqlite_database)
    practice.runtime.sender = MailServer(Random(0), from_address=practice.policy.organizer)
    return practice


def server(practice: Practice) -> MailServer:
    assert isinstance(practice.runtime.sender, MailServer)
    return practice.runtime.sender


def letters(practice: Practice) -> list[Message]:
    return [message_from_bytes(raw) for _, _, raw in server(practice).taken]


def last(practice: Practice) -> tuple[NoticeKind, str, Invitation]:
    """The kind of the last letter, its words, and its calendar part."""
    _, kind, raw = server(practice).taken[-1]
    words = next(part for part in message_from_bytes(raw).walk() if part.get_content_type() == "text/plain")
    text, invitation = words.get_payload(decode=True), read(raw)
    assert isinstance(text, bytes)
    assert invitation is not None
    return kind, text.decode(), invitation


def check(practice: Practice, *stand: Session) -> None:
    """Every program shows each of these sessions once where it stands, and nothing else."""
    agreed = sorted((entry for one in stand for entry in shown(practice.session(one))), key=str)
    raws = [raw for _, _, raw in server(practice).taken]
    for kind in RECEIVERS:
        assert sorted(after(raws, kind).entries, key=str) == agreed, kind.name


def correct(practice: Practice, session: Session, hours: float) -> Session:
    return practice.edit(session, Edit(when=when(hours), reason=MoveReason.CORRECTION))


def test_a_correction_names_the_time_that_is_void_and_moves_the_same_entry(practice: Practice) -> None:
    session = practice.book(48)
    practice.move(session, when(72))
    wrong = f"{practice.session(session).when.local:%H:%M}"
    correct(practice, session, 73)
    kind, text, invitation = last(practice)
    assert (kind, invitation.method, invitation.uid) == (NoticeKind.CORRECTED, "REQUEST", session.uid)
    assert "does not apply" in text
    assert wrong.replace("10:00", "09:00") in text  # on the client's clock, in London
    check(practice, session)


def test_a_place_alone_is_told_with_a_higher_revision_and_the_same_time(practice: Practice) -> None:
    session = practice.book(48)
    before = last(practice)[2]
    practice.edit(session, Edit(location=PLACES[1]))
    kind, _, after_it = last(practice)
    assert (kind, after_it.place) == (NoticeKind.RELOCATED, PLACES[1].text)
    assert (after_it.value("DTSTART"), after_it.uid) == (before.value("DTSTART"), before.uid)
    assert after_it.sequence > before.sequence
    check(practice, session)


def test_what_is_booked_again_is_another_entry_and_the_cancelled_one_stays_away(practice: Practice) -> None:
    cancelled = practice.book(48)
    practice.cancel(cancelled)
    again = practice.book(48)
    assert again.uid != cancelled.uid
    assert letters(practice)[-1]["References"] is None
    check(practice, again)


def test_sessions_of_a_series_are_an_entry_and_a_thread_each(practice: Practice) -> None:
    series = uuid4()
    with practice.database.begin() as db:
        members = [
            sessions.book(
                db,
                practice.policy,
                practitioner_id=practice.kim.id,
                client_id=practice.alex.id,
                when=when(48 + week * 168),
                location=PRACTICE,
                by=KIM,
                now=practice.now,
                series_id=series,
            )
            for week in range(3)
        ]
    practice.mail()
    first = {invitation(raw).uid: message_from_bytes(raw)["Message-ID"] for _, _, raw in server(practice).taken}
    assert first.keys() == {one.uid for one in members}
    practice.move(members[1], when(250))
    assert letters(practice)[-1]["References"] == first[members[1].uid]
    practice.cancel(members[2])
    assert letters(practice)[-1]["References"] == first[members[2].uid]
    check(practice, *members)


def invitation(raw: bytes) -> Invitation:
    message = read(raw)
    assert message is not None
    assert message.one("RRULE") is message.one("RECURRENCE-ID") is None
    return message


def test_each_letter_about_a_session_goes_on_from_the_one_before_it(practice: Practice) -> None:
    session = practice.book(48)
    practice.wait(minutes=1)
    practice.move(session, when(72))
    practice.wait(minutes=1)
    practice.offer(session, 96)
    practice.wait(minutes=1)
    practice.cancel(session)
    sent = letters(practice)
    ids = [one["Message-ID"] for one in sent]
    assert len(set(ids)) == len(sent) >= 4
    for n, one in enumerate(sent[1:], start=1):
        assert (one["In-Reply-To"], one["References"].split()) == (ids[n - 1], ids[:n])


def test_a_letter_that_is_repeated_is_the_same_in_its_thread(practice: Practice) -> None:
    session = practice.book(48)
    practice.prompt = False
    practice.move(session, when(72))
    server(practice).is_well, server(practice).pick = False, Fates("taken in silence")
    practice.mail()
    server(practice).is_well = True
    practice.wait(hours=1)
    practice.mail()
    *_, doubtful, repeated = server(practice).taken
    assert doubtful == repeated


class Fates(Random):
    """One fate for every letter."""

    def __init__(self, fate: str) -> None:
        super().__init__(0)
        self.fate = fate

    def choice(self, _among: object) -> str:  # type: ignore[override]
        return self.fate


def test_whoever_reads_at_another_address_learns_of_no_letter_to_the_one_before(practice: Practice) -> None:
    session = practice.book(48)
    with practice.database.begin() as db:
        change_client(db, practice.alex.id, {"email": "alex@elsewhere.example"}, by=KIM, now=practice.now)
    practice.mail()
    begun = letters(practice)[-1]
    assert (begun["To"], begun["References"]) == ("Alex Client <alex@elsewhere.example>", None)
    practice.move(session, when(72))
    assert letters(practice)[-1]["References"] == begun["Message-ID"]


def test_a_text_is_no_part_of_a_thread_of_mails(practice: Practice) -> None:
    practice.policy = replace(practice.policy, media=frozenset(Medium))
    with practice.database.begin() as db:
        changes = {"phone": "+4930123456", "media": frozenset(Medium), "texts_agreed": True}
        change_client(db, practice.alex.id, changes, by=KIM, now=practice.now)
    session = practice.book(48)
    practice.move(session, when(72))
    told = practice.told(session, client=True)
    assert [one.medium for one in told].count(Medium.SMS) == 2
    texts = {one.message_id for one in told if one.medium is Medium.SMS}
    named = {name for one in letters(practice) for name in str(one["References"] or "").split()}
    assert not named & texts


def test_a_session_that_was_mailed_from_another_address_stays_with_it(practice: Practice) -> None:
    session = practice.book(48)
    practice.policy = replace(practice.policy, organizer="answers@pencilled.example")
    server(practice).from_address, server(practice).answers_read = practice.policy.organizer, True
    practice.move(session, when(72))
    _, _, frozen = last(practice)
    assert frozen.organizer == frozen.sender == "sessions@pencilled.example"
    assert attendee(frozen)["RSVP"] == "FALSE", "nobody is asked for an answer to an address that is read no more"

    practice.book(96)
    _, _, current = last(practice)
    assert (current.organizer, attendee(current)["RSVP"]) == (practice.policy.organizer, "TRUE")


def attendee(message: Invitation) -> dict[str, str]:
    line = message.one("ATTENDEE")
    assert line is not None
    return dict(line.parameters)
