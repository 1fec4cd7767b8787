"""The example of the documentation takes what is posted, and nothing else."""

from __future__ import annotations

import re
from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from connector.services.outcomes import endpoints
from tests.domain.examples import KIM
from tests.fakes.outcome_host import OutcomeHost
from tests.services.outcomes.telling import Telling
from tests.services.practice import SEAL, Practice

DOCS = Path(__file__).parents[3] / "docs" / "webhooks.md"


def _documented() -> Callable[..., Any]:
    [code] = re.findall(r"```python\n(.*?)```", DOCS.read_text(encoding="utf-8"), re.DOTALL)
    names: dict[str, Any] = {}
    exec(code, names)  # noqa: S102 - our own
    receive: Callable[..., Any] = names["receive"]
    return receive


def test_the_documented_host_takes_what_is_signed_and_refuses_what_was_tampered_with(
    practice: Practice, telling: Telling, host: OutcomeHost
) -> None:
    practice.now = datetime.now(UTC).replace(microsecond=0)  # noqa: TID251 - the library looks at the real clock
    endpoint = telling.add()
    with practice.database.begin() as db:
        endpoints.test(db, endpoint.id, by=KIM, now=practice.now)
        _, new = endpoints.rotate_secret(db, SEAL, endpoint.id, now=practice.now)
    telling.deliver()
    [received] = host.received
    receive = _documented()
    for secret in (telling.secrets[endpoint.id], new):
        assert receive(secret, received.headers, received.body)["type"] == "endpoint.test"
        assert receive(secret, received.headers, received.body + b" ") is None
        for name in ("webhook-id", "webhook-timestamp", "webhook-signature"):
            assert receive(secret, {**received.headers, name: "v1"}, received.body) is None
