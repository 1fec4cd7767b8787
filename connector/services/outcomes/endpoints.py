"""Where hosts are told: endpoints come, change, are tested, and end."""

from __future__ import annotations

import base64
import secrets
from collections.abc import Collection, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from ipaddress import ip_address
from urllib.parse import urlsplit
from uuid import UUID, uuid4

from sqlalchemy import Connection

from connector.addresses import is_public
from connector.domain.outcomes import Outcome, OutcomeType
from connector.domain.people import Actor
from connector.domain.text import check_external_id
from connector.errors import InnerAddressError, RuleError
from connector.services import standstill, upkeep
from connector.storage import endpoints, installation, ledger, outcomes, people
from connector.storage.endpoints import Endpoint
from connector.storage.ledger import Key, Kind
from connector.storage.seal import Seal

__all__ = [
    "BY_HAND",
    "FAILING",
    "GONE",
    "KEY_LOST",
    "Endpoint",
    "add",
    "by_external_id",
    "change",
    "check_url",
    "disable",
    "enable",
    "get",
    "listed",
    "live_secrets",
    "remove",
    "replay",
    "replay_since",
    "rotate_secret",
    "test",
]
FORMER_GOOD = timedelta(hours=24)  # the secret before signs beside the new one
BY_HAND, GONE, FAILING, KEY_LOST = "by_hand", "gone", "failing", "key_lost"
LONGEST_URL = 2000
_SECRET_BYTES = 32
_CURRENT, _FORMER, _UNTIL = "current", "former", "former_until"


def add(
    db: Connection,
    seal: Seal,
    url: str,
    *,
    inner_hosts: Collection[str],
    types: Collection[OutcomeType] = (),
    practitioner_id: UUID | None = None,
    external_id: str | None = None,
    now: datetime,
) -> tuple[Endpoint, str]:
    """Have a host told of outcomes from now on; return the endpoint and its secret, which is shown once.

    `types` are those it wants, none for all; `practitioner_id` whose, None for everybody's.

    Raises: RuleError for an address that may not be asked, or an external id that is taken; NotFoundError for the
        practitioner; StandstillError.
    """
    standstill.check(db)
    if practitioner_id is not None:
        people.practitioner(db, practitioner_id)
    check_external_id(external_id or None)
    secret = _new_secret()
    endpoint = Endpoint(
        id=uuid4(),
        url=url,
        lane=check_url(url, inner_hosts),
        secrets=seal.seal({_CURRENT: secret}),
        types=frozenset(types),
        practitioner_id=practitioner_id,
        external_id=external_id or None,
        created_at=now,
    )
    endpoints.add(db, endpoint)
    installation.have_swept(db, at=now + upkeep.EVERY)
    return endpoints.get(db, endpoint.id), secret


def get(db: Connection, endpoint_id: UUID, *, of: UUID | None = None, lock: bool = False) -> Endpoint:
    """Return an endpoint; of a practitioner, one of theirs alone. With `lock` nobody else changes it meanwhile.

    Raises: NotFoundError.
    """
    endpoint = endpoints.get(db, endpoint_id, lock=lock)
    if of is not None and endpoint.practitioner_id != of:
        raise endpoints.not_found()
    return endpoint


def listed(
    db: Connection, *, after: tuple[datetime, UUID] | None, limit: int, of: UUID | None = None
) -> Sequence[Endpoint]:
    """Return endpoints, the oldest first; of a practitioner, theirs alone."""
    return endpoints.listed(db, after=after, limit=limit, practitioner_id=of)


def by_external_id(db: Connection, external_id: str, *, of: UUID | None = None) -> Endpoint | None:
    """Return the endpoint that the host calls so; of a practitioner, one of theirs alone; None if there is none."""
    endpoint = endpoints.by_external_id(db, external_id)
    return endpoint if endpoint is None or of in {None, endpoint.practitioner_id} else None


