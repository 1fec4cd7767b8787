"""The calendar services' door: a notification is checked and makes a pull due; the answer is empty."""

from __future__ import annotations

import threading
import time
from collections import Counter
from collections.abc import Callable
from importlib import import_module
from math import inf
from pathlib import Path
from urllib.parse import urlsplit

from flask import Blueprint, Response, request
from sqlalchemy.exc import DBAPIError
from sqlalchemy.exc import TimeoutError as WaitedTooLongError
from werkzeug.exceptions import RequestEntityTooLarge

from connector import counters, paths
from connector.errors import NotFoundError, NotificationRejectedError, SettingsError
from connector.failures import tell
from connector.ports import Notification
from connector.runtime import Runtime
from connector.services import receiving
from connector.services import texts as text_service
from connector.services.accounts import subscriptions
from connector.services.accounts.notifications import receive
from connector.storage import channels
from webhooks._addresses import ChannelAddress, Parse, SharedAddress, Unseal, Webhook, may_be_ours
from webhooks._age import TOLERANCE
from webhooks._handshake import Handshake

LARGEST = 64 * 1024  # bytes of one push
_TEXTS = "sms"  # no provider's: gateways of texts tell there what becomes of them
_MAIL = "mail"  # no provider's: gateways post there what clients write
UNKNOWN = "unknown"  # the provider of a push that is for none in use
_TOLD_EVERY_SECONDS = 3600.0
_NO_CONTENT, _CREATED, _NOT_FOUND, _TOO_LARGE, _UNAVAILABLE = 204, 201, 404, 413, 503


class _Refusals:
    """Tells of a push that proves nothing when the first comes, and once an hour while more do: strangers send them."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._again_at: dict[str, float] = {}
        self._untold: Counter[str] = Counter()

    def note(self, slug: str, error: NotificationRejectedError) -> None:
        """Note one, and tell of all since the last time if it is time."""
        now = time.monotonic()
        with self._lock:
            self._untold[slug] += 1
            if now < self._again_at.get(slug, -inf):
                return
            self._again_at[slug] = now + _TOLD_EVERY_SECONDS
            refused = self._untold.pop(slug)
        tell("notification_refused", str(error), provider=slug, attempts=refused)


def available() -> frozenset[str]:
    """Return the slugs of the providers that can push, by file name; imports none of them."""
    modules = (path.stem for path in Path(__file__).parent.glob("*.py"))
    return frozenset(stem for stem in modules if not stem.startswith("_") and stem not in (_TEXTS, _MAIL))


def load(slug: str) -> Webhook:
    """Import the module of an available provider, and return how pushes of it come in."""
    webhook: Webhook = import_module(f"webhooks.{slug}").WEBHOOK
    return webhook


def blueprint(runtime: Runtime) -> Blueprint:
    """Return the routes of one installation; they need no cookie, and must be exempt from CSRF protection.

    A provider's module is imported at its first push.
    """
    routes = Blueprint("hooks", __name__, url_prefix=paths.NOTIFICATIONS)
    enabled, refusals = available() & set(runtime.settings.providers), _Refusals()

    @routes.post(f"/{_TEXTS}/<token>")
    def texts(token: str) -> Response:
        """Take in what the gateway of texts tells."""
        if runtime.texts is None:
            return _empty(_NOT_FOUND, UNKNOWN, "refused")
        return _answer(_TEXTS, refusals, lambda body: _told(runtime, token, body))

    @routes.post(f"/{_MAIL}")
    def mail() -> Response:
        """Take in a mail that a gateway posts."""
        from webhooks.mail import LARGEST as LARGEST_POST  # noqa: PLC0415 - as the modules of providers

        if not (runtime.settings.mail_secret or runtime.settings.mailgun_key):
            return _empty(_NOT_FOUND, UNKNOWN, "refused")
        return _answer(_MAIL, refusals, lambda body: _posted(runtime, body), largest=LARGEST_POST)

    @routes.post("/<slug>")
    def notification(slug: str) -> Response:
        """Take in a push to the address all of a provider's channels share."""
        webhook = load(slug) if slug in enabled else None
        if not isinstance(webhook, SharedAddress):
            return _empty(_NOT_FOUND, UNKNOWN, "refused")
        return _answer(slug, refusals, lambda body: _parsed(runtime, slug, webhook.parse, body))

    @routes.post("/<slug>/<channel_id>")
    def sealed(slug: str, channel_id: str) -> Response:
        """Take in a push to the address of one channel."""
        webhook = load(slug) if slug in enabled else None
        if not isinstance(webhook, ChannelAddress):
            return _empty(_NOT_FOUND, UNKNOWN, "refused")
        return _answer(slug, refusals, lambda body: _unsealed(runtime, slug, webhook.unseal, channel_id, body))

    return routes


