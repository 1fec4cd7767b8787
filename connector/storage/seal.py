"""Sealed credentials, and signed tokens for links; both under keys that can be rotated."""

from __future__ import annotations

import base64
import hashlib
import hmac
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from uuid import UUID

import msgspec
from cryptography.fernet import Fernet, InvalidToken, MultiFernet
from itsdangerous import BadSignature, URLSafeSerializer

from connector.errors import NotFoundError, SettingsError

_SHORT_BYTES = 10  # nobody guesses 80 bits at the pace at which guesses are answered
_DERIVED_BYTES = 16

_DIGITS = 6  # of a code: whoever types it may try a few times


class Seal:
    """Seals and signs under the newest key and still opens what older ones sealed.

    Args:
        keys: Secrets of at least 32 characters, newest first.
    """

    def __init__(self, keys: Sequence[str]) -> None:
        self._fernet = MultiFernet([Fernet(_derive(key, "credentials")) for key in keys])
        self._links = [key.encode() for key in reversed(keys)]  # itsdangerous signs with the last
        self._serializers: dict[str, URLSafeSerializer] = {}

    def seal(self, credentials: Mapping[str, str]) -> bytes:
        """Encrypt and authenticate credentials (Fernet: AES-128-CBC and HMAC-SHA256)."""
        return self._fernet.encrypt(msgspec.json.encode(dict(credentials)))

    def open(self, sealed: bytes) -> dict[str, str]:
        """Return sealed credentials.

        Raises: SettingsError if none of the keys fits.
        """
        try:
            return msgspec.json.decode(self._fernet.decrypt(sealed), type=dict[str, str])
        except InvalidToken as error:
            fault = (
                "CONNECTOR_SECRET_KEYS: none of the keys opens the stored credentials; add the former key at the end"
            )
            raise SettingsError([fault]) from error

    def reseal(self, sealed: bytes) -> bytes:
        """Return the same credentials sealed under the newest key."""
        return self._fernet.rotate(sealed)

    def token(self, purpose: str, identity: UUID, *, since: datetime | None = None, reader: str = "") -> str:
        """Return an unguessable token for a link; the same at every call while the newest key stays.

        Args:
            purpose: What the link is for: no other takes it.
            identity: What it stands for.
            since: Since when that is as the link says, aware UTC, whole seconds; None where it stays as it is.
            reader: The address to which the link is sent, and for whose reader alone it is; empty where it is for
                whoever has it.
        """
        since_text = f"{since.timestamp():.0f}" if since else ""
        reader_text = _reader_digest(self._links[-1], reader) if reader else ""
        said = f"{identity.hex}.{since_text}.{reader_text}".rstrip(".")
        return self._serializer(purpose).dumps(said)

    def check_reader(self, purpose: str, token: str, reader: str) -> None:
        """Let nobody in by a token that was sent to another address than this; one that is for whoever has it, is.

        Raises: NotFoundError, as `identity` does.
        """
        *_, digest = self._said(purpose, token)
        if digest and digest not in [_reader_digest(key, reader) for key in self._links]:
            raise _not_ours()

    def short_token(self, purpose: str, identity: UUID, *, reader: str = "") -> str:
        """Return a token of 16 characters, 80 bits, for a link that must be short; only its hash is to be stored.

        Args:
            purpose: What the link is for.
            identity: What it stands for.
            reader: The number to which it is sent: another one makes another token for the same thing.
        """
        return self.short_tokens(purpose, identity, reader=reader)[0]

    def short_tokens(self, purpose: str, identity: UUID, *, reader: str = "") -> Sequence[str]:
        """Return what `short_token` returns by each key, that of the newest first."""
        words = f"pencilled.short.{purpose}.{identity.hex}.{reader.lower()}".encode()
        digests = (hmac.digest(key, words, "sha256")[:_SHORT_BYTES] for key in reversed(self._links))
        return [base64.b32encode(digest).decode().lower() for digest in digests]

    def derived_tokens(self, purpose: str, identity: UUID) -> tuple[str, ...]:
        """Return the tokens of 26 characters, 128 bits, that stand for something under each key, the newest first.

        Which of them it was given tells the hash that is stored of it.
        """
        words = f"pencilled.derived.{purpose}.{identity.hex}".encode()
        digests = (hmac.digest(key, words, "sha256")[:_DERIVED_BYTES] for key in reversed(self._links))
        return tuple(base64.b32encode(digest).decode().rstrip("=").lower() for digest in digests)

    def claimed_identity(self, token: str) -> UUID:
        """Return what a token says that it stands for, which nothing proves before `identity` has looked at it.

        Raises: NotFoundError if it says nothing.
        """
        _, said = self._serializer("").loads_unsafe(token)
        try:
            return UUID(hex=said)
        except (ValueError, TypeError, AttributeError) as error:
            raise _not_ours() from error

    def code(self, purpose: str, identity: UUID) -> str:
        """Return six digits for somebody to type; the same at every call while the newest key stays."""
        return self.codes(purpose, identity)[0]

    def codes(self, purpose: str, identity: UUID) -> Sequence[str]:
        """Return what `code` returns by each key, that of the newest first."""
        digests = (hmac.digest(key, _words("digits", purpose, identity), "sha256") for key in reversed(self._links))
        return [f"{int.from_bytes(digest) % 10**_DIGITS:0{_DIGITS}}" for digest in digests]

    def proof(self, purpose: str, identity: UUID, code: str) -> bytes:
        """Return what a typed code is compared with; nobody learns the code from it who has none of the keys."""
        return hmac.digest(self._links[-1], _words("proof", purpose, identity, code), "sha256")

    def proves(self, purpose: str, identity: UUID, code: str, proof: bytes) -> bool:
        """Whether a code is the one that was meant; takes as long whatever was typed."""
        words = _words("proof", purpose, identity, code)
        fits = [hmac.compare_digest(hmac.digest(key, words, "sha256"), proof) for key in self._links]
        return any(fits)

    def identity(self, purpose: str, token: str) -> UUID:
        """Return what a token stands for.

        Raises: NotFoundError if it is not one of ours.
        """
        return self.subject(purpose, token)[0]

    def subject(self, purpose: str, token: str) -> tuple[UUID, datetime | None]:
        """Return what a token stands for, and since when that is as it says, if it says so.

        Raises: NotFoundError if it is not one of ours.
        """
        identity, since, _ = self._said(purpose, token)
        try:
            return UUID(hex=identity), datetime.fromtimestamp(int(since), UTC) if since else None
        except (ValueError, OverflowError) as error:
            raise _not_ours() from error

    def sign(self, purpose: str, parts: Sequence[str]) -> str:
        """Return a token that says these texts, for everybody to read and nobody to change."""
        return self._serializer(purpose).dumps(list(parts))

    def signed(self, purpose: str, token: str) -> list[str]:
        """Return the texts that a token of `sign` says.

        Raises: NotFoundError if it is not one of ours.
        """
        try:
            said = self._serializer(purpose).loads(token)
        except (BadSignature, ValueError, TypeError) as error:
            raise _not_ours() from error
        return [str(part) for part in said]

    def _serializer(self, purpose: str) -> URLSafeSerializer:
        found = self._serializers.get(purpose)
        if found is None:
            signing = {"digest_method": hashlib.sha256, "key_derivation": "hmac"}
            found = URLSafeSerializer(self._links, salt=f"pencilled.{purpose}", signer_kwargs=signing)
            self._serializers[purpose] = found
        return found

    def _said(self, purpose: str, token: str) -> tuple[str, str, str]:
        """Return what a token says: what it stands for, since when, and a digest of whose address; empty for nothing.

        Raises: NotFoundError if it is not one of ours.
        """
        try:
            identity, since, reader = (*self._serializer(purpose).loads(token).split("."), "", "")[:3]
        except (BadSignature, ValueError, TypeError, AttributeError) as error:
            raise _not_ours() from error
        return identity, since, reader


def _not_ours() -> NotFoundError:
    return NotFoundError(
        "This link is not complete, or not one of ours. Open it again from the mail.", code="link_invalid"
    )


def _reader_digest(key: bytes, address: str) -> str:
    """Return what tells an address from every other, and tells it to nobody who has none of the keys."""
    return hmac.digest(key, f"pencilled.reader.{address.lower()}".encode(errors="replace"), "sha256")[:6].hex()


def _words(use: str, purpose: str, identity: UUID, text: str = "") -> bytes:
    return f"pencilled.{use}.{purpose}.{identity.hex}.{text}".encode(errors="replace")


def _derive(key: str, purpose: str) -> bytes:
    return base64.urlsafe_b64encode(hashlib.sha256(f"{purpose}\x1f{key}".encode()).digest())
