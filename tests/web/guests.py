"""A practitioner who comes from their host by a connect link, signed in nowhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any
from urllib.parse import parse_qs, urlsplit
from uuid import UUID

from werkzeug.test import TestResponse

from connector.domain.connect_link import origin
from connector.domain.people import Practitioner
from connector.services.accounts import connect_links
from connector.services.accounts.sign_in import offered
from tests.web.desk import Desk
from tests.web.services import Query
from tests.web.stage import Browser, Stage

APP = "https://app.example.org"
BACK = f"{APP}/calendars"


def connect_link(stage: Stage, practitioner: Practitioner | None = None, *, back: str = BACK, **choices: Any) -> str:
    """Return the path of a new link."""
    runtime = stage.runtime
    runtime.policy = replace(runtime.policy, return_origins=(origin(back),))
    services = [one.slug for one in offered(runtime.settings.providers, runtime.network, runtime.load_provider)]
    with runtime.database.begin() as db:
        link = connect_links.make(
            db,
            runtime.policy,
            (practitioner or stage.ada).id,
            return_url=back,
            services=services,
            now=stage.now,
            **choices,
        )
    return runtime.connect_address(link.id).removeprefix(runtime.settings.public_url)


@dataclass
class Guest:
    """A browser that has followed a link at a desk's service."""

    here: Desk
    path: str
    browser: Browser

    @classmethod
    def of(cls, here: Desk, **choices: Any) -> Guest:
        """Come by a new link."""
        return cls(here, connect_link(here.stage, **choices), here.stage.browser())

    def begin(self) -> str:
        """Press the button, and return where the browser is sent."""
        page = self.browser.post(f"{self.path}/{self.here.service.slug}", page=self.path)
        assert page.status_code == 200, page.text
        return page.headers["Refresh"].removeprefix("0; url=")

    def back(self, answer: Query, browser: Browser | None = None) -> TestResponse:
        """Come back with an answer of the service, and see the page it leads to."""
        path = f"/calendars/{self.here.service.slug}/back"
        return (browser or self.browser).get(path, query_string=dict(answer), follow_redirects=True)

    def sign_in(self) -> TestResponse:
        return self.back(self.here.service.consent(self.begin()))

    def choose(self, target: str | None = None, *watched: str, levels: Sequence[int] = (2, 2)) -> TestResponse:
        form: dict[str, Any] = {"target": target or self.here.service.target, "watched": list(watched)}
        form |= {"session_level": str(levels[0]), "hold_level": str(levels[1])}
        return self.browser.post(f"{self.path}/choose", form)


def sent_back(page: TestResponse) -> dict[str, str]:
    """Return with what somebody is sent back to the host."""
    url = page.headers["Refresh"].removeprefix("0; url=")
    assert url.startswith(f"{BACK}?")
    return said(url)


def said(url: str) -> dict[str, str]:
    return {name: value for name, [value] in parse_qs(urlsplit(url).query).items()}


def connected(page: TestResponse) -> UUID:
    """Return what was connected, as the host is told."""
    told = sent_back(page)
    assert told["status"] == "connected"
    return UUID(told["connection_id"])
