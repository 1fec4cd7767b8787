"""Keys by which a host's own programs act: what each may do, and for whom."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from uuid import UUID

from connector.domain.people import LONGEST_NAME, NAME, Actor, Role
from connector.domain.text import check_external_id, one_line
from connector.errors import RuleError


class Scope(StrEnum):
    """What a key may do; none implies another, save that whoever may write something may read it."""

    READ = "read"
    SESSIONS = "sessions"
    OFFERS = "offers"
    SUPPORT = "support"
    CONNECTIONS = "connections"
    ADMIN = "admin"


@dataclass(frozen=True, slots=True, kw_only=True)
class ApiKey:
    """A key of a host's program; the secret itself is nowhere, only its hash.

    Attributes:
        prefix: How its secret begins, for people to tell keys apart.
        scopes: What it may do.
        practitioner_id: For whom alone it acts; None for the whole installation.
        last_used_at: To the minute; None if nobody has used it.
        version: Counts the changes of what it is, not its uses.
    """

    id: UUID
    prefix: str
    name: str
    scopes: frozenset[Scope]
    practitioner_id: UUID | None
    created_at: datetime
    external_id: str | None = None
    last_used_at: datetime | None = None
    revoked_at: datetime | None = None
    version: int = 1

    def __post_init__(self) -> None:
        name = one_line(self.name, label=NAME, field="name", longest=LONGEST_NAME)
        object.__setattr__(self, "name", name)  # the class is frozen
        check_external_id(self.external_id)
        if not self.scopes:
            raise RuleError("A key needs one scope or more. Say what it may do.", code="key_no_scope", field="scopes")

    @property
    def actor(self) -> Actor:
        """Whoever acts by it."""
        return Actor(role=Role.HOST, name=self.name)

    def has_one_of(self, scopes: Collection[Scope]) -> bool:
        """Whether it may do what needs one of these."""
        return not self.scopes.isdisjoint(scopes)

    def sees(self, practitioner_id: UUID) -> bool:
        """Whether what is this practitioner's exists for it."""
        return self.practitioner_id in (None, practitioner_id)

    def check_gives(self, scopes: Collection[Scope], practitioner_id: UUID | None) -> None:
        """Raise RuleError unless a key may be made by this one: nobody gives what they don't have."""
        if not self.scopes.issuperset(scopes):
            more = tuple(sorted(scope.value for scope in scopes if scope not in self.scopes))
            raise RuleError(
                "This key cannot give what it does not have: %(scopes)s.",
                code="key_gives_too_much",
                field="scopes",
                scopes=more,
            )
        if self.practitioner_id is not None and practitioner_id != self.practitioner_id:
            raise RuleError(
                "The key of one practitioner makes keys for that practitioner alone. Name them.",
                code="key_for_another",
                field="practitioner_id",
            )
