"""Offer other times: draft, send, withdraw, move, lapse. Each use case runs inside the caller's transaction."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import offer as offer_rules
from connector.domain.connection import Calendar, ConnectionState
from connector.domain.facts import Fact
from connector.domain.notice import Choice, Notice, NoticeKind, Recipient
from connector.domain.offer import Offer, OfferState, Transition
from connector.domain.people import Actor, Client, Practitioner
from connector.domain.session import Location, Session
from connector.domain.span import When
from connector.errors import ExistsError, Keeper, RuleError, TimeTakenError
from connector.sentence import Sentence
from connector.services import notices
from connector.services.policy import Policy
from connector.services.recording import Case, Decision, decision_of, load, record
from connector.services.scheduling import conflicts
from connector.services.scheduling.conflicts import NOT_ASKED, Consent
from connector.services.sync import breaker, free_busy
from connector.storage import calendars, occupancy, offers, people


@dataclass(frozen=True, slots=True, kw_only=True)
class SentOffer:
    """An offer that was sent, and what the practitioner should know about it."""

    offer: Offer
    warnings: tuple[Sentence, ...] = ()


def draft(
    db: Connection,
    policy: Policy,
    session_id: UUID,
    alternatives: Sequence[tuple[When, Location | None]],
    *,
    by: Actor,
    now: datetime,
    window: timedelta | None = None,
    external_id: str | None = None,
    instead: bool = True,
) -> Offer:
    """Store alternatives in place of any earlier draft; nobody is told and nothing is held.

    Args:
        db: The transaction.
        policy: How this installation does things.
        session_id: For which session they are.
        alternatives: The times, each at a place of its own if it has one.
        by: Who notes them down.
        now: Aware UTC.
        window: How long the client has to answer; None for the usual.
        external_id: What the host calls the offer.
        instead: Whether an earlier draft gives way to this one.

    Raises: NotFoundError, PastSpanError, TimeTakenError (a time that is free may still be taken later), RuleError;
        ExistsError if an earlier draft does not give way, or another offer is called so.
    """
    case = load(db, policy, session_id, now=now)
    if case.draft is not None and not instead:
        raise ExistsError(
            "This session has a draft already. Change that one, throw it away, or say that this one takes its place.",
            code="draft_exists_already",
            known=str(case.draft.id),
        )
    transition = offer_rules.draft(
        case.session, alternatives, window=window or policy.window, by=by, now=now, external_id=external_id
    )
    _check_free(db, case.practitioner, transition.offer)
    if case.draft is not None:
        earlier = offer_rules.discard(case.draft, case.session, by=by, now=now)
        record(db, policy, case, decision_of(earlier, was=OfferState.DRAFT), now=now)
    record(db, policy, case, decision_of(transition, was=None), now=now)
    return transition.offer


def redraft(
    db: Connection,
    policy: Policy,
    offer_id: UUID,
    alternatives: Sequence[tuple[When, Location | None]],
    *,
    by: Actor,
    now: datetime,
    window: timedelta | None = None,
) -> Offer:
    """Put other alternatives into a draft, which stays the same draft.

    Raises: NotFoundError, OfferClosedError if it is no draft; else as `draft`.
    """
    case, offer = _load(db, policy, offer_id, now)
    transition = offer_rules.redraft(offer, case.session, alternatives, window=window or policy.window, by=by, now=now)
    _check_free(db, case.practitioner, transition.offer)
    record(db, policy, case, decision_of(transition, was=offer.state), now=now)
    return transition.offer


def rename(db: Connection, policy: Policy, offer_id: UUID, external_id: str | None, *, now: datetime) -> Offer:
    """Change what the host calls an offer, however it stands; nobody is told.

    Raises: NotFoundError, RuleError; ExistsError if another offer is called so.
    """
    _case, offer = _load(db, policy, offer_id, now)
    renamed = replace(offer, external_id=external_id)
    if renamed != offer:
        offers.save(db, renamed, was=offer.state)
    return renamed


def discard(db: Connection, policy: Policy, offer_id: UUID, *, by: Actor, now: datetime) -> None:
    """Throw a draft away.

    Raises: NotFoundError, OfferClosedError if it is no draft.
    """
    case, offer = _load(db, policy, offer_id, now)
    transition = offer_rules.discard(offer, case.session, by=by, now=now)
    record(db, policy, case, decision_of(transition, was=offer.state), now=now)


def send(
    db: Connection, policy: Policy, offer_id: UUID, *, by: Actor, now: datetime, consent: Consent | None = None
) -> SentOffer:
    """Hold every alternative, ask the client, and let the deadline run; an offer still open is replaced without a gap.

    `consent`: what its practitioner has said to what stands at these times; None where they only need to be told.

    Raises: RuleError if the client cannot be reached or a calendar has lost its access: nothing is held then;
        TimeTakenError, PastSpanError, OfferClosedError; ConflictError, see `conflicts`.
    """
    case, offer = _load(db, policy, offer_id, now)
    check_can_ask(db, policy, case)
    transition = offer_rules.send(offer, case.session, by=by, now=now)
    decision = sending(case, transition, was=offer.state, by=by, now=now)
    if consent is not None:
        times = [alternative.when for alternative in transition.offer.held]
        findings = conflicts.check(db, policy, case.practitioner.id, times, consent=consent, now=now)
        knowing = conflicts.accepted(findings, by=by, now=now, session_id=case.session.id, offer_id=offer_id)
        decision = replace(decision, facts=(*decision.facts, *knowing))
    record(db, policy, case, decision, now=now)
    return SentOffer(offer=transition.offer, warnings=warnings(db, policy, case, transition.offer, now=now))


def send_instead(
    db: Connection,
    policy: Policy,
    offer_id: UUID,
    alternatives: Sequence[tuple[When, Location | None]],
    *,
    by: Actor,
    now: datetime,
    window: timedelta | None = None,
    external_id: str | None = None,
    instead: bool = True,
    consent: Consent | None = None,
) -> SentOffer:
    """Send other alternatives in place of an open offer, whose links can change nothing from then on.

    `instead`: whether a draft gives way to them, too.

    Raises: NotFoundError, OfferClosedError if it is not open; else as `draft` and `send`.
    """
    case, offer = _load(db, policy, offer_id, now)
    offer_rules.check_open(offer, now)
    new = draft(
        db,
        policy,
        case.session.id,
        alternatives,
        by=by,
        now=now,
        window=window,
        external_id=external_id,
        instead=instead,
    )
    return send(db, policy, new.id, by=by, now=now, consent=consent)


def sending(case: Case, transition: Transition, *, was: OfferState | None, by: Actor, now: datetime) -> Decision:
    """Decide that an offer is sent, and with it that the one still open is replaced; `was` is the state it had."""
    facts: tuple[Fact, ...] = transition.facts
    offers_touched: tuple[tuple[Offer, OfferState | None], ...] = ((transition.offer, was),)
    if case.open is not None:
        ending = offer_rules.replaced(case.open, transition.session, transition.offer, by=by, now=now)
        facts = (*ending.facts, *facts)
        offers_touched = ((ending.offer, case.open.state), *offers_touched)
    return Decision(session=transition.session, offers=offers_touched, facts=facts)


def check_can_ask(db: Connection, policy: Policy, case: Case) -> None:
    """Raise RuleError if the client cannot be reached, or a calendar could not be seen to keep the times free."""
    check_reachable(policy, case.client)
    check_calendars(db, case.practitioner.id)


def check_reachable(policy: Policy, client: Client) -> None:
    """Raise RuleError if there is no way to tell a client about an offer."""
    if not client.reachable & policy.media:
        raise RuleError(
            "%(client)s cannot be told about the offer: there is no usable e-mail address or number at which they "
            "want to be reached. Have one added first. No time is held.",
            code="client_unreachable",
            client=client.name,
        )


def check_calendars(db: Connection, practitioner_id: UUID) -> None:
    """Raise RuleError if offered times could not be shown in a calendar of a practitioner's."""
    connections = calendars.connections_of(db, practitioner_id)
    lost = [connection.label for connection in connections if connection.state is ConnectionState.ACCESS_LOST]
    if lost:
        raise RuleError(
            "The calendar “%(calendar)s” no longer lets Pencilled in, so the offered times could not be shown in it. "
            "Reconnect it first, on the page of your calendars, then send again. No time is held.",
            code="calendar_access_lost",
            calendar=lost[0],
        )
    breaker.check_working(db, practitioner_id)


