"""The language of WebDAV and CalDAV: request bodies, multistatus answers, and what a status means.

Bodies are built from python-caldav's elements. Answers are read here: its parser decodes the addresses it reports, and
gives up on a whole answer for one row it does not expect.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from urllib.parse import quote, unquote, urlsplit

from caldav.elements import cdav, dav
from caldav.elements.base import BaseElement
from lxml import etree

from connector.errors import (
    AccessLostError,
    EditConflictError,
    MissingError,
    ProviderError,
    RefusedError,
    TransientError,
)
from connector.sentence import Sentence
from providers._retry_after import retry_after, sent_at
from providers._wire import Answer, TooLargeError, joined

_CS = "{http://calendarserver.org/ns/}"
VALID_SYNC_TOKEN = "{DAV:}valid-sync-token"  # noqa: S105 - the name of a precondition
UID_TAKEN = frozenset(
    {
        "{urn:ietf:params:xml:ns:caldav}no-uid-conflict",
        "{urn:ietf:params:xml:ns:caldav}unique-scheduling-object-resource",
    }
)
_LONGEST_WAIT = timedelta(hours=6)
_STATUS = re.compile(r"\s*\S+\s+([1-9][0-9]{2})(?!\S)", re.ASCII)  # as in HTTP/1.1 404 Not Found
# What XML forbids, in UTF-8: controls, surrogates and the last two of the plane.
_FORBIDDEN = re.compile(rb"[\x00-\x08\x0b\x0c\x0e-\x1f]|\xed[\xa0-\xbf][\x80-\xbf]|\xef\xbf[\xbe\xbf]")
_REFERENCE = re.compile(rb"&#(?:x([0-9a-f]{1,8})|(\d{1,8}));", re.IGNORECASE)
_MOST_NODES = 600_000  # of one answer: fifty thousand events with their ETags; parsed they take up to 150 MiB
_PLAIN = re.compile(r"(?:/(?!\.)[A-Za-z0-9@:!$&'()*+,=~._-]+)+/?")  # a path on its server, without dots for places
_HEAD = 2000  # bytes in which an answer says what it is
_XML = {"Content-Type": "application/xml; charset=utf-8"}


class CrowdedError(TransientError):
    """Too many requests at once, as the server says: fewer in flight may succeed."""


class LockedError(CrowdedError):
    """Somebody else is writing at this moment, and will soon have finished (RFC 4918 section 11.3)."""


class GarbledError(RefusedError):
    """A multistatus that is no XML: what it tells may be told one by one."""


class GetCtag(BaseElement):
    """A collection's version, where there is no sync token."""

    tag = _CS + "getctag"


@dataclass(frozen=True, slots=True)
class Row:
    """What a multistatus answer says about one address.

    Attributes:
        href: As the server wrote it.
        status: Of the row as a whole; None where only its properties have one.
        props: Those it has, by Clark name.
        is_exact: Whether its texts are just what the server sent; else what XML forbids was left out of its answer.
    """

    href: str
    status: int | None
    props: Mapping[str, Any]
    is_exact: bool = True

    @property
    def refused(self) -> bool:
        """Whether it says of the address as a whole that it is not there, or not for us."""
        return self.status is not None and self.status >= 400  # noqa: PLR2004 - client and server errors

    def text(self, element: type[BaseElement]) -> str | None:
        """Return the text of a property; None if it is absent or empty."""
        prop = self.props.get(element.tag or "")
        return (prop.text or "").strip() or None if prop is not None else None

    def hrefs(self, element: type[BaseElement]) -> list[str]:
        """Return the addresses inside a property."""
        prop = self.props.get(element.tag or "")
        return [] if prop is None else [href.text.strip() for href in prop.iter(dav.Href.tag) if href.text]

    def tags(self, element: type[BaseElement]) -> frozenset[str]:
        """Return the names of all elements inside a property."""
        prop = self.props.get(element.tag or "")
        return frozenset() if prop is None else frozenset(str(child.tag) for child in prop.iterdescendants())


@dataclass(frozen=True, slots=True)
class Multistatus:
    """A 207 answer (RFC 4918 section 13); `sync_token` as in RFC 6578 section 6.4."""

    rows: tuple[Row, ...] = field(default=())
    sync_token: str | None = None


def parse(body: bytes) -> Any:
    """Parse XML that is not trusted; see `_parsed`.

    Raises: RefusedError.
    """
    return _parsed(body)[0]


