"""The people and the session that the letters in these tests are about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from connector.domain.facts import Attendance
from connector.domain.notice import (
    Choice,
    Concerned,
    DeclinedProposal,
    Finding,
    Notice,
    NoticeKind,
    PauseReason,
    Recipient,
    RevertReason,
    Righted,
    Righting,
)
from connector.domain.notice_table import NOTICES, ROWS, Audience
from connector.domain.session import Location, LocationKind, Session, SessionKind, SessionState
from connector.domain.span import Span, When
from connector.ports import Letter

BRAND = "Pencilled"
FROM = "post@sessions.example.org"
LINK = "https://sessions.example.org/a/Zk3vQ8"
PRACTICE = Location(kind=LocationKind.IN_PERSON, text="Lindenstraße 7, 10969 Berlin")
OLD_PRACTICE = Location(kind=LocationKind.IN_PERSON, text="Alte Gasse 1, Berlin")
VIDEO = Location(kind=LocationKind.ONLINE, text="https://meet.example.org/kim?room=1&lang=en")
KINDS = tuple(NoticeKind)
WITH_CALENDAR = (
    NoticeKind.BOOKED,
    NoticeKind.MOVED,
    NoticeKind.CORRECTED,
    NoticeKind.RELOCATED,
    NoticeKind.ACCEPTED,
    NoticeKind.CANCELLED,
    NoticeKind.PROPOSAL_DECLINED,
)
WITH_CHOICES = (NoticeKind.OFFERED, NoticeKind.OFFER_CHANGED, NoticeKind.OFFER_REMINDER, NoticeKind.DRAFT_WAITING)
TO_PRACTITIONER = tuple(row.kind for row in ROWS if row.to is not Audience.CLIENT)
PATHS = {  # below the link of a question: what happens by itself comes first
    NoticeKind.MOVE_ASKED: ("/ask", "/agreed", "/back"),
    NoticeKind.REPLACE_ASKED: ("/leave", "/replace"),
    NoticeKind.DELETE_ASKED: ("/back", "/cancel", "/offer"),
}


def at(local: str, *, zone: str = "Europe/Berlin", minutes: int = 50, fold: Literal[0, 1] | None = None) -> When:
    return When.at(datetime.fromisoformat(local), zone=zone, duration=timedelta(minutes=minutes), fold=fold)


SESSION = Session(
    id=UUID(int=1),
    practitioner_id=UUID(int=2),
    client_id=UUID(int=3),
    kind=SessionKind.FOLLOWUP,
    when=at("2026-12-01T14:00"),
    location=PRACTICE,
    uid="2f1d7a9e-8c1b-4a54-9a0e-2f5f6f0a1c11",
    organizer="r-7f3k2m9q@sessions.example.org",
    revision=1,
    stamp=datetime(2026, 11, 24, 9, tzinfo=UTC),
    created_at=datetime(2026, 11, 20, 9, tzinfo=UTC),
)
CLIENT = Recipient(name="Alex Sommer", address="alex@client.example", zone="Europe/Berlin", locale="en")
PRACTITIONER = Recipient(name="Dr. Kim Beispiel", address="kim@practice.example", zone="Europe/Berlin", locale="en")

OPERATOR = Recipient(name="Operator", address="operator@sessions.example.org", zone="UTC", locale="en")

_OLD_TIME = (
    NoticeKind.MOVED,
    NoticeKind.CORRECTED,
    NoticeKind.ACCEPTED,
    NoticeKind.CLIENT_ACCEPTED,
    NoticeKind.SUPPORT_MOVED,
)
_ABOUT = {
    NoticeKind.ENTRY_REVERTED: "session",
    NoticeKind.CONFLICT_FOUND: "Family, kim@home.example",
    NoticeKind.CALENDAR_PAUSED: "Fastmail, kim@practice.example",
    NoticeKind.ACCESS_LOST: "Fastmail, kim@practice.example",
    NoticeKind.ENTRIES_REFUSED: "Fastmail, kim@practice.example",
    NoticeKind.CALENDAR_UNREACHABLE: "Fastmail, kim@practice.example",
    NoticeKind.INSTALLATION_REFUSED: "google",
    NoticeKind.ENDPOINT_DISABLED: "hooks.example.org",
    NoticeKind.CLIENT_ANSWERED: "My train may be late.",
    NoticeKind.CLIENT_DECLINED: "I am ill, sorry.",
    NoticeKind.ANSWER_UNPROVED: "I am ill, sorry.",
    NoticeKind.CLIENT_WISHED: "Mornings are better for me.",
    NoticeKind.CLIENT_PROPOSED: "Could we meet a day later?",
    NoticeKind.CLIENT_WROTE: "Hello,\n\n I may be ten minutes late.\n Sorry for that.",
    NoticeKind.NOT_DELIVERED: "offered",
    NoticeKind.NOT_TOLD: "moved",
    NoticeKind.NO_CHANNEL: "moved",
    NoticeKind.ARRIVED_AFTER_ALL: "moved",
    NoticeKind.SIGN_IN: "15",
}
_REASON = {
    NoticeKind.CLIENT_ANSWERED: Attendance.TENTATIVE,
    NoticeKind.CLIENT_DECLINED: Attendance.DECLINED,
    NoticeKind.ANSWER_UNPROVED: Attendance.DECLINED,
    NoticeKind.CLIENT_PROPOSED: Finding.FREE,
    NoticeKind.ENTRY_REVERTED: RevertReason.TAKEN,
    NoticeKind.CALENDAR_PAUSED: PauseReason.SHRUNKEN,
    NoticeKind.OPERATOR_PAUSED: PauseReason.EMPTIED,
    NoticeKind.INSTALLATION_REFUSED: "Google answered 403 accessNotConfigured",
    NoticeKind.MAILBOX_UNREAD: "connecting took too long",
    NoticeKind.ENDPOINT_DISABLED: "failing",
}
_MOVED = (
    NoticeKind.ENTRY_REVERTED,
    NoticeKind.MOVE_ASKED,
    NoticeKind.REPLACE_ASKED,
    NoticeKind.CLIENT_PROPOSED,
)
_WROTE = (
    NoticeKind.CLIENT_WISHED,
    NoticeKind.CLIENT_DECLINED,
    NoticeKind.ANSWER_UNPROVED,
    NoticeKind.CLIENT_PROPOSED,
    NoticeKind.CLIENT_WROTE,
)
_STOPPED = (NoticeKind.CALENDAR_PAUSED, NoticeKind.OPERATOR_PAUSED)
_TROUBLES = (NoticeKind.ENTRIES_REFUSED, NoticeKind.CALENDAR_UNREACHABLE)
_TO_OPERATOR = (
    NoticeKind.OPERATOR_PAUSED,
    NoticeKind.INSTALLATION_REFUSED,
    NoticeKind.MAILBOX_UNREAD,
    NoticeKind.ENDPOINT_DISABLED,
    NoticeKind.RESTORE_FOUND,
)
_AFTER_RESTORE = (NoticeKind.RESTORED, NoticeKind.RESTORE_FOUND)
_SINCE = (*_AFTER_RESTORE, NoticeKind.MAILBOX_UNREAD, NoticeKind.ENDPOINT_DISABLED)
_WITHOUT_SESSION = (
    *_STOPPED,
    *_TROUBLES,
    *_AFTER_RESTORE,
    NoticeKind.ABSENCE_ASKED,
    NoticeKind.ACCESS_LOST,
    NoticeKind.INSTALLATION_REFUSED,
    NoticeKind.MAILBOX_UNREAD,
    NoticeKind.ENDPOINT_DISABLED,
    NoticeKind.SIGN_IN,
    NoticeKind.SUPPORT_SIGN_IN,
)
_AWAY = Span(start=datetime(2026, 11, 30, 23, tzinfo=UTC), end=datetime(2026, 12, 2, 23, tzinfo=UTC))
_CONCERNED = (
    Concerned(when=at("2026-12-01T14:00"), about="Alex Sommer"),
    Concerned(when=at("2026-12-02T14:00"), about="Robin Winter"),
)
_RIGHTED = (
    Righted(what=Righting.ACCEPTED, when=at("2026-12-01T14:00"), about="Alex Sommer", old=at("2026-11-26T10:00")),
    Righted(what=Righting.OFFER_OVER, when=at("2026-12-02T14:00"), about="Robin Winter"),
    Righted(what=Righting.UNKNOWN, when=at("2026-12-04T16:00"), about="Session: A. S."),
)
_CHOICES = (
    Choice(when=at("2026-12-03T10:00"), location=PRACTICE),
    Choice(when=at("2026-12-04T16:00"), location=VIDEO),
)


_DECLINED = DeclinedProposal(when=at("2026-12-02T14:00"), sequence=1, at=datetime(2026, 11, 24, 8, 30, tzinfo=UTC))


def notice(kind: NoticeKind, **changes: Any) -> Notice:
    """What the product would say of that kind; every field as its services fill it in."""
    for_practitioner = kind in TO_PRACTITIONER
    without_session = kind in _WITHOUT_SESSION
    several = kind in (*WITH_CHOICES, NoticeKind.REPLACE_ASKED, NoticeKind.CLIENT_WISHED)
    cancelled = kind in (NoticeKind.CANCELLED, NoticeKind.CLIENT_CANCELLED)
    session = replace(SESSION, state=SessionState.CANCELLED) if cancelled else SESSION
    usual = Notice(
        kind=kind,
        to=OPERATOR if kind in _TO_OPERATOR else PRACTITIONER if for_practitioner else CLIENT,
        practitioner_name="Dr. Kim Beispiel",
        client_name="" if without_session else "Alex Sommer",
        session=None if without_session else session,
        old_when=at("2026-11-26T10:00") if kind in _OLD_TIME else None,
        old_location=OLD_PRACTICE if kind is NoticeKind.RELOCATED else None,
        choices=_CHOICES if several else _CHOICES[:1] if kind is NoticeKind.CONFLICT_FOUND else (),
        expires_at=datetime(2026, 11, 25, 9, tzinfo=UTC),
        about=_ABOUT.get(kind, ""),
        reason=_REASON.get(kind, ""),
        moved_to=at("2026-12-02T09:00") if kind in _MOVED else None,
        code_id=UUID(int=8) if NOTICES[kind].tells_code else None,
        question_id=UUID(int=5) if kind in PATHS else None,
        alternative_id=UUID(int=6) if kind is NoticeKind.CONFLICT_FOUND else None,
        calendar_id=UUID(int=7) if kind in (*_STOPPED, *_TROUBLES) else None,
        count=14 if kind in (*_STOPPED, NoticeKind.ENTRIES_REFUSED) else 0,
        righted=_RIGHTED if kind is NoticeKind.RESTORED else (),
        absence_id=UUID(int=10) if kind is NoticeKind.ABSENCE_ASKED else None,
        away=_AWAY if kind is NoticeKind.ABSENCE_ASKED else None,
        concerned=_CONCERNED if kind is NoticeKind.ABSENCE_ASKED else (),
        mail_id=UUID(int=8) if kind in _WROTE else None,
        author="alex@client.example" if kind in _WROTE else "",
        trusted=kind in _WROTE and kind is not NoticeKind.ANSWER_UNPROVED,
        declined=_DECLINED if kind is NoticeKind.PROPOSAL_DECLINED else None,
        since=datetime(2026, 11, 23, 2, tzinfo=UTC) if kind in _SINCE else None,
    )
    return replace(usual, **changes)


def letter(kind: NoticeKind, *, link: str | None = LINK, **changes: Any) -> Letter:
    return Letter(
        notice=notice(kind, **changes),
        link=None if kind in _TO_OPERATOR or NOTICES[kind].tells_code else link,
        message_id="<2@sessions.example.org>",
        thread=("<1@sessions.example.org>",),
        date=datetime(2026, 11, 24, 9, 0, 30, tzinfo=UTC),
        code="048213" if NOTICES[kind].tells_code else "",
    )
