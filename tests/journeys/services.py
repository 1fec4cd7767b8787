"""The calendar services as one: what stands there, what the practitioner does there, what we asked, what goes wrong."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol
from urllib.error import HTTPError
from urllib.parse import urlsplit
from uuid import uuid4

from connector.domain.connection import Calendar, Connection, ConnectionState
from connector.domain.entry import Content, Disclosure, Showing
from connector.domain.people import Level
from connector.domain.reconcile import Action, Put
from connector.domain.span import Span
from connector.domain.standing import Nature
from connector.errors import MissingError, ProviderError, RefusedError, TransientError
from connector.ports import Network, OAuthApp, Outcome, Provider
from connector.runtime import Runtime
from connector.services.recording import make_calendars_due
from connector.storage import calendars, ledger
from connector.storage.ledger import Key, Kind
from providers.caldav.provider import Caldav
from providers.memory import provider as memory
from tests.fakes import caldav_proxy, google, graph
from tests.fakes._google_store import Calendar as GoogleCalendar
from tests.fakes._google_wire import HangUp as GoogleHangUp
from tests.fakes.caldav_gate import CaldavGate
from tests.fakes.caldav_liar import LyingServer
from tests.fakes.caldav_proxy import Proxy
from tests.fakes.memory_hand import MemoryHand
from tests.fakes.owner import Owner, instant
from tests.fakes.servers import Server
from tests.providers.google import setting as google_setting
from tests.providers.outlook import setting as outlooks
from tests.services.practice import Practice


@dataclass(frozen=True, kw_only=True)
class Shown:
    """An event as it stands at the service: `status` is confirmed or tentative.

    A series stands for itself once, by its first event; a day begins and ends at its midnights.
    """

    href: str
    start: datetime
    end: datetime
    title: str
    status: str
    notes: str
    all_day: bool = False
    recurring: bool = False


class Hand(Protocol):
    """What every practitioner can do in every calendar program."""

    def note(self, href: str, text: str) -> None: ...

    def delete(self, href: str) -> None: ...

    def move(self, href: str, span: Span) -> None: ...

    def retitle(self, href: str, title: str) -> None: ...

    def make_all_day(self, href: str) -> None: ...

    def make_recurring(self, href: str) -> None: ...

    def rezone(self, href: str, zone: str) -> None:
        """Write the same instants in another IANA zone."""
        ...

    def colour(self, href: str) -> None: ...

    def remind(self, href: str) -> None: ...

    def add(self, span: Span, *, busy: bool = True) -> str:
        """Add an event of their own and return its href."""
        ...

    def copy(self, href: str, *, marked: bool = True) -> str:
        """Have another program copy an event and return where; without our mark it is written anew in place of it."""
        ...


class Service(Protocol):
    """A service with one account that can be connected."""

    slug: str
    provider: Provider
    network: Network
    remote_id: str

    @property
    def credentials(self) -> Mapping[str, str]: ...

    @property
    def hand(self) -> Hand: ...

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

    def vanish(self) -> None:
        """Answer from now on as if the calendar had been deleted; `shown` and the hand go on as if it had not."""
        ...

    def forbid(self) -> None:
        """Refuse everything about the calendar from now on, as to somebody who has no right to it."""
        ...

    def empty_feed(self) -> None:
        """Forget every sync token and list nothing from now on, while each event can still be read by itself."""
        ...

    def heal(self) -> None:
        """Let the calendar be there, permitted and listed again; tokens of an empty feed are not known any more."""
        ...

    def wipe(self) -> None:
        """Delete every event of the calendar, as somebody's other program may."""
        ...

    def forget_tokens(self) -> None:
        """Know none of the sync tokens given so far any more."""
        ...

    def refuse_writes(self, status: int) -> None:
        """Refuse creations and changes (403, 400, 404) from now on, while reads and removals go on; `heal` ends it."""
        ...

    def refuse_feed_once(self, status: int, reason: str = "") -> None:
        """Answer the next look at the change feed with a status, for a reason in the service's own words if it has any.

        Without one: that the calendar is forbidden (403) or not there (404). It goes on as ever after it.
        """
        ...

    def refuse_write_once(self, status: int, reason: str = "") -> None:
        """Answer the next creation with a status, as `refuse_feed_once` does, and go on as ever after it."""
        ...

    def hush(self) -> None:
        """Tell nothing in the change feed of what happens from now on, while its tokens go on; `heal` ends it."""
        ...

    def pass_time(self, by: timedelta) -> None:
        """Let time pass at the service, and for whoever asks it."""
        ...

    def hide_deletions(self) -> None:
        """Leave out of the change feed what is deleted from now on; `heal` ends it."""
        ...

    def snapshot(self) -> Any:
        """Return a back-up of the calendar."""
        ...

    def set_back(self, saved: Any) -> None:
        """Bring a back-up of the calendar back."""
        ...

    def add_away(self, span: Span) -> str:
        """Add an event of which the service says that its owner is out of office, and return its href."""
        ...

    def add_at_work(self, span: Span) -> str:
        """Add an event of which the service says that its owner works then, undisturbed or elsewhere."""
        ...


