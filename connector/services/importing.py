"""Bring in sessions that were booked elsewhere: what each row of a file would change is said first, then done.

A row is known again by its external id. What was brought in once and says the same again changes nothing, whatever was
decided here since; what it says otherwise counts only where nobody has decided anything here. Each row is a transaction
of its own: it is done or not, and whoever begins again after a break finds the rest to do.
"""

from __future__ import annotations

from bisect import bisect_left, insort
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from itertools import islice
from uuid import NAMESPACE_URL, UUID, uuid4, uuid5

from sqlalchemy import Connection

from connector.domain.facts import Attestation
from connector.domain.people import Actor, Client, Practitioner, check_takes_bookings
from connector.domain.session import Edit, Location, Session, SessionKind, SessionState
from connector.domain.span import Span, When
from connector.errors import RuleError
from connector.importing.rows import Read, Refused, Row, Someone
from connector.services import conversations
from connector.services.numbers import check_number
from connector.services.people import check_not_erased
from connector.services.policy import Policy
from connector.services.scheduling import sessions as scheduling
from connector.services.scheduling.conflicts import ANYTHING, NOT_ASKED, Consent, Findings
from connector.storage import busy, imported, occupancy, people
from connector.storage.busy import BusyTime
from connector.storage.database import Database
from connector.storage.imported import Known

CHUNK = 100  # rows of which it is looked up at once what is known
CHANNEL = "import"  # by which a client has agreed to a time that a file tells
_LONGEST = timedelta(hours=48)  # that a session can take, its buffer included, and more
_EVER = timedelta(days=200 * 365)


class Outcome(StrEnum):
    """What becomes of a row."""

    NEW = "new"
    CHANGED = "changed"
    UNCHANGED = "unchanged"
    PAST = "past"  # it has begun, and was never brought in: there is nothing left to keep
    REFUSED = "refused"


@dataclass(frozen=True, slots=True, kw_only=True)
class Result:
    """What a row would change, or has.

    Attributes:
        session_id: Of the session as it is known here; None where there is none yet, or none any more.
        client: What the client is called.
        is_new_client: Whether they come with it.
        why: Why it is refused.
    """

    line: int
    external_id: str
    outcome: Outcome
    session_id: UUID | None = None
    when: When | None = None
    old: When | None = None
    location: Location | None = None
    client: str = ""
    is_new_client: bool = False
    why: RuleError | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Terms:
    """How a file is brought in.

    Attributes:
        location: Where they meet of whom a row does not say it.
        zone: Of clients who are new, where a row does not say it.
        locale: Likewise their language.
        despite: Whether what stands in other calendars keeps nothing out.
        tell: Whether clients are told; else they know from elsewhere.
        by: Who does it.
    """

    location: Location | None = None
    zone: str
    locale: str
    despite: bool = False
    tell: bool = False
    by: Actor


@dataclass(slots=True, kw_only=True)
class _Kept:
    """The times that are kept of a practitioner, as they would be once the rows so far are in."""

    times: list[tuple[datetime, datetime, UUID]] = field(default_factory=list)

    def keep(self, session_id: UUID, span: Span) -> None:
        insort(self.times, (span.start, span.end, session_id))

    def release(self, session_id: UUID) -> None:
        self.times = [one for one in self.times if one[2] != session_id]

    def is_taken(self, span: Span, *, besides: UUID) -> bool:
        first = bisect_left(self.times, (span.start - _LONGEST,))
        for start, end, session_id in islice(self.times, first, None):
            if start >= span.end:
                return False
            if end > span.start and session_id != besides:
                return True
        return False


class _People:
    """Clients, found by what a row says of them."""

    def __init__(self, everybody: Iterable[Client] = ()) -> None:
        self._found: dict[tuple[str, str], dict[UUID, Client]] = {}
        for client in everybody:
            self.add(client)

    def add(self, client: Client) -> None:
        """Take one in, in place of what was known of them."""
        for key in _keys(client.external_id or "", client.email, client.phone):
            self._found.setdefault(key, {})[client.id] = client

    def like(self, named: Someone) -> Mapping[UUID, Client]:
        """Return those of whom something is the same, by their ids."""
        keys = _keys(named.external_id, named.email, _number(named))
        return {id_: client for key in keys for id_, client in self._found.get(key, {}).items()}


