"""Mail that gateways post: what they have signed is stored as they have it, and all else is refused without detail."""

from __future__ import annotations

import base64
import hmac
import tracemalloc
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from types import MappingProxyType
from urllib.parse import urlencode

import pytest
import sqlalchemy as sa
import structlog.testing
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers
from werkzeug.test import EnvironBuilder

import webhooks
from connector.errors import NotificationRejectedError
from connector.inbox.authorship import Proof
from connector.inbox.bounds import LARGEST
from connector.storage import tables
from connector.storage.ledger import Kind
from connector.web import pages
from tests.domain.examples import NOW
from tests.inbox import mails
from tests.inbox.test_authorship import proof, signed
from tests.services.practice import Practice
from tests.services.test_receiving import SERVER, reply
from webhooks import mail
from webhooks._age import TOLERANCE
from webhooks.mail import Secrets

from .stage import runtime_of

SECRET = "whsec_" + base64.b64encode(b"a secret of ours of thirty-two bytes").decode()
SECRETS = Secrets(ours=SECRET, mailgun="key-" + "0" * 32)
MAIL = mails.plain("Grüße")
FORM = "application/x-www-form-urlencoded"


def posted(
    body: bytes = MAIL,
    *,
    secret: str = SECRET,
    at: int = int(NOW.timestamp()),
    changes: Mapping[str, str] = MappingProxyType({}),
) -> Headers:
    """Return the headers of a post that is signed as Standard Webhooks says."""
    key = base64.b64decode(secret.removeprefix("whsec_")) if secret.startswith("whsec_") else secret.encode()
    signature = base64.b64encode(hmac.digest(key, f"msg_1.{at}.".encode() + body, "sha256")).decode()
    usual = {"webhook-id": "msg_1", "webhook-timestamp": str(at), "webhook-signature": f"v1,{signature}"}
    return Headers({"Content-Type": "message/rfc822"} | usual | dict(changes))


def fields(*, at: int = int(NOW.timestamp()), key: str = SECRETS.mailgun, **changes: str) -> dict[str, str]:
    """Return what Mailgun posts."""
    token = "c" * 50
    signature = hmac.new(key.encode(), f"{at}{token}".encode(), "sha256").hexdigest()
    usual = {"timestamp": str(at), "token": token, "signature": signature, "recipient": mails.ORGANIZER}
    return usual | {"body-mime": MAIL.decode()} | changes


def raw(headers: Headers, body: bytes = MAIL, secrets: Secrets = SECRETS) -> bytes:
    return mail.posted(headers, body, secrets=secrets, now=NOW).raw


def raw_form(form: dict[str, str], secrets: Secrets = SECRETS) -> bytes:
    return raw(Headers({"Content-Type": FORM}), urlencode(form).encode(), secrets)


def test_a_mail_that_is_signed_with_our_secret_is_taken_as_it_is() -> None:
    assert raw(posted()) == MAIL


def test_a_secret_may_be_any_text() -> None:
    secret = "whsec_no base64 and long enough!!!!"
    assert raw(
        posted(secret="a long text of thirty-two letters"), secrets=Secrets(ours="a long text of thirty-two letters")
    )
    with pytest.raises(NotificationRejectedError):
        raw(posted(), secrets=Secrets(ours=secret))


def test_one_of_several_signatures_is_enough_while_a_secret_is_replaced() -> None:
    genuine = posted()["webhook-signature"]
    assert raw(posted(changes={"webhook-signature": f"v1,AAAA v2,%% {genuine}"})) == MAIL


@pytest.mark.parametrize(
    ("headers", "body"),
    [
        (posted(), MAIL + b"more"),
        (posted(secret="another secret that is long enough"), MAIL),
        (posted(changes={"webhook-id": "msg_2"}), MAIL),
        (posted(changes={"webhook-signature": ""}), MAIL),
        (posted(changes={"webhook-signature": "v1,é"}), MAIL),
        (posted(changes={"webhook-timestamp": ""}), MAIL),
        (posted(changes={"webhook-timestamp": "9" * 400}), MAIL),
        (posted(changes={"webhook-timestamp": "²"}), MAIL),
        (posted(at=int((NOW - TOLERANCE - timedelta(seconds=1)).timestamp())), MAIL),
        (posted(at=int((NOW + TOLERANCE + timedelta(seconds=1)).timestamp())), MAIL),
        (posted(b""), b""),
        (Headers(), MAIL),
    ],
)
def test_a_mail_that_is_not_signed_with_our_secret_in_these_minutes_is_refused(headers: Headers, body: bytes) -> None:
    with pytest.raises(NotificationRejectedError):
        raw(headers, body)


