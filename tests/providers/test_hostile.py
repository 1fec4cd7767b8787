"""Whatever a server answers, an adapter speaks in errors of ours."""

from __future__ import annotations

import json
import socket
import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import timedelta
from typing import Any, Self

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from connector.errors import ProviderError, RuleError
from connector.ports import Account, Failed, ListsBusy, RemoteCalendar, Watchable
from providers.caldav.discovery import discover
from providers.google.provider import Google
from providers.outlook.provider import Outlook
from tests.providers.conftest import LOOPBACK
from tests.providers.contract import creation, removal
from tests.providers.test_deadline import LIMIT, NOW, SPAN, WEB, at_caldav, at_google, at_outlook, registered

MOST = 4  # answers of the hostile kind to one act; then a plain refusal, so that a list ends


class Hostile:
    """Answers the next requests with the very bytes it is told; runs while it is used as a context manager."""

    def __init__(self) -> None:
        self._listener = socket.create_server(("127.0.0.1", 0))
        self._thread = threading.Thread(target=self._serve)
        self.url = f"http://127.0.0.1:{self._listener.getsockname()[1]}/"
        self.answer, self.left = b"", 0

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._thread.join()

    def _serve(self) -> None:
        with suppress(OSError):
            while True:
                peer, _ = self._listener.accept()
                with peer, suppress(OSError, ValueError):
                    peer.settimeout(30)
                    self._reply(peer)

    def _reply(self, peer: socket.socket) -> None:
        with peer.makefile("rb") as asked:
            length = 0
            while (line := asked.readline()).strip():
                if line.lower().startswith(b"content-length:"):
                    length = int(line.partition(b":")[2])
            asked.read(length)
        self.left -= 1
        peer.sendall(self.answer if self.left >= 0 else b"HTTP/1.1 500 No\r\nContent-Length: 0\r\n\r\n")


@pytest.fixture(scope="module")
def server() -> Iterator[Hostile]:
    with Hostile() as server:
        yield server


# What is answered

DIGITS = "9" * 5000
REFERENCES = ("", "/", "/work/a.ics", "http://[::1/", "//[", "http://x:99999/", "http://x:y/", "\u2100", "%zz", "a:b")
STATUSES = (
    *(f"{status} {words}" for status, words in ((200, "OK"), (201, "Made"), (204, "None"), (301, "Go"), (302, "Go"))),
    *(f"{status} No" for status in (100, 103, 401, 403, 404, 409, 410, 412, 429, 503, 507, 999)),
    *(DIGITS, "", "x"),
)
FIELDS = {
    "Location": (*REFERENCES, "\x80", f"/{DIGITS}"),
    "ETag": ("", '"a"', "W/", "\xff", "a" * 5000),
    "Retry-After": (DIGITS, "-1", "\xb2", "Thu, 99 Foo 0000 00:00:00", "Fri, 31 Dec 9999 23:59:59 -1200"),
    "Date": ("", "x", "Fri, 31 Dec 9999 23:59:59 -1200", "Mon, 01 Jan 0001 00:00:00 +1200"),
    "Expires": ("x", "Fri, 31 Dec 9999 23:59:59 -1200"),
    "DAV": ("webdav-push", "\xff"),
    "WWW-Authenticate": (
        "",
        "Digest",
        'Digest realm="x"',
        "Digest nonce=,",
        "Basic",
        "\xff",
        "N " + "x" * 3000,
    ),
    "Content-Type": (
        "application/json",
        "text/xml; charset=\xff",
        "multipart/mixed",
        "multipart/mixed; boundary=x",
        ";",
    ),
    "Content-Encoding": ("gzip", "br", "x"),
    "Transfer-Encoding": ("chunked", "x"),
    "Content-Length": ("0", "-1", "x", "3", DIGITS),
    "Set-Cookie": ("=", "a=\xff; expires=x; domain=[", "\x01"),
    "Alt-Svc": ('h3=":x"; ma=x',),
    "Link": ("<[;rel", "<>;"),
    "Connection": ("close", "upgrade"),
}
_fields = st.sampled_from([(name, value) for name, values in FIELDS.items() for value in values])


