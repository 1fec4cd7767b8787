"""Many programs that ask at once, over HTTP."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from http.client import HTTPConnection
from threading import Barrier
from typing import Any, TypeVar
from urllib.parse import urlsplit

from connector.paths import API

Reply = tuple[int, dict[str, Any]]
One = TypeVar("One")
_PATIENCE = 120  # seconds; only ends what hangs


def ask(base: str, secret: str, path: str, body: Any, *, headers: Mapping[str, str] | None = None) -> Reply:
    """Post something on a connection of its own."""
    connection = HTTPConnection(urlsplit(base).netloc, timeout=_PATIENCE)
    sent = {"Authorization": f"Bearer {secret}", "Content-Type": "application/json"} | dict(headers or {})
    try:
        connection.request("POST", API + path, json.dumps(body), sent)
        answer = connection.getresponse()
        return answer.status, json.loads(answer.read())
    finally:
        connection.close()


def at_once(attempt: Callable[[One], Reply], each: Sequence[One]) -> list[Reply]:
    """Attempt something with each of these, all at the same moment, and return what each was answered."""
    barrier = Barrier(len(each))

    def run(one: One) -> Reply:
        barrier.wait()
        return attempt(one)

    with ThreadPoolExecutor(len(each)) as pool:
        return list(pool.map(run, each))
