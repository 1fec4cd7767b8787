"""A host that says who of its users is present, as a test has it: in this process, or by assertions it signs."""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import jwt

from connector import app
from connector.domain.people import Client
from connector.storage import people
from tests.web.stage import Stage

CLIENTS_ID = "client-12"  # what the host calls Kim
SIGN_IN = "https://host.example/login"
SHARED = "a key that both sides have for tests alone"
HOSTS: dict[str, Any] = {"answer_policy": "host", "host_sign_in_url": SIGN_IN, "assertion_keys": (SHARED,)}
"""The settings of an installation whose host runs in another process."""


@dataclass
class HostsUsers:
    """Says who is present, and remembers where it was asked to send people back to."""

    practitioner_id: str | None = None
    support_name: str | None = None
    client_id: str | None = None
    names_practitioners: bool = False
    names_support: bool = False
    names_clients: bool = False
    sent_back_to: list[str] = field(default_factory=list)

    def practitioner(self) -> str | None:
        return self.practitioner_id

    def support(self) -> str | None:
        return self.support_name

    def client(self) -> str | None:
        return self.client_id

    def sign_in(self, next_url: str) -> str:
        self.sent_back_to.append(next_url)
        return f"{SIGN_IN}?next={next_url}"


def hosted(stage: Stage, users: HostsUsers) -> Stage:
    """Have a host say who is present in this installation."""
    stage.app = app.create_app(stage.runtime, presence=users)
    return stage


def known_to_the_host(stage: Stage) -> Client:
    """Have the host know Kim by an id of its own."""
    kim = replace(stage.kim, external_id=CLIENTS_ID)
    with stage.runtime.database.begin() as db:
        people.save_client(db, kim)
    return kim


def claims(stage: Stage, offer_id: UUID | str, **others: Any) -> dict[str, Any]:
    """Return what a host says, but for what a test says otherwise; None leaves it out."""
    now = stage.now.timestamp()
    said = {
        "aud": stage.runtime.settings.public_url,
        "offer": str(offer_id),
        "sub": CLIENTS_ID,
        "iat": now,
        "exp": now + 60,
        "jti": str(uuid4()),
    } | others
    return {name: value for name, value in said.items() if value is not None}


def assertion(stage: Stage, offer_id: UUID | str, *, key: str = SHARED, algorithm: str = "HS256", **others: Any) -> str:
    """Return what a host signs, but for what a test says otherwise."""
    return jwt.encode(claims(stage, offer_id, **others), key, algorithm=algorithm)


def later(now: datetime, **by: float) -> float:
    """Return an instant as assertions write it."""
    return (now + timedelta(**by)).timestamp()
