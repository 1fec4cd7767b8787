"""The client's phone in the demo: a gateway on this machine that keeps the texts it is handed."""

from __future__ import annotations

import json
import threading
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any

_LARGEST = 64 * 1024


class Phone:
    """A gateway that takes a text as JSON, and the phone that gets it."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self._arrived = threading.Condition()
        phone = self

        class Gateway(BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(min(int(self.headers.get("Content-Length") or 0), _LARGEST))
                answer = json.dumps({"id": phone.keep(json.loads(body)["text"])}).encode()
                self.send_response(200)
                self.send_header("Content-Length", str(len(answer)))
                self.end_headers()
                self.wfile.write(answer)

            def log_message(self, format: str, *args: Any) -> None:  # noqa: A002 - likewise
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Gateway)
        self._server.daemon_threads = True
        threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True).start()

    @property
    def url(self) -> str:
        """What `CONNECTOR_SMS_URL` is set to."""
        return f"json+http://127.0.0.1:{self._server.server_address[1]}/send?to=to&text=text&id=id"

    def keep(self, text: str) -> str:
        """Keep one text and return an id for it."""
        with self._arrived:
            self.texts.append(text)
            self._arrived.notify_all()
            return str(len(self.texts))

    def wait_for(self, words: str, *, seconds: float = 20) -> str:
        """Return the last text that contains these words, once there is one; an empty one when time is up."""

        def found() -> str:
            return next((text for text in reversed(self.texts) if words in text), "")

        with self._arrived:
            self._arrived.wait_for(lambda: bool(found()), timeout=seconds)
            return found()

    def stop(self) -> None:
        """Stop listening."""
        self._server.shutdown()
        self._server.server_close()
