"""Whatever a client says is seen by their practitioner, as what it is: proved or not, plain or not."""

from __future__ import annotations

import pytest

from connector.domain.client_mail import MailState
from connector.domain.facts import Attendance, Doubt, FlagReason, MailChoice, MailKind
from connector.domain.notice import Finding, NoticeKind
from connector.domain.session import Session
from connector.domain.span import Span, When
from connector.errors import QuestionClosedError
from connector.services.client_mails import MOST_A_DAY
from connector.services.views.timeline import line_of
from connector.storage import timeline
from tests.domain.examples import when
from tests.inbox import mails
from tests.services.practice import Practice
from tests.services.telling import ENGLISH
from tests.services.test_client_mails import answers, asking, counter, decide, elsewhere, kept, the_one, words
from tests.services.test_receiving import inbox, outcomes, recoded, reply, take_in

__all__ = ["inbox"]  # a fixture

EVE = "eve@evil.example"


def of_eve(raw: bytes) -> bytes:
    """Return a mail as somebody else sends it who knows what it is about."""
    return raw.replace(b"From: alex@client.example", f"From: {EVE}".encode())


def about(practice: Practice, session: Session, raw: bytes) -> bytes:
    """Return a mail that names a letter to the client, too."""
    letter = practice.told(session, client=True)[-1].message_id
    return f"In-Reply-To: {letter}\r\n".encode() + raw


# To whom an answer was given.


def to_eve(ics: str) -> str:
    return ics.replace("ORGANIZER:mailto:", "ORGANIZER:mailto:eve-")


def test_a_proved_answer_to_somebody_elses_invitation_counts_only_once_it_is_taken(inbox: Practice) -> None:
    session = inbox.book()
    mail = the_one(inbox, session, recoded(reply(inbox, session), to_eve))
    assert (outcomes(inbox), answers(inbox, session)) == (["other_organizer"], [])
    assert (mail.kind, mail.trusted, mail.doubt) == (MailKind.UNPROVED, True, Doubt.OTHER_ORGANIZER)
    assert inbox.kinds_told(session, client=False) == ["answer_unproved"]
    decide(inbox, mail, MailChoice.TAKE)
    assert answers(inbox, session) == [Attendance.DECLINED]


def test_an_answer_that_does_not_say_to_whom_counts(inbox: Practice) -> None:
    session = inbox.book()
    raw = recoded(reply(inbox, session), lambda ics: ics.replace("ORGANIZER:", "X-ORGANIZER:"))
    assert take_in(inbox, raw) == ["applies"]


@pytest.mark.long
def test_a_wish_that_was_told_somebody_else_is_shown_with_that(inbox: Practice) -> None:
    session = inbox.book()
    mail = the_one(inbox, session, recoded(counter(inbox, session, when(72)), to_eve))
    assert (mail.kind, mail.doubt, mail.is_open) == (MailKind.PROPOSAL, Doubt.OTHER_ORGANIZER, True)


# By what words are proved.


def test_words_are_the_clients_only_where_that_is_proved(inbox: Practice) -> None:
    session = inbox.book()
    mail = the_one(inbox, session, words(inbox, session, vouched=False))
    assert (mail.author, mail.trusted) == (inbox.alex.email, False)
    [told] = inbox.told(session, client=False)
    assert (told.kind, told.notice.trusted) == (NoticeKind.CLIENT_WROTE, False)


def test_forged_words_use_up_nothing_of_what_the_client_may_write(inbox: Practice) -> None:
    session = inbox.book()
    forged = [words(inbox, session, f"Number {n}", vouched=False) for n in range(MOST_A_DAY + 1)]
    take_in(inbox, *forged)
    assert outcomes(inbox).count("too_many") == 1
    inbox.wait(seconds=1)
    assert the_one(inbox, session, words(inbox, session, "I am ill")).text == "I am ill"


def test_words_of_strangers_use_up_nothing_of_a_client_whose_provider_signs_nothing(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, *(words(inbox, session, f"Number {n}", sender=EVE) for n in range(MOST_A_DAY + 1)))
    inbox.wait(seconds=1)
    assert the_one(inbox, session, words(inbox, session, "I am ill", vouched=False)).text == "I am ill"


def test_words_that_are_shown_whole_are_marked(inbox: Practice) -> None:
    session = inbox.book()
    mail = the_one(inbox, session, words(inbox, session, "> Can you come? NO"))
    assert (mail.text, mail.doubt) == ("> Can you come? NO", Doubt.WHOLE)
    assert inbox.told(session, client=False)[-1].notice.doubt is Doubt.WHOLE


# What cannot count is told as what it says.


def series(ics: str) -> str:
    return ics.replace("DTSTART", "RECURRENCE-ID:20261203T130000Z\r\nDTSTART")


def delegated(ics: str) -> str:
    return ics.replace("PARTSTAT=DECLINED", "PARTSTAT=DELEGATED")


