"""A client whom nothing reaches: their practitioner is told so, once for each thing, and the session needs them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import pytest

from connector.domain.facts import PersonChanged
from connector.domain.notice import Notice
from connector.domain.people import Client, Medium
from connector.domain.session import Session
from connector.domain.span import When
from connector.ports import NotSentError, Receipt, Reply
from connector.sentence import Sentence
from connector.services import consent, conversations, texts
from connector.services.people import change_client
from connector.services.views.sessions import SessionRow, session_list, session_page
from connector.services.views.timeline import line_of
from connector.storage import people, sessions, timeline
from connector.storage.database import Database
from tests.domain.examples import KIM, client, when
from tests.services.crashes import CrashError, MortalDatabase
from tests.services.practice import Practice
from tests.services.telling import ENGLISH
from tests.services.test_texts import BOTH, NUMBER, OPERATOR, UNKNOWN, Post, texting

STOPPED = NotSentError(
    Sentence("twilio refuses the number: its owner has stopped texts from us (21610)"), permanent=True, stopped=True
)


@pytest.fixture
def practice(sqlite_database: Database) -> Practice:
    return texting(sqlite_database)


@pytest.fixture(autouse=True)
def post(practice: Practice) -> Post:
    practice.runtime.sender = post = Post()
    return post


@pytest.fixture
def robin(practice: Practice) -> Client:
    """Somebody who can be texted alone."""
    only = replace(client(name="Robin", email="", phone=NUMBER), media=frozenset({Medium.SMS}), texts_agreed=True)
    return practice.another_client(only)


def told(practice: Practice, session: Session) -> list[Notice]:
    return [message.notice for message in practice.told(session, client=False)]


def kinds(practice: Practice, session: Session) -> list[tuple[str, str]]:
    return [(notice.kind.value, notice.about) for notice in told(practice, session)]


def to_robin(post: Post) -> list[tuple[Medium, When]]:
    """Return by what Robin was told of which times."""
    own = ((one.medium, one.notice) for one in post.taken if one.notice.to.name == "Robin")
    return [(medium, notice.session.when) for medium, notice in own if notice.session is not None]


def needing(practice: Practice) -> list[SessionRow]:
    with practice.database.read() as db:
        return list(session_list(db, practice.kim.id, now=practice.now).flagged)


def stop(practice: Practice) -> None:
    with practice.database.begin() as db:
        texts.receive(db, practice.policy, [Reply(number=NUMBER, text="STOP")], now=practice.now)
    practice.mail()


def change(practice: Practice, person: Client, **changes: Any) -> None:
    with practice.database.begin() as db:
        change_client(db, person.id, changes, by=OPERATOR, now=practice.now)
    practice.mail()


def readdress(practice: Practice, person: Client, email: str) -> None:
    with practice.database.begin() as db:
        conversations.readdress(db, person.id, email, by=OPERATOR, now=practice.now)
    practice.mail()


def shown(practice: Practice, session: Session) -> str:
    """Return what the page of a session says that it shows."""
    with practice.database.read() as db:
        return session_page(db, practice.policy, practice.kim.id, session.id, now=practice.now).version


def say_told(practice: Practice, session: Session, version: str) -> bool:
    with practice.database.begin() as db:
        return consent.told_in_person(db, session.id, shown=version, by=KIM, now=practice.now)


def receive(practice: Practice, told: Receipt | Reply) -> None:
    with practice.database.begin() as db:
        texts.receive(db, practice.policy, [told], now=practice.now)
    practice.mail()


def agreed(practice: Practice, person: Client) -> bool:
    with practice.database.read() as db:
        return people.client(db, person.id).texts_agreed


def test_who_can_be_told_nothing_any_more_is_told_to_their_practitioner_at_once(
    practice: Practice, robin: Client
) -> None:
    first, second = practice.book(of=robin), practice.book(96, of=robin)

    stop(practice)

    [notice] = told(practice, first)
    assert (notice.kind.value, notice.about, notice.count, notice.by_text) == ("no_channel", "", 2, True)
    assert told(practice, second) == []
    [row] = needing(practice)  # the one at which they meet next
    assert (row.session.id, row.unreached) == (first.id, True)


def test_an_open_offer_to_who_can_be_told_nothing_any_more_needs_the_practitioner_at_once(
    practice: Practice, robin: Client
) -> None:
    practice.book(of=robin)
    offered = practice.book(96, of=robin)
    offer = practice.offer(offered, 120)

    stop(practice)

    [notice] = told(practice, offered)
    assert (notice.kind.value, notice.offer_id) == ("no_channel", offer.id)
    assert offered.id in {row.session.id for row in needing(practice)}


def test_whatever_changes_for_who_can_be_told_nothing_is_told_to_their_practitioner_once(
    practice: Practice, post: Post, robin: Client
) -> None:
    booked = practice.book(of=robin)
    stop(practice)

    practice.move(booked, when(60))
    practice.wait(minutes=5)
    practice.mail()
    practice.cancel(booked)

    assert kinds(practice, booked) == [("no_channel", ""), ("no_channel", "moved"), ("no_channel", "cancelled")]
    assert post.kinds(Medium.SMS) == []
    assert [(row.session.id, row.unreached) for row in needing(practice)] == [(booked.id, True)]
    assert practice.happened(booked).count("NoticeRefused") == 2


LOSSES: dict[str, Callable[[Practice, Client], None]] = {
    "stop": lambda practice, _person: stop(practice),
    "agreement": lambda practice, person: change(practice, person, texts_agreed=False),
    "number": lambda practice, person: change(practice, person, phone=""),
    "media": lambda practice, person: change(practice, person, media=frozenset({Medium.EMAIL})),
}


@pytest.mark.parametrize(
    "loss", ["number", *(pytest.param(loss, marks=pytest.mark.long) for loss in LOSSES if loss != "number")]
)
def test_whatever_takes_the_last_way_to_a_client_is_told(practice: Practice, robin: Client, loss: str) -> None:
    booked = practice.book(of=robin)

    LOSSES[loss](practice, robin)
    practice.move(booked, when(60))

    assert [kind for kind, about in kinds(practice, booked) if about in {"", "moved"}] == ["no_channel", "no_channel"]
    assert [row.unreached for row in needing(practice)] == [True]


def test_a_mail_address_that_is_taken_away_is_told_like_that(practice: Practice) -> None:
    booked = practice.book()

    change(practice, practice.alex, email="")
    practice.move(booked, when(60))

    assert kinds(practice, booked) == [("no_channel", ""), ("no_channel", "moved")]
    assert [row.unreached for row in needing(practice)] == [True]


def test_an_installation_that_has_no_gateway_any_more_reaches_nobody_by_text(practice: Practice, robin: Client) -> None:
    booked = practice.book(of=robin)
    practice.policy = replace(practice.policy, media=frozenset({Medium.EMAIL}))

    practice.move(booked, when(60))

    assert kinds(practice, booked) == [("no_channel", "moved")]


def test_a_booking_of_somebody_who_never_could_be_told_is_told_to_the_practitioner(
    practice: Practice,
) -> None:
    booked = practice.book(of=practice.another_client(client(name="Robin", email="")))

    assert kinds(practice, booked) == [("no_channel", "booked")]
    assert [row.unreached for row in needing(practice)] == [True]


def test_who_can_still_be_mailed_needs_nobody_after_stop_and_it_is_told_once(practice: Practice, post: Post) -> None:
    person = practice.another_client(replace(client(name="Alex", phone=NUMBER), media=BOTH, texts_agreed=True))
    booked = practice.book(of=person)

    practice.book(96, of=person)

    stop(practice)
    stop(practice)
    practice.move(booked, when(60))

    assert (kinds(practice, booked), needing(practice)) == ([("texts_ended", "")], [])
    assert post.kinds(Medium.EMAIL) == ["booked", "booked", "moved"]


def test_a_text_that_waited_for_the_morning_when_stop_came_is_told_to_the_practitioner(
    practice: Practice, robin: Client
) -> None:
    booked = practice.book(96, of=robin)
    practice.now = practice.now.replace(hour=23)
    practice.move(booked, when(100))

    stop(practice)

    assert kinds(practice, booked) == [("no_channel", "moved")]


def test_a_session_needs_nobody_any_more_once_its_client_can_be_told(
    practice: Practice, post: Post, robin: Client
) -> None:
    booked = practice.book(of=robin)
    stop(practice)
    practice.move(booked, when(60))

    change(practice, robin, email="robin@client.example", media=BOTH)

    assert needing(practice) == []
    assert to_robin(post)[1:] == [(Medium.EMAIL, when(60))]


ENTERED: dict[str, Callable[[Practice, Client], None]] = {
    "readdressed": lambda practice, person: readdress(practice, person, "robin@client.example"),
    "changed": lambda practice, person: change(practice, person, email="robin@client.example"),
}


@pytest.mark.parametrize("entered", ENTERED)
def test_an_address_at_which_a_client_is_not_told_anything_ends_no_need(
    practice: Practice, post: Post, robin: Client, entered: str
) -> None:
    booked = practice.book(of=robin)
    stop(practice)
    practice.move(booked, when(60))

    ENTERED[entered](practice, robin)
    assert [row.unreached for row in needing(practice)] == [True]
    assert to_robin(post) == [(Medium.SMS, when(48))]

    change(practice, robin, media=BOTH)
    assert needing(practice) == []
    assert to_robin(post)[1:] == [(Medium.EMAIL, when(60))]


def test_what_a_gateway_had_refused_as_stopped_is_told_once_texts_are_agreed_to_anew(
    practice: Practice, post: Post, robin: Client
) -> None:
    booked = practice.book(of=robin)
    post.wrong = {Medium.SMS: STOPPED}
    practice.move(booked, when(60))
    assert len(needing(practice)) == 1
    post.wrong = {}

    change(practice, robin, texts_agreed=True)

    assert to_robin(post) == [(Medium.SMS, when(48)), (Medium.SMS, when(60))]
    assert needing(practice) == []


def test_who_agrees_to_texts_that_nobody_sends_needs_their_practitioner_on(practice: Practice, robin: Client) -> None:
    booked = practice.book(of=robin)
    stop(practice)
    practice.move(booked, when(60))
    practice.policy = replace(practice.policy, media=frozenset({Medium.EMAIL}))

    change(practice, robin, texts_agreed=True)

    assert [row.unreached for row in needing(practice)] == [True]
    assert kinds(practice, booked) == [("no_channel", ""), ("no_channel", "moved")]


def test_a_text_in_doubt_is_not_repeated_to_who_agrees_anew_and_needs_the_practitioner_on(
    practice: Practice, post: Post, robin: Client
) -> None:
    post.wrong = {Medium.SMS: UNKNOWN}
    practice.book(of=robin)
    stop(practice)
    post.wrong = {}

    change(practice, robin, texts_agreed=True)

    assert to_robin(post) == []
    assert [row.unreached for row in needing(practice)] == [True]


def test_a_practitioner_who_has_told_their_client_is_not_asked_again(practice: Practice, robin: Client) -> None:
    booked = practice.book(of=robin)
    stop(practice)
    practice.move(booked, when(60))

    for _ in range(2):
        assert say_told(practice, booked, shown(practice, booked))
    assert needing(practice) == []
    assert practice.happened(booked).count("FlagCleared") == 1

    practice.move(booked, when(62))
    assert kinds(practice, booked)[-1] == ("no_channel", "moved")
    assert len(needing(practice)) == 1


def test_who_has_told_what_an_older_page_showed_has_not_told_what_stands(practice: Practice, robin: Client) -> None:
    booked = practice.book(of=robin)
    stop(practice)
    practice.move(booked, when(60))
    before = shown(practice, booked)
    practice.move(booked, when(72))

    assert not say_told(practice, booked, before)
    assert len(needing(practice)) == 1

    before = shown(practice, booked)
    assert say_told(practice, booked, before)
    assert needing(practice) == []


def test_what_has_stopped_texts_is_told_in_words(practice: Practice, robin: Client) -> None:
    booked = practice.book(of=robin)

    stop(practice)

    with practice.database.read() as db:
        [line] = [line_of(one, ENGLISH) for one in timeline.of_session(db, booked.id) if isinstance(one, PersonChanged)]
    assert (line.who, line.what) == ("Robin (client)", "Texts to their phone were stopped; they get none any more")


# What gateways say themselves.


def test_the_word_of_a_gateway_that_texts_were_stopped_ends_the_agreement_and_is_told_once(
    practice: Practice, post: Post
) -> None:
    person = practice.another_client(replace(client(name="Alex", phone=NUMBER), media=BOTH, texts_agreed=True))
    post.wrong = {Medium.SMS: STOPPED}

    booked = practice.book(of=person)
    practice.move(booked, when(60))
    other = practice.book(96, of=person)

    assert not agreed(practice, person)
    assert len([one for one in post.tried if one.medium is Medium.SMS]) == 1
    [notice] = told(practice, booked)
    assert (notice.kind.value, notice.reason, notice.told_otherwise) == ("not_delivered", "stopped", True)
    assert told(practice, other) == []


def test_the_word_of_a_gateway_about_who_can_be_texted_alone_is_told_as_something_they_do_not_know(
    practice: Practice, post: Post, robin: Client
) -> None:
    post.wrong = {Medium.SMS: STOPPED}

    booked = practice.book(of=robin)

    assert not agreed(practice, robin)
    assert kinds(practice, booked) == [("no_channel", "booked")]
    assert [row.unreached for row in needing(practice)] == [True]


def test_a_receipt_that_says_that_texts_were_stopped_does_the_same(practice: Practice, robin: Client) -> None:
    booked = practice.book(of=robin)

    for _ in range(2):
        receipt = Receipt(remote_id="SM1", state="failed", stopped=True)
        with practice.database.begin() as db:
            texts.receive(db, practice.policy, [receipt], now=practice.now)
        practice.mail()

    assert not agreed(practice, robin)
    assert kinds(practice, booked) == [("no_channel", "booked")]


def test_a_text_in_doubt_is_not_known_to_who_can_be_told_nothing_any_more(
    practice: Practice, post: Post, robin: Client
) -> None:
    post.wrong = {Medium.SMS: UNKNOWN}
    booked = practice.book(of=robin)

    stop(practice)

    assert kinds(practice, booked) == [("no_channel", "booked")]


def test_what_follows_from_the_word_of_a_gateway_is_noted_after_a_death_too(sqlite_url: str) -> None:
    mortal = MortalDatabase(sqlite_url)
    practice = texting(mortal)
    practice.runtime.sender = post = Post(wrong={Medium.SMS: STOPPED})
    person = practice.another_client(replace(client(name="Alex", phone=NUMBER), media=BOTH, texts_agreed=True))
    post.before = lambda letter: mortal.die_at("after commit", 0) if letter.medium is Medium.SMS else None
    with pytest.raises(CrashError):
        practice.book(of=person)
    mortal.revive()
    post.before = lambda _: None
    assert agreed(practice, person)

    practice.mail()

    assert not agreed(practice, person)
    with practice.database.read() as db:
        [booked] = sessions.of_client(db, person.id, since=practice.now)
    assert kinds(practice, booked) == [("not_delivered", "booked")]


def test_the_word_of_a_gateway_about_a_text_of_before_ends_no_agreement_given_anew(
    practice: Practice, robin: Client
) -> None:
    booked = practice.book(of=robin)
    practice.wait(minutes=1)
    stop(practice)
    change(practice, robin, texts_agreed=True)

    receive(practice, Receipt(remote_id="SM1", state="failed", stopped=True))

    assert agreed(practice, robin)
    assert kinds(practice, booked)[-1] == ("not_delivered", "booked")


def test_a_gateway_that_says_later_why_a_text_did_not_arrive_is_heard(practice: Practice, robin: Client) -> None:
    booked = practice.book(of=robin)

    receive(practice, Receipt(remote_id="SM1", state="failed"))
    receive(practice, Receipt(remote_id="SM1", state="failed", stopped=True))

    assert not agreed(practice, robin)
    assert kinds(practice, booked) == [("not_delivered", "booked"), ("no_channel", "booked")]


def test_words_that_may_mean_the_session_end_nothing_and_are_shown(practice: Practice) -> None:
    person = practice.another_client(replace(client(name="Alex", phone=NUMBER), media=BOTH, texts_agreed=True))
    booked = practice.book(of=person)

    receive(practice, Reply(number=NUMBER, text="Cancel please"))

    assert agreed(practice, person)
    assert kinds(practice, booked) == [("client_wrote", "Cancel please")]


def test_words_by_which_a_gateway_itself_has_ended_texts_are_shown_as_well(practice: Practice) -> None:
    person = practice.another_client(replace(client(name="Alex", phone=NUMBER), media=BOTH, texts_agreed=True))
    booked = practice.book(of=person)

    receive(practice, Reply(number=NUMBER, text="Cancel please", stops=True))

    assert not agreed(practice, person)
    assert sorted(kind for kind, _about in kinds(practice, booked)) == ["client_wrote", "texts_ended"]
