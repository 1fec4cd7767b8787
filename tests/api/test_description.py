"""The description is whole, and says what holds: of every route, every body and every refusal."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import replace
from typing import Any

import msgspec
import pytest
from openapi_spec_validator import OpenAPIV31SpecValidator

from connector import app
from connector.api import refusals, resources
from connector.api.routes import Resource, Route
from connector.cli._refusals import ADVICE
from tests.api.program import Program, code
from tests.web.stage import Stage


@pytest.fixture
def document(api: Program) -> dict[str, Any]:
    answer = Program(runtime=api.runtime, client=api.client).get("/openapi.json")
    assert answer.status_code == 200
    found = answer.json
    assert found is not None
    return dict(found)


def operations(document: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for methods in document["paths"].values():
        for operation in methods.values():
            yield operation["operationId"], operation


def test_the_document_is_openapi(document: dict[str, Any]) -> None:
    OpenAPIV31SpecValidator(document).validate()


def test_the_document_has_every_route_and_nothing_else(document: dict[str, Any]) -> None:
    assert len(list(operations(document))) == len(resources.ROUTES)
    assert {name for name, _ in operations(document)} == {route.name for route in resources.ROUTES}


def test_every_refusal_is_a_problem_document(document: dict[str, Any]) -> None:
    for name, operation in operations(document):
        refused = {status: answer for status, answer in operation["responses"].items() if status >= "4"}
        assert {"401", "403", "422", "429", "500", "503"} <= set(refused), name
        assert refused == {status: {"$ref": f"#/components/responses/{status}"} for status in refused}
    for answer in document["components"]["responses"].values():
        assert answer["content"]["application/problem+json"]["schema"] == {"$ref": "#/components/schemas/Problem"}


def test_instants_are_described_as_such_wherever_they_stand(document: dict[str, Any]) -> None:
    schemas = document["components"]["schemas"]
    instant, missing = {"type": "string", "format": "date-time"}, {"type": "null"}
    assert schemas["StretchBody"]["properties"]["start"] == instant
    assert schemas["HoursBody"]["properties"]["confirmed_at"]["anyOf"] == [instant, missing]
    assert schemas["AvailabilityBody"]["properties"]["starts"]["items"] == instant
    assert schemas["SessionMovedEvent"]["properties"]["timestamp"] == instant


def test_what_a_query_takes_is_described_with_its_route(document: dict[str, Any]) -> None:
    taken = {one["name"]: one for one in document["paths"]["/sessions"]["get"]["parameters"]}
    assert taken["from"]["schema"] == {"type": "string", "format": "date-time"}
    assert taken["from"]["description"] == "Those that end after this instant."
    assert taken["cursor"]["description"].startswith("What the page before gave")
    assert "SessionQuery" not in document["components"]["schemas"]


def test_what_stands_in_problems_beside_the_usual_is_described(document: dict[str, Any]) -> None:
    problem = document["components"]["schemas"]["Problem"]
    beside = set(problem["properties"]) - set(problem["required"])
    assert {"conflicts", "choices", "known", "state", "ended_at", "accepted_alternative_id"} <= beside
    assert problem["properties"]["conflicts"]["items"] == {"$ref": "#/components/schemas/ConflictBody"}


def test_the_page_leads_to_all_that_it_names(api: Program, document: dict[str, Any]) -> None:
    page = Program(runtime=api.runtime, client=api.client).get("/").text
    places = set(re.findall(r' id="([^"]+)"', page))
    assert {name for name, _ in operations(document)} | set(document["components"]["schemas"]) <= places
    assert set(re.findall(r'href="#([^"]+)"', page)) <= places
    assert set(re.findall(r'href="/api/v1/errors/([^"]+)"', page)) <= set(refusals.every())
    assert '/errors/time_taken"><code>time_taken</code></a>' in page
    assert "<code>booked</code>, <code>cancelled</code>" in page
    assert "`" not in page
    assert "{&#34;" not in page


def test_no_two_structs_have_one_name() -> None:
    """One would take the place of the other in the document."""
    kinds: dict[str, set[type]] = {}
    for route in resources.ROUTES:
        for kind in (route.body, route.query, *route.answers.values()):
            for one in structs(kind):
                kinds.setdefault(one.__name__, set()).add(one)
    assert [name for name, several in kinds.items() if len(several) > 1] == []


def structs(kind: Any) -> Iterator[type]:
    found: set[type] = set()
    waiting = [kind]
    while waiting:
        one = waiting.pop()
        if isinstance(one, type) and issubclass(one, msgspec.Struct) and one not in found:
            found.add(one)
            waiting += [field.type for field in msgspec.structs.fields(one)]
        else:
            waiting += list(getattr(one, "__args__", ()))
    yield from found


@pytest.mark.parametrize("route", resources.ROUTES, ids=lambda route: route.name)
def test_a_route_says_who_may_and_what_it_refuses(route: Route) -> None:
    assert route.scopes
    assert route.summary
    assert not route.summary.endswith(".")
    assert route.view.__doc__
    assert set(route.refuses) <= set(refusals.every()), "a code that nothing refuses with"
    if route.edits:
        assert route.writes
    if route.lists:
        assert route.query is not None
        assert {"cursor", "limit"} <= {field.name for field in msgspec.structs.fields(route.query)}
    for body in (route.body, route.query):
        assert body is None or body.__struct_config__.forbid_unknown_fields, "what is not known is refused"


def test_no_refusal_advises_a_program_to_run_a_command() -> None:
    """Commands advise their own, in `connector/cli/_refusals.py`."""
    told = {code for route in resources.ROUTES for code in route.refuses}
    advised = {code for code in told if any("pencilled " in words for words in refusals.every()[code].words)}
    assert advised == set()
    assert set(ADVICE) <= set(refusals.every())


def test_a_route_cannot_be_declared_without_a_scope() -> None:
    with pytest.raises(TypeError, match="scope"):
        Resource("things", writes=()).get("/things", answers={200: None}, summary="List things")  # type: ignore[call-arg]


def test_the_page_reads_as_the_document_does(document: dict[str, Any], api: Program) -> None:
    page = Program(runtime=api.runtime, client=api.client).get("/")
    assert page.mimetype == "text/html"
    assert "<script" not in page.text
    assert "default-src 'none'" in page.headers["Content-Security-Policy"]
    for name, operation in operations(document):
        assert f'id="{name}"' in page.text
        assert operation["summary"].replace("'", "&#39;") in page.text


def test_each_refusal_has_a_page_in_the_language_asked_for(api: Program) -> None:
    stranger = Program(runtime=api.runtime, client=api.client)
    refused = stranger.get("/keys")
    address = refused.json["type"].removeprefix(f"{api.runtime.settings.public_url}/api/v1")  # type: ignore[index]
    page = stranger.get(address)
    assert page.status_code == 200
    assert "Show an API key that is in use" in page.text
    german = stranger.ask("GET", "/errors/precondition_failed", headers={"Accept-Language": "de"})
    assert 'lang="de"' in german.text
    assert "inzwischen die Version …" in german.text
    assert code(stranger.get("/errors/no_such_code")) == "refusal_not_found"


def test_under_a_prefix_the_document_says_so(installed: Stage) -> None:
    installed.runtime.settings = replace(installed.runtime.settings, public_url="https://example.org/book")
    client = app.create_app(installed.runtime).test_client()
    answer = client.get("/book/api/v1/openapi.json")
    assert answer.json["servers"] == [{"url": "https://example.org/book/api/v1"}]  # type: ignore[index]
    assert answer.headers["Strict-Transport-Security"]
    page = client.get("/book/api/v1/")
    assert '"/book/api/v1/style.css"' in page.text
    assert client.get("/book/api/v1/style.css").mimetype == "text/css"
