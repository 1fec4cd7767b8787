# ruff: noqa: RUF001  the dash between two times is the one that letters print
from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, datetime
from email import message_from_bytes
from email.message import EmailMessage
from email.policy import default
from itertools import product
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from connector.domain.facts import Doubt
from connector.domain.notice import Choice, NoticeKind, PauseReason, RevertReason
from connector.domain.notice_table import NOTICES
from connector.domain.people import LONGEST_NAME
from connector.domain.session import Location, LocationKind
from connector.outbox.letters import compose
from connector.ports import Letter
from tests.outbox.people import (
    BRAND,
    CLIENT,
    FROM,
    KINDS,
    LINK,
    OLD_PRACTICE,
    PATHS,
    PRACTICE,
    PRACTITIONER,
    SESSION,
    TO_PRACTITIONER,
    VIDEO,
    WITH_CALENDAR,
    WITH_CHOICES,
    at,
    letter,
)

GOLDEN = Path(__file__).parent.parent / "data" / "letters"
ORDINARY_HEADERS = {
    "From", "To", "Subject", "Date", "Message-ID", "In-Reply-To", "References", "Auto-Submitted", "MIME-Version",
    "Content-Type",
}  # fmt: skip
ASKED_ABOUT = [reason for reason in PauseReason if reason is not PauseReason.RESTORED]  # that has a letter of its own
STOPPED = (NoticeKind.CALENDAR_PAUSED, NoticeKind.OPERATOR_PAUSED)
REASONS = (  # an unknown one last: it has words too
    *((NoticeKind.ENTRY_REVERTED, about, reason) for about in ("session", "hold") for reason in (*RevertReason, "")),
    *((kind, "Fastmail", reason) for kind in STOPPED for reason in (*ASKED_ABOUT, "")),
)
OWN_WORDS = {  # common ones that the other language does not have
    "en": {"the", "you", "your", "has", "been", "and", "this", "nothing"},
    "de": {"der", "und", "sie", "ihr", "ihre", "ihrem", "wurde", "nicht", "ist", "nichts"},
}
printable = st.text(st.characters(exclude_categories=("C", "Z")), min_size=1, max_size=LONGEST_NAME).filter(
    str.isprintable
)


def mail(sent: Letter, *, answers_read: bool = False) -> EmailMessage:
    written = compose(sent, brand=BRAND, from_address=FROM, answers_read=answers_read).as_bytes()
    parsed = message_from_bytes(written, policy=default)
    assert isinstance(parsed, EmailMessage)
    return parsed


def text(of: EmailMessage, kind: str = "plain") -> str:
    body = of.get_body((kind,))
    assert body is not None
    return str(body.get_content()).replace("\r\n", "\n")


def event(of: EmailMessage) -> dict[str, str]:
    (part,) = [p for p in of.walk() if p.get_content_type() == "text/calendar"]
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    (found,) = Calendar.from_ical(content).walk("VEVENT")
    return {"PARTSTAT": "", **found["ATTENDEE"].params, **{name: str(found.get(name)) for name in found}}


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize("language", ["en", "de"])
def test_letter_is_the_one_a_person_has_read(language: str, kind: NoticeKind) -> None:
    sent = letter(kind)
    sent = replace(sent, notice=replace(sent.notice, to=replace(sent.notice.to, locale=language)))

    written = mail(sent)

    head = f"From: {written['From']}\nTo: {written['To']}\nSubject: {written['Subject']}\n\n"
    assert head + text(written) == (GOLDEN / language / f"{kind}.txt").read_text(encoding="utf-8")


