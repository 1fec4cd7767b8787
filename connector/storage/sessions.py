"""Sessions in the database."""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from datetime import datetime
from functools import lru_cache
from typing import Any
from uuid import UUID

from sqlalchemy import ColumnElement, Connection, Row, Select, and_, bindparam, func, insert, or_, select

from connector.domain.facts import FlagReason
from connector.domain.offer import OfferState
from connector.domain.session import (
    Location,
    LocationKind,
    Session,
    SessionKind,
    SessionState,
    SessionWithOffers,
    Sought,
)
from connector.domain.span import Span, When
from connector.domain.stored import as_stored
from connector.errors import NotFoundError
from connector.storage.columns import by_name
from connector.storage.database import chunks
from connector.storage.pages import behind
from connector.storage.tables import offers, sessions
from connector.storage.versions import named_once, raising

_stored_session, _stored_location = as_stored(Session), as_stored(Location)
_stored_when, _stored_span = as_stored(When), as_stored(Span)
_named = by_name(sessions)
_KINDS, _PLACES = {one.value: one for one in SessionKind}, {one.value: one for one in LocationKind}
_STATES, _FLAGS = {one.value: one for one in SessionState}, {one.value: one for one in FlagReason}


def add(db: Connection, session: Session) -> None:
    """Store a new session.

    Raises: ExistsError if the external id is taken.
    """
    fixed = {
        "id": session.id,
        "practitioner_id": session.practitioner_id,
        "client_id": session.client_id,
        "kind": session.kind.value,
        "uid": session.uid,
        "organizer": session.organizer,
        "created_at": session.created_at,
        "series_id": session.series_id,
        "external_id": session.external_id,
    }
    with named_once(sessions, session.external_id):
        db.execute(insert(sessions).values(fixed | _changing(session)))


def save(db: Connection, session: Session) -> None:
    """Store what a transition may have changed."""
    db.execute(raising(sessions, _changing(session)).where(sessions.c.id == session.id))


def name(db: Connection, session_id: UUID, external_id: str | None) -> None:
    """Store what the host calls a session.

    Raises: ExistsError if another one is called so.
    """
    with named_once(sessions, external_id):
        db.execute(raising(sessions, {"external_id": external_id}).where(sessions.c.id == session_id))


def get(db: Connection, session_id: UUID) -> Session:
    """Return a session.

    Raises: NotFoundError.
    """
    row = db.execute(_BY_ID, {"session_id": session_id}).first()
    if row is None:
        raise NotFoundError("There is no such session.", code="session_not_found")
    return session_of(row)


def of_ids(db: Connection, ids: Collection[UUID]) -> Sequence[Session]:
    """Return those of these sessions that there are, earliest first."""
    query = select(sessions).where(sessions.c.id.in_(set(ids))).order_by(sessions.c.starts_at, sessions.c.id)
    return [session_of(row) for row in db.execute(query)]


def with_offers(db: Connection, session_id: UUID) -> SessionWithOffers:
    """Return a session with its open offer and its draft.

    Raises: NotFoundError.
    """
    row = db.execute(_WITH_OFFERS_BY_ID, {"session_id": session_id}).first()
    if row is None:
        raise NotFoundError("There is no such session.", code="session_not_found")
    return _with_offers_of(row)


def sought(
    db: Connection, what: Sought, *, after: tuple[datetime, UUID] | None = None, most: int
) -> Sequence[SessionWithOffers]:
    """Return the sessions sought by start and id, those `after` a start and id; `most` at most, in one statement."""
    start, session_id = after or (None, None)
    values = {
        "practitioner_id": what.practitioner_id,
        "client_id": what.client_id,
        "series_id": what.series_id,
        "external_id": what.external_id,
        "state": what.state.value if what.state else None,
        "flag": what.flag.value if what.flag else None,
        "ends_after": what.ends_after,
        "starts_before": what.starts_before,
        "after": start,
        "after_id": session_id,
    }
    given = {name: value for name, value in values.items() if value is not None}
    rows = db.execute(_seeking(frozenset(given), flagged=what.flagged), {**given, "most": most})
    return [_with_offers_of(row) for row in rows.all()]


