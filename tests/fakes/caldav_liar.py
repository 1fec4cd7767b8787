"""A small CalDAV server in this process that can be told to lie as real ones do, and to lose its memory.

Without switches it is honest and passes the providers' contract. It takes the place of any server of `servers.py`.
"""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable, Iterable
from datetime import UTC, datetime
from typing import Any, Self
from urllib.parse import unquote, urlsplit
from xml.sax.saxutils import escape

from lxml import etree

from tests.fakes._caldav_store import Collection, Kind, Saved, touching
from tests.fakes.caldav_proxy import Proxy, Reply, Request
from tests.fakes.servers import Server

_XML = {"Content-Type": "application/xml; charset=utf-8"}
_NAMES = 'xmlns:D="DAV:" xmlns:C="urn:ietf:params:xml:ns:caldav" xmlns:S="http://calendarserver.org/ns/"'
_PREFIX = {"DAV:": "D", "urn:ietf:params:xml:ns:caldav": "C", "http://calendarserver.org/ns/": "S"}
_TOKEN_LOST = f"<D:error {_NAMES}><D:valid-sync-token/></D:error>".encode()
_D, _C = "{DAV:}", "{urn:ietf:params:xml:ns:caldav}"

Props = dict[str, str]


class LyingServer(Server):
    """Runs while it is used as a context manager; `kim` with the password `secret` has her calendars there.

    Attributes:
        kind: How it takes a sync token of a history that it has lost: see `Kind`.
        counts_etags: Whether ETags are numbers of changes, which begin again after a back-up or in a collection that is
            made again, so that the same text stands for other content; as with servers that keep a counter a calendar.
        refuses: The status with which all requests of a method are refused, by method, for as long as it stands there:
            403 where a calendar was made read-only, 405 and 400 by proxies and full quotas, 404 while a server moves.
    """

    def __init__(self, kind: Kind = Kind.HONEST, *, counts_etags: bool = False) -> None:
        self._front = _Front(self._answer)
        url = self._front.url
        super().__init__(url, f"{url}kim/", "kim", "secret", None)  # type: ignore[arg-type]
        self.kind = kind
        self.counts_etags = counts_etags
        self.refuses: dict[str, int] = {}
        self._collections: Saved = {}
        self._lock = threading.RLock()

    def snapshot(self) -> Saved:
        """Return a back-up of all calendars."""
        with self._lock:
            return {path: collection.restored() for path, collection in self._collections.items()}

    def set_back(self, saved: Saved) -> None:
        """Bring a back-up back: nothing later has ever been, and numbers go on from there."""
        with self._lock:
            self._collections = {path: collection.restored() for path, collection in saved.items()}

    def delete_collection(self, url: str) -> None:
        """Delete a calendar with everything in it."""
        with self._lock:
            del self._collections[urlsplit(url).path]

    def make_again(self, url: str) -> None:
        """Delete a calendar, if it is there, and make an empty one at its URL, with a history of its own."""
        with self._lock:
            path = urlsplit(url).path
            self._collections.pop(path, None)
            self._collections[path] = Collection(path.rstrip("/").rpartition("/")[2])

    def stop(self) -> None:
        self._front.__exit__()

    def __enter__(self) -> Self:
        self._front.__enter__()
        return self

    # How it works inside.

    def _answer(self, request: Request) -> Reply:
        pair = base64.b64encode(f"{self.username}:{self.password}".encode()).decode()
        if request.headers.get("authorization") != f"Basic {pair}":
            return Reply(401, {"WWW-Authenticate": 'Basic realm="calendars"'})
        if request.method in self.refuses:
            return Reply(self.refuses[request.method])
        method = getattr(self, f"_{request.method.lower()}", None)
        if method is None:
            return Reply(501)
        with self._lock:
            reply: Reply = method(request, unquote(urlsplit(request.path).path))
            return reply

    def _found(self, path: str) -> Collection | None:
        return self._collections.get(f"{path.rpartition('/')[0]}/")

    def _mkcalendar(self, request: Request, path: str) -> Reply:
        component = etree.fromstring(request.body).find(f".//{_C}comp").get("name")
        self._collections[path] = Collection(path.rstrip("/").rpartition("/")[2], component=component)
        return Reply(201)

    def _get(self, _: Request, path: str) -> Reply:
        collection = self._found(path)
        event = collection.events.get(path) if collection else None
        if event is None:
            return Reply(404)
        return Reply(200, {"ETag": event.etag, "Content-Type": "text/calendar; charset=utf-8"}, event.body)

    def _put(self, request: Request, path: str) -> Reply:
        collection = self._found(path)
        if collection is None:
            return Reply(409)
        event = collection.events.get(path)
        match, none_match = (request.headers.get(name) for name in ("if-match", "if-none-match"))
        if (none_match and event) or (match and (event is None or event.etag != match)):
            return Reply(412)
        stored = collection.put(path, request.body, counted=self.counts_etags)
        return Reply(204 if event else 201, {"ETag": stored.etag})

    def _delete(self, request: Request, path: str) -> Reply:
        if self._collections.pop(path, None):
            return Reply(204)
        collection = self._found(path)
        event = collection.events.get(path) if collection else None
        if collection is None or event is None:
            return Reply(404)
        if request.headers.get("if-match", event.etag) != event.etag:
            return Reply(412)
        collection.delete(path)
        return Reply(204)

    def _propfind(self, request: Request, path: str) -> Reply:
        asked = [str(prop.tag) for prop in etree.fromstring(request.body).find(f"{_D}prop")] if request.body else None
        deep = request.headers.get("depth") == "1"
        if path in self._collections:
            collection = self._collections[path]
            members = [(place, {f"{_D}getetag": event.etag}) for place, event in collection.events.items()]
            return _multistatus([(path, self._about(collection)), *(members if deep else [])], asked)
        parent = self._found(path)
        if parent and (event := parent.events.get(path)):
            return _multistatus([(path, {f"{_D}getetag": event.etag})], asked)
        if path not in {"/", "/.well-known/caldav", "/kim/"}:
            return Reply(404)
        own = [(place, self._about(one)) for place, one in self._collections.items()] if path == "/kim/" else []
        principal = {
            f"{_D}resourcetype": "<D:collection/>",
            f"{_D}current-user-principal": "<D:href>/kim/</D:href>",
            f"{_C}calendar-home-set": "<D:href>/kim/</D:href>",
        }
        return _multistatus([(path, principal), *(own if deep else [])], asked)

    def _about(self, collection: Collection) -> Props:
        return {
            f"{_D}resourcetype": "<D:collection/><C:calendar/>",
            f"{_D}displayname": escape(collection.name),
            f"{_D}sync-token": collection.token(self.kind),
            f"{_C}supported-calendar-component-set": f'<C:comp name="{collection.component}"/>',
            "{http://calendarserver.org/ns/}getctag": collection.token(self.kind),
        }

    def _report(self, request: Request, path: str) -> Reply:
        collection = self._collections.get(path)
        if collection is None:
            return Reply(404)
        body = etree.fromstring(request.body)
        if body.tag == f"{_D}sync-collection":
            return self._changes(collection, (body.findtext(f"{_D}sync-token") or "").strip())
        asked = [str(prop.tag) for prop in body.find(f"{_D}prop")]
        if body.tag == f"{_C}calendar-multiget":
            hrefs = [unquote(urlsplit(href.text).path) for href in body.findall(f"{_D}href")]
            found = [(href, collection.events[href]) for href in hrefs if href in collection.events]
            lost = [href for href in hrefs if href not in collection.events]
        else:
            window = body.find(f".//{_C}time-range")
            edges = (_instant(window, edge) for edge in ("start", "end"))
            found, lost = list(touching(collection, *edges)), []
        rows = [
            (href, {f"{_D}getetag": event.etag, f"{_C}calendar-data": escape(event.body.decode())})
            for href, event in found
        ]
        return _multistatus(rows, asked, lost=lost)

    def _changes(self, collection: Collection, token: str) -> Reply:
        told = collection.changes(token, self.kind)
        if told is None:
            return Reply(403, _XML, _TOKEN_LOST)
        changed, gone = told
        rows = [(path, {f"{_D}getetag": collection.events[path].etag}) for path in changed]
        return _multistatus(rows, None, lost=gone, token=collection.token(self.kind))


