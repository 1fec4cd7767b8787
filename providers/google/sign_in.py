"""Signing in to Google: an authorization code with PKCE, for a lasting permission and no more than is needed.

Source: https://developers.google.com/identity/protocols/oauth2/web-server
"""

from __future__ import annotations

import base64
import json
import logging
from collections.abc import Mapping
from datetime import datetime

from google_auth_oauthlib.flow import Flow

from connector.errors import AccessLostError, RuleError
from connector.ports import SignInBegun
from connector.sentence import Sentence
from providers.google.tokens import OUR_ERRORS, Post, Site, credentials_of, granted, token_error

_AUTH = "https://www.googleapis.com/auth/"
_NEEDED = {
    f"{_AUTH}calendar.events.owned": Sentence("see and change the events of your own calendars"),
    f"{_AUTH}calendar.calendarlist.readonly": Sentence("see the list of your calendars"),
    f"{_AUTH}calendar.freebusy": Sentence("see when you are busy"),
}
_OWN_CALENDAR = f"{_AUTH}calendar.app.created"  # may be left out: then we cannot make a calendar of our own
_WHO = ("openid", "email")  # so that two connections of one account are recognised
SCOPES = (*_NEEDED, _OWN_CALENDAR, *_WHO)

logging.getLogger("requests_oauthlib").setLevel(logging.INFO)  # below that it logs codes and tokens


def begin(site: Site, state: str) -> SignInBegun:
    """Start a sign-in.

    The library makes the address and the PKCE secret; it insists on https, so an address allowed to be plain http is
    named https to it.
    """
    web = {
        "client_id": site.client_id,
        "client_secret": site.client_secret,
        "auth_uri": _secure(site.authorize),
        "token_uri": _secure(site.token),
    }
    flow = Flow.from_client_config({"web": web}, scopes=SCOPES, redirect_uri=site.redirect_uri)
    url, _ = flow.authorization_url(access_type="offline", prompt="consent", state=state)
    flow.oauth2session.close()
    scheme = site.authorize.partition(":")[0]
    return SignInBegun(url=scheme + url.removeprefix("https"), memory={"code_verifier": flow.code_verifier})


def complete(
    site: Site, memory: Mapping[str, str], answer: Mapping[str, str], post: Post, *, now: datetime
) -> dict[str, str]:
    """Turn the answer into credentials; without `refresh_token` if Google gave none this time.

    Raises: RuleError in words for the person; InstallationError; TransientError.
    """
    if "code" not in answer:
        if answer.get("error") in {"access_denied", None}:
            raise RuleError(
                "Google says that you did not allow the connection. Nothing was connected.", code="google_declined"
            )
        if answer["error"] in OUR_ERRORS:
            raise token_error(400, answer["error"])
        raise RuleError(
            "Google could not connect the calendar (%(reason)s). Please try again.",
            code="google_sign_in_failed",
            reason=answer["error"][:60],
        )
    form = {
        "grant_type": "authorization_code",
        "code": answer["code"],
        "code_verifier": memory["code_verifier"],
        "redirect_uri": site.redirect_uri,
    }
    try:
        token = granted(site, form, post, now=now)
        credentials = credentials_of(token, now=now)
    except AccessLostError as error:  # the code was used, or is too old
        raise RuleError(
            "The sign-in took too long, or was used already. Please connect again.", code="google_sign_in_too_late"
        ) from error
    scopes = _scopes(token.get("scope"))
    missing = [words for scope, words in _NEEDED.items() if scope not in scopes]
    if missing:
        raise RuleError(
            "Google says that Pencilled lacks your permission for this: %(permissions)s. Please connect again, and "
            "leave the boxes ticked.",
            code="google_permission_missing",
            permissions=tuple(missing),
        )
    return credentials | {"scopes": " ".join(sorted(scopes))} | _identity(token.get("id_token"))


def reauthorized(kept: Mapping[str, str], fresh: Mapping[str, str]) -> dict[str, str]:
    """Return the credentials after a sign-in: a lasting permission is not given twice, so an earlier one stays.

    Raises: RuleError if there is none, or the sign-in was to another account.
    """
    earlier, later = kept.get("account_id"), fresh.get("account_id")
    if earlier and later and earlier != later:
        raise RuleError(
            "This is another Google account (%(account)s). Please sign in to the same one as before (%(former)s).",
            code="google_account_is_another",
            account=fresh.get("email", "?"),
            former=kept.get("email", "?"),
        )
    joined = {"refresh_token": kept.get("refresh_token", ""), **fresh}
    if not joined["refresh_token"]:
        raise RuleError(
            "Google gave no lasting permission. Please connect again.", code="google_permission_not_lasting"
        )
    return joined


def _secure(url: str) -> str:
    return "https" + url.removeprefix(url.partition(":")[0])


def _scopes(scope: object) -> set[str]:
    return set(scope.split() if isinstance(scope, str) else scope) if isinstance(scope, str | list) else set()


def _identity(token: object) -> dict[str, str]:
    """Read who signed in; the token came straight from Google, so no signature is checked (OIDC Core 3.1.3.7)."""
    try:
        payload = str(token).split(".")[1]
        claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        identity = {"account_id": claims["sub"], "email": claims.get("email", "")}
    except (ValueError, LookupError, TypeError):
        return {}
    return {name: value for name, value in identity.items() if isinstance(value, str) and value}
