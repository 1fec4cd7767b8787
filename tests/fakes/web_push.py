"""A server that sends Web Push messages: encrypts as RFC 8291 says, and signs as RFC 8292 says."""

from __future__ import annotations

import base64
import json
import os
import struct
from datetime import datetime, timedelta

from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.ciphers.aead import AESGCM
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat

CURVE = ec.SECP256R1()


def text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def data(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


def point(key: ec.EllipticCurvePrivateKey) -> bytes:
    return key.public_key().public_bytes(Encoding.X962, PublicFormat.UncompressedPoint)


def encrypt(plain: bytes, public: bytes, auth: bytes, *, padding: int = 0, record_size: int = 4096) -> bytes:
    """Return an `aes128gcm` body of one record."""
    sender, salt = ec.generate_private_key(CURVE), os.urandom(16)
    shared = sender.exchange(ec.ECDH(), ec.EllipticCurvePublicKey.from_encoded_point(CURVE, public))
    mixed = _derive(auth, shared, b"WebPush: info\0" + public + point(sender), 32)
    key = _derive(salt, mixed, b"Content-Encoding: aes128gcm\0", 16)
    nonce = _derive(salt, mixed, b"Content-Encoding: nonce\0", 12)
    sealed = AESGCM(key).encrypt(nonce, plain + b"\x02" + bytes(padding), None)
    return struct.pack(">16sIB", salt, record_size, 65) + point(sender) + sealed


def sign(key: ec.EllipticCurvePrivateKey, *, audience: object, expires: object, algorithm: str = "ES256") -> str:
    """Return an Authorization header."""
    head, claims = {"typ": "JWT", "alg": algorithm}, {"aud": audience, "exp": expires, "sub": "mailto:dav@example"}
    signed = f"{text(json.dumps(head).encode())}.{text(json.dumps(claims).encode())}"
    r, s = decode_dss_signature(key.sign(signed.encode(), ec.ECDSA(SHA256())))
    return f"vapid t={signed}.{text(r.to_bytes(32) + s.to_bytes(32))}, k={text(point(key))}"


def signed_for(key: ec.EllipticCurvePrivateKey, origin: str, *, now: datetime) -> str:
    """Return the Authorization header a well-behaved server sends."""
    return sign(key, audience=origin, expires=int((now + timedelta(hours=12)).timestamp()))


def _derive(salt: bytes, key: bytes, info: bytes, length: int) -> bytes:
    return HKDF(SHA256(), length, salt, info).derive(key)
