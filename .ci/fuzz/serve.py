"""Serve a seeded installation on the loopback until the standard input ends; `serve.py FOLDER` says there what is.

Calendars are nowhere: whatever would be asked of them stays due.
"""

from __future__ import annotations

import json
import sys
from datetime import timedelta
from pathlib import Path
from threading import Thread
from uuid import uuid4

from sqlalchemy import Connection as Db
from waitress import create_server

from connector import app, logs
from connector.api import limits
from connector.domain.api_key import Scope
from connector.domain.connection import Calendar, Connection, ConnectionState
from connector.domain.entry import Disclosure
from connector.domain.people import Actor, Client, Practitioner, Role
from connector.domain.session import Location, LocationKind
from connector.domain.span import When
from connector.runtime import Runtime
from connector.services import api_keys
from connector.services.scheduling.offers import draft, send
from connector.services.scheduling.sessions import book
from connector.storage import calendars, people
from connector.storage.migrations import migrate

ZONE, NOWHERE = "Europe/Berlin", "https://calendar.invalid/"
PLACE = Location(kind=LocationKind.ONLINE, text="https://meet.example/kim")
HOST = Actor(role=Role.HOST, name="Fuzz")


def main(folder: Path) -> None:
    """Fill an installation, serve it, and say where."""
    environ = {
        "CONNECTOR_DATABASE_URL": f"sqlite:///{folder / 'fuzz.sqlite3'}",
        "CONNECTOR_RETURN_ORIGINS": "https://app.example.org",
        "CONNECTOR_API_RATE": "1000000",
        "CONNECTOR_PROVIDERS": "caldav",
    }
    logs.configure(level="error", style="console")  # a fault is an answer, which is looked at
    limits.GUESSES = 1_000_000  # each wrong key is to be refused as one, however many there were
    runtime = app.build(app.read_settings(environ))
    migrate(environ["CONNECTOR_DATABASE_URL"])
    key, seeds = fill(runtime)
    server = create_server(
        app.create_app(runtime), host="127.0.0.1", port=0, threads=4, clear_untrusted_proxy_headers=True
    )
    Thread(target=server.run, daemon=True).start()
    (folder / "seeds.json").write_text(json.dumps(seeds), encoding="utf-8")
    (folder / "key").write_text(key, encoding="utf-8")
    (folder / "url").write_text(f"http://127.0.0.1:{server.effective_port}/api/v1", encoding="utf-8")
    sys.stdin.read()
    server.close()


def fill(runtime: Runtime) -> tuple[str, dict[str, list[str]]]:
    """Store two practitioners with clients, sessions, an offer, a draft and a connection; return a key, and all ids."""
    now, seeds = runtime.clock(), {}
    day = (now + timedelta(days=30)).replace(hour=9, minute=0, second=0, microsecond=0, tzinfo=None)
    with runtime.database.begin() as db:
        for n in range(2):
            one = Practitioner(id=uuid4(), name=f"Practitioner {n}", email=f"p{n}@example.org", zone=ZONE)
            client = Client(id=uuid4(), name=f"Client {n}", email=f"c{n}@example.org", zone=ZONE)
            people.add_practitioner(db, one, now=now)
            people.add_client(db, client, now=now)
            seeds.setdefault("practitioner_id", []).append(str(one.id))
            seeds.setdefault("client_id", []).append(str(client.id))
            times = [When.at(day + timedelta(days=i), zone=ZONE, duration=timedelta(minutes=50)) for i in range(9)]
            for i in range(4):
                session = book(
                    db,
                    runtime.policy,
                    practitioner_id=one.id,
                    client_id=client.id,
                    when=times[i],
                    location=PLACE,
                    by=HOST,
                    now=now,
                )
                seeds.setdefault("session_id", []).append(str(session.id))
                if i in (0, 1):
                    offer = draft(db, runtime.policy, session.id, [(times[5 + i], None)], by=HOST, now=now)
                    seeds.setdefault("offer_id", []).append(str(offer.id))
                    seeds.setdefault("alternative_id", []).append(str(offer.alternatives[0].id))
                    if i == 0:
                        send(db, runtime.policy, offer.id, by=HOST, now=now)
            seeds.setdefault("connection_id", []).append(_connect(runtime, db, one))
        made = api_keys.make(db, name="Fuzz", scopes=tuple(Scope), practitioner_id=None, now=now)
        spare = api_keys.make(db, name="Spare", scopes=(Scope.READ,), practitioner_id=None, now=now)
    return made.secret, seeds | {"key_id": [str(spare.key.id)]}


def _connect(runtime: Runtime, db: Db, one: Practitioner) -> str:
    connection = Connection(
        id=uuid4(),
        practitioner_id=one.id,
        provider="caldav",
        label="Practice",
        credentials=runtime.seal.seal(
            {"username": one.email, "password": "none", "principal": NOWHERE, "homes": NOWHERE}
        ),
        state=ConnectionState.OK,
        created_at=runtime.clock(),
    )
    target = Calendar(
        id=uuid4(),
        connection_id=connection.id,
        practitioner_id=one.id,
        remote_id=f"{NOWHERE}{one.id}/",
        name="Practice",
        disclosure=Disclosure(session_level=one.session_level, hold_level=one.hold_level),
        lane="caldav:calendar.invalid",
    )
    calendars.add_connection(db, connection)
    calendars.add_calendar(db, target, now=runtime.clock())
    return str(connection.id)


if __name__ == "__main__":
    main(Path(sys.argv[1]))
