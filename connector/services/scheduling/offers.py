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
from connector.services.policy import Terms
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
    terms: Terms,
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
    case = load(db, terms, session_id, now=now)
    turn = offering.draft(case.session, alternatives, window=window or terms.window, by=by, now=now)
    _check_free(db, case.practitioner, turn.offer)
    if case.draft is not None:
        earlier = offering.discard(case.draft, case.session, by=by, now=now)
        record(db, terms, case, decided(earlier, was=OfferState.DRAFT), now=now)
    record(db, terms, case, decided(turn, was=None), now=now)
    return turn.offer


def discard(db: Connection, terms: Terms, offer_id: UUID, *, by: Actor, now: datetime) -> None:
    """Throw a draft away.

    Raises: NotFoundError, OfferClosedError if it is no draft.
    """
    case, offer = _load(db, terms, offer_id, now)
    turn = offering.discard(offer, case.session, by=by, now=now)
    record(db, terms, case, decided(turn, was=offer.state), now=now)


def send(db: Connection, terms: Terms, offer_id: UUID, *, by: Actor, now: datetime) -> Sent:
    """Hold every alternative, ask the client and start the clock; an offer still open is replaced without a gap.

    Raises: RuleError if the client cannot be reached or a calendar has lost its access: nothing is held then;
        TimeTakenError, PastSpanError, OfferClosedError.
    """
    case, offer = _load(db, terms, offer_id, now)
    check_can_ask(db, terms, case)
    turn = offering.send(offer, case.session, by=by, now=now)
    facts: tuple[Fact, ...] = turn.facts
    touched: list[tuple[Offer, OfferState | None]] = [(turn.offer, offer.state)]
    if case.open is not None:
        ended = offering.replaced(case.open, turn.session, turn.offer, by=by, now=now)
        facts, touched = (*ended.facts, *facts), [(ended.offer, case.open.state), *touched]
    record(db, terms, case, Decision(session=turn.session, offers=tuple(touched), facts=facts), now=now)
    return Sent(offer=turn.offer, warnings=_warnings(db, terms, case, turn.offer, now))


def check_can_ask(db: Connection, terms: Terms, case: Case) -> None:
    """Raise RuleError if the client cannot be reached, or a calendar could not be seen to keep the times free."""
    if not case.client.reachable & terms.channels:
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


def withdraw(db: Connection, terms: Terms, offer_id: UUID, *, by: Actor, now: datetime, why: str = "") -> Offer:
    """Take an open offer back.

    Raises: NotFoundError, OfferClosedError.
    """
    case, offer = _load(db, terms, offer_id, now)
    turn = offering.withdraw(offer, case.session, by=by, now=now, why=why)
    record(db, terms, case, decided(turn, was=offer.state), now=now)
    return turn.offer


def withdraw_alternative(
    db: Connection, terms: Terms, offer_id: UUID, alternative_id: UUID, *, by: Actor, now: datetime
) -> Offer:
    """Take one alternative back; the last one takes the offer with it.

    Raises: NotFoundError, OfferClosedError.
    """
    case, offer = _load(db, terms, offer_id, now)
    turn = offering.withdraw_alternative(offer, case.session, alternative_id, by=by, now=now)
    record(db, terms, case, decided(turn, was=offer.state), now=now)
    return turn.offer


def move_alternative(
    db: Connection, terms: Terms, offer_id: UUID, alternative_id: UUID, when: When, *, by: Actor, now: datetime
) -> Offer:
    """Move one open alternative; the deadline stays.

    Raises: NotFoundError, OfferClosedError, TimeTakenError, PastSpanError, RuleError.
    """
    case, offer = _load(db, terms, offer_id, now)
    turn = offering.move_alternative(offer, case.session, alternative_id, when, by=by, now=now)
    record(db, terms, case, decided(turn, was=offer.state), now=now)
    return turn.offer


def come_due(db: Connection, terms: Terms, offer_id: UUID, *, now: datetime) -> datetime | None:
    """Do what the clock asks of an offer: lapse it at its deadline, or recall an unsent draft once.

    Returns: When to look again, aware UTC; None if never.
    """
    offer = offers.get(db, offer_id)
    case = load(db, terms, offer.session_id, now=now)  # ends this one too, if it is overdue
    offer = offers.get(db, offer_id)
    if offer.state is OfferState.OPEN:
        return offer.expires_at
    if offer.state is OfferState.DRAFT:
        due = offer.drafted_at + terms.draft_reminder
        if now < due:
            return due
        _recall(db, terms, case, offer, now)
    return None


def _load(db: Connection, terms: Terms, offer_id: UUID, now: datetime) -> tuple[Case, Offer]:
    case = load(db, terms, offers.get(db, offer_id).session_id, now=now)
    return case, offers.get(db, offer_id)


def _check_free(db: Connection, practitioner: Practitioner, offer: Offer) -> None:
    for alternative in offer.alternatives:
        span = alternative.when.span.padded(practitioner.buffer)
        if occupancy.taken(db, practitioner.id, span, besides=offer.session_id):
            raise TimeTakenError(
                f"{alternative.when.local:%A %d %B %Y, %H:%M} overlaps another session, or a time that is kept free "
                "for another client. Choose a different time."
            )


def _warnings(db: Connection, terms: Terms, case: Case, offer: Offer, now: datetime) -> tuple[str, ...]:
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
        names = free_busy.clashes(db, case.practitioner.id, alternative.when.span)
        if names:
            warnings.append(f"{alternative.when.local:%A %d %B, %H:%M}: something stands there in {', '.join(names)}.")
    blind = free_busy.blind_spots(db, terms, case.practitioner.id, offer.standing, now=now)
    return (*warnings, *(free_busy.told(spot) for spot in blind if spot.unreadable))


def _recall(db: Connection, terms: Terms, case: Case, offer: Offer, now: datetime) -> None:
    notice = Notice(
        kind=NoticeKind.DRAFT_WAITING,
        to=Recipient.of(case.practitioner),
        practitioner_name=case.practitioner.name,
        client_name=case.client.name,
        session=case.session,
        offer_id=offer.id,
        choices=tuple(Choice(when=a.when, location=a.location or case.session.location) for a in offer.standing),
    )
    told = notices.Told(notice=notice, key=f"{notice.kind}:{offer.id}")
    notices.queue(db, told, terms=terms, practitioner_id=case.practitioner.id, now=now)