@pytest.mark.parametrize("kind", KINDS)
def test_calendar_message_goes_only_where_a_time_is_certain(kind: NoticeKind) -> None:
    methods = [p.get_param("method") for p in mail(letter(kind)).walk() if p.get_content_type() == "text/calendar"]

    others = {NoticeKind.CANCELLED: ["CANCEL"], NoticeKind.PROPOSAL_DECLINED: ["DECLINECOUNTER"]}
    expected = others.get(kind, ["REQUEST"]) if kind in WITH_CALENDAR else []
    assert methods == expected


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("kind", [kind for kind in WITH_CALENDAR if kind is not NoticeKind.PROPOSAL_DECLINED])
def test_whoever_subscribes_is_invited_to_nothing_and_told_where_it_is_shown(kind: NoticeKind, language: str) -> None:
    usual = letter(kind)
    assert usual.notice.session is not None
    session = replace(usual.notice.session, published=True)
    notice = replace(usual.notice, session=session, to=replace(CLIENT, locale=language))
    written = mail(replace(usual, notice=notice, subscription="https://sessions.example.org/subscription/Zk3"))
    about, _, footer = text(written).partition("Pencilled")

    assert [part.get_content_type() for part in written.walk()][1:] == ["text/plain", "text/html"]
    assert {"en": "calendar subscription", "de": "Kalenderabo"}[language] in " ".join(about.split())
    assert {"en": "The invitation in this message", "de": "Die Einladung in dieser Nachricht"}[language] not in about
    assert "https://sessions.example.org/subscription/Zk3" in footer
    assert 'href="https://sessions.example.org/subscription/Zk3"' in text(written, "html")


def test_client_who_chose_is_not_asked_again_but_one_for_whom_support_chose_is() -> None:
    assert event(mail(letter(NoticeKind.ACCEPTED)))["PARTSTAT"] == "ACCEPTED"
    assert event(mail(letter(NoticeKind.ACCEPTED, by_support=True)))["PARTSTAT"] == "NEEDS-ACTION"


@pytest.mark.parametrize(
    ("organizer", "read", "asked"),
    [
        (FROM, True, "TRUE"),
        (FROM.upper(), True, "TRUE"),
        (FROM, False, "FALSE"),
        ("sessions@before.example", True, "FALSE"),
        ("sessions@before.example", False, "FALSE"),
    ],
)
def test_an_answer_is_asked_for_only_where_somebody_reads_what_is_written_to_the_organizer(
    organizer: str,
    read: bool,  # noqa: FBT001
    asked: str,
) -> None:
    entry = event(mail(letter(NoticeKind.MOVED, session=replace(SESSION, organizer=organizer)), answers_read=read))
    assert entry["RSVP"] == asked
    assert entry["ORGANIZER"].lower() == f"mailto:{organizer.lower()}", "it never changes"


def test_calendar_entry_is_neutral_and_in_the_language_of_the_client() -> None:
    german = event(mail(letter(NoticeKind.BOOKED, to=replace(CLIENT, locale="de"))))

    assert german["SUMMARY"] == "Termin bei Dr. Kim Beispiel"
    assert german["DESCRIPTION"].startswith("Termin bei Dr. Kim Beispiel, Lindenstraße 7, 10969 Berlin\n")
    assert LINK not in str(german)


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in TO_PRACTITIONER])
def test_letter_to_a_client_comes_from_the_fixed_organizer(kind: NoticeKind) -> None:
    (sender,) = mail(letter(kind))["From"].addresses

    assert (sender.display_name, sender.addr_spec) == (f"Dr. Kim Beispiel via {BRAND}", SESSION.organizer)


@pytest.mark.parametrize("kind", TO_PRACTITIONER)
def test_subject_to_a_practitioner_has_initials_at_most(kind: NoticeKind) -> None:
    written = mail(letter(kind))

    assert "Alex" not in written["Subject"]
    assert "Sommer" not in written["Subject"]
    assert written["From"].addresses[0].addr_spec == FROM


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(("locale", "zone"), [("en_US", "Asia/Kathmandu"), ("de", "Asia/Kathmandu")])
def test_subject_is_short_enough_to_stay_on_the_line_of_its_header(kind: NoticeKind, locale: str, zone: str) -> None:
    sent = letter(kind)
    sent = replace(sent, notice=replace(sent.notice, to=replace(sent.notice.to, locale=locale, zone=zone)))

    written = compose(sent, brand=BRAND, from_address=FROM).as_bytes()

    assert b"\r\nSubject:\r\n" not in written


