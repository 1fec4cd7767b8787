"""What a provider knows, it says itself."""

from __future__ import annotations

from collections.abc import Mapping

import pytest

from providers import available, load


@pytest.mark.parametrize("slug", available())
def test_a_service_is_one_lane(slug: str) -> None:
    assert load(slug).lane == slug


@pytest.mark.parametrize(
    ("slug", "credentials"),
    [
        ("caldav", {"principal": "it", "username": "kim", "homes": "https://dav.example/"}),
        ("google", {"account_id": "it", "email": "kim@example.org"}),
        ("memory", {"account_id": "it", "store": "kim"}),
        ("outlook", {"home_account_id": "it", "username": "kim@example.org", "tenant": "work"}),
    ],
)
def test_accounts_are_told_apart_by_what_their_service_calls_them(slug: str, credentials: Mapping[str, str]) -> None:
    assert load(slug).account_key(credentials) == "it"


@pytest.mark.parametrize("slug", available())
@pytest.mark.parametrize("told", [{}, {"account_id": "", "home_account_id": "", "principal": ""}])
def test_credentials_that_do_not_tell_the_account_are_known_for_it(slug: str, told: Mapping[str, str]) -> None:
    assert load(slug).account_key(told) is None
