"""A worker process for tests that kill or freeze one: `python -m tests.work.worker URL BROKER HANDLER LEASE_MS`."""

from __future__ import annotations

import signal
import sys
import threading
import time
from datetime import UTC, datetime, timedelta

import sqlalchemy as sa
import structlog

from connector.errors import LeaseLostError
from connector.storage.database import Database
from connector.storage.ledger import Claim
from connector.work.engine import Engine, Handler, Running

MARKS = "CREATE TABLE marks (id TEXT PRIMARY KEY)"
DOUBLES = "CREATE TABLE doubles (id TEXT)"


def say(line: str) -> None:
    """Write a line at once, whatever other threads write."""
    sys.stdout.write(f"{line}\n")
    sys.stdout.flush()


def real_time() -> datetime:
    return datetime.fromtimestamp(time.time(), UTC)  # noqa: TID251 - the clock of this process


def hang(claim: Claim, _running: Running) -> None:
    """Say what was claimed and never come back."""
    say(f"claimed {claim.key.id}")
    threading.Event().wait()


def freeze(claim: Claim, running: Running) -> None:
    """Say what was claimed, wait for a word, and say whether the claim is still ours."""
    say(f"claimed {claim.key.id}")
    sys.stdin.readline()
    try:
        running.renew()
    except LeaseLostError:
        say("lost")
        raise
    say("kept")


def marking(database: Database) -> Handler:
    """Return a handler that leaves a mark while it runs and takes note of any mark of somebody else's."""

    def handle(claim: Claim, running: Running) -> None:
        identity = {"id": claim.key.id}
        try:
            with database.begin() as db:
                db.execute(sa.text("INSERT INTO marks VALUES (:id)"), identity)
        except sa.exc.IntegrityError:
            with database.begin() as db:
                db.execute(sa.text("INSERT INTO doubles VALUES (:id)"), identity)
            return
        running.renew()
        with database.begin() as db:
            db.execute(sa.text("DELETE FROM marks WHERE id = :id"), identity)

    return handle


def main(url: str, broker_url: str, name: str, lease_ms: str) -> None:
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    database = Database(url)
    handlers: dict[str, Handler] = {"hang": hang, "freeze": freeze, "mark": marking(database)}
    lease, tick = timedelta(milliseconds=int(lease_ms)), timedelta(milliseconds=50)
    engine = Engine(database, handlers[name], broker_url=broker_url, clock=real_time, threads=4, lease=lease, tick=tick)
    termination = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: termination.set())
    engine.start()
    say("ready")
    termination.wait()
    engine.stop()
    database.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
