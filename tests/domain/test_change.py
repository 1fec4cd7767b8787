"""What a look at our events means, case by case, and in any order of looks."""

from __future__ import annotations

from dataclasses import replace
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.change import Act, Finding, Suspicion, Toll, findings, toll
from connector.domain.entry import Content, Showing
from connector.domain.reconcile import Mirror, MirrorState, Sighting
from connector.domain.span import Span
from tests.domain.examples import NOW, when
from tests.domain.test_reconcile import KEYS, entry, mirror

MINUTE = timedelta(seconds=60)
WANTED = entry(KEYS[0])
KNOWN = mirror(WANTED)
KEY = WANTED.key


def at(hours: float, **changes: object) -> Content:
    return replace(WANTED.content, span=when(hours).span, **changes)  # type: ignore[arg-type]


def sighted(content: Content | None, etag: str = '"2"') -> Sighting:
    return Sighting(href="/e.ics", etag=etag, content=content)


def look(
    sighting: Sighting | None,
    *,
    known: Mirror = KNOWN,
    wanted: Content | None = WANTED.content,
    earlier: Suspicion | None = None,
    now: datetime = NOW,
    hidden: bool = False,
) -> Finding:
    (found,) = findings(
        [known],
        {known.ref.name: sighting},
        {KEY: wanted} if wanted else {},
        {KEY: earlier} if earlier else {},
        hidden={KEY} if hidden else (),
        now=now,
        settling=MINUTE,
    )
    return found


def suspicion(act: Act, *, found: Span | None = None, wanted: Content = WANTED.content) -> Suspicion:
    return Suspicion(key=KEY, act=act, since=NOW, wanted=wanted.span, found=found)


def test_our_own_echo_means_nothing() -> None:
    found = look(sighted(WANTED.content, '"1"'))
    assert (found.mirror, found.suspicion, found.happening) == (KNOWN, None, None)


def test_a_touch_of_what_is_theirs_is_kept_and_only_the_version_is_learned() -> None:
    found = look(sighted(WANTED.content))
    assert found.happening is not None
    assert (found.happening.act, found.suspicion, found.mirror.ref.etag) == (Act.TOUCHED, None, '"2"')


@pytest.mark.parametrize(
    ("sighting", "act", "to"),
    [
        (None, Act.DELETED, None),
        (sighted(at(60)), Act.MOVED, when(60).span),
        (sighted(None), Act.RESHAPED, None),
    ],
)
def test_an_act_is_suspected_first_and_counts_after_the_settling_time(
    sighting: Sighting | None, act: Act, to: Span | None
) -> None:
    first = look(sighting)
    assert first.suspicion == suspicion(act, found=to)
    assert first.happening is None
    early = look(sighting, known=first.mirror, earlier=first.suspicion, now=NOW + MINUTE - timedelta(seconds=1))
    assert (early.suspicion, early.happening) == (first.suspicion, None)
    settled = look(sighting, known=first.mirror, earlier=first.suspicion, now=NOW + MINUTE)
    assert settled.happening is not None
    assert (settled.happening.act, settled.happening.to) == (act, to)


def test_an_event_dragged_on_is_suspected_anew_from_the_last_place() -> None:
    first = look(sighted(at(60)))
    later = look(sighted(at(66)), known=first.mirror, earlier=first.suspicion, now=NOW + MINUTE)
    assert later.happening is None
    assert later.suspicion == replace(suspicion(Act.MOVED, found=when(66).span), since=NOW + MINUTE)


def test_an_event_moved_back_in_time_was_never_moved() -> None:
    first = look(sighted(at(60)))
    back = look(sighted(WANTED.content, '"3"'), known=first.mirror, earlier=first.suspicion, now=NOW + MINUTE)
    assert back.suspicion is None
    assert back.happening is not None
    assert back.happening.act is Act.TOUCHED


def test_a_deleted_event_brought_back_while_it_is_asked_about_is_noticed() -> None:
    gone = replace(KNOWN, state=MirrorState.ABSENT, seen=None)
    found = look(sighted(WANTED.content), known=gone, hidden=True)
    assert found.happening is not None
    assert found.happening.act is Act.RETURNED
    assert look(None, known=gone, hidden=True).suspicion is None


def test_another_title_counts_at_once() -> None:
    found = look(sighted(at(48, title="Lunch")))
    assert found.happening is not None
    assert (found.happening.act, found.suspicion) == (Act.EDITED, None)


