"""Which step of the schema a database is at, and which there are; told without Alembic, which imports slowly."""

from __future__ import annotations

from functools import cache
from pathlib import Path

import sqlalchemy as sa
from sqlalchemy import Connection

from connector.errors import RuleError
from connector.storage.database import read_url


@cache
def newest() -> str:
    """Return the newest step that this version knows: its file's name begins with it."""
    files = (Path(__file__).parent / "migrations" / "versions").glob("[0-9]*.py")
    return max(path.stem for path in files).partition("_")[0]


def step(db: Connection) -> str | None:
    """Return the step that a database is at; None if it holds no installation yet."""
    if not sa.inspect(db).has_table("alembic_version"):
        return None
    found: str | None = db.execute(sa.text("SELECT version_num FROM alembic_version")).scalar()
    return found


def refuse_newer(found: str | None, url: str) -> None:
    """Raise RuleError if a database is at a step that only a newer version of Pencilled knows."""
    if found is not None and found > newest():
        raise RuleError(
            "The database %(database)s is at step %(step)s, made by a newer version of Pencilled; this one knows "
            "steps up to %(newest)s. Run the newer version, or bring back the back-up made before the upgrade.",
            code="database_newer",
            database=place(url),
            step=found,
            newest=newest(),
        )


def place(url: str) -> str:
    """Return where a database is, as an operator would look for it: a whole path, or server and name."""
    parsed = read_url(url)
    if parsed.get_backend_name() == "sqlite":
        return str(Path(parsed.database or "").resolve())
    server = f"{parsed.host or 'localhost'}:{parsed.port}" if parsed.port else parsed.host or "localhost"
    return f"“{parsed.database}” at {server}"
