"""Who is signed in is kept by the installation: it can be ended, ends by itself, and is noted without names."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
import sqlalchemy as sa
import structlog
from werkzeug.test import TestResponse

from connector.domain.notice import NoticeKind
from connector.domain.notice_table import Link
from connector.domain.people import CLOCK
from connector.services import people as use_cases
from connector.services import standstill, upkeep
from connector.services.signing_in.links import MOST_LETTERS
from connector.storage.ledger import Kind
from connector.web.limits import SIGN_IN_LIMIT
from tests.web.desk import Desk
from tests.web.stage import Browser, Stage
from tests.work.driver import Driver

HOUR, DAY = timedelta(hours=1), timedelta(days=1)
COOKIE = "pencilled"


def copied(stage: Stage, browser: Browser) -> Browser:
    """Return another browser with the same cookie."""
    cookie = browser.http.get_cookie(COOKIE)
    assert cookie
    other = stage.browser()
    other.http.set_cookie(COOKIE, cookie.value)
    return other


def is_in(browser: Browser) -> bool:
    return browser.get("/sessions").status_code == 200


def ask(stage: Stage, address: str, *, of: str = "192.0.2.1") -> TestResponse:
    """Ask for a link from an address of the network."""
    http = stage.app.test_client()
    token = re.search(r'name="csrf_token" value="([^"]+)"', http.get("/signin").text)
    assert token
    form = {"csrf_token": token[1], "email": address}
    return http.post("/signin", data=form, environ_overrides={"REMOTE_ADDR": of})


def letters(stage: Stage) -> int:
    """Return how many sign-in letters have left, with those that are due now."""
    stage.mail()
    return sum(letter.notice.kind is NoticeKind.SIGN_IN for letter in stage.runtime.sender.letters)  # type: ignore[attr-defined]


@contextmanager
def statements(stage: Stage) -> Iterator[list[str]]:
    """Note every statement that is executed meanwhile."""
    seen: list[str] = []

    def note(_db: Any, _cursor: Any, statement: str, *_more: Any) -> None:
        seen.append(statement)

    engines = {stage.runtime.database._writers, stage.runtime.database._readers}
    for engine in engines:
        sa.event.listen(engine, "before_cursor_execute", note)
    try:
        yield seen
    finally:
        for engine in engines:
            sa.event.remove(engine, "before_cursor_execute", note)


def test_a_copied_cookie_lets_nobody_in_once_its_owner_has_signed_out(stage: Stage) -> None:
    ada = stage.signed_in()
    thief = copied(stage, ada)
    assert is_in(thief)
    ada.post("/signout", page="/sessions")
    refused = thief.get("/sessions")
    assert (refused.status_code, refused.location) == (303, "/signin")
    assert "You are not signed in here any more. Please sign in again." in thief.get("/signin").text
    assert "not signed in here any more" not in thief.get("/signin").text, "told once"


def test_the_cookie_names_nobody_and_the_database_has_no_token(stage: Stage) -> None:
    ada = stage.signed_in()
    assert is_in(ada)
    with ada.http.session_transaction() as cookie:
        kept = dict(cookie)
    [token] = [value for name, value in kept.items() if name == "browser"]
    assert set(kept) <= {"browser", "reads", "_permanent", "csrf_token"}
    assert kept["reads"] == stage.ada.locale
    assert stage.ada.id.hex not in str(kept)
    rows = str(stage.everything()["browsers"])
    assert token not in rows
    assert token.encode().hex() not in rows


def test_a_sign_in_ends_by_itself_after_twelve_hours_without_use(stage: Stage) -> None:
    ada, other = stage.signed_in(), stage.signed_in()
    for _ in range(3):
        stage.clock.advance(11 * HOUR)
        assert is_in(ada)
    assert not is_in(other)
    stage.clock.advance(12 * HOUR)
    assert not is_in(ada)


def test_a_sign_in_ends_after_thirty_days_however_much_it_is_used(stage: Stage) -> None:
    ada = stage.signed_in()
    for _ in range(59):
        stage.clock.advance(12 * HOUR - timedelta(seconds=1))
        assert is_in(ada)
    stage.clock.advance(11 * HOUR)
    assert is_in(ada)
    stage.clock.advance(HOUR + timedelta(minutes=1))
    assert not is_in(ada)


def test_a_page_that_is_opened_again_at_once_writes_nothing(stage: Stage) -> None:
    ada = stage.signed_in()
    stage.clock.advance(timedelta(minutes=5))
    assert is_in(ada)
    before = stage.everything()
    stage.clock.advance(timedelta(minutes=4))
    assert is_in(ada)
    assert stage.everything() == before


def test_a_trusted_browser_stays_signed_in_for_thirty_days_and_no_longer(stage: Stage) -> None:
    trusted, other = stage.browser(), stage.signed_in()
    trusted.post(stage.sign_in_link(stage.ada), {"trusted": "yes"})
    stage.clock.advance(29 * DAY)
    assert is_in(trusted)
    assert not is_in(other)
    with stage.runtime.database.begin() as db:
        upkeep.sweep(db, now=stage.now)
    assert is_in(trusted), "swept as found"
    stage.clock.advance(DAY)
    assert not is_in(trusted)


def test_whoever_signs_in_is_asked_whether_they_trust_the_browser_and_nothing_is_ticked(stage: Stage) -> None:
    page = stage.browser().get(stage.sign_in_link(stage.ada)).text
    assert "Stay signed in on this device for 30 days" in page
    assert '<input type="checkbox" name="trusted" value="yes" aria-describedby="trusted">' in page


def test_each_device_has_a_plain_name_and_how_long_it_stays(stage: Stage) -> None:
    phone = stage.browser()
    phone.http.environ_base["HTTP_USER_AGENT"] = "Mozilla/5.0 (iPhone; CPU iPhone OS 18_0) Version/18.0 Safari/604.1"
    phone.post(stage.sign_in_link(stage.ada), {"trusted": "yes"})
    text = stage.signed_in().get("/account").text
    assert "Safari on iPhone" in text
    assert "stays signed in until Wednesday, 1 April 2026" in text
    assert text.count("if it is not used before") == 1
    assert "Mozilla" not in str(stage.everything()["browsers"])


def test_one_other_browser_is_signed_out_and_the_rest_stay(stage: Stage) -> None:
    ada, phone, bob = stage.signed_in(), stage.signed_in(), stage.signed_in(stage.bob)
    [other] = re.findall(r'name="browser" value="([0-9a-f]+)"', ada.get("/account").text)
    done = ada.post("/signout/elsewhere", {"browser": other}, page="/account")
    assert (done.status_code, done.location) == (303, "/account")
    assert "You are signed out there." in ada.get("/account").text
    assert is_in(ada)
    assert not is_in(phone)
    assert is_in(bob)


@pytest.mark.parametrize("said", ["", "no number", "00", "bobs"])
def test_no_browser_of_anybody_else_is_signed_out(stage: Stage, said: str) -> None:
    ada, bob = stage.signed_in(), stage.signed_in(stage.bob)
    if said == "bobs":
        stage.signed_in(stage.bob)
        [said] = re.findall(r'name="browser" value="([0-9a-f]+)"', bob.get("/account").text)
    before = stage.everything()["browsers"]
    ada.post("/signout/elsewhere", {"browser": said}, page="/account")
    assert "You were not signed in there any more." in ada.get("/account").text
    assert stage.everything()["browsers"] == before


def test_signing_out_everywhere_ends_every_browser_and_every_link_but_nobody_elses(stage: Stage) -> None:
    ada, phone, bob = stage.signed_in(), stage.signed_in(), stage.signed_in(stage.bob)
    link = stage.sign_in_link(stage.ada)
    answer = ada.post("/signout/everywhere", page="/account")
    assert answer.location == "/signin"
    assert "You are signed out everywhere." in ada.get("/signin").text
    assert not is_in(ada)
    assert not is_in(phone)
    assert stage.browser().get(link).status_code == 410
    assert is_in(bob)


def test_signing_out_everywhere_wants_its_token_and_a_practitioner(stage: Stage) -> None:
    ada = stage.signed_in()
    assert ada.http.post("/signout/everywhere").status_code == 400
    assert stage.browser().post("/signout/everywhere", page="/signin").location == "/signin"
    assert ada.get("/signout/everywhere").status_code == 405
    assert is_in(ada)


def test_a_page_shows_where_its_reader_is_signed_in_and_nobody_else(stage: Stage) -> None:
    ada = stage.signed_in()
    stage.signed_in()
    stage.signed_in(stage.bob)
    text = ada.get("/account").text
    assert text.count("<strong>This browser</strong>") == text.count('action="/signout/elsewhere"') == 1
    assert "You are <strong>Dr. Ada Weiß</strong>, and your sign-in links are mailed to ada@example.org." in text
    assert "Bob" not in text
    assert stage.browser().get("/account").location == "/signin"


def test_every_page_of_a_practitioner_names_the_account(stage: Stage) -> None:
    ada, own = stage.signed_in(), f"/sessions/{stage.session.id}"
    for path in ("/sessions", "/account", own, f"{own}/time", f"{own}/offer"):
        header = ada.get(path).text.partition("</header>")[0]
        assert '<a href="/account"><span class="unseen">Signed in as </span>Dr. Ada Weiß</a>' in header, path


def test_signing_in_again_ends_the_former_sign_in_of_the_same_browser(stage: Stage) -> None:
    browser = stage.signed_in()
    former = copied(stage, browser)
    browser.post(stage.sign_in_link(stage.bob))
    assert "Lou Secret" in browser.get("/sessions").text
    assert not is_in(former)


def test_a_new_link_voids_every_earlier_one_and_its_letter(stage: Stage) -> None:
    first, second = stage.sign_in_link(stage.ada), stage.sign_in_link(stage.ada)
    bobs = stage.sign_in_link(stage.bob)
    assert stage.browser().get(first).status_code == 410
    assert stage.browser().post(first, page="/signin").status_code == 410
    assert letters(stage) == 2, "one each: the first of Ada's says what is no longer so"
    for link in (second, bobs):
        assert stage.browser().post(link).status_code == 303


def test_a_changed_mail_address_ends_sign_ins_and_links_of_the_former_one(stage: Stage) -> None:
    ada, link = stage.signed_in(), stage.sign_in_link(stage.ada)
    with stage.runtime.database.begin() as db:
        changes = {"name": "Ada Grau", "email": "ada@example.com"}
        use_cases.change_practitioner(db, stage.ada.id, changes, by=CLOCK, now=stage.now)
    assert not is_in(ada)
    assert stage.browser().get(link).status_code == 410


def test_after_a_restore_nobody_is_signed_in_any_more(stage: Stage) -> None:
    """The back-up may be from before somebody has signed out."""
    ada = stage.signed_in()
    with stage.runtime.database.begin() as db:
        standstill.begin(db, stage.runtime.policy, by=CLOCK, now=stage.now)
    assert not is_in(ada)
    ask(stage, "ada@example.org")
    assert letters(stage) == 1, "but they can sign in: what they see may help with the decision"


def test_an_address_gets_five_letters_an_hour_whoever_asks_and_from_wherever(stage: Stage) -> None:
    for number in range(60):
        assert ask(stage, "ada@example.org", of=f"198.51.100.{number}").status_code == 200
        stage.mail()
    assert letters(stage) == MOST_LETTERS == 5
    ask(stage, "bob@example.org", of="198.51.100.70")
    assert letters(stage) == MOST_LETTERS + 1, "others are not kept from signing in"
    stage.clock.advance(HOUR)
    ask(stage, "ada@example.org")
    assert letters(stage) == MOST_LETTERS + 2


def newest(stage: Stage) -> str:
    """Return the link of the newest sign-in letter."""
    stage.mail()
    sent = (letter.notice for letter in stage.runtime.sender.letters)  # type: ignore[attr-defined]
    signin_id = [notice.signin_id for notice in sent if notice.kind is NoticeKind.SIGN_IN][-1]
    return stage.runtime.link(Link.SIGN_IN, signin_id).removeprefix(stage.runtime.settings.public_url)


def pester(stage: Stage, times: int) -> None:
    """Have strangers ask for Ada's link, here and there."""
    for number in range(times):
        ask(stage, "ada@example.org", of=f"198.51.100.{number}")
        stage.mail()