def test_without_a_secret_nothing_is_genuine() -> None:
    with pytest.raises(NotificationRejectedError):
        raw(posted(secret=""), secrets=Secrets())
    with pytest.raises(NotificationRejectedError):
        raw_form(fields(key=""), Secrets())


def test_a_form_of_mailgun_holds_the_mail() -> None:
    assert raw_form(fields()) == MAIL


def test_a_form_of_mailgun_in_parts_holds_the_mail() -> None:
    environ = EnvironBuilder(
        method="POST", data=fields() | {"attachment-count": "0"}, content_type="multipart/form-data"
    )
    request = environ.get_request()
    body = request.get_data()
    assert raw(Headers({"Content-Type": request.headers["Content-Type"]}), body) == MAIL


@pytest.mark.parametrize(
    "form",
    [
        fields(signature="0" * 64),
        fields(signature="é"),
        fields(token="d" * 50),
        fields(timestamp="1"),
        fields(timestamp="soon"),
        fields(at=int((NOW - timedelta(hours=1)).timestamp())),
        fields() | {"body-mime": ""},
        {},
    ],
)
def test_a_form_that_mailgun_has_not_signed_in_these_minutes_is_refused(form: dict[str, str]) -> None:
    with pytest.raises(NotificationRejectedError):
        raw_form(form)


EVERY_BYTE = bytes(range(256)) + b"\r\n\xff%FC+ &=\r\n" + bytes(reversed(range(256)))


def in_parts(form: Mapping[str, bytes], boundary: str = "=_7Ma") -> tuple[Headers, bytes]:
    """Return a form as multipart/form-data, which leaves each byte as it is."""
    parts = (
        f'--{boundary}\r\nContent-Disposition: form-data; name="{name}"\r\n\r\n'.encode() + value + b"\r\n"
        for name, value in form.items()
    )
    headers = Headers({"Content-Type": f'multipart/form-data; boundary="{boundary}"'})
    return headers, b"".join(parts) + f"--{boundary}--\r\n".encode()


def in_pairs(form: Mapping[str, bytes]) -> tuple[Headers, bytes]:
    return Headers({"Content-Type": FORM}), urlencode(form).encode()


forms = pytest.mark.parametrize("coded", [in_parts, in_pairs])
Coded = Callable[[Mapping[str, bytes]], tuple[Headers, bytes]]


def form_of(mail: bytes) -> dict[str, bytes]:
    return {**{name: value.encode() for name, value in fields().items()}, "body-mime": mail}


@forms
def test_a_mail_in_a_form_is_taken_byte_by_byte(coded: Coded) -> None:
    assert raw(*coded(form_of(EVERY_BYTE))) == EVERY_BYTE


@forms
def test_a_mail_of_eight_bits_in_a_form_is_proved_by_its_signature(coded: Coded) -> None:
    top = mails.header("Content-Type: text/plain; charset=iso-8859-1", "Content-Transfer-Encoding: 8bit")
    written = top.encode() + b"\r\nGr\xfc\xdfe, ich kann nicht\r\n"
    assert proof(raw(*coded(form_of(signed(written))))) is Proof.SIGNATURE


def test_of_a_form_that_is_too_large_nothing_is_read() -> None:
    with pytest.raises(NotificationRejectedError):
        raw(*in_parts(form_of(b"a" * mail.LARGEST)))
    with pytest.raises(NotificationRejectedError):
        raw(*in_parts({str(n): b"" for n in range(300)} | form_of(MAIL)))


