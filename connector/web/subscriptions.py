"""Where people get the address of a calendar that they subscribe to, another one, or end it.

A client comes there from a letter, or from the page of an offer; a practitioner is signed in.
"""

from __future__ import annotations

from uuid import UUID

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.people import Actor, Level, Role
from connector.language.entries import entry_words
from connector.services import publishing
from connector.services.views import practitioners, published
from connector.services.views.published import ClientPage
from connector.web import speaking, visit
from connector.web.forms import level

mailed = Blueprint("subscription", __name__, url_prefix=paths.subscription("<token>"))
pages = Blueprint("subscriptions", __name__, url_prefix=paths.SUBSCRIPTION)
pages.before_request(visit.require)


@mailed.get("")
def show(token: str) -> ResponseReturnValue:
    """Show a client how their sessions get into their calendar, and how else they could."""
    page = _page(token)
    reader = speaking.to(page)
    return speaking.render("subscription/client.html", token=token, page=page, reader=reader, **_addresses(page.token))


@mailed.post("/begin")
def begin(token: str) -> ResponseReturnValue:
    """Give a client an address, or another one."""
    runtime, page = visit.runtime(), _page(token)
    with runtime.database.begin() as db:
        publishing.open_for_client(
            db, runtime.seal, page.client.id, by=_client(page), now=runtime.clock(), replaces=_shown()
        )
    return redirect(url_for("subscription.show", token=token), 303)


@mailed.post("/end")
def end(token: str) -> ResponseReturnValue:
    """Invite a client to their sessions again."""
    runtime, page = visit.runtime(), _page(token)
    with runtime.database.begin() as db:
        publishing.end_for_client(db, page.client.id, by=_client(page), now=runtime.clock())
    return redirect(url_for("subscription.show", token=token), 303)


def address_of(session_id: UUID) -> str:
    """Return the path of that page for the client of a session who gets no mail, in which they would find it."""
    return url_for("subscription.show", token=publishing.link_token(visit.runtime().seal, session_id, ""))


@pages.get("")
def own() -> ResponseReturnValue:
    """Show a practitioner the address of their calendar, if they have one."""
    runtime = visit.runtime()
    with runtime.database.read() as db:
        practitioner = practitioners.get(db, visit.practitioner_id())
        page = published.practitioner_page(db, runtime.seal, practitioner)
    reader = speaking.to(practitioner)
    return speaking.render(
        "subscription/practitioner.html",
        page=page,
        reader=reader,
        levels=list(Level),
        words=entry_words(reader.language),
        **_addresses(page.token),
    )


@pages.post("")
def begin_own() -> ResponseReturnValue:
    """Give a practitioner an address, or another one."""
    runtime = visit.runtime()
    session_level, hold_level = level(request.form, "session_level"), level(request.form, "hold_level")
    with runtime.database.begin() as db:
        publishing.open_for_practitioner(
            db,
            runtime.seal,
            visit.practitioner_id(),
            session_level=session_level,
            hold_level=hold_level,
            by=visit.actor(db),
            now=runtime.clock(),
            replaces=_shown(),
        )
    flash(speaking.say("This is the address. Give it to your calendar program, and to nobody else."), "done")
    return redirect(url_for("subscriptions.own"), 303)


@pages.post("/end")
def end_own() -> ResponseReturnValue:
    """End a practitioner's calendar."""
    runtime = visit.runtime()
    with runtime.database.begin() as db:
        publishing.end_for_practitioner(db, visit.practitioner_id(), by=visit.actor(db), now=runtime.clock())
    flash(speaking.say("The subscription has ended. Please remove it from your calendar program, too."), "done")
    return redirect(url_for("subscriptions.own"), 303)


def _page(token: str) -> ClientPage:
    runtime = visit.runtime()
    with runtime.database.read() as db:
        return published.client_page(db, runtime.seal, token, now=runtime.clock())


def _client(page: ClientPage) -> Actor:
    return Actor(role=Role.CLIENT, name=page.client.name)


def _addresses(token: str) -> dict[str, str]:
    """Return the address to copy, and the one that opens a calendar program; both empty where there is none."""
    address = visit.runtime().published_address(token) if token else ""
    return {"address": address, "webcal": f"webcal:{address.partition(':')[2]}" if address else ""}


def _shown() -> UUID | None:
    """Return the calendar that the page has shown, so that a form that is sent twice replaces nothing."""
    try:
        return UUID(request.form.get("shown", ""))
    except ValueError:
        return None
