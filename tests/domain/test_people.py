"""Who takes part, as far as it can be told from what they write."""

from __future__ import annotations

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.people import readable_address
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


@pytest.mark.parametrize(
    ("typed", "stored"),
    [
        ("jo@müller.example", "jo@xn--mller-kva.example"),
        ("jo@MÜLLER.example", "jo@xn--mller-kva.example"),
        ("jo@日本.example", "jo@xn--wgv71a.example"),
        ("jo.o'neil+x@example.org", "jo.o'neil+x@example.org"),
    ],
)
def test_the_host_of_an_address_may_be_written_in_any_letters(typed: str, stored: str) -> None:
    assert client(email=typed).email == practitioner(email=typed).email == stored
    assert client(email=stored).email == stored
    assert readable_address(stored).lower() == typed.lower()


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("jörg@example.org", "“ö” (U+00F6) cannot stand before the @"),
        ("jo@exa mple.org", "a blank (U+0020) cannot stand after the @"),
        ("jo@example.org\n", "a line break (U+000A) cannot stand after the @"),
        ("jo\u202e@example.org", "an invisible character (U+202E, right-to-left override) cannot stand before the @"),
        ("jo,kim@example.org", "“,” (U+002C) cannot stand before the @"),
        ("jo@exam_ple.org", "“_” (U+005F) cannot stand after the @"),
        ("jo@strasße.example", "“ß” (U+00DF) after the @ can be meant in two ways"),
        ("jo.example.org", "it has no @"),
        ("jo@", "something is missing, doubled or too long in it"),
        ("jo@example..org", "something is missing, doubled or too long in it"),
        ("x" * 65 + "@example.org", "something is missing, doubled or too long in it"),
    ],
)
def test_what_is_wrong_with_an_address_is_told(typed: str, why: str) -> None:
    with pytest.raises(RuleError) as refused:
        client(email=typed)
    assert why in str(refused.value)
    assert "Write it plainly, such as kim@example.org" in str(refused.value)
    assert str(refused.value).isprintable()


@pytest.mark.parametrize(
    "name",
    [
        "Zo\u200cra",
        "\u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",
        "\u0915\u094d\u200d\u0937",
        "Ana \U0001f469\u200d\u2695\ufe0f",
        "O'Neil-Weiß, PhD",
        " two  blanks ",
    ],
)
def test_a_name_is_taken_as_people_write_it(name: str) -> None:
    assert client(name=name).name == replace(practitioner(), name=name).name == name


@given(st.text(st.characters(exclude_categories=("C", "Z"), include_characters=" "), min_size=1, max_size=200))
def test_what_can_be_seen_stays_exactly_as_it_is(name: str) -> None:
    if name.strip():
        assert client(name=name).name == name


@pytest.mark.parametrize(
    ("typed", "name"),
    [
        ("Zoë\u00a0Noor", "Zoë Noor"),
        ("Zoë\tNoor\n", "Zoë Noor"),
        ("Zoë\r\nNoor", "Zoë Noor"),
        ("\ufeffZoë\u200b No\u00ador", "Zoë Noor"),
    ],
)
def test_what_was_pasted_along_without_being_seen_is_left_out_of_a_name(typed: str, name: str) -> None:
    assert client(name=typed).name == name


@pytest.mark.parametrize(
    ("typed", "why"),
    [
        ("Zoë\u202eNoor", "an invisible character (U+202E, right-to-left override), which stands there as character 4"),
        ("Zoë\x9bNoor", "an invisible character (U+009B), which stands there as character 4"),
        ("\ue000", "an invisible character (U+E000), which stands there as character 1"),
    ],
)
def test_a_character_that_cannot_stand_in_a_name_is_named(typed: str, why: str) -> None:
    with pytest.raises(RuleError) as refused:
        client(name=typed)
    assert str(refused.value).startswith(f"Name: {why}, cannot be used. Leave it out")
    assert str(refused.value).isprintable()


@pytest.mark.parametrize("name", ["", "  ", "\u200c", "\n \u200b", "x" * 201])
def test_a_name_has_something_in_it_and_is_not_endless(name: str) -> None:
    with pytest.raises(RuleError, match="Name: "):
        client(name=name)
