"""Offers: other times for a session, noted down, looked over, sent, changed and answered.

Whoever changes an offer says which version they have seen. Only who answers for a client does not: they say which time
the client was told, and of several answers the first counts.
"""

from __future__ import annotations

from typing import Any
from uuid import UUID

from sqlalchemy import Connection

from connector.api import problems
from connector.api.call import Answer, Call
from connector.api.offer_bodies import (
    ANSWER,
    DRAFT,
    LATER,
    NAMED_DRAFT,
    NEW_OFFER,
    REPLACEMENT,
    AnswerOfferBody,
    ClosedPart,
    DraftBody,
    MoveAlternativeBody,
    NamedDraftBody,
    NewOfferBody,
    OfferBody,
    OfferList,
    OfferNameBody,
    OfferPreviewBody,
    OffersQuery,
    ReplaceOfferBody,
    SendOfferBody,
    SentOfferBody,
    WithdrawOfferBody,
    body_of,
    preview_of,
    read_alternatives,
    read_window,
    said,
)
from connector.api.routes import Resource
from connector.api.values import check_instant, read_time
from connector.domain.api_key import Scope
from connector.domain.offer import Offer, OfferState
from connector.domain.people import LONGEST_NAME, NAME, Actor, Role
from connector.domain.session import read_reason
from connector.domain.text import one_line
from connector.errors import OfferClosedError, RequestError
from connector.services.scheduling import answers, offers, previews, sessions
from connector.services.scheduling.conflicts import Consent
from connector.services.scheduling.offers import SentOffer
from connector.services.views import booked, offered

_MADE = 201
_TIMES = {"when": "/alternatives", "location": "/alternatives", "window": "/window_seconds"}
_RULES = ("alternative_doubled", "alternative_is_own_time", "time_passed", "session_cancelled")
_DRAFTING = (
    *_RULES,
    "alternative_overlaps",
    "answer_window_out_of_range",
    "window_twice",
    "link_malformed",
    "text_empty",
    "text_too_long",
)
_SENDING = (
    "client_unreachable",
    "calendar_access_lost",
    "target_stopped",
    "target_stopped_by_restore",
    "target_refuses_entries",
    "conflict_in_calendar",
    "time_taken",
)
_CLOSED = (
    "offer_not_sent",
    "offer_discarded",
    "offer_accepted",
    "offer_rejected",
    "offer_booking_cancelled",
    "offer_lapsed",
    "offer_withdrawn",
    "offer_replaced",
)


def _how_closed(error: OfferClosedError) -> ClosedPart:
    """Return how an offer has ended: whoever answers it differently is told what was answered."""
    return ClosedPart(state=error.state, ended_at=error.ended_at, accepted_alternative_id=error.accepted_id)


problems.tells(OfferClosedError, ClosedPart, _how_closed)
resource = Resource("offers", writes=(Scope.OFFERS, Scope.SUPPORT))


@resource.get(
    "/offers",
    scope=Scope.READ,
    query=OffersQuery,
    answers={200: OfferList},
    summary="List offers",
    lists=True,
)
def every(call: Call[None, OffersQuery], db: Connection) -> OfferList:
    """Those that were noted down last come first."""
    query = call.query
    mine = call.within
    if mine is not None and query.practitioner_id not in (None, mine):
        return OfferList(items=[], next=None)
    rows = offered.listed(
        db,
        practitioner_id=mine or query.practitioner_id,
        session_id=query.session_id,
        external_id=query.external_id,
        state=query.state,
        after=call.cursor.after_instant(),
        most=call.cursor.wanted,
        now=call.now,
    )
    shown, following = call.cursor.page(rows, lambda one: (one.drafted_at, one.id))
    return OfferList(items=[body_of(one) for one in shown], next=following)


