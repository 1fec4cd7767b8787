"""Somebody with the same address, number or name as another is noticed before they are saved, and accepted knowingly.

One rule for pages and commands. Programs say of a new client whether there may be another with the same address
(`services/people.py`), since nobody is there to be asked.
"""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from uuid import UUID

from sqlalchemy import Connection

from connector.domain.people import Client, Practitioner
from connector.errors import DuplicateError
from connector.language.messages import marked
from connector.sentence import Paragraph, Sentence
from connector.storage import people

MOST_NAMED = 5
_FIELDS = ("email", "phone", "name")
_EMAIL, _PHONE, _NAME = _FIELDS
# What of them is the same, in the order of the fields.
_SAME = {
    (_EMAIL,): marked("%(client)s has the same e-mail address."),
    (_PHONE,): marked("%(client)s has the same phone number."),
    (_NAME,): marked("There is another client called %(client)s."),
    (_EMAIL, _PHONE): marked("%(client)s has the same e-mail address and the same phone number."),
    (_EMAIL, _NAME): marked("There is another %(client)s with the same e-mail address."),
    (_PHONE, _NAME): marked("There is another %(client)s with the same phone number."),
    (_EMAIL, _PHONE, _NAME): marked("There is another %(client)s with the same e-mail address and phone number."),
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Acceptance:
    """What a person has said to those who are like somebody before they are saved.

    Attributes:
        shown: The key of those they were shown and accept; others they have to be shown first.
        anything: Whether they accept whoever there is.
    """

    shown: str = ""
    anything: bool = False


ANYBODY = Acceptance(anything=True)


def check_new(db: Connection, person: Client, *, of: UUID | None, accepted: Acceptance) -> None:
    """Raise DuplicateError for a client like whom there is one already, unless that was accepted.

    Args:
        db: The transaction in which they are added.
        person: Who it is.
        of: The practitioner who asks, and is told of nobody they do not know; None for whoever may see everybody.
        accepted: What was said to it.
    """
    if person.email:
        people.claim_address(db, person.email)  # two who add it at once are one after the other
    _check(db, person, _FIELDS, of=of, accepted=accepted)


def check_changed(db: Connection, before: Client, after: Client, *, of: UUID | None, accepted: Acceptance) -> None:
    """Raise DuplicateError for what has become the same as of somebody else, likewise."""
    changed = [name for name in _FIELDS if getattr(before, name) != getattr(after, name)]
    _check(db, after, changed, of=of, accepted=accepted)


def check_practitioner(
    db: Connection, person: Practitioner, *, before: Practitioner | None = None, accepted: Acceptance
) -> None:
    """Raise DuplicateError for a practitioner who is called like another; an address only one may have anyway."""
    if accepted.anything or (before is not None and before.name == person.name):
        return
    others = [one for one in people.practitioners_named(db, person.name, most=MOST_NAMED) if one.id != person.id]
    if not others:
        return
    raise DuplicateError(
        "There is another practitioner called %(name)s, at %(addresses)s. Nothing has been saved yet. Use that one, or "
        "say that this is somebody else.",
        code="practitioner_duplicate",
        field="name",
        key=_key([one.id for one in others]),
        found=[one.id for one in others],
        name=person.name,
        addresses=tuple(one.email for one in others),
    )


def _check(db: Connection, person: Client, names: Sequence[str], *, of: UUID | None, accepted: Acceptance) -> None:
    if accepted.anything:
        return
    given = {_EMAIL: person.email, _PHONE: person.phone, _NAME: person.name}
    sought = {name: given[name] for name in names}
    others = people.clients_alike(db, **sought, of=of, but=person.id, most=MOST_NAMED)
    key = _key([one.id for one in others])
    if not others or accepted.shown == key:
        return
    raise DuplicateError(
        "%(duplicates)s Nothing has been saved yet. Use the one who is here, or say that this is somebody else.",
        code="client_duplicate",
        field="duplicate",
        key=key,
        found=[one.id for one in others],
        duplicates=Paragraph(tuple(_sentence(one, sought) for one in others)),
    )


def _sentence(other: Client, sought: dict[str, str]) -> Sentence:
    theirs = {_EMAIL: other.email.lower(), _PHONE: other.phone, _NAME: other.name.lower()}
    same = tuple(name for name in _FIELDS if sought.get(name) and sought[name].lower() == theirs[name])
    return Sentence.of(_SAME[same or (_NAME,)], {"client": other.name})


def _key(ids: Sequence[UUID]) -> str:
    return hashlib.sha256("\n".join(sorted(str(one) for one in ids)).encode()).hexdigest()[:16]
