"""Who takes part, as far as it can be told from what they write."""

from __future__ import annotations

import pytest

from connector.errors import RuleError
from tests.domain.examples import client, practitioner

BROKEN = [
    "alex@client.example\n",
    "alex@client.example\r\nBcc: eve@client.example",
    "alex\n@client.example",
    "alex@client.example\u2028",
]


@pytest.mark.parametrize("address", BROKEN)
def test_an_address_with_a_line_break_is_refused(address: str) -> None:
    with pytest.raises(RuleError, match="not an e-mail address"):
        client(email=address)
    with pytest.raises(RuleError, match="not an e-mail address"):
        practitioner(email=address)


def test_a_number_with_a_line_break_is_refused() -> None:
    with pytest.raises(RuleError, match="not a phone number"):
        client(phone="+4930123456\n")
