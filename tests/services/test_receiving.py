"""A mail that comes in is stored, read once, and forgotten but for what became of it."""

from __future__ import annotations

from base64 import b64decode, encodebytes
from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest
import sqlalchemy as sa
from sqlalchemy import Row

from connector import counters
from connector.domain.facts import Attendance, ClientAnswered, FlagReason
from connector.domain.people import Role
from connector.domain.session import Session
from connector.errors import TransientError
from connector.inbox.bounds import LARGEST, Excess
from connector.inbox.calendar import Unclear
from connector.inbox.verdict import Verdict
from connector.services import erasing, exporting, receiving
from connector.services.client_mails import Kept
from connector.services.views.sessions import session_page
from connector.services.views.timeline import line_of
from connector.storage import conversations, needs, people, tables, timeline
from connector.storage.incoming import Door
from connector.storage.ledger import Kind
from connector.storage.messages import MessageState
from tests.counted import Counted
from tests.domain.examples import KIM, client, when
from tests.inbox import mails
from tests.inbox.hostile import BREAKING
from tests.inbox.test_authorship import keys, signed
from tests.services.practice import Practice
from tests.services.telling import ENGLISH

SERVER = "mx.pencilled.example"


@pytest.fixture
def inbox(practice: Practice) -> Practice:
    """A practice whose mail server vouches for what it passes."""
    settings = replace(practice.runtime.settings, mail_server_id=SERVER)
    practice.runtime = replace(practice.runtime, settings=settings)
    return practice


def rows(practice: Practice) -> list[Row[object]]:
    with practice.database.read() as db:
        return list(db.execute(sa.select(tables.incoming_mails).order_by(tables.incoming_mails.c.received_at)))


def outcomes(practice: Practice) -> list[str | None]:
    return [row.outcome for row in rows(practice)]


def receive(practice: Practice, *raws: bytes, door: Door = Door.MAILBOX) -> list[bool]:
    with practice.database.begin() as db:
        return [receiving.receive(db, raw, door=door, now=practice.now) for raw in raws]


def take_in(practice: Practice, *raws: bytes) -> list[str | None]:
    """Receive mails, read what is due, and return what became of all."""
    receive(practice, *raws)
    practice.carry_out(Kind.MAIL)
    return outcomes(practice)


def reply(
    practice: Practice,
    session: Session,
    partstat: str = "DECLINED",
    *,
    sequence: int | None = None,
    attendee: str = "",
    vouched: bool = True,
    stamp: str = "20261122T201500Z",
) -> bytes:
    """Return the answer of a client to what they were sent last."""
    revision = practice.session(session).revision if sequence is None else sequence
    who = attendee or practice.alex.email
    ics = mails.calendar(partstat=partstat, attendee=who, uid=session.uid, sequence=f"SEQUENCE:{revision}")
    ics = ics.replace(mails.ORGANIZER, practice.session(session).organizer)
    ics = ics.replace("20261122T201500Z", stamp)
    domain = practice.alex.email.rpartition("@")[2]
    verdict = "pass" if vouched else "fail"
    results = f"Authentication-Results: {SERVER}; dmarc={verdict} header.from={domain}\r\n"
    unique = f"X-Number: {uuid4()}\r\n"
    answer = mails.answer(ics, sender=practice.alex.email).replace(b"<a1@", f"<{uuid4()}@".encode())
    return (results + unique).encode() + answer


def test_a_proved_answer_to_what_was_sent_applies_and_is_of_its_session(inbox: Practice) -> None:
    session = inbox.book()
    counted = Counted(counters.MAILS)
    assert take_in(inbox, reply(inbox, session)) == ["applies"]
    [row] = rows(inbox)
    assert (row.session_id, row.raw, counted()) == (session.id, None, {("applies",): 1})