@resource.get(
    "/offers/<uuid:offer_id>",
    scope=Scope.READ,
    answers={200: OfferBody},
    summary="Read an offer",
    refuses=("offer_not_found",),
)
def show(call: Call[None, None], db: Connection, offer_id: UUID) -> OfferBody:
    """As of now: past its deadline it has lapsed."""
    return body_of(offered.offer(db, offer_id, sees=call.sees, now=call.now))


@resource.post(
    "/sessions/<uuid:session_id>/offers",
    scope=Scope.OFFERS,
    body=NewOfferBody,
    answers={201: OfferBody},
    summary="Draft an offer",
    refuses=("session_not_found", "draft_exists_already", "external_id_taken", *_DRAFTING),
    fields=_TIMES,
    example=NEW_OFFER,
)
def draft(call: Call[NewOfferBody, None], db: Connection, session_id: UUID) -> Answer:
    """Nothing is sent and nothing is held. A session has one draft at most."""
    booked.booked(db, session_id, sees=call.sees)
    return _drafted(call, db, session_id, call.body, external_id=call.body.external_id, instead=call.body.replace)


@resource.put(
    "/offers/by-external-id/<path:external_id>",
    scope=Scope.OFFERS,
    body=NamedDraftBody,
    answers={200: OfferBody, 201: OfferBody},
    summary="Draft an offer, or change the draft, that goes by an external id",
    refuses=(
        "session_not_found",
        "offer_not_found",
        "offer_of_another_session",
        "draft_exists_already",
        "external_id_malformed",
        "offer_sent",
        *_CLOSED,
        *_DRAFTING,
    ),
    fields=_TIMES,
    example=NAMED_DRAFT,
)
def draft_named(call: Call[NamedDraftBody, None], db: Connection, external_id: str) -> Answer:
    """A draft that is so already stays as it is; to change one takes an If-Match."""
    body = call.body
    sessions.locked(db, body.session_id, sees=call.sees)  # somebody else may note it down just now
    before = offered.named(db, external_id, sees=call.sees, now=call.now)
    if before is None:
        return _drafted(call, db, body.session_id, body, external_id=external_id, instead=body.replace)
    if before.session_id != body.session_id:
        raise RequestError(
            "The offer of this external id is about another session. An offer stays with its session.",
            code="offer_of_another_session",
            http=409,
            pointer="/session_id",
        )
    return _changed(call, db, before.id, body, unchanged_without_match=True)


@resource.put(
    "/offers/<uuid:offer_id>",
    scope=Scope.OFFERS,
    body=DraftBody,
    answers={200: OfferBody},
    summary="Change a draft",
    refuses=("offer_not_found", "offer_sent", *_CLOSED, *_DRAFTING),
    fields=_TIMES,
    edits=True,
    example=DRAFT,
)
def redraft(call: Call[DraftBody, None], db: Connection, offer_id: UUID) -> Answer:
    """It stays the same draft: times that it has already keep their ids."""
    _lock(call, db, offer_id)
    return _changed(call, db, offer_id, call.body)


@resource.patch(
    "/offers/<uuid:offer_id>",
    scope=Scope.OFFERS,
    body=OfferNameBody,
    answers={200: OfferBody},
    summary="Change what the host calls an offer",
    refuses=("offer_not_found", "external_id_taken", "external_id_malformed"),
    edits=True,
    example=OfferNameBody(external_id="rearranging-1842"),
)
def rename(call: Call[OfferNameBody, None], db: Connection, offer_id: UUID) -> Answer:
    """However it has ended: nobody is told."""
    _lock(call, db, offer_id)
    offers.rename(db, call.runtime.policy, offer_id, call.body.external_id, now=call.now)
    return _shown(call, db, offer_id)


def _read_for_preview(call: Call[Any, Any], offer_id: UUID) -> None:
    """Have the calendars read that have something to say about the times of a draft."""
    with call.runtime.database.read() as db:
        found = offered.offer(db, offer_id, sees=call.sees, now=call.now)
    if found.state is OfferState.DRAFT:
        call.runtime.read_busy(found.practitioner_id, [one.when for one in found.standing])


