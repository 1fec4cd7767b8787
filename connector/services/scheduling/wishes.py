"""A client says what would suit them, in words and times, when nothing that is offered does: never more than a wish.

It becomes a mail of theirs that their practitioner decides about, as another time proposed out of a calendar does. The
offer is refused with it only where they say so.
"""

from __future__ import annotations

from collections.abc import Sequence
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection

from connector.domain.answering import AnswerPolicy
from connector.domain.client_mail import ClientMail
from connector.domain.facts import (
    AnyFact,
    MailKind,
    OfferLapsed,
    OfferRejected,
    OfferSent,
    SessionMoved,
    UnknownFact,
)
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Actor, Medium
from connector.domain.session import Session, SessionState, check_future
from connector.domain.span import When
from connector.domain.text import too_long, visible
from connector.errors import OfferClosedError, RuleError
from connector.sentence import Sentence
from connector.services import client_mails
from connector.services.client_mails import Kept
from connector.services.policy import Policy
from connector.services.recording import load
from connector.services.scheduling import answers
from connector.storage import offers, timeline

LONGEST = 500  # characters
MOST = 3  # times
_LASTS = (
    OfferState.OPEN,
    OfferState.REJECTED,
    OfferState.LAPSED,
)  # after these their practitioner looks for another time
_OVER = OfferSent | OfferRejected | OfferLapsed
_WORDS = Sentence("Your words")


def can_be_said(db: Connection, offer: Offer, session: Session, *, now: datetime) -> bool:
    """Whether a client can still say what would suit: of the last offer, while its session is to come and unmoved."""
    if session.state is not SessionState.BOOKED or session.when.span.start <= now or offer.state not in _LASTS:
        return False
    if offer.state is not OfferState.OPEN and is_moved_since(timeline.of_session(db, session.id)):
        return False
    sent = [one for one in offers.of_session(db, session.id) if one.sent_at is not None]
    return all(one.sent_at <= offer.sent_at for one in sent if one.sent_at and offer.sent_at)


def is_moved_since(facts: Sequence[AnyFact | UnknownFact]) -> bool:
    """Whether, by the facts of a session in their order, another time was found since the last offer was over."""
    last = next((fact for fact in reversed(facts) if isinstance(fact, SessionMoved | _OVER)), None)
    return isinstance(last, SessionMoved)


def write(
    db: Connection,
    policy: Policy,
    offer_id: UUID,
    *,
    words: str,
    times: Sequence[When],
    rejects: bool,
    came_by: Medium,
    by: Actor,
    now: datetime,
) -> bool:
    """Have a practitioner told what would suit their client; with `rejects`, that nothing offered does, too.

    Args:
        db: The transaction.
        policy: What proves who answers.
        offer_id: The offer that does not suit; with an open one, a code was shown where one has to be.
        words: Theirs, plain text.
        times: When they could.
        rejects: The offer is refused with it, and its times are free again.
        came_by: The medium of their link.
        by: The client.
        now: Aware UTC.
    Returns: Whether anything was written; rejecting alone tells nothing more.
    Raises: NotFoundError; OfferClosedError; PastSpanError; RuleError for nothing at all, too much, or too often.
        Nothing has changed then.
    """
    asked = offers.get(db, offer_id)
    was_open = asked.state is OfferState.OPEN and asked.expires_at is not None and now < asked.expires_at
    if rejects:
        answers.reject(db, policy, offer_id, by=by, now=now)
    if len(words.strip()) > LONGEST:
        raise too_long(words.strip(), label=_WORDS, field="words", longest=LONGEST)
    words = visible(words, longest=LONGEST)
    if not words and not times:
        if not rejects:
            raise RuleError(
                "Write a line, or a time at which you could. Nothing has been sent.", code="wish_empty", field="words"
            )
        return False
    case, offer = load(db, policy, offers.get(db, offer_id).session_id, now=now), offers.get(db, offer_id)
    if not can_be_said(db, offer, case.session, now=now):
        raise OfferClosedError(
            "This offer is over, so nothing can be written about it here.", code="wish_too_late", state=offer.state
        )
    _check(times, case.session, now)
    wish = ClientMail(
        id=uuid4(),
        session_id=case.session.id,
        practitioner_id=case.practitioner.id,
        kind=MailKind.WISH,
        received_at=now,
        author=case.client.address(came_by).lower(),
        medium=came_by,
        trusted=was_open or policy.answers is not AnswerPolicy.CODE,
        text=words,
        wishes=tuple(When.of(one.span, zone=case.session.when.zone) for one in times),
    )
    if client_mails.keep(db, policy, case.session, wish, now=now, none_suits=rejects) is Kept.TOO_MANY:
        raise RuleError(
            "You have written often today, so this was not sent, and nothing was changed. To say only that nothing "
            "suits you, leave the line and the times empty. Otherwise please try again tomorrow.",
            code="wishes_too_many",
            field="words",
        )
    return True


def _check(times: Sequence[When], session: Session, now: datetime) -> None:
    if len(times) > MOST:
        raise RuleError("Name up to %(most)s times.", code="wishes_too_long", field="times", most=MOST)
    starts = [when.span.start for when in times]
    if len(set(starts)) < len(starts) or session.when.span.start in starts:
        raise RuleError("Name each time once, and not the one that is booked.", code="wish_repeated", field="times")
    for when in times:
        check_future(when, now)
