"""The three calendar services as one: what stands there, what the practitioner does there, what we asked of them."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Protocol
from urllib.error import HTTPError
from uuid import uuid4

from icalendar import Calendar as ICalendar

from connector.domain.entry import Disclosure
from connector.domain.people import Level
from connector.ports import Network, OAuthApp, Provider
from connector.runtime import Runtime
from connector.services.recording import make_calendars_due
from connector.storage import calendars, ledger
from connector.storage.calendars import Calendar, Connection, ConnectionState
from connector.storage.ledger import Key, Kind
from providers.caldav import Caldav
from tests.fakes import caldav_proxy, graph
from tests.fakes.caldav_proxy import Proxy
from tests.fakes.google import HangUp as GoogleHangUp
from tests.fakes.owner import Owner
from tests.fakes.servers import Server
from tests.providers import google_setting, outlooks
from tests.services.making import Practice


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An event as it stands at the service: `status` is confirmed or tentative."""

    href: str
    start: datetime
    title: str
    status: str
    notes: str


class Hand(Protocol):
    """What every practitioner can do in every calendar program."""

    def note(self, href: str, text: str) -> None: ...

    def delete(self, href: str) -> None: ...


class Service(Protocol):
    """A service with one account that can be connected."""

    slug: str
    provider: Provider
    network: Network
    credentials: Mapping[str, str]
    remote_id: str
    hand: Hand

    def shown(self) -> list[Shown]: ...

    def requests(self) -> list[str]: ...

    def forget(self) -> None: ...

    def everything_sent(self) -> str: ...

    def environment(self) -> dict[str, str]:
        """The settings with which an installation reaches it."""
        ...

    def at_every_write(self, script: Script) -> None:
        """Have every write go through a script, which may act before or after the service does its part."""
        ...

    def hang_up(self) -> Exception:
        """What a script raises to give no answer."""
        ...

    def revoke(self) -> None:
        """Withdraw what the practitioner has granted."""
        ...


Script = Callable[[Any, Callable[[], Any]], Any]


@dataclass
class GoogleService:
    """The fake of Google Calendar."""

    setting: google_setting.Setting
    slug: str = "google"

    def __post_init__(self) -> None:
        self.provider: Any = self.setting.provider
        self.network = self.setting.network
        self.credentials = self.setting.tokens.kept
        self.remote_id = self.setting.remote.id
        self.hand = self.setting.hand

    def shown(self) -> list[Shown]:
        return sorted(
            (
                Shown(
                    href=event["id"],
                    start=datetime.fromisoformat(event["start"]["dateTime"]).astimezone(UTC),
                    title=event["summary"],
                    status=event["status"],
                    notes=event.get("description", ""),
                )
                for event in self.setting.remote.live()
            ),
            key=lambda shown: shown.start,
        )

    def requests(self) -> list[str]:
        return [request.verb for request in self.setting.fake.requests]

    def forget(self) -> None:
        self.setting.fake.forget()

    def everything_sent(self) -> str:
        return repr([(request.target, request.body) for request in self.setting.fake.requests])

    def environment(self) -> dict[str, str]:
        return _registered("GOOGLE", self.network.apps["google"])

    def hang_up(self) -> Exception:
        return GoogleHangUp()

    def revoke(self) -> None:
        self.setting.fake.oauth.withdraw(self.setting.fake.oauth.account)

    def at_every_write(self, script: Script) -> None:
        for method in ("events.insert", "events.patch", "events.delete"):
            self.setting.fake.always(method, script)


@dataclass
class OutlookService:
    """The fake of Microsoft Graph."""

    setting: outlooks.Setting
    slug: str = "outlook"

    def __post_init__(self) -> None:
        self.provider: Any = self.setting.provider
        self.network = self.setting.graph.network
        self.credentials = self.setting.kept.load()
        self.remote_id = self.setting.remote_id
        self.hand = self.setting.hand

    def shown(self) -> list[Shown]:
        return sorted(
            (
                Shown(
                    href=href,
                    start=event["_span"][0].astimezone(UTC),
                    title=event["subject"],
                    status="tentative" if event["showAs"] == "tentative" else "confirmed",
                    notes=event["body"]["content"],
                )
                for href, event in self.setting.mailbox.events.items()
            ),
            key=lambda shown: shown.start,
        )

    def requests(self) -> list[str]:
        return self.setting.graph.methods()

    def forget(self) -> None:
        self.setting.graph.forget()

    def everything_sent(self) -> str:
        return self.setting.graph.sent()

    def environment(self) -> dict[str, str]:
        return _registered("MICROSOFT", self.network.apps["outlook"])

    def hang_up(self) -> Exception:
        return graph.HangUp()

    def revoke(self) -> None:
        self.setting.graph.entra.revoke()

    def at_every_write(self, script: Script) -> None:
        for method in ("POST", "PATCH", "DELETE"):
            self.setting.graph.once(method, "/events", script, times=1000)


