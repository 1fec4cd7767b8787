"""What people are told, by the use cases and a mail server that is not always there."""

from __future__ import annotations

from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import timedelta

import pytest
import sqlalchemy as sa

from connector.domain.facts import MoveReason, NoticeRefused, NoticeSent
from connector.domain.notice import NoticeKind
from connector.domain.notice_table import Audience
from connector.domain.people import CLOCK, Actor, Role
from connector.domain.session import Edit, Location, LocationKind, Session
from connector.ports import Letter, NotSentError
from connector.sentence import Sentence
from connector.services import conversations, notices
from connector.services.people import change_practitioner
from connector.services.scheduling import answers, offers
from connector.services.views.sessions import session_list, session_page
from connector.storage import conversations as stored_conversations
from connector.storage import due, ledger, people, signins, tables, timeline
from connector.storage.database import Database
from connector.storage.ledger import Kind
from connector.storage.messages import MessageState
from tests.domain.examples import when
from tests.services.practice import Practice
from tests.services.waiting import until_it_waits

ONLINE = Location(kind=LocationKind.ONLINE, text="https://meet.example.org/kim")
CORRECTION = MoveReason.CORRECTION
SUPPORT = Actor(role=Role.SUPPORT, name="Sam", reason="asked by telephone")
DOWN = NotSentError(Sentence("the mail server refused the message (451 4.3.0)"), permanent=False)
GONE = NotSentError(Sentence("the mail server refused the recipient (550 5.1.1)"), permanent=True)
CUT_OFF = NotSentError(
    Sentence("the connection to the mail server failed while sending"), permanent=False, unknown=True
)


@dataclass
class Post:
    """A mail server: it takes what it is given unless something is wrong, for all or one, and keeps what it took."""

    taken: list[Letter] = field(default_factory=list)
    wrong: NotSentError | None = None
    only_to: str = ""
    before: Callable[[], None] = lambda: None

    def send(self, letter: Letter) -> None:
        self.before()
        wrong = None if self.only_to not in ("", letter.notice.to.address) else self.wrong
        if wrong is not None and not wrong.unknown:
            raise wrong
        self.taken.append(letter)
        if wrong is not None:
            raise wrong

    def kinds(self, address: str) -> list[str]:
        return [letter.notice.kind.value for letter in self.taken if letter.notice.to.address == address]


@pytest.fixture
def practice(database: Database) -> Practice:
    return Practice(database)


@pytest.fixture
def post(practice: Practice) -> Post:
    post = Post()
    practice.runtime.sender = post
    return post


def to_client(practice: Practice, post: Post) -> list[str]:
    return post.kinds(practice.alex.email)


def to_practitioner(practice: Practice, post: Post) -> list[str]:
    return post.kinds(practice.kim.email)


def recover(practice: Practice, post: Post, **after: float) -> None:
    """Have the mail server take letters again, and everything tried again that waits."""
    post.wrong = None
    practice.wait(**(after or {"minutes": 20}))
    practice.mail()


def test_a_booking_that_was_cancelled_before_word_of_it_left_is_never_told(practice: Practice, post: Post) -> None:
    post.wrong = DOWN
    booked = practice.book()
    practice.cancel(booked)
    recover(practice, post)
    assert post.taken == []


def test_moves_that_could_not_leave_become_one_letter_from_what_the_client_knows(
    practice: Practice, post: Post
) -> None:
    booked = practice.book()
    post.wrong = DOWN
    for hours in (60, 72):
        practice.move(booked, when(hours))
    recover(practice, post)
    assert to_client(practice, post) == ["booked", "moved"]
    last = post.taken[-1].notice
    assert (last.old_when, last.session and last.session.when) == (booked.when, when(72))


def test_a_session_moved_there_and_back_unsaid_is_not_told(practice: Practice, post: Post) -> None:
    booked = practice.book()
    post.wrong = DOWN
    practice.move(booked, when(60))
    practice.move(booked, booked.when)
    recover(practice, post)
    assert to_client(practice, post) == ["booked"]