@pytest.mark.parametrize("kind", KINDS)
def test_html_says_what_the_text_says(kind: NoticeKind) -> None:
    written = mail(letter(kind))
    sight = re.sub(r"<style>.*?</style>|<title>.*?</title>", "", text(written, "html"), flags=re.DOTALL)
    seen = re.sub(r"\s+", " ", re.sub(r"<[^>]+>", "", sight)).replace("&amp;", "&").replace("&#39;", "'")

    links = [LINK + path for path in PATHS.get(kind, () if letter(kind).link is None else ("",))]
    for line in text(written).splitlines():
        said = line.removeprefix("- ").removeprefix(">").removesuffix(":").strip()
        assert said in seen or said in links
    assert [line for line in text(written).splitlines() if line.startswith(LINK)] == links
    assert re.findall(rf'href="({LINK}[^"]*)"', text(written, "html")) == links


@pytest.mark.parametrize("kind", [NoticeKind.MOVED, NoticeKind.CORRECTED, NoticeKind.ACCEPTED])
def test_move_names_old_and_new_time_and_place(kind: NoticeKind) -> None:
    said = text(mail(letter(kind, old_location=OLD_PRACTICE)))

    for value in ("1 December 2026, 14:00–14:50", "26 November 2026, 10:00–10:50", PRACTICE.text, OLD_PRACTICE.text):
        assert value in said


@pytest.mark.parametrize(
    "kind", [*(one for one in WITH_CALENDAR if one is not NoticeKind.PROPOSAL_DECLINED), NoticeKind.REJECTED]
)
def test_client_is_told_when_support_acted_for_them(kind: NoticeKind) -> None:
    said = "This was entered by Pencilled support on your behalf."

    assert said in text(mail(letter(kind, by_support=True)))
    assert said not in text(mail(letter(kind)))


@pytest.mark.parametrize("kind", [NoticeKind.CLIENT_ACCEPTED, NoticeKind.CLIENT_REJECTED, NoticeKind.CLIENT_CANCELLED])
def test_practitioner_is_told_when_support_acted_for_the_client(kind: NoticeKind) -> None:
    assert "This was entered by support on behalf of Alex Sommer." in text(mail(letter(kind, by_support=True)))


@pytest.mark.parametrize("changes", [{"offer_withdrawn": True}, {"offer_id": UUID(int=9)}])
def test_cancellation_says_that_offered_times_are_gone_too(changes: Mapping[str, Any]) -> None:
    gone = "The other times that were offered to you no longer apply either."

    assert gone in text(mail(letter(NoticeKind.CANCELLED, **changes)))
    assert gone not in text(mail(letter(NoticeKind.CANCELLED)))


@pytest.mark.parametrize("kind", [NoticeKind.MOVED, NoticeKind.CORRECTED, NoticeKind.RELOCATED])
def test_move_past_an_open_offer_says_that_the_offer_is_gone(kind: NoticeKind) -> None:
    assert "link to them can change nothing" in text(mail(letter(kind, offer_withdrawn=True)))


def test_offer_of_a_single_time_speaks_of_one() -> None:
    said = text(mail(letter(NoticeKind.OFFERED, choices=(Choice(when=at("2026-12-03T10:00"), location=PRACTICE),))))

    assert "You can choose this time instead. It is kept free" in said
    assert "these times" not in said


def test_reverted_hold_is_told_from_a_session() -> None:
    written = mail(letter(NoticeKind.ENTRY_REVERTED, about="hold", reason=""))

    assert written["Subject"] == "A. S.: a held time was put back"
    assert "Alex Sommer can still choose it" in text(written)


