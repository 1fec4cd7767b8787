"""Why something stands in a calendar: what it is, who brought it about, and what follows."""

from __future__ import annotations

from datetime import timedelta
from zoneinfo import ZoneInfo

import pytest

from connector.domain.span import Span
from connector.domain.unreadable import Unreadable
from connector.errors import RefusedError
from connector.ports import UnreadEvent
from providers.memory.provider import MemoryCalendar
from tests.cli.keyboard import Cli, ahead
from tests.cli.test_connection_upkeep import connection
from tests.cli.worker import pull, read_free_busy


def hrefs(calendar: MemoryCalendar) -> dict[str, str]:
    """Return the address of each event by its title."""
    return {event.shown.title: event.href for event in calendar.events.values()}


def test_a_hold_is_explained_by_its_offer(practice: Cli, calendar: MemoryCalendar) -> None:
    session = practice.book()
    practice.offer(session, ahead(8, "09:00"))
    practice.ok("resync", "--wait")
    said = practice.ok("explain", hrefs(calendar)["Hold: A. O."])
    assert "A time offered to Alex Okoro instead of their session" in said
    assert "09:00 (Europe/Berlin)" in said
    assert "1 time offered and held" in said
    assert "entered by" in said
    assert "It goes once the client has answered, and at the latest on" in said
    assert "What happened" in said
    assert session in said


@pytest.mark.parametrize("suffix", ["", ".ics"])
def test_a_session_is_explained_by_its_booking(practice: Cli, calendar: MemoryCalendar, suffix: str) -> None:
    practice.book()
    practice.ok("resync", "--wait")
    said = practice.ok("explain", hrefs(calendar)["Session: A. O."] + suffix)
    assert "The session with Alex Okoro, booked for" in said
    assert "It is as it should be" in said


def test_a_session_explains_every_event_of_it(practice: Cli, calendar: MemoryCalendar) -> None:
    session = practice.book()
    practice.offer(session, ahead(8), ahead(9))
    practice.ok("resync", "--wait")
    told = practice.json("explain", session)
    assert sorted(one["kind"] for one in told) == ["hold", "hold", "session"]
    assert {one["session_id"] for one in told} == {session}
    assert {one["remote_address"] for one in told} == set(calendar.events)
    assert told[0]["timeline"][0]["what"].startswith("Session booked for")
    assert practice.ok("explain", session).count("What happened") == 1


def test_what_waits_to_be_decided_is_said(practice: Cli, calendar: MemoryCalendar) -> None:
    practice.book()
    practice.ok("resync", "--wait")
    href = hrefs(calendar)["Session: A. O."]
    pull(practice)
    calendar.delete(href)
    pull(practice)
    assert "It was deleted in the calendar on" in practice.ok("explain", href)
    pull(practice, later=timedelta(seconds=61))
    assert "asked what deleting it means" in practice.ok("explain", href)


def test_a_stopped_calendar_is_said(practice: Cli, calendar: MemoryCalendar) -> None:
    for day in (7, 8):
        practice.book(day)
    practice.ok("resync", "--wait")
    href = hrefs(calendar)["Session: A. O."]
    pull(practice)
    calendar.wipe()
    pull(practice)
    assert connection(practice)["calendar"]["stopped"]
    assert "Nothing is done about this calendar until somebody says how to go on" in practice.ok("explain", href)


def test_what_is_not_ours_is_said_to_be_untouched(practice: Cli, calendar: MemoryCalendar) -> None:
    practice.book()
    practice.ok("resync", "--wait")
    said = practice.refused("explain", "dentist@example.org")
    assert "Nothing of ours is called “dentist@example.org”" in said
    assert "not touched" in said
    assert len(calendar.shown()) == 1


def test_what_was_dragged_is_said_to_stand_where_it_stands(practice: Cli, calendar: MemoryCalendar) -> None:
    practice.book()
    practice.ok("resync", "--wait")
    href = hrefs(calendar)["Session: A. O."]
    pull(practice)
    span = calendar.events[href].span
    calendar.move(href, Span.of(span.start + timedelta(hours=3), span.duration))
    pull(practice)
    [told] = practice.json("explain", href)
    local = (span.start + timedelta(hours=3)).astimezone(ZoneInfo("Europe/Berlin"))
    assert told["stands"].startswith(f"In the calendar it stands at {local:%A %d %B %Y, %H:%M} (Europe/Berlin). ")
    assert "last looked at on" in told["stands"]
    assert "as it should" not in told["stands"]


def test_an_event_is_found_by_its_whole_address(practice: Cli, calendar: MemoryCalendar) -> None:
    practice.book()
    practice.ok("resync", "--wait")
    href = hrefs(calendar)["Session: A. O."]
    said = practice.ok("explain", f"https://dav.example/calendars/kim/{href}.ics")
    assert "as it should" in said
    assert "compared as a whole on" in said


def test_an_event_that_is_refused_is_said_to_be_tried_again(practice: Cli, calendar: MemoryCalendar) -> None:
    session = practice.book()
    practice.ok("resync", "--wait")
    href = hrefs(calendar)["Session: A. O."]
    calendar.fail(RefusedError("the calendar was made read-only"), on="put", times=9)
    move = ("--at", ahead(9), "--agreed-by", "Alex", "--channel", "on the phone", "--despite-conflict")
    practice.ok("sessions", "reschedule", session, *move)
    practice.refused("resync", "--wait")
    said = practice.ok("explain", href)
    assert "The calendar takes no entries (since " in said
    assert "the calendar was made read-only. The calendar service refuses it to this account. Next try: " in said
    assert "It is written as soon as that is possible." in said


def test_events_beside_it_that_could_not_be_read_are_said(practice: Cli, calendar: MemoryCalendar) -> None:
    session = practice.book()
    practice.ok("resync", "--wait")
    assert practice.json("explain", session)[0]["unread_events"] == []
    calendar.unreadable = [UnreadEvent(href="/1.ics", reason=Unreadable.START)] * 2
    practice.offer(session, ahead(8))
    read_free_busy(practice)
    said = practice.ok("explain", session)
    assert "In the same calendar 2 events could not be read" in said
    assert "when it begins makes no sense" in said
    (told, *_) = practice.json("explain", session)
    assert [(one["reason"], one["events"]) for one in told["unread_events"]] == [("start", 2)]