def test_an_answer_stands_in_the_history_of_its_session_and_changes_nothing_else(inbox: Practice) -> None:
    session = inbox.book()
    before = inbox.session(session)
    take_in(inbox, reply(inbox, session))
    with inbox.database.read() as db:
        [fact] = [one for one in timeline.of_session(db, session.id) if isinstance(one, ClientAnswered)]
    assert (fact.answer, fact.sequence, fact.by.role) == (Attendance.DECLINED, before.revision, Role.CLIENT)
    assert inbox.session(session) == replace(before, flag=FlagReason.DECLINED)
    assert line_of(fact, ENGLISH).what.startswith("Declined the invitation")


def test_who_accepts_after_all_needs_nobody_any_more(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, reply(inbox, session))
    assert inbox.session(session).flag is FlagReason.DECLINED
    inbox.wait(minutes=1)
    take_in(inbox, reply(inbox, session, "ACCEPTED", stamp="20261122T201600Z"))
    assert inbox.session(session).flag is None
    assert inbox.session(session).revision == session.revision


def test_a_practitioner_is_told_once_what_their_client_has_answered(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, reply(inbox, session), reply(inbox, session))
    inbox.mail()
    assert inbox.kinds_told(session, client=False) == ["client_declined"]
    [told] = inbox.told(session, client=False)
    assert (told.notice.reason, told.notice.session) == ("declined", inbox.session(session))


def test_an_answer_that_is_sent_again_is_a_repetition(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, reply(inbox, session))
    take_in(inbox, reply(inbox, session))
    assert sorted(map(str, outcomes(inbox))) == ["applies", "repeated"]


def test_an_answer_that_nobody_vouches_for_is_not_applied(inbox: Practice) -> None:
    assert take_in(inbox, reply(inbox, inbox.book(), vouched=False)) == ["unproved"]


def test_a_letter_that_has_not_left_cannot_be_answered(inbox: Practice) -> None:
    inbox.prompt = False
    assert take_in(inbox, reply(inbox, inbox.book())) == ["unknown"]


def test_an_answer_to_what_was_sent_before_a_move_is_stale_and_one_to_what_was_never_sent_is_ahead(
    inbox: Practice,
) -> None:
    session = inbox.book()
    former = inbox.session(session).revision
    inbox.move(session, when(72))
    latest = inbox.session(session).revision
    take_in(inbox, *(reply(inbox, session, sequence=one) for one in (former, latest + 1)))
    assert set(outcomes(inbox)) == {"stale", "ahead"}


def test_an_answer_of_another_client_of_the_practitioner_changes_nothing(inbox: Practice) -> None:
    raw = reply(inbox, inbox.book(), attendee="sam@client.example")
    assert take_in(inbox, raw.replace(inbox.alex.email.encode(), b"sam@client.example")) == ["not_invited"]
    assert [row.session_id for row in rows(inbox)] == [None]


def test_an_answer_to_a_cancelled_session_changes_nothing(inbox: Practice) -> None:
    session = inbox.book()
    inbox.cancel(session)
    assert take_in(inbox, reply(inbox, session)) == ["ended"]


def test_an_answer_to_an_organizer_of_before_counts_by_what_it_is_about_and_with_no_organizer_as_well(
    inbox: Practice,
) -> None:
    session, other = inbox.book(48), inbox.book(72)
    inbox.policy = replace(inbox.policy, organizer="answers@elsewhere.example")
    inbox.move(session, when(96))
    assert inbox.session(session).organizer == "sessions@pencilled.example"
    frozen = reply(inbox, session)
    bare = recoded(reply(inbox, other), lambda ics: ics.replace(f"ORGANIZER:mailto:{mails.ORGANIZER}\r\n", ""))
    assert bare != frozen
    assert take_in(inbox, frozen, bare) == ["applies", "applies"]
    take_in(inbox, came_back(inbox, session))
    assert inbox.told(session, client=True)[-1].state is MessageState.REFUSED


def recoded(raw: bytes, change: Callable[[str], str]) -> bytes:
    """Return a mail whose calendar part says something else."""
    head, _, rest = raw.rpartition(b"base64\r\n\r\n")
    coded, boundary, end = rest.partition(b"\r\n\r\n")
    return head + b"base64\r\n\r\n" + encodebytes(change(b64decode(coded).decode()).encode()) + boundary + end


