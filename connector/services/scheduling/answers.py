"""A client answers an offer, on the page or through support. Exactly one answer wins."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import offer as offer_rules
from connector.domain.client_link import link_expired
from connector.domain.offer import Offer, OfferState, Transition
from connector.domain.people import Actor, Client, Medium, Role
from connector.errors import NotFoundError, TimeTakenError
from connector.services import short_links
from connector.services.policy import Policy
from connector.services.recording import Case, decision_of, load, record
from connector.services.sync import free_busy
from connector.storage import offers, people, sessions
from connector.storage.seal import Seal

PURPOSE = "answer"
PURPOSES: Mapping[Medium, str] = {Medium.EMAIL: PURPOSE, Medium.SMS: "answer_text"}  # of links, by what they came
LINKS_SHOW = timedelta(days=90)


def find(db: Connection, seal: Seal, token: str, *, now: datetime) -> Offer:
    """Return the offer an answer link leads to.

    Raises: NotFoundError if the link is none of ours, was never sent, or ended more than 90 days ago.
    """
    medium = came_by(seal, token)
    offer = offers.get(db, seal.identity(PURPOSES[medium], token))
    seal.check_reader(PURPOSES[medium], token, _client(db, offer).address(medium))
    expired = offer.ended_at is not None and offer.ended_at + LINKS_SHOW <= now
    if expired or offer.sent_at is None:
        raise link_expired()
    return offer


def asked(db: Connection, seal: Seal, token: str, *, now: datetime) -> tuple[Offer, Client]:
    """Return the offer an answer link leads to, and whom it asks.

    Raises: NotFoundError as `find` does.
    """
    offer = find(db, seal, token, now=now)
    return offer, _client(db, offer)


def of_text(db: Connection, seal: Seal, token: str, *, now: datetime) -> str:
    """Return the token of the page to which the short link of a text leads.

    Raises: NotFoundError if it is none of ours, has ended, or was sent to another number than the client has now.
    """
    offer_id = short_links.find(db, PURPOSE, token, now=now)
    number = _client(db, offers.get(db, offer_id)).phone
    if not short_links.was_lent_to(seal, PURPOSE, token, offer_id, reader=number):
        raise link_expired()
    return seal.token(PURPOSES[Medium.SMS], offer_id, reader=number)


def unknown_to_the_host(db: Connection, *, now: datetime) -> tuple[int, int]:
    """Return how many clients have a session to come, and how many of those have no id of the host's."""
    clients = people.with_sessions(db, since=now)
    return len(clients), sum(client.external_id is None for client in clients)


def _client(db: Connection, offer: Offer) -> Client:
    return people.client(db, sessions.get(db, offer.session_id).client_id)


def came_by(seal: Seal, token: str) -> Medium:
    """Return the medium by which an answer link was sent; by mail if it is none of ours."""
    with suppress(NotFoundError):
        seal.identity(PURPOSES[Medium.SMS], token)
        return Medium.SMS
    return Medium.EMAIL


def accept(
    db: Connection,
    policy: Policy,
    offer_id: UUID,
    alternative_id: UUID,
    *,
    by: Actor,
    now: datetime,
    shown: datetime | None = None,
) -> Offer:
    """Move the session to one alternative and release the others; `shown` is the start the page showed, aware UTC.

    Where something stands at that time in another calendar of the practitioner, the installation's policy decides: the
    practitioner is warned, or the client has to choose another time.

    Raises: OfferClosedError, StaleAnswerError, PastSpanError, NotFoundError, RuleError; TimeTakenError for such a
        conflict, or if support answers after a lapse and somebody else has the time by then.
    """
    case, offer = _load(db, policy, offer_id, by, now)
    transition = offer_rules.accept(offer, case.session, alternative_id, by=by, now=now, shown=shown)
    names = free_busy.conflicts(db, case.practitioner.id, transition.session.when.span) if transition.facts else ()
    if names and policy.refuse_conflicts and by.role is Role.CLIENT:
        raise TimeTakenError(
            "This time is no longer free. Please choose another one.", code="offered_time_not_free", field="alternative"
        )
    decision = replace(decision_of(transition, was=offer.state), conflict=", ".join(names))
    record(db, policy, case, decision, now=now)
    return transition.offer


def reject(db: Connection, policy: Policy, offer_id: UUID, *, by: Actor, now: datetime) -> Offer:
    """Say that none of the times suits; the session keeps its time and is flagged.

    Raises: OfferClosedError, NotFoundError.
    """
    case, offer = _load(db, policy, offer_id, by, now)
    transition = offer_rules.reject(offer, case.session, by=by, now=now)
    return _store(db, policy, case, transition, offer.state, now)


def cancel_booking(db: Connection, policy: Policy, offer_id: UUID, *, by: Actor, now: datetime) -> Offer:
    """Cancel the session itself, for the client.

    Raises: OfferClosedError, NotFoundError.
    """
    case, offer = _load(db, policy, offer_id, by, now)
    transition = offer_rules.cancel_booking(offer, case.session, by=by, now=now)
    return _store(db, policy, case, transition, offer.state, now)


def _load(db: Connection, policy: Policy, offer_id: UUID, by: Actor, now: datetime) -> tuple[Case, Offer]:
    # Support may accept after the deadline, so loading must not end the very offer they answer.
    besides = offer_id if by.role is Role.SUPPORT else None
    case = load(db, policy, offers.get(db, offer_id).session_id, now=now, besides=besides)
    return case, offers.get(db, offer_id)


def _store(db: Connection, policy: Policy, case: Case, transition: Transition, was: OfferState, now: datetime) -> Offer:
    record(db, policy, case, decision_of(transition, was=was), now=now)
    return transition.offer
