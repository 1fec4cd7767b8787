"""What a client has been told about one session by one medium, and what they are told next.

No letter is queued: what it said might be wrong by the time it leaves. A conversation keeps what its reader may
believe, and when something can be sent, the next letter is made from that and from what stands by then. What was
overtaken meanwhile is never told, and what is told is true.

The reader's beliefs are a set, since a letter whose fate is unknown may have arrived or not. Handing a letter over adds
to the set what they will believe if it arrives; its fate then decides which of them remain. A letter is needed until
every belief agrees with what stands.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from datetime import datetime
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
from connector.domain.notice import Choice, DeclinedProposal, Notice, NoticeKind
from connector.domain.notice_table import NOTICES, Effect
from connector.domain.offer import Offer
from connector.domain.people import Role
from connector.domain.session import Location, Session, SessionState
from connector.domain.span import When


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
        elsewhere: Where somebody else has told them that it stands, who has seen to their calendar, too; None once a
            letter of ours has made them an entry.
        void: The times they were told by mistake and no letter has taken back by name yet, oldest first.
        offer: The one they know to be open.
        owed: Their own answers, not confirmed by letter yet.
        declined: The times that they asked for and cannot have, and that no letter has answered yet, oldest first.
        letter: The letter that must have arrived for this to be so, while its fate is not known.
    """

    known: Arrangement | None = None
    entry: Arrangement | None = None
    elsewhere: Arrangement | None = None
    void: tuple[When, ...] = ()
    offer: KnownOffer | None = None
    owed: frozenset[Owed] = frozenset()
    declined: tuple[DeclinedProposal, ...] = ()
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
        earlier: What was believed at the addresses before this one; whatever has been told since may never have reached
            whoever reads the next.
        unsure: Those of which it is not known whether they have arrived, and that are not repeated either.
    """

    beliefs: tuple[Belief, ...] = (NOTHING,)
    by_support: bool = False
    rejected_by_support: bool = False
    reminded: tuple[Reminder, ...] = ()
    untold: int | None = None
    refused: tuple[Notice, ...] = ()
    earlier: tuple[Belief, ...] = ()
    unsure: tuple[Notice, ...] = ()


# What happens on our pages, and by decisions of the practitioner.


def witnessed(conversation: Conversation, facts: Iterable[Fact]) -> Conversation:
    """Return a conversation after something has happened that its reader has not been told by letter."""
    for fact in facts:
        is_support = fact.by.role is Role.SUPPORT
        conversation = replace(
            conversation,
            beliefs=_distinct(_witnessed(belief, fact) for belief in conversation.beliefs),
            earlier=tuple(dict.fromkeys(_passed_by(belief, fact) for belief in conversation.earlier)),
            by_support=is_support if isinstance(fact, _ABOUT_SESSION) else conversation.by_support,
            rejected_by_support=is_support if isinstance(fact, OfferRejected) else conversation.rejected_by_support,
        )
    return conversation


_ABOUT_SESSION = (SessionBooked, SessionMoved, LocationChanged, SessionCancelled)
_ANSWERING = (SessionMoved, SessionCancelled, OfferSent)  # who is told of this needs no answer to what they asked for


def told_elsewhere(conversation: Conversation, session: Session) -> Conversation:
    """Return a conversation whose reader was told by somebody else where a session stands that was booked elsewhere.

    No letter is needed until something changes; that one invites them. Whoever has an entry of ours already, or may
    have one, goes by that: they are told by letter.
    """
    here = Arrangement(when=session.when, location=session.location)
    beliefs = (
        replace(belief, known=here, elsewhere=None if session.published else here)
        if belief == NOTHING or belief.elsewhere is not None
        else belief
        for belief in conversation.beliefs
    )
    return replace(conversation, beliefs=_distinct(beliefs))


def published(conversation: Conversation) -> Conversation:
    """Return a conversation whose reader has the session in a calendar that they subscribe to from now on."""
    beliefs = (replace(belief, elsewhere=None) for belief in conversation.beliefs)
    return replace(conversation, beliefs=_distinct(beliefs))


def declining(conversation: Conversation, declined: DeclinedProposal) -> Conversation:
    """Return a conversation whose reader is still to be told that they cannot have a time."""
    beliefs = (replace(belief, declined=(*belief.declined, declined)) for belief in conversation.beliefs)
    return replace(conversation, beliefs=_distinct(beliefs))


def asked_again(conversation: Conversation, session: Session, *, accepted: bool = False) -> Conversation:
    """Return a conversation whose reader asks how their session stands: their calendar may say something else.

    `accepted`: they were told last that what they have chosen is booked; the same revision says the same again.
    """
    here = Arrangement(when=session.when, location=session.location)
    is_over, owed = session.state is SessionState.CANCELLED, frozenset({Owed.ACCEPTED} if accepted else ())
    doubtful = (
        replace(belief, known=here, entry=here) if is_over else replace(belief, entry=None, owed=belief.owed | owed)
        for belief in conversation.beliefs
    )
    return replace(conversation, beliefs=_distinct((*doubtful, *conversation.beliefs)), refused=())


def _witnessed(belief: Belief, fact: Fact) -> Belief:
    by_client = fact.by.role is Role.CLIENT
    if isinstance(fact, _ANSWERING):
        belief = replace(belief, declined=())
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


def _passed_by(belief: Belief, fact: Fact) -> Belief:
    """Return what somebody believes who does nothing on our pages: what is answered there, another has answered."""
    return replace(belief, void=_void(belief, fact)) if isinstance(fact, SessionMoved) else belief


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


def left_in_doubt(conversation: Conversation, notice: Notice) -> Conversation:
    """Return a conversation whose letter may have arrived or not, and whose medium repeats nothing."""
    return replace(doubted(conversation), unsure=(*conversation.unsure, notice))


def doubted(conversation: Conversation) -> Conversation:
    """Return a conversation whose letter may have arrived or not, and nobody will ever know."""
    return replace(conversation, beliefs=_distinct(replace(b, letter=None) for b in conversation.beliefs))


def readdressed(conversation: Conversation) -> Conversation:
    """Return a conversation with somebody whose address was corrected.

    The letters to the old one may have been read by them, or by nobody; so may those to the addresses before it.
    """
    in_doubt = doubted(conversation)
    elsewhere = (one.elsewhere for one in in_doubt.beliefs if one.elsewhere is not None)  # whatever their address is
    unread = tuple(Belief(known=one, elsewhere=one) for one in elsewhere) or (NOTHING,)
    beliefs = _distinct((*unread, *conversation.earlier, *in_doubt.beliefs))
    earlier = tuple(replace(one, owed=frozenset(), declined=()) for one in beliefs if not one.is_blank)
    return replace(in_doubt, beliefs=beliefs, earlier=tuple(dict.fromkeys(earlier)), refused=(), unsure=())


def retried(conversation: Conversation) -> Conversation:
    """Return a conversation in which what was refused is tried again."""
    return replace(conversation, refused=())


def heard(session: Session, offer: Offer | None, *, now: datetime) -> Conversation:
    """Return a conversation whose reader has heard all that stands; `offer` is the open one."""
    if session.state is SessionState.CANCELLED:
        return Conversation()
    here = Arrangement(when=session.when, location=session.location)
    entry = None if session.published else here
    if offer is None or offer.expires_at is None:
        return Conversation(beliefs=(Belief(known=here, entry=entry),))
    choices = tuple(Choice(when=one.when, location=one.location or session.location) for one in offer.standing)
    known_offer = KnownOffer(offer_id=offer.id, choices=choices, expires_at=offer.expires_at, told_at=now)
    return Conversation(beliefs=(Belief(known=here, entry=entry, offer=known_offer),))


def arrived_after_all(conversation: Conversation, notice: Notice, *, now: datetime) -> Conversation:
    """Return a conversation whose last letter has arrived, of which that was in doubt or denied."""
    return replace(
        conversation,
        beliefs=_distinct(told(belief, notice, now=now) for belief in conversation.beliefs),
        refused=tuple(one for one in conversation.refused if one != notice),
    )


def version(session: Session, offer: Offer | None) -> str:
    """Return what tells what stands from what stood before or after; `offer` is the open one."""
    open_offer = f"{offer.id}.{len(offer.standing)}" if offer is not None else ""
    return f"{session.revision}.{session.state}.{open_offer}"


def told_in_person(conversation: Conversation, session: Session, offer: Offer | None, *, now: datetime) -> Conversation:
    """Return a conversation whose reader was told all that stands by their practitioner, not by us."""
    return replace(conversation, beliefs=heard(session, offer, now=now).beliefs)


def either(one: Conversation, other: Conversation) -> Conversation:
    """Return a conversation of which it is not known which of two accounts holds."""
    earlier = tuple(dict.fromkeys((*one.earlier, *other.earlier)))
    return replace(other, beliefs=_distinct((*one.beliefs, *other.beliefs)), earlier=earlier)


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
            invites = session is None or not session.published
            return replace(
                belief,
                known=here,
                entry=here if invites else None,
                elsewhere=None,
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
        case Effect.PROPOSAL_ENDS:
            left = tuple(one for one in belief.declined if one != notice.declined)
            return replace(belief, known=here, declined=left)
        case _:
            return belief


def may_have_entry(conversation: Conversation) -> bool:
    """Whether a letter may have put an entry into the reader's calendar, here or at an address before."""
    return any(belief.entry is not None for belief in (*conversation.beliefs, *conversation.earlier))


def has_heard_of(conversation: Conversation, offer_id: UUID) -> bool:
    """Whether the reader may know of an offer."""
    return any(belief.offer is not None and belief.offer.offer_id == offer_id for belief in conversation.beliefs)
