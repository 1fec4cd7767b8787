"""A session: the booked meeting of a practitioner and a client. Transitions are functions from value to value."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from enum import StrEnum
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from connector.domain.facts import (
    Attestation,
    Fact,
    FlagCleared,
    FlagReason,
    LocationChanged,
    MoveReason,
    SessionBooked,
    SessionCancelled,
    SessionFlagged,
    SessionMoved,
)
from connector.domain.people import Actor
from connector.domain.span import When, instant
from connector.domain.text import check_external_id, one_line
from connector.errors import PastSpanError, RuleError
from connector.sentence import Sentence, Zone

LONGEST_LOCATION = 500


class SessionKind(StrEnum):
    """Whether the two meet for the first time."""

    INITIAL = "initial"
    FOLLOWUP = "followup"


class SessionState(StrEnum):
    """Whether the session stands."""

    BOOKED = "booked"
    CANCELLED = "cancelled"


class LocationKind(StrEnum):
    """How the two meet."""

    IN_PERSON = "in_person"
    ONLINE = "online"
    PHONE = "phone"


_LONGEST_LINE = 200
_PLACE, _WHO, _CHANNEL, _REASON = (
    Sentence("Place"),
    Sentence("Who agreed"),
    Sentence("How they told you"),
    Sentence("Reason"),
)
_BETWEEN_LINES = {LocationKind.IN_PERSON: ", ", LocationKind.ONLINE: "", LocationKind.PHONE: " "}


@dataclass(frozen=True, slots=True, kw_only=True)
class Location:
    """Where a session takes place: an address, an https link, or a telephone number and who calls."""

    kind: LocationKind
    text: str

    def __post_init__(self) -> None:
        between = _BETWEEN_LINES[self.kind]
        text = one_line(self.text, label=_PLACE, field="location", longest=LONGEST_LOCATION, between=between)
        object.__setattr__(self, "text", text)  # for everybody else the class is frozen
        if self.kind is LocationKind.ONLINE and not _is_link(self.text):
            raise RuleError(
                "An online session needs a full link. Give one that begins with https://.",
                code="link_malformed",
                field="location",
            )


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """One booked meeting. `id` and `uid` never change; `revision` only rises.

    `uid` is the invitation's UID in the client's calendar, `organizer` the fixed address it comes from, `revision` its
    SEQUENCE, and `stamp` the DTSTAMP of the last message about it, aware UTC. `published`: its client has it in a
    calendar that they subscribe to, so that no letter about it invites them; only what no letter has put into their
    calendar can be. `external_id` is what the host calls it, and `version` counts the changes of what is shown of it,
    of which clients learn nothing.
    """

    id: UUID
    practitioner_id: UUID
    client_id: UUID
    kind: SessionKind
    when: When
    location: Location
    uid: str
    organizer: str
    revision: int
    stamp: datetime
    created_at: datetime
    state: SessionState = SessionState.BOOKED
    flag: FlagReason | None = None
    series_id: UUID | None = None
    published: bool = False
    external_id: str | None = field(default=None, compare=False)
    version: int = field(default=1, compare=False)

    def __post_init__(self) -> None:
        check_external_id(self.external_id)


@dataclass(frozen=True, slots=True, kw_only=True)
class Sought:
    """Which sessions are sought; None leaves a thing open.

    Attributes:
        ends_after: Those that end after it, aware UTC.
        starts_before: Those that begin before it, likewise.
        flagged: Whether they are marked as needing their practitioner, for whatever reason.
    """

    practitioner_id: UUID | None = None
    client_id: UUID | None = None
    series_id: UUID | None = None
    external_id: str | None = None
    ends_after: datetime | None = None
    starts_before: datetime | None = None
    state: SessionState | None = None
    flag: FlagReason | None = None
    flagged: bool | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionWithOffers:
    """A session, and what of offers hangs on it."""

    session: Session
    open_offer_id: UUID | None
    draft_id: UUID | None


@dataclass(frozen=True, slots=True, kw_only=True)
class Edit:
    """What a practitioner changes in one save; None leaves a thing as it is."""

    when: When | None = None
    location: Location | None = None
    reason: MoveReason = MoveReason.AGREED
    attestation: Attestation | None = None
    override_past: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Transition:
    """A session after a transition, and what happened; no facts means that nothing changed."""

    session: Session
    facts: tuple[Fact, ...] = field(default=())


def book(
    *,
    practitioner_id: UUID,
    client_id: UUID,
    when: When,
    location: Location,
    organizer: str,
    by: Actor,
    now: datetime,
    kind: SessionKind = SessionKind.FOLLOWUP,
    series_id: UUID | None = None,
    published: bool = False,
    external_id: str | None = None,
    elsewhere: bool = False,
) -> Transition:
    """Book a session; `elsewhere`: it was, before, and its client knows of it.

    Raises: PastSpanError if it would already have begun.
    """
    check_future(when, now)
    session = Session(
        id=uuid4(),
        practitioner_id=practitioner_id,
        client_id=client_id,
        kind=kind,
        when=when,
        location=location,
        uid=str(uuid4()),
        organizer=organizer,
        revision=0,
        stamp=now,
        created_at=now,
        series_id=series_id,
        published=published,
        external_id=external_id,
    )
    fact = SessionBooked(at=now, by=by, session_id=session.id, when=when, elsewhere=elsewhere)
    return Transition(session=session, facts=(fact,))


def edit(session: Session, edit: Edit, *, by: Actor, now: datetime) -> Transition:
    """Change time, place or both in one revision; values that are already so change nothing.

    Raises: PastSpanError for a past time that is not a correction with an explicit override; RuleError for a cancelled
        session, or for a new time that nobody attests the client has agreed to.
    """
    check_stands(session)
    edited = replace(session, when=edit.when or session.when, location=edit.location or session.location)
    if edited == session:
        return Transition(session=session)
    if edited.when != session.when:
        _check_move(edited.when, edit, now)
        edited = replace(edited, flag=None)
    facts = tuple(_edit_facts(session, edited, edit, by, now))
    return Transition(session=revised(edited, now=now), facts=facts)


def cancel(session: Session, *, by: Actor, now: datetime, reason: str = "") -> Transition:
    """End a session before it takes place; cancelling again changes nothing."""
    if session.state is SessionState.CANCELLED:
        return Transition(session=session)
    new_session = revised(replace(session, state=SessionState.CANCELLED, flag=None), now=now)
    return Transition(
        session=new_session, facts=(SessionCancelled(at=now, by=by, session_id=session.id, reason=reason),)
    )


def flagged(session: Session, reason: FlagReason, *, by: Actor, now: datetime) -> Transition:
    """Mark a session as needing its practitioner; the client is not told, so the revision stays."""
    fact = SessionFlagged(at=now, by=by, session_id=session.id, reason=reason)
    return Transition(session=replace(session, flag=reason), facts=(fact,))


def unflagged(session: Session, *, by: Actor, now: datetime) -> Transition:
    """Take that mark away."""
    if session.flag is None:
        return Transition(session=session)
    fact = FlagCleared(at=now, by=by, session_id=session.id)
    return Transition(session=replace(session, flag=None), facts=(fact,))


def revised(session: Session, *, now: datetime) -> Session:
    """Count one more mailed revision; its stamp is strictly later than the one before (RFC 5546 section 2.1.5)."""
    return replace(session, revision=session.revision + 1, stamp=max(now, session.stamp + timedelta(seconds=1)))


def agreed(*, who: str, at: datetime, channel: str, now: datetime) -> Attestation:
    """Attest that the client has agreed to a time.

    Raises: RuleError if something is missing or too long, or lies in the future.
    """
    check_agreed(at, now)
    return Attestation(
        who=one_line(who.strip(), label=_WHO, field="who", longest=_LONGEST_LINE, between=None),
        at=instant(at),
        channel=one_line(channel.strip(), label=_CHANNEL, field="channel", longest=_LONGEST_LINE, between=None),
    )


def check_agreed(at: datetime, now: datetime) -> None:
    """Raise RuleError if somebody is said to have agreed at a time that is still to come."""
    if instant(at) > now:
        raise RuleError(
            "The client cannot have agreed in the future. Say when they told you.",
            code="agreement_in_future",
            field="agreed_at",
        )


def read_reason(text: str) -> str:
    """Return why a session is cancelled, on one line; nothing need be said.

    Raises: RuleError if it is too long, or has a character that cannot stand there.
    """
    text = text.strip()
    return one_line(text, label=_REASON, field="reason", longest=_LONGEST_LINE, between=None) if text else ""


def check_stands(session: Session) -> None:
    """Raise RuleError if the session has been cancelled."""
    if session.state is SessionState.CANCELLED:
        raise RuleError("This session has been cancelled. Book a new one instead.", code="session_cancelled")


def check_future(when: When, now: datetime) -> None:
    """Raise PastSpanError if the time has already begun."""
    if when.span.start <= now:
        raise PastSpanError(
            "%(when)s (%(zone)s) has already passed. Choose a time in the future.",
            code="time_passed",
            field="when",
            when=when.local,
            zone=Zone(when.zone),
        )


def _edit_facts(old: Session, new: Session, edit: Edit, by: Actor, now: datetime) -> Iterator[Fact]:
    """Yield what an edit has changed."""
    if new.when != old.when:
        yield SessionMoved(
            at=now,
            by=by,
            session_id=old.id,
            old=old.when,
            new=new.when,
            reason=edit.reason,
            attestation=edit.attestation,
        )
    if new.location != old.location:
        yield LocationChanged(at=now, by=by, session_id=old.id, old=old.location.text, new=new.location.text)
    if new.flag != old.flag:
        yield FlagCleared(at=now, by=by, session_id=old.id)


def _check_move(when: When, edit: Edit, now: datetime) -> None:
    if not (edit.override_past and edit.reason is MoveReason.CORRECTION):
        check_future(when, now)
    if edit.reason is MoveReason.AGREED and edit.attestation is None:
        raise RuleError(
            "Only a time that the client has agreed to can be entered here. Say who agreed, when, and how they "
            "told you; or offer the client this time instead.",
            code="agreement_missing",
            field="attestation",
        )


def _is_link(text: str) -> bool:
    parts = urlsplit(text.strip())
    return parts.scheme == "https" and bool(parts.hostname)
