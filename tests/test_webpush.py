"""Messages of Web Push: read if they were encrypted for the channel and signed by its server, refused otherwise."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta

import pytest
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from werkzeug.datastructures import Headers

from connector import webpush
from connector.errors import NotificationRejectedError
from connector.ports import Channel, Notification
from connector.webpush import Keys
from tests.fakes.web_push import data, encrypt, point, sign, signed_for, text
from webhooks import caldav

NOW = datetime(2026, 11, 23, 9, 0, tzinfo=UTC)
ORIGIN = "https://pencilled.example"
SECRET = "the secret of a channel"
KEYS = Keys.of(SECRET)
SERVER = ec.generate_private_key(ec.SECP256R1())
MESSAGE = b'<push-message xmlns="https://bitfire.at/webdav-push"><topic>t</topic></push-message>'


def channel(signer: str | None = "") -> Channel:
    """A channel; None for one whose registration has not been answered yet."""
    remote_id = "" if signer is None else json.dumps({"url": "https://dav.example/1", "signer": signer})
    return Channel(id="one", remote_id=remote_id, secret=SECRET, expires_at=NOW + timedelta(days=7))


def unseal(body: bytes, signature: str = "", *, signer: str | None = "", encoding: str = "aes128gcm") -> Notification:
    headers = Headers({"Content-Encoding": encoding} | ({"Authorization": signature} if signature else {}))
    return caldav.unseal(channel(signer), headers, body, origin=ORIGIN, now=NOW)


def message(padding: int = 0) -> bytes:
    return encrypt(MESSAGE, KEYS.public, KEYS.auth, padding=padding)


def test_the_example_of_the_standard_is_read() -> None:
    """RFC 8291 section 5 and appendix A."""
    private = ec.derive_private_key(int.from_bytes(data("q1dXpw3UpT5VOmu_cf_v6ih07Aems3njxI-JWgLcM94")), ec.SECP256R1())
    body = data(
        "DGv6ra1nlYgDCS1FRnbzlwAAEABBBP4z9KsN6nGRTbVYI_c7VJSPQTBtkgcy27mlmlMoZIIgDll6e3vCYLocInmYWAmS6TlzAC8wEqKK6PBru3jl"
        "7A_yl95bQpu6cVPTpK4Mqgkf1CXztLVBSt2Ks3oZwbuwXPXLWyouBWLVWGNWQexSgSxsj_Qulcy4a-fN"
    )
    keys = Keys(private=private, auth=data("BTBZMqHH6r4Tts7J_aSIgg"))
    assert text(keys.public).startswith("BCVxsr7N_eNgVRqvHtD0zTZsEc6")
    assert webpush.decrypt(body, keys) == b"When I grow up, I want to be a watermelon"


def test_keys_follow_from_the_secret_alone() -> None:
    assert Keys.of(SECRET).public == KEYS.public
    assert Keys.of("another secret").public != KEYS.public
    assert (len(KEYS.public), len(KEYS.auth)) == (65, 16)


@pytest.mark.parametrize("padding", [0, 1, 500])
def test_what_was_encrypted_for_a_channel_is_its_notification(padding: int) -> None:
    assert unseal(message(padding)) == Notification(channel_id="one", secret=SECRET)


def _cut(body: bytes) -> bytes:
    return body[:-1]


def _bent(body: bytes) -> bytes:
    return body[:-1] + bytes([body[-1] ^ 1])


def _resalted(body: bytes) -> bytes:
    return bytes(16) + body[16:]


def _off_the_curve(body: bytes) -> bytes:
    return body[:21] + b"\x04" + bytes(64) + body[86:]


def _short_key(body: bytes) -> bytes:
    return body[:20] + b"\x40" + body[21:]


def _many_records(body: bytes) -> bytes:
    return body[:16] + (30).to_bytes(4) + body[20:]


@pytest.mark.parametrize(
    "change",
    [_cut, _bent, _resalted, _off_the_curve, _short_key, _many_records, lambda _: b"", lambda _: MESSAGE],
    ids=["cut", "bent", "resalted", "off the curve", "short key", "many records", "empty", "plain"],
)
def test_what_was_tampered_with_is_refused(change: Callable[[bytes], bytes]) -> None:
    with pytest.raises(NotificationRejectedError):
        unseal(change(message()))


def test_what_was_encrypted_for_somebody_else_is_refused() -> None:
    other = Keys.of("another secret")
    for public, auth in ((other.public, KEYS.auth), (KEYS.public, other.auth), (other.public, other.auth)):
        with pytest.raises(NotificationRejectedError):
            unseal(encrypt(MESSAGE, public, auth))


def test_what_is_no_last_record_is_refused() -> None:
    with pytest.raises(NotificationRejectedError, match="padded"):
        webpush.decrypt(_with_delimiter(b"\x01"), KEYS)
    with pytest.raises(NotificationRejectedError, match="padded"):
        webpush.decrypt(_with_delimiter(b""), KEYS)


def _with_delimiter(delimiter: bytes) -> bytes:
    """Encrypt nothing but zeros and a delimiter; the sender's own is cut off by making it part of the padding."""
    sender = ec.generate_private_key(ec.SECP256R1())
    shared = sender.exchange(ec.ECDH(), KEYS.private.public_key())
    key_material = webpush._hkdf(KEYS.auth, shared, b"WebPush: info\0" + KEYS.public + point(sender), 32)
    key = webpush._hkdf(bytes(16), key_material, b"Content-Encoding: aes128gcm\0", 16)
    nonce = webpush._hkdf(bytes(16), key_material, b"Content-Encoding: nonce\0", 12)
    sealed = AESGCM(key).encrypt(nonce, delimiter + bytes(20), None)
    return bytes(16) + (4096).to_bytes(4) + bytes([65]) + point(sender) + sealed