def test_a_place_that_could_not_be_told_goes_with_the_correction_that_follows(practice: Practice, post: Post) -> None:
    booked = practice.book()
    post.wrong = DOWN
    practice.edit(booked, Edit(location=ONLINE))
    practice.edit(booked, Edit(when=when(50), reason=CORRECTION))
    recover(practice, post)
    assert to_client(practice, post) == ["booked", "corrected"]
    last = post.taken[-1].notice
    assert (last.old_when, last.old_location) == (booked.when, booked.location)


def test_a_letter_in_doubt_is_repeated_to_the_byte(practice: Practice, post: Post) -> None:
    post.wrong = CUT_OFF
    practice.book()
    practice.wait(minutes=20)
    post.wrong = None
    practice.mail()
    assert to_client(practice, post) == ["booked", "booked"]
    assert post.taken[0] == post.taken[1]


def test_a_doubt_outlives_a_repeat_that_surely_did_not_leave(practice: Practice, post: Post) -> None:
    post.wrong = CUT_OFF
    booked = practice.book()
    post.wrong = DOWN
    practice.wait(minutes=20)
    practice.mail()
    practice.cancel(booked)
    recover(practice, post)
    assert to_client(practice, post) == ["booked", "cancelled"]


def test_what_was_in_doubt_is_taken_back_when_it_is_no_longer_so(practice: Practice, post: Post) -> None:
    post.wrong = CUT_OFF
    booked = practice.book()
    post.wrong = DOWN
    practice.cancel(booked)
    recover(practice, post)
    assert to_client(practice, post) == ["booked", "cancelled"]
    states = [message.state for message in practice.told(booked, client=True)]
    assert states == [MessageState.UNKNOWN, MessageState.SENT]


def test_an_offer_that_could_not_be_told_and_ended_is_not_told_at_all(practice: Practice, post: Post) -> None:
    booked = practice.book()
    post.wrong = DOWN
    practice.withdraw(practice.offer(booked))
    recover(practice, post)
    assert to_client(practice, post) == ["booked"]


def test_an_offer_that_lapsed_untold_is_told_to_its_practitioner_as_never_asked(practice: Practice, post: Post) -> None:
    booked = practice.book()
    post.wrong = DOWN
    practice.offer(booked)
    practice.wait(hours=24)
    practice.carry_out(Kind.OFFER)
    recover(practice, post)
    assert to_client(practice, post) == ["booked"]
    assert to_practitioner(practice, post) == ["offer_lapsed"]
    assert post.taken[-1].notice.unasked


def test_an_offer_is_never_told_at_or_after_its_deadline(practice: Practice, post: Post) -> None:
    booked = practice.book()
    post.wrong = DOWN
    practice.offer(booked)
    recover(practice, post, hours=24)  # the deadline itself, and nobody has ended the offer yet
    assert to_client(practice, post) == ["booked"]


def test_a_new_offer_says_that_the_one_they_know_has_ended(practice: Practice, post: Post) -> None:
    booked = practice.book()
    practice.offer(booked)
    practice.offer(booked, 200, 220)
    assert to_client(practice, post) == ["booked", "offered", "offered"]
    assert [letter.notice.offer_withdrawn for letter in post.taken] == [False, False, True]


def test_an_offer_changed_several_times_is_told_once(practice: Practice, post: Post) -> None:
    offer = practice.offer(practice.book())
    post.wrong = DOWN
    for n in (0, 1):
        with practice.database.begin() as db:
            offers.withdraw_alternative(
                db, practice.policy, offer.id, offer.alternatives[n].id, by=SUPPORT, now=practice.now
            )
    recover(practice, post)
    assert to_client(practice, post) == ["booked", "offered", "offer_changed"]
    assert [choice.when for choice in post.taken[-1].notice.choices] == [when(120)]


def test_a_booking_and_an_offer_are_two_letters_in_this_order(practice: Practice, post: Post) -> None:
    post.wrong = DOWN
    practice.offer(practice.book())
    recover(practice, post)
    assert to_client(practice, post) == ["booked", "offered"]


