"""What clients write: an answer that counts is noted; all else is kept for their practitioner, who is told of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from enum import StrEnum
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.client_mail import ClientMail
from connector.domain.facts import Attendance, ClientAnswered, ClientWrote, Fact, FlagReason, MailKind
from connector.domain.free_times import at_night
from connector.domain.notice import Choice, Finding, Notice, NoticeKind, Recipient
from connector.domain.notice_table import NOTICES, Method
from connector.domain.people import Actor, Medium, Role
from connector.domain.session import Session, SessionState, Transition, flagged, unflagged
from connector.domain.span import When, zone_named
from connector.inbox.verdict import Answered, Invitation
from connector.services import notices
from connector.services.policy import Policy
from connector.services.recording import overtake_mails
from connector.services.scheduling import conflicts
from connector.storage import client_mails, messages, occupancy, people, sessions, timeline
from connector.storage.messages import MessageState

MOST_A_DAY = 10  # mails of a kind about one session: who has our Message-ID could fill a mailbox
MOST_NOTED_A_DAY = 100  # answers to one invitation that count, told or not: programs that answer in turn never end
_DAY = timedelta(days=1)
_MOST_COMPARED = 200
_ARRIVED = frozenset({MessageState.SENDING, MessageState.SENT, MessageState.UNKNOWN})  # or may have
_INVITING = frozenset({Method.REQUEST, Method.CANCEL})


class Kept(StrEnum):
    """What becomes of a mail that is kept; the value is a stored word, and one of the metrics."""

    SHOWN = "shown"
    REPEATED = "repeated"
    TOO_MANY = "too_many"


def invitation_of(db: Connection, session: Session) -> Invitation:
    """Return what a session's client may have been sent about it."""
    sent = list(_sent(db, session.id))
    organizers = {session.organizer, *(told.organizer for told, _ in sent)}
    return Invitation(
        sent=max((told.revision for told, _ in sent), default=None),
        addresses=frozenset(address.lower() for _, address in sent if address),
        organizers=frozenset(organizer.lower() for organizer in organizers),
        ends_at=session.when.span.end if session.state is SessionState.BOOKED else None,
        answered=tuple(_answered(db, session.id)),
    )


def _answered(db: Connection, session_id: UUID) -> Iterator[Answered]:
    """Yield what a client has answered, the last one last."""
    for fact in timeline.of_session(db, session_id, ClientAnswered):
        if isinstance(fact, ClientAnswered):
            yield Answered(
                sequence=fact.sequence, answer=fact.answer, stamp=fact.stamp, at=fact.at, comment=fact.comment
            )


def _sent(db: Connection, session_id: UUID) -> Iterator[tuple[Session, str]]:
    """Yield what every message told, and to whom, that invites, or takes that back, and has arrived or may have."""
    for letter in messages.of_session(db, session_id):
        is_invitation = letter.medium is Medium.EMAIL and NOTICES[letter.kind].method in _INVITING
        # What came back may have been passed on first.
        has_left = letter.state in _ARRIVED or letter.sent_at is not None
        session = letter.notice.session
        if letter.to_client and is_invitation and has_left and session is not None and not session.published:
            yield session, letter.notice.to.address


def note_answer(db: Connection, session: Session, mail: ClientMail, *, now: datetime) -> Session:
    """Note on a session what its client has answered to its invitation; it stands at its time.

    Args:
        db: The transaction; the session's practitioner is locked.
        session: As it stands.
        mail: With the answer, and the revision that was answered.
        now: Aware UTC.
    Returns: The session, marked if it needs its practitioner.
    """
    if mail.answer is None or mail.sequence is None:
        raise ValueError("a mail that answers nothing")
    fact = ClientAnswered(
        at=now,
        by=Actor(role=Role.CLIENT, name=people.client(db, session.client_id).name),
        session_id=session.id,
        answer=mail.answer,
        sequence=mail.sequence,
        stamp=mail.stamp,
        comment=mail.text,
    )
    marking = _marking(session, mail.answer, by=fact.by, now=now)
    sessions.save(db, marking.session)
    facts: Sequence[Fact] = [fact, *marking.facts]
    timeline.append(db, session.practitioner_id, facts)
    overtake_mails(db, session.id, facts, now=now)
    return marking.session


def _marking(session: Session, answer: Attendance, *, by: Actor, now: datetime) -> Transition:
    """Have a session that was declined need its practitioner, until it is changed, kept, or accepted after all."""
    if answer is Attendance.DECLINED and session.flag is None:
        return flagged(session, FlagReason.DECLINED, by=by, now=now)
    if answer is Attendance.ACCEPTED and session.flag is FlagReason.DECLINED:
        return unflagged(session, by=by, now=now)
    return Transition(session=session)


def take_answer(db: Connection, session: Session, mail: ClientMail, *, now: datetime) -> Kept:
    """Have an answer count that is proved to be the client's, and their practitioner told; it overtakes what is open.

    Declining asks what follows, until that is decided. Programs answer again and again: what stands already is told
    nobody, and beyond the day's number each answer is told once more, and of refusals so many as leave. All of them
    count, for what is shown has to be the last word; where that ends, a refusal still counts: in doubt it is asked.
    """
    every = list(_answered(db, session.id))
    answers = [one for one in every if one.sequence == mail.sequence]
    if answers and _stands(session, answers[-1], mail):
        return Kept.REPEATED
    today = [one.answer for one in every if one.at > now - _DAY]
    if len(today) >= MOST_NOTED_A_DAY and mail.answer is not Attendance.DECLINED:
        return Kept.TOO_MANY
    is_told = mail.answer not in today[MOST_A_DAY:]
    client_mails.overtake(db, session.id, frozenset(MailKind), now=now)
    session = note_answer(db, session, mail, now=now)
    if mail.answer is Attendance.DECLINED:
        declined = replace(mail, kind=MailKind.DECLINED, trusted=True)
        client_mails.add(db, declined)
        if is_told or _refusals_told(db, session, since=now - _DAY) < MOST_A_DAY:
            _tell(db, session, declined, now=now)
    elif is_told:
        _tell(db, session, mail, now=now, kind=NoticeKind.CLIENT_ANSWERED)
    return Kept.SHOWN


