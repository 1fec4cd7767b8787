from __future__ import annotations

from datetime import UTC, datetime

import pytest

from connector.domain.facts import Attendance
from connector.domain.span import Span
from connector.inbox.bounds import bounded
from connector.inbox.calendar import Counter, Garbled, Refresh, Reply, Unclear
from connector.inbox.meaning import Mail, Meaning, Nothing, Words, read
from connector.inbox.reports import Bounce, Undelivered
from tests.inbox import mails
from tests.inbox.hostile import HARMLESS
from tests.inbox.mails import CLIENT, OURS, UID

STAMP = datetime(2026, 11, 22, 20, 15, tzinfo=UTC)
OURSELVES = frozenset({mails.ORGANIZER})
NEW_YORK = (
    *("BEGIN:VTIMEZONE", "TZID:Eastern", "BEGIN:STANDARD", "DTSTART:16010101T020000", "TZOFFSETFROM:-0400"),
    *("TZOFFSETTO:-0500", "END:STANDARD", "END:VTIMEZONE"),
)


def mail(data: bytes) -> Mail:
    return read(bounded(data))


def meaning(data: bytes) -> Meaning:
    return mail(data).meaning


def zoned(ics: str) -> str:
    return ics.replace("BEGIN:VEVENT", "\r\n".join([*NEW_YORK, "BEGIN:VEVENT"]))


@pytest.mark.parametrize("answer", Attendance)
def test_a_reply_says_whose_answer_to_which_invitation_it_is(answer: Attendance) -> None:
    ics = mails.calendar(partstat=answer.value.upper())
    expected = Reply(uid=UID, sequence=2, attendee=CLIENT, organizers=OURSELVES, stamp=STAMP, answer=answer)
    assert meaning(mails.answer(ics)) == expected


def test_a_reply_of_exchange_is_read_without_an_organizer_and_with_a_zone() -> None:
    ics = mails.calendar(
        "REPLY", "DTSTART;TZID=Eastern:20261203T080000", "COMMENT;LANGUAGE=de-DE:Bis dann\\, Alex\\nDanke"
    )
    ics = zoned(ics).replace(f"ORGANIZER:mailto:{mails.ORGANIZER}\r\n", "").replace("mailto:alex", "MAILTO:Alex")
    found = meaning(mails.answer(ics))
    assert found == Reply(
        uid=UID, sequence=2, attendee=CLIENT, stamp=STAMP, comment="Bis dann, Alex Danke", answer=Attendance.ACCEPTED
    )


def test_an_answer_that_comes_twice_in_one_mail_is_one() -> None:
    top = mails.header()
    parts = (
        mails.part("text/calendar; method=REPLY", mails.calendar()),
        mails.part("application/ics", mails.calendar()),
    )
    assert isinstance(meaning((top + mails.multipart("mixed", *parts)).encode()), Reply)


def test_a_counter_says_which_time_is_wanted_by_the_clock_it_brings_along() -> None:
    ics = zoned(mails.calendar("COUNTER", "DTSTART;TZID=Eastern:20261204T090000", "DTEND;TZID=Eastern:20261204T095000"))
    found = meaning(mails.answer(ics, method="COUNTER"))
    start, end = datetime(2026, 12, 4, 14, tzinfo=UTC), datetime(2026, 12, 4, 14, 50, tzinfo=UTC)
    assert isinstance(found, Counter)
    assert found.span == Span(start=start, end=end)


def test_a_refresh_asks_for_the_invitation() -> None:
    expected = Refresh(uid=UID, sequence=2, attendee=CLIENT, organizers=OURSELVES, stamp=STAMP)
    assert meaning(mails.answer(method="REFRESH")) == expected