@pytest.mark.parametrize("language", ["en", "de"])
def test_reasons_are_told_in_the_words_a_person_has_read(language: str) -> None:
    told = []
    for kind, about, reason in REASONS:
        sent = letter(kind, about=about, reason=reason)
        said = text(mail(replace(sent, notice=replace(sent.notice, to=replace(sent.notice.to, locale=language)))))
        told.append(f"{kind}, {about}, {reason or 'unknown'}\n{said.split(chr(10) * 2)[1].strip()}\n")

    assert "\n".join(told) == (GOLDEN / language / "reasons.txt").read_text(encoding="utf-8")
    assert len({story.partition("\n")[2] for story in told}) == len(REASONS)


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        *((kind, {}) for kind in KINDS),
        *((kind, {"about": about, "reason": reason}) for kind, about, reason in REASONS),
        (NoticeKind.CLIENT_ACCEPTED, {"about": "Fastmail"}),
        (NoticeKind.OFFER_TAKEN_BACK, {"choices": (Choice(when=at("2026-12-03T10:00"), location=PRACTICE),)}),
    ],
)
def test_letter_is_filled_in_and_in_one_language(language: str, kind: NoticeKind, changes: Mapping[str, Any]) -> None:
    sent = letter(kind, **changes)
    written = mail(replace(sent, notice=replace(sent.notice, to=replace(sent.notice.to, locale=language))))

    for said in (written["Subject"], text(written), text(written, "html")):
        assert not re.search(r"{[{%]|[%}]}|\]\(|\bNone\b(?! of)|&lt;|PutBack|Stop\b", said)
    words = set(re.findall(r"\w+", f"{written['Subject']} {text(written)}".lower()))
    other = "de" if language == "en" else "en"
    assert words & OWN_WORDS[language]
    assert not words & OWN_WORDS[other]


def test_place_where_the_entry_had_been_put_is_named_as_one_that_does_not_apply() -> None:
    written = mail(letter(NoticeKind.ENTRY_REVERTED))
    stayed = mail(letter(NoticeKind.ENTRY_REVERTED, reason=RevertReason.NO_ANSWER, moved_to=None))

    assert "does not apply: Wednesday, 2 December 2026, 09:00–09:50 (Central European Time, Berlin)" in text(written)
    assert "<s>Wednesday, 2 December 2026, 09:00–09:50" in text(written, "html")
    assert "does not apply" not in text(stayed) + text(stayed, "html")


def test_practitioner_who_could_not_have_the_client_asked_is_told_what_to_check() -> None:
    check = "check how Alex Sommer can be reached, and whether a calendar must be reconnected"

    assert check in text(mail(letter(NoticeKind.ENTRY_REVERTED, reason=RevertReason.UNASKED)))
    assert check not in text(mail(letter(NoticeKind.ENTRY_REVERTED, reason=RevertReason.BUSY)))


@pytest.mark.parametrize("kind", PATHS)
def test_question_names_both_times_each_choice_once_and_what_happens_by_itself(kind: NoticeKind) -> None:
    zone = "(Central European Time, Berlin)"

    said, marked_up = (text(mail(letter(kind)), part) for part in ("plain", "html"))

    for seen in (said, marked_up):
        assert f"Tuesday, 1 December 2026, 14:00–14:50 {zone}" in seen
        assert (f"Wednesday, 2 December 2026, 09:00–09:50 {zone}" in seen) is (kind is not NoticeKind.DELETE_ASKED)
        assert len(re.findall("If you choose nothing, (the|Alex|<bdi>Alex) ", seen)) == 1
        assert f"Wednesday, 25 November 2026, 10:00 {zone}" in seen
        assert seen.count("Happens by itself if you choose nothing.") == 1
        assert "Opening a link decides nothing: the page asks you once more." in seen
        for path in PATHS[kind]:
            assert len(re.findall(rf"{LINK}{path}\b", seen)) == 1
        assert seen.count(LINK) == len(PATHS[kind])
    assert f"{LINK}{PATHS[kind][0]}\nHappens by itself" in said
    assert marked_up.count('class="button"') == 1
    assert marked_up.count('class="button quiet"') == len(PATHS[kind]) - 1


def test_default_of_a_question_is_told_on_the_clock_of_the_reader() -> None:
    sent = letter(NoticeKind.MOVE_ASKED, to=replace(PRACTITIONER, zone="America/New_York", locale="en_US"))

    told = "Wednesday, November 25, 2026, 4:00\xa0AM (Eastern Time, New York)"
    assert f"If you choose nothing, Alex Sommer is asked on: {told}" in text(mail(sent))


