"""Which texts in stored documents tell who a client is, and the same documents without them.

Every text of a fact, a notice or a conversation stands in one of two tables: ERASED_TEXTS, with what takes its place
once its client is erased, or KEPT_TEXTS, because it never tells who that was. A test asks for each new one.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import fields, is_dataclass, replace
from typing import Any, TypeVar
from uuid import UUID

from connector.domain import facts
from connector.domain.conversation import Conversation
from connector.domain.notice import Concerned, Notice, Recipient, Righted
from connector.domain.notice_table import NOTICES, Audience
from connector.domain.people import ERASED
from connector.domain.session import Location, LocationKind, Session
from connector.domain.span import When

WORD = "erased"  # takes the place of what must not be empty

ERASED_TEXTS: Mapping[tuple[type, str], str] = {
    (Recipient, "name"): ERASED,  # of a notice to the client; a practitioner's stays
    (Recipient, "address"): "",
    (Recipient, "zone"): "UTC",
    (Recipient, "locale"): "en",
    (Notice, "client_name"): ERASED,
    (Notice, "about"): "",
    (Notice, "author"): "",
    (Righted, "about"): ERASED,
    (Concerned, "about"): ERASED,
    (Session, "external_id"): WORD,  # a host may have put anything there
    (Location, "text"): WORD,
    (facts.Attestation, "who"): WORD,
    (facts.Attestation, "channel"): WORD,
    (facts.LocationChanged, "old"): WORD,
    (facts.LocationChanged, "new"): WORD,
    (facts.SessionCancelled, "reason"): "",
    (facts.OfferWithdrawn, "why"): "",
    (facts.ClientAnswered, "comment"): "",
    (facts.NoticeRefused, "why"): "",
    (facts.NoticeInDoubt, "why"): "",
}
KEPT_TEXTS = frozenset(
    {
        # Of the practitioner, the installation, or a calendar of theirs.
        (Notice, "practitioner_name"),
        (Notice, "reply_to"),
        (Session, "organizer"),
        (When, "zone"),
        (facts.EventMoved, "calendar"),
        (facts.EventDeleted, "calendar"),
        (facts.ConflictFound, "calendar"),
        (facts.ConflictAccepted, "calendars"),
        (facts.ConflictAccepted, "unread"),
        (facts.CalendarPaused, "calendar"),
        (facts.CalendarResumed, "calendar"),
        (facts.CalendarPutRight, "calendar"),
        (facts.EntriesRefused, "calendar"),
        (facts.EntriesRefused, "why"),  # of the calendar service
        (facts.EntriesTaken, "calendar"),
        (facts.EventsUnread, "calendar"),
        (facts.EventsRead, "calendar"),
        (facts.TargetChanged, "old"),
        (facts.TargetChanged, "new"),
        (facts.HoldsProved, "calendar"),
        (facts.ConnectionAdded, "provider"),
        (facts.ConnectionAdded, "label"),
        (facts.Disconnected, "label"),
        # Names of ours for things.
        (Session, "uid"),
        (facts.EntryReverted, "key"),
        (facts.EventMoved, "key"),
        (facts.EventDeleted, "key"),
        # Words of ours, out of a fixed set.
        (Notice, "reason"),
        (facts.PersonChanged, "who"),
        (facts.PersonChanged, "changed"),
        (facts.EntryReverted, "reason"),
        (facts.CalendarPaused, "reason"),
        (facts.CalendarPutRight, "cause"),
        (facts.CalendarResumed, "how"),
        (facts.NoticeSent, "kind"),
        (facts.NoticeSent, "medium"),
        (facts.NoticeRefused, "kind"),
        (facts.NoticeRefused, "medium"),
        (facts.NoticeInDoubt, "kind"),
        (facts.NoticeInDoubt, "medium"),
        (facts.NoticeArrived, "kind"),
        (facts.NoticeArrived, "medium"),
        (facts.NoticeHeldBack, "kind"),
        (facts.UnknownFact, "stored_tag"),
    }
)

_Document = TypeVar("_Document", Notice, Conversation, facts.Fact, Righted, Concerned)
_TextOf = Callable[[Any, str, str], str]  # whose text it is, the name of its field, and what it says


def without_client(document: _Document) -> _Document:
    """Return a document without anything that tells who its client is; where a text is empty, it stays empty."""
    result: _Document = _rewritten(document, _blank)
    return result


def reworded(document: _Document, change: Callable[[str], str]) -> _Document:
    """Return a document in which every text is changed that may tell who a client is, and no other."""
    result: _Document = _rewritten(document, lambda _owner, _name, text: change(text))
    return result


def place(kind: LocationKind) -> str:
    """Return what takes the place of where a session was."""
    return "https://erased.invalid" if kind is LocationKind.ONLINE else WORD


def _rewritten(value: Any, text_of: _TextOf) -> Any:
    if isinstance(value, tuple):
        return tuple(_rewritten(one, text_of) for one in value)
    if not is_dataclass(value) or isinstance(value, UUID | type):
        return value
    changed = {field.name: _field(value, field.name, text_of) for field in fields(value) if field.name != "by"}
    return replace(value, **changed)


def _field(owner: Any, name: str, text_of: _TextOf) -> Any:
    value = getattr(owner, name)
    if isinstance(owner, Notice) and name == "to" and NOTICES[owner.kind].to is not Audience.CLIENT:
        return value
    if (type(owner), name) in ERASED_TEXTS:
        return text_of(owner, name, value) if value else value
    return _rewritten(value, text_of)


def _blank(owner: Any, name: str, _text: str) -> str:
    return place(owner.kind) if isinstance(owner, Location) else ERASED_TEXTS[type(owner), name]