def by_external_id(db: Connection, external_id: str) -> Session | None:
    """Return the session that the host calls so."""
    row = db.execute(select(sessions).where(sessions.c.external_id == external_id)).first()
    return session_of(row) if row else None


def known_as(db: Connection, word: str) -> Session | None:
    """Return the session of that id or invitation UID."""
    own: ColumnElement[bool]
    try:
        own = or_(sessions.c.uid == word, sessions.c.id == UUID(word))
    except ValueError:
        own = sessions.c.uid == word
    row = db.execute(select(sessions).where(own)).first()
    return session_of(row) if row else None


def of_practitioner(db: Connection, practitioner_id: UUID, *, since: datetime) -> Sequence[Session]:
    """Return the sessions of a practitioner that end after `since`, cancelled ones included, earliest first."""
    query = (
        select(sessions)
        .where(sessions.c.practitioner_id == practitioner_id, sessions.c.ends_at > since)
        .order_by(sessions.c.starts_at)
    )
    return [session_of(row) for row in db.execute(query)]


def flagged_or_among(
    db: Connection, practitioner_id: UUID, ids: Collection[UUID], *, since: datetime
) -> Sequence[Session]:
    """Return the sessions of a practitioner that end after `since` and are flagged, or of these ids; earliest first."""
    own = (sessions.c.practitioner_id == practitioner_id) & (sessions.c.ends_at > since)
    query = select(sessions).where(own, or_(sessions.c.flag.is_not(None), sessions.c.id.in_(set(ids))))
    return [session_of(row) for row in db.execute(query.order_by(sessions.c.starts_at, sessions.c.id))]


def listed(
    db: Connection,
    practitioner_id: UUID,
    *,
    ends_after: datetime | None = None,
    ended_by: datetime | None = None,
    beyond: tuple[datetime, UUID] | None = None,
    most: int,
) -> Sequence[Session]:
    """Return a page of a practitioner's sessions, cancelled ones included.

    Args:
        db: Where.
        practitioner_id: Whose.
        ends_after: Those that end after it, earliest first; or
        ended_by: those that have ended by then, latest first.
        beyond: The start and id of the last one of the page before.
        most: How many at most.
    """
    conditions: list[ColumnElement[bool]] = [sessions.c.practitioner_id == practitioner_id]
    order: Sequence[ColumnElement[Any]] = (sessions.c.starts_at, sessions.c.id)
    if ended_by is not None:
        conditions.append(sessions.c.ends_at <= ended_by)
        order = [column.desc() for column in order]
    if ends_after is not None:
        conditions.append(sessions.c.ends_at > ends_after)
    if beyond is not None:
        conditions.append(_beyond(*beyond, back=ended_by is not None))
    query = select(sessions).where(*conditions).order_by(*order).limit(most)
    return [session_of(row) for row in db.execute(query)]


def _beyond(start: datetime, session_id: UUID, *, back: bool) -> ColumnElement[bool]:
    same = sessions.c.starts_at == start
    if back:
        return or_(sessions.c.starts_at < start, and_(same, sessions.c.id < session_id))
    return or_(sessions.c.starts_at > start, and_(same, sessions.c.id > session_id))


def of_client(db: Connection, client_id: UUID, *, since: datetime) -> Sequence[Session]:
    """Return a client's sessions that end after `since`."""
    own = (sessions.c.client_id == client_id) & (sessions.c.ends_at > since)
    return [session_of(row) for row in db.execute(select(sessions).where(own).order_by(sessions.c.starts_at))]


def latest(db: Connection, practitioner_id: UUID, client_id: UUID | None = None) -> Session | None:
    """Return the session of a practitioner, with a client or with anybody, that stands and begins last."""
    own = (sessions.c.practitioner_id == practitioner_id) & (sessions.c.state == SessionState.BOOKED.value)
    if client_id is not None:
        own &= sessions.c.client_id == client_id
    order = (sessions.c.ends_at.desc(), sessions.c.id)
    row = db.execute(select(sessions).where(own).order_by(*order).limit(1)).first()
    return session_of(row) if row else None


