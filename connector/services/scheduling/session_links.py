"""The link to a client's own page of a session: it reads, and does nothing else.

It is good for the address to which it was sent, until 90 days after the session, and for nobody once its client takes
no more bookings here. What is done from that page carries a purpose of its own: an offer's, or that of cancelling.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.answering import AnswerPolicy
from connector.domain.client_link import link_expired
from connector.domain.people import Actor, Client, Medium
from connector.domain.session import Session, SessionState
from connector.errors import NotFoundError, RuleError, StaleAnswerError
from connector.services.policy import Policy
from connector.services.recording import load
from connector.services.scheduling import sessions as booked
from connector.storage import offers, people, sessions
from connector.storage.seal import Seal

PURPOSES: Mapping[Medium, str] = {Medium.EMAIL: "mine", Medium.SMS: "mine_text"}  # of links, by what they came
CANCELLING: Mapping[Medium, str] = {Medium.EMAIL: "cancel", Medium.SMS: "cancel_text"}  # likewise
LINKS_SHOW = timedelta(days=90)  # after a session


def token(seal: Seal, session_id: UUID, medium: Medium, *, reader: str) -> str:
    """Return the token of a session's page for who reads at an address."""
    return seal.token(PURPOSES[medium], session_id, reader=reader)


def identity(seal: Seal, token: str) -> UUID:
    """Return the session that a link is about, whether or not it still shows anything.

    Raises: NotFoundError if it is none of ours.
    """
    return seal.identity(PURPOSES[came_by(seal, token)], token)


def came_by(seal: Seal, token: str) -> Medium:
    """Return the medium by which a link was sent; by mail if it is none of ours."""
    with suppress(NotFoundError):
        seal.identity(PURPOSES[Medium.SMS], token)
        return Medium.SMS
    return Medium.EMAIL


def find(db: Connection, seal: Seal, token: str, *, now: datetime) -> tuple[Session, Client]:
    """Return the session that a link leads to, and its client.

    Raises: NotFoundError if it is none of ours, was sent to another address than the client has now, or has ended.
    """
    medium = came_by(seal, token)
    session = sessions.get(db, identity(seal, token))
    client = people.client(db, session.client_id)
    seal.check_reader(PURPOSES[medium], token, client.address(medium))
    _check_lasts(session, client, now)
    return session, client


def offers_sent(db: Connection, session_id: UUID) -> Sequence[UUID]:
    """Return the offers about a session that its client was asked, the last one last."""
    sent = [(offer.sent_at, offer.id) for offer in offers.of_session(db, session_id) if offer.sent_at is not None]
    return [offer_id for _, offer_id in sorted(sent)]


def cancel_token(seal: Seal, session_id: UUID, medium: Medium, *, reader: str) -> str:
    """Return the token by which a client cancels a session from its page, where that is allowed at all."""
    return seal.token(CANCELLING[medium], session_id, reader=reader)


def find_to_cancel(db: Connection, seal: Seal, token: str, *, now: datetime) -> tuple[Session, Client, Medium]:
    """Return the session that such a token cancels, its client, and by what the link to its page came.

    Raises: NotFoundError as `find` does.
    """
    medium = Medium.EMAIL
    with suppress(NotFoundError):
        seal.identity(CANCELLING[Medium.SMS], token)
        medium = Medium.SMS
    session = sessions.get(db, seal.identity(CANCELLING[medium], token))
    client = people.client(db, session.client_id)
    seal.check_reader(CANCELLING[medium], token, client.address(medium))
    _check_lasts(session, client, now)
    return session, client, medium


def cancel_until(policy: Policy, session: Session) -> datetime | None:
    """Return until when a client may cancel a session on its page, aware UTC; None for not at all.

    Where a link alone proves nothing, a code is asked for; codes are sent for offers, so there an offer has to be open.
    """
    if policy.cancel_before is None or policy.answers is AnswerPolicy.CODE or session.state is not SessionState.BOOKED:
        return None
    return session.when.span.start - policy.cancel_before


def cancel(
    db: Connection, policy: Policy, session_id: UUID, *, by: Actor, now: datetime, shown: datetime | None = None
) -> Session:
    """Cancel a session, for its client, as far as the practice allows; once more changes nothing.

    Args:
        db: The transaction.
        policy: Whether and until when it is allowed.
        session_id: Which.
        by: The client.
        now: Aware UTC.
        shown: The start that their page has shown, aware UTC: a session that has moved since is not cancelled.
    Raises: NotFoundError; StaleAnswerError; RuleError if it is too late, or not allowed.
    """
    session = load(db, policy, session_id, now=now).session
    if session.state is SessionState.CANCELLED:
        return session
    until = cancel_until(policy, session)
    if until is None or until <= now:
        raise RuleError(
            "This session can no longer be cancelled here, so it stands.",
            code="cancel_too_late",
        )
    if shown != session.when.span.start:
        raise StaleAnswerError(
            "Your session has been moved since you opened the page. Please look at the time below. Nothing was "
            "cancelled.",
            code="session_moved_since",
        )
    return booked.cancel(db, policy, session_id, by=by, now=now)


def _check_lasts(session: Session, client: Client, now: datetime) -> None:
    if session.when.span.end + LINKS_SHOW <= now or client.retired:
        raise link_expired()
