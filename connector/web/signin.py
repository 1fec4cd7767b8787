"""Practitioners sign in by a link that is mailed to them and works once."""

from __future__ import annotations

from flask import Blueprint, redirect, render_template, request, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.services import notices
from connector.services.accounts import sign_in_links
from connector.web import visit
from connector.web.times import length

LONGEST_ADDRESS = 320

pages = Blueprint("signin", __name__)


@pages.get(paths.SIGN_IN)
def ask() -> ResponseReturnValue:
    """Show the form that asks for the mail address."""
    return render_template("signin/ask.html")


@pages.post(paths.SIGN_IN)
def mail() -> ResponseReturnValue:
    """Mail a link if the address is a practitioner's; the answer does not tell whether it is."""
    runtime = visit.runtime()
    address = request.form.get("email", "").strip()
    if address.isprintable() and 0 < len(address) <= LONGEST_ADDRESS:
        with runtime.database.begin() as db:
            notices.queue_sign_in(db, runtime.policy, address, now=runtime.clock())
    return render_template("signin/sent.html", address=address[:LONGEST_ADDRESS], valid=length(runtime.policy.sign_in))


@pages.get(paths.sign_in("<token>"))
def confirm(token: str) -> ResponseReturnValue:
    """Show the button that signs in: opening the link alone does not use it up."""
    runtime = visit.runtime()
    usable = sign_in_links.is_usable(runtime.database, runtime.seal, token, now=runtime.clock())
    return render_template("signin/enter.html") if usable else _used()


@pages.post(paths.sign_in("<token>"))
def enter(token: str) -> ResponseReturnValue:
    """Use up the link and sign in."""
    runtime = visit.runtime()
    practitioner_id = sign_in_links.use(runtime.database, runtime.seal, token, now=runtime.clock())
    if practitioner_id is None:
        return _used()
    return redirect(visit.sign_in(practitioner_id), 303)


@pages.post(paths.SIGN_OUT)
def leave() -> ResponseReturnValue:
    """Sign out."""
    visit.sign_out()
    return redirect(url_for("signin.ask"), 303)


def _used() -> ResponseReturnValue:
    return render_template("signin/used.html"), 410