def change(
    db: Connection,
    endpoint: Endpoint,
    *,
    inner_hosts: Collection[str],
    url: str | None = None,
    types: Collection[OutcomeType] | None = None,
    external_id: str | None = None,
    now: datetime,
) -> Endpoint:
    """Change what is given, None for what stays; an empty external id is none. What waits goes to the new address.

    Raises: as `add`.
    """
    standstill.check(db)
    _refuse_in_process(endpoint)
    changed = endpoint
    if url is not None and url != endpoint.url:
        lane = check_url(url, inner_hosts)
        changed = replace(changed, url=url, lane=lane, not_before=None, failing_since=None)
    if types is not None:
        changed = replace(changed, types=frozenset(types))
    if external_id is not None:
        check_external_id(external_id or None)
        changed = replace(changed, external_id=external_id or None)
    if changed == endpoint:
        return endpoint
    endpoints.save(db, changed)
    if changed.url != endpoint.url and changed.is_enabled:
        make_due(db, changed, now=now)
    return endpoints.get(db, endpoint.id)


def rotate_secret(db: Connection, seal: Seal, endpoint_id: UUID, *, now: datetime) -> tuple[Endpoint, str]:
    """Sign by a new secret, which is returned, and for a day by the one before as well; an older one ends at once.

    Raises: NotFoundError; StandstillError.
    """
    standstill.check(db)
    endpoint = endpoints.get(db, endpoint_id, lock=True)
    _refuse_in_process(endpoint)
    secret, kept = _new_secret(), {}
    if endpoint.disabled_why != KEY_LOST:
        until = (now + FORMER_GOOD).isoformat()
        kept = {_FORMER: seal.open(endpoint.secrets)[_CURRENT], _UNTIL: until}
    why = FAILING if endpoint.disabled_why == KEY_LOST else endpoint.disabled_why
    changed = replace(endpoint, secrets=seal.seal({_CURRENT: secret, **kept}), disabled_why=why)
    endpoints.save(db, changed, has_new_secret=True)
    return endpoints.get(db, endpoint_id), secret


def live_secrets(seal: Seal, endpoint: Endpoint, *, now: datetime) -> tuple[str, ...]:
    """Return the secrets that sign now, the newest first."""
    kept = seal.open(endpoint.secrets)
    former = kept.get(_FORMER)
    if former is None or now >= datetime.fromisoformat(kept[_UNTIL]):
        return (kept[_CURRENT],)
    return (kept[_CURRENT], former)


def disable(db: Connection, endpoint_id: UUID, *, why: str = BY_HAND, now: datetime) -> Endpoint:
    """Let nothing go there any more; what happens waits for thirty days. One that is disabled stays as it is.

    Raises: NotFoundError; StandstillError.
    """
    standstill.check(db)
    endpoint = endpoints.get(db, endpoint_id, lock=True)
    if endpoint.is_enabled:
        endpoints.save(db, replace(endpoint, disabled_at=now, disabled_why=why))
    return endpoints.get(db, endpoint_id)


def enable(db: Connection, endpoint_id: UUID, *, now: datetime) -> Endpoint:
    """Let everything that waits go there, in its order, and what happens from now on.

    Raises: NotFoundError; StandstillError; RuleError if its secret is lost with the key.
    """
    standstill.check(db)
    endpoint = endpoints.get(db, endpoint_id, lock=True)
    if endpoint.is_enabled:
        return endpoint
    if endpoint.disabled_why == KEY_LOST:
        raise RuleError(
            "The secret of this endpoint is lost with the key that sealed it. Give it a new one first: "
            "rotate its secret.",
            code="endpoint_secret_lost",
        )
    enabled = replace(endpoint, disabled_at=None, disabled_why=None, failing_since=None, not_before=None)
    endpoints.save(db, enabled)
    outcomes.begin_anew(db, endpoint_id, now=now)
    make_due(db, enabled, now=now)
    return endpoints.get(db, endpoint_id)


def remove(db: Connection, endpoint_id: UUID) -> None:
    """Forget an endpoint, and what was to go there.

    Raises: NotFoundError; StandstillError.
    """
    standstill.check(db)
    _refuse_in_process(endpoints.get(db, endpoint_id, lock=True))
    endpoints.remove(db, endpoint_id)


def test(db: Connection, endpoint_id: UUID, *, by: Actor, now: datetime) -> UUID:
    """Have an endpoint told that it is being tested; return the delivery by which it is.

    Raises: NotFoundError; StandstillError; RuleError for one that is disabled.
    """
    standstill.check(db)
    endpoint = endpoints.get(db, endpoint_id, lock=True)
    _check_enabled(endpoint)
    outcome = Outcome(type=OutcomeType.ENDPOINT_TEST, at=now, actor=by.role)
    [delivery_id] = outcomes.make(db, [(endpoint.practitioner_id, outcome, [endpoint])])
    return delivery_id