def _keys(external_id: str, email: str, phone: str) -> Iterator[tuple[str, str]]:
    for kind, value in (("id", external_id), ("email", email.lower()), ("phone", phone)):
        if value:
            yield kind, value


@dataclass(slots=True, kw_only=True)
class Import:
    """One file on its way in: `run` says what becomes of each row.

    Attributes:
        apply: Whether it is done; else it is only said.
    """

    database: Database
    policy: Policy
    practitioner: Practitioner
    terms: Terms
    clock: Callable[[], datetime]
    apply: bool
    _seen: dict[str, int] = field(default_factory=dict)  # in which line an external id stands
    _coming: _People = field(default_factory=_People)  # who would be new, or have an external id
    _kept: _Kept = field(default_factory=_Kept)

    def run(self, rows: Iterable[Read]) -> Iterator[Result]:
        """Yield what becomes of each row, in order; what was yielded is done, whatever becomes of the next."""
        if not self.apply:
            self._remember_times()
        source = iter(rows)
        while chunk := list(islice(source, CHUNK)):
            if self.apply:
                self._coming = _People()  # whoever came with the rows before is known by now
            with self.database.read() as db:
                look = _Look.at(db, self.practitioner, [row for row in chunk if isinstance(row, Row)])
            for row in chunk:
                yield self._result(row, look)

    def _remember_times(self) -> None:
        now = self.clock()
        with self.database.read() as db:
            kept = occupancy.within(db, self.practitioner.id, Span.of(now, _EVER), now=now, besides=None)
        for one in kept:
            self._kept.keep(one.session_id, Span(start=one.start, end=one.end))

    def _result(self, row: Read, look: _Look) -> Result:
        if isinstance(row, Refused):
            return Result(line=row.line, external_id=row.external_id, outcome=Outcome.REFUSED, why=row.error)
        try:
            self._check_once(row)
            known = look.sessions.get(row.external_id)
            return self._known(row, known, look) if known else self._new(row, look)
        except RuleError as error:
            outcome = Outcome.REFUSED
            return Result(line=row.line, external_id=row.external_id, outcome=outcome, when=row.when, why=error)

    def _check_once(self, row: Row) -> None:
        first = self._seen.setdefault(row.external_id, row.line)
        if first != row.line:
            raise RuleError(
                "The same external id stands in line %(line)s, too. Nothing is taken of this one.",
                code="import_twice",
                field="external_id",
                line=first,
            )

    def _new(self, row: Row, look: _Look) -> Result:
        now = self.clock()
        if row.when.span.start <= now:
            return _result(row, Outcome.PAST)
        place = row.location or self.terms.location
        if place is None:
            raise RuleError(
                "It does not say where they meet. Fill in location, or name a place for all that say none: "
                "--in-person, --online or --phone.",
                code="import_place_missing",
                field="location",
            )
        client, is_new = look.client(row.client, self._coming, self.terms)
        _check_takes_bookings(self.practitioner, client)
        look.check_free(row.when, self.terms)
        named = row.client.external_id or client.external_id
        session_id = uuid4()
        if self.apply:
            session_id = self._book(row, client, place, is_new=is_new, now=now).id
        else:
            self._check_kept(row.when, besides=session_id)
            self._keep(session_id, row.when)
        if is_new or named != client.external_id:
            self._coming.add(replace(client, external_id=named))
        result = _result(row, Outcome.NEW, client=client, is_new_client=is_new)
        return replace(result, session_id=session_id if self.apply else None, location=place)

    def _book(self, row: Row, client: Client, place: Location, *, is_new: bool, now: datetime) -> Session:
        with self.database.begin() as db:
            if is_new:
                people.add_client(db, client, now=now)
            session = scheduling.book(
                db,
                self.policy,
                practitioner_id=self.practitioner.id,
                client_id=client.id,
                when=row.when,
                location=place,
                by=self.terms.by,
                now=now,
                kind=row.kind or SessionKind.FOLLOWUP,
                series_id=_series(self.practitioner, row.series),
                external_id=row.external_id,
                consent=self._consent,
                elsewhere=not self.terms.tell,
            )
            if not is_new and row.client.external_id and client.external_id is None:
                known = people.client(db, client.id, lock=True)
                people.save_client(db, replace(known, external_id=row.client.external_id))
            imported.keep(db, session, row.fingerprint, now=now, is_new=True)
        return session

    def _known(self, row: Row, known: Known, look: _Look) -> Result:
        session = known.session
        if session.practitioner_id != self.practitioner.id:
            raise RuleError(
                "A session of another practitioner goes by this external id.",
                code="import_session_of_other",
                field="external_id",
            )
        client = look.by_id[session.client_id]
        result = replace(_result(row, Outcome.UNCHANGED, client=client), session_id=session.id)
        new = replace(session, when=row.when, location=row.location or session.location)
        if row.fingerprint == known.fingerprint or new == session:
            return result
        now = self.clock()
        if session.when.span.start <= now:
            return result  # it has taken place, or begun
        self._check_changeable(row, known, client)
        moves = new.when != session.when
        if moves:
            look.check_free(new.when, self.terms)
        if self.apply:
            self._change(row, session, new, client, now=now)
        elif moves:
            self._check_kept(new.when, besides=session.id)
            self._kept.release(session.id)
            self._keep(session.id, new.when)
        return replace(result, outcome=Outcome.CHANGED, old=session.when, location=new.location)

    def _check_changeable(self, row: Row, known: Known, client: Client) -> None:
        session = known.session
        if session.state is not SessionState.BOOKED:
            raise RuleError(
                "The session was cancelled here. Book it anew under another external id if it stands after all.",
                code="import_session_cancelled",
                field="external_id",
            )
        if session.revision != known.revision:
            raise RuleError(
                "The session was changed here since it was brought in, and the file says something else again. Decide "
                "by hand which is right; `pencilled sessions show %(session)s` tells what happened.",
                code="import_changed_here",
                field="when",
                session=session.id.hex[:8],
            )
        if known.is_offered:
            raise RuleError(
                "The client is asked just now about other times of this session. Withdraw that offer first, by "
                "`pencilled offers withdraw %(session)s`.",
                code="import_offer_open",
                field="when",
                session=session.id.hex[:8],
            )
        if not _may_be(row.client, client):
            raise RuleError(
                "The session is one of another client, and it keeps its client. Cancel it, and book another one.",
                code="import_other_client",
                field="client",
            )

    def _change(self, row: Row, session: Session, new: Session, client: Client, *, now: datetime) -> None:
        agreed = Attestation(who=self.terms.by.name or self.practitioner.name, at=now, channel=CHANNEL)
        with self.database.begin() as db:
            changed = scheduling.edit(
                db,
                self.policy,
                session.id,
                Edit(when=new.when, location=new.location, attestation=agreed),
                by=self.terms.by,
                now=now,
                consent=self._consent,
            )
            if not self.terms.tell:
                conversations.told_elsewhere(db, client, changed)
            imported.keep(db, changed, row.fingerprint, now=now)

    @property
    def _consent(self) -> Consent:
        return ANYTHING if self.terms.despite else NOT_ASKED

    def _check_kept(self, when: When, *, besides: UUID) -> None:
        if self._kept.is_taken(when.span.padded(self.practitioner.buffer), besides=besides):
            raise occupancy.time_taken()

    def _keep(self, session_id: UUID, when: When) -> None:
        self._kept.keep(session_id, when.span.padded(self.practitioner.buffer))


