"""Every letter in every variation: each condition of each kind, alone and with the others that change its words."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import replace
from datetime import timedelta
from itertools import product
from typing import Any
from uuid import UUID

from connector.domain.facts import Attendance, Doubt
from connector.domain.notice import Choice, Finding, NoticeKind, PauseReason, RevertReason, Righted, Righting
from connector.domain.notice_table import NOTICES, Audience, Link
from connector.domain.session import Location, LocationKind, SessionState
from connector.ports import Letter
from tests.outbox.people import KINDS, OLD_PRACTICE, PRACTICE, SESSION, VIDEO, at, letter

Changes = Mapping[str, Any]
PHONE = Location(kind=LocationKind.PHONE, text="+49 30 123456, Dr. Kim calls you")
TOLD_KINDS = tuple(kind for kind in KINDS if NOTICES[kind].to is Audience.CLIENT)
_ONE = (Choice(when=at("2026-12-03T10:00"), location=PRACTICE),)
_TWO = (*_ONE, Choice(when=at("2026-12-04T16:00"), location=VIDEO))
_BY_SUPPORT: tuple[Changes, ...] = ({}, {"by_support": True})
_WITHDRAWN: tuple[Changes, ...] = ({}, {"offer_withdrawn": True})
_OLD_PLACE: tuple[Changes, ...] = ({}, {"old_location": OLD_PRACTICE})
_NUMBERS: tuple[Changes, ...] = ({"choices": _ONE}, {"choices": _TWO})
_ENDS: tuple[Changes, ...] = ({}, {"expires_at": None})
_MOVED: tuple[Changes, ...] = ({}, {"moved_to": None})
_SINCE: tuple[Changes, ...] = ({}, {"since": None})
_CANCELLED: tuple[Changes, ...] = ({}, {"session": replace(SESSION, state=SessionState.CANCELLED)})
_BY_TEXT: tuple[Changes, ...] = ({}, {"by_text": True})
_STOPPED: Changes = {"by_text": True, "reason": "stopped"}
_TOLD: tuple[Changes, ...] = tuple({"about": about} for about in (*TOLD_KINDS, "sign_in"))
_PAUSED: tuple[Changes, ...] = tuple({"reason": reason, "count": 14} for reason in (*PauseReason, ""))
_REVERTED: tuple[Changes, ...] = tuple(
    {"about": about, "reason": reason} for about, reason in product(("session", "hold"), (*RevertReason, ""))
)
_WORDS: tuple[Changes, ...] = ({"about": ""}, {"about": "I am ill, sorry."})
_FINDINGS: tuple[Changes, ...] = tuple({"reason": finding} for finding in Finding)
_TRUSTED: tuple[Changes, ...] = ({"trusted": True}, {"trusted": False})
_ANSWERS: tuple[Changes, ...] = tuple({"reason": answer} for answer in Attendance)
_ANSWERS_DOUBTED: tuple[Changes, ...] = (
    {"trusted": False},
    *({"trusted": True, "doubt": doubt} for doubt in (Doubt.UNORDERED, Doubt.UNNUMBERED, Doubt.OTHER_ORGANIZER)),
    *({"trusted": trusted, "doubt": Doubt.OTHER_MAILBOX} for trusted in (True, False)),
)
_WORDS_DOUBTED: tuple[Changes, ...] = (
    {"doubt": None, "reason": ""},
    {"doubt": Doubt.WHOLE, "reason": ""},
    *({"doubt": Doubt.FORMER, "reason": answer} for answer in Attendance),
    *({"doubt": doubt, "about": ""} for doubt in (Doubt.DELEGATED, Doubt.SERIES, Doubt.UNREADABLE)),
)
_WISHES_DOUBTED: tuple[Changes, ...] = ({}, {"doubt": Doubt.OTHER_ORGANIZER})
_RIGHTED: tuple[Changes, ...] = (
    {"righted": ()},
    {
        "righted": tuple(
            Righted(what=what, when=at("2026-12-01T14:00"), about=about, old=old)
            for what in Righting
            for about, old in (("Robin Winter", None), ("", at("2026-11-26T10:00")))
        )
    },
)
# What each kind says differently, beside what all kinds do; one list a condition, and every combination is a letter.
CONDITIONS: Mapping[NoticeKind, tuple[tuple[Changes, ...], ...]] = {
    NoticeKind.BOOKED: (_BY_SUPPORT,),
    NoticeKind.MOVED: (_BY_SUPPORT, _WITHDRAWN, _OLD_PLACE),
    NoticeKind.CORRECTED: (_BY_SUPPORT, _WITHDRAWN, _OLD_PLACE),
    NoticeKind.RELOCATED: (_BY_SUPPORT, _WITHDRAWN),
    NoticeKind.ACCEPTED: (_BY_SUPPORT, _OLD_PLACE),
    NoticeKind.CANCELLED: (_BY_SUPPORT, (*_WITHDRAWN, {"offer_id": UUID(int=9)})),
    NoticeKind.OFFERED: (_NUMBERS, _WITHDRAWN),
    NoticeKind.OFFER_CHANGED: (_NUMBERS,),
    NoticeKind.OFFER_REMINDER: (_NUMBERS,),
    NoticeKind.REJECTED: (_BY_SUPPORT,),
    NoticeKind.LAPSED: (_ENDS,),
    NoticeKind.CLIENT_ACCEPTED: (_BY_SUPPORT, ({}, {"about": "Family, kim@home.example"})),
    NoticeKind.CLIENT_REJECTED: (_BY_SUPPORT,),
    NoticeKind.CLIENT_WISHED: (_WITHDRAWN, _WORDS, (*_NUMBERS, {"choices": ()})),
    NoticeKind.CLIENT_CANCELLED: (_BY_SUPPORT,),
    NoticeKind.CLIENT_ANSWERED: (_ANSWERS[:1] + _ANSWERS[2:], _WORDS),
    NoticeKind.CLIENT_DECLINED: (_WORDS,),
    NoticeKind.ANSWER_UNPROVED: (_ANSWERS, _WORDS, _ANSWERS_DOUBTED),
    NoticeKind.CLIENT_PROPOSED: (_FINDINGS, _TRUSTED, _WORDS, _WISHES_DOUBTED),
    NoticeKind.CLIENT_WROTE: (_TRUSTED, _BY_TEXT, _WORDS_DOUBTED),
    NoticeKind.OFFER_LAPSED: (_ENDS, ({}, {"unasked": True})),
    NoticeKind.DRAFT_WAITING: (_NUMBERS,),
    NoticeKind.ENTRY_REVERTED: (_REVERTED, _MOVED),
    NoticeKind.REPLACE_ASKED: (({"choices": ()}, *_NUMBERS),),
    NoticeKind.OFFER_TAKEN_BACK: (({"choices": ()}, *_NUMBERS),),
    NoticeKind.CALENDAR_PAUSED: (_PAUSED,),
    NoticeKind.OPERATOR_PAUSED: (_PAUSED,),
    NoticeKind.RESTORED: (_RIGHTED, _SINCE),
    NoticeKind.RESTORE_FOUND: (_SINCE,),
    NoticeKind.MAILBOX_UNREAD: (_SINCE, ({}, {"about": "late"})),
    NoticeKind.ENDPOINT_DISABLED: (_SINCE, ({"reason": "failing"}, {"reason": "gone"})),
    NoticeKind.NOT_DELIVERED: (_TOLD, _CANCELLED, (*_BY_TEXT, _STOPPED), ({}, {"told_otherwise": True})),
    NoticeKind.NOT_TOLD: (_TOLD, _CANCELLED),
    NoticeKind.NO_CHANNEL: (({}, {"about": ""}), _CANCELLED, _BY_TEXT, ({}, {"offer_id": None})),
    NoticeKind.ARRIVED_AFTER_ALL: (_CANCELLED,),
    NoticeKind.SIGN_IN: (({"about": "1"}, {"about": "15"}),),
}


def every(*, locale: str) -> Iterator[tuple[str, Letter]]:
    """Yield every variation of every letter under a name of its own, to a reader of this locale."""
    for kind in KINDS:
        for number, conditions in enumerate(product(*CONDITIONS.get(kind, ())), start=1):
            changes = {name: value for condition in conditions for name, value in condition.items()}
            yield f"{kind} {number:02}", to(letter(kind, **changes), locale=locale)
        for name, sent in _of_any_kind(kind):
            yield f"{kind} {name}", to(sent, locale=locale)
        yield f"{kind} abroad", to(letter(kind), locale=locale, zone="America/New_York")


def to(sent: Letter, *, locale: str, zone: str = "Europe/Berlin") -> Letter:
    """Address a letter to a reader of another locale."""
    return replace(sent, notice=replace(sent.notice, to=replace(sent.notice.to, locale=locale, zone=zone)))


def _of_any_kind(kind: NoticeKind) -> Iterator[tuple[str, Letter]]:
    usual = letter(kind)
    yield "answered", letter(kind, reply_to="kim@practice.example")
    if usual.notice.session is not None:
        yield "online", letter(kind, session=replace(SESSION, location=VIDEO))
        yield "by phone", letter(kind, session=replace(SESSION, location=PHONE))
        yield "past", replace(usual, date=SESSION.when.span.start + timedelta(minutes=1))
    if NOTICES[kind].method is not None and usual.notice.session is not None:
        published = replace(usual.notice.session, published=True)
        for name, session in (("published", published), ("published no more", usual.notice.session)):
            yield name, replace(letter(kind, session=session), subscription="https://sessions.example.org/s/Zk3")
    link = NOTICES[kind].link
    if link is Link.ANSWER:
        yield "with its own page", replace(usual, own_page="https://sessions.example.org/m/Zk3")
    if link is None or not link.is_needed:
        yield "without a link", replace(usual, link=None)
