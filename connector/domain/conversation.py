"""What a client has been told about one session by one medium, and what they are told next.

No letter is queued: what it said might be wrong by the time it leaves. A conversation keeps what its reader may
believe, and when something can be sent, the next letter is made from that and from what stands by then. What was
overtaken meanwhile is never told, and what is told is true.

The reader's beliefs are a set, since a letter whose fate is unknown may have arrived or not. Handing a letter over adds
to the set what they will believe if it arrives; its fate then decides which of them remain. A letter is needed until
every belief agrees with what stands.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, time, timedelta
from enum import StrEnum
from uuid import UUID

from connector.domain.facts import (
    Fact,
    MoveReason,
    OfferAccepted,
    OfferRejected,
    OfferSent,
    SessionCancelled,
    SessionMoved,
)
from connector.domain.notice import Choice, Notice, NoticeKind
from connector.domain.notice_table import NOTICES, ROWS, Effect, NoticeRow
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Role
from connector.domain.session import Location, Session, SessionState
from connector.domain.span import When, zone_named

DAY = (time(8), time(21))  # reminders leave in these hours of the reader's clock


class Owed(StrEnum):
    """What a client, or support for them, has answered, and has not had confirmed yet."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """When and where somebody believes that a session takes place."""

    when: When
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownOffer:
    """An offer as somebody believes that it stands, and since when at the earliest."""

    offer_id: UUID
    choices: tuple[Choice, ...]
    expires_at: datetime
    since: datetime = field(compare=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What the reader believes, in one of the cases that are possible.

    Attributes:
        known: Where they know the session to stand, by letter or from a page; None if they know of none.
        entry: Where the entry in their calendar stands, which letters alone can move; None if there is none.
        mistaken: What they know was told by mistake, and a letter must say so.
        offer: The one they know to be open.
        owed: Their own answer, not confirmed by letter yet.
        letter: The letter that must have arrived for this to be so, while its fate is not known.
    """

    known: Arrangement | None = None
    entry: Arrangement | None = None
    mistaken: bool = False
    offer: KnownOffer | None = None
    owed: Owed | None = None
    letter: UUID | None = None

    @property
    def is_blank(self) -> bool:
        """Whether they know nothing, so that the end of everything needs no word."""
        return self.known is None and self.entry is None and self.offer is None and self.owed is None