def test_what_support_enters_for_a_client_is_confirmed_as_an_acceptance(practice: Practice, post: Post) -> None:
    offer = practice.offer(practice.book())
    with practice.database.begin() as db:
        answers.accept(db, practice.policy, offer.id, offer.alternatives[0].id, by=SUPPORT, now=practice.now)
    practice.mail()
    last = [letter.notice for letter in post.taken if letter.notice.to.address == practice.alex.email][-1]
    assert (last.kind, last.by_support) == (NoticeKind.ACCEPTED, True)


def test_a_letter_refused_for_good_is_not_repeated_and_needs_the_practitioner(practice: Practice, post: Post) -> None:
    post.wrong, post.only_to = GONE, practice.alex.email
    booked = practice.book()
    recover(practice, post)
    assert to_client(practice, post) == []
    assert to_practitioner(practice, post) == ["not_delivered"]
    with practice.database.read() as db:
        page = session_list(db, practice.kim.id, now=practice.now)
        refusals = [fact for fact in timeline.of_session(db, booked.id) if isinstance(fact, NoticeRefused)]
    assert [row.session.id for row in page.flagged] == [booked.id]
    assert [refusal.kind for refusal in refusals] == ["booked"]


def test_a_practitioner_whose_own_letters_are_refused_sees_it(practice: Practice, post: Post) -> None:
    post.wrong, post.only_to = GONE, practice.kim.email
    practice.reject(practice.offer(practice.book()))
    assert seen_refused(practice)
    post.wrong = None
    practice.reject(practice.offer(practice.book(300)))
    assert not seen_refused(practice)


def seen_refused(practice: Practice) -> bool:
    practice.mail()
    practice.wait(seconds=1)
    with practice.database.read() as db:
        return session_list(db, practice.kim.id, now=practice.now).refuses_mail


def test_what_changes_after_a_refusal_is_tried(practice: Practice, post: Post) -> None:
    post.wrong = GONE
    booked = practice.book()
    post.wrong = None
    practice.move(booked, when(60))
    assert to_client(practice, post) == ["booked"]  # the first that they hear of, where it stands now
    with practice.database.read() as db:
        assert session_list(db, practice.kim.id, now=practice.now).flagged == ()


def test_a_corrected_address_is_sent_what_is_still_true(practice: Practice, post: Post) -> None:
    post.wrong = GONE
    practice.offer(practice.book())
    cancelled = practice.book(300)
    practice.cancel(cancelled)
    post.wrong = None
    with practice.database.begin() as db:
        conversations.readdress(db, practice.alex.id, "alex@right.example", by=CLOCK, now=practice.now)
    practice.mail()
    assert post.kinds("alex@right.example") == ["booked", "offered"]


def test_what_was_told_to_a_wrong_address_is_told_to_the_right_one(practice: Practice, post: Post) -> None:
    """Where their calendar has the entry: their mail address was changed by mistake, and back again."""
    right = practice.alex.email
    booked = practice.book()
    readdress(practice, "somebody.else@wrong.example")
    practice.cancel(booked)
    readdress(practice, right)
    assert to_client(practice, post) == ["booked", "cancelled"]
    assert post.kinds("somebody.else@wrong.example") == ["booked", "cancelled"]


def test_who_knows_how_a_session_ended_is_not_told_again_at_another_address(practice: Practice, post: Post) -> None:
    practice.cancel(practice.book())
    readdress(practice, "alex@new.example")
    readdress(practice, "alex@newest.example")
    assert to_client(practice, post) == ["booked", "cancelled"]
    assert len(post.taken) == 2


def readdress(practice: Practice, address: str) -> None:
    with practice.database.begin() as db:
        conversations.readdress(db, practice.alex.id, address, by=CLOCK, now=practice.now)
    practice.mail()


def test_an_address_that_is_given_again_is_tried_again(practice: Practice, post: Post) -> None:
    """As after a mailbox was full."""
    post.wrong = GONE
    practice.book()
    post.wrong = None
    with practice.database.begin() as db:
        conversations.readdress(db, practice.alex.id, practice.alex.email, by=CLOCK, now=practice.now)
    practice.mail()
    assert to_client(practice, post) == ["booked"]


