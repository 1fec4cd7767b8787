"""The hooks in a process of their own, for tests that kill it: `python -m tests.webhooks.server DATABASE_URL`."""

from __future__ import annotations

import sys

from waitress.server import create_server

from connector import app
from tests.webhooks.stage import THREADS, webhooks_alone


def main(url: str) -> None:
    settings = app.read_settings(
        {"CONNECTOR_DATABASE_URL": url, "CONNECTOR_SECRET_KEYS": "a key for tests that is long enough"}
    )
    server = create_server(webhooks_alone(app.build(settings)), host="127.0.0.1", port=0, threads=THREADS)
    print(server.effective_port, flush=True)
    server.run()


if __name__ == "__main__":
    main(*sys.argv[1:])
