"""Whether an answer of a calendar program counts: what it says, against what was sent, and who it is from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from connector.domain.facts import Attendance
from connector.inbox.authorship import Proof
from connector.inbox.calendar import CalendarMessage, Refresh, Reply


class Verdict(StrEnum):
    """What becomes of an answer; the value is a stored word, and one of the metrics."""

    APPLIES = "applies"
    UNPROVED = "unproved"  # it fits and may be theirs: a person looks at it, and says so with one button
    UNORDERED = "unordered"  # it is theirs, and not known to be later than another answer: a person says which counts
    UNNUMBERED = "unnumbered"  # it is theirs, and does not say which revision of several: likewise
    OTHER_ORGANIZER = "other_organizer"  # it is theirs, and answers somebody else, or was changed on the way: likewise
    OTHER_MAILBOX = "other_mailbox"  # it is of an address that was not invited, to which it was passed on: likewise
    UNKNOWN = "unknown"  # about no invitation of ours
    NOT_INVITED = "not_invited"  # of somebody whom it was never mailed to, nor passed on as far as it tells
    AHEAD = "ahead"  # of a revision that was never sent: whoever wrote it has not read it
    STALE = "stale"  # of a revision that they have been told is past
    REPEATED = "repeated"  # what they have answered last, once more
    ENDED = "ended"  # the session is cancelled, or over


@dataclass(frozen=True, slots=True, kw_only=True)
class Answered:
    """An answer that applied.

    Attributes:
        stamp: DTSTAMP as they told it, by whatever clock; None if they did not.
        at: When it applied, by ours.
    """

    sequence: int
    answer: Attendance
    stamp: datetime | None
    at: datetime
    comment: str = ""

    @property
    def said_by(self) -> datetime:
        """The latest moment at which they can have said it: their clock is believed no further than ours."""
        return self.at if self.stamp is None else min(self.stamp, self.at)

    def says(self, answer: Attendance, comment: str) -> bool:
        """Whether another says nothing beyond it."""
        return self.answer is answer and comment in {"", self.comment}


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What is known of a session whose UID an answer names.

    Attributes:
        sent: The SEQUENCE of the last message that may have arrived; None if none was ever sent.
        addresses: Whom any was sent to, in small letters: frozen clients have more than one.
        ends_at: When there is nothing left to answer, aware UTC; None once it is cancelled.
        answered: Their answers that applied, the last one last.
        organizers: Who has invited them, in small letters: every address that any was sent from.
    """

    sent: int | None
    addresses: frozenset[str]
    ends_at: datetime | None
    answered: tuple[Answered, ...] = ()
    organizers: frozenset[str] = frozenset()

    def sequence_of(self, message: CalendarMessage) -> int:
        """Return the SEQUENCE that an answer is about: the last one, where it does not tell."""
        return (self.sent or 0) if message.sequence is None else message.sequence


def judge(
    message: CalendarMessage,
    invitation: Invitation | None,
    *,
    author: str,
    proof: Proof,
    names_letter: bool = False,
    now: datetime,
) -> Verdict:
    """Return what becomes of an answer.

    Args:
        message: What it says.
        invitation: The one whose UID it names; None if there is none.
        author: The address that the mail says it is from, in small letters.
        proof: By what it is proved to be.
        names_letter: Whether it names a letter that its client was sent, which nobody knows who has not read that.
        now: When it came in.
    """
    if invitation is None or invitation.sent is None:
        return Verdict.UNKNOWN
    if not names_letter and not {message.attendee, author} & invitation.addresses:
        return Verdict.NOT_INVITED
    sequence = invitation.sequence_of(message)
    if sequence > invitation.sent:
        return Verdict.AHEAD
    if isinstance(message, Refresh):  # is answered whatever has become of the session: they do not know
        return _proved(message, author, proof)
    if (gone := past(invitation, sequence=sequence, now=now)) is not None:
        return gone
    if message.attendee not in invitation.addresses:
        return Verdict.OTHER_MAILBOX
    order = _order(invitation, message, now) if isinstance(message, Reply) else Verdict.APPLIES
    if order is Verdict.REPEATED:
        return order
    proved = _proved(message, author, proof)
    return _counting(message, invitation, order) if proved is Verdict.APPLIES else proved


def _counting(message: CalendarMessage, invitation: Invitation, order: Verdict) -> Verdict:
    """Return what becomes of an answer that is theirs.

    A proof tells who has written it, and not to whom: whoever knows a UID can invite them to an event of their own
    under it, and pass on what they answer. Some servers rewrite the organizer, so that is shown and not dropped.
    """
    if not message.organizers <= invitation.organizers:
        return Verdict.OTHER_ORGANIZER
    if message.sequence is None and invitation.sent and order is Verdict.APPLIES:
        return Verdict.UNNUMBERED
    return order


def past(invitation: Invitation, *, sequence: int, now: datetime) -> Verdict | None:
    """Return why an answer to a revision counts for nothing any more; None while it can."""
    if invitation.ends_at is None or invitation.ends_at <= now:
        return Verdict.ENDED
    if invitation.sent is None or sequence < invitation.sent:
        return Verdict.STALE
    return None


def _order(invitation: Invitation, reply: Reply, now: datetime) -> Verdict:
    """Return what an answer is beside those that applied to the same revision.

    It takes the place of the last only if it is certainly later, and no copy of one that was heard; one that says
    something else is never dropped, since clocks are wrong and the same second holds two answers.
    """
    heard = [one for one in invitation.answered if one.sequence == invitation.sequence_of(reply)]
    if not heard:
        return Verdict.APPLIES
    is_copy = any((one.answer, one.stamp) == (reply.answer, reply.stamp) for one in heard)
    is_numbered = reply.sequence is not None or not invitation.sent
    is_later = is_numbered and reply.stamp is not None and min(reply.stamp, now) > heard[-1].said_by
    if is_later and not is_copy:
        return Verdict.APPLIES
    return Verdict.REPEATED if heard[-1].says(reply.answer, reply.comment) else Verdict.UNORDERED


def _proved(message: CalendarMessage, author: str, proof: Proof) -> Verdict:
    """Whoever answers for somebody else, or from another mailbox of theirs, is looked at by a person."""
    return Verdict.APPLIES if proof is not Proof.NONE and author == message.attendee else Verdict.UNPROVED
