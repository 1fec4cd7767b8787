"""What holds of every notice of one kind: one row a kind, read by whoever queues, links, writes or shows notices.

A new kind is a member of NoticeKind, a row here, and its texts: a template in each language, its name for the timeline
and, if it goes to clients, its name for the letter that says that it did not arrive. A test holds each row complete.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from enum import Enum, StrEnum
from typing import assert_never
from uuid import UUID

from connector.domain.notice import Notice, NoticeKind


class Audience(Enum):
    """Who is told."""

    CLIENT = "client"
    PRACTITIONER = "practitioner"
    OPERATOR = "operator"
    SUPPORT = "support"


class Method(StrEnum):
    """What the iCalendar part asks of the reader's calendar (RFC 5546)."""

    REQUEST = "REQUEST"
    CANCEL = "CANCEL"
    DECLINECOUNTER = "DECLINECOUNTER"  # nothing but that the time they asked for cannot be


class Effect(Enum):
    """What a client believes who has read it."""

    NONE = "none"
    SESSION_STANDS = "session_stands"  # the session takes place when and where the notice says
    SESSION_ENDS = "session_ends"
    OFFER_STANDS = "offer_stands"  # the offer is open as the notice says
    OFFER_ENDS = "offer_ends"
    PROPOSAL_ENDS = "proposal_ends"  # the time that they asked for cannot be; all else stays as they know it


class Link(Enum):
    """Which page a notice leads to."""

    ANSWER = "answer"  # the client's, of an offer
    MINE = "mine"  # the client's own, of a session
    QUESTION = "question"
    ABSENCE = "absence"
    MAIL = "mail"  # the practitioner's, of a mail of their client's
    CONFLICT = "conflict"  # takes an offered time back
    PAUSED = "paused"  # says how a calendar goes on
    SIGN_IN = "sign_in"
    SUPPORT_SIGN_IN = "support_sign_in"
    SUBSCRIPTION = "subscription"  # the client's, where it ends
    SESSION = "session"
    CALENDARS = "calendars"

    @property
    def is_needed(self) -> bool:
        """Whether a letter without it is useless: it decides something, where the others only show it."""
        return self not in (Link.MINE, Link.SESSION, Link.CALENDARS)


@dataclass(frozen=True, slots=True, kw_only=True)
class NoticeRow:
    """One kind of notice.

    Attributes:
        to: Who is told.
        template: The name of its letter's template.
        link: The page it leads to; None for none.
        needs: The fields of Notice without which its letter cannot be written.
        method: What its iCalendar part asks for; None if it has no such part.
        chosen_by_client: The client has chosen the time, so their calendar does not ask them again.
        effect: What a client believes who has read it.
        reminds_after: It reminds of an open offer that has not been answered, after this share of the time to answer.
        tells_code: It tells a code and nothing else: on request, in a conversation of its own.
    """

    kind: NoticeKind
    to: Audience
    template: str
    link: Link | None = None
    needs: tuple[str, ...] = ()
    method: Method | None = None
    chosen_by_client: bool = False
    effect: Effect = Effect.NONE
    reminds_after: float | None = None
    tells_code: bool = False


def subject(link: Link, notice: Notice) -> UUID | None:
    """Return what a notice's link leads to; None if the notice names nothing of the sort."""
    match link:
        case Link.ANSWER:
            return notice.offer_id
        case Link.QUESTION:
            return notice.question_id
        case Link.ABSENCE:
            return notice.absence_id
        case Link.MAIL:
            return notice.mail_id
        case Link.CONFLICT:
            return notice.alternative_id
        case Link.PAUSED:
            return notice.calendar_id
        case Link.SIGN_IN | Link.SUPPORT_SIGN_IN:
            return notice.signin_id
        case Link.MINE | Link.SESSION | Link.SUBSCRIPTION:
            return notice.session.id if notice.session else None
        case Link.CALENDARS:
            return None
        case _:
            assert_never(link)


