"""What a provider knows, it says itself; and nobody else names it."""

from __future__ import annotations

import ast
import re
import subprocess
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest

import connector
import webhooks
from connector.ports import SignIn
from providers import available, declared, load

CORE = Path(connector.__file__).parent


def texts() -> Iterator[tuple[str, str]]:
    """Yield every text in the code of the core and of the door for pushes, with where it stands."""
    for path in (*CORE.rglob("*.py"), Path(webhooks.__file__)):
        if not {"demo", "versions"} & set(path.parts):  # which start a server of one kind, or rewrite rows of each
            for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
                if isinstance(node, ast.Constant) and isinstance(node.value, str):
                    yield path.name, node.value


def test_no_provider_is_named_outside_its_own_modules() -> None:
    names = {*available(), *(one.registration.prefix for one in declared() if one.registration)} - {"memory"}
    assert [(where, text) for where, text in texts() if text in names or text.removesuffix("_CLIENT_ID") in names] == []
    pattern = re.compile("|".join(f"[\"']{name}[\"']" for name in names), re.IGNORECASE)
    pages = [path.name for path in CORE.rglob("*.html") if pattern.search(path.read_text(encoding="utf-8"))]
    assert pages == []


def test_every_provider_declares_itself_under_its_own_slug() -> None:
    assert tuple(one.slug for one in declared()) == available()


@pytest.mark.parametrize("slug", available())
def test_a_provider_has_a_registration_if_people_sign_in_to_it(slug: str) -> None:
    [declaration] = [one for one in declared() if one.slug == slug]
    assert (declaration.registration is not None) is isinstance(load(slug), SignIn)


def test_all_but_what_forgets_everything_is_in_use_by_default() -> None:
    assert [one.slug for one in declared() if not one.by_default] == ["memory"]


def test_declarations_import_no_provider_and_no_library_of_a_service() -> None:
    code = "import sys, providers; providers.declared(); print(*sys.modules)"
    output = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
    heavy = {"niquests", "caldav", "lxml", "msal", "googleapiclient", "httpx2", "flask", "sqlalchemy"}
    assert not (heavy | {f"providers.{slug}.provider" for slug in available()}) & set(output.split())


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
