"""What leaves when something happens before a letter could: one test a row of the table of merges, then one a doubt."""

from __future__ import annotations

from dataclasses import replace
from datetime import timedelta
from uuid import UUID

from connector.domain.conversation import (
    Conversation,
    arrived,
    doubted,
    handed_over,
    may_have_entry,
    published,
    readdressed,
    told_elsewhere,
    witnessed,
)
from connector.domain.next_letter import Standing, next_letter
from connector.domain.notice import Notice, NoticeKind
from connector.domain.session import Edit, Location, LocationKind, Session, cancel, edit
from connector.domain.span import When
from tests.domain.conversations import BASIS, Fate, World
from tests.domain.examples import ALEX, ATTESTED, KIM, NOW, PRACTICE, SUPPORT, session, when

ELSEWHERE = Location(kind=LocationKind.IN_PERSON, text="Birkenweg 4, Berlin")
THIRD_PLACE = Location(kind=LocationKind.IN_PERSON, text="Ahornallee 7, Berlin")
TOLD, SECOND, THIRD, FOURTH = when(48), when(72), when(96), when(120)


def booked(*, hours: float = 48) -> World:
    """The client has been told of a session."""
    world = World(hours=hours)
    assert world.send_all() == (NoticeKind.BOOKED,)
    return world


def asked(*times: When, window: timedelta = timedelta(hours=24)) -> World:
    """They have been asked about other times, too."""
    world = booked()
    world.offer(*(times or (SECOND, THIRD)), window=window)
    assert world.send_all() == (NoticeKind.OFFERED,)
    return world


def leaving(world: World) -> list[NoticeKind]:
    """Send what is needed by now; the reader must have the truth after that."""
    kinds = world.send_all()
    world.check_quiet()
    return list(kinds)


def last(world: World) -> tuple[When | None, Location | None]:
    """The time and the place that the last letter says no longer apply."""
    return world.left[-1].old_when, world.left[-1].old_location


# Booked, and not told yet.


def test_a_booking_that_moved_before_it_was_told_is_told_as_a_booking_where_it_stands() -> None:
    world = World()
    world.move(SECOND)

    assert leaving(world) == [NoticeKind.BOOKED]
    assert world.reader.known == (SECOND, PRACTICE)


def test_a_booking_that_was_corrected_before_it_was_told_is_told_as_a_booking() -> None:
    world = World()
    world.correct(SECOND)

    assert leaving(world) == [NoticeKind.BOOKED]


def test_a_booking_that_was_relocated_before_it_was_told_is_told_as_a_booking() -> None:
    world = World()
    world.relocate(ELSEWHERE)

    assert leaving(world) == [NoticeKind.BOOKED]
    assert world.reader.known == (TOLD, ELSEWHERE)


def test_a_booking_that_was_cancelled_before_it_was_told_is_never_told() -> None:
    world = World()
    world.cancel()

    assert leaving(world) == []


def test_a_booking_that_may_have_been_told_is_cancelled_by_letter() -> None:
    world = World()
    world.send(Fate.ARRIVED_UNKNOWN)
    world.cancel()

    assert leaving(world) == [NoticeKind.CANCELLED]
    assert world.reader.entry is None


def test_a_booking_and_an_offer_are_two_letters_in_order() -> None:
    world = World()
    world.offer(SECOND)

    assert leaving(world) == [NoticeKind.BOOKED, NoticeKind.OFFERED]


# There and back.


def test_a_move_there_and_back_is_never_told() -> None:
    world = booked()
    world.move(SECOND)
    world.move(TOLD)

    assert leaving(world) == []


def test_a_move_that_may_have_been_told_is_taken_back_with_a_higher_sequence() -> None:
    world = booked()
    world.move(SECOND)
    world.send(Fate.ARRIVED_UNKNOWN)
    world.move(TOLD)

    assert leaving(world) == [NoticeKind.MOVED]
    assert last(world) == (SECOND, None)
    assert world.reader.sequence == 2


def test_an_offer_that_ended_before_it_was_told_is_never_told() -> None:
    for end in (World.withdraw, World.reject_by_support, World.lapse_at_the_deadline):
        world = booked()
        world.offer(SECOND)
        end(world)

        assert NoticeKind.OFFERED not in leaving(world)
        assert NoticeKind.LAPSED not in [notice.kind for notice in world.left]


def test_the_end_of_an_offer_that_may_have_been_told_is_told() -> None:
    world = booked()
    world.offer(SECOND)
    world.send(Fate.LOST_UNKNOWN)
    world.lapse_at_the_deadline()

    assert leaving(world) == [NoticeKind.LAPSED]