def _read_for_sending(call: Call[SendOfferBody, None], offer_id: UUID) -> None:
    """The same, unless it has changed since it was looked at."""
    _match_early(call, offer_id)
    _read_for_preview(call, offer_id)


@resource.post(
    "/offers/<uuid:offer_id>/preview",
    scope=Scope.OFFERS,
    answers={200: OfferPreviewBody},
    summary="Say what sending a draft would do",
    refuses=("offer_not_found", "offer_sent", *_CLOSED),
    prepare=_read_for_preview,
)
def preview(call: Call[None, None], db: Connection, offer_id: UUID) -> OfferPreviewBody:
    """It is found out by what sends it, and nothing of it is done; the calendars are read for it."""
    offered.offer(db, offer_id, sees=call.sees, now=call.now)
    seen = previews.preview(db, call.runtime.policy, offer_id, by=call.by, now=call.now)
    return preview_of(seen, call.language)


@resource.post(
    "/offers/<uuid:offer_id>/send",
    scope=Scope.OFFERS,
    body=SendOfferBody,
    answers={200: SentOfferBody},
    summary="Send a draft",
    refuses=("offer_not_found", "offer_sent", *_CLOSED, *_RULES, *_SENDING),
    prepare=_read_for_sending,
    edits=True,
    example=SendOfferBody(),
)
def send(call: Call[SendOfferBody, None], db: Connection, offer_id: UUID) -> Answer:
    """Its times are held, the client is asked, and the deadline runs. An offer that is still open is replaced."""
    _lock(call, db, offer_id)
    sent = offers.send(
        db, call.runtime.policy, offer_id, by=call.by, now=call.now, consent=_consent(call.body.accept_conflicts)
    )
    return _sent(call, db, sent)


@resource.post(
    "/offers/<uuid:offer_id>/discard",
    scope=Scope.OFFERS,
    answers={200: OfferBody},
    summary="Throw a draft away",
    refuses=("offer_not_found", "offer_sent", *_CLOSED),
    edits=True,
)
def discard(call: Call[None, None], db: Connection, offer_id: UUID) -> Answer:
    """Nobody knew of it."""
    _lock(call, db, offer_id)
    offers.discard(db, call.runtime.policy, offer_id, by=call.by, now=call.now)
    return _shown(call, db, offer_id)


@resource.post(
    "/offers/<uuid:offer_id>/withdraw",
    scope=Scope.OFFERS,
    body=WithdrawOfferBody,
    answers={200: OfferBody},
    summary="Take an open offer back",
    refuses=("offer_not_found", *_CLOSED),
    edits=True,
    example=WithdrawOfferBody(reason="The practitioner is well again"),
)
def withdraw(call: Call[WithdrawOfferBody, None], db: Connection, offer_id: UUID) -> Answer:
    """Its times are free again, the client is told, and the session keeps its time."""
    _lock(call, db, offer_id)
    why = read_reason(call.body.reason)
    offers.withdraw(db, call.runtime.policy, offer_id, by=call.by, now=call.now, why=why)
    return _shown(call, db, offer_id)


def _read_for_replacing(call: Call[ReplaceOfferBody, None], offer_id: UUID) -> None:
    """Have the calendars read before other times are sent."""
    found = _match_early(call, offer_id)
    times = [when for when, _place in read_alternatives(call.body)]
    if found.state is OfferState.OPEN:
        call.runtime.read_busy(found.practitioner_id, times)


