"""G23: the API beside bare Flask that answers the same JSON, over HTTP on waitress; `python -m tests.bench.api`.

Each figure is a median of ratios taken in turns in one run: requests a second of ours to those of the peer.
"""

from __future__ import annotations

import http.client
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path
from typing import Any
from uuid import uuid4

import sqlalchemy as sa
from flask import Flask, Response

from connector import app, logs
from connector.domain.api_key import Scope
from connector.services import api_keys
from connector.storage import migrations
from tests.serving import served

ROUNDS, REQUESTS, AT_ONCE = 7, 200, 8
_BODY = b'{"name": "Booking site", "scopes": ["read"]}'


def load(port: int, method: str, path: str, headers: dict[str, str], body: bytes | None) -> Callable[[], None]:
    """Return what sends so many requests, several at a time, over connections that are kept."""

    def some(_number: int) -> None:
        connection = http.client.HTTPConnection("127.0.0.1", port)
        for _ in range(REQUESTS // AT_ONCE):
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            answer.read()
            assert answer.status < 400, answer.status
        connection.close()

    def all_of_them() -> None:
        with ThreadPoolExecutor(AT_ONCE) as threads:
            list(threads.map(some, range(AT_ONCE)))

    return all_of_them


def in_turns(ours: Callable[[], None], peer: Callable[[], None]) -> float:
    """Return the median of the peer's time to ours: 1 is as fast."""
    ratios = []
    for _ in range(ROUNDS):
        begun = time.perf_counter()
        ours()
        middle = time.perf_counter()
        peer()
        ratios.append((time.perf_counter() - middle) / (middle - begun))
    return statistics.median(ratios)


def bare(folder: Path, answers: dict[str, bytes]) -> Flask:
    """Return bare Flask: the same JSON from memory, and one INSERT for a POST."""
    engine = sa.create_engine(f"sqlite:///{folder / 'bare.sqlite3'}")

    @sa.event.listens_for(engine, "connect")
    def as_ours(dbapi: Any, _record: object) -> None:
        dbapi.execute("PRAGMA synchronous=NORMAL")  # kept through as much as ours, see `Database`

    with engine.begin() as db:
        db.exec_driver_sql("PRAGMA journal_mode=WAL")
        db.exec_driver_sql("CREATE TABLE kept (id TEXT PRIMARY KEY, name TEXT)")
    flask = Flask("bare")
    for path, body in answers.items():
        flask.add_url_rule(path, path, partial(Response, body, mimetype="application/json"))

    @flask.post("/keys")
    def insert() -> Response:
        with engine.begin() as db:
            db.execute(sa.text("INSERT INTO kept VALUES (:id, 'Booking site')"), {"id": uuid4().hex})
        return Response(answers["/one"], 201, mimetype="application/json")

    return flask


def main() -> None:
    """Measure and print."""
    with tempfile.TemporaryDirectory(prefix="pencilled-bench-") as name:
        folder = Path(name)
        url = f"sqlite:///{folder / 'bench.sqlite3'}"
        migrations.migrate(url)
        logs.configure(level="info", style="json")  # as whoever serves does
        runtime = app.build(app.read_settings({"CONNECTOR_DATABASE_URL": url, "CONNECTOR_API_RATE": "100000000"}))
        with runtime.database.begin() as db:
            made = api_keys.make(db, name="Bench", scopes=list(Scope), now=runtime.clock())
            for number in range(60):
                api_keys.make(db, name=f"Key {number}", scopes=[Scope.READ], now=runtime.clock())
        headers = {"Authorization": f"Bearer {made.secret}", "Content-Type": "application/json"}
        ours = app.create_app(runtime)
        one, many = f"/api/v1/keys/{made.key.id}", "/api/v1/keys?limit=50"
        client = ours.test_client()
        answers = {"/one": client.get(one, headers=headers).data, "/many": client.get(many, headers=headers).data}
        with served(ours) as port, served(bare(folder, answers)) as peer:
            for what, method, path, beside, body in (
                ("GET one", "GET", one, "/one", None),
                ("list of 50", "GET", many, "/many", None),
                ("POST", "POST", "/api/v1/keys", "/keys", _BODY),
            ):
                found = in_turns(load(port, method, path, headers, body), load(peer, method, beside, headers, body))
                sys.stdout.write(f"{what}: {found:.2f} of bare Flask\n")
        runtime.database.dispose()


if __name__ == "__main__":
    main()