Script = Callable[[Any, Callable[[], Any]], Any]
_GOOGLE_REASONS = {400: "invalid", 403: "forbidden", 404: "notFound", 429: "rateLimitExceeded", 503: "backendError"}
_GRAPH_CODES = {
    400: "ErrorInvalidRequest",
    403: "ErrorAccessDenied",
    404: "ErrorItemNotFound",
    429: "ApplicationThrottled",
    503: "serviceNotAvailable",
}


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
        remote = self._calendar
        with self.setting.fake.lock:
            events = [(event, remote.extent(event)) for event in remote.live()]
        events_shown = (
            Shown(
                href=event["id"],
                start=start.astimezone(UTC),
                end=end.astimezone(UTC),
                title=event.get("summary", ""),
                status=event["status"],
                notes=event.get("description", ""),
                all_day="date" in event["start"],
                recurring="recurrence" in event,
            )
            for event, (start, end) in events
        )
        return sorted(events_shown, key=_order)

    def requests(self) -> list[str]:
        return [request.verb for request in self.setting.fake.requests if request.path != "/token"]

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

    def vanish(self) -> None:
        self._calendar.roles.clear()

    def forbid(self) -> None:
        self._calendar.forbidden = True

    def empty_feed(self) -> None:
        self.forget_tokens()
        self._calendar.lists_nothing = True

    def heal(self) -> None:
        self._calendar.roles[self.setting.fake.oauth.account] = "owner"
        self._calendar.forbidden = False
        if self._calendar.lists_nothing:
            self.forget_tokens()
        self._calendar.lists_nothing = self._calendar.hides_deletions = self._calendar.tells_nothing = False
        self._calendar.refuses_writes = None

    def wipe(self) -> None:
        self.setting.hand.wipe()

    def forget_tokens(self) -> None:
        self._calendar.tokens.clear()

    def refuse_writes(self, status: int) -> None:
        self._calendar.refuses_writes = status, _GOOGLE_REASONS[status]

    def refuse_feed_once(self, status: int, reason: str = "") -> None:
        self.setting.fake.once("events.list", google.says(status, reason or _GOOGLE_REASONS[status]))

    def refuse_write_once(self, status: int, reason: str = "") -> None:
        self.setting.fake.once("events.insert", google.says(status, reason or _GOOGLE_REASONS[status]))

    def hush(self) -> None:
        self._calendar.tells_nothing = True

    def pass_time(self, by: timedelta) -> None:
        self.setting.clock.advance(by)

    def hide_deletions(self) -> None:
        self._calendar.hides_deletions = True

    def snapshot(self) -> Any:
        with self.setting.fake.lock:
            return self._calendar.snapshot()

    def set_back(self, saved: Any) -> None:
        with self.setting.fake.lock:
            self._calendar.set_back(saved)

    def add_away(self, span: Span) -> str:
        return self.setting.hand.add(span, eventType="outOfOffice")

    def add_at_work(self, span: Span) -> str:
        return self.setting.hand.add(span, eventType="focusTime")

    @property
    def _calendar(self) -> GoogleCalendar:
        return self.setting.remote


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
        with self.setting.mailbox.lock:
            events = [dict(event) for event in self.setting.mailbox.events.values()]
        events_shown = (
            Shown(
                href=event["id"],
                start=event["_span"][0].astimezone(UTC),
                end=event["_span"][1].astimezone(UTC),
                title=event["subject"],
                status="tentative" if event["showAs"] == "tentative" else "confirmed",
                notes=event["body"]["content"],
                all_day=event["isAllDay"],
                recurring=event["type"] != "singleInstance",
            )
            for event in events
            if event["_calendar"] == self.remote_id
        )
        return sorted(events_shown, key=_order)

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

    def vanish(self) -> None:
        self.setting.mailbox.closed[self.remote_id] = (404, "ErrorItemNotFound")

    def forbid(self) -> None:
        self.setting.mailbox.closed[self.remote_id] = (403, "ErrorAccessDenied")

    def empty_feed(self) -> None:
        self.forget_tokens()
        self.setting.mailbox.lists_nothing = True

    def heal(self) -> None:
        self.setting.mailbox.closed.clear()
        if self.setting.mailbox.lists_nothing:
            self.forget_tokens()
        self.setting.mailbox.lists_nothing = self.setting.mailbox.hides_deletions = False
        self.setting.mailbox.tells_nothing = False
        self.setting.mailbox.refuses_writes = None

    def wipe(self) -> None:
        self.setting.hand.wipe()

    def forget_tokens(self) -> None:
        self.setting.mailbox.expire_tokens()

    def refuse_writes(self, status: int) -> None:
        self.setting.mailbox.refuses_writes = status, _GRAPH_CODES[status]

    def refuse_feed_once(self, status: int, reason: str = "") -> None:
        self.setting.graph.once("GET", "calendarView/delta", graph.says(status, reason or _GRAPH_CODES[status]))

    def refuse_write_once(self, status: int, reason: str = "") -> None:
        self.setting.graph.once("POST", "/events$", graph.says(status, reason or _GRAPH_CODES[status]))

    def hush(self) -> None:
        self.setting.mailbox.tells_nothing = True

    def pass_time(self, by: timedelta) -> None:
        self.setting.clock.advance(by)
        self.setting.ticks.now += by.total_seconds()

    def hide_deletions(self) -> None:
        self.setting.mailbox.hides_deletions = True

    def snapshot(self) -> Any:
        return self.setting.mailbox.snapshot()

    def set_back(self, saved: Any) -> None:
        self.setting.mailbox.set_back(saved)

    def add_away(self, span: Span) -> str:
        return self.setting.mailbox.add(self.remote_id, span, showAs="oof")

    def add_at_work(self, span: Span) -> str:
        return self.setting.mailbox.add(self.remote_id, span, showAs="workingElsewhere")


