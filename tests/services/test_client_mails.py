"""What a client writes is shown to their practitioner; nothing that it says happens before they decide."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID, uuid4

import pytest
from _pytest.mark import ParameterSet

from connector.domain.client_mail import ClientMail, MailState
from connector.domain.facts import Attendance, ClientAnswered, FlagReason, MailChoice, MailKind, SessionMoved
from connector.domain.notice import Finding, NoticeKind
from connector.domain.people import Medium
from connector.domain.session import Edit, Location, LocationKind, Session, SessionState
from connector.domain.span import When
from connector.errors import PastSpanError, QuestionClosedError, RuleError, TimeTakenError
from connector.services import client_mails, erasing, exporting
from connector.services.client_mails import MOST_A_DAY, Kept
from connector.services.scheduling import mails as deciding
from connector.services.scheduling import sessions
from connector.storage import client_mails as stored
from connector.storage import people, timeline
from connector.storage.messages import MessageState
from tests.domain.examples import KIM, client, when
from tests.inbox import mails
from tests.services.practice import Practice
from tests.services.test_receiving import SERVER, inbox, outcomes, recoded, reply, take_in

__all__ = ["inbox"]  # a fixture


def elsewhere(*values: object) -> ParameterSet:
    """An example of a rule that another shows in `make test`."""
    return pytest.param(*values, marks=pytest.mark.long)


def counter(
    practice: Practice, session: Session, wished: When, *, vouched: bool = True, sequence: int | None = None, n: int = 0
) -> bytes:
    """Return the wish of a client for another time, as calendar programs write it."""
    times = tuple(
        f"{name}:{at:%Y%m%dT%H%M%SZ}" for name, at in (("DTSTART", wished.span.start), ("DTEND", wished.span.end))
    )
    return asking(
        practice, session, "COUNTER", *times, "COMMENT:A day later\\, please", vouched=vouched, sequence=sequence, n=n
    )


def asking(
    practice: Practice,
    session: Session,
    method: str,
    *properties: str,
    vouched: bool = True,
    sequence: int | None = None,
    n: int = 0,
) -> bytes:
    revision = practice.session(session).revision if sequence is None else sequence
    ics = mails.calendar(
        method,
        *(properties or (f"X-NUMBER:{n}",)),
        partstat="TENTATIVE",
        attendee=practice.alex.email,
        uid=session.uid,
        sequence=f"SEQUENCE:{revision}",
        organizer=practice.session(session).organizer,
    ).replace("20261122T201500Z", f"20261122T2015{n:02}Z")
    domain = practice.alex.email.rpartition("@")[2]
    results = f"Authentication-Results: {SERVER}; dmarc={'pass' if vouched else 'fail'} header.from={domain}\r\n"
    return results.encode() + mails.answer(ics, f"X-Number: {n}", method=method, sender=practice.alex.email)


def words(
    practice: Practice,
    session: Session,
    text: str = "I may be late.",
    *lines: str,
    sender: str = "",
    vouched: bool = True,
) -> bytes:
    """Return words in answer to the last letter to a client."""
    letter = practice.told(session, client=True)[-1]
    author = sender or practice.alex.email
    raw = mails.plain(text, *lines, sender=author).replace(mails.OURS.encode(), letter.message_id.encode())
    verdict = f"dmarc={'pass' if vouched else 'fail'} header.from={author.rpartition('@')[2]}"
    return f"Authentication-Results: {SERVER}; {verdict}\r\n".encode() + raw


def kept(practice: Practice, session: Session) -> list[ClientMail]:
    """Return what the client has written, the earliest first."""
    with practice.database.read() as db:
        return list(reversed(stored.of_session(db, session.id)))


def decide(practice: Practice, mail: ClientMail, choice: MailChoice) -> ClientMail:
    with practice.database.begin() as db:
        decided = deciding.decide(db, practice.policy, mail.id, choice, by=KIM, now=practice.now)
    practice.mail()
    return decided


def answers(practice: Practice, session: Session) -> list[Attendance]:
    with practice.database.read() as db:
        return [fact.answer for fact in timeline.of_session(db, session.id) if isinstance(fact, ClientAnswered)]


def the_one(practice: Practice, session: Session, raw: bytes) -> ClientMail:
    take_in(practice, raw)
    return kept(practice, session)[-1]


# Words.


def test_words_are_shown_to_the_practitioner_without_what_they_quote_and_change_nothing(inbox: Practice) -> None:
    session = inbox.book()
    before = inbox.session(session)
    text = "I may be <b>late</b>.\r\n\r\nOn 1 May 2026 Kim wrote:\r\n> Your session is booked"
    assert take_in(inbox, words(inbox, session, text)) == ["shown"]
    [mail] = kept(inbox, session)
    assert (mail.kind, mail.state, mail.text) == (MailKind.WORDS, MailState.SHOWN, "I may be <b>late</b>.")
    [told] = inbox.told(session, client=False)
    assert (told.kind, told.notice.about) == (NoticeKind.CLIENT_WROTE, mail.text)
    assert told.notice.trusted
    assert inbox.session(session) == before
    assert inbox.happened(session) == ["SessionBooked", "ClientWrote"]


def test_words_by_mail_and_by_text_do_not_use_up_the_share_of_each_other(inbox: Practice) -> None:
    session = inbox.book()
    for n in range(MOST_A_DAY):
        assert take_in(inbox, words(inbox, session, f"{n}", sender="alex@work.example"))[-1] == "shown"
    text = replace(kept(inbox, session)[0], id=uuid4(), medium=Medium.SMS, author="+447700900123")
    with inbox.database.begin() as db:
        told = {
            client_mails.keep(db, inbox.policy, session, replace(text, id=uuid4()), now=inbox.now)
            for _ in range(MOST_A_DAY)
        }
        assert told == {Kept.SHOWN}  # the same words in another text are another message
        assert client_mails.keep(db, inbox.policy, session, text, now=inbox.now) is Kept.TOO_MANY


def test_words_from_another_address_are_shown_as_such(inbox: Practice) -> None:
    session = inbox.book()
    mail = the_one(inbox, session, words(inbox, session, sender="alex@work.example"))
    assert (mail.author, mail.trusted) == ("alex@work.example", False)


@pytest.mark.parametrize("about", [elsewhere("<nobody@knows.example>"), f"<{UUID(int=7)}@pencilled.example>"])
def test_words_that_answer_no_letter_of_ours_are_quarantined(inbox: Practice, about: str) -> None:
    session = inbox.book()
    raw = mails.plain("Hello", sender=inbox.alex.email).replace(mails.OURS.encode(), about.encode())
    assert take_in(inbox, raw) == ["unmatched"]
    assert (kept(inbox, session), inbox.kinds_told(session, client=False)) == ([], [])


def test_what_a_practitioner_writes_is_nothing_that_their_client_says(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, words(inbox, session, sender=inbox.kim.email))
    own = inbox.told(session, client=True)[-1].notice.session
    assert own is not None
    take_in(inbox, words(inbox, session, sender=own.organizer))
    assert sorted(map(str, outcomes(inbox))) == ["automatic", "unmatched"]
    assert kept(inbox, session) == []


@pytest.mark.long
def test_words_in_answer_to_a_letter_to_the_practitioner_are_not_shown(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, words(inbox, session))
    [letter] = inbox.told(session, client=False)
    raw = mails.plain("Thank you", sender=inbox.kim.email).replace(mails.OURS.encode(), letter.message_id.encode())
    assert "unmatched" in take_in(inbox, raw)


def test_whoever_writes_without_end_is_not_shown_without_end(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, *(words(inbox, session, f"Number {n}") for n in range(client_mails.MOST_A_DAY + 2)))
    assert outcomes(inbox).count("too_many") == 2
    assert len(kept(inbox, session)) == client_mails.MOST_A_DAY
    assert "applies" in take_in(inbox, reply(inbox, session))  # what is proved is not held up by it
    inbox.wait(days=1, seconds=1)
    take_in(inbox, words(inbox, session, "The next day"))
    assert kept(inbox, session)[-1].text == "The next day"


# An answer that nothing proves.


def test_an_unproved_answer_is_shown_and_counts_once_the_practitioner_takes_it(inbox: Practice) -> None:
    session = inbox.book()
    before = inbox.session(session)
    mail = the_one(inbox, session, reply(inbox, session, "ACCEPTED", vouched=False))
    assert inbox.kinds_told(session, client=False) == ["answer_unproved"]
    assert (inbox.session(session), answers(inbox, session)) == (before, [])
    taken = decide(inbox, mail, MailChoice.TAKE)
    assert (taken.state, taken.trusted) == (MailState.DECIDED, True)
    assert answers(inbox, session) == [Attendance.ACCEPTED]
    assert decide(inbox, taken, MailChoice.TAKE) == taken
    assert answers(inbox, session) == [Attendance.ACCEPTED]


def test_an_unproved_refusal_that_is_taken_asks_what_follows(inbox: Practice) -> None:
    session = inbox.book()
    taken = decide(inbox, the_one(inbox, session, reply(inbox, session, vouched=False)), MailChoice.TAKE)
    assert (taken.kind, taken.is_open) == (MailKind.DECLINED, True)
    assert inbox.session(session).flag is FlagReason.DECLINED
    decide(inbox, taken, MailChoice.KEEP)
    assert inbox.session(session).flag is None


@pytest.mark.long
def test_an_unproved_answer_that_is_left_changes_nothing(inbox: Practice) -> None:
    session = inbox.book()
    before = inbox.session(session)
    decide(inbox, the_one(inbox, session, reply(inbox, session, vouched=False)), MailChoice.DISMISS)
    assert (inbox.session(session), answers(inbox, session)) == (before, [])


@pytest.mark.long
def test_an_unproved_answer_to_what_was_changed_since_cannot_be_taken_any_more(inbox: Practice) -> None:
    session = inbox.book()
    mail = the_one(inbox, session, reply(inbox, session, vouched=False))
    inbox.move(session, when(72))
    with pytest.raises(QuestionClosedError, match="no longer stands"):
        decide(inbox, mail, MailChoice.TAKE)
    assert answers(inbox, session) == []


def test_an_unproved_answer_does_not_count_for_a_place_that_has_been_told_since(inbox: Practice) -> None:
    session = inbox.book()
    mail = the_one(inbox, session, reply(inbox, session, vouched=False))
    inbox.edit(session, Edit(location=Location(kind=LocationKind.IN_PERSON, text="Birkenweg 4")))
    with pytest.raises(QuestionClosedError, match="no longer counts"):
        decide(inbox, mail, MailChoice.TAKE)


def test_a_forged_mail_takes_no_proved_one_out_of_sight(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, counter(inbox, session, when(72)))
    inbox.wait(seconds=1)
    take_in(inbox, reply(inbox, session, "ACCEPTED", vouched=False))
    inbox.wait(seconds=1)
    take_in(inbox, reply(inbox, session, "ACCEPTED", vouched=False, stamp="20261122T201700Z"))
    states = [(mail.kind, mail.state) for mail in kept(inbox, session)]
    assert states == [
        (MailKind.PROPOSAL, MailState.OPEN),
        (MailKind.UNPROVED, MailState.OVERTAKEN),
        (MailKind.UNPROVED, MailState.OPEN),
    ]


def test_a_proved_answer_leaves_nothing_to_decide_about_what_came_before(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, reply(inbox, session, "TENTATIVE", vouched=False), counter(inbox, session, when(72), vouched=False))
    take_in(inbox, reply(inbox, session, "ACCEPTED", stamp="20261122T201900Z"))
    assert {mail.state for mail in kept(inbox, session)} == {MailState.OVERTAKEN}


def test_an_answer_that_is_sent_again_is_shown_once(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, *(reply(inbox, session, vouched=False) for _ in range(3)))
    assert sorted(map(str, outcomes(inbox))) == ["repeated", "repeated", "unproved"]
    assert inbox.kinds_told(session, client=False) == ["answer_unproved"]


# Answers of which it is not certain which is the later.


LATE, LATER = "20261122T201600Z", "20261122T201700Z"


def test_a_refusal_after_an_answer_of_a_clock_that_is_years_ahead_counts(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, reply(inbox, session, "ACCEPTED", stamp="20990101T000000Z"))
    inbox.wait(hours=1)
    now = inbox.now.strftime("%Y%m%dT%H%M%SZ")
    assert take_in(inbox, reply(inbox, session, stamp=now)) == ["applies", "applies"]
    assert inbox.session(session).flag is FlagReason.DECLINED


@pytest.mark.parametrize("stamp", [LATE, elsewhere("20261122T201500Z"), elsewhere(None)])
def test_another_answer_that_is_not_known_to_be_later_is_shown_and_counts_once_it_is_taken(
    inbox: Practice, stamp: str | None
) -> None:
    session = inbox.book()
    take_in(inbox, reply(inbox, session, "ACCEPTED", stamp=LATE))
    inbox.wait(minutes=1)
    mail = the_one(inbox, session, without_stamp(reply(inbox, session)) if stamp is None else reply(inbox, session))
    assert outcomes(inbox) == ["applies", "unordered"]
    assert (mail.kind, mail.trusted, mail.is_open) == (MailKind.UNPROVED, True, True)
    assert inbox.kinds_told(session, client=False) == ["client_answered", "answer_unproved"]
    assert inbox.session(session).flag is None
    decide(inbox, mail, MailChoice.TAKE)
    assert inbox.session(session).flag is FlagReason.DECLINED


def without_stamp(raw: bytes) -> bytes:
    return recoded(raw, lambda ics: ics.replace("DTSTAMP:20261122T201500Z\r\n", ""))


def test_an_answer_without_a_stamp_that_is_sent_again_by_somebody_else_undoes_nothing(inbox: Practice) -> None:
    session = inbox.book()
    first, second = (without_stamp(reply(inbox, session, one)) for one in ("DECLINED", "ACCEPTED"))
    take_in(inbox, first)
    inbox.wait(minutes=1)
    decide(inbox, the_one(inbox, session, second), MailChoice.TAKE)
    inbox.wait(minutes=1)
    take_in(inbox, b"Content-Language: en\r\n" + first, first.replace(b"Message-ID: <", b"Message-ID: <again"))
    assert sorted(map(str, outcomes(inbox))) == ["applies", "unordered", "unordered"]  # they may have come back to it
    assert answers(inbox, session) == [Attendance.DECLINED, Attendance.ACCEPTED]
    assert inbox.session(session).flag is None


def test_an_answer_that_may_be_earlier_takes_nothing_that_is_proved_out_of_sight(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, reply(inbox, session, stamp=LATE))
    inbox.wait(minutes=1)
    take_in(inbox, reply(inbox, session, "ACCEPTED"))
    assert {(mail.kind, mail.is_open) for mail in kept(inbox, session)} == {
        (MailKind.DECLINED, True),
        (MailKind.UNPROVED, True),
    }


def test_a_program_that_answers_the_same_again_and_again_tells_nobody(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, *(reply(inbox, session, "ACCEPTED", stamp=f"20261122T2015{n:02}Z") for n in range(12)))
    assert outcomes(inbox).count("repeated") == 11
    assert answers(inbox, session) == [Attendance.ACCEPTED]
    assert inbox.kinds_told(session, client=False) == ["client_answered"]


def in_turn(practice: Practice, session: Session, count: int) -> None:
    """Have two programs of a client answer, each after the other, the last one declining."""
    for n in range(count):
        word = ("DECLINED", "ACCEPTED")[(count - 1 - n) % 2]
        take_in(practice, reply(practice, session, word, stamp=f"20261122T20{n // 60:02}{n % 60:02}Z"))


def test_of_programs_that_answer_in_turn_the_last_word_stands_and_so_much_is_told_a_day(inbox: Practice) -> None:
    session = inbox.book()
    in_turn(inbox, session, client_mails.MOST_A_DAY + 5)
    assert set(outcomes(inbox)) == {"applies"}
    assert (answers(inbox, session)[-1], inbox.session(session).flag) == (Attendance.DECLINED, FlagReason.DECLINED)
    assert [mail.kind for mail in kept(inbox, session) if mail.is_open] == [MailKind.DECLINED]
    told = inbox.kinds_told(session, client=False)
    assert (told[-1], told.count("client_answered")) == ("client_declined", client_mails.MOST_A_DAY // 2 + 1)
    take_in(inbox, *(reply(inbox, session, "ACCEPTED", stamp=f"20261122T2100{n:02}Z") for n in range(2)))
    assert answers(inbox, session)[-1] is Attendance.ACCEPTED
    assert (inbox.session(session).flag, inbox.kinds_told(session, client=False)) == (None, told)


def test_of_unproved_answers_without_end_each_is_shown_once_more(inbox: Practice) -> None:
    session = inbox.book()
    for n in range(client_mails.MOST_A_DAY + 4):
        word = "DECLINED" if n > client_mails.MOST_A_DAY else "ACCEPTED"
        take_in(inbox, reply(inbox, session, word, stamp=f"20261122T2015{n:02}Z", vouched=False))
        inbox.wait(seconds=1)
    assert (outcomes(inbox).count("unproved"), outcomes(inbox).count("too_many")) == (client_mails.MOST_A_DAY + 2, 2)
    assert [mail.answer for mail in kept(inbox, session) if mail.is_open] == [Attendance.DECLINED]


def test_programs_that_answer_without_end_leave_a_session_that_needs_somebody(
    inbox: Practice, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(client_mails, "MOST_NOTED_A_DAY", client_mails.MOST_A_DAY)
    session = inbox.book()
    in_turn(inbox, session, client_mails.MOST_A_DAY + 5)
    assert outcomes(inbox).count("too_many") == 2
    assert (answers(inbox, session)[-1], inbox.session(session).flag) == (Attendance.DECLINED, FlagReason.DECLINED)


def test_who_declines_once_more_what_was_kept_is_heard_again(inbox: Practice) -> None:
    session = inbox.book()
    decide(inbox, the_one(inbox, session, reply(inbox, session)), MailChoice.KEEP)
    take_in(inbox, reply(inbox, session, stamp=LATE))
    take_in(inbox, reply(inbox, session, stamp=LATER))
    assert sorted(map(str, outcomes(inbox))) == ["applies", "applies", "repeated"]
    assert inbox.session(session).flag is FlagReason.DECLINED


# Declined: what follows.


def test_declining_asks_what_follows_and_cancels_nothing(inbox: Practice) -> None:
    session = inbox.book()
    mail = the_one(inbox, session, reply(inbox, session))
    assert (mail.kind, mail.is_open) == (MailKind.DECLINED, True)
    assert inbox.session(session).state is SessionState.BOOKED
    assert inbox.kinds_told(session, client=False) == ["client_declined"]


def test_who_decides_to_cancel_has_the_client_told(inbox: Practice) -> None:
    session = inbox.book()
    decide(inbox, the_one(inbox, session, reply(inbox, session)), MailChoice.CANCEL)
    assert inbox.session(session).state is SessionState.CANCELLED
    assert inbox.kinds_told(session, client=True) == ["booked", "cancelled"]


def test_who_offers_other_times_is_not_asked_any_more(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, reply(inbox, session))
    inbox.offer(session)
    [mail] = kept(inbox, session)
    assert mail.state is MailState.OVERTAKEN


@pytest.mark.long
def test_who_keeps_the_session_on_its_own_page_is_not_asked_any_more(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, reply(inbox, session))
    with inbox.database.begin() as db:
        sessions.keep(db, inbox.policy, session.id, by=KIM, now=inbox.now)
    [mail] = kept(inbox, session)
    assert mail.state is MailState.OVERTAKEN


@pytest.mark.long
def test_who_accepts_after_all_leaves_nothing_to_decide(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, reply(inbox, session))
    take_in(inbox, reply(inbox, session, "ACCEPTED", stamp="20261122T201600Z"))
    assert [mail.state for mail in kept(inbox, session)] == [MailState.OVERTAKEN]


def test_a_letter_that_asks_what_has_been_decided_meanwhile_never_leaves(inbox: Practice) -> None:
    session = inbox.book()
    inbox.prompt = False
    take_in(inbox, reply(inbox, session))
    [mail] = kept(inbox, session)
    with inbox.database.begin() as db:
        deciding.decide(db, inbox.policy, mail.id, MailChoice.KEEP, by=KIM, now=inbox.now)
    inbox.prompt = True
    assert inbox.kinds_told(session, client=False) == []


# Another time.


def test_another_time_is_told_with_what_is_known_of_it_and_moves_nothing(inbox: Practice) -> None:
    session = inbox.book()
    before = inbox.session(session)
    mail = the_one(inbox, session, counter(inbox, session, when(72)))
    assert (mail.kind, mail.proposed, mail.text) == (MailKind.PROPOSAL, when(72), "A day later, please")
    [told] = inbox.told(session, client=False)
    assert (told.kind, told.notice.reason, told.notice.moved_to) == (NoticeKind.CLIENT_PROPOSED, Finding.FREE, when(72))
    assert (inbox.session(session), inbox.kept(session.id)) == (before, inbox.kept(session.id))


def test_who_agrees_has_the_session_moved_with_the_mail_as_the_agreement(inbox: Practice) -> None:
    session = inbox.book()
    mail = the_one(inbox, session, counter(inbox, session, when(72)))
    decide(inbox, mail, MailChoice.AGREE)
    assert inbox.session(session).when == when(72)
    with inbox.database.read() as db:
        [move] = [fact for fact in timeline.of_session(db, session.id) if isinstance(fact, SessionMoved)]
    assert move.attestation is not None
    assert (move.attestation.who, move.attestation.at) == (inbox.alex.name, mail.received_at)
    assert inbox.kinds_told(session, client=True) == ["booked", "moved"]


def test_who_refuses_has_the_client_told_and_everything_stays(inbox: Practice) -> None:
    session = inbox.book()
    before = inbox.session(session)
    decide(inbox, the_one(inbox, session, counter(inbox, session, when(72))), MailChoice.REFUSE)
    letter = inbox.told(session, client=True)[-1]
    assert letter.kind is NoticeKind.PROPOSAL_DECLINED
    assert letter.notice.declined is not None
    assert (letter.notice.declined.when, letter.notice.declined.sequence) == (when(72), before.revision)
    assert (letter.notice.to.address, letter.state) == (inbox.alex.email, MessageState.SENT)
    assert inbox.session(session) == before
    inbox.wait(hours=1)
    assert len(inbox.told(session, client=True)) == 2


@pytest.mark.long
def test_an_answer_after_a_time_was_refused_still_counts(inbox: Practice) -> None:
    session = inbox.book()
    decide(inbox, the_one(inbox, session, counter(inbox, session, when(72))), MailChoice.REFUSE)
    assert "applies" in take_in(inbox, reply(inbox, session, "ACCEPTED"))


def test_who_cannot_be_written_to_is_not_refused_anything(inbox: Practice) -> None:
    session = inbox.book()
    mail = the_one(inbox, session, counter(inbox, session, when(72)))
    with inbox.database.begin() as db:
        people.readdress_client(db, inbox.alex.id, "")
    with pytest.raises(RuleError, match="cannot be told by e-mail"):
        decide(inbox, mail, MailChoice.REFUSE)
    assert kept(inbox, session) == [mail]


@pytest.mark.parametrize(
    ("hours", "finding"), [(-3, Finding.PAST), elsewhere(71.5, Finding.TAKEN), elsewhere(60, Finding.NIGHT)]
)
def test_what_speaks_against_a_time_is_told(inbox: Practice, hours: float, finding: Finding) -> None:
    session = inbox.book()
    inbox.book(71, of=inbox.another_client(client(email="sam@client.example")))
    take_in(inbox, counter(inbox, session, when(hours)))
    assert inbox.told(session, client=False)[-1].notice.reason == finding


@pytest.mark.parametrize(("hours", "error"), [elsewhere(-3, PastSpanError), (71.5, TimeTakenError)])
def test_a_time_that_cannot_be_is_refused_and_the_wish_stays_open(
    inbox: Practice, hours: float, error: type[RuleError]
) -> None:
    session = inbox.book()
    inbox.book(71, of=inbox.another_client(client(email="sam@client.example")))
    mail = the_one(inbox, session, counter(inbox, session, when(hours)))
    with pytest.raises(error):
        decide(inbox, mail, MailChoice.AGREE)
    assert kept(inbox, session) == [mail]
    assert inbox.session(session).when == when(48)


def test_who_asks_for_the_time_that_they_have_asks_for_nothing(inbox: Practice) -> None:
    session = inbox.book()
    assert take_in(inbox, counter(inbox, session, when(48))) == ["same_time"]
    assert kept(inbox, session) == []


@pytest.mark.parametrize("minutes", [elsewhere(0.5), 24 * 60 + 1])
def test_a_time_that_no_session_can_have_is_none(inbox: Practice, minutes: float) -> None:
    session = inbox.book()
    wished = when(72)
    span = replace(wished.span, end=wished.span.start + timedelta(minutes=minutes))
    assert take_in(inbox, counter(inbox, session, replace(wished, span=span))) == ["time"]


def test_a_wish_that_is_repeated_after_it_was_refused_asks_nobody_again(inbox: Practice) -> None:
    session = inbox.book()
    raw = counter(inbox, session, when(72))
    decide(inbox, the_one(inbox, session, raw), MailChoice.REFUSE)
    take_in(inbox, raw.replace(b"X-Number: 0", b"X-Number: 9").replace(b"<a1@", b"<a2@"))
    assert "repeated" in outcomes(inbox)
    assert len(kept(inbox, session)) == 1


@pytest.mark.long
def test_a_later_wish_takes_the_place_of_the_earlier(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, counter(inbox, session, when(72)))
    inbox.wait(seconds=1)
    take_in(inbox, counter(inbox, session, when(96), n=1).replace(b"<a1@", b"<a2@"))
    assert [mail.state for mail in kept(inbox, session)] == [MailState.OVERTAKEN, MailState.OPEN]


def test_nothing_is_decided_about_a_session_that_is_over(inbox: Practice) -> None:
    session = inbox.book()
    mail = the_one(inbox, session, counter(inbox, session, when(96)))
    inbox.wait(hours=49)
    with pytest.raises(QuestionClosedError, match="cancelled or over"):
        decide(inbox, mail, MailChoice.AGREE)


@pytest.mark.long
def test_a_choice_that_a_mail_does_not_have_is_refused(inbox: Practice) -> None:
    session = inbox.book()
    mail = the_one(inbox, session, counter(inbox, session, when(96)))
    with pytest.raises(RuleError, match="other choices"):
        decide(inbox, mail, MailChoice.KEEP)


# Asking how things stand.


@pytest.mark.parametrize("vouched", [pytest.param(True, marks=pytest.mark.long), False])
def test_who_asks_is_told_again_at_the_address_that_is_theirs(inbox: Practice, *, vouched: bool) -> None:
    session = inbox.book()
    before = inbox.session(session)
    assert take_in(inbox, asking(inbox, session, "REFRESH", vouched=vouched)) == ["refreshed"]
    first, again = inbox.told(session, client=True)
    assert (again.kind, again.notice.to, again.notice.session) == (first.kind, first.notice.to, first.notice.session)
    assert inbox.session(session) == before


def test_who_asks_again_and_again_is_told_once_a_day(inbox: Practice) -> None:
    session = inbox.book()
    raws = [asking(inbox, session, "REFRESH", n=n).replace(b"<a1@", f"<a{n}@".encode()) for n in range(4)]
    take_in(inbox, *raws[:3])
    assert sorted(map(str, outcomes(inbox))) == ["refreshed", "too_many", "too_many"]
    assert len(inbox.told(session, client=True)) == 2
    inbox.wait(days=1, seconds=1)
    take_in(inbox, raws[3])
    assert len(inbox.told(session, client=True)) == 3


def test_who_asks_about_a_time_that_they_have_chosen_is_not_asked_whether_it_suits_them(inbox: Practice) -> None:
    session = inbox.book()
    inbox.accept(inbox.offer(session, 72))
    take_in(inbox, asking(inbox, session, "REFRESH"))
    assert inbox.kinds_told(session, client=True) == ["booked", "offered", "accepted", "accepted"]


def test_who_asks_about_a_cancelled_session_is_told_that_it_is(inbox: Practice) -> None:
    session = inbox.book()
    inbox.cancel(session)
    take_in(inbox, asking(inbox, session, "REFRESH"))
    assert inbox.kinds_told(session, client=True) == ["booked", "cancelled", "cancelled"]


@pytest.mark.long
def test_who_asks_about_a_session_that_has_begun_is_told_nothing(inbox: Practice) -> None:
    session = inbox.book()
    inbox.wait(hours=48)
    assert take_in(inbox, asking(inbox, session, "REFRESH")) == ["ended"]
    assert len(inbox.told(session, client=True)) == 1


# What is kept.


def test_what_a_client_has_written_is_exported_and_erased_with_them(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, words(inbox, session, "I am ill"), counter(inbox, session, when(72)))
    inbox.mail()
    with inbox.database.read() as db:
        exported = exporting.export(db, inbox.policy, inbox.alex.id, now=inbox.now)
    assert {one["text"] for one in exported["client_mails"]} == {"I am ill", "A day later, please"}
    inbox.cancel(session)
    inbox.mail()
    with inbox.database.begin() as db:
        erasing.erase(db, inbox.policy, inbox.alex.id, by=KIM, now=inbox.now)
    assert {(mail.text, mail.author) for mail in kept(inbox, session)} == {("", "")}
    assert "I am ill" not in str([row.notice for row in inbox.told(session)])
    assert "unmatched" in take_in(inbox, words(inbox, session, "Once more"))