@pytest.mark.parametrize("filling", ["%", "%4", "%41", "+", "a=b&"])
def test_a_form_that_nothing_proves_takes_little_more_room_than_itself(filling: str) -> None:
    body = b"token=" + filling.encode() * (1_000_000 // len(filling))
    tracemalloc.start()
    try:
        with pytest.raises(NotificationRejectedError):
            raw(Headers({"Content-Type": FORM}), body)
        assert tracemalloc.get_traced_memory()[1] < 10 * len(body)
    finally:
        tracemalloc.stop()


def test_without_a_key_of_mailgun_a_form_is_not_even_read() -> None:
    with pytest.raises(NotificationRejectedError, match="no key of Mailgun is set"):
        raw(Headers({"Content-Type": FORM}), b"&" * 300, Secrets(ours=SECRET))


def test_a_form_that_is_none_is_refused() -> None:
    with pytest.raises(NotificationRejectedError):
        raw(Headers({"Content-Type": "multipart/form-data; boundary=x"}), b"--x\r\nno form")
    with pytest.raises(NotificationRejectedError):
        raw(Headers({"Content-Type": "multipart/form-data"}), b"x")


@pytest.fixture
def practice(sqlite_database: object) -> Practice:
    return Practice(sqlite_database)  # type: ignore[arg-type]


def door(practice: Practice, url: str, **settings: str) -> FlaskClient:
    runtime = runtime_of(practice, url)
    runtime.settings = replace(runtime.settings, **settings)  # type: ignore[arg-type]
    app = pages.create(runtime)
    hooks = webhooks.blueprint(runtime)
    app.extensions["csrf"].exempt(hooks)
    app.register_blueprint(hooks)
    return app.test_client()


def outcomes(practice: Practice) -> list[str | None]:
    with practice.database.read() as db:
        return list(db.execute(sa.select(tables.incoming_mails.c.outcome)).scalars())


def test_a_posted_mail_is_stored_and_read_when_it_is_due(practice: Practice, sqlite_url: str) -> None:
    client = door(practice, sqlite_url, mail_secret=SECRET)
    answers = [client.post("/hooks/mail", headers=posted(), data=MAIL) for _ in range(2)]
    assert [(answer.status_code, answer.data) for answer in answers] == [(204, b"")] * 2
    assert outcomes(practice) == [None]
    practice.carry_out(Kind.MAIL)
    assert outcomes(practice) == ["unmatched"]


def test_a_posted_mail_that_is_too_large_is_counted_and_not_posted_again(practice: Practice, sqlite_url: str) -> None:
    large = b"a" * (LARGEST + 1)
    answer = door(practice, sqlite_url, mail_secret=SECRET).post("/hooks/mail", headers=posted(large), data=large)
    assert (answer.status_code, outcomes(practice)) == (204, ["mail_size"])


def test_what_is_not_genuine_is_refused_without_a_word_and_stored_nowhere(practice: Practice, sqlite_url: str) -> None:
    client = door(practice, sqlite_url, mail_secret=SECRET)
    with structlog.testing.capture_logs() as lines:
        answer = client.post("/hooks/mail", headers=posted(), data=MAIL + b"more")
    assert (answer.status_code, answer.data, outcomes(practice)) == (404, b"", [])
    assert mails.CLIENT not in str(lines)


def test_without_a_secret_there_is_no_such_door(practice: Practice, sqlite_url: str) -> None:
    assert door(practice, sqlite_url).post("/hooks/mail", headers=posted(), data=MAIL).status_code == 404


@pytest.mark.parametrize(
    ("settings", "way", "trusted"),
    [
        ({"mail_server_id": SERVER}, "gateway", False),
        ({"mail_server_id": SERVER}, "mailgun", False),
        ({"mail_gateway_id": SERVER}, "mailgun", False),
        ({"mail_gateway_id": "another.example"}, "gateway", False),
        ({"mail_gateway_id": SERVER}, "gateway", True),
    ],
)
def test_the_word_of_a_server_counts_at_its_own_door_alone(
    practice: Practice,
    sqlite_url: str,
    settings: dict[str, str],
    way: str,
    trusted: bool,  # noqa: FBT001
) -> None:
    client = door(practice, sqlite_url, mail_secret=SECRET, mailgun_key=SECRETS.mailgun, **settings)
    practice.runtime = replace(practice.runtime, settings=replace(practice.runtime.settings, **settings))  # type: ignore[arg-type]
    answer = reply(practice, practice.book())
    at = int(practice.now.timestamp())
    if way == "gateway":
        client.post("/hooks/mail", headers=posted(answer, at=at), data=answer)
    else:
        client.post("/hooks/mail", data=fields(at=at) | {"body-mime": answer.decode()})
    practice.carry_out(Kind.MAIL)
    assert outcomes(practice) == ["applies" if trusted else "unproved"]


def test_what_mailgun_has_signed_goes_with_one_mail_however_often_that_is_posted(
    practice: Practice, sqlite_url: str
) -> None:
    client = door(practice, sqlite_url, mailgun_key=SECRETS.mailgun)
    genuine = fields(at=int(practice.now.timestamp()))
    other = genuine | {"body-mime": mails.plain("another").decode()}
    answers = [client.post("/hooks/mail", data=form).status_code for form in (genuine, other, genuine)]
    assert (answers, outcomes(practice)) == ([204, 404, 204], [None])


def test_what_a_gateway_has_signed_is_forgotten_once_its_age_refuses_it(practice: Practice, sqlite_url: str) -> None:
    client = door(practice, sqlite_url, mailgun_key=SECRETS.mailgun)
    client.post("/hooks/mail", data=fields(at=int((practice.now + TOLERANCE).timestamp())))
    for minutes, left in ((9, 1), (61, 0)):
        practice.wait(minutes=minutes)
        practice.carry_out(Kind.MAIL)
        practice.carry_out(Kind.UPKEEP)
        with practice.database.read() as db:
            assert len(db.execute(sa.select(tables.spent_tokens)).all()) == left
