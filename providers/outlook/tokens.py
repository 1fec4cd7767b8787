"""Sign-in and access tokens for Microsoft accounts, through msal over our own HTTP.

An account's credentials are `cache` (msal's own, with this account alone), `home_account_id`, `tenant` (`personal` or
`work`) and, of work accounts, `username`: free/busy is asked by it.
"""

from __future__ import annotations

import json
import logging
import re
import time
import warnings
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import timedelta
from threading import Lock
from typing import Any, NoReturn
from urllib.parse import urlsplit, urlunsplit

from connector.errors import (
    AccessLostError,
    ConnectorError,
    InstallationError,
    ProviderError,
    RuleError,
    TransientError,
)
from connector.ports import Network, OAuthApp, SignInBegun, TokenStore
from connector.sentence import Sentence, Value
from providers.outlook.http import Web
from providers.outlook.protocol import Answer, wait

AUTHORITY = "https://login.microsoftonline.com/common"  # work, school and personal accounts alike
ROOT = "https://graph.microsoft.com/v1.0"
PERSONAL, WORK = "personal", "work"
_PERSONAL_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
_SCOPE = "Calendars.ReadWrite"
_GONE = frozenset({"invalid_grant", "interaction_required", "login_required", "consent_required"})
_DECLINED = frozenset({"access_denied", "consent_required", "interaction_required", "login_required"})
_OURS = frozenset({"invalid_client", "unauthorized_client", "unsupported_grant_type"})
_OUR_CODES = {  # AADSTS numbers: https://learn.microsoft.com/entra/identity-platform/reference-error-codes
    50011: Sentence("the redirect address is not the one registered"),
    700027: Sentence("the certificate is not accepted"),
    7000215: Sentence("the client secret is wrong"),
    7000218: Sentence("the client secret is missing"),
    7000222: Sentence("the client secret has expired"),
}
_TENANT_CODES = {  # the same, said by the directory of one account's organisation about the application in it
    700016: Sentence("it does not know Pencilled (AADSTS700016)"),
    7000112: Sentence("it has disabled Pencilled (AADSTS7000112)"),
}
_CODE = re.compile(r"AADSTS(\d{4,9})")
_SPENT = frozenset({"invalid_grant", "expired_token"})
_KEPT = timedelta(hours=24).total_seconds()  # of what the authority tells about itself
_MARGIN = timedelta(minutes=5).total_seconds()  # msal counts a token with less left as expired
_TOO_MANY, _ERROR = 429, 500


@dataclass(frozen=True, slots=True, kw_only=True)
class Directory:
    """Our registration with Microsoft and the addresses of its services."""

    client_id: str
    client_secret: str
    redirect_uri: str
    authority: str
    root: str

    @classmethod
    def of(cls, network: Network) -> Directory:
        """Read it from the operator's registrations, slug `outlook`; its urls may name `authority` and `graph`.

        Raises: InstallationError if there is none, or an address is not https and not on a host allowed to be an inner
            one.
        """
        app: OAuthApp | None = network.apps.get("outlook")
        if app is None:
            raise InstallationError(
                Sentence("Outlook is not set up here: this installation is not registered with Microsoft")
            )
        authority, root = app.urls.get("authority", AUTHORITY), app.urls.get("graph", ROOT)
        for url in (authority, root):
            parts = urlsplit(url)
            if parts.scheme != "https" and (parts.scheme != "http" or parts.hostname not in network.inner_hosts):
                raise InstallationError(Sentence("“%(url)s” is not an address beginning with https://", url=url))
        return cls(
            client_id=app.client_id,
            client_secret=app.client_secret,
            redirect_uri=app.redirect_uri,
            authority=authority.rstrip("/"),
            root=root.rstrip("/"),
        )


@dataclass(frozen=True, slots=True)
class _Reply:
    """An HTTP reply in the shape msal asks for."""

    status_code: int
    text: str
    headers: Mapping[str, str]

    def raise_for_status(self) -> None:
        """Do nothing: what must be raised was raised before."""


