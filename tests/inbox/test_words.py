from __future__ import annotations

import pytest

from connector.inbox.bounds import bounded
from connector.inbox.words import LONGEST, written
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
    "what cannot be seen": ("Ok\u202e.\u0007\n", "Ok."),
}


@pytest.mark.parametrize("name", CASES)
def test_what_a_person_has_written_is_kept_and_what_they_quote_is_not(name: str) -> None:
    text, expected = CASES[name]
    assert written(bounded(mails.plain(text))) == expected


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
    assert (
        written(bounded((mails.header() + mails.part("text/html; charset=utf-8", html)).encode()))
        == "Yes, & gladly.\nAlex"
    )


@pytest.mark.parametrize("charset", ["utf-8", "iso-8859-1", "windows-1252"])
def test_letters_are_decoded_as_the_mail_says(charset: str) -> None:
    top = mails.header(f"Content-Type: text/plain; charset={charset}").encode()
    assert written(bounded(top + b"\r\n" + "Grüße".encode(charset))) == "Grüße"


def test_words_without_end_are_cut() -> None:
    assert len(written(bounded(mails.plain("word " * 100_000)))) == LONGEST


def test_a_text_that_is_a_file_is_not_what_they_say() -> None:
    file = mails.part("text/plain; charset=utf-8", "notes", "Content-Disposition: attachment; filename=notes.txt")
    own = mails.part("text/plain; charset=utf-8", "See the file.")
    assert written(bounded((mails.header() + mails.multipart("mixed", file, own)).encode())) == "See the file."
