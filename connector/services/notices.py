"""What practitioners and operators are told: noted in the transaction of the change, and sent by their conversation."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection

from connector.domain.connection import ConnectionState
from connector.domain.facts import (
    EventDeleted,
    Fact,
    MailKind,
    MoveReason,
    OfferLapsed,
    OfferRejected,
    OfferWithdrawn,
    PractitionerAsked,
    SessionCancelled,
    SessionMoved,
)
from connector.domain.notice import Notice, NoticeKind, Recipient
from connector.domain.notice_table import NOTICES, Link
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Client, Medium, Practitioner, Role, Signing, SupportPerson
from connector.domain.question import QUESTIONS
from connector.domain.session import Session
from connector.errors import NotFoundError
from connector.services.policy import Policy
from connector.storage import (
    absences,
    answer_codes,
    calendars,
    client_mails,
    conversations,
    ledger,
    offers,
    people,
    published,
    questions,
    reply_mailbox,
    signins,
    troubles,
)
from connector.storage.ledger import Key, Kind

LANE = "mail"
STOPPED = "stopped"  # why a text did not arrive: its reader wants none any more


def lane(medium: Medium) -> str:
    """Return what a conversation shares with all those that wait for the same server."""
    return LANE if medium is Medium.EMAIL else medium.value


def for_practitioner(
    facts: Sequence[Fact],
    session: Session,
    offers_touched: Sequence[tuple[Offer, OfferState | None]],
    practitioner: Practitioner,
    client: Client,
    *,
    conflict: str = "",
    unasked: bool = False,
) -> Notice | None:
    """Return what a practitioner is told of a decision; None for nothing.

    Args:
        facts: What was decided.
        session: The session as it stands now.
        offers_touched: The offers that were, each with its earlier state; the last is the one that is told of.
        practitioner: Whose session it is.
        client: With whom.
        conflict: The names of the calendars in which something else stands at the accepted time.
        unasked: The client never learnt of that offer.
    """
    subject = offers_touched[-1][0] if offers_touched else None
    basis = Notice(
        kind=NoticeKind.CLIENT_ACCEPTED,
        to=Recipient.of(practitioner),
        practitioner_name=practitioner.name,
        client_name=client.name,
        session=session,
        offer_id=subject.id if subject else None,
        by_support=any(fact.by.role is Role.SUPPORT for fact in facts),
        about=conflict,
        unasked=unasked,
    )
    return _for_practitioner({type(fact): fact for fact in facts}, basis, subject)


def not_delivered(practitioner: Practitioner, notice: Notice, *, medium: Medium, stopped: bool = False) -> Notice:
    """Return what a practitioner is told of a message to their client that did not arrive.

    `stopped`: for they want no more texts.
    """
    return replace(
        notice,
        kind=NoticeKind.NOT_DELIVERED,
        to=Recipient.of(practitioner),
        about=notice.kind.value,
        by_text=medium is Medium.SMS,
        reason=STOPPED if stopped else "",
    )


def no_channel(
    practitioner: Practitioner,
    client: Client,
    session: Session,
    *,
    about: str = "",
    offer_id: UUID | None = None,
    coming: int = 0,
) -> Notice:
    """Return what a practitioner is told of a client whom nothing reaches.

    Args:
        practitioner: Who is told.
        client: With whom.
        session: The one that it is about: the next one, if it is about them all.
        about: The kind of what they were to be told; empty if they know all that stands.
        offer_id: The offer that is concerned.
        coming: How many of their sessions are to come.
    """
    return Notice(
        kind=NoticeKind.NO_CHANNEL,
        to=Recipient.of(practitioner),
        practitioner_name=practitioner.name,
        client_name=client.name,
        session=session,
        about=about,
        offer_id=offer_id,
        by_text=bool(client.phone) and Medium.SMS in client.media and not client.texts_agreed,
        count=coming,
    )


def texts_ended(practitioner: Practitioner, client: Client, session: Session) -> Notice:
    """Return what a practitioner is told of a client who gets no texts any more; `session` is their next one."""
    return Notice(
        kind=NoticeKind.TEXTS_ENDED,
        to=Recipient.of(practitioner),
        practitioner_name=practitioner.name,
        client_name=client.name,
        session=session,
    )


def tell(db: Connection, notice: Notice, *, key: str, practitioner_id: UUID, now: datetime) -> None:
    """Have a practitioner or operator told something, after what waits for them about the same session.

    `key` makes sure that it is told once: the same twice is a programming error and fails.
    """
    reader = NOTICES[notice.kind].to
    session_id = notice.session.id if notice.session else None
    stored = conversations.about(db, practitioner_id, session_id, reader, Medium.EMAIL, address=notice.to.address)
    conversations.add_notice(db, stored.id, notice, key=key, now=now)
    ledger.touch(db, Key(Kind.CONVERSATION, str(stored.id)), due_at=now, lane=LANE)


def tell_practitioner(db: Connection, practitioner: Practitioner, notice: Notice, *, now: datetime) -> None:
    """Tell a practitioner something that can be told any number of times."""
    key = f"{notice.kind}:{practitioner.id}:{uuid4()}"
    tell(db, notice, key=key, practitioner_id=practitioner.id, now=now)


def is_current(db: Connection, notice: Notice, *, now: datetime) -> bool:
    """Whether a notice to a practitioner or operator still says what is so; of what is gone there is nothing to say."""
    try:
        return _still_holds(db, notice, now)
    except NotFoundError:
        return False


def _still_holds(db: Connection, notice: Notice, now: datetime) -> bool:
    if NOTICES[notice.kind].link in (Link.QUESTION, Link.ABSENCE):
        return _is_asked(db, notice)
    match notice.kind:
        case (
            NoticeKind.CLIENT_DECLINED
            | NoticeKind.ANSWER_UNPROVED
            | NoticeKind.CLIENT_PROPOSED
            | NoticeKind.CLIENT_WISHED
            | NoticeKind.CLIENT_REJECTED
        ):
            return _waits(db, notice)
        case NoticeKind.DRAFT_WAITING:
            return notice.offer_id is not None and offers.get(db, notice.offer_id).state is OfferState.DRAFT
        case NoticeKind.CONFLICT_FOUND:
            held = offers.get(db, notice.offer_id).held if notice.offer_id is not None else ()
            return any(alternative.id == notice.alternative_id for alternative in held)
        case NoticeKind.CALENDAR_PAUSED | NoticeKind.OPERATOR_PAUSED:
            return _is_paused(db, notice)
        case NoticeKind.ACCESS_LOST:
            return _is_lost(db, notice)
        case NoticeKind.ENTRIES_REFUSED | NoticeKind.CALENDAR_UNREACHABLE:
            return _lasts(db, notice)
        case NoticeKind.INSTALLATION_REFUSED | NoticeKind.MAILBOX_UNREAD:
            return _is_refused(db, notice)
        case NoticeKind.ANSWER_CODE | NoticeKind.SIGN_IN | NoticeKind.SUPPORT_SIGN_IN | NoticeKind.SUBSCRIBED:
            return _is_of_use(db, notice, now)
        case _:
            return True  # news of what has happened stays true


def _is_asked(db: Connection, notice: Notice) -> bool:
    """Whether the question that a notice asks waits for an answer."""
    if notice.absence_id is not None:
        return absences.get(db, notice.absence_id).is_open
    return notice.question_id is not None and questions.get(db, notice.question_id).is_open


def _waits(db: Connection, notice: Notice) -> bool:
    """Whether what a client has written waits for a decision, or that nothing suits is told by no other letter."""
    if notice.kind is NoticeKind.CLIENT_REJECTED:
        return not _is_said_with_words(db, notice)
    return notice.mail_id is not None and client_mails.get(db, notice.mail_id).is_open


def _is_said_with_words(db: Connection, notice: Notice) -> bool:
    """Whether who has said that no time suits has written what would, in the same breath: that letter tells both."""
    if notice.session is None or notice.offer_id is None:
        return False
    latest = client_mails.of_session(db, notice.session.id, most=1)
    ended_at = offers.get(db, notice.offer_id).ended_at
    return any(one.kind is MailKind.WISH and one.received_at == ended_at and one.is_open for one in latest)


def _is_refused(db: Connection, notice: Notice) -> bool:
    """Whether what keeps the installation out of a service, or of its own mailbox, lasts."""
    if notice.kind is NoticeKind.INSTALLATION_REFUSED:
        return troubles.registration_fault(db, notice.about) is not None
    standing = reply_mailbox.standing(db)
    return standing is not None and standing.fault is not None


def _is_of_use(db: Connection, notice: Notice, now: datetime) -> bool:
    """Whether what lets its reader in or proves who they are is good, of codes the newest that went by its way.

    That somebody subscribes is told while they do.
    """
    if notice.kind is NoticeKind.SUBSCRIBED:
        return notice.session is not None and published.of_client(db, notice.session.client_id) is not None
    if notice.signin_id is not None:
        role: Signing = Role.SUPPORT if notice.kind is NoticeKind.SUPPORT_SIGN_IN else Role.PRACTITIONER
        return signins.owner(db, notice.signin_id, role=role, now=now) is not None
    code = answer_codes.get(db, notice.code_id) if notice.code_id is not None else None
    if code is None or not code.is_good(now):
        return False
    newest = answer_codes.newest(db, code.offer_id, code.medium)
    return newest is not None and newest.id == code.id


def _is_lost(db: Connection, notice: Notice) -> bool:
    if notice.connection_id is None:
        return True  # told before it was noted which
    return calendars.connection(db, notice.connection_id).state is ConnectionState.ACCESS_LOST


def _lasts(db: Connection, notice: Notice) -> bool:
    """Whether what keeps a calendar from being written or read lasts."""
    if notice.calendar_id is None:
        return False
    calendar = calendars.calendar(db, notice.calendar_id)
    refused = notice.kind is NoticeKind.ENTRIES_REFUSED
    return (calendar.refused_at if refused else calendar.outage_told_at) is not None


def _is_paused(db: Connection, notice: Notice) -> bool:
    """Whether a calendar is still paused, and not paused again."""
    if notice.calendar_id is None:
        return False
    calendar = calendars.calendar(db, notice.calendar_id)
    return calendar.paused is not None and notice.paused_at in (None, calendar.paused_at)


def queue_sign_in(
    db: Connection,
    policy: Policy,
    person: Practitioner | SupportPerson,
    *,
    now: datetime,
    until: datetime | None = None,
    wanted: str | None = None,
) -> None:
    """Mail a one-time link to somebody who signs in; none that was mailed before lets them in any more.

    It is good for as long as links are, and in any case `until` then; `wanted` is the page that it leads on to.
    """
    signin, expires_at = uuid4(), max(now + policy.sign_in, until or now)
    is_support = isinstance(person, SupportPerson)
    role: Signing = Role.SUPPORT if is_support else Role.PRACTITIONER
    signins.add(db, signin, person.id, role=role, expires_at=expires_at, now=now, wanted=wanted)
    notice = Notice(
        kind=NoticeKind.SUPPORT_SIGN_IN if is_support else NoticeKind.SIGN_IN,
        to=Recipient.of(person),
        practitioner_name="" if is_support else person.name,
        signin_id=signin,
        expires_at=expires_at,
        about=str(int((expires_at - now).total_seconds() // 60)),
    )
    # A conversation belongs to a practitioner, whoever it is with; whoever has none has nobody to help either.
    for of in list(people.all_practitioners(db))[:1] if is_support else [person]:
        tell(db, notice, key=f"{notice.kind}:{signin}", practitioner_id=of.id, now=now)


def _for_practitioner(by_type: dict[type[Fact], Any], basis: Notice, subject: Offer | None) -> Notice | None:
    move: SessionMoved | None = by_type.get(SessionMoved)
    if move is not None and move.reason is MoveReason.ACCEPTED:
        return replace(basis, kind=NoticeKind.CLIENT_ACCEPTED, old_when=move.old)
    if move is not None and move.by.role is Role.SUPPORT:
        return replace(basis, kind=NoticeKind.SUPPORT_MOVED, old_when=move.old)
    cancellation: SessionCancelled | None = by_type.get(SessionCancelled)
    if cancellation is not None and cancellation.by.role is not Role.PRACTITIONER:
        return replace(basis, kind=NoticeKind.CLIENT_CANCELLED)
    asking: PractitionerAsked | None = by_type.get(PractitionerAsked)
    if asking is not None:
        return _about_question(asking, basis)
    deadline = subject.expires_at if subject else None
    if OfferWithdrawn in by_type and EventDeleted in by_type:
        return replace(basis, kind=NoticeKind.OFFER_TAKEN_BACK, expires_at=deadline)
    if OfferRejected in by_type:
        return replace(basis, kind=NoticeKind.CLIENT_REJECTED, expires_at=deadline)
    if OfferLapsed in by_type:
        return replace(basis, kind=NoticeKind.OFFER_LAPSED, expires_at=deadline)
    return None


def _about_question(fact: PractitionerAsked, basis: Notice) -> Notice:
    return replace(
        basis,
        kind=QUESTIONS[fact.question].notice,
        moved_to=fact.moved_to,
        question_id=fact.question_id,
        expires_at=fact.answers_itself_at,
    )


def key_of(notice: Notice) -> str:
    """Return what tells a notice of a decision from every other."""
    if notice.question_id is not None:
        return f"{notice.kind}:{notice.question_id}"
    subject, revision = (notice.session.id, notice.session.revision) if notice.session else (None, 0)
    return f"{notice.kind}:{subject}:{notice.offer_id}:{revision}"
