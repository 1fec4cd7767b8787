"""What a CalDAV server says of one calendar that is gone, closed, or has lost its memory; stands in a proxy."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from urllib.parse import unquote

from tests.fakes.caldav_proxy import Reply, Request

_SYNC = b"sync-collection"
_XML = {"Content-Type": "text/xml; charset=utf-8"}
_TOKEN_LOST = Reply(403, _XML, b'<error xmlns="DAV:"><valid-sync-token/></error>')
_FRESH = "urn:sync:of-nothing"
_NOTHING = f'<multistatus xmlns="DAV:"><sync-token>{_FRESH}</sync-token></multistatus>'
_RESPONSE = re.compile(rb"<(?:\w+:)?response>.*?</(?:\w+:)?response>", re.DOTALL)


@dataclass
class CaldavGate:
    """Lets everything through, but for what its switches say of the calendar at `path`; words are Radicale's.

    Attributes:
        closed: The status everything about the calendar is answered with, if any: 404 as if deleted, 403 as if not
            permitted. A calendar that is gone is in no listing either, and a write into it is a conflict (409).
        tokens_lost: Whether sync tokens are unknown, until the calendar has been read in full.
        lists_nothing: Whether all tokens but its own are unknown and the calendar is listed as empty.
        refuses_writes: The status with which events are refused, if any, while all else goes on: 403 as where a
            calendar was made read-only, 405 and 400 as by proxies and validators, 404 as while a server is moved.
        feed_refusals: Statuses, each the answer to one look at the feed: servers answer 404 or 403 while they restart.
        hides_deletions: Whether the feed leaves out what was deleted, as servers do that keep no tombstones.
        tells_nothing: Whether the feed leaves out all that has changed since its token, though tokens go on.
    """

    path: str
    closed: int | None = None
    tokens_lost: bool = False
    lists_nothing: bool = False
    refuses_writes: int | None = None
    feed_refusals: list[int] = field(default_factory=list)
    hides_deletions: bool = False
    tells_nothing: bool = False

    def __call__(self, request: Request, forward: Callable[[], Reply]) -> Reply:
        """Answer a request, or let it through."""
        if not unquote(request.path).startswith(self.path):
            reply = forward()
            return self._without_it(reply) if self.closed == 404 else reply
        if self.closed:
            return Reply(409 if self.closed == 404 and request.method == "PUT" else self.closed)
        if request.method == "PUT" and self.refuses_writes:
            return Reply(self.refuses_writes)
        if request.method == "REPORT" and _SYNC in request.body:
            if self.feed_refusals:
                return Reply(self.feed_refusals.pop(0))
            reply = self._changes(_token(request), forward)
            if self.tells_nothing and _token(request):
                return replace(reply, body=_RESPONSE.sub(b"", reply.body))
            return self._without_deletions(reply) if self.hides_deletions else reply
        if request.method == "PROPFIND" and self.lists_nothing and unquote(request.path) == self.path:
            return self._without_events(forward())
        return forward()

    def _changes(self, token: str, forward: Callable[[], Reply]) -> Reply:
        if self.lists_nothing:
            return Reply(207, _XML, _NOTHING.encode()) if token in {"", _FRESH} else _TOKEN_LOST
        if token and self.tokens_lost:
            return _TOKEN_LOST
        self.tokens_lost = False
        return forward()

    def _without_it(self, reply: Reply) -> Reply:
        return replace(reply, body=_RESPONSE.sub(lambda row: b"" if self._names(row[0]) else row[0], reply.body))

    def _without_events(self, reply: Reply) -> Reply:
        return replace(reply, body=_RESPONSE.sub(lambda row: b"" if b".ics<" in row[0] else row[0], reply.body))

    def _without_deletions(self, reply: Reply) -> Reply:
        return replace(reply, body=_RESPONSE.sub(lambda row: b"" if b" 404 " in row[0] else row[0], reply.body))

    def _names(self, row: bytes) -> bool:
        return f"href>{self.path}<".encode() in row


def _token(request: Request) -> str:
    found = re.search(rb"sync-token>([^<]*)<", request.body)
    return found[1].decode() if found else ""