def test_other_encodings_and_giants_are_refused() -> None:
    for encoding in ("", "aesgcm", "gzip"):
        with pytest.raises(NotificationRejectedError):
            unseal(message(), encoding=encoding)
    with pytest.raises(NotificationRejectedError):
        unseal(bytes(caldav.LARGEST + 1))


def test_a_signature_by_the_announced_key_is_good() -> None:
    assert unseal(message(), signed_for(SERVER, ORIGIN, now=NOW), signer=text(point(SERVER)))


def test_an_unsigned_message_proves_itself_by_being_readable() -> None:
    assert unseal(message(), signer=text(point(SERVER)))
    assert unseal(message(), "Basic abc", signer=text(point(SERVER)))


def test_a_message_may_come_before_the_servers_key_is_stored() -> None:
    assert unseal(message(), signed_for(SERVER, ORIGIN, now=NOW), signer=None)


SOON = int((NOW + timedelta(hours=1)).timestamp())


@pytest.mark.parametrize(
    "signature",
    [
        signed_for(ec.generate_private_key(ec.SECP256R1()), ORIGIN, now=NOW),
        sign(SERVER, audience="https://elsewhere.example", expires=SOON),
        sign(SERVER, audience=ORIGIN, expires=int((NOW - timedelta(hours=1)).timestamp())),
        sign(SERVER, audience=ORIGIN, expires=int((NOW + timedelta(days=3)).timestamp())),
        sign(SERVER, audience=ORIGIN, expires=1e300),
        sign(SERVER, audience=ORIGIN, expires="soon"),
        sign(SERVER, audience=ORIGIN, expires=None),
        sign(SERVER, audience=ORIGIN, expires=float("nan")),
        sign(SERVER, audience=[ORIGIN], expires=SOON),
        sign(SERVER, audience=ORIGIN, expires=SOON, algorithm="none"),
        sign(SERVER, audience=ORIGIN, expires=SOON).replace("vapid t=", "vapid t=x"),
        sign(SERVER, audience=ORIGIN, expires=SOON).replace(", k=", "x, k="),
        f"vapid t=a.b.{text(bytes(64))}, k={text(point(SERVER))}",
        f"vapid t=, k={text(point(SERVER))}",
        f"vapid k={text(point(SERVER))}",
        "vapid ",
        "vapid t=é, k=é",
    ],
    ids=[
        "another key",
        "another audience",
        "expired",
        "expires too late",
        "expires never",
        "expires in words",
        "no expiry",
        "not a number",
        "two audiences",
        "no algorithm",
        "bent token",
        "bent name",
        "foreign token",
        "empty token",
        "no token",
        "nothing",
        "not ASCII",
    ],
)
def test_a_signature_that_does_not_fit_is_refused(signature: str) -> None:
    with pytest.raises(NotificationRejectedError):
        unseal(message(), signature, signer=text(point(SERVER)))
