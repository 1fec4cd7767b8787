"""From a setting to a phone, and from the phone to an answer: a gateway on loopback, real mail, the real pages."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Self

import pytest
from werkzeug.test import TestResponse

from connector import app
from connector.domain.notice import NoticeKind
from connector.domain.offer import OfferState
from connector.domain.people import Client, Medium
from connector.domain.session import Session
from connector.services.views.sessions import SessionPage, session_page
from connector.storage.messages import MessageState
from tests.domain.examples import client, when
from tests.fakes.sms_gateway import SmsGateway
from tests.journeys.stage import Installation
from tests.outbox.sms import answers

BASE = "http://p.example"
NUMBER = "+447700900123"


@dataclass
class Texting(Installation):
    """An installation with a gateway; the client wants both, and is told by both."""

    policy: str = "link"
    gateway: SmsGateway = field(default_factory=lambda: SmsGateway(answer=answers.TWILIO_TAKEN))
    alex: Client = field(init=False)
    booked: Session = field(init=False)

    def __enter__(self) -> Self:
        self.gateway.__enter__()
        super().__enter__()
        self.practice.runtime, self.practice.prompt = self.runtime, True
        person = replace(client(name="Alex", phone=NUMBER), media=frozenset(Medium), texts_agreed=True)
        self.alex = self.practice.another_client(person)
        self.booked = self.practice.book(of=self.alex)
        return self

    def __exit__(self, *_: object) -> None:
        super().__exit__()
        self.gateway.__exit__(None, None, None)

    def environment(self) -> dict[str, str]:
        own = {"CONNECTOR_SMS_URL": self.gateway.url("twilio"), "CONNECTOR_ANSWER_POLICY": self.policy}
        return {**super().environment(), **own}

    def page(self) -> SessionPage:
        """What the practitioner is shown."""
        practice = self.practice
        with practice.database.read() as db:
            return session_page(db, practice.policy, practice.kim.id, self.booked.id, now=practice.now)

    def texts(self) -> list[str]:
        return [posted.form["Body"] for posted in self.gateway.posted]

    def mails(self) -> list[str]:
        return [str(one.message["Subject"]) for one in self.mailbox.messages if self.alex.email in one.recipients]


@pytest.fixture
def texting(sqlite_url: str) -> Iterator[Texting]:
    with Texting(database_url=sqlite_url, public_url="http://p.example") as installation:
        yield installation


def test_a_client_answers_by_the_link_in_a_text_and_both_media_say_so(texting: Texting) -> None:
    practice = texting.practice
    offer = practice.offer(texting.booked, 72, 96)
    link = re.search(r"http://p\.example(/s/[a-z2-7]{16})$", texting.texts()[-1])
    assert link

    browser = app.create_app(texting.runtime).test_client()
    page = browser.get(link[1], base_url="http://p.example", follow_redirects=True)
    assert page.status_code == 200
    [choose] = re.findall(rf'href="([^"]*{offer.alternatives[1].id})"', page.text)
    form = browser.get(choose, base_url="http://p.example").text
    token = re.search(r'name="csrf_token" value="([^"]+)"', form)
    assert token
    shown = offer.alternatives[1].when.span.start.isoformat()
    browser.post(choose, base_url="http://p.example", data={"csrf_token": token[1], "shown": shown})
    practice.mail()

    assert practice.session(texting.booked).when.span == when(96).span
    assert texting.texts()[0].startswith("Kim Beispiel: your session is booked for Wed, 25 Nov, 09:00")
    assert "your session is now on Fri, 27 Nov, 09:00" in texting.texts()[-1]
    assert len(texting.texts()) == len(texting.mails()) == 3


@pytest.mark.parametrize("failing", ["gateway", "mail"])
def test_one_medium_that_fails_leaves_the_other_alone(texting: Texting, failing: str) -> None:
    if failing == "gateway":
        texting.gateway.fault = "reset"
    else:
        texting.mailbox.refuse_with(550)

    texting.practice.offer(texting.booked, 72)

    assert len(texting.mails()) == (2 if failing == "gateway" else 1)
    assert len(texting.texts()) == 2  # the one that was cut off may have left: it was handed over, once
    page = texting.page()
    assert page.told_by == ((Medium.EMAIL,) if failing == "gateway" else (Medium.SMS,))
    offers = {one.medium: one.state for one in page.messages if one.to_client and one.kind is NoticeKind.OFFERED}
    assert offers == {
        Medium.EMAIL: MessageState.SENT if failing == "gateway" else MessageState.REFUSED,
        Medium.SMS: MessageState.UNKNOWN if failing == "gateway" else MessageState.SENT,
    }
    texting.gateway.fault = ""
    texting.wait(hours=1)
    texting.practice.mail()
    assert len(texting.texts()) == 2


def test_a_client_answers_a_mailed_offer_with_a_code_from_their_phone(sqlite_url: str) -> None:
    with Texting(database_url=sqlite_url, public_url="http://p.example", policy="code") as texting:
        offer = texting.practice.offer(texting.booked, 72, 96)
        [asked] = [one.message for one in texting.mailbox.messages if "Please answer" in str(one.message["Subject"])]
        body = asked.get_body(("plain",))
        assert body is not None
        link = re.search(r"http://p\.example(/answer/\S+)", body.get_content())
        assert link
        browser = app.create_app(texting.runtime).test_client()

        def post(path: str, page: str, **form: str) -> TestResponse:
            token = re.search(r'name="csrf_token" value="([^"]+)"', browser.get(page, base_url=BASE).text)
            assert token
            answer = browser.post(path, base_url=BASE, data={"csrf_token": token[1], **form})
            texting.practice.mail()
            return answer

        none = f"{link[1]}/none"
        post(f"{link[1]}/code", none, **{"for": "none"})
        code = re.match(r"([0-9]{6}) is your code to answer Kim Beispiel\. It can be used until ", texting.texts()[-1])
        assert code
        assert len(texting.mails()) == 2  # the code went to the phone alone
        post(none, none, code="")
        assert texting.practice.offer_now(offer).state is OfferState.OPEN
        post(none, none, code=code[1])

        assert texting.practice.offer_now(offer).state is OfferState.REJECTED
        assert "none of the times suits you" in texting.texts()[-1]


def test_the_gateway_is_told_where_to_tell_and_what_it_tells_there_counts(texting: Texting) -> None:
    address = texting.gateway.posted[-1].form["StatusCallback"]
    assert address.startswith("http://p.example/hooks/sms/")
    pages = app.create_app(texting.runtime).test_client()

    forged = pages.post(address.removeprefix("http://p.example"), data={"From": NUMBER, "Body": "STOP"})

    assert forged.status_code == 404
    texting.practice.cancel(texting.booked)
    assert "is cancelled" in texting.texts()[-1]