UNCLEAR: dict[str, tuple[Unclear, bytes]] = {
    "delegated": (Unclear.DELEGATED, mails.answer(mails.calendar(partstat="DELEGATED"))),
    "no answer": (Unclear.NO_ANSWER, mails.answer(mails.calendar(partstat="NEEDS-ACTION"))),
    "a crowd": (Unclear.ATTENDEE, mails.answer(mails.calendar("REPLY", "ATTENDEE:mailto:sam@client.example"))),
    "an attendee without an address": (Unclear.ATTENDEE, mails.answer(mails.calendar(attendee="urn:uuid:1"))),
    "another method in its header": (Unclear.CONTRADICTORY, mails.answer(mails.calendar("COUNTER"))),
    "a sequence that is none": (Unclear.SEQUENCE, mails.answer(mails.calendar(sequence="SEQUENCE:-1"))),
    "a sequence of many digits": (Unclear.SEQUENCE, mails.answer(mails.calendar(sequence="SEQUENCE:" + "9" * 5_000))),
    "no UID": (Unclear.UID, mails.answer(mails.calendar(uid=""))),
    "one of a series": (Unclear.SERIES, mails.answer(mails.calendar("REPLY", "RECURRENCE-ID:20261203T130000Z"))),
    "a series": (Unclear.SERIES, mails.answer(mails.calendar("REPLY", "RRULE:FREQ=SECONDLY"))),
    "half of it": (Unclear.NOT_WHOLE, mails.answer(mails.calendar()[:200])),
    "no calendar": (Unclear.NOT_WHOLE, mails.answer("hello")),
    "two events": (Unclear.NOT_ONE_EVENT, mails.answer(mails.calendar("REPLY", "END:VEVENT", "BEGIN:VEVENT", "UID:b"))),
    "no time in any zone": (
        Unclear.TIME,
        mails.answer(mails.calendar("COUNTER", "DTSTART:20261204T090000", "DTEND:20261204T095000"), method="COUNTER"),
    ),
    "a whole day": (
        Unclear.TIME,
        mails.answer(mails.calendar("COUNTER", "DTSTART;VALUE=DATE:20261204"), method="COUNTER"),
    ),
    "two authors": (Unclear.NOT_ONE_AUTHOR, mails.answer(sender=f"{CLIENT}, sam@client.example")),
    "a second From": (Unclear.NOT_ONE_AUTHOR, mails.answer(None, "From: sam@client.example")),
    "a second From with a blank": (Unclear.NOT_ONE_AUTHOR, mails.answer(None, "From : sam@client.example")),
    "a vacation": (Unclear.AUTOMATIC, mails.plain("I am away.", "Auto-Submitted: auto-replied (vacation)")),
    "an older vacation": (Unclear.AUTOMATIC, mails.plain("I am away.", "X-Autoreply: yes")),
    "a mail of our own that comes back": (Unclear.AUTOMATIC, mails.plain("Hello", "Auto-Submitted: auto-generated")),
    "the mail server": (Unclear.AUTOMATIC, mails.plain("Sorry", sender="MAILER-DAEMON@client.example")),
    "blank lines alone": (Unclear.EMPTY, mails.plain("\n \n\n")),
}


@pytest.mark.parametrize("name", UNCLEAR)
def test_what_is_no_clear_answer_means_nothing_and_says_why(name: str) -> None:
    reason, data = UNCLEAR[name]
    found = meaning(data)
    assert isinstance(found, Nothing | Garbled)
    assert found.reason is reason


def test_of_an_answer_that_is_not_clear_is_read_what_can_be() -> None:
    series = mails.answer(mails.calendar("REPLY", "RECURRENCE-ID:20261203T130000Z", "COMMENT:I am ill"))
    assert meaning(series) == Garbled(
        reason=Unclear.SERIES, uid=UID, answer=Attendance.ACCEPTED, stamp=STAMP, comment="I am ill"
    )


@pytest.mark.parametrize("uid", ["a\0b", "a\x07b", "\ud800", "x" * 300])
def test_what_is_no_name_that_we_could_have_given_is_none(uid: str) -> None:
    found = meaning(mails.answer(mails.calendar("REPLY", "RECURRENCE-ID:20261203T130000Z", uid=uid)))
    assert isinstance(found, Garbled)
    assert found.uid == ""


def test_no_words_hold_what_no_database_takes() -> None:
    body = mails.part("text/plain; charset=utf-8", "I am\0 ill")
    data = f"From: {CLIENT}\r\nTo: {mails.ORGANIZER}\r\nSubject: Re\r\nMIME-Version: 1.0\r\n{body}".encode()
    found = meaning(data)
    assert isinstance(found, Words)
    assert "ill" in found.text
    assert "\0" not in found.text


def test_an_answer_says_whom_it_answers_as_far_as_it_tells() -> None:
    other = mails.calendar("REPLY", "ORGANIZER:mailto:Eve@evil.example", "ORGANIZER;CN=x:invalid:nomail")
    silent = mails.calendar().replace(f"ORGANIZER:mailto:{mails.ORGANIZER}\r\n", "")
    for ics, organizers in ((other, {mails.ORGANIZER, "eve@evil.example", ""}), (silent, set())):
        found = meaning(mails.answer(ics))
        assert isinstance(found, Reply)
        assert found.organizers == organizers


