"""What gateways tell of texts, as each documents it: what is not genuine changes nothing, and STOP is STOP."""

from __future__ import annotations

import base64
import hashlib
import hmac
import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from urllib.parse import urlencode
from uuid import UUID

import pytest
import sqlalchemy as sa
import structlog.testing
from flask.testing import FlaskClient
from werkzeug.datastructures import Headers

from connector import paths
from connector.domain.facts import ClientWrote
from connector.domain.people import Client, Medium
from connector.domain.session import Session
from connector.errors import NotificationRejectedError
from connector.ports import Letter, Receipt, Reply, Signing, Told
from connector.services.client_mails import MOST_A_DAY
from connector.services.texts import DOOR, PURPOSE
from connector.storage import client_mails, conversations, people, personal, tables, timeline
from connector.storage.database import Database
from tests.domain.examples import NOW, when
from tests.domain.examples import client as person
from tests.services.practice import SEAL, Practice
from webhooks._age import TOLERANCE
from webhooks.sms import parse

from .stage import URL, runtime_of, webhooks_alone

SECRET, NUMBER = "a secret of the account", "+447700900123"
PATH = paths.texts(SEAL.token(PURPOSE, DOOR))
BOTH = frozenset({Medium.EMAIL, Medium.SMS})
AT = str(int(NOW.timestamp()))
FORM, JSON = "application/x-www-form-urlencoded", "application/json"
TWILIO = Signing(slug="twilio", secret=SECRET, method="sha1")


def signed_by_twilio(values: Mapping[str, str], *, url: str = URL + PATH, secret: str = SECRET) -> str:
    text = url + "".join(name + values[name] for name in sorted(values))
    return base64.b64encode(hmac.new(secret.encode(), text.encode(), hashlib.sha1).digest()).decode()


def parsed(signing: Signing, body: str, kind: str, now: datetime = NOW, /, **headers: str) -> tuple[Told, ...]:
    every = Headers({"Content-Type": kind} | {name.replace("_", "-"): value for name, value in headers.items()})
    return parse(signing, URL + PATH, every, body.encode(), now=now)


def test_the_signature_of_twilios_own_example_is_good() -> None:
    number = "+14158675309"
    values = {"CallSid": "CA1234567890ABCDE", "Caller": number, "Digits": "1234", "From": number, "To": "+18005551212"}
    url = "https://mycompany.com/myapp.php?foo=1&bar=2"
    headers = Headers({"Content-Type": FORM, "X-Twilio-Signature": "RSOYDt4T1cUTdK1PDd93/VVr8B8="})
    body = urlencode(values).encode()

    assert parse(replace(TWILIO, secret="12345"), url, headers, body, now=NOW) == ()
    for wrong in (url + "3", url.replace("https", "http")):
        with pytest.raises(NotificationRejectedError):
            parse(replace(TWILIO, secret="12345"), wrong, headers, body, now=NOW)


@pytest.mark.parametrize(
    ("values", "told"),
    [
        ({"MessageSid": "SM1", "MessageStatus": "delivered"}, Receipt(remote_id="SM1", state="delivered")),
        ({"MessageSid": "SM1", "MessageStatus": "undelivered"}, Receipt(remote_id="SM1", state="failed")),
        ({"MessageSid": "SM1", "MessageStatus": "sent"}, None),
        (
            {"MessageSid": "SM1", "MessageStatus": "failed", "ErrorCode": "21610"},
            Receipt(remote_id="SM1", state="failed", stopped=True),
        ),
        ({"MessageSid": "SM2", "From": NUMBER, "Body": "Stop"}, Reply(number=NUMBER, text="Stop", remote_id="SM2")),
        (
            {"MessageSid": "SM2", "From": NUMBER, "Body": "x", "OptOutType": "STOP"},
            Reply(number=NUMBER, text="x", stops=True, remote_id="SM2"),
        ),
    ],
)  # fmt: skip
def test_what_twilio_tells_is_read_once_it_has_signed_it(values: dict[str, str], told: Told | None) -> None:
    body, signature = urlencode(values), signed_by_twilio(values)

    assert parsed(TWILIO, body, FORM, X_Twilio_Signature=signature) == ((told,) if told else ())
    for bad in ("", signature[:-2], signed_by_twilio(values, secret="another"), "ünsigned"):
        with pytest.raises(NotificationRejectedError):
            parsed(TWILIO, body, FORM, X_Twilio_Signature=bad)