# Moves and corrections.


def test_a_move_that_was_corrected_before_it_was_told_is_one_move() -> None:
    world = booked()
    world.move(SECOND)
    world.correct(THIRD)

    assert leaving(world) == [NoticeKind.MOVED]
    assert last(world) == (TOLD, None)


def test_a_correction_is_told_as_one_whatever_follows_it() -> None:
    world = booked()
    world.correct(SECOND)
    world.move(THIRD)
    world.relocate(ELSEWHERE)

    assert leaving(world) == [NoticeKind.CORRECTED]
    assert last(world) == (TOLD, PRACTICE)


def test_a_mistake_that_stands_again_is_no_mistake() -> None:
    world = booked()
    world.correct(SECOND)
    world.move(TOLD)
    world.move(THIRD)

    assert leaving(world) == [NoticeKind.MOVED]
    assert last(world) == (TOLD, None)


def test_a_place_and_a_correction_are_one_correction_with_both() -> None:
    world = booked()
    world.relocate(ELSEWHERE)
    world.correct(SECOND)

    assert leaving(world) == [NoticeKind.CORRECTED]
    assert last(world) == (TOLD, PRACTICE)


def test_each_time_that_may_have_been_told_by_mistake_is_taken_back_by_name() -> None:
    world = booked()
    world.correct(SECOND)
    world.send(Fate.LOST_UNKNOWN)
    world.correct(THIRD)

    assert leaving(world) == [NoticeKind.CORRECTED, NoticeKind.CORRECTED]
    assert [notice.old_when for notice in world.left[-2:]] == [SECOND, TOLD]


# The end of everything.


def test_a_cancellation_is_told_alone() -> None:
    world = asked()
    world.withdraw_alternative()
    world.relocate(ELSEWHERE)
    world.cancel()

    assert leaving(world) == [NoticeKind.CANCELLED]
    assert not world.reader.offers


def test_a_cancellation_is_told_where_the_time_is_known_only_from_the_page() -> None:
    world = World()
    world.send(Fate.REFUSED)
    world.offer(SECOND)
    world.follow_a_link()
    world.accept(by=ALEX)
    world.cancel()

    assert leaving(world) == [NoticeKind.CANCELLED]


def test_a_cancellation_ends_an_offer_of_times_to_come_though_the_session_has_begun() -> None:
    world = asked(window=timedelta(hours=60))
    world.passes(timedelta(hours=49))
    world.cancel()

    assert leaving(world) == [NoticeKind.CANCELLED]
    assert not world.reader.offers


# Answers.


def test_an_acceptance_that_was_moved_before_it_was_confirmed_is_a_move() -> None:
    world = asked()
    world.accept(by=ALEX)
    world.move(FOURTH)

    assert leaving(world) == [NoticeKind.MOVED]
    assert last(world) == (SECOND, None)


def test_an_acceptance_of_the_time_they_were_told_is_confirmed_all_the_same() -> None:
    world = asked()
    world.move(FOURTH)
    world.offer(TOLD)
    world.accept(by=SUPPORT)

    assert leaving(world) == [NoticeKind.ACCEPTED]


def test_an_acceptance_is_confirmed_though_a_later_offer_was_rejected_before() -> None:
    world = asked()
    world.accept(by=SUPPORT)
    world.offer(FOURTH)
    world.reject(by=SUPPORT)

    assert leaving(world) == [NoticeKind.ACCEPTED, NoticeKind.REJECTED]


def test_who_decided_is_told_whoever_does_something_else_before_the_letter_leaves() -> None:
    world = asked()
    world.accept(by=SUPPORT)
    world.offer(FOURTH)

    assert leaving(world) == [NoticeKind.ACCEPTED, NoticeKind.OFFERED]
    assert world.left[-2].by_support


def test_what_support_entered_is_told_so_and_what_others_entered_is_not() -> None:
    world = booked()
    world.relocate(ELSEWHERE, by=SUPPORT)
    assert leaving(world) == [NoticeKind.RELOCATED]
    assert world.left[-1].by_support

    world.relocate(PRACTICE)
    assert leaving(world) == [NoticeKind.RELOCATED]
    assert not world.left[-1].by_support


def test_a_rejection_is_not_confirmed_once_the_session_has_begun() -> None:
    world = asked(SECOND, window=timedelta(hours=40))
    world.passes(timedelta(hours=39))
    world.reject(by=ALEX)
    world.passes(timedelta(hours=10))

    assert leaving(world) == []


