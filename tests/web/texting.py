"""An installation with a gateway of texts: what was taken, and somebody who answers with a code."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from werkzeug.test import TestResponse

from connector.domain.answering import AnswerPolicy
from connector.domain.notice import NoticeKind
from connector.domain.offer import Offer, OfferState
from connector.domain.people import Client, Consent, Medium
from connector.domain.session import Session
from connector.ports import Letter, NotSentError
from connector.sentence import Sentence
from connector.services.scheduling import answers
from connector.storage import people
from tests.web.stage import Browser, Stage, add_client

NUMBER = "+447700900123"
BOTH = frozenset(Medium)
REFUSED = NotSentError(Sentence("twilio refuses the number: it takes no texts (21614)"), permanent=True)
UNKNOWN = NotSentError(Sentence("api.twilio.com took too long"), permanent=True, unknown=True)
PUT_OFF = NotSentError(Sentence("the mail server takes nothing just now"), permanent=False)


@dataclass
class Post:
    """Takes mails and texts, unless something is wrong with one of the two."""

    taken: list[Letter] = field(default_factory=list)
    wrong: dict[Medium, NotSentError] = field(default_factory=dict)

    def send(self, letter: Letter) -> str | None:
        if letter.medium in self.wrong:
            raise self.wrong[letter.medium]
        self.taken.append(letter)
        texts = [one for one in self.taken if one.medium is Medium.SMS]
        return f"SM{len(texts)}" if letter.medium is Medium.SMS else None

    def codes(self, medium: Medium | None = None) -> list[str]:
        told = [one for one in self.taken if one.notice.kind is NoticeKind.ANSWER_CODE]
        return [one.code for one in told if medium in (None, one.medium)]


@dataclass
class Answering:
    """An installation that wants codes, with an offer to somebody who reads mails and texts."""

    stage: Stage
    post: Post
    client: Client
    session: Session
    offer: Offer
    came_by: Medium = Medium.EMAIL
    browser: Browser = field(init=False)

    def __post_init__(self) -> None:
        self.browser = self.stage.browser()

    @property
    def link(self) -> str:
        token = self.stage.runtime.seal.token(answers.PURPOSES[self.came_by], self.offer.id)
        return f"/answer/{token}"

    @property
    def choose(self) -> str:
        return f"{self.link}/choose/{self.offer.alternatives[1].id}"

    def ask(self, *, way: str = "") -> str:
        """Press the button that has a code sent; return the page that follows."""
        way = way or self.choose.removeprefix(f"{self.link}/")
        answer = self.browser.post(f"{self.link}/code", {"for": way}, page=f"{self.link}/{way}")
        self.stage.mail()
        return self.browser.get(answer.location, follow_redirects=True).text if answer.location else answer.text

    def take(self, code: str, *, page: str = "") -> TestResponse:
        form = {"shown": self.offer.alternatives[1].when.span.start.isoformat(), "code": code}
        return self.browser.post(self.choose, form, page=page or self.choose)

    @property
    def is_moved(self) -> bool:
        return self.stage.stored(self.offer).state is OfferState.ACCEPTED

    def other(self, code: str) -> str:
        return f"{(int(code) + 1) % 10**6:06}"


def answering(stage: Stage, **changes: Any) -> Answering:
    post = stage.runtime.sender = Post()
    stage.runtime.policy = replace(stage.runtime.policy, answers=AnswerPolicy.CODE, media=BOTH)
    texted: Mapping[str, Any] = {"phone": NUMBER, "media": BOTH, "texts_agreed": True}
    client = add_client(stage, **{**texted, **changes})
    session = stage.book(stage.at(8, 9), client=client)
    offer = stage.offer(stage.at(9, 9), stage.at(9, 11), session=session)
    stage.mail()
    return Answering(stage, post, client, session, offer)


def agree(here: Answering, *, now: datetime | None) -> None:
    """Have the client want texts since then, or none any more."""
    with here.stage.runtime.database.begin() as db:
        consent = Consent(at=now) if now is not None else None
        people.agree_to_texts(db, here.client.id, consent, now=here.stage.now)