NOTHING = Belief()


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One reader, one session, one medium.

    Attributes:
        beliefs: What the reader may believe; one at least, the newest last.
        by_support: Whether support has made the last decision.
        reminded: The reminders they were sent, each of an offer.
        untold: The revision of which the practitioner knows that it could not be told in time.
        refused: The notice that was refused for good: it is not repeated.
    """

    beliefs: tuple[Belief, ...] = (NOTHING,)
    by_support: bool = False
    reminded: tuple[tuple[NoticeKind, UUID], ...] = ()
    untold: int | None = None
    refused: Notice | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What stands: a session, the offer that is open, and how those that were sent before have ended."""

    session: Session
    open: Offer | None = None
    ends: tuple[tuple[UUID, OfferState], ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Next:
    """What is to be done for a reader now.

    Attributes:
        notice: What they are told; None for nothing.
        untold: What they would have been told, had the session not begun meanwhile: their practitioner is told instead.
        is_refused: What they are to be told was refused for good; nothing else is tried until something changes.
        again_at: When there may be something to tell although nothing happens, aware UTC.
    """

    notice: Notice | None = None
    untold: Notice | None = None
    is_refused: bool = False
    again_at: datetime | None = None


# What happens on our pages, and by decisions of the practitioner.


def witnessed(conversation: Conversation, facts: Iterable[Fact]) -> Conversation:
    """Return a conversation after something has happened that its reader has not been told by letter."""
    for fact in facts:
        beliefs = tuple(dict.fromkeys(_witnessed(belief, fact) for belief in conversation.beliefs))
        by_support = fact.by.role is Role.SUPPORT if isinstance(fact, _DECISIONS) else conversation.by_support
        conversation = replace(conversation, beliefs=beliefs, by_support=by_support)
    return conversation


_DECISIONS = (SessionMoved, SessionCancelled, OfferAccepted, OfferRejected, OfferSent)


def _witnessed(belief: Belief, fact: Fact) -> Belief:
    by_client = fact.by.role is Role.CLIENT
    match fact:
        case SessionMoved(reason=MoveReason.ACCEPTED):
            if not by_client:
                return replace(belief, owed=Owed.ACCEPTED)
            known = _chosen(belief, fact.new)
            return replace(belief, owed=Owed.ACCEPTED, known=known, mistaken=False, offer=None)
        case SessionMoved():
            return replace(_told_wrong(belief, fact), owed=None)
        case SessionCancelled():
            return replace(belief, owed=Owed.CANCELLED if by_client else None)
        case OfferRejected():
            return replace(belief, owed=Owed.REJECTED, offer=None if by_client else belief.offer)
        case OfferSent():
            return replace(belief, owed=None if belief.owed is Owed.REJECTED else belief.owed)
        case _:
            return belief


def _chosen(belief: Belief, when: When) -> Arrangement | None:
    """Return what somebody knows of a session who has just moved it to one of the times that a page showed."""
    choices = belief.offer.choices if belief.offer else ()
    places = [choice.location for choice in choices if choice.when == when]
    place = next(iter(places), belief.known.location if belief.known else None)
    return Arrangement(when=when, location=place) if place is not None else None


def _told_wrong(belief: Belief, move: SessionMoved) -> Belief:
    """Note that what they know is a mistake by now, or that it is right again."""
    if belief.known is None:
        return belief
    if belief.known.when == move.new:
        return replace(belief, mistaken=False)
    if belief.known.when == move.old and move.reason is MoveReason.CORRECTION:
        return replace(belief, mistaken=True)
    return belief


# Handing letters over.


def handed_over(conversation: Conversation, notice: Notice, letter: UUID, *, now: datetime) -> Conversation:
    """Return a conversation while a letter is on its way: it may arrive, or not."""
    after = (replace(told(belief, notice, now=now), letter=letter) for belief in conversation.beliefs)
    reminded = conversation.reminded
    if NOTICES[notice.kind].reminds_after is not None and notice.offer_id is not None:
        reminded = (*(pair for pair in reminded if pair[1] == notice.offer_id), (notice.kind, notice.offer_id))
    return replace(conversation, beliefs=_distinct((*conversation.beliefs, *after)), reminded=reminded)


def arrived(conversation: Conversation, letter: UUID) -> Conversation:
    """Return a conversation whose letter was surely taken."""
    held = [replace(belief, letter=None) for belief in conversation.beliefs if belief.letter == letter]
    return replace(conversation, beliefs=_distinct(held), refused=None)


def not_sent(conversation: Conversation, letter: UUID) -> Conversation:
    """Return a conversation whose letter surely never left."""
    return replace(conversation, beliefs=_distinct(b for b in conversation.beliefs if b.letter != letter))


def refused(conversation: Conversation, letter: UUID, notice: Notice) -> Conversation:
    """Return a conversation whose letter was refused for good: it is not repeated, but another one is tried."""
    return replace(not_sent(conversation, letter), refused=notice)


def doubted(conversation: Conversation) -> Conversation:
    """Return a conversation whose letter may have arrived or not, and nobody will ever know."""
    return replace(conversation, beliefs=_distinct(replace(b, letter=None) for b in conversation.beliefs))


def owing(conversation: Conversation, notice: Notice) -> Conversation:
    """Return a conversation in which this notice never left, and yet what it takes back or confirms must be told."""
    owed = {
        NoticeKind.ACCEPTED: Owed.ACCEPTED,
        NoticeKind.REJECTED: Owed.REJECTED,
    }.get(notice.kind)
    is_correction = notice.kind is NoticeKind.CORRECTED
    beliefs = (
        replace(
            belief,
            owed=owed or belief.owed,
            mistaken=belief.mistaken
            or (is_correction and belief.known is not None and belief.known.when == notice.old_when),
        )
        for belief in conversation.beliefs
    )
    return replace(conversation, beliefs=_distinct(beliefs), by_support=notice.by_support)


def _distinct(beliefs: Iterable[Belief]) -> tuple[Belief, ...]:
    return tuple(dict.fromkeys(beliefs)) or (NOTHING,)


def told(belief: Belief, notice: Notice, *, now: datetime) -> Belief:
    """Return what somebody believes who believed `belief` and now reads this notice."""
    session = notice.session
    match NOTICES[notice.kind].effect:
        case Effect.SESSION_STANDS if session is not None:
            here = Arrangement(when=session.when, location=session.location)
            ends_offer = notice.offer_withdrawn or notice.kind is NoticeKind.ACCEPTED
            owed = belief.owed if belief.owed is Owed.REJECTED and not ends_offer else None
            offer = None if ends_offer else belief.offer
            return replace(belief, known=here, entry=here, mistaken=False, offer=offer, owed=owed)
        case Effect.SESSION_ENDS:
            return NOTHING
        case Effect.OFFER_STANDS if notice.offer_id is not None and notice.expires_at is not None:
            since = now if belief.offer is None or belief.offer.offer_id != notice.offer_id else belief.offer.since
            offer = KnownOffer(
                offer_id=notice.offer_id, choices=notice.choices, expires_at=notice.expires_at, since=since
            )
            return replace(belief, offer=offer)
        case Effect.OFFER_ENDS:
            return replace(belief, offer=None, owed=None if belief.owed is Owed.REJECTED else belief.owed)
        case _:
            return belief


# The next letter.


def next_letter(conversation: Conversation, standing: Standing, basis: Notice, *, now: datetime) -> Next:
    """Say what a reader is told now.

    Args:
        conversation: What they may believe; no letter is on its way.
        standing: What stands.
        basis: A notice with all that holds of any to this reader: to whom, names.
        now: Aware UTC.
    Returns: The one letter that is needed first; what would come after it is found when it has been sent.
    """
    session = replace(standing.session, flag=None)  # their practitioner's concern: nothing new for the reader
    basis = replace(basis, session=session, by_support=conversation.by_support)
    about_session = _about_session(conversation.beliefs, standing, basis)
    if about_session is not None and _is_over(conversation.beliefs, standing.session, now):
        is_known = conversation.untold == standing.session.revision
        untold, about_session = (None if is_known else about_session), None
    else:
        untold = None
    notice = about_session or _about_offer(conversation, standing, basis, now)
    if notice is not None and notice == conversation.refused:
        return Next(untold=untold, is_refused=True)
    if notice is None and untold is None and about_session is None and standing.open is not None:
        return Next(again_at=_again_at(conversation, standing.open, basis, now))
    return Next(notice=notice, untold=untold)


def _again_at(conversation: Conversation, offer: Offer, basis: Notice, now: datetime) -> datetime | None:
    if _may_not_know(conversation, offer):
        return None
    return min((at for _row, at in _reminders(conversation, offer, basis.to.zone, now)), default=None)


def _may_not_know(conversation: Conversation, offer: Offer) -> bool:
    """Whether the reader may not know of an offer."""
    return any(belief.offer is None or belief.offer.offer_id != offer.id for belief in conversation.beliefs)


def has_heard_of(conversation: Conversation, offer_id: UUID) -> bool:
    """Whether the reader may know of an offer."""
    return any(belief.offer is not None and belief.offer.offer_id == offer_id for belief in conversation.beliefs)


def _is_over(beliefs: Iterable[Belief], session: Session, now: datetime) -> bool:
    """Whether a session has begun, and nobody waits for it at another time that is still to come."""
    arrangements = [arrangement for b in beliefs for arrangement in (b.known, b.entry) if arrangement is not None]
    return all(when.span.start <= now for when in (session.when, *(a.when for a in arrangements)))


def _about_session(beliefs: Sequence[Belief], standing: Standing, basis: Notice) -> Notice | None:
    session = standing.session
    open_id = standing.open.id if standing.open else None
    ended = [b.offer.offer_id for b in beliefs if b.offer is not None and b.offer.offer_id != open_id]
    if session.state is SessionState.CANCELLED:
        if all(belief.is_blank for belief in beliefs):
            return None
        return replace(basis, kind=NoticeKind.CANCELLED, offer_id=ended[-1] if ended else None)
    here = Arrangement(when=session.when, location=session.location)
    if all(b.known == here and b.entry == here and b.owed is not Owed.ACCEPTED for b in beliefs):
        return None
    kind = _kind(beliefs, here)
    old = _former(beliefs, kind, here)
    changes_time = kind not in (NoticeKind.BOOKED, NoticeKind.RELOCATED)
    return replace(
        basis,
        kind=kind,
        old_when=old.when if old is not None and old.when != here.when else None,
        old_location=old.location if old is not None and old.location != here.location else None,
        offer_id=ended[-1] if ended else open_id,
        offer_withdrawn=bool(ended) and changes_time and kind is not NoticeKind.ACCEPTED,
    )


def _kind(beliefs: Sequence[Belief], here: Arrangement) -> NoticeKind:
    known = [b.known for b in beliefs if b.known is not None] + [b.entry for b in beliefs if b.entry is not None]
    if any(belief.mistaken and belief.known and belief.known.when != here.when for belief in beliefs):
        return NoticeKind.CORRECTED
    if any(belief.owed is Owed.ACCEPTED for belief in beliefs):
        return NoticeKind.ACCEPTED
    if any(arrangement.when != here.when for arrangement in known):
        return NoticeKind.MOVED
    if any(arrangement.location != here.location for arrangement in known):
        return NoticeKind.RELOCATED
    return NoticeKind.BOOKED


def _former(beliefs: Sequence[Belief], kind: NoticeKind, here: Arrangement) -> Arrangement | None:
    """Return the time and place that a letter says no longer apply: the newest that the reader may go by."""
    match kind:
        case NoticeKind.BOOKED:
            return None
        case NoticeKind.CORRECTED:
            candidates = [b.known for b in beliefs if b.mistaken]
        case NoticeKind.ACCEPTED:  # they have chosen the new time themselves, but their calendar does not know yet
            candidates = [b.entry or b.known for b in beliefs]
        case _:
            candidates = [arrangement for b in beliefs for arrangement in (b.entry, b.known)]
    different = [arrangement for arrangement in candidates if arrangement is not None and arrangement != here]
    by_time = [arrangement for arrangement in different if arrangement.when != here.when]
    return next(reversed(by_time or different), None)


def _about_offer(conversation: Conversation, standing: Standing, basis: Notice, now: datetime) -> Notice | None:
    if standing.session.state is SessionState.CANCELLED:
        return None
    if standing.open is not None:
        return _about_open(conversation, standing.open, standing.session.location, basis, now)
    known = [belief.offer for belief in conversation.beliefs if belief.offer is not None]
    if any(belief.owed is Owed.REJECTED for belief in conversation.beliefs):
        kind = NoticeKind.REJECTED
    elif known:
        kind = _END_TOLD.get(dict(standing.ends).get(known[-1].offer_id), NoticeKind.WITHDRAWN)
    else:
        return None
    if not known:
        return replace(basis, kind=kind)
    return replace(basis, kind=kind, offer_id=known[-1].offer_id, expires_at=known[-1].expires_at)


def _about_open(
    conversation: Conversation, offer: Offer, location: Location, basis: Notice, now: datetime
) -> Notice | None:
    """Ask about an offer, say that it has changed, or remind of it; never once its deadline has come."""
    choices = tuple(Choice(when=a.when, location=a.location or location) for a in offer.standing)
    if offer.expires_at is None or now >= offer.expires_at or all(c.when.span.start <= now for c in choices):
        return None
    basis = replace(basis, offer_id=offer.id, choices=choices, expires_at=offer.expires_at)
    known = [belief.offer for belief in conversation.beliefs]
    if all(k is not None and k.offer_id == offer.id for k in known):
        if any(k is not None and (k.choices, k.expires_at) != (choices, offer.expires_at) for k in known):
            return replace(basis, kind=NoticeKind.OFFER_CHANGED)
        due = [row.kind for row, at in _reminders(conversation, offer, basis.to.zone, now) if at <= now]
        return replace(basis, kind=due[0]) if due else None
    has_ended = any(k is not None and k.offer_id != offer.id for k in known)
    return replace(basis, kind=NoticeKind.OFFERED, offer_withdrawn=has_ended)


def _reminders(
    conversation: Conversation, offer: Offer, zone: str, now: datetime
) -> Iterator[tuple[NoticeRow, datetime]]:
    """Yield the reminders of an offer that are still to be sent, each with the time, aware UTC, by day for its reader.

    A reader who has learnt of the offer only after that time needs no reminder.
    """
    if offer.sent_at is None or offer.expires_at is None:
        return
    since = [belief.offer.since for belief in conversation.beliefs if belief.offer is not None]
    for row in ROWS:
        if row.reminds_after is None or (row.kind, offer.id) in conversation.reminded:
            continue
        planned = offer.sent_at + (offer.expires_at - offer.sent_at) * row.reminds_after
        at = _by_day(max(planned, now), zone)
        if at < offer.expires_at and all(known <= planned for known in since):
            yield row, at


def _by_day(at: datetime, zone: str) -> datetime:
    """Return an instant, or the next morning if it falls into the night there."""
    local, (morning, evening) = at.astimezone(zone_named(zone)), DAY
    if morning <= local.time() < evening:
        return at
    day = local.date() + timedelta(days=1 if local.time() >= evening else 0)
    return datetime.combine(day, morning, tzinfo=local.tzinfo).astimezone(at.tzinfo)


_END_TOLD: dict[OfferState | None, NoticeKind] = {
    OfferState.LAPSED: NoticeKind.LAPSED,
    OfferState.REJECTED: NoticeKind.REJECTED,
}
