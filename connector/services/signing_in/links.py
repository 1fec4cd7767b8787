"""People sign in by a link that is mailed to them, that works once, and that voids every earlier one.

Who asks is answered before anybody looks whether the address is known, so that neither the answer nor its time tells;
a worker looks. How many letters an address gets is counted there, whoever asks for them and from wherever. That keeps
nobody out of their own account: the newest letter always lets them in, or they may ask for another; and who has signed
in, or out everywhere, is counted from then on.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from types import MappingProxyType
from uuid import UUID, uuid4

from sqlalchemy import Connection

from connector.domain.people import Practitioner, Role, Signing, SupportPerson
from connector.services import notices
from connector.services.policy import Policy
from connector.services.signing_in.log import Event
from connector.storage import ledger, people, signins, support_people
from connector.storage.database import Database
from connector.storage.ledger import Key, Kind
from connector.storage.seal import Seal
from connector.storage.signins import LinkRequest, UsedSignIn

PURPOSE, SUPPORT_PURPOSE = "sign-in", "support-sign-in"  # a link of the one lets nobody in as the other
MOST_LETTERS = 5  # to one address; the last one stays good until there may be another
WITHIN = timedelta(hours=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Owner:
    """Whom a link signs in."""

    name: str
    email: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Outcome:
    """What became of a request for a link; `person_id` is None where nobody has that address."""

    event: Event
    person_id: UUID | None = None
    role: Signing = Role.PRACTITIONER


def ask(
    db: Connection, address: str, *, now: datetime, role: Signing = Role.PRACTITIONER, wanted: str | None = None
) -> None:
    """Have a link mailed to whoever signs in with that address, if there is somebody: a worker looks.

    `wanted` is the path of a page of ours that they had wanted to see: the link leads there, in whatever browser.
    """
    request_id = uuid4()
    signins.note_request(db, request_id, LinkRequest(address=address, role=role, wanted=wanted), now=now)
    ledger.touch(db, Key(Kind.SIGN_IN, str(request_id)), due_at=now)


def mail(db: Connection, policy: Policy, request_id: UUID, *, now: datetime) -> Outcome | None:
    """Mail the link that somebody has asked for, unless nobody has that address, or it was mailed too many lately.

    Returns: What became of it, to be noted once that is stored; None if somebody else has seen to it.
    """
    request = signins.take_request(db, request_id)
    if request is None:
        return None
    role, reader = request.role, _locked(db, request)
    if reader is None:
        return Outcome(event=Event.LINK_NOT_OURS, role=role)
    made = signins.made_since(db, reader.id, now - WITHIN, role=role)
    if len(made) >= MOST_LETTERS:
        return Outcome(event=Event.LIMITED, person_id=reader.id, role=role)
    until = made[0] + WITHIN if len(made) == MOST_LETTERS - 1 else None
    notices.queue_sign_in(db, policy, reader, now=now, until=until, wanted=request.wanted)
    return Outcome(event=Event.LINK_MAILED, person_id=reader.id, role=role)


def _locked(db: Connection, request: LinkRequest) -> Practitioner | SupportPerson | None:
    """Return who signs in with an address, locked: of two requests at once, one counts the other."""
    if request.role is Role.SUPPORT:
        found = support_people.by_email(db, request.address)
        return support_people.get(db, found.id, lock=True) if found else None
    practitioner = people.practitioner_by_email(db, request.address)
    return people.practitioner(db, practitioner.id, lock=True) if practitioner else None


def owner(
    database: Database, seal: Seal, token: str, *, now: datetime, role: Signing = Role.PRACTITIONER
) -> Owner | None:
    """Return whom a mailed link would sign in; None if it was used already, or is too old.

    Raises: NotFoundError if it is none of ours.
    """
    signin_id = seal.identity(_PURPOSES[role], token)
    with database.read() as db:
        person_id = signins.owner(db, signin_id, role=role, now=now)
        found = _person(db, person_id, role) if person_id else None
    return Owner(name=found.name, email=found.email) if found else None


def person(db: Connection, seal: Seal, token: str, *, role: Signing) -> Practitioner | SupportPerson | None:
    """Return whom a mailed link is for, even if it lets nobody in any more; None if it is nobody's.

    Raises: NotFoundError if it is none of ours.
    """
    person_id = signins.whose(db, seal.identity(_PURPOSES[role], token), role=role)
    return _person(db, person_id, role) if person_id else None


def use(db: Connection, seal: Seal, token: str, *, role: Signing, now: datetime) -> UsedSignIn | None:
    """Use up a mailed link, and return whose it was; None if it was used already, or is too old.

    Raises: NotFoundError if it is none of ours.
    """
    return signins.use(db, seal.identity(_PURPOSES[role], token), role=role, now=now)


def _person(db: Connection, person_id: UUID, role: Signing) -> Practitioner | SupportPerson | None:
    return support_people.get(db, person_id) if role is Role.SUPPORT else people.practitioner(db, person_id)


_PURPOSES: Mapping[Role, str] = MappingProxyType({Role.PRACTITIONER: PURPOSE, Role.SUPPORT: SUPPORT_PURPOSE})
