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
    LocationChanged,
    MoveReason,
    OfferRejected,
    OfferSent,
    SessionBooked,
    SessionCancelled,
    SessionMoved,
)
from connector.domain.notice import Choice, Notice, NoticeKind
from connector.domain.notice_table import NOTICES, ROWS, Effect, NoticeRow
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Role
from connector.domain.session import Location, Session, SessionState
from connector.domain.span import When, zone_named

SHORTEST_REMINDED = timedelta(hours=1)  # of a shorter time to answer nobody is reminded
DAY = (time(8), time(21))  # reminders leave in these hours of the reader's clock


class Owed(StrEnum):
    """What a client, or support for them, has answered, and has not had confirmed yet."""

    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CANCELLED = "cancelled"


@dataclass(frozen=True, slots=True, kw_only=True)
class Arrangement:
    """When and where somebody believes that a session takes place; `location` is None for what a page has shown."""

    when: When
    location: Location | None


@dataclass(frozen=True, slots=True, kw_only=True)
class KnownOffer:
    """An offer as somebody believes that it stands, and when they were last told of it."""

    offer_id: UUID
    choices: tuple[Choice, ...]
    expires_at: datetime
    told_at: datetime = field(compare=False)

    def is_to_come(self, now: datetime) -> bool:
        """Whether they may still think that they can choose."""
        return now < self.expires_at and any(choice.when.span.start > now for choice in self.choices)


@dataclass(frozen=True, slots=True, kw_only=True)
class Belief:
    """What the reader believes, in one of the cases that are possible.

    Attributes:
        known: Where they know the session to stand, by letter or from a page; None if they know of none.
        entry: Where the entry in their calendar stands, which letters alone can move; None if there is none.
        void: The times they were told by mistake and no letter has taken back by name yet, oldest first.
        offer: The one they know to be open.
        owed: Their own answers, not confirmed by letter yet.
        letter: The letter that must have arrived for this to be so, while its fate is not known.
    """

    known: Arrangement | None = None
    entry: Arrangement | None = None
    void: tuple[When, ...] = ()
    offer: KnownOffer | None = None
    owed: frozenset[Owed] = frozenset()
    letter: UUID | None = None

    @property
    def is_blank(self) -> bool:
        """Whether they know nothing, so that the end of everything needs no word."""
        return self.known is None and self.entry is None and self.offer is None and not self.owed


NOTHING = Belief()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reminder:
    """A reminder of an offer that may have been sent, and the letter it was."""

    kind: NoticeKind
    offer_id: UUID
    letter: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class Conversation:
    """One reader, one session, one medium.

    Attributes:
        beliefs: What the reader may believe; one at least, the newest last.
        by_support: Whether it was support that decided where the session stands.
        rejected_by_support: Whether it was support that rejected the last offer to be rejected.
        reminded: The reminders that they may have been sent.
        untold: The revision of which the practitioner knows that it could not be told in time.
        refused: The notices that were refused for good since one was taken: none is repeated.
    """

    beliefs: tuple[Belief, ...] = (NOTHING,)
    by_support: bool = False
    rejected_by_support: bool = False
    reminded: tuple[Reminder, ...] = ()
    untold: int | None = None
    refused: tuple[Notice, ...] = ()


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
        is_refused: Something they are to be told was refused for good, and there is nothing else to tell them.
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
        is_support = fact.by.role is Role.SUPPORT
        conversation = replace(
            conversation,
            beliefs=_distinct(_witnessed(belief, fact) for belief in conversation.beliefs),
            by_support=is_support if isinstance(fact, _ABOUT_SESSION) else conversation.by_support,
            rejected_by_support=is_support if isinstance(fact, OfferRejected) else conversation.rejected_by_support,
        )
    return conversation


_ABOUT_SESSION = (SessionBooked, SessionMoved, LocationChanged, SessionCancelled)


def _witnessed(belief: Belief, fact: Fact) -> Belief:
    by_client = fact.by.role is Role.CLIENT
    match fact:
        case SessionMoved(reason=MoveReason.ACCEPTED) if by_client:
            known = Arrangement(when=fact.new, location=None)
            return replace(belief, known=known, void=(), offer=None, owed=frozenset({Owed.ACCEPTED}))
        case SessionMoved(reason=MoveReason.ACCEPTED):
            return replace(belief, void=_still_void(belief, fact.new), owed=frozenset({Owed.ACCEPTED}))
        case SessionMoved():
            return replace(belief, void=_void(belief, fact), owed=frozenset())
        case SessionCancelled():
            return replace(belief, owed=frozenset({Owed.CANCELLED}) if by_client else frozenset())
        case OfferRejected():
            is_known = belief.offer is not None and belief.offer.offer_id == fact.offer_id
            offer = None if by_client and is_known else belief.offer
            return replace(belief, owed=belief.owed | {Owed.REJECTED}, offer=offer)
        case OfferSent():
            return replace(belief, owed=belief.owed - {Owed.REJECTED})
        case _:
            return belief