def withdraw(db: Connection, policy: Policy, offer_id: UUID, *, by: Actor, now: datetime, why: str = "") -> Offer:
    """Take an open offer back.

    Raises: NotFoundError, OfferClosedError.
    """
    case, offer = _load(db, policy, offer_id, now)
    transition = offer_rules.withdraw(offer, case.session, by=by, now=now, why=why)
    record(db, policy, case, decision_of(transition, was=offer.state), now=now)
    return transition.offer


def withdraw_alternative(
    db: Connection, policy: Policy, offer_id: UUID, alternative_id: UUID, *, by: Actor, now: datetime
) -> Offer:
    """Take one alternative back; the last one takes the offer with it.

    Raises: NotFoundError, OfferClosedError.
    """
    case, offer = _load(db, policy, offer_id, now)
    transition = offer_rules.withdraw_alternative(offer, case.session, alternative_id, by=by, now=now)
    record(db, policy, case, decision_of(transition, was=offer.state), now=now)
    return transition.offer


def move_alternative(
    db: Connection,
    policy: Policy,
    offer_id: UUID,
    alternative_id: UUID,
    when: When,
    *,
    by: Actor,
    now: datetime,
    consent: Consent = NOT_ASKED,
) -> Offer:
    """Move one open alternative; the deadline stays.

    Raises: NotFoundError, OfferClosedError, TimeTakenError, PastSpanError, RuleError; ConflictError, see `conflicts`.
    """
    case, offer = _load(db, policy, offer_id, now)
    transition = offer_rules.move_alternative(offer, case.session, alternative_id, when, by=by, now=now)
    decision = decision_of(transition, was=offer.state)
    if decision.facts:
        findings = conflicts.check(db, policy, case.practitioner.id, [when], consent=consent, now=now)
        knowing = conflicts.accepted(findings, by=by, now=now, session_id=case.session.id, offer_id=offer_id)
        decision = replace(decision, facts=(*decision.facts, *knowing))
    record(db, policy, case, decision, now=now)
    return transition.offer


