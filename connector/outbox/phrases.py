"""Phrases that letters fill in: what a message was about, and what was put right after a restore."""

from __future__ import annotations

from collections.abc import Mapping

from connector.domain.notice import NoticeKind, Righting
from connector.language.catalogues import Language, marked

# What a message to a client is called, in “the message with ... did not arrive”.
LETTERS: Mapping[str, str] = {
    NoticeKind.BOOKED: marked("the booking"),
    NoticeKind.MOVED: marked("the new time"),
    NoticeKind.CORRECTED: marked("the correction of the time"),
    NoticeKind.RELOCATED: marked("the new place"),
    NoticeKind.ACCEPTED: marked("the confirmation of the new time"),
    NoticeKind.CANCELLED: marked("the cancellation"),
    NoticeKind.OFFERED: marked("your offer of other times"),
    NoticeKind.OFFER_CHANGED: marked("the changed offer of times"),
    NoticeKind.OFFER_REMINDER: marked("the reminder of your offer"),
    NoticeKind.REJECTED: marked("the confirmation that none of the times suits"),
    NoticeKind.LAPSED: marked("the word that the offer has ended"),
    NoticeKind.WITHDRAWN: marked("the word that the offer was taken back"),
}
OTHER = marked("the latest news")
RIGHTINGS: Mapping[Righting, str] = {
    Righting.ACCEPTED: marked("%(client)s: has chosen this time since, and the session stands there"),
    Righting.MOVED: marked(
        "%(client)s: the session was taken to stand here, where its event is. Make sure that both of you know"
    ),
    Righting.GONE: marked(
        "%(client)s: the event of this session was not in your calendar. If the session was cancelled, "
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
    Righting.ASKED: marked("%(client)s: you were being asked about this session. Please look at it once more"),
    Righting.PUT_BACK: marked("%(client)s: the event was put back here"),
    Righting.TAKEN: marked("%(client)s: the event stood where another session stands. Please look at it"),
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
