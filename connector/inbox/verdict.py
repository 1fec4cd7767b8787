"""Whether an answer of a calendar program counts: what it says, against what was sent, and who it is from."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from connector.inbox.authorship import Proof
from connector.inbox.calendar import CalendarMessage, Refresh


class Verdict(StrEnum):
    """What becomes of an answer; the value is a stored word, and one of the metrics."""

    APPLIES = "applies"
    UNPROVED = "unproved"  # it fits and may be theirs: a person looks at it, and says so with one button
    UNKNOWN = "unknown"  # about no invitation of ours
    NOT_INVITED = "not_invited"  # of somebody whom it was never mailed to
    AHEAD = "ahead"  # of a revision that was never sent: whoever wrote it has not read it
    STALE = "stale"  # of a revision that they have been told is past
    REPEATED = "repeated"  # not later than what they have answered last
    ENDED = "ended"  # the session is cancelled, or over


@dataclass(frozen=True, slots=True, kw_only=True)
class Invitation:
    """What is known of a session whose UID an answer names.

    Attributes:
        sent: The SEQUENCE of the last message that may have arrived; None if none was ever sent.
        addresses: Whom any was sent to, in small letters: frozen clients have more than one.
        ends_at: When there is nothing left to answer, aware UTC; None once it is cancelled.
        answered: SEQUENCE and DTSTAMP of their last answer that applied; the latter None if it did not tell.
    """

    sent: int | None
    addresses: frozenset[str]
    ends_at: datetime | None
    answered: tuple[int, datetime | None] | None = None


def judge(
    message: CalendarMessage, invitation: Invitation | None, *, author: str, proof: Proof, now: datetime
) -> Verdict:
    """Return what becomes of an answer.

    Args:
        message: What it says.
        invitation: The one whose UID it names; None if there is none.
        author: The address that the mail says it is from, in small letters.
        proof: By what it is proved to be.
        now: When it came in.
    """
    if invitation is None or invitation.sent is None:
        return Verdict.UNKNOWN
    if message.attendee not in invitation.addresses:
        return Verdict.NOT_INVITED
    if message.sequence > invitation.sent:
        return Verdict.AHEAD
    if isinstance(message, Refresh):  # is answered whatever has become of the session: they do not know
        return _proved(message, author, proof)
    return past(invitation, sequence=message.sequence, stamp=message.stamp, now=now) or _proved(message, author, proof)


def past(invitation: Invitation, *, sequence: int, stamp: datetime | None, now: datetime) -> Verdict | None:
    """Return why an answer to a revision counts for nothing any more; None while it can."""
    if invitation.ends_at is None or invitation.ends_at <= now:
        return Verdict.ENDED
    if invitation.sent is None or sequence < invitation.sent:
        return Verdict.STALE
    return Verdict.REPEATED if _is_repeated(invitation, sequence, stamp) else None


def _is_repeated(invitation: Invitation, sequence: int, stamp: datetime | None) -> bool:
    if invitation.answered is None:
        return False
    answered, latest = invitation.answered
    if sequence != answered or latest is None:
        return False
    return stamp is None or stamp <= latest


def _proved(message: CalendarMessage, author: str, proof: Proof) -> Verdict:
    """Whoever answers for somebody else, or from another mailbox of theirs, is looked at by a person."""
    return Verdict.APPLIES if proof is not Proof.NONE and author == message.attendee else Verdict.UNPROVED