class Authority:
    """Sends msal's requests over the kept connections, with their time limits.

    What the authority tells about itself is kept for a day; errors are not, as msal's own memory would (for 60 s).
    msal insists on https, so an authority that the operator allowed to be plain http is named to it as https.
    """

    def __init__(self, web: Web, *, monotonic: Callable[[], float]) -> None:
        self._web = web
        self._monotonic = monotonic
        self._replies: dict[str, tuple[float, _Reply]] = {}

    def app(self, directory: Directory, cache: str | None) -> tuple[Any, Any]:
        """Return a new msal application and its token cache; asks the authority about itself at most once a day.

        Raises: TransientError.
        """
        import msal  # noqa: PLC0415 - heavy, and not needed before the first token is

        logging.getLogger("msal.token_cache").setLevel(logging.INFO)  # below that it logs codes and tokens
        tokens = msal.SerializableTokenCache()
        if cache is not None:
            tokens.deserialize(cache)
        secure = urlunsplit(("https", *urlsplit(directory.authority)[1:]))
        application = through_msal(
            lambda: msal.ConfidentialClientApplication(
                directory.client_id,
                client_credential=directory.client_secret,
                authority=secure,
                token_cache=tokens,
                http_client=_Client(self, plain=directory.authority.startswith("http:")),
                instance_discovery=False,  # the operator named the authority; msal need not ask Microsoft about it
            )
        )
        return application, tokens

    def get(self, url: str, **parts: Any) -> _Reply:
        """Ask, or give the reply that was kept from the last day."""
        expires_at, reply = self._replies.get(url, (0.0, None))
        if reply is not None and expires_at > self._monotonic():
            return reply
        reply = self._send("GET", url, **parts)
        if reply.status_code == 200:  # noqa: PLR2004 - OK
            self._replies[url] = (self._monotonic() + _KEPT, reply)
        return reply

    def post(self, url: str, **parts: Any) -> _Reply:
        """Send a form."""
        return self._send("POST", url, **parts)

    def _send(self, method: str, url: str, **parts: Any) -> _Reply:
        usable = {name: parts[name] for name in ("params", "data", "headers") if parts.get(name)}
        reply = self._web.send(method, url, **usable)
        if reply.status == _TOO_MANY or reply.status >= _ERROR:
            pause = wait(Answer(reply.status, reply.headers))
            raise TransientError(
                Sentence("Microsoft's sign-in answered %(status)s", status=reply.status), retry_after=pause
            )
        return _Reply(reply.status, reply.content.decode(errors="replace"), reply.headers)


class _Client:
    """The http client one msal application is given."""

    def __init__(self, authority: Authority, *, plain: bool) -> None:
        self._authority = authority
        self._scheme = "http" if plain else "https"

    def get(self, url: str, **parts: Any) -> _Reply:
        """Pass on."""
        return self._authority.get(self._spelled(url), **parts)

    def post(self, url: str, **parts: Any) -> _Reply:
        """Pass on."""
        return self._authority.post(self._spelled(url), **parts)

    def close(self) -> None:
        """Leave the connections as they are: they are shared."""

    def _spelled(self, url: str) -> str:
        return urlunsplit((self._scheme, *urlsplit(url)[1:]))


def through_msal(call: Callable[[], Any]) -> Any:
    """Call msal and let only our own errors out; its messages may quote an answer, so none is repeated."""
    try:
        return call()
    except ConnectorError:
        raise
    except Exception as error:
        kind = type(error).__name__
        raise TransientError(
            Sentence("Microsoft's sign-in gave an answer that makes no sense (%(kind)s)", kind=kind)
        ) from error


def begin(authority: Authority, directory: Directory, state: str) -> SignInBegun:
    """Start a sign-in with PKCE; the answer comes as a query.

    A form posted from Microsoft's site would come without the cookie that tells who is asking.
    """
    app, _ = authority.app(directory, None)
    warnings.filterwarnings("ignore", message="response_mode='form_post' is recommended")  # see above
    flow = through_msal(
        lambda: app.initiate_auth_code_flow(
            [_SCOPE],
            redirect_uri=directory.redirect_uri,
            state=state,
            response_mode="query",
            prompt="select_account",
        )
    )
    url = str(flow.pop("auth_uri"))
    return SignInBegun(url=url, memory={name: json.dumps(value) for name, value in flow.items()})


