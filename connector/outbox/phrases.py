"""Phrases that letters fill in: what a message was about, and what was put right after a restore."""

from __future__ import annotations

from collections.abc import Mapping

from connector.domain.notice import NoticeKind, Righting
from connector.language.catalogues import Language, marked

# What a message to a client is called, in “the message with ... did not arrive”.
LETTERS: Mapping[str, str] = {
    NoticeKind.BOOKED: marked("Booking"),
    NoticeKind.MOVED: marked("New time for the session"),
    NoticeKind.CORRECTED: marked("Correction of the time"),
    NoticeKind.RELOCATED: marked("New place for the session"),
    NoticeKind.ACCEPTED: marked("Confirmation of the new time"),
    NoticeKind.CANCELLED: marked("Cancellation"),
    NoticeKind.OFFERED: marked("Offer of other times"),
    NoticeKind.OFFER_CHANGED: marked("Changed offer of times"),
    NoticeKind.OFFER_REMINDER: marked("Reminder of your offer"),
    NoticeKind.REJECTED: marked("Confirmation that none of the times suits"),
    NoticeKind.LAPSED: marked("End of the offer"),
    NoticeKind.WITHDRAWN: marked("Offer taken back"),
    NoticeKind.PROPOSAL_DECLINED: marked("Answer that the time they asked for is not possible"),
    NoticeKind.ANSWER_CODE: marked("Code for answering"),
    NoticeKind.SUBSCRIBED: marked("News of a calendar subscription"),
}
OTHER = marked("About the session")
RIGHTINGS: Mapping[Righting, str] = {
    Righting.ACCEPTED: marked("%(client)s: has chosen this time since, and the session takes place then"),
    Righting.MOVED: marked(
        "%(client)s: the session is now booked for this time, because its entry is there. Make sure that "
        "both of you know"
    ),
    Righting.GONE: marked(
        "%(client)s: the entry of this session was not in your calendar. If the session was cancelled, "
        "please cancel it again"
    ),
    Righting.OFFER_CHANGED: marked(
        "%(client)s: some of the times you had offered were taken back or moved; the others still stand"
    ),
    Righting.OFFER_SENT: marked(
        "%(client)s: the times you had noted down were sent to them since. They are held, and can still "
        "be chosen; how long, counts from now"
    ),
    Righting.DRAFT_AGAIN: marked(
        "%(client)s: the times you had noted down were sent to them since. That is a draft again, and "
        "nothing is held. Please send it again, or tell them"
    ),
    Righting.OFFER_OVER: marked(
        "%(client)s: the times you had offered were gone, so the offer is over. Please ask what was agreed"
    ),
    Righting.ASKED: marked("%(client)s: you were being asked about this session. Please check it once more"),
    Righting.PUT_BACK: marked("%(client)s: the entry was put back to this time"),
    Righting.TAKEN: marked("%(client)s: the entry stood where another session is booked. Please check it"),
    Righting.UNKNOWN: marked(
        "“%(client)s”: %(brand)s no longer knows this entry. It stays in your calendar as your own; if "
        "it is a session, please enter it again"
    ),
    Righting.REMOVED: marked(
        "“%(client)s”: %(brand)s no longer knew this entry, and removed it. If it was a session, please enter it again"
    ),
}


def letter_name(language: Language, kind: str) -> str:
    """Return what a message to a client is called in a sentence; a plain word for a kind without a name."""
    return language.say(LETTERS.get(kind, OTHER))


def righting(language: Language, what: Righting, *, client: str, brand: str) -> str:
    """Say what was put right about a time, or is to be seen to."""
    return language.say(RIGHTINGS[what], client=client, brand=brand)