def test_a_mail_that_comes_twice_by_whatever_way_is_read_once(inbox: Practice) -> None:
    raw = reply(inbox, inbox.book())
    again = b"Received: from another.example\r\n" + raw.replace(b"\r\n", b"\n") + b"\n"
    assert receive(inbox, raw, again) == [True, False]
    inbox.carry_out(Kind.MAIL)
    assert receive(inbox, raw) == [False]
    assert outcomes(inbox) == ["applies"]


def test_a_mail_that_is_too_large_is_quarantined_and_not_kept(inbox: Practice) -> None:
    counted = Counted(counters.MAILS)
    receive(inbox, b"a" * (LARGEST + 1))
    assert [(row.outcome, row.raw) for row in rows(inbox)] == [("mail_size", None)]
    assert counted() == {("mail_size",): 1}


def test_after_a_mail_that_breaks_the_parser_the_next_one_is_read(inbox: Practice) -> None:
    broken = [make() for excess, make in BREAKING.values() if excess is not Excess.MAIL_SIZE]
    session = inbox.book()
    counted = Counted(counters.MAILS)
    assert "applies" in take_in(inbox, *broken, reply(inbox, session))
    assert sum(times for (outcome,), times in counted().items() if outcome in set(Excess)) == len(rows(inbox)) - 1
    assert inbox.session(session).state is session.state


def test_words_bounces_and_automatic_mails_are_told_apart(inbox: Practice) -> None:
    take_in(inbox, mails.plain("Hello"), mails.bounce(), mails.plain("Away", "Auto-Submitted: auto-replied"))
    assert set(outcomes(inbox)) == {"unmatched", "bounce", "automatic"}


def came_back(practice: Practice, session: Session, action: str = "failed") -> bytes:
    """Return the report that the last letter to a client came back."""
    letter = practice.told(session, client=True)[-1]
    return mails.bounce(action, "5.1.1", returned=letter.message_id)


def test_a_letter_that_came_back_is_marked_though_nobody_knew_that_it_had_left(inbox: Practice) -> None:
    session = inbox.book()
    with inbox.database.begin() as db:
        db.execute(sa.update(tables.messages).values(state=MessageState.UNKNOWN.value, sent_at=None))
    assert take_in(inbox, came_back(inbox, session)) == ["bounce"]
    assert [letter.state for letter in inbox.told(session, client=True)] == [MessageState.REFUSED]


def test_a_letter_that_came_back_is_marked_and_its_practitioner_told_once(inbox: Practice) -> None:
    session = inbox.book()
    report = came_back(inbox, session)
    take_in(inbox, report)
    take_in(inbox, report.replace(b"Status: 5.1.1", b"Status: 5.0.0"))
    inbox.mail()
    assert [letter.state for letter in inbox.told(session, client=True)] == [MessageState.REFUSED]
    assert inbox.kinds_told(session, client=False) == ["not_delivered"]
    with inbox.database.read() as db:
        assert conversations.unheard(db, inbox.kim.id) == {session.id}
        assert [row.session_id for row in rows(inbox)] == [session.id, session.id]


def test_a_letter_that_came_back_is_not_repeated_and_the_next_one_tries_again(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, came_back(inbox, session))
    inbox.wait(hours=1)
    inbox.mail()
    assert inbox.kinds_told(session, client=True) == ["booked"]
    inbox.move(session, when(72))
    assert len(inbox.told(session, client=True)) == 2
    with inbox.database.read() as db:
        assert conversations.unheard(db, inbox.kim.id) == set()


def address_fails(practice: Practice, session: Session) -> bool:
    with practice.database.read() as db:
        return session_page(db, practice.policy, practice.kim.id, session.id, now=practice.now).address_fails


def test_an_address_at_which_a_letter_came_back_is_told_on_every_page_of_its_client_until_it_is_another(
    inbox: Practice,
) -> None:
    other, session = inbox.book(100), inbox.book()
    inbox.wait(minutes=1)
    take_in(inbox, came_back(inbox, session))
    assert [address_fails(inbox, one) for one in (session, other)] == [True, True]
    stranger = inbox.book(150, of=inbox.another_client(replace(client(), email="sam@client.example")))
    assert not address_fails(inbox, stranger)
    with inbox.database.begin() as db:
        people.save_client(db, replace(inbox.alex, email="alex@new.example"))
    assert [address_fails(inbox, one) for one in (session, other)] == [False, False]


