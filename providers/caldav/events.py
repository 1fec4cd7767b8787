"""The events of one CalDAV collection, each read, written and removed by requests of its own.

Writes go straight through our HTTP session: one request each, where python-caldav's objects would parse and re-render.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass, replace
from datetime import datetime
from threading import Lock
from urllib.parse import urlsplit

from caldav.elements import dav

from connector.domain.reconcile import Put, Ref, Remove
from connector.errors import EditConflictError, MissingError, ProviderError, RefusedError, TransientError
from connector.ical import vevent
from connector.ports import Removed, Written
from connector.sentence import Sentence
from providers._conflict import check_overwrite
from providers._wire import Answer, Http, joined
from providers.caldav import dav as _dav

_ROUNDS = 3
_CACHED = 512  # bodies
_LARGEST = 256 * 1024  # bytes of one that is kept
_CALENDAR = {"Content-Type": "text/calendar; charset=utf-8"}
_CREATED, _NO_CONTENT, _FORBIDDEN = 201, 204, 403
_GONE = frozenset({404, 410})
_TAKEN = frozenset({409, 412})


@dataclass(frozen=True, slots=True)
class Stored:
    """An event as the server holds it."""

    href: str
    etag: str | None
    body: bytes


class Events:
    """One collection's events; safe to share between threads.

    Keeps the last bodies seen, by address and ETag, so that an update can carry the practitioner's own additions along
    without reading the event first.
    """

    def __init__(self, http: Http, url: str, clock: Callable[[], datetime]) -> None:
        self.http = http
        self.url = url if url.endswith("/") else f"{url}/"
        self.path = _dav.canonical(self.url, self.url)
        self._raw_path = urlsplit(self.url).path
        self._clock = clock
        self._bodies: OrderedDict[tuple[str, str], bytes] = OrderedDict()
        self._lock = Lock()
        self._says_no_content = False  # this server answers 204 to an update, so that 201 to one means a creation

    def href(self, ref: Ref) -> str:
        """Return where a ref lives: where the service put it, else where its name belongs."""
        return ref.href or f"{self.path}{ref.name}.ics"

    def address(self, href: str) -> str:
        """Return the URL to ask for a canonical href, with the collection's path spelled as the server spells it."""
        if href.startswith(self.path):
            href = self._raw_path + href[len(self.path) :]
        return joined(self.url, href)

    def canonical(self, href: str) -> str:
        """Return an address as it is kept and compared."""
        return _dav.canonical(href, self.url)

    def get(self, href: str) -> Stored | None:
        """Read one event; None if it is confirmed not to be there."""
        answer = self.http.request("GET", self.address(href), headers={})
        if answer.status in _GONE:
            return None
        if answer.status != 200:  # noqa: PLR2004 - OK
            raise _dav.meaning(answer)
        stored = Stored(href, self._etag(answer, href), answer.body)
        self.remember(stored)
        return stored

    def remember(self, stored: Stored) -> None:
        """Keep a body for the next update of the event."""
        if stored.etag is None or len(stored.body) > _LARGEST:
            return
        with self._lock:
            self._bodies[stored.href, stored.etag] = stored.body
            self._bodies.move_to_end((stored.href, stored.etag))
            while len(self._bodies) > _CACHED:
                self._bodies.popitem(last=False)

    def told(self, href: str, row: _dav.Row, text: str) -> Stored:
        """Return an event as an answer in XML tells it, which spells line ends its own way; keep it as `get` does.

        One of which something was left out is not kept: it would be written back like that.
        """
        stored = Stored(href, row.text(dav.GetEtag), text.replace("\r\n", "\n").replace("\n", "\r\n").encode())
        if row.is_exact:
            self.remember(stored)
        return stored

    def write(self, put: Put) -> Written:
        """Make the event show the entry: one conditional request, unless somebody else has touched it.

        Raises: ProviderError; MissingError if an event that was there is gone, or its name is spent.
        """
        if put.ref.href is None and put.ref.etag is None:
            return self._create(put)
        href = self.href(put.ref)
        stored = self.remembered(href, put.ref.etag)
        written = self._replace(put, stored) if stored else None
        return written or self._update(put, href)

    def remove(self, action: Remove) -> Removed:
        """Make sure the event is not there, also if it was changed in between.

        Raises: ProviderError.
        """
        answer = self.http.request("DELETE", self.address(self.href(action.ref)), headers={})
        if not 200 <= answer.status < 300 and answer.status not in _GONE:  # noqa: PLR2004 - success
            raise _dav.meaning(answer)
        return Removed(key=action.key)

    def _create(self, put: Put) -> Written:
        href = self.href(put.ref)
        body = vevent.build(put.ref.name, put.entry.content, stamp=self._clock(), link=put.entry.link)
        answer = self._put(href, body, {"If-None-Match": "*"})
        uid_taken = answer.status == _FORBIDDEN and _dav.UID_TAKEN & _dav.preconditions(answer)
        if uid_taken or answer.status in _TAKEN | _GONE:
            stored = self.get(href)
            if stored is None:
                raise self._unusable(put)
            return self._update(put, href, stored)
        return self._written(put, Stored(href, None, body), answer)

    def _update(self, put: Put, href: str, stored: Stored | None = None) -> Written:
        """Read, merge and write until nobody has written in between; writes nothing if all is as it should be.

        Raises: ProviderError; EditConflictError if somebody else has changed what stands there.
        """
        for _ in range(_ROUNDS):
            stored = stored or self.get(href)
            if stored is None:
                raise MissingError(Sentence("%(address)s is not there any more", address=href))
            content = vevent.read(stored.body)
            if content == put.entry.content and stored.etag:
                return self._done(put, stored.href, stored.etag)
            self._merged(stored.body, put)  # a stranger's is no earlier self of ours
            check_overwrite(put, content)
            written = self._replace(put, stored)
            if written:
                return written
            stored = None
        raise EditConflictError(Sentence("somebody else kept changing %(address)s at the same time", address=href))

    def _replace(self, put: Put, stored: Stored) -> Written | None:
        """Write an event back with what is ours changed in it; None if it is not as it was any more."""
        body = self._merged(stored.body, put)
        etag = stored.etag if stored.etag and not _is_weak(stored.etag) else None
        answer = self._put(stored.href, body, {"If-Match": etag} if etag else {})
        if answer.status in _TAKEN:
            self._forget(stored)
            return None
        if answer.status == _CREATED and self._says_no_content:
            # Some servers take If-Match on a name that is not there as a creation: undo it, the event was deleted.
            self.http.request("DELETE", self.address(stored.href), headers={})
            raise MissingError(Sentence("%(address)s is not there any more", address=stored.href))
        self._says_no_content = self._says_no_content or answer.status == _NO_CONTENT
        if answer.status < 300:  # noqa: PLR2004 - a success, so what is remembered is out of date
            self._forget(stored)
        return self._written(put, replace(stored, body=body), answer)

    def _written(self, put: Put, sent: Stored, answer: Answer) -> Written:
        """Note what the server made of a write.

        A strong ETag promises that it keeps the very bytes (RFC 4791 section 5.3.4); else it is asked for.
        """
        if not 200 <= answer.status < 300:  # noqa: PLR2004 - success
            raise _dav.meaning(answer)
        href = self._place(answer) or sent.href
        etag = answer.headers.get("etag") or None
        if etag and not _is_weak(etag):
            self.remember(Stored(href, etag, sent.body))
            return self._done(put, href, etag)
        try:
            return self._done(put, href, self._asked_etag(href))
        except MissingError as error:  # a proxy may have answered in the server's place
            raise TransientError(Sentence("the write was answered with success, and yet nothing is there")) from error
        except ProviderError:
            return self._done(put, href, None)

    def _place(self, answer: Answer) -> str | None:
        """Return where in the collection a new event was put, if the answer tells."""
        location = answer.headers.get("location") if answer.status == _CREATED else None
        if location is None:
            return None
        with suppress(RefusedError):  # the event is written, wherever that leads
            place = self.canonical(joined(answer.url, location))
            return place if place.startswith(self.path) else None
        return None

    def _done(self, put: Put, href: str, etag: str | None) -> Written:
        ref = replace(put.ref, href=href, etag=etag)
        return Written(key=put.key, ref=ref, seen=put.entry.content.fingerprint)

    def _merged(self, stored: bytes, put: Put) -> bytes:
        """Merge into what is ours; what cannot be changed without losing something of it is left alone.

        Raises: RefusedError.
        """
        if vevent.uid(stored) != put.ref.name and not self._is_marked(stored, put.ref.name):
            raise RefusedError(Sentence("another event stands where ours belongs"))
        try:
            return vevent.merge(
                stored,
                put.entry.content,
                name=put.ref.name,
                stamp=self._clock(),
                session_id=put.session_id,
                link=put.entry.link,
            )
        except vevent.UnreadableError as error:
            raise RefusedError(
                Sentence("the event cannot be changed without losing something of it: %(reason)s", reason=str(error))
            ) from error

    def _is_marked(self, stored: bytes, name: str) -> bool:
        """Whether an event was made under a name, although some program has given it another UID."""
        identity = vevent.identity(stored.decode(errors="replace"))
        return identity is not None and identity.marked and identity.name == name

    def _unusable(self, put: Put) -> ProviderError:
        """Say why nothing is there and yet nothing can be created."""
        answer = self.http.request("PROPFIND", self.url, headers=_dav.headers(0), body=_dav.propfind(dav.ResourceType))
        try:
            _dav.rows_about(answer)
        except MissingError:
            return RefusedError(Sentence("the calendar itself is not there any more"))
        except ProviderError as error:
            return error
        return MissingError(
            Sentence("the name %(name)s is spent: nothing is there, and it cannot be used again", name=put.ref.name)
        )

    def _put(self, href: str, body: bytes, condition: Mapping[str, str]) -> Answer:
        return self.http.request("PUT", self.address(href), headers={**_CALENDAR, **condition}, body=body)

    def _etag(self, answer: Answer, href: str) -> str | None:
        etag = answer.headers.get("etag")
        return etag if etag and not _is_weak(etag) else self._asked_etag(href)

    def _asked_etag(self, href: str) -> str | None:
        url = self.address(href)
        answer = self.http.request("PROPFIND", url, headers=_dav.headers(0), body=_dav.propfind(dav.GetEtag))
        return next((etag for row in _dav.multistatus(answer).rows if (etag := row.text(dav.GetEtag))), None)

    def remembered(self, href: str, etag: str | None) -> Stored | None:
        """Return an event as it was at that ETag, if its body is kept."""
        if etag is None or _is_weak(etag):
            return None
        with self._lock:
            body = self._bodies.get((href, etag))
        return Stored(href, etag, body) if body is not None else None

    def _forget(self, stored: Stored) -> None:
        """Drop a body that is no longer the last."""
        with self._lock:
            self._bodies.pop((stored.href, stored.etag or ""), None)


def _is_weak(etag: str) -> bool:
    return etag.startswith("W/")
