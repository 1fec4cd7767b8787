"""A host's program: it has a key, speaks JSON, and gives each request what the API asks for."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from flask.testing import FlaskClient
from werkzeug.test import Client, TestResponse

from connector.domain.api_key import ApiKey, Scope
from connector.paths import API
from connector.runtime import Runtime
from connector.services import api_keys


@dataclass(frozen=True, kw_only=True)
class Program:
    """Sends requests with one key to the application of an installation, as the server in front of it does.

    Attributes:
        secret: What it shows; empty for nothing.
        key: What that is; None for somebody who has none.
    """

    runtime: Runtime
    client: Client
    secret: str = ""
    key: ApiKey | None = None

    def get(self, path: str, **query: Any) -> TestResponse:
        return self.ask("GET", path, query=query)

    def post(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self.ask("POST", path, body, **more)

    def put(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self.ask("PUT", path, body, **more)

    def patch(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self.ask("PATCH", path, body, **more)

    def delete(self, path: str, body: Any = None, **more: Any) -> TestResponse:
        return self.ask("DELETE", path, body, **more)

    def ask(
        self,
        method: str,
        path: str,
        body: Any = None,
        *,
        query: Mapping[str, Any] | None = None,
        match: object = None,
        once: str = "",
        headers: Mapping[str, str] | None = None,
    ) -> TestResponse:
        """Ask for something, and see that whatever goes wrong is a problem document.

        Args:
            method: Such as GET.
            path: Within the API.
            body: Sent as JSON; None for no body.
            query: Behind the question mark.
            match: The version that is to be changed.
            once: The name of this act, as its Idempotency-Key.
            headers: Others.
        """
        sent = dict(headers or {})
        if self.secret:
            sent.setdefault("Authorization", f"Bearer {self.secret}")
        if match is not None:
            sent["If-Match"] = match if match == "*" else f'"{match}"'
        if once:
            sent["Idempotency-Key"] = once
        more = {"json": body} if body is not None else {}
        answer = self.client.open(API + path, method=method, headers=sent, query_string=dict(query or {}), **more)
        if answer.status_code >= 400:
            check_problem(answer)
        return answer


def check_problem(answer: TestResponse) -> None:
    """See that an answer is a problem document, as each that refuses something is."""
    assert answer.mimetype == "application/problem+json", answer.text
    problem = answer.json
    assert isinstance(problem, dict)
    assert problem["status"] == answer.status_code
    assert problem["type"].endswith(f"/api/v1/errors/{problem['code']}")
    assert problem["title"]
    assert problem["detail"]
    assert problem["request_id"] == answer.headers["X-Request-Id"]


def code(answer: TestResponse) -> str:
    """Return what was refused, for programs."""
    assert answer.json is not None, answer.text
    found: str = answer.json["code"]
    return found


def pointer(answer: TestResponse) -> str:
    """Return where in its body it was."""
    assert answer.json is not None, answer.text
    found: str = answer.json["errors"][0]["pointer"]
    return found


def program(runtime: Runtime, client: FlaskClient, *scopes: Scope, practitioner: UUID | None = None) -> Program:
    """Make a key of these scopes, and return a program that has it."""
    with runtime.database.begin() as db:
        made = api_keys.make(db, name="Booking site", scopes=scopes, practitioner_id=practitioner, now=runtime.clock())
    return Program(runtime=runtime, client=client, secret=made.secret, key=made.key)
