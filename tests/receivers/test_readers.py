"""What we send is read by others as it was meant, wherever and whenever the clocks change."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Literal
from zoneinfo import ZoneInfo

import pytest
import vobject
from ical.calendar_stream import CalendarStream

from connector.domain.notice import NoticeKind
from connector.domain.session import Session, SessionState
from connector.domain.span import When
from connector.ical.publishing import publish
from connector.language.offered import ENGLISH_ONLY, Languages
from connector.language.telling import Teller
from connector.services.views.published import for_client
from tests.outbox.people import SESSION
from tests.receivers.broken import LIFE, written
from tests.receivers.mails import read
from tests.receivers.readers import READERS, Reading, by_ical_js

ZONES = (
    "Europe/London",
    "America/New_York",
    "Australia/Sydney",
    "Europe/Berlin",
    "Europe/Dublin",
    "Europe/Lisbon",
    "Europe/Athens",
    "Europe/Chisinau",
    "Africa/Cairo",
    "Africa/Casablanca",
    "Asia/Beirut",
    "Asia/Jerusalem",
    "Asia/Kathmandu",
    "Asia/Tehran",
    "America/Chicago",
    "America/Havana",
    "America/Los_Angeles",
    "America/Santiago",
    "America/St_Johns",
    "Atlantic/Azores",
    "Australia/Lord_Howe",
    "Pacific/Auckland",
    "Pacific/Chatham",
)
FROM, UNTIL = datetime(2026, 1, 1, tzinfo=UTC), datetime(2036, 1, 1, tzinfo=UTC)
AROUND = [timedelta(minutes=minutes) for minutes in (-90, -60, -30, -10, 0, 30, 60, 90)]
LENGTH = timedelta(minutes=50)

Reader = Callable[[Sequence[str]], list[Reading]]


def marks(reader: Reader) -> list[pytest.MarkDecorator]:
    return [pytest.mark.node] if reader is by_ical_js else []


readers = pytest.mark.parametrize("reader", [pytest.param(one, id=one.__name__, marks=marks(one)) for one in READERS])


def text(session: Session, kind: NoticeKind, *, locale: str = "en") -> str:
    message = read(written(session, kind, locale=locale))
    assert message is not None
    return message.text.decode()


def published(session: Session, *, locale: str = "en") -> str:
    """The session as it is fetched by who subscribes."""
    teller = Teller.to(locale=locale, zone="Europe/Berlin", languages=Languages())
    return publish([for_client(session, teller, "Dr. Kim Beispiel")], name="Sessions").decode()


def meant(session: Session, kind: NoticeKind) -> Reading:
    return Reading(
        uid=session.uid,
        sequence=session.revision,
        method="CANCEL" if kind is NoticeKind.CANCELLED else "REQUEST",
        start=session.when.span.start,
        end=session.when.span.end,
    )


def changes(zone: str, since: datetime, until: datetime) -> Iterator[datetime]:
    """Yield the instants at which the clocks of a zone change."""
    there = ZoneInfo(zone)
    day = since
    while day < until:
        after = day + timedelta(days=1)
        if day.astimezone(there).utcoffset() != after.astimezone(there).utcoffset():
            yield _found(there, day, after)
        day = after


def _found(there: ZoneInfo, before: datetime, after: datetime) -> datetime:
    offset = before.astimezone(there).utcoffset()
    while after - before > timedelta(seconds=1):
        middle = (before + (after - before) / 2).replace(microsecond=0)
        if middle.astimezone(there).utcoffset() == offset:
            before = middle
        else:
            after = middle
    return after


def around(zone: str, instants: Iterable[datetime]) -> Iterator[Session]:
    """Yield sessions at wall times around these instants, in both of an hour that comes twice."""
    for instant in instants:
        for distance in AROUND:
            local = (instant + distance).astimezone(ZoneInfo(zone))
            when = When.at(local.replace(tzinfo=None), zone=zone, duration=LENGTH, fold=_fold(local))
            assert when.span.start == instant + distance
            yield replace(SESSION, when=when)


def _fold(local: datetime) -> Literal[0, 1] | None:
    """Say which of two is meant; None for a time that comes once."""
    if local.replace(fold=0).utcoffset() == local.replace(fold=1).utcoffset():
        return None
    return 1 if local.fold else 0


def check(sessions: Iterable[Session], *by: Reader) -> int:
    told = [(session, kind) for session in sessions for kind in (NoticeKind.BOOKED, NoticeKind.CANCELLED)]
    told = [(_ended(session) if kind is NoticeKind.CANCELLED else session, kind) for session, kind in told]
    texts, meanings = [text(*one) for one in told], [meant(*one) for one in told]
    texts += [published(session) for session, _ in told]
    meanings += [replace(one, method="PUBLISH") for one in meanings]
    for reader in by:
        assert reader(texts) == meanings
    return len(texts)


def _ended(session: Session) -> Session:
    return replace(session, state=SessionState.CANCELLED, revision=session.revision + 1)


@readers
@pytest.mark.parametrize("locale", ["en", "de"])
def test_every_letter_is_read_as_it_was_meant(reader: Reader, locale: str) -> None:
    texts = [text(session, kind, locale=locale) for kind, session in LIFE.items()]

    assert reader(texts) == [meant(session, kind) for kind, session in LIFE.items()]


@readers
@pytest.mark.parametrize("locale", ["en", "de"])
def test_what_is_published_is_read_as_it_was_meant(reader: Reader, locale: str) -> None:
    texts = [published(session, locale=locale) for session in LIFE.values()]

    assert reader(texts) == [replace(meant(session, kind), method="PUBLISH") for kind, session in LIFE.items()]


def test_a_calendar_of_many_sessions_or_of_none_is_read_by_others() -> None:
    events = [
        for_client(session, Teller.to(locale="en", zone="UTC", languages=ENGLISH_ONLY), "Kim")
        for session in _numbered(3)
    ]
    for held in (events, []):
        written = publish(held, name="Sessions").decode()
        uids = [event.uid for event in held]
        [calendar] = CalendarStream.from_ics(written).calendars
        assert [event.uid for event in calendar.events] == uids
        by_vobject = vobject.readOne(written)
        assert [event.uid.value for event in by_vobject.contents.get("vevent", [])] == uids


def _numbered(count: int) -> Iterator[Session]:
    return (replace(SESSION, uid=f"{n}") for n in range(count))


@readers
def test_sessions_around_a_change_of_the_clocks_are_read_as_they_were_meant(reader: Reader) -> None:
    for zone in ZONES[:3]:
        first = next(changes(zone, FROM, UNTIL))

        check(around(zone, [first]), reader)


@pytest.mark.long
@pytest.mark.node
def test_sessions_around_every_change_of_the_clocks_in_ten_years_are_read_as_they_were_meant() -> None:
    told = sum(check(around(zone, changes(zone, FROM, UNTIL)), *READERS) for zone in ZONES)

    assert told > 10_000


def test_a_time_that_is_declined_is_read_by_others_as_that() -> None:
    """It names no time, which RFC 5545 section 3.6.1 allows beside a METHOD."""
    written_ = text(SESSION, NoticeKind.PROPOSAL_DECLINED)
    by_one = vobject.readOne(written_)
    [by_other] = CalendarStream.from_ics(written_).calendars
    [event] = by_other.events
    assert by_one.method.value == by_other.method == "DECLINECOUNTER"
    assert by_one.vevent.uid.value == event.uid == SESSION.uid
    assert int(by_one.vevent.sequence.value) == event.sequence == 1
