"""Why something stands in a calendar: what it is, who did it, and what follows."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from urllib.parse import unquote, urlsplit
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.change import ChangeKind
from connector.domain.connection import Calendar, ConnectionState
from connector.domain.entry import EntryKey, EntryKind
from connector.domain.facts import Fact, OfferSent, SessionBooked, SessionMoved
from connector.domain.notice import PauseReason
from connector.domain.offer import Alternative, Offer
from connector.domain.reconcile import Mirror, MirrorState
from connector.domain.session import Session, SessionState
from connector.domain.span import Span, When
from connector.errors import NotFoundError
from connector.language.offered import ENGLISH_ONLY
from connector.services.policy import Policy
from connector.services.sync import push
from connector.services.sync.push import Picture
from connector.services.views.offers import is_open
from connector.services.views.phrases import PAUSES
from connector.services.views.timeline import Line, line_of, teller_for
from connector.services.views.troubles import of_calendar as troubles_of
from connector.services.views.unread import UnreadView
from connector.services.views.unread import of_calendars as unread_in
from connector.storage import absences, calendars, mirrors, offers, people, questions, sessions, timeline

RECENT = 20  # lines of the timeline, at most


@dataclass(frozen=True, slots=True, kw_only=True)
class Explanation:
    """What one event of ours is.

    Attributes:
        kind: Whether it is a session's own event or a hold.
        what: What it is, in a sentence, with the client's name: for its practitioner and for operators.
        who: Who brought it about, and when.
        stands: What stands in the calendar, as far as it is known, and when that was last looked at.
        follows: What happens to it next, a sentence each.
        unread: What else in its calendar could not be read; None if all could be.
        history: The latest of its session's timeline, oldest first.
    """

    session: Session
    client_name: str
    practitioner_name: str
    calendar: Calendar
    mirror: Mirror
    kind: EntryKind
    what: str
    who: str
    stands: str
    follows: tuple[str, ...]
    unread: UnreadView | None
    history: tuple[Line, ...]


def explain(db: Connection, policy: Policy, word: str, *, now: datetime) -> Sequence[Explanation]:
    """Explain every event that goes by this word: its id, address or UID at its service, or a session's id or UID.

    Raises: NotFoundError if none of ours does, with what it then may be.
    """
    words = dict.fromkeys((word, _path(word), _path(word).rpartition("/")[2]))
    names = [name for one in words for name in (one.removesuffix(".ics"), one) if name]
    events = next((found for name in names if (found := list(mirrors.named(db, name)))), [])
    if not events and (session := sessions.known_as(db, word)) is not None:
        events = list(mirrors.of_session(db, session.id))
    if not events:
        raise NotFoundError(
            "Nothing of ours is called “%(word)s”. An event that Pencilled did not write is not touched by it. Give "
            "the event's id, address or UID as the calendar service tells it, or the id of a session.",
            code="event_not_ours",
            field="word",
            word=word,
        )
    return [_explained(db, policy, calendar_id, mirror, now) for calendar_id, mirror in events]


def _path(word: str) -> str:
    """Return the path of an address with a host, as addresses are stored; what is none as it is."""
    if not word.lower().startswith(("https://", "http://", "webcal://", "caldav://", "caldavs://")):
        return word
    return unquote(urlsplit(word).path)


def _explained(db: Connection, policy: Policy, calendar_id: UUID, mirror: Mirror, now: datetime) -> Explanation:
    session = sessions.get(db, mirror.session_id)
    client = people.client(db, session.client_id).name
    picture = push.picture(db, policy, calendar_id, now=now)
    offer = offers.of_alternative(db, mirror.key.id) if mirror.key.kind is EntryKind.HOLD else None
    alternative = offer.alternative(mirror.key.id) if offer else None
    facts = timeline.of_session(db, session.id)
    causes = [fact for fact in facts if _caused(fact, offer)]
    practitioner = people.practitioner(db, session.practitioner_id)
    teller = teller_for(practitioner, ENGLISH_ONLY)
    cause = line_of(causes[-1], teller) if causes else None
    return Explanation(
        session=session,
        client_name=client,
        practitioner_name=practitioner.name,
        calendar=picture.calendar,
        mirror=mirror,
        kind=mirror.key.kind,
        what=_what(client, session, alternative),
        who=f"{cause.what}, by {cause.who} on {cause.at:%d %B %Y at %H:%M} UTC" if cause else "",
        stands=_stands(db, picture, mirror, session),
        follows=tuple(_follows(db, policy, picture, mirror, session, offer, now)),
        unread=next(iter(unread_in(db, [picture.calendar])), None),
        history=tuple(line_of(fact, teller) for fact in facts[-RECENT:]),
    )


def _caused(fact: Fact, offer: Offer | None) -> bool:
    """Whether this put a session's event where it stands; with an offer, whether it put its holds there."""
    if offer is None:
        return isinstance(fact, SessionBooked | SessionMoved)
    return isinstance(fact, OfferSent) and fact.offer_id == offer.id


def _what(client: str, session: Session, alternative: Alternative | None) -> str:
    if alternative is not None:
        when = alternative.when
        return f"A time offered to {client} instead of their session: {when.local:%A %d %B %Y, %H:%M} ({when.zone})."
    when = session.when
    state = "booked" if session.state is SessionState.BOOKED else "cancelled"
    return f"The session with {client}, {state} for {when.local:%A %d %B %Y, %H:%M} ({when.zone})."