class CaldavService:
    """A real server behind a counting proxy, or one that lies."""

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
        self.gate = proxy.gate = CaldavGate(urlsplit(self.url).path)

    def shown(self) -> list[Shown]:
        events_shown = (self._event(href) for href in self.owner.hrefs())
        return sorted((one for one in events_shown if one), key=_order)

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

    def vanish(self) -> None:
        self.gate.closed = 404

    def forbid(self) -> None:
        self.gate.closed = 403

    def empty_feed(self) -> None:
        self.gate.tokens_lost = True
        self.gate.lists_nothing = True

    def heal(self) -> None:
        self.gate.closed = self.gate.refuses_writes = None
        self.gate.lists_nothing = self.gate.hides_deletions = self.gate.tells_nothing = False

    def wipe(self) -> None:
        self.owner.wipe()

    def forget_tokens(self) -> None:
        self.gate.tokens_lost = True

    def refuse_writes(self, status: int) -> None:
        self.gate.refuses_writes = status

    def refuse_feed_once(self, status: int, reason: str = "") -> None:  # noqa: ARG002 - it has no words for it
        self.gate.feed_refusals.append(status)

    def refuse_write_once(self, status: int, reason: str = "") -> None:
        self.proxy.once("PUT", caldav_proxy.says(status, reason.encode()))

    def hush(self) -> None:
        self.gate.tells_nothing = True

    def pass_time(self, by: timedelta) -> None:
        """Nothing there goes by a clock."""

    def hide_deletions(self) -> None:
        self.gate.hides_deletions = True

    def snapshot(self) -> Any:
        if isinstance(self.server, LyingServer):
            return self.server.snapshot()
        return {href: self.owner.text(href) for href in self.owner.hrefs()}

    def set_back(self, saved: Any) -> None:
        """Bring a back-up back: by the server itself if it can, else one event after the other."""
        if isinstance(self.server, LyingServer):
            self.server.set_back(saved)
            return
        for href in set(self.owner.hrefs()) - saved.keys():
            self.owner.delete(href)
        for href, text in saved.items():
            self.owner.put(href, text)

    def add_away(self, span: Span) -> str:
        return self.owner.add(span, extra="X-MICROSOFT-CDO-BUSYSTATUS:OOF\r\n")

    def add_at_work(self, span: Span) -> str:
        return self.owner.add(span, extra="X-MICROSOFT-CDO-BUSYSTATUS:WORKINGELSEWHERE\r\n")

    def delete_calendar(self) -> None:
        """Delete the calendar itself."""
        self.server.send("DELETE", self.url)

    def make_again(self) -> None:
        """Make the calendar that was deleted again, empty, at its URL."""
        self.server.make_calendar(self.url.rstrip("/").rpartition("/")[2])

    def _event(self, href: str) -> Shown | None:
        try:
            event = self.owner.event(href)
        except HTTPError as gone:
            if gone.code == 404:  # since it was listed
                return None
            raise
        return Shown(
            href=href,
            start=instant(event.start),
            end=instant(event.end),
            title=str(event.get("SUMMARY", "")),
            status=str(event.get("STATUS", "CONFIRMED")).lower(),
            notes=str(event.get("DESCRIPTION", "")),
            all_day=not isinstance(event.start, datetime),
            recurring="RRULE" in event,
        )


