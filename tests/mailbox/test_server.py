"""A mailbox's URL says where it is, or what is wrong with it, and never the password."""

from __future__ import annotations

import pytest

from connector.mailbox.server import Security, parse_url


@pytest.mark.parametrize(
    ("url", "expected"),
    [
        ("imaps://kim:word@mail.example", (Security.TLS, "mail.example", 993, "kim", "word", "INBOX")),
        ("imap+starttls://a%40b.example:p%2F%3A@h", (Security.STARTTLS, "h", 143, "a@b.example", "p/:", "INBOX")),
        (
            "imap://kim:word@127.0.0.1:1143/Answers%2FNew",
            (Security.NONE, "127.0.0.1", 1143, "kim", "word", "Answers/New"),
        ),
        ("IMAPS://kim:word@[::1]:99/B%C3%BCro", (Security.TLS, "::1", 99, "kim", "word", "Büro")),
    ],
)
def test_it_names_server_user_and_folder(url: str, expected: tuple[object, ...]) -> None:
    server = parse_url(url)
    assert (server.security, server.host, server.port, server.user, server.password, server.folder) == expected


@pytest.mark.parametrize(
    "url",
    [
        "https://kim:hidden@host",
        "imaps://host",
        "imaps://kim@host",
        "imaps://kim:hidden@",
        "imaps://kim:hidden@host:port",
        "imaps://kim:hidden@host/INBOX?a=b",
        "imaps://kim:hidden@host/#part",
        "imaps://kim:hid den@host",
        "imaps://kim:hidden%0D%0A@host",
        "imaps://kim:hidden@host/IN%0ABOX",
        "imaps://kim:hidd%C3%A9n@host",
    ],
)
def test_what_makes_no_sense_is_told_without_the_password(url: str) -> None:
    with pytest.raises(ValueError, match="mailbox") as told:
        parse_url(url)
    assert "hid" not in str(told.value)


def test_a_new_password_changes_nothing_about_which_mailbox_it_is() -> None:
    same = {parse_url(f"{scheme}://kim:{word}@h:993").identity for scheme, word in [("imaps", "a"), ("imap", "b")]}
    others = {parse_url(f"imaps://{rest}").identity for rest in ("kim:a@h/Two", "jo:a@h", "kim:a@i", "kim:a@h:99")}
    assert (len(same), len(others | same)) == (1, 5)
