"""A client's own page of a session: its link reads, and whatever is done from there has a link of its own."""

from __future__ import annotations

from flask import Blueprint, Response, redirect, request, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.people import Actor, Client, Medium, Role
from connector.domain.session import Session
from connector.errors import NotFoundError, RuleError
from connector.ical.publishing import copy
from connector.services import publishing
from connector.services.scheduling import session_links
from connector.services.views import page_states
from connector.services.views.client_page import OwnPage, own_copy, own_page
from connector.storage.seal import Seal
from connector.web import client_present, speaking, visit, watched
from connector.web.forms import moment

pages = Blueprint("mine", __name__, url_prefix=paths.mine("<token>"))
pages.before_request(client_present.only_the_sessions_client)


@pages.get("")
def show(token: str) -> ResponseReturnValue:
    """Show what stands, what is offered, and what happened."""
    return _show(token)


@pages.get("/state")
def state(token: str) -> ResponseReturnValue:
    """Tell whoever has the page open whether it would show something else by now."""
    runtime = visit.runtime()
    with runtime.database.read() as db:
        now = runtime.clock()
        session, _ = session_links.find(db, runtime.seal, token, now=now)
        word = page_states.of_own_page(db, runtime.policy, session, now=now)
    return watched.state(word)


@pages.get("/session.ics")
def take(token: str) -> ResponseReturnValue:
    """Give a copy for a calendar to whom no mail can invite.

    Raises: NotFoundError for everybody else: a second entry would stand beside the one that moves.
    """
    runtime = visit.runtime()
    with runtime.database.read() as db:
        _, client = session_links.find(db, runtime.seal, token, now=runtime.clock())
        event = own_copy(db, runtime.policy, runtime.seal, token, speaking.to(client), now=runtime.clock())
    if event is None:
        raise NotFoundError("There is no copy of this session to be taken.", code="no_copy_here")
    response = Response(copy(event), content_type="text/calendar; charset=utf-8; method=PUBLISH")
    response.headers["Content-Disposition"] = 'attachment; filename="session.ics"'
    return response


@pages.get("/cancel")
def cancel(token: str) -> ResponseReturnValue:
    """Ask whether the session should be cancelled."""
    session, client, medium = _to_cancel(token)
    runtime = visit.runtime()
    until = session_links.cancel_until(runtime.policy, session)
    if until is None or until <= runtime.clock():
        return _to_show(session, client, medium)
    return _ask(token, session, client, medium)


@pages.post("/cancel")
def cancel_session(token: str) -> ResponseReturnValue:
    """Cancel it, provided that it stands where the page has shown it."""
    session, client, medium = _to_cancel(token)
    runtime, by = visit.runtime(), Actor(role=Role.CLIENT, name=client.name)
    try:
        with runtime.database.begin() as db:
            session_links.cancel(
                db, runtime.policy, session.id, by=by, now=runtime.clock(), shown=moment(request.form.get("shown", ""))
            )
    except NotFoundError:
        raise
    except RuleError as error:
        speaking.to(client)
        own = session_links.token(runtime.seal, session.id, medium, reader=client.address(medium))
        return _show(own, notice=visit.refusal(error), status=visit.status_of(error))
    return _to_show(session, client, medium)


def address_of(seal: Seal, session: Session, client: Client, medium: Medium) -> str:
    """Return the path of a client's page of a session, as whoever has come by this medium finds it."""
    token = session_links.token(seal, session.id, medium, reader=client.address(medium))
    return url_for("mine.show", token=token)


def _to_cancel(token: str) -> tuple[Session, Client, Medium]:
    runtime = visit.runtime()
    with runtime.database.read() as db:
        return session_links.find_to_cancel(db, runtime.seal, token, now=runtime.clock())


def _ask(token: str, session: Session, client: Client, medium: Medium) -> ResponseReturnValue:
    runtime = visit.runtime()
    own = session_links.token(runtime.seal, session.id, medium, reader=client.address(medium))
    with runtime.database.read() as db:
        page = own_page(db, runtime.policy, runtime.seal, own, now=runtime.clock())
    return speaking.render("mine/cancel.html", token=token, own=own, page=page, reader=speaking.to(client))


def _show(token: str, *, notice: str = "", status: int = 200) -> ResponseReturnValue:
    runtime = visit.runtime()
    with runtime.database.read() as db:
        page = own_page(db, runtime.policy, runtime.seal, token, now=runtime.clock())
    body = speaking.render(
        "mine/show.html",
        token=token,
        page=page,
        reader=speaking.to(page.client),
        notice=notice,
        state="" if notice else page.version,  # what was refused is not renewed under ones eyes
        subscription=_subscription(runtime.seal, page),
    )
    return body, status


def _subscription(seal: Seal, page: OwnPage) -> str:
    if not page.subscription:
        return ""
    return url_for("subscription.show", token=publishing.link_token(seal, page.session.id, page.client.email))


def _to_show(session: Session, client: Client, medium: Medium) -> ResponseReturnValue:
    return redirect(address_of(visit.runtime().seal, session, client, medium), 303)