def test_choice_of_a_time_that_is_not_free_comes_with_a_warning() -> None:
    quiet, warned = mail(letter(NoticeKind.CLIENT_ACCEPTED)), mail(letter(NoticeKind.CLIENT_ACCEPTED, about="Family"))

    assert "something else is in your calendar (Family) at the new time. You are now double-booked" in text(warned)
    assert warned["Subject"].endswith(", a time that is not free")
    assert "double-booked" not in text(quiet)
    assert "free" not in quiet["Subject"]


@pytest.mark.parametrize("locale", ["en_US", "de"])
def test_warning_in_a_subject_leaves_it_on_the_line_of_its_header(locale: str) -> None:
    to = replace(PRACTITIONER, locale=locale, zone="Asia/Kathmandu")
    sent = letter(NoticeKind.CLIENT_ACCEPTED, about="Family", to=to)

    assert b"\r\nSubject:\r\n" not in compose(sent, brand=BRAND, from_address=FROM).as_bytes()


def test_conflict_names_the_time_the_calendar_and_how_long_it_can_be_chosen() -> None:
    said = text(mail(letter(NoticeKind.CONFLICT_FOUND)))

    assert "- Thursday, 3 December 2026, 10:00–10:50 (Central European Time, Berlin)" in said
    assert "Also booked in: Family, kim@home.example" in said
    assert "until: Wednesday, 25 November 2026, 10:00 (Central European Time, Berlin)" in said
    assert "Opening the link decides nothing" in said


@pytest.mark.parametrize(
    ("reason", "choices"),
    [
        (PauseReason.MISSING, "try again, choose another calendar, or reconnect"),
        (PauseReason.REFUSED, "try again, choose another calendar, or reconnect"),
        (PauseReason.EMPTIED, "put everything back, or accept that the entries were deleted"),
        (PauseReason.SHRUNKEN, "put everything back, or accept that the entries were deleted"),
        (PauseReason.UNKNOWN, "remove these entries, or keep them as your own"),
    ],
)
def test_paused_calendar_says_that_nobody_was_told_and_what_can_be_chosen(reason: PauseReason, choices: str) -> None:
    said = text(mail(letter(NoticeKind.CALENDAR_PAUSED, reason=reason)))

    assert "No client has been told anything, and nobody's session has been changed." in said
    assert f"open the link and choose there: {choices}." in said
    assert ("Unknown entries: 14" if reason is PauseReason.UNKNOWN else "Missing entries: 14") in said
    assert "entries:" not in text(mail(letter(NoticeKind.CALENDAR_PAUSED, reason=reason, count=0)))


@pytest.mark.parametrize("language", ["en", "de"])
@pytest.mark.parametrize("reason", [*ASKED_ABOUT, ""])
def test_letter_to_the_operator_names_no_person_and_no_calendar_of_theirs(language: str, reason: str) -> None:
    sent = letter(NoticeKind.OPERATOR_PAUSED, reason=reason, about="Fastmail", client_name="Alex Sommer")
    sent = replace(sent, link=LINK, notice=replace(sent.notice, to=replace(sent.notice.to, locale=language)))

    written = mail(sent)

    for seen in (str(written), text(written), text(written, "html")):
        for word in ("Alex", "Sommer", "A. S.", "Kim", "Beispiel", "Fastmail", "practice.example", LINK):
            assert word not in seen
    assert "00000000-0000-0000-0000-000000000007" in text(written)
    assert "pencilled connections list" in text(written)
    assert "pencilled connections resume" in text(written)


def test_undelivered_message_of_an_unknown_kind_still_has_a_name() -> None:
    assert "Message: About the session" in text(mail(letter(NoticeKind.NOT_DELIVERED, about="")))


def test_sign_in_names_its_minutes() -> None:
    assert "for 5 minutes" in text(mail(letter(NoticeKind.SIGN_IN, about="5")))
    assert "for 15 minutes" in text(mail(letter(NoticeKind.SIGN_IN, about="")))


