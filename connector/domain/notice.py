"""What a person is told: a snapshot, taken in the transaction of the change, from which a message is written later."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from connector.domain.facts import Doubt
from connector.domain.people import Client, Medium, Practitioner, SupportPerson
from connector.domain.session import Location, Session
from connector.domain.span import Span, When


class NoticeKind(StrEnum):
    """What a message is about."""

    # To the client, with an iCalendar part: REQUEST, or CANCEL for the last one.
    BOOKED = "booked"
    MOVED = "moved"  # the client asked; names old and new time, and old and new place if that changed too
    CORRECTED = "corrected"  # names the time told by mistake and says that it does not apply
    RELOCATED = "relocated"  # the place alone changed
    ACCEPTED = "accepted"  # the client, or support for them, chose an alternative
    CANCELLED = "cancelled"
    # To the client, links and words only.
    OFFERED = "offered"
    OFFER_CHANGED = "offer_changed"  # an alternative was taken back or moved; the rest stands until the same deadline
    OFFER_REMINDER = "offer_reminder"  # no answer yet, and the time to answer is soon over
    REJECTED = "rejected"  # thank you; the session keeps its time for now
    LAPSED = "lapsed"
    WITHDRAWN = "withdrawn"
    PROPOSAL_DECLINED = "proposal_declined"  # the time that they asked for out of their calendar; see `declined`
    ANSWER_CODE = "answer_code"  # what to type beside the link, to prove who answers
    SUBSCRIBED = "subscribed"  # somebody has begun a calendar subscription to their sessions, by a link mailed to them
    # To the practitioner.
    CLIENT_ACCEPTED = "client_accepted"
    CLIENT_REJECTED = "client_rejected"
    CLIENT_CANCELLED = "client_cancelled"
    SUPPORT_MOVED = "support_moved"  # support has entered a time that the client has agreed to
    CLIENT_ANSWERED = "client_answered"  # out of their calendar: an Attendance in `reason`, their words in `about`
    CLIENT_DECLINED = "client_declined"  # the same, where something has to follow
    ANSWER_UNPROVED = "answer_unproved"  # the same, if it is theirs: nothing proves that
    CLIENT_WISHED = "client_wished"  # on their page of the session: `choices` they could, words in `about`
    CLIENT_PROPOSED = "client_proposed"  # they would like `moved_to`; a Finding in `reason`
    CLIENT_WROTE = "client_wrote"  # plain words, in `about`; see `by_text`
    OFFER_LAPSED = "offer_lapsed"
    DRAFT_WAITING = "draft_waiting"  # a draft lies unsent
    ENTRY_REVERTED = "entry_put_back"  # they changed our event in their calendar, and it was reverted; see `reason`
    MOVE_ASKED = "move_asked"  # they moved a session in their calendar: ask the client, already agreed, revert it
    REPLACE_ASKED = "replace_asked"  # the same while an offer was open: reverted; should it replace the offer
    DELETE_ASKED = "delete_asked"  # they deleted a session in their calendar: cancel, revert it, offer other times
    ABSENCE_ASKED = "absence_asked"  # a calendar of theirs says that they are away while they have sessions
    OFFER_TAKEN_BACK = "offer_taken_back"  # they deleted the last hold, and so the offer is withdrawn
    CONFLICT_FOUND = "clash_found"  # an offered time is no longer free in another calendar of theirs
    CALENDAR_PAUSED = "calendar_stopped"  # a calendar looks wrong, so nothing is done about it until somebody says so
    OPERATOR_PAUSED = "operator_stopped"  # the same, to whoever runs the installation
    RESTORED = "restored"  # the database was set back, and this was put right; see `righted`
    RESTORE_FOUND = "restore_found"  # it was set back, and nothing goes out until somebody decides: to the operator
    ACCESS_LOST = "access_lost"  # a calendar must be reconnected
    ENTRIES_REFUSED = "entries_refused"  # a calendar can be read, but takes no entries
    CALENDAR_UNREACHABLE = "calendar_unreachable"  # a calendar has long been out of reach
    INSTALLATION_REFUSED = "installation_refused"  # to the operator: a service refuses the installation itself
    MAILBOX_UNREAD = "mailbox_unread"  # to the operator: what clients write back cannot be fetched
    ENDPOINT_DISABLED = "endpoint_disabled"  # to the operator: a host is told nothing there any more; see `reason`
    NOT_DELIVERED = "not_delivered"  # a message to the client was refused
    NOT_TOLD = "not_told"  # a message to the client could not leave before the session began
    NO_CHANNEL = "no_channel"  # a client can be told nothing; in `about` what they were to be told, if anything was
    ARRIVED_AFTER_ALL = "arrived_after_all"  # what a NOT_DELIVERED has told was wrong
    TEXTS_ENDED = "texts_ended"  # a client wants no texts any more, and is told by mail alone
    SIGN_IN = "sign_in"
    # To somebody of support.
    SUPPORT_SIGN_IN = "support_sign_in"


class RevertReason(StrEnum):
    """Why an entry that was changed in a calendar has been reverted; `reason` of an ENTRY_REVERTED."""

    EDITED = "edited"  # title, place or status, which are ours
    PAST = "past"  # moved to a time that has begun
    TAKEN = "taken"  # moved onto another session, or onto a time kept for another client
    BUSY = "busy"  # moved onto something in another of their calendars
    SHAPE = "shape"  # made all-day, recurring, or shown as free
    UNFIT = "unfit"  # moved to a time that cannot be offered, such as the session's own or another alternative's
    DECIDED = "decided"  # the time was changed by a decision while it stood elsewhere
    UNASKED = "unasked"  # the client could not be asked: they cannot be reached, or a calendar must be reconnected
    NO_ANSWER = "no_answer"  # deleted, and nobody said what it meant


class Finding(StrEnum):
    """What is known of a time that a client would like; `reason` of a CLIENT_PROPOSED."""

    FREE = "free"
    PAST = "past"
    TAKEN = "taken"  # another session, or a time kept for another client, stands there
    BUSY = "busy"  # something else stands there, in a calendar of theirs
    UNKNOWN = "unknown"  # a calendar of theirs could not be read
    NIGHT = "night"  # early or late on the clock of one of the two
    LENGTH = "length"  # it is longer or shorter than the session


class PauseReason(StrEnum):
    """Why a calendar was paused; `reason` of a CALENDAR_PAUSED."""

    MISSING = "missing"  # the calendar is not there
    REFUSED = "refused"  # it may not be read
    EMPTIED = "emptied"  # nothing of ours stands in it any more
    SHRUNKEN = "shrunken"  # more of ours is gone at once than a person deletes
    UNKNOWN = "unknown"  # it holds entries with our mark that our database does not know
    RESTORED = "restored"  # the database was restored from a back-up, and may be older than what stands here


class Righting(StrEnum):
    """What was put right, or is to be seen to, after the database was set back; `what` of a Righted."""

    ACCEPTED = "accepted"  # the client has chosen this time since
    MOVED = "moved"  # the session's event stood here
    GONE = "gone"  # the session's event was not there
    OFFER_SENT = "offer_sent"  # a draft had been sent since: it is open
    DRAFT_AGAIN = "draft_again"  # the same, and it is a draft again
    OFFER_CHANGED = "offer_changed"  # some of the offered times were gone, or stood elsewhere
    OFFER_OVER = "offer_over"  # none of the offered times was there: the offer has ended somehow
    ASKED = "asked"  # they were being asked about it, and may have answered since
    PUT_BACK = "put_back"  # the event stood elsewhere, or not at all, and was put back
    TAKEN = "taken"  # where its event stood, another session stands
    UNKNOWN = "unknown"  # an event of ours that nobody knows: it stays, and is theirs now
    REMOVED = "removed"  # an event of ours that nobody knew: it was removed


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipient:
    """To whom; times are told in `zone` (IANA) and `locale` (such as en, de, en_GB)."""

    name: str
    address: str
    zone: str
    locale: str

    @classmethod
    def of(cls, person: Client | Practitioner | SupportPerson, medium: Medium = Medium.EMAIL) -> Recipient:
        """Address a client by a medium, or somebody else by mail."""
        if isinstance(person, SupportPerson):
            return cls(name=person.name, address=person.email, zone="UTC", locale=person.locale)
        address = person.address(medium) if isinstance(person, Client) else person.email
        return cls(name=person.name, address=address, zone=person.zone, locale=person.locale)


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One alternative as it was offered."""

    when: When
    location: Location