def of_clients(db: Connection, client_ids: Collection[UUID], *, since: datetime, most: int) -> Sequence[Session]:
    """Return sessions of these clients that end after `since`, earliest first."""
    own = sessions.c.client_id.in_(set(client_ids)) & (sessions.c.ends_at > since)
    query = select(sessions).where(own).order_by(sessions.c.starts_at, sessions.c.id).limit(most)
    return [session_of(row) for row in db.execute(query)]


def of_both(
    db: Connection,
    practitioner_id: UUID,
    client_id: UUID,
    *,
    after: datetime | None = None,
    before: datetime | None = None,
    most: int,
) -> Sequence[Session]:
    """Return a practitioner's sessions with a client: earliest first those that end `after`; or latest first others.

    `before` leaves out whatever begins then or later.
    """
    own = (sessions.c.practitioner_id == practitioner_id) & (sessions.c.client_id == client_id)
    query = select(sessions).where(own)
    if after is not None:
        query = query.where(sessions.c.ends_at > after).order_by(sessions.c.starts_at, sessions.c.id)
    else:
        query = query.order_by(sessions.c.starts_at.desc(), sessions.c.id.desc())
    if before is not None:
        query = query.where(sessions.c.starts_at < before)
    return [session_of(row) for row in db.execute(query.limit(most))]


def next_starts(
    db: Connection, practitioner_id: UUID, client_ids: Collection[UUID], *, now: datetime
) -> dict[UUID, datetime]:
    """Return when these clients have their next session with a practitioner, those who have one."""
    own = (
        (sessions.c.practitioner_id == practitioner_id)
        & sessions.c.client_id.in_(set(client_ids))
        & (sessions.c.state == SessionState.BOOKED.value)
        & (sessions.c.ends_at > now)
    )
    query = select(sessions.c.client_id, func.min(sessions.c.starts_at).label("starts_at")).where(own)
    return {row.client_id: row.starts_at for row in db.execute(query.group_by(sessions.c.client_id))}


def to_publish(
    db: Connection,
    *,
    practitioner_id: UUID | None = None,
    client_id: UUID | None = None,
    since: datetime,
    until: datetime,
    most: int,
) -> Sequence[Session]:
    """Return what a published calendar of a practitioner, or of a client, holds of sessions, earliest first.

    Args:
        db: Where.
        practitioner_id: Whose; or
        client_id: likewise: theirs are those that they have in it and not by invitation.
        since: Those that end after it, and of cancelled ones only those that were cancelled after it.
        until: Those that begin before it.
        most: How many at most.
    """
    own = (
        sessions.c.practitioner_id == practitioner_id
        if practitioner_id is not None
        else and_(sessions.c.client_id == client_id, sessions.c.published)
    )
    stands = or_(sessions.c.state == SessionState.BOOKED.value, sessions.c.stamp > since)
    query = select(sessions).where(own, sessions.c.ends_at > since, sessions.c.starts_at < until, stands)
    rows = db.execute(query.order_by(sessions.c.starts_at, sessions.c.id).limit(most))
    return [session_of(row) for row in rows]


def booked(
    db: Connection, practitioner_id: UUID, *, since: datetime, or_among: Collection[UUID] = ()
) -> Sequence[Session]:
    """Return the sessions that stand and end after `since`, and those among the ids given whenever they end."""
    own = (sessions.c.practitioner_id == practitioner_id) & (sessions.c.state == SessionState.BOOKED.value)
    recent = [session_of(row) for row in db.execute(select(sessions).where(own, sessions.c.ends_at > since))]
    missing = set(or_among) - {session.id for session in recent}
    if not missing:
        return recent
    return recent + [session_of(row) for row in db.execute(select(sessions).where(own, sessions.c.id.in_(missing)))]


