"""The gateways there are, found by the scheme of a URL, and the one way in which each of them is asked.

    twilio://SID:token@?from=+15005550006         vonage://key:secret@?from=Pencilled
    clicksend://user:key@                         seven://:key@?from=Pencilled
    46elks://user:password@?from=Pencilled        json+https://user:password@gateway.example/send?to=phone&text=message

    apprise+sinch://…/{number}                    any other that the Apprise library knows

`@host:port` after the credentials asks another host than the gateway's own; `+http` after its name, without encryption.
"""

from __future__ import annotations

from collections.abc import Mapping
from importlib import import_module
from typing import Protocol
from urllib.parse import parse_qsl, unquote, urlsplit

from connector.outbox.http import Answer, InDoubtError, NotHandedOverError, Reach, Request, ask, reach_out
from connector.outbox.sms.account import Account, put_off
from connector.outbox.sms.library import SLUG, Library
from connector.ports import Fate, NotSentError, Signing, Sms, SmsOutcome
from connector.sentence import Sentence

_MODULES: Mapping[str, str] = {
    "twilio": "twilio",
    "vonage": "vonage",
    "clicksend": "clicksend",
    "seven": "seven",
    "46elks": "elks",
    "json": "generic",
    "form": "generic",
}
_OK, _REFUSALS = range(200, 300), {401, 403}
_REDIRECTS, _SERVER_FAULTS = range(300, 400), range(500, 600)
_TOO_MANY, _UNAVAILABLE, _TIMED_OUT = 429, 503, 408
_UNAUTHORIZED, _UNPAID = 401, 402


def open_gateway(url: str, *, reach: Reach) -> Gateway | Library:
    """Return the gateway of a URL; reaches for nothing yet.

    Raises: ValueError with what to write instead; it never quotes the URL, which holds a password.
    """
    prefix = f"{SLUG}+"
    if url.lower().startswith(prefix):
        return Library(url[len(prefix) :], reach=reach)
    return Gateway(url, reach=reach)


class Manner(Protocol):
    """How one gateway is asked, and how its answers are read."""

    def request(self, sms: Sms) -> Request:
        """Return the request that hands a text over."""
        ...

    def read(self, answer: Answer) -> SmsOutcome:
        """Say what an answer means, of any status that is not one of `_plain`'s."""
        ...

    def trial(self) -> Request | None:
        """Return a request that sends nothing and shows whether the credentials are good; None if there is none."""
        ...


class Gateway:
    """A gateway of a URL; may be used by several threads at once."""

    def __init__(self, url: str, *, reach: Reach) -> None:
        """Take the settings; reaches for nothing yet.

        Raises: ValueError with what to write instead; it never quotes the URL, which holds a password.
        """
        account = self._account = parse_url(url)
        self.slug = account.slug
        self._reach = reach
        self._protocol: Manner = import_module(f"connector.outbox.sms.{_MODULES[account.slug]}").open_account(account)
        reach.check(self._protocol.request(Sms(number="+10", text="")).url)

    @property
    def signing(self) -> Signing:
        """How what it tells is signed."""
        options = self._account.options
        match self.slug:
            case "twilio":  # by the token of the account, also where an API key sends
                return Signing(slug=self.slug, secret=options.get("token") or self._account.password, method="sha1")
            case "vonage":
                return Signing(slug=self.slug, secret=options.get("signature", ""), method=options.get("method", "md5"))
            case "seven":
                return Signing(slug=self.slug, secret=options.get("signature", ""), method="sha256")
            case _:
                return Signing(slug=self.slug)

    @property
    def is_described(self) -> bool:
        """Whether it is known what its answer to a text that was taken holds; else its URL does not say `ok`."""
        return _MODULES[self.slug] != "generic" or bool(self._account.options.get("ok"))

    def hand_over(self, sms: Sms) -> SmsOutcome:
        """Hand one text over, once, and say what is certain of it."""
        try:
            answer = ask(self._protocol.request(sms), self._reach)
        except NotHandedOverError as error:
            return SmsOutcome(fate=Fate.PUT_OFF, reason=error.sentence)
        except InDoubtError as error:
            return SmsOutcome(fate=Fate.UNKNOWN, reason=error.sentence)
        return _plain(answer, self.slug) or self._protocol.read(answer)

    def check(self) -> None:
        """Reach the gateway, and show the credentials where it can be asked about them; sends nothing.

        Raises: NotSentError with what to correct.
        """
        trial = self._protocol.trial()
        try:
            if trial is None:
                reach_out(self._protocol.request(Sms(number="+10", text="")).url, self._reach)
                return
            answer = ask(trial, self._reach)
        except (NotHandedOverError, InDoubtError) as error:
            fault = error.sentence
        else:
            if answer.status in _OK:
                return
            if answer.status in _REFUSALS:
                fault = _refuses_credentials(self.slug, answer.status)
            else:
                fault = Sentence(
                    "%(gateway)s answers %(status)s when asked about our account",
                    gateway=self.slug,
                    status=answer.status,
                )
        raise NotSentError(fault, permanent=False)


def _plain(answer: Answer, slug: str) -> SmsOutcome | None:
    """Say what a status means that means the same everywhere; None for one that the gateway's own words explain."""
    status = answer.status
    if status in _REDIRECTS:
        return put_off(
            Sentence(
                "%(gateway)s redirects us (%(status)s), where we do not follow: check its address",
                gateway=slug,
                status=status,
            )
        )
    if status == _UNAUTHORIZED:
        return put_off(_refuses_credentials(slug, status))
    if status == _UNPAID:
        return put_off(
            Sentence("the account at %(gateway)s has no credit left (%(status)s)", gateway=slug, status=status)
        )
    if status in {_TOO_MANY, _UNAVAILABLE}:
        return put_off(Sentence("%(gateway)s takes no texts just now (%(status)s)", gateway=slug, status=status))
    if status in _SERVER_FAULTS or status == _TIMED_OUT:
        why = Sentence("%(gateway)s answers with an error of its own (%(status)s)", gateway=slug, status=status)
        return SmsOutcome(fate=Fate.UNKNOWN, reason=why)
    return None


def _refuses_credentials(slug: str, status: int) -> Sentence:
    return Sentence(
        "%(gateway)s refuses our credentials (%(status)s): check them in CONNECTOR_SMS_URL", gateway=slug, status=status
    )


def parse_url(url: str) -> Account:
    """Read a gateway's URL.

    Raises: ValueError with what to write instead; it never quotes the URL.
    """
    scheme, separator, rest = url.partition("://")
    slug, _, transport = scheme.lower().partition("+")
    if not separator or slug not in _MODULES:
        raise ValueError("a gateway's URL begins with " + ", ".join(f"{name}://" for name in _MODULES) + f" or {SLUG}+")
    if transport not in {"", "http", "https"}:
        raise ValueError(f"after {slug} stands nothing, +https or +http")
    try:
        parts = urlsplit(f"//{rest}")
        host, port = parts.hostname or "", parts.port
    except ValueError:
        raise ValueError("the gateway's port must be a number from 1 to 65535, and its host a plain name") from None
    place = f"[{host}]" if ":" in host else host
    origin = f"{transport or 'https'}://{place}{f':{port}' if port else ''}" if host else ""
    account = Account(
        slug=slug,
        origin=origin,
        path=parts.path,
        user=unquote(parts.username or ""),
        password=unquote(parts.password or ""),
        options=dict(parse_qsl(parts.query.replace("+", "%2B"), keep_blank_values=True)),
    )
    if not (account.user + account.password).isascii():
        raise ValueError("the gateway's user and password must be ASCII; write special characters percent-encoded")
    return account
