"""An installation whose hosts are told of outcomes: one takes them, one fails, one is gone, one is left alone."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from uuid import UUID

from connector.domain.outcomes import OutcomeType
from connector.outbox.http import Reach
from connector.outbox.outcomes import HttpPoster
from connector.services.outcomes import endpoints, looking
from connector.storage.endpoints import Endpoint
from connector.storage.ledger import Kind
from tests.fakes.outcome_host import OutcomeHost
from tests.web.stage import Stage
from tests.work.driver import Driver

INNER = frozenset({"127.0.0.1"})
STATUSES = {"takes-them": 204, "fails": 500, "is-gone": 410, "asks-to-wait": 503, "left-alone": 204}
"""What each answers, by its external id."""
_SESSIONS = [type_ for type_ in OutcomeType if type_.startswith("session.")]


@contextmanager
def hosts(stage: Stage) -> Iterator[Sequence[Endpoint]]:
    """Have hosts told of a session of Ada's that is booked, once."""
    runtime = stage.runtime
    runtime.poster = HttpPoster(reach=Reach(inner_hosts=INNER))
    made, running = [], []
    try:
        for name, status in STATUSES.items():
            host = OutcomeHost(status=status, headers={"Retry-After": "3600"} if status == 503 else {})
            running.append(host.__enter__())
            with runtime.database.begin() as db:
                endpoint, _ = endpoints.add(
                    db,
                    runtime.seal,
                    host.url,
                    inner_hosts=INNER,
                    types=_SESSIONS,
                    external_id=name,
                    now=stage.now,
                )
            made.append(endpoint)
        with runtime.database.begin() as db:
            endpoints.disable(db, made[-1].id, now=stage.now)
        stage.book(stage.at(11, 9))
        deliver(stage)
        yield made
    finally:
        for host in running:
            host.__exit__(None, None, None)


def deliver(stage: Stage) -> None:
    """Deliver what is due by now."""
    Driver(runtime=stage.runtime).carry_out(Kind.OUTCOME)


def page_of(stage: Stage, endpoint_id: UUID | None = None) -> str:
    """Return the path of the page, of a new link."""
    runtime = stage.runtime
    token, _ = looking.make(runtime.seal, endpoint_id=endpoint_id, now=stage.now)
    return runtime.deliveries_address(token).removeprefix(runtime.settings.public_url)