def test_a_refused_letter_is_not_repeated_because_somebody_takes_another_name(practice: Practice, post: Post) -> None:
    post.wrong, post.only_to = GONE, practice.alex.email
    booked = practice.book()
    with practice.database.begin() as db:
        db.execute(sa.update(tables.practitioners).values(name="Kim Married", takes_replies=True))
        person = people.practitioner(db, practice.kim.id)
        conversations.witness(db, person, practice.alex, booked, now=practice.now)
    recover(practice, post)
    assert to_client(practice, post) == []
    assert to_practitioner(practice, post) == ["not_delivered"]


def test_a_letter_in_doubt_is_not_repeated_once_a_time_that_it_offers_has_begun(practice: Practice, post: Post) -> None:
    booked = practice.book(200)
    post.wrong = CUT_OFF
    practice.offer(booked, 2, 96)
    recover(practice, post, hours=3)
    first, second = [letter for letter in post.taken if letter.notice.kind is NoticeKind.OFFERED]
    assert first.message_id != second.message_id
    assert second.date == practice.now


def correct_kim(practice: Practice) -> str:
    """Correct the practitioner's address, and return the right one."""
    right = "kim@right.example"
    with practice.database.begin() as db:
        change_practitioner(db, practice.kim.id, {"email": right}, by=SUPPORT, now=practice.now)
    return right


def test_what_waits_for_a_practitioner_goes_to_the_address_that_they_have_by_then(
    practice: Practice, post: Post
) -> None:
    offer = practice.offer(practice.book(80), 100)
    practice.prompt = False
    practice.accept(offer)
    right = correct_kim(practice)
    practice.mail()
    assert (to_practitioner(practice, post), post.kinds(right)) == ([], ["client_accepted"])


@pytest.mark.parametrize("wrong", [DOWN, CUT_OFF], ids=["not left", "in doubt"])
def test_a_letter_begun_for_a_practitioners_wrong_address_is_written_to_the_right_one(
    practice: Practice, post: Post, wrong: NotSentError
) -> None:
    offer = practice.offer(practice.book(80), 100)
    post.wrong, post.only_to = wrong, practice.kim.email
    practice.accept(offer)
    before = to_practitioner(practice, post)
    right = correct_kim(practice)
    practice.mail()  # at once, however long the wrong one would have been left alone
    assert post.kinds(right) == ["client_accepted"]
    recover(practice, post)
    assert (to_practitioner(practice, post), post.kinds(right)) == (before, ["client_accepted"])


def test_what_was_refused_at_a_practitioners_wrong_address_is_told_at_the_right_one_unless_it_is_over(
    practice: Practice, post: Post
) -> None:
    over, coming = practice.offer(practice.book(2), 6), practice.offer(practice.book(80), 100)
    post.wrong, post.only_to = GONE, practice.kim.email
    practice.reject(over)
    practice.accept(coming)
    practice.wait(hours=7)
    with practice.database.read() as db:
        assert stored_conversations.refuses_mail(db, practice.kim.id)
    right = correct_kim(practice)
    practice.mail()
    assert post.kinds(right) == ["client_accepted"]
    with practice.database.read() as db:
        assert not stored_conversations.refuses_mail(db, practice.kim.id)


@pytest.mark.postgresql
def test_a_letter_is_noted_as_sent_while_its_practitioner_is_given_another_address(
    postgresql_database: Database,
) -> None:
    practice = Practice(postgresql_database)
    booked = practice.book(80)
    practice.prompt = False
    practice.accept(practice.offer(booked, 100))
    with ThreadPoolExecutor(1) as pool:
        with practice.database.begin() as db:  # as whoever hands the letter over does
            [stored] = [
                one
                for one in stored_conversations.of_session(db, booked.id)
                if one.reader is Audience.PRACTITIONER and stored_conversations.locked(db, one.id)
            ]
            correcting = pool.submit(correct_kim, practice)
            until_it_waits(db, correcting)
            sent = NoticeSent(at=practice.now, by=CLOCK, session_id=booked.id, kind="client_accepted", medium="email")
            timeline.append(db, stored.practitioner_id, [sent])
        right = correcting.result()
    with practice.database.read() as db:
        assert people.practitioner(db, practice.kim.id).email == right


