"""An offer: the question to a client which of several times suits. The whole life of an offer is in this file."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from typing import assert_never
from uuid import UUID, uuid4

from connector.domain import session as sessions
from connector.domain.facts import (
    AlternativeMoved,
    AlternativeWithdrawn,
    Fact,
    FlagReason,
    MoveReason,
    OfferAccepted,
    OfferDiscarded,
    OfferDrafted,
    OfferLapsed,
    OfferRejected,
    OfferReplaced,
    OfferSent,
    OfferWithdrawn,
    SessionMoved,
)
from connector.domain.people import CLOCK, Actor, Role
from connector.domain.session import Location, Session
from connector.domain.span import When
from connector.domain.text import check_external_id
from connector.errors import NotFoundError, OfferClosedError, PastSpanError, RuleError, StaleAnswerError

MOST_ALTERNATIVES = 10
SHORTEST_WINDOW = timedelta(seconds=1)
LONGEST_WINDOW = timedelta(days=30)


class OfferState(StrEnum):
    """Where an offer stands; every state but draft and open is final."""

    DRAFT = "draft"
    OPEN = "open"
    ACCEPTED = "accepted"
    REJECTED = "rejected"
    CANCELLED = "cancelled"  # the client or the practitioner cancelled the booking itself
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"
    REPLACED = "replaced"
    DISCARDED = "discarded"


@dataclass(frozen=True, slots=True, kw_only=True)
class Alternative:
    """One time the client may pick, at a place of its own if `location` is set."""

    id: UUID
    when: When
    location: Location | None = None
    withdrawn: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Offer:
    """A question to the client. `window` is how long they have from sending; `expires_at` is an instant in UTC.

    `external_id` is what the host calls it, and `version` counts the changes of it and its alternatives.
    """

    id: UUID
    session_id: UUID
    practitioner_id: UUID
    state: OfferState
    alternatives: tuple[Alternative, ...]
    window: timedelta
    drafted_at: datetime
    sent_at: datetime | None = None
    expires_at: datetime | None = None
    ended_at: datetime | None = None
    accepted_id: UUID | None = None
    external_id: str | None = None
    version: int = field(default=1, compare=False)

    def __post_init__(self) -> None:
        check_external_id(self.external_id)

    @property
    def standing(self) -> tuple[Alternative, ...]:
        """The alternatives that have not been taken back one by one."""
        return tuple(a for a in self.alternatives if not a.withdrawn)

    @property
    def held(self) -> tuple[Alternative, ...]:
        """The alternatives whose times are kept free now."""
        return self.standing if self.state is OfferState.OPEN else ()

    def alternative(self, alternative_id: UUID) -> Alternative:
        """Return the alternative of that id.

        Raises: NotFoundError if it is none of this offer's.
        """
        for alternative in self.alternatives:
            if alternative.id == alternative_id:
                return alternative
        raise NotFoundError("This time is not part of the offer.", code="alternative_not_found")


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """An offer and its session after a transition, and what happened; no facts means that nothing changed."""

    offer: Offer
    session: Session
    facts: tuple[Fact, ...] = ()


def draft(
    session: Session,
    alternatives: Iterable[tuple[When, Location | None]],
    *,
    window: timedelta,
    by: Actor,
    now: datetime,
    external_id: str | None = None,
) -> Transition:
    """Note down alternatives; nobody is told and no time is held.

    Raises: RuleError for none or too many, doubles, or the session's own time; PastSpanError for a past one.
    """
    sessions.check_stands(session)
    new_alternatives = tuple(Alternative(id=uuid4(), when=when, location=place) for when, place in alternatives)
    _check_window(window)
    _check_alternatives(session, new_alternatives, now)
    offer = Offer(
        id=uuid4(),
        session_id=session.id,
        practitioner_id=session.practitioner_id,
        state=OfferState.DRAFT,
        alternatives=new_alternatives,
        window=window,
        drafted_at=now,
        external_id=external_id,
    )
    times = tuple(alternative.when for alternative in new_alternatives)
    fact = OfferDrafted(at=now, by=by, session_id=session.id, offer_id=offer.id, alternatives=times)
    return Transition(offer=offer, session=session, facts=(fact,))


def faults(session: Session, times: Sequence[When], *, now: datetime) -> tuple[RuleError | None, ...]:
    """Return what is wrong with each of these times as alternatives to a session; None where nothing is."""
    spans = Counter(when.span for when in times)
    return tuple(_fault(session, when, now, is_doubled=spans[when.span] > 1) for when in times)


def _fault(session: Session, when: When, now: datetime, *, is_doubled: bool) -> RuleError | None:
    try:
        sessions.check_future(when, now)
    except PastSpanError as error:
        return error
    if is_doubled:
        return RuleError(
            "This time is offered twice: %(when)s. Remove one of the two.",
            code="alternative_doubled",
            field="alternatives",
            when=when.local,
        )
    if when.span == session.when.span:
        return RuleError(
            "This is the session's own time: %(when)s. Offer other times only.",
            code="alternative_is_own_time",
            field="alternatives",
            when=when.local,
        )
    return None


def redraft(
    offer: Offer,
    session: Session,
    alternatives: Iterable[tuple[When, Location | None]],
    *,
    window: timedelta,
    by: Actor,
    now: datetime,
) -> Transition:
    """Note down other alternatives in a draft; those that stay keep their ids, and the same ones change nothing.

    Raises: OfferClosedError if it is no draft; else as `draft`.
    """
    check_draft(offer)
    drafting = draft(session, alternatives, window=window, by=by, now=now)
    known = {(alternative.when, alternative.location): alternative for alternative in offer.alternatives}
    new_alternatives = tuple(known.get((a.when, a.location), a) for a in drafting.offer.alternatives)
    if (new_alternatives, window) == (offer.alternatives, offer.window):
        return Transition(offer=offer, session=session)
    return Transition(
        offer=replace(offer, alternatives=new_alternatives, window=window),
        session=session,
        facts=tuple(replace(fact, offer_id=offer.id) for fact in drafting.facts),
    )


def discard(offer: Offer, session: Session, *, by: Actor, now: datetime) -> Transition:
    """Discard a draft; nobody but its author ever knew of it."""
    check_draft(offer)
    fact = OfferDiscarded(at=now, by=by, session_id=session.id, offer_id=offer.id)
    return _ended(offer, session, OfferState.DISCARDED, now, fact)


def send(offer: Offer, session: Session, *, by: Actor, now: datetime) -> Transition:
    """Ask the client: every alternative is held from now on, and the clock runs.

    Raises: RuleError if it is no draft any more or breaks a rule by now; PastSpanError for a time that has passed.
    """
    check_draft(offer)
    sessions.check_stands(session)
    _check_alternatives(session, offer.standing, now)
    expires_at = now + offer.window
    fact = OfferSent(
        at=now,
        by=by,
        session_id=session.id,
        offer_id=offer.id,
        alternatives=tuple(a.when for a in offer.standing),
        expires_at=expires_at,
        window=offer.window,
    )
    of_session = sessions.unflagged(session, by=by, now=now)
    return Transition(
        offer=replace(offer, state=OfferState.OPEN, sent_at=now, expires_at=expires_at),
        session=of_session.session,
        facts=(fact, *of_session.facts),
    )


def accept(
    offer: Offer, session: Session, alternative_id: UUID, *, by: Actor, now: datetime, shown: datetime | None = None
) -> Transition:
    """Move the session to one alternative and release everything else, its old time included.

    Args:
        offer: The offer that is answered.
        session: Its session.
        alternative_id: The chosen one.
        by: The client, or support acting for them; support may also do it after a lapse or a rejection.
        now: Aware UTC; an answer counts strictly before the deadline.
        shown: The start the page showed; None when no page was involved.
    Raises: OfferClosedError if it has ended otherwise; StaleAnswerError if the alternative has moved since it was
        shown; PastSpanError if it has begun; RuleError if it was taken back. Accepting the same twice is harmless.
    """
    chosen = offer.alternative(alternative_id)
    if offer.state is OfferState.ACCEPTED and offer.accepted_id == alternative_id:
        return Transition(offer=offer, session=session)
    _check_answerable(offer, by, now)
    sessions.check_stands(session)
    _check_choice(chosen, shown, now)
    new_session = sessions.revised(
        replace(session, when=chosen.when, location=chosen.location or session.location, flag=None), now=now
    )
    facts = _acceptance_facts(offer, session, chosen, by=by, now=now)
    return Transition(
        offer=replace(offer, state=OfferState.ACCEPTED, ended_at=now, accepted_id=chosen.id),
        session=new_session,
        facts=facts,
    )


def _acceptance_facts(
    offer: Offer, session: Session, chosen: Alternative, *, by: Actor, now: datetime
) -> tuple[Fact, ...]:
    return (
        OfferAccepted(
            at=now,
            by=by,
            session_id=session.id,
            offer_id=offer.id,
            alternative_id=chosen.id,
            chosen=chosen.when,
        ),
        SessionMoved(
            at=now,
            by=by,
            session_id=session.id,
            offer_id=offer.id,
            old=session.when,
            new=chosen.when,
            reason=MoveReason.ACCEPTED,
        ),
    )


def reject(offer: Offer, session: Session, *, by: Actor, now: datetime) -> Transition:
    """None of the times suits: everything is released, the session keeps its time and needs its practitioner."""
    if offer.state is OfferState.REJECTED:
        return Transition(offer=offer, session=session)
    check_open(offer, now)
    fact = OfferRejected(at=now, by=by, session_id=session.id, offer_id=offer.id)
    of_session = sessions.flagged(session, FlagReason.REJECTED, by=by, now=now)
    return _ended(offer, of_session.session, OfferState.REJECTED, now, fact, *of_session.facts)


def cancel_booking(offer: Offer, session: Session, *, by: Actor, now: datetime) -> Transition:
    """Answer an open offer by ending the session itself."""
    if offer.state is OfferState.CANCELLED:
        return Transition(offer=offer, session=session)
    check_open(offer, now)
    return end_with_session(offer, session, by=by, now=now)


def end_with_session(offer: Offer, session: Session, *, by: Actor, now: datetime, reason: str = "") -> Transition:
    """Cancel a session whose offer is still open; whoever cancels, both end together."""
    of_session = sessions.cancel(session, by=by, now=now, reason=reason)
    return _ended(offer, of_session.session, OfferState.CANCELLED, now, *of_session.facts)


def lapse(offer: Offer, session: Session, *, now: datetime) -> Transition:
    """End an open offer whose deadline has come; before the deadline, or once it has ended, nothing happens."""
    if offer.state is not OfferState.OPEN or offer.expires_at is None or now < offer.expires_at:
        return Transition(offer=offer, session=session)
    fact = OfferLapsed(at=now, by=CLOCK, session_id=session.id, offer_id=offer.id)
    of_session = sessions.flagged(session, FlagReason.LAPSED, by=CLOCK, now=now)
    return _ended(offer, of_session.session, OfferState.LAPSED, now, fact, *of_session.facts)


def withdraw(offer: Offer, session: Session, *, by: Actor, now: datetime, why: str = "") -> Transition:
    """Take an open offer back; the session keeps its time."""
    if offer.state is OfferState.WITHDRAWN:
        return Transition(offer=offer, session=session)
    check_open(offer, now)
    fact = OfferWithdrawn(at=now, by=by, session_id=session.id, offer_id=offer.id, why=why)
    return _ended(offer, session, OfferState.WITHDRAWN, now, fact)


def withdraw_alternative(
    offer: Offer, session: Session, alternative_id: UUID, *, by: Actor, now: datetime
) -> Transition:
    """Take one alternative back; taking back the last one withdraws the offer."""
    target = offer.alternative(alternative_id)
    if target.withdrawn:
        return Transition(offer=offer, session=session)
    check_open(offer, now)
    new_offer = replace(offer, alternatives=_swapped(offer, replace(target, withdrawn=True)))
    fact = AlternativeWithdrawn(
        at=now, by=by, session_id=session.id, offer_id=offer.id, alternative_id=target.id, when=target.when
    )
    if not new_offer.standing:
        withdrawal = withdraw(new_offer, session, by=by, now=now)
        return replace(withdrawal, facts=(fact, *withdrawal.facts))
    return Transition(offer=new_offer, session=session, facts=(fact,))


def move_alternative(
    offer: Offer, session: Session, alternative_id: UUID, when: When, *, by: Actor, now: datetime
) -> Transition:
    """Move one open alternative; the deadline stays where it is."""
    check_open(offer, now)
    target = offer.alternative(alternative_id)
    if target.withdrawn:
        raise RuleError(
            "This time is no longer offered, so it cannot be moved. Offer another time instead.",
            code="alternative_withdrawn_unmovable",
        )
    if target.when == when:
        return Transition(offer=offer, session=session)
    new_offer = replace(offer, alternatives=_swapped(offer, replace(target, when=when)))
    _check_alternatives(session, new_offer.standing, now)
    fact = AlternativeMoved(
        at=now, by=by, session_id=session.id, offer_id=offer.id, alternative_id=target.id, old=target.when, new=when
    )
    return Transition(offer=new_offer, session=session, facts=(fact,))


def replaced(offer: Offer, session: Session, by_offer: Offer, *, by: Actor, now: datetime) -> Transition:
    """End an open offer because another one takes its place in the same transaction."""
    check_open(offer, now)
    fact = OfferReplaced(at=now, by=by, session_id=session.id, offer_id=offer.id, new_offer_id=by_offer.id)
    return _ended(offer, session, OfferState.REPLACED, now, fact)


def check_open(offer: Offer, now: datetime) -> None:
    """Raise OfferClosedError unless an answer counts at `now`: strictly before the deadline."""
    if offer.state is not OfferState.OPEN:
        raise _closed(offer, offer.state)
    if offer.expires_at is not None and now >= offer.expires_at:
        raise _closed(offer, OfferState.LAPSED)


def _closed(offer: Offer, state: OfferState) -> OfferClosedError:
    """Return the refusal of an act that comes too late, or too early."""
    error = _how_closed(state)
    error.ended_at, error.accepted_id = offer.ended_at, offer.accepted_id
    return error


def _how_closed(state: OfferState) -> OfferClosedError:
    """Say how an offer has ended, or that it has not begun."""
    match state:
        case OfferState.DRAFT:
            return OfferClosedError("This offer has not been sent.", code="offer_not_sent", state=state)
        case OfferState.DISCARDED:
            return OfferClosedError("This offer was never sent.", code="offer_discarded", state=state)
        case OfferState.ACCEPTED:
            return OfferClosedError(
                "This offer has already been answered: one of the times was chosen.", code="offer_accepted", state=state
            )
        case OfferState.REJECTED:
            return OfferClosedError(
                "This offer has already been answered: none of the times suited.", code="offer_rejected", state=state
            )
        case OfferState.CANCELLED:
            return OfferClosedError("The booking has been cancelled.", code="offer_booking_cancelled", state=state)
        case OfferState.LAPSED:
            return OfferClosedError("The time to answer this offer has passed.", code="offer_lapsed", state=state)
        case OfferState.WITHDRAWN:
            return OfferClosedError("This offer has been taken back.", code="offer_withdrawn", state=state)
        case OfferState.REPLACED:
            return OfferClosedError("This offer has been replaced by a newer one.", code="offer_replaced", state=state)
        case OfferState.OPEN:
            return OfferClosedError("This offer is no longer a draft: it was sent.", code="offer_sent", state=state)
        case _:
            assert_never(state)


def check_draft(offer: Offer) -> None:
    """Raise OfferClosedError unless it is a draft."""
    if offer.state is not OfferState.DRAFT:
        raise _closed(offer, offer.state)


def _check_answerable(offer: Offer, by: Actor, now: datetime) -> None:
    """Raise OfferClosedError unless it can be accepted; support can do that after a lapse or a rejection, too."""
    if by.role is Role.SUPPORT and offer.state in (OfferState.LAPSED, OfferState.REJECTED, OfferState.OPEN):
        return
    check_open(offer, now)


def _check_choice(chosen: Alternative, shown: datetime | None, now: datetime) -> None:
    if chosen.withdrawn:
        raise RuleError(
            "This time is no longer offered. Please choose one of the others.", code="alternative_withdrawn"
        )
    if shown is not None and shown != chosen.when.span.start:
        raise StaleAnswerError(
            "This time has changed since you opened the page. Please look at the new time.", code="alternative_moved"
        )
    sessions.check_future(chosen.when, now)


def _check_window(window: timedelta) -> None:
    if not SHORTEST_WINDOW <= window <= LONGEST_WINDOW:
        raise RuleError(
            "A client has between 1 second and 30 days to answer. Choose a time in between.",
            code="answer_window_out_of_range",
            field="window",
        )


def _check_alternatives(session: Session, alternatives: tuple[Alternative, ...], now: datetime) -> None:
    if not 1 <= len(alternatives) <= MOST_ALTERNATIVES:
        raise RuleError(
            "Offer at least one time, and at most %(most)s.",
            code="alternatives_out_of_range",
            field="alternatives",
            most=MOST_ALTERNATIVES,
        )
    for fault in faults(session, [one.when for one in alternatives], now=now):
        if fault is not None:
            raise fault


def _swapped(offer: Offer, new: Alternative) -> tuple[Alternative, ...]:
    return tuple(new if alternative.id == new.id else alternative for alternative in offer.alternatives)


def _ended(offer: Offer, session: Session, state: OfferState, now: datetime, *facts: Fact) -> Transition:
    return Transition(offer=replace(offer, state=state, ended_at=now), session=session, facts=facts)