class MemoryService:
    """The provider whose service lives in this process: for stories that need no socket."""

    slug = "memory"

    def __init__(self, identity: str) -> None:
        self.store = memory.store(identity)
        self.calendar = self.store.calendar()
        self.provider: Any = memory.PROVIDER
        self.network = Network()
        self.credentials = {"store": identity, "password": self.store.password}
        self.remote_id = self.calendar.info.remote_id
        self.hand = MemoryHand(self.calendar)
        self._script: Script | None = None
        self._refused_writes: RefusedError | None = None
        self._hushed = False
        self._sent: list[Content] = []
        self.calendar.around = self._write

    def shown(self) -> list[Shown]:
        events_shown = (
            Shown(
                href=event.href,
                start=event.span.start,
                end=event.span.end,
                title=event.shown.title,
                status="tentative" if event.shown.showing is Showing.TENTATIVE else "confirmed",
                notes=event.note,
                all_day=event.all_day,
                recurring=event.recurring,
            )
            for event in list(self.calendar.events.values())
        )
        return sorted(events_shown, key=_order)

    def requests(self) -> list[str]:
        return list(self.calendar.requests.elements())

    def forget(self) -> None:
        self.calendar.requests.clear()

    def everything_sent(self) -> str:
        return repr(self._sent)

    def environment(self) -> dict[str, str]:
        return {}

    def hang_up(self) -> Exception:
        return TransientError("the service hung up")

    def revoke(self) -> None:
        self.store.change_password(str(uuid4()))

    def at_every_write(self, script: Script) -> None:
        self._script = script

    def vanish(self) -> None:
        self.calendar.offline = MissingError("the calendar is not there")

    def forbid(self) -> None:
        self.calendar.offline = RefusedError("the calendar is not for you")

    def empty_feed(self) -> None:
        self.calendar.empty_feed()

    def heal(self) -> None:
        self.calendar.offline = None
        if self.calendar.lists_nothing and not self._hushed:
            self.forget_tokens()
        self._hushed = self.calendar.lists_nothing = self.calendar.hides_deletions = False
        self._refused_writes = None

    def wipe(self) -> None:
        self.calendar.wipe()

    def forget_tokens(self) -> None:
        self.calendar.expire_tokens()

    def refuse_writes(self, status: int) -> None:
        self._refused_writes = RefusedError(f"the service says {status}")

    def refuse_feed_once(self, status: int, reason: str = "") -> None:  # noqa: ARG002 - it has no words for it
        self.calendar.fail(_error_of(status), on="changes")

    def refuse_write_once(self, status: int, reason: str = "") -> None:  # noqa: ARG002 - as above
        self.calendar.fail(_error_of(status), on="put")

    def hush(self) -> None:
        self._hushed = self.calendar.lists_nothing = True

    def pass_time(self, by: timedelta) -> None:
        """Nothing there goes by a clock."""

    def hide_deletions(self) -> None:
        self.calendar.hides_deletions = True

    def snapshot(self) -> Any:
        return dict(self.calendar.events)

    def set_back(self, saved: Any) -> None:
        """Bring a back-up back behind the feed's back: it knows all its tokens, and tells nothing of it."""
        self.calendar.events = dict(saved)

    def add_away(self, span: Span) -> str:
        return self.calendar.add_foreign(span, nature=Nature.OUT_OF_OFFICE)

    def add_at_work(self, span: Span) -> str:
        return self.calendar.add_foreign(span, nature=Nature.NEVER)

    def _write(self, action: Action, forward: Callable[[], Outcome]) -> Outcome:
        if isinstance(action, Put):
            self._sent.append(action.entry.content)
            if self._refused_writes:
                raise self._refused_writes
        outcome: Outcome = self._script(action, forward) if self._script else forward()
        return outcome