def test_words_of_a_client_are_quoted_line_by_line_as_text_and_cut_where_they_are_long() -> None:
    words = "Hello <script>x</script>\n\n# No heading\n[Button](/ask) {{ link }}\n\u202egninrom\n" + "more\n" * 100
    written = mail(letter(NoticeKind.CLIENT_WROTE, about=words))
    quoted = [line for line in text(written).splitlines() if line.startswith(">")]
    assert quoted[:6] == [
        "> Hello <script>x</script>",
        ">",
        "> # No heading",
        "> [Button](/ask) {{ link }}",
        "> gninrom",
        "> more",
    ]
    assert len(quoted) == 61
    assert quoted[-1] == "> …"
    assert "Hello &lt;script&gt;x&lt;/script&gt;<br><br># No heading" in text(written, "html")


def test_reply_to_words_that_are_passed_on_goes_to_the_client_only_at_the_address_that_is_known() -> None:
    assert mail(letter(NoticeKind.CLIENT_WROTE))["Reply-To"] == "Alex Sommer <alex@client.example>"
    assert mail(letter(NoticeKind.CLIENT_WROTE, trusted=False))["Reply-To"] is None


def test_words_that_nothing_proves_are_not_told_as_the_clients() -> None:
    told = mail(letter(NoticeKind.CLIENT_WROTE, trusted=False))
    assert "has written" not in told["Subject"] + text(told)
    assert "we could not check that it is from Alex Sommer" in text(told)
    assert "ask Alex Sommer what they mean, at an address or number that you know" in text(told)


def test_an_answer_that_cannot_count_is_told_with_what_it_says_and_why() -> None:
    told = mail(letter(NoticeKind.CLIENT_WROTE, reason="declined", doubt=Doubt.FORMER, about=""))
    assert "A mail says that Alex Sommer declines the session" in text(told)
    assert "It is about something that no longer stands" in text(told)


def test_words_that_came_by_text_are_told_as_such_and_a_reply_to_them_goes_to_nobody() -> None:
    told = mail(letter(NoticeKind.CLIENT_WROTE, by_text=True, trusted=False, author="+447700900123", about="Friday?"))
    assert (told["Subject"], told["Reply-To"]) == ("A. S. has answered a text", None)
    assert "> Friday?" in text(told)
    assert "It came from the number: +447700900123" in text(told)
    assert "Nobody has answered them yet" in text(told)


def test_who_may_answer_by_mail_is_not_told_that_nobody_reads_it() -> None:
    sent = letter(NoticeKind.BOOKED)
    assert "Dr. Kim Beispiel reads your reply" in text(mail(sent, answers_read=True))
    assert "nobody reads written replies" in text(mail(sent))


def test_a_time_that_is_declined_echoes_what_it_answers_and_names_no_time() -> None:
    [part] = [p for p in mail(letter(NoticeKind.PROPOSAL_DECLINED)).walk() if p.get_content_type() == "text/calendar"]
    content = part.get_payload(decode=True)
    assert isinstance(content, bytes)
    [event] = Calendar.from_ical(content).walk("VEVENT")
    assert set(event) == {"UID", "SEQUENCE", "DTSTAMP", "SUMMARY", "ORGANIZER", "ATTENDEE"}
    assert (str(event["UID"]), event["SEQUENCE"], str(event["ATTENDEE"])) == (
        SESSION.uid,
        1,
        "mailto:alex@client.example",
    )


def test_letter_without_a_link_has_no_button() -> None:
    written = mail(letter(NoticeKind.BOOKED, link=None))

    assert "See your session" not in text(written) + text(written, "html")


def test_unknown_language_falls_back_to_english() -> None:
    assert mail(letter(NoticeKind.BOOKED, to=replace(CLIENT, locale="fi_FI")))["Subject"].startswith("Your session")


