"""What gateways of texts tell: what became of a text, and what people answer. Each is verified as it documents.

Twilio and, where a secret is set, Vonage and seven sign what they tell; the others document an address that holds a
secret, and so the address of all of them does (`connector/services/texts.py`).

Source: twilio.com/docs/usage/security, twilio.com/docs/messaging/guides/track-outbound-message-status;
developer.vonage.com/en/getting-started/concepts/signing-messages, …/messaging/sms/guides/delivery-receipts and
inbound-sms, …/opt-out-assist/guides/messaging-opted-out-numbers; docs.seven.io/en/rest-api/signing and webhooks;
46elks.se/docs/sms-delivery-reports and receive-sms; developers.clicksend.com/docs (SMS delivery receipts, inbound SMS).
"""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Iterator, Mapping
from datetime import datetime
from typing import Any
from urllib.parse import parse_qsl

from werkzeug.datastructures import Headers

from connector.errors import NotificationRejectedError
from connector.ports import Receipt, Reply, Signing, Told
from webhooks._age import check_time

_DELIVERED, _FAILED = "delivered", "failed"
_FAILURES = frozenset({"failed", "undelivered", "rejected", "expired", "notdelivered"})
_LONGEST_ID = 200
# How they tell why a text has failed, where that is that the owner of the number wants no more.
_TWILIO_STOPPED, _VONAGE_STOPPED = "21610", "9"
_DIGESTS = frozenset({"md5", "sha1", "sha256", "sha512"})


def parse(signing: Signing, url: str, headers: Headers, body: bytes, *, now: datetime) -> tuple[Told, ...]:
    """Return what a push tells that is of use to us, once it is verified; no I/O.

    Args:
        signing: Which gateway it is, and with what it signs.
        url: The whole address at which it came in, as the gateway knows it.
        headers: Of the request.
        body: As it came.
        now: Where a gateway signs when it tells, that was minutes ago at most.
    Raises: NotificationRejectedError if it is not genuine, or makes no sense.
    """
    values = _values(headers, body)
    _verify(signing, url, headers, body, values)
    _check_age(signing, headers, values, now)
    return tuple(_told(signing.slug, values))


def _values(headers: Headers, body: bytes) -> Mapping[str, Any]:
    """Return the fields of a form, or of an object in JSON."""
    try:
        if "json" not in headers.get("Content-Type", "").lower():
            return dict(parse_qsl(body.decode(), keep_blank_values=True, max_num_fields=200))
        values = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise NotificationRejectedError("what a gateway tells makes no sense") from error
    if not isinstance(values, dict):
        raise NotificationRejectedError("what a gateway tells makes no sense")
    return values


def _verify(signing: Signing, url: str, headers: Headers, body: bytes, values: Mapping[str, Any]) -> None:
    """Raise NotificationRejectedError for what a gateway that signs has not signed."""
    if not signing.secret:
        return
    match signing.slug:
        case "twilio":
            shown, expected = headers.get("X-Twilio-Signature", ""), _of_twilio(signing, url, values)
        case "vonage":
            shown, expected = str(values.get("sig", "")).lower(), _of_vonage(signing, values)
        case "seven":
            shown, expected = headers.get("X-Signature", "").lower(), _of_seven(signing, url, headers, body)
        case _:
            return
    if not hmac.compare_digest(shown.encode(), expected.encode()):
        raise NotificationRejectedError(f"{signing.slug} has not signed this")


def _check_age(signing: Signing, headers: Headers, values: Mapping[str, Any], now: datetime) -> None:
    """Raise NotificationRejectedError for a copy of what a gateway has told long ago, where it signs its time, too."""
    match signing.slug:
        case "vonage" if signing.secret:
            check_time(str(values.get("timestamp", "")), now)
        case "seven" if signing.secret:
            check_time(headers.get("X-Timestamp", ""), now)
        case _:
            return


