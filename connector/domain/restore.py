"""What a restored database and the calendars say of one session, and what becomes of it. Nobody is told of it."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from connector.domain import offer as offers
from connector.domain import session as sessions
from connector.domain.facts import (
    AlternativeMoved,
    AlternativeWithdrawn,
    Dropped,
    Fact,
    FlagReason,
    MoveReason,
    OfferAccepted,
    OfferSent,
    SessionMoved,
)
from connector.domain.notice import Righted, Righting
from connector.domain.offer import Alternative, Offer, OfferState
from connector.domain.people import Actor
from connector.domain.question import Question, drop
from connector.domain.session import Session, SessionState
from connector.domain.span import Span, When
from connector.sentence import Sentence

WHY = Sentence("the database was restored, and this was no longer so")


class Follow(StrEnum):
    """Which side is right."""

    CALENDARS = "calendars"
    DATABASE = "database"


@dataclass(frozen=True, slots=True, kw_only=True)
class Evidence:
    """What stands of a session in those calendars that could be read.

    Attributes:
        is_known: Whether calendars were read that would show it, so that what stands in none of them is gone.
        event: Where the session's event stands; None if it stands in none of them.
        holds: Where the holds of the open offer stand, by alternative.
        draft_holds: Where holds of what is only a draft stand: it has been sent since.
    """

    is_known: bool = False
    event: Span | None = None
    holds: Mapping[UUID, Span] = field(default_factory=dict)
    draft_holds: Mapping[UUID, Span] = field(default_factory=dict)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """A session as it stands from now on; no facts means that nothing changed."""

    session: Session
    offers: tuple[tuple[Offer, OfferState], ...] = ()
    questions: tuple[Question, ...] = ()
    facts: tuple[Fact, ...] = ()
    righted: Righting | None = None


def judge(
    session: Session,
    offer: Offer | None,
    question: Question | None,
    evidence: Evidence,
    *,
    draft: Offer | None = None,
    follow: Follow,
    by: Actor,
    now: datetime,
) -> Verdict:
    """Say how a session stands after a restore; `offer` and `question` are those that are open."""
    if session.state is SessionState.CANCELLED:
        return Verdict(session=session)
    verdict = _with_offer(session, offer, evidence, follow, by, now)
    if draft is not None and follow is Follow.CALENDARS and (offer is None or verdict.offers):
        verdict = _sent(verdict, draft, evidence, by, now)
    return verdict if question is None else _unasked(verdict, question, by, now)


def _with_offer(
    session: Session, offer: Offer | None, evidence: Evidence, follow: Follow, by: Actor, now: datetime
) -> Verdict:
    if follow is Follow.DATABASE:
        is_over = offer is not None and (_is_overdue(offer, now) or _seems_over(session, offer, evidence))
        return _ended(session, offer, by, now) if offer is not None and is_over else Verdict(session=session)
    event = evidence.event if evidence.event is not None else session.when.span
    if offer is not None:
        chosen = next((one for one in offer.standing if one.when.span == event != session.when.span), None)
        if chosen is not None and not evidence.holds.keys() - {chosen.id}:
            return _accepted(session, offer, chosen, by, now)
        is_over = not evidence.holds and (evidence.is_known or _is_overdue(offer, now))
        if event != session.when.span or is_over:
            ended = _ended(session, offer, by, now)
            return _placed(ended, evidence, event, by, now)
        return _placed(_as_held(session, offer, evidence, by, now), evidence, event, by, now)
    return _placed(Verdict(session=session), evidence, event, by, now)


def _seems_over(session: Session, offer: Offer, evidence: Evidence) -> bool:
    """Whether calendars show that an offer was answered or taken back: its reminder and its end would not be true.

    Where nothing of the session stands, calendars say nothing.
    """
    if not evidence.is_known or evidence.event is None:
        return False
    is_chosen = evidence.event != session.when.span and any(one.when.span == evidence.event for one in offer.standing)
    return is_chosen or not evidence.holds


def _is_overdue(offer: Offer, now: datetime) -> bool:
    return offer.expires_at is not None and offer.expires_at <= now


def _accepted(session: Session, offer: Offer, chosen: Alternative, by: Actor, now: datetime) -> Verdict:
    new = replace(session, when=chosen.when, location=chosen.location or session.location, flag=None)
    accepted = OfferAccepted(
        at=now, by=by, session_id=session.id, offer_id=offer.id, alternative_id=chosen.id, chosen=chosen.when
    )
    moved = SessionMoved(
        at=now,
        by=by,
        session_id=session.id,
        offer_id=offer.id,
        old=session.when,
        new=chosen.when,
        reason=MoveReason.ACCEPTED,
    )
    return Verdict(
        session=new,
        offers=((replace(offer, state=OfferState.ACCEPTED, ended_at=now, accepted_id=chosen.id), offer.state),),
        facts=(accepted, moved),
        righted=Righting.ACCEPTED,
    )


def _ended(session: Session, offer: Offer, by: Actor, now: datetime) -> Verdict:
    """End an offer of which nobody knows how it has ended."""
    ending = offers.withdraw(replace(offer, expires_at=None), session, by=by, now=now, why=str(WHY))
    ended = replace(ending.offer, expires_at=offer.expires_at)
    flagging = sessions.flagged(session, FlagReason.RESTORED, by=by, now=now)
    return Verdict(
        session=flagging.session,
        offers=((ended, offer.state),),
        facts=(*ending.facts, *flagging.facts),
        righted=Righting.OFFER_OVER,
    )


def _sent(verdict: Verdict, draft: Offer, evidence: Evidence, by: Actor, now: datetime) -> Verdict:
    """Return a verdict with a draft open that has been sent since; its client has all of the time to answer again.

    When it was sent is not known: so the deadline is later than the one they were told, and never earlier.
    """
    if not any(span.start > now for span in evidence.draft_holds.values()):
        return verdict
    expires_at = now + draft.window
    opened = replace(draft, state=OfferState.OPEN, sent_at=now, expires_at=expires_at)
    sent = OfferSent(
        at=now,
        by=by,
        session_id=draft.session_id,
        offer_id=draft.id,
        alternatives=tuple(one.when for one in draft.standing),
        expires_at=expires_at,
        window=draft.window,
    )
    held = _as_held(verdict.session, opened, replace(evidence, holds=evidence.draft_holds), by, now)
    offer = next((changed for changed, _ in held.offers), opened)
    return replace(
        verdict,
        offers=(*verdict.offers, (offer, draft.state)),
        facts=(*verdict.facts, sent, *held.facts),
        righted=verdict.righted or Righting.OFFER_SENT,
    )


def _as_held(session: Session, offer: Offer, evidence: Evidence, by: Actor, now: datetime) -> Verdict:
    """Return an offer of those times that are still held; the others were taken back or moved since."""
    alternatives, facts = [], list[Fact]()
    ids = {"session_id": session.id, "offer_id": offer.id}
    for one in offer.alternatives:
        held = evidence.holds.get(one.id)
        if one.withdrawn or held == one.when.span or (held is None and not evidence.is_known):
            alternatives.append(one)
        elif held is None:
            alternatives.append(replace(one, withdrawn=True))
            facts.append(AlternativeWithdrawn(at=now, by=by, alternative_id=one.id, when=one.when, **ids))
        else:
            moved = replace(one, when=When.of(held, zone=one.when.zone))
            alternatives.append(moved)
            facts.append(AlternativeMoved(at=now, by=by, alternative_id=one.id, old=one.when, new=moved.when, **ids))
    if not facts:
        return Verdict(session=session)
    changed = replace(offer, alternatives=tuple(alternatives))
    return Verdict(
        session=session, offers=((changed, offer.state),), facts=tuple(facts), righted=Righting.OFFER_CHANGED
    )


def _placed(verdict: Verdict, evidence: Evidence, event: Span, by: Actor, now: datetime) -> Verdict:
    """Return a verdict with the session where its event stands; one whose event is gone is flagged."""
    session = verdict.session
    if event != session.when.span:
        new = replace(session, when=When.of(event, zone=session.when.zone))
        flagging = sessions.flagged(new, FlagReason.RESTORED, by=by, now=now)
        move = SessionMoved(
            at=now, by=by, session_id=session.id, old=session.when, new=new.when, reason=MoveReason.RESTORED
        )
        facts = (*verdict.facts, move, *(() if session.flag is FlagReason.RESTORED else flagging.facts))
        return replace(verdict, session=flagging.session, facts=facts, righted=Righting.MOVED)
    is_gone = evidence.is_known and evidence.event is None and session.when.span.end > now
    if not is_gone:
        return verdict
    flagging = sessions.flagged(session, FlagReason.RESTORED, by=by, now=now)
    facts = (*verdict.facts, *(() if session.flag is FlagReason.RESTORED else flagging.facts))
    return replace(verdict, session=flagging.session, facts=facts, righted=Righting.GONE)


def _unasked(verdict: Verdict, question: Question, by: Actor, now: datetime) -> Verdict:
    """Drop a question that may have been answered since: its default must tell no client anything."""
    ended, dropped = drop(question, Dropped.RESTORED, by=by, now=now)
    flagging = sessions.flagged(verdict.session, FlagReason.RESTORED, by=by, now=now)
    facts = (*verdict.facts, dropped, *(() if verdict.session.flag is FlagReason.RESTORED else flagging.facts))
    return replace(
        verdict,
        session=flagging.session,
        questions=(ended,),
        facts=facts,
        righted=verdict.righted or Righting.ASKED,
    )


def said_of(verdict: Verdict, before: Session, *, client_name: str) -> Righted | None:
    """Return what its practitioner is told of a verdict; None if nothing was put right."""
    if verdict.righted is None:
        return None
    old = before.when if before.when != verdict.session.when else None
    return Righted(what=verdict.righted, when=verdict.session.when, about=client_name, old=old)
