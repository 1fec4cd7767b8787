"""A host's program: it checks each outcome as the documentation says, appends it to a file, and may die over one.

`python -m tests.journeys.outcome_receiver PORT SECRET FILE [before|stored NUMBER]`: at the request of that number it
kills itself, before it has stored the outcome or before it has answered. It prints a line for whatever it has stored.
"""

from __future__ import annotations

import json
import os
import signal
import sys
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from itertools import count
from pathlib import Path
from threading import Lock

from standardwebhooks import Webhook, WebhookVerificationError


def main(port: int, secret: str, file: Path, dies: str = "", at: int = 0) -> None:
    """Receive until somebody ends it."""
    webhook, numbers, turn = Webhook(secret), count(1), Lock()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = self.rfile.read(int(self.headers["Content-Length"]))
            with turn:
                number = next(numbers)
                if dies == "before" and number == at:
                    os.kill(os.getpid(), signal.SIGKILL)
                status = 204 if self._store(body) else 400
                if dies == "stored" and number == at:
                    os.kill(os.getpid(), signal.SIGKILL)
            self.send_response(status)
            self.send_header("Content-Length", "0")
            self.end_headers()

        def _store(self, body: bytes) -> bool:
            headers = {name.lower(): value for name, value in self.headers.items()}
            try:
                said = webhook.verify(body, headers)
            except (WebhookVerificationError, ValueError):
                print("refused", flush=True)
                return False
            with file.open("a", encoding="utf-8") as kept:
                kept.write(json.dumps({"headers": headers, "body": body.decode(), "said": said}) + "\n")
                kept.flush()
                os.fsync(kept.fileno())
            print("stored", flush=True)
            return True

        def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - as its base has it
            pass

    ThreadingHTTPServer(("127.0.0.1", port), Handler).serve_forever()


if __name__ == "__main__":
    where, key, path, *death = sys.argv[1:]
    main(int(where), key, Path(path), *((death[0], int(death[1])) if death else ()))