def test_a_link_mailed_to_a_practitioners_wrong_address_signs_nobody_in(practice: Practice, post: Post) -> None:
    def ask() -> None:
        with practice.database.begin() as db:
            notices.queue_sign_in(db, practice.policy, people.practitioner(db, practice.kim.id), now=practice.now)

    ask()
    practice.mail()
    ask()
    right = correct_kim(practice)
    practice.mail()
    assert (to_practitioner(practice, post), post.kinds(right)) == (["sign_in"], [])
    [mailed] = [letter.notice.signin_id for letter in post.taken]
    assert mailed is not None
    with practice.database.begin() as db:
        assert signins.owner(db, mailed, role=Role.PRACTITIONER, now=practice.now) is None
        assert signins.use(db, mailed, role=Role.PRACTITIONER, now=practice.now) is None


def test_a_letter_on_its_way_to_the_wrong_address_tells_the_right_one_nothing(practice: Practice, post: Post) -> None:
    post.wrong = CUT_OFF
    practice.book()
    post.wrong = None
    with practice.database.begin() as db:
        conversations.readdress(db, practice.alex.id, "alex@right.example", by=CLOCK, now=practice.now)
    practice.wait(minutes=20)
    practice.mail()
    assert post.kinds("alex@right.example") == ["booked"]


def test_nothing_is_told_of_a_session_that_has_begun_and_its_practitioner_learns_that(
    practice: Practice, post: Post
) -> None:
    post.wrong = DOWN
    booked = practice.book(2)
    recover(practice, post, hours=2)
    assert to_client(practice, post) == []
    assert to_practitioner(practice, post) == ["not_told"]
    practice.edit(booked, Edit(location=ONLINE))
    assert to_practitioner(practice, post) == ["not_told", "not_told"]


def test_who_still_expects_another_time_is_told_even_of_one_that_has_passed(practice: Practice, post: Post) -> None:
    booked = practice.book(48)
    practice.edit(booked, Edit(when=when(-2), reason=CORRECTION, override_past=True))
    assert to_client(practice, post) == ["booked", "corrected"]


def test_a_client_who_has_not_answered_is_reminded_once(practice: Practice, post: Post) -> None:
    practice.offer(practice.book(), window=timedelta(hours=8))
    practice.wait(hours=5, minutes=59)
    practice.mail()
    assert to_client(practice, post) == ["booked", "offered"]
    practice.wait(minutes=1)
    practice.mail()
    practice.wait(minutes=30)
    practice.mail()
    assert to_client(practice, post) == ["booked", "offered", "offer_reminder"]


def test_nobody_is_reminded_at_night(practice: Practice, post: Post) -> None:
    """Three quarters are over at 21:00 in London, and the deadline is at 1:00: there is no morning left."""
    practice.offer(practice.book(), window=timedelta(hours=16))
    practice.wait(hours=15, minutes=59)
    practice.mail()
    assert to_client(practice, post) == ["booked", "offered"]


def test_who_is_due_to_be_reminded_at_night_is_reminded_in_the_morning(practice: Practice, post: Post) -> None:
    """Three quarters are over at 3:00 in London, which is put off to 8:00."""
    practice.offer(practice.book(), window=timedelta(hours=24))
    for hours in (18, 3):
        practice.wait(hours=hours)
        practice.mail()
    assert to_client(practice, post) == ["booked", "offered"]
    practice.wait(hours=2)
    practice.mail()
    assert to_client(practice, post) == ["booked", "offered", "offer_reminder"]


def test_who_has_answered_is_not_reminded(practice: Practice, post: Post) -> None:
    practice.reject(practice.offer(practice.book(), window=timedelta(hours=8)))
    practice.wait(hours=7)
    practice.mail()
    assert "offer_reminder" not in to_client(practice, post)


def test_a_reminder_of_a_draft_that_was_sent_meanwhile_never_leaves(practice: Practice, post: Post) -> None:
    draft = practice.draft(practice.book(), window=timedelta(hours=8))
    post.wrong = DOWN
    practice.wait(hours=4)
    practice.carry_out(Kind.OFFER)
    practice.mail()
    practice.send(draft)
    recover(practice, post)
    assert to_practitioner(practice, post) == []