def _void(belief: Belief, move: SessionMoved) -> tuple[When, ...]:
    """Return the times somebody was told by mistake once a session has moved; one that stands again is no mistake."""
    void = _still_void(belief, move.new)
    is_told = belief.known is not None and belief.known.when == move.old
    return (*void, move.old) if is_told and move.reason is MoveReason.CORRECTION else void


def _still_void(belief: Belief, *named: When | None) -> tuple[When, ...]:
    return tuple(when for when in belief.void if when not in named)


# Handing letters over.


def handed_over(conversation: Conversation, notice: Notice, letter: UUID, *, now: datetime) -> Conversation:
    """Return a conversation while a letter is on its way: it may arrive, or not.

    Where an earlier try of it may have arrived, that doubt stays: pass the conversation as `doubted` has it.
    """
    after = (replace(told(belief, notice, now=now), letter=letter) for belief in conversation.beliefs)
    reminded = conversation.reminded
    if NOTICES[notice.kind].reminds_after is not None and notice.offer_id is not None:
        reminder = Reminder(kind=notice.kind, offer_id=notice.offer_id, letter=letter)
        reminded = (*(one for one in reminded if one.offer_id == notice.offer_id and one.letter != letter), reminder)
    return replace(conversation, beliefs=_distinct((*conversation.beliefs, *after)), reminded=reminded)


def arrived(conversation: Conversation, letter: UUID) -> Conversation:
    """Return a conversation whose letter was surely taken."""
    held = [replace(belief, letter=None) for belief in conversation.beliefs if belief.letter == letter]
    return replace(conversation, beliefs=_distinct(held), refused=())


def not_sent(conversation: Conversation, letter: UUID) -> Conversation:
    """Return a conversation whose letter surely never left."""
    return replace(
        conversation,
        beliefs=_distinct(belief for belief in conversation.beliefs if belief.letter != letter),
        reminded=tuple(reminder for reminder in conversation.reminded if reminder.letter != letter),
    )


def refused(conversation: Conversation, letter: UUID, notice: Notice) -> Conversation:
    """Return a conversation whose letter was refused for good: it is not repeated, but another one is tried."""
    return replace(not_sent(conversation, letter), refused=(*conversation.refused, notice))


def doubted(conversation: Conversation) -> Conversation:
    """Return a conversation whose letter may have arrived or not, and nobody will ever know."""
    return replace(conversation, beliefs=_distinct(replace(b, letter=None) for b in conversation.beliefs))


def readdressed(conversation: Conversation) -> Conversation:
    """Return a conversation with somebody whose address was corrected.

    The letters to the old one may have been read by them, or by nobody.
    """
    in_doubt = doubted(conversation)
    return replace(in_doubt, beliefs=_distinct((NOTHING, *in_doubt.beliefs)), refused=())


def retried(conversation: Conversation) -> Conversation:
    """Return a conversation in which what was refused is tried again."""
    return replace(conversation, refused=())


def either(one: Conversation, other: Conversation) -> Conversation:
    """Return a conversation of which it is not known which of two accounts holds."""
    return replace(other, beliefs=_distinct((*one.beliefs, *other.beliefs)))


def owing(conversation: Conversation, notice: Notice) -> Conversation:
    """Return a conversation in which this notice never left, and yet what it takes back or confirms must be told."""
    beliefs = [
        replace(belief, owed=_owed_after(belief, notice), void=_void_after(belief, notice))
        for belief in conversation.beliefs
    ]
    is_rejection = notice.kind is NoticeKind.REJECTED
    return replace(
        conversation,
        beliefs=_distinct(beliefs),
        by_support=conversation.by_support if is_rejection else notice.by_support,
        rejected_by_support=notice.by_support if is_rejection else conversation.rejected_by_support,
    )


def _owed_after(belief: Belief, notice: Notice) -> frozenset[Owed]:
    """Return what is to be confirmed once that has happened which a notice would have told; see `_witnessed`."""
    match notice.kind:
        case NoticeKind.ACCEPTED:
            return frozenset({Owed.ACCEPTED})
        case NoticeKind.MOVED | NoticeKind.CORRECTED:
            return frozenset()
        case NoticeKind.REJECTED:
            return belief.owed | {Owed.REJECTED}
        case NoticeKind.OFFERED:
            return belief.owed - {Owed.REJECTED}
        case _:
            return belief.owed