class _Front(Proxy):
    """Its sockets: what would be passed on is answered here."""

    def __init__(self, answer: Callable[[Request], Reply]) -> None:
        super().__init__("http://127.0.0.1/")
        self._own = answer

    def pass_on(self, request: Request) -> Reply:
        return self._own(request)


def _instant(window: Any, edge: str) -> datetime | None:
    text = window.get(edge) if window is not None else None
    return datetime.strptime(text, "%Y%m%dT%H%M%SZ").replace(tzinfo=UTC) if text else None


def _multistatus(
    rows: Iterable[tuple[str, Props]], asked: list[str] | None, *, lost: Iterable[str] = (), token: str = ""
) -> Reply:
    """Write a 207 answer with the properties that were asked for; None means all."""
    parts = [f'<?xml version="1.0" encoding="utf-8"?><D:multistatus {_NAMES}>']
    for href, props in rows:
        shown = [_prop(name, value) for name, value in props.items() if asked is None or name in asked]
        ok = f"<D:prop>{''.join(shown)}</D:prop><D:status>HTTP/1.1 200 OK</D:status>"
        parts.append(f"<D:response><D:href>{escape(href)}</D:href><D:propstat>{ok}</D:propstat></D:response>")
    parts += [
        f"<D:response><D:href>{escape(href)}</D:href><D:status>HTTP/1.1 404 Not Found</D:status></D:response>"
        for href in lost
    ]
    parts.append(f"<D:sync-token>{token}</D:sync-token></D:multistatus>" if token else "</D:multistatus>")
    return Reply(207, _XML, "".join(parts).encode())


def _prop(name: str, value: str) -> str:
    namespace, _, local = name[1:].partition("}")
    return f"<{_PREFIX[namespace]}:{local}>{value}</{_PREFIX[namespace]}:{local}>"
