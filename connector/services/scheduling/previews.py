"""What sending an offer would do, found out by what sends it, without doing it: nothing is locked, written or told."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import offer as offer_rules
from connector.domain.connection import Calendar
from connector.domain.entry import EntryKey, EntryKind
from connector.domain.offer import Alternative, Offer, OfferState, Transition
from connector.domain.people import Actor, Client, Medium, Practitioner
from connector.domain.session import Session
from connector.domain.span import Span
from connector.errors import NotFoundError, RuleError
from connector.sentence import Sentence
from connector.services.policy import Policy
from connector.services.recording import Case, look, times_of
from connector.services.scheduling import conflicts
from connector.services.scheduling.conflicts import Findings
from connector.services.scheduling.offers import check_can_ask, overlapping, sending, warnings
from connector.storage import calendars, occupancy, offers


@dataclass(frozen=True, slots=True, kw_only=True)
class Hold:
    """A time that would be kept free: `span` has the buffer in it."""

    alternative: Alternative
    span: Span


@dataclass(frozen=True, slots=True, kw_only=True)
class Preview:
    """What sending an offer would do.

    Attributes:
        offer: As it would be then, with its deadline; as it is if it cannot be sent.
        session: The one that it is about.
        practitioner: Who sends it.
        client: Who would be asked.
        media: By what; none if they cannot be reached.
        holds: The times that would be kept free.
        calendars: Those in which they would be shown.
        findings: What stands at those times elsewhere, and the calendars of which nobody knows.
        warnings: What its practitioner would be told.
        refusals: Why it would not be sent, if it would not.
        replaces: The offer that would end with it.
    """

    offer: Offer
    session: Session
    practitioner: Practitioner
    client: Client
    media: tuple[Medium, ...]
    holds: tuple[Hold, ...]
    calendars: tuple[Calendar, ...]
    findings: Findings
    warnings: tuple[Sentence, ...]
    refusals: tuple[RuleError, ...]
    replaces: UUID | None


def preview(db: Connection, policy: Policy, offer_id: UUID, *, by: Actor, now: datetime) -> Preview:
    """Say what sending a draft would do now.

    Raises: NotFoundError; OfferClosedError if it is no draft.
    """
    offer = offers.get(db, offer_id)
    offer_rules.check_draft(offer)
    case = look(db, offer.session_id, now=now)
    refusals: list[RuleError] = []
    transition = _sent(case, offer, by, now, refusals)
    decision = sending(case, transition, was=offer.state, by=by, now=now)
    as_sent = transition.offer
    holds = _holds(case, decision.session, as_sent)
    refusals += _refusals(db, policy, case, holds, now)
    return Preview(
        offer=as_sent,
        session=case.session,
        practitioner=case.practitioner,
        client=case.client,
        media=tuple(sorted(case.client.reachable & policy.media)),
        holds=holds,
        calendars=tuple(calendars.calendars_of(db, case.practitioner.id)),
        findings=conflicts.find(db, policy, case.practitioner.id, [hold.alternative.when for hold in holds], now=now),
        warnings=warnings(db, policy, case, as_sent, now=now),
        refusals=tuple(refusals),
        replaces=next((ended.id for ended, _was in decision.offers if ended.state is OfferState.REPLACED), None),
    )


def _sent(case: Case, offer: Offer, by: Actor, now: datetime, refusals: list[RuleError]) -> Transition:
    """Return the offer as it would be sent; as it is if a rule forbids that, which is noted."""
    try:
        return offer_rules.send(offer, case.session, by=by, now=now)
    except NotFoundError:
        raise
    except RuleError as error:
        refusals.append(error)
        return Transition(offer=offer, session=case.session)


def _holds(case: Case, session: Session, offer: Offer) -> tuple[Hold, ...]:
    """Return what would be kept for an offer, as that is reckoned when it is."""
    spans = {time.key: time.span for time in times_of(session, offer, None, case.practitioner)}
    keys = {str(EntryKey(kind=EntryKind.HOLD, id=alternative.id)): alternative for alternative in offer.held}
    return tuple(Hold(alternative=alternative, span=spans[key]) for key, alternative in keys.items() if key in spans)


def _refusals(
    db: Connection, policy: Policy, case: Case, holds: tuple[Hold, ...], now: datetime
) -> Iterator[RuleError]:
    """Yield what would be refused once a rule allows it: a client, a calendar, or a time of somebody else's."""
    try:
        check_can_ask(db, policy, case)
    except RuleError as error:
        yield error
    overdue = {offer.id for offer in offers.overdue(db, case.practitioner.id, now=now)}
    for hold in holds:
        keepers = occupancy.keepers(db, case.practitioner.id, [hold.span], besides=case.session.id)
        if kept := [keeper for keeper in keepers if keeper.offer_id not in overdue]:
            yield overlapping(hold.alternative.when, kept)