def test_strangers_who_ask_keep_nobody_out_the_newest_link_works_until_there_may_be_another(stage: Stage) -> None:
    for _ in range(2):  # hour after hour
        pester(stage, MOST_LETTERS)
        for minutes in (0, 16, 14, 29):
            stage.clock.advance(timedelta(minutes=minutes))
            mailed = letters(stage)
            ask(stage, "ada@example.org")
            assert letters(stage) == mailed
            assert stage.browser().get(newest(stage)).status_code == 200
        stage.clock.advance(timedelta(minutes=1))
        assert stage.browser().get(newest(stage)).status_code == 410
    ask(stage, "ada@example.org")
    assert stage.browser().post(newest(stage)).status_code == 303


def test_strangers_who_ask_now_and_then_keep_nobody_out_either(stage: Stage) -> None:
    for number in range(30):
        ask(stage, "ada@example.org", of=f"198.51.100.{number}")
        stage.mail()
        stage.clock.advance(timedelta(minutes=7))
        ask(stage, "ada@example.org", of=f"192.0.2.{number}")
        assert stage.browser().get(newest(stage)).status_code == 200


def test_the_letter_says_how_long_its_link_works(stage: Stage) -> None:
    pester(stage, MOST_LETTERS)
    sent = (letter.notice for letter in stage.runtime.sender.letters)  # type: ignore[attr-defined]
    minutes = [notice.about for notice in sent if notice.kind is NoticeKind.SIGN_IN]
    assert minutes == ["15"] * (MOST_LETTERS - 1) + ["60"]


