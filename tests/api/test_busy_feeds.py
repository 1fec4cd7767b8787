"""Addresses at which programs without a key fetch when somebody is not free are made, listed and ended."""

from __future__ import annotations

from urllib.parse import urlsplit

from connector.domain.api_key import Scope
from tests.api.conftest import MakesKeys
from tests.api.program import Program, code
from tests.web.stage import Stage


def test_a_feed_is_made_fetched_and_ended(installed: Stage, api: Program) -> None:
    path = f"/practitioners/{installed.ada.id}/busy-feeds"
    made = api.post(path, {"name": "Booking page"}).json
    assert made is not None
    address = urlsplit(made["url"]).path
    assert "BEGIN:VCALENDAR" in api.client.get(address).text
    [listed] = api.get(path).json["items"]  # type: ignore[index]
    assert (listed["id"], listed["name"], "url" in listed) == (made["id"], "Booking page", False)
    assert listed["fetched_at"] is not None
    assert api.delete(f"{path}/{made['id']}").status_code == 204
    assert api.client.get(address).status_code == 410
    assert api.get(path).json == {"items": []}
    assert code(api.delete(f"{path}/{made['id']}")) == "subscription_not_found"


def test_a_feed_is_its_practitioners_alone(installed: Stage, api: Program, key: MakesKeys) -> None:
    made = api.post(f"/practitioners/{installed.ada.id}/busy-feeds", {"name": "Booking page"}).json
    assert made is not None
    bobs = key([Scope.CONNECTIONS], practitioner=installed.bob.id)
    adas = f"/practitioners/{installed.ada.id}/busy-feeds"
    unknown = f"/practitioners/{made['id']}/busy-feeds"
    for path in (adas, unknown):
        assert code(bobs.get(path)) == "practitioner_not_found"
        assert code(bobs.post(path, {"name": "x"})) == "practitioner_not_found"
        assert code(bobs.delete(f"{path}/{made['id']}")) == "practitioner_not_found"
    assert code(bobs.delete(f"/practitioners/{installed.bob.id}/busy-feeds/{made['id']}")) == "subscription_not_found"
    assert len(api.get(adas).json["items"]) == 1  # type: ignore[index]


def test_a_feed_needs_a_name(installed: Stage, api: Program) -> None:
    path = f"/practitioners/{installed.ada.id}/busy-feeds"
    assert code(api.post(path, {"name": " "})) == "text_empty"
    assert api.post(path, {}).status_code == 422


def test_no_more_feeds_are_made_than_there_may_be(installed: Stage, api: Program) -> None:
    path = f"/practitioners/{installed.ada.id}/busy-feeds"
    answers = [api.post(path, {"name": f"Page {number}"}) for number in range(21)]
    assert [answer.status_code for answer in answers[:20]] == [201] * 20
    assert code(answers[20]) == "busy_feeds_too_many"
