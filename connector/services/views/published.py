"""What a program gets that fetches a published calendar, and what its owner is shown of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from hashlib import blake2s
from uuid import uuid5

import msgspec
from sqlalchemy import Connection

from connector.domain.entry import Disclosure, Entry, EntryKind, EntryWords, entries_for
from connector.domain.offer import Offer
from connector.domain.people import Client, Practitioner
from connector.domain.session import Session, SessionState
from connector.errors import NotFoundError
from connector.ical.itip import one_line
from connector.ical.publishing import PublishedEvent
from connector.language import invitations
from connector.language.entries import entry_words
from connector.language.offered import ENGLISH_ONLY, Languages
from connector.language.telling import Teller
from connector.services import publishing
from connector.storage import occupancy, offers, people, published, sessions
from connector.storage.published import PublishedCalendar
from connector.storage.seal import Seal

BEFORE, AFTER = timedelta(days=30), timedelta(days=400)  # what it holds of the past, cancelled ones too; how far ahead
MOST = 1_000  # sessions, the earliest first
RECENTLY, MOST_BUSY = timedelta(days=1), 5_000  # what tells only of busy times holds no more of the past, and so many

_FORM = 1  # of what is written: another one makes every program fetch again


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """What a published calendar holds now; `etag` is the same exactly while all of it is.

    `anonymous`: it tells when somebody is not free, and no more.
    """

    name: str
    events: tuple[PublishedEvent, ...]
    anonymous: bool = False

    @property
    def etag(self) -> str:
        """A digest of it."""
        return blake2s(msgspec.json.encode((_FORM, self)), digest_size=16).hexdigest()


@dataclass(frozen=True, slots=True, kw_only=True)
class PractitionerPage:
    """What a practitioner is shown of the calendar of theirs that is published; None if none is.

    `token` is in its address; empty if the key is gone that this was made with.
    """

    practitioner: Practitioner
    calendar: PublishedCalendar | None
    token: str


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientPage:
    """Likewise of a client, and how many of their sessions to come they have by invitation all the same."""

    client: Client
    calendar: PublishedCalendar | None
    token: str
    invited: int
    practitioner_name: str

    @property
    def locale(self) -> str:
        """Of the client, as of any reader."""
        return self.client.locale

    @property
    def zone(self) -> str:
        """Likewise."""
        return self.client.zone


def content(
    db: Connection, calendar: PublishedCalendar, *, brand: str, now: datetime, languages: Languages = ENGLISH_ONLY
) -> Content:
    """Return what a calendar that is open holds, in its owner's language: in a few statements, however much it is."""
    since, until = now - BEFORE, now + AFTER
    if calendar.client_id is not None:
        client = people.client(db, calendar.client_id)
        own = sessions.to_publish(db, client_id=client.id, since=since, until=until, most=MOST)
        teller = Teller.to(locale=client.locale, zone=client.zone, languages=languages)
        return Content(name=_name(teller, brand), events=tuple(_of_client(db, own, teller)))
    if calendar.practitioner_id is None:
        raise TypeError("a published calendar is somebody's")
    practitioner = people.practitioner(db, calendar.practitioner_id)
    if calendar.name:
        teller = Teller.to(locale=practitioner.locale, zone=practitioner.zone, languages=languages)
        return _busy(db, calendar, practitioner, teller, since=now - RECENTLY, until=until)
    own = sessions.to_publish(db, practitioner_id=practitioner.id, since=since, until=until, most=MOST)
    teller = Teller.to(locale=practitioner.locale, zone=practitioner.zone, languages=languages)
    disclosure = Disclosure(
        session_level=practitioner.session_level if calendar.session_level is None else calendar.session_level,
        hold_level=practitioner.hold_level if calendar.hold_level is None else calendar.hold_level,
    )
    events = _of_practitioner(db, own, practitioner, disclosure, words=entry_words(teller.language))
    return Content(name=_name(teller, brand), events=tuple(events))


@dataclass(frozen=True, slots=True, kw_only=True)
class Fetched:
    """What a program gets: the calendar that it asked for, what it holds, and in whose language."""

    calendar: PublishedCalendar
    content: Content


def fetched(
    db: Connection, token: str, *, brand: str, now: datetime, languages: Languages = ENGLISH_ONLY
) -> Fetched | None:
    """Return what is to be fetched by a token; None if it was revoked.

    Raises: NotFoundError if there is no such calendar, or none any more.
    """
    calendar = published.by_token(db, token)
    if calendar is None:
        raise NotFoundError("There is no such calendar subscription.", code="subscription_unknown")
    if calendar.revoked_at is not None:
        return None
    return Fetched(calendar=calendar, content=content(db, calendar, brand=brand, now=now, languages=languages))


def practitioner_page(db: Connection, seal: Seal, practitioner: Practitioner) -> PractitionerPage:
    """Return what a practitioner is shown."""
    calendar = published.of_practitioner(db, practitioner.id)
    token = publishing.token_of(seal, calendar) if calendar else ""
    return PractitionerPage(practitioner=practitioner, calendar=calendar, token=token)


