"""WebDAV-Push: how a CalDAV server that can notifies us when a collection changes.

The server encrypts what it sends for a key of the channel's own; we are our own push service.
Source: draft-bitfire-webdav-push-00
"""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime, parsedate_to_datetime
from typing import Any

from caldav.elements.base import BaseElement
from lxml import etree

from connector.errors import MissingError, ProviderError, RefusedError
from connector.ports import Channel
from connector.sentence import Sentence
from connector.webpush import Keys
from providers._wire import Answer, Http, joined
from providers.caldav import dav

LIFE = timedelta(days=7)  # asked for; a server decides
_FEATURE = "webdav-push"
_PUSH = "{https://bitfire.at/webdav-push}"
_DONE = frozenset({200, 201, 204})
_GONE = frozenset({404, 410})


class Transports(BaseElement):
    """Which ways of pushing a collection knows."""

    tag = _PUSH + "transports"


class SupportedTriggers(BaseElement):
    """Which changes of a collection can be pushed."""

    tag = _PUSH + "supported-triggers"


class Push:
    """The push channels of one collection, where its server has any."""

    def __init__(self, http: Http, url: str) -> None:
        self._http = http
        self._collection = url

    def watch(self, *, channel_id: str, secret: str, address: str, now: datetime) -> Channel:
        """Register an address of the channel's own, `address` and its id.

        `remote_id` becomes JSON: `url` of the registration, and `signer`, the key the server signs its messages with.

        Raises: RefusedError if the server does not push, or not there; another ProviderError.
        """
        signer = self._signer()
        body = _registration(f"{address}/{channel_id}", Keys.of(secret), until=now + LIFE)
        answer = self._http.request("POST", self._collection, headers=dav.headers(), body=body)
        if answer.status not in _DONE:
            raise _refusal(answer)
        location = answer.headers.get("location", "")
        if not location:
            raise RefusedError(Sentence("the server registers a push address without telling where"))
        remote = {"url": joined(self._collection, location), "signer": signer}
        return Channel(
            id=channel_id, remote_id=json.dumps(remote), secret=secret, expires_at=_expiry(answer, default=now + LIFE)
        )

    def renew(self, channel: Channel, *, address: str, now: datetime) -> Channel:
        """Register the same address again, which makes it last longer."""
        return self.watch(channel_id=channel.id, secret=channel.secret, address=address, now=now)

    def unwatch(self, channel: Channel) -> None:
        """End a registration; ending one that is gone is harmless.

        Raises: ProviderError.
        """
        answer = self._http.request("DELETE", json.loads(channel.remote_id)["url"], headers={})
        if answer.status not in _DONE | _GONE:
            raise dav.meaning(answer)

    def _signer(self) -> str:
        """Return the key the server will sign with, empty for none; makes sure that it can push changes of events.

        Raises: RefusedError if it cannot.
        """
        answer = self._http.request("OPTIONS", self._collection, headers={})
        if answer.status not in _DONE:
            raise _refusal(answer)
        if _FEATURE not in {feature.strip().lower() for feature in answer.headers.get("dav", "").split(",")}:
            raise RefusedError(Sentence("the server has no WebDAV-Push"))
        body = dav.propfind(Transports, SupportedTriggers)
        answer = self._http.request("PROPFIND", self._collection, headers=dav.headers(0), body=body)
        for row in dav.rows_about(answer):
            transports, triggers = row.tags(Transports), row.tags(SupportedTriggers)
            if f"{_PUSH}web-push" in transports and f"{_PUSH}content-update" in triggers:
                return _public_key(row.props)
        raise RefusedError(Sentence("the server has WebDAV-Push, but not for this calendar"))


def _public_key(props: Mapping[str, Any]) -> str:
    for key in props[Transports.tag].iter(f"{_PUSH}vapid-public-key"):
        if key.get("type", "p256ecdsa") == "p256ecdsa":
            return (key.text or "").strip()
    return ""


def _registration(address: str, keys: Keys, *, until: datetime) -> bytes:
    """Ask to be notified of every change to the members of a collection."""
    root = etree.Element(f"{_PUSH}push-register", nsmap={"P": _PUSH.strip("{}"), "D": "DAV:"})
    target = etree.SubElement(etree.SubElement(root, f"{_PUSH}subscription"), f"{_PUSH}web-push-subscription")
    etree.SubElement(target, f"{_PUSH}push-resource").text = address
    etree.SubElement(target, f"{_PUSH}content-encoding").text = "aes128gcm"
    etree.SubElement(target, f"{_PUSH}subscription-public-key", type="p256dh").text = _text(keys.public)
    etree.SubElement(target, f"{_PUSH}auth-secret").text = _text(keys.auth)
    update = etree.SubElement(etree.SubElement(root, f"{_PUSH}trigger"), f"{_PUSH}content-update")
    etree.SubElement(update, "{DAV:}depth").text = "1"
    etree.SubElement(root, f"{_PUSH}expires").text = format_datetime(until.astimezone(UTC), usegmt=True)
    body: bytes = etree.tostring(root, encoding="utf-8", xml_declaration=True)
    return body


def _text(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).rstrip(b"=").decode()


def _refusal(answer: Answer) -> ProviderError:
    """Return what an answer means; that something is missing says nothing here about the calendar itself."""
    reasons = sorted(name.removeprefix(_PUSH) for name in dav.preconditions(answer) if name.startswith(_PUSH))
    error = dav.meaning(answer)
    if reasons or isinstance(error, MissingError):
        return RefusedError(
            Sentence("the server will not push: %(reason)s", reason=", ".join(reasons) or error.sentence)
        )
    return error


def _expiry(answer: Answer, *, default: datetime) -> datetime:
    try:
        expires_at = parsedate_to_datetime(answer.headers.get("expires", ""))
        return expires_at.replace(tzinfo=expires_at.tzinfo or UTC).astimezone(UTC)
    except (ValueError, TypeError, OverflowError):
        return default