def replay(db: Connection, delivery_id: UUID, *, now: datetime) -> None:
    """Have one outcome delivered once more, whatever became of it.

    Raises: NotFoundError; StandstillError; RuleError if its endpoint is disabled.
    """
    standstill.check(db)
    delivery = outcomes.delivery(db, delivery_id)
    endpoint = endpoints.get(db, delivery.endpoint_id, lock=True)
    _check_enabled(endpoint)
    outcomes.again(db, delivery, now=now)
    _deliver_now(db, endpoint, [delivery.queue_id], now=now)


def replay_since(db: Connection, endpoint_id: UUID, since: datetime, *, now: datetime) -> int:
    """Have an endpoint told once more of all outcomes since then, those among them that it never got; return how many.

    Raises: NotFoundError; StandstillError; RuleError if it is disabled.
    """
    standstill.check(db)
    endpoint = endpoints.get(db, endpoint_id, lock=True)
    _check_enabled(endpoint)
    many = outcomes.again_since(db, endpoint, since, now=now)
    make_due(db, endpoint, now=now)
    return many


def make_due(db: Connection, endpoint: Endpoint, *, now: datetime) -> None:
    """Have everything that waits for an endpoint delivered now."""
    _deliver_now(db, endpoint, outcomes.waiting(db, endpoint.id), now=now)


def check_url(url: str, inner_hosts: Collection[str]) -> str:
    """Return the lane of an address that may be posted to.

    Raises: RuleError with what to write instead; InnerAddressError for an inner one by its number.
    """
    try:
        parts = urlsplit(url)
        host = (parts.hostname or "").lower().rstrip(".") if parts.port != 0 else ""
    except ValueError:
        host, parts = "", urlsplit("")
    plain = url.isascii() and url.isprintable() and " " not in url and len(url) <= LONGEST_URL
    if not host or not plain or parts.scheme not in {"https", "http"} or parts.fragment or parts.username is not None:
        raise RuleError(
            "An endpoint is a full web address, such as https://example.org/outcomes, of at most 2000 characters, "
            "without a user, a password or a fragment. Give one like that.",
            code="endpoint_url_malformed",
            field="url",
        )
    if host not in inner_hosts:
        if parts.scheme == "http":
            raise RuleError(
                "Outcomes go to addresses that begin with https:// alone. Give one, or have whoever runs this "
                "installation allow %(host)s in CONNECTOR_INNER_HOSTS.",
                code="endpoint_url_unencrypted",
                field="url",
                host=host,
            )
        if _is_inner(host):
            raise InnerAddressError(
                "“%(host)s” leads into an inner network. If that is meant, ask whoever runs this installation to "
                "allow that name.",
                code="inner_address",
                field="url",
                host=host,
            )
    return f"outcomes {host}"


def _is_inner(host: str) -> bool:
    """Whether a host is named by an address that is not of the internet; names are looked at when they are asked."""
    if host == "localhost" or host.endswith(".localhost"):
        return True
    try:
        ip_address(host)
    except ValueError:
        return False
    return not is_public(host)


def _deliver_now(db: Connection, endpoint: Endpoint, queue_ids: Sequence[UUID], *, now: datetime) -> None:
    """Have queues delivered now, whatever pause was to be made before: somebody says that it may go through."""
    keys = [Key(Kind.OUTCOME, str(queue_id)) for queue_id in queue_ids]
    ledger.touch_all(db, keys, due_at=now, lane=endpoint.lane)
    ledger.bring_forward(db, Kind.OUTCOME, [key.id for key in keys], now=now)


def _check_enabled(endpoint: Endpoint) -> None:
    if not endpoint.is_enabled:
        raise RuleError("This endpoint is disabled, so nothing goes there. Enable it first.", code="endpoint_disabled")


def _refuse_in_process(endpoint: Endpoint) -> None:
    if endpoint.is_in_process:
        raise RuleError(
            "This endpoint is a function of the host's own program, and comes and goes with it. It can be disabled.",
            code="endpoint_in_process",
        )


def _new_secret() -> str:
    return "whsec_" + base64.b64encode(secrets.token_bytes(_SECRET_BYTES)).decode()