@resource.post(
    "/offers/<uuid:offer_id>/replace",
    scope=Scope.OFFERS,
    body=ReplaceOfferBody,
    answers={201: SentOfferBody},
    summary="Send other times in place of an open offer",
    refuses=(
        "offer_not_found",
        "draft_exists_already",
        "external_id_taken",
        *_CLOSED,
        *_DRAFTING,
        *_SENDING,
    ),
    fields=_TIMES,
    prepare=_read_for_replacing,
    edits=True,
    example=REPLACEMENT,
)
def replace(call: Call[ReplaceOfferBody, None], db: Connection, offer_id: UUID) -> Answer:
    """In one act: what both hold is never free meanwhile, and the earlier links can change nothing."""
    _lock(call, db, offer_id)
    body = call.body
    sent = offers.send_instead(
        db,
        call.runtime.policy,
        offer_id,
        read_alternatives(body),
        by=call.by,
        now=call.now,
        window=read_window(body),
        external_id=body.external_id,
        instead=body.replace,
        consent=_consent(body.accept_conflicts),
    )
    return _sent(call, db, sent, status=_MADE)


@resource.post(
    "/offers/<uuid:offer_id>/alternatives/<uuid:alternative_id>/withdraw",
    scope=Scope.OFFERS,
    answers={200: OfferBody},
    summary="Take one offered time back",
    refuses=("offer_not_found", "alternative_not_found", *_CLOSED),
    edits=True,
)
def withdraw_one(call: Call[None, None], db: Connection, offer_id: UUID, alternative_id: UUID) -> Answer:
    """The last one takes the offer with it; one that was taken back stays so."""
    _lock(call, db, offer_id)
    offers.withdraw_alternative(db, call.runtime.policy, offer_id, alternative_id, by=call.by, now=call.now)
    return _shown(call, db, offer_id)


def _read_for_moving(call: Call[MoveAlternativeBody, None], offer_id: UUID, alternative_id: UUID) -> None:
    """Have the calendars read before an offered time is moved."""
    found = _match_early(call, offer_id)
    new = read_time(call.body.time, at="/time")
    if found.state is OfferState.OPEN and found.alternative(alternative_id).when != new:
        call.runtime.read_busy(found.practitioner_id, [new])


@resource.post(
    "/offers/<uuid:offer_id>/alternatives/<uuid:alternative_id>/move",
    scope=Scope.OFFERS,
    body=MoveAlternativeBody,
    answers={200: OfferBody},
    summary="Move one offered time",
    refuses=(
        "offer_not_found",
        "alternative_not_found",
        "alternative_withdrawn_unmovable",
        "conflict_in_calendar",
        "time_taken",
        *_CLOSED,
        *_RULES,
    ),
    fields={"when": "/time", "alternatives": "/time"},
    prepare=_read_for_moving,
    edits=True,
    example=MoveAlternativeBody(time=LATER),
)
def move(call: Call[MoveAlternativeBody, None], db: Connection, offer_id: UUID, alternative_id: UUID) -> Answer:
    """The client is told, and the deadline stays. A calendar of which nobody knows has to be accepted here, too."""
    _lock(call, db, offer_id)
    offers.move_alternative(
        db,
        call.runtime.policy,
        offer_id,
        alternative_id,
        read_time(call.body.time, at="/time"),
        by=call.by,
        now=call.now,
        consent=Consent(each=frozenset(call.body.accept_conflicts)),
    )
    return _shown(call, db, offer_id)