@st.composite
def answers(draw: st.DrawFn, bodies: st.SearchStrategy[bytes], *, good: str) -> bytes:
    """Draw an answer whose body is hostile below a good status, or all of it."""
    body = draw(bodies)
    if draw(st.booleans()):
        return f"HTTP/1.1 {good}\r\n\r\n".encode() + body
    lines = [f"HTTP/1.1 {draw(st.sampled_from(STATUSES))}"]
    lines += [f"{name}: {value}" for name, value in draw(st.lists(_fields, max_size=3))]
    head = "\r\n".join([*lines, "", ""]).encode("latin-1", errors="replace")
    return (head + body)[: draw(st.sampled_from([None, None, None, 5, 20, 100, 500]))]


_ROW = (
    "<D:response><D:href>{}</D:href>{}<D:propstat><D:prop><D:getetag>{}</D:getetag><D:current-user-principal><D:href>{}"
    "</D:href></D:current-user-principal><C:calendar-home-set><D:href>{}</D:href></C:calendar-home-set>{}</D:prop>"
    "<D:status>{}</D:status></D:propstat></D:response>"
)
_RESOURCE = "<D:resourcetype><D:collection/><C:calendar/></D:resourcetype><D:displayname>x</D:displayname>"
_PUSH = '<P:transports xmlns:P="https://bitfire.at/webdav-push"><P:web-push/></P:transports>'
_references = st.sampled_from(REFERENCES)
_row = st.builds(
    _ROW.format,
    _references,
    st.sampled_from(["", f"<D:status>HTTP/1.1 {DIGITS}</D:status>", "<D:status>HTTP/1.1 \xb2\xb2\xb2</D:status>"]),
    st.sampled_from(["", '"a"', "W/x"]),
    _references,
    _references,
    st.sampled_from(["", _RESOURCE, _PUSH, "<C:calendar-data>BEGIN:VCALENDAR</C:calendar-data>"]),
    st.sampled_from(["", "HTTP/1.1 200 OK", f"HTTP/1.1 {DIGITS} OK", "HTTP/1.1 -1", "HTTP/1.1 \u0663\u0663\u0663 x"]),
)


def _multistatus(rows: list[str], token: str) -> bytes:
    names = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav"'
    return f"<D:multistatus {names}>{''.join(rows)}{token}</D:multistatus>".encode()


_dav = st.one_of(
    st.builds(
        _multistatus, st.lists(_row, min_size=1, max_size=3), st.sampled_from(["", "<D:sync-token>t</D:sync-token>"])
    ),
    st.binary(max_size=50),
    st.sampled_from([b"", b"<a>" * 1000, b"<!DOCTYPE a [<!ENTITY b 'c'>]><a>&b;</a>", b"<D:error xmlns:D='DAV:'/>"]),
)
_NAMES = """
    items id etag status start end dateTime date timeZone nextPageToken nextSyncToken calendars busy errors error reason
    details expiration resourceId summary private recurringEventId extendedProperties attendees access_token expires_in
    scope id_token value refresh_token @odata.nextLink @odata.deltaLink @odata.etag @removed responses headers body code
    subject isAllDay showAs changeKey singleValueExtendedProperties scheduleItems canEdit availabilityView name type
    expirationDateTime seriesMasterId location displayName iCalUId transactionId token_endpoint authorization_endpoint
    issuer token_type client_info
"""
KEYS = _NAMES.split()
NUMBERS = (None, True, 0, -1, 10**30, float("nan"), float("inf"))
TEXTS = ("", "x", "\ud800", "\0", "opaque", DIGITS, *REFERENCES)
TIMES = ("2026-11-24T09:00:00Z", "9999-12-31T23:59:59-12:00", "0001-01-01T00:00:00+12:00")
_scalars = st.sampled_from([*NUMBERS, *TEXTS, *TIMES])
_documents = st.recursive(
    _scalars,
    lambda inside: st.lists(inside, max_size=3) | st.dictionaries(st.sampled_from(KEYS), inside, max_size=6),
    max_leaves=25,
)
_json = st.one_of(
    st.builds(lambda document: json.dumps(document).encode(), _documents),
    st.builds(
        lambda rows, rest: json.dumps({"items": rows, "value": rows, "responses": rows, **rest}).encode(),
        st.lists(_documents, max_size=3),
        st.dictionaries(st.sampled_from(KEYS), _documents, max_size=3),
    ),
    st.binary(max_size=50),
    st.sampled_from([b"", b"[" * 100_000, b"{}", b"null", DIGITS.encode()]),
)