def locked(db: Connection, policy: Policy, offer_id: UUID, *, now: datetime) -> Offer:
    """Return an offer about which nobody else decides until the transaction ends; an overdue one has lapsed by then.

    Raises: NotFoundError; StandstillError while nothing may be decided.
    """
    return _load(db, policy, offer_id, now)[1]


def come_due(db: Connection, policy: Policy, offer_id: UUID, *, now: datetime) -> datetime | None:
    """Lapse an offer at its deadline, or remind its practitioner of an unsent draft once.

    Returns: When to look again, aware UTC; None if never.
    """
    offer = offers.get(db, offer_id)
    case = load(db, policy, offer.session_id, now=now)  # lapses this one too, if it is overdue
    offer = offers.get(db, offer_id)
    if offer.state is OfferState.OPEN:
        return offer.expires_at
    if offer.state is OfferState.DRAFT:
        reminder_at = offer.drafted_at + policy.draft_reminder
        if now < reminder_at:
            return reminder_at
        _remind(db, case, offer, now)
    return None


def _load(db: Connection, policy: Policy, offer_id: UUID, now: datetime) -> tuple[Case, Offer]:
    case = load(db, policy, offers.get(db, offer_id).session_id, now=now)
    return case, offers.get(db, offer_id)


def faults(db: Connection, session: Session, times: Sequence[When], *, now: datetime) -> tuple[RuleError | None, ...]:
    """Return what is wrong with each of these times as alternatives to a session, so that all is said at once.

    None where nothing is, as of now: whoever drafts them is told again.
    """
    practitioner = people.practitioner(db, session.practitioner_id)
    return tuple(
        fault or _overlap(db, practitioner, session.id, when)
        for when, fault in zip(times, offer_rules.faults(session, times, now=now), strict=True)
    )


