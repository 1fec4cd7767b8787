"""What stands at a time in other calendars, said by commands before they save anything."""

from __future__ import annotations

from collections.abc import Sequence
from uuid import UUID

import click

from connector.cli._shared import warn
from connector.domain.span import When
from connector.runtime import Runtime
from connector.services.scheduling import conflicts
from connector.services.scheduling.conflicts import ANYTHING, Consent

despite_conflict = click.option(
    "--despite-conflict",
    "despite",
    is_flag=True,
    help="Also where something stands at that time in another calendar, or nobody knows; the timeline notes it.",
)


def consent_for(runtime: Runtime, practitioner_id: UUID, times: Sequence[When], *, despite: bool) -> Consent:
    """Have the practitioner's calendars read, say what stands there at these times, and return the consent given.

    Raises: ConflictError that says how to do it all the same.
    """
    runtime.read_busy(practitioner_id, times)
    with runtime.database.read() as db:
        now, policy = runtime.clock(), runtime.policy
        findings = conflicts.find(db, policy, practitioner_id, times, now=now)
    if findings and not despite:
        raise findings.refusal().adding("To do it all the same, add --despite-conflict.")
    if findings:
        warn(f"Note: {findings.sentences}")
    return ANYTHING if despite else Consent()
