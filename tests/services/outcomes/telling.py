"""A practice whose host is told of outcomes."""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field
from datetime import timedelta
from uuid import UUID

from connector.domain.outcomes import OutcomeType
from connector.outbox.http import Reach
from connector.outbox.outcomes import LARGEST, HttpPoster
from connector.services.outcomes import endpoints
from connector.storage import endpoints as stored
from connector.storage import outcomes
from connector.storage.endpoints import Endpoint
from connector.storage.ledger import Kind
from connector.storage.outcomes import Delivery
from connector.work.engine import Ending
from tests.fakes.outcome_host import OutcomeHost
from tests.services.practice import SEAL, Practice

INNER = frozenset({"127.0.0.1"})


@dataclass
class Telling:
    """A host that is told; `deliver` does what is due by now."""

    practice: Practice
    host: OutcomeHost
    timeout: timedelta = timedelta(seconds=15)
    inner_hosts: frozenset[str] = INNER
    secrets: dict[UUID, str] = field(default_factory=dict)

    def __post_init__(self) -> None:
        reach = Reach(inner_hosts=self.inner_hosts, timeout=self.timeout, largest=LARGEST, cuts=True)
        self.practice.runtime.poster = HttpPoster(reach=reach)

    def add(self, url: str = "", *, types: Collection[OutcomeType] = (), of: UUID | None = None) -> Endpoint:
        with self.practice.database.begin() as db:
            endpoint, secret = endpoints.add(
                db,
                SEAL,
                url or self.host.url,
                inner_hosts=INNER,
                types=types,
                practitioner_id=of,
                now=self.practice.now,
            )
        self.secrets[endpoint.id] = secret
        return endpoint

    def deliver(self) -> list[Ending]:
        return self.practice.carry_out(Kind.OUTCOME)

    def now(self, endpoint: Endpoint) -> Endpoint:
        with self.practice.database.read() as db:
            return stored.get(db, endpoint.id)

    def deliveries(self, endpoint: Endpoint | None = None) -> Sequence[Delivery]:
        with self.practice.database.read() as db:
            return outcomes.page(db, endpoint_id=endpoint.id if endpoint else None, limit=1000)[::-1]
