"""Signing in at Microsoft, and the tokens of a connected account; msal itself is as it comes."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from urllib.parse import parse_qs, urlsplit

import pytest

from connector.errors import AccessLostError, InstallationError, RuleError, TransientError
from connector.ports import Network, OAuthApp
from providers.outlook.provider import Outlook
from tests.providers.contract import DAY
from tests.providers.outlook.setting import WEB, Kept, Setting, outlook


@pytest.fixture
def setting() -> Iterator[Setting]:
    with outlook() as setting:
        yield setting


def spent(setting: Setting) -> Kept:
    """Return credentials whose access token is hardly any good any more."""
    setting.graph.entra.lifetime = 60
    begun = setting.provider.begin(setting.graph.network, "state-2")
    answer = setting.graph.entra.authorize(begun.url)
    kept = Kept(setting.provider.complete(setting.graph.network, begun.memory, answer))
    setting.graph.entra.lifetime = 3600
    return kept


# Signing in


def test_a_sign_in_asks_for_calendars_only_and_keeps_its_secrets_to_itself(setting: Setting) -> None:
    begun = setting.provider.begin(setting.graph.network, "state-3")
    query = parse_qs(urlsplit(begun.url).query)
    assert query["state"] == ["state-3"]
    assert query["scope"][0].split().count("Calendars.ReadWrite") == 1
    assert query["code_challenge_method"] == ["S256"]
    assert all(isinstance(value, str) for value in begun.memory.values())
    assert begun.memory["code_verifier"].strip('"') not in begun.url


@pytest.mark.parametrize("personal", [True, False])
def test_the_kind_of_account_is_kept_and_a_name_only_where_it_is_needed(*, personal: bool) -> None:
    with outlook(personal=personal) as setting:
        kept = dict(setting.kept.load())
    assert kept.pop("cache")
    assert kept.pop("home_account_id")
    assert kept == ({"tenant": "personal"} if personal else {"tenant": "work", "username": "k@example.org"})


@pytest.mark.parametrize("change", [{"state": "another"}, {"state": ""}])
def test_an_answer_to_another_sign_in_is_refused(setting: Setting, change: dict[str, str]) -> None:
    begun = setting.provider.begin(setting.graph.network, "state-4")
    answer = setting.graph.entra.authorize(begun.url)
    with pytest.raises(RuleError, match="another sign-in"):
        setting.provider.complete(setting.graph.network, begun.memory, answer | change)


def test_somebody_who_declines_is_told_that_nothing_was_kept(setting: Setting) -> None:
    begun = setting.provider.begin(setting.graph.network, "state-5")
    answer = {"state": "state-5", "error": "access_denied", "error_description": "AADSTS65004: k@example.org"}
    with pytest.raises(RuleError, match="did not allow") as caught:
        setting.provider.complete(setting.graph.network, begun.memory, answer)
    assert "k@example.org" not in str(caught.value)


def test_a_code_is_good_once_and_only_with_its_verifier(setting: Setting) -> None:
    network = setting.graph.network
    begun = setting.provider.begin(network, "state-6")
    answer = setting.graph.entra.authorize(begun.url)
    stolen = {**begun.memory, "code_verifier": '"' + "x" * 43 + '"'}
    with pytest.raises(RuleError, match="start again"):
        setting.provider.complete(network, stolen, answer)
    with pytest.raises(RuleError, match="start again"):
        setting.provider.complete(network, begun.memory, answer)


@pytest.mark.parametrize("lacking", ["scope", "refresh token"])
def test_a_sign_in_that_left_something_needed_out_is_not_kept(setting: Setting, lacking: str) -> None:
    entra = setting.graph.entra
    entra.scopes = "Calendars.Read" if lacking == "scope" else "https://graph.microsoft.com/Calendars.ReadWrite"
    entra.gives_refresh_token = lacking == "scope"
    begun = setting.provider.begin(setting.graph.network, "state-7")
    with pytest.raises(RuleError, match="start again"):
        setting.provider.complete(setting.graph.network, begun.memory, entra.authorize(begun.url))


def test_a_wrong_registration_is_for_the_operator_to_mend(setting: Setting) -> None:
    network = setting.graph.network
    wrong = replace(network, apps={"outlook": replace(network.apps["outlook"], client_secret="old")})
    begun = setting.provider.begin(network, "state-8")
    answer = setting.graph.entra.authorize(begun.url)
    with pytest.raises(InstallationError, match="registration"):
        setting.provider.complete(wrong, begun.memory, answer)


def test_without_a_registration_people_are_sent_to_the_operator() -> None:
    with pytest.raises(RuleError, match="whoever runs this installation"):
        Outlook(web=WEB).begin(Network(), "state-9")


@pytest.mark.parametrize("name", ["authority", "graph"])
def test_a_plain_http_address_is_used_only_where_the_operator_allows_it(name: str) -> None:
    app = OAuthApp(
        client_id="c", client_secret="s", redirect_uri="https://x.example", urls={name: "http://127.0.0.1:9/common"}
    )
    with pytest.raises(InstallationError, match="https"):
        Outlook(web=WEB).account(Kept({}), Network(apps={"outlook": app}))


def test_a_sign_in_service_that_is_closed_is_a_passing_outage(setting: Setting) -> None:
    begun = setting.provider.begin(setting.graph.network, "state-10")
    answer = setting.graph.entra.authorize(begun.url)
    setting.graph.entra.closed_for = 40
    with pytest.raises(TransientError) as caught:
        setting.provider.complete(setting.graph.network, begun.memory, answer)
    assert caught.value.retry_after == timedelta(seconds=40)


# Tokens


def test_a_warm_token_asks_neither_the_store_nor_the_sign_in(setting: Setting) -> None:
    calendar = setting.calendar()
    calendar.changes(None)
    loads, discoveries = setting.kept.loads, setting.graph.entra.discoveries
    for _ in range(5):
        calendar.changes(None)
    assert (setting.kept.loads, setting.graph.entra.discoveries) == (loads, discoveries)
    assert setting.graph.entra.refreshes == 0


def test_a_token_near_its_end_is_refreshed_and_what_came_with_it_is_kept(setting: Setting) -> None:
    kept = spent(setting)
    before = kept.load()["cache"]
    calendar = setting.provider.account(kept, setting.graph.network).open(setting.remote_id)
    calendar.changes(None)
    setting.ticks.now += 3600
    calendar.changes(None)
    assert setting.graph.entra.refreshes == 1
    assert kept.load()["cache"] != before
    setting.graph.entra.forget_access()
    setting.provider.account(kept, setting.graph.network).open(setting.remote_id).changes(None)
    assert setting.graph.entra.refreshes == 2  # with the rotated refresh token: the first one is spent


@pytest.mark.parametrize("accounts", [1, 16])
def test_sixteen_at_once_refresh_once(setting: Setting, accounts: int) -> None:
    kept = spent(setting)
    opened = [setting.provider.account(kept, setting.graph.network) for _ in range(accounts)]
    calendars = [opened[n % accounts].open(setting.remote_id) for n in range(16)]
    with ThreadPoolExecutor(max_workers=16) as pool:
        assert [found.full for found in pool.map(lambda one: one.changes(None), calendars)] == [True] * 16
    assert (setting.graph.entra.refreshes, kept.renewals) == (1, 1)
    assert accounts > 1 or kept.loads == 3  # one thread asks the store, the others wait for it


def test_sixteen_whose_token_is_refused_refresh_once(setting: Setting) -> None:
    calendar = setting.calendar()
    calendar.changes(None)
    setting.graph.entra.forget_access()
    with ThreadPoolExecutor(max_workers=16) as pool:
        list(pool.map(lambda _: calendar.busy(DAY), range(16)))
    assert setting.graph.entra.refreshes == 1


@pytest.mark.parametrize(
    ("error", "meaning"),
    [
        ("invalid_grant", AccessLostError),
        ("interaction_required", AccessLostError),
        ("login_required", AccessLostError),
        ("consent_required", AccessLostError),
        ("temporarily_unavailable", TransientError),
        ("invalid_client", InstallationError),
        ("something_new", TransientError),
    ],
)
def test_a_refused_refresh_is_told_as_what_it_is(setting: Setting, error: str, meaning: type[Exception]) -> None:
    kept = spent(setting)
    setting.graph.entra.refuses = error
    with pytest.raises(meaning) as caught:
        setting.provider.account(kept, setting.graph.network).calendars()
    assert "k@example.org" not in str(caught.value)


@pytest.mark.parametrize("code", [700016, 7000112])
def test_an_organisation_that_keeps_us_out_is_the_matter_of_its_accounts(setting: Setting, code: int) -> None:
    kept = spent(setting)
    setting.graph.entra.refuses, setting.graph.entra.refuses_with = "unauthorized_client", code
    with pytest.raises(AccessLostError, match="The organisation of this account"):
        setting.provider.account(kept, setting.graph.network).calendars()
    begun = setting.provider.begin(setting.graph.network, "state-9")
    answer = {"state": "state-9", "error": "unauthorized_client", "error_description": f"AADSTS{code}: k@example.org"}
    with pytest.raises(RuleError, match="Your organisation"):
        setting.provider.complete(setting.graph.network, begun.memory, answer)


@pytest.mark.parametrize("code", [7000215, 7000222])
def test_a_secret_that_is_no_longer_good_is_the_matter_of_the_installation(setting: Setting, code: int) -> None:
    kept = spent(setting)
    setting.graph.entra.refuses, setting.graph.entra.refuses_with = "invalid_client", code
    with pytest.raises(InstallationError, match=f"AADSTS{code}"):
        setting.provider.account(kept, setting.graph.network).calendars()


def test_a_refusal_is_not_remembered_once_it_is_mended(setting: Setting) -> None:
    kept = spent(setting)
    account = setting.provider.account(kept, setting.graph.network)
    setting.graph.entra.refuses = "invalid_client"
    with pytest.raises(InstallationError):
        account.calendars()
    setting.graph.entra.refuses = ""
    assert account.calendars()


def test_a_closed_sign_in_does_not_lose_access(setting: Setting) -> None:
    kept = spent(setting)
    account = setting.provider.account(kept, setting.graph.network)
    setting.graph.entra.closed_for = 30
    with pytest.raises(TransientError) as caught:
        account.calendars()
    assert caught.value.retry_after == timedelta(seconds=30)
    setting.graph.entra.closed_for = 0
    assert account.calendars()


@pytest.mark.parametrize("cache", ["", "{}", "no cache at all"])
def test_credentials_of_no_use_are_lost_access_or_told(setting: Setting, cache: str) -> None:
    kept = Kept({**setting.kept.load(), "cache": cache})
    with pytest.raises((AccessLostError, TransientError)):
        setting.provider.account(kept, setting.graph.network).calendars()


def test_the_sign_in_is_asked_about_itself_once_a_day(setting: Setting) -> None:
    entra = setting.graph.entra
    for _ in range(3):
        entra.forget_access()
        setting.calendar().changes(None)
    assert (entra.refreshes, entra.discoveries) == (3, 1)
    setting.ticks.now += timedelta(days=1, hours=1).total_seconds()
    entra.forget_access()
    setting.calendar().changes(None)
    assert entra.discoveries == 2
