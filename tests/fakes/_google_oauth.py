"""Google's sign-in as the fake plays it: consent, codes bound to PKCE, tokens that expire, rotate and are revoked."""

from __future__ import annotations

import base64
import hashlib
import json
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from urllib.parse import parse_qs, unquote, urlsplit
from uuid import uuid4

from tests.fakes._google_wire import Reply, Request

LIFE = timedelta(hours=1)


@dataclass
class Grant:
    """What one account allowed, and whether it still does."""

    account: str
    scopes: frozenset[str]
    alive: bool = True


@dataclass
class _Code:
    grant: Grant
    challenge: str
    redirect_uri: str


@dataclass
class OAuth:
    """The sign-in service.

    Attributes:
        account: Who is sitting at the browser.
        unticked: Scopes that person leaves out.
        lasting: Whether a refresh token comes with the consent.
        rotates: Whether each refresh replaces the refresh token.
        refreshes: How many access tokens were given for refresh tokens.
        client_refused: Whether the operator's client is not known any more: deleted, or its secret replaced.
    """

    client_id: str
    client_secret: str
    redirect_uri: str
    account: str
    unticked: frozenset[str] = frozenset()
    lasting: bool = True
    rotates: bool = False
    refreshes: int = 0
    client_refused: bool = False
    grants: dict[str, Grant] = field(default_factory=dict)
    access: dict[str, tuple[Grant, datetime]] = field(default_factory=dict)
    codes: dict[str, _Code] = field(default_factory=dict)
    faults: list[str] = field(default_factory=list)

    def consent(self, url: str, *, allowed: bool = True) -> dict[str, str]:
        """Answer the consent page at a URL, and return the query the person comes back with."""
        asked = {name: values[0] for name, values in parse_qs(urlsplit(url).query).items()}
        wanted = {
            "response_type": "code",
            "client_id": self.client_id,
            "redirect_uri": self.redirect_uri,
            "access_type": "offline",
            "prompt": "consent",
            "code_challenge_method": "S256",
        }
        self.faults += [
            f"authorize: {name} is {asked.get(name)!r}" for name in wanted if asked.get(name) != wanted[name]
        ]
        self.faults += [f"authorize: no {name}" for name in ("state", "scope", "code_challenge") if not asked.get(name)]
        if not allowed:
            return {"error": "access_denied", "state": asked["state"]}
        named = {"email": "https://www.googleapis.com/auth/userinfo.email"}
        scopes = frozenset(named.get(one, one) for one in asked["scope"].split()) - self.unticked
        code = f"4/{uuid4().hex}"
        self.codes[code] = _Code(Grant(self.account, scopes), asked["code_challenge"], asked["redirect_uri"])
        return {"code": code, "state": asked["state"], "scope": " ".join(sorted(scopes))}

    def token(self, request: Request, now: datetime) -> Reply:
        form = {name: values[0] for name, values in parse_qs(request.body.decode()).items()}
        client = (form.get("client_id"), form.get("client_secret"))
        if request.headers.get("authorization", "").startswith("Basic "):
            plain = base64.b64decode(request.headers["authorization"].removeprefix("Basic ")).decode()
            client = (unquote(plain.partition(":")[0]), unquote(plain.partition(":")[2]))
        if client != (self.client_id, self.client_secret) or self.client_refused:
            return Reply(401, {"error": "invalid_client", "error_description": "The OAuth client was not found."})
        if form.get("grant_type") == "authorization_code":
            return self._exchange(form, now)
        if form.get("grant_type") == "refresh_token":
            return self._refresh(form, now)
        return Reply(400, {"error": "unsupported_grant_type"})

    def revoke(self, request: Request) -> Reply:
        token = parse_qs(request.body.decode()).get("token", [""])[0]
        grant = self.grants.get(token) or (self.access[token][0] if token in self.access else None)
        if grant is None or not grant.alive:
            return Reply(400, {"error": "invalid_token", "error_description": "Token expired or revoked"})
        self.withdraw(grant.account)
        return Reply(200, {})

    def withdraw(self, account: str) -> None:
        """Take back everything an account has allowed."""
        for grant in (*self.grants.values(), *(grant for grant, _ in self.access.values())):
            if grant.account == account:
                grant.alive = False

    def forget_access(self) -> None:
        """Let no access token be good any more; refresh tokens are."""
        self.access.clear()

    def holder(self, request: Request, now: datetime) -> Grant | None:
        """Return whose token a request shows."""
        kind, _, token = request.headers.get("authorization", "").partition(" ")
        grant, end = self.access.get(token, (None, now))
        return grant if kind == "Bearer" and grant and grant.alive and now < end else None

    def _exchange(self, form: dict[str, str], now: datetime) -> Reply:
        code = self.codes.pop(form.get("code", ""), None)
        digest = hashlib.sha256(form.get("code_verifier", "").encode()).digest()
        challenge = base64.urlsafe_b64encode(digest).decode().rstrip("=")
        if code is None or code.challenge != challenge or code.redirect_uri != form.get("redirect_uri"):
            return Reply(400, {"error": "invalid_grant", "error_description": "Bad Request"})
        answer = self._given(code.grant, now)
        claims = {"iss": "https://accounts.google.com", "aud": self.client_id}
        claims |= {"sub": f"id-of-{code.grant.account}", "email": code.grant.account}
        if "openid" in code.grant.scopes:
            parts = [{"alg": "none"}, claims, "signature"]
            answer["id_token"] = ".".join(
                base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts
            )
        if self.lasting:
            answer["refresh_token"] = self._refresh_token(code.grant)
        return Reply(200, answer)

    def _refresh(self, form: dict[str, str], now: datetime) -> Reply:
        grant = self.grants.get(form.get("refresh_token", ""))
        if grant is None or not grant.alive:
            return Reply(400, {"error": "invalid_grant", "error_description": "Token has been expired or revoked."})
        self.refreshes += 1
        answer = self._given(grant, now)
        if self.rotates:
            del self.grants[form["refresh_token"]]
            answer["refresh_token"] = self._refresh_token(grant)
        return Reply(200, answer)

    def _given(self, grant: Grant, now: datetime) -> dict[str, object]:
        token = f"ya29.{uuid4().hex}"
        self.access[token] = (grant, now + LIFE)
        scope = " ".join(sorted(grant.scopes))
        return {"access_token": token, "expires_in": 3599, "scope": scope, "token_type": "Bearer"}

    def _refresh_token(self, grant: Grant) -> str:
        token = f"1//{uuid4().hex}"
        self.grants[token] = grant
        return token
