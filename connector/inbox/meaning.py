"""What a mail means to us: an answer of a calendar program, words of a person, a letter that came back, or nothing.

Whether it is true is another question: who wrote it (`authorship`), and whether it fits what was sent.
"""

from __future__ import annotations

from dataclasses import dataclass

from connector.inbox import calendar, headers, reports, words
from connector.inbox.bounds import BoundedMail
from connector.inbox.calendar import CalendarMessage, Unclear, UnclearError
from connector.inbox.reports import Bounce

_MACHINES = frozenset({"bulk", "junk", "list", "auto_reply"})  # Precedence
_SAYS_SO = ("x-autoreply", "x-autorespond", "x-autoresponder", "list-id", "list-unsubscribe", "feedback-id")


@dataclass(frozen=True, slots=True, kw_only=True)
class Words:
    """What a person has written, without what they quote."""

    text: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Nothing:
    """There is nothing to be done about it."""

    reason: Unclear


Meaning = CalendarMessage | Words | Bounce | Nothing


@dataclass(frozen=True, slots=True, kw_only=True)
class Mail:
    """A mail as far as it means something to us.

    Attributes:
        author: The address that it says it is from, in small letters; empty if it is not one.
        message_id: Its own, brackets included; empty if it has none, or several.
        about: Message-IDs of what it answers, the latest first.
    """

    author: str
    message_id: str
    about: tuple[str, ...]
    meaning: Meaning


def read(mail: BoundedMail) -> Mail:
    """Return what a mail means."""
    message = mail.message
    own = headers.ids(*headers.values(message, "message-id"))
    author = headers.author(mail.data, message)
    about = headers.ids(*headers.values(message, "references"), *headers.values(message, "in-reply-to"))
    return Mail(
        author=author, message_id=own[0] if len(own) == 1 else "", about=about, meaning=_meaning(mail, author=author)
    )


def is_automatic(mail: BoundedMail) -> bool:
    """Whether no person has written a mail, as far as it tells.

    Source: RFC 3834 section 2; the headers that programs use which do not keep to it.
    """
    message = mail.message
    submitted = headers.value(message, "auto-submitted").partition(";")[0].strip().lower()
    return (
        submitted not in {"", "no"}
        or headers.value(message, "precedence").lower() in _MACHINES
        or any(name in message for name in _SAYS_SO)
        or headers.value(message, "return-path") == "<>"
        or headers.author(mail.data, message).startswith(reports.SERVERS)
        or reports.is_report(mail)
    )


def _meaning(mail: BoundedMail, *, author: str) -> Meaning:
    """Look for a report first, then for a calendar message, which programs send by themselves, too; then for words."""
    if reports.is_report(mail) and (bounce := reports.read(mail)):
        return bounce
    if (bounce := reports.read_words(mail, author=author)) is not None:
        return bounce
    if not author:
        return Nothing(reason=Unclear.AUTOMATIC if is_automatic(mail) else Unclear.NOT_ONE_AUTHOR)
    try:
        message = calendar.read(mail.calendars)
    except UnclearError as error:
        if error.reason is not Unclear.OTHER_METHOD:
            return Nothing(reason=error.reason)
        message = None
    if message is not None:
        return message
    if is_automatic(mail):
        return Nothing(reason=Unclear.AUTOMATIC)
    text = words.written(mail)
    return Words(text=text) if text else Nothing(reason=Unclear.EMPTY)
