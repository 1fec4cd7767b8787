"""Take back an offered time at which something else stands, from the mail that said so; only the POST does it."""

from __future__ import annotations

from dataclasses import dataclass

from flask import Blueprint, redirect, render_template, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.offer import Alternative, Offer, OfferState
from connector.domain.people import Actor, Client, Practitioner, Role
from connector.domain.session import Session
from connector.errors import OfferClosedError
from connector.services.scheduling import conflicts
from connector.services.sync import free_busy
from connector.services.views.answer_page import state_now
from connector.storage import people, sessions
from connector.web import visit
from connector.web.times import Reader

pages = Blueprint("conflict", __name__, url_prefix=paths.conflict("<token>"))


@dataclass(frozen=True, slots=True, kw_only=True)
class ConflictPage:
    """What a practitioner sees of an offered time that is no longer free; `state` of the offer is as of now."""

    offer: Offer
    alternative: Alternative
    state: OfferState
    session: Session
    client: Client
    practitioner: Practitioner
    conflicts: tuple[str, ...]

    @property
    def is_open(self) -> bool:
        """Whether this time can still be chosen, and so be taken back."""
        return self.state is OfferState.OPEN and not self.alternative.withdrawn

    @property
    def is_last(self) -> bool:
        """Whether the offer goes with it."""
        return len(self.offer.standing) == 1


@pages.get("")
def show(token: str) -> ResponseReturnValue:
    """Show what stands where, and ask whether the time shall be taken back; or show what happened."""
    return _show(token)


@pages.post("")
def take_back(token: str) -> ResponseReturnValue:
    """Take the time back."""
    page, runtime = _page(token), visit.runtime()
    by = Actor(role=Role.PRACTITIONER, name=page.practitioner.name)
    try:
        with runtime.database.begin() as db:
            conflicts.take_back(db, runtime.policy, page.offer, page.alternative, by=by, now=runtime.clock())
    except OfferClosedError:
        return _show(token, notice=True, status=409)
    return redirect(url_for("conflict.show", token=token), 303)


def _page(token: str) -> ConflictPage:
    runtime = visit.runtime()
    now = runtime.clock()
    with runtime.database.read() as db:
        offer, alternative = conflicts.find(db, runtime.seal, token, now=runtime.clock())
        session = sessions.get(db, offer.session_id)
        return ConflictPage(
            offer=offer,
            alternative=alternative,
            state=state_now(offer, now),
            session=session,
            client=people.client(db, session.client_id),
            practitioner=people.practitioner(db, offer.practitioner_id),
            conflicts=free_busy.conflicts(db, offer.practitioner_id, alternative.when.span),
        )


def _show(token: str, *, notice: bool = False, status: int = 200) -> ResponseReturnValue:
    page = _page(token)
    reader = Reader(zone=page.practitioner.zone, locale=page.practitioner.locale)
    return render_template("conflict/show.html", page=page, reader=reader, notice=notice), status
