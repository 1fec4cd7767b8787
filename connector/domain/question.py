"""A question to the practitioner: what did you mean by what you did in your calendar? No client is told first.

A new kind is a member of QuestionKind, a row in ROWS, the notice that asks it, and its texts: a sentence in the
timeline and the words of its page. A test holds each row complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import Enum, StrEnum
from uuid import UUID, uuid4

from connector.domain.change import ChangeKind
from connector.domain.facts import (
    Answer,
    Dropped,
    Fact,
    PractitionerAnswered,
    PractitionerAsked,
    QuestionDropped,
    QuestionKind,
)
from connector.domain.notice import NoticeKind
from connector.domain.people import CLOCK, Actor
from connector.domain.session import Session
from connector.domain.span import When
from connector.errors import QuestionClosedError, RuleError


class QuestionState(StrEnum):
    """Where a question stands; every state but open is final."""

    OPEN = "open"
    ANSWERED = "answered"
    DROPPED = "dropped"  # something else decided it: moved back, moved again, changed on a page, the offer ended


class Delay(Enum):
    """After how long a question answers itself; the installation's policy says how long that is."""

    MOVE_ANSWER = "move_answer"
    DELETE_ANSWER = "delete_answer"
    OPEN_OFFER = "open_offer"  # with the offer it is about


class Meanwhile(Enum):
    """Where a session's event stands while its practitioner is asked about it."""

    STAYS = "stays"  # where they put it; that time is kept free beside the session's own
    REVERTED = "reverted"  # where the client has it
    GONE = "gone"  # nowhere: they deleted it


@dataclass(frozen=True, slots=True, kw_only=True)
class QuestionRow:
    """One kind of question.

    Attributes:
        remote_change: What they did to the session's event: MOVED or DELETED.
        default: The answer that is chosen for them after the `delay`.
        others: What else they can answer.
        notice: What asks it by mail.
        entry: What becomes of the event until it is answered.
        about_offer: It is about the open offer, and ends with it.
        dropped_by: What they can do to the same event that decides it.
    """

    kind: QuestionKind
    remote_change: ChangeKind
    default: Answer
    others: tuple[Answer, ...]
    delay: Delay
    notice: NoticeKind
    entry: Meanwhile
    about_offer: bool = False
    dropped_by: tuple[Dropped, ...] = ()

    @property
    def answers(self) -> tuple[Answer, ...]:
        """What can be answered, first that which happens by itself."""
        return (self.default, *self.others)


ROWS = (
    QuestionRow(
        kind=QuestionKind.MOVED,
        remote_change=ChangeKind.MOVED,
        default=Answer.ASK_CLIENT,
        others=(Answer.AGREED, Answer.REVERT),
        delay=Delay.MOVE_ANSWER,
        notice=NoticeKind.MOVE_ASKED,
        entry=Meanwhile.STAYS,
        dropped_by=(Dropped.MOVED_BACK, Dropped.CANNOT_STAND),
    ),
    QuestionRow(
        kind=QuestionKind.REPLACE,
        remote_change=ChangeKind.MOVED,
        default=Answer.LEAVE,
        others=(Answer.REPLACE,),
        delay=Delay.OPEN_OFFER,
        notice=NoticeKind.REPLACE_ASKED,
        entry=Meanwhile.REVERTED,
        about_offer=True,
    ),
    QuestionRow(
        kind=QuestionKind.DELETED,
        remote_change=ChangeKind.DELETED,
        default=Answer.REVERT,
        others=(Answer.CANCEL, Answer.OFFER_OTHERS),
        delay=Delay.DELETE_ANSWER,
        notice=NoticeKind.DELETE_ASKED,
        entry=Meanwhile.GONE,
        dropped_by=(Dropped.BROUGHT_BACK, Dropped.CANNOT_STAND),
    ),
)
QUESTIONS: Mapping[QuestionKind, QuestionRow] = {row.kind: row for row in ROWS}


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """What the practitioner is asked about one session; a session has one open question at most.

    Attributes:
        calendar_id: Where it was done.
        moved_to: Where they put it; None for DELETED.
        offer_id: The open offer a REPLACE question is about.
        answers_itself_at: When the default is chosen for them, aware UTC.
        answer: What was chosen, by them or for them.
    """

    id: UUID
    session_id: UUID
    practitioner_id: UUID
    calendar_id: UUID
    kind: QuestionKind
    asked_at: datetime
    answers_itself_at: datetime
    moved_to: When | None = None
    offer_id: UUID | None = None
    state: QuestionState = QuestionState.OPEN
    answer: Answer | None = None
    ended_at: datetime | None = None

    @property
    def is_open(self) -> bool:
        """Whether it waits for an answer."""
        return self.state is QuestionState.OPEN

    @property
    def row(self) -> QuestionRow:
        """What holds of every question of its kind."""
        return QUESTIONS[self.kind]

    @property
    def keeps(self) -> When | None:
        """The time kept free beside the session's own until it is answered."""
        return self.moved_to if self.is_open and self.row.entry is Meanwhile.STAYS else None


def ask(
    session: Session,
    kind: QuestionKind,
    *,
    calendar_id: UUID,
    now: datetime,
    within: timedelta,
    moved_to: When | None = None,
    offer_id: UUID | None = None,
) -> tuple[Question, Fact]:
    """Ask what was meant; the default is chosen after `within`."""
    question = Question(
        id=uuid4(),
        session_id=session.id,
        practitioner_id=session.practitioner_id,
        calendar_id=calendar_id,
        kind=kind,
        asked_at=now,
        answers_itself_at=now + within,
        moved_to=moved_to,
        offer_id=offer_id,
    )
    fact = PractitionerAsked(
        at=now,
        by=CLOCK,
        session_id=session.id,
        offer_id=offer_id,
        question_id=question.id,
        question=kind,
        moved_to=moved_to,
        answers_itself_at=question.answers_itself_at,
    )
    return question, fact


def answer(question: Question, chosen: Answer, *, by: Actor, now: datetime) -> tuple[Question, Fact]:
    """Take an answer; what follows from it is the caller's.

    Raises: QuestionClosedError if it has ended; RuleError for an answer to another question.
    """
    check_open(question)
    if chosen not in question.row.answers:
        raise RuleError(
            "This question has other answers. Choose one of those that the page offers.",
            code="answer_to_other_question",
        )
    new_question = replace(question, state=QuestionState.ANSWERED, answer=chosen, ended_at=now)
    return new_question, PractitionerAnswered(
        at=now,
        by=by,
        session_id=question.session_id,
        offer_id=question.offer_id,
        question_id=question.id,
        question=question.kind,
        answer=chosen,
    )


def drop(question: Question, dropped: Dropped, *, by: Actor, now: datetime) -> tuple[Question, Fact]:
    """End a question that something else has decided."""
    new_question = replace(question, state=QuestionState.DROPPED, ended_at=now)
    return new_question, QuestionDropped(
        at=now,
        by=by,
        session_id=question.session_id,
        offer_id=question.offer_id,
        question_id=question.id,
        dropped=dropped,
    )


def check_open(question: Question) -> None:
    """Raise QuestionClosedError unless it waits for an answer."""
    if question.state is QuestionState.ANSWERED:
        raise QuestionClosedError("This question has been answered already.", code="question_answered")
    if question.state is QuestionState.DROPPED:
        raise QuestionClosedError(
            "This question no longer stands: the session or its entry has been changed since.",
            code="question_dropped",
        )