@dataclass(frozen=True, slots=True, kw_only=True)
class _Look:
    """What is known of some rows: in a few statements, however many they are."""

    sessions: Mapping[str, Known]
    people: _People
    by_id: Mapping[UUID, Client]
    busy: Sequence[BusyTime]

    @classmethod
    def at(cls, db: Connection, practitioner: Practitioner, rows: Sequence[Row]) -> _Look:
        known = imported.known(db, [row.external_id for row in rows])
        found = people.clients_called(
            db,
            ids=[one.session.client_id for one in known.values()],
            external_ids=[row.client.external_id for row in rows if row.client.external_id],
            emails=[row.client.email for row in rows if row.client.email],
            phones=[_number(row.client) for row in rows if row.client.phone],
        )
        spans = [row.when.span for row in rows]
        times: Sequence[BusyTime] = ()
        if spans:
            hull = Span(start=min(one.start for one in spans), end=max(one.end for one in spans))
            times = busy.overlapping(db, practitioner.id, hull)
        return cls(sessions=known, people=_People(found), by_id={one.id: one for one in found}, busy=times)

    def check_free(self, when: When, terms: Terms) -> None:
        """Raise ConflictError if something stands there in another calendar, as that was last read."""
        standing = tuple((when, other) for other in self.busy if other.span.overlaps(when.span))
        if standing and not terms.despite:
            raise Findings(times=(when,), standing=standing, blind=()).refusal()

    def client(self, named: Someone, coming: _People, terms: Terms) -> tuple[Client, bool]:
        """Return the client whom a row means, and whether they are new."""
        everybody = {**self.people.like(named), **coming.like(named)}
        matching = _matching(named, [one for one in everybody.values() if not one.erased])
        if len(matching) > 1:
            raise RuleError(
                "Several clients could be meant: %(clients)s. Give client_external_id, and each of them theirs.",
                code="import_client_ambiguous",
                field="client",
                clients=tuple(f"{one.name} ({one.id.hex[:8]})" for one in matching[:5]),
            )
        if matching:
            return matching[0], False
        if not named.name:
            raise RuleError(
                "There is no such client yet, and the row does not say what they are called. Fill in client_name, or "
                "add them first: pencilled clients add",
                code="import_client_unknown",
                field="client_name",
            )
        new = Client(
            id=uuid4(),
            name=named.name,
            zone=named.zone or terms.zone,
            email=named.email,
            phone=_number(named),
            locale=named.locale or terms.locale,
            external_id=named.external_id or None,
        )
        return new, True