def test_what_was_decided_since_is_no_act_of_anybody() -> None:
    """We have not written the new time yet, so the event still stands at the old one."""
    found = look(sighted(WANTED.content), wanted=at(72))
    assert (found.suspicion, found.happening) == (None, None)


def test_a_decision_overrules_what_is_suspected() -> None:
    first = look(sighted(at(60)))
    assert first.suspicion is not None
    assert first.suspicion.overruled(at(72))
    assert first.suspicion.overruled(None)
    assert not first.suspicion.overruled(at(48, title="Another title"))
    later = look(sighted(at(60)), known=first.mirror, earlier=first.suspicion, wanted=at(72), now=NOW + MINUTE)
    assert (later.suspicion, later.happening) == (first.suspicion, None)


def test_a_mirror_in_doubt_is_left_alone() -> None:
    """What stands there may be a write of our own whose record a crash has taken."""
    doubtful = replace(KNOWN, state=MirrorState.UNKNOWN)
    for sighting in (None, sighted(at(60)), sighted(WANTED.content)):
        assert not list(
            findings([doubtful], {doubtful.ref.name: sighting}, {KEY: at(72)}, {}, now=NOW, settling=MINUTE)
        )


def test_what_was_not_read_is_not_judged() -> None:
    assert not list(findings([KNOWN], {}, {KEY: WANTED.content}, {}, now=NOW, settling=MINUTE))


def test_what_is_not_wanted_any_more_may_go() -> None:
    found = look(None, wanted=None)
    assert (found.suspicion, found.happening, found.mirror.state) == (None, None, MirrorState.ABSENT)


def test_what_is_over_may_be_tidied_away() -> None:
    found = look(None, now=WANTED.content.span.end)
    assert (found.suspicion, found.happening) == (None, None)


LOOKS = st.lists(
    st.tuples(
        st.sampled_from([None, sighted(None), sighted(WANTED.content), *(sighted(at(h)) for h in (60, 66, 72))]),
        st.integers(min_value=0, max_value=90),
    ),
    max_size=12,
)


@given(LOOKS)
def test_nothing_counts_that_was_not_seen_the_same_for_the_settling_time(
    looks: list[tuple[Sighting | None, int]],
) -> None:
    known, earlier, now = KNOWN, None, NOW
    seen: list[tuple[datetime, Sighting | None]] = []
    for sighting, seconds in looks:
        now += timedelta(seconds=seconds)
        seen.append((now, sighting))
        found = look(sighting, known=known, earlier=earlier, now=now)
        known, earlier = found.mirror, found.suspicion
        if found.happening is not None and found.happening.act in (Act.DELETED, Act.MOVED, Act.RESHAPED):
            same = []
            for moment, one in reversed(seen):
                if one != sighting:
                    break
                same.append(moment)
            assert same[0] - same[-1] >= MINUTE
            earlier = None
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
def test_the_brake_goes_on_beyond_three_and_a_fifth_or_when_nothing_is_left(
    gone: int,
    known: int,
    shrunken: bool,  # noqa: FBT001 - a row of the table
    emptied: bool,  # noqa: FBT001 - likewise
) -> None:
    found = Toll(gone=gone, known=known, left=known - gone)
    assert (found.is_shrunken, found.is_emptied) == (shrunken, emptied)


def test_all_holds_of_one_offer_count_as_one_and_what_was_meant_does_not_count() -> None:
    units = {KEYS[0]: "session", KEYS[1]: "offer", KEYS[2]: "offer"}
    deleted = [replace(suspicion(Act.DELETED), key=key) for key in KEYS]
    assert toll(units, deleted) == Toll(gone=2, known=2, left=0)
    assert toll(units, deleted[1:]) == Toll(gone=1, known=2, left=1)
    assert toll(units, deleted[:2]) == Toll(gone=2, known=2, left=1), "one hold still stands"
    assert toll(units, [replace(one, accepted=True) for one in deleted]) == Toll(gone=0, known=2, left=3)
    moved = [replace(one, act=Act.MOVED, found=when(60).span) for one in deleted]
    assert toll(units, moved) == Toll(gone=0, known=2, left=3)


def test_a_firm_hold_that_reads_as_busy_is_an_echo() -> None:
    firm = replace(WANTED.content, showing=Showing.FIRM)
    known = replace(KNOWN, seen=firm.fingerprint)
    assert look(sighted(firm, '"1"'), known=known, wanted=firm).happening is None
