from __future__ import annotations

import socket
import ssl
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest
import trustme

from connector import app
from connector.domain.notice import NoticeKind
from connector.outbox.smtp import SmtpSender, check
from connector.ports import NotSentError
from tests.fakes.mailbox import Mailbox
from tests.outbox.people import BRAND, CLIENT, FROM, SESSION, letter
from tests.outbox.variations import to

SECRET = "p@ss/w%rd:#"


@pytest.fixture(scope="module")
def server() -> Iterator[Mailbox]:
    with Mailbox() as opened:
        yield opened


@pytest.fixture
def mailbox(server: Mailbox) -> Iterator[Mailbox]:
    """The one server of this module, as good as new."""
    server.clear()
    yield server
    for stage in ("mail", "rcpt", "data"):
        server.refuse_with(None, at=stage)


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[trustme.CA, str]:
    authority = trustme.CA()
    path = tmp_path_factory.mktemp("authority") / "ca.pem"
    authority.cert_pem.write_to_path(str(path))
    return authority, str(path)


def server_context(authority: trustme.CA, name: str = "127.0.0.1") -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    authority.issue_cert(name).configure_cert(context)
    return context


def sender(url: str, *, seconds: float = 10, ca_file: str | None = None) -> SmtpSender:
    return SmtpSender(url, from_address=FROM, brand=BRAND, timeout=timedelta(seconds=seconds), ca_file=ca_file)


def failure(act: Callable[[], None]) -> NotSentError:
    with pytest.raises(NotSentError) as caught:
        act()
    return caught.value


def test_letter_arrives_with_its_fixed_envelope(mailbox: Mailbox) -> None:
    sender(mailbox.url).send(letter(NoticeKind.MOVED))

    (caught,) = mailbox.wait_for(lambda messages: any("New time" in m.message["Subject"] for m in messages))
    assert caught.sender == SESSION.organizer
    assert caught.recipients == (CLIENT.address,)
    assert caught.greeted_as == "sessions.example.org"
    assert caught.message["Message-ID"] == "<2@sessions.example.org>"


@pytest.mark.parametrize(("languages", "subject"), [("en,de", "Ihr Termin am"), ("en", "Your session on")])
def test_letter_is_in_the_language_of_its_reader_where_the_installation_speaks_it(
    mailbox: Mailbox, tmp_path: Path, languages: str, subject: str
) -> None:
    url = f"sqlite:///{tmp_path}/pencilled.sqlite3"
    settings = {"CONNECTOR_DATABASE_URL": url, "CONNECTOR_SMTP_URL": mailbox.url, "CONNECTOR_LANGUAGES": languages}

    app.build(app.read_settings(settings)).sender.send(to(letter(NoticeKind.BOOKED), locale="de_AT"))

    (caught,) = mailbox.wait_for(1)
    assert caught.message["Subject"].startswith(subject)


def test_letter_to_the_practitioner_comes_from_the_product_itself(mailbox: Mailbox) -> None:
    sender(mailbox.url).send(letter(NoticeKind.CLIENT_REJECTED))

    (caught,) = mailbox.wait_for(1)
    assert caught.sender == FROM
    assert caught.message["From"].addresses[0].addr_spec == FROM


def test_calendar_part_survives_the_journey_byte_for_byte(mailbox: Mailbox) -> None:
    sender(mailbox.url).send(letter(NoticeKind.BOOKED))

    (caught,) = mailbox.wait_for(1)
    invitation, attachment = (
        part.get_payload(decode=True)
        for part in caught.message.walk()
        if part.get_content_type() in ("text/calendar", "application/ics")
    )
    assert invitation == attachment
    assert isinstance(invitation, bytes)
    assert invitation.startswith(b"BEGIN:VCALENDAR\r\n")
    assert caught.raw.isascii()
    assert b"\r\r\n" not in caught.raw
    assert b"\n" not in caught.raw.replace(b"\r\n", b"")


def test_a_burst_from_several_threads_arrives_whole(mailbox: Mailbox) -> None:
    sending = sender(mailbox.url)

    with ThreadPoolExecutor(8) as pool:
        list(pool.map(sending.send, [letter(NoticeKind.REJECTED)] * 24))

    assert len(mailbox.wait_for(24)) == 24


def test_starttls_with_login_is_verified_and_encrypted(authority: tuple[trustme.CA, str]) -> None:
    ca, ca_file = authority
    with Mailbox(user="kim@example.org", password=SECRET, certificate=server_context(ca)) as mailbox:
        assert mailbox.url.startswith("smtp+starttls://kim%40example.org:")

        sender(mailbox.url, ca_file=ca_file).send(letter(NoticeKind.BOOKED))

        assert mailbox.wait_for(1)[0].encrypted


def test_implicit_tls_with_login_is_verified_and_encrypted(authority: tuple[trustme.CA, str]) -> None:
    ca, ca_file = authority
    with Mailbox(user="u", password=SECRET, certificate=server_context(ca), implicit_tls=True) as mailbox:
        sender(mailbox.url, ca_file=ca_file).send(letter(NoticeKind.BOOKED))

        assert mailbox.wait_for(1)[0].encrypted


