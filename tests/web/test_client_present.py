"""Where the host says who answers, the client alone is shown an offer and answers it; anybody else learns nothing."""

from __future__ import annotations

import json
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from threading import Barrier
from typing import Any
from uuid import UUID, uuid4

import jwt
import pytest
import structlog.testing
from hypothesis import given
from hypothesis import strategies as st
from werkzeug.test import TestResponse

from connector import app
from connector.domain.offer import Offer
from connector.domain.people import Medium
from connector.errors import AssertionRefusedError, SettingsError
from connector.services.scheduling import assertions, session_links
from connector.storage import people
from connector.storage.database import Database
from tests.conftest import Clock
from tests.web.presence import (
    CLIENTS_ID,
    HOSTS,
    SHARED,
    SIGN_IN,
    HostsUsers,
    assertion,
    hosted,
    known_to_the_host,
    later,
)
from tests.web.stage import Browser, Stage, stage_of

TELLING = ("Ada", "Weiß", "Kim", "09:00", "11:00", "Lindenstraße", "March")
"""Words of the offer, of which nobody else is to learn anything."""
ANOTHER_KEY = "a key that nobody here has but these tests"
_MORNING = datetime(2026, 3, 2, 9, 0, tzinfo=UTC)
_GOOD = {
    "aud": "https://booking.example",
    "offer": str(UUID(int=1)),
    "sub": CLIENTS_ID,
    "iat": _MORNING.timestamp(),
    "exp": _MORNING.timestamp() + 60,
    "jti": "1",
}


@pytest.fixture
def apart(sqlite_database: Database, sqlite_url: str, clock: Clock) -> Stage:
    """An installation whose host runs in another process."""
    stage = stage_of(sqlite_database, sqlite_url, clock, **HOSTS)
    stage.kim = known_to_the_host(stage)
    return stage


@pytest.fixture
def users() -> HostsUsers:
    return HostsUsers(names_clients=True)


@pytest.fixture
def within(sqlite_database: Database, sqlite_url: str, clock: Clock, users: HostsUsers) -> Stage:
    """An installation in the process of its host."""
    stage = stage_of(sqlite_database, sqlite_url, clock, answer_policy="host")
    stage.kim = known_to_the_host(stage)
    return hosted(stage, users)


def pages_of(stage: Stage, offer: Offer) -> list[str]:
    link = stage.link(offer)
    return [link, f"{link}/choose/{offer.alternatives[0].id}", f"{link}/none", f"{link}/cancel"]


def hand_over(browser: Browser, text: str) -> TestResponse:
    return browser.http.post("/answer/assertion", data={"assertion": text})


def tells_nothing(page: str) -> bool:
    return not [word for word in TELLING if word in page]


# In this process


def test_nobody_is_shown_anything_but_the_way_to_the_hosts_sign_in_and_back(within: Stage, users: HostsUsers) -> None:
    offer = within.offer()
    link = within.link(offer)
    for path in pages_of(within, offer):
        answer = within.browser().get(path)
        assert answer.status_code == 200
        assert tells_nothing(answer.text)
        assert f'href="{SIGN_IN}?next={link}"' in answer.text
    assert set(users.sent_back_to) == {link}


def test_the_client_answers_as_ever(within: Stage, users: HostsUsers) -> None:
    offer, browser = within.offer(), within.browser()
    users.client_id = CLIENTS_ID
    link, chosen = within.link(offer), offer.alternatives[0]
    assert "09:00–09:50" in browser.get(link).text  # noqa: RUF001 - pages write stretches of time with an en dash
    answer = browser.post(f"{link}/choose/{chosen.id}", {"shown": chosen.when.span.start.isoformat()})
    assert (answer.status_code, answer.location) == (303, link)
    assert within.stored_session().when == chosen.when


def test_somebody_else_learns_nothing_and_changes_nothing(within: Stage, users: HostsUsers) -> None:
    offer, browser = within.offer(), within.browser()
    users.client_id = CLIENTS_ID
    token = browser.get(within.link(offer) + "/none").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    before = within.everything()
    users.client_id = "client-13"
    with structlog.testing.capture_logs() as logged:
        for path in pages_of(within, offer):
            for answer in (browser.get(path), browser.http.post(path, data={"csrf_token": token})):
                assert answer.status_code in (404, 405)
                assert tells_nothing(answer.text)
    assert within.everything() == before
    lines = [line for line in logged if line["event"] == "other_client"]
    assert len(lines) == 7
    assert not [line for line in lines if "client-13" in str(line)]


