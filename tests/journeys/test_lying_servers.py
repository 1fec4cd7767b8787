"""Servers that forget, are set back, or keep quiet: nothing is empty for good, and no client is told anything."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest

from connector.domain.notice import PauseReason
from connector.storage.database import Database
from tests.domain.examples import when
from tests.fakes._caldav_store import Kind as Server
from tests.fakes.caldav_liar import LyingServer
from tests.journeys import services
from tests.journeys.services import CaldavService, GoogleService, OutlookService
from tests.journeys.there import There, practising

SLUGS = ["caldav", "google", "outlook", "memory"]
CHANGES = {"deleted": "google", "moved": "outlook", "retitled": "caldav", "copied": "google", "replaced": "caldav"}
REPAIRS = [
    pytest.param(slug, change, marks=() if slug == first else pytest.mark.long)  # the others in the long run
    for change, first in CHANGES.items()
    for slug in SLUGS
]
on_sqlite = pytest.mark.parametrize("database_url", ["sqlite"], indirect=True)
pytestmark = on_sqlite


@pytest.fixture(params=SLUGS)
def there(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[There]:
    with ExitStack() as held:
        server = held.enter_context(LyingServer(Server.SABRE))
        service = held.enter_context(services.service(request.param, tmp_path, server))
        yield held.enter_context(practising(database, service))


@pytest.fixture(params=["google", "outlook"])
def on_series(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[There]:
    """Where a feed tells a series by its occurrences alone."""
    with services.service(request.param, tmp_path) as service, practising(database, service) as there:
        match service:
            case GoogleService():
                service.setting.remote.tells_occurrences = True
            case OutlookService():
                service.setting.mailbox.tells_occurrences = True
        yield there


@pytest.fixture(params=list(Server))
def on_caldav(request: pytest.FixtureRequest, database: Database, tmp_path: Path) -> Iterator[There]:
    with ExitStack() as held:
        server = held.enter_context(LyingServer(request.param))
        service = held.enter_context(services.service("caldav", tmp_path, server))
        yield held.enter_context(practising(database, service))


def test_a_calendar_that_its_server_has_set_back_is_put_right_and_nobody_is_told(there: There) -> None:
    practice = there.practice
    booked = practice.book(48)
    offer = practice.offer(booked, 72, 96)
    there.settle()
    saved = there.service.snapshot()
    practice.accept(offer, 1)
    practice.book(60)
    there.settle()
    right, letters = there.shown(), there.letters()
    there.service.set_back(saved)
    assert there.shown() != right
    there.wait(hours=25)
    there.settle()
    assert there.shown() == right
    assert there.letters() == letters


def test_a_deletion_that_is_never_told_is_found_by_the_nightly_comparison(there: There) -> None:
    practice = there.practice
    booked = practice.book(48)
    there.settle()
    there.service.hide_deletions()
    (event,) = there.service.shown()
    there.service.hand.delete(event.href)
    there.settle()
    assert practice.kinds_told(booked, client=False) == []
    there.wait(hours=25)
    there.settle()
    assert practice.kinds_told(booked, client=False) == ["delete_asked"]


@pytest.mark.parametrize(("there", "change"), REPAIRS, indirect=["there"])
def test_a_resync_repairs_whatever_was_changed_without_our_being_told(there: There, change: str) -> None:
    practice = there.practice
    booked = practice.book(48)
    practice.offer(booked, 72, 96)
    there.settle()
    before, right, letters = there.service.shown(), there.shown(), there.letters()
    there.service.hush()
    change_behind_our_back(there, change)
    changed = there.service.shown()
    assert changed != before
    there.settle()
    assert there.service.shown() == changed, "nobody has told"
    there.service.heal()
    there.resync()
    if change == "copied":  # somebody's wish, perhaps: no conflict, and nothing of ours
        assert there.service.shown() == changed
    else:
        assert there.shown() == right
    assert writes(there) == []
    assert (there.letters(), there.paused(), practice.happened(booked)[-1]) == (letters, None, "OfferSent")


def change_behind_our_back(there: There, change: str) -> None:
    """Do to the event of the session and to one hold what another program may do without any feed telling of it."""
    hand, events = there.service.hand, there.service.shown()
    for event in (events[0], events[-1]):
        match change:
            case "deleted":
                hand.delete(event.href)
            case "moved":
                hand.move(event.href, when(144 if event is events[0] else 168).span)
            case "retitled":
                hand.retitle(event.href, "Lunch")
            case "copied":
                hand.copy(event.href)
            case _:  # written anew elsewhere, as programs move events
                hand.copy(event.href, marked=False)


def writes(there: There) -> list[str]:
    """What another resync would still write."""
    there.service.forget()
    there.resync()
    writing = {"PUT", "DELETE", "POST", "PATCH", "BATCH", "put", "remove"}
    return [request for request in there.service.requests() if request in writing]


def test_a_series_that_is_told_by_its_occurrences_alone_is_one_event_again(on_series: There) -> None:
    there, practice = on_series, on_series.practice
    booked = practice.book(48)
    practice.offer(booked, 72)
    there.settle()
    right = there.shown()
    for event in there.service.shown():
        there.service.hand.make_recurring(event.href)
    assert all(event.recurring for event in there.service.shown())
    there.settle()
    assert there.shown() == right
    assert not [event for event in there.service.shown() if event.recurring]
    assert practice.kinds_told(booked, client=False) == ["entry_put_back", "entry_put_back"]


@pytest.mark.parametrize("there", ["caldav", "google", "outlook"], indirect=True)
@pytest.mark.parametrize("compared", [False, True])
def test_a_quiet_look_costs_one_request_and_a_nightly_comparison_one_listing_more(
    there: There, *, compared: bool
) -> None:
    there.practice.book(48)
    there.practice.book(72, of=there.practice.another_client())
    there.settle()
    if compared:
        there.wait(hours=25)
    there.service.forget()
    there.look()
    look = "REPORT" if there.service.slug == "caldav" else "GET"
    assert there.service.requests() == [look] * (2 if compared else 1)


def test_a_calendar_that_was_deleted_and_made_again_is_not_empty_for_good(on_caldav: There) -> None:
    there, practice = on_caldav, on_caldav.practice
    service = there.service
    assert isinstance(service, CaldavService)
    booked = practice.book(48)
    practice.offer(booked, 72, 96)
    there.settle()
    right, told = there.shown(), practice.kinds_told(booked, client=True)
    service.delete_calendar()
    there.settle()
    assert there.paused() == PauseReason.MISSING
    service.make_again()
    there.settle()
    assert there.shown() == right
    assert there.paused() is None
    assert practice.kinds_told(booked, client=True) == told
