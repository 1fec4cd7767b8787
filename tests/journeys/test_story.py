"""The main story on real CalDAV servers, with the real worker threads and real mail."""

from __future__ import annotations

from datetime import timedelta

from connector.domain.facts import FlagReason
from connector.domain.offer import OfferState
from tests.domain.examples import when
from tests.fakes.mailbox import Caught
from tests.journeys.stage import Stage


def invitation(mail: Caught) -> dict[str, str]:
    """The lines of the iCalendar part that matter."""
    (part,) = [part for part in mail.message.walk() if part.get_content_type() == "text/calendar"]
    lines = [line.partition(":") for line in str(part.get_content()).splitlines()]
    return {name: value for name, _, value in lines if name in {"METHOD", "UID", "SEQUENCE", "DTSTART", "STATUS"}}


def test_an_offer_is_held_answered_and_moved_in_the_calendar_and_in_the_mail(stage: Stage) -> None:
    stage.connect()
    stage.start()
    booked = stage.practice.book(48)
    (session,) = stage.until(stage.shown, lambda events: len(events) == 1)
    assert (session.status, session.transparency, session.start) == ("CONFIRMED", "OPAQUE", when(48).span.start)
    (mail,) = stage.mailbox.wait_for(1)
    invited = invitation(mail)
    assert (invited["METHOD"], invited["SEQUENCE"]) == ("REQUEST", "0")
    assert invited["UID"] != session.uid
    stage.settled()  # the first looks at the calendar are over
    stage.owner.note(session.href, "blue folder")
    stage.settled()

    draft = stage.practice.draft(booked, 72, 96, 120)
    stage.settled()
    assert len(stage.shown()) == 1
    assert len(stage.mailbox.messages) == 1

    stage.proxy.forget()
    offer = stage.practice.send(draft).offer
    events = stage.until(stage.shown, lambda events: len(events) == 4)
    holds = [event for event in events if event.status == "TENTATIVE"]
    assert {hold.transparency for hold in holds} == {"OPAQUE"}
    assert [hold.start for hold in holds] == [when(h).span.start for h in (72, 96, 120)]
    stage.settled()
    print(f"requests for an offer of three: {stage.proxy.methods()}")
    # Beside the three holds one look at when the practitioner is not free, and at the event they have touched: alone,
    # or with a hold that is being written at that moment.
    looks = [method for method in stage.proxy.methods() if method != "PUT"]
    assert looks in (["REPORT", "GET"], ["REPORT", "REPORT"])
    assert stage.proxy.count("PUT") == 3
    stage.mailbox.wait_for(2)

    stage.proxy.forget()
    stage.practice.accept(offer, 1)
    (moved,) = stage.until(stage.shown, lambda events: len(events) == 1)
    stage.settled()
    print(f"requests for its acceptance: {stage.proxy.methods()}")
    # The practitioner has touched the event since: 412, read, merge, write. Then the three holds go.
    assert sorted(stage.proxy.methods()) == ["DELETE"] * 3 + ["GET"] + ["PUT"] * 2
    assert (moved.href, moved.uid) == (session.href, session.uid)
    assert (moved.start, moved.status) == (when(96).span.start, "CONFIRMED")
    assert "blue folder" in moved.notes
    mails = stage.mailbox.wait_for(4)
    (told,) = [mail for mail in mails[2:] if mail.recipients == ("alex@client.example",)]
    again = invitation(told)
    assert (again["METHOD"], again["SEQUENCE"], again["UID"]) == ("REQUEST", "1", invited["UID"])
    assert again["DTSTART"] == f"{when(96).span.start:%Y%m%dT%H%M%SZ}"


def test_an_acceptance_nobody_interfered_with_costs_one_put_and_the_removals(stage: Stage) -> None:
    stage.connect()
    stage.start()
    offer = stage.practice.offer(stage.practice.book(48), 72, 96, 120)
    stage.until(stage.shown, lambda events: len(events) == 4)
    stage.settled()
    stage.proxy.forget()
    stage.practice.accept(offer, 2)
    stage.until(stage.shown, lambda events: len(events) == 1)
    stage.settled()
    methods = stage.proxy.methods()
    print(f"requests for an acceptance: {methods}")
    assert sorted(methods) == ["DELETE"] * 3 + ["PUT"]
    assert methods[0] == "PUT"


def test_at_the_deadline_the_holds_go_by_themselves(stage: Stage) -> None:
    stage.connect()
    stage.start()
    booked = stage.practice.book(48)
    offer = stage.practice.offer(booked, 72, 96, window=timedelta(hours=2))
    stage.until(stage.shown, lambda events: len(events) == 3)
    stage.settled()
    stage.wait(hours=2)
    stage.until(stage.shown, lambda events: len(events) == 1)
    stage.settled()
    assert stage.practice.offer_now(offer).state is OfferState.LAPSED
    assert stage.practice.session(booked).flag is FlagReason.LAPSED
    mails = stage.mailbox.wait_for(4)
    assert {mail.recipients[0] for mail in mails[2:]} == {"alex@client.example", stage.practice.kim.email}


def test_a_quiet_look_is_one_request_and_changes_nothing(stage: Stage) -> None:
    stage.connect()
    stage.start()
    stage.practice.offer(stage.practice.book(48), 72, 96)
    stage.until(stage.shown, lambda events: len(events) == 3)
    stage.settled()
    stage.wait(minutes=1)
    stage.until(lambda: stage.proxy.count("REPORT"), lambda count: count >= 2)
    stage.settled()
    stage.wait(minutes=1)  # and another look at what proving the holds has left in the feed
    stage.settled()
    stage.proxy.forget()
    stage.wait(minutes=1)
    stage.until(stage.proxy.count, lambda count: count >= 1)
    stage.settled()
    assert stage.proxy.methods() == ["REPORT"]


def test_an_event_dragged_into_the_past_is_reverted_and_only_the_practitioner_is_told(stage: Stage) -> None:
    stage.connect()
    stage.start()
    booked = stage.practice.book(48)
    (event,) = stage.until(stage.shown, lambda events: len(events) == 1)
    stage.settled()
    stage.wait(minutes=11)
    stage.settled()
    stage.owner.move(event.href, when(-1).span)
    stage.wait(minutes=11)
    stage.settled()
    stage.wait(seconds=61)
    stage.until(stage.shown, lambda events: [one.start for one in events] == [booked.when.span.start])
    stage.settled()
    mails = stage.mailbox.wait_for(2)
    assert [mail.recipients[0] for mail in mails] == ["alex@client.example", stage.practice.kim.email]


def test_a_restart_with_nothing_to_do_does_nothing(stage: Stage) -> None:
    stage.connect()
    stage.start()
    stage.practice.offer(stage.practice.book(48), 72)
    stage.until(stage.shown, lambda events: len(events) == 2)
    stage.settled()
    stage.stop()
    stage.proxy.forget()
    stage.start()
    stage.settled()
    assert stage.proxy.methods() == []
