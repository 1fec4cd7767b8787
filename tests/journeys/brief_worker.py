"""A worker with a brief lease, for tests that freeze one: `python -m tests.journeys.brief_worker BROKER LEASE_MS`."""

from __future__ import annotations

import os
import signal
import sys
import threading
from datetime import timedelta

import structlog

from connector import app
from connector.work.dispatch import handler
from connector.work.engine import Engine


def main(broker_url: str, lease_ms: str) -> None:
    structlog.configure(
        processors=[structlog.processors.KeyValueRenderer()], logger_factory=structlog.PrintLoggerFactory(sys.stderr)
    )
    runtime = app.build(app.read_settings(os.environ))  # noqa: TID251 - a process of its own
    engine = Engine(
        runtime.database,
        handler(runtime),
        broker_url=broker_url,
        clock=runtime.clock,
        threads=4,
        lease=timedelta(milliseconds=int(lease_ms)),
        tick=timedelta(milliseconds=100),
    )
    stop = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: stop.set())
    engine.start()
    print("ready", flush=True)
    stop.wait()
    engine.stop()
    runtime.database.dispose()


if __name__ == "__main__":
    main(*sys.argv[1:])
