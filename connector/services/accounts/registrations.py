"""What is told when a calendar service refuses this installation itself: its operator alone, once an episode."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from uuid import UUID, uuid4

import structlog
from sqlalchemy import Connection as Db

from connector.domain.notice import Notice, NoticeKind
from connector.errors import InstallationError
from connector.failures import tell
from connector.services import notices
from connector.services.policy import Policy
from connector.storage import ledger, troubles
from connector.storage.database import Database
from connector.storage.ledger import Kind
from connector.storage.troubles import RegistrationFault

OF_CALENDARS = (Kind.CALENDAR, Kind.PULL, Kind.CHANNEL, Kind.BUSY, Kind.PROBE)
AFTER_LOOK = (Kind.CALENDAR,)  # what a good look hastens; all else has its own pace

log = structlog.get_logger(__name__)


def refused(
    db: Db, policy: Policy, provider: str, error: InstallationError, practitioner_id: UUID, *, now: datetime
) -> None:
    """Note that a provider refuses this installation, and tell the operator if nobody has been told yet.

    `practitioner_id` is who it happened to; they are told nothing by mail.
    """
    fault = RegistrationFault(provider=provider, since=now, cause=str(error))
    if not troubles.begin_registration_fault(db, fault):
        return
    tell("installation_refused", fault.cause, provider=provider, level=logging.ERROR)
    if not policy.operator:
        return
    notice = Notice(
        kind=NoticeKind.INSTALLATION_REFUSED,
        to=policy.to_operator,
        practitioner_name="",
        about=provider,
        reason=fault.cause,
    )
    key = f"{notice.kind}:{provider}:{uuid4()}"
    notices.tell(db, notice, key=key, practitioner_id=practitioner_id, now=now)


def accepted(db: Db, provider: str, *, now: datetime) -> None:
    """Note that a provider accepts this installation; whatever it has refused is due at once if it did not before."""
    if not troubles.end_registration_fault(db, provider, now=now):
        return
    log.warning("installation_accepted", provider=provider)
    identities = [str(calendar_id) for calendar_id in troubles.calendars_of_provider(db, provider)]
    ledger.hasten_refused(db, OF_CALENDARS, identities, now=now)


@contextmanager
def asking(
    database: Database, policy: Policy, provider: str, practitioner_id: UUID, *, now: datetime, proves: bool = False
) -> Iterator[None]:
    """Have the operator told if the provider refuses this installation within; `proves`: if not, it accepts it."""
    try:
        yield
    except InstallationError as error:
        with database.begin() as db:
            refused(db, policy, provider, error, practitioner_id, now=now)
        raise
    if proves:
        with database.begin() as db:
            accepted(db, provider, now=now)