@pytest.mark.parametrize("leave", ["/signout", "/signout/everywhere"])
def test_whoever_has_signed_in_may_be_mailed_links_again(stage: Stage, leave: str) -> None:
    pester(stage, MOST_LETTERS)
    stage.clock.advance(timedelta(minutes=1))
    ada = stage.browser()
    ada.post(newest(stage))
    ada.post(leave, page="/account")
    ask(stage, "ada@example.org")
    assert letters(stage) == MOST_LETTERS + 1
    assert stage.browser().post(newest(stage)).status_code == 303


def test_a_network_of_ipv6_counts_as_one_asker(stage: Stage) -> None:
    allowed = int(SIGN_IN_LIMIT.partition(" ")[0])
    statuses = [
        ask(stage, f"{number}@example.org", of=f"2001:db8:1:2:{number:x}::{number:x}").status_code
        for number in range(1, allowed + 2)
    ]
    assert statuses == [200] * allowed + [429]
    assert ask(stage, "eva@example.org", of="2001:db8:1:3::1").status_code == 200
    assert ask(stage, "eva@example.org", of="::ffff:192.0.2.1").status_code == 200


def test_what_is_done_before_the_answer_is_the_same_for_every_address(stage: Stage) -> None:
    for _ in range(MOST_LETTERS + 1):  # one who is known, one who has had too many letters, one whom nobody knows
        ask(stage, "bob@example.org")
        stage.mail()
    done: dict[str, list[str]] = {}
    for address in ("ada@example.org", "bob@example.org", "eva@example.org"):
        with statements(stage) as seen:
            ask(stage, address, of="192.0.2.2")
        done[address] = list(seen)
    assert done["ada@example.org"] == done["bob@example.org"] == done["eva@example.org"] != []
    assert "practitioners" not in str(done)


