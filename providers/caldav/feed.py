"""The change feed of a CalDAV collection: by sync token (RFC 6578), else by the collection's ctag or its ETags.

Our token tells which it is: `sync:<token>`, `ctag:<tag>` or `etags:<digest of the listing>`.
"""

from __future__ import annotations

import hashlib
from dataclasses import replace

from caldav.elements import dav

from connector.errors import RefusedError, SyncTokenExpiredError
from connector.ports import Changed, Changes
from connector.sentence import Sentence
from providers._wire import Answer
from providers.caldav import dav as _dav
from providers.caldav.events import Events

_PAGES = 1000
_CUT = 507
_GONE = frozenset({404, 410})
# How servers say that they cannot do it at all, and that they do not know the token (any more).
_UNABLE = frozenset({400, 403, 405, 409, 412, 415, 422, 501})
_EXPIRED = frozenset({400, 409, 412})
_MAYBE_EXPIRED = frozenset({403, 410})


def changes(events: Events, last_token: str | None) -> Changes:
    """Read the feed from a token, or everything from None.

    Raises: SyncTokenExpiredError; MissingError if the collection is not there; another ProviderError.
    """
    kind, _, value = (last_token or "").partition(":")
    if last_token is None:
        return _sync(events, None) or _listing(events, None)
    if kind != "sync":
        return _listing(events, last_token)
    update = _sync(events, value)
    if update is None:
        raise SyncTokenExpiredError(Sentence("the server has forgotten how to tell changes"))
    return update


def _sync(events: Events, token: str | None) -> Changes | None:
    """Follow sync-collection to its end; None if the server cannot do it and was not asked by token."""
    changed: dict[str, str | None] = {}
    gone: set[str] = set()
    page_token = token or ""
    for _ in range(_PAGES):
        page = _page(events, page_token, is_first_sync=token is None)
        if page is None:
            return None
        next_token, is_cut = page.sync_token or "", _take(events, page, changed, gone)
        if not is_cut or next_token == page_token:
            break
        page_token = next_token
    else:
        raise RefusedError(Sentence("the server has more than %(most)s pages of changes", most=_PAGES))
    return Changes(
        changed=tuple(Changed(href=href, etag=etag) for href, etag in changed.items()),
        gone=() if token is None else tuple(sorted(gone)),
        token=f"sync:{next_token}",
        full=token is None,
    )


def _page(events: Events, token: str, *, is_first_sync: bool) -> _dav.Multistatus | None:
    """Ask for what follows a token; None if the server cannot do that, as only a first sync may learn.

    Raises: SyncTokenExpiredError; another ProviderError.
    """
    answer = events.http.request("REPORT", events.url, headers=_dav.headers(0), body=_dav.sync(token))
    if is_first_sync and answer.status in _UNABLE:
        return None
    if not is_first_sync and _is_expired(answer):
        raise SyncTokenExpiredError(Sentence("the server does not know the sync token any more"))
    page = _dav.multistatus(answer)
    if page.sync_token is None:
        if is_first_sync:
            return None
        raise SyncTokenExpiredError(Sentence("the server gives no new sync token"))
    for row in page.rows:
        if _is_own(events, row) and row.refused and row.status != _CUT:
            raise _dav.meaning(replace(answer, status=row.status or 0))
    return page


def _take(events: Events, page: _dav.Multistatus, changed: dict[str, str | None], gone: set[str]) -> bool:
    """Add one page to what the pages before have named; whether it was cut short (RFC 6578 section 3.6)."""
    is_cut, here, lost = False, {}, set()
    for row in page.rows:
        href = events.canonical(row.href)
        if _is_own(events, row):
            is_cut = is_cut or row.status == _CUT
        elif row.status in _GONE:
            lost.add(href)
        elif not href.endswith("/"):
            here[href] = row.text(dav.GetEtag)
    for href in lost - here.keys():  # an event that is named both ways is there
        changed.pop(href, None)
        gone.add(href)
    changed.update(here)
    gone.difference_update(here)
    return is_cut


def _is_own(events: Events, row: _dav.Row) -> bool:
    """Whether a row is about the collection itself."""
    return events.canonical(row.href).rstrip("/") == events.path.rstrip("/")


def _is_expired(answer: Answer) -> bool:
    if answer.status in _EXPIRED:
        return True
    return answer.status in _MAYBE_EXPIRED and _dav.VALID_SYNC_TOKEN in _dav.preconditions(answer)


def _listing(events: Events, last_token: str | None) -> Changes:
    """List everything, unless the collection's ctag says that nothing has changed."""
    token = _ctag(events) if last_token is None or last_token.startswith("ctag:") else None
    if token is not None and token == last_token:
        return _nothing_new(token)
    etags = _etags(events)
    if token is None:
        token = "etags:" + hashlib.sha256(repr(sorted(etags.items())).encode()).hexdigest()
        if token == last_token:
            return _nothing_new(token)
    changed = tuple(Changed(href=href, etag=etag) for href, etag in etags.items())
    return Changes(changed=changed, gone=(), token=token, full=True)


def _nothing_new(token: str) -> Changes:
    return Changes(changed=(), gone=(), token=token, full=False)


def _etags(events: Events) -> dict[str, str | None]:
    """Return the ETag of every event of the collection, by href."""
    body = _dav.propfind(dav.GetEtag, dav.ResourceType)
    answer = events.http.request("PROPFIND", events.url, headers=_dav.headers(1), body=body)
    etags: dict[str, str | None] = {}
    for row in _dav.rows_about(answer):
        if dav.Collection.tag not in row.tags(dav.ResourceType) and row.status not in _GONE:
            etags[events.canonical(row.href)] = row.text(dav.GetEtag)
    etags.pop(events.path, None)
    return etags


def _ctag(events: Events) -> str | None:
    body = _dav.propfind(_dav.GetCtag)
    answer = events.http.request("PROPFIND", events.url, headers=_dav.headers(0), body=body)
    tag = next((text for row in _dav.rows_about(answer) if (text := row.text(_dav.GetCtag))), None)
    return f"ctag:{tag}" if tag else None
