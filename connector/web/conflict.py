"""Take back an offered time at which something else stands, from the mail that said so; only the POST does it."""

from __future__ import annotations

from flask import Blueprint, redirect, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.people import Actor, Role
from connector.errors import OfferClosedError
from connector.services.scheduling import take_back as taking_back
from connector.services.views.conflicts import ConflictPage, conflict_page
from connector.web import speaking, visit

pages = Blueprint("conflict", __name__, url_prefix=paths.conflict("<token>"))


@pages.get("")
def show(token: str) -> ResponseReturnValue:
    """Show what else stands at the time and ask whether to take it back, or show what became of it."""
    return _show(token)


@pages.post("")
def take_back(token: str) -> ResponseReturnValue:
    """Take the time back."""
    page, runtime = _page(token), visit.runtime()
    by = Actor(role=Role.PRACTITIONER, name=page.practitioner.name)
    try:
        with runtime.database.begin() as db:
            taking_back.take_back(db, runtime.policy, page.offer, page.alternative, by=by, now=runtime.clock())
    except OfferClosedError:
        return _show(token, notice=True, status=409)
    return redirect(url_for("conflict.show", token=token), 303)


def _page(token: str) -> ConflictPage:
    runtime = visit.runtime()
    with runtime.database.read() as db:
        return conflict_page(db, runtime.seal, token, now=runtime.clock())


def _show(token: str, *, notice: bool = False, status: int = 200) -> ResponseReturnValue:
    page = _page(token)
    reader = speaking.to(page.practitioner)
    return speaking.render("conflict/show.html", page=page, reader=reader, notice=notice), status