def test_a_letter_that_came_back_with_a_server_s_own_words_is_marked_like_any(inbox: Practice) -> None:
    session = inbox.book()
    letter = inbox.told(session, client=True)[-1]
    said = f"<{inbox.alex.email}>: 550 5.1.1 User unknown\r\n\r\nMessage-ID: {letter.message_id}\r\n"
    assert take_in(inbox, mails.plain(said, sender="MAILER-DAEMON@mx.client.example")) == ["bounce"]
    assert [one.state for one in inbox.told(session, client=True)] == [MessageState.REFUSED]
    assert address_fails(inbox, session)


def test_a_letter_that_came_back_from_one_address_may_be_answered_from_where_it_was_passed_on(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, came_back(inbox, session))
    assert "applies" in take_in(inbox, reply(inbox, session))


ELSEWHERE = "somebody@else.example"


@pytest.mark.parametrize("in_words", [False, True])
def test_a_letter_that_its_reader_has_passed_on_in_vain_has_reached_them(
    inbox: Practice,
    in_words: bool,  # noqa: FBT001
) -> None:
    session = inbox.book()
    said = f"<{ELSEWHERE}>: 550 5.1.1 User unknown\r\n\r\n"
    said += f"Message-ID: {inbox.told(session, client=True)[-1].message_id}\r\nTo: {inbox.alex.email}\r\n"
    report = came_back(inbox, session).replace(inbox.alex.email.encode(), ELSEWHERE.encode())
    if in_words:
        report = mails.plain(said, sender="MAILER-DAEMON@mx.else.example")
    assert take_in(inbox, report) == ["bounce_elsewhere"]
    inbox.mail()
    assert [letter.state for letter in inbox.told(session, client=True)] == [MessageState.SENT]
    assert inbox.kinds_told(session, client=False) == []
    assert not address_fails(inbox, session)


def test_of_several_recipients_the_one_that_the_letter_was_sent_to_counts(inbox: Practice) -> None:
    session = inbox.book()
    other = f"Final-Recipient: rfc822; {ELSEWHERE}\r\nAction: failed\r\nStatus: 5.2.2\r\n\r\nFinal-Recipient:"
    report = came_back(inbox, session).replace(b"Final-Recipient:", other.encode())
    assert take_in(inbox, report) == ["bounce"]
    [letter] = inbox.told(session, client=True)
    assert letter.state is MessageState.REFUSED
    assert "5.1.1" in str(letter.error)


def test_a_letter_that_is_late_or_not_ours_marks_nothing(inbox: Practice) -> None:
    session = inbox.book()
    take_in(
        inbox, came_back(inbox, session, "delayed"), mails.bounce(), mails.bounce(returned=f"<{uuid4()}@a.example>")
    )
    inbox.mail()
    assert [letter.state for letter in inbox.told(session, client=True)] == [MessageState.SENT]
    assert inbox.kinds_told(session, client=False) == []


def test_nobody_is_asked_for_a_key_about_an_invitation_that_is_not_ours(practice: Practice) -> None:
    def asked(_name: str) -> bytes | None:
        raise AssertionError("a stranger has made us ask")

    practice.runtime = replace(practice.runtime, keys=asked)
    assert take_in(
        practice, b"DKIM-Signature: v=1; a=rsa-sha256; d=client.example; s=a; h=from\r\n" + mails.answer()
    ) == ["unknown"]


def keyless(practice: Practice) -> None:
    """From now on nobody can tell any key."""

    def later(_name: str) -> bytes | None:
        raise TransientError("the DNS does not answer")

    practice.runtime = replace(practice.runtime, keys=later)


def test_a_key_that_cannot_be_looked_up_now_is_asked_for_again(practice: Practice) -> None:
    session = practice.book()
    bare = reply(practice, session).partition(b"\r\n")[2]
    keyless(practice)
    assert take_in(practice, signed(bare)) == [None]
    practice.runtime = replace(practice.runtime, keys=keys())
    practice.wait(minutes=15)
    practice.carry_out(Kind.MAIL)
    assert outcomes(practice) == ["applies"]


