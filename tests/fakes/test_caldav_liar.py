"""The lying CalDAV server lies as it says, and only then."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from connector.errors import MissingError, RefusedError, SyncTokenExpiredError
from connector.ports import UnsavedTokens
from providers.caldav.provider import Caldav, CaldavCalendar
from tests.fakes._caldav_store import Kind
from tests.fakes.caldav_liar import LyingServer
from tests.fakes.owner import Owner
from tests.providers.conftest import LOOPBACK
from tests.providers.contract import content, creation, failure, written


class There:
    """A calendar at a server of a kind, with what its owner does there."""

    def __init__(self, server: LyingServer, provider: Caldav) -> None:
        self.server = server
        self.url = server.make_calendar("work")
        form = {"address": server.url, "username": server.username, "password": server.password}
        tokens = UnsavedTokens(provider.connect(form, LOOPBACK))
        self.calendar: CaldavCalendar = provider.account(tokens, LOOPBACK).open(self.url)
        self.owner = Owner(server, self.url)

    def write(self, hours: float = 0) -> str:
        (outcome,) = written(self.calendar.apply([creation(content(hours=hours))]))
        assert outcome.ref.href
        return outcome.ref.href


@pytest.fixture
def there(request: pytest.FixtureRequest) -> Iterator[There]:
    provider = Caldav()
    with LyingServer(getattr(request, "param", Kind.HONEST)) as server:
        yield There(server, provider)
        provider.close()


on = pytest.mark.parametrize


@on("there", [Kind.SABRE], indirect=True)
def test_sabre_answers_a_token_from_the_future_with_nothing(there: There) -> None:
    there.write()
    token = there.calendar.changes(None).token
    there.server.make_again(there.url)
    feed = there.calendar.changes(token)
    assert (feed.changed, feed.gone, feed.full) == ((), (), False)
    href = there.write()
    assert [event.href for event in there.calendar.changes(feed.token).changed] == [href]


@on("there", [Kind.DAVICAL], indirect=True)
def test_davical_answers_an_unknown_token_with_everything_and_no_deletion(there: There) -> None:
    kept = there.write()
    saved = there.server.snapshot()
    there.write(hours=2)
    token = there.calendar.changes(None).token
    there.server.set_back(saved)
    feed = there.calendar.changes(token)
    assert ([event.href for event in feed.changed], feed.gone) == ([kept], ())


@on("there", list(Kind), indirect=True)
def test_a_token_from_before_the_backup_is_known_after_it(there: There) -> None:
    token = there.calendar.changes(None).token
    saved = there.server.snapshot()
    there.write()
    there.server.set_back(saved)
    assert there.calendar.changes(token).changed == ()
    href = there.write(hours=2)
    assert [event.href for event in there.calendar.changes(token).changed] == [href]


def test_an_honest_one_refuses_what_it_does_not_know(there: There) -> None:
    saved = there.server.snapshot()
    there.write()
    token = there.calendar.changes(None).token
    there.server.set_back(saved)
    with pytest.raises(SyncTokenExpiredError):
        there.calendar.changes(token)
    there.server.delete_collection(there.url)
    with pytest.raises(MissingError):
        there.calendar.changes(None)


def test_counted_etags_begin_again_with_a_backup(there: There) -> None:
    there.server.counts_etags = True
    saved = there.server.snapshot()
    there.write()
    before = there.calendar.changes(None).changed
    there.server.set_back(saved)
    there.write(hours=2)
    after = there.calendar.changes(None).changed
    assert [event.etag for event in after] == [event.etag for event in before]
    assert after[0].href != before[0].href


@on("status", [403, 405, 400, 404])
def test_writes_are_refused_for_as_long_as_it_says_and_reads_go_on(there: There, status: int) -> None:
    there.server.refuses["PUT"] = status
    for _ in range(2):
        failure(there.calendar.apply([creation()]))
    assert there.calendar.changes(None).changed == ()
    there.server.refuses.clear()
    there.write()


def test_what_is_not_permitted_is_refused(there: There) -> None:
    there.server.refuses["REPORT"] = 403
    with pytest.raises(RefusedError):
        there.calendar.changes("sync:http://calendar.example/ns/sync/1")
