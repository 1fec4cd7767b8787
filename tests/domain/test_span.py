from __future__ import annotations

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from connector.domain.span import Span, When, check_zone, instant
from connector.errors import RuleError, WallTimeError

HOUR = timedelta(hours=1)
ZONES = ("Europe/Berlin", "America/New_York", "Australia/Sydney", "Asia/Kolkata", "Pacific/Chatham", "UTC")


def test_a_time_in_the_spring_gap_does_not_exist_in_berlin() -> None:
    with pytest.raises(WallTimeError, match="does not exist") as refused:
        When.at(datetime(2026, 3, 29, 2, 30), zone="Europe/Berlin", duration=HOUR)
    assert refused.value.choices == ()


@pytest.mark.parametrize("name", ["localtime", "posixrules", "Factory", "right/Europe/Berlin", "Mars", "", "../etc"])
def test_a_zone_is_one_that_means_the_same_on_every_machine(name: str) -> None:
    with pytest.raises(RuleError, match="is not a time zone"):
        check_zone(name)


def test_a_time_that_comes_twice_in_new_york_is_refused_with_a_question() -> None:
    with pytest.raises(WallTimeError, match="comes twice") as refused:
        When.at(datetime(2026, 11, 1, 1, 30), zone="America/New_York", duration=HOUR)
    assert refused.value.choices == ("earlier", "later")


def test_the_question_can_be_answered_either_way() -> None:
    early, late = (
        When.at(datetime(2026, 11, 1, 1, 30), zone="America/New_York", duration=HOUR, fold=fold) for fold in (0, 1)
    )
    assert late.span.start - early.span.start == HOUR
    assert early.span.start == datetime(2026, 11, 1, 5, 30, tzinfo=UTC)


def test_a_wall_time_does_not_say_itself_which_of_two_it_is() -> None:
    """Its span does, and alone: two times that are equal are the same in every way."""
    local = datetime(2026, 11, 1, 1, 30, fold=1)
    late = When.at(local, zone="America/New_York", duration=HOUR, fold=1)
    assert late.local.fold == When.of(late.span, zone="America/New_York").local.fold == 0


def test_the_southern_gap_is_in_october() -> None:
    with pytest.raises(WallTimeError, match="does not exist"):
        When.at(datetime(2026, 10, 4, 2, 15), zone="Australia/Sydney", duration=HOUR)


def test_a_session_across_the_change_lasts_its_elapsed_time() -> None:
    night = When.at(datetime(2026, 10, 25, 1, 30), zone="Europe/Berlin", duration=timedelta(hours=2))
    assert night.span.duration == timedelta(hours=2)
    assert night.span.end.astimezone(ZoneInfo("Europe/Berlin")).hour == 2  # for the second time


def test_touching_spans_do_not_overlap_and_a_buffer_makes_them() -> None:
    first = Span.of(datetime(2026, 12, 1, 9, tzinfo=UTC), HOUR)
    second = Span.of(datetime(2026, 12, 1, 10, tzinfo=UTC), HOUR)
    assert not first.overlaps(second)
    assert first.padded(timedelta(minutes=10)).overlaps(second)


def test_an_unknown_zone_says_what_to_write() -> None:
    with pytest.raises(RuleError, match="IANA name such as"):
        When.at(datetime(2026, 12, 1, 9), zone="Berlin Time", duration=HOUR)


@pytest.mark.parametrize("zone", ["../../etc/passwd", "", "/etc/localtime", "Europe/\0"])
def test_a_zone_name_opens_no_file(zone: str) -> None:
    with pytest.raises(RuleError, match="not a time zone"):
        When.at(datetime(2026, 12, 1, 9), zone=zone, duration=HOUR)


def test_an_end_before_its_start_is_refused() -> None:
    start = datetime(2026, 12, 1, 9, tzinfo=UTC)
    with pytest.raises(RuleError, match="before the start"):
        Span.of(start, start - HOUR)


def test_a_naive_instant_is_a_programming_error() -> None:
    with pytest.raises(ValueError, match="naive"):
        instant(datetime(2026, 12, 1, 9))


@given(
    st.datetimes(min_value=datetime(2024, 1, 1), max_value=datetime(2032, 1, 1)),
    st.sampled_from(ZONES),
    st.sampled_from([0, 1]),
)
def test_every_wall_time_that_resolves_reads_back_as_itself(local: datetime, zone: str, fold: int) -> None:
    local = local.replace(second=0, microsecond=0, fold=0)
    try:
        resolved = When.at(local, zone=zone, duration=HOUR, fold=0 if fold == 0 else 1)
    except WallTimeError:
        return
    assert resolved.span.start.astimezone(ZoneInfo(zone)).replace(tzinfo=None, fold=0) == local
    assert When.of(resolved.span, zone=zone) == resolved
