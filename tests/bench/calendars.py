"""How long it takes to see when a large calendar is not free."""

from __future__ import annotations

import hashlib
import re
import time
from datetime import timedelta
from html import escape
from urllib.parse import urlsplit

from connector.domain.span import Span
from connector.ical.foreign import lines
from connector.ical.foreign.clock import UNIVERSAL
from connector.ical.foreign.occupied import occupied
from connector.ports import Network, UnsavedTokens
from providers.caldav.provider import Caldav
from tests.domain.examples import NOW
from tests.fakes.caldav_liar import LyingServer
from tests.fakes.caldav_proxy import Proxy, Reply, Request
from tests.ical.foreign.objects import calendar, event, timezone

SIZE = 1000
Row = tuple[str, str, str]
SPAN = Span.of(NOW, timedelta(days=60))
_HREF = re.compile(rb"<(?:\w+:)?href>([^<]+)<")


def foreign_calendars() -> Row:
    """G24: 1,000 weekly series, each with a zone of its own and 20 exceptions, read for 60 days."""
    objects = [_weekly(number) for number in range(1000)]
    span = Span.of(NOW, timedelta(days=60))

    def seconds(contents: list[bytes]) -> float:
        begun = time.process_time()
        for content in contents:
            assert occupied(content, span, home=UNIVERSAL).times
        return time.process_time() - begun

    first, again = seconds(objects), seconds([lines.filtered(content) for content in objects])
    return "G24 1,000 weekly series with zones: read first, from kept lines", f"{first:.2f} s, {again:.2f} s", "2 s"


def _weekly(number: int) -> bytes:
    name = f"Zone {number % 7}"
    start = f"TZID={name}:20240101T{8 + number % 9:02}0000"
    days = (f"{NOW - timedelta(weeks=week):%Y%m%d}T{8 + number % 9:02}0000" for week in range(20))
    excluded = (f"EXDATE;TZID={name}:{day}" for day in days)
    lasting = ("DURATION:PT50M", "RRULE:FREQ=WEEKLY;BYDAY=MO,TH")
    return calendar(timezone(name), event(f"DTSTART;{start}", *lasting, *excluded, uid=str(number))).encode()


class _Shelf:
    """What a server holds, answered as fast as Python can."""

    def __init__(self, path: str) -> None:
        self.texts = {f"{path}{number}.ics": _weekly(number).decode() for number in range(SIZE)}
        self.list = b""

    def change(self, number: int) -> None:
        href = list(self.texts)[number]
        self.texts[href] = _weekly(number + 1).decode()
        self.list = self.told(list(self.texts), whole=False)

    def answer(self, request: Request, _: object) -> Reply:
        hrefs = [href.decode() for href in _HREF.findall(request.body)]
        return Reply(207, {"Content-Type": "application/xml"}, self.told(hrefs, whole=True) if hrefs else self.list)

    def get(self, request: Request, _: object) -> Reply:
        text = self.texts[request.path]
        return Reply(200, {"ETag": f'"{_etag(text)}"'}, text.encode())

    def told(self, hrefs: list[str], *, whole: bool) -> bytes:
        rows = "".join(
            f"<D:response><D:href>{href}</D:href><D:propstat><D:prop><D:getetag>&quot;{_etag(self.texts[href])}&quot;"
            f"</D:getetag>{_data(self.texts[href]) if whole else ''}</D:prop><D:status>HTTP/1.1 200 OK</D:status>"
            "</D:propstat></D:response>"
            for href in hrefs
        )
        return f'<D:multistatus xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav">{rows}</D:multistatus>'.encode()


def collection() -> Row:
    """G24: the same events at a server, read the first time, and again after one has changed."""
    provider = Caldav()
    with LyingServer() as server, Proxy(server.url) as proxy:
        path = urlsplit(server.make_calendar("bench")).path
        form = {"address": proxy.url, "username": server.username, "password": server.password}
        network = Network(inner_hosts=frozenset({"127.0.0.1"}))
        account = provider.account(UnsavedTokens(provider.connect(form, network)), network)
        remote, shelf = account.open(f"{proxy.url.rstrip('/')}{path}"), _Shelf(path)
        proxy.always("REPORT", shelf.answer)
        proxy.always("GET", shelf.get)
        seconds = []
        for number in range(2):
            shelf.change(number)
            begun = time.perf_counter()
            assert len(remote.busy(SPAN).times) > SIZE
            seconds.append(time.perf_counter() - begun)
    provider.close()
    first, again = seconds
    return "G24 the same at a server: read first, again after a change", f"{first:.2f} s, {again:.3f} s", "2 s, 0.05 s"


def _etag(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()[:16]


def _data(text: str) -> str:
    return f"<C:calendar-data>{escape(text)}</C:calendar-data>"
