from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import uuid4

import pytest
import structlog

from providers.memory import provider as memory
from providers.memory.provider import MemoryCalendar, MemoryStore
from tests.cli.keyboard import Cli


@pytest.fixture
def cli(sqlite_url: str) -> Iterator[Cli]:
    """The commands on a migrated database; the memory provider stands for a calendar service."""
    yield Cli(
        {
            "CONNECTOR_DATABASE_URL": sqlite_url,
            "CONNECTOR_PROVIDERS": "memory,caldav",
            "CONNECTOR_MAIL_FROM": "sessions@pencilled.example",
        }
    )
    structlog.reset_defaults()


@pytest.fixture
def practice(cli: Cli) -> Cli:
    """The same, with a practitioner and a client."""
    cli.ok("practitioners", "add", "--name", "Kim Berg", "--email", "kim@example.org", "--zone", "Europe/Berlin")
    cli.ok("clients", "add", "--name", "Alex Okoro", "--email", "alex@example.org", "--zone", "Europe/London")
    return cli


@pytest.fixture
def store() -> Iterator[MemoryStore]:
    """An account at the memory provider."""
    identity = f"kim-{uuid4().hex[:8]}"
    yield memory.store(identity)
    memory.forget(identity)


@pytest.fixture
def calendar(practice: Cli, store: MemoryStore, tmp_path: Path) -> MemoryCalendar:
    """A calendar of the practitioner's, connected."""
    found = store.calendar("work")
    password = tmp_path / "password"
    password.write_text(f"{store.password}\n")
    practice.ok("connections", "add", "--provider", "memory", "--address", store.id, "--password-file", str(password))
    return found
