"""F2: what does not go through is the same truth at every door, and no longer said once it does."""

from __future__ import annotations

import pytest

from connector.errors import ProviderError, RefusedError, TransientError
from connector.services.views.troubles import PHRASES, of_calendar
from connector.storage.ledger import Kind
from providers.memory.provider import MemoryCalendar, Verb
from tests.cli.keyboard import Cli
from tests.cli.worker import carry_out, server, target
from tests.services.telling import ENGLISH

WORDS = "the server is being moved"


def said(cli: Cli, session: str) -> dict[str, str]:
    """Return what each door says that shows how calendars or sessions fare."""
    [connection] = cli.json("connections", "list")
    return {
        "doctor": cli.run("doctor").stdout,
        "list": cli.ok("connections", "list"),
        "history": cli.ok("connections", "history", connection["id"]),
        "session": cli.ok("sessions", "show", session),
        "explain": cli.ok("explain", session),
    }


@pytest.mark.parametrize(("verb", "kind", "what"), [("changes", Kind.PULL, "read"), ("put", Kind.CALENDAR, "written")])
@pytest.mark.parametrize("error", [RefusedError(WORDS), pytest.param(TransientError(WORDS), marks=pytest.mark.long)])
def test_f2_what_cannot_be_read_or_written_is_said_alike_at_every_door(
    practice: Cli, calendar: MemoryCalendar, verb: Verb, kind: Kind, what: str, error: ProviderError
) -> None:
    session = practice.book(7)
    practice.ok("resync", "--wait")
    calendar.fail(error, on=verb, times=100)
    practice.book(9)
    with server(practice) as runtime:
        carry_out(runtime, practice, kind)
        with runtime.database.read() as db:
            [trouble] = of_calendar(db, target(runtime, practice))
    assert trouble.what == what
    assert trouble.again_at is not None
    told = ENGLISH.point(trouble.again_at).split()  # on the practitioner's clock
    for door, words in said(practice, session).items():
        parts = [
            *PHRASES[what].split(),
            *(told if door in ("history", "session") else [f"{trouble.again_at:%H:%M:%S}"]),
            *WORDS.split(),
            *trouble.who.removesuffix(".").split(),
        ]
        assert [part for part in parts if part not in words] == [], door  # a table breaks its lines anywhere
    calendar._faults.clear()
    practice.ok("resync", "--wait")
    for door, words in said(practice, session).items():
        assert trouble.who.split()[-1] not in words, door