def two_attendees(ics: str) -> str:
    return ics.replace("DTSTART", "ATTENDEE;PARTSTAT=DECLINED:mailto:x@y.example\r\nDTSTART")


@pytest.mark.parametrize(
    ("change", "outcome", "doubt", "answer"),
    [
        (series, "series", Doubt.SERIES, Attendance.DECLINED),
        elsewhere(delegated, "delegated", Doubt.DELEGATED, None),
        elsewhere(two_attendees, "attendee", Doubt.UNREADABLE, Attendance.DECLINED),
    ],
)
def test_an_answer_that_cannot_count_is_shown_where_it_is_theirs(
    inbox: Practice, change: object, outcome: str, doubt: Doubt, answer: Attendance | None
) -> None:
    assert callable(change)
    session = inbox.book()
    before = inbox.session(session)
    mail = the_one(inbox, session, recoded(reply(inbox, session), change))
    assert outcomes(inbox) == [outcome]
    assert (mail.kind, mail.state, mail.doubt, mail.answer) == (MailKind.WORDS, MailState.SHOWN, doubt, answer)
    [told] = inbox.told(session, client=False)
    assert (told.kind, told.notice.reason, told.notice.doubt) == ("client_wrote", answer or "", doubt)
    assert (inbox.session(session), answers(inbox, session)) == (before, [])


def test_an_answer_to_a_former_time_is_shown_and_changes_nothing(inbox: Practice) -> None:
    session = inbox.book()
    raw = reply(inbox, session)
    inbox.move(session, when(72))
    mail = the_one(inbox, session, raw)
    assert (outcomes(inbox), mail.doubt, mail.answer) == (["stale"], Doubt.FORMER, Attendance.DECLINED)
    assert inbox.session(session).flag is None
    with inbox.database.read() as db:
        fact = timeline.of_session(db, session.id)[-1]
    assert line_of(fact, ENGLISH).what == "A mail answers what no longer stands; nothing was changed"


@pytest.mark.parametrize("change", [series, elsewhere(delegated)])
def test_what_nobody_vouches_for_and_cannot_count_is_shown_only_where_it_answers_a_letter(
    inbox: Practice, change: object
) -> None:
    assert callable(change)
    session = inbox.book()
    raw = recoded(reply(inbox, session, vouched=False), change)
    take_in(inbox, raw, of_eve(raw))
    assert kept(inbox, session) == []
    mail = the_one(inbox, session, about(inbox, session, raw.replace(b"Message-ID: <", b"Message-ID: <b")))
    assert (mail.author, mail.trusted) == (inbox.alex.email, False)


def test_an_answer_from_another_mailbox_to_which_they_passed_it_on_can_be_taken(inbox: Practice) -> None:
    session = inbox.book()
    mail = the_one(inbox, session, reply(inbox, session, attendee="alex@work.example"))
    assert (outcomes(inbox), mail.kind, mail.doubt) == (["other_mailbox"], MailKind.UNPROVED, Doubt.OTHER_MAILBOX)
    assert inbox.session(session).flag is None
    decide(inbox, mail, MailChoice.TAKE)
    assert inbox.session(session).flag is FlagReason.DECLINED


PRIVATE = "alex@private.example"


def of_private(practice: Practice, session: Session, *, attendee: str = PRIVATE) -> bytes:
    """Return a refusal by the mailbox to which the client's has passed our letter on."""
    raw = reply(practice, session, attendee=attendee)
    return raw.replace(b"From: alex@client.example", f"From: {PRIVATE}".encode())


@pytest.mark.parametrize("attendee", [PRIVATE, elsewhere("alias@private.example")])
def test_an_answer_of_a_mailbox_to_which_our_letter_was_passed_on_can_be_taken(inbox: Practice, attendee: str) -> None:
    session = inbox.book()
    mail = the_one(inbox, session, about(inbox, session, of_private(inbox, session, attendee=attendee)))
    assert (outcomes(inbox), mail.kind, mail.doubt) == (["other_mailbox"], MailKind.UNPROVED, Doubt.OTHER_MAILBOX)
    assert (mail.author, mail.trusted, inbox.session(session).flag) == (PRIVATE, False, None)
    assert inbox.kinds_told(session, client=False) == ["answer_unproved"]
    decide(inbox, mail, MailChoice.TAKE)
    assert inbox.session(session).flag is FlagReason.DECLINED


def test_an_answer_for_one_of_a_series_of_such_a_mailbox_is_shown(inbox: Practice) -> None:
    session = inbox.book()
    mail = the_one(inbox, session, about(inbox, session, recoded(of_private(inbox, session), series)))
    assert (outcomes(inbox), mail.doubt, mail.answer) == (["series"], Doubt.SERIES, Attendance.DECLINED)
    assert (mail.author, mail.trusted) == (PRIVATE, False)


def test_an_answer_of_a_mailbox_that_names_no_letter_of_ours_is_nobodys(inbox: Practice) -> None:
    session, other = inbox.book(), inbox.book(72)
    raw = of_private(inbox, session)
    take_in(inbox, raw, about(inbox, other, raw.replace(b"Message-ID: <", b"Message-ID: <b")))
    assert (outcomes(inbox), kept(inbox, session)) == (["not_invited"] * 2, [])


