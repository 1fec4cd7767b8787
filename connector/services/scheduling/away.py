"""Offer other times for several sessions in one act: all of their clients are asked, or none."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import offer as offer_rules
from connector.domain.away import MOST_SESSIONS, Shown, changed_since, collide
from connector.domain.offer import Offer, OfferState
from connector.domain.people import CLOCK, Actor, Client, Medium, Practitioner
from connector.domain.session import Session
from connector.domain.span import Span, When
from connector.errors import Keeper, NotFoundError, RuleError, TimeTakenError
from connector.services.policy import Policy
from connector.services.recording import lock
from connector.services.scheduling import conflicts, offers
from connector.services.scheduling.conflicts import Consent, Findings
from connector.services.scheduling.offers import SentOffer
from connector.services.sync import free_busy
from connector.storage import calendars, occupancy, people, sessions
from connector.storage import offers as stored_offers
from connector.storage.busy import BlindSpot


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """The times that a client is to be offered in place of a session's.

    `accepts`: the key of what stands at these times in other calendars, once its practitioner has accepted it.
    """

    session_id: UUID
    times: tuple[When, ...]
    shown: Shown
    accepts: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Refused:
    """One of the times that cannot be offered, and why; without a time it is about all of the session."""

    why: RuleError
    when: When | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Reviewed:
    """What sending would do about one session.

    Attributes:
        open: Its offer that would end, or the one that is open though it was not shown.
        has_draft: Whether a draft of another offer would be deleted.
        media: By what its client is told.
        findings: What stands at the times in other calendars.
        refused: Why it cannot be sent.
    """

    session: Session
    client: Client
    times: tuple[When, ...]
    open: Offer | None
    has_draft: bool
    media: tuple[Medium, ...]
    findings: Findings
    refused: tuple[Refused, ...]
    accepts: str = ""

    @property
    def is_accepted(self) -> bool:
        """Whether what stands at the times was accepted, if anything does."""
        return _consent(self.accepts).covers(self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """What sending all of it would do.

    Attributes:
        refusal: Why nothing at all can be sent: a calendar that lets nobody in, or is stopped.
        calendars: The names of those in which the times would be seen.
        blind: The calendars of which it is not known whether the times are free there.
    """

    practitioner: Practitioner
    each: tuple[Reviewed, ...]
    refusal: RuleError | None
    calendars: tuple[str, ...]
    blind: tuple[BlindSpot, ...]

    @property
    def refused(self) -> bool:
        """Whether something about the sessions themselves is in the way."""
        return any(one.refused for one in self.each)

    @property
    def can_be_sent(self) -> bool:
        """Whether nothing is in the way."""
        return not self.refusal and not self.refused and all(one.is_accepted for one in self.each)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Known:
    """What is known of a practitioner's sessions and time, read once for all of them."""

    practitioner: Practitioner
    sessions: Mapping[UUID, Session]
    clients: Mapping[UUID, Client]
    open: Mapping[UUID, Offer]
    drafts: frozenset[UUID]
    kept: Sequence[Keeper]


def review(db: Connection, policy: Policy, practitioner_id: UUID, wanted: Sequence[Wanted], *, now: datetime) -> Review:
    """Say what sending these would do now; nothing is locked, written or told.

    Raises: NotFoundError for a session that is not theirs; RuleError for none, or for too many.
    """
    if not 1 <= len(wanted) <= MOST_SESSIONS:
        raise RuleError(
            "Choose times for at least one session, and for at most %(most)s in one go. Nothing was sent.",
            code="away_sessions_out_of_range",
            most=MOST_SESSIONS,
        )
    known = _read(db, practitioner_id, wanted, now)
    found = conflicts.find_each(db, practitioner_id, [one.times for one in wanted], now=now)
    until = max((when.span.end for one in wanted for when in one.times), default=now)
    return Review(
        practitioner=known.practitioner,
        each=tuple(
            _reviewed(policy, known, one, wanted, findings, now) for one, findings in zip(wanted, found, strict=True)
        ),
        refusal=refusal(db, practitioner_id),
        calendars=tuple(calendar.name for calendar in calendars.calendars_of(db, practitioner_id)),
        blind=tuple(free_busy.blind_until(db, policy, practitioner_id, until, now=now)),
    )


def send(
    db: Connection, policy: Policy, practitioner_id: UUID, wanted: Sequence[Wanted], *, by: Actor, now: datetime
) -> tuple[SentOffer, ...]:
    """Ask every client, or, if anything is not as it was shown, nobody; what was sent already is not sent again.

    Raises: NotFoundError; StandstillError; RuleError if anything is in the way: `review` says what. Nothing may be
        stored then.
    """
    lock(db, policy, practitioner_id, now=now)
    if sent := _sent_already(db, practitioner_id, wanted):
        return sent
    current = review(db, policy, practitioner_id, wanted, now=now)
    if current.refusal:
        raise current.refusal
    if not current.can_be_sent:
        raise RuleError(
            "Something is not as you were shown, or has come between. Nothing was sent, and nobody was told anything. "
            "Look at the marked sessions and check once more.",
            code="away_changed",
        )
    return tuple(_send(db, policy, one, by, now) for one in wanted)


