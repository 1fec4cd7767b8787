from __future__ import annotations

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest

from connector.domain.facts import Attendance
from connector.inbox.authorship import Proof
from connector.inbox.calendar import CalendarMessage, Refresh, Reply
from connector.inbox.verdict import Answered, Invitation, Verdict, judge
from tests.inbox.mails import CLIENT, UID

NOW = datetime(2026, 11, 24, 9, tzinfo=UTC)
REPLY = Reply(uid=UID, sequence=2, attendee=CLIENT, stamp=NOW, answer=Attendance.DECLINED)
REFRESH = Refresh(uid=UID, sequence=2, attendee=CLIENT, stamp=NOW)
INVITATION = Invitation(sent=2, addresses=frozenset({CLIENT}), ends_at=NOW + timedelta(days=7))
OTHER = "sam@client.example"
SECOND = timedelta(seconds=1)
LATEST = Answered(sequence=2, answer=Attendance.DECLINED, stamp=NOW - SECOND, at=NOW - SECOND)


def verdict(
    message: CalendarMessage = REPLY,
    invitation: Invitation | None = INVITATION,
    *,
    author: str = CLIENT,
    proof: Proof = Proof.SERVER,
    names_letter: bool = False,
) -> Verdict:
    return judge(message, invitation, author=author, proof=proof, names_letter=names_letter, now=NOW)


def test_a_proved_answer_to_the_latest_invitation_applies() -> None:
    assert verdict() is verdict(proof=Proof.SIGNATURE) is verdict(REFRESH) is Verdict.APPLIES


def test_an_answer_from_an_unproved_or_another_mailbox_is_shown_to_a_person() -> None:
    assert verdict(proof=Proof.NONE) is verdict(author=OTHER) is Verdict.UNPROVED


OURS = frozenset({"r-7f3k@sessions.example.org"})


@pytest.mark.parametrize("organizers", [frozenset({"eve@evil.example"}), OURS | {"eve@evil.example"}, frozenset({""})])
def test_a_proved_answer_to_somebody_elses_invitation_is_shown_to_a_person(organizers: frozenset[str]) -> None:
    ours = replace(INVITATION, organizers=OURS)
    assert verdict(replace(REPLY, organizers=organizers), ours) is Verdict.OTHER_ORGANIZER
    assert verdict(replace(REPLY, organizers=OURS), ours) is verdict(REPLY, ours) is Verdict.APPLIES


def test_an_answer_without_a_sequence_is_about_the_last_and_applies_by_itself_where_there_was_one_alone() -> None:
    unnumbered = replace(REPLY, sequence=None)
    assert verdict(unnumbered) is Verdict.UNNUMBERED
    assert verdict(unnumbered, replace(INVITATION, sent=0)) is Verdict.APPLIES
    assert verdict(replace(unnumbered, stamp=None), after(LATEST)) is Verdict.REPEATED
    assert verdict(unnumbered, proof=Proof.NONE) is Verdict.UNPROVED


def test_an_answer_for_an_address_that_was_not_invited_from_one_that_was_is_shown_to_a_person() -> None:
    assert verdict(replace(REPLY, attendee=OTHER)) is Verdict.OTHER_MAILBOX


def test_an_answer_about_no_invitation_of_ours_is_unknown() -> None:
    assert verdict(invitation=None) is verdict(invitation=replace(INVITATION, sent=None)) is Verdict.UNKNOWN


def test_an_answer_of_somebody_who_was_not_invited_changes_nothing() -> None:
    assert verdict(replace(REPLY, attendee=OTHER), author=OTHER) is Verdict.NOT_INVITED


def test_an_answer_of_a_mailbox_to_which_a_letter_was_passed_on_is_shown_to_a_person() -> None:
    passed_on = replace(REPLY, attendee=OTHER)
    assert verdict(passed_on, author=OTHER, names_letter=True) is Verdict.OTHER_MAILBOX
    assert verdict(replace(passed_on, sequence=1), author=OTHER, names_letter=True) is Verdict.STALE


@pytest.mark.parametrize(("sequence", "expected"), [(1, Verdict.STALE), (3, Verdict.AHEAD)])
def test_an_answer_to_another_revision_changes_nothing(sequence: int, expected: Verdict) -> None:
    assert verdict(replace(REPLY, sequence=sequence)) is expected


def test_who_asks_for_the_invitation_may_have_an_old_one_of_a_session_that_has_ended() -> None:
    assert verdict(replace(REFRESH, sequence=0), replace(INVITATION, ends_at=None)) is Verdict.APPLIES


@pytest.mark.parametrize("ends_at", [None, NOW, NOW - timedelta(hours=1)])
def test_an_answer_to_a_session_that_is_cancelled_or_over_changes_nothing(ends_at: datetime | None) -> None:
    assert verdict(invitation=replace(INVITATION, ends_at=ends_at)) is Verdict.ENDED


def after(*answered: Answered) -> Invitation:
    """Return the invitation after these answers."""
    return replace(INVITATION, answered=answered)


NOT_LATER = [None, NOW - SECOND, NOW - timedelta(minutes=9)]


@pytest.mark.parametrize("proof", [Proof.SERVER, Proof.NONE])
@pytest.mark.parametrize("stamp", NOT_LATER)
def test_an_answer_that_says_the_same_and_is_not_later_is_a_repetition(stamp: datetime | None, proof: Proof) -> None:
    assert verdict(replace(REPLY, stamp=stamp), after(LATEST), proof=proof) is Verdict.REPEATED


@pytest.mark.parametrize("stamp", NOT_LATER)
@pytest.mark.parametrize("other", [{"answer": Attendance.ACCEPTED}, {"comment": "I am ill"}])
def test_an_answer_that_says_something_else_and_is_not_later_is_shown_to_a_person(
    stamp: datetime | None, other: dict[str, Any]
) -> None:
    reply = replace(REPLY, stamp=stamp, **other)
    assert verdict(reply, after(LATEST)) is Verdict.UNORDERED
    assert verdict(reply, after(LATEST), proof=Proof.NONE) is Verdict.UNPROVED


@pytest.mark.parametrize(
    "answered",
    [
        LATEST,
        replace(LATEST, sequence=1, stamp=NOW),
        replace(LATEST, stamp=None),
        replace(LATEST, stamp=NOW + timedelta(days=9_999)),
    ],
)
def test_who_changes_their_mind_is_heard_whatever_a_clock_of_theirs_has_told_before(answered: Answered) -> None:
    assert verdict(replace(REPLY, answer=Attendance.ACCEPTED), after(answered)) is Verdict.APPLIES


@pytest.mark.parametrize("stamp", [None, NOW - timedelta(hours=2), NOW + timedelta(days=9_999)])
def test_a_copy_of_an_earlier_answer_undoes_none(stamp: datetime | None) -> None:
    first = replace(LATEST, stamp=stamp, at=NOW - timedelta(hours=1))
    second = replace(LATEST, answer=Attendance.ACCEPTED)
    assert verdict(replace(REPLY, stamp=stamp), after(first, second)) is Verdict.UNORDERED


def test_nothing_applies_unless_everything_about_it_is_right() -> None:
    rights = list(product([CLIENT, OTHER], [CLIENT, OTHER], [1, 2, 3], Proof, [INVITATION, None]))
    applied = [
        row
        for row in rights
        if verdict(replace(REPLY, attendee=row[0], sequence=row[2]), row[4], author=row[1], proof=row[3])
        is Verdict.APPLIES
    ]
    assert applied == [(CLIENT, CLIENT, 2, proof, INVITATION) for proof in (Proof.SERVER, Proof.SIGNATURE)]