def test_an_address_that_was_asked_for_is_forgotten_once_it_was_looked_for(stage: Stage) -> None:
    ask(stage, "eva@example.org")
    assert len(stage.everything()["link_requests"]) == 1
    stage.mail()
    assert "eva@example.org" not in str(stage.everything())


def lines_of(stage: Stage) -> Sequence[Mapping[str, Any]]:
    """Do everything that has to do with signing in once, and return what was logged of it."""
    with structlog.testing.capture_logs() as logs:
        ask(stage, "eva@example.org")
        ask(stage, "ada@example.org")
        stage.mail()
        link = stage.sign_in_link(stage.ada)
        ada = stage.browser()
        ada.post(link)
        stage.browser().get(link)
        stage.browser().get("/signin/forged")
        stage.browser().get("/answer/forged")
        thief = copied(stage, ada)
        ada.post("/signout", page="/sessions")
        thief.get("/sessions")
        thief.get("/sessions")
        other = stage.signed_in()
        other.post("/signout/everywhere", page="/account")
        for _ in range(MOST_LETTERS):
            ask(stage, "ada@example.org", of="192.0.2.9")
        stage.mail()
        for _ in range(int(SIGN_IN_LIMIT.partition(" ")[0]) - MOST_LETTERS + 1):
            ask(stage, "eva@example.org", of="192.0.2.9")
    return logs


