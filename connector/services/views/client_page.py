"""What a client is shown on their own page of a session: what stands, what is offered, what happened."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import Connection

from connector.domain.client_mail import ClientMail
from connector.domain.facts import (
    AlternativeMoved,
    AlternativeWithdrawn,
    AnyFact,
    Attendance,
    ClientAnswered,
    ClientWrote,
    Fact,
    LocationChanged,
    MailKind,
    MoveReason,
    OfferLapsed,
    OfferRejected,
    OfferReplaced,
    OfferSent,
    OfferWithdrawn,
    SessionBooked,
    SessionCancelled,
    SessionMoved,
    UnknownFact,
)
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Client, Medium, Practitioner, Role
from connector.domain.session import Session, SessionState
from connector.domain.span import When
from connector.ical.publishing import PublishedEvent
from connector.language import invitations
from connector.language.telling import Teller
from connector.services.policy import Policy
from connector.services.scheduling import answers, session_links, wishes
from connector.services.views import page_states
from connector.services.views.offers import is_open, state_now
from connector.services.views.published import for_client
from connector.storage import client_mails, offers, people, published, timeline
from connector.storage.seal import Seal

MOST = 40  # lines of what happened, the latest


class Happening(StrEnum):
    """What a client is told has happened; its words are the page's."""

    BOOKED = "booked"
    MOVED = "moved"
    CORRECTED = "corrected"
    CHOSEN = "chosen"
    RELOCATED = "relocated"
    CANCELLED = "cancelled"
    OFFERED = "offered"
    OFFER_CHANGED = "offer_changed"
    REJECTED = "rejected"
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"
    WROTE = "wrote"
    SAID_YES = "said_yes"
    SAID_NO = "said_no"
    SAID_MAYBE = "said_maybe"


