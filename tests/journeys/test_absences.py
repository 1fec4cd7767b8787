"""An out-of-office event in a real calendar leads to one question and, unanswered, to nothing."""

from __future__ import annotations

from connector.services.sync import free_busy
from connector.services.views.absences import open_absences
from connector.storage.ledger import Kind
from tests.domain.examples import when
from tests.journeys.stage import Stage
from tests.services.fences import OURS

AWAY = (
    "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:away\r\nDTSTAMP:20260301T000000Z\r\n"
    "SUMMARY:Away\r\nDTSTART:{start:%Y%m%dT%H%M%SZ}\r\nDTEND:{end:%Y%m%dT%H%M%SZ}\r\n"
    "X-MICROSOFT-CDO-BUSYSTATUS:OOF\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
)


def test_an_absence_on_a_caldav_server_is_asked_about_once(on_radicale: Stage) -> None:
    stage, practice = on_radicale, on_radicale.practice
    calendar = stage.connect()
    booked = practice.book(72)
    span = when(71, minutes=180).span
    stage.owner.add_text(AWAY.format(start=span.start, end=span.end))

    def read() -> None:
        remote = stage.runtime.remote(calendar.id)
        free_busy.read(stage.runtime.database, stage.runtime.policy, calendar.id, remote, fence=OURS, now=practice.now)
        practice.carry_out(Kind.ABSENCE)

    def asked() -> list[list[object]]:
        with stage.runtime.database.read() as db:
            found = open_absences(db, practice.kim.id, now=practice.now)
        return [[one.session.id for one in page.sessions] for page in found]

    practice.wait(minutes=1)
    read()
    assert asked() == []
    for _ in range(3):
        practice.wait(minutes=10)
        read()
        assert asked() == [[booked.id]]
    practice.wait(hours=72)
    read()
    assert asked() == []
    assert practice.session(booked) == booked
