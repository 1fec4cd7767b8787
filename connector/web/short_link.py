"""The way from a text to a page: a short link leads to the long one, and changes nothing."""

from __future__ import annotations

from flask import Blueprint, redirect
from flask.typing import ResponseReturnValue

from connector import paths
from connector.services.scheduling import answers
from connector.web import visit
from connector.web.limits import unguessable

pages = Blueprint("short_link", __name__)


@pages.get(paths.short("<token>"))
def follow(token: str) -> ResponseReturnValue:
    """Lead to the client's page of an offer."""
    runtime = visit.runtime()
    with unguessable(), runtime.database.read() as db:
        long = answers.of_text(db, runtime.seal, token, now=runtime.clock())
    return redirect(runtime.settings.public_url + paths.answer(long), 303)
