"""How often a row has changed, for whoever changes what they have read; and what a host calls a row, which is once.

The rule is here and nowhere else: whoever updates one of these tables does so by `raising`. What is stored for
ourselves alone, such as when a calendar was last read, raises nothing.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Any
from uuid import UUID

from sqlalchemy import Connection, Table, Update, case, or_, update
from sqlalchemy.exc import IntegrityError

from connector.errors import ExistsError
from connector.storage import tables

VERSIONED = (
    tables.practitioners,
    tables.clients,
    tables.sessions,
    tables.offers,
    tables.endpoints,
    tables.connections,
    tables.calendars,
)
# What is shown to nobody: it changes with every look at a calendar, or with every sign-in.
SILENT: Mapping[Table, frozenset[str]] = {
    tables.endpoints: frozenset({"secrets", "lane", "not_before"}),
    tables.connections: frozenset({"credentials", "sign_ins"}),
    tables.calendars: frozenset(
        {
            "sync_token",
            "lane",
            "identity",
            "twin",
            "unreadable_at",
            "outage_told_at",
            "written_at",
            "read_at",
            "busy_at",
            "busy_until",
            "busy_outdated_at",
            "busy_read_at",
            "absences_unrelated",
            "probe",
            "probe_at",
            "probe_tries",
            "probed_at",
            "compared_at",
            "compare_at",
            "repair_asked",
        }
    ),
}


def raising(table: Table, values: Mapping[str, Any], *, always: bool = False) -> Update:
    """Return the update of a table that stores these values, and raises a row's version if one of them is another.

    `always`: even if none is, for what is stored beside the row has changed.
    """
    if table not in VERSIONED:
        return update(table).values(values)
    version = table.c.version
    shown = [name for name in values if name not in SILENT.get(table, ())]
    if always:
        return update(table).values({**values, "version": version + 1})
    if not shown:
        return update(table).values(values)
    is_other = or_(*(table.c[name].is_distinct_from(values[name]) for name in shown))
    return update(table).values({**values, "version": case((is_other, version + 1), else_=version)})


def raise_version(db: Connection, table: Table, row_id: UUID) -> None:
    """Raise the version of a row of which something is shown that is stored elsewhere."""
    db.execute(raising(table, {}, always=True).where(table.c.id == row_id))


@contextmanager
def named_once(table: Table, external_id: str | None) -> Iterator[None]:
    """Say in words that another row of the table is called so by the host."""
    try:
        yield
    except IntegrityError as error:
        if external_id is None or not _is_named_already(error, table):
            raise
        raise ExistsError(
            "Something else is called “%(external_id)s” already. Choose another external id, or change what is called "
            "so.",
            code="external_id_taken",
            field="external_id",
            external_id=external_id,
        ) from error


def _is_named_already(error: IntegrityError, table: Table) -> bool:
    cause: Any = error.orig
    if getattr(cause, "sqlite_errorname", None) == "SQLITE_CONSTRAINT_UNIQUE":
        return f"{table.name}.external_id" in str(cause)
    return getattr(cause, "sqlstate", None) == "23505" and cause.diag.constraint_name == f"uq_{table.name}_external_id"
