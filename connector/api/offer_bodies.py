"""What is said and answered about offers."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime, timedelta, timezone
from typing import Annotated, Literal
from uuid import UUID

import msgspec
from msgspec import Meta

from connector.api.findings import AcceptedIds, ConflictBody, conflicts_of
from connector.api.places import LocationBody, read_location, written_location
from connector.api.values import ExternalId, Line, MaybeLine, PageQuery, SoughtId, Time, read_time, written_time
from connector.domain.connection import Calendar
from connector.domain.offer import LONGEST_WINDOW, MOST_ALTERNATIVES, Alternative, Offer, OfferState
from connector.domain.people import Medium
from connector.domain.session import Location, LocationKind
from connector.domain.span import When, zone_named
from connector.errors import RequestError
from connector.language.catalogues import Language
from connector.sentence import Sentence
from connector.services.scheduling.previews import Hold, Preview

_SECONDS, _HOURS = int(LONGEST_WINDOW.total_seconds()), LONGEST_WINDOW // timedelta(hours=1)
WindowHours = Annotated[int, Meta(ge=1, le=_HOURS)]
WindowSeconds = Annotated[int, Meta(ge=1, le=_SECONDS)]


class AlternativeBody(msgspec.Struct, frozen=True, kw_only=True):
    """One offered time.

    Attributes:
        location: A place of its own; null for that of the session.
        withdrawn: Whether it was taken back, and cannot be chosen any more.
    """

    id: UUID
    time: Time
    location: LocationBody | None
    withdrawn: bool


class OfferBody(msgspec.Struct, frozen=True, kw_only=True):
    """The question to a client which of several times suits.

    Attributes:
        state: A draft is known to nobody and holds nothing; an open offer holds its times until `expires_at`.
        window_seconds: How long the client has to answer, from sending.
        accepted_alternative_id: The time that was chosen.
    """

    id: UUID
    external_id: str | None
    version: int
    created_at: datetime
    session_id: UUID
    practitioner_id: UUID
    state: OfferState
    alternatives: list[AlternativeBody]
    window_seconds: int
    sent_at: datetime | None
    expires_at: datetime | None
    ended_at: datetime | None
    accepted_alternative_id: UUID | None


class OfferList(msgspec.Struct, frozen=True, kw_only=True):
    """A page of offers, those that were noted down last first."""

    items: list[OfferBody]
    next: str | None


class OffersQuery(PageQuery, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Which offers are listed."""

    session_id: UUID | None = None
    practitioner_id: UUID | None = None
    state: OfferState | None = None
    external_id: SoughtId | None = None


class NewAlternativeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One time to offer; without a location it takes place where the session does."""

    time: Time
    location: LocationBody | None = None


Alternatives = Annotated[list[NewAlternativeBody], Meta(min_length=1, max_length=MOST_ALTERNATIVES)]


class DraftBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a draft is to be: its times, and how long the client has to answer; the installation's setting otherwise."""

    alternatives: Alternatives
    window_hours: WindowHours | None = None
    window_seconds: WindowSeconds | None = None


