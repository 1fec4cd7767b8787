from __future__ import annotations

import base64
import logging
import socket
from collections.abc import Iterator
from dataclasses import replace
from datetime import timedelta

import pytest
import structlog

from connector.outbox.http import Reach
from connector.outbox.sms.gateways import Gateway, parse_url
from connector.ports import Fate, Sms, SmsOutcome, asking_first
from connector.sentence import Sentence
from tests.fakes.sms_gateway import SmsGateway
from tests.outbox.sms import answers
from tests.outbox.sms.answers import NUMBER, TEXT

SLUGS = ("twilio", "vonage", "clicksend", "seven", "46elks", "json", "form")
ONE = [SLUGS[0], *(pytest.param(slug, marks=pytest.mark.long) for slug in SLUGS[1:])]  # where they share the code
FIELDS = "to=phone&text=message&reference=ref&from=%2B15005550006"
REACH = Reach(inner_hosts=frozenset({"127.0.0.1"}), timeout=timedelta(seconds=20))
SMS = Sms(number=NUMBER, text=TEXT, reference="r-1", receipts="https://p.example/hooks/sms/x")


@pytest.fixture
def fake() -> Iterator[SmsGateway]:
    with SmsGateway() as opened:
        yield opened


def url_of(fake: SmsGateway, slug: str) -> str:
    return fake.url(slug, options=FIELDS, path="/send" if slug in {"json", "form"} else "")


def gateway(fake: SmsGateway, slug: str, reach: Reach = REACH) -> Gateway:
    return Gateway(url_of(fake, slug), reach=reach)


def handed_over(fake: SmsGateway, slug: str, reach: Reach = REACH) -> SmsOutcome:
    return gateway(fake, slug, reach).hand_over(SMS)


@pytest.mark.parametrize(("slug", "status", "answer", "fate"), answers.CASES)
def test_what_a_gateway_answers_is_read_as_it_documents(
    fake: SmsGateway, slug: str, status: int, answer: object, fate: Fate
) -> None:
    fake.status, fake.answer = status, answer

    outcome = handed_over(fake, slug)

    assert outcome.fate is fate
    assert bool(outcome.remote_id) is (fate is Fate.ACCEPTED)
    assert bool(str(outcome.reason)) is (fate is not Fate.ACCEPTED)
    assert NUMBER not in str(outcome.reason)
    assert NUMBER[1:] not in str(outcome.reason)


@pytest.mark.parametrize(
    ("slug", "status", "answer", "stopped"),
    [
        ("twilio", 400, answers.twilio_error(21610), True),
        ("twilio", 400, answers.twilio_error(21614), False),
        ("clicksend", 200, answers.clicksend_error("RECIPIENT_OPTED_OUT"), True),
        ("clicksend", 200, answers.clicksend_error("INVALID_RECIPIENT"), False),
        ("vonage", 200, answers.vonage_error("7"), False),  # barred by whomever
        ("vonage", 200, answers.vonage_error("33"), False),  # a number that is not in use any more
    ],
)
def test_that_the_owner_of_a_number_wants_no_more_is_told_from_other_refusals(
    fake: SmsGateway,
    slug: str,
    status: int,
    answer: object,
    stopped: bool,  # noqa: FBT001
) -> None:
    fake.status, fake.answer = status, answer

    outcome = handed_over(fake, slug)

    assert (outcome.fate, outcome.stopped) == (Fate.REFUSED, stopped)


@pytest.mark.parametrize("slug", ONE)
@pytest.mark.parametrize(("status", "fate"), answers.EVERYWHERE)
def test_a_status_that_means_the_same_everywhere_is_read_so(
    fake: SmsGateway, slug: str, status: int, fate: Fate
) -> None:
    fake.status, fake.answer = status, answers.TWILIO_TAKEN
    fake.headers = {"Location": f"http://127.0.0.1:{fake.port}/elsewhere"}

    assert handed_over(fake, slug).fate is fate
    assert len(fake.posted) == 1  # no redirect is followed, and nothing is repeated


