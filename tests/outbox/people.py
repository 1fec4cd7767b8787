"""The people and the session that the letters in these tests are about."""

from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any, Literal
from uuid import UUID

from connector.domain.notice import Choice, Notice, NoticeKind, Recipient
from connector.domain.session import Location, LocationKind, Session, SessionKind, SessionState
from connector.domain.span import When
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
)
WITH_CHOICES = (NoticeKind.OFFERED, NoticeKind.OFFER_CHANGED, NoticeKind.DRAFT_WAITING)
TO_PRACTITIONER = KINDS[KINDS.index(NoticeKind.CLIENT_ACCEPTED) :]


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

_OLD_TIME = (NoticeKind.MOVED, NoticeKind.CORRECTED, NoticeKind.ACCEPTED, NoticeKind.CLIENT_ACCEPTED)
_ABOUT = {
    NoticeKind.ENTRY_PUT_BACK: "session",
    NoticeKind.ACCESS_LOST: "Fastmail, kim@practice.example",
    NoticeKind.NOT_DELIVERED: "offered",
    NoticeKind.SIGN_IN: "15",
}


def notice(kind: NoticeKind, **changes: Any) -> Notice:
    """What the product would say of that kind; every field as its services fill it in."""
    for_practitioner = kind in TO_PRACTITIONER
    without_session = kind in (NoticeKind.ACCESS_LOST, NoticeKind.SIGN_IN)
    cancelled = kind in (NoticeKind.CANCELLED, NoticeKind.CLIENT_CANCELLED)
    session = replace(SESSION, state=SessionState.CANCELLED) if cancelled else SESSION
    usual = Notice(
        kind=kind,
        to=PRACTITIONER if for_practitioner else CLIENT,
        practitioner_name="Dr. Kim Beispiel",
        client_name="" if without_session else "Alex Sommer",
        session=None if without_session else session,
        old_when=at("2026-11-26T10:00") if kind in _OLD_TIME else None,
        old_location=OLD_PRACTICE if kind is NoticeKind.RELOCATED else None,
        choices=(
            Choice(when=at("2026-12-03T10:00"), location=PRACTICE),
            Choice(when=at("2026-12-04T16:00"), location=VIDEO),
        )
        if kind in WITH_CHOICES
        else (),
        expires_at=datetime(2026, 11, 25, 9, tzinfo=UTC),
        about=_ABOUT.get(kind, ""),
    )
    return replace(usual, **changes)


def letter(kind: NoticeKind, *, link: str | None = LINK, **changes: Any) -> Letter:
    return Letter(
        notice=notice(kind, **changes),
        link=link,
        message_id="<2@sessions.example.org>",
        thread_id="<1@sessions.example.org>",
        date=datetime(2026, 11, 24, 9, 0, 30, tzinfo=UTC),
    )
