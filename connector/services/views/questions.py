"""What a practitioner sees of a question about something they did in their calendar."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.facts import PractitionerAnswered, QuestionDropped
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Client, Practitioner, Role
from connector.domain.question import Question, QuestionState
from connector.domain.session import Session
from connector.errors import NotFoundError
from connector.language.offered import ENGLISH_ONLY, Languages
from connector.services.scheduling.questions import find
from connector.services.views.offers import is_open
from connector.services.views.timeline import Line, line_of, teller_for
from connector.storage import calendars, offers, people, questions, sessions, timeline
from connector.storage.seal import Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionPage:
    """What a practitioner sees of a question.

    Attributes:
        state: As of now: a question about an offer that has ended is dropped, even before that is recorded.
        calendar: The name of the calendar in which it was done; empty if it is disconnected.
        offer: The offer that is open, if there is one.
        ended: Who decided it, and when; None while it is open, or if that is not recorded yet.
        by_itself: Nobody decided it; the clock did.
        dropped: What has decided it instead of its practitioner; empty if nothing has.
        newer: The question about the same session that is open instead.
    """

    question: Question
    state: QuestionState
    session: Session
    client: Client
    practitioner: Practitioner
    calendar: str
    offer: Offer | None
    ended: Line | None
    by_itself: bool
    dropped: str
    newer: Question | None

    @property
    def is_open(self) -> bool:
        """Whether it waits for an answer."""
        return self.state is QuestionState.OPEN


def question_page(
    db: Connection, seal: Seal, token: str, *, now: datetime, languages: Languages = ENGLISH_ONLY
) -> QuestionPage:
    """Return what the link in a question's letter shows.

    Raises: NotFoundError if the link is none of ours, or the question ended more than 90 days ago.
    """
    question = find(db, seal, token, now=now)
    session = sessions.get(db, question.session_id)
    offer = _open_offer(db, session.id, now)
    end = _end_of(db, question)
    practitioner = people.practitioner(db, question.practitioner_id)
    return QuestionPage(
        question=question,
        state=_state(question, offer),
        session=session,
        client=people.client(db, session.client_id),
        practitioner=practitioner,
        calendar=_calendar_name(db, question.calendar_id),
        offer=offer,
        ended=line_of(end, teller_for(practitioner, languages)) if end else None,
        by_itself=end is not None and end.by.role is Role.CLOCK,
        dropped=end.dropped.value if isinstance(end, QuestionDropped) else "",
        newer=_newer(db, question),
    )


def _open_offer(db: Connection, session_id: UUID, now: datetime) -> Offer | None:
    offer = offers.in_state(db, session_id, OfferState.OPEN)
    return offer if offer is not None and is_open(offer, now) else None


def _state(question: Question, open_offer: Offer | None) -> QuestionState:
    if not question.is_open or question.offer_id is None:
        return question.state
    about = open_offer is not None and open_offer.id == question.offer_id
    return QuestionState.OPEN if about else QuestionState.DROPPED


def _newer(db: Connection, question: Question) -> Question | None:
    newer = questions.open_of(db, question.session_id)
    return newer if newer is not None and newer.id != question.id else None


def _calendar_name(db: Connection, calendar_id: UUID) -> str:
    try:
        return calendars.calendar(db, calendar_id).name
    except NotFoundError:
        return ""


def _end_of(db: Connection, question: Question) -> PractitionerAnswered | QuestionDropped | None:
    for fact in reversed(timeline.of_session(db, question.session_id)):
        if isinstance(fact, PractitionerAnswered | QuestionDropped) and fact.question_id == question.id:
            return fact
    return None
