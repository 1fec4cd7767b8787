"""Mail gateways post what they have taken in: raw MIME, signed with a secret of ours, or as Mailgun does.

What is genuine is only that the gateway has posted it. Who wrote the mail is found out when it is read.

Source: Standard Webhooks (github.com/standard-webhooks/standard-webhooks, spec 1.0.0); Mailgun, "Receiving HTTP
Messages Through a Forward() Action" and "Securing Webhooks" (documentation.mailgun.com).
"""

from __future__ import annotations

import base64
import binascii
import hmac
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from urllib.parse import parse_qsl

from werkzeug.datastructures import Headers
from werkzeug.exceptions import RequestEntityTooLarge
from werkzeug.http import parse_options_header
from werkzeug.sansio.multipart import Data, Epilogue, Field, File, MultipartDecoder, NeedData

from connector.errors import NotificationRejectedError
from connector.storage.incoming import Door
from webhooks._age import check_time

LARGEST = 4 * 1024 * 1024  # bytes of a post; a mail of more than the bounds allow is still counted, and not kept
_MOST_FIELDS = 200
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


def posted(headers: Headers, body: bytes, *, secrets: Secrets, now: datetime) -> Posted:
    """Return the mail that a gateway has posted; no I/O.

    Raises: NotificationRejectedError if the post is not genuine, not of these minutes, or holds no mail.
    """
    kind, options = parse_options_header(headers.get("Content-Type", ""))
    if kind in _FORMS:
        fields = _fields(kind, options, body)
        mail = _of_mailgun(fields, secrets.mailgun, now=now)
        return Posted(raw=mail, door=Door.MAILGUN, token=fields["token"].decode("latin-1"))
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


def _of_mailgun(fields: Mapping[str, bytes], key: str, *, now: datetime) -> bytes:
    """Return the mail in a form; Mailgun signs time and token alone, and TLS has to keep the rest together."""
    if not key:
        raise NotificationRejectedError("no key of Mailgun is set")
    at, token = fields.get("timestamp", b""), fields.get("token", b"")
    check_time(at.decode("latin-1"), now)
    expected = hmac.new(key.encode(), at + token, "sha256").hexdigest()
    if not hmac.compare_digest(fields.get("signature", b""), expected.encode()):
        raise NotificationRejectedError("Mailgun has not signed this")
    mail = fields.get("body-mime", b"")
    if not mail:
        raise NotificationRejectedError("a form of Mailgun holds no mail: its route must end in `mime`")
    return mail


def _fields(kind: str, options: Mapping[str, str], body: bytes) -> Mapping[str, bytes]:
    """Return the fields of a form, each byte by byte: a mail may have any, and its signature is over them."""
    if len(body) > LARGEST:
        raise NotificationRejectedError("what a gateway has posted is too large")
    try:
        every = _parts(options.get("boundary", ""), body) if kind == _IN_PARTS else _pairs(body)
        return dict(reversed(every))  # of several the first
    except (ValueError, RequestEntityTooLarge) as error:
        raise NotificationRejectedError("what a gateway has posted is no form") from error


def _pairs(body: bytes) -> list[tuple[str, bytes]]:
    text = body.decode("latin-1")  # in which each byte is the character of its number, and so it is back again
    pairs = parse_qsl(text, keep_blank_values=True, encoding="latin-1", max_num_fields=_MOST_FIELDS)
    return [(name, value.encode("latin-1")) for name, value in pairs]


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