@resource.post(
    "/offers/<uuid:offer_id>/answer",
    scope=Scope.SUPPORT,
    body=AnswerOfferBody,
    answers={200: OfferBody},
    summary="Answer for a client who cannot",
    refuses=(
        "offer_not_found",
        "alternative_not_found",
        "alternative_withdrawn",
        "alternative_moved",
        "choice_incomplete",
        "time_passed",
        "time_taken",
        *_CLOSED,
    ),
    fields={"alternative": "/alternative_id", "when": "/alternative_id"},
    example=ANSWER,
)
def answer(call: Call[AnswerOfferBody, None], db: Connection, offer_id: UUID) -> Answer:
    """As the client would, with the same end; a time may be chosen after a lapse, too, while it is free.

    The same answer again changes nothing; another one is refused, and told what was answered first.
    """
    offered.offer(db, offer_id, sees=call.sees, now=call.now)
    body, policy = call.body, call.runtime.policy
    by = Actor(
        role=Role.SUPPORT,
        name=one_line(body.name, label=NAME, field="name", longest=LONGEST_NAME),
        reason=read_reason(body.reason),
    )
    if body.answer == "accept":
        if body.alternative_id is None or body.shown is None:
            raise RequestError(
                "Say which time is chosen, and when it began as the client was told it.",
                code="choice_incomplete",
                http=422,
                pointer="/shown" if body.alternative_id else "/alternative_id",
            )
        shown = check_instant(body.shown, at="/shown")
        answers.accept(db, policy, offer_id, body.alternative_id, by=by, now=call.now, shown=shown)
    elif body.answer == "reject":
        answers.reject(db, policy, offer_id, by=by, now=call.now)
    else:
        answers.cancel_booking(db, policy, offer_id, by=by, now=call.now)
    return _shown(call, db, offer_id)


def _match_early(call: Call[Any, Any], offer_id: UUID) -> Offer:
    """See that an offer is the version that is meant before any calendar is read; `_lock` does so again."""
    with call.runtime.database.read() as db:
        found = offered.offer(db, offer_id, sees=call.sees, now=call.now)
    call.match(found.version)
    return found


def _lock(call: Call[Any, Any], db: Connection, offer_id: UUID) -> Offer:
    """Let nobody else decide about an offer until this act has ended, and see that it is the version that is meant."""
    offered.offer(db, offer_id, sees=call.sees, now=call.now)
    found = offers.locked(db, call.runtime.policy, offer_id, now=call.now)
    call.match(found.version)
    return found


def _drafted(
    call: Call[Any, Any],
    db: Connection,
    session_id: UUID,
    body: DraftBody,
    *,
    external_id: str | None,
    instead: bool,
) -> Answer:
    made = offers.draft(
        db,
        call.runtime.policy,
        session_id,
        read_alternatives(body),
        by=call.by,
        now=call.now,
        window=read_window(body),
        external_id=external_id,
        instead=instead,
    )
    return _shown(call, db, made.id, status=_MADE)


def _changed(
    call: Call[Any, Any], db: Connection, offer_id: UUID, body: DraftBody, *, unchanged_without_match: bool = False
) -> Answer:
    """Put into a draft what is sent; `unchanged_without_match`: no If-Match is needed for what is so already."""
    before = offers.locked(db, call.runtime.policy, offer_id, now=call.now)
    changed = offers.redraft(
        db,
        call.runtime.policy,
        offer_id,
        read_alternatives(body),
        by=call.by,
        now=call.now,
        window=read_window(body),
    )
    if unchanged_without_match and (changed != before or call.expected is not None):
        call.match(before.version)  # what was done is undone if it is not what they have seen
    return _shown(call, db, offer_id)


def _shown(call: Call[Any, Any], db: Connection, offer_id: UUID, *, status: int = 200) -> Answer:
    found = offered.offer(db, offer_id, sees=call.sees, now=call.now)
    return Answer(body=body_of(found), status=status, location=f"/offers/{offer_id}" if status == _MADE else "")


def _sent(call: Call[Any, Any], db: Connection, sent: SentOffer, *, status: int = 200) -> Answer:
    found = offered.offer(db, sent.offer.id, sees=call.sees, now=call.now)
    return Answer(
        body=SentOfferBody(offer=body_of(found), warnings=said(sent.warnings, call.language)),
        status=status,
        etag=str(found.version),
        location=f"/offers/{found.id}" if status == _MADE else "",
    )


def _consent(accepted: tuple[str, ...]) -> Consent:
    """Return what is offered over knowingly; a calendar that cannot be read keeps nothing from being sent."""
    return Consent(each=frozenset(accepted), unread=True)