def test_each_request_asks_so_whoever_has_signed_out_answers_nothing(within: Stage, users: HostsUsers) -> None:
    offer, browser = within.offer(), within.browser()
    users.client_id = CLIENTS_ID
    link = within.link(offer)
    token = browser.get(f"{link}/none").text.partition('name="csrf_token" value="')[2].partition('"')[0]
    users.client_id = None
    answer = browser.http.post(f"{link}/none", data={"csrf_token": token})
    assert answer.status_code == 403
    assert tells_nothing(answer.text)
    assert within.stored_session().flag is None


def test_of_a_client_whom_the_host_does_not_know_nobody_is_the_client(within: Stage, users: HostsUsers) -> None:
    with within.runtime.database.begin() as db:
        people.save_client(db, replace(within.kim, external_id=None))
    users.client_id = str(within.kim.id)
    assert within.browser().get(within.link(within.offer())).status_code == 404


def test_a_link_that_is_none_of_ours_leads_nowhere_whoever_is_present(within: Stage, users: HostsUsers) -> None:
    users.client_id = CLIENTS_ID
    assert within.browser().get("/answer/forged").status_code == 404


def test_no_assertion_is_taken_where_the_host_is_in_this_process(within: Stage) -> None:
    offer = within.offer()
    assert hand_over(within.browser(), assertion(within, offer.id)).status_code == 404


def test_where_the_link_is_enough_nobody_is_asked_for(stage: Stage) -> None:
    users = HostsUsers(names_clients=True)
    hosted(stage, users)
    offer = stage.offer()
    assert "Please choose a time" in stage.browser().get(stage.link(offer)).text
    assert hand_over(stage.browser(), assertion(stage, offer.id)).status_code == 404


# In another process


def test_nobody_is_led_to_the_host_with_the_offer_and_without_the_link(apart: Stage) -> None:
    offer = apart.offer()
    answer = apart.browser().get(apart.link(offer))
    assert answer.status_code == 200
    assert tells_nothing(answer.text)
    assert f'href="{SIGN_IN}?offer={offer.id}"' in answer.text


def test_an_assertion_lets_the_client_in_and_they_answer(apart: Stage) -> None:
    offer, browser = apart.offer(), apart.browser()
    link, chosen = apart.link(offer), offer.alternatives[1]
    with structlog.testing.capture_logs() as logged:
        answer = hand_over(browser, assertion(apart, offer.id))
    assert answer.status_code == 303
    assert "Please choose a time" in browser.get(answer.location).text
    assert [line for line in logged if line["event"] == "client_asserted"] == [
        {"event": "client_asserted", "offer": str(offer.id), "log_level": "info"}
    ]
    form = {"shown": chosen.when.span.start.isoformat()}
    assert browser.post(f"{link}/choose/{chosen.id}", form).status_code == 303
    assert apart.stored_session().when == chosen.when


def test_the_cookie_is_for_this_offer_alone_and_leaves_every_other_cookie_alone(apart: Stage) -> None:
    offer, browser = apart.offer(), apart.browser()
    answer = hand_over(browser, assertion(apart, offer.id))
    [cookie] = answer.headers.getlist("Set-Cookie")
    assert cookie.startswith(f"pencilled_client_{offer.id.hex}=")
    assert cookie.endswith("; HttpOnly; Path=/; SameSite=Lax")
    other = apart.offer(apart.at(12, 9), session=apart.book(apart.at(11, 9)))
    assert "Please sign in first" in browser.get(apart.link(other)).text


def test_whoever_looks_at_nothing_for_a_quarter_of_an_hour_signs_in_again(apart: Stage) -> None:
    offer, browser = apart.offer(), apart.browser()
    hand_over(browser, assertion(apart, offer.id))
    for _ in range(3):
        apart.clock.advance(timedelta(minutes=14))
        assert "Please choose a time" in browser.get(apart.link(offer)).text
    apart.clock.advance(timedelta(minutes=15))
    assert "Please sign in first" in browser.get(apart.link(offer)).text


def test_a_mark_of_another_offer_or_client_lets_nobody_in(apart: Stage) -> None:
    offer, seal, now = apart.offer(), apart.runtime.seal, apart.now
    kept = assertions.mark(seal, offer.id, apart.kim.id, now=now)
    assert assertions.is_marked(seal, kept, offer.id, apart.kim.id, now=now)
    assert not assertions.is_marked(seal, kept, uuid4(), apart.kim.id, now=now)
    assert not assertions.is_marked(seal, kept, offer.id, apart.lou.id, now=now)
    assert not assertions.is_marked(seal, kept, offer.id, apart.kim.id, now=now - timedelta(seconds=1))
    assert not assertions.is_marked(seal, "", offer.id, apart.kim.id, now=now)


def test_an_assertion_under_the_former_key_counts_while_that_is_among_the_keys(apart: Stage) -> None:
    apart.runtime.settings = replace(apart.runtime.settings, assertion_keys=(ANOTHER_KEY, SHARED))
    offer = apart.offer()
    for key in (SHARED, ANOTHER_KEY):
        assert hand_over(apart.browser(), assertion(apart, offer.id, key=key)).status_code == 303


