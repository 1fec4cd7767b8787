"""The way from a text to a page: a short link leads to the long one, and changes nothing."""

from __future__ import annotations

from flask import Blueprint, redirect
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.people import Medium
from connector.services import short_links
from connector.services.scheduling.answers import PURPOSE, PURPOSES
from connector.web import visit

pages = Blueprint("short_link", __name__)


@pages.get(paths.short("<token>"))
def follow(token: str) -> ResponseReturnValue:
    """Lead to the client's page of an offer."""
    runtime = visit.runtime()
    with runtime.database.read() as db:
        offer_id = short_links.find(db, PURPOSE, token, now=runtime.clock())
    token = runtime.seal.token(PURPOSES[Medium.SMS], offer_id)
    return redirect(runtime.settings.public_url + paths.answer(token), 303)