def test_a_mail_whose_key_nobody_can_tell_for_a_day_is_shown_as_unproved(practice: Practice) -> None:
    bare = reply(practice, session := practice.book()).partition(b"\r\n")[2]
    keyless(practice)
    assert take_in(practice, signed(bare)) == [None]
    practice.wait(hours=23)
    practice.carry_out(Kind.MAIL)
    assert outcomes(practice) == [None]
    practice.wait(hours=2)
    practice.carry_out(Kind.MAIL)
    assert outcomes(practice) == ["unproved"]
    practice.mail()
    assert practice.kinds_told(session, client=False) == ["answer_unproved"]
    assert practice.session(session).flag is None


def test_what_waits_to_be_read_goes_with_its_client_and_until_then_is_exported(practice: Practice) -> None:
    session, stays = practice.book(), mails.plain("Hello", sender="somebody@else.example")
    bare = reply(practice, session).partition(b"\r\n")[2]
    spam = mails.plain("Zebra", sender=practice.alex.email.upper())
    keyless(practice)
    take_in(practice, signed(bare))
    receive(practice, spam, stays, b"From: <" + practice.alex.email.encode() + b">\r\n\r\n\0")
    practice.cancel(session)
    practice.mail()
    with practice.database.begin() as db:
        sections = exporting.export(db, practice.policy, practice.alex.id, now=practice.now)
        erasing.erase(db, practice.policy, practice.alex.id, by=KIM, now=practice.now)
    texts = [mail["text"] for mail in sections["mails_not_read"]]
    assert len(texts) == 3
    assert any("Zebra" in text for text in texts)
    assert sorted(str(row.outcome) for row in rows(practice)) == ["None", "erased", "erased", "erased"]
    assert [row.raw for row in rows(practice) if row.raw is not None] == [stays]
    practice.wait(days=2)
    practice.carry_out(Kind.MAIL)
    assert sorted(map(str, outcomes(practice))) == ["erased", "erased", "erased", "unmatched"]


def test_what_waits_from_an_address_that_two_share_stays_with_who_it_may_be_of(practice: Practice) -> None:
    practice.another_client(client(email=practice.alex.email))
    receive(practice, mails.plain("Hello", sender=practice.alex.email))
    with practice.database.begin() as db:
        erasing.erase(db, practice.policy, practice.alex.id, by=KIM, now=practice.now)
    assert outcomes(practice) == [None]


def test_what_becomes_of_a_mail_is_forgotten_after_ninety_days(inbox: Practice) -> None:
    take_in(inbox, mails.plain("Hello"))
    inbox.wait(days=91)
    inbox.carry_out(Kind.UPKEEP)
    assert rows(inbox) == []


def test_a_mail_that_the_ledger_has_lost_is_read_all_the_same(inbox: Practice) -> None:
    receive(inbox, mails.plain("Hello"))
    with inbox.database.begin() as db:
        db.execute(sa.text("DELETE FROM due WHERE kind = 'mail'"))
        needs.make_missing_due(db, now=inbox.now)
    inbox.carry_out(Kind.MAIL)
    assert outcomes(inbox) == ["unmatched"]


def test_an_answer_of_a_client_who_was_erased_since_is_of_nobody(inbox: Practice) -> None:
    session = inbox.book()
    raw = reply(inbox, session)
    inbox.cancel(session)
    with inbox.database.begin() as db:
        erasing.erase(db, inbox.policy, inbox.alex.id, by=KIM, now=inbox.now)
    assert take_in(inbox, raw) == ["not_invited"]


def test_every_outcome_has_a_word_of_its_own_and_is_counted() -> None:
    words = [*Verdict, *Unclear, *Excess, *Kept, *receiving.OTHERS]
    assert len(set(map(str, words))) == len(words) - 1  # that it is a repetition two of them say
    assert set(map(str, words)) == set(counters.MAILS.labels["outcome"])
