"""A client who subscribes to a calendar has each session once: in it, or by the invitation that they had before."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from random import Random

import pytest
import sqlalchemy as sa

from connector.domain.notice import NoticeKind
from connector.domain.people import Level, Medium
from connector.domain.session import Edit, Session
from connector.errors import NotFoundError, RuleError
from connector.ical.publishing import PublishedEvent
from connector.ports import Letter
from connector.services import erasing, publishing
from connector.services.people import change_client
from connector.services.views import published
from connector.services.views.timeline import line_of
from connector.storage import needs, sessions, tables, timeline
from connector.storage.ledger import Kind
from connector.storage.published import PublishedCalendar
from tests.domain.examples import ALEX, KIM, when
from tests.receivers.histories import PLACES, MailServer
from tests.receivers.mails import read
from tests.services.practice import SEAL, Practice
from tests.services.telling import ENGLISH
from tests.services.test_receiving import reply, take_in


@pytest.fixture
def server(practice: Practice) -> MailServer:
    server = MailServer(Random(0), from_address=practice.policy.organizer)
    practice.runtime.sender = server
    return server


def subscribe(practice: Practice, *, replaces: PublishedCalendar | None = None) -> PublishedCalendar:
    with practice.database.begin() as db:
        calendar = publishing.open_for_client(
            db, SEAL, practice.alex.id, by=ALEX, now=practice.now, replaces=replaces.id if replaces else None
        )
    practice.mail()
    return calendar


def unsubscribe(practice: Practice) -> None:
    with practice.database.begin() as db:
        publishing.end_for_client(db, practice.alex.id, by=ALEX, now=practice.now)
    practice.mail()


def publish(practice: Practice, level: Level = Level.INITIALS) -> PublishedCalendar:
    with practice.database.begin() as db:
        return publishing.open_for_practitioner(
            db, SEAL, practice.kim.id, session_level=level, hold_level=level, by=KIM, now=practice.now
        )


def events(practice: Practice, calendar: PublishedCalendar) -> tuple[PublishedEvent, ...]:
    with practice.database.read() as db:
        return published.content(db, calendar, brand="Pencilled", now=practice.now).events


def fetched(practice: Practice, calendar: PublishedCalendar) -> bool:
    """Whether anything is to be fetched at a calendar's address."""
    token = publishing.token_of(SEAL, calendar)
    with practice.database.read() as db:
        return published.fetched(db, token, brand="Pencilled", now=practice.now) is not None


def invitations(server: MailServer) -> list[tuple[NoticeKind, str]]:
    """Which letters came about sessions, and which of them ask for something in a calendar."""
    about = [(kind, raw) for _, kind, raw in server.taken if kind is not NoticeKind.SUBSCRIBED]
    return [(kind, message.method if (message := read(raw)) else "") for kind, raw in about]


def test_what_is_booked_for_somebody_who_subscribes_is_in_their_calendar_and_in_no_invitation(
    practice: Practice, server: MailServer
) -> None:
    calendar = subscribe(practice)
    session = practice.book(48)
    practice.move(session, when(72))
    assert invitations(server) == [(NoticeKind.BOOKED, ""), (NoticeKind.MOVED, "")]
    [event] = events(practice, calendar)
    now = practice.session(session)
    assert (event.uid, event.sequence, event.span, event.stamp) == (now.uid, now.revision, now.when.span, now.stamp)
    assert not event.is_cancelled


def test_what_a_letter_has_invited_to_stays_an_invitation_and_out_of_the_calendar(
    practice: Practice, server: MailServer
) -> None:
    invited = practice.book(48)
    calendar = subscribe(practice)
    practice.move(invited, when(72))
    practice.cancel(invited)
    assert [method for _, method in invitations(server)] == ["REQUEST", "REQUEST", "CANCEL"]
    assert events(practice, calendar) == ()


def test_what_has_certainly_not_been_told_is_published_and_what_may_have_been_is_not(
    practice: Practice, server: MailServer
) -> None:
    practice.prompt = False
    doubtful = practice.book(48)
    server.is_well, server.pick = False, _Lost(0)
    practice.mail()
    untold = practice.book(72)
    calendar = subscribe(practice)
    server.is_well = True
    practice.wait(hours=1)
    practice.mail()
    assert [event.uid for event in events(practice, calendar)] == [untold.uid]
    assert {uid for _, _, raw in server.taken if (uid := _uid(raw))} == {doubtful.uid}


def test_a_letter_that_is_on_its_way_just_then_counts_as_an_invitation(practice: Practice, server: MailServer) -> None:
    begun: list[PublishedCalendar] = []

    class Slow:
        def send(self, letter: Letter) -> None:
            with practice.database.begin() as db:
                begun.append(publishing.open_for_client(db, SEAL, practice.alex.id, by=ALEX, now=practice.now))
            server.send(letter)

    practice.runtime.sender = Slow()
    practice.book(48)
    assert invitations(server) == [(NoticeKind.BOOKED, "REQUEST")]
    assert events(practice, begun[0]) == ()