class NewOfferBody(DraftBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A draft for a session; `replace` throws an earlier draft of that session away."""

    external_id: ExternalId | None = None
    replace: bool = False


class NamedDraftBody(DraftBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A draft that the host calls by a name of its own; `replace` throws an earlier draft of that session away."""

    session_id: UUID
    replace: bool = False


class OfferNameBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What the host calls an offer; null for nothing."""

    external_id: ExternalId | None


class SendOfferBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is known to stand at these times and is offered over all the same: the ids of conflicts, as shown."""

    accept_conflicts: AcceptedIds = ()


class ReplaceOfferBody(NewOfferBody, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What is sent in place of an open offer; `replace` throws a draft of the session away, too."""

    accept_conflicts: AcceptedIds = ()


class SentOfferBody(msgspec.Struct, frozen=True, kw_only=True):
    """An offer that was sent, and what its practitioner should know about it."""

    offer: OfferBody
    warnings: list[str]


class WithdrawOfferBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Why an offer is taken back: for the timeline, the client is not told."""

    reason: MaybeLine = ""


class MoveAlternativeBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Where an offered time is moved to; the deadline stays."""

    time: Time
    accept_conflicts: AcceptedIds = ()


class AnswerOfferBody(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What a client answers who cannot answer themselves.

    Attributes:
        answer: They choose a time, none of them suits, or they cancel the session.
        alternative_id: The time that they choose.
        shown: When it began as they were told it, with an offset; if it has moved since, nothing is accepted.
        name: Of whoever answers for them.
        reason: Why they do.
    """

    answer: Literal["accept", "reject", "cancel"]
    name: Line
    reason: Line
    alternative_id: UUID | None = None
    shown: datetime | None = None


class ClosedPart(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Beside a refusal because an offer has ended.

    Attributes:
        state: How it has ended.
        ended_at: When, where that is known.
        accepted_alternative_id: The time that was chosen, if one was.
    """

    state: str
    ended_at: datetime | None = None
    accepted_alternative_id: UUID | None = None


class HoldBody(msgspec.Struct, frozen=True, kw_only=True):
    """A time that would be kept free, until `kept_until`: the practitioner's buffer is part of it."""

    alternative_id: UUID
    time: Time
    kept_until: datetime


class ToldBody(msgspec.Struct, frozen=True, kw_only=True):
    """Who would be told, and by what: nobody who cannot be reached by anything."""

    client_id: UUID
    media: list[Medium]


class ShownInBody(msgspec.Struct, frozen=True, kw_only=True):
    """A calendar in which the times would be shown, and what keeps it from that just now; null for nothing."""

    connection_id: UUID
    calendar: str
    trouble: str | None


class OfferRefusalBody(msgspec.Struct, frozen=True, kw_only=True):
    """Why an offer would not be sent."""

    code: str
    detail: str


class OfferPreviewBody(msgspec.Struct, frozen=True, kw_only=True):
    """What sending a draft would do now; nothing of it has been done.

    Attributes:
        would_be_sent: Whether nothing is among `refusals`. A conflict has to be accepted besides; a blind spot is told.
        holds: The times that would be kept free.
        expires_at: Until when the client could answer.
        shown_in: The calendars in which the times would be shown.
        conflicts: What stands at these times in other calendars, and the calendars of which nobody knows.
        warnings: What sending would warn of.
        refusals: Why it would not be sent.
        replaces: The open offer that would end with it.
    """

    would_be_sent: bool
    holds: list[HoldBody]
    expires_at: datetime | None
    told: list[ToldBody]
    shown_in: list[ShownInBody]
    conflicts: list[ConflictBody]
    warnings: list[str]
    refusals: list[OfferRefusalBody]
    replaces: UUID | None


_CET = timezone(timedelta(hours=1))
SOONER = Time(
    start=datetime(2031, 12, 2, 10, tzinfo=_CET), end=datetime(2031, 12, 2, 10, 50, tzinfo=_CET), zone="Europe/Berlin"
)
LATER = Time(
    start=datetime(2031, 12, 3, 16, 30, tzinfo=_CET),
    end=datetime(2031, 12, 3, 17, 20, tzinfo=_CET),
    zone="Europe/Berlin",
)
_TIMES = [
    NewAlternativeBody(time=SOONER),
    NewAlternativeBody(
        time=LATER, location=LocationBody(kind=LocationKind.ONLINE, text="https://meet.example.org/kim-noor")
    ),
]
DRAFT = DraftBody(alternatives=_TIMES, window_hours=24)
NEW_OFFER = NewOfferBody(alternatives=_TIMES, window_hours=24, external_id="rearranging-1842")
NAMED_DRAFT = NamedDraftBody(session_id=UUID("0b9f6a5e-3c1d-4a57-9a0e-6a1d1f5f7c21"), alternatives=_TIMES)
REPLACEMENT = ReplaceOfferBody(alternatives=_TIMES, external_id="rearranging-1843")
ANSWER = AnswerOfferBody(
    answer="accept",
    alternative_id=UUID("5d0b7a0c-9f1e-4b7e-8a55-3f2d0c4e9b10"),
    shown=SOONER.start,
    name="Robin of the help desk",
    reason="Called, cannot open the link",
)


def body_of(offer: Offer) -> OfferBody:
    """Return an offer as it is answered."""
    return OfferBody(
        id=offer.id,
        external_id=offer.external_id,
        version=offer.version,
        created_at=offer.drafted_at,
        session_id=offer.session_id,
        practitioner_id=offer.practitioner_id,
        state=offer.state,
        alternatives=[_alternative(one) for one in offer.alternatives],
        window_seconds=int(offer.window.total_seconds()),
        sent_at=offer.sent_at,
        expires_at=offer.expires_at,
        ended_at=offer.ended_at,
        accepted_alternative_id=offer.accepted_id,
    )


def preview_of(preview: Preview, language: Language) -> OfferPreviewBody:
    """Return what sending would do, as it is answered."""
    reaches = bool(preview.media)
    return OfferPreviewBody(
        would_be_sent=not preview.refusals,
        holds=[_hold(hold) for hold in preview.holds],
        expires_at=preview.offer.expires_at,
        told=[ToldBody(client_id=preview.client.id, media=list(preview.media))] if reaches else [],
        shown_in=[_shown_in(calendar, language) for calendar in preview.calendars],
        conflicts=conflicts_of(preview.findings.each),
        warnings=said(preview.warnings, language),
        refusals=[OfferRefusalBody(code=one.code, detail=language.refusal(one)) for one in preview.refusals],
        replaces=preview.replaces,
    )


def said(sentences: Sequence[Sentence], language: Language) -> list[str]:
    """Return sentences in a language."""
    return [language.sentence(sentence) for sentence in sentences]


def read_alternatives(body: DraftBody) -> list[tuple[When, Location | None]]:
    """Return the times to offer, each with a place of its own if it has one.

    Raises: RequestError that leads to the one that cannot be.
    """
    return [
        (
            read_time(one.time, at=f"/alternatives/{n}/time"),
            read_location(one.location) if one.location else None,
        )
        for n, one in enumerate(body.alternatives)
    ]


def read_window(body: DraftBody) -> timedelta | None:
    """Return how long a client has to answer; None for the usual.

    Raises: RequestError if it is said twice.
    """
    if body.window_hours is not None and body.window_seconds is not None:
        raise RequestError(
            "Say how long the client has to answer in hours or in seconds, and not in both.",
            code="window_twice",
            http=422,
            pointer="/window_hours",
        )
    if body.window_hours is not None:
        return timedelta(hours=body.window_hours)
    return timedelta(seconds=body.window_seconds) if body.window_seconds is not None else None


def _alternative(one: Alternative) -> AlternativeBody:
    return AlternativeBody(
        id=one.id,
        time=written_time(one.when),
        location=written_location(one.location) if one.location else None,
        withdrawn=one.withdrawn,
    )


def _hold(hold: Hold) -> HoldBody:
    when = hold.alternative.when
    return HoldBody(
        alternative_id=hold.alternative.id,
        time=written_time(when),
        kept_until=hold.span.end.astimezone(zone_named(when.zone)),
    )


def _shown_in(calendar: Calendar, language: Language) -> ShownInBody:
    trouble = calendar.trouble or calendar.read_trouble
    return ShownInBody(
        connection_id=calendar.connection_id,
        calendar=calendar.name,
        trouble=language.sentence(trouble) if trouble else None,
    )