@dataclass(frozen=True, slots=True, kw_only=True)
class Righted:
    """One thing that was put right: where it stands now, and where it had stood if that is another time.

    `about` names the client; of what nobody knows, it is what the event shows.
    """

    what: Righting
    when: When
    about: str = ""
    old: When | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Concerned:
    """A session that an absence of its practitioner's concerns; `about` names the client."""

    when: When
    about: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class DeclinedProposal:
    """A time that the client has asked for out of their calendar, and that its practitioner cannot offer.

    Attributes:
        when: That time.
        sequence: The revision of the invitation that they had answered so: the message that declines echoes it.
        at: When it was declined, aware UTC; becomes DTSTAMP.
    """

    when: When
    sequence: int
    at: datetime


@dataclass(frozen=True, slots=True, kw_only=True)
class Notice:
    """Everything a message needs; which fields are set follows from `kind`.

    Args:
        kind: What it is about.
        to: Who is told.
        practitioner_name: As clients know them.
        reply_to: The address of the practitioner, if clients may write back; empty if nobody reads it.
        client_name: Empty where no client is concerned.
        session: The session after the change; its revision, uid, organizer and stamp go into the iCalendar part.
        offer_id: The offer an answer link leads to.
        old_when: The time before, for a move or a correction.
        old_location: The place before, if it changed.
        choices: The alternatives that stand, for an offer.
        expires_at: The deadline, aware UTC.
        by_support: Somebody from support acted for the client.
        offer_withdrawn: An offer of which the reader knows has ended with it.
        unasked: The client never learnt of the offer that has lapsed.
        by_text: What did not arrive was a text to the client's phone; or what they have written is one; or they have
            stopped texts.
        told_otherwise: And yet the client has been told what applies, by the other medium or since.
        code_id: The code that is told.
        signin_id: The one-time sign-in a link leads to.
        about: A word on what is meant where the kind alone does not tell (a calendar's label, a reason, an address).
        reason: A RevertReason, a PauseReason, an Attendance or a Finding; "stopped" for a text whose reader wants none.
        moved_to: Where the practitioner has put an entry in their calendar, or the time that a client would like.
        question_id: The question that the practitioner is asked.
        alternative_id: The alternative that a link takes back.
        calendar_id: The calendar that was paused.
        paused_at: When, aware UTC: its link is about that stop alone.
        count: How many entries are gone from it; of a NO_CHANNEL, how many sessions are to come.
        connection_id: The connection that must be reconnected.
        righted: What was put right after the database had been set back.
        absence_id: The absence that the practitioner is asked about.
        away: From when until when it lasts, aware UTC.
        concerned: The sessions in it.
        since: Of what has happened after this instant, aware UTC, nothing was known any more; None if nothing ever was.
        mail_id: The client's mail that it tells of.
        author: The address which that mail says it is from.
        trusted: Whether that mail is proved to be of the client.
        doubt: Why it does not count by itself all the same; empty if there is nothing else to be known of it.
        declined: The time that cannot be, of a PROPOSAL_DECLINED.
    """

    kind: NoticeKind
    to: Recipient
    practitioner_name: str
    client_name: str = ""
    session: Session | None = None
    offer_id: UUID | None = None
    old_when: When | None = None
    old_location: Location | None = None
    choices: tuple[Choice, ...] = ()
    expires_at: datetime | None = None
    by_support: bool = False
    offer_withdrawn: bool = False
    unasked: bool = False
    signin_id: UUID | None = None
    about: str = ""
    reason: str = ""
    moved_to: When | None = None
    question_id: UUID | None = None
    alternative_id: UUID | None = None
    calendar_id: UUID | None = None
    paused_at: datetime | None = None
    count: int = 0
    reply_to: str = ""
    connection_id: UUID | None = None
    righted: tuple[Righted, ...] = ()
    since: datetime | None = None
    by_text: bool = False
    mail_id: UUID | None = None
    author: str = ""
    trusted: bool = False
    doubt: Doubt | None = None
    declined: DeclinedProposal | None = None
    told_otherwise: bool = False
    code_id: UUID | None = None
    absence_id: UUID | None = None
    away: Span | None = None
    concerned: tuple[Concerned, ...] = ()
