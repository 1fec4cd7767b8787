"""A Dovecot for all tests of the reply mailbox, and a server that lies."""

from __future__ import annotations

from collections.abc import Iterator
from uuid import uuid4

import pytest

from tests.fakes.dovecot import Dovecot, dovecot
from tests.fakes.imap_liar import ImapLiar


@pytest.fixture(scope="session")
def server() -> Iterator[Dovecot]:
    with dovecot() as server:
        yield server


@pytest.fixture
def user() -> str:
    """Somebody whose mailbox is new."""
    return f"kim-{uuid4().hex[:8]}"


@pytest.fixture
def liar() -> Iterator[ImapLiar]:
    with ImapLiar() as liar:
        yield liar
