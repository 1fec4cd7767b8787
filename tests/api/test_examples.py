"""What the description shows is what happens: each of its examples is sent, and what is answered is as it says.

Everything is asked of one installation, as it stood when it was filled. Only what a host reads beforehand is put in
place of what an example has: ids, what they offer, and when that begins.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import partial
from typing import Any
from uuid import UUID

import pytest
from openapi_schema_validator import OAS31Validator, oas31_format_checker

from connector import app
from connector.domain.api_key import Scope
from connector.storage import calendars, offers, people
from connector.storage.database import Database
from tests.api.program import Program, code, program
from tests.authorization import World, world
from tests.conftest import Clock
from tests.domain.examples import client, practitioner
from tests.web.stage import Stage, make_runtime, make_stage

RETURNS_TO = "https://app.example.org"
OF_A_DRAFT = {"offers.redraft", "offers.preview", "offers.send", "offers.discard"}
HEADERS = {"X-Request-Id", "RateLimit", "RateLimit-Policy", "ETag"}
QUERIES: Mapping[str, tuple[str, ...]] = {
    "availability.free": ("from", "to", "minutes"),
    "availability.suggest": ("for_session",),
}


@pytest.fixture
def installed(sqlite_database: Database, sqlite_url: str, clock: Clock) -> Stage:
    runtime = make_runtime(sqlite_database, sqlite_url, clock, api_rate=1_000_000)
    runtime.policy = replace(runtime.policy, return_origins=(RETURNS_TO,))
    stage = make_stage(runtime, clock)
    stage.app = app.create_app(runtime)
    return stage


@dataclass(frozen=True, kw_only=True)
class Filled:
    """An installation in which there is whatever an example is about."""

    api: Program
    everything: World
    ids: Mapping[str, str]
    began: str
    document: Mapping[str, Any]

    def faults(self, path: str, method: str, operation: Mapping[str, Any]) -> Iterator[str]:
        """Ask as a description says, and yield what is not so."""
        name = operation["operationId"]
        ids = dict(self.ids)
        if name in OF_A_DRAFT:
            ids["offer_id"] = ids["draft_id"]
        if method == "delete":  # of somebody with no sessions to come
            ids |= {name: ids[f"other_{name}"] for name in ("practitioner_id", "client_id") if "feed" not in path}
        body = operation.get("requestBody")
        sent: Any = None
        if body is not None:
            content = body["content"]["application/json"]
            yield from self._differences(content["schema"], content["example"])
            sent = self._about(content["example"], ids)
        edits = any(one["name"] == "If-Match" for one in operation["parameters"])
        query = {one: ids[one] for one in QUERIES.get(name, ())}
        ask = partial(self.api.ask, method.upper(), path.format(**ids), query=query, match="*" if edits else None)
        answer = ask(sent)
        if answer.status_code == 409 and code(answer) == "conflict_in_calendar":  # so far ahead no calendar is read
            answer = ask(sent | {"accept_conflicts": [one["id"] for one in answer.json["conflicts"]]})  # type: ignore[index]
        said = operation["responses"].get(str(answer.status_code))
        if said is None or answer.status_code >= 400:
            yield f"it is answered with {answer.status_code} {answer.text}"
        else:
            yield from (
                f"{one} is not there" for one in HEADERS & set(said.get("headers", ())) - set(answer.headers.keys())
            )
            if "content" in said:
                yield from self._differences(said["content"]["application/json"]["schema"], answer.json)
            elif answer.data:
                yield "there is a body"
        self.everything.put_back()

    def _differences(self, schema: Mapping[str, Any], value: Any) -> Iterator[str]:
        return differences(self.document, schema, value)

    def _about(self, value: Any, ids: Mapping[str, str]) -> Any:
        """Return an example with what a host reads beforehand."""
        if isinstance(value, dict):
            known = {name: ids[name] for name in value if name in ("session_id", "alternative_id", "since")}
            return {name: self._about(inner, ids) for name, inner in value.items()} | known | self._shown(value)
        return [self._about(one, ids) for one in value] if isinstance(value, list) else value

    def _shown(self, value: Mapping[str, Any]) -> dict[str, str]:
        return {"shown": self.began} if "shown" in value else {}


def differences(document: Mapping[str, Any], schema: Mapping[str, Any], value: Any) -> Iterator[str]:
    """Yield in what a value is not as a schema of a document says."""
    whole = {**schema, "components": document["components"]}
    for error in OAS31Validator(whole, format_checker=oas31_format_checker).iter_errors(value):
        yield f"{error.json_path}: {error.message}"


@pytest.fixture
def filled(installed: Stage) -> Iterator[Filled]:
    api = program(installed.runtime, installed.app.test_client(use_cookies=False), *Scope)
    with world(installed) as everything:
        with installed.runtime.database.begin() as db:
            people.save_practitioner(db, replace(installed.ada, external_id="practitioner-12"))
            people.save_client(db, replace(people.client(db, installed.kim.id), external_id="client-7"))
            offer = offers.get(db, UUID(everything.ids["offer_id"]))
            calendars.resume(db, everything.here.calendar.id)
            spare, nobody = practitioner(email="spare@practice.example"), client(email="spare@client.example")
            people.add_practitioner(db, spare, now=installed.now)
            people.add_client(db, nobody, now=installed.now)
        feed = api.post(f"/practitioners/{installed.ada.id}/busy-feeds", {"name": "Other page"}).json
        assert feed is not None
        everything.keep()
        document = api.get("/openapi.json").json
        assert document is not None
        began = offer.alternatives[0].when.span.start.isoformat()
        more = {"feed_id": feed["id"], "external_id": "new-1", "since": began}
        more |= {"other_practitioner_id": str(spare.id), "other_client_id": str(nobody.id)}
        yield Filled(
            api=api, everything=everything, ids={**everything.ids, **more}, began=began, document=dict(document)
        )


def test_each_example_is_answered_as_the_description_says(filled: Filled) -> None:
    faults = [
        f"{operation['operationId']}: {fault}"
        for path, methods in filled.document["paths"].items()
        for method, operation in methods.items()
        for fault in filled.faults(path, method, operation)
    ]
    assert not faults, "\n".join(faults)


def test_each_outcome_that_is_shown_is_as_its_schema_says(installed: Stage) -> None:
    document = installed.app.test_client().get("/api/v1/openapi.json").json
    assert document is not None
    contents = {
        name: told["post"]["requestBody"]["content"]["application/json"] for name, told in document["webhooks"].items()
    }
    faults = [
        f"{name}: {fault}"
        for name, content in contents.items()
        for fault in differences(document, content["schema"], content["example"])
    ]
    assert not faults, "\n".join(faults)
    assert len(contents) > 20