@pytest.mark.parametrize("method", ["md5hash", "md5", "sha1", "sha256", "sha512"])
@pytest.mark.parametrize("kind", [FORM, JSON])
def test_what_vonage_tells_is_read_once_it_has_signed_it(method: str, kind: str) -> None:
    values = {"msisdn": "447700900123", "messageId": "0A1", "status": "delivered", "timestamp": AT, "x": "a&b=c"}
    text = f"&messageId=0A1&msisdn=447700900123&status=delivered&timestamp={AT}&x=a_b_c"
    plain = hashlib.md5(f"{text}{SECRET}".encode()).hexdigest()  # noqa: S324 - theirs
    sig = plain if method == "md5hash" else hmac.new(SECRET.encode(), text.encode(), method).hexdigest().upper()
    signing = Signing(slug="vonage", secret=SECRET, method=method)

    def body(values: Mapping[str, str]) -> str:
        return json.dumps(values) if kind == JSON else urlencode(values)

    assert parsed(signing, body(values | {"sig": sig}), kind) == (Receipt(remote_id="0A1", state="delivered"),)
    for bad in (values, values | {"sig": "0" * len(sig)}, values | {"sig": sig, "status": "failed"}):
        with pytest.raises(NotificationRejectedError):
            parsed(signing, body(bad), kind)


def test_what_seven_tells_is_read_once_it_has_signed_it() -> None:
    data = {"msg_id": "77149843739", "status": "NOTDELIVERED", "timestamp": "2021-08-24 08:08:00.000000"}
    body = json.dumps({"data": data, "webhook_event": "dlr", "webhook_timestamp": "2021-08-24T08:08:00+02:00"})
    digest = hashlib.md5(body.encode()).hexdigest()  # noqa: S324 - theirs
    text = "\n".join((AT, "fpPRhAd1s8GXacfR39mWqKPynmmXfJnc", "POST", URL + PATH, digest))
    signature = hmac.new(SECRET.encode(), text.encode(), "sha256").hexdigest()
    signing = Signing(slug="seven", secret=SECRET, method="sha256")
    stamped = {"X_Timestamp": AT, "X_Nonce": "fpPRhAd1s8GXacfR39mWqKPynmmXfJnc"}

    told = parsed(signing, body, JSON, X_Signature=signature, **stamped)

    assert told == (Receipt(remote_id="77149843739", state="failed"),)
    with pytest.raises(NotificationRejectedError):
        parsed(signing, body.replace("NOT", ""), JSON, X_Signature=signature, **stamped)


def stop_by_vonage(at: str) -> tuple[Signing, str, dict[str, str]]:
    values = {"msisdn": NUMBER[1:], "text": "STOP"} | ({"timestamp": at} if at else {})
    text = "".join(f"&{name}={values[name]}" for name in sorted(values))
    sig = hmac.new(SECRET.encode(), text.encode(), "sha256").hexdigest()
    return Signing(slug="vonage", secret=SECRET, method="sha256"), urlencode(values | {"sig": sig}), {}


def stop_by_seven(at: str) -> tuple[Signing, str, dict[str, str]]:
    body = urlencode({"webhook_event": "sms_mo"})
    digest = hashlib.md5(body.encode()).hexdigest()  # noqa: S324 - theirs
    text = "\n".join((at, "n", "POST", URL + PATH, digest))
    signature = hmac.new(SECRET.encode(), text.encode(), "sha256").hexdigest()
    stamped = {"X_Timestamp": at, "X_Nonce": "n", "X_Signature": signature}
    return Signing(slug="seven", secret=SECRET, method="sha256"), body, stamped