@pytest.mark.parametrize("implicit", [False, True])
def test_certificate_nobody_vouches_for_is_not_trusted(authority: tuple[trustme.CA, str], *, implicit: bool) -> None:
    _, ca_file = authority
    with Mailbox(certificate=server_context(trustme.CA()), implicit_tls=implicit) as mailbox:
        error = failure(lambda: sender(mailbox.url, ca_file=ca_file).send(letter(NoticeKind.BOOKED)))

        assert not error.permanent
        assert "certificate" in str(error)
        assert mailbox.messages == []


def test_certificate_for_another_host_is_not_trusted(authority: tuple[trustme.CA, str]) -> None:
    ca, ca_file = authority
    with Mailbox(certificate=server_context(ca, "mail.example.org")) as mailbox:
        error = failure(lambda: check(mailbox.url, ca_file=ca_file))

        assert "certificate" in str(error)


def test_server_without_starttls_is_never_spoken_to_in_the_clear(mailbox: Mailbox) -> None:
    url = mailbox.url.replace("smtp://", "smtp+starttls://u:p@")

    error = failure(lambda: sender(url).send(letter(NoticeKind.BOOKED)))

    assert not error.permanent
    assert "STARTTLS" in str(error)


def test_tls_towards_a_plain_port_names_what_to_check(mailbox: Mailbox) -> None:
    error = failure(lambda: check(mailbox.url.replace("smtp://", "smtps://")))

    assert not error.permanent
    assert "scheme and port" in str(error)


@pytest.mark.parametrize("stage", ["rcpt", "data"])
@pytest.mark.parametrize(("code", "permanent"), [(550, True), (554, True), (451, False), (421, False)])
def test_refusal_of_a_letter_lasts_only_if_the_server_says_so(
    mailbox: Mailbox, stage: str, code: int, *, permanent: bool
) -> None:
    mailbox.refuse_with(code, at=stage)

    error = failure(lambda: sender(mailbox.url).send(letter(NoticeKind.BOOKED)))

    assert error.permanent is permanent
    assert f"{code} {code // 100}.1.1" in str(error)


@pytest.mark.parametrize("code", [550, 553, 451])
def test_refused_sender_is_a_fault_of_the_configuration(mailbox: Mailbox, code: int) -> None:
    mailbox.refuse_with(code, at="mail")

    error = failure(lambda: sender(mailbox.url).send(letter(NoticeKind.BOOKED)))

    assert not error.permanent
    assert "configured address" in str(error)


def test_refused_login_is_a_fault_of_the_configuration(authority: tuple[trustme.CA, str]) -> None:
    ca, ca_file = authority
    with Mailbox(user="u", password="right", certificate=server_context(ca)) as mailbox:
        error = failure(lambda: check(mailbox.url.replace("right", "wrong"), ca_file=ca_file))

        assert not error.permanent
        assert "user and password" in str(error)
        assert "wrong" not in str(error)


def test_server_that_wants_a_login_says_so_to_the_operator() -> None:
    with Mailbox(user="u", password="right") as mailbox:
        error = failure(lambda: sender(mailbox.url.replace("u:right@", "")).send(letter(NoticeKind.BOOKED)))

        assert not error.permanent
        assert "530" in str(error)


def test_login_where_none_is_offered_names_the_remedy(mailbox: Mailbox) -> None:
    error = failure(lambda: check(mailbox.url.replace("smtp://", "smtp://u:p@")))

    assert not error.permanent
    assert "offers no login" in str(error)


@pytest.mark.parametrize("code", [550, 451])
@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
def test_letter_goes_out_once_the_server_has_recovered(mailbox: Mailbox, stage: str, code: int) -> None:
    sending = sender(mailbox.url)
    mailbox.refuse_with(code, at=stage)
    failure(lambda: sending.send(letter(NoticeKind.BOOKED)))
    mailbox.refuse_with(None, at=stage)

    sending.send(letter(NoticeKind.BOOKED))

    assert len(mailbox.wait_for(1)) == 1


@pytest.mark.parametrize("stage", ["mail", "rcpt", "data"])
def test_errors_betray_neither_the_reader_nor_the_subject(mailbox: Mailbox, stage: str) -> None:
    mailbox.refuse_with(550, at=stage)

    error = failure(lambda: sender(mailbox.url).send(letter(NoticeKind.BOOKED)))

    assert CLIENT.address not in str(error)
    assert "1 Dec" not in str(error)
    assert error.__context__ is None  # a chained error would carry the address into the log
    assert error.__cause__ is None


def test_letter_that_cannot_be_written_is_refused_for_good(mailbox: Mailbox) -> None:
    error = failure(lambda: sender(mailbox.url).send(letter(NoticeKind.OFFERED, link=None)))

    assert error.permanent
    assert "offered" in str(error)
    assert error.__context__ is None
    assert mailbox.messages == []


def test_nobody_listening_is_a_passing_fault() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        port = closed.getsockname()[1]

    error = failure(lambda: sender(f"smtp://127.0.0.1:{port}").send(letter(NoticeKind.BOOKED)))

    assert not error.permanent
    assert str(port) in str(error)


def test_check_of_a_good_server_says_nothing_and_sends_nothing(mailbox: Mailbox) -> None:
    check(mailbox.url)

    assert mailbox.messages == []
