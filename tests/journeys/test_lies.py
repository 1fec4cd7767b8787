"""The services lie as their switches say, each in the same words, and heal."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from connector.errors import AccessLostError, MissingError, ProviderError, RefusedError
from connector.ports import RemoteCalendar, UnsavedTokens
from tests.fakes._caldav_store import Kind
from tests.fakes.caldav_liar import LyingServer
from tests.journeys import services
from tests.journeys.services import CaldavService, GoogleService, OutlookService, Service
from tests.providers.contract import again, content, creation, failure, removal, written

SLUGS = ["caldav", "google", "outlook", "memory"]


@pytest.fixture(params=SLUGS)
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Service]:
    with LyingServer(Kind.SABRE) as server, services.service(request.param, tmp_path, server) as running:
        yield running


@pytest.fixture
def calendar(there: Service) -> RemoteCalendar:
    return there.provider.account(UnsavedTokens(there.credentials), there.network).open(there.remote_id)


def test_refused_writes_are_refused_until_it_is_healed_while_all_else_goes_on(
    there: Service, calendar: RemoteCalendar
) -> None:
    put = creation()
    (standing,) = written(calendar.apply([put]))
    there.refuse_writes(403)
    for _ in range(2):
        assert isinstance(failure(calendar.apply([creation()])), RefusedError)
        assert isinstance(failure(calendar.apply([again(put, standing.ref, content(hours=2))])), RefusedError)
    token = calendar.changes(None).token
    list(calendar.apply([removal(put, standing.ref)]))
    assert len(calendar.changes(token).gone) == 1
    there.heal()
    written(calendar.apply([creation()]))


@pytest.mark.parametrize(("status", "error"), [(404, MissingError), (403, RefusedError)])
def test_one_look_at_the_feed_is_refused(
    there: Service, calendar: RemoteCalendar, status: int, error: type[ProviderError]
) -> None:
    token = calendar.changes(None).token
    there.refuse_feed_once(status)
    with pytest.raises(error):
        calendar.changes(token)
    assert calendar.changes(token).changed == ()


def test_a_deletion_is_never_told(there: Service, calendar: RemoteCalendar) -> None:
    there.hide_deletions()
    (standing,) = written(calendar.apply([creation()]))
    token = calendar.changes(None).token
    there.hand.delete(standing.ref.href or "")
    assert calendar.changes(token).gone == ()
    assert calendar.read([standing.ref]) == {standing.ref.name: None}


def test_a_backup_is_brought_back_and_the_feed_tells_nothing_of_it(there: Service, calendar: RemoteCalendar) -> None:
    put = creation()
    (kept,) = written(calendar.apply([put]))
    saved = there.snapshot()
    written(calendar.apply([creation(content(hours=2))]))
    list(calendar.apply([removal(put, kept.ref)]))
    token = calendar.changes(None).token
    there.set_back(saved)
    assert [one.href for one in there.shown()] == [kept.ref.href]
    feed = calendar.changes(token)
    assert (feed.changed, feed.gone, feed.full) == ((), (), False)
    (later,) = written(calendar.apply([creation(content(hours=4))]))
    assert [event.href for event in calendar.changes(feed.token).changed] == [later.ref.href]


def test_a_registration_that_is_refused_is_refused_to_everybody(there: Service, calendar: RemoteCalendar) -> None:
    match there:
        case GoogleService():
            there.setting.fake.oauth.client_refused = True
            there.setting.fake.oauth.forget_access()
        case OutlookService():
            there.setting.graph.entra.client_refused = True
            there.setting.graph.entra.forget_access()
        case _:
            pytest.skip("nobody registers with it")
    with pytest.raises(ProviderError) as refused:
        calendar.changes(None)
    assert not isinstance(refused.value, MissingError)


def test_google_refuses_every_call_while_its_api_is_not_enabled() -> None:
    with services.service("google", Path()) as there:
        assert isinstance(there, GoogleService)
        calendar: Any = there.provider.account(UnsavedTokens(there.credentials), there.network).open(there.remote_id)
        there.setting.fake.not_configured = True
        with pytest.raises(ProviderError) as refused:
            calendar.changes(None)
        for error in (refused.value, failure(calendar.apply([creation()]))):
            assert not isinstance(error, MissingError | AccessLostError)
        there.setting.fake.not_configured = False
        written(calendar.apply([creation()]))


def test_a_series_is_told_by_its_occurrences_alone(there: Service, calendar: RemoteCalendar) -> None:
    match there:
        case GoogleService():
            there.setting.remote.tells_occurrences = True
        case OutlookService():
            there.setting.mailbox.tells_occurrences = True
        case _:
            pytest.skip("it has no such feed")
    (standing,) = written(calendar.apply([creation()]))
    token = calendar.changes(None).token
    there.hand.make_recurring(standing.ref.href or "")
    assert {event.href for event in calendar.changes(token).changed} == {standing.ref.href}


@pytest.mark.parametrize("kind", list(Kind))
def test_a_calendar_is_deleted_and_made_again_at_its_url(kind: Kind, tmp_path: Path) -> None:
    with LyingServer(kind) as server, services.service("caldav", tmp_path, server) as there:
        assert isinstance(there, CaldavService)
        calendar = there.provider.account(UnsavedTokens(there.credentials), there.network).open(there.remote_id)
        written(calendar.apply([creation()]))
        there.delete_calendar()
        with pytest.raises(MissingError):
            calendar.changes(None)
        there.make_again()
        assert calendar.changes(None).changed == ()
