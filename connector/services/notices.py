"""Which notices follow from a decision: queue them in the transaction of the change, and deliver them later."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import Connection

from connector.domain.facts import (
    AlternativeMoved,
    AlternativeWithdrawn,
    EventDeleted,
    Fact,
    LocationChanged,
    MoveReason,
    NoticeRefused,
    NoticeSent,
    OfferLapsed,
    OfferRejected,
    OfferSent,
    OfferWithdrawn,
    PractitionerAsked,
    SessionBooked,
    SessionCancelled,
    SessionMoved,
)
from connector.domain.notice import Choice, Notice, NoticeKind, Recipient
from connector.domain.notice_table import NOTICES, Audience
from connector.domain.offer import Offer, OfferState
from connector.domain.people import CLOCK, Client, Medium, Practitioner, Role
from connector.domain.question import QUESTIONS
from connector.domain.session import Location, Session
from connector.errors import RefusedError, TransientError
from connector.ports import Letter, NotSentError, Sender
from connector.services.policy import Policy
from connector.storage import ledger, messages, people, signins, timeline
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from connector.storage.messages import Message

LANE = "mail"


@dataclass(frozen=True, slots=True, kw_only=True)
class QueuedNotice:
    """A notice to be queued; `key` makes sure that it is queued once."""

    notice: Notice
    key: str

    @property
    def to_client(self) -> bool:
        """Whether it is for a client."""
        return NOTICES[self.notice.kind].to is Audience.CLIENT


def notices_of(
    facts: Sequence[Fact],
    before: Session,
    session: Session,
    offers: Sequence[tuple[Offer, OfferState | None]],
    practitioner: Practitioner,
    client: Client,
    held_back: Sequence[Message] = (),
    *,
    conflict: str = "",
) -> Iterator[QueuedNotice]:
    """Yield what client and practitioner are to be told of a decision: one notice each at most.

    Args:
        facts: What was decided.
        before: The session as it stood before.
        session: The session as it stands now.
        offers: The offers that were touched, each with its earlier state; the last is the one that is told of.
        practitioner: Whose session it is.
        client: With whom.
        held_back: Earlier messages to the client that never left, and so never will.
        conflict: The names of the calendars in which something else stands at the accepted time.
    """
    by_type = {type(fact): fact for fact in facts}
    subject = offers[-1][0] if offers else None
    basis = Notice(
        kind=NoticeKind.BOOKED,
        to=Recipient.of(client),
        practitioner_name=practitioner.name,
        client_name=client.name,
        session=session,
        offer_id=subject.id if subject else None,
        by_support=any(fact.by.role is Role.SUPPORT for fact in facts),
    )
    for_client = _for_client(by_type, basis, subject, before)
    if for_client is not None and held_back:
        for_client = _after_holding_back(for_client, held_back)
    if for_client is not None and Medium.EMAIL in client.reachable:
        yield QueuedNotice(notice=for_client, key=_key(for_client))
    for_practitioner = _for_practitioner(
        by_type, replace(basis, to=Recipient.of(practitioner), about=conflict), subject
    )
    if for_practitioner is not None:
        yield QueuedNotice(notice=for_practitioner, key=_key(for_practitioner))


def queue(db: Connection, queued: QueuedNotice, *, policy: Policy, practitioner_id: UUID, now: datetime) -> None:
    """Store the message of one notice and make its delivery due."""
    message = messages.queue(
        db,
        queued.notice,
        practitioner_id=practitioner_id,
        to_client=queued.to_client,
        idempotency_key=queued.key,
        mail_domain=policy.mail_domain,
        now=now,
    )
    ledger.touch(db, Key(Kind.MESSAGE, str(message)), due_at=now, lane=LANE)


def tell_practitioner(
    db: Connection, policy: Policy, practitioner: Practitioner, notice: Notice, *, now: datetime
) -> None:
    """Tell a practitioner something that can be told any number of times."""
    key = f"{notice.kind}:{practitioner.id}:{uuid4()}"
    queue(db, QueuedNotice(notice=notice, key=key), policy=policy, practitioner_id=practitioner.id, now=now)


def queue_sign_in(db: Connection, policy: Policy, email: str, *, now: datetime) -> bool:
    """Mail a one-time link to the practitioner of that address; False if there is none (tell nobody which)."""
    practitioner = people.practitioner_by_email(db, email)
    if practitioner is None:
        return False
    signin = uuid4()
    signins.add(db, signin, practitioner.id, expires_at=now + policy.sign_in)
    notice = Notice(
        kind=NoticeKind.SIGN_IN,
        to=Recipient.of(practitioner),
        practitioner_name=practitioner.name,
        signin_id=signin,
        expires_at=now + policy.sign_in,
        about=str(int(policy.sign_in.total_seconds() // 60)),
    )
    queued = QueuedNotice(notice=notice, key=f"{notice.kind}:{signin}")
    queue(db, queued, policy=policy, practitioner_id=practitioner.id, now=now)
    return True


def deliver(
    database: Database,
    policy: Policy,
    sender: Sender,
    link_for: Callable[[Notice], str | None],
    message_id: UUID,
    *,
    now: datetime,
) -> None:
    """Send one message; one that left, was refused or was held back is left alone.

    Raises: TransientError to be tried again later. A refusal for good ends here: it is noted, and if the message was
        for a client, the practitioner is told.
    """
    with database.begin() as db:
        message = messages.begin_sending(db, message_id)
        thread = messages.thread_start(db, message) if message else None
    if message is None:
        return
    letter = Letter(
        notice=message.notice,
        link=link_for(message.notice),
        message_id=message.message_id,
        thread_id=thread,
        date=message.queued_at,
    )
    try:
        sender.send(letter)
    except NotSentError as error:
        _not_sent(database, policy, message, error, now)
        return
    with database.begin() as db:
        messages.sent(db, message.id, now=now)
        fact = NoticeSent(
            at=now, by=CLOCK, session_id=message.session_id, kind=message.kind.value, medium=message.medium.value
        )
        timeline.append(db, message.practitioner_id, [fact])


def _not_sent(database: Database, policy: Policy, message: Message, error: NotSentError, now: datetime) -> None:
    """Store that a message was not sent.

    Raises: TransientError if it should be tried again; RefusedError if the practitioner cannot be told.
    """
    with database.begin() as db:
        if error.permanent:
            _note_refusal(db, policy, message, str(error), now)
        else:
            messages.requeue(db, message.id, error=str(error))
    if not error.permanent:
        raise TransientError(str(error)) from error
    if not message.to_client:
        raise RefusedError(f"a message to the practitioner was refused: {error}") from error


def _note_refusal(db: Connection, policy: Policy, message: Message, why: str, now: datetime) -> None:
    messages.refused(db, message.id, error=why)
    fact = NoticeRefused(
        at=now,
        by=CLOCK,
        session_id=message.session_id,
        kind=message.kind.value,
        medium=message.medium.value,
        why=why,
    )
    timeline.append(db, message.practitioner_id, [fact])
    if not message.to_client:
        return
    practitioner = people.practitioner(db, message.practitioner_id)
    notice = replace(
        message.notice, kind=NoticeKind.NOT_DELIVERED, to=Recipient.of(practitioner), about=message.kind.value
    )
    queued = QueuedNotice(notice=notice, key=f"{notice.kind}:{message.id}")
    queue(db, queued, policy=policy, practitioner_id=practitioner.id, now=now)


def _for_client(by_type: dict[type[Fact], Any], basis: Notice, subject: Offer | None, before: Session) -> Notice | None:
    move: SessionMoved | None = by_type.get(SessionMoved)
    old_location = before.location if basis.session and before.location != basis.session.location else None
    if SessionBooked in by_type:
        return basis
    if SessionCancelled in by_type:
        return replace(basis, kind=NoticeKind.CANCELLED)
    if move is not None:
        kinds = {
            MoveReason.AGREED: NoticeKind.MOVED,
            MoveReason.CORRECTION: NoticeKind.CORRECTED,
            MoveReason.ACCEPTED: NoticeKind.ACCEPTED,
        }
        return replace(
            basis,
            kind=kinds[move.reason],
            old_when=move.old,
            old_location=old_location,
            offer_withdrawn=OfferWithdrawn in by_type,
        )
    if LocationChanged in by_type:
        return replace(basis, kind=NoticeKind.RELOCATED, old_location=old_location)
    if subject is None or basis.session is None:
        return None
    return _about_offer(by_type, basis, subject, basis.session.location)


def _about_offer(by_type: dict[type[Fact], Any], basis: Notice, offer: Offer, location: Location) -> Notice | None:
    kinds = {
        OfferSent: NoticeKind.OFFERED,
        OfferWithdrawn: NoticeKind.WITHDRAWN,
        AlternativeMoved: NoticeKind.OFFER_CHANGED,
        AlternativeWithdrawn: NoticeKind.OFFER_CHANGED,
        OfferRejected: NoticeKind.REJECTED,
        OfferLapsed: NoticeKind.LAPSED,
    }
    for fact_type, kind in kinds.items():
        if fact_type in by_type:
            choices = tuple(Choice(when=a.when, location=a.location or location) for a in offer.standing)
            return replace(basis, kind=kind, choices=choices, expires_at=offer.expires_at)
    return None


def _for_practitioner(by_type: dict[type[Fact], Any], basis: Notice, subject: Offer | None) -> Notice | None:
    move: SessionMoved | None = by_type.get(SessionMoved)
    if move is not None and move.reason is MoveReason.ACCEPTED:
        return replace(basis, kind=NoticeKind.CLIENT_ACCEPTED, old_when=move.old)
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


def _after_holding_back(notice: Notice, held_back: Sequence[Message]) -> Notice | None:
    """Tell the change from what the client was last told; None if that has become true again."""
    first = held_back[0].notice
    if first.kind is NoticeKind.BOOKED or notice.session is None or first.session is None:
        return replace(notice, kind=NoticeKind.BOOKED, old_when=None, old_location=None)
    client_when = first.old_when or first.session.when
    client_location = first.old_location or first.session.location
    old_when = client_when if client_when != notice.session.when else None
    old_location = client_location if client_location != notice.session.location else None
    if old_when is None and old_location is None:
        return None
    kind = first.kind if old_when is not None else NoticeKind.RELOCATED
    return replace(notice, kind=kind, old_when=old_when, old_location=old_location)


def _key(notice: Notice) -> str:
    if notice.kind is NoticeKind.OFFER_CHANGED:  # the one kind of which an offer and revision can have many
        return f"{notice.kind}:{notice.offer_id}:{uuid4()}"
    if notice.question_id is not None:
        return f"{notice.kind}:{notice.question_id}"
    subject, revision = (notice.session.id, notice.session.revision) if notice.session else (None, 0)
    return f"{notice.kind}:{subject}:{notice.offer_id}:{revision}"