@pytest.mark.parametrize("stop", [stop_by_vonage, stop_by_seven])
def test_a_copy_of_what_was_signed_with_its_time_counts_for_minutes(
    stop: Callable[[str], tuple[Signing, str, dict[str, str]]],
) -> None:
    signing, body, headers = stop(AT)
    for late in (timedelta(), TOLERANCE, -TOLERANCE):
        parsed(signing, body, FORM, NOW + late, **headers)
    for late in (TOLERANCE + timedelta(seconds=1), -TOLERANCE - timedelta(seconds=1), timedelta(days=9000)):
        with pytest.raises(NotificationRejectedError):
            parsed(signing, body, FORM, NOW + late, **headers)
    for unusable in ("", "soon", "-1", "1e9", "9" * 400):
        signing, body, headers = stop(unusable)
        with pytest.raises(NotificationRejectedError):
            parsed(signing, body, FORM, **headers)


@pytest.mark.parametrize(
    ("slug", "values", "told"),
    [
        ("46elks", {"id": "s1", "status": "delivered"}, Receipt(remote_id="s1", state="delivered")),
        ("46elks", {"id": "s2", "from": NUMBER, "message": "STOP"}, Reply(number=NUMBER, text="STOP", remote_id="s2")),
        ("clicksend", {"message_id": "BF", "status": "Undelivered"}, Receipt(remote_id="BF", state="failed")),
        ("clicksend", {"message_id": "B", "from": NUMBER, "body": "h"}, Reply(number=NUMBER, text="h", remote_id="B")),
        ("vonage", {"msisdn": NUMBER[1:], "messageId": "B", "text": ""}, Reply(number=NUMBER, remote_id="B")),
        (
            "vonage",
            {"messageId": "B", "status": "rejected", "err-code": "9"},
            Receipt(remote_id="B", state="failed", stopped=True),
        ),
        ("vonage", {"messageId": "B", "status": "failed", "err-code": "1"}, Receipt(remote_id="B", state="failed")),
        ("46elks", {"from": "CurlyElk", "message": "stop"}, None),
        ("46elks", {}, None),
        ("46elks", {"id": "s1\0", "status": "delivered"}, None),
        ("46elks", {"id": "s\0", "from": NUMBER, "message": "hi"}, Reply(number=NUMBER, text="hi")),
    ],
)  # fmt: skip
def test_what_others_tell_at_their_secret_address_is_read(slug: str, values: dict[str, str], told: Told | None) -> None:
    assert parsed(Signing(slug=slug), urlencode(values), FORM) == ((told,) if told else ())


@pytest.mark.parametrize(("body", "kind"), [("[1]", JSON), ("{", JSON), ("[" * 100_000, JSON), ("a=%ff&" * 300, FORM)])
def test_what_makes_no_sense_is_refused(body: str, kind: str) -> None:
    with pytest.raises(NotificationRejectedError):
        parsed(Signing(slug="46elks"), body, kind)


class Gateway:
    """Takes every letter and calls each text SM1."""

    def send(self, letter: Letter) -> str | None:
        return "SM1" if letter.medium is Medium.SMS else None


class Numbered:
    """Takes every letter, and numbers the texts."""

    count = 0

    def send(self, letter: Letter) -> str | None:
        self.count += letter.medium is Medium.SMS
        return f"SM{self.count}" if letter.medium is Medium.SMS else None


@pytest.fixture
def practice(sqlite_database: Database) -> Practice:
    practice = Practice(sqlite_database)
    practice.policy = replace(practice.policy, media=BOTH)
    practice.runtime.sender = Gateway()
    return practice


@pytest.fixture
def alex(practice: Practice) -> Client:
    return practice.another_client(replace(person(name="Alex", phone=NUMBER), media=BOTH, texts_agreed=True))


@pytest.fixture
def booked(practice: Practice, alex: Client) -> Session:
    return practice.book(of=alex)


@pytest.fixture
def door(practice: Practice, sqlite_url: str) -> FlaskClient:
    return webhooks_alone(replace(runtime_of(practice, sqlite_url), texts=TWILIO)).test_client()


def push(door: FlaskClient, values: dict[str, str], *, path: str = PATH) -> int:
    headers = {"X-Twilio-Signature": signed_by_twilio(values, url=URL + path)}
    return door.post(path, data=values, headers=headers).status_code


def told_practitioner(practice: Practice, booked: Session) -> list[str]:
    return practice.kinds_told(booked, client=False)


