"""Whatever a request is, it is answered clearly, and what is not understood is refused by its name."""

from __future__ import annotations

import json
import re
from typing import Any

import msgspec
import pytest

from connector.api.resources import ROUTES
from connector.domain.api_key import Scope
from connector.domain.people import CLOCK
from connector.services import standstill
from tests.api.conftest import MakesKeys
from tests.api.program import Program, check_problem, code, pointer
from tests.web.stage import Stage

KEY: dict[str, Any] = {"name": "Booking site", "scopes": ["read"]}


def raw(api: Program, data: bytes, content_type: str = "application/json", path: str = "/keys") -> Any:
    headers = {"Authorization": f"Bearer {api.secret}"}
    answer = api.client.post(f"/api/v1{path}", data=data, content_type=content_type, headers=headers)
    if answer.status_code >= 400:
        check_problem(answer)
    return answer


@pytest.mark.parametrize("data", [b"", b"{", b"{'name': 1}", b'{"name": NaN}', b"\xff\xfe", b'{"name": "\\ud800"}'])
def test_what_is_not_json_is_refused(api: Program, data: bytes) -> None:
    answer = raw(api, data)
    assert (answer.status_code, code(answer)) == (400, "body_not_json")


@pytest.mark.parametrize("data", [b"[]", b"null", b"7", b'"text"', b"true", b"[" * 9999])
def test_what_is_no_object_is_refused(api: Program, data: bytes) -> None:
    answer = raw(api, data)
    assert (answer.status_code, code(answer)) == (422, "value_of_wrong_type")


@pytest.mark.parametrize("kind", ["text/plain", "application/x-www-form-urlencoded", "application/jsonp", ""])
def test_what_does_not_say_that_it_is_json_is_refused(api: Program, kind: str) -> None:
    answer = raw(api, json.dumps(KEY).encode(), kind)
    assert (answer.status_code, code(answer)) == (415, "body_not_of_json_type")


@pytest.mark.parametrize(("encoding", "status"), [("gzip", 415), ("br, identity", 415), ("identity", 201)])
def test_a_compressed_body_is_refused_as_such(api: Program, encoding: str, status: int) -> None:
    answer = api.post("/keys", KEY, headers={"Content-Encoding": encoding})
    assert answer.status_code == status
    assert status == 201 or code(answer) == "body_compressed"


@pytest.mark.parametrize("path", ["/api/v1//keys", "/api/v1/keys/", "/api/v1/KEYS", "/api/v1keys"])
def test_an_address_is_what_it_is_and_nothing_like_it(api: Program, path: str) -> None:
    assert api.client.get(path, headers={"Authorization": f"Bearer {api.secret}"}).status_code == 404


@pytest.mark.parametrize(
    ("data", "refused", "at"),
    [
        (b'{"name": 7, "scopes": ["read"]}', "value_of_wrong_type", "/name"),
        (b'{"name": "x", "scopes": ["read", "all"]}', "value_invalid", "/scopes/1"),
        (b'{"scopes": ["read"]}', "field_missing", "/name"),
        (b'{"name": "x", "scopes": ["read"], "colour": 1}', "field_unknown", "/colour"),
        (b'{"name": "x", "scopes": ["read"], "name": "y"}', "field_twice", "/name"),
        (b'{"name": "x", "scopes": ["read"], "a/b~c": 1}', "field_unknown", "/a~1b~0c"),
        (b'{"name": "", "scopes": ["read"]}', "text_empty", "/name"),
        (b'{"name": "x", "scopes": []}', "key_no_scope", "/scopes"),
        (b'{"name": "x", "scopes": ["read"], "external_id": ""}', "value_invalid", "/external_id"),
        (b'{"name": "x", "scopes": ["read"], "external_id": "a\\nb"}', "external_id_malformed", "/external_id"),
        (b'{"name": "x", "scopes": ["read"], "practitioner_id": "me"}', "value_invalid", "/practitioner_id"),
        (b'{"name": "x\\u0000", "scopes": ["read"]}', "text_not_storable", "/name"),
    ],
)
def test_a_refusal_leads_to_what_is_wrong(api: Program, data: bytes, refused: str, at: str) -> None:
    answer = raw(api, data)
    assert (answer.status_code, code(answer), pointer(answer)) == (422, refused, at)


def test_a_body_that_is_too_large_is_refused(api: Program) -> None:
    answer = raw(api, json.dumps({**KEY, "name": "x" * 300_000}).encode())
    assert (answer.status_code, code(answer)) == (413, "body_too_large")


@pytest.mark.parametrize(
    ("query", "refused", "at"),
    [
        ({"limit": "0"}, "value_invalid", "/limit"),
        ({"limit": "101"}, "value_invalid", "/limit"),
        ({"limit": "many"}, "value_of_wrong_type", "/limit"),
        ({"limit": "1.5"}, "value_of_wrong_type", "/limit"),
        ({"limit": "9" * 5000}, "value_invalid", "/limit"),
        ({"limit": ["1", "2"]}, "field_twice", "/limit"),
        ({"page": "2"}, "field_unknown", "/page"),
        ({"cursor": "no"}, "cursor_invalid", "/cursor"),
        ({"cursor": "a\x00b"}, "text_not_storable", "/cursor"),
    ],
)
def test_what_stands_behind_the_question_mark_is_read_strictly(
    api: Program, query: dict[str, object], refused: str, at: str
) -> None:
    answer = api.ask("GET", "/keys", query=query)
    assert (answer.status_code, code(answer), pointer(answer)) == (422, refused, at)


def test_a_filter_of_null_filters_by_nothing_and_is_refused(api: Program) -> None:
    answer = api.ask("GET", "/sessions", query={"practitioner_id": "null"})
    assert (answer.status_code, code(answer), pointer(answer)) == (422, "value_null", "/practitioner_id")
    assert api.ask("GET", "/sessions", query={"external_id": "null"}).status_code == 200, "a name like any other"


