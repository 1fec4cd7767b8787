"""The change feed and the reads, as servers really answer them: a scripted proxy stands before a real Radicale."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from uuid import uuid4

import pytest

from connector.domain.reconcile import Ref
from connector.errors import (
    AccessLostError,
    MissingError,
    ProviderError,
    RefusedError,
    SyncTokenExpiredError,
    TransientError,
)
from tests.fakes.caldav_proxy import Reply, Request, says
from tests.providers.conftest import Setting
from tests.providers.contract import content, creation, written

Forward = Callable[[], Reply]

TOKEN_ERROR = b'<D:error xmlns:D="DAV:"><D:valid-sync-token/></D:error>'


@pytest.mark.parametrize(
    ("status", "body", "error"),
    [
        (403, TOKEN_ERROR, SyncTokenExpiredError),
        (409, TOKEN_ERROR, SyncTokenExpiredError),
        (412, b"", SyncTokenExpiredError),
        (400, b"", SyncTokenExpiredError),
        (410, TOKEN_ERROR, SyncTokenExpiredError),
        (403, b"", RefusedError),
        (401, b"", AccessLostError),
        (404, b"", MissingError),
        (410, b"", MissingError),
        (503, b"", TransientError),
        (500, TOKEN_ERROR, TransientError),
    ],
)
def test_each_refusal_of_a_token_means_one_thing(
    setting: Setting, status: int, body: bytes, error: type[ProviderError]
) -> None:
    setting.proxy.once("REPORT", says(status, body))
    with pytest.raises(error):
        setting.calendar.changes("sync:http://example.org/1")


SINCE = [None, "sync:http://example.org/1", "ctag:1", "etags:1"]
GONE_OR_CLOSED = [(404, MissingError), (410, MissingError), (403, RefusedError), (401, AccessLostError)]


@pytest.mark.parametrize("since", SINCE)
@pytest.mark.parametrize(("status", "error"), GONE_OR_CLOSED)
def test_a_calendar_that_is_gone_or_closed_is_told_from_whatever_token(
    setting: Setting, status: int, error: type[ProviderError], since: str | None
) -> None:
    setting.proxy.always("REPORT", says(status))
    setting.proxy.always("PROPFIND", says(status))
    with pytest.raises(error):
        setting.calendar.changes(since)


@pytest.mark.parametrize("since", SINCE)
@pytest.mark.parametrize(("status", "error"), GONE_OR_CLOSED[:3])
def test_a_refusal_inside_a_multistatus_is_no_empty_calendar(
    setting: Setting, status: int, error: type[ProviderError], since: str | None
) -> None:
    page = feed(bare(path_of(setting), f"{status} No"), token="http://example.org/2")
    setting.proxy.always("REPORT", says(207, page))
    setting.proxy.always("PROPFIND", says(207, page))
    with pytest.raises(error):
        setting.calendar.changes(since)


def feed(*rows: str, token: str) -> bytes:
    return (
        '<?xml version="1.0"?><d:multistatus xmlns:d="DAV:">' + "".join(rows) + f"<d:sync-token>{token}</d:sync-token>"
        "</d:multistatus>"
    ).encode()


def member(href: str, etag: str) -> str:
    return (
        f"<d:response><d:href>{href}</d:href><d:propstat><d:prop><d:getetag>{etag}</d:getetag></d:prop>"
        "<d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
    )


def bare(href: str, status: str) -> str:
    return f"<d:response><d:href>{href}</d:href><d:status>HTTP/1.1 {status}</d:status></d:response>"


def path_of(setting: Setting) -> str:
    return "/" + setting.owner.url.partition("://")[2].partition("/")[2]


def test_a_listing_that_was_cut_short_is_followed_to_its_end(setting: Setting) -> None:
    here = path_of(setting)
    pages = [
        feed(member(f"{here}a.ics", '"1"'), member(f"{here}b.ics", '"1"'), bare(here, "507 Full"), token="t1"),
        feed(member(f"{here}a.ics", '"2"'), bare(f"{here}b.ics", "404 Gone"), bare(here, "507 Full"), token="t2"),
        feed(member(f"{here}c.ics", '"1"'), token="t3"),
    ]
    for page in pages:
        setting.proxy.once("REPORT", says(207, page))
    changes = setting.calendar.changes("sync:t0")
    assert {(event.href, event.etag) for event in changes.changed} == {(f"{here}a.ics", '"2"'), (f"{here}c.ics", '"1"')}
    assert changes.gone == (f"{here}b.ics",)
    assert changes.token == "sync:t3"
    tokens = [request.body.decode().partition("sync-token>")[2].partition("<")[0] for request in setting.proxy.requests]
    assert tokens == ["t0", "t1", "t2"]
    assert b"limit" not in setting.proxy.requests[0].body


def test_odd_members_of_a_feed_are_understood(setting: Setting) -> None:
    here = path_of(setting)
    page = feed(
        member(here, '"collection"'),
        bare(f"{here}both.ics", "404 Not Found"),
        member(f"{here}both.ics", '"b"'),
        member(f"http://127.0.0.1:{setting.proxy.url.rstrip('/').rpartition(':')[2]}{here}whole%2Durl.ics", '"w"'),
        bare(f"{here}unknown.ics", "404 Not Found"),
        token="t",
    )
    setting.proxy.once("REPORT", says(207, page))
    changes = setting.calendar.changes("sync:t0")
    assert {event.href for event in changes.changed} == {f"{here}both.ics", f"{here}whole-url.ics"}
    assert changes.gone == (f"{here}unknown.ics",)


@pytest.mark.parametrize("status", ["401 No", "403 No", "423 Locked", "500 Failed", "200 OK"])
@pytest.mark.parametrize("token", ["sync:t0", "etags:1"])
def test_an_event_that_a_feed_cannot_tell_has_changed_and_is_not_gone(
    setting: Setting, token: str, status: str
) -> None:
    here = path_of(setting)
    page = feed(bare(f"{here}odd.ics", status), member(f"{here}well.ics", '"w"'), token="t")
    setting.proxy.once("REPORT", says(207, page))
    setting.proxy.once("PROPFIND", says(207, page))
    changes = setting.calendar.changes(token)
    assert {(event.href, event.etag) for event in changes.changed} == {
        (f"{here}odd.ics", None),
        (f"{here}well.ics", '"w"'),
    }
    assert changes.gone == ()


@pytest.mark.parametrize("status", [403, 405, 415, 501])
def test_a_server_without_sync_tokens_is_read_by_its_ctag(setting: Setting, status: int) -> None:
    setting.proxy.always("REPORT", says(status))
    (outcome,) = written(setting.calendar.apply([creation()]))
    first = setting.calendar.changes(None)
    assert first.full
    assert [(event.href, event.etag) for event in first.changed] == [(outcome.ref.href, outcome.ref.etag)]
    setting.proxy.forget()
    quiet = setting.calendar.changes(first.token)
    assert (quiet.changed, quiet.full, quiet.token) == ((), False, first.token)
    assert setting.proxy.methods() == ["PROPFIND"]
    setting.owner.delete(outcome.ref.href or "")
    later = setting.calendar.changes(first.token)
    assert (later.changed, later.gone, later.full) == ((), (), True)
    assert later.token != first.token


def test_a_server_with_neither_is_compared_by_its_listing(setting: Setting) -> None:
    def no_ctag(_: Request, forward: Forward) -> Reply:
        reply = forward()
        return replace(reply, body=reply.body.replace(b"getctag", b"nothing"))

    setting.proxy.always("REPORT", says(501))
    setting.proxy.always("PROPFIND", no_ctag)
    written(setting.calendar.apply([creation()]))
    first = setting.calendar.changes(None)
    assert first.token.startswith("etags:")
    setting.proxy.forget()
    assert not setting.calendar.changes(first.token).full
    assert setting.proxy.methods() == ["PROPFIND"]
    written(setting.calendar.apply([creation()]))
    assert len(setting.calendar.changes(first.token).changed) == 2


def test_what_a_multiget_leaves_out_is_asked_for_before_it_is_called_absent(setting: Setting) -> None:
    puts = [creation(content(hours=n)) for n in range(2)]
    refs = [outcome.ref for outcome in written(setting.calendar.apply(puts))]
    setting.proxy.forget()
    setting.proxy.once("REPORT", says(207, b'<d:multistatus xmlns:d="DAV:"/>'))
    sightings = setting.calendar.read(refs)
    assert all(sightings.values())
    assert setting.proxy.methods() == ["REPORT", "GET", "GET"]


@pytest.mark.parametrize(("status", "error"), [(500, TransientError), (403, RefusedError), (401, AccessLostError)])
def test_what_could_not_be_read_is_never_called_absent(
    setting: Setting, status: int, error: type[ProviderError]
) -> None:
    setting.proxy.once("GET", says(status))
    with pytest.raises(error):
        setting.calendar.read([Ref(name=str(uuid4()))])


def test_nonsense_in_one_event_hides_no_other(setting: Setting) -> None:
    here = path_of(setting)
    lines = (
        "BEGIN:VCALENDAR BEGIN:VEVENT UID:a DTSTART:20261203T120000Z DTEND:20261203T130000Z END:VEVENT END:VCALENDAR"
    )
    good = lines.replace(" ", "\n")
    bodies = [
        "nonsense",
        "BEGIN:VCALENDAR\nBEGIN:VEVENT\nDTSTART:yesterday\nEND:VEVENT\nEND:VCALENDAR",
        good.replace("UID:a", "RRULE:FREQ=NEVER"),
        good.replace("20261203T130000Z", "19000101T000000Z"),
        good,
    ]
    rows = "".join(
        f"<d:response><d:href>{here}{n}.ics</d:href><d:propstat><d:prop><c:calendar-data>{body}</c:calendar-data>"
        "</d:prop><d:status>HTTP/1.1 200 OK</d:status></d:propstat></d:response>"
        for n, body in enumerate(bodies)
    )
    page = f'<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav">{rows}</d:multistatus>'
    setting.proxy.once("REPORT", says(207, page.encode()))
    events = setting.calendar.busy(content().span).times
    assert f"{here}4.ics" in {event.href for event in events}


def test_an_event_of_every_second_takes_the_whole_time_and_none_of_ours(setting: Setting) -> None:
    text = (
        "BEGIN:VCALENDAR\r\nVERSION:2.0\r\nPRODID:x\r\nBEGIN:VEVENT\r\nUID:often\r\nDTSTAMP:20260101T000000Z\r\n"
        "DTSTART:20260101T000000Z\r\nDTEND:20260101T000001Z\r\nRRULE:FREQ=SECONDLY\r\nEND:VEVENT\r\nEND:VCALENDAR\r\n"
    )
    page = (
        '<d:multistatus xmlns:d="DAV:" xmlns:c="urn:ietf:params:xml:ns:caldav"><d:response><d:href>/x.ics</d:href>'
        f"<d:propstat><d:prop><c:calendar-data>{text}</c:calendar-data></d:prop></d:propstat></d:response></d:multistatus>"
    )
    setting.proxy.once("REPORT", says(207, page.encode()))
    assert [event.span for event in setting.calendar.busy(content().span).times] == [content().span]