def test_a_text_that_did_not_arrive_is_told_to_the_practitioner_once(
    practice: Practice, booked: Session, door: FlaskClient
) -> None:
    for _ in range(2):
        assert push(door, {"MessageSid": "SM1", "MessageStatus": "undelivered"}) == 204

    assert told_practitioner(practice, booked) == ["not_delivered"]


def test_a_text_that_did_not_arrive_has_its_session_need_the_practitioner_until_it_has(
    practice: Practice, booked: Session, door: FlaskClient
) -> None:
    def needing() -> set[UUID]:
        with practice.database.read() as db:
            return conversations.unheard(db, practice.kim.id)

    push(door, {"MessageSid": "SM1", "MessageStatus": "failed"})
    assert needing() == {booked.id}
    assert "NoticeRefused" in practice.happened(booked)
    practice.wait(hours=1)
    practice.mail()
    assert practice.kinds_told(booked, client=True) == ["booked", "booked"]  # by mail and by text, and by none twice

    push(door, {"MessageSid": "SM1", "MessageStatus": "delivered"})
    assert needing() == set()


def test_an_offer_that_did_not_arrive_leaves_what_was_told_before_as_it_was(
    practice: Practice, booked: Session, door: FlaskClient
) -> None:
    practice.runtime.sender = Numbered()
    practice.wait(minutes=5)
    practice.offer(booked, 96)  # as SM1, the booking having left under the same name

    with practice.database.begin() as db:
        db.execute(sa.update(tables.messages).where(tables.messages.c.kind == "booked").values(remote_id="SM0"))
    push(door, {"MessageSid": "SM1", "MessageStatus": "failed"})
    practice.move(booked, when(49))
    practice.wait(hours=1)
    practice.mail()

    by_text = [one.kind.value for one in practice.told(booked, client=True) if one.medium is Medium.SMS]
    assert by_text == ["booked", "offered", "moved"]


def test_a_receipt_for_an_earlier_text_is_no_word_on_the_later_one(
    practice: Practice, alex: Client, door: FlaskClient
) -> None:
    gateway = practice.runtime.sender = Numbered()
    booked = practice.book(of=alex)
    practice.wait(minutes=5)
    practice.offer(booked)
    assert gateway.count == 2

    push(door, {"MessageSid": "SM1", "MessageStatus": "failed"})

    with practice.database.read() as db:
        assert conversations.unheard(db, practice.kim.id) == set()


def test_a_text_that_has_arrived_stays_so(practice: Practice, booked: Session, door: FlaskClient) -> None:
    for status in ("sent", "delivered", "failed"):
        assert push(door, {"MessageSid": "SM1", "MessageStatus": status}) == 204

    assert told_practitioner(practice, booked) == []


@pytest.mark.parametrize("text", [" STOP. ", "Bitte keine SMS mehr"])
def test_stop_ends_the_agreement_of_everybody_of_that_number(
    practice: Practice, alex: Client, booked: Session, door: FlaskClient, text: str
) -> None:
    other = practice.another_client(replace(alex, id=booked.id))

    assert push(door, {"MessageSid": "SM2", "From": NUMBER, "Body": text}) == 204

    with practice.database.read() as db:
        assert not people.client(db, alex.id).texts_agreed
        assert not people.client(db, other.id).texts_agreed
    assert practice.happened(booked)[-1] == "PersonChanged"


@pytest.mark.parametrize("words", ["I can't stop by", "YES", "START", "<b>Ja</b>\u202e, gern \U0001f600"])
def test_another_answer_is_shown_to_the_practitioner_and_changes_nothing(
    practice: Practice, alex: Client, booked: Session, door: FlaskClient, words: str
) -> None:
    before = practice.session(booked)
    with structlog.testing.capture_logs() as logged:
        for _ in range(2):  # gateways tell again what they are not sure of
            assert push(door, {"MessageSid": "SM2", "From": NUMBER, "Body": words}) == 204

    assert told_practitioner(practice, booked) == ["client_wrote"]
    assert practice.session(booked) == before
    with practice.database.read() as db:
        assert people.client(db, alex.id).texts_agreed
        [fact] = [one for one in timeline.of_session(db, booked.id) if isinstance(one, ClientWrote)]
        [kept] = client_mails.of_session(db, booked.id)
    assert (fact.mail_id, fact.medium, fact.by.name) == (kept.id, Medium.SMS, "Alex")
    assert (kept.text, kept.author) == (words.replace("\u202e", ""), NUMBER)
    assert (kept.medium, kept.trusted, kept.is_open) == (Medium.SMS, False, False)
    assert words not in repr(logged)
    assert NUMBER not in repr(logged)


