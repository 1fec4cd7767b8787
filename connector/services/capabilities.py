"""What a reader of an address was given ends with that address: whoever reads there is no longer meant.

Links of letters end by themselves, since each is good for the address to which it was sent (`Seal.check_reader`).
Whatever else somebody has who had one of them ends here.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.facts import PersonChanged
from connector.domain.people import Actor, Client, Medium
from connector.domain.session import Session, SessionState
from connector.storage import answer_codes, published, sessions, timeline

REMEMBERED = timedelta(days=90)  # so long a calendar that was revoked is known to have been there


def lost(before: Client, after: Client) -> frozenset[Medium]:
    """Return the media by whose former address nobody is to be let in any more; another spelling is the same one."""
    return frozenset(
        medium
        for medium in Medium
        if before.address(medium) and before.address(medium).lower() != after.address(medium).lower()
    )


def end_for_client(
    db: Connection, client_id: UUID, own: Sequence[Session], media: Collection[Medium], *, by: Actor, now: datetime
) -> Sequence[Session]:
    """End what readers of a client's former addresses have: their calendar subscription, and codes that are out.

    Args:
        db: The transaction; the client is locked, and whoever decides about their sessions.
        client_id: Whose addresses were corrected.
        own: Their sessions to come.
        media: By which they had another address.
        by: Who has corrected it.
        now: Aware UTC.
    Returns: Their sessions as they stand then; whoever corrects an address has the client told of them.
    """
    if not media:
        return own
    answer_codes.void(db, [session.id for session in own], media, now=now)
    former = published.of_client(db, client_id)
    if former is None:
        return own
    published.revoke(db, former.id, now=now, sweep_at=now + REMEMBERED)
    return [_invited_anew(db, session, by=by, now=now) for session in own]


def _invited_anew(db: Connection, session: Session, *, by: Actor, now: datetime) -> Session:
    if not session.published or session.state is not SessionState.BOOKED:
        return session
    invited = replace(session, published=False)
    sessions.save(db, invited)
    fact = PersonChanged(at=now, by=by, session_id=session.id, who="client", changed=("unpublished",))
    timeline.append(db, session.practitioner_id, [fact])
    return invited


def end_for_practitioner(db: Connection, practitioner_id: UUID, *, by: Actor, now: datetime) -> None:
    """End the calendar subscription of a practitioner whose address was corrected."""
    former = published.of_practitioner(db, practitioner_id)
    if former is not None:
        published.revoke(db, former.id, now=now, sweep_at=now + REMEMBERED)
        fact = PersonChanged(at=now, by=by, who="practitioner", changed=("unpublished",))
        timeline.append(db, practitioner_id, [fact])
