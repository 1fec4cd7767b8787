"""A host of several processes, of which one carries out due work, for `gunicorn` and `flask`."""

from __future__ import annotations

import os
from typing import Any

from flask import Flask

from connector.plugin import Pencilled
from connector.storage import locks


def create_app() -> Flask:
    host = Flask(__name__)
    pencilled = Pencilled(host, url_prefix="/rearrange", start=os.environ.get("HOST_START", "elected"))  # noqa: TID251 - a process of its own

    @host.get("/")
    def who() -> dict[str, Any]:
        held = locks.holder(pencilled.installation.settings.database_url)
        return {"process": os.getpid(), "carries_out": held is not None and held.process == os.getpid()}

    return host
