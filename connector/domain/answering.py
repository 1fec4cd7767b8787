"""What proves that it is the client who answers: the link alone, a code besides, or what the host says."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from connector.domain.people import Medium


class AnswerPolicy(StrEnum):
    """What an answer has to show, the same for everybody in an installation.

    Whoever adds one says in `proof_of` what it asks for.
    """

    LINK = "link"  # who has the link is the client
    CODE = "code"  # and has a code besides, by the other medium where there is one
    HOST = "host"  # and is signed in at the host as the client, as the host says


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeBy:
    """A code has to be shown that was sent by this medium.

    `alone`: the link came by it as well, so both prove no more than that somebody reads what arrives there.
    """

    medium: Medium
    alone: bool


@dataclass(frozen=True, slots=True)
class SignedIn:
    """The host has to say that the client themselves is signed in there; nothing is shown to anybody else."""


class Present(StrEnum):
    """Who is there, as the host says, seen from an offer."""

    NOBODY = "nobody"
    ANOTHER = "another"
    THE_CLIENT = "the_client"


MOST_TRIES = 5  # of one code


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerCode:
    """One code that was sent.

    Attributes:
        offer_id: The offer that can be answered with it.
        number: Counts the codes of that offer.
        medium: By what it was sent; only from a link that came otherwise it counts, unless there is no other way.
        conversation_id: The conversation of one by which it is told.
        proof: What a typed code is compared with: an HMAC under a key of the installation.
        made_at: Aware UTC, as the next.
        expires_at: From then on it is good for nothing.
        tries: How often something else was typed.
    """

    id: UUID
    offer_id: UUID
    number: int
    medium: Medium
    conversation_id: UUID
    proof: bytes = field(repr=False)
    made_at: datetime
    expires_at: datetime
    tries: int = 0

    def is_good(self, now: datetime) -> bool:
        """Whether it can be typed, unless a newer one was sent."""
        return now < self.expires_at and self.tries < MOST_TRIES


def who_is_present(named: str | None, *, client: str | None) -> Present:
    """Return who it is that the host names, to an offer to the client whom it knows by the id `client`.

    Of a client whom the host does not know, it can say nothing: whoever is named is another.
    """
    if not named:
        return Present.NOBODY
    return Present.THE_CLIENT if named == client else Present.ANOTHER


def proof_of(policy: AnswerPolicy, *, came_by: Medium, reachable: Collection[Medium]) -> CodeBy | SignedIn | None:
    """Return what has to be shown besides a link that came by this medium; None for nothing.

    `reachable`: the media by which its client can be told something now.
    """
    if policy is AnswerPolicy.LINK:
        return None
    if policy is AnswerPolicy.HOST:
        return SignedIn()
    others = sorted(medium for medium in reachable if medium is not came_by)
    return CodeBy(medium=others[0] if others else came_by, alone=not others)