def complete(
    authority: Authority, directory: Directory, memory: Mapping[str, str], answer: Mapping[str, str]
) -> Mapping[str, str]:
    """Turn the answer of a sign-in into credentials.

    Raises: RuleError in words for the person; TransientError; InstallationError if our own registration is refused.
    """
    flow = {name: json.loads(value) for name, value in memory.items()}
    if not answer.get("state") or answer.get("state") != flow.get("state"):
        raise RuleError("This answer belongs to another sign-in. Please start again.", code="outlook_other_sign_in")
    app, cache = authority.app(directory, None)
    result = through_msal(lambda: app.acquire_token_by_auth_code_flow(flow, dict(answer)))
    if "access_token" not in result:
        raise _sign_in_error(result)
    scopes = {scope.rpartition("/")[2].lower() for scope in str(result.get("scope", "")).split()}
    if _SCOPE.lower() not in scopes:
        raise RuleError(
            "Microsoft says that Pencilled may not read and write your calendars. Please start again, and allow it.",
            code="outlook_permission_missing",
        )
    accounts = app.get_accounts()
    if "refresh_token" not in result or len(accounts) != 1:
        raise RuleError(
            "Microsoft did not allow Pencilled to stay connected. Please start again.",
            code="outlook_permission_not_lasting",
        )
    return _credentials(cache.serialize(), str(accounts[0]["home_account_id"]), result.get("id_token_claims", {}))


def _credentials(cache: str, home_account_id: str, claims: Mapping[str, Any]) -> Mapping[str, str]:
    """Return what to keep of an account; a personal one has no user name that free/busy could be asked by."""
    credentials = {"cache": cache, "home_account_id": home_account_id}
    if claims.get("tid") == _PERSONAL_TENANT:
        return credentials | {"tenant": PERSONAL}
    return credentials | {"tenant": WORK, "username": str(claims.get("preferred_username", ""))}


def _sign_in_error(result: Mapping[str, Any]) -> RuleError | ProviderError:
    error = str(result.get("error", ""))
    if blocked := _blocked_by_organisation(result):
        return RuleError(
            "Your organisation does not let Pencilled in: %(reason)s. Ask whoever looks after its accounts. Nothing "
            "was connected.",
            code="outlook_blocked_by_organisation",
            reason=blocked,
        )
    if _is_ours(result):
        return _registration_error(result)
    if error in _DECLINED:
        return RuleError(
            "You, or your organisation, did not allow Pencilled to use your calendars. Nothing was connected.",
            code="outlook_declined",
        )
    if error in _SPENT:
        return RuleError(
            "The sign-in took too long, or was used already. Please start again.", code="outlook_sign_in_too_late"
        )
    if error in {"temporarily_unavailable", "server_error"}:
        return TransientError(Sentence("Microsoft's sign-in is not available just now"))
    return _registration_error(result)


def _codes(result: Mapping[str, Any]) -> list[int]:
    """Return Microsoft's own numbers for what is wrong, which some answers have in their words alone."""
    codes = result.get("error_codes")
    numbers = [code for code in codes if isinstance(code, int)] if isinstance(codes, list) else []
    return numbers + [int(digits) for digits in _CODE.findall(str(result.get("error_description", "")))]


def _blocked_by_organisation(result: Mapping[str, Any]) -> Sentence | None:
    """Say how the organisation of one account keeps us out; None if it does not. Other accounts are not concerned."""
    codes = _codes(result)
    if any(code in _OUR_CODES for code in codes):
        return None
    return next((_TENANT_CODES[code] for code in codes if code in _TENANT_CODES), None)


def _is_ours(result: Mapping[str, Any]) -> bool:
    """Whether this installation's own registration is refused, whichever account asks."""
    return str(result.get("error", "")) in _OURS or any(code in _OUR_CODES for code in _codes(result))


def _registration_error(result: Mapping[str, Any]) -> InstallationError:
    error = _reason(result)
    known = [code for code in _codes(result) if code in _OUR_CODES]
    if not known:
        return InstallationError(
            Sentence("Microsoft does not accept this installation's registration (%(error)s)", error=error)
        )
    return InstallationError(
        Sentence(
            "Microsoft does not accept this installation's registration (%(error)s, AADSTS%(number)s: %(reason)s)",
            error=error,
            number=known[0],
            reason=_OUR_CODES[known[0]],
        )
    )