def test_a_sign_in_that_has_expired_never_leaves(practice: Practice, post: Post) -> None:
    post.wrong = DOWN
    with practice.database.begin() as db:
        notices.queue_sign_in(db, practice.policy, practice.kim, now=practice.now)
    practice.mail()
    recover(practice, post)
    assert post.taken == []


def test_a_letter_that_is_taken_brings_forward_what_waits_for_the_same_server(practice: Practice, post: Post) -> None:
    post.wrong = DOWN
    first = practice.book()
    with practice.database.begin() as db:
        own = due.due.c.kind == Kind.CONVERSATION.value
        later = {"due_at": practice.now + timedelta(minutes=15), "attempts": 9}
        db.execute(sa.update(due.due).where(own).values(later))
    practice.wait(minutes=1)
    post.wrong = None
    practice.book(300, of=practice.another_client())
    practice.mail()
    assert [m.state for m in practice.told(first, client=True)] == [MessageState.SENT]


def test_a_letter_that_surely_did_not_leave_is_written_as_of_when_it_does(practice: Practice, post: Post) -> None:
    """By its date a letter knows which of the offered times are still to come."""
    session = practice.book()
    post.wrong = DOWN
    offer = practice.offer(session, 1, 100)
    practice.mail()
    recover(practice, post, hours=2)
    assert post.taken[-1].notice.offer_id == offer.id
    assert post.taken[-1].date > offer.alternatives[0].when.span.start


def test_a_service_that_asks_for_patience_is_not_asked_earlier(practice: Practice, post: Post) -> None:
    post.wrong = DOWN
    first = practice.book()
    with practice.database.begin() as db:
        own = due.due.c.kind == Kind.CONVERSATION.value
        at = practice.now + timedelta(minutes=15)
        db.execute(sa.update(due.due).where(own).values(due_at=at, not_before=at, attempts=9))
    practice.wait(minutes=1)
    post.wrong = None
    practice.book(300, of=practice.another_client())
    practice.mail()
    assert [m.state for m in practice.told(first, client=True)] == [MessageState.QUEUED]


def test_a_worker_that_lost_its_claim_inside_the_letter_notes_nothing(practice: Practice, post: Post) -> None:
    """Another has sent the letter meanwhile: it stays sent, and a later correction goes by that."""
    post.wrong = CUT_OFF

    def another_worker() -> None:
        post.before, post.wrong = (lambda: None), None
        with practice.database.begin() as db:
            db.execute(sa.update(due.due).values(lease_until=None))
        practice.mail()
        post.wrong = CUT_OFF

    post.before = another_worker
    booked = practice.book()
    post.wrong = None
    assert [m.state for m in practice.told(booked, client=True)] == [MessageState.SENT]
    practice.edit(booked, Edit(when=when(50), reason=CORRECTION))
    assert to_client(practice, post)[-1] == "corrected"


def test_the_session_page_shows_what_is_to_be_told_next(practice: Practice) -> None:
    practice.prompt = False
    booked = practice.book()
    assert next_of(practice, booked) == [("booked", "queued")]
    practice.cancel(booked)
    assert next_of(practice, booked) == []


def next_of(practice: Practice, session: Session) -> list[tuple[str, str]]:
    with practice.database.read() as db:
        page = session_page(db, practice.policy, practice.kim.id, session.id, now=practice.now)
    return [(message.kind.value, message.state.value) for message in page.messages]


def test_clients_write_back_to_a_practitioner_who_takes_replies(practice: Practice, post: Post) -> None:
    with practice.database.begin() as db:
        db.execute(sa.update(tables.practitioners).values(takes_replies=True))
    practice.book()
    assert [letter.notice.reply_to for letter in post.taken] == [practice.kim.email]


def test_a_quiet_conversation_is_not_due(practice: Practice) -> None:
    booked = practice.book()
    practice.draft(booked)
    assert Kind.CONVERSATION not in {key.kind for key in ledger.due_keys(practice.database, practice.now)}
