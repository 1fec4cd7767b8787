"""Any gateway that the Apprise library knows; it says little, so what is not certain is not known.

It reports some refusals as sent, and time-outs like refusals; gives no reason and no id; texts the operator's own
number where it does not understand the one it is given; obeys proxy variables, and logs numbers and texts. So: exactly
one target, which is ours; its log is off; with a proxy in the environment nothing is handed over; one deadline; and
whatever it does not call sent may have left all the same.

Source: github.com/caronc/apprise, `apprise/plugins`.
"""

from __future__ import annotations

import importlib.util
import logging
from threading import Thread
from typing import Any
from urllib.parse import quote
from urllib.request import getproxies

from connector.outbox.http import TIMEOUT, Reach
from connector.ports import Fate, NotSentError, Signing, Sms, SmsOutcome, before_request
from connector.sentence import Sentence

SLUG, NUMBER = "apprise", "{number}"
_OWN = frozenset({"twilio", "nexmo", "vonage", "clicksend", "seven", "sms77", "46elks", "elks", "json", "form", "xml"})
_BOUNDS = "redirect=no&cto=5&rto=10&retry=0"
_TARGETS = ("targets", "target_phones", "phones")
_OTHERS = ("target_groups", "target_contacts", "groups", "contacts", "invalid_targets", "_invalid_targets")
_EXAMPLE = "+491701234567"


class Library:
    """A gateway by a URL of the library's, in which `{number}` stands for the number."""

    slug = SLUG
    is_described = True  # by its plugin

    def __init__(self, url: str, *, reach: Reach) -> None:
        """Take the URL without `apprise+`; reaches for nothing, and imports nothing yet.

        Raises: ValueError with what to write instead; it never quotes the URL.
        """
        scheme, separator, rest = url.partition("://")
        if not separator or scheme.lower() in _OWN:
            raise ValueError(
                f"after apprise+ stands a URL of the Apprise library; for {', '.join(sorted(_OWN))} use ours"
            )
        if rest.count(NUMBER) != 1:
            raise ValueError(f"in a URL of the Apprise library, {NUMBER} stands where the number is to be, once")
        if importlib.util.find_spec("apprise") is None:
            raise ValueError("the Apprise library is not installed: pip install 'pencilled[apprise]'")
        self._url = f"{url}{'&' if '?' in rest else '?'}{_BOUNDS}"
        self._timeout = min(reach.timeout, TIMEOUT)

    @property
    def signing(self) -> Signing:
        """Nothing: the library has no receipts."""
        return Signing(slug=SLUG)

    def check(self) -> None:
        """Read the URL as the library does; without sending, nothing can be asked.

        Raises: NotSentError with what to correct.
        """
        if getproxies():
            raise NotSentError(_PROXY, permanent=False)
        if self._target(_EXAMPLE) is None:
            fault = Sentence(
                "the Apprise library does not understand its URL in CONNECTOR_SMS_URL, or takes no number in it"
            )
            raise NotSentError(fault, permanent=False)

    def hand_over(self, sms: Sms) -> SmsOutcome:
        """Hand one text over, once, and say what is certain of it."""
        if getproxies():
            return SmsOutcome(fate=Fate.PUT_OFF, reason=_PROXY)
        target = self._target(sms.number)
        if target is None:
            return SmsOutcome(
                fate=Fate.REFUSED, reason=Sentence("the gateway's plugin of the Apprise library takes no such number")
            )
        before_request()
        answers: list[object] = []
        sending = Thread(target=_send, args=(target, sms.text, answers), name="apprise", daemon=True)
        sending.start()
        sending.join(self._timeout.total_seconds())
        if answers == [True]:
            return SmsOutcome(fate=Fate.ACCEPTED)
        if sending.is_alive():
            return SmsOutcome(fate=Fate.UNKNOWN, reason=Sentence("the Apprise library took too long"))
        return SmsOutcome(fate=Fate.UNKNOWN, reason=Sentence("the Apprise library does not say that it was sent"))

    def _target(self, number: str) -> Any:
        """Return the library's object for exactly this number; None if it makes anything else of it."""
        import apprise  # noqa: PLC0415 - 50 MB, which only those pay for who use it

        log = logging.getLogger("apprise")
        log.propagate, log.disabled = False, True
        made = apprise.Apprise.instantiate(self._url.replace(NUMBER, quote(number, safe="")))
        if made is None:
            return None
        held = vars(made)
        targets = [str(one) for name in _TARGETS for one in held.get(name) or ()]
        is_ours = [one.lstrip("+") for one in targets] == [number.lstrip("+")]
        return made if is_ours and not any(held.get(name) for name in _OTHERS) else None


_PROXY = Sentence(
    "a proxy is set in the environment, and the Apprise library would hand it the texts: unset it for Pencilled, or "
    "use one of our own adapters"
)


def _send(target: Any, text: str, answers: list[object]) -> None:
    try:
        answers.append(target.send(body=text))
    except Exception:  # noqa: BLE001 - whatever a plugin raises says no more than False
        answers.append(None)
