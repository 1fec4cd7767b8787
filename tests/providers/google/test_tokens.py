"""Signing in to Google, and access tokens: no more than is needed, asked for once, lost for good only when they are."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime, timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from connector.errors import AccessLostError, ConnectorError, InstallationError, RefusedError, RuleError, TransientError
from connector.ports import Failed
from providers.google.provider import Google as Provider
from providers.google.tokens import Site
from tests.fakes.google import Script, answers, hang_up, says
from tests.providers.contract import content, creation, failure, written
from tests.providers.google.setting import NOW, KeptTokens, Setting, signed_in

AUTH = "https://www.googleapis.com/auth/"


@pytest.fixture
def setting() -> Iterator[Setting]:
    with signed_in() as setting:
        yield setting


def expire(setting: Setting) -> None:
    setting.clock.advance(timedelta(hours=1))


# Signing in


def test_the_sign_in_asks_for_no_more_than_is_needed(setting: Setting) -> None:
    begun = setting.provider.begin(setting.network, "state-1")
    asked = parse_qs(urlsplit(begun.url).query)
    assert asked["state"] == ["state-1"]
    assert set(asked["scope"][0].split()) == {
        f"{AUTH}calendar.events.owned",
        f"{AUTH}calendar.calendarlist.readonly",
        f"{AUTH}calendar.freebusy",
        f"{AUTH}calendar.app.created",
        "openid",
        "email",
    }
    assert asked["code_challenge_method"] == ["S256"]
    assert begun.memory["code_verifier"] not in begun.url


def test_a_sign_in_ends_with_lasting_credentials(setting: Setting) -> None:
    kept = setting.sign_in()
    assert kept.keys() == {"refresh_token", "access_token", "expires_at", "scopes", "account_id", "email"}
    assert kept["email"] == "kim@practice.example"
    assert datetime.fromisoformat(kept["expires_at"]) == NOW + timedelta(seconds=3599)
    assert f"{AUTH}calendar.events.owned" in kept["scopes"].split()


def test_a_person_who_says_no_connects_nothing(setting: Setting) -> None:
    begun = setting.provider.begin(setting.network, "s")
    answer = setting.fake.oauth.consent(begun.url, allowed=False)
    with pytest.raises(RuleError, match="did not allow"):
        setting.provider.complete(setting.network, begun.memory, answer)
    with pytest.raises(RuleError, match="admin_policy_enforced"):
        setting.provider.complete(setting.network, begun.memory, {"error": "admin_policy_enforced"})
    assert setting.fake.requests == []


@pytest.mark.parametrize(
    ("scope", "words"),
    [
        ("calendar.events.owned", "see and change the events"),
        ("calendar.calendarlist.readonly", "see the list"),
        ("calendar.freebusy", "see when you are busy"),
    ],
)
def test_a_permission_that_is_left_out_is_named(setting: Setting, scope: str, words: str) -> None:
    setting.fake.oauth.unticked = frozenset({AUTH + scope})
    with pytest.raises(RuleError, match=words):
        setting.sign_in()


def test_calendars_of_our_own_may_be_left_out(setting: Setting) -> None:
    setting.fake.oauth.unticked = frozenset({f"{AUTH}calendar.app.created"})
    setting.tokens.kept = setting.sign_in()
    with pytest.raises(RefusedError, match="permission"):
        setting.account.create_calendar("Sessions")
    written(setting.calendar.apply([creation()]))


def test_who_signed_in_may_stay_unknown(setting: Setting) -> None:
    setting.fake.oauth.unticked = frozenset({"openid", f"{AUTH}userinfo.email"})
    assert setting.sign_in().keys() == {"refresh_token", "access_token", "expires_at", "scopes"}


def test_a_code_is_good_once_and_only_with_its_verifier(setting: Setting) -> None:
    begun = setting.provider.begin(setting.network, "s")
    answer = setting.fake.oauth.consent(begun.url)
    setting.provider.complete(setting.network, begun.memory, answer)
    with pytest.raises(RuleError, match="connect again"):
        setting.provider.complete(setting.network, begun.memory, answer)
    other = setting.fake.oauth.consent(setting.provider.begin(setting.network, "s").url)
    with pytest.raises(RuleError, match="connect again"):
        setting.provider.complete(setting.network, begun.memory, other)


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (hang_up, TransientError),
        (says(503), TransientError),
        (answers(500, b"<html>"), TransientError),
        (answers(200, b"<html>"), TransientError),
        (answers(200, {"token_type": "Bearer"}), TransientError),
        (answers(400, {"error": "temporarily_unavailable"}), TransientError),
        (answers(401, {"error": "invalid_client"}), InstallationError),
        (answers(400, {"error": "invalid_grant"}), RuleError),
    ],
)
def test_a_sign_in_service_that_fails_is_told_apart_from_one_that_says_no(
    setting: Setting, script: Script, kind: type[ConnectorError]
) -> None:
    setting.fake.once("token", script, times=2)  # a connection that breaks is made anew once
    with pytest.raises(kind):
        setting.sign_in()


def test_a_second_consent_without_a_lasting_permission_keeps_the_first(setting: Setting) -> None:
    before = setting.tokens.kept
    setting.fake.oauth.lasting = False
    fresh = setting.sign_in()
    assert "refresh_token" not in fresh
    kept = setting.provider.reauthorized(before, fresh)
    assert kept["refresh_token"] == before["refresh_token"]
    assert kept["access_token"] == fresh["access_token"]
    with pytest.raises(RuleError, match="no lasting permission"):
        setting.provider.reauthorized({}, fresh)


def test_a_connection_stays_with_its_account(setting: Setting) -> None:
    before = setting.tokens.kept
    setting.fake.oauth.account = "other@practice.example"
    with pytest.raises(RuleError, match="another Google account"):
        setting.provider.reauthorized(before, setting.sign_in())


# Access tokens


def test_a_token_in_hand_is_used_without_asking_anybody(setting: Setting) -> None:
    calendar = setting.calendar
    for n in range(5):
        written(calendar.apply([creation(content(hours=n))]))
    assert setting.tokens.loads == 1
    assert setting.tokens.renewals == 0


def test_a_token_is_renewed_before_it_ends_and_kept_for_others(setting: Setting) -> None:
    setting.clock.advance(timedelta(minutes=56))
    setting.calendar.changes(None)
    assert setting.fake.oauth.refreshes == 1
    assert setting.tokens.kept["expires_at"] == (setting.clock() + timedelta(seconds=3599)).isoformat()
    assert setting.tokens.kept["email"] == "kim@practice.example"


def test_sixteen_threads_renew_once(setting: Setting) -> None:
    expire(setting)
    calendar = setting.calendar
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(calendar.changes, [None] * 64))
    assert setting.fake.oauth.refreshes == 1
    assert setting.tokens.renewals == 1


def test_sixteen_threads_whose_token_is_refused_renew_once(setting: Setting) -> None:
    calendar = setting.calendar
    calendar.changes(None)
    setting.fake.oauth.forget_access()
    with ThreadPoolExecutor(16) as pool:
        list(pool.map(calendar.changes, [None] * 64))
    assert setting.fake.oauth.refreshes == 1


def test_two_processes_renew_once(setting: Setting) -> None:
    other = Provider(clock=setting.clock)
    calendars = [setting.calendar, other.account(setting.tokens, setting.network).open(setting.remote.id)]
    for calendar in calendars:
        calendar.changes(None)
    expire(setting)
    for calendar in calendars:
        calendar.changes(None)
    assert setting.fake.oauth.refreshes == 1
    other.close()


@pytest.mark.parametrize("outer", [False, True], ids=["parts", "whole"])
def test_a_batch_whose_token_is_refused_is_done_with_another(setting: Setting, *, outer: bool) -> None:
    calendar = setting.calendar
    setting.fake.outer_401 = outer
    calendar.changes(None)
    setting.fake.oauth.forget_access()
    written(calendar.apply([creation(content(hours=n)) for n in range(3)]))
    assert setting.fake.oauth.refreshes == 1
    assert setting.hand.size() == 3


@pytest.mark.parametrize("count", [1, 3])
def test_a_token_that_is_refused_again_and_again_is_lost_access(setting: Setting, count: int) -> None:
    setting.fake.always("events.insert", says(401, "authError"))
    outcomes = list(setting.calendar.apply([creation(content(hours=n)) for n in range(count)]))
    assert [type(outcome.error) for outcome in outcomes if isinstance(outcome, Failed)] == [AccessLostError] * count
    assert setting.fake.oauth.refreshes == 1


def test_credentials_google_has_given_up_on_are_shown_once(setting: Setting) -> None:
    setting.fake.oauth.withdraw(setting.fake.oauth.account)
    expire(setting)
    calendar = setting.calendar
    for _ in range(3):
        assert isinstance(failure(calendar.apply([creation()])), AccessLostError)
    assert [request.path for request in setting.fake.requests] == ["/token"]


def test_a_new_sign_in_heals_the_same_account(setting: Setting) -> None:
    calendar = setting.calendar
    setting.fake.oauth.withdraw(setting.fake.oauth.account)
    assert isinstance(failure(calendar.apply([creation()])), AccessLostError)
    setting.tokens.kept = setting.provider.reauthorized(setting.tokens.kept, setting.sign_in())
    written(calendar.apply([creation()]))


def test_a_refresh_token_that_is_replaced_is_kept(setting: Setting) -> None:
    setting.fake.oauth.rotates = True
    first = setting.tokens.kept["refresh_token"]
    for _ in range(2):
        expire(setting)
        setting.calendar.changes(None)
    assert setting.tokens.kept["refresh_token"] != first
    assert setting.fake.oauth.refreshes == 2


@pytest.mark.parametrize(
    ("script", "kind"),
    [
        (says(500), TransientError),
        (says(429), TransientError),
        (answers(200, b"<html>"), TransientError),
        (answers(200, {"access_token": 7, "expires_in": 3599}), TransientError),
        (answers(200, {"access_token": "x", "expires_in": "soon"}), TransientError),
        (answers(400, b"<html>"), TransientError),
        (answers(400, {"error": "temporarily_unavailable"}), TransientError),
        (answers(400, {"error": "invalid_grant"}), AccessLostError),
        (answers(400, {"error": "invalid_grant", "error_subtype": "invalid_rapt"}), AccessLostError),
        (answers(400, {"error": "admin_policy_enforced"}), AccessLostError),
        (answers(401, {"error": "invalid_client"}), InstallationError),
        (answers(401, {"error": "deleted_client"}), InstallationError),
    ],
)
def test_every_refusal_of_a_renewal_has_its_meaning(
    setting: Setting, script: Script, kind: type[ConnectorError]
) -> None:
    setting.fake.once("token", script)
    expire(setting)
    with pytest.raises(kind):
        setting.calendar.changes(None)


def test_a_sign_in_service_that_cannot_be_reached_is_no_lost_access(setting: Setting) -> None:
    setting.fake.once("token", hang_up, times=2)
    expire(setting)
    with pytest.raises(TransientError):
        setting.calendar.changes(None)
    setting.calendar.changes(None)


def test_credentials_without_a_lasting_permission_end_with_their_token(setting: Setting) -> None:
    kept = {name: value for name, value in setting.tokens.kept.items() if name != "refresh_token"}
    account = setting.provider.account(KeptTokens(kept), setting.network)
    account.calendars()
    expire(setting)
    with pytest.raises(AccessLostError):
        account.calendars()


def test_credentials_without_an_end_are_renewed_first(setting: Setting) -> None:
    account = setting.provider.account(
        KeptTokens({"refresh_token": setting.tokens.kept["refresh_token"]}), setting.network
    )
    account.calendars()
    assert setting.fake.oauth.refreshes == 1


# Taking leave


def test_a_permission_can_be_given_back(setting: Setting) -> None:
    setting.account.revoke()
    with pytest.raises(AccessLostError):
        setting.calendar.changes(None)
    setting.account.revoke()


def test_giving_back_nothing_asks_nobody(setting: Setting) -> None:
    setting.provider.account(KeptTokens({}), setting.network).revoke()
    assert setting.fake.requests == []


@pytest.mark.parametrize(("status", "kind"), [(503, TransientError), (400, RefusedError)])
def test_a_permission_that_cannot_be_given_back_now_is_tried_again(
    setting: Setting, status: int, kind: type[ConnectorError]
) -> None:
    setting.fake.once("revoke", says(status, "oops"))
    with pytest.raises(kind):
        setting.account.revoke()


def test_secrets_are_not_shown(setting: Setting) -> None:
    site = Site.of(setting.network)
    assert "secret-1" not in repr(site)
