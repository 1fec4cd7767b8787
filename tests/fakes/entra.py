"""Microsoft's sign-in as msal meets it: discovery, codes with PKCE, refresh tokens that rotate, and grants that end."""

from __future__ import annotations

import base64
import hashlib
import json
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from threading import Lock
from typing import Any
from urllib.parse import parse_qsl, unquote_plus, urlsplit
from uuid import uuid4

PERSONAL_TENANT = "9188040d-6c67-4c5b-b112-36a304b66dad"
CLIENT_ID, CLIENT_SECRET = "client-1", "registration secret"
REDIRECT_URI = "https://pencilled.example/connect/outlook"


@dataclass
class Grant:
    """What one person allowed."""

    username: str
    tenant: str
    scopes: str
    uid: str = field(default_factory=lambda: str(uuid4()))
    alive: bool = True


@dataclass
class Entra:
    """Issues tokens; `lifetime` is in seconds. `refuses` is the error every further refresh is told.
    `refuses_with` is Microsoft's own number for it.

    With `client_refused` the operator's registration is refused: its secret has expired, as Microsoft's all do.
    With `reuse_ends` a refresh token that comes a second time ends its grant, as others have it.
    `before_refresh` is called before a refresh is carried out.
    """

    base: str = ""
    lifetime: int = 3600
    scopes: str = "Calendars.ReadWrite"
    refuses: str = ""
    refuses_with: int = 50173
    client_refused: bool = False
    reuse_ends: bool = False
    before_refresh: Callable[[], None] = lambda: None
    closed_for: int = 0  # seconds the sign-in says it is not available
    gives_refresh_token: bool = True
    refreshes: int = 0
    discoveries: int = 0
    secrets: list[str] = field(default_factory=list)  # everything that must never be logged
    faults: list[str] = field(default_factory=list)
    _codes: dict[str, tuple[dict[str, str], Grant]] = field(default_factory=dict)
    _refresh: dict[str, Grant] = field(default_factory=dict)
    _used: dict[str, Grant] = field(default_factory=dict)
    _access: dict[str, Grant] = field(default_factory=dict)
    _lock: Lock = field(default_factory=Lock)

    def authorize(self, url: str, username: str = "k@example.org", *, personal: bool = False) -> dict[str, str]:
        """Do what a person does on Microsoft's page and return the query they come back with."""
        query = dict(parse_qsl(urlsplit(url).query))
        for name, wanted in {
            "client_id": CLIENT_ID,
            "redirect_uri": REDIRECT_URI,
            "response_type": "code",
            "response_mode": "query",
            "code_challenge_method": "S256",
        }.items():
            if query.get(name) != wanted:
                self.faults.append(f"authorize: {name} is {query.get(name)!r}")
        if set(query["scope"].split()) != {"openid", "profile", "offline_access", "Calendars.ReadWrite"}:
            self.faults.append(f"authorize: scope is {query['scope']!r}")
        code = self._secret("code")
        tenant = PERSONAL_TENANT if personal else str(uuid4())
        self._codes[code] = (query, Grant(username, tenant, self.scopes))
        return {"code": code, "state": query["state"], "session_state": str(uuid4())}

    def owner(self, token: str) -> Grant | None:
        """Return whose access token this is, if it is good."""
        grant = self._access.get(token)
        return grant if grant and grant.alive else None

    def forget_access(self) -> None:
        """Let every access token given so far be refused; refreshing still works."""
        with self._lock:
            self._access.clear()

    def revoke(self) -> None:
        """End every grant: no token of theirs works again."""
        for grant in [*self._refresh.values(), *self._access.values()]:
            grant.alive = False

    def answer(
        self, method: str, path: str, headers: dict[str, str], body: bytes
    ) -> tuple[int, Any] | tuple[int, Any, dict[str, str]]:
        if self.closed_for:
            return 503, {"error": "temporarily_unavailable"}, {"Retry-After": str(self.closed_for)}
        if method == "GET" and path.endswith("/v2.0/.well-known/openid-configuration"):
            self.discoveries += 1
            place = f"https{self.base.removeprefix('http')}/common/oauth2/v2.0"
            return 200, {
                "issuer": "https://login.microsoftonline.com/{tenantid}/v2.0",
                "authorization_endpoint": f"{place}/authorize",
                "token_endpoint": f"{place}/token",
            }
        if method == "POST" and path.endswith("/oauth2/v2.0/token"):
            form = dict(parse_qsl(body.decode()))
            if form.get("grant_type") == "refresh_token":
                self.before_refresh()
            with self._lock:
                return self._token(form, headers.get("authorization", ""))
        return 404, {"error": "not_found"}

    def _token(self, form: dict[str, str], authorization: str) -> tuple[int, Any]:
        pair = base64.b64decode(authorization.removeprefix("Basic ")).decode().partition(":")
        secret = form.get("client_secret") or unquote_plus(pair[2])
        if form.get("client_id") != CLIENT_ID or secret != CLIENT_SECRET or self.client_refused:
            return 401, {"error": "invalid_client", "error_description": "AADSTS7000215"}
        if form["grant_type"] == "authorization_code":
            query, grant = self._codes.pop(form["code"], ({}, None))
            digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
            challenge = base64.urlsafe_b64encode(digest).rstrip(b"=").decode()
            if grant is None or challenge != query["code_challenge"] or form["redirect_uri"] != query["redirect_uri"]:
                return 400, {"error": "invalid_grant", "error_description": "AADSTS54005"}
            return 200, self._issue(grant, query["nonce"])
        self.refreshes += 1
        if self.refuses:
            return 400, {"error": self.refuses, "error_description": f"AADSTS{self.refuses_with} of k@example.org"}
        grant = self._refresh.pop(form["refresh_token"], None)
        if grant is not None:
            self._used[form["refresh_token"]] = grant
        elif self.reuse_ends and form["refresh_token"] in self._used:
            self._used[form["refresh_token"]].alive = False
        if grant is None or not grant.alive:
            return 400, {"error": "invalid_grant", "error_description": "AADSTS700082", "suberror": "bad_token"}
        return 200, self._issue(grant, None)

    def _issue(self, grant: Grant, nonce: str | None) -> dict[str, Any]:
        access, refresh = self._secret("access"), self._secret("refresh")
        self._access[access] = grant
        claims = {
            "aud": CLIENT_ID,
            "iss": f"https://login.microsoftonline.com/{grant.tenant}/v2.0",
            "sub": grant.uid,
            "oid": grant.uid,
            "tid": grant.tenant,
            "preferred_username": grant.username,
            "exp": int(time.time()) + 3600,  # noqa: TID251 - as Microsoft dates it
            **({"nonce": nonce} if nonce else {}),
        }
        issued = {
            "token_type": "Bearer",
            "scope": f"{grant.scopes} openid profile",
            "expires_in": self.lifetime,
            "ext_expires_in": self.lifetime,
            "access_token": access,
            "id_token": f"{_part({'alg': 'none'})}.{_part(claims)}.",
            "client_info": _part({"uid": grant.uid, "utid": grant.tenant}),
        }
        if self.gives_refresh_token:
            self._refresh[refresh] = grant
            issued["refresh_token"] = refresh
        return issued

    def _secret(self, kind: str) -> str:
        self.secrets.append(f"{kind}-{uuid4().hex}")
        return self.secrets[-1]


def _part(value: dict[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(value).encode()).rstrip(b"=").decode()
