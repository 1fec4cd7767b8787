"""What a read of our events means, case by case, and in any order of reads."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.change import ChangeKind, Loss, Observation, RemoteChange, loss, observations
from connector.domain.entry import Content, Showing
from connector.domain.reconcile import Mirror, MirrorState, Sighting
from connector.domain.span import Span
from tests.domain.examples import NOW, when
from tests.domain.test_reconcile import KEYS, entry, mirror

MINUTE = timedelta(seconds=60)
ENTRY = entry(KEYS[0])
MIRROR = mirror(ENTRY)
KEY = ENTRY.key


def at(hours: float, **changes: object) -> Content:
    return replace(ENTRY.content, span=when(hours).span, **changes)  # type: ignore[arg-type]


def sighted(content: Content | None, etag: str = '"2"') -> Sighting:
    return Sighting(href="/e.ics", etag=etag, content=content)


def look(
    sighting: Sighting | None,
    *,
    before: Mirror = MIRROR,
    content: Content | None = ENTRY.content,
    previous: RemoteChange | None = None,
    now: datetime = NOW,
    hidden: bool = False,
) -> Observation:
    (observation,) = observations(
        [before],
        {before.ref.name: sighting},
        {KEY: content} if content else {},
        {KEY: previous} if previous else {},
        hidden={KEY} if hidden else (),
        now=now,
        settling=MINUTE,
    )
    return observation


def remote_change(kind: ChangeKind, *, actual: Span | None = None) -> RemoteChange:
    return RemoteChange(key=KEY, kind=kind, since=NOW, expected=ENTRY.content.span, actual=actual)


def test_our_own_echo_means_nothing() -> None:
    observation = look(sighted(ENTRY.content, '"1"'))
    assert (observation.mirror, observation.remote_change, observation.settled_change) == (MIRROR, None, None)


def test_a_touch_of_what_is_theirs_is_kept_and_only_the_version_is_learned() -> None:
    observation = look(sighted(ENTRY.content))
    assert observation.settled_change is not None
    assert (observation.settled_change.kind, observation.remote_change, observation.mirror.ref.etag) == (
        ChangeKind.TOUCHED,
        None,
        '"2"',
    )


@pytest.mark.parametrize(
    ("sighting", "kind", "to"),
    [
        (None, ChangeKind.DELETED, None),
        (sighted(at(60)), ChangeKind.MOVED, when(60).span),
        (sighted(None), ChangeKind.RESHAPED, None),
    ],
)
def test_a_change_is_settling_first_and_counts_after_the_settling_time(
    sighting: Sighting | None, kind: ChangeKind, to: Span | None
) -> None:
    first = look(sighting)
    assert first.remote_change == remote_change(kind, actual=to)
    assert first.settled_change is None
    early = look(sighting, before=first.mirror, previous=first.remote_change, now=NOW + MINUTE - timedelta(seconds=1))
    assert (early.remote_change, early.settled_change) == (first.remote_change, None)
    settled = look(sighting, before=first.mirror, previous=first.remote_change, now=NOW + MINUTE)
    assert settled.settled_change is not None
    assert (settled.settled_change.kind, settled.settled_change.to) == (kind, to)


def test_an_event_dragged_on_settles_anew_from_the_last_place() -> None:
    first = look(sighted(at(60)))
    later = look(sighted(at(66)), before=first.mirror, previous=first.remote_change, now=NOW + MINUTE)
    assert later.settled_change is None
    assert later.remote_change == replace(remote_change(ChangeKind.MOVED, actual=when(66).span), since=NOW + MINUTE)


def test_an_event_moved_back_in_time_was_never_moved() -> None:
    first = look(sighted(at(60)))
    back = look(sighted(ENTRY.content, '"3"'), before=first.mirror, previous=first.remote_change, now=NOW + MINUTE)
    assert back.remote_change is None
    assert back.settled_change is not None
    assert back.settled_change.kind is ChangeKind.TOUCHED


def test_a_deleted_event_brought_back_while_it_is_asked_about_is_noticed() -> None:
    absent = replace(MIRROR, state=MirrorState.ABSENT, seen=None)
    observation = look(sighted(ENTRY.content), before=absent, hidden=True)
    assert observation.settled_change is not None
    assert observation.settled_change.kind is ChangeKind.RETURNED
    assert look(None, before=absent, hidden=True).remote_change is None


def test_another_title_counts_at_once() -> None:
    observation = look(sighted(at(48, title="Lunch")))
    assert observation.settled_change is not None
    assert (observation.settled_change.kind, observation.remote_change) == (ChangeKind.EDITED, None)


def test_what_was_decided_since_is_no_change_of_anybody() -> None:
    """We have not written the new time yet, so the event still stands at the old one."""
    observation = look(sighted(ENTRY.content), content=at(72))
    assert (observation.remote_change, observation.settled_change) == (None, None)


def test_a_decision_overrules_a_change_that_is_settling() -> None:
    first = look(sighted(at(60)))
    assert first.remote_change is not None
    assert first.remote_change.overruled(at(72))
    assert first.remote_change.overruled(None)
    assert not first.remote_change.overruled(at(48, title="Another title"))
    later = look(sighted(at(60)), before=first.mirror, previous=first.remote_change, content=at(72), now=NOW + MINUTE)
    assert (later.remote_change, later.settled_change) == (first.remote_change, None)


def test_a_decision_overrules_a_deletion_that_is_settling() -> None:
    first = look(None)
    later = look(None, before=first.mirror, previous=first.remote_change, content=at(72), now=NOW + MINUTE)
    assert (later.mirror, later.remote_change, later.settled_change) == (first.mirror, first.remote_change, None)


def test_what_was_absent_before_and_is_still_is_nothing_new() -> None:
    absent = replace(MIRROR, state=MirrorState.ABSENT, seen=None)
    assert look(None, before=absent) == Observation(mirror=absent)


def test_a_mirror_in_doubt_is_left_alone() -> None:
    """What stands there may be a write of our own whose record a crash has taken."""
    doubtful = replace(MIRROR, state=MirrorState.UNKNOWN)
    for sighting in (None, sighted(at(60)), sighted(ENTRY.content)):
        assert not list(
            observations([doubtful], {doubtful.ref.name: sighting}, {KEY: at(72)}, {}, now=NOW, settling=MINUTE)
        )


def test_what_was_not_read_is_not_judged() -> None:
    assert not list(observations([MIRROR], {}, {KEY: ENTRY.content}, {}, now=NOW, settling=MINUTE))


def test_what_is_not_wanted_any_more_may_go() -> None:
    observation = look(None, content=None)
    assert (observation.remote_change, observation.settled_change, observation.mirror.state) == (
        None,
        None,
        MirrorState.ABSENT,
    )


def test_what_is_over_may_be_tidied_away() -> None:
    observation = look(None, now=ENTRY.content.span.end)
    assert (observation.remote_change, observation.settled_change) == (None, None)


LOOKS = st.lists(
    st.tuples(
        st.sampled_from([None, sighted(None), sighted(ENTRY.content), *(sighted(at(h)) for h in (60, 66, 72))]),
        st.integers(min_value=0, max_value=90),
    ),
    max_size=12,
)


@given(LOOKS)
def test_nothing_counts_that_was_not_seen_the_same_for_the_settling_time(
    looks: list[tuple[Sighting | None, int]],
) -> None:
    before, previous, now = MIRROR, None, NOW
    reads: list[tuple[datetime, Sighting | None]] = []
    for sighting, seconds in looks:
        now += timedelta(seconds=seconds)
        reads.append((now, sighting))
        observation = look(sighting, before=before, previous=previous, now=now)
        before, previous = observation.mirror, observation.remote_change
        if observation.settled_change is not None and observation.settled_change.kind in (
            ChangeKind.DELETED,
            ChangeKind.MOVED,
            ChangeKind.RESHAPED,
        ):
            same = []
            for moment, former in reversed(reads):
                if former != sighting:
                    break
                same.append(moment)
            assert same[0] - same[-1] >= MINUTE
            previous = None
            break


@pytest.mark.parametrize(
    ("gone", "known", "shrunken", "emptied"),
    [
        (1, 1, False, False),
        (2, 2, False, True),
        (3, 4, False, False),
        (3, 15, False, False),
        (4, 15, True, False),
        (4, 20, False, False),
        (4, 19, True, False),
        (5, 25, False, False),
        (6, 29, True, False),
        (0, 0, False, False),
    ],
)
def test_the_circuit_breaker_opens_beyond_three_and_a_fifth_or_when_nothing_is_left(
    gone: int,
    known: int,
    shrunken: bool,  # noqa: FBT001 - a row of the table
    emptied: bool,  # noqa: FBT001 - likewise
) -> None:
    missing = Loss(gone=gone, known=known, left=known - gone)
    assert (missing.is_shrunken, missing.is_emptied) == (shrunken, emptied)


def test_all_holds_of_one_offer_count_as_one_and_what_was_meant_does_not_count() -> None:
    units = {KEYS[0]: "session", KEYS[1]: "offer", KEYS[2]: "offer"}
    deletions = [replace(remote_change(ChangeKind.DELETED), key=key) for key in KEYS]
    assert loss(units, deletions) == Loss(gone=2, known=2, left=0)
    assert loss(units, deletions[1:]) == Loss(gone=1, known=2, left=1)
    assert loss(units, deletions[:2]) == Loss(gone=2, known=2, left=1), "one hold still stands"
    assert loss(units, [replace(change, accepted=True) for change in deletions]) == Loss(gone=0, known=2, left=3)
    moves = [replace(change, kind=ChangeKind.MOVED, actual=when(60).span) for change in deletions]
    assert loss(units, moves) == Loss(gone=0, known=2, left=3)


def test_a_firm_hold_that_reads_as_busy_is_an_echo() -> None:
    firm = replace(ENTRY.content, showing=Showing.FIRM)
    before = replace(MIRROR, seen=firm.fingerprint)
    assert look(sighted(firm, '"1"'), before=before, content=firm).settled_change is None
