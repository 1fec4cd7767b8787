"""Offers and their alternatives in the database."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, and_, delete, false, insert, not_, or_, select
from sqlalchemy.exc import IntegrityError

from connector.domain.offer import Alternative, Offer, OfferState
from connector.domain.session import Location, LocationKind
from connector.errors import NotFoundError, OfferClosedError, RuleError
from connector.storage.sessions import when_columns, when_of
from connector.storage.tables import alternatives, offers, sessions
from connector.storage.versions import named_once, raise_version, raising


def add(db: Connection, offer: Offer) -> None:
    """Store a new offer with its alternatives; its session shows it from now on.

    Raises: RuleError if the session already has one in the same state (a draft, or an open one); ExistsError if the
        external id is taken.
    """
    fixed = {
        "id": offer.id,
        "session_id": offer.session_id,
        "practitioner_id": offer.practitioner_id,
        "drafted_at": offer.drafted_at,
    }
    try:
        with named_once(offers, offer.external_id):
            db.execute(insert(offers).values(fixed | _changing(offer)))
    except IntegrityError as error:
        raise RuleError(
            "This session already has an offer that is not finished. Finish it, or throw it away, first.",
            code="offer_exists_already",
        ) from error
    raise_version(db, sessions, offer.session_id)
    _write_alternatives(db, offer)


def save(db: Connection, offer: Offer, *, was: OfferState) -> None:
    """Store an offer after a transition, only if it is still in the state the transition began with.

    Raises: OfferClosedError if somebody else was faster; RuleError if the session has another open offer; ExistsError
        if the external id is another offer's.
    """
    own = (offers.c.id == offer.id) & (offers.c.state == was.value)
    query = raising(offers, _changing(offer), always=True).where(own)  # its alternatives are stored apart
    try:
        with named_once(offers, offer.external_id):
            row = db.execute(query.returning(offers.c.id)).first()
    except IntegrityError as error:
        raise RuleError(
            "This session already has an open offer. Take it back, or replace it.", code="open_offer_exists_already"
        ) from error
    if row is None:
        state = get(db, offer.id).state
        raise OfferClosedError(
            "This offer was answered, or ended, a moment ago.", code="offer_ended_just_now", state=state
        )
    if offer.state is not was:
        raise_version(db, sessions, offer.session_id)
    db.execute(delete(alternatives).where(alternatives.c.offer_id == offer.id))
    _write_alternatives(db, offer)


def get(db: Connection, offer_id: UUID) -> Offer:
    """Return an offer.

    Raises: NotFoundError.
    """
    offer = next(iter(_load(db, offers.c.id == offer_id)), None)
    if offer is None:
        raise NotFoundError("There is no such offer.", code="offer_not_found")
    return offer


def by_external_id(db: Connection, external_id: str) -> Offer | None:
    """Return the offer that the host calls so."""
    return next(iter(_load(db, offers.c.external_id == external_id)), None)


def of_alternative(db: Connection, alternative_id: UUID) -> Offer:
    """Return the offer an alternative is part of.

    Raises: NotFoundError.
    """
    query = select(alternatives.c.offer_id).where(alternatives.c.id == alternative_id)
    offer_id = db.execute(query).scalar_one_or_none()
    if offer_id is None:
        raise NotFoundError("There is no such offer.", code="offer_not_found")
    return get(db, offer_id)


def undecided(db: Connection, practitioner_id: UUID) -> Sequence[Offer]:
    """Return the drafts and open offers of a practitioner."""
    is_undecided = offers.c.state.in_([OfferState.DRAFT.value, OfferState.OPEN.value])
    return _load(db, offers.c.practitioner_id == practitioner_id, is_undecided)


def of_session(db: Connection, session_id: UUID) -> Sequence[Offer]:
    """Return every offer ever made for a session, newest first."""
    return _load(db, offers.c.session_id == session_id)


def of_sessions(db: Connection, session_ids: Collection[UUID]) -> Sequence[Offer]:
    """Return every offer ever made for these sessions, newest first."""
    return _load(db, offers.c.session_id.in_(set(session_ids))) if session_ids else ()


def in_state(db: Connection, session_id: UUID, state: OfferState) -> Offer | None:
    """Return a session's newest offer in that state."""
    return next(iter(_load(db, offers.c.session_id == session_id, offers.c.state == state.value)), None)


def open_of_practitioner(db: Connection, practitioner_id: UUID) -> Sequence[Offer]:
    """Return the open offers of a practitioner."""
    return _load(db, offers.c.practitioner_id == practitioner_id, offers.c.state == OfferState.OPEN.value)


