"""What a hand does and a switch turns is what each service then shows: the stories rest on it."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from uuid import uuid4

import pytest

from connector.domain.entry import Content
from connector.domain.reconcile import Put, Ref, name_for
from connector.domain.span import Span
from connector.errors import AccessLostError, MissingError, RefusedError, SyncTokenExpiredError, TransientError
from connector.ports import Account, Changes, Failed, ListsBusy, RemoteCalendar, Removed, UnsavedTokens
from tests.fakes.servers import Server
from tests.journeys import services
from tests.journeys.services import Hand, Service, Shown
from tests.providers.contract import again, content, creation, failure, removal, written

SLUGS = ["caldav", "google", "outlook", "memory"]
LATER = content(hours=5).span


@pytest.fixture(params=SLUGS)
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    server: Server | None = request.getfixturevalue("radicale_server") if request.param == "caldav" else None
    with services.service(request.param, tmp_path, server) as running:
        yield running


@pytest.fixture
def account(there: Service) -> Account:
    return there.provider.account(UnsavedTokens(there.credentials), there.network)


@pytest.fixture
def remote(there: Service, account: Account) -> RemoteCalendar:
    return account.open(there.remote_id)


@pytest.fixture
def ref(remote: RemoteCalendar) -> Ref:
    (outcome,) = written(remote.apply([creation()]))
    return outcome.ref


def href(ref: Ref) -> str:
    assert ref.href
    return ref.href


def only(there: Service) -> Shown:
    (event,) = there.shown()
    return event


def told(feed: Changes) -> tuple[list[str], list[str]]:
    return [one.href for one in feed.changed], list(feed.gone)


def test_what_we_write_is_shown(there: Service, ref: Ref) -> None:
    span = content().span
    assert only(there) == Shown(
        href=href(ref), start=span.start, end=span.end, title="Hold: K.", status="tentative", notes=only(there).notes
    )


def named(put: Put) -> Put:
    """Give a creation a name as entries have."""
    return replace(put, ref=Ref(name=name_for(uuid4(), put.key, 1)))


def listed(remote: RemoteCalendar, since: datetime) -> dict[str | None, tuple[str, Content | None, bool]]:
    return {one.name: (one.sighting.href, one.sighting.content, one.marked) for one in remote.listing(since)}


def test_a_listing_has_everything_of_ours_that_is_to_come_and_nothing_else(
    there: Service, remote: RemoteCalendar
) -> None:
    span = content().span
    past, first, moved, odd = (named(creation(content(hours=hours))) for hours in (-30, 0, 2, 4))
    refs = [outcome.ref for put in (past, first, moved, odd) for outcome in written(remote.apply([put]))]
    there.hand.add(span)
    there.hand.move(href(refs[2]), LATER)
    there.hand.make_all_day(href(refs[3]))
    assert listed(remote, span.start) == {
        first.ref.name: (href(refs[1]), content(), True),
        moved.ref.name: (href(refs[2]), content(hours=5), True),
        odd.ref.name: (href(refs[3]), None, True),
    }


def test_what_is_busy_tells_which_entry_of_ours_it_is(there: Service, remote: RemoteCalendar) -> None:
    put = named(creation())
    written(remote.apply([put]))
    foreign = there.hand.add(content(hours=3).span)
    day = Span(start=content().span.start - timedelta(days=1), end=content().span.end + timedelta(days=1))
    events = remote.list_busy(day).times if isinstance(remote, ListsBusy) else remote.busy(day).times
    assert {busy.href == foreign: busy.name for busy in events} == {False: put.ref.name, True: None}


def test_a_calendar_that_is_gone_has_no_listing(there: Service, remote: RemoteCalendar) -> None:
    written(remote.apply([named(creation())]))
    there.vanish()
    with pytest.raises(MissingError):
        remote.listing(content().span.start)


TOUCHES: dict[str, Callable[[Hand, str], None]] = {
    "note": lambda hand, href: hand.note(href, "blue folder"),
    "colour": lambda hand, href: hand.colour(href),
    "remind": lambda hand, href: hand.remind(href),
    "rezone": lambda hand, href: hand.rezone(href, "America/New_York"),
}


@pytest.mark.parametrize("touch", TOUCHES)
def test_a_touch_is_news_but_changes_nothing_of_ours(
    there: Service, remote: RemoteCalendar, ref: Ref, touch: str
) -> None:
    token = remote.changes(None).token
    TOUCHES[touch](there.hand, href(ref))
    assert told(remote.changes(token)) == ([ref.href], [])
    sighting = remote.read([ref])[ref.name]
    assert sighting
    assert sighting.etag != ref.etag
    assert sighting.content == content()
    assert (only(there).start, only(there).title) == (content().span.start, "Hold: K.")
    assert ("blue folder" in only(there).notes) == (touch == "note")


def test_touches_add_up(there: Service, remote: RemoteCalendar, ref: Ref) -> None:
    for touch in (*TOUCHES.values(), *TOUCHES.values()):
        touch(there.hand, href(ref))
    there.hand.move(href(ref), LATER)
    sighting = remote.read([ref])[ref.name]
    assert sighting
    assert sighting.content == content(hours=5)
    assert "blue folder" in only(there).notes


def test_touches_are_written_over_and_kept_by_who_knows_what_was_there(there: Service, remote: RemoteCalendar) -> None:
    put = creation()
    (outcome,) = written(remote.apply([put]))
    for touch in TOUCHES.values():
        touch(there.hand, href(outcome.ref))
    (outcome,) = written(remote.apply([again(put, outcome.ref, content(hours=5), over=put.entry.content.fingerprint)]))
    assert (only(there).start, only(there).end) == (LATER.start, LATER.end)
    assert "blue folder" in only(there).notes


def test_a_move_and_a_new_title_are_seen(there: Service, remote: RemoteCalendar, ref: Ref) -> None:
    there.hand.move(href(ref), LATER)
    there.hand.retitle(href(ref), "Mine")
    sighting = remote.read([ref])[ref.name]
    assert sighting
    assert sighting.content == content("Mine", hours=5)
    assert (only(there).start, only(there).end, only(there).title) == (LATER.start, LATER.end, "Mine")


def test_an_event_made_all_day_shows_its_day_until_it_is_moved(
    there: Service, remote: RemoteCalendar, ref: Ref
) -> None:
    there.hand.make_all_day(href(ref))
    sighting = remote.read([ref])[ref.name]
    assert sighting
    assert sighting.content is None
    assert only(there).all_day
    assert only(there).end - only(there).start == timedelta(days=1)
    assert only(there).start <= content().span.start < only(there).end
    there.hand.move(href(ref), LATER)
    assert (only(there).all_day, only(there).start) == (False, LATER.start)


def test_an_event_made_recurring_shows_once(there: Service, remote: RemoteCalendar, ref: Ref) -> None:
    there.hand.make_recurring(href(ref))
    sighting = remote.read([ref])[ref.name]
    assert sighting
    assert sighting.content is None
    assert only(there).recurring
    assert only(there).start == content().span.start


def test_a_deletion_is_seen(there: Service, remote: RemoteCalendar, ref: Ref) -> None:
    token = remote.changes(None).token
    there.hand.delete(href(ref))
    assert told(remote.changes(token)) == ([], [ref.href])
    assert remote.read([ref]) == {ref.name: None}
    assert there.shown() == []


@pytest.mark.parametrize("busy", [True, False])
def test_an_event_of_their_own_is_known_by_its_href(there: Service, remote: RemoteCalendar, *, busy: bool) -> None:
    added = there.hand.add(LATER, busy=busy)
    assert only(there).href == added
    assert told(remote.changes(None)) == ([added], [])
    assert [one.span for one in remote.busy(LATER).times] == ([LATER] if busy else [])


def test_a_wiped_calendar_is_empty_event_by_event(there: Service, remote: RemoteCalendar, ref: Ref) -> None:
    added = there.hand.add(LATER)
    token = remote.changes(None).token
    there.wipe()
    changed, gone = told(remote.changes(token))
    assert changed == []
    assert sorted(gone) == sorted([added, href(ref)])
    assert remote.read([ref]) == {ref.name: None}
    assert there.shown() == []


def test_a_vanished_calendar_is_missing_until_it_is_back(
    there: Service, account: Account, remote: RemoteCalendar, ref: Ref
) -> None:
    put = creation(content(hours=3))
    token = remote.changes(None).token
    there.vanish()
    for since in (token, None):
        with pytest.raises(MissingError):
            remote.changes(since)
    for look in (remote.busy, remote.list_busy if isinstance(remote, ListsBusy) else remote.busy):
        with pytest.raises(MissingError):
            look(content().span)
    assert isinstance(failure(remote.apply([put])), RefusedError)
    assert list(remote.apply([removal(put, ref)])) == [Removed(key=put.key)]
    assert only(there).href == ref.href
    if there.slug != "memory":
        assert [one.remote_id for one in account.calendars() if one.remote_id == there.remote_id] == []
    there.heal()
    assert told(remote.changes(None)) == ([ref.href], [])


def test_a_forbidden_calendar_is_refused_until_it_is_permitted(
    there: Service, remote: RemoteCalendar, ref: Ref
) -> None:
    put = creation(content(hours=3))
    token = remote.changes(None).token
    there.forbid()
    for since in (token, None):
        with pytest.raises(RefusedError):
            remote.changes(since)
    with pytest.raises(RefusedError):
        remote.read([ref])
    outcomes = list(remote.apply([put, creation(content(hours=4))]))
    assert all(isinstance(one, Failed) and isinstance(one.error, RefusedError) for one in outcomes)
    assert isinstance(failure(remote.apply([removal(put, ref)])), RefusedError)
    there.heal()
    assert told(remote.changes(None)) == ([ref.href], [])


def test_lost_tokens_are_told_and_a_full_reading_recovers(there: Service, remote: RemoteCalendar, ref: Ref) -> None:
    token = remote.changes(None).token
    there.forget_tokens()
    for _ in range(2):
        with pytest.raises(SyncTokenExpiredError):
            remote.changes(token)
    feed = remote.changes(None)
    assert feed.full
    assert told(feed) == ([ref.href], [])
    assert told(remote.changes(feed.token)) == ([], [])


def test_an_empty_feed_lists_nothing_of_what_can_still_be_read(
    there: Service, remote: RemoteCalendar, ref: Ref
) -> None:
    token = remote.changes(None).token
    there.empty_feed()
    with pytest.raises(SyncTokenExpiredError):
        remote.changes(token)
    feed = remote.changes(None)
    assert (feed.full, told(feed)) == (True, ([], []))
    assert told(remote.changes(feed.token)) == ([], [])
    sighting = remote.read([ref])[ref.name]
    assert sighting
    assert sighting.content == content()
    there.heal()
    with pytest.raises(SyncTokenExpiredError):
        remote.changes(feed.token)
    assert told(remote.changes(None)) == ([ref.href], [])


def test_a_withdrawn_grant_is_lost_access(there: Service, remote: RemoteCalendar, ref: Ref) -> None:
    token = remote.changes(None).token
    there.revoke()
    with pytest.raises(AccessLostError):
        remote.changes(token)
    assert only(there).href == ref.href


def test_every_write_goes_through_a_script_and_is_counted(there: Service, remote: RemoteCalendar) -> None:
    def lose(_request: object, forward: Callable[[], object]) -> object:
        forward()
        raise there.hang_up()

    there.forget()
    there.at_every_write(lose)
    assert isinstance(failure(remote.apply([creation()])), TransientError)
    assert len(there.shown()) == 1
    assert len(there.requests()) >= 1
    assert "Hold: K." in there.everything_sent()


def test_a_day_of_their_own_is_shown_with_its_midnights(there: Service) -> None:
    added = there.hand.add(Span.of(datetime(2026, 12, 3, 15, tzinfo=UTC), timedelta(hours=1)))
    there.hand.make_all_day(added)
    there.hand.make_recurring(added)
    assert (only(there).all_day, only(there).recurring) == (True, True)
