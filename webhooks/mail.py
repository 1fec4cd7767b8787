"""Mail gateways post what they have taken in: raw MIME, signed with a secret of ours, or as Mailgun does.

What is genuine is only that the gateway has posted it. Who wrote the mail is found out when it is read.

Source: Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec 1.0.0); Mailgun, "Receiving HTTP
Messages Through a Forward() Action" and "Securing Webhooks" (documentation.mailgun.com).
"""

from __future__ import annotations

import base64
import binascii
import hmac
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from connector.errors import NotificationRejectedError
from connector.storage.incoming import Door
from webhooks._age import check_time

LARGEST = 4 * 1024 * 1024  # bytes of a post; a mail of more than the bounds allow is still counted, and not kept
_MOST_FIELDS = 200
_LONGEST_PROOF = 1000  # bytes of a field's name, and of what proves a form
_ESCAPED = re.compile(rb"%[0-9a-fA-F]{2}")
_BYTES = {f"%{n:02x}".encode(): bytes([n]) for n in range(256)}
_PREFIX = "whsec_"
_IN_PARTS = "multipart/form-data"
_FORMS = frozenset({_IN_PARTS, "application/x-www-form-urlencoded"})


@dataclass(frozen=True, slots=True, kw_only=True)
class Secrets:
    """With what gateways sign; empty where none does.

    Attributes:
        ours: For Standard Webhooks: base64 after `whsec_`, or any text.
        mailgun: The signing key of a Mailgun account.
    """

    ours: str = field(default="", repr=False)
    mailgun: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class Posted:
    """A mail that a gateway has posted.

    Attributes:
        raw: As it came to the gateway.
        door: By which signature; what one gateway lets through proves nothing about another.
        token: What was signed in the mail's stead, so that it goes with this one alone; empty where the mail is.
    """

    raw: bytes = field(repr=False)
    door: Door
    token: str = field(default="", repr=False)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Form:
    """The fields of a form as they came: what they say is read once it is needed, and a mail once it is proved."""

    fields: Mapping[str, bytes] = field(repr=False)
    is_quoted: bool

    def value(self, name: str) -> bytes:
        """Return what a field says; nothing if it is not there."""
        value = self.fields.get(name, b"")
        return _unquoted(value) if self.is_quoted else value

    def proving(self, name: str) -> bytes:
        """Return a short field that is looked at before anything is proved; nothing if it is not short."""
        return self.value(name) if len(self.fields.get(name, b"")) <= _LONGEST_PROOF else b""


def posted(headers: Headers, body: bytes, *, secrets: Secrets, now: datetime) -> Posted:
    """Return the mail that a gateway has posted; no I/O.

    Raises: NotificationRejectedError if the post is not genuine, not of these minutes, or holds no mail.
    """
    kind, options = parse_options_header(headers.get("Content-Type", ""))
    if kind in _FORMS:
        if not secrets.mailgun:
            raise NotificationRejectedError("no key of Mailgun is set")
        form = _form(kind, options, body)
        mail = _of_mailgun(form, secrets.mailgun, now=now)
        return Posted(raw=mail, door=Door.MAILGUN, token=form.proving("token").decode("latin-1"))
    _verify(headers, body, secrets.ours, now=now)
    if not body:
        raise NotificationRejectedError("a gateway has posted no mail")
    return Posted(raw=body, door=Door.GATEWAY)


def _verify(headers: Headers, body: bytes, secret: str, *, now: datetime) -> None:
    """Raise NotificationRejectedError unless one of the signatures is of our secret, over id, time and body."""
    identity, at = headers.get("webhook-id", ""), headers.get("webhook-timestamp", "")
    if not secret:
        raise NotificationRejectedError("no secret is set for mail that is posted")
    check_time(at, now)
    expected = hmac.digest(_key(secret), f"{identity}.{at}.".encode() + body, "sha256")
    signatures = headers.get("webhook-signature", "").split()
    if not any(hmac.compare_digest(_signature(one), expected) for one in signatures):
        raise NotificationRejectedError("a posted mail is not signed with our secret")


def _key(secret: str) -> bytes:
    if secret.startswith(_PREFIX):
        try:
            return base64.b64decode(secret.removeprefix(_PREFIX), validate=True)
        except binascii.Error:
            pass  # somebody's own text, after all
    return secret.encode()


def _signature(text: str) -> bytes:
    version, _, coded = text.partition(",")
    try:
        return base64.b64decode(coded.encode(errors="replace"), validate=True) if version == "v1" else b""
    except binascii.Error:
        return b""


def _of_mailgun(form: _Form, key: str, *, now: datetime) -> bytes:
    """Return the mail in a form; Mailgun signs time and token alone, and TLS has to keep the rest together."""
    at, token = form.proving("timestamp"), form.proving("token")
    check_time(at.decode("latin-1"), now)
    expected = hmac.new(key.encode(), at + token, "sha256").hexdigest()
    if not hmac.compare_digest(form.proving("signature"), expected.encode()):
        raise NotificationRejectedError("Mailgun has not signed this")
    mail = form.value("body-mime")
    if not mail:
        raise NotificationRejectedError("a form of Mailgun holds no mail: its route must end in `mime`")
    return mail


def _form(kind: str, options: Mapping[str, str], body: bytes) -> _Form:
    """Return a form, each field byte by byte: a mail may have any, and its signature is over them."""
    if len(body) > LARGEST:
        raise NotificationRejectedError("what a gateway has posted is too large")
    try:
        every = _parts(options.get("boundary", ""), body) if kind == _IN_PARTS else _pairs(body)
        return _Form(fields=dict(reversed(every)), is_quoted=kind != _IN_PARTS)  # of several the first
    except (ValueError, RequestEntityTooLarge) as error:
        raise NotificationRejectedError("what a gateway has posted is no form") from error


def _pairs(body: bytes) -> list[tuple[str, bytes]]:
    if body.count(b"&") >= _MOST_FIELDS:
        raise ValueError("a form of too many fields")
    pairs = (one.partition(b"=") for one in body.split(b"&") if one)
    return [(_unquoted(name).decode("latin-1"), value) for name, _, value in pairs if len(name) <= _LONGEST_PROOF]


def _unquoted(text: bytes) -> bytes:
    """Return what a field of a form of pairs says, in one pass."""
    return _ESCAPED.sub(lambda found: _BYTES[found[0].lower()], text.replace(b"+", b" "))


def _parts(boundary: str, body: bytes) -> list[tuple[str, bytes]]:
    if not boundary:
        raise ValueError("a form in parts that are not told apart")
    decoder = MultipartDecoder(boundary.encode("latin-1"), max_form_memory_size=LARGEST, max_parts=_MOST_FIELDS)
    decoder.receive_data(body)
    decoder.receive_data(None)
    parts: list[tuple[str, list[bytes]]] = []
    while not isinstance(event := decoder.next_event(), Epilogue | NeedData):
        if isinstance(event, Field | File):
            parts.append((event.name or "", []))
        elif isinstance(event, Data) and parts:
            parts[-1][1].append(event.data)
    return [(name, b"".join(chunks)) for name, chunks in parts]