def _check_free(db: Connection, practitioner: Practitioner, offer: Offer) -> None:
    """Raise TimeTakenError if an alternative overlaps a time that is kept for another session."""
    for alternative in offer.alternatives:
        if taken := _overlap(db, practitioner, offer.session_id, alternative.when):
            raise taken


def _overlap(db: Connection, practitioner: Practitioner, session_id: UUID, when: When) -> TimeTakenError | None:
    """Return the refusal of a time that overlaps one kept for another session."""
    kept = occupancy.keepers(db, practitioner.id, [when.span.padded(practitioner.buffer)], besides=session_id)
    return overlapping(when, kept) if kept else None


def overlapping(when: When, kept: Sequence[Keeper]) -> TimeTakenError:
    """Say that an alternative cannot be offered, for its time is somebody else's."""
    return TimeTakenError(
        "This time overlaps another session, or a time that is kept free for another client: %(when)s. Choose a "
        "different time.",
        code="alternative_overlaps",
        kept=kept,
        field="alternatives",
        when=when.local,
    )


def warnings(db: Connection, policy: Policy, case: Case, offer: Offer, *, now: datetime) -> tuple[Sentence, ...]:
    """Return what the practitioner should know of calendars and times."""
    targets = calendars.calendars_of(db, case.practitioner.id)
    if not targets:
        return (
            Sentence(
                "No calendar is connected: the times are kept free here, but you will not see them in a calendar."
            ),
        )
    spots = free_busy.blind_spots(db, policy, case.practitioner.id, offer.standing, now=now)
    return (
        *(_unreached(calendar) for calendar in targets if calendar.trouble or calendar.read_trouble),
        *_about_times(db, case, offer),
        *(sentence for spot in spots if spot.unreadable or spot.events for sentence in free_busy.blindness(spot)),
    )


def _unreached(calendar: Calendar) -> Sentence:
    return Sentence(
        "“%(calendar)s” cannot be reached at the moment: %(reason)s. The times are kept free here, and will appear "
        "there as soon as it answers.",
        calendar=calendar.name,
        reason=calendar.trouble or calendar.read_trouble or "",
    )


def _about_times(db: Connection, case: Case, offer: Offer) -> Iterator[Sentence]:
    """Yield what is to be known of the offered times."""
    if any(offer.expires_at and alternative.when.span.start < offer.expires_at for alternative in offer.held):
        yield Sentence("One of the times begins before the client's deadline. It can be chosen only until it begins.")
    for alternative in offer.standing:
        names = free_busy.conflicts(db, case.practitioner.id, alternative.when.span)
        if names:
            yield Sentence(
                "Something else stands at one of the times, %(when)s, in %(calendars)s.",
                when=alternative.when.local,
                calendars=tuple(names),
            )


def _remind(db: Connection, case: Case, offer: Offer, now: datetime) -> None:
    """Tell the practitioner that a draft was not sent yet."""
    notice = Notice(
        kind=NoticeKind.DRAFT_WAITING,
        to=Recipient.of(case.practitioner),
        practitioner_name=case.practitioner.name,
        client_name=case.client.name,
        session=case.session,
        offer_id=offer.id,
        choices=tuple(Choice(when=a.when, location=a.location or case.session.location) for a in offer.standing),
    )
    notices.tell(db, notice, key=f"{notice.kind}:{offer.id}", practitioner_id=case.practitioner.id, now=now)
