"""The ways to connect a calendar, for practitioners who are signed in, and for those who come by a connect link."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass

from flask import make_response, request
from flask.typing import ResponseReturnValue

from connector.domain.text import too_long
from connector.errors import NotFoundError, RuleError
from connector.ports import NamesServices, Provider, SignIn
from connector.sentence import Sentence
from connector.services.accounts import sign_in
from connector.services.accounts.sign_in import CalendarChoice, Installation
from connector.web import speaking, visit
from connector.web.forms import one_line

NEW = "+new"  # no calendar's id
_LONGEST_PASSWORD = 1000
_ADDRESS, _USERNAME, _PASSWORD = Sentence("Address"), Sentence("User name"), Sentence("App password")


@dataclass(frozen=True, slots=True, kw_only=True)
class Way:
    """One kind of calendar that can be connected here.

    Attributes:
        slug: The provider's.
        label: What people call it.
        signs_in: Whether its people sign in at the service itself.
        button: What the button says that connects one.
        services: Which services it leads to, where the label does not tell.
    """

    slug: str
    label: str
    signs_in: bool
    button: str
    services: str


@dataclass(frozen=True, slots=True, kw_only=True)
class AccessForm:
    """How to get into an account, as typed; the password is never shown again."""

    address: str = ""
    username: str = ""
    error: str = ""


def here() -> Installation:
    """Return what every step of connecting an account needs."""
    runtime = visit.runtime()
    return Installation(
        database=runtime.database,
        policy=runtime.policy,
        seal=runtime.seal,
        network=runtime.network,
        load_provider=runtime.load_provider,
    )


def every() -> tuple[Way, ...]:
    """Return what can be connected here."""
    runtime = visit.runtime()
    return tuple(map(_way_of, sign_in.offered(runtime.settings.providers, runtime.network, runtime.load_provider)))


def named(slug: str, among: tuple[Way, ...] | None = None) -> Way:
    """Return one of the ways that can be gone here, or one of these.

    Raises: NotFoundError if there is none such.
    """
    for way in every() if among is None else among:
        if way.slug == slug:
            return way
    raise NotFoundError(
        "There is no calendar service of that name here. Choose one on the page of your calendars.",
        code="calendar_service_unknown",
    )


def leave(page: str, url: str) -> ResponseReturnValue:
    """Send the browser to somebody else's address, by a page of ours that goes on by itself.

    Browsers hold a redirect after a form against the form's own policy, and where a service sends people on from there
    is not ours to list.
    """
    response = make_response(page)
    response.headers["Refresh"] = f"0; url={url}"
    return response


def access_form() -> AccessForm:
    """Return what was typed in, but for the password."""
    return AccessForm(address=request.form.get("address", ""), username=request.form.get("username", ""))


def access(form: AccessForm) -> Mapping[str, str]:
    """Return what gives access to an account, as it was typed in.

    Raises: RuleError.
    """
    password = request.form.get("password", "")
    if not password:
        raise RuleError("%(label)s: please fill this in.", code="text_missing", field="password", label=_PASSWORD)
    if len(password) > _LONGEST_PASSWORD:
        raise too_long(password, label=_PASSWORD, field="password", longest=_LONGEST_PASSWORD)
    return {
        "address": one_line(form.address, label=_ADDRESS, field="address", required=True),
        "username": one_line(form.username, label=_USERNAME, field="username"),
        "password": password,
    }


def chosen() -> CalendarChoice:
    """Return which calendars were chosen."""
    target = request.form.get("target", "")
    return CalendarChoice(
        target=None if target == NEW else target,
        new_name=visit.runtime().settings.brand,
        watched=frozenset(request.form.getlist("watched")),
    )


def _way_of(provider: Provider) -> Way:
    button, services = speaking.say("Connect %(service)s", service=provider.label), ""
    if isinstance(provider, NamesServices):
        button, services = speaking.say(provider.button), speaking.say(provider.services)
    signs_in = isinstance(provider, SignIn)
    return Way(slug=provider.slug, label=provider.label, signs_in=signs_in, button=button, services=services)
