"""What a client is shown of an offer: everything they may know of it, and nothing else."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.offer import Alternative, Offer, OfferState
from connector.domain.people import Client, Medium
from connector.domain.session import Location, Session, SessionState
from connector.domain.span import When
from connector.errors import NotFoundError
from connector.services.policy import Policy
from connector.services.scheduling import answers, codes, session_links, wishes
from connector.services.sync import free_busy
from connector.services.views import page_states
from connector.services.views.offers import state_now
from connector.storage import people, sessions
from connector.storage.seal import Seal

_SHOWN_DIGITS = 2  # by which its owner knows a number, and nobody else does


@dataclass(frozen=True, slots=True, kw_only=True)
class Choice:
    """One time as the client sees it; `gone` says why it cannot be chosen any more: withdrawn, begun or taken."""

    id: UUID
    when: When
    location: Location
    gone: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeView:
    """The code that has to be typed for an answer.

    Attributes:
        medium: By what it is sent.
        ending: The last digits of the number it is sent to; empty for a mail. Who has a link may not be its client.
        alone: The link came by the same medium, so that both prove no more than that somebody reads what arrives there.
        good_until: Of the one that was sent, aware UTC; None if one has to be sent first.
    """

    medium: Medium
    ending: str
    alone: bool
    good_until: datetime | None


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerPage:
    """What a client may know of an offer made to them, and nothing else.

    `state` is as of now: an open offer whose deadline has come is lapsed, even before that is recorded.
    `says_more`: they can say what would suit them, whether or not it is open.
    `replies_to` is the address at which their practitioner reads what they write; empty for none.
    `own_page` is the token of their own page of the session.
    `came_by` is the medium of the link, `code` what has to be typed for an answer; None for nothing.
    `version` is another as soon as the page would show something else.
    """

    offer_id: UUID
    session_id: UUID
    gets_mail: bool
    state: OfferState
    practitioner_name: str
    client_name: str
    zone: str
    locale: str
    when: When
    location: Location
    booked: bool
    choices: tuple[Choice, ...]
    chosen: Choice | None
    expires_at: datetime | None
    ended_at: datetime | None
    came_by: Medium
    code: CodeView | None
    version: str
    says_more: bool
    replies_to: str
    own_page: str

    def choice(self, alternative_id: UUID) -> Choice:
        """Return one of the times. Raises: NotFoundError."""
        for choice in self.choices:
            if choice.id == alternative_id:
                return choice
        raise NotFoundError("This time is not part of the offer.", code="alternative_not_found")


def answer_page(db: Connection, policy: Policy, seal: Seal, token: str, *, now: datetime) -> AnswerPage:
    """Return what an answer link shows.

    Raises: NotFoundError as `answers.find` does.
    """
    offer = answers.find(db, seal, token, now=now)
    session = sessions.get(db, offer.session_id)
    client = people.client(db, session.client_id)
    choices = tuple(_choice(db, policy, alternative, session, now) for alternative in offer.alternatives)
    version = page_states.of_clients_session(db, session.id, now=now)
    came_by, state = answers.came_by(seal, token), state_now(offer, now)
    practitioner = people.practitioner(db, offer.practitioner_id)
    return AnswerPage(
        offer_id=offer.id,
        session_id=session.id,
        gets_mail=bool(client.email),
        state=state,
        practitioner_name=practitioner.name,
        client_name=client.name,
        zone=client.zone,
        locale=client.locale,
        when=session.when,
        location=session.location,
        booked=session.state is SessionState.BOOKED,
        choices=choices,
        chosen=next((choice for choice in choices if choice.id == offer.accepted_id), None),
        expires_at=offer.expires_at,
        ended_at=offer.ended_at,
        came_by=came_by,
        says_more=wishes.can_be_said(db, offer, session, now=now),
        replies_to=practitioner.replies_to,
        own_page=session_links.token(seal, session.id, came_by, reader=client.address(came_by)),
        code=_code(db, policy, offer, client, came_by, now) if state is OfferState.OPEN else None,
        version=version,
    )


def _code(
    db: Connection, policy: Policy, offer: Offer, client: Client, came_by: Medium, now: datetime
) -> CodeView | None:
    proof = codes.needed(db, policy, offer, came_by)
    if proof is None:
        return None
    sent = codes.current(db, offer.id, proof.medium, now=now)
    return CodeView(
        medium=proof.medium,
        ending=client.phone[-_SHOWN_DIGITS:] if proof.medium is Medium.SMS else "",
        alone=proof.alone,
        good_until=sent.expires_at if sent is not None else None,
    )


def _choice(db: Connection, policy: Policy, alternative: Alternative, session: Session, now: datetime) -> Choice:
    return Choice(
        id=alternative.id,
        when=alternative.when,
        location=alternative.location or session.location,
        gone=_gone(db, policy, alternative, session, now),
    )


def _gone(db: Connection, policy: Policy, alternative: Alternative, session: Session, now: datetime) -> str:
    if alternative.withdrawn:
        return "withdrawn"
    if alternative.when.span.start <= now:
        return "begun"
    is_taken = policy.refuse_conflicts and free_busy.conflicts(db, session.practitioner_id, alternative.when.span)
    return "taken" if is_taken else ""