def test_start_after_stop_is_shown_and_agrees_to_nothing(
    practice: Practice, alex: Client, booked: Session, door: FlaskClient
) -> None:
    assert push(door, {"MessageSid": "SM2", "From": NUMBER, "Body": "STOP"}) == 204
    practice.wait(minutes=1)
    assert push(door, {"MessageSid": "SM3", "From": NUMBER, "Body": "START"}) == 204

    with practice.database.read() as db:
        assert not people.client(db, alex.id).texts_agreed
    assert told_practitioner(practice, booked) == ["texts_ended", "client_wrote"]


def test_an_answer_belongs_to_the_text_that_went_to_its_number_last(
    practice: Practice, alex: Client, booked: Session, door: FlaskClient
) -> None:
    practice.wait(minutes=1)
    later = practice.book(72, of=alex)

    assert push(door, {"MessageSid": "SM2", "From": NUMBER, "Body": "Thanks"}) == 204
    assert push(door, {"MessageSid": "SM3", "From": "+447700900999", "Body": "Who are you?"}) == 204

    assert told_practitioner(practice, booked) == []
    assert told_practitioner(practice, later) == ["client_wrote"]


def test_of_a_number_that_several_share_nobody_is_named(
    practice: Practice, alex: Client, booked: Session, door: FlaskClient
) -> None:
    practice.another_client(replace(alex, id=booked.id, name="Robin"))

    assert push(door, {"MessageSid": "SM2", "From": NUMBER, "Body": "We come"}) == 204

    with practice.database.read() as db:
        [fact] = [one for one in timeline.of_session(db, booked.id) if isinstance(one, ClientWrote)]
    assert fact.by.name == ""


def test_whoever_writes_on_and_on_is_not_heard_for_a_while(
    practice: Practice, booked: Session, door: FlaskClient
) -> None:
    for n in range(MOST_A_DAY + 5):
        assert push(door, {"MessageSid": f"SM{n + 2}", "From": NUMBER, "Body": "Hello?"}) == 204
    assert practice.happened(booked).count("ClientWrote") == MOST_A_DAY

    practice.wait(days=1, hours=1)
    assert push(door, {"MessageSid": "SM99", "From": NUMBER, "Body": "Hello?"}) == 204
    assert practice.happened(booked).count("ClientWrote") == MOST_A_DAY + 1


def test_an_erased_client_leaves_no_word_of_theirs(
    practice: Practice, alex: Client, booked: Session, door: FlaskClient
) -> None:
    assert push(door, {"MessageSid": "SM2", "From": NUMBER, "Body": "My sister Zoe will drive me"}) == 204
    practice.mail()
    practice.cancel(booked)
    with practice.database.begin() as db:
        personal.erase(db, alex.id, now=practice.now)

    with practice.database.read() as db:
        left = [
            row
            for table in (tables.facts, tables.client_mails, tables.messages, tables.pending_notices)
            for row in db.execute(sa.select(table))
        ]
    assert "Zoe" not in repr(left)
    assert NUMBER not in repr(left)


def test_what_is_forged_changes_nothing_and_names_nobody(practice: Practice, alex: Client, door: FlaskClient) -> None:
    values = {"MessageSid": "SM2", "From": NUMBER, "Body": "STOP"}
    stranger = paths.texts(SEAL.token("other", DOOR))
    with structlog.testing.capture_logs() as logged:
        assert door.post(PATH, data=values).status_code == 404
        assert push(door, values, path=stranger) == 404
        assert push(door, values, path=paths.texts("guess")) == 404

    with practice.database.read() as db:
        assert people.client(db, alex.id).texts_agreed
    assert NUMBER not in repr(logged)


def test_without_a_gateway_nobody_listens(practice: Practice, sqlite_url: str) -> None:
    door = webhooks_alone(runtime_of(practice, sqlite_url)).test_client()

    assert push(door, {"MessageSid": "SM1", "MessageStatus": "failed"}) == 404