def client_page(db: Connection, seal: Seal, token: str, *, now: datetime) -> ClientPage:
    """Return what a client is shown who opens the link of a letter.

    Raises: NotFoundError as `publishing.of_link` does.
    """
    session, client = publishing.of_link(db, seal, token, now=now)
    calendar = published.of_client(db, client.id)
    to_come = [one for one in sessions.of_client(db, client.id, since=now) if one.state is SessionState.BOOKED]
    return ClientPage(
        client=client,
        calendar=calendar,
        token=publishing.token_of(seal, calendar) if calendar else "",
        invited=sum(not one.published for one in to_come),
        practitioner_name=people.practitioner(db, session.practitioner_id).name,
    )


def _name(teller: Teller, brand: str) -> str:
    return teller.language.say("Your sessions (%(brand)s)", brand=brand)


def _of_client(db: Connection, own: Sequence[Session], teller: Teller) -> Iterator[PublishedEvent]:
    names = people.practitioner_names(db, [session.practitioner_id for session in own])
    for session in own:
        yield for_client(session, teller, names[session.practitioner_id])


def for_client(session: Session, teller: Teller, practitioner_name: str, *, description: str = "") -> PublishedEvent:
    """Return a session as its client has it in a published calendar: the same entry as in an invitation.

    `description` is what stands below it, where that is something else.
    """
    practitioner = one_line(practitioner_name)
    return PublishedEvent(
        uid=session.uid,
        sequence=session.revision,
        stamp=session.stamp,
        created=session.created_at,
        span=session.when.span,
        summary=invitations.summary(teller, practitioner),
        description=description or invitations.description(teller, practitioner, session.location),
        location=session.location.text,
        organizer=session.organizer,
        organizer_name=practitioner,
        is_cancelled=session.state is SessionState.CANCELLED,
    )


def _of_practitioner(
    db: Connection,
    own: Sequence[Session],
    practitioner: Practitioner,
    disclosure: Disclosure,
    *,
    words: EntryWords,
) -> Iterator[PublishedEvent]:
    """Yield sessions and holds as a connected calendar would show them; none goes by the UID of an invitation."""
    clients = people.client_names(db, [session.client_id for session in own])
    open_offers = {offer.session_id: offer for offer in offers.open_of_practitioner(db, practitioner.id)}
    for session in own:
        stands = session.state is SessionState.BOOKED
        offer = open_offers.get(session.id) if stands else None
        as_booked = replace(session, state=SessionState.BOOKED)
        offered, name = [offer] if offer else [], clients[session.client_id]
        for entry in entries_for(as_booked, offered, name, disclosure, words=words):
            if entry.key.kind is EntryKind.SESSION:
                yield _session(session, entry, practitioner)
            elif offer is not None:
                yield _hold(session, offer, entry, practitioner)


def _busy(
    db: Connection,
    calendar: PublishedCalendar,
    practitioner: Practitioner,
    teller: Teller,
    *,
    since: datetime,
    until: datetime,
) -> Content:
    """Return when a practitioner is not free: sessions and holds alike, with the time that is kept after each.

    Nothing tells one from the other, nor what of one calendar from what of another; a time that moves is another one.
    """
    word = entry_words(teller.language).busy
    kept = occupancy.between(db, practitioner.id, since=since, until=until, most=MOST_BUSY)
    events = (
        PublishedEvent(
            uid=str(uuid5(calendar.id, f"{span.start.isoformat()}/{span.end.isoformat()}")),
            sequence=0,
            stamp=calendar.made_at,
            created=calendar.made_at,
            span=span,
            summary=word,
        )
        for span in dict.fromkeys(span for _session_id, span in kept)
    )
    return Content(name=word, events=tuple(events), anonymous=True)


def _session(session: Session, entry: Entry, practitioner: Practitioner) -> PublishedEvent:
    return PublishedEvent(
        uid=str(uuid5(session.id, "published")),
        sequence=session.revision,
        stamp=session.stamp,
        created=session.created_at,
        span=entry.content.span,
        summary=entry.content.title,
        location=entry.content.location,
        organizer=session.organizer,
        organizer_name=practitioner.name,
        is_cancelled=session.state is SessionState.CANCELLED,
    )


def _hold(session: Session, offer: Offer, entry: Entry, practitioner: Practitioner) -> PublishedEvent:
    """Return a hold; one that is moved is another one, since nobody counts how often that was."""
    sent_at = offer.sent_at or offer.drafted_at
    return PublishedEvent(
        uid=str(uuid5(entry.key.id, entry.content.fingerprint)),
        sequence=0,
        stamp=sent_at,
        created=sent_at,
        span=entry.content.span,
        summary=entry.content.title,
        location=entry.content.location,
        organizer=session.organizer,
        organizer_name=practitioner.name,
        is_tentative=True,
    )