# Offers.


def test_a_new_offer_says_that_the_one_before_has_ended() -> None:
    for end in (World.withdraw, World.reject_by_support, World.lapse_at_the_deadline, lambda _: None):
        world = asked()
        end(world)
        world.offer(FOURTH)

        assert leaving(world) == [NoticeKind.OFFERED]
        assert world.left[-1].offer_withdrawn


def test_an_offer_that_changed_twice_is_told_once() -> None:
    world = asked()
    world.withdraw_alternative()
    world.move_alternative(FOURTH)

    assert leaving(world) == [NoticeKind.OFFER_CHANGED]


def test_an_offer_that_changed_before_it_was_told_is_told_as_it_stands() -> None:
    world = booked()
    world.offer(SECOND, THIRD)
    world.withdraw_alternative()

    assert leaving(world) == [NoticeKind.OFFERED]


def test_an_offer_that_changed_and_may_not_have_been_told_is_told_anew() -> None:
    world = booked()
    world.offer(SECOND, THIRD)
    world.send(Fate.LOST_UNKNOWN)
    world.withdraw_alternative()

    assert leaving(world) == [NoticeKind.OFFERED]


def test_an_offer_is_not_told_once_its_deadline_has_come() -> None:
    world = booked()
    world.offer(SECOND)
    world.passes(timedelta(hours=24))

    assert leaving(world) == []


def test_the_end_of_an_older_offer_is_told_though_the_newer_one_can_no_longer_be_answered() -> None:
    world = asked()
    world.offer(FOURTH, window=timedelta(hours=2))
    world.passes(timedelta(hours=2))

    assert leaving(world) == [NoticeKind.WITHDRAWN]
    assert not world.reader.offers


# The session is over.


def test_nothing_is_told_of_a_session_that_has_begun_but_the_practitioner_is_told() -> None:
    world = booked()
    world.relocate(ELSEWHERE)
    world.passes(timedelta(hours=48))

    assert leaving(world) == []
    assert [notice.kind for notice in world.untold] == [NoticeKind.RELOCATED]


def test_a_refused_letter_is_not_told_to_the_practitioner_again_once_the_session_has_begun() -> None:
    world = World()
    world.send(Fate.REFUSED)  # of which they are told at once
    world.passes(timedelta(hours=48))

    assert leaving(world) == []
    assert not world.untold


def test_a_correction_into_the_past_is_told_while_they_wait_for_a_time_to_come() -> None:
    world = booked()
    world.correct(when(-3))

    assert leaving(world) == [NoticeKind.CORRECTED]
    assert world.reader.known == (when(-3), PRACTICE)


def test_the_end_of_an_offer_is_told_after_the_session_has_begun_only_to_whoever_could_still_choose() -> None:
    for hours, kinds in ((24, []), (60, [NoticeKind.WITHDRAWN])):
        world = asked(window=timedelta(hours=hours))
        world.lapse_at_the_deadline() if hours == 24 else world.withdraw()
        world.now = max(world.now, TOLD.span.start)

        assert leaving(world) == kinds


# Refusals.


def test_what_was_refused_for_good_is_not_repeated_and_keeps_nothing_else_back() -> None:
    world = World()
    world.send(Fate.REFUSED)
    assert world.next().notice is None
    assert world.next().is_refused
    world.offer(SECOND)

    assert world.send() is NoticeKind.OFFERED


def test_two_letters_that_were_refused_are_both_not_repeated() -> None:
    world = World()
    world.send(Fate.REFUSED)
    world.offer(SECOND)
    world.send(Fate.REFUSED)

    assert world.next().notice is None


def test_whoever_learnt_of_a_session_from_an_offer_is_told_of_its_end() -> None:
    world = World()
    world.send(Fate.REFUSED)
    world.offer(SECOND)
    world.send()
    assert world.send(Fate.REFUSED) is NoticeKind.BOOKED  # tried once more, since a letter was taken
    world.withdraw()
    assert world.send() is NoticeKind.WITHDRAWN
    world.cancel()

    assert leaving(world) == [NoticeKind.CANCELLED]


def test_a_refusal_does_not_prove_that_an_earlier_try_was_lost() -> None:
    world = World()
    world.send(Fate.ARRIVED_UNKNOWN)
    world.send(Fate.REFUSED)
    world.cancel()

    assert leaving(world) == [NoticeKind.CANCELLED]


# Another address.


def test_a_corrected_address_is_told_what_is_still_true() -> None:
    world = asked()
    world.correct_address(is_stranger=True)

    assert leaving(world) == [NoticeKind.BOOKED, NoticeKind.OFFERED]


