"""A letter that came back with a server's own words is recognised by its Message-ID, and only where that is final."""

from __future__ import annotations

import pytest

from connector.inbox.bounds import bounded
from connector.inbox.meaning import Meaning, Nothing, read
from connector.inbox.reports import Bounce
from tests.inbox import mails
from tests.inbox.mails import CLIENT, OURS

DAEMON = "Mail Delivery System <MAILER-DAEMON@mx.client.example>"
EXIM = f"""This message was created automatically by mail delivery software.

A message that you sent could not be delivered to one or more of its
recipients. This is a permanent error. The following address(es) failed:

  {CLIENT}
    retry timeout exceeded

------ This is a copy of your message, including all the headers. ------

Return-path: <r-7f3k@sessions.example.org>
Received: from sessions.example.org by mx.client.example
Message-ID: {OURS}
Subject: Your session

Hello Alex
"""
QMAIL = f"""Hi. This is the qmail-send program at client.example.
I'm afraid I wasn't able to deliver your message to the following addresses.
This is a permanent error; I've given up. Sorry it didn't work out.

<{CLIENT}>:
Sorry, no mailbox here by that name. (#5.1.1)

--- Below this line is a copy of the message.

Message-ID:
 {OURS}
"""
POSTFIX = f"""The mail system

<{CLIENT}>: host mx.client.example[192.0.2.7] said: 550 5.1.1 User unknown

> Message-Id: {OURS}
"""
DELAYED = f"""Warning: message still undelivered after 4 hours. It will be retried until it is 5 days old.

<{CLIENT}>: host mx.client.example said: 550 5.7.1 greylisted

Message-ID: {OURS}
"""
WITHOUT_AN_ID = f"<{CLIENT}>: 550 5.1.1 User unknown\n\nSubject: Your session\n"


def meaning(text: str, *lines: str, sender: str = DAEMON) -> Meaning:
    return read(bounded(mails.plain(text.replace("\n", "\r\n"), *lines, sender=sender))).meaning


@pytest.mark.parametrize(
    ("text", "lines", "status", "address"),
    [
        (EXIM, (f"X-Failed-Recipients: {CLIENT}", "Auto-Submitted: auto-replied"), "", CLIENT),
        (EXIM, (), "", ""),
        (QMAIL, (), "5.1.1", CLIENT),
        (POSTFIX, (), "5.1.1", CLIENT),
        (POSTFIX.replace("550 5.1.1", "550"), (), "", CLIENT),
    ],
)
def test_a_server_that_has_given_up_says_so_in_words_of_its_own(
    text: str, lines: tuple[str, ...], status: str, address: str
) -> None:
    returned = meaning(text, *lines)
    assert isinstance(returned, Bounce)
    assert returned.letters == (OURS,)
    [one] = returned.undelivered
    assert (one.status, one.addresses, one.is_final) == (status, (address,) if address else (), True)


def test_the_letter_may_be_there_as_a_part_of_its_own() -> None:
    words = mails.part("text/plain; charset=utf-8", "550 5.2.1 The mailbox is disabled")
    letter = f"Content-Type: message/rfc822\r\n\r\nMessage-ID: {OURS}\r\nSubject: Your session\r\n\r\nHello\r\n"
    raw = (mails.header(sender="postmaster@client.example") + mails.multipart("mixed", words, letter)).encode()
    returned = read(bounded(raw)).meaning
    assert isinstance(returned, Bounce)
    assert returned.letters == (OURS,)


@pytest.mark.parametrize("text", [DELAYED, WITHOUT_AN_ID, EXIM.replace("permanent", "passing"), "550"])
def test_what_goes_on_or_names_no_letter_means_nothing(text: str) -> None:
    assert isinstance(meaning(text), Nothing)


@pytest.mark.parametrize(
    ("sender", "lines"),
    [
        (f"Alex <{CLIENT}>", ()),
        (f"Alex <{CLIENT}>", ("Auto-Submitted: auto-replied",)),
        ("a.mailer-daemon@x.example", ()),
    ],
)
def test_nobody_but_a_mail_server_can_say_that_a_letter_came_back(sender: str, lines: tuple[str, ...]) -> None:
    assert not isinstance(meaning(POSTFIX, *lines, sender=sender), Bounce)


@pytest.mark.parametrize(
    ("line", "believed"),
    [("", False), ("Auto-Submitted: no", False), ("Auto-Submitted: auto-replied", True), ("Return-Path: <>", True)],
)
def test_a_header_that_names_who_was_not_reached_is_believed_of_programs_alone(
    line: str,
    believed: bool,  # noqa: FBT001
) -> None:
    lines = (f"X-Failed-Recipients: {CLIENT}", *([line] if line else []))
    found = meaning(f"Hello\nMessage-ID: {OURS}\n", *lines, sender="Eve <eve@evil.example>")
    assert isinstance(found, Bounce) is believed


def test_a_report_names_its_recipient_as_the_letter_had_it_and_as_it_was_passed_on() -> None:
    passed_on = b"Original-Recipient: rfc822; <Alex@First.example>\r\nFinal-Recipient:"
    returned = read(bounded(mails.bounce().replace(b"Final-Recipient:", passed_on))).meaning
    assert isinstance(returned, Bounce)
    assert [one.addresses for one in returned.undelivered] == [("alex@first.example", CLIENT)]