class _Lost(Random):
    def choice(self, _among: object) -> str:  # type: ignore[override]
        return "lost"


def _uid(raw: bytes) -> str:
    message = read(raw)
    return message.uid if message else ""


def test_who_goes_back_is_sent_the_current_invitation_once_and_every_change_from_then_on(
    practice: Practice, server: MailServer
) -> None:
    calendar = subscribe(practice)
    session = practice.book(48)
    practice.edit(session, Edit(location=PLACES[1]))
    unsubscribe(practice)
    assert invitations(server)[-1] == (NoticeKind.BOOKED, "REQUEST")
    message = read(server.taken[-1][2])
    assert message is not None
    now = practice.session(session)
    assert (message.uid, message.sequence, message.place) == (session.uid, now.revision, now.location.text)
    unsubscribe(practice)
    assert len(server.taken) == 3
    practice.cancel(session)
    assert invitations(server)[-1] == (NoticeKind.CANCELLED, "CANCEL")
    assert not fetched(practice, calendar)


def test_a_cancelled_session_stays_in_the_calendar_as_cancelled_for_a_month(
    practice: Practice, server: MailServer
) -> None:
    calendar = subscribe(practice)
    session = practice.book(24 * 60)
    practice.cancel(session)
    [event] = events(practice, calendar)
    assert (event.uid, event.is_cancelled, event.sequence) == (session.uid, True, practice.session(session).revision)
    assert invitations(server)[-1] == (NoticeKind.CANCELLED, "")
    practice.wait(days=31)
    assert events(practice, calendar) == ()


def test_texts_are_the_same_whether_somebody_subscribes_or_not(practice: Practice, server: MailServer) -> None:
    practice.policy = replace(practice.policy, media=frozenset(Medium))
    with practice.database.begin() as db:
        changes = {"phone": "+4930123456", "media": frozenset(Medium), "texts_agreed": True}
        change_client(db, practice.alex.id, changes, by=KIM, now=practice.now)
    subscribe(practice)
    session = practice.book(48)
    unsubscribe(practice)
    subscribe(practice)
    told = practice.told(session, client=True)
    assert [one.kind for one in told if one.medium is Medium.SMS] == [NoticeKind.BOOKED]
    assert len(invitations(server)) == 2


def test_who_is_reached_by_text_alone_has_every_session_in_their_calendar(practice: Practice) -> None:
    practice.policy = replace(practice.policy, media=frozenset(Medium))
    with practice.database.begin() as db:
        changes = {"phone": "+4930123456", "media": frozenset({Medium.SMS}), "texts_agreed": True}
        change_client(db, practice.alex.id, changes, by=KIM, now=practice.now)
    session = practice.book(48)
    calendar = subscribe(practice)
    assert [event.uid for event in events(practice, calendar)] == [session.uid]
    assert len(practice.told(session, client=True)) == 1


def test_another_address_holds_the_same_and_ends_the_one_before(practice: Practice) -> None:
    former = subscribe(practice)
    practice.book(48)
    again = subscribe(practice)
    assert again == former, "a form that is sent twice replaces nothing"
    new = subscribe(practice, replaces=former)
    assert new.digest != former.digest
    assert not fetched(practice, former)
    assert len(events(practice, new)) == 1


def test_a_letter_that_invites_nobody_cannot_be_answered_by_a_calendar_program(practice: Practice) -> None:
    subscribe(practice)
    session = practice.book(48)
    practice.runtime = replace(
        practice.runtime, settings=replace(practice.runtime.settings, mail_server_id="mx.pencilled.example")
    )
    assert take_in(practice, reply(practice, session)) == ["unknown"]
    unsubscribe(practice)
    assert take_in(practice, reply(practice, session, stamp="20261123T100000Z"))[-1] == "applies"


def test_an_erased_client_has_no_calendar_and_gets_none(practice: Practice) -> None:
    calendar = subscribe(practice)
    practice.cancel(practice.book(48))
    with practice.database.begin() as db:
        erasing.erase(db, practice.policy, practice.alex.id, by=KIM, now=practice.now)
    with pytest.raises(NotFoundError):
        fetched(practice, calendar)
    with pytest.raises(RuleError, match="erased"):
        subscribe(practice)


def test_a_practitioners_calendar_shows_sessions_and_holds_as_much_as_they_let_it(practice: Practice) -> None:
    session = practice.book(48)
    offer = practice.offer(session, 72, 96)
    calendar = publish(practice)
    shown = events(practice, calendar)
    assert [event.summary for event in shown] == ["Session: A. C.", "Hold: A. C.", "Hold: A. C."]
    assert [event.is_tentative for event in shown] == [False, True, True]
    assert not any(event.location for event in shown)
    assert session.uid not in {event.uid for event in shown}
    practice.accept(offer)
    [moved] = events(practice, calendar)
    assert (moved.uid, moved.span) == (shown[0].uid, offer.alternatives[0].when.span)
    assert [event.summary for event in events(practice, publish_again(practice, calendar))] == ["Session: Alex Client"]


