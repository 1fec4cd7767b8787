"""Clients on pages: found, added, mended and retired, by whoever knows them; told at once at a new address."""

from __future__ import annotations

import re
from dataclasses import replace
from datetime import timedelta
from typing import Any
from uuid import uuid4

import pytest

from connector.domain.people import Client, Medium
from connector.services import people as changing
from connector.storage import people
from tests.counting import statements
from tests.web.presence import HostsUsers, hosted
from tests.web.stage import BERLIN, Browser, NotedMail, Stage, add_client

RIGHT = "kim.noor@example.net"
SMS = frozenset({Medium.EMAIL, Medium.SMS})


def client(stage: Stage, person: Client | None = None) -> Client:
    with stage.runtime.database.read() as db:
        return people.client(db, (person or stage.kim).id)


def fields(stage: Stage, **changes: str) -> dict[str, str]:
    kim = client(stage)
    return {
        "name": kim.name,
        "email": kim.email,
        "phone": kim.phone,
        "zone": kim.zone,
        "locale": kim.locale,
        "version": str(kim.version),
    } | changes


def path(stage: Stage, *more: str) -> str:
    return "/".join(["/clients", str(stage.kim.id), *more])


def refuse_mail(stage: Stage) -> None:
    """Have the next letter to Kim come back, and nothing after it."""
    assert isinstance(stage.runtime.sender, NotedMail)
    stage.runtime.sender.refusal = "no such mailbox (%(code)s)"
    stage.book(stage.at(9, 15))
    stage.mail()
    stage.runtime.sender.refusal = ""


def letters_to(stage: Stage, address: str) -> list[str]:
    assert isinstance(stage.runtime.sender, NotedMail)
    return [one.notice.kind.value for one in stage.runtime.sender.letters if one.notice.to.address == address]


def answer_link(stage: Stage, address: str) -> str:
    """Return where the last offer that was sent to an address leads."""
    assert isinstance(stage.runtime.sender, NotedMail)
    link = [one.link for one in stage.runtime.sender.letters if one.notice.to.address == address][-1]
    assert link
    return link.removeprefix(stage.runtime.settings.public_url)


def test_a_corrected_address_is_told_at_once_what_is_still_true_and_the_page_says_so_before_and_after(
    stage: Stage,
) -> None:
    stage.offer()
    stage.mail()
    link = answer_link(stage, stage.kim.email)
    refuse_mail(stage)
    ada = stage.signed_in()
    assert stage.browser().get(link).status_code == 200
    assert "Mail does not reach Kim Noor" in ada.get(path(stage)).text
    form = ada.get(path(stage, "change")).text
    assert "At a new address Kim Noor is told at once what is still true" in form
    assert "with a link of its own" in form

    answer = ada.post(path(stage, "change"), fields(stage, email=RIGHT))

    shown = ada.get(answer.location).text
    assert f"Kim Noor is being told at {RIGHT}" in shown
    assert "let nobody in any more" in shown
    assert "does not reach" not in shown
    stage.mail()
    assert sorted(letters_to(stage, RIGHT)) == ["booked", "booked", "offered"]
    assert stage.browser().get(link).status_code == 404


def test_what_is_wrong_is_said_at_once_at_each_field_and_nothing_is_saved(stage: Stage) -> None:
    ada, before = stage.signed_in(), client(stage)
    wrong = {"name": "", "email": "kim at example", "phone": "12", "zone": "Mars", "locale": "!"}
    answer = ada.post(path(stage, "change"), fields(stage, **wrong))
    assert answer.status_code == 422
    for name in wrong:
        assert f'id="error-{name}"' in answer.text
        assert re.search(rf'name="{name}"[^>]*aria-invalid="true"[^>]*aria-describedby="error-{name}', answer.text)
    assert answer.text.count("autofocus") == 1
    assert 'value="kim at example"' in answer.text
    assert client(stage) == before


def test_nobody_sees_or_changes_a_client_they_do_not_know(stage: Stage) -> None:
    ada, before = stage.signed_in(), client(stage, stage.lou)
    lou = f"/clients/{stage.lou.id}"
    assert ada.get(lou).status_code == 404
    assert ada.get(f"{lou}/change").status_code == 404
    for act in ("change", "retire", "unretire"):
        assert ada.post(f"{lou}/{act}", fields(stage, name="Mine"), page="/clients").status_code == 404
    assert "Lou" not in ada.get("/clients").text
    assert "Lou" not in ada.post("/clients", {"text": "lou@example.org"}).text
    assert client(stage, stage.lou) == before


