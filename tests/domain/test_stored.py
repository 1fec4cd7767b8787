from __future__ import annotations

from datetime import UTC, datetime, timedelta

import pytest

from connector.domain.span import Span
from connector.domain.stored import as_stored

_START = datetime(2026, 12, 1, 9, tzinfo=UTC)


def test_what_is_read_back_is_what_was_stored() -> None:
    end = _START + timedelta(hours=1)
    read = as_stored(Span)(start=_START, end=end)
    assert (type(read), read) == (Span, Span(start=_START, end=end))
    with pytest.raises(AttributeError):
        read.end = _START  # type: ignore[misc]


def test_what_is_read_back_is_not_checked_again_and_has_to_be_whole() -> None:
    assert as_stored(Span)(start=_START, end=_START).end == _START
    with pytest.raises(TypeError, match="end"):
        as_stored(Span)(start=_START)  # type: ignore[call-arg]
