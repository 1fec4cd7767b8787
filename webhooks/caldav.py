"""Pushes from CalDAV servers: WebDAV-Push, encrypted for the channel whose address they come to.

Source: draft-bitfire-webdav-push-00
"""

from __future__ import annotations

import json
from datetime import datetime

from werkzeug.datastructures import Headers

from connector.errors import NotificationRejectedError
from connector.ports import Channel, Notification
from connector.webpush import SCHEME, Keys, check_signer, decrypt
from webhooks._addresses import ChannelAddress

LARGEST = 8 * 1024  # bytes; push services need not take more than four thousand (RFC 8030 section 7.2)


def unseal(channel: Channel, headers: Headers, body: bytes, *, origin: str, now: datetime) -> Notification:
    """Return a notification for a message that can be decrypted; its content decides nothing and is not read.

    `channel.remote_id` is as the provider's module wrote it: JSON with `signer`, the key the server has announced.

    Raises: NotificationRejectedError.
    """
    if len(body) > LARGEST or headers.get("Content-Encoding", "").strip().lower() != "aes128gcm":
        raise NotificationRejectedError("not a message of Web Push")
    signature = headers.get("Authorization", "")
    signer = json.loads(channel.remote_id)["signer"] if channel.remote_id else ""
    if signer and signature.lower().startswith(f"{SCHEME} "):
        check_signer(signature, signer, origin=origin, now=now)
    decrypt(body, Keys.of(channel.secret))
    return Notification(channel_id=channel.id, secret=channel.secret)


WEBHOOK = ChannelAddress(unseal=unseal)
