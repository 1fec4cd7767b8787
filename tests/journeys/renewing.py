"""A process that uses an account whenever it is told: `python -m tests.journeys.renewing`, one line each time."""

from __future__ import annotations

import os
import sys

from connector import app
from connector.errors import ConnectorError
from connector.storage import calendars


def main() -> None:
    runtime = app.build(app.read_settings(os.environ))  # noqa: TID251 - a process of its own
    with runtime.database.read() as db:
        [connection] = calendars.connections_of(db)
    print("ready", flush=True)
    for _line in sys.stdin:
        try:
            runtime.account(connection).calendars()
        except ConnectorError as error:
            print(f"{type(error).__name__}: {error}", flush=True)
        else:
            print("went on", flush=True)


if __name__ == "__main__":
    main()
