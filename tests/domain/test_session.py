from __future__ import annotations

from dataclasses import replace
from datetime import timedelta

import pytest

from connector.domain import session as sessions
from connector.domain.facts import FlagCleared, FlagReason, LocationChanged, MoveReason, SessionMoved
from connector.domain.people import Actor, Role
from connector.domain.session import Edit, Location, LocationKind, SessionState
from connector.errors import PastSpanError, RuleError
from tests.domain.examples import ATTESTED, KIM, NOW, PRACTICE, session, when

ELSEWHERE = Location(kind=LocationKind.ONLINE, text="https://meet.example.org/kim")


def test_moving_keeps_id_and_uid_and_raises_the_revision_by_one() -> None:
    before = session()
    after = sessions.edit(before, Edit(when=when(72), attestation=ATTESTED), by=KIM, now=NOW).session
    assert (after.id, after.uid, after.organizer) == (before.id, before.uid, before.organizer)
    assert after.revision == before.revision + 1
    assert after.stamp > before.stamp


def test_saving_unchanged_values_is_nothing() -> None:
    before = session()
    transition = sessions.edit(before, Edit(when=before.when, location=before.location), by=KIM, now=NOW)
    assert transition.session is before
    assert transition.facts == ()


def test_several_fields_in_one_save_are_one_revision() -> None:
    before = session()
    transition = sessions.edit(before, Edit(when=when(72), location=ELSEWHERE, attestation=ATTESTED), by=KIM, now=NOW)
    assert transition.session.revision == before.revision + 1
    assert [type(fact) for fact in transition.facts] == [SessionMoved, LocationChanged]


def test_a_move_without_an_attestation_is_refused() -> None:
    with pytest.raises(RuleError, match="client has agreed"):
        sessions.edit(session(), Edit(when=when(72)), by=KIM, now=NOW)


def test_a_location_alone_needs_no_attestation() -> None:
    assert sessions.edit(session(), Edit(location=ELSEWHERE), by=KIM, now=NOW).session.location == ELSEWHERE


def test_a_move_settles_what_a_session_was_flagged_for_and_another_place_does_not() -> None:
    flagged = sessions.flagged(session(), FlagReason.LAPSED, by=KIM, now=NOW).session
    moved = sessions.edit(flagged, Edit(when=when(72), attestation=ATTESTED), by=KIM, now=NOW)
    assert moved.session.flag is None
    assert [type(fact) for fact in moved.facts] == [SessionMoved, FlagCleared]
    relocated = sessions.edit(flagged, Edit(location=ELSEWHERE), by=KIM, now=NOW)
    assert relocated.session.flag is FlagReason.LAPSED
    assert [type(fact) for fact in relocated.facts] == [LocationChanged]


def test_a_past_time_is_refused() -> None:
    with pytest.raises(PastSpanError, match="already passed"):
        sessions.edit(session(), Edit(when=when(-1), attestation=ATTESTED), by=KIM, now=NOW)


def test_a_past_time_stands_as_an_explicit_correction() -> None:
    edit = Edit(when=when(-1), reason=MoveReason.CORRECTION, override_past=True)
    assert sessions.edit(session(), edit, by=KIM, now=NOW).session.when == when(-1)


def test_the_override_alone_does_not_open_the_past() -> None:
    with pytest.raises(PastSpanError):
        sessions.edit(session(), Edit(when=when(-1), attestation=ATTESTED, override_past=True), by=KIM, now=NOW)


def test_stamps_rise_even_within_one_second() -> None:
    first = session()
    second = sessions.revised(first, now=NOW)
    third = sessions.revised(second, now=NOW)
    assert third.stamp - second.stamp == second.stamp - first.stamp == timedelta(seconds=1)


def test_cancelling_twice_is_once() -> None:
    once = sessions.cancel(session(), by=KIM, now=NOW).session
    again = sessions.cancel(once, by=KIM, now=NOW)
    assert once.state is SessionState.CANCELLED
    assert again.session is once
    assert again.facts == ()


def test_a_cancelled_session_cannot_be_moved() -> None:
    cancelled = replace(session(), state=SessionState.CANCELLED)
    with pytest.raises(RuleError, match="has been cancelled"):
        sessions.edit(cancelled, Edit(when=when(72), attestation=ATTESTED), by=KIM, now=NOW)


@pytest.mark.parametrize("text", ["", "  ", "a\x07b", "x" * 501])
def test_a_location_is_one_line_that_can_be_seen(text: str) -> None:
    with pytest.raises(RuleError, match="Place"):
        Location(kind=LocationKind.IN_PERSON, text=text)


@pytest.mark.parametrize(
    ("kind", "typed", "text"),
    [
        (LocationKind.IN_PERSON, "Lindenstraße 7\r\n 10969 Berlin \n", "Lindenstraße 7, 10969 Berlin"),
        (LocationKind.ONLINE, "https://meet.example.org/\nalex", "https://meet.example.org/alex"),
        (LocationKind.PHONE, "Kim calls\n+49 30 1234", "Kim calls +49 30 1234"),
    ],
)
def test_a_location_typed_on_two_lines_is_joined_as_its_kind_is_read(kind: LocationKind, typed: str, text: str) -> None:
    assert Location(kind=kind, text=typed).text == text


@pytest.mark.parametrize("text", ["meet.example.org", "http://meet.example.org", "javascript:alert(1)", "https://"])
def test_an_online_session_needs_a_full_https_link(text: str) -> None:
    with pytest.raises(RuleError, match="https"):
        Location(kind=LocationKind.ONLINE, text=text)


def test_support_acts_only_under_a_name_and_with_a_reason() -> None:
    with pytest.raises(RuleError, match="under a name and with a reason"):
        Actor(role=Role.SUPPORT, name="Robin")


def test_booking_in_the_past_is_refused() -> None:
    made = session()
    with pytest.raises(PastSpanError):
        sessions.book(
            practitioner_id=made.practitioner_id,
            client_id=made.client_id,
            when=when(-2),
            location=PRACTICE,
            organizer="sessions@pencilled.example",
            by=KIM,
            now=NOW,
        )
