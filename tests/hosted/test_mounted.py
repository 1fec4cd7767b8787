"""Our pages within a host: whom it says to be present is, and nothing is opened before somebody comes."""

from __future__ import annotations

from tests.hosted.hosts import PREFIX, person, with_pencilled
from tests.web.stage import Stage


def test_whoever_is_signed_in_at_the_host_is_signed_in_here(stage: Stage) -> None:
    ada = person(with_pencilled(stage), "user-1")
    page = ada.get(f"{PREFIX}/sessions")
    assert page.status_code == 200
    assert stage.ada.name in page.text
    assert stage.kim.name in page.text
    assert ada.get("/").text == "Hello user-1"


def test_whoever_is_not_is_sent_to_the_host_and_comes_back(stage: Stage) -> None:
    ada = person(with_pencilled(stage))
    asked = ada.get(f"{PREFIX}/sessions/{stage.session.id}")
    assert (asked.status_code, asked.location) == (303, f"/login?next={PREFIX}/sessions/{stage.session.id}")
    back = ada.http.post(asked.location, data={"user": "user-1"})
    assert ada.get(back.location).status_code == 200


def test_the_bare_prefix_leads_to_the_list(stage: Stage) -> None:
    assert person(with_pencilled(stage), "user-1").get(PREFIX).location == f"{PREFIX}/sessions"


def test_another_user_of_the_host_is_another_practitioner_at_once(stage: Stage) -> None:
    ada = person(with_pencilled(stage), "user-1")
    own = f"{PREFIX}/sessions/{stage.session.id}/cancel"
    form = ada.get(own)
    ada.sign_in("user-2")
    token = form.text.partition('name="csrf_token" value="')[2].partition('"')[0]
    assert ada.http.post(own, data={"csrf_token": token, "reason": ""}).status_code == 404
    assert stage.stored_session() == stage.session


def test_a_stranger_is_told_so(stage: Stage) -> None:
    page = person(with_pencilled(stage), "somebody-else").get(f"{PREFIX}/sessions")
    assert page.status_code == 403
    assert "not as somebody who gives sessions" in page.text


def test_nobody_signs_in_here(stage: Stage) -> None:
    host = with_pencilled(stage)
    link = PREFIX + stage.sign_in_link(stage.ada)
    for path in (f"{PREFIX}/signin", link):
        assert person(host).get(path).location == f"/login?next={PREFIX}/sessions"
    ada = person(host, "user-1")
    assert ada.get(f"{PREFIX}/signin").location == f"{PREFIX}/sessions"
    account = ada.get(f"{PREFIX}/account")
    assert stage.ada.email in account.text
    assert "signout" not in account.text


def test_without_who_people_sign_in_by_mail(stage: Stage) -> None:
    page = person(with_pencilled(stage, who=None, sign_in=None)).get(f"{PREFIX}/sessions")
    assert page.location == f"{PREFIX}/signin"