def _void_after(belief: Belief, notice: Notice) -> tuple[When, ...]:
    """Return the times somebody was told by mistake, likewise; one that stands again is no mistake."""
    void = _still_void(belief, notice.session.when if notice.session else None)
    is_told = belief.known is not None and belief.known.when == notice.old_when
    return (*void, belief.known.when) if belief.known and is_told and notice.kind is NoticeKind.CORRECTED else void


def _distinct(beliefs: Iterable[Belief]) -> tuple[Belief, ...]:
    return tuple(dict.fromkeys(beliefs)) or (NOTHING,)


def told(belief: Belief, notice: Notice, *, now: datetime) -> Belief:
    """Return what somebody believes who believed `belief` and now reads this notice."""
    session = notice.session
    here = Arrangement(when=session.when, location=session.location) if session else belief.known
    match NOTICES[notice.kind].effect:
        case Effect.SESSION_STANDS if here is not None:
            ends_offer = notice.offer_withdrawn or notice.kind is NoticeKind.ACCEPTED
            return replace(
                belief,
                known=here,
                entry=here,
                void=_still_void(belief, here.when, notice.old_when),
                offer=None if ends_offer else belief.offer,
                owed=belief.owed - {Owed.ACCEPTED},
            )
        case Effect.SESSION_ENDS:
            return NOTHING
        case Effect.OFFER_STANDS if notice.offer_id is not None and notice.expires_at is not None:
            offer = KnownOffer(
                offer_id=notice.offer_id, choices=notice.choices, expires_at=notice.expires_at, told_at=now
            )
            return replace(belief, known=here, offer=offer, owed=belief.owed - {Owed.REJECTED})
        case Effect.OFFER_ENDS:
            return replace(belief, known=here, offer=None, owed=belief.owed - {Owed.REJECTED})
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
    basis = replace(basis, session=session)
    about_session = _about_session(conversation, standing, basis)
    untold = None
    if about_session is not None and _is_too_late(about_session, conversation.beliefs, session, now):
        is_known = conversation.untold == session.revision or _was_refused(conversation, about_session)
        untold, about_session = (None if is_known else about_session), None
    about_offer = _about_offer(conversation, standing, basis, now)
    wanted = [notice for notice in (about_session, about_offer) if notice is not None]
    notice = next((notice for notice in wanted if not _was_refused(conversation, notice)), None)
    again_at = _again_at(conversation, standing.open, basis, now) if notice is None and standing.open else None
    return Next(notice=notice, untold=untold, is_refused=bool(wanted) and notice is None, again_at=again_at)


def _was_refused(conversation: Conversation, notice: Notice) -> bool:
    """Whether a letter that says the same was refused for good, to whomever by whatever name."""
    return any(
        notice
        == replace(
            refusal,
            to=notice.to,
            practitioner_name=notice.practitioner_name,
            client_name=notice.client_name,
            reply_to=notice.reply_to,
        )
        for refusal in conversation.refused
    )


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
    """Whether a session has begun, or would have, and nobody waits for it at another time that is still to come."""
    times = [session.when]
    for belief in beliefs:
        times += [arrangement.when for arrangement in (belief.known, belief.entry) if arrangement is not None]
    return all(when.span.start <= now for when in times)


def _is_too_late(notice: Notice, beliefs: Sequence[Belief], session: Session, now: datetime) -> bool:
    """Whether it helps nobody any more to be told this of a session."""
    ends_offer = notice.kind is NoticeKind.CANCELLED and any(b.offer and b.offer.is_to_come(now) for b in beliefs)
    return _is_over(beliefs, session, now) and not ends_offer


def _about_session(conversation: Conversation, standing: Standing, basis: Notice) -> Notice | None:
    session, beliefs = standing.session, conversation.beliefs
    open_id = standing.open.id if standing.open else None
    ended = [b.offer.offer_id for b in beliefs if b.offer is not None and b.offer.offer_id != open_id]
    basis = replace(basis, by_support=conversation.by_support)
    if session.state is SessionState.CANCELLED:
        if all(belief.is_blank for belief in beliefs):
            return None
        return replace(basis, kind=NoticeKind.CANCELLED, offer_id=ended[-1] if ended else None)
    here = Arrangement(when=session.when, location=session.location)
    if all(b.known == here and b.entry == here and not b.void and Owed.ACCEPTED not in b.owed for b in beliefs):
        return None
    kind = _kind(beliefs, here)
    old = _former(beliefs, kind, here)
    ends_offer = bool(ended) and kind in (NoticeKind.MOVED, NoticeKind.CORRECTED)
    return replace(
        basis,
        kind=kind,
        old_when=old.when if old is not None and old.when != here.when else None,
        old_location=old.location if old is not None and old.location != here.location else None,
        offer_id=ended[-1] if ends_offer else None,
        offer_withdrawn=ends_offer,
    )