def test_a_cancellation_is_told_at_a_corrected_address_though_nothing_else_was() -> None:
    world = booked()
    world.correct_address(is_stranger=False)
    world.cancel()

    assert leaving(world) == [NoticeKind.CANCELLED]
    assert world.reader.entry is None


# Reminders.


def test_a_client_who_has_not_answered_is_reminded_once() -> None:
    world = asked()
    world.passes(timedelta(hours=23))

    assert leaving(world) == [NoticeKind.OFFER_REMINDER]
    world.withdraw_alternative()
    assert leaving(world) == [NoticeKind.OFFER_CHANGED]


def test_whoever_is_told_that_their_times_have_changed_is_not_reminded_at_once() -> None:
    world = asked()
    world.passes(timedelta(hours=23))
    world.withdraw_alternative()

    assert leaving(world) == [NoticeKind.OFFER_CHANGED]


def test_a_reminder_that_surely_did_not_leave_is_tried_again() -> None:
    world = asked()
    world.passes(timedelta(hours=23))
    world.send(Fate.NOT_SENT)

    assert leaving(world) == [NoticeKind.OFFER_REMINDER]


def test_a_reminder_at_three_quarters_of_the_time_waits_for_the_morning() -> None:
    world = asked()

    assert world.next().again_at == NOW + timedelta(hours=23)  # 18 hours on it is 03:00 in London


# Booked elsewhere, and brought in: somebody else has told them, and no letter of ours.


def brought_in() -> tuple[Conversation, Session]:
    stands = session()
    return told_elsewhere(Conversation(), stands), stands


def following(conversation: Conversation, stands: Session) -> Notice | None:
    return next_letter(conversation, Standing(session=stands), BASIS, now=NOW).notice


def test_what_was_booked_elsewhere_is_told_by_nobody_until_it_changes_and_then_as_a_move() -> None:
    conversation, stands = brought_in()
    assert following(conversation, stands) is None
    moved = edit(stands, Edit(when=SECOND, attestation=ATTESTED), by=ALEX, now=NOW)
    notice = following(witnessed(conversation, moved.facts), moved.session)
    assert notice is not None
    assert (notice.kind, notice.old_when) == (NoticeKind.MOVED, stands.when)
    assert following(witnessed(conversation, moved.facts), stands) is None  # and back, before anything left


def test_its_end_is_told_and_a_letter_that_has_arrived_makes_the_entry_ours() -> None:
    conversation, stands = brought_in()
    ended = cancel(stands, by=KIM, now=NOW)
    notice = following(witnessed(conversation, ended.facts), ended.session)
    assert notice is not None
    assert notice.kind is NoticeKind.CANCELLED
    relocated = edit(stands, Edit(location=ELSEWHERE), by=KIM, now=NOW).session
    letter = following(conversation, relocated)
    assert letter is not None
    assert letter.kind is NoticeKind.RELOCATED
    told = arrived(handed_over(conversation, letter, UUID(int=1), now=NOW), UUID(int=1))
    assert following(told, relocated) is None
    assert following(told, stands) is not None
    assert may_have_entry(told)
    assert not may_have_entry(conversation)


def test_another_address_changes_nothing_of_what_somebody_else_has_told_them() -> None:
    conversation, stands = brought_in()
    assert following(readdressed(conversation), stands) is None
    letter = following(conversation, replace(stands, location=ELSEWHERE))
    assert letter is not None
    told = arrived(handed_over(conversation, letter, UUID(int=1), now=NOW), UUID(int=1))
    assert following(readdressed(told), replace(stands, location=ELSEWHERE)) is not None


def test_what_is_brought_in_again_counts_until_a_letter_of_ours_may_have_left() -> None:
    conversation, stands = brought_in()
    elsewhere = replace(stands, when=SECOND)
    assert following(told_elsewhere(conversation, elsewhere), elsewhere) is None
    letter = following(conversation, replace(stands, when=THIRD))
    assert letter is not None
    in_doubt = doubted(handed_over(conversation, letter, UUID(int=1), now=NOW))
    assert following(told_elsewhere(in_doubt, elsewhere), elsewhere) is not None


def test_whoever_subscribes_has_it_there_and_is_invited_when_that_ends() -> None:
    conversation, stands = brought_in()
    subscribed = published(conversation)
    assert following(subscribed, replace(stands, published=True)) is None
    invited = following(subscribed, stands)
    assert invited is not None
    assert invited.kind is NoticeKind.BOOKED
