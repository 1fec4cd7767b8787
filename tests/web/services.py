"""Calendar services for tests of pages: Google's and Microsoft's on the loopback, and a memory one with a sign-in."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from typing import Protocol
from urllib.parse import parse_qs, urlsplit
from uuid import uuid4

from connector.errors import RuleError
from connector.ports import Network, OAuthApp, Provider, SignInBegun
from providers.google.provider import Google as GoogleProvider
from providers.memory import provider as memory
from providers.outlook.http import Web
from providers.outlook.provider import Outlook
from tests.conftest import Clock
from tests.fakes.google import Google
from tests.fakes.graph import Graph, Ticks
from tests.fakes.graph_mailbox import Mailbox

Query = Mapping[str, str]


class Service(Protocol):
    """One kind of calendar service, with one account and its person at the browser."""

    slug: str
    network: Network
    target: str
    other: str

    @property
    def provider(self) -> Provider:
        """Return what the installation reaches it by."""

    @property
    def secrets(self) -> list[str]:
        """Return what nobody but the service and our database may ever see."""

    def consent(self, url: str) -> Query:
        """Allow what is asked at that address, and return the query to come back with."""

    def refusal(self, url: str) -> Query:
        """Say no."""

    def titles(self) -> list[str]:
        """Return what stands in the target calendar."""

    def revoke(self) -> None:
        """Take back every permission, as a person does in their account."""


@dataclass
class _Doorkeeper(memory.Memory):
    """The memory service with a sign-in before it."""

    label = "Memory Calendar"
    owner: str
    verifiers: set[str] = field(default_factory=set)
    codes: set[str] = field(default_factory=set)
    closed: list[Exception] = field(default_factory=list)

    def begin(self, network: Network, state: str) -> SignInBegun:
        if self.closed:
            raise self.closed.pop()
        assert network.apps
        self.verifiers.add(verifier := f"verifier-{uuid4().hex}")
        return SignInBegun(url=f"https://calendar.example/sign-in?state={state}", memory={"verifier": verifier})

    def complete(self, network: Network, memory: Mapping[str, str], answer: Mapping[str, str]) -> Mapping[str, str]:
        assert network.apps
        self.verifiers.remove(memory["verifier"])
        if self.closed:
            raise self.closed.pop()
        if "code" not in answer:
            raise RuleError("You did not allow the connection.", code="not_allowed")
        self.codes.remove(answer["code"])
        return {"store": self.owner, "password": "secret", "account_id": self.owner}


class MemoryService:
    slug, target, other = "memory", "work", "private"

    def __init__(self) -> None:
        self.store = memory.store(f"owner-{uuid4().hex}")
        self.store.calendar(self.target)
        self.store.calendar(self.other)
        self.store.calendar("holidays", writable=False)
        self.provider = _Doorkeeper(self.store.id)
        app = OAuthApp(client_id="id", client_secret="registration secret", redirect_uri="")
        self.network = Network(apps={"memory": app})

    @property
    def secrets(self) -> list[str]:
        return [*self.provider.verifiers, *self.provider.codes, "registration secret"]

    def consent(self, url: str) -> Query:
        self.provider.codes.add(code := f"code-{uuid4().hex}")
        return {"code": code, "state": _state(url)}

    def refusal(self, url: str) -> Query:
        return {"error": "access_denied", "state": _state(url)}

    def titles(self) -> list[str]:
        return [content.title for content in self.store.calendar(self.target).shown()]

    def revoke(self) -> None:
        self.store.change_password("other")


class GoogleService:
    slug, other = "google", "family@practice.example"

    def __init__(self, fake: Google, provider: GoogleProvider) -> None:
        self.fake, self.provider, self.network = fake, provider, fake.network
        self.target = fake.oauth.account
        fake.add_calendar(self.other, summary="Family")

    @property
    def secrets(self) -> list[str]:
        oauth = self.fake.oauth
        return [oauth.client_secret, *oauth.grants, *oauth.access, *oauth.codes]

    def consent(self, url: str) -> Query:
        return self.fake.oauth.consent(url)

    def refusal(self, url: str) -> Query:
        return self.fake.oauth.consent(url, allowed=False)

    def titles(self) -> list[str]:
        return sorted(str(event["summary"]) for event in self.fake.calendars[self.target].live())

    def revoke(self) -> None:
        self.fake.oauth.withdraw(self.target)


class OutlookService:
    slug = "outlook"

    def __init__(self, graph: Graph, provider: Outlook) -> None:
        self.graph, self.provider, self.network = graph, provider, graph.network
        self.target = next(iter(graph.mailbox.calendars))
        self.other = str(graph.mailbox.add_calendar("Family")["id"])
        self.uid = str(uuid4())

    @property
    def secrets(self) -> list[str]:
        return self.graph.entra.secrets

    def consent(self, url: str) -> Query:
        answer = self.graph.entra.authorize(url, personal=True)
        _, grant = self.graph.entra._codes[answer["code"]]
        grant.uid = self.uid
        return answer

    def refusal(self, url: str) -> Query:
        return {"error": "access_denied", "error_description": "no", "state": _state(url)}

    def titles(self) -> list[str]:
        events = self.graph.mailbox.events.values()
        return sorted(str(event["subject"]) for event in events if event["_calendar"] == self.target)

    def revoke(self) -> None:
        self.graph.entra.revoke()
        self.graph.entra.forget_access()


@contextmanager
def memory_service(clock: Clock) -> Iterator[MemoryService]:
    assert clock
    service = MemoryService()
    yield service
    memory.forget(service.store.id)


@contextmanager
def google_service(clock: Clock) -> Iterator[GoogleService]:
    provider = GoogleProvider(clock=clock)
    with Google(clock) as fake:
        try:
            yield GoogleService(fake, provider)
        finally:
            provider.close()
    assert fake.violations == []
    assert fake.oauth.faults == []


@contextmanager
def outlook_service(clock: Clock) -> Iterator[OutlookService]:
    ticks = Ticks()
    with Graph(Mailbox(personal=True), ticks=ticks, clock=clock) as graph:
        provider = Outlook(clock=clock, monotonic=ticks, web=Web())
        try:
            yield OutlookService(graph, provider)
        finally:
            provider.close()
        assert graph.all_faults() == []


SERVICES: Mapping[str, Callable[[Clock], AbstractContextManager[Service]]] = {
    "memory": memory_service,
    "google": google_service,
    "outlook": outlook_service,
}


def _state(url: str) -> str:
    return parse_qs(urlsplit(url).query)["state"][0]
