"""Support signs in by a link that is mailed and works once: a door of its own, for no practitioner."""

from __future__ import annotations

from flask import Blueprint, abort, redirect, request, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.domain.people import Role
from connector.services.signing_in import links
from connector.services.signing_in.log import Event, note
from connector.web import speaking, visit
from connector.web.signin import LONGEST_ADDRESS

pages = Blueprint("support_signin", __name__)


@pages.before_request
def only_here() -> None:
    """Have no such pages in a host's process: it says who of its support is present, or has none here."""
    if not visit.support_signs_in_here():
        abort(404)


@pages.get(paths.SUPPORT_SIGN_IN)
def ask() -> ResponseReturnValue:
    """Show the form that asks for the mail address."""
    return speaking.render("support/ask.html")


@pages.post(paths.SUPPORT_SIGN_IN)
def mail() -> ResponseReturnValue:
    """Have a link mailed if the address is support's; neither the answer nor its time tells whether it is."""
    runtime = visit.runtime()
    address = request.form.get("email", "").strip()
    if address.isprintable() and 0 < len(address) <= LONGEST_ADDRESS:
        with runtime.database.begin() as db:
            wanted = visit.wanted(of_support=True)
            links.ask(db, address, role=Role.SUPPORT, wanted=wanted, now=runtime.clock())
    valid, most = speaking.language().value(runtime.policy.sign_in), links.MOST_LETTERS
    return speaking.render("support/sent.html", address=address[:LONGEST_ADDRESS], valid=valid, most=most)


@pages.get(paths.support_sign_in("<token>"))
def confirm(token: str) -> ResponseReturnValue:
    """Show the button that signs in, and whom: opening the link alone does not use it up."""
    runtime = visit.runtime()
    owner = links.owner(runtime.database, runtime.seal, token, role=Role.SUPPORT, now=runtime.clock())
    if owner is None:
        note(Event.REFUSED, role=Role.SUPPORT, what="link")
        return _used()
    return speaking.render("support/enter.html", owner=owner)


@pages.post(paths.support_sign_in("<token>"))
def enter(token: str) -> ResponseReturnValue:
    """Use up the link and sign in."""
    next_page = visit.sign_in_support(token)
    return _used() if next_page is None else redirect(next_page, 303)


@pages.post(paths.SUPPORT_SIGN_OUT)
def leave() -> ResponseReturnValue:
    """Sign out here."""
    visit.sign_out(Role.SUPPORT)
    return redirect(url_for("support_signin.ask"), 303)


def _used() -> ResponseReturnValue:
    return speaking.render("support/used.html"), 410
