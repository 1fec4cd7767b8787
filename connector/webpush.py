"""Web Push as its receiver sees it: what a channel's messages are encrypted for, how they are read, and who signed.

Source: RFC 8291, RFC 8188 (encryption); RFC 8292 (signature).
"""

from __future__ import annotations

import base64
import hashlib
import json
import struct
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from cryptography.exceptions import InvalidSignature, InvalidTag
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import encode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

from connector.errors import NotificationRejectedError

SCHEME = "vapid"
_CURVE_ORDER = 0xFFFFFFFF00000000FFFFFFFFFFFFFFFFBCE6FAADA7179E84F3B9CAC2FC632551  # of P-256
_POINT = 65  # bytes of an uncompressed point
_HEADER = struct.Struct(f">16sIB{_POINT}s")  # salt, record size, length of the key, the sender's key
_TAG = 16
_LAST_RECORD = 2
_SIGNATURE = 64
_LONGEST_LIFE = timedelta(hours=24)  # of a signed token (RFC 8292 section 2)
_LEEWAY = timedelta(minutes=5)  # between the server's clock and ours


@dataclass(frozen=True, slots=True, kw_only=True)
class Keys:
    """What a message is encrypted for.

    Attributes:
        public: The uncompressed point of 65 bytes that the sender was given.
        auth: The 16 bytes that the sender was given beside it.
    """

    private: ec.EllipticCurvePrivateKey = field(repr=False)
    auth: bytes = field(repr=False)

    @classmethod
    def of(cls, secret: str) -> Keys:
        """Derive a channel's keys from its secret, so that a message can be read before its registration is stored."""
        seed = int.from_bytes(hashlib.sha512(f"webdav-push key {secret}".encode()).digest())
        private = ec.derive_private_key(seed % (_CURVE_ORDER - 1) + 1, ec.SECP256R1())
        return cls(private=private, auth=hashlib.sha256(f"webdav-push auth {secret}".encode()).digest()[:16])

    @property
    def public(self) -> bytes:
        """The uncompressed point that the sender was given."""
        return point_of(self.private.public_key())


def point_of(key: ec.EllipticCurvePublicKey) -> bytes:
    """Return a public key as the uncompressed point of 65 bytes."""
    return key.public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def decrypt(body: bytes, keys: Keys) -> bytes:
    """Return the plain text of an `aes128gcm` message of one record.

    Raises: NotificationRejectedError if it was not encrypted for these keys.
    """
    if len(body) <= _HEADER.size + _TAG:
        raise NotificationRejectedError("too short for an encrypted message")
    salt, record_size, key_length, point = _HEADER.unpack_from(body)
    sealed = body[_HEADER.size :]
    if key_length != _POINT or len(sealed) > record_size:
        raise NotificationRejectedError("no encrypted message of one record")
    try:
        sender = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        shared = keys.private.exchange(ec.ECDH(), sender)
        key_material = _hkdf(keys.auth, shared, b"WebPush: info\0" + keys.public + point, 32)
        key = _hkdf(salt, key_material, b"Content-Encoding: aes128gcm\0", 16)
        nonce = _hkdf(salt, key_material, b"Content-Encoding: nonce\0", 12)
        record = AESGCM(key).decrypt(nonce, sealed, None)
    except (ValueError, InvalidTag) as error:
        raise NotificationRejectedError("not encrypted for this channel") from error
    text = record.rstrip(b"\0")
    if not text or text[-1] != _LAST_RECORD:
        raise NotificationRejectedError("padded in a way nobody pads")
    return text[:-1]


def check_signer(authorization: str, key: str, *, origin: str, now: datetime) -> None:
    """Check that a message was signed lately, for us, by the key that the server has announced.

    Args:
        authorization: The header, `vapid t=<token>, k=<key>`.
        key: The announced one, the uncompressed point in base64url.
        origin: Ours, such as `https://pencilled.example`.
        now: Aware UTC.
    Raises: NotificationRejectedError.
    """
    scheme, _, rest = authorization.partition(" ")
    parameters = {name.strip(): value.strip() for name, _, value in (part.partition("=") for part in rest.split(","))}
    if scheme.lower() != SCHEME or _bytes(parameters.get("k", "")) != _bytes(key):
        raise NotificationRejectedError("not signed by the key that was announced")
    signed_text, _, signature = parameters.get("t", "").rpartition(".")
    header_text, _, claims_text = signed_text.partition(".")
    if _json(header_text).get("alg") != "ES256" or not _verifies(_bytes(key), signed_text.encode(), _bytes(signature)):
        raise NotificationRejectedError("the signature does not fit")
    claims = _json(claims_text)
    if claims.get("aud") != origin:
        raise NotificationRejectedError("signed for somebody else")
    try:
        expires_at = datetime.fromtimestamp(float(claims["exp"]), UTC)
    except (KeyError, TypeError, ValueError, OverflowError, OSError) as error:
        raise NotificationRejectedError("signed without a date") from error
    if not now - _LEEWAY < expires_at < now + _LONGEST_LIFE + _LEEWAY:
        raise NotificationRejectedError("signed long ago, or for too long")


def _hkdf(salt: bytes, key: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(key)


def _bytes(text: str) -> bytes:
    """Decode base64url with or without padding; nothing where it is none."""
    try:
        return base64.b64decode(text.rstrip("=") + "=" * (-len(text.rstrip("=")) % 4), b"-_", validate=True)
    except ValueError:
        return b""


def _json(text: str) -> Mapping[str, Any]:
    try:
        value = json.loads(_bytes(text))
    except (ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _verifies(point: bytes, signed: bytes, signature: bytes) -> bool:
    if len(signature) != _SIGNATURE:
        return False
    r, s = (int.from_bytes(half) for half in (signature[:32], signature[32:]))
    try:
        key = ec.EllipticCurvePublicKey.from_encoded_point(ec.SECP256R1(), point)
        key.verify(encode_dss_signature(r, s), signed, ec.ECDSA(SHA256()))
    except (ValueError, InvalidSignature):
        return False
    return True
