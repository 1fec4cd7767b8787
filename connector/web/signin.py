"""Practitioners sign in by a link that is mailed to them and works once, and see where they are signed in."""

from __future__ import annotations

from flask import Blueprint, flash, redirect, request, url_for
from flask.typing import ResponseReturnValue

from connector import paths
from connector.services.signing_in import browsers, links
from connector.services.signing_in.log import Event, note
from connector.services.views import practitioners
from connector.web import speaking, visit

LONGEST_ADDRESS = 320

pages = Blueprint("signin", __name__)


@pages.get(paths.SIGN_IN)
def ask() -> ResponseReturnValue:
    """Show the form that asks for the mail address."""
    refusal = _elsewhere()
    if refusal is not None:
        return refusal
    return speaking.render("signin/ask.html")


@pages.post(paths.SIGN_IN)
def mail() -> ResponseReturnValue:
    """Have a link mailed if the address is a practitioner's; neither the answer nor its time tells whether it is."""
    refusal = _elsewhere()
    if refusal is not None:
        return refusal
    runtime = visit.runtime()
    address = request.form.get("email", "").strip()
    if address.isprintable() and 0 < len(address) <= LONGEST_ADDRESS:
        with runtime.database.begin() as db:
            links.ask(db, address, now=runtime.clock(), wanted=visit.wanted())
    valid, most = speaking.language().value(runtime.policy.sign_in), links.MOST_LETTERS
    return speaking.render("signin/sent.html", address=address[:LONGEST_ADDRESS], valid=valid, most=most)


@pages.get(paths.sign_in("<token>"))
def confirm(token: str) -> ResponseReturnValue:
    """Show the button that signs in, and whom: opening the link alone does not use it up."""
    refusal = _elsewhere()
    if refusal is not None:
        return refusal
    runtime = visit.runtime()
    owner = links.owner(runtime.database, runtime.seal, token, now=runtime.clock())
    if owner is None:
        note(Event.REFUSED, what="link")
        return _used()
    longest, idle = (speaking.language().value(length) for length in (browsers.LONGEST, browsers.IDLE))
    return speaking.render("signin/enter.html", owner=owner, longest=longest, idle=idle)


@pages.post(paths.sign_in("<token>"))
def enter(token: str) -> ResponseReturnValue:
    """Use up the link and sign in."""
    refusal = _elsewhere()
    if refusal is not None:
        return refusal
    next_page = visit.sign_in(token, trusted="trusted" in request.form)
    return _used() if next_page is None else redirect(next_page, 303)


@pages.post(paths.SIGN_OUT)
def leave() -> ResponseReturnValue:
    """Sign out here."""
    if not visit.signs_in_here():
        return redirect(url_for("week.show"), 303)  # where the host lets nobody out, nobody is let out
    visit.sign_out()
    return redirect(url_for("signin.ask"), 303)


@pages.get(paths.ACCOUNT)
def account() -> ResponseReturnValue:
    """Show who is signed in, and in which browsers, where that is not for a host to say."""
    refusal = visit.require()
    if refusal is not None:
        return refusal
    if not visit.signs_in_here():
        return speaking.render("signin/account_elsewhere.html", here=visit.visitor())
    runtime, here, practitioner_id = visit.runtime(), visit.browser(), visit.practitioner_id()
    every = browsers.every(runtime.database, practitioner_id, now=runtime.clock())
    with runtime.database.read() as db:
        practitioner = practitioners.get(db, practitioner_id)
    reader = speaking.to(practitioner)
    ends_at = {one.digest: browsers.ends_at(one) for one in every}
    return speaking.render("signin/account.html", browsers=every, here=here, reader=reader, ends_at=ends_at)


@pages.post(paths.SIGN_OUT_ELSEWHERE)
def leave_elsewhere() -> ResponseReturnValue:
    """Sign out of one other browser of the practitioner who is signed in."""
    refusal = visit.require()
    if refusal is not None:
        return refusal
    if not visit.signs_in_here():
        return redirect(url_for("signin.account"), 303)
    try:
        digest = bytes.fromhex(request.form.get("browser", ""))
    except ValueError:
        digest = b""
    if browsers.sign_out_one(visit.runtime().database, visit.practitioner_id(), digest):
        flash(speaking.say("You are signed out there."), "done")
    else:
        flash(speaking.say("You were not signed in there any more."), "done")
    return redirect(url_for("signin.account"), 303)


@pages.post(paths.SIGN_OUT_EVERYWHERE)
def leave_everywhere() -> ResponseReturnValue:
    """Sign out of every browser, this one included; links that were mailed before let nobody in."""
    refusal = visit.require()
    if refusal is not None:
        return refusal
    if not visit.signs_in_here():
        return redirect(url_for("signin.account"), 303)
    runtime = visit.runtime()
    browsers.sign_out_everywhere(runtime.database, visit.practitioner_id(), now=runtime.clock())
    visit.sign_out()
    flash(speaking.say("You are signed out everywhere. Sign-in links mailed to you before no longer work."), "done")
    return redirect(url_for("signin.ask"), 303)


def _elsewhere() -> ResponseReturnValue | None:
    """Send to the sign-in of a host that signs practitioners in; None where they sign in here."""
    return None if visit.signs_in_here() else visit.to_sign_in(url_for("week.show"))


def _used() -> ResponseReturnValue:
    return speaking.render("signin/used.html"), 410
