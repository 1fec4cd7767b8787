"""Whether a client can be told anything: agreements to texts end, and addresses go; nobody is left untold unseen."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime
from uuid import UUID

from sqlalchemy import Connection

from connector.domain import conversation as rules
from connector.domain.facts import STOPPED_TEXTS, FlagCleared, PersonChanged
from connector.domain.notice import Notice, NoticeKind
from connector.domain.notice_table import NOTICES, Effect
from connector.domain.offer import OfferState
from connector.domain.people import CLOCK, Actor, Client, Medium, Practitioner, Role
from connector.domain.session import Session, SessionState
from connector.services import conversations, notices, standstill
from connector.services.beliefs import told_by
from connector.storage import conversations as stored
from connector.storage import offers, people, sessions, timeline
from connector.storage.messages import Message


def stop_texts(
    db: Connection,
    media: Collection[Medium],
    number: str,
    *,
    refused: Message | None = None,
    beside: Collection[UUID] = (),
    now: datetime,
) -> Sequence[Client]:
    """Text nobody of this number any more, and return whose agreement has ended; whoever shares it agrees anew.

    Each practitioner with sessions to come is told so, once.

    Args:
        db: Where.
        media: What the installation sends by.
        number: Whose.
        refused: The text of which their gateway says that they have told it so; who has agreed since then still does.
        beside: Practitioners who are locked as well.
        now: Aware UTC.
    """
    clients = [client for client in people.clients_by_phone(db, number) if client.texts_agreed]
    own = {client.id: sessions.of_client(db, client.id, since=now) for client in clients}
    practitioners = _locked(db, {*beside, *(session.practitioner_id for every in own.values() for session in every)})
    stopped: list[Client] = []
    for client_id in sorted(own):
        before = people.client(db, client_id, lock=True)
        if not before.texts_agreed or before.phone != number or _has_agreed_since(db, client_id, refused):
            continue
        people.agree_to_texts(db, client_id, None, now=now)
        after = replace(before, texts_agreed=False)
        by = CLOCK if refused is not None else Actor(role=Role.CLIENT, name=after.name)
        for session in own[client_id]:
            fact = PersonChanged(at=now, by=by, session_id=session.id, who="client", changed=STOPPED_TEXTS)
            timeline.append(db, session.practitioner_id, [fact])
        if not after.reachable & frozenset(media):
            lose(db, practitioners, after, own[client_id], unheard=_unheard(refused), now=now)
        else:
            _tell_ended(db, practitioners.values(), after, own[client_id], refused=refused, now=now)
        stopped.append(after)
    return stopped


def stopped_by_gateway(db: Connection, media: Collection[Medium], message: Message, *, now: datetime) -> None:
    """End an agreement to texts of which a gateway has said, about this text, that it has ended; it is told once."""
    stopped = stop_texts(db, media, message.notice.to.address, refused=message, now=now)
    session = sessions.get(db, message.session_id) if message.session_id else None
    if session is None:
        return
    client = people.client(db, session.client_id)
    has_ended = client.id in {one.id for one in stopped}
    is_told = not client.texts_agreed if not has_ended else not client.reachable & frozenset(media)
    notice = _not_delivered(db, message, stopped=has_ended)
    key = f"{notice.kind}:{message.id}"
    if is_told or stored.was_told(db, key):
        return  # with an earlier text, or as something that cannot be told at all
    notices.tell(db, notice, key=key, practitioner_id=message.practitioner_id, now=now)


def _has_agreed_since(db: Connection, client_id: UUID, refused: Message | None) -> bool:
    """Whether a client has agreed to texts after the one was sent of which their gateway says that they have not."""
    since = people.texts_agreed_since(db, client_id)
    return refused is not None and since is not None and since > (refused.sent_at or refused.queued_at)


def _unheard(refused: Message | None) -> UUID | None:
    """Return the session of which a text that was refused would have told something new."""
    row = NOTICES[refused.kind] if refused is not None else None
    is_new = row is not None and row.reminds_after is None and row.effect is not Effect.NONE
    return refused.session_id if refused is not None and is_new else None


def _not_delivered(db: Connection, message: Message, *, stopped: bool) -> Notice:
    practitioner = people.practitioner(db, message.practitioner_id)
    return notices.not_delivered(practitioner, message.notice, medium=message.medium, stopped=stopped)


def _tell_ended(
    db: Connection,
    practitioners: Iterable[Practitioner],
    client: Client,
    own: Sequence[Session],
    *,
    refused: Message | None,
    now: datetime,
) -> None:
    """Tell each practitioner with sessions to come that a client gets no texts any more, who is told by mail alone.

    But for the one who is told so of the text that was refused.
    """
    ids = {one.id for one in own if one.state is SessionState.BOOKED and one.when.span.start > now}
    tells = None
    if refused is not None and not stored.was_told(db, f"{NoticeKind.NOT_DELIVERED}:{refused.id}"):
        session = sessions.get(db, refused.session_id) if refused.session_id else None
        tells = refused.practitioner_id if session is not None and session.client_id == client.id else None
    for practitioner in practitioners:
        theirs = [one for one in own if one.id in ids and one.practitioner_id == practitioner.id]
        if theirs and practitioner.id != tells:
            notices.tell_practitioner(db, practitioner, notices.texts_ended(practitioner, client, theirs[0]), now=now)


def _locked(db: Connection, ids: Iterable[UUID]) -> dict[UUID, Practitioner]:
    """Lock practitioners, also while everything stands still, and return them."""
    return {practitioner_id: people.practitioner(db, practitioner_id, lock=True) for practitioner_id in sorted(ids)}


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
        untold = [one for one in theirs if one.id == unheard or not told_by(db, one, now=now)]
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


def told_in_person(db: Connection, session_id: UUID, *, shown: str, by: Actor, now: datetime) -> bool:
    """Note that a practitioner has told a client what applies, whom nothing reaches: the session needs nobody for that.

    Where nothing waits to be told in this way, nothing changes. False if something else stands by now than the version
    that was `shown` to them: that they have not told. Raises: NotFoundError, StandstillError.
    """
    standstill.lock(db, sessions.get(db, session_id).practitioner_id)
    session = sessions.get(db, session_id)
    open_offer = offers.in_state(db, session_id, OfferState.OPEN)
    if shown != rules.version(session, open_offer):
        return False
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
    return True


def _mark(db: Connection, session: Session) -> None:
    for one in stored.of_client(db, [session.id]):
        current = stored.locked(db, one.id)
        if current is not None and not current.refused:
            stored.save(db, replace(current, refused=stored.NO_CHANNEL))
