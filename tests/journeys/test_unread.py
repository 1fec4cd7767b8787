"""An event that cannot be read takes the time it begins at, and is told at every door until it can be read."""

from __future__ import annotations

from datetime import timedelta

from connector.domain.unreadable import Unreadable
from connector.services.scheduling import conflicts
from connector.services.scheduling.conflicts import Findings
from connector.services.views.unread import UnreadReason, of_calendars
from connector.storage import calendars
from tests.domain.examples import when
from tests.journeys.stage import Stage

EVENT = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:every-second\r\nDTSTAMP:20260301T000000Z\r\n"
    "SUMMARY:Lunch with Alex\r\nDTSTART:{start:%Y%m%dT%H%M%SZ}\r\nDTEND:{end:%Y%m%dT%H%M%SZ}\r\n{rule}"
    "END:VEVENT\r\nEND:VCALENDAR\r\n"
)


def look(stage: Stage, hours: float) -> Findings:
    """Look what is known against a time, as every door does before it saves one."""
    stage.runtime.read_busy(stage.practice.kim.id, [when(hours)])
    with stage.runtime.database.read() as db:
        return conflicts.find(db, stage.runtime.policy, stage.practice.kim.id, [when(hours)], now=stage.now)


def unread(stage: Stage) -> list[UnreadReason]:
    with stage.runtime.database.read() as db:
        views = of_calendars(db, [calendars.calendar(db, stage.calendar.id)])
    return [one for view in views for one in view.reasons]


def test_an_event_too_dense_to_count_is_busy_where_it_begins_and_told_until_it_is_mended(on_radicale: Stage) -> None:
    stage, span = on_radicale, when(72).span
    stage.connect()
    href = stage.owner.add_text(EVENT.format(start=span.start, end=span.end, rule="RRULE:FREQ=SECONDLY\r\n"))
    findings = look(stage, 72)
    assert {other.calendar for _, other in findings.standing} == {stage.calendar.name}
    assert "holds an event that could not be read" in str(findings.sentences)
    assert [(one.reason, one.events, one.starts) for one in unread(stage)] == [(Unreadable.TOO_DENSE, 1, (span.start,))]
    before = look(stage, 48)
    assert (before.standing, [spot.events for spot in before.blind]) == ((), [1])
    stage.owner.put(href, EVENT.format(start=span.start, end=span.end, rule=""))
    stage.now += timedelta(minutes=1)
    assert "could not be read" not in str(look(stage, 72).sentences)
    assert unread(stage) == []
