from __future__ import annotations

import pytest

from connector.errors import RuleError
from connector.services.numbers import check_number, is_doubtful


@pytest.mark.parametrize(
    ("written", "stored"), [("+49 (170) 123-4567", "+491701234567"), (" +44 7700 900123 ", "+447700900123"), ("", "")]
)
def test_a_number_is_stored_as_networks_have_it(written: str, stored: str) -> None:
    assert check_number(written) == stored


@pytest.mark.parametrize(
    ("written", "code"),
    [
        ("0170 1234567", "phone_malformed"),
        ("Kim", "phone_malformed"),
        ("+999123456789", "phone_malformed"),
        ("+1555", "phone_impossible"),
        ("+1555010012345", "phone_impossible"),
    ],
)
def test_what_can_be_nobodys_number_is_refused(written: str, code: str) -> None:
    with pytest.raises(RuleError) as caught:
        check_number(written)
    assert caught.value.code == code


def test_a_number_in_no_range_that_was_given_out_is_doubted_and_taken() -> None:
    assert check_number("+15550100123") == "+15550100123"
    assert is_doubtful("+15550100123")
    assert not is_doubtful("+491701234567")
    assert not is_doubtful("")
