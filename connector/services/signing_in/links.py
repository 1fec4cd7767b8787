"""Practitioners sign in by a link that is mailed to them, that works once, and that voids every earlier one.

Who asks is answered before anybody looks whether the address is known, so that neither the answer nor its time tells;
a worker looks. How many letters an address gets is counted there, whoever asks for them and from wherever. That keeps
nobody out of their own account: the newest letter always lets them in, or they may ask for another; and who has signed
in, or out everywhere, is counted from then on.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import Connection

from connector.services import notices
from connector.services.policy import Policy
from connector.services.signing_in.log import Event
from connector.storage import ledger, people, signins
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from connector.storage.seal import Seal

PURPOSE = "sign-in"
MOST_LETTERS = 5  # to one address; the last one stays good until there may be another
WITHIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whom a link signs in."""

    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a request for a link; `practitioner_id` is None where nobody has that address."""

    event: Event
    practitioner_id: UUID | None = None


def ask(db: Connection, address: str, *, now: datetime) -> None:
    """Have a link mailed to the practitioner of that address, if there is one: a worker looks."""
    request_id = uuid4()
    signins.note_request(db, request_id, address, now=now)
    ledger.touch(db, Key(Kind.SIGN_IN, str(request_id)), due_at=now)


def mail(db: Connection, policy: Policy, request_id: UUID, *, now: datetime) -> Outcome | None:
    """Mail the link that somebody has asked for, unless nobody has that address, or it was mailed too many lately.

    Returns: What became of it, to be noted once that is stored; None if somebody else has seen to it.
    """
    address = signins.take_request(db, request_id)
    if address is None:
        return None
    practitioner = people.practitioner_by_email(db, address)
    if practitioner is None:
        return Outcome(event=Event.LINK_NOT_OURS)
    people.practitioner(db, practitioner.id, lock=True)  # of two at once, one counts the other
    made = signins.made_since(db, practitioner.id, now - WITHIN)
    if len(made) >= MOST_LETTERS:
        return Outcome(event=Event.LIMITED, practitioner_id=practitioner.id)
    until = made[0] + WITHIN if len(made) == MOST_LETTERS - 1 else None
    notices.queue_sign_in(db, policy, practitioner, now=now, until=until)
    return Outcome(event=Event.LINK_MAILED, practitioner_id=practitioner.id)


def owner(database: Database, seal: Seal, token: str, *, now: datetime) -> Owner | None:
    """Return whom a mailed link would sign in; None if it was used already, or is too old.

    Raises: NotFoundError if it is none of ours.
    """
    signin_id = seal.identity(PURPOSE, token)
    with database.read() as db:
        practitioner_id = signins.owner(db, signin_id, now=now)
        practitioner = people.practitioner(db, practitioner_id) if practitioner_id else None
    return Owner(name=practitioner.name, email=practitioner.email) if practitioner else None


def use(db: Connection, seal: Seal, token: str, *, now: datetime) -> UUID | None:
    """Use up a mailed link, and return its practitioner; None if it was used already, or is too old.

    Raises: NotFoundError if it is none of ours.
    """
    return signins.use(db, seal.identity(PURPOSE, token), now=now)
