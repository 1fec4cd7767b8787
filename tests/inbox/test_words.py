from __future__ import annotations

from time import process_time

import pytest

from connector.inbox.bounds import bounded
from connector.inbox.words import LONGEST, Written, beside, written
from tests.inbox import mails

CASES: dict[str, tuple[str, str]] = {
    "above a quotation": (
        "Yes, gladly.\n\nOn Mon, 3 May 2027 at 10:00, Kim wrote:\n> Your session\n> is moved\n",
        "Yes, gladly.",
    ),
    "in German, over two lines": (
        "Ja, gern.\n\nAm 3. Mai 2027 um 10:00 schrieb Kim Beispiel\n<r-1@sessions.example.org>:\n\n> Ihr Termin\n",
        "Ja, gern.",
    ),
    "below a quotation": ("> Can you come?\n\nYes.\n", "Yes."),
    "between quotations": ("> Can you come?\nYes.\n> And your sister?\nNo.\n", "Yes.\nNo."),
    "what leads to a quotation is theirs": ("Hello Kim.\nI mean this:\n> 14:00\n", "Hello Kim.\nI mean this:"),
    "above Outlook's rule": ("Ok.\n________________________________\nFrom: Kim\nSent: Monday\n\nYour session\n", "Ok."),
    "above Outlook's header": ("Ok.\n\nVon: Kim <kim@example.org>\nGesendet: Montag\nAn: Alex\n\nIhr Termin\n", "Ok."),
    "above an original message": ("Ok.\n-----Original Message-----\nYour session\n", "Ok."),
    "without a signature": ("Ok.\n-- \nAlex Sommer\n", "Ok."),
    "a dash is no signature": ("Ok -- fine.\n--\tSee you\n", "Ok -- fine.\n-- See you"),
    "a line that begins like a header": ("From: what I hear, it rains.\nBye\n", "From: what I hear, it rains.\nBye"),
    "their own sentence before a quotation": (
        "Am 3. Dezember passt es nicht, weil:\n> Termin 14 Uhr\nbitte absagen",
        "Am 3. Dezember passt es nicht, weil:\nbitte absagen",
    ),
    "their own sentence with a time": (
        "On 3 May I wrote this:\n> 14:00\nStill so.",
        "On 3 May I wrote this:\nStill so.",
    ),
    "what looks like a header": ("Von: mir aus gern,\nan: dem Tag.\n\nLG", "Von: mir aus gern,\nan: dem Tag.\n\nLG"),
    "above an Apple header": ("Ok.\n\nFrom: Kim\nSubject: Your session\nDate: Monday\n\nYour session\n", "Ok."),
    "below a signature on top": ("Ok.\n-- \nAlex\n> Can you come?\nI am ill.", "Ok.\nI am ill."),
    "below a greeting and a signature": (
        "Hallo Kim,\n\n-- \nAlex\nTel. 0170 1234\n\nich kann nicht, bitte absagen.\n",
        "Hallo Kim,\n\n--\nAlex\nTel. 0170 1234\n\nich kann nicht, bitte absagen.",
    ),
    "below a greeting and what a telephone signs": (
        "Hi\n-- \nVon meinem iPhone gesendet\nI can't come\n> 14:00\n",
        "Hi\n--\nVon meinem iPhone gesendet\nI can't come",
    ),
    "their own line with an address": (
        "Danke!\nIch sage ab. Antworten bitte an alex@neu.example, und zu Ihrer Frage:\n> Passt 14 Uhr?\nja\n",
        "Danke!\nIch sage ab. Antworten bitte an alex@neu.example, und zu Ihrer Frage:\nja",
    ),
    "their own line with an address and dates": (
        "Ok.\nAm 3.12.2026 kann ich nicht, wie ich am 1.12. an kim@example.org mailte:\n> Termin\n",
        "Ok.\nAm 3.12.2026 kann ich nicht, wie ich am 1.12. an kim@example.org mailte:",
    ),
    "an attribution that begins with a date": ("Ok.\n2027-05-03 10:00 GMT+02:00 Kim <r@example.org>:\n> x", "Ok."),
    "an attribution that begins with a name": ("Ok.\nKim <r@example.org> wrote:\n> x", "Ok."),
    "thanks above a quotation": ("Danke!\n\nAm 3. Mai 2027 um 10:00 schrieb Kim:\n> Ihr Termin\n", "Danke!"),
    "a signature and an original message": ("No.\n-- \nAlex\n\n-----Original Message-----\n" + "x\n" * 20, "No."),
    "nothing but what looks like a signature": ("-- \nIch kann nicht kommen.", "--\nIch kann nicht kommen."),
    "more below two dashes than a signature": ("Hi\n-- \n" + "word\n" * 9, "Hi\n--\n" + "word\n" * 8 + "word"),
    "nothing but a quotation, with an answer in it": ("> Can you come? NO, I AM ILL", "> Can you come? NO, I AM ILL"),
    "nothing but a header": ("From: Kim\nSent: Monday\nI am ill.", "From: Kim\nSent: Monday\nI am ill."),
    "an answer in a quotation above a signature": ("> Come? NO\n-- \nAlex", "> Come? NO\n--\nAlex"),
    "nothing": (" \n\n", ""),
    "what cannot be seen": ("Ok\u202e.\u0007\n", "Ok."),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_person_has_written_is_kept_and_what_they_quote_is_not(name: str) -> None:
    text, expected = CASES[name]
    assert written(bounded(mails.plain(text))).text == expected


@pytest.mark.parametrize(
    "html",
    [
        "<html><head><style>p { color: red }</style></head><body><p>Yes, &amp;\n gladly.</p><p>Alex</p></body></html>",
        '<div>Yes, &amp; gladly.</div><div>Alex</div><div class="gmail_quote">On Mon: <blockquote>x</blockquote></div>',
        'Yes, &amp; gladly.<br>Alex<blockquote type="cite">Your session</blockquote>',
        'Yes, &amp; gladly.<BR/>Alex<div id="divRplyFwdMsg">From: Kim</div>Your session<script>alert(1)',
    ],
)
def test_a_page_is_read_as_text(html: str) -> None:
    assert page(html).text == "Yes, & gladly.\nAlex"


def page(html: str) -> Written:
    return written(bounded((mails.header() + mails.part("text/html; charset=utf-8", html)).encode()))


@pytest.mark.parametrize(
    "unseen",
    [
        '<div style="display:none">cancel all</div>',
        "<span style='color: red; DISPLAY : none !important'>cancel <span>all</span> of it</span>",
        '<p class="a" style="visibility:hidden">cancel all</p>',
        '<div style="mso-hide:all"><div>cancel</div><img src="x">all</div>',
    ],
)
def test_what_no_program_shows_is_not_what_they_say(unseen: str) -> None:
    assert page(f"<p>I come.</p>{unseen}<p>Alex</p>").text == "I come.\nAlex"
    assert page(unseen).text == ""


def test_an_element_that_is_hidden_and_never_ends_is_read_in_time_by_its_length() -> None:
    begun = process_time()
    assert page("<p>Hello</p>" + '<div style="display:none">' * 7_000).text == "Hello"
    assert process_time() - begun < 2  # milliseconds


@pytest.mark.parametrize(
    "text",
    [
        "Hallo, siehe unten.\n\n-----Ursprüngliche Nachricht-----\nVon: Kim\n\nIhr Termin.\n\n>>> Ich kann nicht.",
        "Danke!\nVon: mir aus geht es nicht\nDatum: 3.12. fällt aus\nbitte absagen",
        "Hello\n-- \nAlex\n\n-----Original Message-----\nYour session\nI am ill.",
        "Hi\n________________________________\nFrom: Kim\nSent: Monday\n\nYour session\nNO",
    ],
)
def test_below_a_greeting_alone_all_is_shown_and_marked(text: str) -> None:
    shown = "\n".join(line.rstrip() for line in text.splitlines())
    assert written(bounded(mails.plain(text))) == Written(text=shown, whole=True)


def test_below_a_greeting_alone_all_of_a_page_is_shown_and_marked() -> None:
    assert page("<p>Hi Kim,</p><blockquote>Can you come?</blockquote><p>No.</p>") == Written(
        text="Hi Kim,\nCan you come?No.", whole=True
    )
    assert page("<p>No.</p><blockquote>Can you come?</blockquote>") == Written(text="No.")


def test_a_text_of_greetings_and_signatures_is_read_in_time_by_its_length() -> None:
    begun = process_time()
    assert written(bounded(mails.plain("Hi\n-- \n>\n" * 5_000 + "\n\n-- \n" * 4_000)))
    assert process_time() - begun < 5  # milliseconds


def test_a_mail_is_marked_of_which_nothing_tells_what_they_quote() -> None:
    assert written(bounded(mails.plain("> Can you come? NO"))) == Written(text="> Can you come? NO", whole=True)
    assert not written(bounded(mails.plain("No.\n> Can you come?"))).whole


NAMES = ("alex@client.example", "Alex Sommer")


@pytest.mark.parametrize(
    ("text", "typed"),
    [
        ("Alex Sommer has accepted this invitation.", ""),
        ("Alex Sommer hat den Termin abgesagt.\n\nIch bin krank.", "Ich bin krank."),
        ("alex@client.example has declined this invitation.\n\nWhen\nMonday\nGoogle Calendar: it is off", ""),
        ("Only if it is on the first floor: I broke my leg.", "Only if it is on the first floor: I broke my leg."),
        ("I accept.\nAlex Sommer", "I accept.\nAlex Sommer"),
        ("> Can you come?", ""),
        ("________________________________\nFrom: Kim\nSent: Monday\n\nYour session", ""),
        ("Thanks!\n-----Original Appointment-----\nFrom: Kim\n\nYour session", "Thanks!"),
        ("", ""),
    ],
)
def test_words_beside_an_answer_are_theirs_unless_programs_write_them(text: str, typed: str) -> None:
    assert beside(bounded(mails.plain(text)), names=NAMES) == typed


def test_what_stands_below_a_quotation_of_a_page_alone_is_shown_with_it() -> None:
    html = "<blockquote>Can you come?</blockquote><p>No.</p>"
    whole = mails.header() + mails.part("text/html; charset=utf-8", html)
    assert written(bounded(whole.encode())).text == "Can you come?No."


def test_a_long_line_is_not_looked_at_for_each_line_that_is_quoted() -> None:
    begun = process_time()
    assert written(bounded(mails.plain("am " + "x" * 80_000 + ":\n" + ">\n\n" * 14_000)))
    assert process_time() - begun < 2  # milliseconds


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1252"])
def test_letters_are_decoded_as_the_mail_says(charset: str) -> None:
    top = mails.header(f"Content-Type: text/plain; charset={charset}").encode()
    assert written(bounded(top + b"\r\n" + "Grüße".encode(charset))).text == "Grüße"


def test_words_without_end_are_cut() -> None:
    assert len(written(bounded(mails.plain("word " * 100_000))).text) == LONGEST


def test_a_text_that_is_a_file_is_not_what_they_say() -> None:
    file = mails.part("text/plain; charset=utf-8", "notes", "Content-Disposition: attachment; filename=notes.txt")
    own = mails.part("text/plain; charset=utf-8", "See the file.")
    assert written(bounded((mails.header() + mails.multipart("mixed", file, own)).encode())).text == "See the file."
