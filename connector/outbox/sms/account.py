"""An account at a gateway, as its URL names it, and what every adapter makes of it."""

from __future__ import annotations

import base64
import json
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import urlencode

from connector.outbox.http import Request
from connector.ports import Fate, SmsOutcome
from connector.sentence import Sentence


@dataclass(frozen=True, slots=True, kw_only=True)
class Account:
    """An account at a gateway; `origin` is empty for the gateway's own address."""

    slug: str
    origin: str = ""
    path: str = ""
    user: str = field(default="", repr=False)
    password: str = field(default="", repr=False)
    options: Mapping[str, str] = field(default_factory=dict, repr=False)

    def option(self, name: str) -> str:
        """Return what the URL says of something that cannot be left out.

        Raises: ValueError.
        """
        value = self.options.get(name, "")
        if not value:
            raise ValueError(f"a gateway of this kind needs ?{name}= in its URL")
        return value

    def check_both(self) -> None:
        """Refuse credentials of which one half is missing.

        Raises: ValueError.
        """
        if not self.user or not self.password:
            raise ValueError(f"a URL of {self.slug} names both user and password before the @")

    def post_form(self, url: str, values: Mapping[str, str], *, headers: Mapping[str, str] | None = None) -> Request:
        """Return a request with a form; what is empty is left out."""
        body = urlencode({name: value for name, value in values.items() if value}).encode()
        return self._post(url, body, "application/x-www-form-urlencoded", headers or self.basic)

    def post_json(self, url: str, value: object, *, headers: Mapping[str, str] | None = None) -> Request:
        """Return a request with a document of JSON."""
        return self._post(
            url, json.dumps(value, ensure_ascii=False).encode(), "application/json", headers or self.basic
        )

    @property
    def basic(self) -> Mapping[str, str]:
        """The credentials as HTTP has them (RFC 7617)."""
        if not self.user and not self.password:
            return {}
        pair = base64.b64encode(f"{self.user}:{self.password}".encode()).decode()
        return {"Authorization": f"Basic {pair}"}

    def get(self, url: str, *, headers: Mapping[str, str] | None = None) -> Request:
        """Return a request for what the gateway says of the account."""
        every = {"User-Agent": "Pencilled", "Accept": "application/json", **(headers or self.basic)}
        return Request(url=url, headers=every, method="GET")

    def _post(self, url: str, body: bytes, kind: str, headers: Mapping[str, str]) -> Request:
        every = {"User-Agent": "Pencilled", "Accept": "application/json", "Content-Type": kind, **headers}
        return Request(url=url, headers=every, body=body)


def accepted(remote_id: Any) -> SmsOutcome:
    """Say that a text was taken."""
    return SmsOutcome(fate=Fate.ACCEPTED, remote_id=str(remote_id))


def refused(reason: Sentence, *, stopped: bool = False) -> SmsOutcome:
    """Say that this text was refused for good; `stopped`: its reader wants none."""
    return SmsOutcome(fate=Fate.REFUSED, reason=reason, stopped=stopped)


def put_off(reason: Sentence) -> SmsOutcome:
    """Say that nothing has left, for a reason that can pass or be mended."""
    return SmsOutcome(fate=Fate.PUT_OFF, reason=reason)


def unknown(slug: str, status: int) -> SmsOutcome:
    """Say that an answer tells nothing that is certain."""
    why = Sentence("the answer of %(gateway)s cannot be understood (%(code)s)", gateway=slug, code=str(status))
    return SmsOutcome(fate=Fate.UNKNOWN, reason=why)


CHECK_ACCOUNT = Sentence("check its account and CONNECTOR_SMS_URL")


STOPPED = Sentence("its owner has stopped texts from us")


def refuses_number(slug: str, why: Sentence, code: str) -> SmsOutcome:
    """Say that a gateway refuses a number, or this text to it, for good; for the reason STOPPED, every text."""
    reason = Sentence("%(gateway)s refuses the number: %(why)s (%(code)s)", gateway=slug, why=why, code=code)
    return refused(reason, stopped=why is STOPPED)


def refuses_request(slug: str, code: str, advice: Sentence) -> SmsOutcome:
    """Say that a gateway refuses us, which can pass or be mended."""
    reason = Sentence("%(gateway)s refuses the request (%(code)s): %(advice)s", gateway=slug, code=code, advice=advice)
    return put_off(reason)
