"""Our registration with Google, and the access token of one account: kept in this process, renewed by one at a time.

An account's credentials are `refresh_token`, `access_token`, `expires_at` (ISO 8601, aware UTC), `scopes` (separated
by blanks) and, where Google told them, `account_id` and `email`.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from threading import Lock
from typing import Any
from urllib.parse import urlencode, urlsplit

from connector.errors import AccessLostError, InstallationError, ProviderError, RefusedError, TransientError
from connector.ports import Network, TokenStore
from connector.sentence import Sentence
from providers.google.errors import Fault, garbled

URLS = {
    "authorize": "https://accounts.google.com/o/oauth2/v2/auth",
    "token": "https://oauth2.googleapis.com/token",
    "revoke": "https://oauth2.googleapis.com/revoke",
    "api": "https://www.googleapis.com/calendar/v3/",
    "batch": "https://www.googleapis.com/batch/calendar/v3",
}
_MARGIN = timedelta(minutes=4)  # an access token with less left is renewed before it is used
OUR_ERRORS = frozenset({
    "deleted_client", "disabled_client", "invalid_client", "redirect_uri_mismatch", "unauthorized_client",
    "unsupported_grant_type",
})  # fmt: skip
_PASSING = frozenset({"temporarily_unavailable", "server_error", "internal_failure", "slow_down"})
_OK, _TOO_MANY, _SERVER = 200, 429, 500

Post = Callable[[str, bytes], tuple[int, Mapping[str, str], bytes]]
"""Sends a form to a URL; returns status, headers and body. Raises: TransientError."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Site:
    """Our registration with Google and the addresses of its services."""

    client_id: str
    client_secret: str = field(repr=False)
    redirect_uri: str
    authorize: str
    token: str
    revoke: str
    api: str
    batch: str

    @classmethod
    def of(cls, network: Network) -> Site:
        """Read it from the operator's registrations, slug `google`; its urls may replace any of `URLS`.

        Raises: InstallationError if there is none, or an address is not https and not on a host allowed to be an inner
            one.
        """
        app = network.apps.get("google")
        if app is None:
            raise InstallationError(
                Sentence("Google Calendar is not set up here: this installation is not registered with Google")
            )
        urls = {name: app.urls.get(name, url) for name, url in URLS.items()}
        for url in urls.values():
            parts = urlsplit(url)
            if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in network.inner_hosts):
                raise InstallationError(Sentence("“%(url)s” is not an address beginning with https://", url=url))
        return cls(client_id=app.client_id, client_secret=app.client_secret, redirect_uri=app.redirect_uri, **urls)


def credentials_of(answer: Mapping[str, Any], *, now: datetime) -> dict[str, str]:
    """Return what to keep of a token endpoint's answer (RFC 6749 section 5.1).

    Raises: TransientError if it is none.
    """
    token, life = answer.get("access_token"), answer.get("expires_in", 0)
    if not isinstance(token, str) or not token or not isinstance(life, int | float):
        raise garbled()
    try:
        credentials = {"access_token": token, "expires_at": (now + timedelta(seconds=int(life))).isoformat()}
    except (ValueError, OverflowError) as error:
        raise garbled() from error
    rotated = answer.get("refresh_token")
    return credentials | ({"refresh_token": rotated} if isinstance(rotated, str) and rotated else {})


def refresh(credentials: Mapping[str, str], site: Site, post: Post, *, now: datetime) -> dict[str, str]:
    """Ask for a new access token; everything else in the credentials stays, unless Google replaces the refresh token.

    Raises: AccessLostError if the grant is gone; InstallationError if our own registration is at fault;
        TransientError.
    Source: RFC 6749 section 6.
    """
    if not credentials.get("refresh_token"):
        raise AccessLostError(Sentence("Google gave no lasting permission"))
    form = {"grant_type": "refresh_token", "refresh_token": credentials["refresh_token"]}
    return {**credentials, **credentials_of(granted(site, form, post, now=now), now=now)}


def granted(site: Site, form: Mapping[str, str], post: Post, *, now: datetime) -> dict[str, Any]:
    """Return what the token endpoint answers to a form, to which our registration is added.

    Raises: As `refresh`.
    """
    ours = {"client_id": site.client_id, "client_secret": site.client_secret}
    status, headers, body = post(site.token, urlencode({**form, **ours}).encode())
    answer = _object(body)
    if status == _OK:
        return answer
    fault = Fault.of(status, headers, body, now=now)
    raise token_error(status, str(answer.get("error", "")), wait=fault.wait)


