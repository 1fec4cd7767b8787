"""Offer other times: draft, send, withdraw, move, replace, lapse. Each function is one use case in one transaction."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import offer as offering
from connector.domain.connection import ConnectionState
from connector.domain.facts import Fact
from connector.domain.notice import Choice, Notice, NoticeKind, Recipient
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Actor, Practitioner
from connector.domain.session import Location
from connector.domain.span import When
from connector.errors import RuleError, TimeTakenError
from connector.services import notices
from connector.services.policy import Policy
from connector.services.recording import Case, Decision, decided, load, record
from connector.services.sync import breaker, free_busy
from connector.storage import calendars, occupancy, offers


@dataclass(frozen=True, slots=True, kw_only=True)
class Sent:
    """An offer that was sent, and what the practitioner should know about it."""

    offer: Offer
    warnings: tuple[str, ...] = ()


def draft(
    db: Connection,
    policy: Policy,
    session_id: UUID,
    alternatives: Sequence[tuple[When, Location | None]],
    *,
    by: Actor,
    now: datetime,
    window: timedelta | None = None,
) -> Offer:
    """Note down alternatives in place of any earlier draft; nobody is told and nothing is held.

    Raises: NotFoundError, PastSpanError, TimeTakenError (as far as it can be known by now), RuleError.
    """
    case = load(db, policy, session_id, now=now)
    transition = offering.draft(case.session, alternatives, window=window or policy.window, by=by, now=now)
    _check_free(db, case.practitioner, transition.offer)
    if case.draft is not None:
        earlier = offering.discard(case.draft, case.session, by=by, now=now)
        record(db, policy, case, decided(earlier, was=OfferState.DRAFT), now=now)
    record(db, policy, case, decided(transition, was=None), now=now)
    return transition.offer


def discard(db: Connection, policy: Policy, offer_id: UUID, *, by: Actor, now: datetime) -> None:
    """Throw a draft away.

    Raises: NotFoundError, OfferClosedError if it is no draft.
    """
    case, offer = _load(db, policy, offer_id, now)
    transition = offering.discard(offer, case.session, by=by, now=now)
    record(db, policy, case, decided(transition, was=offer.state), now=now)


def send(db: Connection, policy: Policy, offer_id: UUID, *, by: Actor, now: datetime) -> Sent:
    """Hold every alternative, ask the client and start the clock; an offer still open is replaced without a gap.

    Raises: RuleError if the client cannot be reached or a calendar has lost its access: nothing is held then;
        TimeTakenError, PastSpanError, OfferClosedError.
    """
    case, offer = _load(db, policy, offer_id, now)
    check_can_ask(db, policy, case)
    transition = offering.send(offer, case.session, by=by, now=now)
    facts: tuple[Fact, ...] = transition.facts
    touched: list[tuple[Offer, OfferState | None]] = [(transition.offer, offer.state)]
    if case.open is not None:
        ended = offering.replaced(case.open, transition.session, transition.offer, by=by, now=now)
        facts, touched = (*ended.facts, *facts), [(ended.offer, case.open.state), *touched]
    record(db, policy, case, Decision(session=transition.session, offers=tuple(touched), facts=facts), now=now)
    return Sent(offer=transition.offer, warnings=_warnings(db, policy, case, transition.offer, now))


def check_can_ask(db: Connection, policy: Policy, case: Case) -> None:
    """Raise RuleError if the client cannot be reached, or a calendar could not be seen to keep the times free."""
    if not case.client.reachable & policy.media:
        raise RuleError(
            f"{case.client.name} cannot be told about the offer: there is no usable e-mail address or number that "
            "they want to be reached at. Add one first. Nothing has been held."
        )
    lost = [
        c.label for c in calendars.connections_of(db, case.practitioner.id) if c.state is ConnectionState.ACCESS_LOST
    ]
    if lost:
        raise RuleError(
            f"The calendar “{lost[0]}” no longer lets Pencilled in, so the times could not be kept visibly free. "
            "Reconnect it first, on the page /calendars or by `pencilled connections reconnect`, then send again. "
            "Nothing has been held."
        )
    breaker.check_working(db, case.practitioner.id)


def withdraw(db: Connection, policy: Policy, offer_id: UUID, *, by: Actor, now: datetime, why: str = "") -> Offer:
    """Take an open offer back.

    Raises: NotFoundError, OfferClosedError.
    """
    case, offer = _load(db, policy, offer_id, now)
    transition = offering.withdraw(offer, case.session, by=by, now=now, why=why)
    record(db, policy, case, decided(transition, was=offer.state), now=now)
    return transition.offer


def withdraw_alternative(
    db: Connection, policy: Policy, offer_id: UUID, alternative_id: UUID, *, by: Actor, now: datetime
) -> Offer:
    """Take one alternative back; the last one takes the offer with it.

    Raises: NotFoundError, OfferClosedError.
    """
    case, offer = _load(db, policy, offer_id, now)
    transition = offering.withdraw_alternative(offer, case.session, alternative_id, by=by, now=now)
    record(db, policy, case, decided(transition, was=offer.state), now=now)
    return transition.offer


def move_alternative(
    db: Connection, policy: Policy, offer_id: UUID, alternative_id: UUID, when: When, *, by: Actor, now: datetime
) -> Offer:
    """Move one open alternative; the deadline stays.

    Raises: NotFoundError, OfferClosedError, TimeTakenError, PastSpanError, RuleError.
    """
    case, offer = _load(db, policy, offer_id, now)
    transition = offering.move_alternative(offer, case.session, alternative_id, when, by=by, now=now)
    record(db, policy, case, decided(transition, was=offer.state), now=now)
    return transition.offer


def come_due(db: Connection, policy: Policy, offer_id: UUID, *, now: datetime) -> datetime | None:
    """Do what the clock asks of an offer: lapse it at its deadline, or recall an unsent draft once.

    Returns: When to look again, aware UTC; None if never.
    """
    offer = offers.get(db, offer_id)
    case = load(db, policy, offer.session_id, now=now)  # ends this one too, if it is overdue
    offer = offers.get(db, offer_id)
    if offer.state is OfferState.OPEN:
        return offer.expires_at
    if offer.state is OfferState.DRAFT:
        due = offer.drafted_at + policy.draft_reminder
        if now < due:
            return due
        _recall(db, policy, case, offer, now)
    return None


def _load(db: Connection, policy: Policy, offer_id: UUID, now: datetime) -> tuple[Case, Offer]:
    case = load(db, policy, offers.get(db, offer_id).session_id, now=now)
    return case, offers.get(db, offer_id)


def _check_free(db: Connection, practitioner: Practitioner, offer: Offer) -> None:
    for alternative in offer.alternatives:
        span = alternative.when.span.padded(practitioner.buffer)
        if occupancy.taken(db, practitioner.id, span, besides=offer.session_id):
            raise TimeTakenError(
                f"{alternative.when.local:%A %d %B %Y, %H:%M} overlaps another session, or a time that is kept free "
                "for another client. Choose a different time."
            )


def _warnings(db: Connection, policy: Policy, case: Case, offer: Offer, now: datetime) -> tuple[str, ...]:
    chosen = calendars.calendars_of(db, case.practitioner.id)
    if not chosen:
        return ("No calendar is connected: the times are kept free here, but you will not see them in a calendar.",)
    warnings = [
        f"“{calendar.name}” cannot be reached at the moment ({calendar.trouble}). The times are kept free here and "
        "will appear there as soon as it answers."
        for calendar in chosen
        if calendar.trouble
    ]
    early = [a for a in offer.held if offer.expires_at and a.when.span.start < offer.expires_at]
    if early:
        warnings.append("One of the times begins before the client's deadline; it can be chosen only until it begins.")
    for alternative in offer.standing:
        names = free_busy.conflicts(db, case.practitioner.id, alternative.when.span)
        if names:
            warnings.append(f"{alternative.when.local:%A %d %B, %H:%M}: something stands there in {', '.join(names)}.")
    blind = free_busy.blind_spots(db, policy, case.practitioner.id, offer.standing, now=now)
    return (*warnings, *(free_busy.told(spot) for spot in blind if spot.unreadable))


def _recall(db: Connection, policy: Policy, case: Case, offer: Offer, now: datetime) -> None:
    notice = Notice(
        kind=NoticeKind.DRAFT_WAITING,
        to=Recipient.of(case.practitioner),
        practitioner_name=case.practitioner.name,
        client_name=case.client.name,
        session=case.session,
        offer_id=offer.id,
        choices=tuple(Choice(when=a.when, location=a.location or case.session.location) for a in offer.standing),
    )
    queued = notices.QueuedNotice(notice=notice, key=f"{notice.kind}:{offer.id}")
    notices.queue(db, queued, policy=policy, practitioner_id=case.practitioner.id, now=now)
