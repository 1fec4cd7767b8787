"""The example platform's own tests pass with Pencilled plugged in, too."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from flask import Flask
from test_lindenhof import TestPlatform

from tests.examples.shapes import SHAPES

__all__ = ["TestPlatform"]


@pytest.fixture(params=list(SHAPES))
def app(request: pytest.FixtureRequest, sqlite_url: str, tmp_path: Path) -> Iterator[Flask]:
    """The platform, with Pencilled in it and beside it."""
    with SHAPES[request.param](sqlite_url, tmp_path) as shape:
        yield shape.platform
