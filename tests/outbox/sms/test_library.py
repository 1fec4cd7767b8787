"""Any gateway that the Apprise library knows: what it says is not believed further than it goes."""

from __future__ import annotations

import logging
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest

from connector.outbox.http import Reach
from connector.outbox.sms.gateways import open_gateway
from connector.ports import Fate, NotSentError, Sms, asking_first
from tests.fakes.sms_gateway import SmsGateway

pytestmark = pytest.mark.filterwarnings("ignore:.*imghdr:DeprecationWarning")  # which the library imports

NUMBER, TEXT = "+491701234567", "Grüße"
SMS = Sms(number=NUMBER, text=TEXT)
REACH = Reach(inner_hosts=frozenset({"127.0.0.1"}))


@pytest.fixture
def fake(monkeypatch: pytest.MonkeyPatch) -> Iterator[SmsGateway]:
    for name in ("http_proxy", "https_proxy", "all_proxy", "HTTP_PROXY", "HTTPS_PROXY", "ALL_PROXY"):
        monkeypatch.delenv(name, raising=False)
    with SmsGateway(status=200, answer={"result": [{"message_id": 4753, "status": "ok"}]}) as opened:
        yield opened


def url_of(fake: SmsGateway, target: str = "{number}") -> str:
    return f"apprise+smseagle://token@127.0.0.1:{fake.port}/{target}"


def test_a_text_that_the_library_calls_sent_was_accepted(fake: SmsGateway) -> None:
    outcome = open_gateway(url_of(fake), reach=REACH).hand_over(SMS)

    assert (outcome.fate, outcome.remote_id) == (Fate.ACCEPTED, "")
    [posted] = fake.posted
    assert NUMBER in posted.body.decode()
    assert TEXT in posted.json["params"]["message"]


@pytest.mark.parametrize("status", [302, 400, 401, 429, 500])
def test_whatever_it_does_not_call_sent_may_have_left_and_is_handed_over_once(fake: SmsGateway, status: int) -> None:
    fake.status, fake.headers = status, {"Location": f"http://127.0.0.1:{fake.port}/elsewhere"}

    assert open_gateway(url_of(fake), reach=REACH).hand_over(SMS).fate is Fate.UNKNOWN
    assert len(fake.posted) == 1


@pytest.mark.parametrize("fault", ["reset", "hang"])
def test_a_gateway_behind_it_that_breaks_off_or_is_slow_leaves_a_doubt(fake: SmsGateway, fault: str) -> None:
    fake.fault = fault

    outcome = open_gateway(url_of(fake), reach=replace(REACH, timeout=timedelta(seconds=0.5))).hand_over(SMS)

    assert outcome.fate is Fate.UNKNOWN


@pytest.mark.parametrize("target", ["{number}/+15005550006", "{number}/@someone"])
def test_nobody_but_the_one_reader_is_texted(fake: SmsGateway, target: str) -> None:
    gateway = open_gateway(url_of(fake, target), reach=REACH)

    assert gateway.hand_over(SMS).fate is Fate.REFUSED
    with pytest.raises(NotSentError, match="does not understand"):
        gateway.check()
    assert fake.posted == []


def test_with_a_proxy_in_the_environment_nothing_is_handed_over(
    fake: SmsGateway, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("https_proxy", "http://127.0.0.1:9")
    gateway = open_gateway(url_of(fake), reach=REACH)

    outcome = gateway.hand_over(SMS)

    assert outcome.fate is Fate.PUT_OFF
    assert "a proxy is set" in str(outcome.reason)
    with pytest.raises(NotSentError, match="a proxy is set"):
        gateway.check()
    assert fake.posted == []


def test_the_check_sends_nothing(fake: SmsGateway) -> None:
    open_gateway(url_of(fake), reach=REACH).check()

    assert fake.posted == []


def test_whoever_may_not_ask_any_more_hands_nothing_over(fake: SmsGateway) -> None:
    class LostError(Exception):
        pass

    def refuse() -> None:
        raise LostError

    with asking_first(refuse), pytest.raises(LostError):
        open_gateway(url_of(fake), reach=REACH).hand_over(SMS)
    assert fake.posted == []


@pytest.mark.parametrize("status", [200, 500])
def test_neither_number_nor_text_is_logged(fake: SmsGateway, status: int, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG)
    fake.status = status

    outcome = open_gateway(url_of(fake), reach=REACH).hand_over(SMS)

    assert NUMBER[1:] not in caplog.text + repr(outcome)
    assert TEXT not in caplog.text + repr(outcome)


@pytest.mark.parametrize(
    "url",
    [
        "apprise+twilio://user:hidden@host/{number}",
        "apprise+sinch://hidden@host/+1500",
        "apprise+hidden",
        "apprise+json://x",
    ],
)
def test_a_url_that_cannot_be_used_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ValueError, match=r"Apprise library|number") as caught:
        open_gateway(url, reach=REACH)
    assert "hidden" not in str(caught.value)


def test_nobody_pays_for_the_library_who_does_not_use_it() -> None:
    code = "import connector.app, sys; print('apprise' in sys.modules, 'phonenumbers' in sys.modules)"
    assert (
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout
        == "False False\n"
    )
