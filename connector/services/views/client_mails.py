"""What a practitioner sees of a mail of their client's."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Connection

from connector.domain.client_mail import ClientMail, MailState
from connector.domain.facts import MailDecided
from connector.domain.notice import Finding
from connector.domain.offer import OfferState
from connector.domain.people import Client, Practitioner
from connector.domain.session import Session
from connector.domain.span import When
from connector.language.offered import ENGLISH_ONLY, Languages
from connector.services import client_mails as keeping
from connector.services.policy import Policy
from connector.services.scheduling import mails
from connector.services.sync import free_busy
from connector.services.views.offers import is_open as is_offered
from connector.services.views.timeline import Line, line_of, teller_for
from connector.storage import offers, people, sessions, timeline
from connector.storage.seal import Seal


@dataclass(frozen=True, slots=True, kw_only=True)
class Wished:
    """One of several times that a client could, and what is known of it."""

    when: When
    findings: tuple[Finding, ...]
    conflicts: tuple[str, ...]

    @property
    def can_be_agreed_to(self) -> bool:
        """Whether it can be given at all."""
        return not {Finding.PAST, Finding.TAKEN} & set(self.findings)


@dataclass(frozen=True, slots=True, kw_only=True)
class MailPage:
    """What a practitioner sees of a mail.

    Attributes:
        is_open: Whether a decision can still change anything.
        findings: What is known of the time that it asks for, what weighs most first.
        conflicts: The names of the calendars in which something stands at that time.
        is_known: Whether its author has the address that the client is written to.
        ended: Who has decided, and when; None while nobody has.
        wishes: Each time that could be agreed to, with what is known of it.
        offer: Whether other times are offered at present; that ends when the session moves, or is cancelled.
    """

    mail: ClientMail
    session: Session
    client: Client
    practitioner: Practitioner
    is_open: bool
    findings: tuple[Finding, ...]
    conflicts: tuple[str, ...]
    is_known: bool
    ended: Line | None
    wishes: tuple[Wished, ...]
    offer: bool

    @property
    def can_be_agreed_to(self) -> bool:
        """Whether the time that it asks for can be given at all."""
        return not {Finding.PAST, Finding.TAKEN} & set(self.findings)


def mail_page(
    db: Connection, policy: Policy, seal: Seal, token: str, *, now: datetime, languages: Languages = ENGLISH_ONLY
) -> MailPage:
    """Return what the link in a letter about a client's mail shows.

    Raises: NotFoundError if the link is none of ours, or that mail ended more than 90 days ago.
    """
    mail = mails.find(db, seal, token, now=now)
    session = sessions.get(db, mail.session_id)
    practitioner, client = people.practitioner(db, mail.practitioner_id), people.client(db, session.client_id)
    is_open = mails.can_be_decided(mail, session, now=now)
    proposed = mail.proposed if is_open else None
    end, offer = _end_of(db, mail), offers.in_state(db, session.id, OfferState.OPEN)
    return MailPage(
        mail=mail,
        session=session,
        client=client,
        practitioner=practitioner,
        is_open=is_open,
        findings=keeping.findings(db, policy, session, proposed, now=now),
        conflicts=free_busy.conflicts(db, practitioner.id, proposed.span) if proposed else (),
        is_known=mail.author == client.email.lower(),
        ended=line_of(end, teller_for(practitioner, languages)) if end else None,
        wishes=tuple(
            Wished(
                when=when,
                findings=keeping.findings(db, policy, session, when, now=now) if is_open else (),
                conflicts=free_busy.conflicts(db, practitioner.id, when.span) if is_open else (),
            )
            for when in mail.wishes
        ),
        offer=offer is not None and is_offered(offer, now),
    )


def _end_of(db: Connection, mail: ClientMail) -> MailDecided | None:
    if mail.state is not MailState.DECIDED:
        return None
    facts = reversed(timeline.of_session(db, mail.session_id))
    return next((fact for fact in facts if isinstance(fact, MailDecided) and fact.mail_id == mail.id), None)
