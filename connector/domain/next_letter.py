"""The next letter of a conversation: made from what its reader may believe and what stands, at the moment of sending.

One letter at a time; what would come after it is found when it has been sent.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, time, timedelta
from uuid import UUID

from connector.domain.conversation import Arrangement, Belief, Conversation, Owed
from connector.domain.notice import Choice, Notice, NoticeKind
from connector.domain.notice_table import NOTICES, ROWS, NoticeRow
from connector.domain.offer import Offer, OfferState
from connector.domain.session import Location, Session, SessionState
from connector.domain.span import When, zone_named

SHORTEST_REMINDED = timedelta(hours=1)  # of a shorter time to answer nobody is reminded
DAY = (time(8), time(21))  # reminders leave in these hours of the reader's clock


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
    about_proposal = _about_proposal(conversation, standing, basis, now)
    wanted = [notice for notice in (about_session, about_offer, about_proposal) if notice is not None]
    notice = next((notice for notice in wanted if not _was_refused(conversation, notice)), None)
    again_at = _again_at(conversation, standing.open, basis, now) if notice is None and standing.open else None
    return Next(notice=notice, untold=untold, is_refused=bool(wanted) and notice is None, again_at=again_at)


def knows(conversation: Conversation, standing: Standing, basis: Notice, *, now: datetime) -> bool:
    """Whether a reader has surely been told all that stands, whatever was refused or came too late meanwhile."""
    every_try = replace(conversation, untold=None, refused=(), unsure=())
    following = next_letter(every_try, standing, basis, now=now)
    is_reminder = following.notice is not None and NOTICES[following.notice.kind].reminds_after is not None
    return following.untold is None and (following.notice is None or is_reminder)


def _was_refused(conversation: Conversation, notice: Notice) -> bool:
    """Whether a letter that says the same was refused for good, or is not to be repeated, by whatever names."""
    return any(
        notice
        == replace(
            refusal,
            to=notice.to,
            practitioner_name=notice.practitioner_name,
            client_name=notice.client_name,
            reply_to=notice.reply_to,
        )
        for refusal in (*conversation.refused, *conversation.unsure)
    )


def _again_at(conversation: Conversation, offer: Offer, basis: Notice, now: datetime) -> datetime | None:
    if _may_not_know(conversation, offer):
        return None
    return min((at for _row, at in _reminders(conversation, offer, basis.to.zone, now)), default=None)


def _may_not_know(conversation: Conversation, offer: Offer) -> bool:
    """Whether the reader may not know of an offer."""
    return any(belief.offer is None or belief.offer.offer_id != offer.id for belief in conversation.beliefs)


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
    if all(_knows(belief, here, published=session.published) for belief in beliefs):
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


def _knows(belief: Belief, here: Arrangement, *, published: bool) -> bool:
    """Whether somebody knows where a session stands, their calendar does, and nothing is to be confirmed or undone."""
    # What they subscribe to tells their calendar by itself; who has told them elsewhere has seen to it.
    is_shown = published or here in (belief.entry, belief.elsewhere)
    return belief.known == here and is_shown and not belief.void and Owed.ACCEPTED not in belief.owed


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


def _about_proposal(conversation: Conversation, standing: Standing, basis: Notice, now: datetime) -> Notice | None:
    """Say that a time cannot be which the reader has asked for, while there is a session that it was asked for."""
    if standing.session.state is SessionState.CANCELLED or standing.session.when.span.start <= now:
        return None
    declined = next((one for belief in conversation.beliefs for one in belief.declined), None)
    return replace(basis, kind=NoticeKind.PROPOSAL_DECLINED, declined=declined) if declined else None


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
        at = by_day(max(planned, now), zone)
        if at < offer.expires_at and max(told_at, default=planned) <= planned:
            yield row, at


def _was_reminded(conversation: Conversation, row: NoticeRow, offer: Offer) -> bool:
    return any((reminder.kind, reminder.offer_id) == (row.kind, offer.id) for reminder in conversation.reminded)


def by_day(at: datetime, zone: str) -> datetime:
    """Return an instant, or the next morning if it falls into the night there; aware UTC, as it was given."""
    local, (morning, evening) = at.astimezone(zone_named(zone)), DAY
    if morning <= local.time() < evening:
        return at
    day = local.date() + timedelta(days=1 if local.time() >= evening else 0)
    return datetime.combine(day, morning, tzinfo=local.tzinfo).astimezone(at.tzinfo)


_END_TOLD: dict[OfferState | None, NoticeKind] = {
    OfferState.LAPSED: NoticeKind.LAPSED,
    OfferState.REJECTED: NoticeKind.REJECTED,
}