def _matching(named: Someone, everybody: Sequence[Client]) -> Sequence[Client]:
    """Return the clients whom a row can mean: by their external id, else by what else is said of them."""
    if named.external_id:
        own = [one for one in everybody if one.external_id == named.external_id]
        if own:
            return own
        everybody = [one for one in everybody if one.external_id is None]
        if not named.name:
            return ()
    return [one for one in everybody if (named.email or named.phone) and _may_be(named, one)]


def _may_be(named: Someone, client: Client) -> bool:
    """Whether nothing that a row says of a client speaks against this one."""
    if named.external_id and client.external_id is not None:
        return named.external_id == client.external_id
    if named.email:
        is_same = named.email.lower() == client.email.lower()
    else:
        is_same = not named.phone or _number(named) == client.phone
    return is_same and (not named.name or named.name.casefold() == client.name.casefold())


def _number(named: Someone) -> str:
    """Return a telephone number in the one form in which they are compared; as it is written if it is none."""
    with suppress(RuleError):
        return check_number(named.phone) if named.phone else ""
    return named.phone


def _check_takes_bookings(*persons: Practitioner | Client) -> None:
    for person in persons:
        if isinstance(person, Client):
            check_not_erased(person)
        check_takes_bookings(person)


def _series(practitioner: Practitioner, series: str) -> UUID | None:
    """Return the id of a series, the same whenever it is brought in."""
    return uuid5(NAMESPACE_URL, f"{practitioner.id}/{series}") if series else None


def _result(row: Row, outcome: Outcome, *, client: Client | None = None, is_new_client: bool = False) -> Result:
    return Result(
        line=row.line,
        external_id=row.external_id,
        outcome=outcome,
        when=row.when,
        location=row.location,
        client=client.name if client else row.client.name,
        is_new_client=is_new_client,
    )