class CaldavService:
    """A real Radicale behind a counting proxy."""

    slug = "caldav"

    def __init__(self, server: Server, proxy: Proxy) -> None:
        self.server, self.proxy = server, proxy
        self.url = server.make_calendar(f"three{uuid4().hex[:8]}")
        self.provider: Any = Caldav()
        self.network = Network(inner_hosts=frozenset({"127.0.0.1"}))
        form = {"address": proxy.through(self.url), "username": server.username, "password": server.password}
        self.credentials = self.provider.connect(form, self.network)
        self.remote_id = proxy.through(self.url)
        self.owner = Owner(server, self.url)
        self.hand = self.owner

    def shown(self) -> list[Shown]:
        listing = self.owner.listing().decode()
        hrefs = [part.split("<")[0] for part in listing.replace("D:", "").replace("ns0:", "").split("href>")[1::2]]
        found = [self._event(href) for href in hrefs if href.endswith(".ics")]
        return sorted((one for one in found if one), key=lambda shown: shown.start)

    def requests(self) -> list[str]:
        return self.proxy.methods()

    def forget(self) -> None:
        self.proxy.forget()

    def everything_sent(self) -> str:
        return repr([(request.path, request.body) for request in self.proxy.requests])

    def environment(self) -> dict[str, str]:
        return {}

    def hang_up(self) -> Exception:
        return caldav_proxy.HangUp()

    def revoke(self) -> None:
        for method in ("PUT", "DELETE", "REPORT", "GET", "PROPFIND"):
            self.proxy.always(method, caldav_proxy.says(401))

    def at_every_write(self, script: Script) -> None:
        for method in ("PUT", "DELETE"):
            self.proxy.always(method, script)

    def _event(self, href: str) -> Shown | None:
        try:
            calendar = ICalendar.from_ical(self.owner.text(href))
        except HTTPError as gone:
            if gone.code == 404:  # since it was listed
                return None
            raise
        (event,) = calendar.walk("VEVENT")
        return Shown(
            href=href,
            start=event.decoded("DTSTART"),
            title=str(event["SUMMARY"]),
            status=str(event["STATUS"]).lower(),
            notes=str(event.get("DESCRIPTION", "")),
        )


@contextmanager
def service(slug: str, folder: Path, server: Server | None = None) -> Iterator[Service]:
    """Run a service of that slug with an account that has signed in; CalDAV takes a running server."""
    match slug:
        case "google":
            with google_setting.signed_in() as google:
                yield GoogleService(google)
        case "outlook":
            with outlooks.outlook() as outlook:
                yield OutlookService(outlook)
        case _:
            assert server is not None, folder
            with Proxy(server.url) as proxy:
                made = CaldavService(server, proxy)
                try:
                    yield made
                finally:
                    made.provider.close()


def connect(practice: Practice, runtime: Runtime, there: Service, *, level: Level = Level.INITIALS) -> Calendar:
    """Connect an account that has signed in, as the page does once a calendar is chosen."""
    connection = Connection(
        id=uuid4(),
        practitioner_id=practice.kim.id,
        provider=there.slug,
        label="Kim's calendar",
        credentials=runtime.seal.seal(there.credentials),
        state=ConnectionState.OK,
        created_at=practice.now,
    )
    calendar = Calendar(
        id=uuid4(),
        connection_id=connection.id,
        practitioner_id=practice.kim.id,
        remote_id=there.remote_id,
        name="Work",
        disclosure=Disclosure(session_level=level, hold_level=level),
        lane=there.slug,
    )
    with practice.database.begin() as db:
        calendars.add_connection(db, connection)
        calendars.add_calendar(db, calendar, now=practice.now)
        make_calendars_due(db, practice.kim.id, now=practice.now)
        ledger.touch(db, Key(Kind.PULL, str(calendar.id)), due_at=practice.now, lane=calendar.lane)
    return calendar


def use(runtime: Runtime, there: Service) -> None:
    """Let an installation reach this service, with the service's own clock."""
    runtime.network = there.network
    runtime.load_provider = lambda _slug: there.provider


def _registered(name: str, app: OAuthApp) -> dict[str, str]:
    return {
        f"CONNECTOR_{name}_CLIENT_ID": app.client_id,
        f"CONNECTOR_{name}_CLIENT_SECRET": app.client_secret,
        f"CONNECTOR_{name}_URLS": ",".join(f"{key}={url}" for key, url in app.urls.items()),
    }
