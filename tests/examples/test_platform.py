"""The example platform's own tests pass with Pencilled plugged in, too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from test_lindenhof import TestPlatform, begin

from connector import app as composition
from tests.examples.beside import beside

__all__ = ["TestPlatform"]


@pytest.fixture
def app(sqlite_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The platform, with Pencilled beside it."""
    runtime = composition.build(composition.read_settings({"CONNECTOR_DATABASE_URL": sqlite_url}))
    with beside(runtime, tmp_path) as platform:
        yield begin(platform)
    runtime.database.dispose()
