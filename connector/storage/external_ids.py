"""What hosts call their own things: unique in each table."""

from __future__ import annotations

from connector.errors import DuplicateError

LONGEST = 255


def external_id_taken(external_id: str | None) -> DuplicateError:
    """Return the refusal of an external id that another row has."""
    return DuplicateError(
        "Something else has the external id “%(external_id)s” already. Each is of one thing alone.",
        code="external_id_taken",
        field="external_id",
        external_id=external_id or "",
    )