ROWS = (
    NoticeRow(
        kind=NoticeKind.BOOKED,
        to=Audience.CLIENT,
        template="booked",
        link=Link.MINE,
        needs=("session",),
        method=Method.REQUEST,
        effect=Effect.SESSION_STANDS,
    ),
    NoticeRow(
        kind=NoticeKind.MOVED,
        to=Audience.CLIENT,
        template="moved",
        link=Link.MINE,
        needs=("session",),
        method=Method.REQUEST,
        effect=Effect.SESSION_STANDS,
    ),
    NoticeRow(
        kind=NoticeKind.CORRECTED,
        to=Audience.CLIENT,
        template="corrected",
        link=Link.MINE,
        needs=("session", "old_when"),
        method=Method.REQUEST,
        effect=Effect.SESSION_STANDS,
    ),
    NoticeRow(
        kind=NoticeKind.RELOCATED,
        to=Audience.CLIENT,
        template="relocated",
        link=Link.MINE,
        needs=("session",),
        method=Method.REQUEST,
        effect=Effect.SESSION_STANDS,
    ),
    NoticeRow(
        kind=NoticeKind.ACCEPTED,
        to=Audience.CLIENT,
        template="accepted",
        link=Link.MINE,
        needs=("session",),
        method=Method.REQUEST,
        chosen_by_client=True,
        effect=Effect.SESSION_STANDS,
    ),
    NoticeRow(
        kind=NoticeKind.CANCELLED,
        to=Audience.CLIENT,
        template="cancelled",
        link=Link.MINE,
        needs=("session",),
        method=Method.CANCEL,
        effect=Effect.SESSION_ENDS,
    ),
    NoticeRow(
        kind=NoticeKind.OFFERED,
        to=Audience.CLIENT,
        template="offered",
        link=Link.ANSWER,
        needs=("session", "choices", "expires_at"),
        effect=Effect.OFFER_STANDS,
    ),
    NoticeRow(
        kind=NoticeKind.OFFER_CHANGED,
        to=Audience.CLIENT,
        template="offer_changed",
        link=Link.ANSWER,
        needs=("session", "choices", "expires_at"),
        effect=Effect.OFFER_STANDS,
    ),
    NoticeRow(
        kind=NoticeKind.OFFER_REMINDER,
        to=Audience.CLIENT,
        template="offer_reminder",
        link=Link.ANSWER,
        needs=("session", "choices", "expires_at"),
        effect=Effect.OFFER_STANDS,
        reminds_after=0.75,
    ),
    NoticeRow(
        kind=NoticeKind.REJECTED,
        to=Audience.CLIENT,
        template="rejected",
        link=Link.MINE,
        needs=("session",),
        effect=Effect.OFFER_ENDS,
    ),
    NoticeRow(
        kind=NoticeKind.LAPSED,
        to=Audience.CLIENT,
        template="lapsed",
        link=Link.MINE,
        needs=("session",),
        effect=Effect.OFFER_ENDS,
    ),
    NoticeRow(
        kind=NoticeKind.WITHDRAWN,
        to=Audience.CLIENT,
        template="withdrawn",
        link=Link.MINE,
        needs=("session",),
        effect=Effect.OFFER_ENDS,
    ),
    NoticeRow(
        kind=NoticeKind.PROPOSAL_DECLINED,
        to=Audience.CLIENT,
        template="proposal_declined",
        link=Link.MINE,
        needs=("session", "declined"),
        method=Method.DECLINECOUNTER,
        effect=Effect.PROPOSAL_ENDS,
    ),
    NoticeRow(
        kind=NoticeKind.ANSWER_CODE,
        to=Audience.CLIENT,
        template="answer_code",
        needs=("session", "code_id", "expires_at"),
        tells_code=True,
    ),
    NoticeRow(
        kind=NoticeKind.SUBSCRIBED,
        to=Audience.CLIENT,
        template="subscribed",
        link=Link.SUBSCRIPTION,
        needs=("session",),
    ),
    NoticeRow(
        kind=NoticeKind.CLIENT_ACCEPTED,
        to=Audience.PRACTITIONER,
        template="client_accepted",
        link=Link.SESSION,
        needs=("session",),
    ),
    NoticeRow(
        kind=NoticeKind.CLIENT_REJECTED,
        to=Audience.PRACTITIONER,
        template="client_rejected",
        link=Link.SESSION,
        needs=("session",),
    ),
    NoticeRow(
        kind=NoticeKind.CLIENT_CANCELLED,
        to=Audience.PRACTITIONER,
        template="client_cancelled",
        link=Link.SESSION,
        needs=("session",),
    ),
    NoticeRow(
        kind=NoticeKind.SUPPORT_MOVED,
        to=Audience.PRACTITIONER,
        template="support_moved",
        link=Link.SESSION,
        needs=("session", "old_when"),
    ),
    NoticeRow(
        kind=NoticeKind.CLIENT_ANSWERED,
        to=Audience.PRACTITIONER,
        template="client_answered",
        link=Link.SESSION,
        needs=("session", "reason"),
    ),
    NoticeRow(
        kind=NoticeKind.CLIENT_DECLINED,
        to=Audience.PRACTITIONER,
        template="client_declined",
        link=Link.MAIL,
        needs=("session",),
    ),
    NoticeRow(
        kind=NoticeKind.ANSWER_UNPROVED,
        to=Audience.PRACTITIONER,
        template="answer_unproved",
        link=Link.MAIL,
        needs=("session", "reason", "author"),
    ),
    NoticeRow(
        kind=NoticeKind.CLIENT_WISHED,
        to=Audience.PRACTITIONER,
        template="client_wished",
        link=Link.MAIL,
        needs=("session", "author"),
    ),
    NoticeRow(
        kind=NoticeKind.CLIENT_PROPOSED,
        to=Audience.PRACTITIONER,
        template="client_proposed",
        link=Link.MAIL,
        needs=("session", "moved_to", "reason", "author"),
    ),
    NoticeRow(
        kind=NoticeKind.CLIENT_WROTE,
        to=Audience.PRACTITIONER,
        template="client_wrote",
        link=Link.SESSION,
        needs=("session", "author"),
    ),
    NoticeRow(
        kind=NoticeKind.OFFER_LAPSED,
        to=Audience.PRACTITIONER,
        template="offer_lapsed",
        link=Link.SESSION,
        needs=("session",),
    ),
    NoticeRow(
        kind=NoticeKind.DRAFT_WAITING,
        to=Audience.PRACTITIONER,
        template="draft_waiting",
        link=Link.SESSION,
        needs=("session",),
    ),
    NoticeRow(
        kind=NoticeKind.ENTRY_REVERTED,
        to=Audience.PRACTITIONER,
        template="entry_put_back",
        link=Link.SESSION,
        needs=("session",),
    ),
    NoticeRow(
        kind=NoticeKind.MOVE_ASKED,
        to=Audience.PRACTITIONER,
        template="move_asked",
        link=Link.QUESTION,
        needs=("session", "moved_to", "expires_at"),
    ),
    NoticeRow(
        kind=NoticeKind.REPLACE_ASKED,
        to=Audience.PRACTITIONER,
        template="replace_asked",
        link=Link.QUESTION,
        needs=("session", "moved_to", "expires_at"),
    ),
    NoticeRow(
        kind=NoticeKind.DELETE_ASKED,
        to=Audience.PRACTITIONER,
        template="delete_asked",
        link=Link.QUESTION,
        needs=("session", "expires_at"),
    ),
    NoticeRow(
        kind=NoticeKind.ABSENCE_ASKED,
        to=Audience.PRACTITIONER,
        template="absence_asked",
        link=Link.ABSENCE,
        needs=("away", "concerned"),
    ),
    NoticeRow(
        kind=NoticeKind.OFFER_TAKEN_BACK,
        to=Audience.PRACTITIONER,
        template="offer_taken_back",
        link=Link.SESSION,
        needs=("session",),
    ),
    NoticeRow(
        kind=NoticeKind.CONFLICT_FOUND,
        to=Audience.PRACTITIONER,
        template="clash_found",
        link=Link.CONFLICT,
        needs=("session", "choices", "expires_at"),
    ),
    NoticeRow(
        kind=NoticeKind.CALENDAR_PAUSED,
        to=Audience.PRACTITIONER,
        template="calendar_stopped",
        link=Link.PAUSED,
    ),
    NoticeRow(
        kind=NoticeKind.OPERATOR_PAUSED,
        to=Audience.OPERATOR,
        template="operator_stopped",
        needs=("calendar_id",),
    ),
    NoticeRow(kind=NoticeKind.RESTORED, to=Audience.PRACTITIONER, template="restored", link=Link.CALENDARS),
    NoticeRow(kind=NoticeKind.RESTORE_FOUND, to=Audience.OPERATOR, template="restore_found"),
    NoticeRow(
        kind=NoticeKind.ACCESS_LOST,
        to=Audience.PRACTITIONER,
        template="access_lost",
        link=Link.CALENDARS,
    ),
    NoticeRow(
        kind=NoticeKind.ENTRIES_REFUSED,
        to=Audience.PRACTITIONER,
        template="entries_refused",
        link=Link.CALENDARS,
    ),
    NoticeRow(
        kind=NoticeKind.CALENDAR_UNREACHABLE,
        to=Audience.PRACTITIONER,
        template="calendar_unreachable",
        link=Link.CALENDARS,
    ),
    NoticeRow(
        kind=NoticeKind.INSTALLATION_REFUSED,
        to=Audience.OPERATOR,
        template="installation_refused",
    ),
    NoticeRow(
        kind=NoticeKind.MAILBOX_UNREAD,
        to=Audience.OPERATOR,
        template="mailbox_unread",
    ),
    NoticeRow(
        kind=NoticeKind.ENDPOINT_DISABLED,
        to=Audience.OPERATOR,
        template="endpoint_disabled",
    ),
    NoticeRow(
        kind=NoticeKind.NOT_DELIVERED,
        to=Audience.PRACTITIONER,
        template="not_delivered",
        link=Link.SESSION,
        needs=("session",),
    ),
    NoticeRow(
        kind=NoticeKind.NOT_TOLD,
        to=Audience.PRACTITIONER,
        template="not_told",
        link=Link.SESSION,
        needs=("session",),
    ),
    NoticeRow(
        kind=NoticeKind.NO_CHANNEL,
        to=Audience.PRACTITIONER,
        template="no_channel",
        link=Link.SESSION,
        needs=("session",),
    ),
    NoticeRow(
        kind=NoticeKind.ARRIVED_AFTER_ALL,
        to=Audience.PRACTITIONER,
        template="arrived_after_all",
        link=Link.SESSION,
        needs=("session", "about"),
    ),
    NoticeRow(
        kind=NoticeKind.TEXTS_ENDED,
        to=Audience.PRACTITIONER,
        template="texts_ended",
        link=Link.SESSION,
        needs=("session",),
    ),
    NoticeRow(kind=NoticeKind.SIGN_IN, to=Audience.PRACTITIONER, template="sign_in", link=Link.SIGN_IN),
    NoticeRow(kind=NoticeKind.SUPPORT_SIGN_IN, to=Audience.SUPPORT, template="sign_in", link=Link.SUPPORT_SIGN_IN),
)
NOTICES: Mapping[NoticeKind, NoticeRow] = {row.kind: row for row in ROWS}
