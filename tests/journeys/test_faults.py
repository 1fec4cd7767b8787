"""Bad input and faults: whoever can act is told in plain words, nothing is lost, and the work goes on afterwards."""

from __future__ import annotations

import pytest

from connector.domain.session import Session
from connector.errors import AccessLostError, ProviderError, RuleError
from connector.sentence import Sentence
from connector.storage import calendars
from tests.fakes.caldav_proxy import hang_up, lose_answer, says
from tests.journeys.stage import Stage

FAULTS = {
    "is down": says(503),
    "answers 500": says(500),
    "answers garbage": says(200, b"\x00<<<not a calendar server"),
    "hangs up": hang_up,
    "loses the answer after it has written": lose_answer,
    "asks for patience": says(429, Retry_After="30"),
    "is locked": says(423),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_holds_appear_once_a_server_that_failed_is_well_again(on_radicale: Stage, fault: str) -> None:
    stage = on_radicale
    stage.connect()
    stage.start()
    booked = stage.practice.book(48)
    stage.until(stage.shown, lambda seen: len(seen) == 1)
    stage.settled()
    stage.proxy.always("PUT", FAULTS[fault])
    offer = stage.practice.offer(booked, 72, 96)
    stage.until(lambda: trouble(stage), bool)
    stage.settled()
    assert stage.practice.offer_now(offer).held, "the times are kept free here all the same"
    stage.proxy._always.clear()
    stage.wait(minutes=20)
    stage.until(stage.shown, lambda seen: len(seen) == 3)
    stage.settled()
    assert trouble(stage) is None
    assert len(stage.shown()) == 3
    stage.mailbox.wait_for(2)


def test_a_412_in_the_middle_is_read_merged_and_written_again(on_radicale: Stage) -> None:
    stage = on_radicale
    stage.connect()
    stage.start()
    booked = stage.practice.book(48)
    stage.until(stage.shown, lambda seen: len(seen) == 1)
    stage.settled()
    stage.proxy.once("PUT", says(412))
    offer = stage.practice.offer(booked, 72, 96)
    stage.until(stage.shown, lambda seen: len(seen) == 3)
    stage.settled()
    stage.proxy.once("PUT", says(412), times=2)
    stage.practice.accept(offer, 0)
    stage.until(stage.shown, lambda seen: [one.start for one in seen] == [offer.alternatives[0].when.span.start])


def test_a_wrong_password_is_said_to_be_wrong_and_nothing_is_kept(on_radicale: Stage) -> None:
    with pytest.raises(AccessLostError, match="password"):
        on_radicale.connect(password="wrong")
    with on_radicale.runtime.database.read() as db:
        assert calendars.connections_of(db) == []


def test_an_address_that_is_no_calendar_server_is_said_to_be_none(on_radicale: Stage) -> None:
    for method in ("PROPFIND", "OPTIONS", "GET"):
        on_radicale.proxy.always(method, says(200, b"<html>Welcome to nginx!</html>", Content_Type="text/html"))
    with pytest.raises((RuleError, ProviderError)) as refusal:
        on_radicale.connect()
    assert "calendar" in str(refusal.value).lower()


def test_a_password_revoked_later_is_noticed_told_once_and_stops_the_sending(on_radicale: Stage) -> None:
    stage = on_radicale
    stage.connect()
    stage.start()
    booked = stage.practice.book(48)
    stage.until(stage.shown, lambda seen: len(seen) == 1)
    stage.settled()
    stage.proxy.forget()
    stage.proxy.always("REPORT", says(401))
    stage.proxy.always("PUT", says(401))
    stage.wait(minutes=11)  # one polling interval
    mails = stage.mailbox.wait_for(2)
    assert mails[1].recipients == (stage.practice.kim.email,)
    stage.settled()
    tried = stage.proxy.count()
    draft = stage.practice.draft(booked, 72)
    with pytest.raises(RuleError, match="Reconnect"):
        stage.practice.send(draft)
    stage.wait(minutes=30)
    stage.settled()
    assert stage.proxy.count() == tried, "a refused password is not tried again"
    assert len(stage.mailbox.messages) == 2


def test_a_calendar_that_was_deleted_is_told_and_reaches_no_client(on_radicale: Stage) -> None:
    stage = on_radicale
    stage.connect()
    stage.start()
    stage.practice.book(48)
    stage.until(stage.shown, lambda seen: len(seen) == 1)
    stage.settled()
    stage.server.send("DELETE", stage.owner.url)
    stage.wait(minutes=11)
    stage.settled()
    stage.wait(seconds=61)
    mails = stage.mailbox.wait_for(2)
    stage.settled()
    with stage.runtime.database.read() as db:
        (calendar,) = calendars.calendars_of(db)
    assert (calendar.paused, str(calendar.read_trouble)) == ("missing", "the calendar is no longer there")
    assert [mail.recipients[0] for mail in mails] == ["alex@client.example", stage.practice.kim.email]
    stage.wait(hours=2)
    stage.settled()
    assert len(stage.mailbox.messages) == 2


def test_a_mail_server_that_is_busy_gets_the_same_letter_later(on_radicale: Stage) -> None:
    stage = on_radicale
    stage.start()
    stage.mailbox.refuse_with(451)
    booked = stage.practice.book(48)
    stage.until(lambda: [message.error for message in stage.practice.told(booked)], any)
    assert stage.practice.told(booked)[0].state == "queued"
    stage.mailbox.refuse_with(None)
    stage.wait(minutes=20)
    (mail,) = stage.mailbox.wait_for(1)
    assert mail.message["Message-ID"] == stage.practice.told(booked)[0].message_id
    stage.until(lambda: states(stage, booked), lambda seen: seen == ["sent"])


def test_an_address_that_is_refused_for_good_is_told_to_the_practitioner(on_radicale: Stage) -> None:
    stage = on_radicale
    stage.start()
    stage.mailbox.refuse_with(550)
    booked = stage.practice.book(48)
    stage.until(lambda: states(stage, booked), lambda seen: seen == ["refused"])
    stage.mailbox.refuse_with(None)
    stage.wait(minutes=20)
    (mail,) = stage.mailbox.wait_for(1)
    assert mail.recipients == (stage.practice.kim.email,)
    assert "NoticeRefused" in stage.practice.happened(booked)


def states(stage: Stage, session: Session) -> list[str]:
    return [message.state.value for message in stage.practice.told(session, client=True)]


def trouble(stage: Stage) -> Sentence | None:
    with stage.runtime.database.read() as db:
        return calendars.calendar(db, stage.calendar.id).trouble
