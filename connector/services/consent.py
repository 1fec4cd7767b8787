"""Whether a client can be told anything: agreements to texts end, and addresses go; nobody is left untold unseen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import conversation as rules
from connector.domain.facts import STOPPED_TEXTS, FlagCleared, PersonChanged
from connector.domain.offer import OfferState
from connector.domain.people import CLOCK, Actor, Client, Medium, Practitioner, Role
from connector.domain.session import Session, SessionState
from connector.services import conversations, notices, standstill
from connector.storage import conversations as stored
from connector.storage import offers, people, sessions, timeline
from connector.storage.messages import Message


def stop_texts(
    db: Connection, media: Collection[Medium], number: str, *, refused: Message | None = None, now: datetime
) -> Sequence[Client]:
    """Text nobody of this number any more, and return whose agreement has ended; whoever shares it agrees anew.

    `refused`: the text of which their gateway says that they have told it so.
    """
    clients = [client for client in people.clients_by_phone(db, number) if client.texts_agreed]
    own = {client.id: sessions.of_client(db, client.id, since=now) for client in clients}
    practitioners = _locked(db, (session for every in own.values() for session in every))
    stopped: list[Client] = []
    for client_id in sorted(own):
        before = people.client(db, client_id, lock=True)
        if not before.texts_agreed or before.phone != number:
            continue  # changed meanwhile
        people.agree_to_texts(db, client_id, now=None)
        after = replace(before, texts_agreed=False)
        by = CLOCK if refused is not None else Actor(role=Role.CLIENT, name=after.name)
        for session in own[client_id]:
            fact = PersonChanged(at=now, by=by, session_id=session.id, who="client", changed=STOPPED_TEXTS)
            timeline.append(db, session.practitioner_id, [fact])
        if not after.reachable & frozenset(media):
            lose(db, practitioners, after, own[client_id], unheard=refused.session_id if refused else None, now=now)
        stopped.append(after)
    return stopped


def stopped_by_gateway(db: Connection, media: Collection[Medium], message: Message, *, now: datetime) -> None:
    """End an agreement to texts of which a gateway has said, about this text, that it has ended; it is told once."""
    stopped = stop_texts(db, media, message.notice.to.address, refused=message, now=now)
    session = sessions.get(db, message.session_id) if message.session_id else None
    client = next((one for one in stopped if session is not None and one.id == session.client_id), None)
    if client is None or not client.reachable & frozenset(media):
        return  # told already, or as something that cannot be told at all
    practitioner = people.practitioner(db, message.practitioner_id)
    notice = notices.not_delivered(practitioner, message.notice, medium=message.medium, stopped=True)
    notices.tell(db, notice, key=f"{notice.kind}:{message.id}", practitioner_id=practitioner.id, now=now)


def _locked(db: Connection, own: Iterable[Session]) -> dict[UUID, Practitioner]:
    """Lock the practitioners of sessions, also while everything stands still, and return them."""
    ids = sorted({session.practitioner_id for session in own})
    return {practitioner_id: people.practitioner(db, practitioner_id, lock=True) for practitioner_id in ids}


def lose(
    db: Connection,
    practitioners: Mapping[UUID, Practitioner],
    client: Client,
    own: Sequence[Session],
    *,
    unheard: UUID | None = None,
    now: datetime,
) -> None:
    """Tell each practitioner that a client of theirs can be told nothing from now on; the next session needs them.

    So does each with an open offer, since nobody reminds of it. What the client does not know yet is told apart, once
    it is due, and makes its session need them as well.

    Args:
        db: Where.
        practitioners: By id, all of these sessions', locked.
        client: As they are by now.
        own: Their sessions to come.
        unheard: The one of which something has just not reached them.
        now: Aware UTC.
    """
    for practitioner in practitioners.values():
        theirs = [one for one in own if one.practitioner_id == practitioner.id and one.when.span.start > now]
        untold = [one for one in theirs if one.id == unheard or not conversations.told_by(db, one, now=now)]
        for session in theirs:
            conversations.witness(db, practitioner, client, session, now=now)
        booked = [one for one in theirs if one.state is SessionState.BOOKED]
        offered = [one for one in booked if offers.in_state(db, one.id, OfferState.OPEN) is not None]
        for session in (*booked[:1], *offered):
            _mark(db, session)
        if booked and not untold:
            session = (*offered, *booked)[0]
            offer = offers.in_state(db, session.id, OfferState.OPEN)
            notice = notices.no_channel(
                practitioner, client, session, offer_id=offer.id if offer else None, coming=len(booked)
            )
            notices.tell_practitioner(db, practitioner, notice, now=now)


def told_in_person(db: Connection, session_id: UUID, *, by: Actor, now: datetime) -> None:
    """Note that a practitioner has told a client what applies, whom nothing reaches: the session needs nobody for that.

    Where nothing waits to be told in this way, nothing changes. Raises: NotFoundError, StandstillError.
    """
    standstill.lock(db, sessions.get(db, session_id).practitioner_id)
    session = sessions.get(db, session_id)
    open_offer = offers.in_state(db, session_id, OfferState.OPEN)
    is_new = False
    for one in stored.of_client(db, [session_id]):
        current = stored.locked(db, one.id)
        if current is None or current.refused != stored.NO_CHANNEL:
            continue
        beliefs = rules.told_in_person(current.beliefs or rules.Conversation(), session, open_offer, now=now)
        stored.save(db, replace(current, beliefs=beliefs, refused=""))
        is_new = True
    if is_new:
        fact = FlagCleared(at=now, by=by, session_id=session_id)
        timeline.append(db, session.practitioner_id, [fact])


def _mark(db: Connection, session: Session) -> None:
    for one in stored.of_client(db, [session.id]):
        current = stored.locked(db, one.id)
        if current is not None and not current.refused:
            stored.save(db, replace(current, refused=stored.NO_CHANNEL))