def test_each_thing_that_happens_as_people_sign_in_is_one_line_that_names_nobody(stage: Stage) -> None:
    lines = lines_of(stage)
    ada = {"practitioner": str(stage.ada.id)}
    told = [{name: line[name] for name in sorted(line) if name != "log_level"} for line in lines]
    in_order = [
        {"event": "sign_in_link_unknown"},
        {"event": "sign_in_link_mailed", **ada},
        {"event": "signed_in", **ada},
        {"event": "sign_in_refused", "what": "link"},
        {"event": "token_refused", "page": "signin.confirm"},
        {"event": "token_refused", "page": "answer.show"},
        {"event": "signed_out", **ada},
        {"event": "sign_in_refused", "what": "cookie"},
        {"event": "signed_in", **ada},
        {"event": "signed_out_everywhere", "browsers": 1, **ada},
    ]
    assert sorted(told[:2], key=len) == in_order[:2], "in whichever order they were looked for"
    assert told[2:10] == in_order[2:]
    rest = [line["event"] for line in told[10:]]
    assert rest.count("sign_in_link_mailed") == MOST_LETTERS - 3, "three letters were made for her before"
    assert rest.count("sign_in_limited") == 3 + 1
    assert [line.get("by") for line in told if line["event"] == "sign_in_limited"].count("asker") == 1
    for word in ("Ada", "@", "192.0.2", "forged", "Weiß"):
        assert word not in str(told)


def test_what_has_ended_is_swept_and_nothing_else(there: Desk) -> None:
    stage = there.stage
    stage.signed_in()
    there.begin_sign_in()

    def kept() -> dict[str, int]:
        everything = stage.everything()
        return {name: len(everything[name]) for name in ("browsers", "signins", "pending_connections")}

    Driver(runtime=stage.runtime).carry_out(Kind.UPKEEP)
    assert kept() == {"browsers": 2, "signins": 2, "pending_connections": 1}
    for _ in range(12):
        stage.clock.advance(HOUR)
        Driver(runtime=stage.runtime).carry_out(Kind.UPKEEP)
    assert kept() == {"browsers": 0, "signins": 0, "pending_connections": 0}


@pytest.mark.parametrize("path", ["/sessions", "/calendars", "/account"])
def test_a_cookie_of_an_earlier_version_is_nobody(stage: Stage, path: str) -> None:
    browser = stage.browser()
    with browser.http.session_transaction() as cookie:
        cookie["practitioner"] = stage.ada.id.hex
    assert browser.get(path).location == "/signin"
