"""A mail, or text, that a client has written about a session, as its practitioner sees it, and what they decide.

Nothing in it happens by itself. What is proved to be theirs and clear is a fact already (`ClientAnswered`); here stands
what a person has to read, or to decide: words, an answer that nobody vouches for or that may be earlier than another,
another time that they would like, and what follows once they have declined.

A new kind is a member of MailKind, a row in ROWS, the notice that tells of it, and its texts: a sentence in the
timeline and the words of its page. A test holds each row complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from connector.domain.facts import (
    Attendance,
    Doubt,
    Fact,
    FlagCleared,
    MailChoice,
    MailDecided,
    MailKind,
    OfferSent,
    SessionCancelled,
    SessionMoved,
)
from connector.domain.notice import NoticeKind
from connector.domain.people import Actor, Medium
from connector.domain.span import When
from connector.errors import QuestionClosedError, RuleError


class MailState(StrEnum):
    """Where a mail stands; every state but open is final."""

    SHOWN = "shown"  # there is nothing to decide
    OPEN = "open"
    DECIDED = "decided"
    OVERTAKEN = "overtaken"  # by a later mail, or by what was decided about its session


@dataclass(frozen=True, slots=True, kw_only=True)
class MailRow:
    """One kind of mail.

    Attributes:
        choices: What can be decided, that first which does what the client says.
        notice: What tells the practitioner of it.
    """

    kind: MailKind
    choices: tuple[MailChoice, ...]
    notice: NoticeKind


ROWS = (
    MailRow(kind=MailKind.WORDS, choices=(), notice=NoticeKind.CLIENT_WROTE),
    MailRow(kind=MailKind.UNPROVED, choices=(MailChoice.TAKE, MailChoice.DISMISS), notice=NoticeKind.ANSWER_UNPROVED),
    MailRow(
        kind=MailKind.PROPOSAL,
        choices=(MailChoice.AGREE, MailChoice.REFUSE, MailChoice.DISMISS),
        notice=NoticeKind.CLIENT_PROPOSED,
    ),
    MailRow(kind=MailKind.DECLINED, choices=(MailChoice.CANCEL, MailChoice.KEEP), notice=NoticeKind.CLIENT_DECLINED),
    MailRow(kind=MailKind.WISH, choices=(MailChoice.AGREE, MailChoice.DISMISS), notice=NoticeKind.CLIENT_WISHED),
)
MAILS: Mapping[MailKind, MailRow] = {row.kind: row for row in ROWS}
TOLD = frozenset({MailChoice.AGREE, MailChoice.REFUSE, MailChoice.CANCEL})  # the client is: so it is asked once more


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientMail:
    """What a client, or somebody in their name, has written about one session.

    Attributes:
        medium: By which it came. Texts are words and nothing else: they are kept here as mails are.
        author: The address that it says it is from, in small letters; of a text the number, as its gateway says.
        trusted: It is proved to be of the client, or its practitioner has taken it as theirs.
        doubt: Why it does not count by itself though it may be proved, or what else is to be known of it.
        text: Plain text, of bounded length, without what it quotes.
        answer: What they say to the invitation; None where they say neither yes nor no.
        sequence: The revision of the invitation that they have answered; None for words.
        stamp: When, by a clock of theirs, aware UTC; None if it does not tell.
        proposed: The time that they would like.
        wishes: The times that they could, of a WISH, up to three.
        choice: What was decided, last if it was asked once more.
    """

    id: UUID
    session_id: UUID
    practitioner_id: UUID
    kind: MailKind
    received_at: datetime
    author: str
    medium: Medium = Medium.EMAIL
    trusted: bool = False
    doubt: Doubt | None = None
    text: str = ""
    answer: Attendance | None = None
    sequence: int | None = None
    stamp: datetime | None = None
    proposed: When | None = None
    wishes: tuple[When, ...] = ()
    state: MailState = MailState.OPEN
    choice: MailChoice | None = None
    ended_at: datetime | None = None

    @property
    def times(self) -> tuple[When, ...]:
        """The times that can be agreed to, in the order in which they are shown."""
        return (self.proposed,) if self.proposed is not None else self.wishes

    @property
    def is_open(self) -> bool:
        """Whether it waits for a decision."""
        return self.state is MailState.OPEN

    @property
    def row(self) -> MailRow:
        """What holds of every mail of its kind."""
        return MAILS[self.kind]

    def says_the_same_as(self, other: ClientMail) -> bool:
        """Whether one repeats the other: whoever sends an answer again has answered once.

        A text is short, and the same words can mean another thing the next day: only the same text repeats it. One that
        has counted is of another kind than one of which that is asked: they may have come back to it. What nothing
        proves repeats only what the same address has written: nobody's copy takes the client's own out of sight.
        """
        if MailKind.WISH in {self.kind, other.kind}:  # said of an offer: of the next one it says something new
            return self.kind is other.kind and other.is_open and self._said == other._said
        if Medium.SMS in {self.medium, other.medium}:
            return self.id == other.id
        if not self.trusted and self.author != other.author:
            return False
        return (self._said, self.kind, self.trusted, self.doubt) == (
            other._said,
            other.kind,
            other.trusted,
            other.doubt,
        )

    def is_like(self, other: ClientMail) -> bool:
        """Whether both count together towards how many are shown: no sender uses up the share of another."""
        return (self.kind, self.medium, self.trusted) == (other.kind, other.medium, other.trusted)

    @property
    def _said(self) -> tuple[object, ...]:
        return (self.sequence, self.stamp, self.answer, self.times, self.text if self.sequence is None else "")


def decide(mail: ClientMail, choice: MailChoice, *, by: Actor, now: datetime) -> tuple[ClientMail, Fact]:
    """Take a decision; what follows from it is the caller's.

    An answer that is taken as the client's and declines is then one that asks what follows.

    Raises: QuestionClosedError if it has been decided, or overtaken; RuleError for a choice that it does not have.
    """
    check_open(mail)
    if choice not in mail.row.choices:
        raise RuleError(
            "This mail has other choices. Choose one of those that the page offers.", code="choice_of_other_mail"
        )
    fact = MailDecided(at=now, by=by, session_id=mail.session_id, mail_id=mail.id, mail=mail.kind, choice=choice)
    if choice is MailChoice.TAKE and mail.answer is Attendance.DECLINED:
        return replace(mail, kind=MailKind.DECLINED, choice=choice, trusted=True), fact
    trusted = mail.trusted or choice in {MailChoice.TAKE, MailChoice.AGREE}
    return replace(mail, state=MailState.DECIDED, choice=choice, trusted=trusted, ended_at=now), fact


def check_open(mail: ClientMail) -> None:
    """Raise QuestionClosedError unless it waits for a decision."""
    if mail.is_open:
        return
    if mail.state is MailState.DECIDED:
        raise QuestionClosedError("This has been decided already.", code="mail_decided")
    raise QuestionClosedError(
        "This no longer stands: the session has been changed since, or a later mail has come.", code="mail_overtaken"
    )


def overtakes(fact: Fact, kind: MailKind) -> bool:
    """Whether something that has happened to a session leaves nothing to decide about a mail of this kind."""
    if isinstance(fact, SessionMoved | SessionCancelled | OfferSent):
        return True
    return isinstance(fact, FlagCleared) and kind is MailKind.DECLINED
