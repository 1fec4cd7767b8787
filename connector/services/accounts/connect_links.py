"""Hosts send a practitioner through a link that connects one account, once, and get them back.

The link is no sign-in: it opens the pages of this one act, for an hour, and whoever goes through it sees nothing of
what its practitioner has. Whatever it connects, it connects as they do themselves.
"""

from __future__ import annotations

from collections.abc import Collection
from datetime import datetime
from uuid import UUID, uuid4

from sqlalchemy import Connection as Db

from connector.domain.connect_link import LASTS, ConnectLink, Door, checked
from connector.domain.people import Practitioner, check_locale
from connector.errors import NotFoundError, RuleError
from connector.services import standstill
from connector.services.accounts import connect
from connector.services.policy import Policy
from connector.services.views import connections
from connector.storage import connect_links, people
from connector.storage.seal import Seal

PURPOSE = "connect"


def make(
    db: Db,
    policy: Policy,
    practitioner_id: UUID,
    *,
    return_url: str,
    services: Collection[str],
    provider: str = "",
    reconnects: UUID | None = None,
    locale: str = "",
    made_by: UUID | None = None,
    now: datetime,
) -> ConnectLink:
    """Make a link for one practitioner.

    Args:
        db: The transaction.
        policy: How this installation does things: where people may be sent back to.
        practitioner_id: Whose account is to be connected.
        return_url: Where they are sent back to.
        services: What can be connected here.
        provider: The only service to offer; empty for all of them.
        reconnects: The connection that is to be reconnected; None for a new one.
        locale: In which language the pages speak; empty for the practitioner's own.
        made_by: The API key that asks for it; the link ends when that is revoked.
        now: Aware UTC.

    Raises: NotFoundError, RuleError; StandstillError.
    """
    standstill.lock(db, practitioner_id)
    address = checked(return_url, policy.return_origins)
    if locale:
        check_locale(locale)
    if reconnects is not None:
        connection = connections.owned(db, practitioner_id, reconnects)
        connect.check_not_disconnecting(connection)
        if provider not in ("", connection.provider):
            raise RuleError(
                "This connection is one of another calendar service. Leave the service out to reconnect it.",
                code="reconnect_elsewhere",
                field="provider",
            )
        provider = connection.provider
    if provider and provider not in services:
        raise RuleError(
            "“%(slug)s” cannot be connected here. These can: %(services)s.",
            code="calendar_service_not_offered",
            field="provider",
            slug=provider,
            services=tuple(services),
        )
    link = ConnectLink(
        id=uuid4(),
        practitioner_id=practitioner_id,
        return_url=address,
        expires_at=now + LASTS,
        provider=provider,
        reconnects=reconnects,
        locale=locale,
        made_by=made_by,
    )
    connect_links.add(db, link)
    return link


def find(db: Db, seal: Seal, token: str) -> tuple[ConnectLink, Practitioner]:
    """Return what a token stands for and whose link it is, whether or not it may still be used.

    Raises: NotFoundError if it is none of ours, or nobody remembers it.
    """
    link = connect_links.find(db, seal.identity(PURPOSE, token))
    if link is None:
        raise NotFoundError(
            "This link is not known here. Please start again where you have come from.", code="connect_link_unknown"
        )
    return link, people.practitioner(db, link.practitioner_id)


def locale(db: Db, seal: Seal, token: str) -> str | None:
    """Return in which language the pages of a link speak; None if it is none of ours."""
    try:
        link, practitioner = find(db, seal, token)
    except NotFoundError:
        return None
    return link.locale or practitioner.locale


def use(db: Db, door: Door, connection_id: UUID, *, now: datetime) -> None:
    """Use a link up, if that is how somebody has come: it connects one account.

    Raises: RuleError if it has been used already, or has expired meanwhile.
    """
    if door.link_id is not None and not connect_links.use(db, door.link_id, connection_id, now=now):
        raise RuleError(
            "This link has expired, or was used already. Please start again where you have come from.",
            code="connect_link_ended",
        )
