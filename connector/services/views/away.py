"""What a practitioner who is away sees: the sessions in that time, and other times for each, none of which collide."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from typing import NamedTuple
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import away
from connector.domain.away import MOST_SESSIONS
from connector.domain.free_times import Search, ever_wider
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Client, Medium, Practitioner
from connector.domain.session import Session, SessionState, Sought
from connector.domain.span import Span, When, zone_named
from connector.errors import NotFoundError, RuleError
from connector.services import working_hours
from connector.services.policy import Policy
from connector.services.scheduling import away as scheduling
from connector.services.views.availability import Taken, taken_of, widest
from connector.services.views.offers import is_open
from connector.services.working_hours import CurrentHours
from connector.storage import offers, people, sessions

_MOST_LOOKED_AT = 500  # of the sessions in that time


@dataclass(frozen=True, slots=True, kw_only=True)
class AwaySession:
    """One session in that time.

    Attributes:
        open: Its open offer, which would end with a new one.
        has_draft: Whether a draft of another offer would be deleted.
        media: By what its client can be told; none if they cannot be reached.
        chosen: The times that its practitioner has chosen already.
        suggested: As many more as there are and are needed, earliest first.
    """

    session: Session
    client: Client
    open: Offer | None
    has_draft: bool
    media: tuple[Medium, ...]
    chosen: tuple[When, ...]
    suggested: tuple[When, ...]

    @property
    def stands(self) -> bool:
        """Whether other times can be offered for it."""
        return self.session.state is SessionState.BOOKED


class Turn(NamedTuple):
    """When it is a session's turn to be shown, of more than can be shown at once."""

    rank: int  # what an absence names comes first, and last whoever was asked already
    starts_at: datetime
    session_id: UUID


@dataclass(frozen=True, slots=True, kw_only=True)
class AwayPlan:
    """The sessions in a time in which their practitioner is away.

    Attributes:
        sessions: Those that are shown, earliest first.
        others: How many more there are.
        after: Where the next ones begin.
        taken: What is known of the practitioner's time.
        refusal: Why nothing can be sent at present: a calendar that lets nobody in, or is stopped.
    """

    practitioner: Practitioner
    first: date
    last: date
    span: Span
    hours: CurrentHours
    sessions: tuple[AwaySession, ...]
    others: int
    after: Turn | None
    taken: Taken
    refusal: RuleError | None


def plan(
    db: Connection,
    policy: Policy,
    practitioner_id: UUID,
    first: date,
    last: date,
    *,
    now: datetime,
    chosen: Mapping[UUID, Sequence[When]] | None = None,
    also: Collection[UUID] = (),
    named: Collection[UUID] = (),
    after: Turn | None = None,
    lately: Collection[UUID] = (),
) -> AwayPlan:
    """Return the sessions to come in the days from the first to the last, with other times for each.

    In as many statements whatever there is of them.

    Args:
        db: Where.
        policy: The installation's.
        practitioner_id: Whose.
        first: The first day, on the practitioner's clock.
        last: The last day, likewise; it is in it.
        now: Aware UTC.
        chosen: The times that have been chosen for sessions, which are suggested for no other one.
        also: Sessions that are shown wherever and however they are.
        named: Sessions that come before others where not all can be shown.
        after: Show those whose turn is later, then the others: so everyone has a turn, whoever comes or goes meanwhile.
        lately: Sessions that were shown just now; they come last, whatever their turn has become.

    Raises: NotFoundError; RuleError for days that cannot be meant.
    """
    practitioner = people.practitioner(db, practitioner_id)
    span = away.days(first, last, zone_named(practitioner.zone), now=now)
    undecided = offers.undecided(db, practitioner_id)
    open_offers = {offer.session_id: offer for offer in undecided if is_open(offer, now)}
    drafts = {offer.session_id for offer in undecided if offer.state is OfferState.DRAFT}
    found = _sessions(db, practitioner, span, also, now)
    shown, after = _shown(found, open_offers, also=also, named=named, after=after, lately=lately)
    clients = {one.id: one for one in people.clients_called(db, ids=[session.client_id for session in shown])}
    hours = working_hours.current(db, practitioner, now=now)
    looked_at = [widest(session, policy, now=now) for session in shown] or [span]
    hull = Span(start=min(one.start for one in looked_at), end=max(one.end for one in looked_at))
    taken = taken_of(db, policy, practitioner, hull, now=now)
    chosen = chosen or {}
    suggested = away.shared_out(
        {
            session.id: _candidates(policy, practitioner, hours, taken, span, session, clients[session.client_id], now)
            for session in shown
            if session.state is SessionState.BOOKED
        },
        buffer=practitioner.buffer,
        zone=zone_named(practitioner.zone),
        given={key: [when.span for when in times] for key, times in chosen.items()},
    )
    return AwayPlan(
        practitioner=practitioner,
        first=first,
        last=last,
        span=span,
        hours=hours,
        sessions=tuple(
            AwaySession(
                session=session,
                client=clients[session.client_id],
                open=open_offers.get(session.id),
                has_draft=session.id in drafts,
                media=tuple(sorted(clients[session.client_id].reachable & policy.media)),
                chosen=tuple(sorted(chosen.get(session.id, ()), key=lambda when: when.span)),
                suggested=tuple(When.of(one, zone=session.when.zone) for one in sorted(suggested.get(session.id, ()))),
            )
            for session in shown
        ),
        others=len(found) - len(shown),
        after=after,
        taken=taken,
        refusal=scheduling.refusal(db, practitioner_id),
    )