def _of_twilio(signing: Signing, url: str, values: Mapping[str, Any]) -> str:
    text = url + "".join(f"{name}{values[name]}" for name in sorted(values))
    return base64.b64encode(hmac.digest(signing.secret.encode(), text.encode(), "sha1")).decode()


def _of_vonage(signing: Signing, values: Mapping[str, Any]) -> str:
    """Return the signature of these fields; without a method it is the MD5 of them and the secret, which is usual."""
    clean = str.maketrans("&=", "__")
    text = "".join(f"&{name}={str(values[name]).translate(clean)}" for name in sorted(values) if name != "sig")
    if signing.method not in _DIGESTS:
        return hashlib.md5(f"{text}{signing.secret}".encode()).hexdigest()  # noqa: S324 - theirs, and they offer better
    return hmac.digest(signing.secret.encode(), text.encode(), signing.method).hex()


def _of_seven(signing: Signing, url: str, headers: Headers, body: bytes) -> str:
    digest = hashlib.md5(body).hexdigest()  # noqa: S324 - theirs; the signature is SHA-256
    parts = (headers.get("X-Timestamp", ""), headers.get("X-Nonce", ""), "POST", url, digest)
    return hmac.digest(signing.secret.encode(), "\n".join(parts).encode(), "sha256").hex()


def _told(slug: str, values: Mapping[str, Any]) -> Iterator[Told]:
    match slug:
        case "twilio":
            stopped = str(values.get("ErrorCode")) == _TWILIO_STOPPED
            yield from _receipt(values.get("MessageSid"), values.get("MessageStatus"), stopped=stopped)
            if "Body" in values and "MessageStatus" not in values:
                stops = values.get("OptOutType") == "STOP"
                yield from _reply(values.get("From"), values.get("Body"), values.get("MessageSid"), stops=stops)
        case "vonage":
            stopped = str(values.get("err-code")) == _VONAGE_STOPPED
            yield from _receipt(values.get("messageId"), values.get("status"), stopped=stopped)
            if "text" in values:
                yield from _reply(values.get("msisdn"), values.get("text"), values.get("messageId"))
        case "clicksend":
            if "status" in values or "status_text" in values:
                yield from _receipt(values.get("message_id"), values.get("status"))
            else:
                yield from _reply(values.get("from"), values.get("body"), values.get("message_id"))
        case "seven":
            yield from _of_event(values)
        case _:  # 46elks, and whoever tells as it does
            yield from _receipt(values.get("id"), values.get("status"))
            if "message" in values:
                yield from _reply(values.get("from"), values.get("message"), values.get("id"))


def _of_event(values: Mapping[str, Any]) -> Iterator[Told]:
    data = values.get("data")
    if not isinstance(data, dict):
        return
    match values.get("webhook_event"):
        case "dlr":
            yield from _receipt(data.get("msg_id"), data.get("status"))
        case "sms_mo":
            yield from _reply(data.get("sender"), data.get("text"), data.get("id"))


def _receipt(remote_id: Any, status: Any, *, stopped: bool = False) -> Iterator[Receipt]:
    """Yield what became of a text if that is its end; states on the way to it are of no use."""
    word = str(status or "").lower()
    state = _DELIVERED if word == _DELIVERED else _FAILED if word in _FAILURES else ""
    name = _id(remote_id)
    if state and name:
        yield Receipt(remote_id=name, state=state, stopped=stopped and state == _FAILED)


def _reply(number: Any, text: Any, remote_id: Any, *, stops: bool = False) -> Iterator[Reply]:
    digits = str(number or "").lstrip("+")
    if digits.isascii() and digits.isdigit():
        yield Reply(number=f"+{digits}", text=str(text or ""), stops=stops, remote_id=_id(remote_id))


def _id(remote_id: Any) -> str:
    """Return what a gateway calls a text; empty for what no gateway would."""
    name = str(remote_id) if isinstance(remote_id, str | int) else ""
    return name if len(name) <= _LONGEST_ID and name.isascii() and name.isprintable() else ""
