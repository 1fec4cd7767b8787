"""CalDAV against two real servers of different families."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest

from connector.domain.span import Span
from connector.ports import RemoteCalendar
from providers.caldav.provider import Caldav
from tests.fakes.caldav_liar import LyingServer
from tests.fakes.owner import Owner
from tests.fakes.servers import Server, xandikos
from tests.providers.conftest import LOOPBACK
from tests.providers.contract import DAY, NOON, ProviderContract, Service, again, content, creation, written


@pytest.fixture(scope="module")
def provider() -> Iterator[Caldav]:
    provider = Caldav()
    yield provider
    provider.close()


@pytest.fixture(scope="module")
def running_xandikos(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    with xandikos(tmp_path_factory.mktemp("xandikos")) as server:
        yield server


@pytest.fixture(scope="module")
def running_liar() -> Iterator[Server]:
    with LyingServer() as server:
        yield server


class CaldavContract(ProviderContract):
    """Shared by all servers; subclasses define the fixture `server`."""

    @pytest.fixture
    def service(self, server: Server, provider: Caldav) -> Service:
        url = server.make_calendar(f"work-{uuid4().hex[:8]}")
        form = {"address": server.url, "username": server.username, "password": server.password}
        spellings = (url, url.rstrip("/"), url.replace("http://", "HTTP://"), url.replace("work-", "%77ork-"))
        others = tuple({**form, "address": spelling} for spelling in spellings)
        owner = Owner(server, url)
        return Service(provider, form, LOOPBACK, url, f"{server.home}nowhere/", owner, other_forms=others)

    @pytest.fixture
    def owner(self, service: Service) -> Owner:
        assert isinstance(service.practitioner, Owner)
        return service.practitioner

    def test_only_collections_that_hold_events_are_offered(self, service: Service, server: Server) -> None:
        tasks = server.make_calendar(f"tasks-{uuid4().hex[:8]}", component="VTODO")
        offered = [info.remote_id for info in service.account().calendars()]
        assert service.remote_id in offered
        assert tasks not in offered

    def test_alarms_colours_and_foreign_properties_survive(self, calendar: RemoteCalendar, owner: Owner) -> None:
        put = creation()
        (outcome,) = written(calendar.apply([put]))
        assert outcome.ref.href
        alarm = "BEGIN:VALARM\nACTION:DISPLAY\nTRIGGER:-PT15M\nDESCRIPTION:soon\nEND:VALARM\n"
        owner.rewrite(outcome.ref.href, ("END:VEVENT", f"COLOR:red\nX-MINE;X-A=1:yes\n{alarm}END:VEVENT"))
        (outcome,) = written(calendar.apply([again(put, outcome.ref, content(hours=1))]))
        assert outcome.ref.href
        text = owner.text(outcome.ref.href)
        for line in ("COLOR:red", "X-MINE;X-A=1:yes", "TRIGGER:-PT15M", "DESCRIPTION:soon"):
            assert line in text

    def test_an_event_whose_zone_was_changed_but_not_its_instant_shows_the_same(
        self, calendar: RemoteCalendar, owner: Owner
    ) -> None:
        put = creation()
        (outcome,) = written(calendar.apply([put]))
        assert outcome.ref.href
        start, end = "DTSTART;TZID=Europe/Berlin:20261203T130000", "DTEND;TZID=Europe/Berlin:20261203T135000"
        owner.rewrite(outcome.ref.href, (r"DTSTART:.*", start), (r"DTEND:.*", end))
        sighting = calendar.read([outcome.ref])[outcome.ref.name]
        assert sighting
        assert sighting.content == put.entry.content

    def test_series_are_expanded_and_nonsense_hides_nothing(self, calendar: RemoteCalendar, owner: Owner) -> None:
        start = NOON - timedelta(days=28)
        owner.add_text(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:series\r\nDTSTAMP:20261101T000000Z\r\n"
            f"DTSTART:{start:%Y%m%dT%H%M%SZ}\r\nDURATION:PT1H\r\nRRULE:FREQ=WEEKLY\r\nSUMMARY:Choir\r\nEND:VEVENT\r\n"
            "END:VCALENDAR\r\n"
        )
        owner.add(content(hours=3).span)
        spans = [event.span for event in calendar.busy(DAY).times]
        assert spans == [Span.of(NOON, timedelta(hours=1)), content(hours=3).span]

    def test_an_all_day_event_takes_its_day(self, calendar: RemoteCalendar, owner: Owner) -> None:
        owner.add_text(
            "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:day\r\nDTSTAMP:20261101T000000Z\r\n"
            "DTSTART;VALUE=DATE:20261203\r\nDTEND;VALUE=DATE:20261204\r\nSUMMARY:Away\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
        )
        midnight = datetime(2026, 12, 3, tzinfo=UTC)
        assert [event.span for event in calendar.busy(DAY).times] == [Span.of(midnight, timedelta(days=1))]


class TestRadicale(CaldavContract):
    """Its server is the session's own."""


class TestXandikos(CaldavContract):
    asks_password = False

    @pytest.fixture
    def server(self, running_xandikos: Server) -> Server:
        return running_xandikos


class TestLiarThatIsHonest(CaldavContract):
    """What the tests of lies stand on."""

    @pytest.fixture
    def server(self, running_liar: Server) -> Server:
        return running_liar