def test_what_another_mailbox_answers_takes_nothing_of_the_client_out_of_sight(inbox: Practice) -> None:
    session = inbox.book()
    raw = reply(inbox, session, vouched=False)
    take_in(inbox, of_eve(about(inbox, session, raw)), raw.replace(b"Message-ID: <", b"Message-ID: <b"))
    assert sorted(mail.author for mail in kept(inbox, session) if mail.is_open) == [inbox.alex.email, EVE]


def test_words_typed_beside_an_answer_are_told_with_it(inbox: Practice) -> None:
    session = inbox.book()
    typed = mails.part("text/plain; charset=utf-8", "Only on the first floor: I broke my leg.").encode()
    program = mails.part("text/plain; charset=utf-8", "Alex Sommer has answered.").encode()
    take_in(inbox, reply(inbox, session, "ACCEPTED").replace(program, typed))
    [told] = inbox.told(session, client=False)
    assert (told.kind, told.notice.about) == ("client_answered", "Only on the first floor: I broke my leg.")


# What asks machines not to answer.


@pytest.mark.parametrize("line", ["Feedback-ID: 1.eu:AmazonSES", elsewhere("Precedence: bulk"), elsewhere("X-Loop: a")])
def test_words_of_people_whose_provider_writes_as_for_many_are_shown(inbox: Practice, line: str) -> None:
    session = inbox.book()
    assert the_one(inbox, session, words(inbox, session, "I am ill", line)).text == "I am ill"


@pytest.mark.parametrize(
    "line", ["List-Id: <a.example>", "Auto-Submitted: auto-generated", elsewhere("Return-Path: <>")]
)
def test_no_machine_that_asks_how_things_stand_is_answered_by_one(inbox: Practice, line: str) -> None:
    session = inbox.book()
    assert take_in(inbox, f"{line}\r\n".encode() + asking(inbox, session, "REFRESH")) == ["automatic"]
    assert len(inbox.told(session, client=True)) == 1


# What takes what out of sight.


def test_what_a_stranger_forges_takes_nothing_of_the_client_out_of_sight(inbox: Practice) -> None:
    session = inbox.book()
    take_in(inbox, reply(inbox, session, vouched=False))
    inbox.wait(seconds=1)
    take_in(inbox, of_eve(reply(inbox, session, "ACCEPTED", vouched=False)))
    inbox.wait(seconds=1)
    take_in(inbox, of_eve(counter(inbox, session, when(72), vouched=False)))
    states = {(mail.author, mail.kind): mail.state for mail in kept(inbox, session)}
    assert states == {
        (inbox.alex.email, MailKind.UNPROVED): MailState.OPEN,
        (EVE, MailKind.UNPROVED): MailState.OVERTAKEN,
        (EVE, MailKind.PROPOSAL): MailState.OPEN,
    }


# Small print.


@pytest.mark.parametrize("write", [str.upper, elsewhere(lambda one: one.replace("@", "@\r\n "))])
def test_a_letter_is_known_however_servers_write_its_number(inbox: Practice, write: object) -> None:
    assert callable(write)
    session = inbox.book()
    letter = inbox.told(session, client=True)[-1].message_id
    raw = words(inbox, session).replace(letter.encode(), str(write(letter)).encode())
    assert take_in(inbox, raw) == ["shown"]


def test_an_answer_that_does_not_say_to_which_time_is_shown_once_there_were_several(inbox: Practice) -> None:
    session = inbox.book()
    inbox.move(session, when(72))
    raw = recoded(reply(inbox, session), lambda ics: ics.replace("SEQUENCE:", "X-SEQUENCE:"))
    mail = the_one(inbox, session, raw)
    assert (outcomes(inbox), mail.doubt) == (["unnumbered"], Doubt.UNNUMBERED)
    decide(inbox, mail, MailChoice.TAKE)
    assert answers(inbox, session) == [Attendance.DECLINED]


@pytest.mark.long
def test_an_answer_that_does_not_say_to_which_time_is_about_the_one_that_stood_when_it_came(inbox: Practice) -> None:
    session = inbox.book()
    inbox.move(session, when(72))
    raw = recoded(reply(inbox, session, vouched=False), lambda ics: ics.replace("SEQUENCE:", "X-SEQUENCE:"))
    mail = the_one(inbox, session, raw)
    inbox.move(session, when(96))
    with pytest.raises(QuestionClosedError):
        decide(inbox, mail, MailChoice.TAKE)


def test_another_length_of_a_wish_is_told(inbox: Practice) -> None:
    session = inbox.book()
    start = when(72).span.start
    longer = When.of(Span(start=start, end=start + 2 * when(72).span.duration), zone=when(72).zone)
    take_in(inbox, counter(inbox, session, longer))
    assert inbox.told(session, client=False)[-1].notice.reason == Finding.LENGTH
