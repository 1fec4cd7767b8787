"""The keys of signatures are looked up at a real server of names, on the loopback."""

from __future__ import annotations

import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import timedelta

import dns.message
import dns.rcode
import dns.rrset
import pytest

from connector.errors import TransientError
from connector.outbox.keys import DnsKeys

NAME = "k1._domainkey.client.example."
Answer = Callable[[dns.message.Message], dns.message.Message | None]


@contextmanager
def names(answer: Answer) -> Iterator[DnsKeys]:
    """Run a server of names, and return what asks it."""
    with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as server:
        server.bind(("127.0.0.1", 0))

        def serve() -> None:
            while True:
                query, asker = server.recvfrom(4096)
                if not query:
                    return
                response = answer(dns.message.from_wire(query))
                if response is not None:
                    server.sendto(response.to_wire(), asker)

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        port = server.getsockname()[1]
        try:
            yield DnsKeys(("127.0.0.1",), port=port, timeout=timedelta(seconds=2))
        finally:
            with socket.socket(socket.AF_INET, socket.SOCK_DGRAM) as stopping:
                stopping.sendto(b"", ("127.0.0.1", port))
            thread.join()


def records(*texts: str) -> Answer:
    def answer(query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query)
        if texts:
            response.answer.append(dns.rrset.from_text(NAME, 60, "IN", "TXT", *texts))
        return response

    return answer


def refusing(code: dns.rcode.Rcode) -> Answer:
    def answer(query: dns.message.Message) -> dns.message.Message:
        response = dns.message.make_response(query)
        response.set_rcode(code)
        return response

    return answer


def test_a_key_is_the_text_that_stands_there_put_together() -> None:
    with names(records('"v=DKIM1; " "p=abc"')) as keys:
        assert keys(NAME) == b"v=DKIM1; p=abc"


@pytest.mark.parametrize("answer", [records(), refusing(dns.rcode.NXDOMAIN)])
def test_a_name_at_which_nothing_stands_has_no_key(answer: Answer) -> None:
    with names(answer) as keys:
        assert keys(NAME) is None


@pytest.mark.parametrize("name", ["a..b", "a" * 64 + ".example.", ".".join(["a" * 60] * 6), "\udcff.example."])
def test_what_can_be_no_name_has_no_key(name: str) -> None:
    with names(records()) as keys:
        assert keys(name) is None


@pytest.mark.parametrize("answer", [refusing(dns.rcode.SERVFAIL), lambda _query: None])
def test_a_server_that_fails_or_is_silent_does_not_mean_that_there_is_no_key(answer: Answer) -> None:
    with names(answer) as keys, pytest.raises(TransientError) as caught:
        keys(NAME)
    assert "client.example" not in str(caught.value)