def _answer(
    slug: str, refusals: _Refusals, take_in: Callable[[bytes], Response], *, largest: int = LARGEST
) -> Response:
    """Answer a push; a refusal gives no reason, and what cannot be stored is to be sent again."""
    request.max_content_length = largest
    try:
        return take_in(request.get_data(cache=False))
    except RequestEntityTooLarge:
        return _empty(_TOO_LARGE, slug, "too_large")
    except NotificationRejectedError as error:
        refusals.note(slug, error)
        return _empty(_NOT_FOUND, slug, "refused")
    except (DBAPIError, WaitedTooLongError, SettingsError) as error:
        tell("notification_not_stored", error, provider=slug)
        return _empty(_UNAVAILABLE, slug, "failed")


def _parsed(runtime: Runtime, slug: str, parse: Parse, body: bytes) -> Response:
    push = parse(request.headers, request.args.to_dict(), body)
    if isinstance(push, Handshake):
        _count(slug, "handshake")
        answer = Response(push.text, mimetype="text/plain")
        answer.headers["X-Content-Type-Options"] = "nosniff"
        return answer
    _receive(runtime, slug, push)
    return Response(status=_NO_CONTENT)


def _told(runtime: Runtime, token: str, body: bytes) -> Response:
    from webhooks import sms  # noqa: PLC0415 - as the modules of providers: at the first push

    if runtime.texts is None or not _is_door(runtime, token):
        raise NotificationRejectedError("no address of ours")
    url = runtime.settings.public_url + paths.texts(token)
    now = runtime.clock()
    told = sms.parse(runtime.texts, url, request.headers, body, now=now)
    with runtime.database.begin() as db:
        taken = text_service.receive(db, runtime.policy, told, now=now)
    if taken < len(told):
        with runtime.database.begin() as db:
            taken += text_service.look_again(db, runtime.policy, told, now=now)
    _count(_TEXTS, "received", taken)
    return Response(status=_NO_CONTENT)


def _is_door(runtime: Runtime, token: str) -> bool:
    try:
        return runtime.seal.identity(text_service.PURPOSE, token) == text_service.DOOR
    except NotFoundError:
        return False


def _posted(runtime: Runtime, body: bytes) -> Response:
    from webhooks import mail  # noqa: PLC0415 - as above

    secrets = mail.Secrets(ours=runtime.settings.mail_secret, mailgun=runtime.settings.mailgun_key)
    now = runtime.clock()
    posted = mail.posted(request.headers, body, secrets=secrets, now=now)
    with runtime.database.begin() as db:
        if posted.token and not receiving.is_first(db, posted.raw, token=posted.token, ends_at=now + 2 * TOLERANCE):
            raise NotificationRejectedError("what a gateway has signed has come before, with another mail")
        receiving.receive(db, posted.raw, door=posted.door, now=now)
    _count(_MAIL, "received")
    return Response(status=_NO_CONTENT)


def _unsealed(runtime: Runtime, slug: str, unseal: Unseal, channel_id: str, body: bytes) -> Response:
    if not may_be_ours(channel_id):
        raise NotificationRejectedError("no channel of ours")
    with runtime.database.read() as db:
        row = channels.get(db, channel_id)
    if row is None or row.provider != slug:
        raise NotificationRejectedError("no channel of ours")
    now = runtime.clock()
    channel = subscriptions.service_channel(runtime.seal, row, now=now)
    address = urlsplit(runtime.settings.public_url)
    origin = f"{address.scheme}://{address.netloc}"
    notification = unseal(channel, request.headers, body, origin=origin, now=now)
    _receive(runtime, slug, (notification,))
    return Response(status=_CREATED)


def _receive(runtime: Runtime, slug: str, notifications: tuple[Notification, ...]) -> None:
    try:
        ours = _ours(notifications)
        received = receive(runtime.database, ours, provider=slug, now=runtime.clock())
    except NotificationRejectedError:
        _count(slug, "refused", len(notifications) - 1)  # one is counted with the answer
        raise
    _count(slug, "received", len(ours) - received.refused)
    _count(slug, "refused", len(notifications) - len(ours) + received.refused)


def _ours(notifications: tuple[Notification, ...]) -> tuple[Notification, ...]:
    """Leave out what cannot be looked for.

    Raises: NotificationRejectedError if that is all there was.
    """
    ours = tuple(one for one in notifications if may_be_ours(one.channel_id, one.secret))
    if notifications and not ours:
        raise NotificationRejectedError("no channel of ours")
    return ours


def _empty(status: int, slug: str, verdict: str) -> Response:
    _count(slug, verdict)
    return Response(status=status)


def _count(slug: str, verdict: str, times: int = 1) -> None:
    """Count what became of notifications, however many came in one push; of pushes, where that is as far as it got."""
    counters.add(counters.NOTIFICATIONS, times, provider=slug, verdict=verdict)