def test_whatever_is_read_has_an_etag(api: Program, installed: Stage) -> None:
    at = f"/practitioners/{installed.ada.id}/busy-feeds"
    seen = api.get(at)
    again = api.ask("GET", at, headers={"If-None-Match": seen.headers["ETag"]})
    assert (seen.status_code, again.status_code, again.data) == (200, 304, b"")


def test_a_route_that_takes_nothing_takes_nothing(api: Program) -> None:
    assert api.key is not None
    assert code(api.ask("GET", f"/keys/{api.key.id}", query={"fields": "id"})) == "field_unknown"
    assert code(api.delete(f"/keys/{api.key.id}", {"reason": "x"}, match="*")) == "body_not_empty"


@pytest.mark.parametrize("path", ["/nothing", "/keys/", "/keys/not-an-id", "/keys/../keys", "/%00"])
def test_a_path_that_is_none_is_not_found(api: Program, path: str) -> None:
    answer = api.get(path)
    assert (answer.status_code, code(answer)) == (404, "not_found")


@pytest.mark.parametrize("method", ["PUT", "DELETE", "OPTIONS", "TRACE", "BREW"])
def test_a_method_that_is_none_is_told_which_there_are(api: Program, method: str) -> None:
    answer = api.ask(method, "/keys")
    assert (answer.status_code, code(answer)) == (405, "method_not_allowed")
    assert set(answer.allow) == {"GET", "HEAD", "POST"}


def test_refusals_are_told_in_the_language_that_is_asked_for(api: Program) -> None:
    german = api.ask("GET", "/nothing", headers={"Accept-Language": "de-AT,fr;q=0.5"})
    assert german.json is not None
    assert german.json["detail"].startswith("Hier ist nichts.")
    assert german.headers["Content-Language"] == "de"
    english = api.ask("GET", "/nothing", headers={"Accept-Language": "fr"})
    assert english.headers["Content-Language"] == "en"


def test_a_request_keeps_the_id_it_was_given(api: Program) -> None:
    assert api.ask("GET", "/keys", headers={"X-Request-Id": "order-7.3_x"}).headers["X-Request-Id"] == "order-7.3_x"
    for odd in ("", "a b", "x" * 65, "ä"):
        made = api.ask("GET", "/keys", headers={"X-Request-Id": odd}).headers["X-Request-Id"]
        assert len(made) == 32


def test_nothing_of_the_pages_stands_in_an_answer(api: Program) -> None:
    for answer in (api.get("/keys"), api.get("/nothing"), api.post("/keys", KEY)):
        assert "Set-Cookie" not in answer.headers
        assert "Content-Security-Policy" not in answer.headers
        assert answer.headers["Cache-Control"] == "no-store"


def test_what_was_read_before_is_not_sent_again(api: Program) -> None:
    assert api.key is not None
    path = f"/keys/{api.key.id}"
    etag = api.get(path).headers["ETag"]
    for seen in (etag, f'"0", {etag}', "*", f"W/{etag}"):
        answer = api.ask("GET", path, headers={"If-None-Match": seen})
        assert (answer.status_code, answer.data, answer.headers["ETag"]) == (304, b"", etag)
    assert api.ask("GET", path, headers={"If-None-Match": '"7"'}).status_code == 200
    assert api.ask("HEAD", path, headers={"If-None-Match": etag}).status_code == 304


def test_a_page_is_as_long_as_its_limit_is_read(api: Program) -> None:
    api.post("/keys", KEY)
    assert len(api.get("/keys", limit="1e0").json["items"]) == 1  # type: ignore[index]


def test_a_key_may_ask_so_often_and_is_told_when_it_may_again(installed: Stage, api: Program, key: MakesKeys) -> None:
    object.__setattr__(installed.runtime.settings, "api_rate", 3)  # frozen for everybody else
    left = [api.get("/keys").headers["RateLimit"] for _ in range(3)]
    assert left == [f'"key";r={n};t=60' for n in (2, 1, 0)]
    answer = api.get("/keys")
    assert (answer.status_code, code(answer), answer.headers["Retry-After"]) == (429, "too_often", "60")
    assert answer.headers["RateLimit-Policy"] == '"key";q=3;w=60'
    assert key([Scope.ADMIN]).get("/keys").status_code == 200


def test_whoever_guesses_keys_is_slowed_down(api: Program) -> None:
    stranger = Program(runtime=api.runtime, client=api.client, secret="pk_guess")
    answers = [stranger.get("/keys").status_code for _ in range(25)]
    assert answers == [401] * 20 + [429] * 5
    assert api.get("/keys").status_code == 200, "nobody is kept out by somebody else's old key at the same address"


def test_acts_wait_while_a_restored_database_is_put_right(installed: Stage, api: Program) -> None:
    """Whatever they are about, under a name or not, and nothing is written."""
    with installed.runtime.database.begin() as db:
        standstill.begin(db, installed.runtime.policy, by=CLOCK, now=installed.now)
    assert api.get("/keys").status_code == 200
    before = installed.everything()
    for route in (one for one in ROUTES if one.writes):
        path = re.sub("<path:[a-z_]+>", "x", re.sub("<uuid:[a-z_]+>", str(installed.session.id), route.path))
        said = msgspec.to_builtins(route.example) if route.example else None
        for once in {"", "name"} if route.method == "POST" else {""}:
            answer = api.ask(route.method, path, said, match="*", once=once)
            refused = (answer.status_code, code(answer), answer.headers["Retry-After"])
            assert refused == (503, "standing_still", "60"), route.name
    assert installed.everything() == before
