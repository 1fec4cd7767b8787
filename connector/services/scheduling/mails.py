"""A practitioner decides about a mail of their client's: nothing that it says happens before they do."""

from __future__ import annotations

from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import client_mail as rules
from connector.domain.client_mail import ClientMail
from connector.domain.facts import Attestation, MailChoice, MailKind
from connector.domain.notice import DeclinedProposal
from connector.domain.people import Actor
from connector.domain.session import Edit, Session, SessionState
from connector.domain.span import When
from connector.errors import NotFoundError, QuestionClosedError, RuleError
from connector.inbox.verdict import past
from connector.services import client_mails, conversations
from connector.services.policy import Policy
from connector.services.recording import Case, load
from connector.services.scheduling import sessions
from connector.services.scheduling.conflicts import NOT_ASKED, Consent
from connector.storage import client_mails as stored
from connector.storage import people, timeline
from connector.storage.seal import Seal

PURPOSE = "mail"
LINKS_SHOW = timedelta(days=90)
_BY_MAIL = "by e-mail"  # the channel of the attestation: the mail itself
_ON_PAGE = "another way"  # likewise, of what was written on the page of the session


def find(db: Connection, seal: Seal, token: str, *, now: datetime) -> ClientMail:
    """Return the mail that a link in a letter leads to.

    Raises: NotFoundError if the link is none of ours, or that mail ended more than 90 days ago.
    """
    mail = stored.get(db, seal.identity(PURPOSE, token))
    seal.check_reader(PURPOSE, token, people.practitioner(db, mail.practitioner_id).email)
    if mail.ended_at is not None and mail.ended_at + LINKS_SHOW <= now:
        raise NotFoundError("This link has expired: what it was about ended long ago.", code="mail_link_expired")
    return mail


def can_be_decided(mail: ClientMail, session: Session, *, now: datetime) -> bool:
    """Whether a decision can still change anything: not about a session that is cancelled, or over."""
    return mail.is_open and session.state is SessionState.BOOKED and session.when.span.end > now


def decide(
    db: Connection,
    policy: Policy,
    mail_id: UUID,
    choice: MailChoice,
    *,
    by: Actor,
    now: datetime,
    consent: Consent = NOT_ASKED,
    which: int = 0,
) -> ClientMail:
    """Record a decision and carry out what follows from it; the same once more changes nothing.

    `which` says to which of several times, counted from 0, is agreed.

    Raises: NotFoundError; QuestionClosedError if it was decided otherwise, or overtaken; PastSpanError, TimeTakenError,
        ConflictError (see `conflicts`) for a time that is agreed to; RuleError: nothing has changed then.
    """
    case = load(db, policy, stored.get(db, mail_id).session_id, now=now)
    mail = stored.get(db, mail_id)
    if mail.choice is choice:
        if (
            choice is MailChoice.AGREE
            and len(mail.times) > 1
            and _proposed(mail, case.session, which) != case.session.when
        ):
            raise QuestionClosedError(
                "You have agreed to one of these times already. The session's page says what stands by now.",
                code="mail_agreed_already",
            )
        return mail
    decided, fact = rules.decide(mail, choice, by=by, now=now)
    if not can_be_decided(mail, case.session, now=now):
        raise QuestionClosedError(
            "This session is cancelled or over, so there is nothing left to decide.", code="mail_session_over"
        )
    stored.save(db, decided)
    timeline.append(db, case.practitioner.id, [fact])
    _follow(db, policy, case, mail, choice, by=by, now=now, consent=consent, which=which)
    return decided


def _follow(
    db: Connection,
    policy: Policy,
    case: Case,
    mail: ClientMail,
    choice: MailChoice,
    *,
    by: Actor,
    now: datetime,
    consent: Consent,
    which: int,
) -> None:
    match choice:
        case MailChoice.TAKE:
            _check_counts(db, case.session, mail, now)
            client_mails.note_answer(db, case.session, mail, now=now)
        case MailChoice.AGREE:
            channel = _ON_PAGE if mail.kind is MailKind.WISH else _BY_MAIL
            attestation = Attestation(who=case.client.name, at=mail.received_at, channel=channel)
            edit = Edit(when=_proposed(mail, case.session, which), attestation=attestation)
            sessions.edit(db, policy, case.session.id, edit, by=by, now=now, consent=consent)
        case MailChoice.REFUSE:
            _refuse(db, case, mail, now)
        case MailChoice.CANCEL:
            sessions.cancel(db, policy, case.session.id, by=by, now=now)
        case MailChoice.KEEP:
            sessions.keep(db, policy, case.session.id, by=by, now=now)
        case MailChoice.DISMISS:
            pass


def _check_counts(db: Connection, session: Session, mail: ClientMail, now: datetime) -> None:
    """Raise QuestionClosedError if an answer counts for nothing by now, whoever vouches for it."""
    invitation = client_mails.invitation_of(db, session)
    if mail.sequence is None or past(invitation, sequence=mail.sequence, now=now):
        raise QuestionClosedError(
            "This answer no longer counts: the client has been told something newer since.",
            code="mail_answer_past",
        )


def _refuse(db: Connection, case: Case, mail: ClientMail, now: datetime) -> None:
    declined = DeclinedProposal(when=_proposed(mail, case.session), sequence=mail.sequence or 0, at=now)
    if not conversations.tell_declined(db, case.practitioner, case.client, case.session, declined, now=now):
        raise RuleError(
            "%(client)s cannot be told by e-mail at present. Have their address corrected, or tell them another way.",
            code="client_without_mail",
            client=case.client.name,
        )


def _proposed(mail: ClientMail, session: Session, which: int = 0) -> When:
    """Return a time that is asked for, on the clock that the session keeps to."""
    if not 0 <= which < len(mail.times):
        raise RuleError("This mail asks for no other time. Choose something else.", code="mail_without_time")
    return When.of(mail.times[which].span, zone=session.when.zone)