def token_error(status: int, error: str, *, wait: timedelta | None = None) -> ProviderError:
    """Return what a refusal of the token endpoint means (RFC 6749 section 5.2)."""
    if status == _TOO_MANY or status >= _SERVER or not error or error in _PASSING:
        return TransientError(
            Sentence("Google's sign-in service answered %(answer)s", answer=f"{status} {error}".rstrip()),
            retry_after=wait,
        )
    if error in OUR_ERRORS:
        return InstallationError(
            Sentence("Google does not accept this installation's registration (%(error)s)", error=error)
        )
    return AccessLostError(Sentence("Google no longer accepts the connection (%(error)s)", error=error))


def revoke(credentials: Mapping[str, str], site: Site, post: Post, *, now: datetime) -> None:
    """Withdraw the grant, for every connection of this Google account; one that is gone already is fine.

    Raises: TransientError; RefusedError.
    Source: https://developers.google.com/identity/protocols/oauth2/web-server#tokenrevoke
    """
    token = credentials.get("refresh_token") or credentials.get("access_token")
    if not token:
        return
    status, headers, body = post(site.revoke, urlencode({"token": token}).encode())
    error = str(_object(body).get("error", ""))
    if status == _OK or error in {"invalid_token", "invalid_grant"}:
        return
    if status == _TOO_MANY or status >= _SERVER:
        wait = Fault.of(status, headers, body, now=now).wait
        raise TransientError(
            Sentence("Google's sign-in service answered %(answer)s", answer=str(status)), retry_after=wait
        )
    raise RefusedError(Sentence("Google did not withdraw the permission (%(status)s)", status=status))


def _object(body: bytes) -> dict[str, Any]:
    try:
        document = json.loads(body)
    except (ValueError, RecursionError):
        return {}
    return document if isinstance(document, dict) else {}


@dataclass(frozen=True, slots=True)
class _AccessToken:
    """An access token, and the stored credentials it comes from."""

    credentials: Mapping[str, str]
    token: str
    good_until: datetime

    @classmethod
    def of(cls, credentials: Mapping[str, str]) -> _AccessToken:
        try:
            end = datetime.fromisoformat(credentials.get("expires_at", "")).astimezone(UTC)
        except ValueError:
            end = datetime.min.replace(tzinfo=UTC) + _MARGIN
        return cls(credentials, credentials.get("access_token", ""), end - _MARGIN)

    def is_good(self, now: datetime) -> bool:
        return bool(self.token) and now < self.good_until


class Bearer:
    """The access token of one account; safe to share between threads, of which one at a time renews it.

    Args:
        tokens: Where the credentials are kept for all processes.
        refresh: Asks Google for new ones.
        clock: Tells the time, aware UTC.
    """

    def __init__(
        self,
        tokens: TokenStore,
        refresh: Callable[[Mapping[str, str]], Mapping[str, str]],
        clock: Callable[[], datetime],
    ) -> None:
        self._tokens = tokens
        self._refresh = refresh
        self._clock = clock
        self._current: _AccessToken | None = None
        self._lost: tuple[Mapping[str, str], Sentence] | None = None
        self._lock = Lock()

    def token(self) -> str:
        """Return an access token that is good for a while; asks nobody while the current one is.

        Raises: AccessLostError; InstallationError; TransientError.
        """
        current = self._current
        if current is not None and current.is_good(self._clock()):
            return current.token
        with self._lock:
            return self._usable(refused=None)

    def replace(self, refused: str) -> str:
        """Return another access token than the one Google has just refused.

        Raises: AccessLostError; InstallationError; TransientError.
        """
        with self._lock:
            return self._usable(refused=refused)

    def _usable(self, refused: str | None) -> str:
        access = self._current or _AccessToken.of(self._tokens.load())
        now = self._clock()
        if access.token == refused or not access.is_good(now):
            access = self._renew(access)
            if access.token == refused or not access.is_good(now):  # another process had renewed it, long ago
                access = self._renew(access)
        self._current = access
        return access.token

    def _renew(self, access: _AccessToken) -> _AccessToken:
        """Renew an access token; credentials that Google no longer accepts are not sent to it again."""
        if self._lost:
            lost_credentials, words = self._lost
            if dict(self._tokens.load()) == dict(lost_credentials):
                raise AccessLostError(words)
            self._lost = None
        last_try = access.credentials

        def refresh(credentials: Mapping[str, str]) -> Mapping[str, str]:
            nonlocal last_try
            last_try = credentials
            return self._refresh(credentials)

        try:
            return _AccessToken.of(self._tokens.renew(access.credentials, refresh))
        except AccessLostError as error:
            self._lost = (last_try, error.sentence)
            raise