# What is asked

Act = Callable[[Account, RemoteCalendar], object]
PUT = creation()
REF = replace(PUT.ref, href="/work/a.ics", etag='"a"')
OUTLOOK_REF = replace(PUT.ref, href="a", etag='"a"')


def written(calendar: RemoteCalendar, *actions: Any) -> None:
    for outcome in calendar.apply(actions):
        assert not isinstance(outcome, Failed) or isinstance(outcome.error, ProviderError)


def watched(calendar: RemoteCalendar) -> None:
    assert isinstance(calendar, Watchable)
    channel = calendar.watch(channel_id="c", secret="s" * 43, address="https://x.example/hooks/x", now=NOW)
    calendar.unwatch(channel)


ACTS: Mapping[str, Act] = {
    "calendars": lambda account, _: account.calendars(),
    "feed": lambda _, calendar: calendar.changes(None),
    "listing": lambda _, calendar: calendar.listing(NOW),
    "busy": lambda _, calendar: calendar.busy(SPAN),
    "list_busy": lambda _, calendar: calendar.list_busy(SPAN) if isinstance(calendar, ListsBusy) else None,
    "read": lambda _, calendar: calendar.read([PUT.ref, creation().ref]),
    "create": lambda _, calendar: written(calendar, creation()),
    "create two": lambda _, calendar: written(calendar, creation(), creation()),
    "update": lambda _, calendar: written(calendar, replace(PUT, ref=REF)),
    "remove": lambda _, calendar: written(calendar, removal(PUT, REF)),
    "watch": lambda _, calendar: watched(calendar),
}
_acts = st.sampled_from(sorted(ACTS))
HOSTILE = settings(suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])


def ask(server: Hostile, answer: bytes, act: Callable[[], object]) -> None:
    server.answer, server.left = answer, MOST
    with suppress(ProviderError, RuleError):
        act()


@HOSTILE
@given(act=_acts, answer=answers(_dav, good="207 Multi-Status"))
def test_a_caldav_server_can_raise_nothing_but_errors_of_ours(server: Hostile, act: str, answer: bytes) -> None:
    account = at_caldav(server.url)
    ask(server, answer, lambda: ACTS[act](account, account.open(f"{server.url}work/")))
    account.close()  # type: ignore[attr-defined]


@HOSTILE
@given(answer=answers(_dav, good="207 Multi-Status"))
def test_a_search_for_calendars_ends_in_nothing_but_errors_of_ours(server: Hostile, answer: bytes) -> None:
    form = {"address": server.url, "username": "kim", "password": "secret"}
    ask(server, answer, lambda: discover(form, LOOPBACK, limit=timedelta(seconds=10)))


@HOSTILE
@given(act=_acts, answer=answers(_json, good="200 OK"))
def test_google_can_raise_nothing_but_errors_of_ours(server: Hostile, act: str, answer: bytes) -> None:
    account = at_google(server.url)
    ask(server, answer, lambda: ACTS[act](account, account.open("kim@practice.example")))


@HOSTILE
@given(act=_acts, answer=answers(_json, good="200 OK"))
def test_outlook_can_raise_nothing_but_errors_of_ours(server: Hostile, act: str, answer: bytes) -> None:
    account = at_outlook(server.url)
    ask(server, answer, lambda: ACTS[act](account, account.open("work")))


@HOSTILE
@example(answer=b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\n\r\n")  # an empty body that is said to be packed
@given(answer=answers(_json, good="200 OK"))
def test_a_sign_in_ends_in_nothing_but_errors_of_ours(server: Hostile, answer: bytes) -> None:
    google, outlook = Google(clock=lambda: NOW, timeout=LIMIT), Outlook(clock=lambda: NOW, web=WEB)
    at_google, at_microsoft = registered("google", server.url), registered("outlook", f"{server.url}common")
    memory = google.begin(at_google, "state").memory
    ask(server, answer, lambda: google.complete(at_google, memory, {"code": "c", "state": "state"}))
    ask(server, answer, lambda: outlook.begin(at_microsoft, "state"))
    google.close()