def test_another_practitioner_of_the_client_does_not_learn_who_has_changed_something(stage: Stage) -> None:
    shared = stage.book(stage.at(9, 10), practitioner=stage.bob)
    stage.signed_in().post(path(stage, "change"), fields(stage, name="Kim Noor-Weber"))
    page = stage.signed_in(stage.bob).get(f"/sessions/{shared.id}").text
    assert "Kim Noor-Weber" in page
    assert "Ada" not in page


@pytest.mark.parametrize("change", [{"email": RIGHT}, {"phone": "+4930123456"}], ids=["email", "phone"])
def test_where_other_practitioners_letters_go_is_for_none_of_them_alone_to_say(
    stage: Stage, change: dict[str, str]
) -> None:
    stage.book(stage.at(9, 10), practitioner=stage.bob)
    answer = stage.signed_in().post(path(stage, "change"), fields(stage, **change))
    assert answer.status_code == 409
    assert "somebody else, too, whose letters go to the same address" in answer.text
    with stage.runtime.database.read() as db:
        kept = people.client(db, stage.kim.id)
    assert (kept.email, kept.phone) == (stage.kim.email, stage.kim.phone)


def test_who_is_like_somebody_is_noticed_and_saved_only_when_that_is_said(stage: Stage) -> None:
    ada = stage.signed_in()
    noa = {"name": "kim noor", "email": "KIM@example.org", "zone": BERLIN, "locale": "en"}
    asked = ada.post("/clients/new", noa)
    assert asked.status_code == 409
    assert "There is another Kim Noor with the same e-mail address." in asked.text
    key = re.search(r'name="duplicate" value="(\w+)"', asked.text)
    assert key
    assert ada.post("/clients/new", {**noa, "duplicate": "another"}).status_code == 409
    added = ada.post("/clients/new", {**noa, "duplicate": key[1]})
    assert added.status_code == 303
    assert "is added" in ada.get(added.location).text


def test_nobody_learns_from_duplicates_of_a_client_they_do_not_know(stage: Stage) -> None:
    lou = {"name": "Lou Secret", "email": "lou@example.org", "zone": BERLIN, "locale": "en"}
    assert stage.signed_in().post("/clients/new", lou).status_code == 303


def test_changes_that_somebody_else_has_made_meanwhile_are_not_overwritten(stage: Stage) -> None:
    ada, seen = stage.signed_in(), fields(stage)
    with stage.runtime.database.begin() as db:
        changing.change_client(db, stage.kim.id, {"phone": "+4930123456"}, by=stage.by, now=stage.now)
    answer = ada.post(path(stage, "change"), {**seen, "name": "Kim N."})
    assert "Somebody else has changed this" in answer.text
    assert 'value="+4930123456"' in answer.text
    assert client(stage).name == "Kim Noor"


def test_saving_what_is_so_already_tells_nobody(stage: Stage) -> None:
    ada = stage.signed_in()
    before = stage.everything()
    answer = ada.post(path(stage, "change"), fields(stage))
    assert "Nothing has changed, so nobody was told." in ada.get(answer.location).text
    stage.mail()
    after = stage.everything()
    assert before["messages"] == after["messages"]


def test_texts_are_offered_only_where_there_are_any_and_agreed_to_by_name(stage: Stage) -> None:
    ada = stage.signed_in()
    assert "texts_agreed" not in ada.get(path(stage, "change")).text
    stage.runtime.policy = replace(stage.runtime.policy, media=SMS)
    form = fields(stage, phone="+49 30 123456", texts_agreed="yes") | {"media": "sms"}
    assert ada.post(path(stage, "change"), form).status_code == 303
    kim = client(stage)
    assert (kim.phone, kim.media, kim.texts_agreed) == ("+4930123456", frozenset({Medium.SMS}), True)
    assert kim.consent is not None
    assert kim.consent.by == "Dr. Ada Weiß"
    assert "says Dr. Ada Weiß" in ada.get(path(stage)).text


def test_a_client_with_sessions_to_come_is_retired_only_once_they_are_over(stage: Stage) -> None:
    ada = stage.signed_in()
    assert "can be retired once nothing is to come" in ada.get(path(stage)).text
    refused = ada.post(path(stage, "retire"), page="/clients")
    assert refused.status_code == 409
    assert "still has one session to come" in refused.text
    ada.post(f"/sessions/{stage.session.id}/cancel", {"reason": ""})
    retired = ada.post(path(stage, "retire"))
    assert "takes no new bookings" in ada.get(retired.location).text
    assert client(stage).retired
    again = ada.post(path(stage, "unretire"))
    assert "can be booked again" in ada.get(again.location).text