def test_names_are_escaped_in_html_and_keep_their_direction_to_themselves() -> None:
    written = mail(letter(NoticeKind.BOOKED, practitioner_name='דנה <b onclick="x">', to=replace(CLIENT, name="ليلى")))

    assert "<bdi>דנה &lt;b onclick=&#34;x&#34;&gt;</bdi>" in text(written, "html")
    assert "<bdi>ليلى</bdi>" in text(written, "html")


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        *((kind, {}) for kind in (*PATHS, NoticeKind.OFFER_TAKEN_BACK, NoticeKind.CONFLICT_FOUND)),
        *((kind, {"about": about, "reason": reason}) for kind, about, reason in REASONS if kind not in STOPPED),
    ],
)
def test_client_with_markup_or_another_direction_stays_a_name(kind: NoticeKind, changes: Mapping[str, Any]) -> None:
    seen = text(mail(letter(kind, client_name="دانا <i>[x](/ask)", **changes)), "html")

    assert "<bdi>دانا &lt;i&gt;[x](/ask)</bdi>" in seen
    assert "<i>" not in seen
    assert seen.count("دانا") == seen.count("<bdi>دانا") + len(re.findall("<title>.*دانا.*</title>", seen))


@pytest.mark.parametrize(
    "kind", [NoticeKind.CLIENT_ACCEPTED, NoticeKind.CONFLICT_FOUND, NoticeKind.CALENDAR_PAUSED, NoticeKind.ACCESS_LOST]
)
def test_name_of_a_calendar_is_text_and_keeps_its_direction_to_itself(kind: NoticeKind) -> None:
    assert "<bdi>יומן &lt;b&gt;</bdi>" in text(mail(letter(kind, about="יומן <b>")), "html")


def test_blank_at_which_no_line_may_end_stays_in_a_letter() -> None:
    written = mail(letter(NoticeKind.REJECTED, practitioner_name="Dr.\u00a0Kim"))

    assert "Dr.\u00a0Kim will look for another solution" in text(written)
    assert "Dr.\u00a0Kim" in text(written, "html")
    assert "Dr.\u00a0Kim" in str(written["From"])


@pytest.mark.parametrize("name", ["# Heading", "[Button]", "> Fact: x", "{{ link }}", "{% if %}", "Subject: x"])
def test_name_that_looks_like_a_template_stays_a_name(name: str) -> None:
    written = mail(letter(NoticeKind.REJECTED, practitioner_name=name))

    assert f"{name} will look for another solution and contact you." in text(written)
    assert text(written).count(LINK) == 1


def test_place_with_markup_is_text() -> None:
    place = Location(kind=LocationKind.ONLINE, text='https://x.example/"><script>alert(1)</script>')

    assert "<script>" not in text(mail(letter(NoticeKind.BOOKED, session=replace(SESSION, location=place))), "html")


@pytest.mark.parametrize(
    ("kind", "changes"),
    [
        (NoticeKind.BOOKED, {"session": None}),
        (NoticeKind.CORRECTED, {"old_when": None}),
        (NoticeKind.OFFERED, {"choices": ()}),
        (NoticeKind.OFFERED, {"expires_at": None}),
        (NoticeKind.OFFERED, {"link": None}),
        (NoticeKind.SIGN_IN, {"link": None}),
        (NoticeKind.ENTRY_REVERTED, {"session": None}),
        (NoticeKind.OFFER_TAKEN_BACK, {"session": None}),
        (NoticeKind.MOVE_ASKED, {"moved_to": None}),
        (NoticeKind.REPLACE_ASKED, {"moved_to": None}),
        *((kind, {lacks: None}) for kind in (*PATHS, NoticeKind.CONFLICT_FOUND) for lacks in ("link", "expires_at")),
        (NoticeKind.CONFLICT_FOUND, {"choices": ()}),
        (NoticeKind.CALENDAR_PAUSED, {"link": None}),
        (NoticeKind.OPERATOR_PAUSED, {"calendar_id": None}),
    ],
)
def test_letter_that_lacks_what_it_must_tell_is_not_written(kind: NoticeKind, changes: Mapping[str, Any]) -> None:
    with pytest.raises(ValueError, match="lacks"):
        compose(letter(kind, **changes), brand=BRAND, from_address=FROM)