def _without(name: str, stage: Stage, offer_id: UUID) -> str:
    nothing: dict[str, Any] = {name: None}
    return assertion(stage, offer_id, **nothing)


REFUSED: dict[str, tuple[str, Callable[[Stage, UUID], str]]] = {
    "for another place": ("assertion_audience_wrong", lambda s, o: assertion(s, o, aud="https://elsewhere.example")),
    "for nowhere": ("assertion_audience_wrong", lambda s, o: assertion(s, o, aud=[])),
    "of another client": ("assertion_other_client", lambda s, o: assertion(s, o, sub="client-13")),
    "of another offer": ("assertion_other_client", lambda s, _: assertion(s, s.offer(session=s.bobs).id)),
    "of no offer": ("assertion_offer_unknown", lambda s, _: assertion(s, uuid4())),
    "of a draft": ("assertion_offer_unknown", lambda s, _: assertion(s, s.draft(s.at(20, 9), session=s.bobs).id)),
    "expired": ("assertion_expired", lambda s, o: assertion(s, o, iat=later(s.now, seconds=-60), exp=later(s.now))),
    "from the future": (
        "assertion_from_future",
        lambda s, o: assertion(s, o, iat=later(s.now, seconds=11), exp=later(s.now, seconds=60)),
    ),
    "good for too long": ("assertion_lasts_too_long", lambda s, o: assertion(s, o, exp=later(s.now, seconds=61))),
    "under another key": ("assertion_signature_wrong", lambda s, o: assertion(s, o, key=ANOTHER_KEY)),
    "changed": ("assertion_signature_wrong", lambda s, o: _changed(assertion(s, o, sub="client-13"))),
    "signed by nobody": ("assertion_algorithm_refused", lambda s, o: assertion(s, o, key="", algorithm="none")),
    "signed otherwise": (
        "assertion_algorithm_refused",
        lambda s, o: assertion(s, o, key=ANOTHER_KEY * 2, algorithm="HS512"),
    ),
    "too long": ("assertion_too_long", lambda s, o: assertion(s, o, more="x" * 4096)),
    "none at all": ("assertion_malformed", lambda _s, _o: ""),
    "no token": ("assertion_malformed", lambda _s, _o: "a.b.c"),
    **{
        f"without {name}": ("assertion_claims_malformed", partial(_without, name))
        for name in ("aud", "offer", "sub", "iat", "exp", "jti")
    },
    "without words": ("assertion_claims_malformed", lambda s, o: assertion(s, o, offer="next Tuesday")),
}


def _changed(text: str) -> str:
    header, _, signature = text.split(".")
    forged = jwt.utils.base64url_encode(b'{"sub":"client-12"}').decode()
    return f"{header}.{forged}.{signature}"


@pytest.mark.parametrize("why", REFUSED)
def test_whatever_proves_nothing_lets_nobody_in_and_is_one_line_in_the_log(apart: Stage, why: str) -> None:
    code, make = REFUSED[why]
    offer, browser = apart.offer(), apart.browser()
    text = make(apart, offer.id)
    before = apart.everything()
    with structlog.testing.capture_logs() as logged:
        answer = hand_over(browser, text)
    assert answer.status_code == 403
    assert "You could not be let in" in answer.text
    assert tells_nothing(answer.text)
    assert "Set-Cookie" not in answer.headers
    assert [(line["event"], line["kind"]) for line in logged if "kind" in line] == [("assertion_refused", code)]
    assert apart.everything() == before
    assert "Please sign in first" in browser.get(apart.link(offer)).text


def test_an_assertion_lets_in_once(apart: Stage) -> None:
    offer = apart.offer()
    text = assertion(apart, offer.id)
    assert hand_over(apart.browser(), text).status_code == 303
    second = apart.browser()
    answer = hand_over(second, text)
    assert answer.status_code == 403
    assert "This sign-in has been used already." in answer.text
    assert "Please sign in first" in second.get(apart.link(offer)).text


def test_a_clock_that_is_a_little_ahead_does_no_harm(apart: Stage) -> None:
    offer = apart.offer()
    text = assertion(apart, offer.id, iat=later(apart.now, seconds=10), exp=later(apart.now, seconds=70))
    assert hand_over(apart.browser(), text).status_code == 303


