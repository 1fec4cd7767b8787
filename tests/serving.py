"""An application served over HTTP by this process, as `pencilled serve` serves it."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from threading import Thread
from typing import TYPE_CHECKING, Any

from waitress import create_server, wasyncore

if TYPE_CHECKING:
    from _typeshed.wsgi import WSGIApplication
    from waitress.channel import HTTPChannel


@contextmanager
def served(
    application: WSGIApplication, *, threads: int = 8, channels: type[HTTPChannel] | None = None, **more: Any
) -> Iterator[int]:
    """Serve an application, and return its port; requests that have begun are answered before it ends."""
    sockets: dict[int, object] = {}
    server = create_server(application, map=sockets, host="127.0.0.1", port=0, threads=threads, **more)
    if channels:
        server.channel_class = channels
    thread = Thread(target=server.run, daemon=True)
    thread.start()

    def end() -> None:
        server.task_dispatcher.shutdown()
        wasyncore.close_all(sockets, ignore_all=True)

    try:
        yield int(server.effective_port)
    finally:
        # By its own thread, which may be waiting for what would be closed; and nobody runs it, and so closes what it is
        # woken through, before it has been woken.
        with server.trigger.lock:
            server.trigger.thunks.append(end)
            server.pull_trigger()
        thread.join(10)
        assert not thread.is_alive()
