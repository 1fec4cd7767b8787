from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from datetime import timedelta
from threading import Event, Thread

import pytest

from connector.domain.notice import NoticeKind
from connector.errors import LeaseLostError
from connector.outbox.smtp import Security, SmtpSender, check, parse_url
from connector.ports import NotSentError, asking_first
from tests.fakes.dripping import Drip, Dripping
from tests.outbox.people import BRAND, FROM, letter

Answer = Callable[[str], bytes | None]


def sender(url: str, *, seconds: float = 10) -> SmtpSender:
    return SmtpSender(url, from_address=FROM, brand=BRAND, timeout=timedelta(seconds=seconds))


def failure(act: Callable[[], None]) -> NotSentError:
    with pytest.raises(NotSentError) as caught:
        act()
    return caught.value


@contextmanager
def scripted(greeting: bytes | None, answer: Answer) -> Iterator[str]:
    """A server that says what it is told to; an answer of None hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listening:
        thread = Thread(target=_serve, args=(listening, greeting, answer))
        thread.start()
        try:
            yield f"smtp://127.0.0.1:{listening.getsockname()[1]}"
        finally:
            thread.join(60)


def _serve(listening: socket.socket, greeting: bytes | None, answer: Answer) -> None:
    connection, _ = listening.accept()
    with suppress(ConnectionError), connection, connection.makefile("rb") as lines:
        if greeting is None:
            return
        connection.sendall(greeting)
        in_data = False
        for line in lines:
            verb = "." if in_data and line == b".\r\n" else line[:4].strip().decode().upper()
            if in_data and verb != ".":
                continue
            said = answer(verb)
            if said is None:
                return
            in_data = said.startswith(b"354")
            connection.sendall(said)
            if verb == "QUIT":
                return


def obliging(verb: str) -> bytes:
    return {"DATA": b"354 go on\r\n", "QUIT": b"221 bye\r\n"}.get(verb, b"250 OK\r\n")


@pytest.mark.parametrize("silent_at", ["EHLO", "MAIL", "RCPT", "DATA", "."])
def test_server_that_hangs_up_is_a_passing_fault(silent_at: str) -> None:
    with scripted(b"220 hello\r\n", lambda verb: None if verb == silent_at else obliging(verb)) as url:
        error = failure(lambda: sender(url).send(letter(NoticeKind.BOOKED)))

    assert not error.permanent
    assert error.__context__ is None


def test_server_that_hangs_up_before_greeting_is_a_passing_fault() -> None:
    with scripted(None, obliging) as url:
        assert not failure(lambda: sender(url).send(letter(NoticeKind.BOOKED))).permanent


def test_server_that_turns_us_away_at_the_door_is_a_fault_of_the_configuration() -> None:
    with scripted(b"554 5.7.1 no service for you\r\n", obliging) as url:
        error = failure(lambda: sender(url).send(letter(NoticeKind.BOOKED)))

    assert not error.permanent
    assert "554 5.7.1" in str(error)
    assert "scheme, host and port" in str(error)


def test_refused_starttls_is_a_fault_of_the_configuration() -> None:
    def answer(verb: str) -> bytes:
        return {"EHLO": b"250-me\r\n250 STARTTLS\r\n", "STAR": b"554 no\r\n"}.get(verb, b"250 OK\r\n")

    with scripted(b"220 hello\r\n", answer) as url:
        error = failure(lambda: check(url.replace("smtp://", "smtp+starttls://")))

    assert not error.permanent
    assert "STARTTLS" in str(error)


def test_silent_server_is_given_up_at_the_deadline_of_the_whole_attempt() -> None:
    given_up = Event()

    def answer(verb: str) -> bytes | None:
        if verb != "MAIL":
            return obliging(verb)
        given_up.wait(60)
        return None

    with scripted(b"220 hello\r\n", answer) as url:
        began = time.monotonic()
        error = failure(lambda: sender(url, seconds=0.3).send(letter(NoticeKind.BOOKED)))
        took = time.monotonic() - began
        given_up.set()

    assert not error.permanent
    assert "took too long" in str(error)
    assert took < 30


@pytest.mark.parametrize(
    "drip",
    [Drip(b"220-", b"hello"), Drip(b"220-hello\r\n", b"220-there\r\n"), Drip(b"")],
    ids=["word", "lines", "nothing"],
)
def test_server_that_never_comes_to_an_end_is_given_up_at_the_deadline_of_the_whole_attempt(drip: Drip) -> None:
    with Dripping(drip, speaks_first=True) as server:
        error = failure(lambda: check(f"smtp://127.0.0.1:{server.port}", timeout=timedelta(seconds=0.2)))
        server.await_end()

    assert not error.permanent
    assert "took too long" in str(error)


LINES = (b"-" + b"a" * 500 + b"\r\n") * 200


def test_greeting_that_floods_is_given_up_at_once() -> None:
    with Dripping(Drip(b"220" + LINES.replace(b"\n-", b"\n220-"), b"220-x\r\n"), speaks_first=True) as server:
        error = failure(lambda: check(f"smtp://127.0.0.1:{server.port}", timeout=timedelta(minutes=10)))

    assert not error.permanent
    assert "one reply had more than 65536 bytes, while connecting" in str(error)


@pytest.mark.parametrize("floods_at", ["EHLO", "MAIL", "RCPT", "DATA", "."])
def test_server_that_floods_is_a_passing_fault(floods_at: str) -> None:
    def answer(verb: str) -> bytes:
        return b"250" + LINES.replace(b"\n-", b"\n250-") if verb == floods_at else obliging(verb)

    with scripted(b"220 hello\r\n", answer) as url:
        error = failure(lambda: sender(url, seconds=600).send(letter(NoticeKind.BOOKED)))

    assert not error.permanent
    assert "one reply had more than" in str(error)
    assert error.unknown == (floods_at in {"DATA", "."})


def test_server_that_has_much_to_say_is_heard() -> None:
    lines = b"".join(b"250-X%d\r\n" % number for number in range(1000)) + b"250 OK\r\n"

    def answer(verb: str) -> bytes:
        return lines if verb == "EHLO" else obliging(verb)

    with scripted(b"220 hello\r\n", answer) as url:
        sender(url).send(letter(NoticeKind.BOOKED))


def test_goodbye_without_an_end_does_not_send_a_letter_again() -> None:
    gone = Event()

    def answer(verb: str) -> bytes | None:
        if verb == "QUIT":
            gone.wait(60)
        return obliging(verb)

    with scripted(b"220 hello\r\n", answer) as url:
        sender(url, seconds=0.5).send(letter(NoticeKind.BOOKED))
        gone.set()


def test_trouble_after_the_mail_was_taken_does_not_send_it_again() -> None:
    with scripted(b"220 hello\r\n", lambda verb: b"421 off\r\n" if verb == "QUIT" else obliging(verb)) as url:
        sender(url).send(letter(NoticeKind.BOOKED))


def test_who_has_lost_the_claim_while_the_server_was_slow_hands_no_letter_over() -> None:
    heard: list[str] = []

    def answer(verb: str) -> bytes:
        heard.append(verb)
        return obliging(verb)

    def lost() -> None:
        raise LeaseLostError("another worker may have the claim")

    with (
        scripted(b"220 hello\r\n", answer) as url,
        asking_first(lost),
        pytest.raises(LeaseLostError),
    ):
        sender(url).send(letter(NoticeKind.BOOKED))

    assert heard[-1] == "DATA"  # and not the end of the letter


@pytest.mark.parametrize(
    ("url", "security", "host", "port"),
    [
        ("smtp://mail.example.org", Security.NONE, "mail.example.org", 25),
        ("smtp+starttls://mail.example.org", Security.STARTTLS, "mail.example.org", 587),
        ("smtps://mail.example.org/", Security.TLS, "mail.example.org", 465),
        ("SMTPS://[::1]:2465", Security.TLS, "::1", 2465),
    ],
)
def test_url_names_security_host_and_port(url: str, security: Security, host: str, port: int) -> None:
    server = parse_url(url)

    assert (server.security, server.host, server.port, server.user) == (security, host, port, "")


def test_credentials_are_percent_decoded_and_not_shown() -> None:
    server = parse_url("smtp+starttls://kim%40example.org:p%40ss%2Fw%3Ard@mail.example.org")

    assert (server.user, server.password) == ("kim@example.org", "p@ss/w:rd")
    assert "p@ss" not in repr(server)


@pytest.mark.parametrize(
    ("url", "advice"),
    [
        ("http://mail.example.org", "begins with smtp://"),
        ("mail.example.org", "begins with smtp://"),
        ("smtp://", "scheme://host:port"),
        ("smtp://mail.example.org/inbox", "scheme://host:port"),
        ("smtp://mail.example.org?x=hush", "scheme://host:port"),
        ("smtp://mail example.org", "scheme://host:port"),
        ("smtp://u:hush/hush@mail.example.org", "."),
        ("smtp://mail.example.org:0x19", "port"),
        ("smtp://mail.example.org:99999", "port"),
        ("smtp://u@mail.example.org", "both user and password"),
        ("smtp://:hush@mail.example.org", "both user and password"),
        ("smtp://u:h%C3%BCsh@mail.example.org", "ASCII"),
    ],
)
def test_bad_url_is_refused_with_advice_and_without_its_password(url: str, advice: str) -> None:
    with pytest.raises(ValueError, match=advice) as caught:
        parse_url(url)

    assert "hush" not in str(caught.value)
    assert caught.value.__cause__ is None