def _kind(beliefs: Sequence[Belief], here: Arrangement) -> NoticeKind:
    known = [arrangement for b in beliefs for arrangement in (b.known, b.entry) if arrangement is not None]
    if any(belief.void for belief in beliefs):
        return NoticeKind.CORRECTED
    if any(Owed.ACCEPTED in belief.owed for belief in beliefs):
        return NoticeKind.ACCEPTED
    if any(arrangement.when != here.when for arrangement in known):
        return NoticeKind.MOVED
    if any(arrangement.location not in (None, here.location) for arrangement in known):
        return NoticeKind.RELOCATED
    return NoticeKind.BOOKED


def _former(beliefs: Sequence[Belief], kind: NoticeKind, here: Arrangement) -> Arrangement | None:
    """Return the time and place that a letter says no longer apply: the newest that the reader may go by."""
    candidates: list[Arrangement | None] = []
    match kind:
        case NoticeKind.BOOKED:
            return None
        case NoticeKind.CORRECTED:
            candidates += [_told_as(b, when) for b in beliefs for when in b.void]
        case NoticeKind.ACCEPTED:  # they have chosen the new time themselves, but their calendar does not know yet
            candidates += [b.entry or b.known for b in beliefs]
        case _:
            candidates += [arrangement for b in beliefs for arrangement in (b.entry, b.known)]
    different = [arrangement for arrangement in dict.fromkeys(candidates) if arrangement and arrangement != here]
    by_time = [arrangement for arrangement in different if arrangement.when != here.when]
    return next(reversed(by_time or different), None)


def _told_as(belief: Belief, when: When) -> Arrangement:
    return belief.known if belief.known and belief.known.when == when else Arrangement(when=when, location=None)


def _about_offer(conversation: Conversation, standing: Standing, basis: Notice, now: datetime) -> Notice | None:
    session, offer = standing.session, standing.open
    if session.state is SessionState.CANCELLED:
        return None
    if offer is not None and _can_be_answered(offer, now):
        return _about_open(conversation, offer, session.location, basis, now)
    known = [belief.offer for belief in conversation.beliefs if belief.offer is not None]
    ended = [one for one in known if offer is None or one.offer_id != offer.id]
    if _is_over(conversation.beliefs, session, now) and not any(one.is_to_come(now) for one in ended):
        return None
    if any(Owed.REJECTED in belief.owed for belief in conversation.beliefs):
        basis = replace(basis, kind=NoticeKind.REJECTED, by_support=conversation.rejected_by_support)
    elif ended:
        kind = _END_TOLD.get(dict(standing.ends).get(ended[-1].offer_id), NoticeKind.WITHDRAWN)
        basis = replace(basis, kind=kind)
    else:
        return None
    return replace(basis, offer_id=ended[-1].offer_id, expires_at=ended[-1].expires_at) if ended else basis


def _can_be_answered(offer: Offer, now: datetime) -> bool:
    """Whether an answer can count: strictly before the deadline, for a time that is still to come."""
    is_open = offer.expires_at is not None and now < offer.expires_at
    return is_open and any(alternative.when.span.start > now for alternative in offer.standing)


def _about_open(
    conversation: Conversation, offer: Offer, location: Location, basis: Notice, now: datetime
) -> Notice | None:
    """Ask about an offer that can be answered, say that it has changed, or remind of it."""
    choices = tuple(Choice(when=a.when, location=a.location or location) for a in offer.standing)
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

    A reader who was told of the offer only after that time, or how it has changed, needs no reminder.
    """
    if offer.sent_at is None or offer.expires_at is None or offer.expires_at - offer.sent_at < SHORTEST_REMINDED:
        return
    told_at = [belief.offer.told_at for belief in conversation.beliefs if belief.offer is not None]
    for row in ROWS:
        if row.reminds_after is None or _was_reminded(conversation, row, offer):
            continue
        planned = offer.sent_at + (offer.expires_at - offer.sent_at) * row.reminds_after
        at = _by_day(max(planned, now), zone)
        if at < offer.expires_at and max(told_at, default=planned) <= planned:
            yield row, at


def _was_reminded(conversation: Conversation, row: NoticeRow, offer: Offer) -> bool:
    return any((reminder.kind, reminder.offer_id) == (row.kind, offer.id) for reminder in conversation.reminded)


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