def _sessions(
    db: Connection,
    practitioner: Practitioner,
    span: Span,
    also: Collection[UUID],
    now: datetime,
) -> list[Session]:
    """Return the sessions to come in that time, and those that are shown wherever they are."""
    what = Sought(
        practitioner_id=practitioner.id,
        state=SessionState.BOOKED,
        ends_after=max(span.start, now),
        starts_before=span.end,
    )
    found = [
        one.session for one in sessions.sought(db, what, most=_MOST_LOOKED_AT) if one.session.when.span.start > now
    ]
    if missing := set(also) - {session.id for session in found}:
        found += sessions.of_ids(db, missing)
    if any(session.practitioner_id != practitioner.id for session in found):
        raise NotFoundError("There is no such session.", code="session_not_found")
    return found


def _shown(
    found: Sequence[Session],
    open_offers: Mapping[UUID, Offer],
    *,
    also: Collection[UUID],
    named: Collection[UUID],
    after: Turn | None,
    lately: Collection[UUID],
) -> tuple[list[Session], Turn | None]:
    """Return the sessions that are shown, and after which turn the next ones come."""

    def turn(session: Session) -> Turn:
        rank = 0 if session.id in named else 2 if session.id in open_offers else 1
        return Turn(rank, session.when.span.start, session.id)

    kept = [one for one in found if one.id in also]
    rest = sorted(((turn(one), one) for one in found if one.id not in also), key=lambda pair: pair[0])
    rest.sort(key=lambda pair: (pair[1].id in lately, after is not None and pair[0] <= after))
    new = rest[: max(0, MOST_SESSIONS - len(kept))]
    shown = sorted([*kept, *(one for _turn, one in new)], key=lambda session: session.when.span)
    return shown, new[-1][0] if new else after


def _candidates(
    policy: Policy,
    practitioner: Practitioner,
    hours: CurrentHours,
    taken: Taken,
    span: Span,
    session: Session,
    client: Client,
    now: datetime,
) -> Iterator[Sequence[Span]]:
    """Return where a session could be instead, outside the time in which its practitioner is away."""
    search = Search(
        hours=hours.hours,
        zone=zone_named(practitioner.zone),
        taken=[*taken.besides(session.id), span],
        length=session.when.span.duration,
        buffer=practitioner.buffer,
    )
    return ever_wider(search, session.when, client_zone=zone_named(client.zone), earliest=now + policy.window)


def own_sessions(db: Connection, practitioner_id: UUID, ids: Collection[UUID]) -> dict[UUID, Session]:
    """Return these sessions of a practitioner's, however they stand.

    Raises: NotFoundError if there is one that is not, or is somebody else's.
    """
    found = {session.id: session for session in sessions.of_ids(db, ids)}
    if len(found) < len(set(ids)) or any(one.practitioner_id != practitioner_id for one in found.values()):
        raise NotFoundError("There is no such session.", code="session_not_found")
    return found