def _error_of(status: int) -> ProviderError:
    kinds: dict[int, type[ProviderError]] = {404: MissingError, 429: TransientError, 503: TransientError}
    return kinds.get(status, RefusedError)(f"the service says {status}")


def _order(shown: Shown) -> tuple[datetime, str]:
    return shown.start, shown.href


@contextmanager
def service(slug: str, folder: Path, server: Server | None = None) -> Iterator[Service]:
    """Run a service of that slug with an account that has signed in; CalDAV takes a running server."""
    match slug:
        case "memory":
            identity = str(uuid4())
            try:
                yield MemoryService(identity)
            finally:
                memory.forget(identity)
        case "google":
            with google_setting.signed_in() as signed_in:
                yield GoogleService(signed_in)
        case "outlook":
            with outlooks.outlook() as outlook:
                yield OutlookService(outlook)
        case _:
            assert server is not None, folder
            with Proxy(server.url) as proxy:
                caldav = CaldavService(server, proxy)
                try:
                    yield caldav
                finally:
                    caldav.provider.close()


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
        for kind in (Kind.CHANNEL, Kind.PROBE):  # some other day: no story here is about these
            ledger.touch(db, Key(kind, str(calendar.id)), due_at=practice.now + timedelta(days=99), lane=calendar.lane)
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