def test_of_two_processes_at_the_same_instant_one_takes_an_assertion(database: Database, database_url: str) -> None:
    stage = stage_of(database, database_url, Clock(_MORNING), **HOSTS)
    stage.kim = known_to_the_host(stage)
    offer = stage.offer()
    said = assertions.read(
        assertion(stage, offer.id), keys=[SHARED], audience=stage.runtime.settings.public_url, now=stage.now
    )
    barrier = Barrier(2)

    def take(_: int) -> str:
        other = Database(database_url)  # as another process has it
        try:
            barrier.wait(10)
            with other.begin() as db:
                assertions.take(db, stage.runtime.seal, said, now=stage.now)
        except AssertionRefusedError as error:
            return error.code
        finally:
            other.dispose()
        return "let in"

    with ThreadPoolExecutor(2) as threads:
        assert sorted(threads.map(take, range(2))) == ["assertion_used", "let in"]


@given(st.text(max_size=300) | st.from_regex(r"\A[A-Za-z0-9_-]{0,80}\.[A-Za-z0-9_-]{0,80}\.[A-Za-z0-9_-]{0,80}\Z"))
def test_whatever_is_sent_in_its_place_is_refused_and_breaks_nothing(text: str) -> None:
    with pytest.raises(AssertionRefusedError):
        assertions.read(text, keys=[SHARED], audience="https://booking.example", now=_MORNING)


@given(
    st.dictionaries(
        st.sampled_from(["aud", "offer", "sub", "iat", "exp", "jti"]),
        st.none() | st.floats() | st.integers() | st.text(max_size=20) | st.lists(st.text(max_size=5), max_size=2),
        min_size=1,
    )
)
def test_whatever_a_host_signs_is_read_or_refused(strange: dict[str, Any]) -> None:
    said = {**_GOOD, **strange}
    text = jwt.PyJWS().encode(json.dumps(said).encode(), SHARED, algorithm="HS256")
    try:
        found = assertions.read(text, keys=[SHARED], audience="https://booking.example", now=_MORNING)
    except AssertionRefusedError:
        return
    assert _MORNING < found.ends_at <= _MORNING + assertions.GOOD_FOR + assertions.AHEAD


# How it is set up


def test_without_anybody_who_says_who_is_present_it_is_refused_at_start(apart: Stage) -> None:
    bare = replace(apart.runtime.settings, host_sign_in_url="", assertion_keys=())
    with pytest.raises(SettingsError, match=r"CONNECTOR_HOST_SIGN_IN_URL, CONNECTOR_ASSERTION_KEYS: needed"):
        app.create_app(replace(apart.runtime, settings=bare))
    with pytest.raises(SettingsError):
        app.create_app(replace(apart.runtime, settings=bare), presence=HostsUsers())


@pytest.mark.parametrize(
    ("missing", "given_name", "value"),
    [
        ("CONNECTOR_ASSERTION_KEYS", "CONNECTOR_HOST_SIGN_IN_URL", SIGN_IN),
        ("CONNECTOR_HOST_SIGN_IN_URL", "CONNECTOR_ASSERTION_KEYS", SHARED),
    ],
)
def test_one_without_the_other_is_refused(missing: str, given_name: str, value: str) -> None:
    with pytest.raises(SettingsError, match=f"{missing}: needed with {given_name}"):
        app.read_settings({given_name: value})


# A client's own page


def own(stage: Stage) -> str:
    token = session_links.token(stage.runtime.seal, stage.session.id, Medium.EMAIL, reader=stage.kim.email)
    return f"/mine/{token}"


def test_a_clients_own_page_is_shown_to_that_client_alone(within: Stage, users: HostsUsers) -> None:
    within.runtime.policy = replace(within.runtime.policy, cancel_before=timedelta(hours=1))
    page, browser = own(within), within.browser()
    token = session_links.cancel_token(within.runtime.seal, within.session.id, Medium.EMAIL, reader=within.kim.email)
    paths = (page, f"{page}/state", f"{page}/session.ics", f"/mine/{token}/cancel")
    before = within.everything()
    for path in paths:
        answer = browser.get(path)
        assert answer.status_code == 200
        assert tells_nothing(answer.text)
        assert f'href="{SIGN_IN}?next={path}"' in answer.text  # of cancelling, too, by its own token
        assert "ETag" not in answer.headers
    users.client_id = "client-13"
    for path in paths:
        answer = browser.get(path)
        assert answer.status_code == 404
        assert tells_nothing(answer.text)
    assert within.everything() == before
    users.client_id = CLIENTS_ID
    assert "Your session is booked" in browser.get(page).text
    assert "Cancel your session?" in browser.get(paths[-1]).text


def test_who_was_let_in_to_an_offer_sees_their_own_page_and_nobody_else_does(apart: Stage) -> None:
    offer, browser = apart.offer(), apart.browser()
    assert tells_nothing(browser.get(own(apart)).text)
    assert f'href="{SIGN_IN}?offer={offer.id}"' in browser.get(own(apart)).text
    hand_over(browser, assertion(apart, offer.id))
    assert "Your booked time" in browser.get(own(apart)).text
    assert tells_nothing(apart.browser().get(own(apart)).text)