def test_an_answer_has_the_note_that_google_writes_beside_it_and_the_words_typed_above_it() -> None:
    ics = mails.calendar().replace("PARTSTAT=", 'X-RESPONSE-COMMENT="it&#39\\;s late";PARTSTAT=')
    noted = meaning(mails.answer(ics))
    assert isinstance(noted, Reply)
    assert noted.comment == "it's late"
    words = mails.part("text/plain; charset=utf-8", "Only on the first floor,\nplease.")
    object_ = mails.part("text/calendar; method=REPLY", mails.calendar("REPLY", "COMMENT:Sorry"))
    typed = meaning((mails.header() + mails.multipart("alternative", words, object_)).encode())
    assert isinstance(typed, Reply)
    assert typed.comment == "Sorry Only on the first floor, please."


@pytest.mark.parametrize(
    "line", ["Feedback-ID: 1.eu:AmazonSES", "List-Unsubscribe: <mailto:a@b.example>", "X-Loop: a", "Precedence: bulk"]
)
def test_what_asks_machines_not_to_answer_is_shown_to_people(line: str) -> None:
    found = mail(mails.plain("I am ill.", line))
    assert (found.meaning, found.answerable) == (Words(text="I am ill."), False)


def test_two_objects_that_say_different_things_are_no_answer() -> None:
    yes, no = mails.calendar(), mails.calendar(partstat="DECLINED")
    parts = (mails.part("text/calendar; method=REPLY", yes), mails.part("application/ics", no))
    data = (mails.header() + mails.multipart("mixed", *parts)).encode()
    assert meaning(data) == Garbled(reason=Unclear.CONTRADICTORY)


def test_an_answer_that_a_calendar_program_sends_by_itself_is_one() -> None:
    assert isinstance(meaning(mails.answer(None, "Auto-Submitted: auto-generated")), Reply)


def test_words_are_read_beside_an_invitation_that_they_forward() -> None:
    words = mails.part("text/plain; charset=utf-8", "Is this you?")
    parts = mails.multipart("mixed", words, mails.part("text/calendar; method=REQUEST", mails.calendar("REQUEST")))
    assert meaning((mails.header() + parts).encode()) == Words(text="Is this you?")


def test_what_a_mail_is_about_comes_latest_first() -> None:
    found = mail(mails.plain("Yes.", "References: <1@a.example> <2@a.example>"))
    assert (found.author, found.message_id, found.about) == (
        CLIENT,
        "<a1@client.example>",
        (OURS, "<2@a.example>", "<1@a.example>"),
    )


def test_what_a_mail_is_about_is_known_though_servers_fold_it_or_write_its_domain_otherwise() -> None:
    raw = mails.plain("Yes.").replace(OURS.encode(), b"<6c1e2d8a@sessions.\r\n EXAMPLE.org>")
    assert mail(raw).about == (OURS,)


@pytest.mark.parametrize(
    ("action", "status", "is_final"),
    [("failed", "5.1.1", True), ("Failed (user unknown)", "5.0.0", True), ("delayed", "4.4.1", False)],
)
def test_a_letter_that_came_back_says_which_and_from_where(action: str, status: str, is_final: bool) -> None:  # noqa: FBT001 - a row
    undelivered = Undelivered(addresses=(CLIENT,), status=status, is_final=is_final)
    assert meaning(mails.bounce(action, status)) == Bounce(letters=(OURS,), undelivered=(undelivered,))


def test_a_letter_that_came_back_whole_is_recognised() -> None:
    headers = mails.bounce().partition(b"Content-Type: text/rfc822-headers")
    whole = (
        headers[0] + b"Content-Type: message/rfc822\r\n\r\nMessage-ID: " + OURS.encode() + b"\r\n\r\nx\r\n--=_b1--\r\n"
    )
    found = meaning(whole)
    assert isinstance(found, Bounce)
    assert found.letters == (OURS,)


def test_a_report_that_a_letter_has_arrived_means_nothing() -> None:
    assert meaning(mails.bounce("delivered", "2.0.0")) == Nothing(reason=Unclear.AUTOMATIC)


@pytest.mark.parametrize(
    "sender",
    [
        CLIENT,
        f"<{CLIENT}>",
        f'"Sommer, Alex" <{CLIENT}>',
        f"=?utf-8?q?Sommer,_Alex?= <{CLIENT}>",
        f"{CLIENT} (Alex (of) Sommer)",
        "ALEX@Client.Example",
    ],
)
def test_an_author_is_recognised_however_the_address_is_written(sender: str) -> None:
    assert mail(mails.plain("Yes.", sender=sender)).author == CLIENT


@pytest.mark.parametrize("name", HARMLESS)
def test_whatever_is_within_the_bounds_can_be_read(name: str) -> None:
    assert not isinstance(meaning(HARMLESS[name]()), Bounce | Counter | Refresh)