def _parsed(body: bytes) -> tuple[Any, bool]:
    """Parse XML that is not trusted: no entities, no document type, nothing fetched, within the parser's limits.

    Servers pass on characters that XML forbids, as somebody has pasted them into a note: these are left out. Nothing
    else is put right, since a parser that is lenient takes the beginning of an answer for the whole.

    Returns: The root, and whether nothing was left out.
    Raises: RefusedError; GarbledError; TooLargeError for more elements and attributes than we hold at once, each of
        which takes many times the few bytes in which it can be written.
    """
    if body.count(b"<") + (body.count(b'"') + body.count(b"'")) // 2 > _MOST_NODES:
        raise TooLargeError(Sentence("the answer has more than %(most)s elements", most=_MOST_NODES))
    root = _strictly(body)
    is_exact = root is not None
    if root is None:
        root = _strictly(_cleaned(body))
    if root is None:
        kind = GarbledError if b"multistatus" in body[:_HEAD] else RefusedError
        raise kind(Sentence("the answer is not XML"))
    if root.getroottree().docinfo.doctype:
        raise RefusedError(Sentence("the answer brings a document type"))
    return root, is_exact


def _cleaned(body: bytes) -> bytes:
    """Return a document without the characters that XML forbids, and without references to them."""
    return _REFERENCE.sub(_allowed, _FORBIDDEN.sub(b"", body))


def _allowed(reference: re.Match[bytes]) -> bytes:
    number = int(reference[1], 16) if reference[1] else int(reference[2])
    try:
        return b"" if _FORBIDDEN.fullmatch(chr(number).encode(errors="surrogatepass")) else reference[0]
    except (ValueError, OverflowError):
        return b""  # beyond all characters


def _strictly(body: bytes) -> Any:
    """Return the root of a document; None if it is not well-formed."""
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False, huge_tree=False, recover=False)
    try:
        return etree.fromstring(body, parser)
    except (etree.XMLSyntaxError, ValueError):
        return None


def multistatus(answer: Answer) -> Multistatus:
    """Read a 207 answer.

    Raises: ProviderError: RefusedError if it is none, or what its status means.
    """
    if answer.status != 207:  # noqa: PLR2004 - Multi-Status
        raise meaning(answer)
    root, is_exact = _parsed(answer.body)
    if root.tag != dav.MultiStatus.tag:
        raise RefusedError(Sentence("the answer is no multistatus"))
    return Multistatus(
        tuple(_row(response, is_exact=is_exact) for response in root.iterchildren(dav.Response.tag)),
        (root.findtext(dav.SyncToken.tag) or "").strip() or None,
    )


def rows_about(answer: Answer, *, expected: int | None = None) -> tuple[Row, ...]:
    """Return the rows of an answer about a collection, those among them that refuse one member of it.

    The answer is a refusal where it refuses the collection itself, or all that it names and not only members of it. A
    row with the status `expected` refuses nothing.

    Raises: ProviderError.
    """
    rows = multistatus(answer).rows
    refusals = [row for row in rows if row.refused and row.status != expected]
    here = canonical(answer.url, answer.url).rstrip("/")
    for row in refusals:
        path = canonical(row.href, answer.url).rstrip("/")
        if path == here or (len(refusals) == len(rows) and not path.startswith(f"{here}/")):
            raise meaning(replace(answer, status=row.status or 0))
    return rows


def _row(response: Any, *, is_exact: bool) -> Row:
    props: dict[str, Any] = {}
    for propstat in response.iterchildren(dav.PropStat.tag):
        status = _code(propstat.findtext(dav.Status.tag))
        if status is None or status < 300:  # noqa: PLR2004 - success
            props |= {str(prop.tag): prop for holder in propstat.iterchildren(dav.Prop.tag) for prop in holder}
    href = (response.findtext(dav.Href.tag) or "").strip()
    return Row(href, _code(response.findtext(dav.Status.tag)), props, is_exact)


def _code(status: str | None) -> int | None:
    told = _STATUS.match(status or "")
    return int(told[1]) if told else None


def preconditions(answer: Answer) -> frozenset[str]:
    """Return the Clark names inside a DAV:error body; empty for any other body."""
    if b"error" not in answer.body:
        return frozenset()
    try:
        root = parse(answer.body)
    except RefusedError:
        return frozenset()
    return frozenset(str(child.tag) for child in root) if root.tag == "{DAV:}error" else frozenset()