@pytest.mark.parametrize("slug", SLUGS)
def test_a_gateway_is_asked_as_it_documents(fake: SmsGateway, slug: str) -> None:
    handed_over(fake, slug)

    posted = fake.posted[0]
    basic = "Basic " + base64.b64encode(b"user:secret").decode()
    sender, plain = "+15005550006", NUMBER.removeprefix("+")
    match slug:
        case "twilio":
            assert posted.path == "/2010-04-01/Accounts/user/Messages.json"
            assert posted.form == {"To": NUMBER, "From": sender, "Body": TEXT, "StatusCallback": SMS.receipts}
        case "vonage":
            assert posted.path == "/sms/json"
            expected = {"api_key": "user", "api_secret": "secret", "from": sender[1:], "to": plain, "text": TEXT}
            assert posted.form == expected | {"client-ref": "r-1", "callback": SMS.receipts}
            assert "Authorization" not in posted.headers
        case "clicksend":
            assert posted.path == "/v3/sms/send"
            message = {"source": "pencilled", "to": NUMBER, "body": TEXT, "custom_string": "r-1", "from": sender}
            assert posted.json == {"messages": [message]}
        case "seven":
            assert posted.path == "/api/sms"
            assert posted.headers["X-Api-Key"] == "secret"
            assert posted.form == {"to": NUMBER, "text": TEXT, "from": sender, "foreign_id": "r-1"}
        case "46elks":
            assert posted.path == "/a1/sms"
            assert posted.form == {"from": sender, "to": NUMBER, "message": TEXT, "whendelivered": SMS.receipts}
        case _:
            assert posted.path == "/send"
            values = posted.json if slug == "json" else posted.form
            assert values == {"phone": NUMBER, "message": TEXT, "from": sender, "ref": "r-1"}
    if slug not in {"vonage", "seven"}:
        assert posted.headers["Authorization"] == basic


@pytest.mark.parametrize(
    ("expected", "answer", "fate"),
    [
        ("ok=data.state%3Aqueued&id=data.0.key", {"data": {"state": "queued"}}, Fate.ACCEPTED),
        ("ok=data.state%3Aqueued", {"data": {"state": "no"}}, Fate.REFUSED),
        ("ok=data.state%3Aqueued", "queued", Fate.UNKNOWN),
        ("ok=data.state%3Aqueued", {"error": "x"}, Fate.REFUSED),
        ("ok=data.state%3Aqueued", {"data": {}}, Fate.UNKNOWN),
        ("ok=OK", "OK: 1", Fate.ACCEPTED),
        ("ok=OK", "ERR 7", Fate.REFUSED),
    ],
)
def test_what_a_gateway_of_anybody_says_is_read_as_its_url_tells(
    fake: SmsGateway, expected: str, answer: object, fate: Fate
) -> None:
    fake.status, fake.answer = 200, answer

    asked = Gateway(fake.url("json", options=f"{FIELDS}&{expected}", path="/send"), reach=REACH)

    assert asked.hand_over(SMS).fate is fate


@pytest.mark.parametrize("answer", answers.ERRORS, ids=str)
def test_an_error_in_an_answer_of_success_is_never_taken_for_a_text_that_was_taken(
    fake: SmsGateway, answer: dict[str, object]
) -> None:
    fake.status, fake.answer = 200, answer
    assert handed_over(fake, "json").fate is Fate.REFUSED

    fake.answer = answer | {"id": "m-7"}  # and yet it names the text
    assert handed_over(fake, "json").fate is Fate.UNKNOWN


@pytest.mark.parametrize(
    ("answer", "fate"),
    [
        ({"id": 7, "error": None, "errors": [], "error_code": 0, "success": True}, Fate.ACCEPTED),
        ({"id": "m-7", "status": "queued", "error": {"code": 0, "text": ""}}, Fate.ACCEPTED),
        ({"message": "thanks"}, Fate.UNKNOWN),
        ({"id": None}, Fate.UNKNOWN),
        ({"id": True}, Fate.UNKNOWN),
        ("OK", Fate.UNKNOWN),
    ],
)
def test_a_gateway_of_anybody_has_taken_what_it_names_an_id_for(fake: SmsGateway, answer: object, fate: Fate) -> None:
    fake.status, fake.answer = 200, answer

    assert handed_over(fake, "json").fate is fate