_SAID = {
    Attendance.ACCEPTED: Happening.SAID_YES,
    Attendance.DECLINED: Happening.SAID_NO,
    Attendance.TENTATIVE: Happening.SAID_MAYBE,
}
_MOVED = {MoveReason.CORRECTION: Happening.CORRECTED, MoveReason.ACCEPTED: Happening.CHOSEN}
_PLAIN: Mapping[type[Fact], Happening] = {
    LocationChanged: Happening.RELOCATED,
    SessionCancelled: Happening.CANCELLED,
    AlternativeMoved: Happening.OFFER_CHANGED,
    AlternativeWithdrawn: Happening.OFFER_CHANGED,
    OfferRejected: Happening.REJECTED,
    OfferLapsed: Happening.LAPSED,
    OfferWithdrawn: Happening.WITHDRAWN,
    OfferReplaced: Happening.WITHDRAWN,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class HistoryLine:
    """One thing that has happened, and nothing of anybody else.

    Attributes:
        at: Aware UTC.
        happening: What.
        by_client: They have done it themselves.
        by_support: Somebody has, on their behalf.
        old: The time before.
        new: The time since; of a booking, its time.
        count: How many times were offered.
    """

    at: datetime
    happening: Happening
    by_client: bool = False
    by_support: bool = False
    old: When | None = None
    new: When | None = None
    count: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class OwnPage:
    """What a client is shown of a session.

    Attributes:
        session: As it stands.
        client: Whose page it is.
        practitioner: Whose session it is.
        came_by: The medium of the link.
        is_over: The session has ended.
        offer: What they are asked; None for nothing.
        answer: The token of the page on which they answer, or say what would suit; empty for none.
        asks_for_words: Nothing is offered any more, and what would suit can still be said.
        history: What happened, the latest first.
        takes_copy: No mail can invite them, so that they may take a copy for their calendar.
        wish: What they have written last that would suit them, while their practitioner has still to decide about it.
        subscription: They have a calendar subscription, or get no mail and can have one.
        cancel: The token by which they cancel; empty where they cannot.
        cancel_until: Until when they can, or could, aware UTC; None if never here.
        version: Another as soon as the page would show something else.
    """

    session: Session
    client: Client
    practitioner: Practitioner
    came_by: Medium
    is_over: bool
    offer: Offer | None
    answer: str
    asks_for_words: bool
    history: tuple[HistoryLine, ...]
    takes_copy: bool
    wish: ClientMail | None
    subscription: bool
    cancel: str
    cancel_until: datetime | None
    version: str

    @property
    def is_booked(self) -> bool:
        """Whether it takes place, or did."""
        return self.session.state is SessionState.BOOKED

    @property
    def replies_to(self) -> str:
        """The address at which their practitioner reads what they write; empty for none."""
        return self.practitioner.replies_to


def own_page(db: Connection, policy: Policy, seal: Seal, token: str, *, now: datetime) -> OwnPage:
    """Return what the link to a client's own page of a session shows: in a few statements, whatever has happened.

    Raises: NotFoundError as `session_links.find` does.
    """
    session, client = session_links.find(db, seal, token, now=now)
    version = page_states.of_own_page(db, policy, session, now=now)  # first: what follows is no older
    came_by, every_offer = session_links.came_by(seal, token), offers.of_session(db, session.id)
    is_over = session.when.span.end <= now
    is_to_come = session.state is SessionState.BOOKED and session.when.span.start > now
    last = _last_sent(every_offer)
    is_asked = last is not None and is_open(last, now) and session.state is SessionState.BOOKED
    facts = timeline.of_session(db, session.id)
    is_over_unanswered = last is not None and state_now(last, now) in (OfferState.REJECTED, OfferState.LAPSED)
    says_more = is_over_unanswered and is_to_come and not wishes.is_moved_since(facts)
    until = session_links.cancel_until(policy, session)
    has_mail = Medium.EMAIL in client.reachable & policy.media
    return OwnPage(
        session=session,
        client=client,
        practitioner=people.practitioner(db, session.practitioner_id),
        came_by=came_by,
        is_over=is_over,
        offer=last if is_asked else None,
        answer=_answer(seal, last, client, came_by) if last is not None and (is_asked or says_more) else "",
        asks_for_words=says_more,
        history=_history(facts),
        takes_copy=is_to_come and not has_mail and not session.published,
        wish=client_mails.open_wish(db, session.id) if is_to_come else None,
        subscription=not client.email or published.of_client(db, client.id) is not None,
        cancel=_cancel(seal, session, client, came_by) if until is not None and now < until else "",
        cancel_until=until,
        version=version,
    )


def own_copy(
    db: Connection, policy: Policy, seal: Seal, token: str, teller: Teller, *, now: datetime
) -> PublishedEvent | None:
    """Return a session as an entry of its client's calendar that will not move; None where a mail can invite them.

    It is the same entry as in an invitation, so that one which comes later takes its place.

    Raises: NotFoundError as `own_page` does.
    """
    page = own_page(db, policy, seal, token, now=now)
    if not page.takes_copy:
        return None
    description = invitations.copy_description(teller, page.practitioner.name, page.session.location)
    return for_client(page.session, teller, page.practitioner.name, description=description)


def _last_sent(every_offer: Sequence[Offer]) -> Offer | None:
    sent = [offer for offer in every_offer if offer.sent_at is not None]
    return max(sent, key=lambda offer: (offer.state is OfferState.OPEN, offer.sent_at), default=None)


def _answer(seal: Seal, offer: Offer, client: Client, came_by: Medium) -> str:
    return seal.token(answers.PURPOSES[came_by], offer.id, reader=client.address(came_by))


def _cancel(seal: Seal, session: Session, client: Client, came_by: Medium) -> str:
    return session_links.cancel_token(seal, session.id, came_by, reader=client.address(came_by))


def _history(facts: Sequence[AnyFact | UnknownFact]) -> tuple[HistoryLine, ...]:
    lines = [line for fact in facts for line in _lines(fact)]
    return tuple(reversed(lines))[:MOST]


def _lines(fact: AnyFact | UnknownFact) -> Iterator[HistoryLine]:
    """Yield what a client is told of something; nothing of what is their practitioner's, of calendars or letters."""
    happening, old, new, count = _told(fact)
    if happening is None:
        return
    yield HistoryLine(
        at=fact.at,
        happening=happening,
        by_client=fact.by.role is Role.CLIENT,
        by_support=fact.by.role is Role.SUPPORT,
        old=old,
        new=new,
        count=count,
    )


def _told(fact: AnyFact | UnknownFact) -> tuple[Happening | None, When | None, When | None, int]:
    """Return what has happened, the time before, the time since, and how many times were offered."""
    match fact:
        case SessionBooked(when=when):
            return Happening.BOOKED, None, when, 0
        case SessionMoved(old=old, new=new, reason=reason):
            return _MOVED.get(reason, Happening.MOVED), old, new, 0
        case OfferSent(alternatives=alternatives):
            return Happening.OFFERED, None, None, len(alternatives)
        case ClientAnswered(answer=answer):
            return _SAID[answer], None, None, 0
        case ClientWrote(trusted=True, mail=kind) if kind is not MailKind.UNPROVED:
            return Happening.WROTE, None, None, 0
        case _:
            return _PLAIN.get(type(fact)), None, None, 0
