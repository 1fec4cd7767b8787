"""While a restored database waits to be put right, commands look and decide about that, and do nothing else."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from uuid import UUID

import click
import pytest

from connector.cli import COMMANDS, command
from connector.domain.people import CLOCK
from connector.services import standstill
from connector.services.policy import Policy
from connector.storage.database import Database
from providers.memory.provider import MemoryCalendar, MemoryStore
from tests.cli.keyboard import Cli, ahead
from tests.domain.examples import NOW

LOOKING = {
    "clients export",
    "clients list",
    "deliveries list",
    "deliveries page",
    "endpoints list",
    "connections history",
    "connections list",
    "connections test",
    "doctor",
    "explain",
    "keys api list",
    "offers show",
    "practitioners hours show",
    "practitioners list",
    "sessions list",
    "sessions show",
    "subscriptions list",
    "support list",
    "support log",
    "times suggest",
}
FOR_THE_DECISION = {"connections reconnect", "keys lost", "keys rotate", "migrate", "restored"}
SERVERS = {"demo", "serve", "web", "worker"}  # these wait; the demo has an installation of its own
CLIENT, PERSON, SESSION, CONNECTION = "alex@example.org", str(UUID(int=7)), "0" * 8, "0" * 8
CHANGING = {
    "clients add": ("--name", "Bo", "--email", "bo@example.org", "--zone", "Europe/Berlin"),
    "clients change": (PERSON, "--name", "Alexa Okoro"),
    "clients readdress": (PERSON, "--email", "alex@example.net"),
    "clients erase": (PERSON, "--yes"),
    "clients retire": (PERSON,),
    "clients unretire": (PERSON,),
    "connections add": ("--provider", "memory", "--address", "kim", "--password-stdin"),
    "connections disconnect": (CONNECTION,),
    "connections resume": (CONNECTION,),
    "connections target": (CONNECTION, "--calendar", "Practice"),
    "import": (str(Path(__file__)),),
    "keys api add": ("--scope", "read"),
    "keys api revoke": ("pk_00000000",),
    "deliveries replay": ("--since", "2026-12-01T10:00+01:00"),
    "endpoints add": ("https://host.example/outcomes",),
    "endpoints disable": (PERSON,),
    "endpoints enable": (PERSON,),
    "endpoints remove": (PERSON, "--yes"),
    "endpoints rotate-secret": (PERSON,),
    "endpoints test": (PERSON,),
    "offers draft": (SESSION, "--at", ahead(9)),
    "offers send": (SESSION,),
    "offers withdraw": (SESSION,),
    "practitioners add": ("--name", "Jo", "--email", "jo@example.org", "--zone", "Europe/Berlin"),
    "practitioners change": (PERSON, "--name", "Kim Hill"),
    "practitioners hours confirm": (PERSON,),
    "practitioners hours set": (PERSON, "--hours", "mon", "09:00-12:00"),
    "practitioners retire": (PERSON,),
    "practitioners unretire": (PERSON,),
    "resync": ("--wait",),
    "sessions answer": (SESSION, "--cancel", "--support", "Robin", "--reason", "they called"),
    "sessions book": ("--client", CLIENT, "--at", ahead(9), "--phone", "Kim calls"),
    "sessions cancel": (SESSION, "--yes"),
    "sessions correct": (SESSION, "--at", ahead(9)),
    "sessions relocate": (SESSION, "--phone", "Kim calls"),
    "support add": ("Robin Hale", "robin@example.org"),
    "support remove": ("robin@example.org",),
    "subscriptions busy": ("--name", "Our booking page"),
    "subscriptions revoke": (PERSON,),
    "sessions reschedule": (SESSION, "--at", ahead(9), "--agreed-by", "Alex", "--channel", "on the phone"),
}


def names() -> Iterator[str]:
    """Every command there is, as it is typed."""
    for name in COMMANDS:
        yield from _named(name, command(name))


def _named(name: str, found: click.Command) -> Iterator[str]:
    if isinstance(found, click.Group):
        for word, one in found.commands.items():
            yield from _named(f"{name} {word}", one)
    else:
        yield name


@pytest.fixture
def restored(practice: Cli, calendar: MemoryCalendar) -> Cli:
    """An installation that stands still, with a session that its calendar does not show yet."""
    practice.book()
    database = Database(practice.settings["CONNECTOR_DATABASE_URL"])
    with database.begin() as db:
        standstill.begin(db, Policy(organizer="sessions@pencilled.example"), by=CLOCK, now=NOW)
    database.dispose()
    calendar.requests.clear()
    return practice


def test_of_every_command_it_is_known_what_it_does_in_a_standstill() -> None:
    assert set(names()) == LOOKING | FOR_THE_DECISION | SERVERS | CHANGING.keys()


def test_a_command_that_changes_anything_is_refused_in_one_line_before_it_begins(
    restored: Cli, calendar: MemoryCalendar
) -> None:
    before = restored.ok("sessions", "list") + restored.ok("clients", "list") + restored.ok("practitioners", "list")
    for name, words in CHANGING.items():
        (line,) = restored.refused(*name.split(), *words, stdin="secret\n").splitlines()
        assert line == f"Error: {standstill.WORDS}", name
    assert not calendar.requests
    after = restored.ok("sessions", "list") + restored.ok("clients", "list") + restored.ok("practitioners", "list")
    assert after == before


def test_whoever_looks_is_told_which_command_decides(restored: Cli) -> None:
    connection = restored.json("connections", "list")[0]["id"]
    for said in (restored.refused("connections", "test", connection), restored.run("doctor").stdout):
        assert "Say how it goes on: pencilled restored" in said
        assert "connections resume" not in said


def test_what_would_be_done_can_be_looked_at_meanwhile(restored: Cli) -> None:
    assert "stopped" in restored.ok("resync", "--dry-run")


def test_an_account_can_be_reconnected_so_that_its_calendar_can_be_decided_about(
    restored: Cli, calendar: MemoryCalendar, store: MemoryStore
) -> None:
    connection = restored.json("connections", "list")[0]["id"]
    store.change_password("new secret")
    words = ("connections", "reconnect", connection, "--address", store.id, "--password-stdin")
    assert "connected again" in restored.ok(*words, stdin="new secret\n")
    restored.ok("restored", "--follow", "database", "--yes")
    restored.ok("resync", "--wait")
    assert len(calendar.events) == 1
