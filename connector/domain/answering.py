"""What proves that it is the client who answers: the link alone, or a code besides."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from connector.domain.people import Medium


class AnswerPolicy(StrEnum):
    """What an answer has to show, the same for everybody in an installation.

    Whoever adds one, such as a booking platform that signs the client in itself, says in `proof_of` what it asks for.
    """

    LINK = "link"  # who has the link is the client
    CODE = "code"  # and has a code besides, by the other medium where there is one


@dataclass(frozen=True, slots=True, kw_only=True)
class CodeBy:
    """A code has to be shown that was sent by this medium.

    `alone`: the link came by it as well, so both prove no more than that somebody reads what arrives there.
    """

    medium: Medium
    alone: bool


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


def proof_of(policy: AnswerPolicy, *, came_by: Medium, reachable: Collection[Medium]) -> CodeBy | None:
    """Return what has to be shown besides a link that came by this medium; None for nothing.

    `reachable`: the media by which its client can be told something now.
    """
    if policy is AnswerPolicy.LINK:
        return None
    others = sorted(medium for medium in reachable if medium is not came_by)
    return CodeBy(medium=others[0] if others else came_by, alone=not others)