@pytest.mark.parametrize("slug", ONE)
@pytest.mark.parametrize("fault", ["reset", "half"])
def test_a_text_that_a_gateway_may_have_taken_is_in_doubt(fake: SmsGateway, slug: str, fault: str) -> None:
    fake.fault = fault

    outcome = handed_over(fake, slug)

    assert outcome.fate is Fate.UNKNOWN
    assert len(fake.posted) == 1


def test_a_gateway_that_is_too_slow_to_accept_leaves_a_doubt(fake: SmsGateway) -> None:
    fake.fault = "hang"

    outcome = handed_over(fake, "twilio", replace(REACH, timeout=timedelta(seconds=0.3)))

    assert outcome == SmsOutcome(fate=Fate.UNKNOWN, reason=Sentence("%(host)s took too long", host="127.0.0.1"))


def test_a_gateway_that_is_down_has_taken_nothing() -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))  # nobody listens
        url = f"twilio+http://user:secret@127.0.0.1:{taken.getsockname()[1]}?from=MG1"
        assert Gateway(url, reach=REACH).hand_over(SMS).fate is Fate.PUT_OFF


def test_a_gateway_in_an_inner_network_is_asked_only_if_the_operator_has_named_it(fake: SmsGateway) -> None:
    with pytest.raises(ValueError, match="CONNECTOR_INNER_HOSTS"):
        gateway(fake, "twilio", Reach())
    url = f"twilio+https://user:secret@127.0.0.1:{fake.port}?from=MG1"

    outcome = Gateway(url, reach=Reach()).hand_over(SMS)

    assert outcome.fate is Fate.PUT_OFF
    assert "inner network" in str(outcome.reason)
    assert fake.posted == []


def test_no_proxy_of_the_environment_sees_a_text(fake: SmsGateway, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in ("http_proxy", "HTTP_PROXY", "https_proxy", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    fake.answer = answers.TWILIO_TAKEN

    assert handed_over(fake, "twilio").fate is Fate.ACCEPTED


def test_whoever_may_not_ask_any_more_hands_nothing_over(fake: SmsGateway) -> None:
    class LostError(Exception):
        pass

    def refuse() -> None:
        raise LostError

    with asking_first(refuse), pytest.raises(LostError):
        handed_over(fake, "twilio")
    assert fake.posted == []


def test_an_answer_without_an_end_is_not_read_for_ever(fake: SmsGateway) -> None:
    fake.status, fake.answer = 200, "x" * 400_000

    assert handed_over(fake, "seven").fate is Fate.UNKNOWN


@pytest.mark.parametrize("slug", ONE)
def test_neither_number_nor_text_nor_secret_is_logged_or_shown(
    fake: SmsGateway, slug: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    fake.fault = "reset"

    with structlog.testing.capture_logs() as lines:
        outcome = handed_over(fake, slug)

    told = f"{caplog.text}{lines}{outcome!r}{SMS!r}{parse_url(url_of(fake, slug))!r}"
    assert all(secret not in told for secret in (NUMBER, NUMBER[1:], TEXT, "secret"))


@pytest.mark.parametrize(
    "url",
    [
        "smtp://x",
        "twilio:user",
        "twilio://user@?from=x",
        "twilio://user:secret@",
        "vonage+ftp://user:secret@?from=x",
        "clicksend://user@",
        "seven://?from=x",
        "46elks://user:secret@",
        "json+https://gateway.example/send?to=phone",
        "json://?to=phone&text=message",
        "twilio+https://user:secret@host:port?from=x",
        "twilio://üser:secret@?from=x",
    ],
)
def test_a_url_that_names_no_gateway_is_refused_without_quoting_it(url: str) -> None:
    with pytest.raises(ValueError, match=r".") as caught:
        Gateway(url, reach=REACH)
    assert "secret" not in str(caught.value)