def test_whom_others_see_as_well_is_retired_by_none_of_them(stage: Stage) -> None:
    stage.book(stage.at(9, 10), practitioner=stage.bob)
    ada = stage.signed_in()
    ada.post(f"/sessions/{stage.session.id}/cancel", {"reason": ""})
    assert ada.post(path(stage, "retire"), page="/clients").status_code == 409
    assert not client(stage).retired
    with stage.runtime.database.begin() as db:
        people.retire_client(db, stage.kim.id, now=stage.now)
    assert ada.post(path(stage, "unretire"), page="/clients").status_code == 409
    assert client(stage).retired


def test_a_thousand_clients_and_sessions_are_a_few_statements_and_small_pages(stage: Stage) -> None:
    ada = stage.signed_in()

    def sizes() -> list[tuple[int, int]]:
        found = []
        for where in ("/clients", path(stage), path(stage, "change")):
            with statements() as sent:
                page = ada.get(where)
            found.append((len(sent), len(page.data)))
        return found

    few = sizes()
    fill(stage, 1000)
    many = sizes()
    assert [count for count, _ in many] == [count for count, _ in few]
    assert max(size for _, size in many) < 50_000
    shown = ada.get("/clients").text
    following = re.search(r'href="(/clients\?after=[^"]+)"', shown)
    assert following
    names = [re.findall(r"<bdi>(Noa \d+)</bdi>", ada.get(where).text) for where in ("/clients", following[1])]
    assert len(names[0]) + len(names[1]) >= 99
    assert not set(names[0]) & set(names[1])


def fill(stage: Stage, count: int) -> None:
    """Have as many clients, and sessions with Kim."""
    import sqlalchemy as sa  # noqa: PLC0415

    from connector.storage.tables import clients, sessions  # noqa: PLC0415

    with stage.runtime.database.begin() as db:
        kim = db.execute(sa.select(clients).where(clients.c.id == stage.kim.id)).mappings().one()
        own = db.execute(sa.select(sessions).where(sessions.c.id == stage.session.id)).mappings().one()
        one = {"made_for": stage.ada.id, "email": ""}
        db.execute(sa.insert(clients), [dict(kim) | one | {"id": uuid4(), "name": f"Noa {n:04}"} for n in range(count)])
        rows: list[dict[str, Any]] = []
        for n in range(count):
            by = timedelta(days=n - count // 2)
            rows.append(
                dict(own)
                | {"id": uuid4(), "uid": f"{n}@example.org", "starts_at": own["starts_at"] + by}
                | {"ends_at": own["ends_at"] + by, "local_start": own["local_start"] + by}
            )
        db.execute(sa.insert(sessions), rows)


def test_more_sessions_than_a_page_holds_follow_on_others(stage: Stage) -> None:
    fill(stage, 200)
    ada = stage.signed_in()
    first = ada.get(path(stage)).text
    for name in ("after", "before"):
        link = re.search(rf'href="([^"]+\?{name}=[^"]+)"', first)
        assert link
        further = ada.get(link[1]).text
        shown = [set(re.findall(r'href="/sessions/([0-9a-f-]{36})"', one)) for one in (first, further)]
        assert shown[1]
        assert not shown[0] & shown[1]


def test_what_a_host_in_this_process_keeps_is_changed_there(stage: Stage) -> None:
    with stage.runtime.database.begin() as db:
        changing.change_client(db, stage.kim.id, {"external_id": "c-17"}, by=stage.by, now=stage.now)
        changing.change_practitioner(db, stage.ada.id, {"external_id": "p-1"}, by=stage.by, now=stage.now)
    hosted(stage, HostsUsers(names_practitioners=True, practitioner_id="p-1"))
    ada = Browser(stage.app.test_client())
    page = ada.get(path(stage)).text
    assert "kept by the booking service" in page
    assert "/change" not in page
    assert ada.get(path(stage, "change")).status_code == 303
    other = add_client(stage)
    stage.book(stage.at(12, 9), client=other)
    assert "/change" in ada.get(f"/clients/{other.id}").text


@pytest.mark.parametrize("text", ["kim", "KIM@EXAMPLE", "+4930 1234"])
def test_a_client_is_found_by_name_address_and_number(stage: Stage, text: str) -> None:
    with stage.runtime.database.begin() as db:
        changing.change_client(db, stage.kim.id, {"phone": "+4930123456"}, by=stage.by, now=stage.now)
    noa = add_client(stage)
    stage.book(stage.at(12, 9), client=noa)
    found = stage.signed_in().post("/clients", {"text": text}).text
    assert ("Kim Noor" in found, "Noa Levi" in found) == (True, False)