def publish_again(practice: Practice, former: PublishedCalendar) -> PublishedCalendar:
    with practice.database.begin() as db:
        return publishing.open_for_practitioner(
            db,
            SEAL,
            practice.kim.id,
            session_level=Level.FULL,
            hold_level=Level.FULL,
            by=KIM,
            now=practice.now,
            replaces=former.id,
        )


def test_only_what_is_their_own_is_in_anybodys_calendar(practice: Practice) -> None:
    calendar = subscribe(practice)
    practice.book(48, of=practice.another_client())
    assert events(practice, calendar) == ()
    assert len(events(practice, publish(practice))) == 1


def test_what_changed_about_it_stands_in_the_history_of_the_session(practice: Practice) -> None:
    subscribe(practice)
    session = practice.book(48)
    unsubscribe(practice)
    with practice.database.read() as db:
        lines = [line_of(fact, ENGLISH).what for fact in timeline.of_session(db, session.id)]
    assert "Changed about the client: calendar subscription ended" in lines


def test_what_was_revoked_is_forgotten_after_ninety_days(practice: Practice) -> None:
    calendar = subscribe(practice)
    unsubscribe(practice)
    practice.wait(days=91)
    with practice.database.begin() as db:
        db.execute(sa.text("DELETE FROM due WHERE kind = 'upkeep'"))
        needs.make_missing_due(db, now=practice.now)
    practice.carry_out(Kind.UPKEEP)
    with pytest.raises(NotFoundError):
        fetched(practice, calendar)
    with practice.database.read() as db:
        assert db.execute(sa.select(tables.published_calendars)).all() == []


def test_a_token_is_stored_as_its_hash_alone_and_is_known_again_under_a_former_key(practice: Practice) -> None:
    calendar = subscribe(practice)
    token = publishing.token_of(SEAL, calendar)
    rotated = type(SEAL)(
        ["another key of at least thirty-two characters", "a test key of at least thirty-two characters"]
    )
    assert len(token) == 26
    assert publishing.token_of(rotated, calendar) == token
    assert publishing.token_of(type(SEAL)(["another key of at least thirty-two characters"]), calendar) == ""
    with practice.database.read() as db:
        [row] = db.execute(sa.select(tables.published_calendars)).all()
    assert token not in repr(tuple(row))


def test_it_is_said_since_when_a_calendar_holds_what_it_holds_and_each_change_is_a_second_apart(
    practice: Practice,
) -> None:
    calendar = subscribe(practice)
    first = publishing.note_fetched(practice.database, calendar, "one", now=practice.now)
    again = publishing.note_fetched(practice.database, stored(practice), "one", now=practice.now + timedelta(hours=2))
    other = publishing.note_fetched(practice.database, stored(practice), "two", now=practice.now)
    assert (first, again, other) == (practice.now, practice.now, practice.now + timedelta(seconds=1))


def stored(practice: Practice) -> PublishedCalendar:
    with practice.database.read() as db:
        page = published.client_page(
            db, SEAL, publishing.link_token(SEAL, _any(practice).id, practice.alex.email), now=practice.now
        )
    assert page.calendar is not None
    return page.calendar


def _any(practice: Practice) -> Session:
    return practice.book(48 + 24 * len(practice.kept()))


def test_what_is_published_is_bounded_in_time_and_number(practice: Practice) -> None:
    practice.prompt = False
    for hours in (-24 * 20, 48, 72, 24 * 500):
        _book_whenever(practice, hours)
    assert [_hours(practice, one) for one in _to_publish(practice, most=9)] == [-24 * 20, 48, 72]
    assert [_hours(practice, one) for one in _to_publish(practice, most=2)] == [-24 * 20, 48]


def _to_publish(practice: Practice, *, most: int) -> Sequence[Session]:
    since, until = practice.now - published.BEFORE, practice.now + published.AFTER
    with practice.database.read() as db:
        return sessions.to_publish(db, practitioner_id=practice.kim.id, since=since, until=until, most=most)


def _book_whenever(practice: Practice, hours: float) -> None:
    """Book a session at a time that may be over by now."""
    now = practice.now
    practice.wait(hours=min(hours - 1, 0))
    practice.book(hours)
    practice.now = now


def _hours(practice: Practice, session: Session) -> float:
    return (session.when.span.start - practice.now) / timedelta(hours=1)


@pytest.mark.parametrize("count", [1, 40])
def test_however_much_is_published_it_takes_a_few_statements(practice: Practice, count: int) -> None:
    calendar = publish(practice)
    practice.prompt = False
    for n in range(count):
        practice.book(48 + n)
    statements: list[str] = []
    with practice.database.read() as db:
        sa.event.listen(db, "before_cursor_execute", lambda *about: statements.append(about[2]))
        content = published.content(db, calendar, brand="Pencilled", now=practice.now)
    assert len(content.events) == count
    assert len(statements) <= 5