def with_ids(db: Connection, ids: Collection[UUID]) -> Sequence[Session]:
    """Return these sessions, in no order."""
    return [
        session_of(row) for some in chunks(ids) for row in db.execute(select(sessions).where(sessions.c.id.in_(some)))
    ]


def when_columns(when: When) -> dict[str, Any]:
    """Spread a When over its four columns."""
    return {
        "starts_at": when.span.start,
        "ends_at": when.span.end,
        "local_start": when.local,
        "zone": when.zone,
    }


def when_of(row: Row[Any]) -> When:
    """Read a When from its four columns."""
    return _stored_when(span=_stored_span(start=row.starts_at, end=row.ends_at), local=row.local_start, zone=row.zone)


def session_of(row: Row[Any]) -> Session:
    """Read a session from a row that begins with those of its table."""
    found = _named(row)
    return _stored_session(
        id=found["id"],
        practitioner_id=found["practitioner_id"],
        client_id=found["client_id"],
        kind=_KINDS[found["kind"]],
        when=_stored_when(
            span=_stored_span(start=found["starts_at"], end=found["ends_at"]),
            local=found["local_start"],
            zone=found["zone"],
        ),
        location=_stored_location(kind=_PLACES[found["location_kind"]], text=found["location_text"]),
        uid=found["uid"],
        organizer=found["organizer"],
        revision=found["revision"],
        stamp=found["stamp"],
        created_at=found["created_at"],
        state=_STATES[found["state"]],
        flag=_FLAGS[found["flag"]] if found["flag"] else None,
        series_id=found["series_id"],
        published=found["published"],
        external_id=found["external_id"],
        version=found["version"],
    )


def _changing(session: Session) -> dict[str, Any]:
    return when_columns(session.when) | {
        "location_kind": session.location.kind.value,
        "location_text": session.location.text,
        "revision": session.revision,
        "stamp": session.stamp,
        "state": session.state.value,
        "flag": session.flag.value if session.flag else None,
        "published": session.published,
    }


@lru_cache(maxsize=64)
def _seeking(given: frozenset[str], *, flagged: bool | None) -> Select[Any]:
    """Return the statement that seeks sessions by what is given: to write it takes longer than to ask it."""
    conditions = _conditions(given, flagged=flagged)
    return _WITH_OFFERS.where(*conditions).order_by(sessions.c.starts_at, sessions.c.id).limit(bindparam("most"))


def _conditions(given: frozenset[str], *, flagged: bool | None) -> Iterator[ColumnElement[bool]]:
    for name in ("practitioner_id", "client_id", "series_id", "external_id", "state", "flag"):
        if name in given:
            yield sessions.c[name] == bindparam(name)
    if "ends_after" in given:
        yield sessions.c.ends_at > bindparam("ends_after")
    if "starts_before" in given:
        yield sessions.c.starts_at < bindparam("starts_before")
    if flagged is not None:
        yield sessions.c.flag.is_not(None) if flagged else sessions.c.flag.is_(None)
    if "after" in given:
        yield from behind(sessions.c.starts_at, sessions.c.id)


def _with_offers_of(row: Row[Any]) -> SessionWithOffers:
    offered: Sequence[UUID | None] = row[-2:]
    return SessionWithOffers(session=session_of(row), open_offer_id=offered[0], draft_id=offered[1])


_OPEN, _DRAFT = offers.alias("open_offers"), offers.alias("drafts")  # of either a session has one at most
_WITH_OFFERS = (
    select(sessions, _OPEN.c.id.label("open_offer_id"), _DRAFT.c.id.label("draft_id"))
    .outerjoin(_OPEN, and_(_OPEN.c.session_id == sessions.c.id, _OPEN.c.state == OfferState.OPEN.value))
    .outerjoin(_DRAFT, and_(_DRAFT.c.session_id == sessions.c.id, _DRAFT.c.state == OfferState.DRAFT.value))
)
_BY_ID = select(sessions).where(sessions.c.id == bindparam("session_id"))
_WITH_OFFERS_BY_ID = _WITH_OFFERS.where(sessions.c.id == bindparam("session_id"))