@dataclass(frozen=True, slots=True, kw_only=True)
class Wanted:
    """Which offers are listed; what is None or empty narrows nothing.

    `states` are as of now: an open offer whose deadline has come is a lapsed one, even before that is recorded.
    """

    practitioner_id: UUID | None = None
    session_id: UUID | None = None
    external_id: str | None = None
    states: frozenset[OfferState] = frozenset()


def newest(
    db: Connection, wanted: Wanted, *, now: datetime, most: int, after: tuple[datetime, UUID] | None = None
) -> Sequence[Offer]:
    """Return up to `most` offers, those that were noted down last first; from behind one of them, in two statements."""
    where = list(_wanted(wanted, now))
    if after is not None:
        drafted_at, identity = after
        is_older = offers.c.drafted_at < drafted_at
        where += [offers.c.drafted_at <= drafted_at, or_(is_older, offers.c.id < identity)]
    return _load(db, *where, most=most)


def _wanted(wanted: Wanted, now: datetime) -> Iterator[ColumnElement[bool]]:
    if wanted.practitioner_id is not None:
        yield offers.c.practitioner_id == wanted.practitioner_id
    if wanted.session_id is not None:
        yield offers.c.session_id == wanted.session_id
    if wanted.external_id is not None:
        yield offers.c.external_id == wanted.external_id
    if wanted.states:
        is_open = offers.c.state == OfferState.OPEN.value
        is_overdue = and_(is_open, offers.c.expires_at <= now)
        others = [state.value for state in wanted.states - {OfferState.OPEN}]
        yield or_(
            offers.c.state.in_(others),
            and_(is_open, not_(is_overdue)) if OfferState.OPEN in wanted.states else false(),
            is_overdue if OfferState.LAPSED in wanted.states else false(),
        )


def overdue(db: Connection, practitioner_id: UUID, *, now: datetime) -> Sequence[Offer]:
    """Return the open offers of a practitioner whose deadline has come."""
    return _load(
        db,
        offers.c.practitioner_id == practitioner_id,
        offers.c.state == OfferState.OPEN.value,
        offers.c.expires_at <= now,
    )


def _load(db: Connection, *where: ColumnElement[bool], most: int | None = None) -> list[Offer]:
    in_order = select(offers).where(*where).order_by(offers.c.drafted_at.desc(), offers.c.id.desc())
    rows = db.execute(in_order.limit(most)).all()
    if not rows:
        return []
    by_offer: dict[UUID, list[Alternative]] = defaultdict(list)
    query = select(alternatives).where(alternatives.c.offer_id.in_([row.id for row in rows]))
    for row in db.execute(query.order_by(alternatives.c.position)):
        by_offer[row.offer_id].append(_alternative(row))
    return [_offer(row, tuple(by_offer[row.id])) for row in rows]


def _write_alternatives(db: Connection, offer: Offer) -> None:
    rows = [
        when_columns(a.when)
        | {
            "id": a.id,
            "offer_id": offer.id,
            "position": position,
            "location_kind": a.location.kind.value if a.location else None,
            "location_text": a.location.text if a.location else None,
            "withdrawn": a.withdrawn,
        }
        for position, a in enumerate(offer.alternatives)
    ]
    db.execute(insert(alternatives), rows)


def _changing(offer: Offer) -> dict[str, Any]:
    return {
        "state": offer.state.value,
        "window_seconds": int(offer.window.total_seconds()),
        "sent_at": offer.sent_at,
        "expires_at": offer.expires_at,
        "ended_at": offer.ended_at,
        "accepted_id": offer.accepted_id,
        "external_id": offer.external_id,
    }


def _offer(row: Row[Any], its_alternatives: tuple[Alternative, ...]) -> Offer:
    return Offer(
        id=row.id,
        session_id=row.session_id,
        practitioner_id=row.practitioner_id,
        state=OfferState(row.state),
        alternatives=its_alternatives,
        window=timedelta(seconds=row.window_seconds),
        drafted_at=row.drafted_at,
        sent_at=row.sent_at,
        expires_at=row.expires_at,
        ended_at=row.ended_at,
        accepted_id=row.accepted_id,
        external_id=row.external_id,
        version=row.version,
    )


def _alternative(row: Row[Any]) -> Alternative:
    place = Location(kind=LocationKind(row.location_kind), text=row.location_text) if row.location_kind else None
    return Alternative(id=row.id, when=when_of(row), location=place, withdrawn=row.withdrawn)