@given(
    kind=st.sampled_from(KINDS),
    names=st.tuples(printable, printable, printable, printable),
    locale=st.sampled_from(["en", "de", "en_US", "ar"]),
    support=st.booleans(),
)
def test_any_letter_with_any_names_is_one_mail_without_injected_headers(
    kind: NoticeKind, names: tuple[str, str, str, str], locale: str, *, support: bool
) -> None:
    reader, practitioner, client, about = names
    sent = letter(kind, practitioner_name=practitioner, client_name=client, by_support=support, about=about)
    sent = replace(sent, notice=replace(sent.notice, to=replace(sent.notice.to, name=reader, locale=locale)))

    written = mail(sent)

    assert set(written.keys()) - {"Reply-To"} == ORDINARY_HEADERS
    assert [a.addr_spec for a in written["To"].addresses] == [sent.notice.to.address]
    assert len(written["From"].addresses) == 1
    assert text(written).strip()
    assert all(not part.defects for part in written.walk())


def test_letters_that_ask_say_that_opening_the_link_decides_nothing() -> None:
    for kind in WITH_CHOICES[:2]:
        said = text(mail(letter(kind)))
        assert "Opening the link decides nothing." in said
        assert "Please answer" in said
        assert "Wednesday, 25 November 2026, 10:00 (Central European Time, Berlin)" in said
        assert VIDEO.text in said
        assert "stays at its booked time until you choose" in said
        assert "If you do not answer by then" in said


def test_deadline_is_told_on_the_clock_of_the_reader() -> None:
    sent = letter(NoticeKind.OFFERED, to=replace(CLIENT, zone="America/New_York", locale="en_US"))

    assert "Please answer by: Wednesday, November 25, 2026, 4:00\xa0AM (Eastern Time, New York)" in text(mail(sent))
    assert mail(sent)["Date"].datetime == datetime(2026, 11, 24, 9, 0, 30, tzinfo=UTC)


def test_a_reply_goes_to_the_practitioner_who_takes_it_else_to_the_mailbox_that_is_read_else_nowhere() -> None:
    assert mail(letter(NoticeKind.BOOKED))["Reply-To"] is None
    assert mail(letter(NoticeKind.BOOKED), answers_read=True)["Reply-To"] == f'"Dr. Kim Beispiel" <{FROM}>'
    taken = letter(NoticeKind.BOOKED, reply_to="kim@practice.example")
    assert mail(taken, answers_read=True)["Reply-To"] == '"Dr. Kim Beispiel" <kim@practice.example>'


@pytest.mark.parametrize("kind", [kind for kind in KINDS if kind not in TO_PRACTITIONER])
def test_a_client_is_asked_to_reply_only_where_it_is_read_and_to_write_to_nobody_without_an_address(
    kind: NoticeKind,
) -> None:
    for reply_to, link in product(("", "kim@practice.example"), (LINK, None)):
        leads_to = NOTICES[kind].link
        if link is None and leads_to is not None and leads_to.is_needed:
            continue
        written = mail(letter(kind, reply_to=reply_to, link=link))
        said = text(written)
        assert not re.search(r"(?<!will )(?<!and )contact Dr", said)
        assert "please reply to this message" not in said or written["Reply-To"]
        assert "page of your session" not in said or link
        assert "on its page" not in said or link


@pytest.mark.parametrize(
    ("language", "reply", "page"),
    [
        ("en", "please reply to this message as soon as you can", "the page of your session says what you can do"),
        ("de", "antworten Sie bitte so bald wie möglich auf diese Nachricht", "steht auf der Seite Ihres Termins"),
    ],
)
def test_who_has_not_agreed_to_a_time_is_told_what_to_do_as_far_as_there_is_a_way(
    language: str, reply: str, page: str
) -> None:
    sent = letter(NoticeKind.MOVED, to=replace(CLIENT, locale=language))
    assert page in text(mail(sent))
    assert reply in text(mail(sent, answers_read=True))
    assert page not in text(mail(sent, answers_read=True))
    neither = text(mail(replace(sent, link=None)))
    assert reply not in neither
    assert page not in neither


def test_a_letter_about_an_offer_leads_to_the_clients_own_page_too() -> None:
    own = "https://sessions.example.org/mine/Zk3"
    written = mail(replace(letter(NoticeKind.OFFERED), own_page=own))
    assert f"Everything about your session: {own}" in text(written)
    assert f'href="{own}"' in text(written, "html")
    assert "Everything about your session" not in text(mail(letter(NoticeKind.OFFERED)))
