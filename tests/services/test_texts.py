"""What clients are told on their phones, beside their mails: the two never harm each other, and no text goes twice."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta

import pytest
import sqlalchemy as sa

from connector.domain.notice import NoticeKind
from connector.domain.people import Actor, Client, Medium, Role
from connector.domain.session import Edit, Location, LocationKind
from connector.ports import Letter, NotSentError
from connector.sentence import Sentence
from connector.services.people import change_client
from connector.services.policy import Policy
from connector.services.views.sessions import session_list
from connector.storage import ledger, tables
from connector.storage.database import Database
from connector.storage.messages import MessageState
from tests.domain.examples import client, when
from tests.services.practice import Practice

OPERATOR = Actor(role=Role.OPERATOR, name="root")
NUMBER = "+447700900123"
BOTH = frozenset({Medium.EMAIL, Medium.SMS})
REFUSED = NotSentError(Sentence("twilio refuses the number: it takes no texts (21614)"), permanent=True)
PUT_OFF = NotSentError(Sentence("twilio takes no texts just now (503)"), permanent=False)
UNKNOWN = NotSentError(Sentence("api.twilio.com took too long"), permanent=True, unknown=True)
ONLINE = Location(kind=LocationKind.ONLINE, text="https://meet.example.org/kim")


@dataclass
class Post:
    """Takes mails and texts, unless something is wrong with one of the two."""

    taken: list[Letter] = field(default_factory=list)
    tried: list[Letter] = field(default_factory=list)
    wrong: dict[Medium, NotSentError] = field(default_factory=dict)
    refused_to: set[str] = field(default_factory=set)
    before: Callable[[Letter], None] = lambda _: None

    def send(self, letter: Letter) -> str | None:
        self.before(letter)
        self.tried.append(letter)
        if letter.notice.to.address in self.refused_to:
            raise REFUSED
        if letter.medium in self.wrong:
            raise self.wrong[letter.medium]
        self.taken.append(letter)
        return "SM1" if letter.medium is Medium.SMS else None

    def kinds(self, medium: Medium) -> list[str]:
        return [one.notice.kind.value for one in self.taken if one.medium is medium and one.notice.to.name == "Alex"]


@pytest.fixture
def practice(sqlite_database: Database) -> Practice:
    return texting(sqlite_database)


def texting(database: Database) -> Practice:
    return Practice(database, policy=Policy(organizer="sessions@pencilled.example", media=BOTH))


@pytest.fixture
def post(practice: Practice) -> Post:
    post = Post()
    practice.runtime.sender = post
    return post


@pytest.fixture
def alex(practice: Practice) -> Client:
    return practice.another_client(replace(client(name="Alex", phone=NUMBER), media=BOTH, texts_agreed=True))


def states(practice: Practice, medium: Medium) -> list[str]:
    query = sa.select(tables.messages.c.state).where(tables.messages.c.medium == medium.value)
    with practice.database.read() as db:
        return list(db.execute(query.order_by(tables.messages.c.queued_at)).scalars())


def test_a_client_who_wants_both_is_told_by_both(practice: Practice, post: Post, alex: Client) -> None:
    booked = practice.book(of=alex)
    practice.offer(booked)

    assert post.kinds(Medium.EMAIL) == post.kinds(Medium.SMS) == ["booked", "offered"]
    assert {one.notice.to.address for one in post.taken if one.medium is Medium.SMS} == {NUMBER}


def test_the_link_in_a_text_is_short_and_the_same_however_often_it_is_made(database: Database) -> None:
    practice, post = texting(database), Post()
    practice.runtime.sender = post
    alex = practice.another_client(replace(client(name="Alex", phone=NUMBER), media=BOTH, texts_agreed=True))
    offer = practice.offer(practice.book(of=alex))

    text = post.taken[-1] if post.taken[-1].medium is Medium.SMS else post.taken[-2]

    assert text.link is not None
    assert text.link.removeprefix(practice.runtime.settings.public_url)[:3] == "/s/"
    assert len(text.link.rpartition("/")[2]) == 16
    assert text.link == practice.runtime.link_for(text.notice, Medium.SMS)
    with practice.database.read() as db:
        [row] = db.execute(sa.select(tables.short_links)).all()
    assert row.subject_id == offer.id
    assert text.link.rpartition("/")[2].encode() not in row.id
    assert offer.expires_at is not None
    assert row.ends_at == offer.expires_at + timedelta(days=90)


@pytest.mark.parametrize("changes", [{"texts_agreed": False}, {"phone": ""}, {"media": frozenset({Medium.EMAIL})}])
def test_nobody_is_texted_who_has_not_agreed_or_gave_no_number(
    practice: Practice, post: Post, changes: dict[str, object]
) -> None:
    asked = replace(client(name="Alex", phone=NUMBER), media=BOTH, texts_agreed=True)
    practice.book(of=practice.another_client(replace(asked, **changes)))  # type: ignore[arg-type]

    assert post.kinds(Medium.EMAIL) == ["booked"]
    assert post.kinds(Medium.SMS) == []


def test_without_a_gateway_nobody_is_texted(practice: Practice, post: Post, alex: Client) -> None:
    practice.policy = replace(practice.policy, media=frozenset({Medium.EMAIL}))

    practice.book(of=alex)

    assert [one.medium for one in post.tried if one.notice.to.name == "Alex"] == [Medium.EMAIL]


def test_who_agrees_later_is_told_what_stands_and_who_takes_it_back_is_texted_no_more(
    practice: Practice, post: Post
) -> None:
    person = practice.another_client(replace(client(name="Alex", phone=NUMBER), media=BOTH))
    booked = practice.book(of=person)

    for agreed in (True, False):
        with practice.database.begin() as db:
            change_client(db, person.id, {"texts_agreed": agreed}, by=OPERATOR, now=practice.now)
        practice.mail()
        practice.move(booked, when(60 if agreed else 72))

    assert post.kinds(Medium.SMS) == ["booked", "moved"]
    assert post.kinds(Medium.EMAIL) == ["booked", "moved", "moved"]


@pytest.mark.parametrize(
    ("wrong", "state"),
    [(REFUSED, MessageState.REFUSED), (PUT_OFF, MessageState.QUEUED), (UNKNOWN, MessageState.UNKNOWN)],
)
def test_what_becomes_of_a_text_leaves_the_mail_alone(
    practice: Practice, post: Post, alex: Client, wrong: NotSentError, state: MessageState
) -> None:
    post.wrong = {Medium.SMS: wrong}

    practice.book(of=alex)

    assert post.kinds(Medium.EMAIL) == ["booked"]
    assert states(practice, Medium.SMS) == [state.value]


def test_a_mail_server_that_is_down_keeps_no_text_back(practice: Practice, post: Post, alex: Client) -> None:
    post.wrong = {Medium.EMAIL: PUT_OFF}

    practice.offer(practice.book(of=alex))

    assert post.kinds(Medium.SMS) == ["booked", "offered"]


def test_a_text_that_was_put_off_leaves_once_the_gateway_takes_it(practice: Practice, post: Post, alex: Client) -> None:
    post.wrong = {Medium.SMS: PUT_OFF}
    practice.book(of=alex)
    post.wrong = {}
    practice.wait(minutes=20)
    practice.mail()

    assert post.kinds(Medium.SMS) == ["booked"]


def test_a_text_of_which_nobody_knows_whether_it_left_is_never_sent_again(
    practice: Practice, post: Post, alex: Client
) -> None:
    booked = practice.book(of=alex)
    post.wrong = {Medium.SMS: UNKNOWN}
    offer = practice.offer(booked)
    post.wrong = {}
    for _ in range(3):
        practice.wait(hours=2)
        practice.mail()
    practice.edit(booked, Edit(location=ONLINE))  # another text is taken, which is no word on that one
    practice.mail()

    assert post.kinds(Medium.SMS)[:2] == ["booked", "relocated"]
    tried = [one for one in post.tried if one.medium is Medium.SMS and one.notice.offer_id == offer.id]
    assert len({one.notice for one in tried}) == len(tried)
    assert states(practice, Medium.SMS).count("unknown") == 1
    assert practice.happened(booked).count("NoticeInDoubt") == 1


def test_a_worker_that_dies_over_a_text_leaves_a_doubt_and_no_second_text(
    practice: Practice, post: Post, alex: Client
) -> None:
    class DiedError(BaseException):
        pass

    def die(letter: Letter) -> None:
        if letter.medium is Medium.SMS:
            raise DiedError

    post.before = die
    with pytest.raises(DiedError):
        practice.book(of=alex)
    post.before = lambda _: None
    ledger.clear_leases(practice.database)  # as when a worker starts
    practice.mail()

    assert post.kinds(Medium.SMS) == []
    assert states(practice, Medium.SMS) == ["unknown"]


def test_at_night_only_what_cannot_wait_wakes_anybody(practice: Practice, post: Post, alex: Client) -> None:
    booked = practice.book(96, of=alex)
    practice.now = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
    practice.move(booked, when(100))
    assert post.kinds(Medium.SMS) == ["booked"]
    assert post.kinds(Medium.EMAIL) == ["booked", "moved"]

    practice.now = datetime(2026, 11, 24, 8, 0, tzinfo=UTC)
    practice.mail()
    assert post.kinds(Medium.SMS) == ["booked", "moved"]


def test_an_offer_takes_with_it_at_night_what_must_be_told_before(practice: Practice, post: Post, alex: Client) -> None:
    booked = practice.book(96, of=alex)
    practice.now = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)
    practice.move(booked, when(100))
    practice.offer(booked, 120, 144)

    assert post.kinds(Medium.SMS) == ["booked", "moved", "offered"]


def test_an_offer_and_what_concerns_the_early_morning_leave_at_night(
    practice: Practice, post: Post, alex: Client
) -> None:
    offered, early = practice.book(96, of=alex), practice.book(24, of=alex)
    practice.now = datetime(2026, 11, 24, 2, 30, tzinfo=UTC)

    practice.offer(offered, 120)
    practice.cancel(early)

    assert post.kinds(Medium.SMS) == ["booked", "booked", "offered", "cancelled"]


def test_a_new_number_is_told_what_stands(practice: Practice, post: Post, alex: Client) -> None:
    practice.book(of=alex)
    with practice.database.begin() as db:
        change_client(db, alex.id, {"phone": "+447700900456"}, by=OPERATOR, now=practice.now)
    practice.mail()

    texts = [one.notice for one in post.taken if one.medium is Medium.SMS]
    assert [one.to.address for one in texts] == [NUMBER, "+447700900456"]
    assert texts[-1].kind is NoticeKind.BOOKED
    assert post.kinds(Medium.EMAIL) == ["booked"]


def test_a_client_who_can_only_be_texted_can_be_asked(practice: Practice, post: Post) -> None:
    person = replace(client(name="Alex", email="", phone=NUMBER), media=frozenset({Medium.SMS}), texts_agreed=True)
    booked = practice.book(of=practice.another_client(person))
    practice.offer(booked)

    assert post.kinds(Medium.SMS) == ["booked", "offered"]


def test_a_text_that_came_too_late_is_no_news_where_the_mail_was_in_time(
    practice: Practice, post: Post, alex: Client
) -> None:
    booked = practice.book(of=alex)
    post.wrong = {Medium.SMS: PUT_OFF}
    practice.move(booked, when(49))
    post.wrong = {}
    practice.wait(hours=50)
    practice.mail()

    assert post.kinds(Medium.EMAIL) == ["booked", "moved"]
    assert post.kinds(Medium.SMS) == ["booked"]
    assert practice.kinds_told(booked, client=False) == []


@pytest.mark.parametrize("failing", list(Medium))
def test_a_client_told_in_time_by_one_medium_is_not_reported_as_untold(
    practice: Practice, post: Post, alex: Client, failing: Medium
) -> None:
    booked = practice.book(of=alex)
    post.wrong = {failing: PUT_OFF}
    practice.move(booked, when(49))
    practice.offer(booked, 96)
    post.wrong = {}
    practice.wait(hours=50)
    practice.mail()

    assert post.kinds(failing) == ["booked"]
    assert practice.kinds_told(booked, client=False) == []


@pytest.mark.parametrize("wrong", [PUT_OFF, UNKNOWN])
def test_a_client_told_in_time_by_neither_is_reported_once(
    practice: Practice, post: Post, alex: Client, wrong: NotSentError
) -> None:
    booked = practice.book(of=alex)
    post.wrong = {Medium.EMAIL: PUT_OFF, Medium.SMS: wrong}
    practice.move(booked, when(49))
    post.wrong = {}
    practice.wait(hours=50)
    practice.mail()

    assert practice.kinds_told(booked, client=False) == ["not_told"]


@pytest.mark.parametrize("failing", list(Medium))
def test_what_one_medium_could_not_deliver_is_told_as_known_where_the_other_did(
    practice: Practice, post: Post, alex: Client, failing: Medium
) -> None:
    booked = practice.book(of=alex)
    post.refused_to = {alex.address(failing)}
    offer = practice.offer(booked, 96)
    [told] = [one.notice for one in practice.told(booked, client=False)]
    practice.now = offer.expires_at or practice.now
    practice.come_due(offer)

    assert (told.kind, told.told_otherwise) == (NoticeKind.NOT_DELIVERED, True)
    assert told.by_text == (failing is Medium.SMS)
    [lapsed] = [one.notice for one in practice.told(booked, client=False) if one.kind is NoticeKind.OFFER_LAPSED]
    assert not lapsed.unasked
    with practice.database.read() as db:
        [row] = session_list(db, practice.kim.id, now=practice.now).flagged
    assert row.unheard


def test_what_no_medium_could_deliver_is_told_as_such(practice: Practice, post: Post, alex: Client) -> None:
    booked = practice.book(of=alex)
    post.refused_to = {alex.email, alex.phone}
    practice.offer(booked, 96)

    told = [one.notice for one in practice.told(booked, client=False)]
    assert [(one.kind, one.told_otherwise) for one in told] == [(NoticeKind.NOT_DELIVERED, False)] * 2
    with practice.database.read() as db:
        [row] = session_list(db, practice.kim.id, now=practice.now).flagged
    assert (row.unheard, row.told_by) == (True, ())


def test_what_is_told_of_a_failure_waits_a_moment_for_the_other_medium_and_no_longer(
    practice: Practice, post: Post, alex: Client
) -> None:
    booked = practice.book(of=alex)
    post.refused_to, post.wrong = {alex.email}, {Medium.SMS: PUT_OFF}
    practice.offer(booked, 96)
    assert practice.kinds_told(booked, client=False) == []

    post.wrong = {}
    for _ in range(2):
        practice.wait(seconds=20)
        practice.mail()
    [told] = [one.notice for one in practice.told(booked, client=False)]
    assert told.told_otherwise

    post.wrong = {Medium.SMS: PUT_OFF}
    practice.cancel(booked)
    practice.wait(seconds=31)
    practice.mail()
    [_, told] = [one.notice for one in practice.told(booked, client=False)]
    assert not told.told_otherwise


def test_a_text_in_doubt_needs_the_practitioner_where_nothing_else_has_told_the_client(
    practice: Practice, post: Post, alex: Client
) -> None:
    def needing() -> list[tuple[str, bool]]:
        with practice.database.read() as db:
            rows = session_list(db, practice.kim.id, now=practice.now).flagged
        return [(row.client_name, row.doubtful) for row in rows]

    only = replace(client(name="Robin", email="", phone="+447700900456"), media=frozenset({Medium.SMS}))
    robin = practice.another_client(replace(only, texts_agreed=True))
    post.wrong = {Medium.SMS: UNKNOWN}
    practice.book(of=alex)
    booked = practice.book(72, of=robin)
    assert needing() == [("Robin", True)]

    post.wrong = {}
    practice.wait(minutes=5)
    practice.move(booked, when(96))
    assert needing() == []
