"""A host of several processes, whose function for outcomes keeps each in a file before it returns; for `gunicorn`."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from flask import Flask

from connector.hosted.outcome_hook import ToldOutcome
from connector.plugin import Pencilled

FILE = "HOST_TOLD"


def keep(outcome: ToldOutcome) -> None:
    line = {"process": os.getpid(), "id": outcome.id, "type": outcome.type, **outcome.data}
    with Path(os.environ[FILE]).open("a", encoding="utf-8") as file:  # noqa: TID251 - a process of its own
        file.write(json.dumps(line) + "\n")


def create_app() -> Flask:
    host = Flask(__name__)
    Pencilled(host, url_prefix="/rearrange", on_outcome=keep)

    @host.get("/")
    def who() -> dict[str, Any]:
        return {"process": os.getpid()}

    return host