def _send(db: Connection, policy: Policy, one: Wanted, by: Actor, now: datetime) -> SentOffer:
    times = [(when, None) for when in one.times]
    drafted = offers.draft(db, policy, one.session_id, times, by=by, now=now)
    return offers.send(db, policy, drafted.id, by=by, now=now, consent=_consent(one.accepts))


def _consent(accepts: str) -> Consent:
    return Consent(shown=accepts, unread=True)  # of what nobody knows the page tells, and asks nothing


def _sent_already(db: Connection, practitioner_id: UUID, wanted: Sequence[Wanted]) -> tuple[SentOffer, ...]:
    """Return the open offers if they are exactly these, and came after what was shown: the button was pressed twice."""
    found = {offer.session_id: offer for offer in stored_offers.open_of_practitioner(db, practitioner_id)}
    sent = [found[one.session_id] for one in wanted if one.session_id in found]
    is_same = [
        offer.id != one.shown.offer_id and [alternative.when for alternative in offer.standing] == [*one.times]
        for offer, one in zip(sent, wanted, strict=False)
    ]
    return tuple(SentOffer(offer=offer) for offer in sent) if len(sent) == len(wanted) and all(is_same) else ()


def _read(db: Connection, practitioner_id: UUID, wanted: Sequence[Wanted], now: datetime) -> _Known:
    practitioner = people.practitioner(db, practitioner_id)
    found = {one.id: one for one in sessions.of_ids(db, [one.session_id for one in wanted])}
    if any(one.session_id not in found or found[one.session_id].practitioner_id != practitioner_id for one in wanted):
        raise NotFoundError("There is no such session.", code="session_not_found")
    undecided = stored_offers.undecided(db, practitioner_id)
    spans = [when.span.padded(practitioner.buffer) for one in wanted for when in one.times]
    return _Known(
        practitioner=practitioner,
        sessions=found,
        clients={
            client.id: client
            for client in people.clients_called(db, ids=[session.client_id for session in found.values()])
        },
        open={offer.session_id: offer for offer in undecided if _is_open(offer, now)},
        drafts=frozenset(offer.session_id for offer in undecided if offer.state is OfferState.DRAFT),
        kept=occupancy.within(db, practitioner_id, _hull(spans), now=now, besides=None) if spans else (),
    )


def _is_open(offer: Offer, now: datetime) -> bool:
    return offer.state is OfferState.OPEN and (offer.expires_at is None or now < offer.expires_at)


def _hull(spans: Sequence[Span]) -> Span:
    return Span(start=min(span.start for span in spans), end=max(span.end for span in spans))


def _reviewed(
    policy: Policy, known: _Known, one: Wanted, wanted: Sequence[Wanted], findings: Findings, now: datetime
) -> Reviewed:
    session = known.sessions[one.session_id]
    client = known.clients[session.client_id]
    return Reviewed(
        session=session,
        client=client,
        times=one.times,
        open=known.open.get(session.id),
        has_draft=session.id in known.drafts,
        media=tuple(sorted(client.reachable & policy.media)),
        findings=findings,
        refused=tuple(_refusals(policy, known, one, wanted, now)),
        accepts=one.accepts,
    )


def _refusals(policy: Policy, known: _Known, one: Wanted, wanted: Sequence[Wanted], now: datetime) -> Iterator[Refused]:
    """Yield why a session's times cannot be offered: first what has become of the session itself."""
    session = known.sessions[one.session_id]
    if changed := changed_since(session, known.open.get(session.id), one.shown):
        yield Refused(why=changed)
        return
    try:
        offers.check_reachable(policy, known.clients[session.client_id])
        offer_rules.draft(session, [(when, None) for when in one.times], window=policy.window, by=CLOCK, now=now)
    except RuleError as error:
        yield Refused(why=error)
    for when in one.times:
        if why := _taken(known, session, when) or _doubled(known, one, wanted, when):
            yield Refused(why=why, when=when)


def _taken(known: _Known, session: Session, when: When) -> RuleError | None:
    span = when.span.padded(known.practitioner.buffer)
    kept = [
        keeper
        for keeper in known.kept
        if keeper.session_id != session.id and keeper.start < span.end and span.start < keeper.end
    ]
    if not kept:
        return None
    return TimeTakenError(
        "%(when)s is not free any more: another session is there, or it is kept free for another client.",
        code="away_time_taken",
        kept=kept,
        field="alternatives",
        when=when.local,
    )


def _doubled(known: _Known, one: Wanted, wanted: Sequence[Wanted], when: When) -> RuleError | None:
    for other in wanted:
        if other is not one and any(collide(when.span, its.span, known.practitioner.buffer) for its in other.times):
            client = known.clients[known.sessions[other.session_id].client_id]
            return RuleError(
                "%(when)s runs into a time that you offer %(client)s here. Choose another one for one of the two.",
                code="away_time_doubled",
                field="alternatives",
                when=when.local,
                client=client.name,
            )
    return None


def refusal(db: Connection, practitioner_id: UUID) -> RuleError | None:
    """Return why a practitioner can send no offer at present; None if nothing is in the way."""
    try:
        offers.check_calendars(db, practitioner_id)
    except RuleError as error:
        return error
    return None