def _stands(db: Connection, picture: Picture, mirror: Mirror, session: Session) -> str:
    """Say what stands in the calendar, which may be something else than what should."""
    content, zone = picture.contents.get(mirror.key), session.when.zone
    actual = _moved_to(db, picture, mirror, session)
    match mirror.state:
        case MirrorState.ABSENT:
            what = "It does not stand in the calendar"
        case MirrorState.UNKNOWN:
            what = "It is not known whether it stands in the calendar as it should"
        case _ if actual is not None:
            what = f"In the calendar it stands at {_local(actual, zone)}"
        case _ if content is not None and mirror.seen == content.fingerprint:
            what = f"In the calendar it stands at {_local(content.span, zone)}, as it should"
        case _:
            what = "It stands in the calendar, otherwise than it should"
    return f"{what}. {_looked(picture.calendar)}"


def _moved_to(db: Connection, picture: Picture, mirror: Mirror, session: Session) -> Span | None:
    """Return where its practitioner has put an event; None if nowhere else."""
    remote_change = picture.remote_changes.get(mirror.key)
    if remote_change is not None:
        return remote_change.actual
    question = questions.open_of(db, session.id)
    is_about_it = question is not None and question.calendar_id == picture.calendar.id
    if question is None or not is_about_it or question.keeps is None or mirror.key.kind is not EntryKind.SESSION:
        return None
    return question.keeps.span


def _local(span: Span, zone: str) -> str:
    return f"{When.of(span, zone=zone).local:%A %d %B %Y, %H:%M} ({zone})"


def _looked(calendar: Calendar) -> str:
    if calendar.read_at is None:
        return "The calendar has not been looked at yet."
    looked = f"The calendar was last looked at on {calendar.read_at:%d %B %Y at %H:%M:%S} UTC"
    if calendar.compared_at is None:
        return f"{looked}, and has not been compared as a whole."
    return f"{looked}, and compared as a whole on {calendar.compared_at:%d %B %Y at %H:%M} UTC."


def _follows(
    db: Connection,
    policy: Policy,
    picture: Picture,
    mirror: Mirror,
    session: Session,
    offer: Offer | None,
    now: datetime,
) -> Iterator[str]:
    if picture.calendar.paused is not None:
        why = PAUSES[PauseReason(picture.calendar.paused)]
        yield f"Nothing is done about this calendar until somebody says how to go on: {why}."
    if calendars.connection(db, picture.calendar.connection_id).state is ConnectionState.ACCESS_LOST:
        yield "The calendar no longer lets us in: nothing changes there until it is reconnected."
    for trouble in troubles_of(db, picture.calendar):
        yield f"The calendar {trouble.sentence}."
    yield from _follows_from_changes(db, policy, picture, mirror, session)
    if mirror.key.kind is EntryKind.SESSION:
        yield from _follows_from_absences(db, session, now)
    content = picture.contents.get(mirror.key)
    if offer is not None and is_open(offer, now) and offer.expires_at and content is not None:
        yield f"It goes once the client has answered, and at the latest on {offer.expires_at:%d %B %Y at %H:%M} UTC."
    elif content is None:
        is_absent = mirror.state is MirrorState.ABSENT
        yield (
            "It is not there any more, and is not wanted."
            if is_absent
            else "It is not wanted any more, and is removed."
        )
    elif mirror.seen == content.fingerprint and mirror.state is MirrorState.PRESENT:
        yield "It is as it should be; it moves when the session does, and is removed when that is cancelled."
    elif mirror.key not in picture.remote_changes and mirror.key not in picture.hidden:
        is_held_up = picture.calendar.paused is not None or picture.calendar.write_fault is not None
        yield ("It is written as soon as that is possible." if is_held_up else ("It is about to be written."))


def _follows_from_changes(
    db: Connection, policy: Policy, picture: Picture, mirror: Mirror, session: Session
) -> Iterator[str]:
    remote_change = picture.remote_changes.get(mirror.key)
    if remote_change is not None:
        done = {ChangeKind.DELETED: "deleted", ChangeKind.MOVED: "moved", ChangeKind.RESHAPED: "changed"}[
            remote_change.kind
        ]
        counts = remote_change.since + policy.settling
        seen = f"{remote_change.since:%d %B %Y at %H:%M:%S} UTC"
        yield f"It was {done} in the calendar on {seen}; that counts from {counts:%H:%M:%S} on."
    question = questions.open_of(db, session.id)
    if question is not None and mirror.key == EntryKey(kind=EntryKind.SESSION, id=session.id):
        doing = {ChangeKind.MOVED: "moving", ChangeKind.DELETED: "deleting"}[question.row.remote_change]
        yield (
            f"The practitioner is asked what {doing} it means, and the question answers itself on "
            f"{question.answers_itself_at:%d %B %Y at %H:%M} UTC."
        )


def _follows_from_absences(db: Connection, session: Session, now: datetime) -> Iterator[str]:
    for absence in absences.open_of_practitioner(db, session.practitioner_id, now=now):
        if session.id in {place.session_id for place in absence.places}:
            yield (
                "The practitioner is asked what becomes of the session, since a calendar says that they are away until "
                f"{absence.span.end:%d %B %Y at %H:%M} UTC; nothing happens unless they decide it."
            )