_MEANING: dict[int, tuple[type[ProviderError], Sentence]] = {
    401: (AccessLostError, Sentence("the user name or password is not accepted")),
    403: (RefusedError, Sentence("the server does not permit it")),
    404: (MissingError, Sentence("it is not there")),
    408: (TransientError, Sentence("the server grew tired of waiting")),
    409: (EditConflictError, Sentence("it conflicts with what is there")),
    410: (MissingError, Sentence("it is gone")),
    412: (EditConflictError, Sentence("it has changed in between")),
    423: (LockedError, Sentence("the server is locked by another request")),
    425: (TransientError, Sentence("the server wants it later")),
    429: (CrowdedError, Sentence("too many requests")),
    501: (RefusedError, Sentence("the server cannot do that")),
    503: (CrowdedError, Sentence("the server is busy")),
    505: (RefusedError, Sentence("the server cannot do that")),
    507: (RefusedError, Sentence("the calendar is full")),
}


def meaning(answer: Answer) -> ProviderError:
    """Return the error that an answer stands for; one table for every status that is not a success."""
    kind, words = _MEANING.get(answer.status, (RefusedError, Sentence("the server answers unexpectedly")))
    if answer.status >= 500 and answer.status not in _MEANING:  # noqa: PLR2004 - server errors
        kind, words = TransientError, Sentence("the server has failed")
    if 300 <= answer.status < 400:  # noqa: PLR2004 - redirects
        kind, words = RefusedError, Sentence("the server sends us elsewhere, which is followed only while connecting")
    message = Sentence(
        "%(host)s: %(reason)s (HTTP %(status)s)",
        host=urlsplit(answer.url).hostname or "",
        reason=words,
        status=answer.status,
    )
    if issubclass(kind, TransientError):
        wait = retry_after(answer.headers, since=sent_at(answer.headers), longest=_LONGEST_WAIT)
        return kind(message, retry_after=wait)
    return kind(message)


def canonical(href: str, base: str) -> str:
    """Return an address in the one form in which we compare and keep it.

    A path beginning with `/` on the host of `base`, a whole URL elsewhere; percent-encoding evened out, since servers
    write `@` both ways.

    Raises: RefusedError if it is no address.
    """
    if _PLAIN.fullmatch(href):
        return href  # as nearly all are: nothing in it can be written another way
    parts, home = urlsplit(joined(base, href)), urlsplit(base)
    path = quote(unquote(parts.path), safe="/@:!$&'()*+,;=~-._")
    same = (parts.hostname, parts.port) == (home.hostname, home.port)
    return path if same else f"{parts.scheme}://{parts.netloc}{path}"


def headers(depth: int | None = None) -> dict[str, str]:
    """Return the headers of a request with an XML body."""
    return _XML if depth is None else {**_XML, "Depth": str(depth)}


def propfind(*props: type[BaseElement]) -> bytes:
    """Ask for properties (RFC 4918 section 9.1)."""
    return _xml(_with(dav.Propfind(), _with(dav.Prop(), *(prop() for prop in props))))


def multiget(paths: Iterable[str]) -> bytes:
    """Ask for the bodies of some events (RFC 4791 section 7.9)."""
    hrefs = (dav.Href(value=path) for path in paths)
    return _xml(_with(cdav.CalendarMultiGet(), _with(dav.Prop(), dav.GetEtag(), cdav.CalendarData()), *hrefs))


def sync(token: str) -> bytes:
    """Ask what has changed since a token; the empty one means everything (RFC 6578 section 3.2).

    Never with DAV:limit: one server cuts the answer there without a word, and its token skips the rest.
    """
    level, etags = dav.SyncLevel(value="1"), _with(dav.Prop(), dav.GetEtag())
    return _xml(_with(dav.SyncCollection(), dav.SyncToken(value=token), level, etags))


def query(start: datetime, end: datetime | None, *, bodies: bool = True) -> bytes:
    """Ask for the events that touch a time, recurring ones as a whole (RFC 4791 section 7.8); None: up to the last.

    Without `bodies` the answer names them only.
    """
    during = _with(cdav.CompFilter("VEVENT"), cdav.TimeRange(start, end))
    prop = _with(dav.Prop(), dav.GetEtag(), *([cdav.CalendarData()] if bodies else []))
    return _xml(_with(cdav.CalendarQuery(), prop, _with(cdav.Filter(), _with(cdav.CompFilter("VCALENDAR"), during))))


def _with(element: BaseElement, *children: BaseElement) -> BaseElement:
    return element.append(children)


def _xml(element: BaseElement) -> bytes:
    body: bytes = etree.tostring(element.xmlelement(), encoding="utf-8", xml_declaration=True)
    return body
