"""What practitioners see of texts: how far each got, and when one leaves that waits for the morning."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest

from connector.domain.people import Medium
from connector.domain.session import Edit, Location, LocationKind, Session
from connector.ports import Letter, NotSentError, Receipt, Reply
from connector.sentence import Sentence
from connector.services import texts
from connector.services.people import change_client
from connector.services.scheduling import sessions
from connector.storage import people
from tests.web.stage import PRACTICE, Stage

NUMBER = "+447700900123"
BOTH = frozenset({Medium.EMAIL, Medium.SMS})
UNKNOWN = NotSentError(Sentence("api.twilio.com took too long"), permanent=True, unknown=True)
REFUSED = NotSentError(Sentence("twilio refuses the number: it takes no texts (21614)"), permanent=True)


@dataclass
class Phones:
    """Takes mails; takes texts unless something is wrong with them."""

    wrong: NotSentError | None = None
    taken: list[Letter] = field(default_factory=list)

    def send(self, letter: Letter) -> str | None:
        if letter.medium is Medium.SMS and self.wrong is not None:
            raise self.wrong
        self.taken.append(letter)
        return "SM1" if letter.medium is Medium.SMS else None


@pytest.fixture
def phones() -> Phones:
    return Phones()


@pytest.fixture
def book(stage: Stage, phones: Phones) -> Callable[[], Session]:
    """Book a session with somebody who wants texts."""
    stage.runtime.sender = phones
    stage.runtime.policy = replace(stage.runtime.policy, media=BOTH)

    def book() -> Session:
        texted = replace(stage.lou, id=stage.bobs.id, phone=NUMBER, media=BOTH, texts_agreed=True)
        with stage.runtime.database.begin() as db:
            people.add_client(db, texted, now=stage.now)
            booked = sessions.book(
                db,
                stage.runtime.policy,
                practitioner_id=stage.ada.id,
                client_id=texted.id,
                when=stage.at(20, 9),
                location=PRACTICE,
                by=stage.by,
                now=stage.now,
            )
        stage.mail()
        return booked

    return book


def version_of(page: str) -> str:
    [told] = re.findall(r'/told">.*?name="shown" value="([^"]*)"', page, re.DOTALL)
    return str(told)


def shown(stage: Stage, booked: Session) -> str:
    """Return what the page says of the text."""
    page = stage.signed_in().get(f"/sessions/{booked.id}").text
    lines = " ".join(page.split()).split("<li")
    return next(line for line in lines if NUMBER in line and 'class="when"' in line)


def test_a_text_that_was_taken_is_shown_beside_the_mail(stage: Stage, book: Callable[[], Session]) -> None:
    assert ">Sent<" in shown(stage, book())


@pytest.mark.parametrize(("state", "words"), [("delivered", ">Arrived<"), ("failed", ">Did not arrive<")])
def test_what_the_gateway_tells_later_is_shown(
    stage: Stage, book: Callable[[], Session], state: str, words: str
) -> None:
    booked = book()
    with stage.runtime.database.begin() as db:
        texts.receive(db, stage.runtime.policy, [Receipt(remote_id="SM1", state=state)], now=stage.now)

    assert words in shown(stage, booked)


def test_a_text_in_doubt_may_not_have_arrived(stage: Stage, phones: Phones, book: Callable[[], Session]) -> None:
    phones.wrong = UNKNOWN

    line = shown(stage, book())

    assert ">May not have arrived<" in line
    assert "is not sent again" in line


def test_a_number_that_is_refused_is_told_with_the_reason(
    stage: Stage, phones: Phones, book: Callable[[], Session]
) -> None:
    phones.wrong = REFUSED

    line = shown(stage, book())
    stage.mail()

    assert ">Did not arrive<" in line
    assert "it takes no texts" in line
    [told] = [one.notice for one in phones.taken if one.notice.kind == "not_delivered"]
    assert told.by_text


def test_the_page_names_the_hour_at_which_a_text_leaves(
    stage: Stage, phones: Phones, book: Callable[[], Session]
) -> None:
    booked = book()
    night = datetime(2026, 3, 3, 2, 0, tzinfo=UTC)
    stage.clock.advance(night - stage.now)
    with stage.runtime.database.begin() as db:
        sessions.cancel(db, stage.runtime.policy, booked.id, by=stage.by, now=stage.now)
    stage.mail()

    assert "Waits for the morning" in shown(stage, booked)
    stage.clock.advance(timedelta(hours=12))
    stage.mail()
    assert [one.notice.kind.value for one in phones.taken if one.medium is Medium.SMS] == ["booked", "cancelled"]


def test_what_the_client_has_written_stands_on_the_page_as_text(stage: Stage, book: Callable[[], Session]) -> None:
    booked = book()
    with stage.runtime.database.begin() as db:
        texts.receive(
            db, stage.runtime.policy, [Reply(number=NUMBER, text="<b>Yes</b>, gladly", remote_id="in1")], now=stage.now
        )

    page = stage.signed_in().get(f"/sessions/{booked.id}").text
    assert "What Lou Secret has written" in page
    assert "&lt;b&gt;Yes&lt;/b&gt;, gladly" in page
    assert f"It came by SMS from {NUMBER}" in page
    assert "Nothing here has changed anything by itself" in page


def test_the_page_says_by_what_a_client_is_told_and_who_has_not_agreed_to_texts(
    stage: Stage, book: Callable[[], Session]
) -> None:
    path, ada = f"/sessions/{book().id}", stage.signed_in()
    assert f"is told by SMS to {NUMBER}, and has agreed to that" in ada.get(path).text

    with stage.runtime.database.begin() as db:
        people.agree_to_texts(db, stage.bobs.id, None, now=stage.now)

    page = ada.get(path).text
    assert f"No texts go to {NUMBER}" in page
    assert "is told by SMS" not in page


def test_a_failed_text_needs_the_practitioner_and_says_that_the_mail_has_told(
    stage: Stage, phones: Phones, book: Callable[[], Session]
) -> None:
    phones.wrong = REFUSED
    booked = book()

    page = stage.signed_in().get("/").text
    assert 'class="alarm"' in page
    assert "A message did not reach Lou Secret, who knows all the same what applies" in page
    assert "another message has told them" in shown(stage, booked)


def test_a_client_whom_nothing_reaches_needs_the_practitioner_until_they_say_that_they_have_told_them(
    stage: Stage, book: Callable[[], Session]
) -> None:
    booked = book()
    with stage.runtime.database.begin() as db:
        change_client(db, booked.client_id, {"media": frozenset({Medium.SMS})}, by=stage.by, now=stage.now)
        texts.receive(db, stage.runtime.policy, [Reply(number=NUMBER, text="STOP")], now=stage.now)
    stage.mail()
    browser, page = stage.signed_in(), f"/sessions/{booked.id}"

    needed = browser.get("/").text.partition("Find a client")[0]
    assert "Please tell them yourself" in needed
    text = browser.get(page).text
    assert "There is no way to tell" in text
    assert "Texts to their phone were stopped" in text
    assert "texts_" not in text

    online = Location(kind=LocationKind.ONLINE, text="https://meet.example.org/kim")
    with stage.runtime.database.begin() as db:  # meanwhile
        sessions.edit(db, stage.runtime.policy, booked.id, Edit(location=online), by=stage.by, now=stage.now)
    stage.mail()
    stale = browser.post(f"{page}/told", {"shown": version_of(text)})
    assert stale.status_code == 409
    assert "Something else applies by now" in stale.text
    assert browser.post(f"{page}/told").status_code == 409
    assert "Please tell them yourself" in browser.get("/").text

    assert browser.post(f"{page}/told", {"shown": version_of(stale.text)}).status_code == 303
    assert "Please tell them yourself" not in browser.get("/").text
    again = browser.get(page).text
    assert "There is no way to tell" in again
    assert "I have told" not in again


def test_before_an_offer_is_sent_its_page_says_that_a_text_leaves_at_night(
    stage: Stage, book: Callable[[], Session]
) -> None:
    booked, path = book(), "/sessions/{}/offer/review"
    stage.draft(stage.at(21, 9), session=booked)
    assert "It is night there" not in stage.signed_in().get(path.format(booked.id)).text

    stage.clock.advance(datetime(2026, 3, 3, 2, 0, tzinfo=UTC) - stage.now)
    assert "It is night there: the text leaves all the same" in stage.signed_in().get(path.format(booked.id)).text