def _reason(result: Mapping[str, Any]) -> Value:
    """Return Microsoft's own word for what is wrong."""
    return str(result.get("error", "")) or Sentence("no reason given")


class Tokens:
    """The access tokens of one account: at hand while they last, refreshed by one caller at a time."""

    def __init__(
        self, store: TokenStore, directory: Directory, authority: Authority, *, monotonic: Callable[[], float]
    ) -> None:
        self._store = store
        self._directory = directory
        self._authority = authority
        self._monotonic = monotonic
        self._warm: tuple[str, float] | None = None
        self._lock = Lock()

    def bearer(self, *, refused: str | None = None) -> str:
        """Return an access token that is good for at least a while, and is not the `refused` one.

        Raises: AccessLostError if the account must be connected anew; InstallationError; TransientError.
        """
        token = self._at_hand(refused)
        if token:
            return token
        with self._lock:
            return self._at_hand(refused) or self._fetched(refused)

    def credentials(self) -> Mapping[str, str]:
        """Return the account's credentials as they are kept."""
        return self._store.load()

    def _at_hand(self, refused: str | None) -> str | None:
        warm = self._warm
        if warm and warm[1] > self._monotonic() and warm[0] != refused:
            return warm[0]
        return None

    def _fetched(self, refused: str | None) -> str:
        credentials = self._store.load()
        cached = self._cached(credentials, refused, least=_MARGIN)
        if cached is None:
            cached = self._cached(self._store.renew(credentials, self._refreshed), refused, least=0)
        if cached is None:
            raise AccessLostError(Sentence("Microsoft gives no new access to this account"))
        token, seconds = cached
        self._warm = (token, self._monotonic() + seconds - _MARGIN)
        return token

    def _cached(self, credentials: Mapping[str, str], refused: str | None, *, least: float) -> tuple[str, float] | None:
        """Return the access token that lasts longest, and the seconds it has left; None if that is `least` or less."""
        import msal  # noqa: PLC0415 - as above

        cache = msal.SerializableTokenCache()
        through_msal(lambda: cache.deserialize(credentials.get("cache")))
        query = {"client_id": self._directory.client_id, "home_account_id": credentials.get("home_account_id")}
        rows = through_msal(lambda: list(cache.search(msal.TokenCache.CredentialType.ACCESS_TOKEN, query=query)))
        left = {str(row["secret"]): float(row["expires_on"]) - time.time() for row in rows}  # noqa: TID251 - MSAL dates them
        left.pop(refused or "", None)
        token = max(left, key=left.__getitem__, default=None)
        return (token, left[token]) if token is not None and left[token] > least else None

    def _refreshed(self, credentials: Mapping[str, str]) -> Mapping[str, str]:
        """Spend the refresh token; the one that comes back with the answer is kept with it."""
        app, cache = self._authority.app(self._directory, credentials.get("cache"))
        home = credentials.get("home_account_id")
        account = next((item for item in through_msal(app.get_accounts) if item["home_account_id"] == home), None)
        result = through_msal(lambda: app.acquire_token_silent_with_error([_SCOPE], account, force_refresh=True))
        if not result:
            raise AccessLostError(Sentence("No way is kept to reach this account, so it must be connected anew"))
        if "access_token" not in result:
            _refuse(result)
        return {**credentials, "cache": cache.serialize()} if cache.has_state_changed else credentials


def _refuse(result: Mapping[str, Any]) -> NoReturn:
    error = str(result.get("error", ""))
    if blocked := _blocked_by_organisation(result):
        raise AccessLostError(
            Sentence("The organisation of this account refuses the access: %(reason)s", reason=blocked)
        )
    if _is_ours(result):
        raise _registration_error(result)
    if error in _GONE:
        raise AccessLostError(Sentence("Microsoft no longer gives access to this account (%(error)s)", error=error))
    raise TransientError(Sentence("Microsoft gave no token (%(error)s)", error=_reason(result)))