def _refusals_told(db: Connection, session: Session, *, since: datetime) -> int:
    """Return how many letters have left that tell of a refusal; one that is overtaken before never leaves."""
    letters = (one for one in messages.of_session(db, session.id) if one.kind is NoticeKind.CLIENT_DECLINED)
    return sum(one.sent_at is not None and one.sent_at > since for one in letters)


def _stands(session: Session, last: Answered, mail: ClientMail) -> bool:
    """Whether an answer changes nothing; who declines once more what was kept asks once more what follows."""
    if mail.answer is None or not last.says(mail.answer, mail.text):
        return False
    return mail.answer is not Attendance.DECLINED or session.flag is FlagReason.DECLINED


def keep(
    db: Connection, policy: Policy, session: Session, mail: ClientMail, *, now: datetime, none_suits: bool = False
) -> Kept:
    """Keep a mail for its practitioner, and have them told; `none_suits`: that nothing offered does, too.

    What does not certainly count overtakes only what nothing proves and the same author has written: whoever forges or
    repeats a mail takes none of somebody else out of sight. So it is with how many are shown a day; beyond that each
    answer is shown once more.
    """
    known = client_mails.of_session(db, session.id, most=_MOST_COMPARED)
    if any(mail.says_the_same_as(one) for one in known):
        return Kept.REPEATED
    own = people.client(db, session.client_id).email.lower()
    like = [one for one in known if one.is_like(mail) and (one.author == own) == (mail.author == own)]
    today = sorted((one for one in like if one.received_at > now - _DAY), key=lambda one: one.received_at)
    beyond = [one.answer for one in today[MOST_A_DAY:]]
    if len(today) >= MOST_A_DAY and (mail.answer is None or mail.answer in beyond):
        return Kept.TOO_MANY
    if mail.is_open:
        is_certain = mail.trusted and mail.doubt is None
        unproved_of = None if is_certain else mail.author
        client_mails.overtake(db, session.id, frozenset(MailKind), now=now, unproved_of=unproved_of)
    client_mails.add(db, mail)
    fact = ClientWrote(
        at=now,
        by=Actor(role=Role.CLIENT, name=_name(db, session, mail)),
        session_id=session.id,
        mail_id=mail.id,
        mail=mail.kind,
        trusted=mail.trusted,
        medium=mail.medium,
        proposed=mail.proposed,
        doubt=mail.doubt,
    )
    timeline.append(db, session.practitioner_id, [fact])
    found = findings(db, policy, session, mail.proposed, now=now)
    _tell(db, session, mail, now=now, findings=found, none_suits=none_suits)
    return Kept.SHOWN


def _name(db: Connection, session: Session, mail: ClientMail) -> str:
    """Return the name of who has written; empty for a text from a phone that several clients share."""
    if mail.medium is Medium.SMS and len(people.clients_by_phone(db, mail.author)) > 1:
        return ""
    return people.client(db, session.client_id).name


def findings(
    db: Connection, policy: Policy, session: Session, proposed: When | None, *, now: datetime
) -> tuple[Finding, ...]:
    """Return what is known of a time that a client would like, what weighs most first; empty where there is none."""
    if proposed is None:
        return ()
    if proposed.span.start <= now:
        return (Finding.PAST,)
    practitioner, client = people.practitioner(db, session.practitioner_id), people.client(db, session.client_id)
    taken = occupancy.taken(db, practitioner.id, proposed.span.padded(practitioner.buffer), besides=session.id)
    known = conflicts.find(db, policy, practitioner.id, [proposed], now=now)
    found = {
        Finding.TAKEN: taken,
        Finding.BUSY: bool(known.standing),
        Finding.UNKNOWN: bool(known.blind),
        Finding.NIGHT: any(at_night(proposed.span, zone_named(person.zone)) for person in (practitioner, client)),
        Finding.LENGTH: proposed.span.duration != session.when.span.duration,
    }
    return tuple(finding for finding, is_so in found.items() if is_so) or (Finding.FREE,)


def _tell(
    db: Connection,
    session: Session,
    mail: ClientMail,
    *,
    now: datetime,
    kind: NoticeKind | None = None,
    findings: tuple[Finding, ...] = (),
    none_suits: bool = False,
) -> None:
    practitioner, client = people.practitioner(db, session.practitioner_id), people.client(db, session.client_id)
    notice = Notice(
        kind=kind or mail.row.notice,
        to=Recipient.of(practitioner),
        practitioner_name=practitioner.name,
        client_name=client.name,
        session=session,
        reason=findings[0] if findings else mail.answer or "",
        about=mail.text,
        moved_to=mail.proposed,
        mail_id=mail.id,
        author=mail.author,
        trusted=mail.trusted,
        doubt=mail.doubt,
        by_text=mail.medium is Medium.SMS,
        choices=tuple(Choice(when=when, location=session.location) for when in mail.wishes),
        offer_withdrawn=none_suits,
    )
    notices.tell_practitioner(db, practitioner, notice, now=now)
