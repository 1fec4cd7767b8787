"""Which provider can do what beyond what all of them can: an ability that is won or lost is noticed here."""

from __future__ import annotations

import ast
from collections.abc import Mapping
from contextlib import nullcontext
from dataclasses import dataclass
from pathlib import Path

import pytest

import connector
import webhooks
from connector import ports
from connector.observed import observed
from connector.ports import (
    CreatesCalendars,
    KnowsForms,
    ListsBusy,
    NamesServices,
    Network,
    OAuthApp,
    Reauthorizes,
    Revocable,
    SignIn,
    UnsavedTokens,
    Watchable,
)
from providers import available, load

APP = OAuthApp(client_id="id", client_secret="secret", redirect_uri="https://pencilled.example/back")
CREDENTIALS: Mapping[str, Mapping[str, str]] = {
    "caldav": {
        "username": "kim",
        "password": "secret",
        "principal": "https://dav.example/kim/",
        "homes": "https://dav.example/kim/calendars/",
    },
    "google": {"refresh_token": "r", "access_token": "a", "expires_at": "2026-12-03T12:00:00+00:00"},
    "memory": {"store": "abilities", "password": "secret"},
    "outlook": {"cache": "{}", "home_account_id": "id", "tenant": "personal"},
}


@dataclass(frozen=True, kw_only=True)
class Abilities:
    provider: frozenset[type]
    account: frozenset[type]
    calendar: frozenset[type]


def abilities(provider: set[type], account: set[type], calendar: set[type]) -> Abilities:
    return Abilities(provider=frozenset(provider), account=frozenset(account), calendar=frozenset(calendar))


TABLE = {
    "caldav": abilities({KnowsForms, NamesServices}, set(), {Watchable}),
    "google": abilities({SignIn, Reauthorizes}, {CreatesCalendars, Revocable}, {ListsBusy, Watchable}),
    "memory": abilities({KnowsForms}, set(), {ListsBusy, Watchable}),
    "outlook": abilities({SignIn}, {CreatesCalendars}, {ListsBusy, Watchable}),
}
KNOWN = {CreatesCalendars, KnowsForms, ListsBusy, NamesServices, Reauthorizes, Revocable, SignIn, Watchable}


def protocols() -> set[type]:
    """Every ability there is: those Protocols of the ports that can be asked for."""
    return {one for one in vars(ports).values() if getattr(one, "_is_runtime_protocol", False)}


def found(thing: object) -> frozenset[type]:
    return frozenset(ability for ability in protocols() if isinstance(thing, ability))


def test_every_ability_is_in_the_table() -> None:
    assert protocols() == KNOWN
    assert {ability for row in TABLE.values() for ability in row.provider | row.account | row.calendar} == KNOWN


def test_every_provider_is_in_the_table() -> None:
    assert set(TABLE) == set(available())


@pytest.mark.parametrize("slug", available())
def test_a_provider_has_the_abilities_of_the_table_and_no_others(slug: str) -> None:
    provider = load(slug)
    account = provider.account(UnsavedTokens(CREDENTIALS[slug]), Network(apps={slug: APP}))
    row = Abilities(provider=found(provider), account=found(account), calendar=found(account.open("calendar")))
    assert row == TABLE[slug]


@pytest.mark.parametrize("slug", available())
def test_a_calendar_that_is_observed_has_the_same_abilities(slug: str) -> None:
    account = load(slug).account(UnsavedTokens(CREDENTIALS[slug]), Network(apps={slug: APP}))
    assert found(observed(account.open("calendar"), lambda _: nullcontext())) == TABLE[slug].calendar


def test_no_ability_is_looked_up_by_its_name() -> None:
    core = [*Path(connector.__file__).parent.rglob("*.py"), *Path(webhooks.__file__).parent.glob("*.py")]
    asking = {
        path.name
        for path in core
        if path.parent.name not in {"storage", "cli"}  # which ask a database driver's error for its code
        for call in ast.walk(ast.parse(path.read_text(encoding="utf-8")))
        if isinstance(call, ast.Call) and isinstance(call.func, ast.Name)
        if call.func.id == "hasattr" or (call.func.id == "getattr" and isinstance(call.args[1], ast.Constant))
    }
    assert asking == set()
